use std::collections::{BTreeMap, BTreeSet};

use base::StorageKey;
use network_traits::EmulationSessionId;
use url::Url;

/// Who emulates being offline, and for what. Bounded by the trusted code that opens sessions.
#[derive(Debug, Default)]
pub(super) struct Emulation {
    engine: BTreeSet<EmulationSessionId>,
    registrations: BTreeSet<(StorageKey, Url, EmulationSessionId)>,
}

impl Emulation {
    /// A session begins or ends to want it for the whole engine.
    pub(super) fn set_engine(&mut self, session: EmulationSessionId, offline: bool) {
        if offline {
            self.engine.insert(session);
        } else {
            self.engine.remove(&session);
        }
    }

    /// A session begins or ends to want it for one registration.
    pub(super) fn set_registration(
        &mut self,
        session: EmulationSessionId,
        storage_key: StorageKey,
        scope: Url,
        offline: bool,
    ) {
        let wanted = (storage_key, scope, session);
        if offline {
            self.registrations.insert(wanted);
        } else {
            self.registrations.remove(&wanted);
        }
    }

    /// A session wants nothing any more.
    pub(super) fn end_session(&mut self, session: EmulationSessionId) {
        self.engine.remove(&session);
        self.registrations
            .retain(|(.., wanting)| *wanting != session);
    }

    /// Whether at least one session wants it for the whole engine.
    pub(super) fn is_engine_offline(&self) -> bool {
        !self.engine.is_empty()
    }

    /// The registrations for which at least one session wants it.
    pub(super) fn offline_registrations(&self) -> BTreeMap<StorageKey, BTreeSet<Url>> {
        let mut registrations: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (storage_key, scope, _) in &self.registrations {
            registrations
                .entry(storage_key.clone())
                .or_default()
                .insert(scope.clone());
        }
        registrations
    }
}
