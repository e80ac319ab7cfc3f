//! Captive portals.

use network_traits::{CaptivePortalCheck, ExpectedAnswer};

use super::probing::{Driven, exact, example};
use super::*;

fn policy() -> MonitorPolicy {
    MonitorPolicy {
        captive_portal: Some(CaptivePortalCheck {
            url: Url::parse("http://check.example/").unwrap(),
            expected: ExpectedAnswer::Status(204),
        }),
        ..exact()
    }
}

/// One on a network, with an origin awaited, and a check that has just started.
fn waiting() -> Driven {
    let mut driven = Driven::new(policy());
    driven.set_awaited(0, &example(), true);
    driven.states.clear();
    driven.link(0, routable(1));
    assert_eq!(driven.probed(), ["portal"]);
    assert_eq!(driven.reachability(&example()), Reachability::Checking);
    driven
}

fn is_captive(driven: &Driven) -> bool {
    driven.monitor.published.portal == PortalState::Captive
}

#[test]
fn origins_are_probed_once_no_portal_answers_for_them() {
    let mut driven = waiting();
    driven.end(0, ProbeOutcome::Reached);
    assert_eq!(driven.probed(), ["https://example.org"]);
    driven.end(0, ProbeOutcome::Failed);
    driven.time(1);
    assert_eq!(driven.probed(), ["https://example.org"], "no second check");
}

#[test]
fn behind_a_portal_nothing_is_reachable_until_it_is_passed() {
    let mut driven = waiting();
    let mut second = 0;
    for distance in [1, 2, 4] {
        driven.end(second, ProbeOutcome::Altered);
        assert!(is_captive(&driven));
        assert!(!driven.monitor.published.is_online_for(&example()));
        assert_eq!(driven.reachability(&example()), Reachability::Unknown);
        assert_eq!(driven.wakes_after(second), Some(distance));
        second += distance;
        driven.time(second);
        assert_eq!(driven.probed(), ["portal"]);
    }
    driven.states.clear();
    driven.end(second, ProbeOutcome::Reached);
    assert_eq!(driven.probed(), ["https://example.org"]);
    let [state] = &driven.states[..] else {
        panic!("one change, one state: {:?}", driven.states);
    };
    assert!(state.is_online_for(&example()));
    assert_eq!(state.reachability(&example()), Reachability::Checking);
}

#[test]
fn a_check_that_gets_no_answer_is_no_portal() {
    let mut driven = waiting();
    driven.time(10);
    assert!(!is_captive(&driven));
    assert_eq!(driven.cancelled.len(), 1);
    assert_eq!(driven.probed(), ["https://example.org"]);
    driven.end(10, ProbeOutcome::Failed);
    driven.time(11);
    assert_eq!(
        driven.probed(),
        ["portal"],
        "asked again before the next probe"
    );
}

#[test]
fn without_anything_awaited_nobody_looks_for_a_portal() {
    let mut driven = Driven::new(policy());
    driven.link(0, routable(1));
    driven.set_awaited(0, &key("http://localhost/"), true);
    assert_eq!(driven.probed(), ["http://localhost"]);
    let mut driven = waiting();
    driven.set_awaited(0, &example(), false);
    assert_eq!(driven.probes, []);
    assert_eq!(driven.wakes_after(0), None);
}

#[test]
fn a_new_network_is_unchecked_until_something_waits_and_the_check_ends() {
    for (outcome, state) in [
        (ProbeOutcome::Reached, PortalState::Open),
        (ProbeOutcome::Failed, PortalState::Open),
        (ProbeOutcome::Altered, PortalState::Captive),
    ] {
        let mut driven = Driven::new(policy());
        assert_eq!(driven.monitor.published.portal, PortalState::Open);
        driven.link(0, routable(1));
        assert_eq!(driven.monitor.published.portal, PortalState::Unchecked);
        assert_eq!(driven.probed(), [""; 0], "nothing waits");
        assert_eq!(driven.wakes_after(0), None);
        driven.set_awaited(1, &example(), true);
        assert_eq!(driven.monitor.published.portal, PortalState::Unchecked);
        assert_eq!(driven.probed(), ["portal"]);
        driven.end(1, outcome);
        assert_eq!(driven.monitor.published.portal, state);
        driven.set_awaited(1, &example(), false);
        driven.time(1000);
        assert_eq!(driven.monitor.published.portal, state, "until the next one");
        driven.link(1000, routable(2));
        assert_eq!(driven.monitor.published.portal, PortalState::Unchecked);
        driven.link(1000, link(LinkState::None));
        assert_eq!(driven.monitor.published.portal, PortalState::Open);
    }
}

#[test]
fn nobody_waits_for_a_check_that_there_will_never_be() {
    for policy in [
        exact(),
        MonitorPolicy {
            probes: None,
            ..policy()
        },
    ] {
        let mut driven = Driven::new(policy);
        driven.link(0, routable(1));
        assert_eq!(driven.monitor.published.portal, PortalState::Open);
    }
}

#[test]
fn a_portal_that_nobody_waits_behind_is_checked_when_somebody_does() {
    let mut driven = waiting();
    driven.end(0, ProbeOutcome::Altered);
    driven.set_awaited(0, &example(), false);
    assert_eq!(driven.wakes_after(0), None);
    assert!(is_captive(&driven));
    driven.set_awaited(50, &example(), true);
    assert_eq!(driven.probed(), ["portal"]);
    driven.end(50, ProbeOutcome::Reached);
    assert!(!is_captive(&driven));
}

#[test]
fn a_portal_is_checked_at_once_when_emulated_offline_ends() {
    let mut driven = waiting();
    driven.end(0, ProbeOutcome::Altered);
    assert_eq!(driven.wakes_after(0), Some(1));
    driven.time(1);
    driven.end(1, ProbeOutcome::Altered);
    assert_eq!(driven.wakes_after(1), Some(2));
    driven.emulate(2, true);
    assert_eq!(driven.wakes_after(2), None);
    driven.emulate(2, false);
    assert!(matches!(
        driven.end(2, ProbeOutcome::Reached),
        ProbeTarget::CaptivePortal(_)
    ));
}

#[test]
fn another_network_has_a_portal_of_its_own() {
    let mut driven = waiting();
    driven.end(0, ProbeOutcome::Altered);
    driven.link(1, routable(2));
    assert!(!is_captive(&driven));
    assert_eq!(driven.reachability(&example()), Reachability::Checking);
    assert_eq!(driven.probed(), ["portal"]);
    driven.link(1, link(LinkState::None));
    assert_eq!(driven.probes, []);
}

#[test]
fn what_an_unencrypted_answer_shows_is_not_believed_before_the_check() {
    let plain = key("http://plain.example/");
    let mut driven = waiting();
    driven.fetch(0, &plain, FetchOutcome::Responded);
    assert_eq!(driven.reachability(&plain), Reachability::Unknown);
    driven.fetch(0, &example(), FetchOutcome::Responded);
    assert_eq!(driven.reachability(&example()), Reachability::Reachable);
    let mut driven = waiting();
    driven.end(0, ProbeOutcome::Reached);
    driven.fetch(0, &plain, FetchOutcome::Responded);
    assert_eq!(driven.reachability(&plain), Reachability::Reachable);
}

#[test]
fn an_encrypted_answer_behind_a_portal_has_it_checked_at_once() {
    let mut driven = waiting();
    for second in [0, 1, 3, 7] {
        driven.time(second);
        driven.end(second, ProbeOutcome::Altered);
    }
    let other = key("https://other.example/");
    driven.fetch(7, &other, FetchOutcome::Responded);
    assert_eq!(driven.probed(), [""; 0], "it was checked a moment ago");
    driven.fetch(8, &other, FetchOutcome::Responded);
    assert_eq!(driven.probed(), ["portal"]);
    assert_eq!(driven.reachability(&other), Reachability::Unknown);
}

#[test]
fn the_machine_itself_is_behind_no_portal() {
    let local = key("http://localhost/");
    let mut driven = waiting();
    driven.end(0, ProbeOutcome::Altered);
    driven.set_awaited(0, &local, true);
    assert_eq!(driven.probed(), ["http://localhost"]);
    assert_eq!(driven.reachability(&local), Reachability::Checking);
    assert!(driven.monitor.published.is_online_for(&local));
}
