//! Reads what is stored, without a manager: for the start, and for looking into a profile.

use std::collections::BTreeSet;

use storage::{Batch, Direction, KeyRange, ReadError, Record, Store, Tree};
use sync_traits::{HoldReason, LogEntry, SyncRegistrationInfo};

use crate::manager::Recovered;
use crate::record::{RECORD_VERSION, RecordState, SyncKey, SyncRecord};
use crate::transition::public_state;

/// The stored registrations, in order of registration. Offline nobody knows about the network, so
/// the only thing that is known to hold one back is its back-off.
///
/// # Errors
///
/// When the profile cannot be read. Records that make no sense are left out.
pub fn registrations(store: &Store) -> Result<Vec<SyncRegistrationInfo>, ReadError> {
    let mut records = Vec::new();
    for entry in store.scan(Tree::SyncRegistrations, KeyRange::all(), Direction::Forward) {
        let (key, record) = entry?;
        if let (Some(key), Ok(record)) = (SyncKey::from_bytes(&key), decode(&record)) {
            records.push((key, record));
        }
    }
    records.sort_unstable_by_key(|(_, record)| record.sequence);
    Ok(records
        .into_iter()
        .map(|(key, record)| info(key, &record))
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
        entries.extend(record.decode::<LogEntry>().ok());
    }
    Ok(entries)
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
        // Another kind of registration is for somebody else to make sense of.
        let Some(key) = SyncKey::from_bytes(&bytes) else {
            continue;
        };
        match decode(&record) {
            Ok(record) => recovered.records.push((key, record)),
            Err(reason) => store.quarantine(Tree::SyncRegistrations, &bytes, &reason)?,
        }
    }
    for entry in store.scan(Tree::SyncLog, KeyRange::all(), Direction::Forward) {
        let (key, _) = entry?;
        recovered
            .log_sequences
            .extend(storage::key::KeyReader::new(&key).number());
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

fn decode(record: &Record) -> Result<SyncRecord, String> {
    if record.version != RECORD_VERSION {
        return Err(format!(
            "its version is {}, not {RECORD_VERSION}",
            record.version
        ));
    }
    record.decode().map_err(|error| error.to_string())
}

fn info(key: SyncKey, record: &SyncRecord) -> SyncRegistrationInfo {
    let due = match record.state {
        RecordState::Waiting { due } => Some(due),
        RecordState::Pending | RecordState::Firing { .. } => None,
    };
    SyncRegistrationInfo {
        storage_key: key.storage_key,
        scope: key.scope,
        tag: key.tag,
        state: public_state(record.state),
        attempts: record.attempts,
        registered: record.registered,
        due,
        held_by: due.map(|until| HoldReason::BackOff { until }),
    }
}
