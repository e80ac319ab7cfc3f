//! What the manager is told of periodic sync, and what follows.

use std::time::Duration;

use base::StorageKey;
use base::time::Timestamp;
use sync_traits::{Engagement, SyncKind};

use crate::error::RegisterError;
use crate::manager::{Requester, SyncManager};
use crate::place::Place;
use crate::record::{RecordState, SyncKey, SyncRecord};
use crate::schedule::EntryId;
use crate::tables::{Ask, Asked};

impl SyncManager {
    /// A page or worker calls `periodicSync.register()`. `denied` is the permission that the
    /// origin lacks now, if any: it needs both. `engagement` is what the engagement policy says.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-register>
    pub fn handle_register_periodic(
        &mut self,
        now: Timestamp,
        requester: Requester,
        key: SyncKey,
        min_interval: Duration,
        denied: Option<SyncKind>,
        engagement: Engagement,
    ) {
        self.begin();
        let key = SyncKey {
            kind: SyncKind::Periodic,
            ..key
        };
        let what = Ask::RegisterPeriodic { min_interval };
        let asked = Asked { requester, what };
        self.register(now, asked, key, denied, Some(engagement));
        self.settle(now);
    }

    /// A page or worker calls `periodicSync.unregister()`. It needs neither window nor permission
    /// nor active worker.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-unregister>
    pub fn handle_unregister_periodic(
        &mut self,
        now: Timestamp,
        requester: Requester,
        key: SyncKey,
    ) {
        self.begin();
        let key = SyncKey {
            kind: SyncKind::Periodic,
            ..key
        };
        let asked = Asked {
            requester,
            what: Ask::UnregisterPeriodic,
        };
        // A registration that is gone has nothing left to unregister.
        let scope = self.scope(&key.storage_key, &key.scope);
        let present = scope.is_some_and(|scope| scope.is(requester.registration));
        let id = self.find(&key).filter(|_| present);
        let entry = id.and_then(|id| self.entries.get_mut(&id));
        let entry = entry
            .filter(|entry| entry.record.is_some() || entry.writing || !entry.asked.is_empty());
        if self.exiting {
            self.reply(asked, Err(RegisterError::ShuttingDown.exception()));
        } else if let Some((entry, id)) = entry.zip(id) {
            entry.asked.push(asked);
            self.advance(id, now);
        } else {
            self.reply(asked, Ok(()));
        }
        self.settle(now);
    }

    /// The engagement policy says this about an origin now.
    pub fn handle_engagement(
        &mut self,
        now: Timestamp,
        storage_key: &StorageKey,
        engagement: Engagement,
    ) {
        self.begin();
        self.set_engagement(now, storage_key, engagement);
        self.settle(now);
    }

    /// The origins that have periodic registrations: those about which the engagement policy is
    /// asked after a start.
    pub fn periodic_origins(&self) -> impl Iterator<Item = &StorageKey> {
        self.periodic.origins()
    }

    pub(crate) fn set_engagement(
        &mut self,
        now: Timestamp,
        storage_key: &StorageKey,
        engagement: Engagement,
    ) {
        if !self.periodic.set_engagement(storage_key, engagement) {
            return;
        }
        // The floor is another one, so each registration of the origin stands somewhere else.
        let origin = self.origins.get(storage_key).into_iter();
        let ids: Vec<EntryId> = origin
            .flat_map(|origin| origin.scopes.values())
            .flat_map(|scope| scope.tags(SyncKind::Periodic).values().copied())
            .collect();
        for id in ids {
            self.advance(id, now);
        }
    }

    /// Make ready what is due and what the floors do not hold back.
    pub(crate) fn run_periodic(&mut self, now: Timestamp) {
        while let Some(id) = self.periodic.first_due(now) {
            self.take_out(id);
            self.put_in_ready(id);
        }
    }

    /// Whether the floors let a registration fire whose turn it is.
    pub(crate) fn may_start(&self, id: EntryId, now: Timestamp) -> bool {
        let entry = self.entries.get(&id);
        entry.is_none_or(|entry| {
            !entry.record.as_ref().is_some_and(is_gated)
                || self.periodic.may_fire(&entry.key.storage_key, now)
        })
    }

    /// The attempt of a registration is started: if it is periodic, it may be the first of a turn.
    pub(crate) fn note_start(&mut self, id: EntryId, now: Timestamp) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        if entry.record.as_ref().is_some_and(is_gated) {
            self.periodic.open_turn(&entry.key.storage_key, now);
        }
    }

    /// Where a pending or waiting periodic registration with an active worker belongs, if it is
    /// not treated as a one-shot one.
    pub(crate) fn periodic_place(
        &self,
        storage_key: &StorageKey,
        record: &SyncRecord,
    ) -> Option<Place> {
        let periodic = record.periodic.as_ref()?;
        let Some(due) = self.periodic.due_of(storage_key, periodic) else {
            return Some(Place::Suspended);
        };
        is_gated(record).then_some(Place::NotDue(due))
    }
}

/// Whether intervals and floors say when a registration may fire: a periodic one that is pending,
/// and not for a retry.
fn is_gated(record: &SyncRecord) -> bool {
    record.periodic.is_some() && record.state == RecordState::Pending && !record.is_retry()
}
