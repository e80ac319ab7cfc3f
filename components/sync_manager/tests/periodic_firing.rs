//! When periodic syncs fire: intervals, floors, turns, retries.

use std::time::Duration;

use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::{Engagement, HoldReason, LogEvent, SyncRegistrationState};

use crate::periodic_support::{
    SECOND, just_before, nothing, pass_until_firing, register_at, world_with,
};
use crate::support::{DAY, FIRST_BACK_OFF, HOUR, MINUTE, SITE, StoreMode, World, offline, online};

const OTHER: &str = "https://example.net/";
const LOCAL: &str = "http://localhost:8000/";

#[test]
fn an_event_fires_when_the_floor_is_over_and_not_before() {
    let mut world = world_with(&["a"]);
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
    world.fulfil("a");
    assert_eq!(world.stored(), ["a"], "it stays");
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn a_longer_interval_is_not_rounded_up_to_a_multiple_of_the_floor() {
    let mut world = World::online();
    world.register_periodic("a", 17 * HOUR);
    world.pass(just_before(17 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn the_interval_is_counted_from_the_end_of_the_last_event() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.pass(MINUTE);
    world.fulfil("a");
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn an_endless_interval_never_fires() {
    let mut world = World::online();
    world.register_periodic("a", Duration::MAX);
    world.pass(1_000 * DAY);
    assert_eq!(world.firing(), nothing());
}

#[test]
fn the_floor_grows_as_engagement_shrinks() {
    for (engagement, hours) in [
        (Engagement::High, 12),
        (Engagement::Medium, 24),
        (Engagement::Low, 36),
    ] {
        let mut world = World::online();
        world.set_engagement(SITE, engagement);
        world.register_periodic("a", HOUR);
        world.pass(just_before(hours * HOUR));
        assert_eq!(world.firing(), nothing(), "{engagement:?}");
        world.pass(SECOND);
        assert_eq!(world.firing(), ["a"], "{engagement:?}");
    }
}

#[test]
fn another_engagement_moves_what_is_pending() {
    let mut world = world_with(&["a"]);
    world.set_engagement(SITE, Engagement::Low);
    world.pass(20 * HOUR);
    assert_eq!(world.firing(), nothing());
    world.set_engagement(SITE, Engagement::Medium);
    world.pass(just_before(4 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
    world.fulfil("a");
    world.pass(15 * HOUR);
    world.set_engagement(SITE, Engagement::High);
    assert_eq!(world.firing(), ["a"], "it is overdue");
}

#[test]
fn a_suspended_origin_has_no_timer_and_fires_when_engagement_comes_back() {
    let mut world = world_with(&["a"]);
    world.set_engagement(SITE, Engagement::Suspended);
    let info = world.info("a").unwrap();
    assert_eq!(info.state, SyncRegistrationState::Suspended);
    assert_eq!(info.held_by, Some(HoldReason::Suspended));
    let held = LogEvent::Held {
        reason: HoldReason::Suspended,
    };
    assert_eq!(world.events("a").last(), Some(&held));
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.pass(5 * DAY);
    assert_eq!(world.firing(), nothing());
    world.set_engagement(SITE, Engagement::High);
    assert_eq!(world.firing(), ["a"]);
    world.fulfil("a");
    world.pass(11 * HOUR);
    assert_eq!(world.firing(), nothing(), "once");
}

#[test]
fn the_first_registration_of_an_origin_is_told_its_floor() {
    let mut world = World::online();
    let due = world.now.saturating_add(36 * HOUR).wall;
    let storage_key = crate::support::origin(SITE);
    world.engagement.insert(storage_key, Engagement::Low);
    world.register_periodic("a", HOUR);
    let held = LogEvent::Held {
        reason: HoldReason::NotDue { until: due },
    };
    assert_eq!(world.events("a"), [LogEvent::Registered, held]);
    assert_eq!(world.info("a").unwrap().due, Some(due));
}

#[test]
fn one_that_is_registered_while_suspended_waits() {
    let mut world = World::online();
    world
        .engagement
        .insert(crate::support::origin(SITE), Engagement::Suspended);
    world.register_periodic("a", HOUR);
    assert_eq!(
        world.info("a").unwrap().state,
        SyncRegistrationState::Suspended
    );
    world.pass(2 * DAY);
    assert_eq!(world.firing(), nothing());
}

#[test]
fn a_retry_of_a_suspended_origin_waits_too() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.reject("a");
    world.set_engagement(SITE, Engagement::Suspended);
    world.pass(DAY);
    assert_eq!(world.firing(), nothing());
    world.set_engagement(SITE, Engagement::High);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn engagement_that_goes_between_start_and_dispatch_is_seen() {
    let mut world = world_with(&["a"]);
    world.mode = StoreMode::Slow;
    world.pass(12 * HOUR);
    world.set_engagement(SITE, Engagement::Suspended);
    world.mode = StoreMode::Works;
    world.commit_all();
    assert_eq!(world.firing(), nothing());
    assert_eq!(world.info("a").unwrap().attempts, 0);
    assert_eq!(
        world.info("a").unwrap().state,
        SyncRegistrationState::Suspended
    );
}

#[test]
fn the_tags_of_an_origin_that_are_due_fire_together() {
    let mut world = world_with(&["a", "b", "c"]);
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["a", "b", "c"]);
}

#[test]
fn what_comes_due_during_a_turn_joins_it() {
    let mut world = world_with(&["a"]);
    world.pass(20 * MINUTE);
    world.register_periodic("b", HOUR);
    world.pass((12 * HOUR).saturating_sub(20 * MINUTE));
    world.fulfil("a");
    world.pass(just_before(20 * MINUTE));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["b"]);
}

#[test]
fn what_comes_due_after_a_turn_waits_for_the_floor_of_its_origin() {
    let mut world = world_with(&["a"]);
    world.pass(40 * MINUTE);
    world.register_periodic("b", HOUR);
    world.pass((12 * HOUR).saturating_sub(40 * MINUTE));
    world.fulfil("a");
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    let held_by = world.info("b").unwrap().held_by;
    assert!(
        matches!(held_by, Some(HoldReason::NotDue { .. })),
        "{held_by:?}"
    );
    world.pass(SECOND);
    assert_eq!(
        world.firing(),
        ["b", "a"],
        "the one that waits longer first"
    );
}

#[test]
fn the_floor_of_an_origin_is_that_of_its_engagement() {
    let mut world = World::online();
    world.policy.periodic.floor_across_origins = Duration::ZERO;
    world.crash();
    world.report_stored(&[SITE]);
    world.open_site(SITE);
    world.set_network(online());
    world.register_periodic("a", HOUR);
    world.set_engagement(SITE, Engagement::Medium);
    world.pass(HOUR);
    world.register_periodic("b", HOUR);
    world.pass(23 * HOUR);
    world.fulfil("a");
    world.pass(just_before(DAY));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["b", "a"]);
}

#[test]
fn origins_that_are_due_share_a_turn_and_others_wait_for_the_next() {
    let mut world = world_with(&["a"]);
    register_at(&mut world, OTHER, "b");
    world.pass(HOUR);
    register_at(&mut world, LOCAL, "c");
    world.pass(11 * HOUR);
    assert_eq!(world.firing(), ["b", "a"]);
    world.pass(10 * SECOND);
    world.fulfil("a");
    world.fulfil("b");
    world.pass(HOUR);
    assert_eq!(world.firing(), nothing());
    let held_by = world.info("c").unwrap().held_by;
    assert!(
        matches!(held_by, Some(HoldReason::AcrossOrigins { .. })),
        "{held_by:?}"
    );
    world.pass(just_before(11 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    let mut firing = world.firing();
    firing.sort();
    assert_eq!(firing, ["a", "b", "c"]);
}

#[test]
fn origins_keep_their_common_turn_however_long_their_events_take() {
    let mut world = world_with(&["a"]);
    register_at(&mut world, OTHER, "b");
    for _ in 0..10 {
        pass_until_firing(&mut world);
        world.pass(SECOND);
        world.fulfil("b");
        world.pass(40 * SECOND);
        world.fulfil("a");
        let wait = pass_until_firing(&mut world);
        assert!(wait < 12 * HOUR + MINUTE, "{wait:?}");
        assert_eq!(world.firing().len(), 2);
    }
}

#[test]
fn the_floor_across_origins_holds_even_what_had_no_network_when_it_came_due() {
    let mut world = world_with(&["a"]);
    register_at(&mut world, LOCAL, "local");
    world.set_network(offline());
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["local"]);
    world.fulfil("local");
    world.pass(2 * HOUR);
    world.set_network(online());
    assert_eq!(world.firing(), nothing());
    world.pass(just_before(10 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing().len(), 2);
}

#[test]
fn what_does_not_fit_into_a_turn_comes_first_in_the_next() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    for tag in ["a", "b", "c"] {
        world.register_periodic(tag, HOUR);
    }
    world.pass(12 * HOUR);
    world.pass(20 * MINUTE);
    world.fulfil("a");
    world.pass(20 * MINUTE);
    assert_eq!(world.firing(), ["b"]);
    world.fulfil("b");
    assert_eq!(world.firing(), nothing(), "the turn is over");
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["c"]);
    world.fulfil("c");
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn what_was_offline_when_it_came_due_fires_once_however_many_intervals_have_passed() {
    let mut world = world_with(&["a"]);
    world.set_network(offline());
    world.pass(5 * DAY);
    assert_eq!(world.info("a").unwrap().held_by, Some(HoldReason::Offline));
    world.set_network(online());
    assert_eq!(world.firing(), ["a"]);
    world.fulfil("a");
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
}

#[test]
fn time_in_which_the_machine_slept_counts() {
    let mut world = world_with(&["a"]);
    world.set_clock(13 * 3_600_000);
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn a_clock_that_is_set_back_and_forth_loses_nothing_and_fires_nothing_twice() {
    let day = 24 * 3_600_000;
    let mut world = world_with(&["a"]);
    world.set_clock(-day);
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(
        world.firing(),
        ["a"],
        "in time by the clock that nobody sets"
    );
    world.fulfil("a");
    world.set_clock(day);
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"], "it looks like sleep");
    world.fulfil("a");
    for _ in 0..5 {
        world.set_clock(-day);
        world.pass(SECOND);
        world.set_clock(day);
        world.pass(SECOND);
        assert_eq!(world.firing(), nothing());
    }
    world.set_clock(-day);
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn of_two_kinds_the_earlier_is_waited_for() {
    let mut world = world_with(&["a"]);
    world.register("one-shot");
    world.reject("one-shot");
    let left = world.manager.poll_deadline().after(world.now).unwrap();
    assert!(left <= FIRST_BACK_OFF, "the back-off: {left:?}");
    world.pass(FIRST_BACK_OFF);
    world.fulfil("one-shot");
    let left = world.manager.poll_deadline().after(world.now).unwrap();
    assert_eq!(
        left,
        (12 * HOUR).saturating_sub(FIRST_BACK_OFF),
        "the interval"
    );
}

#[test]
fn a_floor_that_is_not_over_wakes_nobody_before_it_is() {
    let mut world = world_with(&["a"]);
    world.pass(2 * HOUR);
    world.register_periodic("b", HOUR);
    register_at(&mut world, OTHER, "c");
    world.pass(10 * HOUR);
    world.fulfil("a");
    let left = world.manager.poll_deadline().after(world.now);
    assert_eq!(left, Some(12 * HOUR), "two are due in two hours");
}

#[test]
fn an_event_whose_tag_is_unregistered_while_it_is_handled_counts_for_the_floors() {
    for next in [SITE, OTHER] {
        let mut world = World::new(SyncPolicy {
            max_concurrent_events: 1,
            ..SyncPolicy::default()
        });
        world.set_network(online());
        world.register_periodic("a", HOUR);
        world.pass(SECOND);
        register_at(&mut world, next, "b");
        world.pass(12 * HOUR);
        assert_eq!(world.firing(), ["a"]);
        world.unregister_periodic("a");
        // The turn is over when the event ends, so "b" is too late for it.
        world.pass(HOUR);
        world.fulfil("a");
        world.pass(just_before(12 * HOUR));
        assert_eq!(world.firing(), nothing());
        world.pass(SECOND);
        assert_eq!(world.firing(), ["b"]);
    }
}

#[test]
fn an_event_whose_tag_is_unregistered_counts_for_the_floors_when_the_engine_is_shut_down() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register_periodic("a", HOUR);
    world.pass(SECOND);
    world.register_periodic("b", HOUR);
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["a"]);
    world.unregister_periodic("a");
    world.pass(HOUR);
    world.exit();
    world.restart();
    world.set_network(online());
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["b"]);
}

#[test]
fn an_event_that_no_worker_got_and_whose_tag_is_unregistered_counts_for_no_floor() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register_periodic("a", HOUR);
    world.pass(SECOND);
    register_at(&mut world, OTHER, "b");
    world.pass(12 * HOUR);
    world.unregister_periodic("a");
    world.pass(HOUR);
    world.end("a", EventOutcome::NoActiveWorker);
    assert_eq!(world.firing(), ["b"]);
}
