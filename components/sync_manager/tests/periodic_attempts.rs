//! What happens from the dispatch of a periodic event on: retries, floors, limits.

use std::time::Duration;

use network_traits::Reachability;
use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::{HoldReason, LogEvent, SyncKind, SyncRegistrationState};

use crate::periodic_support::{
    SECOND, just_before, nothing, pass_until_firing, register_at, world_with,
};
use crate::support::{
    DAY, FIRST_BACK_OFF, HOUR, MINUTE, SECOND_BACK_OFF, SITE, World, offline, online, rejected,
    with_reachability,
};

const OTHER: &str = "https://example.net/";

#[test]
fn a_failed_event_is_tried_after_five_and_fifteen_minutes_and_then_at_the_next_interval() {
    let mut world = world_with(&["a"]);
    for _ in 0..3 {
        pass_until_firing(&mut world);
        world.reject("a");
        for longest in [FIRST_BACK_OFF, SECOND_BACK_OFF] {
            let shortest = longest * 8 / 10;
            world.pass(shortest);
            assert_eq!(world.firing(), nothing());
            world.pass(longest.saturating_sub(shortest));
            assert_eq!(world.firing(), ["a"]);
            world.reject("a");
        }
        let state = world.info("a").unwrap().state;
        assert_eq!(state, SyncRegistrationState::Pending, "never removed");
        world.pass(just_before(12 * HOUR));
        assert_eq!(world.firing(), nothing());
    }
    assert_eq!(world.stored(), ["a"]);
}

#[test]
fn a_failing_tag_does_not_fall_behind_the_others_of_its_origin() {
    let mut world = world_with(&["fails", "works"]);
    for _ in 0..5 {
        let wait = pass_until_firing(&mut world);
        assert!(wait <= 12 * HOUR + MINUTE, "{wait:?}");
        assert_eq!(world.firing().len(), 2);
        world.fulfil("works");
        world.reject("fails");
        for back_off in [FIRST_BACK_OFF, SECOND_BACK_OFF] {
            world.pass(back_off);
            assert_eq!(world.firing(), ["fails"]);
            world.reject("fails");
        }
    }
}

#[test]
fn a_failed_event_counts_for_the_floors_as_well() {
    let mut world = world_with(&["a"]);
    world.pass(HOUR);
    world.register_periodic("b", HOUR);
    register_at(&mut world, OTHER, "c");
    world.pass(11 * HOUR);
    world.reject("a");
    for back_off in [FIRST_BACK_OFF, SECOND_BACK_OFF] {
        world.pass(back_off);
        world.reject("a");
    }
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing().len(), 3);
}

#[test]
fn a_retry_is_held_by_no_floor() {
    let mut world = world_with(&["a"]);
    register_at(&mut world, OTHER, "b");
    world.pass(12 * HOUR);
    world.reject("a");
    world.pass(SECOND);
    world.fulfil("b");
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn an_attempt_that_fails_for_want_of_network_does_not_count() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    for _ in 0..5 {
        world.set_network(with_reachability(Reachability::Unreachable));
        world.reject("a");
        assert_eq!(world.info("a").unwrap().attempts, 0);
        world.set_network(online());
        world.pass(FIRST_BACK_OFF);
        assert_eq!(world.firing(), ["a"]);
    }
    world.reject("a");
    assert_eq!(world.info("a").unwrap().attempts, 1);
}

#[test]
fn coming_back_online_cuts_the_back_off_short() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.reject("a");
    world.set_network(offline());
    world.set_network(online());
    world.pass(just_before(Duration::from_secs(30)));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn an_event_has_one_minute_and_a_retry_half_of_that() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    let first = world.reject("a");
    world.pass(FIRST_BACK_OFF);
    let retry = world.reject("a");
    assert_eq!((first.time_limit, retry.time_limit), (MINUTE, MINUTE / 2));
    assert_eq!((first.kind, first.last_chance), (SyncKind::Periodic, false));
}

#[test]
fn the_kinds_share_the_room_for_events() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 2,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register_periodic("a", HOUR);
    world.register_periodic("b", HOUR);
    world.set_network(offline());
    world.register("one-shot");
    world.pass(12 * HOUR);
    world.set_network(online());
    assert_eq!(world.firing(), ["one-shot", "a"], "one-shot ones first");
    world.fulfil("one-shot");
    assert_eq!(world.firing(), ["a", "b"]);
}

#[test]
fn the_event_log_tells_of_each_turn() {
    let mut world = world_with(&["a"]);
    let due = world.now.saturating_add(12 * HOUR).wall;
    let not_due = |until| LogEvent::Held {
        reason: HoldReason::NotDue { until },
    };
    assert_eq!(world.events("a"), [LogEvent::Registered, not_due(due)]);
    world.pass(12 * HOUR);
    world.end("a", rejected());
    world.pass(FIRST_BACK_OFF);
    world.fulfil("a");
    let events = world.events("a");
    let next = world.now.saturating_add(12 * HOUR).wall;
    assert!(
        matches!(
            &events[2..],
            [
                LogEvent::Dispatched { attempt: 1, last_chance: false },
                LogEvent::Finished { counted: true, .. },
                LogEvent::RetryScheduled { .. },
                LogEvent::Dispatched { attempt: 2, last_chance: false },
                LogEvent::Finished { outcome: EventOutcome::Fulfilled, .. },
                LogEvent::Completed,
                last,
            ] if *last == not_due(next)
        ),
        "{events:?}"
    );
    assert!(
        world
            .log
            .iter()
            .all(|entry| entry.kind == SyncKind::Periodic)
    );
}

#[test]
fn without_an_active_worker_it_waits_for_one_without_a_timer() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.end("a", EventOutcome::NoActiveWorker);
    assert_eq!(
        world.info("a").unwrap().held_by,
        Some(HoldReason::NoActiveWorker)
    );
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.pass(DAY);
    world.activate(SITE);
    assert_eq!(world.firing(), ["a"]);
    assert_eq!(world.info("a").unwrap().attempts, 1);
}

#[test]
fn the_network_is_read_again_at_dispatch_and_nothing_is_used_up() {
    let mut world = world_with(&["a"]);
    world.network = offline();
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), nothing());
    assert_eq!(world.info("a").unwrap().attempts, 0);
    world.pass(HOUR);
    world.set_network(online());
    assert_eq!(world.firing(), ["a"], "no floor holds it");
}

#[test]
fn a_handler_that_registers_its_own_tag_does_not_fire_before_its_floor() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.register_periodic("a", HOUR);
    world.fulfil("a");
    world.register_periodic("a", Duration::ZERO);
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn a_handler_that_unregisters_and_registers_does_not_fire_before_its_floor() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.unregister_periodic("a");
    world.register_periodic("a", Duration::ZERO);
    world.fulfil("a");
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}
