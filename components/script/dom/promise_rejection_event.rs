//! <https://html.spec.whatwg.org/multipage/webappapis.html#promiserejectionevent>

use super::event::Event;
use super::event_target::EventTarget;
use crate::bindings::generated::{
    EventInit, PromiseRejectionEventInit, PromiseRejectionEventMethods,
};
use crate::bindings::{Dom, DomString, Fallible, Object, Realm, Value};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#promiserejectionevent>
    pub struct PromiseRejectionEvent {
        pub(crate) parent: Event,
        promise: Object,
        reason: Value,
    }
}

impl PromiseRejectionEventMethods for PromiseRejectionEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: PromiseRejectionEventInit,
    ) -> Fallible<Dom<Self>> {
        let parent = Event::new_inherited(realm, type_, &init.parent);
        let reason = init.reason.unwrap_or_else(Value::undefined);
        Dom::new(
            realm,
            Self {
                parent,
                promise: init.promise,
                reason,
            },
        )
    }

    fn promise(&self, _: &Realm) -> Object {
        self.promise.clone()
    }

    fn reason(&self, _: &Realm) -> Value {
        self.reason.clone()
    }
}

/// Fires `unhandledrejection` at the global object. Returns whether a listener handled it.
pub(crate) fn fire_unhandled(realm: &Realm, promise: &Value, reason: &Value) -> bool {
    let init = EventInit {
        cancelable: true,
        ..EventInit::default()
    };
    fire(realm, "unhandledrejection", init, promise, reason)
}

/// Fires `rejectionhandled` at the global object.
pub(crate) fn fire_handled(realm: &Realm, promise: &Value, reason: &Value) {
    let init = EventInit::default();
    fire(realm, "rejectionhandled", init, promise, reason);
}

/// Returns whether a listener canceled the event.
fn fire(realm: &Realm, type_: &str, init: EventInit, promise: &Value, reason: &Value) -> bool {
    let Some(target) = realm.global::<EventTarget>() else {
        return false;
    };
    let init = PromiseRejectionEventInit {
        parent: init,
        promise: Object(promise.clone()),
        reason: Some(reason.clone()),
    };
    let event = PromiseRejectionEvent::constructor(realm, type_.into(), init);
    event.is_ok_and(|event| !target.dispatch_trusted(realm, &event))
}
