use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, Disconnected, Sender};

use crate::message::{CacheOperation, CacheResult, CacheStorageMessage};
use crate::types::{Name, Query};

/// The component, for trusted code.
#[derive(Clone, Debug)]
pub struct CacheStorageHandle {
    sender: Sender<CacheStorageMessage>,
}

impl CacheStorageHandle {
    /// A handle of the component that receives from this sender's channel.
    pub fn new(sender: Sender<CacheStorageMessage>) -> Self {
        Self { sender }
    }

    /// The caches of one storage key.
    pub fn of_origin(&self, storage_key: StorageKey) -> OriginCaches {
        OriginCaches {
            sender: self.sender.clone(),
            storage_key,
        }
    }

    /// Delete all caches of an origin, for those that do not have them open. Answered with
    /// [`Done`](crate::CacheAnswer::Done).
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn clear(
        &self,
        storage_key: StorageKey,
        done: Callback<CacheResult>,
    ) -> Result<(), Disconnected> {
        self.sender
            .send(CacheStorageMessage::Clear(storage_key, done))
    }

    pub(crate) fn shut_down(&self) -> Result<(), Disconnected> {
        self.sender.send(CacheStorageMessage::Shutdown)
    }
}

/// The caches of one storage key. Every method fails with [`Disconnected`] when the component has
/// shut down, and with nothing else.
#[derive(Clone, Debug)]
pub struct OriginCaches {
    sender: Sender<CacheStorageMessage>,
    storage_key: StorageKey,
}

#[expect(clippy::missing_errors_doc, reason = "said once, on the type")]
impl OriginCaches {
    /// Open a cache; make it if there is none of this name. Answered with
    /// [`Opened`](crate::CacheAnswer::Opened).
    pub fn open(&self, name: Name, done: Callback<CacheResult>) -> Result<(), Disconnected> {
        let key = self.storage_key.clone();
        self.sender.send(CacheStorageMessage::Open(key, name, done))
    }

    /// Whether there is a cache of this name. Answered with [`Found`](crate::CacheAnswer::Found).
    pub fn has(&self, name: Name, done: Callback<CacheResult>) -> Result<(), Disconnected> {
        let key = self.storage_key.clone();
        self.sender.send(CacheStorageMessage::Has(key, name, done))
    }

    /// Delete a cache, for those that do not have it open. Answered with
    /// [`Found`](crate::CacheAnswer::Found).
    pub fn delete(&self, name: Name, done: Callback<CacheResult>) -> Result<(), Disconnected> {
        let key = self.storage_key.clone();
        self.sender
            .send(CacheStorageMessage::Delete(key, name, done))
    }

    /// The names of all caches. Answered with [`Names`](crate::CacheAnswer::Names).
    pub fn keys(&self, done: Callback<CacheResult>) -> Result<(), Disconnected> {
        let key = self.storage_key.clone();
        self.sender.send(CacheStorageMessage::Keys(key, done))
    }

    /// The first response that matches, in the cache of this name or in all of them. Answered with
    /// [`Responses`](crate::CacheAnswer::Responses), of which there is one or none.
    pub fn find(
        &self,
        name: Option<Name>,
        query: Query,
        done: Callback<CacheResult>,
    ) -> Result<(), Disconnected> {
        let key = self.storage_key.clone();
        let message = CacheStorageMessage::Match(key, name, Box::new(query), done);
        self.sender.send(message)
    }
}

/// An open cache. It can be used as long as a clone of this is there, even if it is deleted
/// meanwhile.
#[derive(Clone, Debug)]
pub struct CacheHandle(Arc<OpenCache>);

#[derive(Debug)]
struct OpenCache {
    sender: Sender<CacheStorageMessage>,
    storage_key: StorageKey,
    cache: u64,
}

impl CacheHandle {
    pub(crate) fn new(
        sender: Sender<CacheStorageMessage>,
        storage_key: StorageKey,
        cache: u64,
    ) -> Self {
        Self(Arc::new(OpenCache {
            sender,
            storage_key,
            cache,
        }))
    }

    /// Do something with it.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn operate(
        &self,
        operation: CacheOperation,
        done: Callback<CacheResult>,
    ) -> Result<(), Disconnected> {
        self.0.sender.send(CacheStorageMessage::Operate(
            self.0.storage_key.clone(),
            self.0.cache,
            Box::new(operation),
            done,
        ))
    }
}

impl Drop for OpenCache {
    fn drop(&mut self) {
        // When the component is gone there is nothing to give back.
        let key = self.storage_key.clone();
        let _ = self
            .sender
            .send(CacheStorageMessage::Release(key, self.cache));
    }
}
