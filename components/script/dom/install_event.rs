//! <https://w3c.github.io/ServiceWorker/#installevent-interface>

use super::extendable_event::ExtendableEvent;
use crate::bindings::generated::{ExtendableEventInit, InstallEventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm};

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#installevent-interface>
    pub struct InstallEvent {
        pub(crate) parent: ExtendableEvent,
    }
}

impl InstallEvent {
    /// The event that has a worker install itself.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        Self::constructor(realm, "install".into(), ExtendableEventInit::default())
    }
}

impl InstallEventMethods for InstallEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: ExtendableEventInit,
    ) -> Fallible<Dom<Self>> {
        let parent = ExtendableEvent::new_inherited(realm, type_, &init.parent);
        Dom::new(realm, Self { parent })
    }
}
