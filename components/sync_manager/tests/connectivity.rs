//! Which connectivity cuts a back-off short.

use std::time::Duration;

use network_traits::{NetworkIdentity, NetworkState, Reachability};
use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::HoldReason;

use crate::periodic_support::{SECOND, just_before};
use crate::support::{
    FIRST_BACK_OFF, HOUR, MINUTE, SITE, StoreMode, World, offline, online, origin, rejected,
    with_reachability,
};

/// What connectivity leaves of a back-off after an attempt that counted.
const LEAST: Duration = Duration::from_secs(30);

#[test]
fn coming_back_online_cuts_the_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    world.pass(MINUTE);
    world.set_network(offline());
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn another_network_cuts_the_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    world.pass(MINUTE);
    world.set_network(NetworkState {
        identity: Some(NetworkIdentity(2)),
        ..online()
    });
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_origin_on_this_machine_does_not_care_about_another_network() {
    let local = "http://localhost:8000/";
    let mut world = World::online();
    world.open_site(local);
    world.register_at(local, "outbox").unwrap();
    world.reject("outbox");
    world.set_network(NetworkState {
        identity: Some(NetworkIdentity(2)),
        ..online()
    });
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn the_end_of_emulated_offline_cuts_the_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(NetworkState {
        emulated_offline: true,
        ..online()
    });
    world.reject("outbox");
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn newly_verified_reachability_cuts_the_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(with_reachability(Reachability::Unreachable));
    world.reject("outbox");
    assert_eq!(world.firing(), Vec::<String>::new());
    world.set_network(with_reachability(Reachability::Reachable));
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn reachability_that_was_unknown_for_a_while_cuts_the_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(with_reachability(Reachability::Unreachable));
    world.reject("outbox");
    world.pass(MINUTE);
    // The monitor forgets what it has not seen for some time.
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
    world.set_network(with_reachability(Reachability::Reachable));
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_origin_that_is_reached_on_the_way_to_another_network_is_verified() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(with_reachability(Reachability::Unreachable));
    world.reject("outbox");
    // No new identity, but not only the reachability has changed.
    world.set_network(NetworkState {
        identity: None,
        ..with_reachability(Reachability::Reachable)
    });
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_origin_that_was_unreachable_before_the_failure_is_no_news() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(with_reachability(Reachability::Unreachable));
    world.set_network(online());
    world.reject("outbox");
    world.set_network(with_reachability(Reachability::Reachable));
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn connectivity_that_comes_while_the_back_off_is_being_written_cuts_it_short() {
    for gained in [online(), with_reachability(Reachability::Reachable)] {
        let mut world = World::online();
        world.register("outbox");
        world.mode = StoreMode::Slow;
        let lost = match gained.reachability(&origin(SITE)) {
            Reachability::Reachable => with_reachability(Reachability::Unreachable),
            _ => offline(),
        };
        world.set_network(lost);
        world.reject("outbox");
        world.set_network(gained);
        world.commit_all();
        assert_eq!(world.firing(), ["outbox"]);
    }
}

#[test]
fn connectivity_that_comes_while_the_store_cannot_write_cuts_the_back_off_short() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(offline());
    world.mode = StoreMode::Fails;
    world.reject("outbox");
    world.mode = StoreMode::Works;
    world.set_network(online());
    world.pass(MINUTE);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_answer_of_the_server_to_the_failed_attempt_itself_cuts_nothing_short() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    // The handler's fetch got a status 503, and the monitor tells late that the origin answers.
    world.set_network(with_reachability(Reachability::Reachable));
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn learning_at_the_start_that_the_machine_is_online_cuts_nothing_short() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    world.restart();
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"]);
}

fn flap(world: &mut World) {
    world.set_network(offline());
    world.set_network(online());
}

/// The time from now until the registration is tried again, as an operator sees it.
fn told_delay(world: &World) -> Duration {
    let due = world.info("outbox").unwrap().due.unwrap();
    let until = due;
    assert_eq!(
        world.explain("outbox").held_by,
        [HoldReason::BackOff { until }]
    );
    due.saturating_since(world.now.wall)
}

#[test]
fn a_link_that_comes_and_goes_does_not_use_up_the_attempts() {
    for failure in [
        rejected(),
        EventOutcome::NotStarted {
            reason: "crashed".to_owned(),
        },
    ] {
        let mut world = World::online();
        world.register("outbox");
        for attempt in 1..3 {
            world.end("outbox", failure.clone());
            for _ in 0..10 {
                flap(&mut world);
            }
            assert_eq!(world.firing(), Vec::<String>::new());
            assert_eq!(told_delay(&world), LEAST);
            world.pass(just_before(LEAST));
            flap(&mut world);
            assert_eq!(world.firing(), Vec::<String>::new());
            assert_eq!(told_delay(&world), SECOND);
            assert_eq!(world.info("outbox").unwrap().attempts, attempt);
            world.pass(SECOND);
            assert_eq!(world.firing(), ["outbox"]);
        }
    }
}

#[test]
fn the_least_delay_is_over_by_whichever_clock_gets_there_first() {
    for (wall, fires) in [(29_000, false), (30_000, true), (-86_400_000, false)] {
        let mut world = World::online();
        world.register("outbox");
        world.reject("outbox");
        flap(&mut world);
        world.set_clock(wall);
        world.pass(Duration::ZERO);
        assert_eq!(world.firing() == ["outbox"], fires, "{wall}");
        world.pass(LEAST);
        assert_eq!(world.firing(), ["outbox"], "{wall}");
    }
}

#[test]
fn connectivity_that_comes_during_the_write_does_not_go_below_the_least_delay_either() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    world.reject("outbox");
    flap(&mut world);
    world.commit_all();
    assert_eq!(told_delay(&world), LEAST);
    world.pass(LEAST);
    world.commit_all();
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn the_least_delay_never_makes_a_back_off_longer() {
    let mut world = World::new(SyncPolicy {
        min_retry_delay: HOUR,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("outbox");
    world.reject("outbox");
    flap(&mut world);
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn without_a_least_delay_connectivity_ends_the_back_off_at_once() {
    let mut world = World::new(SyncPolicy {
        min_retry_delay: Duration::ZERO,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("outbox");
    world.reject("outbox");
    flap(&mut world);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn after_a_restart_the_least_delay_is_kept_too() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    flap(&mut world);
    world.restart();
    world.set_network(online());
    flap(&mut world);
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(told_delay(&world), LEAST);
    world.pass(LEAST);
    assert_eq!(world.firing(), ["outbox"]);
}
