//! What holds the records: a folder on disk or memory. Keys and values are raw here: keys with
//! the byte of their tree, values with their header.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::batch::{Direction, KeyRange};
use crate::error::{CommitError, ReadError};

/// What is to be under each key; nothing means that the key goes.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key and its raw value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// What a scan is to bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    Entries,
    /// The values of the entries are empty.
    Keys,
}

/// The place where records are kept. Reads may come from any thread at any time, writes from the
/// committer thread alone.
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

    /// Make changes and return when they are durable. After an error readers see none of them.
    fn apply(&self, writes: Writes) -> Result<(), CommitError>;

    /// How often the disk was told to write everything down.
    fn syncs(&self) -> u64;

    /// Let go of everything; every later call fails with `Closed`.
    fn close(&self);
}

/// Records of a private session: gone when it ends, and never on a disk.
pub(crate) struct Memory(RwLock<Option<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(Some(BTreeMap::new())))
    }
}

impl Backend for Memory {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let records = self.0.read();
        Ok(records.as_ref().ok_or(ReadError::Closed)?.get(key).cloned())
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Entry>, ReadError> {
        let records = self.0.read();
        let records = records.as_ref().ok_or(ReadError::Closed)?;
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = records.range((range.start.clone(), range.end.clone()));
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| match wanted {
            Wanted::Entries => (key.clone(), value.clone()),
            Wanted::Keys => (key.clone(), Vec::new()),
        };
        Ok(match direction {
            Direction::Forward => entries.map(owned).take(limit).collect(),
            Direction::Backward => entries.rev().map(owned).take(limit).collect(),
        })
    }

    fn apply(&self, writes: Writes) -> Result<(), CommitError> {
        let mut records = self.0.write();
        let records = records.as_mut().ok_or(CommitError::Closed)?;
        for (key, value) in writes {
            match value {
                Some(value) => records.insert(key, value),
                None => records.remove(&key),
            };
        }
        Ok(())
    }

    fn syncs(&self) -> u64 {
        0
    }

    fn close(&self) {
        *self.0.write() = None;
    }
}
