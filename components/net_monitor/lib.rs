//! What the network is like: the state machine behind [`network_traits::NetworkState`], the thread
//! around it, and what feeds it.
//!
//! - [`Monitor`] is the state machine: link snapshots, emulated offline, what something waits for and
//!   the outcomes of fetches and probes go in, states to publish and probes to start come out. It has
//!   no thread, clock, I/O or channel in it, and no randomness but a seed.
//! - [`NetworkMonitor`] is the thread around it, and hands out
//!   [`network_traits::NetworkMonitorHandle`]s.
//! - [`NetlinkSource`] follows the links of a Linux system through netlink notifications;
//!   [`ScriptedSource`] follows a [`NetworkScript`] that a test or an embedder writes as it goes.
//! - `AddressSource`, with the feature `cross-platform`, follows the addresses of a macOS, iOS or
//!   Windows system, and knows nothing of routes.
//! - `SystemSource` is the one of these that suits the system that is compiled for.
//! - [`TcpProber`] makes the probes.
//!
//! Nothing here polls: a monitor on an idle network, for which nobody waits and with no origin that
//! counts as unreachable, never wakes up and sends no packet.
//!
//! # What "online" means
//!
//! | | An origin elsewhere | An origin on this machine |
//! |---|---|---|
//! | the system has not answered yet, or cannot be asked | offline | online |
//! | no link is up, loopback aside | offline | online |
//! | a link without an address that reaches beyond it | offline | online |
//! | an address, and no default route | offline | online |
//! | a default route through a link that is up and has an address | online | online |
//! | the same, behind a captive portal | offline | online |
//! | offline is emulated, for the engine or the registration | offline | offline |
//!
//! [`is_online_for_registration`](network_traits::NetworkState::is_online_for_registration) decides
//! it. Beside it stands what is known of each origin, which says whether a try makes sense:
//!
//! | [`Reachability`](network_traits::Reachability) | When | What waits for the origin |
//! |---|---|---|
//! | `Unknown` | never tried on this network, or long ago | tries for itself |
//! | `Checking` | something waits for it, and a probe is on its way or has its turn soon | waits for the answer |
//! | `Reachable` | the last fetch got a response, or the last probe a connection | tries |
//! | `Unreachable` | the last fetch or probe did not get there | waits; it is probed again, at growing distances |
//!
//! What is known of an origin elsewhere ends with the network on which it was found out. When a
//! network is gained, the same state that says so has each awaited origin as `Checking`; so a link
//! that comes up fires nothing, the answer of a probe does, and a link that flaps fires nothing at
//! all.
//!
//! Where captive portals are looked for, a network that is gained is
//! [`Unchecked`](network_traits::PortalState::Unchecked) at first. The check runs when something
//! waits for an origin, so what becomes due on such a network should wait for its origin too.
//!
//! # The state machine without the thread
//!
//! An engine with an event loop of its own calls it like this. The contract is: hand over one
//! input, then take outputs until there are none, then the next input.
//!
//! ```
//! use base::StorageKey;
//! use base::time::Timestamp;
//! use net_monitor::{Monitor, MonitorPolicy, Output};
//! use network_traits::{LinkSnapshot, LinkState, NetworkState, ProbeOutcome, Reachability};
//! use url::Url;
//!
//! let now = Timestamp::default();
//! let mut monitor = Monitor::new(MonitorPolicy::default());
//! let (mut published, mut probes) = (NetworkState::default(), Vec::new());
//! let mut perform = |monitor: &mut Monitor| {
//!     while let Some(output) = monitor.poll_output() {
//!         match output {
//!             Output::Publish(state) => published = state,
//!             Output::Probe { id, .. } => probes.push(id),
//!             Output::CancelProbe { id } => probes.retain(|running| *running != id),
//!         }
//!     }
//!     (published.clone(), probes.clone())
//! };
//!
//! let link = LinkState::Routable;
//! monitor.handle_link_changed(now, LinkSnapshot { link, ..LinkSnapshot::default() });
//! assert!(perform(&mut monitor).0.is_online());
//! assert_eq!(monitor.poll_timeout().after(now), None, "nothing to wake up for");
//!
//! let origin = StorageKey::from_url(&Url::parse("https://example.org/")?)?;
//! monitor.handle_await_origin(now, origin.clone(), true);
//! let (state, probes) = perform(&mut monitor);
//! assert_eq!(state.reachability(&origin), Reachability::Checking);
//!
//! monitor.handle_probe_ended(now, probes[0], ProbeOutcome::Reached);
//! assert_eq!(perform(&mut monitor).0.reachability(&origin), Reachability::Reachable);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

#[cfg(all(
    feature = "cross-platform",
    any(
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "windows"
    )
))]
mod address;
mod identity;
mod jitter;
mod monitor;
#[cfg(target_os = "linux")]
mod netlink;
mod policy;
mod prober;
mod scripted;
mod thread;

#[cfg(all(
    feature = "cross-platform",
    any(
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "windows"
    )
))]
pub use address::AddressSource;
#[cfg(all(
    feature = "cross-platform",
    any(target_os = "ios", target_os = "macos", target_os = "windows")
))]
pub use address::AddressSource as SystemSource;
pub use monitor::{Monitor, Output};
#[cfg(target_os = "linux")]
pub use netlink::{NetlinkSource, NetlinkSource as SystemSource};
pub use policy::{EvidencePolicy, MonitorPolicy, ProbePolicy};
pub use prober::TcpProber;
pub use scripted::{NetworkScript, ScriptedSource};
pub use thread::NetworkMonitor;
