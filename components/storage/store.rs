use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use base::channel::{Callback, Sender, bounded};
use parking_lot::{Mutex, RwLock};

use crate::backend::{Backend, Memory, Wanted};
use crate::batch::{Batch, Direction, KeyRange, QUARANTINE_TREE, Tree};
use crate::committer::{self, Done, Entries, Message, Shared};
use crate::disk::Disk;
use crate::error::{CommitError, OpenError, ReadError};
use crate::record::{self, Record};

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
    /// How many bytes of the profile to keep in memory, as a rule of thumb.
    pub cache_capacity: u64,
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
        }
    }
}

/// What was found and done when a store was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OpenReport {
    /// The profile is new.
    pub created: bool,
    /// The file that says that the folder is a profile was damaged and has been written anew.
    pub marker_rewritten: bool,
    /// How many snapshots of the database a killed process left unfinished.
    pub unfinished_snapshots_removed: usize,
    /// How many snapshots of the database could not be read and were set aside.
    pub snapshots_set_aside: usize,
    /// How many commits were once answered as durable but are gone, because files of the profile
    /// were damaged or replaced by older ones.
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
    /// How often the disk was told to write everything down.
    pub syncs: u64,
    /// Records that were moved to quarantine.
    pub quarantined: u64,
    /// Batches that wait to be taken.
    pub waiting: usize,
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
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Open a store, creating it when it is not there.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. What is in the folder is left as it is then.
    pub fn open(config: StoreConfig) -> Result<(Self, OpenReport), OpenError> {
        let (backend, mut report): (Box<dyn Backend>, _) = match &config.location {
            Location::Folder(folder) => {
                let (disk, report) = Disk::open(folder, config.cache_capacity)?;
                (Box::new(disk), report)
            }
            Location::Memory => (
                Box::new(Memory::new()),
                OpenReport {
                    created: true,
                    ..OpenReport::default()
                },
            ),
        };
        let shared = Arc::new(Shared::new(backend));
        let (sender, receiver) = bounded(WAITING_BATCHES);
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || committer::run(&for_thread, &receiver))
            .map_err(|error| OpenError::Io {
                folder: match config.location {
                    Location::Folder(folder) => folder,
                    Location::Memory => PathBuf::new(),
                },
                detail: format!("no thread for it could be started: {error}"),
            })?;
        let store = Self(Arc::new(Inner {
            shared,
            sender: RwLock::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        }));
        // A damaged part is reported when somebody reads it.
        report.quarantined = store.quarantined().flatten().count() as u64;
        Ok((store, report))
    }

    /// Make a batch durable; `done` is called when it is, or cannot be. Batches are applied in the
    /// order in which they are submitted.
    ///
    /// At most [`WAITING_BATCHES`] wait; this call waits until there is room. `done` is called on
    /// the committer thread (or on this one, when the store is closed), so it must not wait for
    /// the store.
    pub fn submit(&self, batch: Batch, done: Callback<Result<(), CommitError>>) {
        self.0.submit(batch, done);
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
        receiver.recv().unwrap_or(Err(CommitError::Closed))
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
        StoreStatus {
            commits: counters.commits.load(Ordering::Relaxed),
            failed_commits: counters.failed_commits.load(Ordering::Relaxed),
            groups: counters.groups.load(Ordering::Relaxed),
            syncs: self.0.shared.backend.syncs(),
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
    fn submit(&self, batch: Batch, done: Done) {
        let sender = self.sender.read();
        let taken = sender
            .as_ref()
            .is_some_and(|sender| sender.send(Message::Commit(batch, done.clone())).is_ok());
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
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        // When a callback drops the last clone there is nothing left to wait for.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            log::error!("the committer thread panicked");
        }
        self.shared.backend.close();
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
