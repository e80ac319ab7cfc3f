//! The network monitor as the other components meet it, with a scripted source and, on Linux, with
//! the real one in a network namespace of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod netlink;
mod prober;
mod probing;
#[cfg(target_os = "linux")]
mod reachability;
mod scripted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Receiver, unbounded};
use base::time::{Clock, Timestamp};
use net_monitor::{MonitorPolicy, NetworkMonitor, ProbePolicy};
use network_traits::{NetworkSource, NetworkState};
use url::Url;

fn key(url: &str) -> StorageKey {
    StorageKey::from_url(&Url::parse(url).unwrap()).unwrap()
}

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
        MonitorPolicy::default(),
    )
    .unwrap()
}

/// A clock that moves on by a millisecond whenever somebody looks, so that no time limit of a test
/// depends on how fast the machine is.
#[derive(Default)]
struct SteppingClock(AtomicU64);

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        let millis = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::default().saturating_add(Duration::from_millis(millis))
    }
}

/// A monitor that probes again soon after a failure.
fn start_eager(source: impl NetworkSource + 'static) -> NetworkMonitor {
    let policy = MonitorPolicy {
        probes: Some(ProbePolicy {
            first_retry: Duration::from_millis(10),
            longest_retry: Duration::from_millis(10),
            time_limit: Duration::from_secs(1000),
            ..ProbePolicy::default()
        }),
        ..MonitorPolicy::default()
    };
    let clock = Arc::new(SteppingClock::default());
    NetworkMonitor::start(Box::new(source), clock, policy).unwrap()
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
