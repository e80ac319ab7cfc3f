use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use base::channel::{Callback, Receiver, Sender, bounded, unbounded};
use parking_lot::{Mutex, RwLock};

use crate::backend::{Backend, Memory, Wanted};
use crate::batch::{Batch, Direction, KeyRange, QUARANTINE_TREE, Tree};
use crate::committer::{self, Done, Durability, Entries, Message, Shared};
use crate::device::Devices;
use crate::error::{CommitError, OpenError, ReadError};
use crate::folder::open_folder;
use crate::record::{self, Record};
use crate::recovery::{self, Place};

/// How many batches wait for the committer at most; who submits one more waits until there is
/// room.
pub const WAITING_BATCHES: usize = 1024;

/// Where the records are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// In this folder, which belongs to the store alone; it is created when it is not there.
    Folder(PathBuf),
    /// In memory, for private browsing: nothing touches the disk, and everything is gone with the
    /// store.
    Memory,
}

/// How to open a store.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreConfig {
    /// Where the records are kept.
    pub location: Location,
    /// How many bytes of the profile to keep in memory, as a rule of thumb. The database behind
    /// the journal keeps more while it is written to.
    pub cache_capacity: u64,
    /// How long the journal becomes, in bytes, before everything in it goes to the database. It
    /// starts shorter, and a batch that is longer alone makes it longer for a time. A quarter of
    /// it is for a copy of the records from which a damaged database is repaired.
    pub journal_capacity: u64,
}

impl StoreConfig {
    /// A store in a folder.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::at(Location::Folder(path.into()))
    }

    /// A store in memory.
    pub fn memory() -> Self {
        Self::at(Location::Memory)
    }

    /// A store at a location.
    pub fn at(location: Location) -> Self {
        Self {
            location,
            cache_capacity: 8 << 20,
            journal_capacity: 8 << 20,
        }
    }
}

/// What was found and done when a store was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one thing happened; any of them may have"
)]
pub struct OpenReport {
    /// The profile is new.
    pub created: bool,
    /// The file that says that the folder is a profile was damaged and has been written anew.
    pub marker_rewritten: bool,
    /// How many snapshots of the database a killed process left unfinished.
    pub unfinished_snapshots_removed: usize,
    /// How many snapshots of the database could not be read and were set aside.
    pub snapshots_set_aside: usize,
    /// The profile was of an older format, and is of the current one now.
    pub upgraded: bool,
    /// How many commits were found in the journal only: the store was not closed the last time.
    pub replayed_commits: u64,
    /// A part of the journal was not what had been written. A copy of it was set aside; the commits
    /// in that part are counted in `lost_commits`.
    pub journal_damaged: bool,
    /// There was no journal, or only the beginning of one, or one that does not belong to the
    /// database: a new one was begun. How many commits were in it and nowhere else is not known.
    pub journal_replaced: bool,
    /// The database could not be opened or read. Its files were set aside, and a new one was
    /// filled from the journal.
    pub database_rebuilt: bool,
    /// How many records of the database were missing, came back though they had been removed, or
    /// did not check out, and were put right from the journal.
    pub repaired_records: u64,
    /// The database had lost something, and the journal did not hold a copy of everything. Those
    /// commits are counted in `lost_commits`.
    pub repair_incomplete: bool,
    /// The journal holds a copy of only a part of the records, because there are too many or too
    /// large ones. Should the database lose something it will be noticed, but not all of it can be
    /// repaired.
    pub repair_bounded: bool,
    /// How many commits were once answered as durable but are gone, all or a part of what they
    /// changed, because files of the profile were damaged or replaced by older ones.
    pub lost_commits: u64,
    /// How many records are in quarantine.
    pub quarantined: u64,
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Batches that are durable.
    pub commits: u64,
    /// Batches that were answered with an error.
    pub failed_commits: u64,
    /// Groups of batches that were written together.
    pub groups: u64,
    /// How often the disk was told to write down the journal, and at a checkpoint the database. What
    /// goes to the database in between is not counted.
    pub syncs: u64,
    /// Records that were moved to quarantine.
    pub quarantined: u64,
    /// Batches that wait to be taken.
    pub waiting: usize,
    /// How often everything was made durable in the database and the journal begun again.
    pub checkpoints: u64,
    /// The database did not take what it was given last (the disk is full, say). What was answered
    /// is safe in the journal; when that is full as well, commits are refused until the database
    /// takes something again. It is tried again with later commits.
    pub waiting_for_database: bool,
    /// How often the database failed to do something.
    pub database_failures: u64,
}

/// A record that did not check out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quarantined {
    /// The byte of the tree in which it was.
    pub tree: u8,
    /// The key under which it was.
    pub key: Vec<u8>,
    /// Header and value, as they were found.
    pub raw: Vec<u8>,
}

/// The store of one profile. Clones are the same store; when the last one is dropped the store is
/// closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// Nothing when the store is closed.
    sender: RwLock<Option<Sender<Message>>>,
    committer: Mutex<Committer>,
}

/// Who commits what was submitted.
enum Committer {
    Thread {
        committer: JoinHandle<()>,
        /// Does what need not be done before the next batch.
        worker: Option<JoinHandle<()>>,
    },
    /// Whoever calls [`Store::drive`].
    Caller(Receiver<Message>),
    /// The store is closed.
    Nobody,
}

impl Store {
    /// Open a store, creating it when it is not there.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. What is in the folder is left as it is then, but for what could be
    /// repaired.
    pub fn open(config: StoreConfig) -> Result<(Self, OpenReport), OpenError> {
        let (backend, report): (Box<dyn Backend>, _) = match &config.location {
            Location::Folder(folder) => open_folder(folder, &config)?,
            Location::Memory => {
                let memory = Memory::new();
                let memory =
                    memory.map_err(|error| OpenError::from_database(Path::new(""), error))?;
                let report = OpenReport {
                    created: true,
                    ..OpenReport::default()
                };
                (Box::new(memory), report)
            }
        };
        let shared = Arc::new(Shared::new(backend));
        let (sender, receiver) = bounded(WAITING_BATCHES);
        let no_thread = |error: io::Error| OpenError::Io {
            folder: match &config.location {
                Location::Folder(folder) => folder.clone(),
                Location::Memory => PathBuf::new(),
            },
            detail: format!("no thread for it could be started: {error}"),
        };
        let for_thread = Arc::clone(&shared);
        let committer = thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || committer::run(&for_thread, &receiver))
            .map_err(no_thread)?;
        let worker = match shared.backend.begin_work() {
            Some(work) => {
                let for_thread = Arc::clone(&shared);
                let thread = thread::Builder::new().name("storage database".to_owned());
                let thread = thread.spawn(move || {
                    while work.recv().is_ok() {
                        for_thread.backend.work();
                    }
                });
                Some(thread.map_err(no_thread)?)
            }
            None => None,
        };
        let committer = Committer::Thread { committer, worker };
        Ok(Self::with(shared, sender, committer, report))
    }

    /// Open a store on other devices than files, without a thread: what is submitted is committed
    /// by [`drive`](Self::drive) and by [`commit`](Self::commit), on the thread that calls them.
    /// So a simulation has the logic of the store on devices of its own, step by step.
    ///
    /// ```
    /// use storage::device::{Devices, JournalFile, MemoryDatabase};
    /// use storage::{Batch, Store, Tree};
    ///
    /// #[derive(Default)]
    /// struct Bytes(Vec<u8>);
    ///
    /// impl JournalFile for Bytes {
    ///     fn read(&mut self) -> std::io::Result<Vec<u8>> {
    ///         Ok(self.0.clone())
    ///     }
    ///     fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
    ///         let offset = usize::try_from(offset).map_err(std::io::Error::other)?;
    ///         self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    ///         Ok(())
    ///     }
    ///     fn set_length(&mut self, length: u64) -> std::io::Result<()> {
    ///         self.0.resize(usize::try_from(length).map_err(std::io::Error::other)?, 0);
    ///         Ok(())
    ///     }
    ///     fn sync(&mut self) -> std::io::Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (store, _) = Store::open_on(Devices {
    ///     journal: Box::new(Bytes::default()),
    ///     database: Box::new(MemoryDatabase::default()),
    ///     salt: 7,
    ///     journal_capacity: 64 << 10,
    /// })?;
    /// let mut batch = Batch::new();
    /// batch.put(Tree::Meta, b"key", 1, b"value".to_vec());
    /// store.commit(batch)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; the folder in it is an empty path.
    pub fn open_on(devices: Devices) -> Result<(Self, OpenReport), OpenError> {
        let place = Place {
            folder: Path::new(""),
            lock: None,
            before_journals: false,
        };
        let (journaled, recovered) = recovery::open(devices, place)?;
        let mut report = OpenReport {
            created: recovered.created,
            ..OpenReport::default()
        };
        report.add(recovered);
        // Whoever drives the store bounds how much waits.
        let (sender, receiver) = unbounded();
        let shared = Arc::new(Shared::new(Box::new(journaled)));
        Ok(Self::with(
            shared,
            sender,
            Committer::Caller(receiver),
            report,
        ))
    }

    fn with(
        shared: Arc<Shared>,
        sender: Sender<Message>,
        committer: Committer,
        mut report: OpenReport,
    ) -> (Self, OpenReport) {
        let store = Self(Arc::new(Inner {
            shared,
            sender: RwLock::new(Some(sender)),
            committer: Mutex::new(committer),
        }));
        // A damaged part is reported when somebody reads it.
        report.quarantined = store.quarantined().flatten().count() as u64;
        (store, report)
    }

    /// Make a batch durable; `done` is called when it is, or cannot be. Batches are applied in the
    /// order in which they are submitted.
    ///
    /// At most [`WAITING_BATCHES`] wait; this call waits until there is room. `done` is called on
    /// the committer thread (or on this one, when the store is closed), so it must not wait for
    /// the store.
    pub fn submit(&self, batch: Batch, done: Callback<Result<(), CommitError>>) {
        self.submit_with(batch, Durability::Durable, done);
    }

    /// Like [`submit`](Self::submit), but the batch need not be durable before it is answered. A
    /// relaxed batch that changes anything but the event log is refused with
    /// [`CommitError::NotRelaxed`], on this thread.
    pub fn submit_with(
        &self,
        batch: Batch,
        durability: Durability,
        done: Callback<Result<(), CommitError>>,
    ) {
        if durability == Durability::Relaxed && !batch.only_changes(Tree::SyncLog) {
            done.call(Err(CommitError::NotRelaxed));
            return;
        }
        self.0.submit(batch, durability, done);
    }

    /// Make a batch durable, and wait until it is.
    ///
    /// # Errors
    ///
    /// See [`CommitError`]. Readers see nothing of the batch then.
    pub fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let (sender, receiver) = bounded(1);
        self.submit(batch, Callback::to_sender(&sender, |result| result));
        drop(sender);
        self.drive();
        receiver.recv().unwrap_or(Err(CommitError::Closed))
    }

    /// Commit everything that waits, in as few groups as possible, on this thread. Returns how many
    /// batches that were. Only for a store that was opened with [`open_on`](Self::open_on); others
    /// do this by themselves, and this does nothing.
    ///
    /// Must not be called from a callback of the store.
    pub fn drive(&self) -> usize {
        match &*self.0.committer.lock() {
            Committer::Caller(receiver) => committer::commit_waiting(&self.0.shared, receiver),
            Committer::Thread { .. } | Committer::Nobody => 0,
        }
    }

    /// The record under a key. Nothing as well when what is there does not check out; it is on its
    /// way to quarantine then.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read(&self, tree: Tree, key: &[u8]) -> Result<Option<Record>, ReadError> {
        let key = tree.full_key(key);
        let raw = self.0.shared.backend.read(&key)?;
        Ok(raw.and_then(|raw| self.0.check(&key, raw)))
    }

    /// The records of a range, in order. Records that do not check out are left out; they are on
    /// their way to quarantine then.
    ///
    /// Records are read as the iterator is driven. What is committed meanwhile may or may not be
    /// seen, each record of its own. After an error the iterator ends.
    pub fn scan(&self, tree: Tree, range: KeyRange, direction: Direction) -> Scan {
        let range = range.within(tree as u8);
        let shared = Arc::clone(&self.0.shared);
        Scan {
            entries: Entries::new(shared, range, direction, Wanted::Entries),
            inner: Arc::clone(&self.0),
        }
    }

    /// The keys of a range, in order. The values are neither read nor checked, so there may be a
    /// key whose record would not check out. Otherwise like [`scan`](Self::scan).
    pub fn keys(
        &self,
        tree: Tree,
        range: KeyRange,
        direction: Direction,
    ) -> impl Iterator<Item = Result<Vec<u8>, ReadError>> + use<> {
        let range = range.within(tree as u8);
        let shared = Arc::clone(&self.0.shared);
        Entries::new(shared, range, direction, Wanted::Keys)
            .map(|entry| Ok(entry?.0.get(1..).unwrap_or_default().to_vec()))
    }

    /// Move a record to quarantine that checks out but makes no sense to its owner. The move is
    /// made with the next commit, unless the record is replaced first.
    ///
    /// # Errors
    ///
    /// When the record cannot be read.
    pub fn quarantine(&self, tree: Tree, key: &[u8], reason: &str) -> Result<(), ReadError> {
        let key = tree.full_key(key);
        if let Some(raw) = self.0.shared.backend.read(&key)? {
            self.0.suspect(&key, raw, reason);
        }
        Ok(())
    }

    /// The records in quarantine, for whoever wants to look into what happened.
    pub fn quarantined(&self) -> impl Iterator<Item = Result<Quarantined, ReadError>> + use<> {
        let range = KeyRange::prefix(&[QUARANTINE_TREE]);
        Entries::new(
            Arc::clone(&self.0.shared),
            range,
            Direction::Forward,
            Wanted::Entries,
        )
        .map(|entry| {
            let (key, raw) = entry?;
            let tree = key.get(1).copied().unwrap_or_default();
            let key = key.get(2..).unwrap_or_default().to_vec();
            Ok(Quarantined { tree, key, raw })
        })
    }

    /// What the store has done since it was opened.
    pub fn status(&self) -> StoreStatus {
        let counters = &self.0.shared.counters;
        let activity = self.0.shared.backend.activity();
        StoreStatus {
            commits: counters.commits.load(Ordering::Relaxed),
            failed_commits: counters.failed_commits.load(Ordering::Relaxed),
            groups: counters.groups.load(Ordering::Relaxed),
            syncs: activity.syncs,
            checkpoints: activity.checkpoints,
            waiting_for_database: activity.waiting_for_database,
            database_failures: activity.database_failures,
            quarantined: counters.quarantined.load(Ordering::Relaxed),
            waiting: self.0.sender.read().as_ref().map_or(0, Sender::len),
        }
    }

    /// Close the store for all its clones: batches that were submitted are answered first, then
    /// the thread ends and the profile is free for another. Later calls fail with `Closed`.
    ///
    /// Must not be called from a callback of the store.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn submit(&self, batch: Batch, durability: Durability, done: Done) {
        let sender = self.sender.read();
        let taken = sender.as_ref().is_some_and(|sender| {
            let message = Message::Commit(batch, durability, done.clone());
            sender.send(message).is_ok()
        });
        if !taken {
            done.call(Err(CommitError::Closed));
        }
    }

    /// The record in a raw value, if it checks out.
    fn check(&self, key: &[u8], raw: Vec<u8>) -> Option<Record> {
        match record::unseal(key, &raw) {
            Ok(record) => Some(record),
            Err(reason) => {
                self.suspect(key, raw, reason);
                None
            }
        }
    }

    fn suspect(&self, key: &[u8], raw: Vec<u8>, reason: &str) {
        self.shared.suspect(key, raw, reason);
        // A committer that has something to do looks for suspects anyway. That also keeps this
        // from waiting for room in the queue.
        if let Some(sender) = self
            .sender
            .read()
            .as_ref()
            .filter(|sender| sender.is_empty())
        {
            let _ = sender.send(Message::Quarantine);
        }
    }

    fn close(&self) {
        drop(self.sender.write().take());
        let committer = std::mem::replace(&mut *self.committer.lock(), Committer::Nobody);
        let worker = match committer {
            Committer::Nobody => return,
            Committer::Caller(receiver) => {
                committer::commit_waiting(&self.shared, &receiver);
                None
            }
            Committer::Thread { committer, worker } => {
                // When a callback drops the last clone there is nothing left to wait for.
                let is_own = committer.thread().id() == thread::current().id();
                if !is_own && committer.join().is_err() {
                    log::error!("the committer thread panicked");
                }
                worker
            }
        };
        self.shared.backend.close();
        if worker.is_some_and(|worker| worker.join().is_err()) {
            log::error!("the thread that fills the database panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// An iterator over records; see [`Store::scan`].
pub struct Scan {
    entries: Entries<Arc<Shared>>,
    inner: Arc<Inner>,
}

impl Iterator for Scan {
    type Item = Result<(Vec<u8>, Record), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.entries.next()? {
                Err(error) => return Some(Err(error)),
                Ok((key, raw)) => {
                    if let Some(record) = self.inner.check(&key, raw) {
                        return Some(Ok((key.get(1..).unwrap_or_default().to_vec(), record)));
                    }
                }
            }
        }
    }
}
