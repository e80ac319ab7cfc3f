use std::io;
use std::thread::{self, JoinHandle};

use base::channel::{Receiver, unbounded};
use storage::Store;

use crate::caches::Caches;
use crate::handle::CacheStorageHandle;
use crate::message::CacheStorageMessage;

/// The component on its thread.
pub struct CacheStorageThread {
    handle: CacheStorageHandle,
    thread: Option<JoinHandle<()>>,
}

impl CacheStorageThread {
    /// Start the component on a store.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub fn start(store: Store) -> io::Result<Self> {
        // Who fills this queue is a script, which has a memory limit and waits for most answers.
        let (sender, receiver) = unbounded();
        let handle = CacheStorageHandle::new(sender.clone());
        let thread = thread::Builder::new()
            .name("cache storage".to_owned())
            .spawn(move || run(Caches::new(store, sender), &receiver))?;
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }

    /// How others speak with it.
    pub fn handle(&self) -> &CacheStorageHandle {
        &self.handle
    }
}

impl Drop for CacheStorageThread {
    /// Stops it when everything that was asked before is done, and waits for that.
    fn drop(&mut self) {
        // It has ended only if it panicked, which is said below.
        let _ = self.handle.shut_down();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of the caches panicked");
        }
    }
}

fn run(mut caches: Caches, receiver: &Receiver<CacheStorageMessage>) {
    while let Ok(message) = receiver.recv() {
        match message {
            CacheStorageMessage::Open(key, name, done) => done.call(caches.open(key, &name)),
            CacheStorageMessage::Has(key, name, done) => done.call(caches.has(&key, &name)),
            CacheStorageMessage::Delete(key, name, done) => done.call(caches.delete(key, &name)),
            CacheStorageMessage::Clear(key, done) => done.call(caches.clear(&key)),
            CacheStorageMessage::Keys(key, done) => done.call(caches.keys(&key)),
            CacheStorageMessage::Match(key, name, query, done) => {
                done.call(caches.find(&key, name.as_ref(), &query));
            }
            CacheStorageMessage::Operate(key, cache, operation, done) => {
                done.call(caches.operate(&(key, cache), *operation));
            }
            CacheStorageMessage::Release(key, cache) => caches.release(&(key, cache)),
            CacheStorageMessage::Shutdown => return,
        }
    }
}
