//! <https://html.spec.whatwg.org/multipage/web-messaging.html#message-ports>

use std::cell::{Cell, OnceCell, RefCell};

use base::exception::DomExceptionName;
use base::ids::MessagePortId;

use super::event_target::EventTarget;
use crate::bindings::generated::{EventInit, MessagePortMethods, StructuredSerializeOptions};
use crate::bindings::report::report_exception;
use crate::bindings::weak::WeakEntry;
use crate::bindings::{Dom, Error, Fallible, NoTrace, Object, Realm, RealmHandle, Value};
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::messaging;
use crate::messaging::local::LocalPorts;
use crate::messaging::router::{Holding, PortHandle};
use crate::structured_clone::{self, data_clone_error};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#messageport>
    ///
    /// It is kept alive by the other port if that is on the same thread. Otherwise what could still
    /// happen to it comes from elsewhere, and it is kept as long as somebody listens.
    pub struct MessagePort {
        pub(crate) parent: EventTarget,
        realm: RealmHandle,
        /// None once it was transferred or closed.
        handle: NoTrace<RefCell<Option<PortHandle>>>,
        entry: NoTrace<WeakEntry<Holding, MessagePort>>,
        /// The port it is entangled with, if that is on this thread.
        local_peer: RefCell<Option<Dom<MessagePort>>>,
        peer_is_closed: Cell<bool>,
        /// Where messages are fired if not at the port itself, which is hidden then.
        ///
        /// <https://html.spec.whatwg.org/multipage/web-messaging.html#message-event-target>
        event_target: OnceCell<Dom<EventTarget>>,
    }
}

/// The types of events that are fired at ports.
const EVENT_TYPES: [&str; 3] = ["message", "messageerror", "close"];

fn of_target(target: &EventTarget) -> Option<Dom<MessagePort>> {
    Dom::from_ref(target).downcast()
}

impl MessagePort {
    /// The object of a port that arrives in a realm.
    pub(crate) fn receive(realm: &Realm, id: MessagePortId) -> Fallible<Dom<Self>> {
        let event_loop = event_loop(realm)?;
        let router = Environment::of(realm)?.services.user_agent.ports.clone();
        let arrival = router.receive(id, event_loop.sender());
        let parent = EventTarget::new_inherited();
        // The first `onmessage` starts it.
        parent.set_handler_observer(|target, _, type_| {
            if type_ == "message"
                && let Some(port) = of_target(target)
            {
                port.enable();
            }
        });
        parent.set_listener_observer(|target, _| {
            if let Some(port) = of_target(target) {
                port.keep_if_needed();
            }
        });
        let ports = event_loop.local::<LocalPorts>();
        let this = Self {
            parent,
            realm: realm.root(),
            entry: NoTrace(ports.entry(arrival.handle.holding())),
            handle: NoTrace(RefCell::new(Some(arrival.handle))),
            local_peer: RefCell::default(),
            peer_is_closed: Cell::new(false),
            event_target: OnceCell::new(),
        };
        let this = Dom::new(realm, this)?;
        ports.insert(&this, |port| &port.entry);
        if let Some(peer) = arrival.peer.and_then(|peer| ports.get(peer)) {
            this.local_peer.replace(Some(peer.clone()));
            peer.local_peer.replace(Some(this.clone()));
            peer.keep_if_needed();
        }
        Ok(this)
    }

    /// Fires messages at another target from now on. Set once.
    pub(crate) fn set_event_target(&self, target: Dom<EventTarget>) {
        // The port is new.
        let _ = self.event_target.set(target);
    }

    pub(crate) fn is_of(&self, realm: &Realm) -> bool {
        std::ptr::eq(&raw const *self.realm, realm)
    }

    /// Whether it was transferred or closed.
    pub(crate) fn is_detached(&self) -> bool {
        self.handle.borrow().is_none()
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#message-ports:transfer-steps>
    pub(crate) fn ship(&self) -> Option<MessagePortId> {
        let handle = self.handle.take()?;
        self.leave_peer();
        Some(handle.ship())
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#disentangle>
    pub(crate) fn let_go(&self) {
        let handle = self.handle.take();
        self.leave_peer();
        drop(handle);
    }

    /// The other port, if it is on this thread, does not find this one here any more.
    fn leave_peer(&self) {
        self.keep_if_needed();
        let peer = self.local_peer.take();
        if let Some(peer) = peer {
            let this = peer.local_peer.take();
            peer.keep_if_needed();
            drop(this);
        }
    }

    fn keep_if_needed(&self) {
        let Some(event_loop) = self.realm.service::<EventLoop>() else {
            return;
        };
        let needed = !self.is_detached()
            && !self.peer_is_closed.get()
            && self.local_peer.borrow().is_none()
            && EVENT_TYPES.iter().any(|type_| self.has_listeners(type_));
        event_loop
            .local::<LocalPorts>()
            .keep(self, self.entry.key(), needed);
    }

    /// Keeps it alive until the tasks that are queued now have run.
    fn keep_for_tasks(&self) {
        if let Some(event_loop) = self.realm.service::<EventLoop>() {
            let ticket = event_loop.keep(Dom::from_ref(self));
            event_loop.sender().queue(move |_| drop(ticket));
        }
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-messageport-start>
    pub(crate) fn enable(&self) {
        if let Some(handle) = &*self.handle.borrow() {
            handle.start();
        }
        self.keep_for_tasks();
    }

    /// The task of <https://html.spec.whatwg.org/multipage/web-messaging.html#message-port-post-message-steps>
    pub(crate) fn deliver_one(&self) {
        let message = self.handle.borrow().as_ref().and_then(PortHandle::take);
        let Some(message) = message else {
            return;
        };
        let realm = &*self.realm;
        let event = messaging::receive(realm, &message.bytes).into_event(
            realm,
            String::new(),
            &Value::null(),
        );
        match event {
            Ok(event) => {
                let target = self
                    .event_target
                    .get()
                    .map_or(&self.parent, |target| target);
                target.dispatch_trusted(realm, &event);
            }
            Err(error) => report_exception(realm, error),
        }
    }

    /// The last step of <https://html.spec.whatwg.org/multipage/web-messaging.html#disentangle>
    pub(crate) fn peer_closed(&self) {
        if self.is_detached() || self.peer_is_closed.replace(true) {
            return;
        }
        self.keep_if_needed();
        if self.event_target.get().is_some() {
            return;
        }
        let realm = &*self.realm;
        if let Err(error) = self.fire_event(realm, "close", &EventInit::default()) {
            report_exception(realm, error);
        }
    }
}

fn event_loop(realm: &Realm) -> Fallible<std::rc::Rc<EventLoop>> {
    realm.service::<EventLoop>().ok_or_else(|| {
        let message = "There is no event loop for messages.";
        Error::dom(DomExceptionName::InvalidStateError, message)
    })
}

impl MessagePortMethods for MessagePort {
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#message-port-post-message-steps>
    fn post_message(&self, realm: &Realm, message: Value, transfer: Vec<Object>) -> Fallible<()> {
        let transfer = messaging::transfer_list(&transfer);
        let own = Dom::from_ref(self).value();
        // Step 2
        if transfer
            .iter()
            .any(|object| object.address() == own.address())
        {
            return Err(data_clone_error(
                "A MessagePort cannot be transferred through itself.",
            ));
        }
        // Step 5. If it transfers the other port (step 3), that is on its way in a message to
        // itself after this, and nobody is going to get either.
        let peer = self.local_peer.borrow().clone();
        let doomed = peer.as_ref().is_some_and(|peer| {
            let peer = peer.value();
            transfer
                .iter()
                .any(|object| object.address() == peer.address())
        });
        let message = structured_clone::serialize_with_transfer(realm, &message, &transfer)?;
        let handle = self.handle.borrow();
        let Some(handle) = handle.as_ref().filter(|_| !doomed) else {
            messaging::discard(realm, &message.bytes);
            return Ok(());
        };
        // Step 7
        handle.post(message).map_err(|_| {
            Error::dom(
                DomExceptionName::QuotaExceededError,
                "Too many messages wait for the other MessagePort.",
            )
        })?;
        if let Some(peer) = peer {
            peer.keep_for_tasks();
        }
        Ok(())
    }

    fn post_message_2(
        &self,
        realm: &Realm,
        message: Value,
        options: StructuredSerializeOptions,
    ) -> Fallible<()> {
        self.post_message(realm, message, options.transfer)
    }

    fn start(&self, _: &Realm) -> Fallible<()> {
        self.enable();
        Ok(())
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-messageport-close>
    fn close(&self, _: &Realm) -> Fallible<()> {
        let peer = self.local_peer.borrow().clone();
        self.let_go();
        if let Some(peer) = peer {
            peer.keep_for_tasks();
        }
        Ok(())
    }
}
