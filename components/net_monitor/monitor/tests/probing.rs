//! Origins that something waits for.

use super::*;

/// A monitor, and what it has asked for.
pub(super) struct Driven {
    pub(super) monitor: Monitor,
    pub(super) probes: Vec<(ProbeId, ProbeTarget)>,
    pub(super) cancelled: Vec<ProbeId>,
    /// What was published since it was last looked at.
    pub(super) states: Vec<NetworkState>,
}

impl Driven {
    pub(super) fn new(policy: MonitorPolicy) -> Self {
        Self {
            monitor: Monitor::new(policy),
            probes: Vec::new(),
            cancelled: Vec::new(),
            states: Vec::new(),
        }
    }

    /// One on a network, with retries that come without jitter.
    pub(super) fn on_network() -> Self {
        let mut driven = Self::new(exact());
        driven.link(0, routable(1));
        driven.states.clear();
        driven
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.monitor.poll_output() {
            match output {
                Output::Publish(state) => self.states.push(state),
                Output::Probe { id, target, .. } => self.probes.push((id, target)),
                Output::CancelProbe { id } => {
                    self.probes.retain(|(running, _)| *running != id);
                    self.cancelled.push(id);
                }
            }
        }
    }

    pub(super) fn link(&mut self, second: u64, links: LinkSnapshot) {
        self.monitor.handle_link_changed(at(second), links);
        self.drain();
    }

    pub(super) fn set_awaited(&mut self, second: u64, origin: &StorageKey, awaited: bool) {
        self.monitor
            .handle_await_origin(at(second), origin.clone(), awaited);
        self.drain();
    }

    pub(super) fn fetch(&mut self, second: u64, origin: &StorageKey, outcome: FetchOutcome) {
        self.monitor
            .handle_fetch_outcome(at(second), origin.clone(), outcome);
        self.drain();
    }

    pub(super) fn emulate(&mut self, second: u64, offline: bool) {
        self.monitor
            .handle_emulate_offline(at(second), EmulationSessionId(1), offline);
        self.drain();
    }

    pub(super) fn time(&mut self, second: u64) {
        self.monitor.handle_timeout(at(second));
        self.drain();
    }

    /// The oldest probe ends.
    pub(super) fn end(&mut self, second: u64, outcome: ProbeOutcome) -> ProbeTarget {
        let (id, target) = self.probes.remove(0);
        self.monitor.handle_probe_ended(at(second), id, outcome);
        self.drain();
        target
    }

    pub(super) fn probed(&self) -> Vec<String> {
        let name = |(_, target): &(ProbeId, ProbeTarget)| match target {
            ProbeTarget::Origin(origin) => origin.to_string(),
            ProbeTarget::CaptivePortal(_) => "portal".to_owned(),
        };
        self.probes.iter().map(name).collect()
    }

    pub(super) fn reachability(&self, origin: &StorageKey) -> Reachability {
        self.monitor.published.reachability(origin)
    }

    /// Seconds until the monitor wants to be called.
    pub(super) fn wakes_after(&self, second: u64) -> Option<u64> {
        let timeout = self.monitor.poll_timeout().after(at(second));
        timeout.map(|timeout| timeout.as_secs())
    }
}

/// Retries without jitter.
pub(super) fn exact() -> MonitorPolicy {
    MonitorPolicy {
        probes: Some(ProbePolicy {
            jitter_percent: 0,
            ..ProbePolicy::default()
        }),
        ..MonitorPolicy::default()
    }
}

pub(super) fn example() -> StorageKey {
    key("https://example.org/")
}

fn local() -> StorageKey {
    key("http://localhost:8000/")
}

#[test]
fn an_awaited_origin_is_checked_at_once_and_found_reachable() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    assert_eq!(driven.reachability(&example()), Reachability::Checking);
    assert_eq!(driven.probed(), ["https://example.org"]);
    driven.set_awaited(0, &example(), true);
    assert_eq!(
        driven.probes.len(),
        1,
        "saying the same twice changes nothing"
    );
    driven.end(1, ProbeOutcome::Reached);
    assert_eq!(driven.reachability(&example()), Reachability::Reachable);
    driven.set_awaited(1, &example(), false);
    assert_eq!(driven.wakes_after(1), None, "nothing is awaited any more");
}

#[test]
fn a_new_network_is_published_together_with_the_checks_it_leads_to() {
    for before in [
        link(LinkState::None),
        link(LinkState::Unknown),
        link(LinkState::NoRoute),
        routable(7),
    ] {
        let mut driven = Driven::new(exact());
        driven.link(0, before);
        driven.set_awaited(0, &example(), true);
        if before.link == LinkState::Routable {
            driven.end(0, ProbeOutcome::Reached);
        } else {
            assert_eq!(driven.probed(), [""; 0], "there is no network to probe on");
            assert_eq!(driven.reachability(&example()), Reachability::Unknown);
            assert_eq!(driven.wakes_after(0), None);
        }
        driven.states.clear();
        driven.link(1, routable(1));
        let [state] = &driven.states[..] else {
            panic!("one change, one state: {:?}", driven.states);
        };
        assert_eq!(state.link, LinkState::Routable);
        assert_eq!(state.reachability(&example()), Reachability::Checking);
        assert_eq!(driven.probed(), ["https://example.org"]);
    }
}

#[test]
fn a_link_that_flaps_cancels_its_checks_and_shows_nothing_reachable() {
    let mut driven = Driven::new(exact());
    driven.set_awaited(0, &example(), true);
    for second in 0..10 {
        driven.link(second, routable(1));
        let (id, _) = driven.probes[0];
        driven.link(second, link(LinkState::None));
        assert_eq!(driven.probes, [], "the check is cancelled");
        driven
            .monitor
            .handle_probe_ended(at(second), id, ProbeOutcome::Reached);
        driven.drain();
    }
    assert!(
        driven
            .states
            .iter()
            .all(|state| state.reachability(&example()) != Reachability::Reachable)
    );
    driven.link(10, routable(1));
    assert_eq!(driven.probed(), ["https://example.org"], "without a delay");
}

#[test]
fn an_unreachable_origin_is_probed_at_growing_distances() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    let mut second = 0;
    for distance in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        driven.end(second, ProbeOutcome::Failed);
        assert_eq!(driven.reachability(&example()), Reachability::Unreachable);
        assert_eq!(driven.wakes_after(second), Some(distance));
        second += distance;
        driven.time(second);
        assert_eq!(driven.reachability(&example()), Reachability::Unreachable);
        assert_eq!(driven.probes.len(), 1);
    }
    driven.end(second, ProbeOutcome::Reached);
    assert_eq!(driven.reachability(&example()), Reachability::Reachable);
}

#[test]
fn another_network_starts_the_distances_anew() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    for second in [0, 1, 3] {
        driven.time(second);
        driven.end(second, ProbeOutcome::Failed);
    }
    assert_eq!(driven.wakes_after(3), Some(4));
    driven.link(4, routable(2));
    driven.end(4, ProbeOutcome::Failed);
    assert_eq!(driven.wakes_after(4), Some(1));
}

#[test]
fn a_failed_fetch_is_followed_by_a_probe_and_not_at_once() {
    let mut driven = Driven::on_network();
    driven.fetch(0, &example(), FetchOutcome::ConnectFailed);
    driven.set_awaited(0, &example(), true);
    assert_eq!(driven.reachability(&example()), Reachability::Unreachable);
    assert_eq!(driven.probed(), [""; 0]);
    assert_eq!(driven.wakes_after(0), Some(1));
    driven.fetch(0, &example(), FetchOutcome::NameNotResolved);
    assert_eq!(
        driven.wakes_after(0),
        Some(1),
        "other fetches do not defer it"
    );
    driven.time(1);
    assert_eq!(driven.probed(), ["https://example.org"]);
}

#[test]
fn where_connections_break_at_once_the_distances_grow_all_the_same() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    let mut second = 0;
    driven.end(second, ProbeOutcome::Reached);
    for distance in [1, 2, 4, 8] {
        driven.fetch(second, &example(), FetchOutcome::ConnectFailed);
        assert_eq!(driven.wakes_after(second), Some(distance));
        second += distance;
        driven.time(second);
        driven.end(second, ProbeOutcome::Reached);
    }
    driven.fetch(second, &example(), FetchOutcome::Responded);
    driven.fetch(second, &example(), FetchOutcome::ConnectFailed);
    assert_eq!(
        driven.wakes_after(second),
        Some(1),
        "a response ends the row"
    );
}

#[test]
fn a_fetch_that_responds_settles_the_doubt() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    driven.fetch(0, &example(), FetchOutcome::Responded);
    assert_eq!(driven.reachability(&example()), Reachability::Reachable);
    assert_eq!(driven.probes, [], "the probe is not needed any more");
    assert_eq!(driven.cancelled.len(), 1);
}

#[test]
fn a_fetch_that_fails_during_a_check_leaves_the_answer_to_the_check() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    driven.states.clear();
    driven.fetch(0, &example(), FetchOutcome::ConnectFailed);
    assert_eq!(driven.states, []);
    assert_eq!(driven.probes.len(), 1);
}

#[test]
fn an_origin_that_was_reached_long_ago_is_checked_again_when_awaited() {
    let mut driven = Driven::on_network();
    driven.fetch(0, &example(), FetchOutcome::Responded);
    driven.set_awaited(299, &example(), true);
    assert_eq!(driven.reachability(&example()), Reachability::Reachable);
    assert_eq!(driven.probed(), [""; 0]);
    assert_eq!(driven.wakes_after(299), Some(1));
    driven.set_awaited(299, &example(), false);
    assert_eq!(driven.wakes_after(299), None);
    driven.set_awaited(1000, &example(), true);
    assert_eq!(driven.reachability(&example()), Reachability::Checking);
    driven.end(1001, ProbeOutcome::Reached);
    assert_eq!(driven.reachability(&example()), Reachability::Reachable);
}

#[test]
fn a_probe_that_hangs_has_failed_at_its_time_limit() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    assert_eq!(driven.wakes_after(0), Some(10));
    driven.time(9);
    assert_eq!(driven.reachability(&example()), Reachability::Checking);
    driven.time(10);
    assert_eq!(driven.reachability(&example()), Reachability::Unreachable);
    assert_eq!(driven.cancelled.len(), 1);
    assert_eq!(driven.wakes_after(10), Some(1));
}

#[test]
fn what_nobody_awaits_any_more_is_probed_no_more() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    driven.set_awaited(0, &example(), false);
    assert_eq!(driven.probes, []);
    assert_eq!(driven.cancelled.len(), 1);
    assert_eq!(driven.reachability(&example()), Reachability::Unknown);
    assert_eq!(driven.wakes_after(0), None);
    driven.set_awaited(0, &example(), false);
}

#[test]
fn an_unreachable_origin_that_is_not_awaited_is_forgotten_in_the_end() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    driven.end(0, ProbeOutcome::Failed);
    driven.set_awaited(0, &example(), false);
    assert_eq!(driven.wakes_after(0), Some(5 * 60));
    driven.time(5 * 60);
    assert_eq!(driven.reachability(&example()), Reachability::Unknown);
    assert_eq!(driven.wakes_after(300), None);
    assert_eq!(driven.probes, []);
}

#[test]
fn origins_beyond_the_limit_are_checked_in_turn() {
    let mut driven = Driven::on_network();
    let origins: Vec<_> = (0..10)
        .map(|number| key(&format!("https://{number}.example/")))
        .collect();
    for origin in &origins {
        driven.set_awaited(0, origin, true);
        assert_eq!(driven.reachability(origin), Reachability::Checking);
    }
    let mut order = Vec::new();
    while !driven.probes.is_empty() {
        assert!(driven.probes.len() <= 4);
        order.push(driven.end(0, ProbeOutcome::Reached));
    }
    let expected: Vec<_> = origins.into_iter().map(ProbeTarget::Origin).collect();
    assert_eq!(order, expected);
}

#[test]
fn an_origin_that_does_not_fit_is_left_to_itself() {
    let mut policy = exact();
    policy.probes.as_mut().unwrap().max_awaited = 1;
    let mut driven = Driven::new(policy);
    driven.link(0, routable(1));
    let other = key("https://other.example/");
    driven.set_awaited(0, &example(), true);
    driven.set_awaited(0, &other, true);
    assert_eq!(driven.reachability(&other), Reachability::Unknown);
    driven.set_awaited(0, &other, false);
    driven.set_awaited(0, &example(), false);
    driven.set_awaited(0, &other, true);
    assert_eq!(driven.reachability(&other), Reachability::Checking);
}

#[test]
fn without_a_probe_policy_nothing_is_checked() {
    let mut driven = Driven::new(MonitorPolicy {
        probes: None,
        ..exact()
    });
    driven.set_awaited(0, &example(), true);
    driven.link(0, routable(1));
    assert_eq!(driven.reachability(&example()), Reachability::Unknown);
    assert_eq!(driven.probed(), [""; 0]);
    driven.fetch(0, &example(), FetchOutcome::ConnectFailed);
    assert_eq!(driven.wakes_after(0), Some(5 * 60));
}

#[test]
fn the_machine_itself_is_checked_without_a_network() {
    let mut driven = Driven::new(exact());
    driven.link(0, link(LinkState::None));
    driven.fetch(0, &local(), FetchOutcome::ConnectFailed);
    driven.set_awaited(0, &local(), true);
    driven.time(1);
    assert_eq!(driven.probed(), ["http://localhost:8000"]);
    driven.link(1, routable(1));
    assert_eq!(driven.cancelled, [], "the network does not matter to it");
    driven.end(1, ProbeOutcome::Reached);
    assert_eq!(driven.reachability(&local()), Reachability::Reachable);
}

#[test]
fn nothing_is_probed_while_offline_is_emulated() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    driven.fetch(0, &local(), FetchOutcome::ConnectFailed);
    driven.set_awaited(0, &local(), true);
    driven.emulate(0, true);
    assert_eq!(driven.probes, []);
    assert_eq!(driven.reachability(&example()), Reachability::Unknown);
    assert_eq!(driven.wakes_after(0), None);
    driven.states.clear();
    driven.emulate(100, false);
    assert_eq!(
        driven.probed(),
        ["http://localhost:8000", "https://example.org"]
    );
    let [state] = &driven.states[..] else {
        panic!("one change, one state: {:?}", driven.states);
    };
    assert_eq!(state.reachability(&example()), Reachability::Checking);
}

#[test]
fn what_was_in_vain_is_probed_at_once_when_emulated_offline_ends() {
    let mut driven = Driven::on_network();
    driven.set_awaited(0, &example(), true);
    for second in [0, 1, 3] {
        driven.time(second);
        driven.end(second, ProbeOutcome::Failed);
    }
    assert_eq!(driven.wakes_after(3), Some(4));
    driven.emulate(4, true);
    driven.emulate(5, false);
    assert_eq!(driven.probed(), ["https://example.org"]);
    driven.end(5, ProbeOutcome::Failed);
    assert_eq!(driven.wakes_after(5), Some(1), "the distances start anew");
}

#[test]
fn what_is_awaited_is_not_the_evidence_that_makes_room() {
    let mut policy = exact();
    policy.evidence.capacity = 1;
    let mut driven = Driven::new(policy);
    driven.link(0, routable(1));
    driven.fetch(0, &example(), FetchOutcome::ConnectFailed);
    driven.set_awaited(0, &example(), true);
    let hosts = ["https://a.example/", "https://b.example/"].map(key);
    for host in &hosts {
        driven.fetch(0, host, FetchOutcome::Responded);
    }
    assert_eq!(driven.reachability(&example()), Reachability::Unreachable);
    assert_eq!(driven.monitor.published.origins.len(), 2);
}
