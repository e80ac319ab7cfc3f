//! <https://html.spec.whatwg.org/multipage/workers.html#shared-workers-and-the-sharedworkerglobalscope-interface>

use std::cell::RefCell;

use base::ids::MessagePortId;

use super::message_event::MessageEvent;
use super::message_port::MessagePort;
use super::worker_global_scope::WorkerGlobalScope;
use crate::bindings::generated::SharedWorkerGlobalScopeMethods;
use crate::bindings::{DomString, Fallible, NoTrace, Realm};
use crate::worker::global_scope::global_target;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#sharedworkerglobalscope>
    pub struct SharedWorkerGlobalScope {
        pub(crate) parent: WorkerGlobalScope,
        name: DomString,
        /// Those who have connected before the script has run; none after that.
        waiting: RefCell<NoTrace<Option<Vec<MessagePortId>>>>,
    }
}

impl SharedWorkerGlobalScope {
    /// The global object of a shared worker of this name.
    pub(crate) fn new(name: DomString) -> Self {
        Self {
            parent: WorkerGlobalScope::new_inherited(),
            name,
            waiting: RefCell::new(NoTrace(Some(Vec::new()))),
        }
    }

    /// A window or worker has connected. It is told to the script once that has run.
    pub(crate) fn connect(&self, realm: &Realm, port: MessagePortId) -> Fallible<()> {
        if let Some(waiting) = &mut self.waiting.borrow_mut().0 {
            waiting.push(port);
            return Ok(());
        }
        fire_connect(realm, port)
    }

    /// The script has run.
    pub(crate) fn start(&self, realm: &Realm) -> Fallible<()> {
        let waiting = self.waiting.borrow_mut().0.take();
        waiting
            .into_iter()
            .flatten()
            .try_for_each(|port| fire_connect(realm, port))
    }
}

/// <https://html.spec.whatwg.org/multipage/indices.html#event-connect>
fn fire_connect(realm: &Realm, port: MessagePortId) -> Fallible<()> {
    let port = MessagePort::receive(realm, port)?;
    let source = port.value();
    let data = realm.new_string("")?;
    let event = MessageEvent::create(realm, "connect", data, String::new(), &source, vec![port])?;
    global_target(realm)?.dispatch_trusted(realm, &event);
    Ok(())
}

impl SharedWorkerGlobalScopeMethods for SharedWorkerGlobalScope {
    fn name(&self, _: &Realm) -> DomString {
        self.name.clone()
    }

    fn close(&self, realm: &Realm) -> Fallible<()> {
        WorkerGlobalScope::close(realm);
        Ok(())
    }
}
