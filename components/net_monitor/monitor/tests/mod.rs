mod portal;
mod probing;
mod walk;

use network_traits::{CostHint, NetworkIdentity};
use url::Url;

use super::*;

fn key(url: &str) -> StorageKey {
    StorageKey::from_url(&Url::parse(url).unwrap()).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().saturating_add(Duration::from_secs(seconds))
}

fn routable(network: u64) -> LinkSnapshot {
    LinkSnapshot {
        link: LinkState::Routable,
        identity: Some(NetworkIdentity(network)),
        cost: CostHint::Unknown,
    }
}

fn link(link: LinkState) -> LinkSnapshot {
    LinkSnapshot {
        link,
        ..LinkSnapshot::default()
    }
}

/// What is published, if anything.
fn published(monitor: &mut Monitor) -> Option<NetworkState> {
    let state = monitor.poll_output().map(|output| match output {
        Output::Publish(state) => state,
        other => panic!("nothing is awaited: {other:?}"),
    });
    assert_eq!(monitor.poll_output(), None);
    state
}

fn monitor_on(network: u64) -> Monitor {
    let mut monitor = Monitor::new(EvidencePolicy::default());
    monitor.handle_link_changed(at(0), routable(network));
    assert!(published(&mut monitor).is_some());
    monitor
}

#[test]
fn each_change_of_the_links_is_published_once() {
    let mut monitor = Monitor::new(EvidencePolicy::default());
    for (snapshot, is_news) in [
        (link(LinkState::Unknown), false),
        (link(LinkState::None), true),
        (link(LinkState::None), false),
        (link(LinkState::NoAddress), true),
        (link(LinkState::NoRoute), true),
        (routable(1), true),
        (routable(1), false),
        (routable(2), true),
        (
            LinkSnapshot {
                cost: CostHint::Metered,
                ..routable(2)
            },
            true,
        ),
        (link(LinkState::Unknown), true),
    ] {
        monitor.handle_link_changed(at(0), snapshot);
        let state = published(&mut monitor);
        assert_eq!(state.is_some(), is_news, "{snapshot:?}");
        if let Some(state) = state {
            assert_eq!(state.link, snapshot.link);
            assert_eq!(state.identity, snapshot.identity);
            assert_eq!(state.cost, snapshot.cost);
        }
        assert_eq!(
            monitor.poll_timeout(),
            Deadline::default(),
            "an idle monitor sleeps"
        );
    }
}

#[test]
fn a_network_whose_identity_is_found_out_later_is_still_the_same() {
    let mut monitor = Monitor::new(MonitorPolicy::default());
    let origin = key("https://example.org/");
    monitor.handle_link_changed(at(0), link(LinkState::Routable));
    published(&mut monitor);
    monitor.handle_fetch_outcome(at(0), origin.clone(), FetchOutcome::Responded);
    published(&mut monitor);
    monitor.handle_link_changed(at(0), routable(1));
    let state = published(&mut monitor).unwrap();
    assert_eq!(state.identity, Some(NetworkIdentity(1)));
    assert_eq!(state.reachability(&origin), Reachability::Reachable);
    monitor.handle_link_changed(at(0), link(LinkState::Routable));
    let state = published(&mut monitor).unwrap();
    assert_eq!(state.reachability(&origin), Reachability::Unknown);
}

#[test]
fn identities_are_published_under_the_key_of_the_profile() {
    let identity = |key: u8, network| {
        let mut monitor = Monitor::new(MonitorPolicy {
            identity_key: Some(NetworkIdentityKey::new([key; 16])),
            ..MonitorPolicy::default()
        });
        monitor.handle_link_changed(at(0), routable(network));
        published(&mut monitor).unwrap().identity.unwrap()
    };
    assert_eq!(identity(1, 7), identity(1, 7));
    assert_ne!(identity(1, 7), identity(1, 8));
    assert_ne!(identity(1, 7), identity(2, 7));
    assert_ne!(identity(1, 7), NetworkIdentity(7));
}

#[test]
fn offline_is_emulated_until_the_last_session_ends_it() {
    let mut monitor = monitor_on(1);
    let (first, second) = (EmulationSessionId(1), EmulationSessionId(2));
    monitor.handle_emulate_offline(at(0), first, true);
    assert!(!published(&mut monitor).unwrap().is_online());
    monitor.handle_emulate_offline(at(0), first, true);
    monitor.handle_emulate_offline(at(0), second, true);
    assert_eq!(published(&mut monitor), None);
    monitor.handle_emulate_offline(at(0), first, false);
    assert_eq!(
        published(&mut monitor),
        None,
        "the second session still holds it"
    );
    monitor.handle_emulate_offline(at(0), second, false);
    assert!(published(&mut monitor).unwrap().is_online());
}

#[test]
fn a_registration_is_offline_until_the_last_session_ends_it() {
    let mut monitor = monitor_on(1);
    let (first, second) = (EmulationSessionId(1), EmulationSessionId(2));
    let origin = key("https://example.org/");
    let scope = Url::parse("https://example.org/app/").unwrap();
    let other = Url::parse("https://example.org/").unwrap();
    let mut emulate = |session, offline| {
        let (origin, scope) = (origin.clone(), scope.clone());
        monitor.handle_emulate_registration_offline(at(0), session, origin, scope, offline);
        published(&mut monitor)
    };
    let state = emulate(first, true).unwrap();
    assert!(!state.is_online_for_registration(&origin, &scope));
    assert!(state.is_online_for_registration(&origin, &other));
    assert!(state.is_online_for(&origin) && state.is_online());
    assert_eq!(emulate(second, true), None);
    assert_eq!(emulate(first, false), None, "the second session holds it");
    let state = emulate(second, false).unwrap();
    assert!(state.is_online_for_registration(&origin, &scope));
    assert_eq!(state.offline_registrations, BTreeMap::new());
}

#[test]
fn a_session_that_is_over_emulates_nothing_any_more() {
    let mut monitor = monitor_on(1);
    let (over, other) = (EmulationSessionId(1), EmulationSessionId(2));
    let origin = key("https://example.org/");
    let scope = |path: &str| {
        Url::parse("https://example.org/")
            .unwrap()
            .join(path)
            .unwrap()
    };
    monitor.handle_emulate_offline(at(0), over, true);
    published(&mut monitor);
    for (session, path) in [(over, "a"), (over, "b"), (other, "b")] {
        let (origin, scope) = (origin.clone(), scope(path));
        monitor.handle_emulate_registration_offline(at(0), session, origin, scope, true);
        published(&mut monitor);
    }
    monitor.handle_emulation_session_ended(at(0), over);
    let state = published(&mut monitor).unwrap();
    assert!(state.is_online());
    assert!(state.is_online_for_registration(&origin, &scope("a")));
    assert!(!state.is_online_for_registration(&origin, &scope("b")));
}

#[test]
fn a_link_that_comes_and_goes_stays_hidden_behind_emulated_offline() {
    let mut monitor = monitor_on(1);
    monitor.handle_emulate_offline(at(0), EmulationSessionId(1), true);
    published(&mut monitor);
    monitor.handle_link_changed(at(0), link(LinkState::None));
    assert!(!published(&mut monitor).unwrap().is_online());
    monitor.handle_link_changed(at(0), routable(1));
    let state = published(&mut monitor).unwrap();
    assert_eq!(state.link, LinkState::Routable);
    assert!(!state.is_online() && !state.is_online_for(&key("https://example.org/")));
}

#[test]
fn fetches_show_whether_an_origin_is_reachable() {
    let mut monitor = monitor_on(1);
    let origin = key("https://example.org/");
    for (outcome, reachability) in [
        (FetchOutcome::Responded, Reachability::Reachable),
        (FetchOutcome::ConnectFailed, Reachability::Unreachable),
        (FetchOutcome::Responded, Reachability::Reachable),
        (FetchOutcome::NameNotResolved, Reachability::Unreachable),
    ] {
        monitor.handle_fetch_outcome(at(0), origin.clone(), outcome);
        let state = published(&mut monitor).unwrap();
        assert_eq!(state.reachability(&origin), reachability, "{outcome:?}");
        monitor.handle_fetch_outcome(at(1), origin.clone(), outcome);
        assert_eq!(published(&mut monitor), None, "the same again is no news");
    }
}

#[test]
fn an_unreachable_origin_is_in_doubt_again_after_a_while() {
    let mut monitor = monitor_on(1);
    let (down, up) = (key("https://down.example/"), key("https://up.example/"));
    monitor.handle_fetch_outcome(at(0), up.clone(), FetchOutcome::Responded);
    published(&mut monitor);
    assert_eq!(monitor.poll_timeout(), Deadline::default());
    monitor.handle_fetch_outcome(at(10), down.clone(), FetchOutcome::ConnectFailed);
    published(&mut monitor);
    assert_eq!(
        monitor.poll_timeout().after(at(10)),
        Some(Duration::from_secs(5 * 60))
    );
    monitor.handle_timeout(at(309));
    assert_eq!(published(&mut monitor), None);
    monitor.handle_timeout(at(310));
    let state = published(&mut monitor).unwrap();
    assert_eq!(state.reachability(&down), Reachability::Unknown);
    assert_eq!(state.reachability(&up), Reachability::Reachable);
    assert_eq!(monitor.poll_timeout(), Deadline::default());
}

#[test]
fn evidence_ends_with_the_network_except_about_the_machine_itself() {
    for next in [link(LinkState::None), link(LinkState::Unknown), routable(2)] {
        let mut monitor = monitor_on(1);
        let (remote, local) = (key("https://example.org/"), key("http://localhost/"));
        monitor.handle_fetch_outcome(at(0), remote.clone(), FetchOutcome::Responded);
        published(&mut monitor);
        monitor.handle_fetch_outcome(at(0), local.clone(), FetchOutcome::Responded);
        published(&mut monitor);
        monitor.handle_link_changed(at(0), next);
        let state = published(&mut monitor).unwrap();
        assert_eq!(
            state.reachability(&remote),
            Reachability::Unknown,
            "{next:?}"
        );
        assert_eq!(
            state.reachability(&local),
            Reachability::Reachable,
            "{next:?}"
        );
    }
}

#[test]
fn a_failure_without_a_route_says_nothing_about_the_origin() {
    let mut monitor = Monitor::new(EvidencePolicy::default());
    monitor.handle_link_changed(at(0), link(LinkState::None));
    published(&mut monitor);
    let (remote, local) = (key("https://example.org/"), key("http://[::1]:8000/"));
    monitor.handle_fetch_outcome(at(0), remote, FetchOutcome::NameNotResolved);
    assert_eq!(published(&mut monitor), None);
    monitor.handle_fetch_outcome(at(0), local.clone(), FetchOutcome::ConnectFailed);
    let state = published(&mut monitor).unwrap();
    assert_eq!(state.reachability(&local), Reachability::Unreachable);
}

#[test]
fn the_oldest_evidence_makes_room() {
    let mut monitor = Monitor::new(EvidencePolicy {
        capacity: 2,
        ..EvidencePolicy::default()
    });
    let hosts = [
        "https://b.example/",
        "https://a.example/",
        "https://c.example/",
    ]
    .map(key);
    for (second, host) in hosts.iter().enumerate() {
        let now = at(second as u64);
        monitor.handle_fetch_outcome(now, host.clone(), FetchOutcome::Responded);
        let state = published(&mut monitor).unwrap();
        assert!(state.origins.len() <= 2);
        assert_eq!(state.reachability(host), Reachability::Reachable);
    }
    assert_eq!(
        monitor.published.reachability(&hosts[0]),
        Reachability::Unknown
    );
    assert_eq!(
        monitor.published.reachability(&hosts[1]),
        Reachability::Reachable
    );
}
