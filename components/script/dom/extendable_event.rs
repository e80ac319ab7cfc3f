//! <https://w3c.github.io/ServiceWorker/#extendableevent-interface>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;
use base::ids::EventId;

use super::event::Event;
use crate::bindings::generated::{
    EventInit, EventMethods, ExtendableEventInit, ExtendableEventMethods,
};
use crate::bindings::report::describe;
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Promise, Realm, Value};
use crate::service_worker::worker::Worker;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#extendableevent-interface>
    pub struct ExtendableEvent {
        pub(crate) parent: Event,
        /// <https://w3c.github.io/ServiceWorker/#extendableevent-pending-promises-count>
        pending_promises: Cell<u32>,
        /// <https://w3c.github.io/ServiceWorker/#extendableevent-timed-out-flag>
        timed_out: Cell<bool>,
        /// Why the first of its promises that was rejected was.
        rejection: RefCell<Option<String>>,
        /// The dispatch whose outcome this event decides.
        dispatch: NoTrace<Cell<Option<EventId>>>,
    }
}

impl ExtendableEvent {
    /// The part of an event of some interface that this interface is.
    pub(crate) fn new_inherited(realm: &Realm, type_: DomString, init: &EventInit) -> Self {
        Self {
            parent: Event::new_inherited(realm, type_, init),
            pending_promises: Cell::new(0),
            timed_out: Cell::new(false),
            rejection: RefCell::default(),
            dispatch: NoTrace::default(),
        }
    }

    /// A plain one.
    pub(crate) fn create(realm: &Realm, type_: &str) -> Fallible<Dom<Self>> {
        let this = Self::new_inherited(realm, type_.into(), &EventInit::default());
        Dom::new(realm, this)
    }

    /// Has the worker told when this event is not active any more. Every event that the engine
    /// dispatches has one.
    pub(crate) fn set_dispatch(&self, event: EventId) {
        self.dispatch.set(Some(event));
    }

    /// The dispatch whose outcome it decides.
    pub(crate) fn dispatch_id(&self) -> Option<EventId> {
        self.dispatch.get()
    }

    /// Its time limit is over, which is kept by the one who has it dispatched.
    pub(crate) fn set_timed_out(&self) {
        self.timed_out.set(true);
    }

    /// <https://w3c.github.io/ServiceWorker/#extendableevent-active>
    pub(crate) fn is_active(&self) -> bool {
        !self.timed_out.get() && (self.pending_promises.get() > 0 || self.parent.dispatching.get())
    }

    /// Why the first of its promises that was rejected was.
    pub(crate) fn rejection(&self) -> Option<String> {
        self.rejection.borrow().clone()
    }

    /// <https://w3c.github.io/ServiceWorker/#extendableevent-add-lifetime-promise>
    pub(crate) fn add_lifetime_promise(&self, realm: &Realm, promise: &Promise) -> Fallible<()> {
        let unextendable = |message: &str| Error::dom(DomExceptionName::InvalidStateError, message);
        // Step 1
        if !self.parent.is_trusted(realm) {
            return Err(unextendable("The event was made by a script."));
        }
        // Step 2
        if !self.is_active() {
            return Err(unextendable(
                "The event handlers have returned, and no promise given to waitUntil() is pending; \
                 or the time of the event is over.",
            ));
        }
        let dispatch = self.dispatch.get();
        // Step 3 and 4
        self.pending_promises.set(self.pending_promises.get() + 1);
        // Step 5: the worker keeps the event meanwhile, as what the closures kept would be a root.
        promise.on_settled(move |realm, result| {
            if let (Err(reason), Some(event)) = (result, event_of(realm, dispatch)) {
                event.note_rejection(realm, &reason);
            }
            let settled = Promise::resolved(realm, &()).and_then(|settled| {
                settled.on_settled(move |realm, _| {
                    if let Some(event) = event_of(realm, dispatch) {
                        event.promise_settled(realm);
                    }
                })
            });
            if settled.is_err() {
                log::error!("an event is not told of a settled promise: out of memory");
            }
        })
    }

    fn note_rejection(&self, realm: &Realm, reason: &Value) {
        let reason = describe(realm, reason).message;
        if let Ok(worker) = Worker::of(realm) {
            worker.note_failure(&reason);
        }
        self.rejection.borrow_mut().get_or_insert(reason);
    }

    /// Step 5.1 and 5.2 of adding a promise.
    fn promise_settled(&self, realm: &Realm) {
        self.pending_promises
            .set(self.pending_promises.get().saturating_sub(1));
        if let Some(event) = self.dispatch.get()
            && let Ok(worker) = Worker::of(realm)
        {
            worker.end_event_if_inactive(event);
        }
    }
}

fn event_of(realm: &Realm, dispatch: Option<EventId>) -> Option<Dom<ExtendableEvent>> {
    Worker::of(realm).ok()?.event(dispatch?)
}

impl ExtendableEventMethods for ExtendableEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: ExtendableEventInit,
    ) -> Fallible<Dom<Self>> {
        Dom::new(realm, Self::new_inherited(realm, type_, &init.parent))
    }

    /// <https://w3c.github.io/ServiceWorker/#wait-until-method>
    fn wait_until(&self, realm: &Realm, f: Promise) -> Fallible<()> {
        self.add_lifetime_promise(realm, &f)
    }
}
