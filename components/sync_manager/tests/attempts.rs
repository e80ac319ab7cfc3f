//! Firing, retrying, and what counts.

use std::time::Duration;

use network_traits::Reachability;
use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::{DropReason, LogEvent, SyncRegistrationState};

use crate::support::{
    DAY, FIRST_BACK_OFF, HOUR, MINUTE, SECOND_BACK_OFF, SITE, StoreMode, World, offline, online,
    rejected, with_reachability,
};

#[test]
fn a_sync_that_succeeds_is_removed_durably() {
    let mut world = World::online();
    world.register("outbox");
    world.fulfil("outbox");
    assert_eq!(world.stored(), Vec::<String>::new());
    assert_eq!(world.events("outbox").last(), Some(&LogEvent::Completed));
    world.restart();
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn a_failed_sync_is_tried_after_five_and_fifteen_minutes_and_then_dropped() {
    let mut world = World::online();
    world.register("outbox");
    assert!(!world.reject("outbox").last_chance);
    world.pass(Duration::from_secs(269));
    assert_eq!(world.firing(), Vec::<String>::new());
    world.pass(Duration::from_secs(62));
    assert!(!world.reject("outbox").last_chance);
    world.pass(Duration::from_secs(809));
    assert_eq!(world.firing(), Vec::<String>::new());
    world.pass(Duration::from_secs(182));
    let last = world.reject("outbox");
    assert!(last.last_chance);
    assert_eq!(world.stored(), Vec::<String>::new());
    let reason = DropReason::AttemptsExhausted;
    assert_eq!(
        world.events("outbox").last(),
        Some(&LogEvent::Dropped { reason })
    );
    world.pass(DAY);
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn delays_have_jitter_that_depends_on_the_seed_alone() {
    let due = |seed: u64| {
        let mut world = World::online();
        world.seed = seed;
        world.restart();
        world.open_site(SITE);
        world.set_network(online());
        world.register("outbox");
        world.reject("outbox");
        world
            .info("outbox")
            .unwrap()
            .due
            .unwrap()
            .saturating_since(world.now.wall)
    };
    let delays: Vec<_> = (0..20).map(due).collect();
    let range = Duration::from_secs(270)..=Duration::from_secs(330);
    assert!(
        delays.iter().all(|delay| range.contains(delay)),
        "{delays:?}"
    );
    assert!(delays.iter().any(|delay| *delay != delays[0]));
    assert_eq!(due(3), delays[3]);
}

#[test]
fn the_start_of_an_attempt_is_durable_before_the_worker_gets_the_event() {
    let mut world = World::online();
    world.register("outbox");
    let stored = sync_manager::read::registrations(world.store()).unwrap();
    assert_eq!(stored[0].state, SyncRegistrationState::Firing);
    assert_eq!(stored[0].attempts, 1);
}

#[test]
fn a_handler_that_crashes_the_engine_uses_up_its_attempts() {
    let mut world = World::online();
    world.register("outbox");
    for back_off in [FIRST_BACK_OFF, SECOND_BACK_OFF] {
        world.restart();
        world.set_network(online());
        assert_eq!(world.firing(), Vec::<String>::new(), "back-off applies");
        world.pass(back_off);
        assert_eq!(world.firing(), ["outbox"]);
    }
    assert!(world.running[0].last_chance);
    world.restart();
    assert_eq!(world.stored(), Vec::<String>::new());
    let events = world.events("outbox");
    assert!(events.contains(&LogEvent::Interrupted { attempt: 3 }));
    let reason = DropReason::AttemptsExhausted;
    assert_eq!(events.last(), Some(&LogEvent::Dropped { reason }));
}

#[test]
fn an_attempt_that_fails_while_the_network_is_gone_does_not_count() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(offline());
    world.reject("outbox");
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
    assert!(matches!(
        world.events("outbox")[2..],
        [
            LogEvent::Finished { counted: false, .. },
            LogEvent::RetryScheduled { .. }
        ]
    ));
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_attempt_that_lost_the_network_for_a_moment_does_not_count() {
    let mut world = World::online();
    world.register("outbox");
    world.set_network(offline());
    world.set_network(online());
    world.reject("outbox");
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
}

#[test]
fn an_attempt_against_an_unreachable_origin_does_not_count() {
    let mut world = World::online();
    world.register("outbox");
    // The monitor knows before it has told anybody.
    world.network = with_reachability(Reachability::Unreachable);
    world.reject("outbox");
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
}

#[test]
fn a_worker_that_crashes_or_does_not_start_is_not_excused_by_the_network() {
    for outcome in [
        EventOutcome::Crashed {
            reason: String::new(),
        },
        EventOutcome::NotStarted {
            reason: String::new(),
        },
    ] {
        let mut world = World::online();
        world.register("outbox");
        world.set_network(offline());
        world.end("outbox", outcome);
        assert_eq!(world.info("outbox").unwrap().attempts, 1);
    }
}

#[test]
fn at_most_ten_attempts_are_not_counted() {
    let mut world = World::online();
    world.register("outbox");
    let mut attempts = 0;
    while world.firing() == ["outbox"] {
        attempts += 1;
        world.set_network(offline());
        let last_chance = world.reject("outbox").last_chance;
        assert_eq!(last_chance, attempts == 13);
        world.set_network(online());
        // Those that count are not tried again at once.
        world.pass(MINUTE);
    }
    assert_eq!(attempts, 13);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn the_page_that_was_told_it_is_the_last_chance_is_not_called_again() {
    let mut world = World::new(SyncPolicy {
        max_attempts: 1,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("outbox");
    assert!(world.running[0].last_chance);
    world.set_network(offline());
    world.reject("outbox");
    assert_eq!(world.stored(), Vec::<String>::new());
    let counted = world
        .events("outbox")
        .into_iter()
        .find_map(|event| match event {
            LogEvent::Finished { counted, .. } => Some(counted),
            _ => None,
        });
    assert_eq!(counted, Some(true));
}

#[test]
fn an_event_has_three_minutes_and_a_last_chance_one() {
    let mut world = World::new(SyncPolicy {
        max_attempts: 2,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("outbox");
    assert_eq!(world.reject("outbox").time_limit, 3 * MINUTE);
    world.pass(FIRST_BACK_OFF);
    let last = world.end("outbox", EventOutcome::TimedOut);
    assert!(last.last_chance);
    assert_eq!(last.time_limit, MINUTE);
    assert_eq!(
        world.stored(),
        Vec::<String>::new(),
        "a time-out is a failure"
    );
}

#[test]
fn last_chance_is_set_when_the_next_attempt_would_come_too_late() {
    let mut world = World::offline();
    world.register("outbox");
    world.pass(6 * DAY + 23 * HOUR + 56 * MINUTE);
    world.set_network(online());
    assert!(world.reject("outbox").last_chance);
    let reason = DropReason::Expired;
    assert_eq!(
        world.events("outbox").last(),
        Some(&LogEvent::Dropped { reason })
    );
}

#[test]
fn a_failure_that_is_not_the_last_chance_is_followed_by_another_attempt() {
    for seconds in (0..900).step_by(5) {
        let mut world = World::offline();
        world.register("outbox");
        world.pass(6 * DAY + 23 * HOUR + 40 * MINUTE + Duration::from_secs(200 + seconds));
        world.set_network(online());
        // The worker takes nearly all of its time.
        world.pass(Duration::from_secs(55));
        let last_chance = world.running[0].last_chance;
        if !last_chance {
            world.pass(Duration::from_secs(124));
        }
        world.reject("outbox");
        world.pass(FIRST_BACK_OFF);
        assert_eq!(world.firing().is_empty(), last_chance, "{seconds} s later");
    }
}

#[test]
fn a_handler_that_registers_its_tag_just_after_its_event_does_not_fire_without_end() {
    for outcome in [EventOutcome::Fulfilled, rejected()] {
        let mut world = World::new(SyncPolicy {
            max_attempts: 1,
            ..SyncPolicy::default()
        });
        // Connectivity that came earlier is no reason to fire.
        world.set_network(offline());
        world.set_network(online());
        world.register("outbox");
        for round in 0..3 {
            for _ in 0..4 {
                assert_eq!(world.firing(), ["outbox"], "round {round}");
                world.end("outbox", outcome.clone());
                world.register("outbox");
            }
            assert_eq!(world.firing(), Vec::<String>::new());
            let state = world.info("outbox").unwrap().state;
            assert_eq!(state, SyncRegistrationState::Waiting);
            world.pass(FIRST_BACK_OFF);
        }
    }
}

#[test]
fn a_handler_that_is_faster_than_the_store_does_not_fire_without_end() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    let mut fired = 0;
    while world.firing() == ["outbox"] && fired < 100 {
        fired += 1;
        world.fulfil("outbox");
        world.ask(SITE, "outbox");
        world.commit_all();
    }
    assert_eq!(fired, 4);
}

#[test]
fn a_tag_that_is_registered_now_and_then_fires_at_once_each_time() {
    let mut world = World::online();
    for _ in 0..20 {
        world.register("outbox");
        world.fulfil("outbox");
        world.pass(Duration::from_secs(2));
    }
    world.register("outbox");
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn a_page_that_registers_a_pending_tag_again_starts_its_count_of_refires_anew() {
    let mut world = World::online();
    world.register("outbox");
    for _ in 0..5 {
        for _ in 0..2 {
            world.register("outbox");
            world.fulfil("outbox");
            assert_eq!(world.firing(), ["outbox"]);
        }
        world.register("outbox");
        world.set_network(offline());
        world.fulfil("outbox");
        world.register("outbox");
        world.set_network(online());
        assert_eq!(world.firing(), ["outbox"]);
    }
}

#[test]
fn at_most_eight_events_are_in_flight_and_origins_take_turns() {
    let mut world = World::offline();
    let (busy, quiet) = ("https://busy.example/", "https://quiet.example/");
    for site in [busy, quiet] {
        world.open_site(site);
    }
    for number in 0..20 {
        world.register_at(busy, format!("busy {number}")).unwrap();
    }
    for number in 0..3 {
        world.register_at(quiet, format!("quiet {number}")).unwrap();
    }
    world.set_network(online());
    let expected = [
        "busy 0", "quiet 0", "busy 1", "quiet 1", "busy 2", "quiet 2", "busy 3", "busy 4",
    ];
    assert_eq!(world.firing(), expected);
    let mut done = 0;
    while let Some(tag) = world.firing().first().cloned() {
        assert!(world.running.len() <= 8);
        world.fulfil(&tag);
        done += 1;
    }
    assert_eq!(done, 23);
}

#[test]
fn an_end_that_cannot_be_stored_is_stored_later_and_nothing_fires_twice() {
    for outcome in [EventOutcome::Fulfilled, rejected()] {
        let mut world = World::online();
        world.register("outbox");
        world.mode = StoreMode::Fails;
        world.end("outbox", outcome.clone());
        assert_eq!(world.firing(), Vec::<String>::new());
        world.pass(Duration::from_secs(30));
        assert_eq!(world.firing(), Vec::<String>::new());
        world.mode = StoreMode::Works;
        world.pass(MINUTE);
        assert_eq!(world.firing(), Vec::<String>::new());
        if outcome == EventOutcome::Fulfilled {
            assert_eq!(world.stored(), Vec::<String>::new());
        } else {
            assert_eq!(
                world.info("outbox").unwrap().state,
                SyncRegistrationState::Waiting
            );
            world.pass(FIRST_BACK_OFF);
            assert_eq!(world.firing(), ["outbox"]);
        }
    }
}

#[test]
fn a_start_that_cannot_be_stored_does_not_fire_until_it_can() {
    let mut world = World::offline();
    world.register("outbox");
    world.mode = StoreMode::Fails;
    world.set_network(online());
    world.pass(MINUTE);
    assert_eq!(world.firing(), Vec::<String>::new());
    world.mode = StoreMode::Works;
    world.pass(MINUTE);
    assert_eq!(world.firing(), ["outbox"]);
    assert_eq!(
        world.info("outbox").unwrap().attempts,
        1,
        "what could not start does not count"
    );
}

#[test]
fn a_failing_store_is_tried_ever_less_often() {
    let mut world = World::offline();
    world.register("outbox");
    world.mode = StoreMode::Fails;
    world.set_network(online());
    let failures = |world: &World| {
        world
            .trace
            .iter()
            .filter(|line| *line == "StoreFailed")
            .count()
    };
    world.pass(MINUTE);
    assert!((4..=8).contains(&failures(&world)), "{}", failures(&world));
    let before = failures(&world);
    world.pass(60 * MINUTE);
    assert!(
        (10..=20).contains(&(failures(&world) - before)),
        "{}",
        failures(&world) - before
    );
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_fires_nothing_twice() {
    let day = i64::try_from(DAY.as_millis()).unwrap();
    for jump in [day, -day] {
        let mut world = World::online();
        world.register("waiting");
        world.reject("waiting");
        world.register("firing");
        world.set_clock(jump);
        world.pass(FIRST_BACK_OFF);
        assert_eq!(world.firing(), ["firing", "waiting"], "a jump of {jump} ms");
        world.fulfil("waiting");
        let fired = world.fulfil("firing");
        assert_eq!(fired.time_limit, 3 * MINUTE);
        let duration = world
            .events("firing")
            .into_iter()
            .find_map(|event| match event {
                LogEvent::Finished { duration, .. } => Some(duration),
                _ => None,
            });
        assert_eq!(duration, Some(FIRST_BACK_OFF), "durations are monotonic");
        assert_eq!(world.tags(), Vec::<String>::new());
    }
}

#[test]
fn a_clock_that_was_set_back_while_the_engine_was_off_lengthens_no_back_off() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    world.set_clock(-i64::try_from(DAY.as_millis()).unwrap());
    world.restart();
    world.set_network(online());
    world.pass(9 * SECOND_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn time_in_which_the_machine_slept_counts_for_a_back_off() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    // The monotonic clock stands still while a machine sleeps.
    world.set_clock(i64::try_from(FIRST_BACK_OFF.as_millis()).unwrap());
    world.pass(Duration::ZERO);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn a_last_chance_given_for_the_expiry_holds_over_a_crash() {
    let mut world = World::online();
    world.set_network(offline());
    world.register("outbox");
    world.pass((7 * DAY).saturating_sub(7 * MINUTE + MINUTE / 2));
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
    world.restart();
    world.set_network(online());
    world.pass(6 * MINUTE);
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(world.stored(), Vec::<String>::new());
}
