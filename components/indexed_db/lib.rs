//! IndexedDB on the store: the part behind the JavaScript API.
//!
//! <https://w3c.github.io/IndexedDB/>
//!
//! One [`IndexedDbThread`] serves all pages and workers of an engine. Each gets an
//! [`IndexedDbClientHandle`] for its storage key, and all answers come as [`IndexedDbEvent`]s to
//! the callback that was given when the handle was made.
//!
//! ```
//! use base::StorageKey;
//! use base::channel::{Callback, unbounded};
//! use base::ids::ClientId;
//! use indexed_db::{IndexedDbEvent, IndexedDbThread, ObjectStoreInfo, Operation};
//! use storage::{Store, StoreConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, _) = Store::open(StoreConfig::memory())?;
//! let component = IndexedDbThread::start(store)?;
//! let (sender, events) = unbounded();
//! let page = component.handle().attach_client(
//!     ClientId::random(),
//!     StorageKey::try_from("https://example.org".to_owned())?,
//!     Callback::to_sender(&sender, |event| event),
//! )?;
//! let name = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
//! page.open(name("mail"), Some(1))?;
//! loop {
//!     match events.recv()? {
//!         IndexedDbEvent::UpgradeNeeded { transaction, .. } => {
//!             page.operate(
//!                 transaction,
//!                 Operation::CreateObjectStore(ObjectStoreInfo {
//!                     name: name("outbox"),
//!                     key_path: None,
//!                     auto_increment: true,
//!                     indexes: Vec::new(),
//!                 }),
//!             )?;
//!             page.operate(
//!                 transaction,
//!                 Operation::Put {
//!                     store: name("outbox"),
//!                     key: None,
//!                     value: b"a serialized value".to_vec(),
//!                     no_overwrite: true,
//!                     index_keys: Vec::new(),
//!                 },
//!             )?;
//!             page.commit(transaction)?;
//!         },
//!         // Everything is on the disk now.
//!         IndexedDbEvent::Opened { database, .. } => {
//!             assert_eq!(database.object_stores.len(), 1);
//!             break;
//!         },
//!         _ => {},
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What the script side does
//!
//! - It knows what a value is: it makes structured clones, extracts keys with key paths, and puts
//!   generated keys into the values that it reads ([`Record`] always has the key).
//! - It finds the keys of indexes in the values that it stores, and, when an index is created for an
//!   object store that has records, in those ([`Operation::CreateIndex`]).
//! - It mirrors [`DatabaseInfo`] and throws what the spec throws synchronously; what arrives here
//!   is checked again, because a page may be compromised.
//! - It decides when a transaction is inactive with no requests left, and then sends `commit`. A
//!   failed request aborts nothing here: it sends `abort` where the spec says so.
//! - It keeps the state of cursors, and sends
//!   [`version_change_fired`](IndexedDbClientHandle::version_change_fired) when the handlers of a
//!   `versionchange` event have run.
//! - Nothing has to be waited for: a transaction's operations can be sent right after the request
//!   to create it, and `commit` right after them. They wait for their turn here.
//!
//! # What is guaranteed
//!
//! - Transactions start as the spec says: one that writes has its object stores for itself, and
//!   those that only read share them, in the order in which they were created.
//! - A transaction is committed in one batch of the store, and `Completed` is sent when that is
//!   durable. Aborting, also by a failed write, a detached client or a kill, leaves no trace.
//! - A client reaches nothing but the databases of its storage key, and only connections and
//!   transactions of its own, whatever ids it sends.
//!
//! # How it is made
//!
//! [`IndexedDb`] is a state machine without thread, clock and channel: messages in, [`Output`]s
//! out. It reads from the store directly and hands batches out to be committed. `database` has the
//! connection queue and the order of transactions of one database, `transaction` does the
//! operations over the changes that are not committed yet, `records` merges these with what is
//! stored, `index` says where in that a range of an index is, `format` how it all lies in the store,
//! and [`Key`] has the encoding that is ordered as the keys are.
//!
//! The entries of an index are keys of the store, ordered by the key in the index and then by the
//! key of the record, so that looking one up reads that one. Beside a record lies the list of its
//! entries: who replaces or removes it need not know its value. All of it is in the transaction's
//! batch.

mod database;
mod engine;
mod format;
mod handle;
mod index;
mod key;
mod key_range;
mod message;
mod records;
mod thread;
mod transaction;
mod types;

pub use engine::{IndexedDb, Output};
pub use handle::{IndexedDbClientHandle, IndexedDbHandle};
pub use key::{InvalidKey, Key, MAX_KEY_BYTES, MAX_KEY_DEPTH};
pub use key_range::KeyRange;
pub use message::{ClientRequest, CommitFailure, IndexedDbEvent, IndexedDbMessage};
pub use thread::IndexedDbThread;
pub use types::{
    Answer, ConnectionId, CursorDirection, CursorPosition, DatabaseInfo, IndexInfo, IndexKey,
    IndexKeys, KeyPath, Name, NameAndVersion, ObjectStoreInfo, Operation, Record, TransactionId,
    TransactionMode,
};
