//! <https://w3c.github.io/permissions/#permissionstatus-interface>

use std::cell::Cell;
use std::rc::Rc;

use sync_traits::{PermissionName, PermissionState, UnknownPermission};

use super::event_target::EventTarget;
use crate::bindings::generated::{
    EventInit, PermissionState as ScriptPermissionState, PermissionStatusMethods,
};
use crate::bindings::weak::WeakEntry;
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Realm};
use crate::permission_watch::PermissionWatch;

/// What a page may ask about.
///
/// <https://w3c.github.io/permissions/#dfn-powerful-feature>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Feature {
    /// What the embedder decides about.
    Decided(PermissionName),
    /// What the engine does not have, and so denies to everybody, by its name. Pages ask about it
    /// before they look whether it is there, and would take an error for another fault.
    Missing(&'static str),
}

impl Feature {
    /// What other browsers have and this engine has not.
    const MISSING: [&'static str; 1] = ["geolocation"];

    /// The feature of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn parse(name: &str) -> Result<Self, UnknownPermission> {
        let missing = Self::MISSING.into_iter().find(|missing| *missing == name);
        match missing {
            Some(missing) => Ok(Self::Missing(missing)),
            None => name.parse().map(Self::Decided),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Decided(name) => name.as_str(),
            Self::Missing(name) => name,
        }
    }
}

dom_struct! {
    /// <https://w3c.github.io/permissions/#dom-permissionstatus>
    pub struct PermissionStatus {
        pub(crate) parent: EventTarget,
        feature: NoTrace<Feature>,
        state: NoTrace<Cell<PermissionState>>,
        /// Its place among those that are told of changes.
        entry: NoTrace<WeakEntry<u64, PermissionStatus>>,
    }
}

impl PermissionStatus {
    /// <https://w3c.github.io/permissions/#dfn-create-a-permissionstatus>
    pub(crate) fn create(
        realm: &Realm,
        watch: &Rc<PermissionWatch>,
        feature: Feature,
    ) -> Fallible<Dom<Self>> {
        let parent = EventTarget::new_inherited();
        // As long as a script waits for a change, the object is kept though nothing refers to it.
        parent.set_listener_observer(|target, realm| {
            if let (Some(status), Ok(watch)) = (
                Dom::from_ref(target).downcast::<Self>(),
                PermissionWatch::of(realm),
            ) {
                watch.keep(&status, status.has_listeners("change"));
            }
        });
        let status = Dom::new(
            realm,
            Self {
                parent,
                feature: NoTrace(feature),
                state: NoTrace(Cell::new(watch.state(feature))),
                entry: NoTrace(watch.entry()),
            },
        )?;
        watch.add(&status);
        Ok(status)
    }

    pub(crate) fn entry(&self) -> &WeakEntry<u64, Self> {
        &self.entry.0
    }

    pub(crate) fn feature(&self) -> Feature {
        self.feature.0
    }

    /// <https://w3c.github.io/permissions/#dfn-permissionstatus-update-steps>
    pub(crate) fn update(&self, realm: &Realm, state: PermissionState) -> Fallible<()> {
        if self.state.replace(state) != state {
            self.fire_event(realm, "change", &EventInit::default())?;
        }
        Ok(())
    }
}

impl PermissionStatusMethods for PermissionStatus {
    fn state(&self, _: &Realm) -> ScriptPermissionState {
        match self.state.get() {
            PermissionState::Granted => ScriptPermissionState::Granted,
            PermissionState::Denied => ScriptPermissionState::Denied,
            PermissionState::Prompt => ScriptPermissionState::Prompt,
        }
    }

    fn name(&self, _: &Realm) -> DomString {
        self.feature.as_str().into()
    }
}
