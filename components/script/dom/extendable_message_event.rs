//! <https://w3c.github.io/ServiceWorker/#extendablemessageevent-interface>

use super::extendable_event::ExtendableEvent;
use super::message_event::frozen_array;
use crate::bindings::generated::{
    ClientOrServiceWorkerOrMessagePort, ExtendableEventInit, ExtendableMessageEventInit,
    ExtendableMessageEventMethods,
};
use crate::bindings::{Dom, DomString, Fallible, Realm, ToJs, UsvString, Value};
use crate::messaging::Received;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#extendablemessageevent-interface>
    pub struct ExtendableMessageEvent {
        pub(crate) parent: ExtendableEvent,
        data: Value,
        origin: UsvString,
        last_event_id: DomString,
        source: Value,
        ports: Value,
    }
}

impl ExtendableMessageEvent {
    /// The event for a message from `source`, which is a client or a service worker.
    pub(crate) fn create(
        realm: &Realm,
        received: Received,
        origin: String,
        source: &Value,
    ) -> Fallible<Dom<Self>> {
        let init = ExtendableMessageEventInit {
            parent: ExtendableEventInit::default(),
            data: received.data,
            origin: origin.into(),
            last_event_id: DomString::default(),
            source: ClientOrServiceWorkerOrMessagePort::from_js(realm, source).ok(),
            ports: received.ports,
        };
        Self::constructor(realm, received.event_type.into(), init)
    }
}

impl ExtendableMessageEventMethods for ExtendableMessageEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: ExtendableMessageEventInit,
    ) -> Fallible<Dom<Self>> {
        let parent = ExtendableEvent::new_inherited(realm, type_, &init.parent.parent);
        let ports = frozen_array(realm, &init.ports)?;
        Dom::new(
            realm,
            Self {
                parent,
                data: init.data,
                origin: init.origin,
                last_event_id: init.last_event_id,
                source: init.source.to_js(realm)?,
                ports,
            },
        )
    }

    fn data(&self, _: &Realm) -> Value {
        self.data.clone()
    }

    fn origin(&self, _: &Realm) -> UsvString {
        self.origin.clone()
    }

    fn last_event_id(&self, _: &Realm) -> DomString {
        self.last_event_id.clone()
    }

    fn source(&self, realm: &Realm) -> Option<ClientOrServiceWorkerOrMessagePort> {
        ClientOrServiceWorkerOrMessagePort::from_js(realm, &self.source).ok()
    }

    fn ports(&self, _: &Realm) -> Value {
        self.ports.clone()
    }
}
