//! What holds the records: a journal with a database behind it, or memory. Keys and values are
//! raw here: keys with the byte of their tree, values with their header.

use base::channel::Receiver;

use crate::batch::{Direction, KeyRange};
use crate::device::{DatabaseError, Entry, MemoryDatabase, OrderedDatabase, Writes};
use crate::error::{CommitError, ReadError};

/// Changes of some batches, made together.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) writes: Writes,
    /// How many batches they are from.
    pub(crate) commits: u32,
    /// Whether one of the batches is to be durable before it is answered.
    pub(crate) durable: bool,
}

/// What a scan is to bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    Entries,
    /// The values of the entries are empty.
    Keys,
}

/// What has happened in a backend since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Activity {
    pub(crate) syncs: u64,
    pub(crate) checkpoints: u64,
    pub(crate) waiting_for_database: bool,
    pub(crate) database_failures: u64,
}

/// The place where records are kept. Reads may come from any thread at any time, writes from the
/// committer alone.
pub(crate) trait Backend: Send + Sync {
    /// The raw value under a key.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    /// The first entries of a range, in the order of `direction`: some `limit` of them, and none
    /// only when the range holds none.
    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Entry>, ReadError>;

    /// Make changes and return when they are as durable as wanted. After an error readers see none
    /// of them.
    fn commit(&self, changes: Changes) -> Result<(), CommitError>;

    /// Do what is left to do once batches are answered; `idle` when no others wait.
    fn tidy(&self, idle: bool);

    /// There is a thread for what need not be done before the next batch: it calls
    /// [`work`](Self::work) each time this receives, until it is disconnected. Nothing when no
    /// thread is needed.
    fn begin_work(&self) -> Option<Receiver<()>> {
        None
    }

    /// Do that work.
    fn work(&self) {}

    fn activity(&self) -> Activity;

    /// Make everything durable and let go of it; every later call fails with `Closed`.
    fn close(&self);
}

/// Records of a private session: gone when it ends, and never on a disk.
pub(crate) struct Memory(MemoryDatabase);

impl Memory {
    pub(crate) fn new() -> Result<Self, DatabaseError> {
        let records = MemoryDatabase::default();
        records.open()?;
        Ok(Self(records))
    }
}

impl Backend for Memory {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.0.get(key)?)
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Entry>, ReadError> {
        let mut entries = self.0.scan(range, direction, limit)?.entries;
        if wanted == Wanted::Keys {
            for (_, value) in &mut entries {
                value.clear();
            }
        }
        Ok(entries)
    }

    fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        self.0
            .apply(&changes.writes)
            .map_err(|error| ReadError::from(error).into())
    }

    fn tidy(&self, _idle: bool) {}

    fn activity(&self) -> Activity {
        Activity::default()
    }

    fn close(&self) {
        self.0.close();
    }
}
