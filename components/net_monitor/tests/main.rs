//! The network monitor as the other components meet it, with a scripted source and, on Linux, with
//! the real one in a network namespace of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod netlink;
mod scripted;

use std::sync::Arc;
use std::time::Duration;

use base::channel::{Callback, Receiver, unbounded};
use base::time::{Clock, Timestamp};
use net_monitor::{EvidencePolicy, NetworkMonitor};
use network_traits::{NetworkSource, NetworkState};

/// A clock that stands still.
struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::default().saturating_add(Duration::from_secs(1))
    }
}

fn start(source: impl NetworkSource + 'static) -> NetworkMonitor {
    NetworkMonitor::start(
        Box::new(source),
        Arc::new(StandingClock),
        EvidencePolicy::default(),
    )
    .unwrap()
}

/// Subscribes to the states of a monitor.
fn states(monitor: &NetworkMonitor) -> Receiver<NetworkState> {
    let (sender, receiver) = unbounded();
    monitor
        .handle()
        .subscribe(Callback::to_sender(&sender, |state| state))
        .unwrap();
    receiver
}

/// A callback that can be waited for.
fn waitable() -> (Callback<()>, Receiver<()>) {
    let (sender, receiver) = unbounded();
    (Callback::to_sender(&sender, |()| ()), receiver)
}
