//! The database in the folder of the profile: sled, in a folder of its own.
//!
//! What sled 0.34 does not do is done here: its `flush` leaves the data in the system's cache, so
//! an `fdatasync` follows; after a failed write it refuses all others, so it is opened again; a
//! snapshot that a killed process left unfinished is removed before it takes it for a finished
//! one, and snapshots that it cannot read are set aside.
//!
//! sled takes what it handed to the system for durable. It writes in a new segment of its log how
//! far the log before it is sound, and it writes over segments whose pages it moved elsewhere. If
//! the disk has the new segment and not what lies before it, sled drops its whole log. So changes
//! go to it in slices, each durable before the next, and a slice is much shorter than a segment:
//! `FORMAT.md` says why that is enough, and [`slices`](crate::slices) how long they are.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::batch::{Direction, KeyRange};
use crate::device::{DatabaseError, OrderedDatabase, Scanned, Writes};
use crate::profile;
use crate::sled_calls::{drop_database, guarded, open_database};
use crate::slices::Slices;

/// sled must not meet a full disk: it then refuses all writes, does not open again, and when it
/// cannot write a large page it waits for ever. So it gets no write while there is less room.
const ROOM_TO_WRITE: u64 = 4 << 20;
/// Removing makes room in the end, so it gets more of what is left.
const ROOM_TO_REMOVE: u64 = 1 << 20;
/// A scan takes no more than about this at a time.
const SCAN_BYTES: usize = 256 << 10;
/// sled's log is written again so much at a time.
const REWRITTEN_AT_ONCE: usize = 512 << 10;

/// What was put right when the database was opened.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    pub(crate) unfinished_snapshots: AtomicUsize,
    pub(crate) snapshots_aside: AtomicUsize,
}

pub(crate) struct SledDatabase {
    /// The folder of the profile.
    profile: PathBuf,
    folder: PathBuf,
    cache_capacity: u64,
    database: RwLock<Option<sled::Db>>,
    durable: Mutex<Durable>,
    repairs: Arc<Repairs>,
}

#[derive(Default)]
struct Durable {
    /// sled's log, for `fdatasync`.
    log: Option<File>,
    /// Large pages that are known to be durable. sled writes these into files of their own.
    blobs: BTreeSet<OsString>,
    /// The system failed to write something down. It does not try again, even if it says so later:
    /// everything has to be written again.
    in_doubt: bool,
    slices: Slices,
}

impl SledDatabase {
    pub(crate) fn new(profile: &Path, cache_capacity: u64, repairs: Arc<Repairs>) -> Self {
        Self {
            profile: profile.to_path_buf(),
            folder: profile.join(profile::DATABASE),
            cache_capacity,
            database: RwLock::new(None),
            durable: Mutex::default(),
            repairs,
        }
    }

    fn with_database<T>(
        &self,
        call: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, DatabaseError> {
        let database = self.database.read();
        let database = database.as_ref().ok_or(DatabaseError::Closed)?;
        guarded(|| call(database)).map_err(database_error)
    }

    /// Refuse what there may be no room for.
    fn check_room(&self, writes: &Writes) -> Result<(), DatabaseError> {
        let space = rustix::fs::statvfs(&self.profile).map_err(|error| io_error(&error.into()))?;
        let room = space.f_bavail.saturating_mul(space.f_frsize);
        let bytes: usize = writes.values().flatten().map(Vec::len).sum();
        let needed = if bytes == 0 {
            ROOM_TO_REMOVE
        } else {
            // sled may write the pages around a record anew, too.
            ROOM_TO_WRITE.saturating_add(4 * bytes as u64)
        };
        if room < needed {
            return Err(DatabaseError::Full);
        }
        Ok(())
    }

    /// Open sled; when it cannot read its snapshots, without these.
    fn open_or_repair(&self) -> Result<sled::Db, DatabaseError> {
        fs::create_dir_all(&self.folder).map_err(|error| io_error(&error))?;
        self.sync_what_is_there()
            .map_err(|error| io_error(&error))?;
        let unfinished =
            profile::remove_unfinished_snapshots(&self.folder).map_err(|error| io_error(&error))?;
        let repairs = &self.repairs;
        repairs
            .unfinished_snapshots
            .fetch_add(unfinished, Ordering::Relaxed);
        let first = match open_database(&self.folder, self.cache_capacity) {
            Err(DatabaseError::Damaged(detail)) => detail,
            result => return result,
        };
        log::warn!("the database does not open ({first}); trying again without snapshots");
        let aside = profile::set_snapshots_aside(&self.profile, &self.folder)
            .map_err(|error| io_error(&error))?;
        if aside == 0 {
            return Err(DatabaseError::Damaged(first));
        }
        repairs.snapshots_aside.fetch_add(aside, Ordering::Relaxed);
        open_database(&self.folder, self.cache_capacity)
    }

    /// Make durable what a killed process left in the system's cache: opening, sled writes over
    /// what that replaces.
    fn sync_what_is_there(&self) -> io::Result<()> {
        let durable = &mut *self.durable.lock();
        let log = self.folder.join("db");
        if !log.exists() {
            return Ok(());
        }
        if durable.in_doubt {
            write_again(&log)?;
        }
        File::open(&log)?.sync_data()?;
        profile::sync_folder(&self.folder)?;
        durable.in_doubt = false;
        Ok(())
    }

    /// Make durable what sled created, changed or repaired while it was opened. The snapshot
    /// comes first, because sled clears segments of the log that are not part of it.
    fn sync_everything(&self, durable: &mut Durable) -> io::Result<()> {
        File::open(self.folder.join("conf"))?.sync_all()?;
        profile::sync_folder(&self.folder)?;
        profile::sync_folder(&self.profile)?;
        durable.log = Some(File::open(self.folder.join("db"))?);
        durable.blobs.clear();
        self.sync(durable)
    }

    /// Tell the disk to write down everything that sled handed to the system.
    fn sync(&self, durable: &mut Durable) -> io::Result<()> {
        let folder = self.folder.join("blobs");
        let mut present = BTreeSet::new();
        let mut created = false;
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            if !durable.blobs.contains(&name) {
                match File::open(folder.join(&name)).and_then(|blob| blob.sync_all()) {
                    // Replaced by another in the meantime.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    result => result?,
                }
                created = true;
            }
            present.insert(name);
        }
        durable.blobs = present;
        if created {
            profile::sync_folder(&folder)?;
        }
        match &durable.log {
            Some(log) => log.sync_data(),
            None => Ok(()),
        }
    }

    /// Make everything durable, and say how many bytes of log sled handed over for it.
    fn flush_and_sync(&self, durable: &mut Durable) -> Result<usize, DatabaseError> {
        let written = self
            .with_database(|database| database.flush())
            .and_then(|written| {
                self.sync(durable).map_err(|error| io_error(&error))?;
                Ok(written)
            });
        durable.in_doubt |= written.is_err();
        written
    }
}

/// Write a file again, as the system has it now.
fn write_again(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut bytes = vec![0; REWRITTEN_AT_ONCE];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut bytes, offset)?;
        if read == 0 {
            return file.sync_data();
        }
        file.write_all_at(&bytes[..read], offset)?;
        offset += read as u64;
    }
}

impl Drop for SledDatabase {
    fn drop(&mut self) {
        self.close();
    }
}

impl OrderedDatabase for SledDatabase {
    fn open(&self) -> Result<(), DatabaseError> {
        let mut database = self.database.write();
        drop_database(database.take());
        let opened = self.open_or_repair()?;
        let durable = &mut *self.durable.lock();
        if let Err(error) = self.sync_everything(durable) {
            durable.in_doubt = true;
            drop_database(Some(opened));
            return Err(io_error(&error));
        }
        *database = Some(opened);
        Ok(())
    }

    fn start_anew(&self) -> Result<(), DatabaseError> {
        self.close();
        let aside = profile::place_aside(&self.profile, profile::DATABASE)
            .and_then(|to| {
                fs::rename(&self.folder, &to)?;
                profile::sync_folder(&self.profile)?;
                Ok(to)
            })
            .map_err(|error| io_error(&error))?;
        log::error!("the former database is in {}", aside.display());
        self.open()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError> {
        let value = self.with_database(|database| database.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Scanned, DatabaseError> {
        if range.is_empty() {
            return Ok(Scanned {
                entries: Vec::new(),
                exhausted: true,
            });
        }
        self.with_database(|database| {
            let mut iterator = database.range((range.start.clone(), range.end.clone()));
            let mut scanned = Scanned::default();
            let mut bytes = SCAN_BYTES;
            while scanned.entries.len() < limit && bytes > 0 {
                let entry = match direction {
                    Direction::Forward => iterator.next(),
                    Direction::Backward => iterator.next_back(),
                };
                let Some((key, value)) = entry.transpose()? else {
                    scanned.exhausted = true;
                    break;
                };
                bytes = bytes.saturating_sub(key.len() + value.len());
                scanned.entries.push((key.to_vec(), value.to_vec()));
            }
            Ok(scanned)
        })
    }

    fn apply(&self, writes: &Writes) -> Result<(), DatabaseError> {
        self.check_room(writes)?;
        let durable = &mut *self.durable.lock();
        let mut writes = writes.iter().peekable();
        while writes.peek().is_some() {
            let mut batch = sled::Batch::default();
            let mut slice = durable.slices.begin();
            while let Some((key, value)) = writes
                .next_if(|(key, value)| slice.takes(key.len() + value.as_ref().map_or(0, Vec::len)))
            {
                match value {
                    Some(value) => batch.insert(&key[..], &value[..]),
                    None => batch.remove(&key[..]),
                }
            }
            let applied = self.with_database(|database| database.apply_batch(batch));
            durable.in_doubt |= applied.is_err();
            applied?;
            let written = self.flush_and_sync(durable)?;
            durable.slices.measured(&slice, written);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DatabaseError> {
        self.flush_and_sync(&mut self.durable.lock()).map(|_| ())
    }

    fn close(&self) {
        drop_database(self.database.write().take());
        self.durable.lock().log = None;
    }
}

/// What a file said. A full disk is not reported as one: the database may not work as before.
fn io_error(error: &io::Error) -> DatabaseError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            DatabaseError::ReadOnly
        }
        _ => DatabaseError::Io(error.to_string()),
    }
}

fn database_error(error: sled::Error) -> DatabaseError {
    match error {
        sled::Error::Io(error) => DatabaseError::Io(error.to_string()),
        error => DatabaseError::Damaged(error.to_string()),
    }
}
