//! <https://html.spec.whatwg.org/multipage/web-messaging.html#broadcasting-to-other-browsing-contexts>

use std::cell::RefCell;

use base::exception::DomExceptionName;

use super::event_target::EventTarget;
use crate::bindings::generated::BroadcastChannelMethods;
use crate::bindings::report::report_exception;
use crate::bindings::weak::WeakEntry;
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, RealmHandle, Value};
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::messaging;
use crate::messaging::broadcast::{Broadcast, ChannelHandle, ChannelId, ChannelKey, LocalChannels};
use crate::structured_clone;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#broadcastchannel>
    ///
    /// It is kept until it is closed as long as somebody listens.
    pub struct BroadcastChannel {
        pub(crate) parent: EventTarget,
        realm: RealmHandle,
        name: DomString,
        /// None once it is closed.
        handle: NoTrace<RefCell<Option<ChannelHandle>>>,
        entry: NoTrace<WeakEntry<ChannelId, BroadcastChannel>>,
    }
}

impl BroadcastChannel {
    pub(crate) fn is_of(&self, realm: &Realm) -> bool {
        std::ptr::eq(&raw const *self.realm, realm)
    }

    fn keep_if_needed(&self) {
        let Some(event_loop) = self.realm.service::<EventLoop>() else {
            return;
        };
        let needed = self.handle.borrow().is_some()
            && ["message", "messageerror"]
                .iter()
                .any(|type_| self.has_listeners(type_));
        let channels = event_loop.local::<LocalChannels>();
        channels.keep(self, self.entry.key(), needed);
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-broadcastchannel-close>
    pub(crate) fn let_go(&self) {
        drop(self.handle.take());
        self.keep_if_needed();
    }

    /// The task of
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-broadcastchannel-postmessage>
    pub(crate) fn deliver(&self, broadcast: &Broadcast) {
        if self.handle.borrow().is_none() {
            return;
        }
        let realm = &*self.realm;
        let origin = broadcast.origin.clone();
        let received = messaging::receive(realm, &broadcast.bytes);
        match received.into_event(realm, origin, &Value::null()) {
            Ok(event) => {
                self.dispatch_trusted(realm, &event);
            }
            Err(error) => report_exception(realm, error),
        }
    }
}

impl BroadcastChannelMethods for BroadcastChannel {
    fn constructor(realm: &Realm, name: DomString) -> Fallible<Dom<Self>> {
        let environment = Environment::of(realm)?;
        let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
            let message = "There is no event loop for messages.";
            Error::dom(DomExceptionName::InvalidStateError, message)
        })?;
        let key = ChannelKey {
            storage_key: environment.origin.clone().ok_or(environment.client),
            name: name.clone(),
        };
        let broadcasts = &environment.services.user_agent.broadcasts;
        let handle = broadcasts.join(key, event_loop.sender());
        let parent = EventTarget::new_inherited();
        parent.set_listener_observer(|target, _| {
            if let Some(channel) = Dom::from_ref(target).downcast::<BroadcastChannel>() {
                channel.keep_if_needed();
            }
        });
        let channels = event_loop.local::<LocalChannels>();
        let this = Self {
            parent,
            realm: realm.root(),
            name,
            entry: NoTrace(channels.entry(handle.id())),
            handle: NoTrace(RefCell::new(Some(handle))),
        };
        let this = Dom::new(realm, this)?;
        channels.insert(&this, |channel| &channel.entry);
        Ok(this)
    }

    fn name(&self, _: &Realm) -> DomString {
        self.name.clone()
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-broadcastchannel-postmessage>
    fn post_message(&self, realm: &Realm, message: Value) -> Fallible<()> {
        // Step 2
        if self.handle.borrow().is_none() {
            let message = "The BroadcastChannel is closed.";
            return Err(Error::dom(DomExceptionName::InvalidStateError, message));
        }
        // Step 3 and 4
        let broadcast = Broadcast {
            bytes: structured_clone::serialize(realm, &message, &[])?,
            origin: Environment::of(realm)?.serialized_origin(),
        };
        // Step 6 to 9; a getter may have closed it meanwhile.
        let handle = self.handle.borrow();
        let posted = handle
            .as_ref()
            .map_or(Ok(()), |handle| handle.post(broadcast));
        posted.map_err(|_| {
            Error::dom(
                DomExceptionName::QuotaExceededError,
                "Too many messages wait for another BroadcastChannel.",
            )
        })
    }

    fn close(&self, _: &Realm) -> Fallible<()> {
        self.let_go();
        Ok(())
    }
}
