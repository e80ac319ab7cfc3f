//! Messages between windows and workers.
//!
//! - `router`: where each message port is, and what waits for it;
//! - `broadcast`: who listens to which broadcast channel;
//! - `local`: the ports and channels that a thread holds;
//! - `window`: `postMessage()` of windows.
//!
//! A port is at one place at a time: held by a thread, or on its way in a message. Its queue is at
//! neither: the router keeps it, so that a port can move while messages for it come, and none is
//! lost or overtakes another.

pub(crate) mod broadcast;
pub(crate) mod local;
pub(crate) mod router;
pub(crate) mod window;

use crate::bindings::{Dom, Fallible, Object, Realm, Value};
use crate::dom::message_event::MessageEvent;
use crate::dom::message_port::MessagePort;
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::structured_clone;

/// A message as the one who gets it sees it.
pub(crate) struct Received {
    /// `message`, or `messageerror` when it could not be read.
    pub(crate) event_type: &'static str,
    pub(crate) data: Value,
    pub(crate) ports: Vec<Dom<MessagePort>>,
}

impl Received {
    /// The `MessageEvent` for this message.
    pub(crate) fn into_event(
        self,
        realm: &Realm,
        origin: String,
        source: &Value,
    ) -> Fallible<Dom<MessageEvent>> {
        let Self {
            event_type,
            data,
            ports,
        } = self;
        MessageEvent::create(realm, event_type, data, origin, source, ports)
    }
}

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structureddeserializewithtransfer>,
/// and what all who get messages do with what it returns.
pub(crate) fn receive(realm: &Realm, message: &[u8]) -> Received {
    match structured_clone::deserialize_with_transfer(realm, message) {
        Ok((data, ports)) => Received {
            event_type: "message",
            data,
            ports,
        },
        Err(_) => Received {
            event_type: "messageerror",
            data: Value::null(),
            ports: Vec::new(),
        },
    }
}

/// Closes the ports in a message that nobody is going to get.
pub(crate) fn discard(realm: &Realm, message: &[u8]) {
    if let Ok(environment) = Environment::of(realm) {
        let ports = structured_clone::transferred_ports(message);
        environment.services.user_agent.ports.discard(&ports);
    }
}

/// The values of a list of objects to transfer.
pub(crate) fn transfer_list(transfer: &[Object]) -> Vec<Value> {
    transfer.iter().map(|object| object.0.clone()).collect()
}

/// Closes the ports and broadcast channels of a realm that goes away.
///
/// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#destroy-a-document>
pub(crate) fn detach(realm: &Realm) {
    if let Some(event_loop) = realm.service::<EventLoop>() {
        let ports = event_loop.local::<local::LocalPorts>().all().into_iter();
        ports
            .filter(|port| port.is_of(realm))
            .for_each(|port| port.let_go());
        let channels = event_loop.local::<broadcast::LocalChannels>().all();
        let own = channels.iter().filter(|channel| channel.is_of(realm));
        own.for_each(|channel| channel.let_go());
    }
}
