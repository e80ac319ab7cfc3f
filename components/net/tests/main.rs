//! The network component as its callers meet it, with real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod basics;
mod cache;
mod cookies;
mod cross_origin;
mod failures;
mod network;
mod offline;
mod redirects;
mod request_headers;
mod scripts;
mod server;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Receiver, unbounded};
use base::time::{Clock, Timestamp};
use net::{FetchResult, Net, NetConfig, NetServices, Request, RequestMode};
use net_monitor::{EvidencePolicy, NetworkMonitor, NetworkScript, ScriptedSource};
use network_traits::{EmulationSessionId, NetworkMonitorHandle};
use url::Url;

/// A clock that stands still unless it is moved.
#[derive(Default)]
struct TestClock(AtomicU64);

impl TestClock {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let seconds = 1 + self.0.load(Ordering::SeqCst);
        Timestamp::default().saturating_add(Duration::from_secs(seconds))
    }
}

/// The component and the network monitor that it asks.
struct Browser {
    net: Net,
    monitor: NetworkMonitor,
    network: NetworkScript,
    clock: Arc<TestClock>,
    /// The origins whose storage was to be cleared.
    cleared: Receiver<StorageKey>,
}

impl Browser {
    fn new() -> Self {
        Self::with(NetConfig::default())
    }

    fn with(config: NetConfig) -> Self {
        let (source, network) = ScriptedSource::new();
        let clock = Arc::new(TestClock::default());
        let shared_clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let monitor = NetworkMonitor::start(
            Box::new(source),
            Arc::clone(&shared_clock),
            EvidencePolicy::default(),
        )
        .unwrap();
        let (cleared_sender, cleared) = unbounded();
        let services = NetServices {
            monitor: monitor.handle(),
            clock: shared_clock,
            clear_storage: Callback::to_sender(&cleared_sender, |origin| origin),
        };
        let net = Net::start(config, services).unwrap();
        Self {
            net,
            monitor,
            network,
            clock,
            cleared,
        }
    }

    fn monitor(&self) -> NetworkMonitorHandle {
        self.monitor.handle()
    }

    /// What another component would be started with.
    fn services(&self) -> NetServices {
        NetServices::new(self.monitor(), Arc::<TestClock>::clone(&self.clock) as _)
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
        origin: origin.into(),
        ..Request::new(url)
    }
}

/// A `fetch()` by a page of another origin.
fn foreign(text: &str) -> Request {
    let origin = StorageKey::from_url(&url("http://page.example/")).ok();
    Request {
        origin: origin.into(),
        ..own(text)
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}
