//! The records of an object store, and the entries of an index, as a transaction sees them: what
//! is stored, and over it what the transaction changed.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use storage::{Direction, ReadError, Store, Tree};

use crate::key_range::EncodedRange;

/// What a transaction changed in an object store, or in an index of one.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Whether nothing that is stored counts any more.
    pub(crate) cleared: bool,
    /// The new values by encoded key; nothing where a record was deleted.
    pub(crate) records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// An encoded key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

type StoredIterator = dyn Iterator<Item = Result<Entry, ReadError>>;
type ChangeIterator<'a> = dyn Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)> + 'a;

pub(crate) struct View<'a> {
    pub(crate) store: &'a Store,
    /// What the keys of all that is in here begin with in the store.
    pub(crate) prefix: Vec<u8>,
    pub(crate) changes: Option<&'a Changes>,
}

impl<'a> View<'a> {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        if let Some(changes) = self.changes {
            if let Some(value) = changes.records.get(key) {
                return Ok(value.clone());
            }
            if changes.cleared {
                return Ok(None);
            }
        }
        let key = [&self.prefix, key].concat();
        Ok(self
            .store
            .read(Tree::IndexedDb, &key)?
            .map(|record| record.value))
    }

    /// The records of a range, which must not be upside down, in order. When only keys are wanted, the values
    /// may be empty.
    pub(crate) fn iterate(&self, range: EncodedRange, forward: bool, key_only: bool) -> Merged<'a> {
        let direction = if forward {
            Direction::Forward
        } else {
            Direction::Backward
        };
        let cleared = self.changes.is_some_and(|changes| changes.cleared);
        let stored_range = self.stored_range(&range);
        let stored: Box<StoredIterator> = if cleared {
            Box::new(std::iter::empty())
        } else if key_only {
            let keys = self.store.keys(Tree::IndexedDb, stored_range, direction);
            Box::new(keys.map(|key| Ok((key?, Vec::new()))))
        } else {
            let records = self.store.scan(Tree::IndexedDb, stored_range, direction);
            Box::new(records.map(|entry| entry.map(|(key, record)| (key, record.value))))
        };
        let changed: Box<ChangeIterator<'a>> = match self.changes {
            None => Box::new(std::iter::empty()),
            Some(changes) if forward => Box::new(changes.records.range(range)),
            Some(changes) => Box::new(changes.records.range(range).rev()),
        };
        Merged {
            stored: stored.peekable(),
            prefix_length: self.prefix.len(),
            changed: changed.peekable(),
            forward,
        }
    }

    fn stored_range(&self, (lower, upper): &EncodedRange) -> storage::KeyRange {
        let whole = storage::KeyRange::prefix(&self.prefix);
        let stored = |bound: &Bound<Vec<u8>>, otherwise| match bound {
            Bound::Unbounded => otherwise,
            bound => bound.as_ref().map(|key| [&self.prefix[..], key].concat()),
        };
        storage::KeyRange {
            start: stored(lower, whole.start),
            end: stored(upper, whole.end),
        }
    }
}

pub(crate) struct Merged<'a> {
    stored: Peekable<Box<StoredIterator>>,
    prefix_length: usize,
    changed: Peekable<Box<ChangeIterator<'a>>>,
    forward: bool,
}

impl Merged<'_> {
    /// Which of the two comes next: less for the stored one, greater for the changed one, equal
    /// when the change replaces the stored one. Nothing at the end.
    fn order(&mut self) -> Option<Ordering> {
        let stored = match self.stored.peek() {
            // The error comes first.
            Some(Err(_)) => return Some(Ordering::Less),
            Some(Ok((key, _))) => Some(key.get(self.prefix_length..).unwrap_or_default()),
            None => None,
        };
        match (stored, self.changed.peek()) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(stored), Some((changed, _))) => {
                let order = stored.cmp(&changed[..]);
                Some(if self.forward { order } else { order.reverse() })
            }
        }
    }

    fn next_stored(&mut self) -> Option<Result<Entry, ReadError>> {
        let entry = self.stored.next()?;
        Some(entry.map(|(mut key, value)| (key.split_off(self.prefix_length), value)))
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = self.order()?;
            if order.is_lt() {
                return self.next_stored();
            }
            if order.is_eq() {
                self.next_stored();
            }
            if let (key, Some(value)) = self.changed.next()? {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}
