//! sled, called so that nothing it does surprises: panics are errors, snapshots that it cannot
//! read are set aside, and its lock is waited for when it is about to be free.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::batch::{Direction, INTERNAL_TREE, KeyRange, full_key};
use crate::chunks::{self, Stored};
use crate::error::{OpenError, ReadError};
use crate::{profile, record};

/// A key, and what is held under it.
pub(crate) type StoredEntry = (Vec<u8>, sled::IVec);

/// Entries of the database, and whether there are no more.
pub(crate) fn take(
    database: &sled::Db,
    range: &KeyRange,
    direction: Direction,
    limit: usize,
    mut bytes: usize,
) -> sled::Result<(Vec<StoredEntry>, bool)> {
    let mut iterator = database.range((range.start.clone(), range.end.clone()));
    let mut entries = Vec::new();
    while entries.len() < limit && bytes > 0 {
        let entry = match direction {
            Direction::Forward => iterator.next(),
            Direction::Backward => iterator.next_back(),
        };
        let Some((key, value)) = entry.transpose()? else {
            return Ok((entries, true));
        };
        bytes = bytes.saturating_sub(key.len() + value.len());
        entries.push((key.to_vec(), value));
    }
    Ok((entries, false))
}

/// Open sled; when it cannot read its snapshots, without these. Returns how many were set aside.
pub(crate) fn open_or_repair(
    folder: &Path,
    cache_capacity: u64,
) -> Result<(sled::Db, usize), OpenError> {
    let first = match open_database(folder, cache_capacity) {
        Ok(database) => return Ok((database, 0)),
        Err(error @ OpenError::Damaged { .. }) => error,
        Err(error) => return Err(error),
    };
    log::warn!("{first}; trying again without snapshots");
    let moves =
        profile::set_snapshots_aside(folder).map_err(|error| OpenError::from_io(folder, &error))?;
    if moves.is_empty() {
        return Err(first);
    }
    if let Ok(database) = open_database(folder, cache_capacity) {
        return Ok((database, moves.len()));
    }
    for (from, to) in moves {
        if let Err(error) = fs::rename(&to, &from) {
            log::warn!("{} could not be put back: {error}", from.display());
        }
    }
    Err(first)
}

fn open_database(folder: &Path, cache_capacity: u64) -> Result<sled::Db, OpenError> {
    // The lock of the profile is ours, so sled's own lock is held by a thread of sled that has not yet
    // noticed that the database was closed, or by a process that is just being started from this
    // one and has a copy of the file for a moment.
    let mut patience = (0..10).map(|attempt| Duration::from_millis(1 << attempt));
    loop {
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_capacity)
            .flush_every_ms(None);
        let error = match guarded(|| config.open()) {
            Ok(database) => return Ok(database),
            Err(error) => error,
        };
        match error {
            sled::Error::Io(error) if error.to_string().contains("acquire lock") => {
                let Some(pause) = patience.next() else {
                    return Err(OpenError::InUse(folder.to_path_buf()));
                };
                thread::sleep(pause);
            }
            sled::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged(folder, &error.to_string()));
            }
            sled::Error::Io(error) => return Err(OpenError::from_io(folder, &error)),
            error => return Err(damaged(folder, &error.to_string())),
        }
    }
}

fn damaged(folder: &Path, detail: &str) -> OpenError {
    OpenError::Damaged {
        folder: folder.to_path_buf(),
        detail: detail.to_owned(),
    }
}

/// A number among the store's own records.
pub(crate) fn read_internal(database: &sled::Db, name: &[u8]) -> sled::Result<Option<u64>> {
    let key = full_key(INTERNAL_TREE, name);
    let raw = guarded(|| database.get(&key))?;
    let Some(Stored::Inline(raw)) = raw.as_deref().map(chunks::parse) else {
        return Ok(None);
    };
    let record = record::unseal(&key, raw).ok();
    Ok(record.and_then(|record| Some(u64::from_le_bytes(record.value.try_into().ok()?))))
}

pub(crate) fn read_error(error: sled::Error) -> ReadError {
    match error {
        sled::Error::Io(error) => ReadError::Io(error.to_string()),
        error => ReadError::Damaged(error.to_string()),
    }
}

pub(crate) fn drop_database(database: Option<sled::Db>) {
    if panic::catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
        log::error!("the database panicked while it was closed");
    }
}

/// Call sled so that a panic in it becomes an error.
pub(crate) fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> sled::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|cause| {
        let detail = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(sled::Error::ReportableBug(format!(
            "the database panicked: {detail}"
        )))
    })
}
