//! What an upgrade transaction does to object stores and indexes.

use std::collections::BTreeMap;

use base::exception::{DomException, DomExceptionName};

use super::{Changes, Source, Transaction, Upgrade, no_object_store, not_found, unknown};
use crate::format::{self, IndexRecord, ObjectStoreRecord};
use crate::index;
use crate::key::{InvalidKey, Key};
use crate::types::{
    Answer, CursorDirection, IndexInfo, Name, ObjectStoreInfo, Record, constraint_error,
    display_name,
};

/// How many records the client is asked about at once, while an index is created.
const RECORDS_AT_ONCE: usize = 500;
/// When so many bytes of values are together, no more are added.
const BYTES_AT_ONCE: usize = 1 << 20;

/// An index that is being created: it does not have the keys of all records yet.
pub(crate) struct Population {
    store: Name,
    object_store: u64,
    index: u8,
    unique: bool,
    multi_entry: bool,
    /// The last record that the client was asked about, encoded.
    last: Option<Vec<u8>>,
}

impl Transaction {
    fn upgrade(&mut self) -> Result<&mut Upgrade, DomException> {
        self.upgrade.as_mut().ok_or_else(|| {
            let message = "object stores and indexes change in an upgrade transaction only";
            DomException::new(DomExceptionName::InvalidStateError, message)
        })
    }

    fn changing_store(&mut self, name: &[u16]) -> Result<&mut ObjectStoreRecord, DomException> {
        let stores = &mut self.upgrade()?.schema.object_stores;
        let mut named = stores.iter_mut().filter(|store| store.name == name);
        named.next().ok_or_else(|| no_object_store(name))
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-createobjectstore>
    pub(super) fn create_object_store(
        &mut self,
        info: ObjectStoreInfo,
    ) -> Result<Answer, DomException> {
        let schema = &mut self.upgrade()?.schema;
        if schema.object_store(&info.name).is_some() {
            return Err(name_is_taken("an object store", &info.name));
        }
        let mut store = ObjectStoreRecord {
            id: schema.next_object_store_id,
            name: info.name,
            key_path: info.key_path,
            auto_increment: info.auto_increment,
            indexes: Vec::new(),
        };
        for index in info.indexes {
            add_index(&mut store, index)?;
        }
        schema.object_stores.push(store);
        schema.next_object_store_id += 1;
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-deleteobjectstore>
    pub(super) fn delete_object_store(&mut self, name: &[u16]) -> Result<Answer, DomException> {
        let upgrade = self.upgrade()?;
        let stores = &mut upgrade.schema.object_stores;
        let position = stores.iter().position(|store| store.name == name);
        let id = stores
            .remove(position.ok_or_else(|| no_object_store(name))?)
            .id;
        upgrade.deleted.push(id);
        self.changes.retain(|(store, _), _| *store != id);
        self.generators.remove(&id);
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-name>
    pub(super) fn rename_object_store(
        &mut self,
        from: &[u16],
        to: Name,
    ) -> Result<Answer, DomException> {
        let schema = &self.upgrade()?.schema;
        if from != to && schema.object_store(&to).is_some() {
            return Err(name_is_taken("an object store", &to));
        }
        self.changing_store(from)?.name = to;
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-createindex>
    pub(super) fn create_index(
        &mut self,
        source: &Source<'_>,
        store: Name,
        info: IndexInfo,
    ) -> Result<Answer, DomException> {
        let (unique, multi_entry) = (info.unique, info.multi_entry);
        let object_store = self.changing_store(&store)?;
        let id = object_store.id;
        let index = add_index(object_store, info)?;
        self.population = Some(Population {
            store,
            object_store: id,
            index,
            unique,
            multi_entry,
            last: None,
        });
        self.next_to_index(source)
    }

    /// The client has found the keys of records in a new index.
    pub(super) fn index_records(
        &mut self,
        source: &Source<'_>,
        keys: Vec<(Key, Vec<Key>)>,
    ) -> Result<Answer, DomException> {
        for (key, index_keys) in keys {
            if let Err(error) = self.index_record(source, &key, index_keys) {
                self.population = None;
                return Err(error);
            }
        }
        self.next_to_index(source)
    }

    fn index_record(
        &mut self,
        source: &Source<'_>,
        key: &Key,
        index_keys: Vec<Key>,
    ) -> Result<(), DomException> {
        let Some(population) = &self.population else {
            let message = "no index is being created";
            return Err(DomException::new(
                DomExceptionName::InvalidStateError,
                message,
            ));
        };
        let (object_store, index) = (population.object_store, population.index);
        let (unique, multi_entry) = (population.unique, population.multi_entry);
        let (database, _) = self.object_store(source, &population.store)?;
        let primary = key.encode().map_err(InvalidKey::exception)?;
        let limit = if multi_entry { usize::MAX } else { 1 };
        let mut entries = Vec::new();
        for index_key in index_keys.into_iter().take(limit) {
            let encoded = index_key.encode().map_err(InvalidKey::exception)?;
            if unique {
                self.require_unique(source, (database, object_store, index), &encoded, &primary)?;
            }
            entries.push((index, encoded));
        }
        self.add_entries(source, (database, object_store), &primary, entries)
    }

    /// The next records that the new index wants the keys of; when there are none it is complete.
    fn next_to_index(&mut self, source: &Source<'_>) -> Result<Answer, DomException> {
        let Some(population) = &self.population else {
            return Ok(Answer::Records(Vec::new()));
        };
        let mut range = index::everything();
        if let Some(last) = &population.last {
            range.0 = std::ops::Bound::Excluded(last.clone());
        }
        let listing = self.listing(source, &population.store, None)?;
        let mut records: Vec<Record> = Vec::new();
        let mut bytes = 0;
        for record in listing.iterate(range, CursorDirection::Next, false) {
            let record = record?;
            bytes += record.value.as_ref().map_or(0, Vec::len);
            records.push(record);
            if records.len() == RECORDS_AT_ONCE || bytes >= BYTES_AT_ONCE {
                break;
            }
        }
        let last = records.last().map(|record| record.key.encode());
        let last = last.transpose().map_err(InvalidKey::exception)?;
        match &mut self.population {
            Some(population) if last.is_some() => population.last = last,
            population => *population = None,
        }
        Ok(Answer::Records(records))
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-deleteindex>
    pub(super) fn delete_index(
        &mut self,
        store: &[u16],
        name: &[u16],
    ) -> Result<Answer, DomException> {
        let object_store = self.changing_store(store)?;
        let indexes = &mut object_store.indexes;
        let position = indexes.iter().position(|index| index.name == name);
        let index = indexes.remove(position.ok_or_else(|| no_index(name))?).id;
        let (id, was_last) = (object_store.id, indexes.is_empty());
        self.clear_space(id, index);
        if was_last {
            self.clear_space(id, format::KEYS_IN_INDEXES);
        }
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbindex-name>
    pub(super) fn rename_index(
        &mut self,
        store: &[u16],
        from: &[u16],
        to: Name,
    ) -> Result<Answer, DomException> {
        let object_store = self.changing_store(store)?;
        if from != to && object_store.index(&to).is_some() {
            return Err(name_is_taken("an index", &to));
        }
        let mut indexes = object_store.indexes.iter_mut();
        let index = indexes.find(|index| index.name == from);
        index.ok_or_else(|| no_index(from))?.name = to;
        Ok(Answer::Done)
    }

    pub(super) fn clear_space(&mut self, object_store: u64, space: u8) {
        let cleared = Changes {
            cleared: true,
            records: BTreeMap::new(),
        };
        self.changes.insert((object_store, space), cleared);
    }
}

/// Returns the id of the new index.
fn add_index(store: &mut ObjectStoreRecord, info: IndexInfo) -> Result<u8, DomException> {
    if store.index(&info.name).is_some() {
        return Err(name_is_taken("an index", &info.name));
    }
    let is_free = |id: &u8| store.indexes.iter().all(|index| index.id != *id);
    let id = (1..format::KEYS_IN_INDEXES)
        .find(is_free)
        .ok_or_else(|| unknown("an object store has at most 254 indexes"))?;
    store.indexes.push(IndexRecord {
        id,
        name: info.name,
        key_path: info.key_path,
        unique: info.unique,
        multi_entry: info.multi_entry,
    });
    Ok(id)
}

pub(super) fn no_index(name: &[u16]) -> DomException {
    not_found(format!(
        "there is no index \"{}\" in the object store",
        display_name(name)
    ))
}

fn name_is_taken(what: &str, name: &[u16]) -> DomException {
    constraint_error(format!(
        "there is {what} \"{}\" already",
        display_name(name)
    ))
}
