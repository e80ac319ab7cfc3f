//! Where in an index something is.
//!
//! An entry is the encoded key in the index, and behind it the encoded key of the record. No
//! encoded key is the beginning of another one, so entries are ordered by the first and then by the
//! second, and the two can be told apart again.

use std::iter::Peekable;
use std::ops::Bound;

use base::exception::DomException;

use crate::key::{InvalidKey, Key};
use crate::key_range::EncodedRange;
use crate::records::Merged;
use crate::transaction::{unknown, unreadable};
use crate::types::{CursorDirection, CursorPosition};

/// Behind an encoded key it is greater than any key of a record.
const AFTER: u8 = 0xFF;

/// The entry of a record in an index.
pub(crate) fn entry(index_key: &[u8], primary: &[u8]) -> Vec<u8> {
    [index_key, primary].concat()
}

fn after_all(mut index_key: Vec<u8>) -> Vec<u8> {
    index_key.push(AFTER);
    index_key
}

/// The range without bounds.
pub(crate) fn everything() -> EncodedRange {
    (Bound::Unbounded, Bound::Unbounded)
}

/// All entries that have a key.
pub(crate) fn entries_of(index_key: &[u8]) -> EncodedRange {
    entries_in((
        Bound::Included(index_key.to_vec()),
        Bound::Included(index_key.to_vec()),
    ))
}

/// The entries whose keys are in a range.
pub(crate) fn entries_in((lower, upper): EncodedRange) -> EncodedRange {
    let lower = match lower {
        Bound::Excluded(key) => Bound::Excluded(after_all(key)),
        lower => lower,
    };
    let upper = match upper {
        Bound::Included(key) => Bound::Excluded(after_all(key)),
        upper => upper,
    };
    (lower, upper)
}

/// Whether nothing can be in a range. A map must not be asked for one that is upside down.
pub(crate) fn is_empty((lower, upper): &EncodedRange) -> bool {
    let (Bound::Included(low) | Bound::Excluded(low)) = lower else {
        return false;
    };
    let (Bound::Included(high) | Bound::Excluded(high)) = upper else {
        return false;
    };
    let closed = matches!((lower, upper), (Bound::Included(_), Bound::Included(_)));
    low > high || (low == high && !closed)
}

/// What is left of a cursor's range: behind its position, and from the target on that it was told.
///
/// <https://w3c.github.io/IndexedDB/#iterate-a-cursor>
///
/// # Errors
///
/// When a key is not valid.
pub(crate) fn remaining(
    range: &mut EncodedRange,
    direction: CursorDirection,
    over_index: bool,
    position: Option<CursorPosition>,
    target: Option<CursorPosition>,
) -> Result<(), InvalidKey> {
    if let Some(CursorPosition { key, primary_key }) = position {
        let key = key.encode()?;
        let is_unique = matches!(
            direction,
            CursorDirection::NextUnique | CursorDirection::PrevUnique
        );
        let limit = match primary_key {
            Some(primary) if over_index && !is_unique => entry(&key, &primary.encode()?),
            _ if over_index && direction.is_forward() => after_all(key),
            _ => key,
        };
        tighten(range, direction, Bound::Excluded(limit));
    }
    if let Some(CursorPosition { key, primary_key }) = target {
        let key = key.encode()?;
        let limit = match primary_key {
            Some(primary) if over_index => Bound::Included(entry(&key, &primary.encode()?)),
            _ if over_index && !direction.is_forward() => Bound::Excluded(after_all(key)),
            _ => Bound::Included(key),
        };
        tighten(range, direction, limit);
    }
    Ok(())
}

/// Move the end of a range where a cursor begins, but never outwards.
fn tighten(range: &mut EncodedRange, direction: CursorDirection, limit: Bound<Vec<u8>>) {
    let end = if direction.is_forward() {
        &mut range.0
    } else {
        &mut range.1
    };
    let inwards = {
        let (Bound::Included(new) | Bound::Excluded(new)) = &limit else {
            return;
        };
        match &*end {
            Bound::Unbounded => true,
            Bound::Included(old) | Bound::Excluded(old) if old == new => {
                matches!(limit, Bound::Excluded(_))
            }
            Bound::Included(old) | Bound::Excluded(old) => (new > old) == direction.is_forward(),
        }
    };
    if inwards {
        *end = limit;
    }
}

/// Going through the entries of an index.
pub(crate) struct Entries<'a> {
    merged: Peekable<Merged<'a>>,
    direction: CursorDirection,
    last: Option<Vec<u8>>,
}

impl<'a> Entries<'a> {
    /// The merged entries have to come in the same direction.
    pub(crate) fn new(merged: Merged<'a>, direction: CursorDirection) -> Self {
        Self {
            merged: merged.peekable(),
            direction,
            last: None,
        }
    }

    /// Whether an entry is left out, because another one stands for its key: always that of the
    /// first record.
    fn is_left_out(&mut self, index_key: &[u8]) -> bool {
        match self.direction {
            CursorDirection::Next | CursorDirection::Prev => false,
            CursorDirection::NextUnique => {
                let is_known = self.last.as_deref() == Some(index_key);
                self.last = Some(index_key.to_vec());
                is_known
            }
            CursorDirection::PrevUnique => matches!(
                self.merged.peek(),
                Some(Ok((next, _))) if next.starts_with(index_key)
            ),
        }
    }
}

/// The key in the index, and the encoded key of the record.
impl Iterator for Entries<'_> {
    type Item = Result<(Key, Vec<u8>), DomException>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.merged.next()? {
                Ok((entry, _)) => entry,
                Err(error) => return Some(Err(unreadable(error))),
            };
            let Some((key, primary)) = Key::decode_first(&entry) else {
                return Some(Err(unknown("an entry of an index is malformed")));
            };
            let (index_key, primary) = entry.split_at(entry.len() - primary.len());
            if !self.is_left_out(index_key) {
                return Some(Ok((key, primary.to_vec())));
            }
        }
    }
}

/// The keys that one record has in the indexes of its object store: index ids and encoded keys.
pub(crate) type KeysOfRecord = Vec<(u8, Vec<u8>)>;

/// How they are stored: index id and encoded key, again and again.
pub(crate) fn encode_keys(keys: &KeysOfRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, key) in keys {
        bytes.push(*index);
        bytes.extend_from_slice(key);
    }
    bytes
}

/// Nothing when the bytes are malformed.
pub(crate) fn decode_keys(mut bytes: &[u8]) -> Option<KeysOfRecord> {
    let mut keys = Vec::new();
    while let Some((index, rest)) = bytes.split_first() {
        let (_, after) = Key::decode_first(rest)?;
        let (key, after) = rest.split_at(rest.len() - after.len());
        keys.push((*index, key.to_vec()));
        bytes = after;
    }
    Some(keys)
}
