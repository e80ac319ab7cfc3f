//! Batches on their way to the store, and what follows when they are answered.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use base::exception::DomException;
use base::ids::{CommitId, EventId};
use base::time::{MonotonicTime, Timestamp};
use storage::Batch;
use sync_traits::{DropReason, HoldReason, LogEvent, SyncClientEvent, SyncKind};

use crate::attempt::Stage;
use crate::error::RegisterError;
use crate::event_log::{BatchedLog, Draft};
use crate::manager::{Output, Requester, SyncManager};
use crate::periodic::TurnOf;
use crate::place::Place;
use crate::record::{self, RecordState};
use crate::schedule::{EntryId, Lane};
use crate::tables::{Ask, Asked, Entry, removal_error};
use crate::transition::{Change, Ended};

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct CommitInFlight {
    parts: Vec<Part>,
    log: BatchedLog,
    /// The turns of periodic syncs that are in it.
    turns: BTreeSet<TurnOf>,
}

/// What a batch does to one entry: the inputs that made the change, to be answered or put back.
#[derive(Debug)]
struct Part {
    entry: EntryId,
    change: Change,
    removal: Option<DropReason>,
    ended: Option<Ended>,
    asked: Vec<Asked>,
    /// The registration whose event is being handled is unregistered by its page.
    unregistered: bool,
    start: Option<EventId>,
    /// What the event log is told holds the registration back, so that it takes no second batch.
    held_by: Option<HoldReason>,
}

/// The store could not write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreRetry {
    failures: u32,
    at: MonotonicTime,
}

impl SyncManager {
    /// Write what has gathered at these entries, in one batch.
    pub(crate) fn write(&mut self, ids: &[EntryId], now: Timestamp) {
        let parts: Vec<Part> = ids
            .iter()
            .filter_map(|&id| self.take_inputs(id, now))
            .collect();
        if !parts.is_empty() {
            self.commit(parts, now);
        }
    }

    /// What the inputs of an entry, in the order in which they came, make of its record.
    fn take_inputs(&mut self, id: EntryId, now: Timestamp) -> Option<Part> {
        self.unwritten.remove(&id);
        let entry = self
            .entries
            .get_mut(&id)
            .filter(|entry| entry.has_input())?;
        let mut part = Part {
            entry: id,
            change: Change::of(entry.record.clone()),
            removal: entry.removal.take(),
            ended: entry.ended.take(),
            asked: std::mem::take(&mut entry.asked),
            unregistered: false,
            start: None,
            held_by: None,
        };
        part.change.due = entry.due;
        part.change.not_before = entry.not_before;
        // In the order in which they came: who registered the tag while it was firing did that.
        let early = part.ended.as_ref().map_or(0, |ended| ended.early_asked);
        self.apply_asked(&mut part, 0..early, now);
        if let Some(ended) = part.ended.clone() {
            self.apply_end(&mut part, &ended);
        }
        if let Some(reason) = part.removal {
            part.change.remove(reason);
        }
        let late = early..part.asked.len();
        self.apply_asked(&mut part, late, now);
        self.add_hold(&mut part, now);
        Some(part)
    }

    /// Do what was asked for with a tag, in order.
    fn apply_asked(&mut self, part: &mut Part, range: Range<usize>, now: Timestamp) {
        let asked: Vec<Ask> = part.asked[range].iter().map(|asked| asked.what).collect();
        let mut before = None;
        for ask in asked {
            // However many register a one-shot tag at once, it is one registration.
            let again = matches!((before, ask), (Some(Ask::Register), Ask::Register));
            if !again {
                self.apply_ask(part, ask, now);
            }
            before = Some(ask);
        }
    }

    fn apply_ask(&mut self, part: &mut Part, ask: Ask, now: Timestamp) {
        let (sequence, network) = (self.next_sequence, self.network_of_registration());
        let anew = part.change.record.is_none();
        match ask {
            Ask::Register => part.change.register(sequence, now, network, &self.policy),
            Ask::RegisterPeriodic { min_interval } => {
                part.change
                    .register_periodic(sequence, now, network, min_interval);
            }
            Ask::UnregisterPeriodic => {
                part.unregistered |= part.change.unregister_periodic();
                return;
            }
        }
        if let Some(record) = &mut part.change.record
            && let Some(key) = self.entries.get(&part.entry).map(|entry| &entry.key)
        {
            record.registration = self
                .scope(&key.storage_key, &key.scope)
                .and_then(|scope| scope.registration);
        }
        if anew {
            self.next_sequence += 1;
            self.follow_up(part, now);
        }
    }

    fn apply_end(&mut self, part: &mut Part, ended: &Ended) {
        let Some(entry) = self.entries.get(&part.entry) else {
            return;
        };
        if entry.key.kind == SyncKind::Periodic {
            part.change.end_periodic(ended, &self.policy);
            return;
        }
        let refires = entry.record.as_ref().map(|record| record.immediate_refires);
        part.change.end(ended, &self.policy);
        if let Some(refires) = refires.filter(|_| part.change.record.is_none()) {
            let key = Arc::clone(&entry.key);
            self.refires.note(key, ended.at.monotonic, refires);
        }
    }

    /// A tag was registered that was not there: a handler that does so time and again, just after
    /// the end of its event, does not fire without end.
    fn follow_up(&mut self, part: &mut Part, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(&part.entry) else {
            return;
        };
        let window = self.policy.refire_window;
        let refires = self.refires.take(&entry.key, now.monotonic, window);
        if refires == 0 {
            return;
        }
        let delay = self.policy.jitter_range(self.policy.retry_delay(1));
        let delay = self.jitter.between(delay);
        if part.change.follow_up(refires, now, delay, &self.policy) {
            // Only connectivity that comes from now on cuts the delay short.
            entry.ended_at_change = self.network_changes;
            entry.wants_network = false;
        }
    }

    /// A registration that becomes pending while there is no network is known to be held back
    /// before it is written.
    fn add_hold(&self, part: &mut Part, now: Timestamp) {
        let Some(entry) = self.entries.get(&part.entry) else {
            return;
        };
        let Some(record) = &part.change.record else {
            return;
        };
        if record.state != RecordState::Pending || entry.event.is_some() {
            return;
        }
        let lane = Lane {
            storage_key: entry.key.storage_key.clone(),
            network: record.network,
        };
        let storage_key = &entry.key.storage_key;
        let reason = match self.periodic_place(storage_key, record) {
            Some(Place::Suspended) => Some(HoldReason::Suspended),
            Some(Place::NotDue(due)) if !due.is_reached(now) => {
                Some(self.periodic.held_until(storage_key, due, now))
            }
            // Checking takes but a moment.
            _ => lane
                .held(self.conditions())
                .by
                .filter(|reason| *reason != HoldReason::Checking),
        };
        let active = self.has_active_worker(&entry.key.storage_key, &entry.key.scope);
        if let Some(reason) =
            reason.filter(|reason| active && entry.held_by.as_ref() != Some(reason))
        {
            part.change.log.push(LogEvent::Held {
                reason: reason.clone(),
            });
            part.held_by = Some(reason);
        }
    }

    /// Write the start of an attempt. Gives whether it is the last chance.
    pub(crate) fn write_start(&mut self, id: EntryId, event: EventId, now: Timestamp) -> bool {
        let Some(entry) = self.entries.get(&id) else {
            return false;
        };
        let mut change = Change::of(entry.record.clone());
        let last_chance = change.start(now, &self.policy);
        let part = Part {
            entry: id,
            change,
            removal: None,
            ended: None,
            asked: Vec::new(),
            unregistered: false,
            start: Some(event),
            held_by: None,
        };
        self.commit(vec![part], now);
        last_chance
    }

    /// Write the entries of the event log that describe no other change. One such batch at a time
    /// is on its way, so that a slow store bounds how many there are.
    pub(crate) fn flush_log(&mut self) {
        if self.log_batch.is_none() && self.has_loose() && self.store_retry.is_none() {
            self.submit(Vec::new(), Batch::new(), Vec::new());
        }
    }

    /// Whether something is to be written that belongs to no entry.
    fn has_loose(&self) -> bool {
        self.log.has_loose() || self.periodic.has_unsaved()
    }

    fn commit(&mut self, parts: Vec<Part>, now: Timestamp) {
        let mut batch = Batch::new();
        let mut drafts = Vec::new();
        for part in &parts {
            let Some(entry) = self.entries.get_mut(&part.entry) else {
                continue;
            };
            entry.writing = true;
            if part.start.is_none()
                && let Some(origin) = self.origins.get_mut(&entry.key.storage_key)
            {
                origin.being_written += 1;
            }
            entry.being_removed = part.removal.is_some();
            match &part.change.record {
                Some(record) => record::put(&mut batch, &entry.key, record),
                None => record::remove(&mut batch, &entry.key),
            }
            let draft = |event: &LogEvent| Draft {
                time: now.wall,
                key: Arc::clone(&entry.key),
                event: event.clone(),
            };
            drafts.extend(part.change.log.iter().map(draft));
        }
        self.submit(parts, batch, drafts);
    }

    fn submit(&mut self, parts: Vec<Part>, mut batch: Batch, drafts: Vec<Draft>) {
        let log = self.log.add_to(&mut batch, drafts);
        let turns = self.periodic.save(&mut batch);
        self.next_commit += 1;
        let commit = CommitId(self.next_commit);
        if parts.is_empty() {
            self.log_batch = Some(commit);
        }
        let in_flight = CommitInFlight { parts, log, turns };
        self.commits.insert(commit, in_flight);
        self.outputs.push_back(Output::Commit { commit, batch });
    }

    /// A batch is on disk, or the store says why it is not. Unknown ids are ignored.
    pub fn handle_committed(
        &mut self,
        now: Timestamp,
        commit: CommitId,
        result: Result<(), String>,
    ) {
        self.begin();
        self.log_batch = self.log_batch.filter(|batch| *batch != commit);
        if let Some(commit) = self.commits.remove(&commit) {
            match result {
                Ok(()) => self.commit_succeeded(commit, now),
                Err(reason) => self.commit_failed(commit, &reason, now),
            }
        }
        self.settle(now);
    }

    fn commit_succeeded(&mut self, commit: CommitInFlight, now: Timestamp) {
        self.store_retry = None;
        let entries = self.log.written(commit.log);
        self.outputs.extend(entries.into_iter().map(Output::Log));
        for part in commit.parts {
            self.part_succeeded(part, now);
        }
        for id in std::mem::take(&mut self.unwritten) {
            self.advance(id, now);
        }
    }

    /// A batch with this part is on its way no more.
    fn part_answered(&mut self, part: &Part) {
        let Some(entry) = self.entries.get_mut(&part.entry) else {
            return;
        };
        entry.writing = false;
        entry.being_removed = false;
        let storage_key = &entry.key.storage_key;
        self.await_anew.insert(storage_key.clone());
        if part.start.is_none()
            && let Some(origin) = self.origins.get_mut(storage_key)
        {
            origin.being_written = origin.being_written.saturating_sub(1);
        }
    }

    fn part_succeeded(&mut self, part: Part, now: Timestamp) {
        self.part_answered(&part);
        let Some(entry) = self.entries.get_mut(&part.entry) else {
            return;
        };
        entry.record = part.change.record;
        entry.due = part.change.due;
        entry.not_before = part.change.not_before;
        if entry.record.is_none() {
            entry.held_by = None;
        }
        if let Some(reason) = part.held_by {
            entry.held_by = Some(reason);
        }
        // What is gone need not be removed once more; but who waits for it is told why it is.
        let removal = if entry.record.is_none() {
            entry.removal.take()
        } else {
            entry.removal
        };
        let abandoned = entry.event.filter(|_| part.unregistered);
        if part.unregistered {
            // An end that has come meanwhile is that of the registration that is gone.
            entry.ended = None;
        }
        let result = removal.map_or(Ok(()), |reason| {
            Err(removal_error(entry.key.kind, reason).exception())
        });
        for asked in part.asked {
            let result = match asked.what {
                Ask::UnregisterPeriodic => Ok(()),
                Ask::Register | Ask::RegisterPeriodic { .. } => result.clone(),
            };
            self.reply(asked, result);
        }
        if let Some(event) = abandoned {
            self.abandon_flight(event);
        }
        if let Some(event) = part.start {
            self.start_succeeded(event, removal.is_some(), now);
        }
        self.advance(part.entry, now);
    }

    /// The start of an attempt is durable.
    fn start_succeeded(&mut self, event: EventId, removed: bool, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(&event) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&flight.entry) else {
            return;
        };
        if removed {
            entry.event = None;
            self.flights.remove(&event);
            return;
        }
        if self.exiting {
            entry.event = None;
            entry.ended = Some(Ended::not_delivered(now, entry.asked.len()));
            self.flights.remove(&event);
            return;
        }
        flight.stage = Stage::Confirming;
        self.outputs.push_back(Output::ConfirmDispatch {
            event,
            kind: entry.key.kind,
            storage_key: entry.key.storage_key.clone(),
        });
    }

    fn commit_failed(&mut self, commit: CommitInFlight, reason: &str, now: Timestamp) {
        let retry = match self.store_retry {
            // Batches that were on their way together fail together, and what a page asks for
            // meanwhile is no try of ours.
            Some(retry) if now.monotonic < retry.at => retry,
            earlier => {
                let failures = earlier.map_or(0, |retry| retry.failures).saturating_add(1);
                let delay = self.policy.store_retry_delay(failures);
                StoreRetry {
                    failures,
                    at: now.monotonic.saturating_add(delay),
                }
            }
        };
        self.store_retry = Some(retry);
        let reason = reason.to_owned();
        self.outputs.push_back(Output::StoreFailed {
            reason: reason.clone(),
            retry: retry.at,
        });
        self.log.put_back(commit.log);
        self.periodic.put_back(commit.turns);
        for part in commit.parts {
            self.part_failed(part, &reason, now);
        }
    }

    fn part_failed(&mut self, part: Part, reason: &str, now: Timestamp) {
        self.part_answered(&part);
        let Some(entry) = self.entries.get_mut(&part.entry) else {
            return;
        };
        if let Some(event) = part.start {
            entry.event = None;
            self.flights.remove(&event);
        }
        put_back(entry, part.removal, part.ended);
        let error = match entry.removal.filter(|_| part.removal.is_none()) {
            Some(reason) => removal_error(entry.key.kind, reason),
            None => RegisterError::NotStored(reason.to_owned()),
        };
        if entry.record.is_none() {
            entry.removal = None;
        }
        for asked in part.asked {
            self.reply(asked, Err(error.exception()));
        }
        self.advance(part.entry, now);
    }

    /// Try to write again, with one batch: if it gets through, the others follow.
    pub(crate) fn retry_store(&mut self, now: Timestamp) {
        if self
            .store_retry_deadline()
            .is_none_or(|at| at > now.monotonic)
        {
            return;
        }
        if let Some(id) = self.unwritten.pop_first() {
            self.write(&[id], now);
        } else if self.has_loose() {
            self.submit(Vec::new(), Batch::new(), Vec::new());
        } else if self.has_room()
            && let Some(id) = self.next_ready(now)
        {
            self.start_attempt(id, now);
        }
    }

    /// When a write is to be tried again, if there is something to write.
    pub(crate) fn store_retry_deadline(&self) -> Option<MonotonicTime> {
        let may_start = self.ready.is_runnable() && self.has_room();
        let has_work = !self.unwritten.is_empty() || self.has_loose() || may_start;
        let retry = self.store_retry?;
        (has_work && self.commits.is_empty()).then_some(retry.at)
    }

    pub(crate) fn reply(&mut self, asked: Asked, result: Result<(), DomException>) {
        let Requester {
            client, request, ..
        } = asked.requester;
        let event = match asked.what {
            Ask::Register | Ask::RegisterPeriodic { .. } => {
                SyncClientEvent::Registered { request, result }
            }
            Ask::UnregisterPeriodic => SyncClientEvent::Unregistered { request, result },
        };
        self.outputs.push_back(Output::Reply { client, event });
    }
}

/// Put inputs back whose write failed. A removal that has come meanwhile makes them void.
fn put_back(entry: &mut Entry, removal: Option<DropReason>, ended: Option<Ended>) {
    if entry.removal.is_some() {
        return;
    }
    entry.removal = removal;
    // What has come meanwhile stays: an event that ended during the write is not in the part.
    if removal.is_none()
        && let Some(ended) = ended
    {
        // Who registered the tag before the end has been rejected.
        let early_asked = 0;
        entry.ended = Some(Ended {
            early_asked,
            ..ended
        });
    }
}
