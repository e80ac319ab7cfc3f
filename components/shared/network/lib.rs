//! Messages, types and the handle of the network monitor.
//!
//! - [`NetworkState`]: what the network is like; [`NetworkState::is_online_for`] is the one place
//!   where "online" is decided.
//! - [`NetworkMonitorHandle`]: for trusted components; subscribes, reads the current state, reports
//!   what fetches met with.
//! - [`NetworkSource`]: what an embedder implements to say what the system's links are like.
//!
//! Nothing here does I/O, reads a clock or starts a thread.

mod handle;
mod source;
mod state;

pub use handle::{NetworkMonitorHandle, NetworkMonitorMessage, SubscriptionId};
pub use source::{NetworkSource, NetworkSourceError, SourceGuard};
pub use state::{
    CostHint, EmulationSessionId, FetchOutcome, LinkSnapshot, LinkState, NetworkIdentity,
    NetworkState, Reachability,
};
