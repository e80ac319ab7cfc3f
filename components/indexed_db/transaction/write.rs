//! Writing records, and with them the entries of indexes.

use base::exception::{DomException, DomExceptionName};
use storage::Tree;

use super::{MAX_TRANSACTION_BYTES, Source, Transaction, undecodable, unknown, unreadable};
use crate::format::{self, KEYS_IN_INDEXES, ObjectStoreRecord, RECORDS};
use crate::index::{self, KeysOfRecord};
use crate::key::{InvalidKey, Key};
use crate::key_range::KeyRange;
use crate::types::{Answer, IndexKeys, constraint_error, data_error};

/// The largest number that a key generator makes.
///
/// <https://w3c.github.io/IndexedDB/#key-generator-construct>
const LAST_GENERATED: u64 = 1 << 53;

/// A record to be stored.
pub(super) struct NewRecord {
    pub(super) key: Option<Key>,
    pub(super) value: Vec<u8>,
    pub(super) no_overwrite: bool,
    pub(super) index_keys: Vec<IndexKeys>,
}

/// A key of a record in an index.
struct NewEntry {
    index: u8,
    unique: bool,
    /// Encoded.
    key: Vec<u8>,
}

impl Transaction {
    fn writable<'a>(
        &'a self,
        source: &Source<'a>,
        name: &[u16],
    ) -> Result<(u64, &'a ObjectStoreRecord), DomException> {
        if self.mode == super::TransactionMode::ReadOnly {
            let message = "the transaction is read-only";
            return Err(DomException::new(DomExceptionName::ReadOnlyError, message));
        }
        self.object_store(source, name)
    }

    /// <https://w3c.github.io/IndexedDB/#store-a-record-into-an-object-store>
    pub(super) fn put(
        &mut self,
        source: &Source<'_>,
        name: &[u16],
        record: NewRecord,
    ) -> Result<Answer, DomException> {
        let (database, object_store) = self.writable(source, name)?;
        let (id, auto_increment) = (object_store.id, object_store.auto_increment);
        let number = self.generators.get(&id).copied();
        let result = self.store_record(source, name, (database, id), auto_increment, record);
        // What has failed is undone, and that is the current number of the generator.
        if result.is_err() {
            match number {
                Some(number) => self.generators.insert(id, number),
                None => self.generators.remove(&id),
            };
        }
        result
    }

    fn store_record(
        &mut self,
        source: &Source<'_>,
        name: &[u16],
        (database, id): (u64, u64),
        auto_increment: bool,
        record: NewRecord,
    ) -> Result<Answer, DomException> {
        // Step 1: with a key generator, make a key, or let it know of the one that there is.
        let key = match record.key {
            None if !auto_increment => {
                return Err(data_error(
                    "the object store needs a key, and none was given",
                ));
            }
            None => self.generate_key(source, database, id)?,
            Some(key) => {
                key.encode().map_err(InvalidKey::exception)?;
                if auto_increment {
                    self.update_generator(source, database, id, &key)?;
                }
                key
            }
        };
        let encoded = key.encode().map_err(InvalidKey::exception)?;
        // Step 2: `add` does not replace a record.
        if record.no_overwrite {
            let existing = self
                .view(source, database, id)
                .get(&encoded)
                .map_err(unreadable)?;
            if existing.is_some() {
                return Err(constraint_error("a record with this key is there already"));
            }
        }
        // Step 5, before anything is changed: no other record has the same key in a unique index.
        let (_, object_store) = self.object_store(source, name)?;
        let has_indexes = !object_store.indexes.is_empty();
        let entries = new_entries(object_store, record.index_keys, &key)?;
        for entry in entries.iter().filter(|entry| entry.unique) {
            let index = (database, id, entry.index);
            self.require_unique(source, index, &entry.key, &encoded)?;
        }
        self.account(encoded.len().saturating_add(record.value.len()))?;
        // Steps 3 to 5: store the record, in place of the one that had the key.
        if has_indexes {
            self.remove_entries(source, (database, id), &encoded)?;
            let entries = entries.into_iter().map(|entry| (entry.index, entry.key));
            self.add_entries(source, (database, id), &encoded, entries.collect())?;
        }
        self.change((id, RECORDS), encoded, Some(record.value));
        Ok(Answer::Key(key))
    }

    /// Count what is written, up to the limit of a transaction.
    fn account(&mut self, bytes: usize) -> Result<(), DomException> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_TRANSACTION_BYTES {
            return Err(DomException::new(
                DomExceptionName::QuotaExceededError,
                format!("the transaction writes more than {MAX_TRANSACTION_BYTES} bytes"),
            ));
        }
        Ok(())
    }

    fn change(&mut self, space: (u64, u8), key: Vec<u8>, value: Option<Vec<u8>>) {
        let changes = self.changes.entry(space).or_default();
        changes.records.insert(key, value);
    }

    /// # Errors
    ///
    /// A `ConstraintError` when another record has the key in the index.
    pub(super) fn require_unique(
        &self,
        source: &Source<'_>,
        (database, object_store, index): (u64, u64, u8),
        index_key: &[u8],
        primary: &[u8],
    ) -> Result<(), DomException> {
        let view = self.space(source, (database, object_store), index);
        for entry in view.iterate(index::entries_of(index_key), true, true) {
            let (entry, _) = entry.map_err(unreadable)?;
            if entry.get(index_key.len()..) != Some(primary) {
                return Err(constraint_error(
                    "another record has the same key in a unique index",
                ));
            }
        }
        Ok(())
    }

    fn keys_of_record(
        &self,
        source: &Source<'_>,
        place: (u64, u64),
        primary: &[u8],
    ) -> Result<KeysOfRecord, DomException> {
        let view = self.space(source, place, KEYS_IN_INDEXES);
        match view.get(primary).map_err(unreadable)? {
            None => Ok(KeysOfRecord::new()),
            Some(bytes) => index::decode_keys(&bytes)
                .ok_or_else(|| unknown("the keys of a record in indexes are malformed")),
        }
    }

    /// Let indexes know of a record.
    pub(super) fn add_entries(
        &mut self,
        source: &Source<'_>,
        (database, object_store): (u64, u64),
        primary: &[u8],
        entries: KeysOfRecord,
    ) -> Result<(), DomException> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut all = self.keys_of_record(source, (database, object_store), primary)?;
        for (index, key) in entries {
            self.account(2 * key.len() + primary.len())?;
            let entry = index::entry(&key, primary);
            self.change((object_store, index), entry, Some(Vec::new()));
            all.push((index, key));
        }
        let row = Some(index::encode_keys(&all));
        self.change((object_store, KEYS_IN_INDEXES), primary.to_vec(), row);
        Ok(())
    }

    /// Let all indexes forget a record.
    fn remove_entries(
        &mut self,
        source: &Source<'_>,
        (database, object_store): (u64, u64),
        primary: &[u8],
    ) -> Result<(), DomException> {
        let keys = self.keys_of_record(source, (database, object_store), primary)?;
        if keys.is_empty() {
            return Ok(());
        }
        for (index, key) in keys {
            let entry = index::entry(&key, primary);
            self.change((object_store, index), entry, None);
        }
        self.change((object_store, KEYS_IN_INDEXES), primary.to_vec(), None);
        Ok(())
    }

    fn current_number(
        &self,
        source: &Source<'_>,
        database: u64,
        object_store: u64,
    ) -> Result<u64, DomException> {
        if let Some(number) = self.generators.get(&object_store) {
            return Ok(*number);
        }
        let key = format::generator_key(database, object_store);
        match source
            .store
            .read(Tree::IndexedDb, &key)
            .map_err(unreadable)?
        {
            None => Ok(1),
            Some(record) => record.decode().map_err(undecodable),
        }
    }

    /// <https://w3c.github.io/IndexedDB/#generate-a-key>
    // The numbers are at most 2^53, so floating point holds them exactly.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
    fn generate_key(
        &mut self,
        source: &Source<'_>,
        database: u64,
        object_store: u64,
    ) -> Result<Key, DomException> {
        let number = self.current_number(source, database, object_store)?;
        if number > LAST_GENERATED {
            return Err(constraint_error("the key generator has made its last key"));
        }
        self.generators.insert(object_store, number + 1);
        Ok(Key::Number(number as f64))
    }

    /// <https://w3c.github.io/IndexedDB/#possibly-update-the-key-generator>
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a conversion that stops at the ends is what is wanted"
    )]
    fn update_generator(
        &mut self,
        source: &Source<'_>,
        database: u64,
        object_store: u64,
        key: &Key,
    ) -> Result<(), DomException> {
        // Step 1: only numbers count.
        let Key::Number(number) = *key else {
            return Ok(());
        };
        // Steps 2 to 4: the whole number below, but not beyond the last.
        let number = number.min(LAST_GENERATED as f64).floor() as u64;
        // Steps 5 to 6: the generator goes on after it.
        if number >= self.current_number(source, database, object_store)? {
            self.generators.insert(object_store, number + 1);
        }
        Ok(())
    }

    /// <https://w3c.github.io/IndexedDB/#delete-records-from-an-object-store>
    pub(super) fn delete(
        &mut self,
        source: &Source<'_>,
        name: &[u16],
        range: &KeyRange,
    ) -> Result<Answer, DomException> {
        let (database, object_store) = self.writable(source, name)?;
        let (id, has_indexes) = (object_store.id, !object_store.indexes.is_empty());
        let view = self.view(source, database, id);
        let encoded = range.encode().map_err(InvalidKey::exception)?;
        if range.is_empty() {
            return Ok(Answer::Done);
        }
        let keys: Result<Vec<_>, _> = view
            .iterate(encoded, true, true)
            .map(|entry| entry.map(|(key, _)| key))
            .collect();
        for key in keys.map_err(unreadable)? {
            if has_indexes {
                self.remove_entries(source, (database, id), &key)?;
            }
            self.change((id, RECORDS), key, None);
        }
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#clear-an-object-store>
    pub(super) fn clear(
        &mut self,
        source: &Source<'_>,
        name: &[u16],
    ) -> Result<Answer, DomException> {
        let (_, object_store) = self.writable(source, name)?;
        let id = object_store.id;
        let mut spaces = vec![RECORDS];
        if !object_store.indexes.is_empty() {
            spaces.push(KEYS_IN_INDEXES);
            spaces.extend(object_store.indexes.iter().map(|index| index.id));
        }
        for space in spaces {
            self.clear_space(id, space);
        }
        Ok(Answer::Done)
    }
}

/// The entries of a record in the indexes of its object store, each once.
fn new_entries(
    object_store: &ObjectStoreRecord,
    index_keys: Vec<IndexKeys>,
    primary: &Key,
) -> Result<Vec<NewEntry>, DomException> {
    let mut entries: Vec<NewEntry> = Vec::new();
    for IndexKeys { index, keys } in index_keys {
        // The client has looked at the same schema, unless it is compromised.
        let Some(index) = object_store.index(&index) else {
            continue;
        };
        let limit = if index.multi_entry { usize::MAX } else { 1 };
        let first = entries.len();
        for key in keys.into_iter().take(limit) {
            let key = key.resolve(primary);
            entries.push(NewEntry {
                index: index.id,
                unique: index.unique,
                key: key.encode().map_err(InvalidKey::exception)?,
            });
        }
        entries[first..].sort_by(|left, right| left.key.cmp(&right.key));
    }
    entries.dedup_by(|left, right| left.index == right.index && left.key == right.key);
    Ok(entries)
}
