//! The network component as its callers meet it, with real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod basics;
mod cross_origin;
mod failures;
mod network;
mod offline;
mod redirects;
mod server;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Receiver, unbounded};
use base::time::{Clock, Timestamp};
use net::{FetchResult, Net, NetConfig, Request, RequestMode};
use net_monitor::{EvidencePolicy, NetworkMonitor, NetworkScript, ScriptedSource};
use network_traits::{EmulationSessionId, NetworkMonitorHandle};
use url::Url;

/// A clock that stands still.
struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::default().saturating_add(Duration::from_secs(1))
    }
}

/// The component and the network monitor that it asks.
struct Browser {
    net: Net,
    monitor: NetworkMonitor,
    network: NetworkScript,
}

impl Browser {
    fn new() -> Self {
        Self::with(NetConfig::default())
    }

    fn with(config: NetConfig) -> Self {
        let (source, network) = ScriptedSource::new();
        let clock = Arc::new(StandingClock);
        let monitor =
            NetworkMonitor::start(Box::new(source), clock, EvidencePolicy::default()).unwrap();
        let net = Net::start(config, monitor.handle()).unwrap();
        Self {
            net,
            monitor,
            network,
        }
    }

    fn monitor(&self) -> NetworkMonitorHandle {
        self.monitor.handle()
    }

    /// Starts a fetch.
    fn start(&self, request: Request) -> (net::FetchId, Receiver<FetchResult>) {
        let (sender, receiver) = unbounded();
        let id = self
            .net
            .handle()
            .fetch(request, Callback::to_sender(&sender, |result| result));
        (id, receiver)
    }

    /// Fetches, and waits for the end.
    fn fetch(&self, request: Request) -> FetchResult {
        self.start(request).1.recv().unwrap()
    }

    /// Emulates being offline, or stops to.
    fn emulate_offline(&self, offline: bool) {
        let (sender, done) = unbounded();
        let done_callback = Callback::to_sender(&sender, |()| ());
        self.monitor()
            .emulate_offline(EmulationSessionId(1), offline, done_callback);
        done.recv().unwrap();
    }

    /// Emulates that the registration with this scope is offline, or stops to.
    fn emulate_registration_offline(&self, scope: &Url, offline: bool) {
        let (sender, done) = unbounded();
        let done_callback = Callback::to_sender(&sender, |()| ());
        self.monitor().emulate_registration_offline(
            EmulationSessionId(1),
            StorageKey::from_url(scope).unwrap(),
            scope.clone(),
            offline,
            done_callback,
        );
        done.recv().unwrap();
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// A `fetch()` by a page of the URL's own origin.
fn own(text: &str) -> Request {
    let url = url(text);
    let origin = StorageKey::from_url(&url).ok();
    Request {
        mode: RequestMode::Cors,
        origin,
        ..Request::new(url)
    }
}

/// A `fetch()` by a page of another origin.
fn foreign(text: &str) -> Request {
    let origin = StorageKey::from_url(&url("http://page.example/")).ok();
    Request {
        origin,
        ..own(text)
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}
