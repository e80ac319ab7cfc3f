//! Messages, types and the handle of the network monitor.
//!
//! - [`NetworkState`]: what the network is like; [`NetworkState::is_online_for`] is the one place
//!   where "online" is decided.
//! - [`NetworkMonitorHandle`]: for trusted components; subscribes, reads the current state, reports
//!   what fetches met with.
//! - [`NetworkSource`]: what an embedder implements to say what the system's links are like.
//! - [`Prober`]: what tries whether an origin can be reached; `net_monitor` has one.
//!
//! Nothing here does I/O, reads a clock or starts a thread.

mod handle;
mod hosts;
mod prober;
mod source;
mod state;

pub use handle::{NetworkMonitorHandle, NetworkMonitorMessage, SubscriptionId};
pub use hosts::HostMap;
pub use prober::{CaptivePortalCheck, ExpectedAnswer, ProbeId, ProbeOutcome, ProbeTarget, Prober};
pub use source::{NetworkSource, NetworkSourceError, SourceGuard};
pub use state::{
    CostHint, EmulationSessionId, FetchOutcome, LinkSnapshot, LinkState, NetworkIdentity,
    NetworkIdentityKey, NetworkState, PortalState, Reachability,
};
