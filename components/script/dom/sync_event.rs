//! <https://wicg.github.io/background-sync/spec/#sync-event>

use super::extendable_event::ExtendableEvent;
use crate::bindings::generated::{ExtendableEventInit, SyncEventInit, SyncEventMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm};

dom_struct! {
    /// <https://wicg.github.io/background-sync/spec/#syncevent>
    pub struct SyncEvent {
        pub(crate) parent: ExtendableEvent,
        tag: DomString,
        last_chance: bool,
    }
}

impl SyncEvent {
    /// The event for a sync registration that fires.
    pub(crate) fn create(realm: &Realm, tag: DomString, last_chance: bool) -> Fallible<Dom<Self>> {
        let init = SyncEventInit {
            parent: ExtendableEventInit::default(),
            tag,
            last_chance,
        };
        Self::constructor(realm, "sync".into(), init)
    }
}

impl SyncEventMethods for SyncEvent {
    fn constructor(realm: &Realm, type_: DomString, init: SyncEventInit) -> Fallible<Dom<Self>> {
        let parent = ExtendableEvent::new_inherited(realm, type_, &init.parent.parent);
        Dom::new(
            realm,
            Self {
                parent,
                tag: init.tag,
                last_chance: init.last_chance,
            },
        )
    }

    fn tag(&self, _: &Realm) -> DomString {
        self.tag.clone()
    }

    fn last_chance(&self, _: &Realm) -> bool {
        self.last_chance
    }
}
