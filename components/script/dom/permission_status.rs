//! <https://w3c.github.io/permissions/#permissionstatus-interface>

use std::cell::Cell;
use std::rc::Rc;

use sync_traits::{PermissionName, PermissionState};

use super::event_target::EventTarget;
use crate::bindings::generated::{
    EventInit, PermissionState as ScriptPermissionState, PermissionStatusMethods,
};
use crate::bindings::weak::WeakEntry;
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Realm};
use crate::permission_watch::PermissionWatch;

dom_struct! {
    /// <https://w3c.github.io/permissions/#dom-permissionstatus>
    pub struct PermissionStatus {
        pub(crate) parent: EventTarget,
        name: NoTrace<PermissionName>,
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
        name: PermissionName,
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
                name: NoTrace(name),
                state: NoTrace(Cell::new(watch.state(name))),
                entry: NoTrace(watch.entry()),
            },
        )?;
        watch.add(&status);
        Ok(status)
    }

    pub(crate) fn entry(&self) -> &WeakEntry<u64, Self> {
        &self.entry.0
    }

    pub(crate) fn permission(&self) -> PermissionName {
        self.name.0
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
        self.name.as_str().into()
    }
}
