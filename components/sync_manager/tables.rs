//! What the manager knows of origins, scopes and tags, and where each tag stands in the indexes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::ids::EventId;
use base::time::{MonotonicTime, Timestamp};
use base::{DomString, StorageKey};
use sync_traits::{DropReason, HoldReason, LogEvent, SyncKind};
use url::Url;

use crate::error::RegisterError;
use crate::event_log::Draft;
use crate::manager::{Requester, SyncManager};
use crate::place::Place;
use crate::record::{RecordState, SyncKey, SyncRecord};
use crate::schedule::{Due, EntryId, Lane};
use crate::transition::Ended;

/// How many entries of the event log about what holds registrations back may follow from one input.
/// When the network goes and a thousand wait for it, the first of them tell the story; with all of
/// them the log would hold nothing else.
pub(crate) const HELD_ENTRIES_PER_INPUT: usize = 64;

/// How many registrations are looked at for that. More than those that get an entry, because what
/// holds many of them is not new.
pub(crate) const HELD_CANDIDATES_PER_INPUT: usize = 16 * HELD_ENTRIES_PER_INPUT;

/// What a page or worker asked for with a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Register,
    RegisterPeriodic { min_interval: Duration },
    UnregisterPeriodic,
}

/// What was asked for, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) requester: Requester,
    pub(crate) what: Ask,
}

/// One tag of one scope.
///
/// `record` is what the store holds; inputs gather beside it, and become the next batch as soon as
/// the last one is answered. So a registration has at most one batch on its way, and what nobody
/// may know before it is durable is not known here either. (The one exception: a back-off that is
/// over or cut short is not written. After a crash it is over again, or cut short again.)
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Arc<SyncKey>,
    /// What is durable; nothing for one that is being registered or has gone.
    pub(crate) record: Option<SyncRecord>,
    /// Its number, if `getTags()` lists it.
    listed: Option<u64>,
    /// For a waiting one, when the back-off is over by the monotonic clock.
    pub(crate) due: Option<MonotonicTime>,
    /// For a waiting one whose last attempt counted: connectivity does not end the back-off before
    /// this.
    pub(crate) not_before: Option<Due>,
    /// How many changes of the network there had been when its last event ended.
    pub(crate) ended_at_change: u64,
    /// Whether its last event failed while there was no network or its origin could not be reached.
    pub(crate) wants_network: bool,
    pub(crate) place: Place,
    /// Whether a batch with it is on its way.
    pub(crate) writing: bool,
    /// Whether that batch removes it, against the will of whoever registered it.
    pub(crate) being_removed: bool,
    /// To be written next: it is removed, ...
    pub(crate) removal: Option<DropReason>,
    /// ... its event has ended, ...
    pub(crate) ended: Option<Ended>,
    /// ... and this is asked for, in this order. Who asks is limited in how many calls may wait.
    pub(crate) asked: Vec<Asked>,
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
    /// The change of the network with which a probe of the origin last succeeded. That ends the
    /// back-off of each registration whose event failed before that for want of network.
    pub(crate) verified_at_change: u64,
    /// How many of its registrations are in back-off after an attempt that failed for want of
    /// network.
    pub(crate) waiting_for_network: usize,
    /// How many of its registrations are being written, the starts of attempts aside.
    pub(crate) being_written: usize,
    pub(crate) scopes: BTreeMap<Url, Scope>,
}

/// What is known of a service worker registration.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) active_worker: bool,
    /// Its [ordinal](sw_traits::RegistrationInfo::ordinal), as far as it is known.
    pub(crate) registration: Option<u64>,
    /// The same for this scope alone as [`Origin::gained_at_change`].
    pub(crate) gained_at_change: u64,
    /// <https://wicg.github.io/background-sync/spec/#list-of-sync-registrations>
    one_shot: Tags,
    /// <https://wicg.github.io/periodic-background-sync/#active-periodic-sync-registrations>
    periodic: Tags,
}

/// The registrations of one kind.
#[derive(Debug, Default)]
struct Tags {
    entries: BTreeMap<DomString, EntryId>,
    /// What `getTags()` lists, in order of registration.
    listed: BTreeMap<(u64, EntryId), DomString>,
}

impl Scope {
    pub(crate) fn tags(&self, kind: SyncKind) -> &BTreeMap<DomString, EntryId> {
        match kind {
            SyncKind::OneShot => &self.one_shot.entries,
            SyncKind::Periodic => &self.periodic.entries,
        }
    }

    /// The tags of those that whoever asks may know of, in order of registration.
    pub(crate) fn listed(&self, kind: SyncKind) -> impl Iterator<Item = &DomString> {
        match kind {
            SyncKind::OneShot => self.one_shot.listed.values(),
            SyncKind::Periodic => self.periodic.listed.values(),
        }
    }

    /// Whether it is the scope of this registration. Without one, whichever it belongs to is meant.
    pub(crate) fn is(&self, registration: Option<u64>) -> bool {
        let (ours, asked_for) = (self.registration, registration);
        ours.zip(asked_for)
            .is_none_or(|(ours, asked_for)| ours == asked_for)
    }

    fn tags_mut(&mut self, kind: SyncKind) -> &mut Tags {
        match kind {
            SyncKind::OneShot => &mut self.one_shot,
            SyncKind::Periodic => &mut self.periodic,
        }
    }

    /// The registrations of both kinds.
    pub(crate) fn all(&self) -> impl Iterator<Item = EntryId> + use<'_> {
        let one_shot = self.one_shot.entries.values();
        one_shot.chain(self.periodic.entries.values()).copied()
    }

    /// How many registrations there are, of both kinds.
    pub(crate) fn len(&self) -> usize {
        self.one_shot.entries.len() + self.periodic.entries.len()
    }
}

impl Entry {
    /// Its record, for whoever asks: one that is on its way out is not there any more.
    pub(crate) fn visible_record(&self) -> Option<&SyncRecord> {
        self.record
            .as_ref()
            .filter(|_| self.removal.is_none() && !self.being_removed)
    }

    /// Whether it is pending, and nothing has to be written first.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(
            self.place,
            Place::Ready(_) | Place::NoActiveWorker | Place::EmulatedOffline | Place::NotDue(_)
        )
    }

    /// Whether its event is on its way to the service worker or being handled there.
    pub(crate) fn is_firing(&self) -> bool {
        let state = self.record.as_ref().map(|record| record.state);
        self.event.is_some() && matches!(state, Some(RecordState::Firing { .. }))
    }

    /// Whether something is to be written.
    pub(crate) fn has_input(&self) -> bool {
        self.removal.is_some() || self.ended.is_some() || !self.asked.is_empty()
    }
}

impl SyncManager {
    pub(crate) fn scope(&self, storage_key: &StorageKey, scope: &Url) -> Option<&Scope> {
        self.origins.get(storage_key)?.scopes.get(scope)
    }

    pub(crate) fn find(&self, key: &SyncKey) -> Option<EntryId> {
        let scope = self.scope(&key.storage_key, &key.scope)?;
        scope.tags(key.kind).get(&key.tag).copied()
    }

    /// The entry with this key, a new one if there is none.
    pub(crate) fn entry_of(&mut self, mut key: SyncKey) -> EntryId {
        // All that is known of an origin shares one key.
        if let Some((known, _)) = self.origins.get_key_value(&key.storage_key) {
            key.storage_key = known.clone();
        }
        let origin = self.origins.entry(key.storage_key.clone()).or_default();
        let scope = origin.scopes.entry(key.scope.clone()).or_default();
        let tags = &mut scope.tags_mut(key.kind).entries;
        if let Some(id) = tags.get(&key.tag) {
            return *id;
        }
        self.next_entry += 1;
        let id = EntryId(self.next_entry);
        tags.insert(key.tag.clone(), id);
        if key.kind == SyncKind::Periodic {
            self.periodic.add(&key.storage_key);
        }
        origin.bytes = origin.bytes.saturating_add(key.stored_bytes());
        let entry = Entry {
            key: Arc::new(key),
            record: None,
            listed: None,
            due: None,
            not_before: None,
            ended_at_change: 0,
            wants_network: false,
            place: Place::Nowhere,
            writing: false,
            being_removed: false,
            removal: None,
            ended: None,
            asked: Vec::new(),
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
            kind,
            tag,
        } = &*entry.key;
        if *kind == SyncKind::Periodic {
            self.periodic.remove(storage_key);
        }
        if let Some(origin) = self.origins.get_mut(storage_key) {
            origin.bytes = origin.bytes.saturating_sub(entry.key.stored_bytes());
            if let Some(scope) = origin.scopes.get_mut(url) {
                scope.tags_mut(*kind).entries.remove(tag);
            }
        }
        self.unwritten.remove(&id);
        self.forget_empty_scope(storage_key, url);
    }

    pub(crate) fn forget_empty_scope(&mut self, storage_key: &StorageKey, url: &Url) {
        let Some(origin) = self.origins.get_mut(storage_key) else {
            return;
        };
        let empty = |scope: &Scope| !scope.active_worker && scope.len() == 0;
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
        self.place_pending_anew(storage_key, url);
        self.forget_empty_scope(storage_key, url);
    }

    /// A scope that has, or will have, an active worker belongs to this registration.
    pub(crate) fn set_registration(
        &mut self,
        storage_key: &StorageKey,
        url: &Url,
        registration: u64,
    ) {
        if let Some(scope) = self.scope_mut(storage_key, url) {
            scope.registration = Some(registration);
        }
    }

    /// The entries of a scope that belong to an earlier registration of it: they were on their way
    /// to the store when that one was unregistered.
    pub(crate) fn left_behind(&self, scope: &Scope) -> Vec<EntryId> {
        scope
            .all()
            .filter(|id| {
                let record = self.entries.get(id).and_then(|entry| entry.record.as_ref());
                record
                    .and_then(|record| record.registration)
                    .is_some_and(|registration| Some(registration) != scope.registration)
            })
            .collect()
    }

    pub(crate) fn scope_mut(&mut self, storage_key: &StorageKey, url: &Url) -> Option<&mut Scope> {
        self.origins.get_mut(storage_key)?.scopes.get_mut(url)
    }

    /// What may be seen of an entry may have changed: have `getTags()` list it, or not any more.
    fn list(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let sequence = entry.visible_record().map(|record| record.sequence);
        let before = std::mem::replace(&mut entry.listed, sequence);
        if before == sequence {
            return;
        }
        let key = Arc::clone(&entry.key);
        if let Some(scope) = self.scope_mut(&key.storage_key, &key.scope) {
            let listed = &mut scope.tags_mut(key.kind).listed;
            if let Some(before) = before {
                listed.remove(&(before, id));
            }
            listed.extend(sequence.map(|sequence| ((sequence, id), key.tag.clone())));
        }
    }

    /// What is next for an entry: something to write, a place in the indexes, or the end.
    pub(crate) fn advance(&mut self, id: EntryId, now: Timestamp) {
        self.list(id);
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
                .is_some_and(|entry| !entry.asked.is_empty());
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
    /// in flight is ignored when it ends. Until then its tag fires no other event, unless that
    /// would be one of another service worker registration.
    pub(crate) fn remove_all(&mut self, ids: &[EntryId], reason: DropReason, now: Timestamp) {
        let mut to_write = Vec::new();
        for &id in ids {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            // Who wants it to go waits until it is gone.
            let gone = |asked: &mut Asked| !matches!(asked.what, Ask::UnregisterPeriodic);
            let rejected: Vec<Asked> = entry.asked.extract_if(.., gone).collect();
            entry.ended = None;
            // One that is not stored and not being stored is only there for its last event.
            if entry.record.is_some() || entry.writing {
                entry.removal = Some(reason);
            }
            let kind = entry.key.kind;
            let (event, writing, has_input) = (entry.event, entry.writing, entry.has_input());
            for asked in rejected {
                self.reply(asked, Err(removal_error(kind, reason).exception()));
            }
            if let Some(event) = event {
                self.abandon_flight(event);
                if reason == DropReason::Unregistered {
                    self.orphan_flight(event, now);
                }
            }
            self.list(id);
            self.take_out(id);
            if writing {
                continue;
            }
            if has_input {
                to_write.push(id);
            } else if self
                .entries
                .get(&id)
                .is_some_and(|entry| entry.event.is_none())
            {
                self.forget(id);
            }
        }
        if self.store_retry.is_none() {
            self.write(&to_write, now);
        } else {
            self.unwritten.extend(to_write);
        }
    }

    /// The origin may not sync any more. Without `background-sync` it may not sync at all; without
    /// `periodic-background-sync`, not periodically.
    pub(crate) fn revoke(&mut self, storage_key: &StorageKey, kind: SyncKind, now: Timestamp) {
        let Some(origin) = self.origins.get(storage_key) else {
            return;
        };
        let scopes = origin.scopes.values();
        let ids: Vec<_> = match kind {
            SyncKind::OneShot => scopes.flat_map(Scope::all).collect(),
            SyncKind::Periodic => scopes
                .flat_map(|scope| scope.tags(kind).values().copied())
                .collect(),
        };
        self.remove_all(&ids, DropReason::PermissionRevoked, now);
    }

    /// Do what has come due.
    pub(crate) fn run_timers(&mut self, now: Timestamp) {
        self.settle_link(now.monotonic);
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

    pub(crate) fn has_active_worker(&self, storage_key: &StorageKey, scope: &Url) -> bool {
        self.scope(storage_key, scope)
            .is_some_and(|scope| scope.active_worker)
    }

    /// What holds an entry back now: of several reasons, the one that its place stands for.
    pub(crate) fn held_by(&self, entry: &Entry) -> Option<HoldReason> {
        if entry.is_firing() {
            return None;
        }
        if entry.writing || entry.has_input() {
            return Some(HoldReason::Storing);
        }
        match &entry.place {
            Place::Waiting { due, .. } => Some(HoldReason::BackOff { until: due.wall }),
            Place::NoActiveWorker => Some(HoldReason::NoActiveWorker),
            Place::EmulatedOffline => Some(HoldReason::Offline),
            Place::Ready(lane) => Some(self.held_in(lane)),
            Place::NotDue(due) => Some(self.periodic.held_until(
                &entry.key.storage_key,
                *due,
                self.now,
            )),
            Place::Suspended => Some(HoldReason::Suspended),
            // It waits for the end of an event of an earlier registration.
            Place::Nowhere => Some(HoldReason::Queued),
        }
    }

    fn held_in(&self, lane: &Lane) -> HoldReason {
        let held = lane.held(self.conditions());
        held.by.unwrap_or(if self.store_retry.is_some() {
            HoldReason::Storing
        } else {
            HoldReason::Queued
        })
    }

    /// Remember that an entry may be held for a reason that is new to the event log. Of a great
    /// many, only the first can have an entry there.
    pub(crate) fn note_hold(&mut self, id: EntryId) {
        if self.held_anew.len() < HELD_CANDIDATES_PER_INPUT {
            self.held_anew.push(id);
        }
    }

    /// Tell the event log what holds back entries that have just come to stand where they are.
    /// That the store cannot write is told by nobody who depends on the store, and a check takes
    /// but a moment.
    pub(crate) fn log_holds(&mut self, now: Timestamp) {
        let mut room = HELD_ENTRIES_PER_INPUT;
        for id in std::mem::take(&mut self.held_anew) {
            if room == 0 {
                return;
            }
            let Some(entry) = self.entries.get(&id) else {
                continue;
            };
            if matches!(entry.place, Place::NotDue(_))
                || !entry.is_pending() && !matches!(entry.place, Place::Suspended)
            {
                continue;
            }
            let unreported =
                matches!(entry.place, Place::NoActiveWorker) && !self.service_workers_known;
            let reason = self.held_by(entry).filter(|reason| {
                !unreported
                    && !matches!(reason, HoldReason::Storing | HoldReason::Checking)
                    && entry.held_by.as_ref() != Some(reason)
            });
            let Some(reason) = reason else { continue };
            room -= 1;
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.held_by = Some(reason.clone());
                let event = LogEvent::Held { reason };
                self.log.push(Draft {
                    time: now.wall,
                    key: Arc::clone(&entry.key),
                    event,
                });
            }
        }
    }
}

/// What someone is told who waits for a registration that is being removed.
pub(crate) fn removal_error(kind: SyncKind, reason: DropReason) -> RegisterError {
    match reason {
        DropReason::PermissionRevoked => RegisterError::PermissionDenied(kind),
        DropReason::AttemptsExhausted
        | DropReason::Expired
        | DropReason::Unregistered
        | DropReason::UnregisteredByPage
        | DropReason::Unreadable => RegisterError::Unregistered,
    }
}
