//! What the network is like: the state machine behind [`network_traits::NetworkState`], the thread
//! around it, and the sources that feed it.
//!
//! - [`Monitor`] is the state machine: link snapshots, emulated offline and the outcomes of fetches
//!   go in, states to publish come out. It has no thread, clock, I/O or channel in it.
//! - [`NetworkMonitor`] is the thread around it, and hands out
//!   [`network_traits::NetworkMonitorHandle`]s.
//! - [`NetlinkSource`] follows the links of a Linux system through netlink notifications;
//!   [`ScriptedSource`] follows a [`NetworkScript`] that a test or an embedder writes as it goes.
//!
//! Nothing here polls: a monitor on an idle network, with no doubtful evidence, never wakes up.
//!
//! # The state machine without the thread
//!
//! An engine with an event loop of its own calls it like this. The contract is: hand over one
//! input, then take outputs until there are none, then the next input.
//!
//! ```
//! use base::time::Timestamp;
//! use net_monitor::{EvidencePolicy, Monitor, Output};
//! use network_traits::{LinkSnapshot, LinkState, NetworkState};
//!
//! let now = Timestamp::default();
//! let mut monitor = Monitor::new(EvidencePolicy::default());
//! let link = LinkState::Routable;
//! monitor.handle_link_changed(LinkSnapshot { link, ..LinkSnapshot::default() });
//! let mut published = NetworkState::default();
//! while let Some(Output::Publish(state)) = monitor.poll_output() {
//!     published = state;
//! }
//! assert!(published.is_online());
//! assert_eq!(monitor.poll_timeout().after(now), None, "nothing to wake up for");
//! ```

mod monitor;
#[cfg(target_os = "linux")]
mod netlink;
mod scripted;
mod thread;

pub use monitor::{EvidencePolicy, Monitor, Output};
#[cfg(target_os = "linux")]
pub use netlink::NetlinkSource;
pub use scripted::{NetworkScript, ScriptedSource};
pub use thread::NetworkMonitor;
