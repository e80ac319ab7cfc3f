//! sled, called so that nothing it does surprises: panics are errors, and its lock is waited for
//! when it is about to be free.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::device::DatabaseError;

/// Open sled in a folder.
pub(crate) fn open_database(folder: &Path, cache_capacity: u64) -> Result<sled::Db, DatabaseError> {
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
                    return Err(DatabaseError::InUse);
                };
                thread::sleep(pause);
            }
            sled::Error::Io(error) if says_damaged(error.kind()) => {
                return Err(DatabaseError::Damaged(error.to_string()));
            }
            sled::Error::Io(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        DatabaseError::Full
                    }
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        DatabaseError::ReadOnly
                    }
                    _ => DatabaseError::Io(error.to_string()),
                });
            }
            error => return Err(DatabaseError::Damaged(error.to_string())),
        }
    }
}

/// Whether an error comes from what is in the files, or which files there are.
fn says_damaged(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
    )
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
