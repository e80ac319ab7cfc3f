//! The Cache API on the store: the part behind the JavaScript interfaces.
//!
//! <https://w3c.github.io/ServiceWorker/#cache-objects>
//!
//! One [`CacheStorageThread`] serves all pages and workers of an engine. Each gets an
//! [`OriginCaches`] for its storage key, which reaches the caches of that key and nothing else.
//! What changes a cache is answered when it is on the disk.
//!
//! ```
//! use base::StorageKey;
//! use base::channel::{Callback, unbounded};
//! use cache_storage::{CacheAnswer, CacheStorageThread};
//! use storage::{Store, StoreConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, _) = Store::open(StoreConfig::memory())?;
//! let component = CacheStorageThread::start(store)?;
//! let page = component
//!     .handle()
//!     .of_origin(StorageKey::try_from("https://example.org".to_owned())?);
//! let (sender, answers) = unbounded();
//! let name: Vec<u16> = "mail".encode_utf16().collect();
//! page.open(name, Callback::to_sender(&sender, |answer| answer))?;
//! assert!(matches!(answers.recv()?, Ok(CacheAnswer::Opened(_))));
//! # Ok(())
//! # }
//! ```
//!
//! - `types`: requests and responses as they are stored;
//! - `matching`: which stored request answers another one;
//! - `records`: where they are in the store;
//! - `caches`: what is asked, carried out;
//! - `message`, `handle`, `thread`: the way there.
//!
//! A cache that is deleted goes on to work for those who have it open, as the specification wants,
//! and is gone with the last of them. What a crash left of such a cache is removed at the next
//! start.

mod caches;
mod handle;
mod matching;
mod message;
mod records;
mod thread;
mod types;

pub use handle::{CacheHandle, CacheStorageHandle, OriginCaches};
pub use message::{CacheAnswer, CacheError, CacheOperation, CacheResult, CacheStorageMessage};
pub use thread::CacheStorageThread;
pub use types::{Header, Name, Query, StoredRequest, StoredResponse};
