//! What is asked, carried out.

use std::collections::BTreeMap;

use base::StorageKey;
use base::channel::Sender;
use storage::{Batch, CommitError, EncodingError, ReadError, Store};

use crate::handle::CacheHandle;
use crate::matching::matches;
use crate::message::{CacheAnswer, CacheError, CacheOperation, CacheResult, CacheStorageMessage};
use crate::records::{self, Head};
use crate::types::{Name, Query, StoredRequest, StoredResponse};

/// A cache: whose it is, and its number.
type Place = (StorageKey, u64);

/// All caches of a store.
pub(crate) struct Caches {
    store: Store,
    sender: Sender<CacheStorageMessage>,
    open: BTreeMap<Place, Open>,
    /// The numbers that are not given yet.
    next: BTreeMap<StorageKey, u64>,
}

/// A cache that somebody has open.
#[derive(Default)]
struct Open {
    handles: usize,
    is_deleted: bool,
}

impl From<ReadError> for CacheError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<EncodingError> for CacheError {
    fn from(error: EncodingError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<CommitError> for CacheError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::DiskFull(_) => Self::DiskFull,
            error => Self::Store(error.to_string()),
        }
    }
}

impl Caches {
    /// Removes what an earlier engine has left.
    pub(crate) fn new(store: Store, sender: Sender<CacheStorageMessage>) -> Self {
        let this = Self {
            store,
            sender,
            open: BTreeMap::new(),
            next: BTreeMap::new(),
        };
        if let Err(error) = this.remove_orphans() {
            log::error!("deleted caches could not be removed: {error}");
        }
        this
    }

    fn remove_orphans(&self) -> Result<(), CacheError> {
        let mut batch = Batch::new();
        for (storage_key, cache) in records::orphans(&self.store)? {
            records::remove_entries(&mut batch, &storage_key, cache);
        }
        self.commit(batch)
    }

    fn commit(&self, batch: Batch) -> Result<(), CacheError> {
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.store.commit(batch)?)
    }

    fn number_of(&self, storage_key: &StorageKey, name: &Name) -> Result<Option<u64>, CacheError> {
        let names = records::names(&self.store, storage_key)?;
        Ok(names
            .into_iter()
            .find(|(_, other)| other == name)
            .map(|(number, _)| number))
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-open>
    pub(crate) fn open(&mut self, storage_key: StorageKey, name: &Name) -> CacheResult {
        let cache = match self.number_of(&storage_key, name)? {
            Some(cache) => cache,
            None => self.create(&storage_key, name)?,
        };
        let place = (storage_key.clone(), cache);
        self.open.entry(place).or_default().handles += 1;
        let handle = CacheHandle::new(self.sender.clone(), storage_key, cache);
        Ok(CacheAnswer::Opened(handle))
    }

    fn create(&mut self, storage_key: &StorageKey, name: &Name) -> Result<u64, CacheError> {
        let cache = self.next_number(storage_key)?;
        let mut batch = Batch::new();
        records::put_name(&mut batch, storage_key, cache, name)?;
        self.commit(batch)?;
        self.next.insert(storage_key.clone(), cache + 1);
        Ok(cache)
    }

    /// A number that no cache of the origin has, nor had since the engine was started: a deleted one
    /// may still be open.
    fn next_number(&self, storage_key: &StorageKey) -> Result<u64, CacheError> {
        if let Some(next) = self.next.get(storage_key) {
            return Ok(*next);
        }
        let names = records::names(&self.store, storage_key)?;
        Ok(names.last().map_or(0, |(last, _)| last + 1))
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-has>
    pub(crate) fn has(&self, storage_key: &StorageKey, name: &Name) -> CacheResult {
        let found = self.number_of(storage_key, name)?.is_some();
        Ok(CacheAnswer::Found(found))
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-keys>
    pub(crate) fn keys(&self, storage_key: &StorageKey) -> CacheResult {
        let names = records::names(&self.store, storage_key)?;
        Ok(CacheAnswer::Names(
            names.into_iter().map(|(_, name)| name).collect(),
        ))
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-delete>
    pub(crate) fn delete(&mut self, storage_key: StorageKey, name: &Name) -> CacheResult {
        let Some(cache) = self.number_of(&storage_key, name)? else {
            return Ok(CacheAnswer::Found(false));
        };
        let next = self.next_number(&storage_key)?;
        self.next.insert(storage_key.clone(), next);
        let mut batch = Batch::new();
        records::remove_name(&mut batch, &storage_key, cache);
        let place = (storage_key, cache);
        if !self.open.contains_key(&place) {
            records::remove_entries(&mut batch, &place.0, cache);
        }
        self.commit(batch)?;
        if let Some(open) = self.open.get_mut(&place) {
            open.is_deleted = true;
        }
        Ok(CacheAnswer::Found(true))
    }

    /// All caches of an origin.
    pub(crate) fn clear(&mut self, storage_key: &StorageKey) -> CacheResult {
        let next = self.next_number(storage_key)?;
        self.next.insert(storage_key.clone(), next);
        let mut batch = Batch::new();
        let names = records::names(&self.store, storage_key)?;
        let places: Vec<Place> = names
            .into_iter()
            .map(|(cache, _)| (storage_key.clone(), cache))
            .collect();
        for place in &places {
            records::remove_name(&mut batch, storage_key, place.1);
            if !self.open.contains_key(place) {
                records::remove_entries(&mut batch, storage_key, place.1);
            }
        }
        self.commit(batch)?;
        for place in &places {
            if let Some(open) = self.open.get_mut(place) {
                open.is_deleted = true;
            }
        }
        Ok(CacheAnswer::Done)
    }

    /// A handle is gone.
    pub(crate) fn release(&mut self, place: &Place) {
        let Some(open) = self.open.get_mut(place) else {
            return;
        };
        open.handles -= 1;
        if open.handles > 0 {
            return;
        }
        let is_deleted = open.is_deleted;
        self.open.remove(place);
        if is_deleted {
            let mut batch = Batch::new();
            records::remove_entries(&mut batch, &place.0, place.1);
            if let Err(error) = self.commit(batch) {
                log::error!("a deleted cache could not be removed: {error}");
            }
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-match>
    pub(crate) fn find(
        &self,
        storage_key: &StorageKey,
        name: Option<&Name>,
        query: &Query,
    ) -> CacheResult {
        let caches = records::names(&self.store, storage_key)?;
        for (cache, other) in caches {
            if name.is_some_and(|name| *name != other) {
                continue;
            }
            let found = self.responses(storage_key, cache, Some(query), true)?;
            if !found.is_empty() {
                return Ok(CacheAnswer::Responses(found));
            }
        }
        Ok(CacheAnswer::Responses(Vec::new()))
    }

    pub(crate) fn operate(
        &self,
        (storage_key, cache): &Place,
        operation: CacheOperation,
    ) -> CacheResult {
        match operation {
            CacheOperation::Match { query, first } => {
                let found = self.responses(storage_key, *cache, query.as_ref(), first)?;
                Ok(CacheAnswer::Responses(found))
            }
            CacheOperation::Put(entries) => self.put(storage_key, *cache, entries),
            CacheOperation::Delete(query) => {
                let mut batch = Batch::new();
                let found = self.matching(storage_key, *cache, Some(&query))?;
                for (entry, _) in &found {
                    records::remove_entry(&mut batch, storage_key, *cache, *entry);
                }
                self.commit(batch)?;
                Ok(CacheAnswer::Found(!found.is_empty()))
            }
            CacheOperation::Keys(query) => {
                let found = self.matching(storage_key, *cache, query.as_ref())?;
                Ok(CacheAnswer::Requests(
                    found.into_iter().map(|(_, head)| head.request).collect(),
                ))
            }
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#query-cache>
    fn matching(
        &self,
        storage_key: &StorageKey,
        cache: u64,
        query: Option<&Query>,
    ) -> Result<Vec<(u64, Head)>, CacheError> {
        let mut heads = records::heads(&self.store, storage_key, cache)?;
        if let Some(query) = query {
            heads.retain(|(_, head)| matches(query, &head.request, &head.response.headers));
        }
        Ok(heads)
    }

    fn responses(
        &self,
        storage_key: &StorageKey,
        cache: u64,
        query: Option<&Query>,
        first: bool,
    ) -> Result<Vec<StoredResponse>, CacheError> {
        let mut responses = Vec::new();
        for entry in self.matching(storage_key, cache, query)? {
            responses.extend(records::response(&self.store, storage_key, cache, entry)?);
            if first && !responses.is_empty() {
                break;
            }
        }
        Ok(responses)
    }

    /// <https://w3c.github.io/ServiceWorker/#batch-cache-operations>
    fn put(
        &self,
        storage_key: &StorageKey,
        cache: u64,
        entries: Vec<(StoredRequest, StoredResponse)>,
    ) -> CacheResult {
        let mut batch = Batch::new();
        let existing = records::heads(&self.store, storage_key, cache)?;
        let first = existing.last().map_or(0, |(last, _)| last + 1);
        for (index, (request, _)) in entries.iter().enumerate() {
            let query = Query::exactly(request.clone());
            let is_same = |other: &(StoredRequest, StoredResponse)| {
                matches(&query, &other.0, &other.1.headers)
            };
            if entries[..index].iter().any(is_same) {
                return Err(CacheError::Duplicate);
            }
            for (entry, head) in &existing {
                if matches(&query, &head.request, &head.response.headers) {
                    records::remove_entry(&mut batch, storage_key, cache, *entry);
                }
            }
        }
        for (entry, (request, response)) in (first..).zip(entries) {
            records::put_entry(&mut batch, storage_key, (cache, entry), request, response)?;
        }
        self.commit(batch)?;
        Ok(CacheAnswer::Done)
    }
}
