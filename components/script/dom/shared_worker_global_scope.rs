//! <https://html.spec.whatwg.org/multipage/workers.html#shared-workers-and-the-sharedworkerglobalscope-interface>

use base::ids::MessagePortId;

use super::message_event::MessageEvent;
use super::message_port::MessagePort;
use super::worker_global_scope::WorkerGlobalScope;
use crate::bindings::generated::SharedWorkerGlobalScopeMethods;
use crate::bindings::{DomString, Fallible, Realm};
use crate::worker::global_scope::global_target;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#sharedworkerglobalscope>
    pub struct SharedWorkerGlobalScope {
        pub(crate) parent: WorkerGlobalScope,
        name: DomString,
    }
}

impl SharedWorkerGlobalScope {
    /// The global object of a shared worker of this name.
    pub(crate) fn new(name: DomString) -> Self {
        Self {
            parent: WorkerGlobalScope::new_inherited(),
            name,
        }
    }

    /// A window or worker has connected.
    ///
    /// <https://html.spec.whatwg.org/multipage/indices.html#event-connect>
    pub(crate) fn connect(realm: &Realm, port: MessagePortId) -> Fallible<()> {
        let port = MessagePort::receive(realm, port)?;
        let source = port.value();
        let data = realm.new_string("")?;
        let event =
            MessageEvent::create(realm, "connect", data, String::new(), &source, vec![port])?;
        global_target(realm)?.dispatch_trusted(realm, &event);
        Ok(())
    }
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
