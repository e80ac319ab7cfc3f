//! Reading records, of an object store or through an index.

use base::exception::DomException;

use super::schema::no_index;
use super::{Source, Transaction, to_usize, unknown, unreadable};
use crate::index::{self, Entries};
use crate::key::{InvalidKey, Key};
use crate::key_range::{EncodedRange, KeyRange};
use crate::records::View;
use crate::types::{Answer, CursorDirection, CursorPosition, Name, Record};

/// What is read: the records of an object store, or of one of its indexes.
pub(super) struct Listing<'a> {
    records: View<'a>,
    entries: Option<View<'a>>,
}

impl<'a> Listing<'a> {
    /// The bounds of a range, in encoded keys or in entries of the index.
    fn bounds(&self, range: &KeyRange) -> Result<EncodedRange, DomException> {
        let encoded = range.encode().map_err(InvalidKey::exception)?;
        Ok(match self.entries {
            Some(_) => index::entries_in(encoded),
            None => encoded,
        })
    }

    /// The records within bounds. An entry whose record is not there any more counts for nothing.
    pub(super) fn iterate(
        &'a self,
        bounds: EncodedRange,
        direction: CursorDirection,
        key_only: bool,
    ) -> Box<dyn Iterator<Item = Result<Record, DomException>> + 'a> {
        if index::is_empty(&bounds) {
            return Box::new(std::iter::empty());
        }
        let forward = direction.is_forward();
        let Some(entries) = &self.entries else {
            let records = self.records.iterate(bounds, forward, key_only);
            return Box::new(records.map(move |entry| {
                let (key, value) = entry.map_err(unreadable)?;
                record(&key, None, (!key_only).then_some(value))
            }));
        };
        let entries = Entries::new(entries.iterate(bounds, forward, true), direction);
        Box::new(entries.filter_map(move |entry| {
            let (index_key, primary) = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            if key_only {
                return Some(record(&primary, Some(index_key), None));
            }
            let value = self.records.get(&primary).map_err(unreadable).transpose()?;
            Some(value.and_then(|value| record(&primary, Some(index_key), Some(value))))
        }))
    }

    fn count(&self, bounds: EncodedRange) -> Result<u64, DomException> {
        let mut count = 0;
        if !index::is_empty(&bounds) {
            let counted = self.entries.as_ref().unwrap_or(&self.records);
            for entry in counted.iterate(bounds, true, true) {
                entry.map_err(unreadable)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

fn record(
    primary: &[u8],
    index_key: Option<Key>,
    value: Option<Vec<u8>>,
) -> Result<Record, DomException> {
    let key = Key::decode(primary).ok_or_else(|| unknown("a record has a malformed key"))?;
    Ok(Record {
        key,
        index_key,
        value,
    })
}

/// The cursor that an operation is about.
pub(super) struct Cursor {
    pub(super) direction: CursorDirection,
    pub(super) position: Option<CursorPosition>,
    pub(super) target: Option<CursorPosition>,
    pub(super) count: u32,
}

impl Transaction {
    pub(super) fn listing<'a>(
        &'a self,
        source: &Source<'a>,
        store: &[u16],
        index: Option<&Name>,
    ) -> Result<Listing<'a>, DomException> {
        let (database, object_store) = self.object_store(source, store)?;
        let entries = match index {
            None => None,
            Some(name) => {
                let index = object_store.index(name).ok_or_else(|| no_index(name))?;
                Some(self.space(source, (database, object_store.id), index.id))
            }
        };
        Ok(Listing {
            records: self.view(source, database, object_store.id),
            entries,
        })
    }

    /// The first records of a range.
    ///
    /// <https://w3c.github.io/IndexedDB/#retrieve-multiple-items-from-an-index>
    pub(super) fn retrieve(
        &self,
        source: &Source<'_>,
        (store, index): (&[u16], Option<&Name>),
        range: &KeyRange,
        direction: CursorDirection,
        key_only: bool,
        limit: usize,
    ) -> Result<Vec<Record>, DomException> {
        let listing = self.listing(source, store, index)?;
        let bounds = listing.bounds(range)?;
        let records = listing.iterate(bounds, direction, key_only);
        records.take(limit).collect()
    }

    pub(super) fn count(
        &self,
        source: &Source<'_>,
        (store, index): (&[u16], Option<&Name>),
        range: &KeyRange,
    ) -> Result<Answer, DomException> {
        let listing = self.listing(source, store, index)?;
        let bounds = listing.bounds(range)?;
        Ok(Answer::Count(listing.count(bounds)?))
    }

    /// <https://w3c.github.io/IndexedDB/#iterate-a-cursor>
    pub(super) fn iterate_cursor(
        &self,
        source: &Source<'_>,
        (store, index): (&[u16], Option<&Name>),
        range: &KeyRange,
        cursor: Cursor,
        key_only: bool,
    ) -> Result<Answer, DomException> {
        let listing = self.listing(source, store, index)?;
        let mut bounds = listing.bounds(range)?;
        let direction = cursor.direction;
        let over_index = index.is_some();
        index::remaining(
            &mut bounds,
            direction,
            over_index,
            cursor.position,
            cursor.target,
        )
        .map_err(InvalidKey::exception)?;
        let mut records = listing.iterate(bounds, direction, key_only);
        let skipped = to_usize(cursor.count.max(1)) - 1;
        Ok(Answer::Record(records.nth(skipped).transpose()?))
    }
}
