//! <https://html.spec.whatwg.org/multipage/comms.html#the-messageevent-interface>

use std::cell::RefCell;

use super::event::Event;
use super::message_port::MessagePort;
use crate::bindings::generated::{
    EventInit, MessageEventInit, MessageEventMethods, WindowOrServiceWorkerOrMessagePort,
};
use crate::bindings::{Dom, DomString, Fallible, Realm, ToJs, UsvString, Value};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/comms.html#messageevent>
    pub struct MessageEvent {
        pub(crate) parent: Event,
        data: RefCell<Value>,
        origin: RefCell<UsvString>,
        last_event_id: RefCell<DomString>,
        source: RefCell<Value>,
        ports: RefCell<Value>,
    }
}

impl MessageEvent {
    /// The event for a message from `source`, which is a window or a service worker.
    pub(crate) fn create(
        realm: &Realm,
        type_: &str,
        data: Value,
        origin: String,
        source: &Value,
        ports: Vec<Dom<MessagePort>>,
    ) -> Fallible<Dom<Self>> {
        let init = MessageEventInit {
            parent: EventInit::default(),
            data,
            origin: origin.into(),
            last_event_id: DomString::default(),
            source: WindowOrServiceWorkerOrMessagePort::from_js(realm, source).ok(),
            ports,
        };
        Self::constructor(realm, type_.into(), init)
    }
}

impl MessageEventMethods for MessageEvent {
    fn constructor(realm: &Realm, type_: DomString, init: MessageEventInit) -> Fallible<Dom<Self>> {
        let parent = Event::new_inherited(realm, type_, &init.parent);
        let ports = frozen_array(realm, &init.ports)?;
        Dom::new(
            realm,
            Self {
                parent,
                data: RefCell::new(init.data),
                origin: RefCell::new(init.origin),
                last_event_id: RefCell::new(init.last_event_id),
                source: RefCell::new(init.source.to_js(realm)?),
                ports: RefCell::new(ports),
            },
        )
    }

    fn data(&self, _: &Realm) -> Value {
        self.data.borrow().clone()
    }

    fn origin(&self, _: &Realm) -> UsvString {
        self.origin.borrow().clone()
    }

    fn last_event_id(&self, _: &Realm) -> DomString {
        self.last_event_id.borrow().clone()
    }

    fn source(&self, realm: &Realm) -> Option<WindowOrServiceWorkerOrMessagePort> {
        WindowOrServiceWorkerOrMessagePort::from_js(realm, &self.source.borrow()).ok()
    }

    fn ports(&self, _: &Realm) -> Value {
        self.ports.borrow().clone()
    }

    fn init_message_event(
        &self,
        realm: &Realm,
        type_: DomString,
        bubbles: bool,
        cancelable: bool,
        data: Value,
        origin: UsvString,
        last_event_id: DomString,
        source: Option<WindowOrServiceWorkerOrMessagePort>,
        ports: Vec<Dom<MessagePort>>,
    ) -> Fallible<()> {
        if self.parent.dispatching.get() {
            return Ok(());
        }
        self.parent.initialize(type_, bubbles, cancelable);
        self.data.replace(data);
        self.origin.replace(origin);
        self.last_event_id.replace(last_event_id);
        self.source.replace(source.to_js(realm)?);
        self.ports.replace(frozen_array(realm, &ports)?);
        Ok(())
    }
}

/// <https://webidl.spec.whatwg.org/#dfn-create-frozen-array>
pub(super) fn frozen_array(realm: &Realm, ports: &Vec<Dom<MessagePort>>) -> Fallible<Value> {
    let array = ports.to_js(realm)?;
    array.freeze(realm)?;
    Ok(array)
}
