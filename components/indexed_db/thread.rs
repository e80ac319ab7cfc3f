use std::collections::HashMap;
use std::io;
use std::thread::{self, JoinHandle};

use base::channel::{Callback, Receiver, Sender, unbounded};
use base::ids::ClientId;
use storage::{CommitError, Store};

use crate::engine::{IndexedDb, Output};
use crate::handle::IndexedDbHandle;
use crate::message::{CommitFailure, IndexedDbEvent, IndexedDbMessage};

/// The thread around an [`IndexedDb`].
pub struct IndexedDbThread {
    handle: IndexedDbHandle,
    thread: Option<JoinHandle<()>>,
}

impl IndexedDbThread {
    /// Start the component on a store.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub fn start(store: Store) -> io::Result<Self> {
        // Who fills this queue is a script, which has a memory limit, waits for most answers, and
        // is no faster than this thread; the store, which answers here, takes a bounded number of
        // commits. A bound here would let the store and this thread wait for each other.
        let (sender, receiver) = unbounded();
        let handle = IndexedDbHandle::new(sender.clone());
        let thread = thread::Builder::new()
            .name("indexed-db".to_owned())
            .spawn(move || Loop::new(store, sender).run(&receiver))?;
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }

    /// How others speak with it.
    pub fn handle(&self) -> &IndexedDbHandle {
        &self.handle
    }

    /// Stop it and wait until it has ended: what is on its way to the disk is answered, everything
    /// else is aborted. Dropping does the same.
    pub fn shut_down(self) {
        drop(self);
    }
}

impl Drop for IndexedDbThread {
    fn drop(&mut self) {
        // It may have been shut down through a handle before.
        let _ = self.handle.shut_down();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the IndexedDB thread panicked");
        }
    }
}

struct Loop {
    store: Store,
    sender: Sender<IndexedDbMessage>,
    clients: HashMap<ClientId, Callback<IndexedDbEvent>>,
}

impl Loop {
    fn new(store: Store, sender: Sender<IndexedDbMessage>) -> Self {
        Self {
            store,
            sender,
            clients: HashMap::new(),
        }
    }

    fn run(mut self, receiver: &Receiver<IndexedDbMessage>) {
        let mut indexed_db = IndexedDb::new(self.store.clone());
        while !indexed_db.has_ended() {
            let Ok(message) = receiver.recv() else { return };
            match &message {
                IndexedDbMessage::AttachClient { client, events, .. } => {
                    self.clients.insert(*client, events.clone());
                }
                IndexedDbMessage::DetachClient { client } => {
                    self.clients.remove(client);
                }
                _ => {}
            }
            indexed_db.handle_message(message);
            while let Some(output) = indexed_db.poll_output() {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&self, output: Output) {
        match output {
            Output::Event { client, event } => {
                if let Some(events) = self.clients.get(&client) {
                    events.call(event);
                }
            }
            Output::Commit { commit, batch } => {
                let sender = self.sender.clone();
                self.store.submit(
                    batch,
                    Callback::new(move |result: Result<(), CommitError>| {
                        let result = result.map_err(|error| match error {
                            CommitError::DiskFull(_) => CommitFailure::DiskFull,
                            error => CommitFailure::Other(error.to_string()),
                        });
                        // When the thread has ended nobody waits for this any more.
                        let _ = sender.send(IndexedDbMessage::Committed { commit, result });
                    }),
                );
            }
        }
    }
}
