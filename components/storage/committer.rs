//! The thread that makes batches durable.
//!
//! All batches that arrive while one group is on its way to the disk become the next group: one
//! write, one flush and one sync for all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::channel::{Callback, Receiver};
use parking_lot::Mutex;

use crate::backend::{Backend, Changes, Wanted};
use crate::batch::{Batch, Direction, KeyRange, Operation, QUARANTINE_TREE, full_key};
use crate::device::{Entry, Writes};
use crate::error::{CommitError, ReadError};

/// A group takes no more batches when it has this many bytes.
const GROUP_BYTES: usize = 4 << 20;
/// Records that wait to be moved to quarantine. What does not fit is found again when it is read
/// again.
const SUSPECTS: usize = 1024;
const SCAN: usize = 256;

/// How a batch is answered.
pub(crate) type Done = Callback<Result<(), CommitError>>;

/// When a batch is answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// When it is on the disk.
    #[default]
    Durable,
    /// When readers see it. It is on the disk with the next durable batch, and when the store is
    /// closed; when the process or the machine stops before, it is lost, though never without all
    /// relaxed batches after it. Only for batches that change nothing but
    /// [`Tree::SyncLog`](crate::Tree::SyncLog).
    Relaxed,
}

pub(crate) enum Message {
    Commit(Batch, Durability, Done),
    /// There are records to move to quarantine.
    Quarantine,
}

/// What the committer shares with the threads that read.
pub(crate) struct Shared {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) counters: Counters,
    /// Raw records that did not check out.
    suspects: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) quarantined: AtomicU64,
}

impl Shared {
    pub(crate) fn new(backend: Box<dyn Backend>) -> Self {
        Self {
            backend,
            counters: Counters::default(),
            suspects: Mutex::default(),
        }
    }

    /// Note that a raw record is to be moved to quarantine if it is still the same by then.
    pub(crate) fn suspect(&self, key: &[u8], raw: Vec<u8>, reason: &str) {
        let mut suspects = self.suspects.lock();
        if suspects.len() < SUSPECTS && suspects.insert(key.to_vec(), raw).is_none() {
            log::error!(
                "the record {} goes to quarantine: {reason}",
                key.escape_ascii()
            );
        }
    }
}

/// Runs until every sender is gone and everything that was sent is answered.
pub(crate) fn run(shared: &Arc<Shared>, receiver: &Receiver<Message>) {
    loop {
        let first = if shared.suspects.lock().is_empty() {
            match receiver.recv() {
                Ok(message) => Some(message),
                Err(_) => return,
            }
        } else {
            receiver.try_recv()
        };
        commit_group(shared, receiver, first);
    }
}

/// Commit everything that waits, without waiting for more. Returns how many batches that were.
pub(crate) fn commit_waiting(shared: &Shared, receiver: &Receiver<Message>) -> usize {
    let mut batches = 0;
    loop {
        let first = receiver.try_recv();
        if first.is_none() && shared.suspects.lock().is_empty() {
            return batches;
        }
        batches += commit_group(shared, receiver, first);
    }
}

fn commit_group(shared: &Shared, receiver: &Receiver<Message>, first: Option<Message>) -> usize {
    let mut group = Group::default();
    group.take_suspects(shared);
    let mut batches = 0;
    let mut next = first;
    while let Some(message) = next {
        if let Message::Commit(batch, durability, done) = message {
            batches += 1;
            group.take(shared, batch, durability, done);
        }
        next = if group.bytes < GROUP_BYTES {
            receiver.try_recv()
        } else {
            None
        };
    }
    group.commit(shared);
    shared.backend.tidy(receiver.as_crossbeam().is_empty());
    batches
}

#[derive(Default)]
struct Group {
    writes: Writes,
    bytes: usize,
    quarantined: u64,
    durable: bool,
    waiting: Vec<Done>,
}

impl Group {
    fn take(&mut self, shared: &Shared, batch: Batch, durability: Durability, done: Done) {
        self.durable |= durability == Durability::Durable;
        match self.resolve(shared, batch) {
            Ok(writes) => {
                self.bytes += writes.values().flatten().map(Vec::len).sum::<usize>();
                self.writes.extend(writes);
                self.waiting.push(done);
            }
            Err(error) => {
                shared
                    .counters
                    .failed_commits
                    .fetch_add(1, Ordering::Relaxed);
                done.call(Err(error.into()));
            }
        }
    }

    /// What a batch does to single keys, given the batches before it.
    fn resolve(&self, shared: &Shared, batch: Batch) -> Result<Writes, ReadError> {
        let mut writes = Writes::new();
        for operation in batch.operations {
            match operation {
                Operation::Put { key, sealed } => {
                    writes.insert(key, Some(sealed));
                }
                Operation::Remove { key } => {
                    writes.insert(key, None);
                }
                Operation::RemovePrefix { prefix } => {
                    let range = KeyRange::prefix(&prefix);
                    let mut keys: Vec<Vec<u8>> = Vec::new();
                    for earlier in [&self.writes, &writes] {
                        let bounds = (range.start.clone(), range.end.clone());
                        keys.extend(earlier.range(bounds).map(|(key, _)| key.clone()));
                    }
                    for entry in Entries::new(shared, range, Direction::Forward, Wanted::Keys) {
                        keys.push(entry?.0);
                    }
                    writes.extend(keys.into_iter().map(|key| (key, None)));
                }
            }
        }
        Ok(writes)
    }

    fn take_suspects(&mut self, shared: &Shared) {
        let suspects = std::mem::take(&mut *shared.suspects.lock());
        for (key, raw) in suspects {
            if shared
                .backend
                .read(&key)
                .is_ok_and(|current| current.as_ref() == Some(&raw))
            {
                self.quarantined += 1;
                self.durable = true;
                self.writes
                    .insert(full_key(QUARANTINE_TREE, &key), Some(raw));
                self.writes.insert(key, None);
            }
        }
    }

    fn commit(self, shared: &Shared) {
        let batches = self.waiting.len() as u64;
        shared
            .counters
            .groups
            .fetch_add(u64::from(!self.writes.is_empty()), Ordering::Relaxed);
        let result = shared.backend.commit(Changes {
            writes: self.writes,
            commits: u32::try_from(batches).unwrap_or(u32::MAX),
            durable: self.durable,
        });
        match &result {
            Ok(()) => {
                shared
                    .counters
                    .commits
                    .fetch_add(batches, Ordering::Relaxed);
                shared
                    .counters
                    .quarantined
                    .fetch_add(self.quarantined, Ordering::Relaxed);
            }
            Err(error) => {
                log::warn!("{batches} batches failed: {error}");
                shared
                    .counters
                    .failed_commits
                    .fetch_add(batches, Ordering::Relaxed);
            }
        }
        for done in self.waiting {
            done.call(result.clone());
        }
    }
}

/// The raw entries of a range, taken out of the backend some at a time.
pub(crate) struct Entries<S> {
    shared: S,
    range: KeyRange,
    direction: Direction,
    wanted: Wanted,
    limit: usize,
    taken: std::vec::IntoIter<Entry>,
    finished: bool,
}

impl<S: AsRef<Shared>> Entries<S> {
    pub(crate) fn new(shared: S, range: KeyRange, direction: Direction, wanted: Wanted) -> Self {
        // Many scans want only the first entry or two.
        let limit = 4;
        let taken = Vec::new().into_iter();
        Self {
            shared,
            range,
            direction,
            wanted,
            limit,
            taken,
            finished: false,
        }
    }

    fn refill(&mut self) -> Result<(), ReadError> {
        let backend = &self.shared.as_ref().backend;
        let entries = backend.scan(&self.range, self.direction, self.limit, self.wanted)?;
        self.limit = SCAN;
        match entries.last() {
            None => self.finished = true,
            Some((last, _)) => self.range.continue_after(last, self.direction),
        }
        self.taken = entries.into_iter();
        Ok(())
    }
}

impl<S: AsRef<Shared>> Iterator for Entries<S> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.taken.next() {
                return Some(Ok(entry));
            }
            if self.finished {
                return None;
            }
            if let Err(error) = self.refill() {
                self.finished = true;
                return Some(Err(error));
            }
        }
    }
}

impl AsRef<Shared> for Shared {
    fn as_ref(&self) -> &Shared {
        self
    }
}
