//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-pagetransitionevent-interface>

use super::event::Event;
use super::event_target::EventTarget;
use crate::bindings::generated::{PageTransitionEventInit, PageTransitionEventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#pagetransitionevent>
    pub struct PageTransitionEvent {
        pub(crate) parent: Event,
        persisted: bool,
    }
}

impl PageTransitionEvent {
    /// Tells the window of a realm that its document is shown, or goes. Documents are not kept.
    ///
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#fire-a-page-transition-event>
    pub(crate) fn fire(realm: &Realm, type_: &str) -> Fallible<()> {
        let mut init = PageTransitionEventInit::default();
        init.parent.bubbles = true;
        init.parent.cancelable = true;
        let event = Self::constructor(realm, type_.into(), init)?;
        if let Some(window) = realm.global::<EventTarget>() {
            window.dispatch_trusted(realm, &event);
        }
        Ok(())
    }
}

impl PageTransitionEventMethods for PageTransitionEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: PageTransitionEventInit,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            parent: Event::new_inherited(realm, type_, &init.parent),
            persisted: init.persisted,
        };
        Dom::new(realm, this)
    }

    fn persisted(&self, _: &Realm) -> bool {
        self.persisted
    }
}
