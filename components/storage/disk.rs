//! Records in a folder, in a sled database.
//!
//! What sled 0.34 does not do is done here: its `flush` leaves the data in the system's cache, so
//! an `fdatasync` follows; records of a write that failed stay visible in it, so they are masked;
//! and after a failed write it refuses all others, so it is opened again before the next.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::backend::{Backend, Entry, Wanted, Writes};
use crate::batch::{Direction, INTERNAL_TREE, KeyRange, full_key};
use crate::chunks::{self, Pointer, Stored};
use crate::database::{
    StoredEntry, drop_database, guarded, open_or_repair, read_error, read_internal, take,
};
use crate::error::{CommitError, OpenError, ReadError};
use crate::profile::{self, Lock, Marker};
use crate::sequence::SequenceFile;
use crate::{OpenReport, record};

/// sled must not meet a full disk: it then refuses all writes, does not open again, and when it
/// cannot write a large page it waits for ever. So it gets no write while there is less room.
const ROOM_TO_WRITE: u64 = 4 << 20;
/// Removing makes room in the end, so it gets more of what is left.
const ROOM_TO_REMOVE: u64 = 1 << 20;
/// A scan takes no more than about this at a time out of the database.
const SCAN_BYTES: usize = 256 << 10;

pub(crate) struct Disk {
    folder: PathBuf,
    cache_capacity: u64,
    /// Nothing when closed, or when it could not be opened again after a failed write.
    database: RwLock<Option<sled::Db>>,
    /// What readers get instead of what the database holds: the state before writes that failed.
    masked: RwLock<BTreeMap<Vec<u8>, Option<sled::IVec>>>,
    writer: Mutex<Writer>,
    syncs: AtomicU64,
}

struct Writer {
    /// Whether the last write failed.
    failed: bool,
    /// sled's log, for `fdatasync`.
    log: Option<File>,
    /// Large pages that are known to be durable. sled writes these into files of their own.
    durable_blobs: BTreeSet<OsString>,
    sequence: SequenceFile,
    /// Held as long as the profile is open.
    lock: Option<Lock>,
}

impl Disk {
    pub(crate) fn open(
        folder: &Path,
        cache_capacity: u64,
    ) -> Result<(Self, OpenReport), OpenError> {
        let io_error = |error: io::Error| OpenError::from_io(folder, &error);
        let prepared = profile::prepare(folder)?;
        let (database, snapshots_set_aside) = open_or_repair(folder, cache_capacity)?;
        let created = prepared.marker == Marker::Created;
        let internal = |name: &[u8]| {
            read_internal(&database, name).map_err(|error| OpenError::Damaged {
                folder: folder.to_path_buf(),
                detail: error.to_string(),
            })
        };
        let format = internal(b"format")?;
        let stored = internal(b"sequence")?.unwrap_or(0);
        if let Some(found) = format.filter(|found| *found > u64::from(profile::FORMAT)) {
            return Err(profile::newer_format(
                folder,
                u32::try_from(found).unwrap_or(u32::MAX),
            ));
        }
        if prepared.marker == Marker::Damaged {
            log::warn!("the marker of the profile {} was damaged", folder.display());
            profile::write_marker(folder)?;
        }
        let (sequence, lost_commits) =
            SequenceFile::open(&folder.join("sequence"), stored).map_err(io_error)?;
        if lost_commits > 0 {
            log::error!(
                "the last {lost_commits} commits of the profile {} are gone: its files were \
                 damaged or replaced by older ones",
                folder.display()
            );
        }
        let disk = Self {
            folder: folder.to_path_buf(),
            cache_capacity,
            database: RwLock::new(Some(database)),
            masked: RwLock::default(),
            writer: Mutex::new(Writer {
                failed: false,
                log: None,
                durable_blobs: BTreeSet::new(),
                sequence,
                lock: Some(prepared.lock),
            }),
            syncs: AtomicU64::new(0),
        };
        disk.sync_everything().map_err(io_error)?;
        if format.is_none() {
            disk.write_format()?;
        }
        let report = OpenReport {
            created,
            marker_rewritten: prepared.marker == Marker::Damaged,
            unfinished_snapshots_removed: prepared.unfinished_snapshots,
            snapshots_set_aside,
            lost_commits,
            quarantined: 0,
        };
        Ok((disk, report))
    }

    /// Make durable what sled created, changed or repaired while it was opened.
    fn sync_everything(&self) -> io::Result<()> {
        let mut writer = self.writer.lock();
        File::open(self.folder.join("conf"))?.sync_all()?;
        writer.log = Some(OpenOptions::new().read(true).open(self.folder.join("db"))?);
        self.sync(&mut writer)?;
        profile::sync_folder(&self.folder)
    }

    fn write_format(&self) -> Result<(), OpenError> {
        let format = u64::from(profile::FORMAT).to_le_bytes();
        let key = full_key(INTERNAL_TREE, b"format");
        let sealed = record::seal(&key, 1, &format);
        self.apply(Writes::from([(key, Some(sealed))]))
            .map_err(|error| match error {
                CommitError::DiskFull(folder) => OpenError::DiskFull(folder),
                error => OpenError::Io {
                    folder: self.folder.clone(),
                    detail: error.to_string(),
                },
            })
    }

    fn with_database<T>(
        &self,
        read: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, ReadError> {
        let database = self.database.read();
        let Some(database) = database.as_ref() else {
            return Err(
                if self
                    .writer
                    .try_lock()
                    .is_some_and(|writer| writer.lock.is_none())
                {
                    ReadError::Closed
                } else {
                    ReadError::Io("it could not be opened again after a failed write".to_owned())
                },
            );
        };
        guarded(|| read(database)).map_err(read_error)
    }

    /// Refuse what there may be no room for.
    fn check_room(&self, writes: &Writes) -> Result<(), CommitError> {
        let space = rustix::fs::statvfs(&self.folder)
            .map_err(|error| CommitError::from_io(&self.folder, &error.into()))?;
        let room = space.f_bavail.saturating_mul(space.f_frsize);
        let bytes: usize = writes.values().flatten().map(Vec::len).sum();
        let needed = if bytes == 0 {
            ROOM_TO_REMOVE
        } else {
            // sled may write the pages around a record anew, too.
            ROOM_TO_WRITE.saturating_add(4 * bytes as u64)
        };
        if room < needed {
            return Err(CommitError::DiskFull(self.folder.clone()));
        }
        Ok(())
    }

    /// Open sled again after a failed write, because it takes no other until then. Not sooner:
    /// opening writes as well, and a database that is not open cannot be read at all.
    fn reopen(&self, writer: &mut Writer) -> Result<(), CommitError> {
        let mut database = self.database.write();
        drop_database(database.take());
        let (reopened, _) =
            open_or_repair(&self.folder, self.cache_capacity).map_err(|error| match error {
                OpenError::DiskFull(folder) => CommitError::DiskFull(folder),
                OpenError::Damaged { detail, .. } => CommitError::Damaged(detail),
                error => CommitError::Io(error.to_string()),
            })?;
        let log = File::open(self.folder.join("db"));
        writer.log = Some(log.map_err(|error| CommitError::from_io(&self.folder, &error))?);
        writer.durable_blobs.clear();
        writer.failed = false;
        *database = Some(reopened);
        log::info!("the profile {} takes writes again", self.folder.display());
        Ok(())
    }

    /// What is held under a key, without what failed writes left.
    fn stored(&self, key: &[u8]) -> Result<Option<sled::IVec>, ReadError> {
        if let Some(masked) = self.masked.read().get(key) {
            return Ok(masked.clone());
        }
        self.with_database(|database| database.get(key))
    }

    /// The value behind what is held under a key; nothing when it was removed meanwhile.
    fn value(&self, key: &[u8], mut stored: sled::IVec) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            let pointer = match chunks::parse(&stored) {
                Stored::Inline(value) => return Ok(Some(value.to_vec())),
                // It will not check out.
                Stored::Malformed => return Ok(Some(stored.to_vec())),
                Stored::InPieces(pointer) => pointer,
            };
            let mut value = Vec::new();
            let mut complete = true;
            for key in pointer.keys() {
                match self.stored(&key)? {
                    Some(piece) => value.extend_from_slice(&piece),
                    None => complete = false,
                }
            }
            if complete {
                return Ok(Some(value));
            }
            // Either the value has been replaced since, or it is damaged and will not check out.
            match self.stored(key)? {
                None => return Ok(None),
                Some(now) if now == stored => return Ok(Some(value)),
                Some(now) => stored = now,
            }
        }
    }

    /// What is to be held for values: those that are too long in pieces, and without the pieces
    /// of those that were there.
    fn in_pieces(&self, writes: Writes, sequence: u64) -> Result<Writes, ReadError> {
        let mut held = Writes::new();
        let mut number = 0;
        for (key, value) in writes {
            let old = self.stored(&key)?;
            if let Some(Stored::InPieces(old)) = old.as_deref().map(chunks::parse) {
                held.extend(old.keys().map(|key| (key, None)));
            }
            let stored = match value {
                Some(value) if value.len() > chunks::PIECE => {
                    let pieces = value.chunks(chunks::PIECE);
                    let count = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
                    let pointer = Pointer {
                        sequence,
                        number,
                        count,
                    };
                    number += 1;
                    held.extend(pointer.keys().zip(pieces.map(|piece| Some(piece.to_vec()))));
                    Some(pointer.encode())
                }
                value => value.map(|value| chunks::inline(&value)),
            };
            held.insert(key, stored);
        }
        Ok(held)
    }

    /// The entries of a range that come first, as they are held, without what failed writes left.
    /// Also says whether there are no more.
    fn stored_entries(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<(Vec<StoredEntry>, bool), ReadError> {
        let masked = self.masked.read();
        // However many of them are masked, `limit` others are among these, or there are no more.
        let limit = limit.saturating_add(masked.len());
        let bytes = if masked.is_empty() {
            SCAN_BYTES
        } else {
            usize::MAX
        };
        let (entries, exhausted) =
            self.with_database(|database| take(database, range, direction, limit, bytes))?;
        if masked.is_empty() {
            return Ok((entries, exhausted));
        }
        let mut covered = range.clone();
        if let (false, Some((last, _))) = (exhausted, entries.last()) {
            match direction {
                Direction::Forward => covered.end = Bound::Included(last.clone()),
                Direction::Backward => covered.start = Bound::Included(last.clone()),
            }
        }
        let mut merged: BTreeMap<Vec<u8>, sled::IVec> = entries.into_iter().collect();
        for (key, value) in masked.range((covered.start, covered.end)) {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let merged = merged.into_iter();
        let merged = match direction {
            Direction::Forward => merged.collect(),
            Direction::Backward => merged.rev().collect(),
        };
        Ok((merged, exhausted))
    }

    /// Write to the database and make it durable. Also writes back what is masked, so that
    /// nothing of a failed write is left.
    fn write(
        &self,
        writer: &mut Writer,
        database: &sled::Db,
        masked: &BTreeMap<Vec<u8>, Option<sled::IVec>>,
        writes: Writes,
    ) -> Result<(), CommitError> {
        let mut batch = sled::Batch::default();
        for (key, value) in masked.iter().filter(|(key, _)| !writes.contains_key(*key)) {
            match value {
                Some(value) => batch.insert(&key[..], value),
                None => batch.remove(&key[..]),
            }
        }
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        guarded(|| {
            database.apply_batch(batch)?;
            database.flush()
        })
        .map_err(|error| self.commit_error(error))?;
        self.sync(writer)
            .map_err(|error| CommitError::from_io(&self.folder, &error))
    }

    /// Tell the disk to write down everything that sled handed to the system.
    fn sync(&self, writer: &mut Writer) -> io::Result<()> {
        let blobs = self.folder.join("blobs");
        let mut present = BTreeSet::new();
        let mut created = false;
        for entry in fs::read_dir(&blobs)? {
            let name = entry?.file_name();
            if !writer.durable_blobs.contains(&name) {
                match File::open(blobs.join(&name)).and_then(|blob| blob.sync_all()) {
                    // Replaced by another in the meantime.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    result => result?,
                }
                created = true;
            }
            present.insert(name);
        }
        writer.durable_blobs = present;
        if created {
            profile::sync_folder(&blobs)?;
        }
        if let Some(log) = &writer.log {
            log.sync_data()?;
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn commit_error(&self, error: sled::Error) -> CommitError {
        match error {
            sled::Error::Io(error) => CommitError::from_io(&self.folder, &error),
            sled::Error::Corruption { .. } => CommitError::Damaged(error.to_string()),
            error => CommitError::Io(error.to_string()),
        }
    }
}

impl Backend for Disk {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        match self.stored(key)? {
            Some(stored) => self.value(key, stored),
            None => Ok(None),
        }
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Entry>, ReadError> {
        let mut range = range.clone();
        let mut entries = Vec::new();
        while entries.is_empty() && !range.is_empty() {
            let (stored, exhausted) = self.stored_entries(&range, direction, limit)?;
            if let Some((last, _)) = stored.last() {
                range.continue_after(last, direction);
            }
            let mut room = SCAN_BYTES;
            for (key, stored) in stored {
                if wanted == Wanted::Keys {
                    entries.push((key, Vec::new()));
                } else if let Some(value) = self.value(&key, stored)? {
                    room = room.saturating_sub(value.len());
                    entries.push((key, value));
                }
                if room == 0 {
                    return Ok(entries);
                }
            }
            if exhausted {
                break;
            }
        }
        Ok(entries)
    }

    fn apply(&self, mut writes: Writes) -> Result<(), CommitError> {
        let mut writer = self.writer.lock();
        if writer.lock.is_none() {
            return Err(CommitError::Closed);
        }
        self.check_room(&writes)?;
        if writer.failed {
            self.reopen(&mut writer)?;
        }
        let sequence = writer.sequence.answered() + 1;
        let key = full_key(INTERNAL_TREE, b"sequence");
        let sealed = record::seal(&key, 1, &sequence.to_le_bytes());
        writes.insert(key, Some(sealed));

        let held = self.in_pieces(writes, sequence);
        let writes = held.inspect_err(|_| writer.failed = true)?;
        let masked = self.masked.read().clone();
        let mut previous = BTreeMap::new();
        let database = self.database.read();
        let Some(open) = database.as_ref() else {
            return Err(CommitError::Closed);
        };
        for key in writes.keys().filter(|key| !masked.contains_key(*key)) {
            match guarded(|| open.get(key)) {
                Ok(value) => previous.insert(key.clone(), value),
                Err(error) => {
                    writer.failed = true;
                    return Err(self.commit_error(error));
                }
            };
        }
        let result = self.write(&mut writer, open, &masked, writes);
        drop(database);
        if result.is_ok() {
            if !masked.is_empty() {
                self.masked.write().clear();
            }
            writer.sequence.set_answered(sequence);
        } else {
            writer.failed = true;
            self.masked.write().extend(previous);
        }
        result
    }

    fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    fn close(&self) {
        let mut writer = self.writer.lock();
        drop_database(self.database.write().take());
        writer.log = None;
        writer.lock = None;
    }
}
