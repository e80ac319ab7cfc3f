use std::ops::{Bound, RangeBounds};

use serde::Serialize;

use crate::error::EncodingError;
use crate::record;

/// Which kind of records. All of them live side by side in one ordered map, with the byte of the
/// tree before the key, so that one [`Batch`] is atomic over all of them.
///
/// The bytes are part of the profile's format: they are never changed or used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[repr(u8)]
pub enum Tree {
    /// Facts about the profile as a whole.
    Meta = 1,
    /// One-shot and periodic sync registrations.
    SyncRegistrations = 2,
    /// The event log of the sync manager.
    SyncLog = 3,
    /// Service worker registrations.
    ServiceWorkers = 4,
    /// Scripts of service workers.
    Scripts = 5,
    /// IndexedDB databases and their records.
    IndexedDb = 6,
    /// Permissions that were granted or denied.
    Permissions = 7,
    /// Caches of requests and responses.
    Caches = 8,
}

/// The store's own records.
pub(crate) const INTERNAL_TREE: u8 = 0;
/// Pieces of values that are too long to be stored as one.
pub(crate) const CHUNK_TREE: u8 = 0xFE;
/// Records that did not check out; the rest of the key is the key under which they were.
pub(crate) const QUARANTINE_TREE: u8 = 0xFF;

impl Tree {
    /// The key in the one ordered map.
    pub(crate) fn full_key(self, key: &[u8]) -> Vec<u8> {
        full_key(self as u8, key)
    }
}

pub(crate) fn full_key(tree: u8, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(1 + key.len());
    full.push(tree);
    full.extend_from_slice(key);
    full
}

/// Which keys of a tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRange {
    /// Where it begins.
    pub start: Bound<Vec<u8>>,
    /// Where it ends.
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
        }
    }

    /// Every key that starts with `prefix`, which is as long as somebody wants it.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self {
            start: Bound::Included(prefix.to_vec()),
            end: end_of_prefix(prefix),
        }
    }

    /// The keys of a range such as `a..=b`.
    pub fn between<'a>(range: impl RangeBounds<&'a [u8]>) -> Self {
        Self {
            start: range.start_bound().map(|bound| bound.to_vec()),
            end: range.end_bound().map(|bound| bound.to_vec()),
        }
    }

    /// The same range in the one ordered map.
    pub(crate) fn within(self, tree: u8) -> Self {
        let whole = Self::prefix(&[tree]);
        let full = |bound: Bound<Vec<u8>>, otherwise: Bound<Vec<u8>>| match bound {
            Bound::Unbounded => otherwise,
            bound => bound.map(|key| full_key(tree, &key)),
        };
        Self {
            start: full(self.start, whole.start),
            end: full(self.end, whole.end),
        }
    }

    /// Leave out `key` and everything before it, in the order of `direction`.
    pub(crate) fn continue_after(&mut self, key: &[u8], direction: Direction) {
        let after = Bound::Excluded(key.to_vec());
        match direction {
            Direction::Forward => self.start = after,
            Direction::Backward => self.end = after,
        }
    }

    /// Whether no key can be in it. The maps underneath panic on some of these.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }
}

/// The first key after every key with this prefix.
fn end_of_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// In which order a scan goes through keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the smallest key to the largest.
    Forward,
    /// From the largest key to the smallest.
    Backward,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    Put { key: Vec<u8>, sealed: Vec<u8> },
    Remove { key: Vec<u8> },
    RemovePrefix { prefix: Vec<u8> },
}

/// Changes that become durable together or not at all, applied in the order in which they were
/// added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    pub(crate) operations: Vec<Operation>,
}

impl Batch {
    /// A batch without changes; committing it waits until everything before it is durable.
    pub fn new() -> Self {
        Self::default()
    }

    /// Store a value under a key, in place of what was there.
    pub fn put(&mut self, tree: Tree, key: &[u8], version: u16, value: Vec<u8>) {
        let key = tree.full_key(key);
        let sealed = record::seal(&key, version, &value);
        self.operations.push(Operation::Put { key, sealed });
    }

    /// Encode a value and store it under a key; [`Record::decode`](crate::Record::decode) gets it
    /// back.
    ///
    /// # Errors
    ///
    /// When the value cannot be encoded; the batch is unchanged.
    pub fn put_record<T: Serialize + ?Sized>(
        &mut self,
        tree: Tree,
        key: &[u8],
        version: u16,
        value: &T,
    ) -> Result<(), EncodingError> {
        let value = postcard::to_stdvec(value).map_err(|error| EncodingError(error.to_string()))?;
        self.put(tree, key, version, value);
        Ok(())
    }

    /// Remove what is under a key, if anything is.
    pub fn remove(&mut self, tree: Tree, key: &[u8]) {
        self.operations.push(Operation::Remove {
            key: tree.full_key(key),
        });
    }

    /// Remove everything under keys that start with `prefix`, as it is when the batch is applied.
    pub fn remove_prefix(&mut self, tree: Tree, prefix: &[u8]) {
        self.operations.push(Operation::RemovePrefix {
            prefix: tree.full_key(prefix),
        });
    }

    /// Whether it changes nothing outside of a tree.
    pub fn only_changes(&self, tree: Tree) -> bool {
        self.operations.iter().all(|operation| {
            let (Operation::Put { key, .. }
            | Operation::Remove { key }
            | Operation::RemovePrefix { prefix: key }) = operation;
            key.first() == Some(&(tree as u8))
        })
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.operations.len()
    }
}
