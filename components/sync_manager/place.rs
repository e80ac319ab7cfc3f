//! Where each entry stands in the indexes, which is what happens to it next.

use base::StorageKey;
use sync_traits::HoldReason;
use url::Url;

use crate::manager::SyncManager;
use crate::record::{RecordState, SyncKey};
use crate::schedule::{Due, EntryId, Lane};
use crate::tables::{Entry, Scope};

/// Where an entry stands in the indexes.
#[derive(Debug, Default)]
pub(crate) enum Place {
    /// In none: it is being written or fires, or its last event has not ended.
    #[default]
    Nowhere,
    /// Pending, with an active worker.
    Ready(Lane),
    /// Pending, but there is no active worker.
    NoActiveWorker,
    /// Pending, with an active worker, but being offline is emulated for its service worker
    /// registration.
    EmulatedOffline,
    /// In back-off.
    Waiting {
        due: Due,
        /// The last attempt failed for want of network, so it is counted in
        /// [`Origin::waiting_for_network`](crate::tables::Origin::waiting_for_network).
        for_network: bool,
    },
    /// Periodic, with an active worker; its interval is over then, if it is not yet.
    NotDue(Due),
    /// Periodic, and its origin is suspended.
    Suspended,
}

impl Entry {
    /// Where it stands when neither a missing worker nor floors hold it back.
    fn own_place(&self) -> Place {
        let Some(record) = &self.record else {
            return Place::Nowhere;
        };
        match record.state {
            RecordState::Firing { .. } => Place::Nowhere,
            RecordState::Waiting { due: wall } => Place::Waiting {
                due: Due {
                    wall,
                    monotonic: self.due.unwrap_or_default(),
                },
                for_network: self.wants_network,
            },
            RecordState::Pending => Place::Ready(Lane {
                storage_key: self.key.storage_key.clone(),
                network: record.network,
            }),
        }
    }
}

impl SyncManager {
    /// What holds back the pending registrations of a scope may be something else now.
    pub(crate) fn place_pending_anew(&mut self, storage_key: &StorageKey, url: &Url) {
        let ids: Vec<_> = self
            .scope(storage_key, url)
            .into_iter()
            .flat_map(Scope::all)
            .collect();
        for id in ids {
            if self.entries.get(&id).is_some_and(Entry::is_pending) {
                self.take_out(id);
                self.put_in(id);
            }
        }
    }

    /// Put an entry that nothing is to be written for where its state belongs.
    pub(crate) fn put_in(&mut self, id: EntryId) {
        self.skip_back_off(id);
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let Some(record) = &entry.record else { return };
        let SyncKey {
            storage_key, scope, ..
        } = &*entry.key;
        let active = self.has_active_worker(storage_key, scope);
        let place = match record.state {
            RecordState::Firing { .. } => return,
            // An event of an earlier registration with this tag is still being handled.
            RecordState::Pending if entry.event.is_some() => Place::Nowhere,
            RecordState::Pending if !active => Place::NoActiveWorker,
            RecordState::Pending | RecordState::Waiting { .. } => self
                .periodic_place(storage_key, record)
                .unwrap_or_else(|| entry.own_place()),
        };
        self.put_in_at(id, place);
    }

    /// Put a pending entry where it fires from, if the network lets it.
    pub(crate) fn put_in_ready(&mut self, id: EntryId) {
        if let Some(entry) = self.entries.get(&id) {
            let place = entry.own_place();
            self.put_in_at(id, place);
        }
    }

    fn put_in_at(&mut self, id: EntryId, place: Place) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let Some(record) = &entry.record else { return };
        let SyncKey {
            storage_key, scope, ..
        } = &*entry.key;
        let offline = self.is_offline_registration(storage_key, scope);
        let place = match place {
            Place::Ready(_) if offline => Place::EmulatedOffline,
            place => place,
        };
        self.timers.insert_expiry(id, record.expiry(&self.policy));
        self.await_anew.insert(storage_key.clone());
        match &place {
            Place::Waiting { due, for_network } => {
                self.timers.insert_due(id, *due);
                self.waiting
                    .entry(storage_key.clone())
                    .or_default()
                    .insert(id);
                if *for_network && let Some(origin) = self.origins.get_mut(storage_key) {
                    origin.waiting_for_network += 1;
                }
            }
            Place::Ready(lane) => {
                let held = lane.held(self.conditions());
                self.ready.insert(lane.clone(), record.order(), id, held);
                self.note_hold(id);
            }
            Place::NotDue(due) => self.periodic.insert(storage_key, id, *due),
            Place::NoActiveWorker | Place::EmulatedOffline | Place::Suspended => {
                self.note_hold(id);
            }
            Place::Nowhere => {}
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            if let Place::Waiting { due, .. } = &place {
                entry.held_by = Some(HoldReason::BackOff { until: due.wall });
            }
            entry.place = place;
        }
    }

    /// A waiting registration is pending at once if connectivity came since its event ended, perhaps
    /// while that was being written; or, after an attempt that counted, as soon as that is allowed.
    fn skip_back_off(&mut self, id: EntryId) {
        let entry = self.entries.get(&id);
        if !entry.is_some_and(|entry| self.has_regained_network(entry)) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(record) = &mut entry.record else {
            return;
        };
        let RecordState::Waiting { due } = &mut record.state else {
            return;
        };
        if let Some(not_before) = entry.not_before {
            *due = not_before.wall.min(*due);
            entry.due = entry.due.map(|due| not_before.monotonic.min(due));
        } else {
            record.state = RecordState::Pending;
            entry.due = None;
        }
    }

    /// Take an entry out of the indexes.
    pub(crate) fn take_out(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(record) = &entry.record else { return };
        self.timers.remove_expiry(id, record.expiry(&self.policy));
        match std::mem::take(&mut entry.place) {
            Place::Waiting { due, for_network } => {
                self.timers.remove_due(id, due);
                self.await_anew.insert(entry.key.storage_key.clone());
                if for_network && let Some(origin) = self.origins.get_mut(&entry.key.storage_key) {
                    origin.waiting_for_network = origin.waiting_for_network.saturating_sub(1);
                }
                if let Some(waiting) = self.waiting.get_mut(&entry.key.storage_key) {
                    waiting.remove(&id);
                    if waiting.is_empty() {
                        self.waiting.remove(&entry.key.storage_key);
                    }
                }
            }
            Place::Ready(lane) => {
                self.ready.remove(&lane, record.order(), id);
                self.await_anew.insert(lane.storage_key);
            }
            Place::NotDue(due) => {
                self.periodic.take_out(&entry.key.storage_key, id, due);
            }
            Place::NoActiveWorker | Place::EmulatedOffline | Place::Suspended | Place::Nowhere => {}
        }
    }

    /// A waiting registration becomes pending.
    pub(crate) fn end_back_off(&mut self, id: EntryId) {
        self.take_out(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.due = None;
            if let Some(record) = &mut entry.record {
                record.state = RecordState::Pending;
            }
        }
        self.put_in(id);
    }
}
