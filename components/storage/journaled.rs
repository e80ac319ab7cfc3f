//! Records behind a journal: a group of batches is written to the journal, synced, answered, shown
//! to readers from memory, and brought to the database after that: by a thread of its own where
//! there is one, so that no commit waits for the database.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use base::channel::{Receiver, Sender, bounded};
use parking_lot::{Mutex, RwLock};

use crate::backend::{Activity, Backend, Changes, Wanted};
use crate::batch::{Direction, KeyRange};
use crate::chunks::{self, Stored};
use crate::device::{DatabaseError, Entry, OrderedDatabase, Writes};
use crate::error::{CommitError, ReadError};
use crate::frame;
use crate::journal::Journal;
use crate::overlay::{self, Found, Overlay};

/// A scan takes no more than about this at a time.
const SCAN_BYTES: usize = 256 << 10;
/// Relaxed batches wait for a durable one up to this many bytes together; then they are made
/// durable like one.
const RELAXED_BYTES: usize = 256 << 10;
/// The database gets something when this much waits for it. What is replaced or removed sooner
/// never gets there.
const APPLY_AT: usize = 64 << 10;
/// When so much waits for it, the committer helps, however busy it is.
const APPLY_NOW: usize = 1 << 20;

pub(crate) struct Journaled {
    /// Where it is, for messages.
    pub(crate) folder: PathBuf,
    pub(crate) database: Box<dyn OrderedDatabase>,
    pub(crate) overlay: RwLock<Overlay>,
    /// Whoever needs the applier too takes this first.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) applier: Mutex<Applier>,
    /// The database failed; it is tried again when so many bytes wait for it.
    pub(crate) try_again_at: AtomicUsize,
    pub(crate) counters: Counters,
    closed: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) syncs: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) database_failures: AtomicU64,
    /// Whether the database did not take what it was given last.
    pub(crate) waiting_for_database: AtomicBool,
}

/// What only one thread at a time uses.
pub(crate) struct Writer {
    /// Nothing when closed.
    pub(crate) journal: Option<Journal>,
    /// Relaxed batches that are not in the journal yet.
    pub(crate) relaxed: Writes,
    pub(crate) relaxed_commits: u32,
    relaxed_bytes: usize,
    /// Nothing can be appended until an epoch was started: which one the file is in is not known.
    pub(crate) epoch_in_doubt: bool,
    /// Tells the thread that brings changes to the database that some wait. Without one the
    /// committer does that.
    wake: Option<Sender<()>>,
    /// Held as long as the store is open.
    pub(crate) lock: Option<Box<dyn Send>>,
}

/// What only one thread at a time uses to bring changes to the database.
#[derive(Default)]
pub(crate) struct Applier {
    /// The database could not be opened again after it failed.
    pub(crate) database_closed: bool,
}

impl Journaled {
    pub(crate) fn new(
        folder: &Path,
        database: Box<dyn OrderedDatabase>,
        journal: Journal,
        overlay: Overlay,
        lock: Option<Box<dyn Send>>,
    ) -> Self {
        Self {
            folder: folder.to_path_buf(),
            database,
            overlay: RwLock::new(overlay),
            writer: Mutex::new(Writer {
                journal: Some(journal),
                relaxed: Writes::new(),
                relaxed_commits: 0,
                relaxed_bytes: 0,
                epoch_in_doubt: false,
                wake: None,
                lock,
            }),
            applier: Mutex::default(),
            try_again_at: AtomicUsize::new(0),
            counters: Counters::default(),
            closed: AtomicBool::new(false),
        }
    }

    fn check_open(&self) -> Result<(), ReadError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(ReadError::Closed);
        }
        Ok(())
    }

    /// Read from the database; if it could not be opened again after it failed, try that once more.
    fn read_database<T>(
        &self,
        read: impl Fn(&dyn OrderedDatabase) -> Result<T, DatabaseError>,
    ) -> Result<T, ReadError> {
        match read(&*self.database) {
            Err(DatabaseError::Closed) => {
                let applier = &mut *self.applier.lock();
                self.check_open()?;
                self.open_again(applier)?;
                Ok(read(&*self.database)?)
            }
            result => Ok(result?),
        }
    }

    /// The value behind what the database holds under a key; nothing when it was removed meanwhile.
    fn value(&self, key: &[u8], mut stored: Vec<u8>) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            let (value, complete) =
                self.read_database(|database| chunks::value(database, &stored))?;
            if complete {
                return Ok(Some(value));
            }
            // Either the value has been replaced since, or it is damaged and will not check out.
            if let Some(change) = self.overlay.read().get(key) {
                return Ok(change.value.clone());
            }
            match self.read_database(|database| database.get(key))? {
                None => return Ok(None),
                Some(now) if now == stored => return Ok(Some(value)),
                Some(now) => stored = now,
            }
        }
    }

    pub(crate) fn io_error(&self, error: &io::Error) -> CommitError {
        CommitError::from_io(&self.folder, error)
    }

    pub(crate) fn database_error(&self, error: DatabaseError) -> CommitError {
        match error {
            DatabaseError::Full => CommitError::DiskFull(self.folder.clone()),
            error => ReadError::from(error).into(),
        }
    }

    /// Write changes and the relaxed batches before them to the journal, and show them to readers.
    fn commit_durably(&self, writer: &mut Writer, changes: Changes) -> Result<(), CommitError> {
        if writer.epoch_in_doubt {
            self.checkpoint(writer, false)?;
        }
        let (mut writes, mut commits) = with_relaxed(writer, &changes);
        let mut payload = encode(&writes);
        let has_room = |only_removes| {
            let journal = writer.journal.as_ref();
            journal.is_some_and(|journal| journal.has_room(payload.len(), only_removes))
        };
        if !has_room(false) {
            // Whoever removes makes room, so that goes on for a while when nothing else does.
            let goes_on = changes.writes.values().all(Option::is_none) && has_room(true);
            match self.checkpoint(writer, true) {
                Err(_) if goes_on && !writer.epoch_in_doubt => {}
                result => result?,
            }
            (writes, commits) = with_relaxed(writer, &changes);
            payload = encode(&writes);
        }
        self.append(writer, writes, &payload, commits)
    }

    /// Write the relaxed batches to the journal.
    pub(crate) fn make_relaxed_durable(&self, writer: &mut Writer) -> Result<(), CommitError> {
        if writer.relaxed_commits == 0 {
            return Ok(());
        }
        let writes = writer.relaxed.clone();
        let payload = encode(&writes);
        let commits = writer.relaxed_commits;
        self.append(writer, writes, &payload, commits)
    }

    /// Write changes, which begin with the relaxed batches, to the journal, and show them.
    fn append(
        &self,
        writer: &mut Writer,
        writes: Writes,
        payload: &[u8],
        commits: u32,
    ) -> Result<(), CommitError> {
        let Some(journal) = &mut writer.journal else {
            return Err(CommitError::Closed);
        };
        let sequence = journal.sequence() + 1;
        let appended = journal.append(payload, commits);
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        appended.map_err(|error| self.io_error(&error))?;
        self.overlay.write().insert(writes, sequence);
        writer.relaxed.clear();
        writer.relaxed_commits = 0;
        writer.relaxed_bytes = 0;
        Ok(())
    }

    /// Show changes to readers; they become durable with the next ones that have to.
    fn commit_relaxed(&self, writer: &mut Writer, changes: Changes) -> Result<(), CommitError> {
        let payload = encode(&changes.writes);
        let bytes = writer.relaxed_bytes + payload.len();
        let fits = writer
            .journal
            .as_ref()
            .is_some_and(|journal| journal.has_room(bytes, false));
        if bytes > RELAXED_BYTES || !fits || writer.epoch_in_doubt {
            return self.commit_durably(writer, changes);
        }
        self.overlay.write().show(&changes.writes, 0);
        writer.relaxed.extend(changes.writes);
        writer.relaxed_commits += changes.commits;
        writer.relaxed_bytes = bytes;
        Ok(())
    }

    fn waits_for_database(&self, bytes: usize) -> bool {
        let try_again_at = self.try_again_at.load(Ordering::Relaxed);
        self.overlay.read().unapplied_bytes() >= bytes.max(try_again_at)
    }

    /// Bring changes to the database until no more than this waits for it. Whoever else wants to
    /// do so gets a turn in between.
    fn apply_down_to(&self, bytes: usize) {
        while self.waits_for_database(bytes) {
            let applied = self.apply_slice(&mut self.applier.lock());
            if let Err(error) = applied {
                log::warn!("the database does not take what waits for it: {error}");
                return;
            }
        }
    }
}

/// The changes with the relaxed batches before them, and how many commits that is.
fn with_relaxed(writer: &Writer, changes: &Changes) -> (Writes, u32) {
    let mut writes = writer.relaxed.clone();
    writes.extend(changes.writes.clone());
    (writes, writer.relaxed_commits + changes.commits)
}

fn encode(writes: &Writes) -> Vec<u8> {
    let mut payload = Vec::new();
    frame::encode_writes(writes, &mut payload);
    payload
}

impl Backend for Journaled {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.check_open()?;
        if let Some(change) = self.overlay.read().get(key) {
            return Ok(change.value.clone());
        }
        match self.read_database(|database| database.get(key))? {
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
        self.check_open()?;
        let mut range = range.clone();
        let mut entries = Vec::new();
        while entries.is_empty() && !range.is_empty() {
            // The overlay first: what leaves it meanwhile is in the database.
            let changes = self
                .overlay
                .read()
                .scan(&range, direction, limit, SCAN_BYTES);
            let scanned = self.read_database(|database| database.scan(&range, direction, limit))?;
            let merged = overlay::merge(changes, scanned, direction);
            let mut room = SCAN_BYTES;
            for (key, found) in merged.entries {
                let value = match found {
                    _ if wanted == Wanted::Keys => Some(Vec::new()),
                    Found::Value(value) => Some(value),
                    Found::Stored(stored) => self.value(&key, stored)?,
                };
                if let Some(value) = value {
                    room = room.saturating_sub(value.len());
                    entries.push((key, value));
                }
                if room == 0 {
                    return Ok(entries);
                }
            }
            let Some(end) = merged.end else { break };
            range.continue_after(&end, direction);
        }
        Ok(entries)
    }

    fn commit(&self, mut changes: Changes) -> Result<(), CommitError> {
        let writer = &mut *self.writer.lock();
        if writer.journal.is_none() {
            return Err(CommitError::Closed);
        }
        if changes.writes.is_empty() && (!changes.durable || writer.relaxed_commits == 0) {
            return Ok(());
        }
        // What the store does of its own accord counts as one.
        changes.commits = changes.commits.max(1);
        if changes.durable {
            self.commit_durably(writer, changes)
        } else {
            self.commit_relaxed(writer, changes)
        }
    }

    fn tidy(&self, idle: bool) {
        let writer = &mut *self.writer.lock();
        match &writer.wake {
            Some(wake) if self.waits_for_database(APPLY_AT) => {
                // When it has been told already, it will look.
                if wake.is_empty() {
                    let _ = wake.send(());
                }
                self.apply_down_to(APPLY_NOW);
            }
            Some(_) => {}
            None => self.apply_down_to(APPLY_AT),
        }
        let full_enough = writer.journal.as_ref().is_some_and(|journal| {
            let (used, usual) = journal.fill();
            used > usual / 2
        });
        let wanted = idle && full_enough && self.waits_for_database(0);
        if let Some(error) = wanted
            .then(|| self.checkpoint(writer, true).err())
            .flatten()
        {
            log::warn!("the journal could not be emptied: {error}");
        }
    }

    fn begin_work(&self) -> Option<Receiver<()>> {
        let (wake, work) = bounded(1);
        self.writer.lock().wake = Some(wake);
        Some(work)
    }

    fn work(&self) {
        self.apply_down_to(APPLY_AT);
    }

    fn activity(&self) -> Activity {
        Activity {
            syncs: self.counters.syncs.load(Ordering::Relaxed),
            checkpoints: self.counters.checkpoints.load(Ordering::Relaxed),
            waiting_for_database: self.counters.waiting_for_database.load(Ordering::Relaxed),
            database_failures: self.counters.database_failures.load(Ordering::Relaxed),
        }
    }

    fn close(&self) {
        let writer = &mut *self.writer.lock();
        if writer.journal.is_none() {
            return;
        }
        let anything = writer.relaxed_commits > 0 || !self.overlay.read().is_empty();
        if let Some(error) = anything
            .then(|| self.checkpoint(writer, false).err())
            .flatten()
        {
            log::warn!("the profile is closed with work left for the next time: {error}");
        }
        let _applier = self.applier.lock();
        self.closed.store(true, Ordering::Release);
        writer.journal = None;
        writer.wake = None;
        self.database.close();
        writer.lock = None;
    }
}

/// Whether what the database holds is a value in pieces.
pub(crate) fn is_in_pieces(stored: &[u8]) -> bool {
    matches!(chunks::parse(stored), Stored::InPieces(_))
}
