//! Messages, types and handles of the sync manager.
//!
//! - [`SyncManagerHandle`] is for trusted code: the engine and the other components.
//! - [`SyncClientHandle`] is what a page or worker gets: bound to one client of one origin.
//! - [`PermissionPolicy`] is what an embedder supplies to decide who may use the API.
//!
//! Types only; the component is in the crate `sync_manager`.

mod handle;
mod message;
mod types;

pub use handle::{SyncClientHandle, SyncManagerHandle};
pub use message::{SyncClientEvent, SyncManagerMessage, SyncRequest};
pub use types::{
    DropReason, HoldReason, LogEntry, LogEvent, PermissionPolicy, SyncRegistrationInfo,
    SyncRegistrationState,
};
