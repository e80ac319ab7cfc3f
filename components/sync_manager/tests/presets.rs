//! What each preset decides, rule by rule.

use std::time::Duration;

use network_traits::{NetworkIdentity, NetworkState, Reachability};
use sync_manager::SyncPolicy;
use sync_traits::{HoldReason, LogEvent, SyncRegistrationState};

use crate::periodic_support::pass_until_firing;
use crate::support::{
    DAY, HOUR, MINUTE, SITE, World, offline, online, rejected, with_reachability,
};

const NOTHING: [&str; 0] = [];
const SECOND: Duration = Duration::from_secs(1);

fn chromium() -> World {
    let mut world = World::new(SyncPolicy::chromium());
    world.set_network(online());
    world
}

fn private() -> World {
    let mut world = World::new(SyncPolicy::private());
    world.set_network(online());
    world
}

#[test]
fn chromium_tries_three_times_after_exactly_five_and_fifteen_minutes() {
    let mut world = chromium();
    world.register("outbox");
    for minutes in [5, 15] {
        assert!(!world.reject("outbox").last_chance);
        world.pass((minutes * MINUTE).saturating_sub(SECOND));
        assert_eq!(world.firing(), NOTHING);
        world.pass(SECOND);
        assert_eq!(world.firing(), ["outbox"]);
    }
    let last = world.reject("outbox");
    assert!(last.last_chance);
    assert_eq!(last.time_limit, 3 * MINUTE);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn chromium_counts_an_attempt_that_failed_for_want_of_network() {
    let mut world = chromium();
    world.register("outbox");
    world.set_network(offline());
    world.reject("outbox");
    assert_eq!(world.info("outbox").unwrap().attempts, 1);
}

#[test]
fn chromium_waits_a_back_off_out_whatever_the_network_does() {
    let mut world = chromium();
    world.register("outbox");
    world.set_network(offline());
    world.reject("outbox");
    world.set_network(with_reachability(Reachability::Unreachable));
    world.set_network(with_reachability(Reachability::Reachable));
    world.pass(4 * MINUTE);
    assert_eq!(world.firing(), NOTHING);
    world.pass(MINUTE);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn chromium_ignores_a_tag_that_is_registered_again_during_its_back_off() {
    let mut world = chromium();
    world.register("outbox");
    world.reject("outbox");
    world.pass(MINUTE);
    world.register("outbox");
    let info = world.info("outbox").unwrap();
    assert_eq!(info.state, SyncRegistrationState::Waiting);
    assert_eq!(info.attempts, 1);
    world.pass(4 * MINUTE);
    assert_eq!(
        world.firing(),
        ["outbox"],
        "the back-off is as long as before"
    );
}

#[test]
fn chromium_fires_without_end_for_a_handler_that_registers_its_own_tag() {
    let mut world = chromium();
    world.register("during");
    world.register("after");
    for _ in 0..50 {
        world.register("during");
        world.end("during", rejected());
        world.fulfil("after");
        world.register("after");
        assert_eq!(world.firing(), ["during", "after"]);
    }
}

#[test]
fn chromium_has_no_bound_on_events_in_flight_nor_on_tags() {
    let mut world = chromium();
    for number in 0..10_050 {
        world.register(format!("{number}"));
    }
    assert_eq!(world.running.len(), 10_050);
}

#[test]
fn chromium_forgets_no_registration_for_its_age() {
    let mut world = chromium();
    world.set_network(offline());
    world.register("outbox");
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.pass(1_000 * DAY);
    assert_eq!(world.tags(), ["outbox"]);
}

#[test]
fn chromium_waits_for_a_link_to_settle_and_then_does_not_care_about_the_server() {
    let mut world = chromium();
    world.set_network(offline());
    world.register("outbox");
    world.set_network(with_reachability(Reachability::Unreachable));
    world.pass(Duration::from_millis(1_499));
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::Settling)
    );
    world.set_network(offline());
    world.set_network(online());
    world.pass(Duration::from_millis(1_499));
    assert_eq!(world.firing(), NOTHING, "each link-up counts anew");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.firing(), ["outbox"]);
    assert!(!world.trace.contains(&"await origin".to_owned()));
}

#[test]
fn chromium_does_not_count_an_attempt_that_a_crash_interrupted() {
    let mut world = chromium();
    world.register("outbox");
    for _ in 0..5 {
        world.restart();
        world.set_network(online());
        assert_eq!(world.firing(), ["outbox"]);
        assert_eq!(world.info("outbox").unwrap().attempts, 1);
    }
}

#[test]
fn private_fires_only_while_a_page_of_the_site_is_open() {
    let mut world = private();
    world.set_network(offline());
    world.register("outbox");
    world.set_windows(SITE, 0);
    world.set_network(online());
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::NoWindow)
    );
    assert_eq!(
        world.events("outbox").last(),
        Some(&LogEvent::Held {
            reason: HoldReason::NoWindow
        })
    );
    world.open_site("https://other.example/");
    assert_eq!(world.firing(), NOTHING);
    world.set_windows(SITE, 1);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn private_does_not_fire_when_the_last_page_is_closed_before_the_dispatch() {
    let mut world = private();
    world.mode = crate::support::StoreMode::Slow;
    world.ask(SITE, "outbox");
    world.commit_one(true);
    world.set_windows(SITE, 0);
    world.mode = crate::support::StoreMode::Works;
    world.commit_all();
    assert_eq!(world.firing(), NOTHING);
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
}

#[test]
fn private_fires_only_on_the_network_of_the_registration() {
    let mut world = private();
    world.set_network(offline());
    world.register("outbox");
    world.set_network(NetworkState {
        identity: Some(NetworkIdentity(2)),
        ..online()
    });
    assert_eq!(world.firing(), NOTHING);
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn private_tries_once() {
    let mut world = private();
    world.register("outbox");
    assert!(world.reject("outbox").last_chance);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn what_stays_on_this_machine_waits_for_no_link_and_no_network() {
    let local = "http://localhost:8000/";
    let mut world = World::new(SyncPolicy {
        settling_delay: MINUTE,
        ..SyncPolicy::private()
    });
    world.set_network(online());
    world.open_site(local);
    world.set_network(NetworkState {
        emulated_offline: true,
        ..online()
    });
    world.register_at(local, "outbox").unwrap();
    assert_eq!(world.firing(), NOTHING);
    world.set_network(NetworkState {
        identity: Some(NetworkIdentity(2)),
        ..online()
    });
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn a_link_that_is_gone_before_it_has_settled_wakes_nobody() {
    let mut world = chromium();
    world.set_network(offline());
    world.register("outbox");
    world.set_network(online());
    let settles = world.manager.poll_deadline().after(world.now);
    assert_eq!(settles, Some(Duration::from_millis(1_500)));
    world.set_network(offline());
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
}

#[test]
fn private_tries_a_periodic_sync_once_an_interval_even_without_network() {
    let mut world = private();
    world.register_periodic("news", HOUR);
    pass_until_firing(&mut world);
    world.set_network(offline());
    world.reject("news");
    world.set_network(online());
    world.pass(HOUR);
    assert_eq!(world.firing(), NOTHING);
}
