//! Where caches are in the store.
//!
//! | Key | Record |
//! |---|---|
//! | origin, 0, cache | the name of the cache |
//! | origin, 1, cache, entry | [`Head`]: a request, and its response without the body |
//! | origin, 2, cache, entry | the body of that response |
//!
//! Caches and entries are numbered in the order in which they were made. An entry that is replaced
//! gets a new number.

use base::StorageKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use storage::key::{KeyReader, KeyWriter};
use storage::{Batch, Direction, EncodingError, KeyRange, ReadError, Record, Store, Tree};

use crate::types::{Name, StoredRequest, StoredResponse};

const VERSION: u16 = 1;
const NAMES: u8 = 0;
const HEADS: u8 = 1;
const BODIES: u8 = 2;

/// An entry without its body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) request: StoredRequest,
    /// Its `body` says only whether there is one.
    pub(crate) response: StoredResponse,
}

fn section(storage_key: &StorageKey, section: u8) -> KeyWriter {
    KeyWriter::new()
        .text(&storage_key.to_string())
        .byte(section)
}

/// The caches of an origin: number and name, in the order in which they were made.
pub(crate) fn names(
    store: &Store,
    storage_key: &StorageKey,
) -> Result<Vec<(u64, Name)>, ReadError> {
    let prefix = section(storage_key, NAMES).finish();
    let mut names = Vec::new();
    for entry in store.scan(Tree::Caches, KeyRange::prefix(&prefix), Direction::Forward) {
        let (key, record) = entry?;
        let number = KeyReader::new(&key[prefix.len()..]).number();
        match (number, decode(&record)) {
            (Some(number), Ok(name)) => names.push((number, name)),
            (Some(_), Err(reason)) => store.quarantine(Tree::Caches, &key, &reason)?,
            (None, _) => store.quarantine(Tree::Caches, &key, "its key has no number")?,
        }
    }
    Ok(names)
}

fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, String> {
    if record.version != VERSION {
        return Err(format!("its version is {}", record.version));
    }
    record.decode().map_err(|error| error.to_string())
}

pub(crate) fn put_name(
    batch: &mut Batch,
    storage_key: &StorageKey,
    cache: u64,
    name: &Name,
) -> Result<(), EncodingError> {
    let key = section(storage_key, NAMES).number(cache).finish();
    batch.put_record(Tree::Caches, &key, VERSION, name)
}

pub(crate) fn remove_name(batch: &mut Batch, storage_key: &StorageKey, cache: u64) {
    let key = section(storage_key, NAMES).number(cache).finish();
    batch.remove(Tree::Caches, &key);
}

/// The entries of a cache, in order.
pub(crate) fn heads(
    store: &Store,
    storage_key: &StorageKey,
    cache: u64,
) -> Result<Vec<(u64, Head)>, ReadError> {
    let prefix = section(storage_key, HEADS).number(cache).finish();
    let mut heads = Vec::new();
    for entry in store.scan(Tree::Caches, KeyRange::prefix(&prefix), Direction::Forward) {
        let (key, record) = entry?;
        let number = KeyReader::new(&key[prefix.len()..]).number();
        match (number, decode(&record)) {
            (Some(number), Ok(head)) => heads.push((number, head)),
            (Some(_), Err(reason)) => store.quarantine(Tree::Caches, &key, &reason)?,
            (None, _) => store.quarantine(Tree::Caches, &key, "its key has no number")?,
        }
    }
    Ok(heads)
}

/// The response of an entry, with its body. None when the body is not there.
pub(crate) fn response(
    store: &Store,
    storage_key: &StorageKey,
    cache: u64,
    (entry, head): (u64, Head),
) -> Result<Option<StoredResponse>, ReadError> {
    let mut response = head.response;
    if response.body.is_some() {
        let key = section(storage_key, BODIES)
            .number(cache)
            .number(entry)
            .finish();
        let Some(record) = store.read(Tree::Caches, &key)? else {
            return Ok(None);
        };
        response.body = Some(record.value);
    }
    Ok(Some(response))
}

pub(crate) fn put_entry(
    batch: &mut Batch,
    storage_key: &StorageKey,
    (cache, entry): (u64, u64),
    request: StoredRequest,
    mut response: StoredResponse,
) -> Result<(), EncodingError> {
    if let Some(body) = response.body.replace(Vec::new()) {
        let key = section(storage_key, BODIES)
            .number(cache)
            .number(entry)
            .finish();
        batch.put(Tree::Caches, &key, VERSION, body);
    } else {
        response.body = None;
    }
    let key = section(storage_key, HEADS)
        .number(cache)
        .number(entry)
        .finish();
    batch.put_record(Tree::Caches, &key, VERSION, &Head { request, response })
}

pub(crate) fn remove_entry(batch: &mut Batch, storage_key: &StorageKey, cache: u64, entry: u64) {
    for part in [HEADS, BODIES] {
        let key = section(storage_key, part)
            .number(cache)
            .number(entry)
            .finish();
        batch.remove(Tree::Caches, &key);
    }
}

/// All entries of a cache.
pub(crate) fn remove_entries(batch: &mut Batch, storage_key: &StorageKey, cache: u64) {
    for part in [HEADS, BODIES] {
        let prefix = section(storage_key, part).number(cache).finish();
        batch.remove_prefix(Tree::Caches, &prefix);
    }
}

/// The caches that have entries, but no name any more.
pub(crate) fn orphans(store: &Store) -> Result<Vec<(StorageKey, u64)>, ReadError> {
    let mut orphans: Vec<(StorageKey, u64)> = Vec::new();
    let mut named = Vec::new();
    for key in store.keys(Tree::Caches, KeyRange::all(), Direction::Forward) {
        let key = key?;
        let mut reader = KeyReader::new(&key);
        let (Some(origin), Some(section), Some(cache)) =
            (reader.text(), reader.byte(), reader.number())
        else {
            store.quarantine(Tree::Caches, &key, "its key belongs to no cache")?;
            continue;
        };
        let Ok(origin) = StorageKey::try_from(origin) else {
            store.quarantine(Tree::Caches, &key, "its key names no origin")?;
            continue;
        };
        // The names of an origin come before its entries.
        let place = (origin, cache);
        if section == NAMES {
            named.push(place);
        } else if !named.contains(&place) && !orphans.contains(&place) {
            orphans.push(place);
        }
    }
    Ok(orphans)
}
