//! What is known about an origin's server: what it holds back, when it fires, and what the network
//! monitor is told.

use std::collections::{BTreeMap, BTreeSet};

use network_traits::{LinkState, NetworkState, PortalState, Reachability};
use sync_manager::SyncPolicy;
use sync_traits::{HoldReason, LogEvent};

use crate::support::{
    FIRST_BACK_OFF, HOUR, MINUTE, SITE, StoreMode, World, offline, online, origin, url,
    with_reachability,
};

const NOTHING: [&str; 0] = [];
const APP: &str = "https://example.org/app/";

fn checking() -> NetworkState {
    with_reachability(Reachability::Checking)
}

fn unreachable() -> NetworkState {
    with_reachability(Reachability::Unreachable)
}

fn reachable() -> NetworkState {
    with_reachability(Reachability::Reachable)
}

fn behind_a_login_page() -> NetworkState {
    NetworkState {
        portal: PortalState::Captive,
        ..online()
    }
}

/// A network that is new, where a captive portal is looked for.
fn unchecked(reachability: Reachability) -> NetworkState {
    NetworkState {
        portal: PortalState::Unchecked,
        ..with_reachability(reachability)
    }
}

/// Being offline is emulated for this scope.
fn offline_for(scope: &str) -> NetworkState {
    NetworkState {
        offline_registrations: BTreeMap::from([(origin(scope), BTreeSet::from([url(scope)]))]),
        ..online()
    }
}

fn held_by(world: &World, tag: &str) -> Option<HoldReason> {
    world.info(tag).unwrap().held_by
}

/// How often the network monitor was told something.
fn told(world: &World) -> usize {
    let about_origins = |line: &&String| line.starts_with("await origin");
    world.trace.iter().filter(about_origins).count()
}

fn is_awaited(world: &World) -> bool {
    world.awaited.contains(&origin(SITE))
}

#[test]
fn what_waits_for_a_server_fires_when_it_answers_or_nothing_is_known_of_it() {
    for (held, reason) in [
        (checking(), HoldReason::Checking),
        (unreachable(), HoldReason::Unreachable),
        (behind_a_login_page(), HoldReason::CaptivePortal),
    ] {
        for released in [reachable(), online()] {
            let mut world = World::new(SyncPolicy::default());
            world.set_network(held.clone());
            world.register("outbox");
            world.pass(HOUR);
            assert_eq!(world.firing(), NOTHING);
            assert_eq!(held_by(&world, "outbox"), Some(reason.clone()));
            assert!(is_awaited(&world));
            world.set_network(released);
            assert_eq!(world.firing(), ["outbox"]);
            assert!(!is_awaited(&world));
        }
    }
}

#[test]
fn what_is_registered_on_a_network_that_was_not_checked_for_a_portal_awaits_the_check() {
    for release in [online(), behind_a_login_page()] {
        let fires = release.portal == PortalState::Open;
        let mut world = World::online();
        world.set_network(NetworkState {
            portal: PortalState::Unchecked,
            ..online()
        });
        assert_eq!(told(&world), 0, "nothing waits for the check yet");
        world.register("outbox");
        assert_eq!(world.firing(), NOTHING);
        assert_eq!(held_by(&world, "outbox"), Some(HoldReason::Checking));
        assert!(is_awaited(&world));
        world.set_network(unchecked(Reachability::Checking));
        assert_eq!(world.firing(), NOTHING);
        world.set_network(release);
        assert_eq!(world.firing() == ["outbox"], fires);
        assert_eq!(is_awaited(&world), !fires);
        assert_eq!(world.info("outbox").unwrap().attempts, u32::from(fires));
    }
}

#[test]
fn on_a_network_that_was_not_checked_an_origin_that_has_answered_does_not_wait() {
    let mut world = World::online();
    world.set_network(unchecked(Reachability::Reachable));
    world.register("outbox");
    assert_eq!(world.firing(), ["outbox"]);
    world.open_site("http://localhost:8000/");
    world
        .register_at("http://localhost:8000/", "local")
        .unwrap();
    assert_eq!(world.firing(), ["outbox", "local"]);
}

#[test]
fn a_network_that_turns_out_to_be_unchecked_at_dispatch_fires_nothing() {
    let mut world = World::online();
    world.network = NetworkState {
        portal: PortalState::Unchecked,
        ..online()
    };
    world.register("outbox");
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
    assert!(is_awaited(&world));
}

#[test]
fn the_check_at_the_start_of_the_engine_cuts_no_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    world.restart();
    world.set_network(NetworkState {
        portal: PortalState::Unchecked,
        ..online()
    });
    world.set_network(online());
    world.pass(MINUTE);
    assert_eq!(world.firing(), NOTHING);
}

#[test]
fn a_server_that_is_unreachable_holds_back_no_other() {
    let mut world = World::online();
    world.open_site("https://other.example/");
    world.set_network(unreachable());
    world
        .register_at("https://other.example/", "other")
        .unwrap();
    assert_eq!(world.firing(), ["other"]);
}

#[test]
fn a_link_that_comes_up_fires_only_after_the_check() {
    let mut world = World::offline();
    world.register("outbox");
    assert!(
        is_awaited(&world),
        "the monitor knows before the link is up"
    );
    world.set_network(checking());
    assert_eq!(world.firing(), NOTHING);
    // It goes down again: a flap fires nothing.
    world.set_network(offline());
    world.set_network(checking());
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(told(&world), 1);
    world.set_network(reachable());
    assert_eq!(world.firing(), ["outbox"]);
    assert_eq!(told(&world), 2);
}

#[test]
fn a_check_that_begins_between_the_start_and_the_dispatch_is_waited_for() {
    let mut world = World::online();
    world.network = checking();
    world.register("outbox");
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
    world.set_network(reachable());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn checks_come_and_go_without_an_entry_in_the_event_log() {
    let mut world = World::online();
    world.set_network(unreachable());
    world.register("outbox");
    for _ in 0..5 {
        world.set_network(checking());
        world.set_network(unreachable());
    }
    let held: Vec<_> = world
        .events("outbox")
        .into_iter()
        .filter(|event| matches!(event, LogEvent::Held { .. }))
        .collect();
    let reason = HoldReason::Unreachable;
    assert_eq!(held, [LogEvent::Held { reason }]);
}

#[test]
fn nothing_is_awaited_as_long_as_everything_goes_well() {
    let mut world = World::online();
    world.register("outbox");
    world.fulfil("outbox");
    world.register("failing");
    // The server's answer was no good, or the handler has a bug: a probe would tell nothing.
    world.reject("failing");
    world.pass(FIRST_BACK_OFF);
    world.fulfil("failing");
    assert_eq!(told(&world), 0);
}

#[test]
fn a_back_off_after_a_failure_for_want_of_network_is_awaited_and_ends_when_the_server_answers() {
    for lost in [offline(), unreachable()] {
        let mut world = World::online();
        world.register("outbox");
        world.set_network(lost);
        world.reject("outbox");
        assert!(is_awaited(&world));
        world.set_network(checking());
        world.set_network(unreachable());
        assert_eq!(world.firing(), NOTHING);
        world.set_network(reachable());
        assert_eq!(world.firing(), ["outbox"]);
        assert!(!is_awaited(&world));
        assert_eq!(told(&world), 2);
    }
}

#[test]
fn an_attempt_that_lost_the_network_for_a_moment_is_tried_again_when_a_probe_succeeds() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(offline());
    world.set_network(online());
    world.reject("outbox");
    assert!(is_awaited(&world));
    world.set_network(checking());
    assert_eq!(world.firing(), NOTHING);
    world.set_network(reachable());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn a_server_that_cannot_be_reached_is_not_tried_blindly_when_the_back_off_is_over() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(unreachable());
    world.reject("outbox");
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(held_by(&world, "outbox"), Some(HoldReason::Unreachable));
    world.pass(HOUR);
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(told(&world), 1, "it is awaited all the time");
    world.set_network(checking());
    world.set_network(reachable());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn without_probes_a_server_is_tried_again_when_the_back_off_is_over() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(unreachable());
    world.reject("outbox");
    // A monitor that does not probe forgets what it has not seen for some time.
    world.set_network(online());
    world.pass(4 * MINUTE);
    assert_eq!(world.firing(), NOTHING);
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_attempt_whose_server_is_being_checked_again_at_its_end_does_not_count() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(unreachable());
    world.set_network(checking());
    world.reject("outbox");
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
}

#[test]
fn an_attempt_whose_server_has_answered_since_counts() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(unreachable());
    world.set_network(reachable());
    world.reject("outbox");
    assert_eq!(world.info("outbox").unwrap().attempts, 1);
}

#[test]
fn attempts_against_a_server_that_comes_and_goes_are_bounded() {
    let mut world = World::online();
    world.register("outbox");
    let mut attempts = 0;
    while world.firing() == ["outbox"] {
        attempts += 1;
        world.set_network(unreachable());
        world.reject("outbox");
        world.set_network(checking());
        world.set_network(reachable());
        world.pass(HOUR);
    }
    assert_eq!(attempts, 13);
}

#[test]
fn after_a_restart_a_back_off_for_want_of_network_is_awaited_and_ends_when_a_probe_succeeds() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(offline());
    world.reject("outbox");
    world.restart();
    assert!(is_awaited(&world));
    world.set_network(checking());
    assert_eq!(world.firing(), NOTHING);
    world.set_network(reachable());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn registering_a_held_tag_again_does_not_give_up_its_probe() {
    let mut world = World::online();
    world.set_network(checking());
    world.register("outbox");
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    assert!(is_awaited(&world));
    world.commit_all();
    assert_eq!(told(&world), 1);
}

#[test]
fn what_cannot_fire_anyway_awaits_nothing() {
    let mut world = World::new(SyncPolicy {
        needs_window: true,
        ..SyncPolicy::default()
    });
    world.set_network(unreachable());
    world.register("outbox");
    assert!(is_awaited(&world));
    world.set_windows(SITE, 0);
    assert!(!is_awaited(&world));
    world.set_windows(SITE, 2);
    assert!(is_awaited(&world));
    world.set_permission(SITE, false);
    assert!(!is_awaited(&world));
}

#[test]
fn at_the_end_nothing_is_awaited_any_more() {
    let mut world = World::offline();
    world.open_site("https://other.example/");
    world.register("outbox");
    world
        .register_at("https://other.example/", "other")
        .unwrap();
    assert_eq!(world.awaited.len(), 2);
    world.exit();
    assert_eq!(world.awaited.len(), 0);
}

#[test]
fn a_policy_that_does_not_heed_reachability_neither_waits_nor_probes() {
    let mut world = World::new(SyncPolicy {
        heeds_reachability: false,
        ..SyncPolicy::default()
    });
    world.set_network(offline());
    world.register("outbox");
    world.set_network(unreachable());
    assert_eq!(world.firing(), ["outbox"]);
    world.set_network(checking());
    world.register("drafts");
    assert_eq!(world.firing(), ["outbox", "drafts"]);
    assert_eq!(told(&world), 0);
}

#[test]
fn being_offline_can_be_emulated_for_one_service_worker_registration() {
    let mut world = World::online();
    world.open_site(APP);
    world.set_network(offline_for(APP));
    world.register_at(APP, "held").unwrap();
    world.register("free");
    assert_eq!(world.firing(), ["free"]);
    assert_eq!(held_by(&world, "held"), Some(HoldReason::Offline));
    assert_eq!(told(&world), 0, "the server has nothing to do with it");
    world.set_network(online());
    assert_eq!(world.firing(), ["free", "held"]);
}

#[test]
fn emulation_for_a_registration_is_looked_at_once_more_at_dispatch() {
    let mut world = World::online();
    world.network = offline_for(SITE);
    world.register("outbox");
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_attempt_during_emulation_for_its_registration_does_not_count_and_its_end_ends_the_back_off() {
    let mut world = World::online();
    world.open_site(APP);
    world.register_at(APP, "app").unwrap();
    world.register("site");
    world.set_network(offline_for(APP));
    world.reject("app");
    world.reject("site");
    assert_eq!(world.info("app").unwrap().attempts, 0);
    assert_eq!(world.info("site").unwrap().attempts, 1);
    world.set_network(online());
    assert_eq!(world.firing(), ["app"]);
}

#[test]
fn a_link_without_an_address_awaits_the_origin_and_fires_nothing() {
    let mut world = World::offline();
    world.register("outbox");
    for link in [LinkState::NoAddress, LinkState::NoRoute] {
        world.set_network(NetworkState {
            link,
            ..NetworkState::default()
        });
        assert_eq!(world.firing(), NOTHING);
    }
    assert_eq!(told(&world), 1);
}
