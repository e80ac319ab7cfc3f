//! <https://w3c.github.io/ServiceWorker/#serviceworker-interface>

use std::cell::Cell;

use base::exception::DomExceptionName;
use sw_traits::{ServiceWorkerInfo, SwRequest};

use super::event_target::EventTarget;
use crate::bindings::generated::{
    EventInit, ServiceWorkerMethods, ServiceWorkerState, StructuredSerializeOptions,
};
use crate::bindings::{Dom, Error, Fallible, NoTrace, Object, Realm, UsvString, Value};
use crate::service_worker::client::ServiceWorkerClient;
use crate::service_worker::message;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#serviceworker-interface>
    pub struct ServiceWorker {
        pub(crate) parent: EventTarget,
        info: NoTrace<ServiceWorkerInfo>,
        state: Cell<ServiceWorkerState>,
    }
}

impl ServiceWorker {
    /// The object of a worker that has none in this realm yet.
    pub(crate) fn create(realm: &Realm, info: ServiceWorkerInfo) -> Fallible<Dom<Self>> {
        let state = Cell::new(script_state(info.state));
        let this = Self {
            parent: EventTarget::new_inherited(),
            info: NoTrace(info),
            state,
        };
        Dom::new(realm, this)
    }

    /// Sets the state that scripts see. Returns whether it is another one.
    pub(crate) fn set_state(&self, state: sw_traits::ServiceWorkerState) -> bool {
        let state = script_state(state);
        self.state.replace(state) != state
    }

    /// The last step of
    /// <https://w3c.github.io/ServiceWorker/#update-state-algorithm>
    pub(crate) fn change_state(
        &self,
        realm: &Realm,
        state: sw_traits::ServiceWorkerState,
    ) -> Fallible<()> {
        self.set_state(state);
        self.fire_event(realm, "statechange", &EventInit::default())?;
        Ok(())
    }

    /// Whether its script may still import others over the network.
    pub(crate) fn is_new(&self) -> bool {
        matches!(
            self.state.get(),
            ServiceWorkerState::Parsed | ServiceWorkerState::Installing
        )
    }
}

fn script_state(state: sw_traits::ServiceWorkerState) -> ServiceWorkerState {
    use sw_traits::ServiceWorkerState as State;
    match state {
        State::Parsed => ServiceWorkerState::Parsed,
        State::Installing => ServiceWorkerState::Installing,
        State::Installed => ServiceWorkerState::Installed,
        State::Activating => ServiceWorkerState::Activating,
        State::Activated => ServiceWorkerState::Activated,
        State::Redundant => ServiceWorkerState::Redundant,
    }
}

impl ServiceWorkerMethods for ServiceWorker {
    fn script_url(&self, _: &Realm) -> UsvString {
        self.info.script_url.as_str().into()
    }

    fn state(&self, _: &Realm) -> ServiceWorkerState {
        self.state.get()
    }

    fn post_message(&self, realm: &Realm, message: Value, transfer: Vec<Object>) -> Fallible<()> {
        let client = ServiceWorkerClient::of(realm)?;
        if !client.is_attached() {
            let message = "The document of this object is gone.";
            return Err(Error::dom(DomExceptionName::InvalidStateError, message));
        }
        let message = message::serialize(realm, &message, &transfer)?;
        client.send(SwRequest::PostMessageToWorker {
            worker: self.info.id,
            message,
        })
    }

    fn post_message_2(
        &self,
        realm: &Realm,
        message: Value,
        options: StructuredSerializeOptions,
    ) -> Fallible<()> {
        self.post_message(realm, message, options.transfer)
    }
}
