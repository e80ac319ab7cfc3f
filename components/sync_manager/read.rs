//! Reads what is stored, without a manager: for the start, and for looking into a profile.

use std::collections::BTreeSet;
use std::time::Duration;

use base::time::{MonotonicTime, Timestamp, WallTime};
use storage::{Batch, Direction, KeyRange, ReadError, Store, Tree};
use sync_traits::{
    HoldReason, LogEntry, SyncExplanation, SyncQuestion, SyncRegistrationInfo,
    SyncRegistrationState,
};

use crate::manager::Recovered;
use crate::periodic::{PeriodicSchedule, decode_turn, turn_of_key};
use crate::record::{self, RecordState, SyncKey, SyncRecord};
use crate::transition::public_state;
use crate::{event_log, explain};

/// Nobody says what time it is now: whatever is stored is past, ...
const END: Timestamp = Timestamp {
    wall: WallTime::from_millis(i64::MAX),
    monotonic: MonotonicTime::from_start(Duration::ZERO),
};
/// ... and whatever comes of it is to come.
const BEGINNING: Timestamp = Timestamp {
    wall: WallTime::from_millis(i64::MIN),
    monotonic: MonotonicTime::from_start(Duration::ZERO),
};

/// The stored registrations of both kinds, in order of registration. Offline nobody knows about
/// the network, so all that is known to hold one back is its back-off or its interval, with the
/// numbers of the default policy.
///
/// # Errors
///
/// When the profile cannot be read. Records that make no sense are left out.
pub fn registrations(store: &Store) -> Result<Vec<SyncRegistrationInfo>, ReadError> {
    let mut records = Vec::new();
    let mut schedule = PeriodicSchedule::default();
    for entry in store.scan(Tree::SyncRegistrations, KeyRange::all(), Direction::Forward) {
        let (bytes, record) = entry?;
        if let Some(key) = SyncKey::from_bytes(&bytes) {
            records.extend(
                record::decode(&key, &record)
                    .ok()
                    .map(|record| (key, record)),
            );
        } else if let Some(of) = turn_of_key(&bytes)
            && let Ok(turn) = decode_turn(&record)
        {
            schedule.recover(of, &turn, END);
        }
    }
    records.sort_unstable_by_key(|(_, record)| record.sequence);
    Ok(records
        .into_iter()
        .map(|(key, record)| info(key, &record, &schedule))
        .collect())
}

/// The event log, oldest entry first.
///
/// # Errors
///
/// When the profile cannot be read. Entries that make no sense are left out.
pub fn log(store: &Store) -> Result<Vec<LogEntry>, ReadError> {
    let mut entries = Vec::new();
    for entry in store.scan(Tree::SyncLog, KeyRange::all(), Direction::Forward) {
        let (_, record) = entry?;
        entries.extend(event_log::decode(&record));
    }
    Ok(entries)
}

/// Why a registration has not fired, as far as a profile tells in which nobody runs: what the event
/// log said last about what holds it back, its back-off, and what happened to it. Who asks while
/// an engine runs asks [`SyncManager::explain`](crate::SyncManager::explain).
///
/// # Errors
///
/// When the profile cannot be read. What makes no sense is left out.
pub fn explain(store: &Store, question: SyncQuestion) -> Result<SyncExplanation, ReadError> {
    let registration = registrations(store)?.into_iter().find(|info| {
        (&info.storage_key, &info.scope) == (&question.storage_key, &question.scope)
            && (info.kind, &info.tag) == (question.kind, &question.tag)
    });
    let mut log = log(store)?;
    log.retain(|entry| is_about(entry, &question));
    log.drain(..log.len().saturating_sub(explain::MAX_LOG_ENTRIES));
    let held_by = registration
        .as_ref()
        .map(|registration| explain::last_known_holds(registration, &log))
        .unwrap_or_default();
    Ok(SyncExplanation {
        question,
        registration,
        held_by,
        log,
    })
}

fn is_about(entry: &LogEntry, question: &SyncQuestion) -> bool {
    (&entry.storage_key, &entry.scope) == (&question.storage_key, &question.scope)
        && (entry.kind, &entry.tag) == (question.kind, &question.tag)
}

/// What a manager starts with: see [`SyncManager::new`](crate::SyncManager::new). Records that make
/// no sense are moved out of the way.
///
/// # Errors
///
/// When the profile cannot be read.
pub fn recover(store: &Store) -> Result<Recovered, ReadError> {
    let mut recovered = Recovered::default();
    let before = quarantined(store)?;
    for entry in store.scan(Tree::SyncRegistrations, KeyRange::all(), Direction::Forward) {
        let (bytes, record) = entry?;
        let unreadable = if let Some(key) = SyncKey::from_bytes(&bytes) {
            record::decode(&key, &record).map(|record| recovered.records.push((key, record)))
        } else if let Some(of) = turn_of_key(&bytes) {
            decode_turn(&record).map(|turn| recovered.turns.push((of, turn)))
        } else {
            // Another kind of record is for somebody else to make sense of.
            Ok(())
        };
        if let Err(reason) = unreadable {
            store.quarantine(Tree::SyncRegistrations, &bytes, &reason)?;
        }
    }
    for entry in store.scan(Tree::SyncLog, KeyRange::all(), Direction::Forward) {
        let (key, record) = entry?;
        recovered
            .log_sequences
            .extend(storage::key::KeyReader::new(&key).number());
        recovered.log.extend(event_log::decode(&record));
    }
    // Unreadable records move with a commit. When there can be none now, they are found again at
    // the next start.
    if store.commit(Batch::new()).is_ok() {
        let after = quarantined(store)?;
        let new = after.difference(&before);
        recovered.unreadable = new.filter_map(|key| SyncKey::from_bytes(key)).collect();
    }
    Ok(recovered)
}

/// The keys of registrations in quarantine.
fn quarantined(store: &Store) -> Result<BTreeSet<Vec<u8>>, ReadError> {
    let mut keys = BTreeSet::new();
    for entry in store.quarantined() {
        let entry = entry?;
        if entry.tree == Tree::SyncRegistrations as u8 {
            keys.insert(entry.key);
        }
    }
    Ok(keys)
}

fn info(key: SyncKey, record: &SyncRecord, schedule: &PeriodicSchedule) -> SyncRegistrationInfo {
    let suspended = record.periodic.is_some() && schedule.is_suspended(&key.storage_key);
    let firing = matches!(record.state, RecordState::Firing { .. });
    let held_by = match (record.state, &record.periodic) {
        (RecordState::Firing { .. }, _) => None,
        _ if suspended => Some(HoldReason::Suspended),
        (RecordState::Waiting { due }, _) => Some(HoldReason::BackOff { until: due }),
        (RecordState::Pending, None) => None,
        (RecordState::Pending, Some(periodic)) => schedule
            .due_of(&key.storage_key, periodic)
            .map(|due| schedule.held_until(&key.storage_key, due, BEGINNING)),
    };
    SyncRegistrationInfo {
        kind: key.kind,
        storage_key: key.storage_key,
        scope: key.scope,
        tag: key.tag,
        state: if suspended && !firing {
            SyncRegistrationState::Suspended
        } else {
            public_state(record.state)
        },
        attempts: record.attempts,
        registered: record.registered,
        min_interval: record
            .periodic
            .as_ref()
            .map(|periodic| periodic.min_interval),
        due: held_by.as_ref().and_then(HoldReason::until),
        held_by,
    }
}
