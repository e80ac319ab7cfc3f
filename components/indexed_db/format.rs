//! How databases and their records lie in the store.
//!
//! All keys are in [`Tree::IndexedDb`] and begin with a byte that says what they are:
//!
//! | key | value |
//! |---|---|
//! | `00` | the next database id |
//! | `01` storage key, name | [`DatabaseRecord`] |
//! | `02` database id, object store id, `00`, encoded key | a record's value, as the client gave it |
//! | `02` database id, object store id, index id, encoded key in the index, encoded key | nothing: an entry of an index |
//! | `02` database id, object store id, `FF`, encoded key | the record's keys in all indexes: for each the index id and the encoded key |
//! | `03` database id, object store id | the current number of the key generator |
//!
//! Index ids are `01` to `FE`, and are used again after an index was deleted. A [`DatabaseRecord`]
//! with indexes has the version 2, so that an engine that does not know of them, and would not
//! keep them up to date, does not open the database. Database ids are never used twice, so whatever is left of a deleted database, nobody reads it.

use base::StorageKey;
use serde::{Deserialize, Serialize};
use storage::key::{KeyReader, KeyWriter};
use storage::{Batch, Direction, KeyRange, ReadError, Store, Tree};

use crate::types::{
    DatabaseInfo, DatabaseKey, IndexInfo, KeyPath, Name, NameAndVersion, ObjectStoreInfo,
};

const NEXT_DATABASE_ID: u8 = 0;
const DATABASE: u8 = 1;
const RECORD: u8 = 2;
const GENERATOR: u8 = 3;
/// The space of an object store's records, among the spaces of its indexes.
pub(crate) const RECORDS: u8 = 0;
/// The space of what keys each record has in the indexes.
pub(crate) const KEYS_IN_INDEXES: u8 = 0xFF;

/// The version of every value here but databases with indexes.
pub(crate) const VERSION: u16 = 1;
/// The version of a database with indexes.
const VERSION_WITH_INDEXES: u16 = 2;

/// A database: everything but its records.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct DatabaseRecord {
    pub(crate) id: u64,
    pub(crate) version: u64,
    pub(crate) next_object_store_id: u64,
    pub(crate) object_stores: Vec<ObjectStoreRecord>,
}

/// An object store: everything but its records and its generator's current number.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct ObjectStoreRecord {
    pub(crate) id: u64,
    pub(crate) name: Name,
    pub(crate) key_path: Option<KeyPath>,
    pub(crate) auto_increment: bool,
    pub(crate) indexes: Vec<IndexRecord>,
}

/// An index: everything but its entries.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexRecord {
    /// From one to 254; no other index of the object store has it.
    pub(crate) id: u8,
    pub(crate) name: Name,
    pub(crate) key_path: KeyPath,
    pub(crate) unique: bool,
    pub(crate) multi_entry: bool,
}

impl ObjectStoreRecord {
    pub(crate) fn index(&self, name: &[u16]) -> Option<&IndexRecord> {
        self.indexes.iter().find(|index| index.name == name)
    }

    fn info(&self) -> ObjectStoreInfo {
        let mut indexes: Vec<_> = self.indexes.iter().map(IndexRecord::info).collect();
        indexes.sort_by(|left, right| left.name.cmp(&right.name));
        ObjectStoreInfo {
            name: self.name.clone(),
            key_path: self.key_path.clone(),
            auto_increment: self.auto_increment,
            indexes,
        }
    }
}

impl IndexRecord {
    fn info(&self) -> IndexInfo {
        IndexInfo {
            name: self.name.clone(),
            key_path: self.key_path.clone(),
            unique: self.unique,
            multi_entry: self.multi_entry,
        }
    }
}

impl DatabaseRecord {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            version: 0,
            next_object_store_id: 1,
            object_stores: Vec::new(),
        }
    }

    /// The version that it is stored with.
    pub(crate) fn format_version(&self) -> u16 {
        let is_plain = |store: &ObjectStoreRecord| store.indexes.is_empty();
        if self.object_stores.iter().all(is_plain) {
            VERSION
        } else {
            VERSION_WITH_INDEXES
        }
    }

    pub(crate) fn object_store(&self, name: &[u16]) -> Option<&ObjectStoreRecord> {
        self.object_stores.iter().find(|store| store.name == name)
    }

    pub(crate) fn info(&self, name: &[u16]) -> DatabaseInfo {
        let mut object_stores: Vec<_> = self
            .object_stores
            .iter()
            .map(ObjectStoreRecord::info)
            .collect();
        object_stores.sort_by(|left, right| left.name.cmp(&right.name));
        DatabaseInfo {
            name: name.to_vec(),
            version: self.version,
            object_stores,
        }
    }
}

pub(crate) fn next_database_id_key() -> Vec<u8> {
    vec![NEXT_DATABASE_ID]
}

pub(crate) fn database_key(database: &DatabaseKey) -> Vec<u8> {
    databases_of(&database.storage_key)
        .code_units(&database.name)
        .finish()
}

fn databases_of(storage_key: &StorageKey) -> KeyWriter {
    KeyWriter::new()
        .byte(DATABASE)
        .text(&storage_key.to_string())
}

/// What the keys of one space of an object store begin with: [`RECORDS`], the id of an index, or
/// [`KEYS_IN_INDEXES`].
pub(crate) fn space_prefix(database: u64, object_store: u64, space: u8) -> Vec<u8> {
    let writer = KeyWriter::new()
        .byte(RECORD)
        .number(database)
        .number(object_store);
    writer.byte(space).finish()
}

pub(crate) fn generator_key(database: u64, object_store: u64) -> Vec<u8> {
    KeyWriter::new()
        .byte(GENERATOR)
        .number(database)
        .number(object_store)
        .finish()
}

/// Remove all traces of an object store but its description.
pub(crate) fn remove_object_store(batch: &mut Batch, database: u64, object_store: u64) {
    // Without the byte at the end, so that index entries go as well.
    let prefix = KeyWriter::new()
        .byte(RECORD)
        .number(database)
        .number(object_store)
        .finish();
    batch.remove_prefix(Tree::IndexedDb, &prefix);
    batch.remove(Tree::IndexedDb, &generator_key(database, object_store));
}

/// Remove all traces of a database.
pub(crate) fn remove_database(batch: &mut Batch, key: &DatabaseKey, id: u64) {
    batch.remove(Tree::IndexedDb, &database_key(key));
    for kind in [RECORD, GENERATOR] {
        let prefix = KeyWriter::new().byte(kind).number(id).finish();
        batch.remove_prefix(Tree::IndexedDb, &prefix);
    }
}

/// Read a description of a database; nothing when there is no such database.
pub(crate) fn read_database(
    store: &Store,
    key: &DatabaseKey,
) -> Result<Option<DatabaseRecord>, String> {
    let record = store
        .read(Tree::IndexedDb, &database_key(key))
        .map_err(|e| e.to_string())?;
    record.map(|record| decode_database(&record)).transpose()
}

fn decode_database(record: &storage::Record) -> Result<DatabaseRecord, String> {
    if record.version > VERSION_WITH_INDEXES {
        return Err(format!(
            "the database has format version {}, newer than {VERSION_WITH_INDEXES}",
            record.version
        ));
    }
    record.decode().map_err(|error| error.to_string())
}

/// The databases of a storage key, ordered by name.
pub(crate) fn read_databases(
    store: &Store,
    storage_key: &StorageKey,
) -> Result<Vec<NameAndVersion>, String> {
    let prefix = databases_of(storage_key).finish();
    let mut databases = Vec::new();
    for entry in store.scan(
        Tree::IndexedDb,
        KeyRange::prefix(&prefix),
        Direction::Forward,
    ) {
        let (key, record) = entry.map_err(|error| error.to_string())?;
        let name = KeyReader::new(key.get(prefix.len()..).unwrap_or_default()).code_units();
        let name = name.ok_or("a database has a malformed key")?;
        databases.push(NameAndVersion {
            name,
            version: decode_database(&record)?.version,
        });
    }
    Ok(databases)
}

/// The id that the next new database gets.
pub(crate) fn read_next_database_id(store: &Store) -> Result<u64, ReadError> {
    let stored = store.read(Tree::IndexedDb, &next_database_id_key())?;
    if let Some(id) = stored.and_then(|record| record.decode::<u64>().ok()) {
        return Ok(id);
    }
    // There is no database yet, or the number was lost. Then it is larger than all that are seen,
    // because a new database must never get records of another one.
    let mut largest = 0;
    for kind in [RECORD, GENERATOR] {
        let range = KeyRange::prefix(&[kind]);
        let last = store
            .scan(Tree::IndexedDb, range, Direction::Backward)
            .next()
            .transpose()?;
        let id = last.and_then(|(key, _)| KeyReader::new(key.get(1..)?).number());
        largest = largest.max(id.unwrap_or(0));
    }
    for entry in store.scan(
        Tree::IndexedDb,
        KeyRange::prefix(&[DATABASE]),
        Direction::Forward,
    ) {
        let id = decode_database(&entry?.1).map_or(0, |database| database.id);
        largest = largest.max(id);
    }
    Ok(largest + 1)
}
