//! <https://html.spec.whatwg.org/multipage/web-messaging.html#message-channels>

use super::message_port::MessagePort;
use crate::bindings::generated::MessageChannelMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector};
use crate::environment::Environment;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#messagechannel>
    pub struct MessageChannel {
        pub(crate) reflector: Reflector,
        ports: (Dom<MessagePort>, Dom<MessagePort>),
    }
}

impl MessageChannelMethods for MessageChannel {
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-messagechannel>
    fn constructor(realm: &Realm) -> Fallible<Dom<Self>> {
        let environment = Environment::of(realm)?;
        let (one, other) = environment.services.user_agent.ports.create_pair();
        let ports = (
            MessagePort::receive(realm, one)?,
            MessagePort::receive(realm, other)?,
        );
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                ports,
            },
        )
    }

    fn port1(&self, _: &Realm) -> Dom<MessagePort> {
        self.ports.0.clone()
    }

    fn port2(&self, _: &Realm) -> Dom<MessagePort> {
        self.ports.1.clone()
    }
}
