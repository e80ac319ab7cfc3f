//! <https://w3c.github.io/IndexedDB/#events>

use super::event::Event;
use crate::bindings::generated::{IdbVersionChangeEventInit, IdbVersionChangeEventMethods};
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Realm};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#idbversionchangeevent>
    pub struct IdbVersionChangeEvent {
        pub(crate) parent: Event,
        old_version: u64,
        new_version: NoTrace<Option<u64>>,
    }
}

impl IdbVersionChangeEvent {
    /// An event that neither bubbles nor can be canceled.
    ///
    /// <https://w3c.github.io/IndexedDB/#fire-a-version-change-event>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn create(
        realm: &Realm,
        type_: &str,
        old_version: u64,
        new_version: Option<u64>,
    ) -> Fallible<Dom<Self>> {
        let init = IdbVersionChangeEventInit {
            old_version,
            new_version,
            ..IdbVersionChangeEventInit::default()
        };
        Self::constructor(realm, type_.into(), init)
    }
}

impl IdbVersionChangeEventMethods for IdbVersionChangeEvent {
    fn constructor(
        realm: &Realm,
        type_: DomString,
        init: IdbVersionChangeEventInit,
    ) -> Fallible<Dom<Self>> {
        let parent = Event::new_inherited(realm, type_, &init.parent);
        let (old_version, new_version) = (init.old_version, NoTrace(init.new_version));
        Dom::new(
            realm,
            Self {
                parent,
                old_version,
                new_version,
            },
        )
    }

    fn old_version(&self, _: &Realm) -> u64 {
        self.old_version
    }

    fn new_version(&self, _: &Realm) -> Option<u64> {
        self.new_version.0
    }
}
