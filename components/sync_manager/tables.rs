//! What the manager knows of origins, scopes and tags, and where each tag stands in the indexes.

use std::collections::BTreeMap;

use base::ids::EventId;
use base::time::{MonotonicTime, Timestamp};
use base::{DomString, StorageKey};
use sync_traits::{DropReason, HoldReason, LogEvent};
use url::Url;

use crate::error::RegisterError;
use crate::event_log::Draft;
use crate::manager::{Requester, SyncManager};
use crate::record::{RecordState, SyncKey, SyncRecord};
use crate::schedule::{Due, EntryId, Lane};
use crate::transition::Ended;

/// How many entries of the event log about what holds registrations back may follow from one input.
/// When the network goes and a thousand wait for it, the first of them tell the story; with all of
/// them the log would hold nothing else.
pub(crate) const HELD_ENTRIES_PER_INPUT: usize = 64;

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
    /// In back-off.
    Waiting(Due),
}

/// One tag of one scope.
///
/// `record` is what the store holds; inputs gather beside it, and become the next batch as soon as
/// the last one is answered. So a registration has at most one batch on its way, and what nobody
/// may know before it is durable is not known here either. (The one exception: a back-off that is
/// over or cut short is not written. After a crash it is over again, or cut short again.)
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: SyncKey,
    /// What is durable; nothing for one that is being registered or has gone.
    pub(crate) record: Option<SyncRecord>,
    /// For a waiting one, when the back-off is over by the monotonic clock.
    pub(crate) due: Option<MonotonicTime>,
    /// How many changes of the network there had been when its last event ended.
    pub(crate) ended_at_change: u64,
    pub(crate) place: Place,
    /// Whether a batch with it is on its way.
    pub(crate) writing: bool,
    /// Whether that batch removes it, against the will of whoever registered it.
    pub(crate) being_removed: bool,
    /// To be written next: it is removed, ...
    pub(crate) removal: Option<DropReason>,
    /// ... its event has ended, ...
    pub(crate) ended: Option<Ended>,
    /// ... and it is registered by these.
    pub(crate) requesters: Vec<Requester>,
    /// Its event, from the start of the attempt until the worker is done with it.
    pub(crate) event: Option<EventId>,
    /// What held it back when the event log was last told.
    pub(crate) held_by: Option<HoldReason>,
}

/// What is known of an origin.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// How many top-level and auxiliary windows it has.
    pub(crate) windows: usize,
    /// How many bytes its registrations take.
    pub(crate) bytes: u64,
    /// Connectivity was gained, which ends the back-off of every registration whose event ended
    /// before this change of the network. It is kept because an end that is still being written
    /// stands in no index.
    pub(crate) gained_at_change: u64,
    /// The change of the network after which the origin was last known to be unreachable. Kept
    /// because a network monitor forgets what it has not seen for some time.
    pub(crate) unreachable_at_change: Option<u64>,
    pub(crate) scopes: BTreeMap<Url, Scope>,
}

/// What is known of a service worker registration.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) active_worker: bool,
    /// <https://wicg.github.io/background-sync/spec/#list-of-sync-registrations>
    pub(crate) tags: BTreeMap<DomString, EntryId>,
}

impl Entry {
    /// Its record, for whoever asks: one that is on its way out is not there any more.
    pub(crate) fn visible_record(&self) -> Option<&SyncRecord> {
        self.record
            .as_ref()
            .filter(|_| self.removal.is_none() && !self.being_removed)
    }

    /// Whether something is to be written.
    pub(crate) fn has_input(&self) -> bool {
        self.removal.is_some() || self.ended.is_some() || !self.requesters.is_empty()
    }
}

impl SyncManager {
    pub(crate) fn scope(&self, storage_key: &StorageKey, scope: &Url) -> Option<&Scope> {
        self.origins.get(storage_key)?.scopes.get(scope)
    }

    /// The entry with this key, a new one if there is none.
    pub(crate) fn entry_of(&mut self, key: SyncKey) -> EntryId {
        let origin = self.origins.entry(key.storage_key.clone()).or_default();
        let scope = origin.scopes.entry(key.scope.clone()).or_default();
        if let Some(id) = scope.tags.get(&key.tag) {
            return *id;
        }
        self.next_entry += 1;
        let id = EntryId(self.next_entry);
        scope.tags.insert(key.tag.clone(), id);
        origin.bytes = origin.bytes.saturating_add(key.stored_bytes());
        let entry = Entry {
            key,
            record: None,
            due: None,
            ended_at_change: 0,
            place: Place::Nowhere,
            writing: false,
            being_removed: false,
            removal: None,
            ended: None,
            requesters: Vec::new(),
            event: None,
            held_by: None,
        };
        self.entries.insert(id, entry);
        id
    }

    /// Drop an entry that holds nothing any more.
    pub(crate) fn forget(&mut self, id: EntryId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        let SyncKey {
            storage_key,
            scope: url,
            tag,
        } = &entry.key;
        if let Some(origin) = self.origins.get_mut(storage_key) {
            origin.bytes = origin.bytes.saturating_sub(entry.key.stored_bytes());
            if let Some(scope) = origin.scopes.get_mut(url) {
                scope.tags.remove(tag);
            }
        }
        self.unwritten.remove(&id);
        self.forget_empty_scope(storage_key, url);
    }

    pub(crate) fn forget_empty_scope(&mut self, storage_key: &StorageKey, url: &Url) {
        let Some(origin) = self.origins.get_mut(storage_key) else {
            return;
        };
        let empty = |scope: &Scope| !scope.active_worker && scope.tags.is_empty();
        if origin.scopes.get(url).is_some_and(empty) {
            origin.scopes.remove(url);
            self.forget_empty_origin(storage_key);
        }
    }

    pub(crate) fn forget_empty_origin(&mut self, storage_key: &StorageKey) {
        let empty = |origin: &Origin| origin.windows == 0 && origin.scopes.is_empty();
        if self.origins.get(storage_key).is_some_and(empty) {
            self.origins.remove(storage_key);
        }
    }

    /// Whether a scope has an active worker is this now.
    pub(crate) fn set_active_worker(
        &mut self,
        storage_key: &StorageKey,
        url: &Url,
        active_worker: bool,
    ) {
        let origin = self.origins.entry(storage_key.clone()).or_default();
        let scope = origin.scopes.entry(url.clone()).or_default();
        if scope.active_worker == active_worker {
            self.forget_empty_scope(storage_key, url);
            return;
        }
        scope.active_worker = active_worker;
        let ids: Vec<_> = scope.tags.values().copied().collect();
        for id in ids {
            let pending = self.entries.get(&id).is_some_and(|entry| {
                matches!(entry.place, Place::Ready(_) | Place::NoActiveWorker)
            });
            if pending {
                self.take_out(id);
                self.put_in(id);
            }
        }
        self.forget_empty_scope(storage_key, url);
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
        } = &entry.key;
        let sequence = record.sequence;
        let place = match record.state {
            RecordState::Firing { .. } => return,
            RecordState::Waiting { due: wall } => Place::Waiting(Due {
                wall,
                monotonic: entry.due.unwrap_or_default(),
            }),
            // An event of an earlier registration with this tag is still being handled.
            RecordState::Pending if entry.event.is_some() => Place::Nowhere,
            RecordState::Pending if self.has_active_worker(storage_key, scope) => {
                Place::Ready(Lane {
                    storage_key: storage_key.clone(),
                    network: record.network,
                })
            }
            RecordState::Pending => Place::NoActiveWorker,
        };
        self.timers
            .insert_expiry(id, record.registered.saturating_add(self.policy.max_age));
        match &place {
            Place::Waiting(due) => {
                self.timers.insert_due(id, *due);
                self.waiting
                    .entry(storage_key.clone())
                    .or_default()
                    .insert(id);
            }
            Place::Ready(lane) => {
                self.ready.insert(lane.clone(), sequence, id, &self.network);
                self.held_anew.push(id);
            }
            Place::NoActiveWorker => self.held_anew.push(id),
            Place::Nowhere => {}
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            if let Place::Waiting(due) = &place {
                entry.held_by = Some(HoldReason::BackOff { until: due.wall });
            }
            entry.place = place;
        }
    }

    /// A waiting registration is pending at once if connectivity came since its event ended, while
    /// that was being written.
    fn skip_back_off(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(record) = &mut entry.record else {
            return;
        };
        let origin = self.origins.get(&entry.key.storage_key);
        let gained = origin.is_some_and(|origin| entry.ended_at_change < origin.gained_at_change);
        if gained && matches!(record.state, RecordState::Waiting { .. }) {
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
        self.timers
            .remove_expiry(id, record.registered.saturating_add(self.policy.max_age));
        match std::mem::take(&mut entry.place) {
            Place::Waiting(due) => {
                self.timers.remove_due(id, due);
                if let Some(waiting) = self.waiting.get_mut(&entry.key.storage_key) {
                    waiting.remove(&id);
                    if waiting.is_empty() {
                        self.waiting.remove(&entry.key.storage_key);
                    }
                }
            }
            Place::Ready(lane) => self.ready.remove(&lane, record.sequence, id),
            Place::NoActiveWorker | Place::Nowhere => {}
        }
    }

    /// What is next for an entry: something to write, a place in the indexes, or the end.
    pub(crate) fn advance(&mut self, id: EntryId, now: Timestamp) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        if entry.writing {
            return;
        }
        if entry.has_input() {
            self.take_out(id);
            // While the store cannot write, only pages ask it to; the rest waits for its turn.
            let asked_for = self
                .entries
                .get(&id)
                .is_some_and(|entry| !entry.requesters.is_empty());
            if asked_for || self.store_retry.is_none() {
                self.write(&[id], now);
            } else {
                self.unwritten.insert(id);
            }
        } else if entry.record.is_none() && entry.event.is_none() {
            self.forget(id);
        } else {
            self.take_out(id);
            self.put_in(id);
        }
    }

    /// Remove registrations whatever they are doing. Who waits for them is told at once; an event
    /// in flight is ignored when it ends.
    pub(crate) fn remove_all(&mut self, ids: &[EntryId], reason: DropReason, now: Timestamp) {
        let mut to_write = Vec::new();
        for &id in ids {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let requesters = std::mem::take(&mut entry.requesters);
            entry.ended = None;
            // One that is not stored and not being stored is only there for its last event.
            if entry.record.is_some() || entry.writing {
                entry.removal = Some(reason);
            }
            let (event, writing, has_input) = (entry.event, entry.writing, entry.has_input());
            for requester in requesters {
                self.reply_registered(requester, Err(removal_error(reason).exception()));
            }
            if let Some(event) = event {
                self.abandon_flight(event);
            }
            self.take_out(id);
            if has_input && !writing {
                to_write.push(id);
            }
        }
        if self.store_retry.is_none() {
            self.write(&to_write, now);
        } else {
            self.unwritten.extend(to_write);
        }
    }

    /// The origin may not sync any more.
    pub(crate) fn revoke(&mut self, storage_key: &StorageKey, now: Timestamp) {
        let Some(origin) = self.origins.get(storage_key) else {
            return;
        };
        let ids: Vec<_> = origin
            .scopes
            .values()
            .flat_map(|scope| scope.tags.values().copied())
            .collect();
        self.remove_all(&ids, DropReason::PermissionRevoked, now);
    }

    /// Do what has come due.
    pub(crate) fn run_timers(&mut self, now: Timestamp) {
        while let Some(id) = self.timers.first_expired(now) {
            self.take_out(id);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.removal = Some(DropReason::Expired);
            }
            self.advance(id, now);
        }
        while let Some(id) = self.timers.first_due(now) {
            self.end_back_off(id);
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

    pub(crate) fn has_active_worker(&self, storage_key: &StorageKey, scope: &Url) -> bool {
        self.scope(storage_key, scope)
            .is_some_and(|scope| scope.active_worker)
    }

    /// What holds an entry back now.
    pub(crate) fn held_by(&self, entry: &Entry) -> Option<HoldReason> {
        let firing = |record: &SyncRecord| matches!(record.state, RecordState::Firing { .. });
        if entry.event.is_some() && entry.record.as_ref().is_some_and(firing) {
            return None;
        }
        if entry.writing || entry.has_input() {
            return Some(HoldReason::Storing);
        }
        match &entry.place {
            Place::Waiting(due) => Some(HoldReason::BackOff { until: due.wall }),
            Place::NoActiveWorker => Some(HoldReason::NoActiveWorker),
            Place::Ready(lane) => Some(self.held_in(lane)),
            // It waits for the end of an event of an earlier registration.
            Place::Nowhere => Some(HoldReason::Queued),
        }
    }

    fn held_in(&self, lane: &Lane) -> HoldReason {
        lane.held_by(&self.network)
            .unwrap_or(if self.store_retry.is_some() {
                HoldReason::Storing
            } else {
                HoldReason::Queued
            })
    }

    /// Tell the event log what holds back entries that have just come to stand where they are.
    /// That the store cannot write is told by nobody who depends on the store.
    pub(crate) fn log_holds(&mut self, now: Timestamp) {
        let mut room = HELD_ENTRIES_PER_INPUT;
        for id in std::mem::take(&mut self.held_anew) {
            if room == 0 {
                return;
            }
            let Some(entry) = self.entries.get(&id) else {
                continue;
            };
            if !matches!(entry.place, Place::Ready(_) | Place::NoActiveWorker) {
                continue;
            }
            let unreported =
                matches!(entry.place, Place::NoActiveWorker) && !self.service_workers_known;
            let reason = self.held_by(entry).filter(|reason| {
                !unreported
                    && *reason != HoldReason::Storing
                    && entry.held_by.as_ref() != Some(reason)
            });
            let Some(reason) = reason else { continue };
            room -= 1;
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.held_by = Some(reason.clone());
                let event = LogEvent::Held { reason };
                self.log.push(Draft {
                    time: now.wall,
                    key: entry.key.clone(),
                    event,
                });
            }
        }
    }
}

/// What someone is told who waits for a registration that is being removed.
pub(crate) fn removal_error(reason: DropReason) -> RegisterError {
    match reason {
        DropReason::PermissionRevoked => RegisterError::PermissionDenied,
        DropReason::AttemptsExhausted
        | DropReason::Expired
        | DropReason::Unregistered
        | DropReason::Unreadable => RegisterError::Unregistered,
    }
}
