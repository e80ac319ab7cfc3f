//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-hashchangeevent-interface>

use url::Url;

use super::event::Event;
use super::event_target::EventTarget;
use crate::bindings::generated::{HashChangeEventInit, HashChangeEventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#hashchangeevent>
    pub struct HashChangeEvent {
        pub(crate) parent: Event,
        old_url: UsvString,
        new_url: UsvString,
    }
}

impl HashChangeEvent {
    /// Tells the window of a realm that its document's URL has another fragment.
    pub(crate) fn fire(realm: &Realm, old: &Url, new: &Url) -> Fallible<()> {
        let init = HashChangeEventInit {
            old_url: old.as_str().into(),
            new_url: new.as_str().into(),
            ..HashChangeEventInit::default()
        };
        let event = Self::constructor(realm, "hashchange".into(), init)?;
        if let Some(window) = realm.global::<EventTarget>() {
            window.dispatch_trusted(realm, &event);
        }
        Ok(())
    }
}

impl HashChangeEventMethods for HashChangeEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: HashChangeEventInit,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            parent: Event::new_inherited(realm, type_, &init.parent),
            old_url: init.old_url,
            new_url: init.new_url,
        };
        Dom::new(realm, this)
    }

    fn old_url(&self, _: &Realm) -> UsvString {
        self.old_url.clone()
    }

    fn new_url(&self, _: &Realm) -> UsvString {
        self.new_url.clone()
    }
}
