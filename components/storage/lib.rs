//! The store of one profile: durable batches, checksummed and versioned records.
//!
//! ```
//! use storage::{Batch, Direction, KeyRange, Store, StoreConfig, Tree};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, _) = Store::open(StoreConfig::memory())?;
//! let mut batch = Batch::new();
//! batch.put_record(Tree::Meta, b"greeting", 1, "hello")?;
//! batch.remove(Tree::Meta, b"farewell");
//! store.commit(batch)?;
//! for entry in store.scan(Tree::Meta, KeyRange::all(), Direction::Forward) {
//!     let (key, record) = entry?;
//!     assert_eq!((&key[..], record.decode::<String>()?), (&b"greeting"[..], "hello".to_owned()));
//! }
//! store.close();
//! # Ok(())
//! # }
//! ```
//!
//! # What is guaranteed
//!
//! - A [`Batch`] is atomic. It is answered when it is on the disk: written to the journal, and the
//!   disk told to write it down. Batches are applied in the order in which they were submitted.
//!   Batches that arrive meanwhile share the next write; there are no timers.
//! - Readers see a batch from the moment it is durable, and by the time it is answered.
//! - A batch that is answered with an error is not seen by readers, and the next one is tried
//!   afresh. Only after a restart may it turn out that all of it reached the disk after all.
//! - [`Durability::Relaxed`] batches of the event log are seen at once, and are durable with the next
//!   batch that is, or when the store is closed.
//! - A disk that gets full refuses batches when the journal is full as well, and nothing else:
//!   everything that was answered can be read, and when there is room again, or the disk works
//!   again, so does the store.
//! - What the database behind the journal loses or cannot read is put back from the journal, as far
//!   as the copy of the records in it goes; what could not be is counted, and nothing is deleted.
//!   [`OpenReport`] says what was done, [`StoreStatus`] what goes on.
//! - A record that does not check out (every value has a checksum over key, version and value) is
//!   moved to quarantine with a log entry and counted; it is then as if it were not there. Its
//!   neighbours live on.
//! - One process at a time has a profile open. The lock goes with the process, however it ends.
//!
//! # How it is made
//!
//! `FORMAT.md` beside this file has the files, byte by byte, and the recovery, step by step.
//!
//! Batches go through a bounded queue to the `committer`, which makes one group of all that wait.
//! `journaled` writes the group to the `journal` (`header`, `frame`) and shows it to readers in the
//! `overlay`, in front of the database. A thread of its own brings to the database what has gathered
//! there, so that no commit waits for that; `checkpoint` brings everything and begins the journal
//! anew; `recovery` does what is left to do when a store is opened. All of that runs on the
//! two traits of [`device`]: in a folder (`folder`) these are `file_journal` and `sled_database` (with
//! `sled_calls` and `slices`; no other module knows sled), in a simulation whatever it likes, on one thread. `chunks`
//! has large values in pieces, `profile` the files of the folder and their versions, `record` the
//! layout of a value, [`key`] that of composite keys.

mod backend;
mod batch;
mod checkpoint;
mod chunks;
mod committer;
pub mod device;
mod error;
mod file_journal;
mod folder;
mod frame;
mod header;
mod journal;
mod journaled;
pub mod key;
mod overlay;
mod profile;
mod record;
mod recovery;
mod sled_calls;
mod sled_database;
mod slices;
mod store;

pub use batch::{Batch, Direction, KeyRange, Tree};
pub use committer::Durability;
pub use error::{CommitError, EncodingError, OpenError, ReadError};
pub use record::Record;
pub use store::{
    Location, OpenReport, Quarantined, Scan, Store, StoreConfig, StoreStatus, WAITING_BATCHES,
};
