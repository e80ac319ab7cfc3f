//! Why has this tag not fired?

use sync_traits::{
    HoldReason, LogEntry, LogEvent, SyncExplanation, SyncQuestion, SyncRegistrationInfo,
    SyncRegistrationState,
};

use crate::manager::SyncManager;
use crate::place::Place;
use crate::record::SyncKey;
use crate::schedule::Lane;
use crate::tables::Entry;

/// How many entries of the event log an explanation has at most: what happened lately, in a length
/// that somebody reads.
pub(crate) const MAX_LOG_ENTRIES: usize = 20;

impl SyncManager {
    /// Why a registration has not fired: everything that holds it back, and the newest entries of
    /// the event log about it. For one that is not there, they say what became of it, if that was
    /// not too long ago for the log.
    pub fn explain(&self, question: SyncQuestion) -> SyncExplanation {
        let key = key_of(&question);
        let entry = self.find(&key).and_then(|id| self.entries.get(&id));
        let log = self.log.about(&key, MAX_LOG_ENTRIES);
        SyncExplanation {
            registration: entry.and_then(|entry| self.info(entry)),
            held_by: entry.map(|entry| self.holds(entry)).unwrap_or_default(),
            question,
            log,
        }
    }

    /// Everything that holds an entry back now, what matters first: what nothing but time can end,
    /// what the machine lacks, what the site lacks, and what takes time and can be cut short.
    fn holds(&self, entry: &Entry) -> Vec<HoldReason> {
        if entry.is_firing() || entry.removal.is_some() || entry.being_removed {
            return Vec::new();
        }
        let SyncKey {
            storage_key, scope, ..
        } = &*entry.key;
        let record = entry.record.as_ref();
        let lane = Lane {
            storage_key: storage_key.clone(),
            network: record.map_or_else(|| self.network_of_registration(), |record| record.network),
        };
        let mut holds = self.periodic_holds(entry);
        let first = holds.len();
        holds.extend(lane.holds(self.conditions()));
        let emulated = self.network.is_emulated_offline_for(storage_key, scope);
        if emulated && !holds.contains(&HoldReason::Offline) {
            holds.insert(first, HoldReason::Offline);
        }
        if !self.has_active_worker(storage_key, scope) {
            holds.push(HoldReason::NoActiveWorker);
        }
        if let Place::Waiting { due, .. } = &entry.place {
            holds.push(HoldReason::BackOff { until: due.wall });
        }
        let must_be_stored = self.store_retry.is_some() && holds.is_empty();
        if entry.writing || entry.has_input() || must_be_stored {
            holds.push(HoldReason::Storing);
        }
        if holds.is_empty() {
            holds.push(HoldReason::Queued);
        }
        holds
    }

    /// What holds back a periodic registration for its interval or the floors.
    fn periodic_holds(&self, entry: &Entry) -> Vec<HoldReason> {
        let storage_key = &entry.key.storage_key;
        match &entry.place {
            Place::Suspended => vec![HoldReason::Suspended],
            Place::NotDue(due) => self.periodic.holds(storage_key, *due, self.now),
            _ => Vec::new(),
        }
    }
}

pub(crate) fn key_of(question: &SyncQuestion) -> SyncKey {
    SyncKey {
        storage_key: question.storage_key.clone(),
        scope: question.scope.clone(),
        kind: question.kind,
        tag: question.tag.clone(),
    }
}

/// What holds a registration back in which nobody runs: its interval or back-off, and, if it is
/// pending, what the event log said last since the last attempt.
pub(crate) fn last_known_holds(
    registration: &SyncRegistrationInfo,
    log: &[LogEntry],
) -> Vec<HoldReason> {
    let is_pending = registration.state == SyncRegistrationState::Pending;
    let told = log.iter().rev().find_map(|entry| match &entry.event {
        LogEvent::Held { reason } => Some(Some(reason.clone())),
        LogEvent::Dispatched { .. } | LogEvent::Finished { .. } => Some(None),
        _ => None,
    });
    let told = told.flatten().filter(|_| is_pending);
    let known = registration.held_by.clone();
    let known = known.filter(|known| told.as_ref() != Some(known));
    known.into_iter().chain(told).collect()
}
