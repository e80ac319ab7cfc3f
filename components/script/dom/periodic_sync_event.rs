//! <https://wicg.github.io/periodic-background-sync/#periodicsync-event-interface>

use super::extendable_event::ExtendableEvent;
use crate::bindings::generated::{
    ExtendableEventInit, PeriodicSyncEventInit, PeriodicSyncEventMethods,
};
use crate::bindings::{Dom, DomString, Fallible, Realm};

dom_struct! {
    /// <https://wicg.github.io/periodic-background-sync/#periodicsyncevent>
    pub struct PeriodicSyncEvent {
        pub(crate) parent: ExtendableEvent,
        tag: DomString,
    }
}

impl PeriodicSyncEvent {
    /// The event for a periodic sync registration that fires.
    pub(crate) fn create(realm: &Realm, tag: DomString) -> Fallible<Dom<Self>> {
        let init = PeriodicSyncEventInit {
            parent: ExtendableEventInit::default(),
            tag,
        };
        Self::constructor(realm, "periodicsync".into(), init)
    }
}

impl PeriodicSyncEventMethods for PeriodicSyncEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: PeriodicSyncEventInit,
    ) -> Fallible<Dom<Self>> {
        let parent = ExtendableEvent::new_inherited(realm, type_, &init.parent.parent);
        Dom::new(
            realm,
            Self {
                parent,
                tag: init.tag,
            },
        )
    }

    fn tag(&self, _: &Realm) -> DomString {
        self.tag.clone()
    }
}
