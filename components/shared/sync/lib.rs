//! Messages, types and handles of the sync manager.
//!
//! - [`SyncManagerHandle`] is for trusted code: the engine and the other components.
//! - [`SyncClientHandle`] is what a page or worker gets: bound to one client of one origin.
//! - [`PermissionPolicy`] and [`EngagementPolicy`] are what an embedder supplies to decide who may
//!   use the API, and how often; [`WakeUp`] is told when something is due next.
//! - [`PermissionStates`] is what pages and workers may know about permissions.
//!
//! Types only; the component is in the crate `sync_manager`.

mod explanation;
mod handle;
mod message;
mod permission;
mod types;

pub use explanation::Release;
pub use handle::{SyncClientHandle, SyncManagerHandle};
pub use message::{RegistrationReference, SyncClientEvent, SyncManagerMessage, SyncRequest};
pub use permission::{
    PermissionChange, PermissionName, PermissionObserver, PermissionState, PermissionStates,
    UnknownPermission,
};
pub use types::{
    DropReason, Engagement, EngagementPolicy, HoldReason, LogEntry, LogEvent, PermissionPolicy,
    SyncExplanation, SyncKind, SyncQuestion, SyncRegistrationInfo, SyncRegistrationState, WakeUp,
};
