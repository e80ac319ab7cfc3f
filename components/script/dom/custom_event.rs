//! <https://dom.spec.whatwg.org/#interface-customevent>

use std::cell::RefCell;

use super::event::Event;
use crate::bindings::generated::{CustomEventInit, CustomEventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm, Value};

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-customevent>
    pub struct CustomEvent {
        pub(crate) parent: Event,
        detail: RefCell<Value>,
    }
}

impl CustomEventMethods for CustomEvent {
    fn constructor(realm: &Realm, type_: DomString, init: CustomEventInit) -> Fallible<Dom<Self>> {
        let parent = Event::new_inherited(realm, type_, &init.parent);
        Dom::new(
            realm,
            Self {
                parent,
                detail: RefCell::new(init.detail),
            },
        )
    }

    fn detail(&self, _: &Realm) -> Value {
        self.detail.borrow().clone()
    }

    fn init_custom_event(
        &self,
        _: &Realm,
        type_: DomString,
        bubbles: bool,
        cancelable: bool,
        detail: Value,
    ) -> Fallible<()> {
        if !self.parent.dispatching.get() {
            self.parent.initialize(type_, bubbles, cancelable);
            self.detail.replace(detail);
        }
        Ok(())
    }
}
