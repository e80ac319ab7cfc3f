//! Types that every component shares.
//!
//! - [`StorageKey`]: whose data it is.
//! - [`DomString`]: a string as scripts have it.
//! - [`ids`]: names of clients, workers, requests and the like, valid for one run of the engine.
//! - [`time`]: wall-clock and monotonic time, kept apart by type, and the [`time::Clock`] that the embedder supplies.
//! - [`channel`]: the one wrapper over the channels on which components talk.
//! - [`exception`]: the DOMException names, and the one place where error classes map to them.
//!
//! Nothing here does I/O, reads a clock or starts a thread.

pub mod channel;
mod dom_string;
pub mod exception;
pub mod ids;
mod storage_key;
pub mod time;

pub use dom_string::DomString;
pub use storage_key::{StorageKey, StorageKeyError};
