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
//! - A [`Batch`] is atomic. It is answered when it is on the disk: written, flushed, and the disk
//!   told to write it down. Batches are applied in the order in which they were submitted.
//! - A batch that is answered with an error is not seen by readers, and the next one is tried
//!   afresh. Only after a restart may it turn out that all of it reached the disk after all.
//! - A disk that gets full refuses batches and nothing else: everything can still be read. When a
//!   write fails for a reason that could not be seen coming (the disk is broken, say), records
//!   beside the ones of the batch may be unreadable until the next write succeeds.
//! - Readers see a batch from when it is applied, which may be shortly before it is durable.
//! - A record that does not check out (every value has a checksum over key, version and value) is
//!   moved to quarantine with a log entry and counted; it is then as if it were not there. Its
//!   neighbours live on.
//! - One process at a time has a profile open. The lock goes with the process, however it ends.
//!
//! # How it is made
//!
//! Threads that read go straight to the backend (`disk` or `memory`). Batches go through a bounded
//! queue to the committer thread, which makes one write of all that wait. `profile` knows the
//! files of the folder and their format version. `disk` keeps the records in sled and makes up for
//! what it does not do, with `database` for calling it and `chunks` for large values; no other
//! module knows sled. `record` is the layout of a value, [`key`] that of composite
//! keys.

mod backend;
mod batch;
mod chunks;
mod committer;
mod database;
mod disk;
mod error;
pub mod key;
mod profile;
mod record;
mod sequence;
mod store;

pub use batch::{Batch, Direction, KeyRange, Tree};
pub use error::{CommitError, EncodingError, OpenError, ReadError};
pub use record::Record;
pub use store::{
    Location, OpenReport, Quarantined, Scan, Store, StoreConfig, StoreStatus, WAITING_BATCHES,
};
