//! <https://dom.spec.whatwg.org/#interface-event>

use std::cell::{Cell, RefCell};

use super::event_target::EventTarget;
use crate::bindings::generated::{EventInit, EventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm, Reflector};

/// Values of `eventPhase`.
pub(super) const NONE: u16 = 0;
pub(super) const CAPTURING_PHASE: u16 = 1;
pub(super) const AT_TARGET: u16 = 2;
pub(super) const BUBBLING_PHASE: u16 = 3;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-event>
    pub struct Event {
        pub(crate) reflector: Reflector,
        type_: RefCell<DomString>,
        pub(super) target: RefCell<Option<Dom<EventTarget>>>,
        pub(super) current_target: RefCell<Option<Dom<EventTarget>>>,
        pub(super) path: RefCell<Vec<Dom<EventTarget>>>,
        pub(super) phase: Cell<u16>,
        bubbles: Cell<bool>,
        cancelable: Cell<bool>,
        composed: bool,
        is_trusted: Cell<bool>,
        pub(super) stop_propagation: Cell<bool>,
        pub(super) stop_immediate_propagation: Cell<bool>,
        canceled: Cell<bool>,
        pub(super) in_passive_listener: Cell<bool>,
        pub(super) dispatching: Cell<bool>,
        /// Whether a listener has thrown since it was dispatched last.
        pub(super) listeners_threw: Cell<bool>,
        initialized: Cell<bool>,
        time_stamp: f64,
    }
}

impl Event {
    /// The part of an event of some interface that this interface is: not an object by itself yet.
    pub fn new_inherited(realm: &Realm, type_: DomString, init: &EventInit) -> Self {
        Self {
            reflector: Reflector::default(),
            type_: RefCell::new(type_),
            target: RefCell::default(),
            current_target: RefCell::default(),
            path: RefCell::default(),
            phase: Cell::new(NONE),
            bubbles: Cell::new(init.bubbles),
            cancelable: Cell::new(init.cancelable),
            composed: init.composed,
            is_trusted: Cell::new(false),
            stop_propagation: Cell::new(false),
            stop_immediate_propagation: Cell::new(false),
            canceled: Cell::new(false),
            in_passive_listener: Cell::new(false),
            dispatching: Cell::new(false),
            listeners_threw: Cell::new(false),
            initialized: Cell::new(true),
            time_stamp: realm.now(),
        }
    }

    /// A plain event.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new(realm: &Realm, type_: &str, init: &EventInit) -> Fallible<Dom<Self>> {
        Dom::new(realm, Self::new_inherited(realm, type_.into(), init))
    }

    /// The event's type.
    pub fn event_type(&self) -> DomString {
        self.type_.borrow().clone()
    }

    /// Whether it goes on to the ancestors of its target.
    pub fn is_bubbling(&self) -> bool {
        self.bubbles.get()
    }

    /// Whether a listener prevented the default action.
    pub fn is_canceled(&self) -> bool {
        self.canceled.get()
    }

    /// Whether a listener threw an exception when it was dispatched.
    pub(super) fn did_listeners_throw(&self) -> bool {
        self.listeners_threw.get()
    }

    /// Says that the engine, not a script, made it.
    pub fn set_trusted(&self, is_trusted: bool) {
        self.is_trusted.set(is_trusted);
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.initialized.get()
    }

    /// <https://dom.spec.whatwg.org/#set-the-canceled-flag>
    pub(super) fn set_canceled(&self) {
        if self.cancelable.get() && !self.in_passive_listener.get() {
            self.canceled.set(true);
        }
    }

    /// <https://dom.spec.whatwg.org/#concept-event-initialize>
    pub(super) fn initialize(&self, type_: DomString, bubbles: bool, cancelable: bool) {
        self.initialized.set(true);
        self.stop_propagation.set(false);
        self.stop_immediate_propagation.set(false);
        self.canceled.set(false);
        self.is_trusted.set(false);
        self.target.replace(None);
        self.type_.replace(type_);
        self.bubbles.set(bubbles);
        self.cancelable.set(cancelable);
    }
}

impl EventMethods for Event {
    fn constructor(realm: &Realm, type_: DomString, init: EventInit) -> Fallible<Dom<Self>> {
        Dom::new(realm, Self::new_inherited(realm, type_, &init))
    }

    fn type_(&self, _: &Realm) -> DomString {
        self.event_type()
    }

    fn target(&self, _: &Realm) -> Option<Dom<EventTarget>> {
        self.target.borrow().clone()
    }

    fn src_element(&self, realm: &Realm) -> Option<Dom<EventTarget>> {
        self.target(realm)
    }

    fn current_target(&self, _: &Realm) -> Option<Dom<EventTarget>> {
        self.current_target.borrow().clone()
    }

    fn composed_path(&self, _: &Realm) -> Fallible<Vec<Dom<EventTarget>>> {
        Ok(self.path.borrow().clone())
    }

    fn event_phase(&self, _: &Realm) -> u16 {
        self.phase.get()
    }

    fn stop_propagation(&self, _: &Realm) -> Fallible<()> {
        self.stop_propagation.set(true);
        Ok(())
    }

    fn cancel_bubble(&self, _: &Realm) -> bool {
        self.stop_propagation.get()
    }

    fn set_cancel_bubble(&self, _: &Realm, value: bool) -> Fallible<()> {
        if value {
            self.stop_propagation.set(true);
        }
        Ok(())
    }

    fn stop_immediate_propagation(&self, _: &Realm) -> Fallible<()> {
        self.stop_propagation.set(true);
        self.stop_immediate_propagation.set(true);
        Ok(())
    }

    fn bubbles(&self, _: &Realm) -> bool {
        self.bubbles.get()
    }

    fn cancelable(&self, _: &Realm) -> bool {
        self.cancelable.get()
    }

    fn return_value(&self, _: &Realm) -> bool {
        !self.canceled.get()
    }

    fn set_return_value(&self, _: &Realm, value: bool) -> Fallible<()> {
        if !value {
            self.set_canceled();
        }
        Ok(())
    }

    fn prevent_default(&self, _: &Realm) -> Fallible<()> {
        self.set_canceled();
        Ok(())
    }

    fn default_prevented(&self, _: &Realm) -> bool {
        self.canceled.get()
    }

    fn composed(&self, _: &Realm) -> bool {
        self.composed
    }

    fn is_trusted(&self, _: &Realm) -> bool {
        self.is_trusted.get()
    }

    fn time_stamp(&self, _: &Realm) -> f64 {
        self.time_stamp
    }

    fn init_event(
        &self,
        _: &Realm,
        type_: DomString,
        bubbles: bool,
        cancelable: bool,
    ) -> Fallible<()> {
        if !self.dispatching.get() {
            self.initialize(type_, bubbles, cancelable);
        }
        Ok(())
    }
}
