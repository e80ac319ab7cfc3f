//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-popstateevent-interface>

use super::event::Event;
use super::event_target::EventTarget;
use crate::bindings::generated::{PopStateEventInit, PopStateEventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm, Value};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#popstateevent>
    pub struct PopStateEvent {
        pub(crate) parent: Event,
        state: Value,
        has_ua_visual_transition: bool,
    }
}

impl PopStateEvent {
    /// Tells the window of a realm that its document is at another entry of the history.
    pub(crate) fn fire(realm: &Realm, state: Value) -> Fallible<()> {
        let init = PopStateEventInit {
            state,
            ..PopStateEventInit::default()
        };
        let event = Self::constructor(realm, "popstate".into(), init)?;
        if let Some(window) = realm.global::<EventTarget>() {
            window.dispatch_trusted(realm, &event);
        }
        Ok(())
    }
}

impl PopStateEventMethods for PopStateEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: PopStateEventInit,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            parent: Event::new_inherited(realm, type_, &init.parent),
            state: init.state,
            has_ua_visual_transition: init.has_ua_visual_transition,
        };
        Dom::new(realm, this)
    }

    fn state(&self, _: &Realm) -> Value {
        self.state.clone()
    }

    fn has_ua_visual_transition(&self, _: &Realm) -> bool {
        self.has_ua_visual_transition
    }
}
