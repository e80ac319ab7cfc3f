//! <https://html.spec.whatwg.org/multipage/workers.html#dedicated-workers-and-the-dedicatedworkerglobalscope-interface>

use std::cell::OnceCell;

use base::ids::MessagePortId;

use super::message_port::MessagePort;
use super::worker_global_scope::WorkerGlobalScope;
use crate::bindings::generated::{
    DedicatedWorkerGlobalScopeMethods, MessagePortMethods, StructuredSerializeOptions,
};
use crate::bindings::{Dom, DomString, Fallible, Object, Realm, Value};
use crate::worker::global_scope::global_target;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#dedicatedworkerglobalscope>
    pub struct DedicatedWorkerGlobalScope {
        pub(crate) parent: WorkerGlobalScope,
        name: DomString,
        /// <https://html.spec.whatwg.org/multipage/workers.html#inside-port>
        inside_port: OnceCell<Dom<MessagePort>>,
    }
}

impl DedicatedWorkerGlobalScope {
    /// The global object of a dedicated worker of this name.
    pub(crate) fn new(name: DomString) -> Self {
        Self {
            parent: WorkerGlobalScope::new_inherited(),
            name,
            inside_port: OnceCell::new(),
        }
    }

    /// Gives it its port, once.
    pub(crate) fn receive_port(&self, realm: &Realm, port: MessagePortId) -> Fallible<()> {
        let port = MessagePort::receive(realm, port)?;
        port.set_event_target(global_target(realm)?);
        // The global object is new.
        let _ = self.inside_port.set(port);
        Ok(())
    }

    /// Messages come from now on.
    pub(crate) fn enable_port(&self) {
        if let Some(port) = self.inside_port.get() {
            port.enable();
        }
    }
}

impl DedicatedWorkerGlobalScopeMethods for DedicatedWorkerGlobalScope {
    fn name(&self, _: &Realm) -> DomString {
        self.name.clone()
    }

    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-dedicatedworkerglobalscope-postmessage>
    fn post_message(&self, realm: &Realm, message: Value, transfer: Vec<Object>) -> Fallible<()> {
        match self.inside_port.get() {
            Some(port) => port.post_message(realm, message, transfer),
            None => Ok(()),
        }
    }

    fn post_message_2(
        &self,
        realm: &Realm,
        message: Value,
        options: StructuredSerializeOptions,
    ) -> Fallible<()> {
        self.post_message(realm, message, options.transfer)
    }

    fn close(&self, realm: &Realm) -> Fallible<()> {
        WorkerGlobalScope::close(realm);
        Ok(())
    }
}
