//! The monitor, its thread and its prober together, with a scripted source.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Receiver, Sender, unbounded};
use net_monitor::{MonitorPolicy, NetworkMonitor, NetworkScript, ScriptedSource};
use network_traits::{
    LinkState, NetworkState, ProbeId, ProbeOutcome, ProbeTarget, Prober, Reachability,
};

use crate::{SteppingClock, key, start, start_eager, states, waitable};

/// Waits until the origin is that.
pub(crate) fn wait_for(
    states: &Receiver<NetworkState>,
    origin: &StorageKey,
    reachability: Reachability,
) -> NetworkState {
    loop {
        let state = states.recv().unwrap();
        if state.reachability(origin) == reachability {
            return state;
        }
    }
}

#[test]
fn an_origin_is_found_reachable_as_soon_as_the_link_is_up() {
    let (source, script) = ScriptedSource::new();
    script.set_link(LinkState::None);
    let (prober, starts) = HeldProber::new();
    let monitor = start_with(source, prober);
    let states = states(&monitor);
    let origin = key("https://example.org/");
    monitor.handle().await_origin(origin.clone(), true);
    script.set_link(LinkState::Routable);
    let state = wait_for(&states, &origin, Reachability::Checking);
    assert_eq!(state.link, LinkState::Routable);
    let (target, ended) = starts.recv().unwrap();
    assert_eq!(target, ProbeTarget::Origin(origin.clone()));
    ended.call(ProbeOutcome::Reached);
    wait_for(&states, &origin, Reachability::Reachable);
}

#[test]
fn a_server_that_comes_back_is_found() {
    // The port is taken on another address of this machine, so that no other test gets it.
    let taken = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let origin = key(&format!("http://127.0.0.1:{port}/"));
    let (source, _script) = ScriptedSource::new();
    let monitor = start_eager(source);
    let states = states(&monitor);
    monitor.handle().await_origin(origin.clone(), true);
    wait_for(&states, &origin, Reachability::Unreachable);
    let server = TcpListener::bind(("127.0.0.1", port)).unwrap();
    wait_for(&states, &origin, Reachability::Reachable);
    server.accept().unwrap();
}

#[test]
fn a_monitor_ends_while_it_probes() {
    let (source, script) = ScriptedSource::new();
    script.set_link(LinkState::Routable);
    let (prober, starts) = HeldProber::new();
    let monitor = start_with(source, prober);
    let origin = key("https://example.org/");
    monitor.handle().await_origin(origin, true);
    let (_, ended) = starts.recv().unwrap();
    let (done, is_done) = waitable();
    monitor.handle().exit(done);
    is_done.recv().unwrap();
    ended.call(ProbeOutcome::Reached);
    drop(monitor);
    assert!(starts.recv().is_err(), "the prober is gone");
}

#[test]
fn what_is_not_awaited_any_more_is_cancelled() {
    let (source, script) = ScriptedSource::new();
    script.set_link(LinkState::Routable);
    let (prober, starts) = HeldProber::new();
    let cancelled = prober.cancelled.1.clone();
    let monitor = start_with(source, prober);
    let origin = key("https://example.org/");
    monitor.handle().await_origin(origin.clone(), true);
    starts.recv().unwrap();
    monitor.handle().await_origin(origin, false);
    cancelled.lock().recv().unwrap();
}

#[test]
fn the_real_prober_answers_the_monitor() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = key(&format!("http://{}/", server.local_addr().unwrap()));
    let (source, _script): (_, NetworkScript) = ScriptedSource::new();
    let monitor = start(source);
    let states = states(&monitor);
    monitor.handle().await_origin(origin.clone(), true);
    wait_for(&states, &origin, Reachability::Reachable);
}

type Started = (ProbeTarget, Callback<ProbeOutcome>);

/// A prober that leaves the answers to the test.
struct HeldProber {
    starts: Sender<Started>,
    cancelled: (Sender<ProbeId>, Arc<parking_lot::Mutex<Receiver<ProbeId>>>),
}

impl HeldProber {
    fn new() -> (Self, Receiver<Started>) {
        let (starts, receiver) = unbounded();
        let (sender, cancelled) = unbounded();
        let prober = Self {
            starts,
            cancelled: (sender, Arc::new(parking_lot::Mutex::new(cancelled))),
        };
        (prober, receiver)
    }
}

impl Prober for HeldProber {
    fn start(
        &mut self,
        _id: ProbeId,
        target: ProbeTarget,
        _time_limit: Duration,
        ended: Callback<ProbeOutcome>,
    ) {
        let _ = self.starts.send((target, ended));
    }

    fn cancel(&mut self, id: ProbeId) {
        let _ = self.cancelled.0.send(id);
    }
}

fn start_with(source: ScriptedSource, prober: HeldProber) -> NetworkMonitor {
    let clock = Arc::new(SteppingClock::default());
    NetworkMonitor::start_with(
        Box::new(source),
        clock,
        MonitorPolicy::default(),
        Box::new(prober),
    )
    .unwrap()
}
