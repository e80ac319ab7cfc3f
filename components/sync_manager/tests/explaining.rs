//! Why has this tag not fired? Asked while the engine runs, and of a profile in which nobody runs.

use std::time::Duration;

use network_traits::Reachability;
use sw_traits::EventOutcome;
use sync_manager::{SyncPolicy, read};
use sync_traits::{
    DropReason, Engagement, HoldReason, LogEvent, SyncKind, SyncQuestion, SyncRegistrationState,
};

use crate::support::{
    DAY, HOUR, SITE, StoreMode, World, offline, online, question, with_reachability,
};

fn held_by(world: &World, tag: &str) -> Vec<HoldReason> {
    world.explain(tag).held_by
}

fn last_event(world: &World, tag: &str) -> Option<LogEvent> {
    world
        .explain(tag)
        .log
        .last()
        .map(|entry| entry.event.clone())
}

#[test]
fn one_reason_is_told_with_what_ends_it() {
    let mut world = World::offline();
    world.register("outbox");
    let since = world.now.wall;
    world.pass(HOUR);
    let explanation = world.explain("outbox");
    assert_eq!(explanation.held_by, [HoldReason::Offline]);
    assert_eq!(
        explanation.to_string(),
        format!(
            "outbox (one-shot) of https://example.org/ has not fired: waiting for network since \
             {since}; it fires when a link comes up and the server can be reached"
        )
    );
}

#[test]
fn several_reasons_at_once_are_all_told_what_matters_first() {
    let mut world = World::new(SyncPolicy {
        needs_window: true,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("outbox");
    world.reject("outbox");
    let until = world.info("outbox").unwrap().due.unwrap();
    assert_eq!(held_by(&world, "outbox"), [HoldReason::BackOff { until }]);
    world.register("other");
    world.end("other", EventOutcome::NoActiveWorker);
    world.set_network(offline());
    world.set_windows(SITE, 0);
    assert_eq!(
        held_by(&world, "outbox"),
        [
            HoldReason::Offline,
            HoldReason::NoWindow,
            HoldReason::NoActiveWorker,
            HoldReason::BackOff { until }
        ]
    );
}

#[test]
fn without_an_active_worker_and_without_network_both_are_told() {
    let mut world = World::online();
    world.register("outbox");
    world.end("outbox", EventOutcome::NoActiveWorker);
    world.set_network(with_reachability(Reachability::Unreachable));
    assert_eq!(
        held_by(&world, "outbox"),
        [HoldReason::Unreachable, HoldReason::NoActiveWorker]
    );
}

#[test]
fn what_waits_for_its_turn_or_for_the_store_says_so() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("first");
    world.register("second");
    assert_eq!(held_by(&world, "second"), [HoldReason::Queued]);
    world.mode = StoreMode::Slow;
    world.fulfil("first");
    assert_eq!(held_by(&world, "second"), [HoldReason::Storing]);
    world.ask(SITE, "third");
    let third = world.explain("third");
    assert_eq!(
        (third.registration, third.held_by),
        (None, vec![HoldReason::Storing])
    );
}

#[test]
fn what_fires_is_held_by_nothing() {
    let mut world = World::online();
    world.register("outbox");
    let explanation = world.explain("outbox");
    assert_eq!(explanation.held_by, []);
    let registration = explanation.registration.unwrap();
    assert_eq!(registration.state, SyncRegistrationState::Firing);
}

#[test]
fn what_is_gone_is_told_with_what_became_of_it() {
    let mut world = World::online();
    world.register("done");
    world.fulfil("done");
    world.set_network(offline());
    world.register("old");
    world.pass(7 * DAY);
    world.register("revoked");
    world.set_permission(SITE, false);
    for (tag, expected) in [
        ("done", Some(LogEvent::Completed)),
        (
            "old",
            Some(LogEvent::Dropped {
                reason: DropReason::Expired,
            }),
        ),
        (
            "revoked",
            Some(LogEvent::Dropped {
                reason: DropReason::PermissionRevoked,
            }),
        ),
        ("never", None),
    ] {
        assert_eq!(last_event(&world, tag), expected, "{tag}");
        let explanation = world.explain(tag);
        assert_eq!(
            (explanation.registration, explanation.held_by),
            (None, Vec::new())
        );
    }
}

#[test]
fn the_log_of_an_explanation_is_about_the_tag_alone_bounded_and_oldest_first() {
    let mut world = World::offline();
    for _ in 0..15 {
        world.register("outbox");
        world.register("other");
        world.set_network(online());
        world.set_network(offline());
        world.fulfil("outbox");
        world.fulfil("other");
        world.pass(Duration::from_secs(10));
    }
    let all: Vec<_> = world
        .log
        .iter()
        .filter(|entry| entry.tag == question("outbox").tag)
        .cloned()
        .collect();
    let log = world.explain("outbox").log;
    assert_eq!(log, all[all.len() - 20..]);
}

#[test]
fn what_happened_before_a_restart_is_remembered() {
    let mut world = World::online();
    world.register("outbox");
    world.fulfil("outbox");
    let before = world.explain("outbox");
    world.restart();
    assert_eq!(world.explain("outbox").log, before.log);
    assert_eq!(last_event(&world, "outbox"), Some(LogEvent::Completed));
}

#[test]
fn the_two_kinds_are_kept_apart() {
    let mut world = World::offline();
    world.register("outbox");
    let mut question = question("outbox");
    question.kind = SyncKind::Periodic;
    let explanation = world.manager.explain(question);
    assert_eq!(explanation.registration, None);
    assert_eq!(explanation.log, []);
}

#[test]
fn a_profile_in_which_nobody_runs_answers_too() {
    let mut world = World::online();
    world.register("waiting");
    world.reject("waiting");
    let until = world.info("waiting").unwrap().due.unwrap();
    world.register("done");
    world.fulfil("done");
    world.set_network(offline());
    world.register("pending");
    let explain = |tag: &str| read::explain(world.store(), question(tag)).unwrap();
    assert_eq!(explain("waiting").held_by, [HoldReason::BackOff { until }]);
    assert_eq!(explain("pending").held_by, [HoldReason::Offline]);
    assert_eq!(explain("pending").log, world.explain("pending").log);
    let done = explain("done");
    assert_eq!(done.registration, None);
    assert_eq!(done.log, world.explain("done").log);
    assert_eq!(explain("never").log, []);
}

#[test]
fn a_profile_that_was_left_while_an_event_was_handled_says_so() {
    let mut world = World::offline();
    world.register("outbox");
    world.set_network(online());
    let explanation = read::explain(world.store(), question("outbox")).unwrap();
    let registration = explanation.registration.unwrap();
    assert_eq!(registration.state, SyncRegistrationState::Firing);
    assert_eq!(explanation.held_by, []);
}

/// The question about a periodic tag of the site.
fn about_periodic(tag: &str) -> SyncQuestion {
    SyncQuestion {
        kind: SyncKind::Periodic,
        ..question(tag)
    }
}

#[test]
fn a_periodic_one_that_is_not_due_says_when_it_is_and_what_else_holds_it() {
    let mut world = World::online();
    world.register_periodic("news", HOUR);
    let until = world.now.wall.saturating_add(12 * HOUR);
    let explain = |world: &World| world.manager.explain(about_periodic("news"));
    assert_eq!(explain(&world).held_by, [HoldReason::NotDue { until }]);
    world.set_network(offline());
    assert_eq!(
        explain(&world).held_by,
        [HoldReason::NotDue { until }, HoldReason::Offline]
    );
    world.pass(12 * HOUR);
    assert_eq!(explain(&world).held_by, [HoldReason::Offline]);
    assert!(
        explain(&world)
            .to_string()
            .starts_with("news (periodic) of https://example.org/ has not fired: waiting for")
    );
}

#[test]
fn a_periodic_one_that_waits_for_the_turn_of_another_origin_says_so() {
    let other = "https://other.example/";
    let mut world = World::online();
    world.open_site(other);
    world.register_periodic_at(other, "other", HOUR).unwrap();
    world.pass(6 * HOUR);
    world.register_periodic("news", HOUR);
    world.pass(6 * HOUR);
    world.fulfil("other");
    let across = world.now.wall.saturating_add(12 * HOUR);
    let own = world.now.wall.saturating_add(6 * HOUR);
    assert_eq!(
        world.manager.explain(about_periodic("news")).held_by,
        [
            HoldReason::NotDue { until: own },
            HoldReason::AcrossOrigins { until: across }
        ]
    );
    world.pass(7 * HOUR);
    assert_eq!(
        world.manager.explain(about_periodic("news")).held_by,
        [HoldReason::AcrossOrigins { until: across }]
    );
}

#[test]
fn a_periodic_one_that_is_suspended_or_was_unregistered_says_so() {
    let mut world = World::online();
    world.register_periodic("news", HOUR);
    world.set_engagement(SITE, Engagement::Suspended);
    let explanation = world.manager.explain(about_periodic("news"));
    assert_eq!(explanation.held_by, [HoldReason::Suspended]);
    world.unregister_periodic("news");
    let explanation = world.manager.explain(about_periodic("news"));
    assert_eq!(explanation.held_by, []);
    let reason = DropReason::UnregisteredByPage;
    assert_eq!(
        explanation.log.last().map(|entry| entry.event.clone()),
        Some(LogEvent::Dropped { reason })
    );
}

#[test]
fn a_profile_in_which_nobody_runs_answers_for_periodic_ones_too() {
    let mut world = World::online();
    world.register_periodic("news", HOUR);
    let until = world.now.wall.saturating_add(12 * HOUR);
    let explanation = read::explain(world.store(), about_periodic("news")).unwrap();
    assert_eq!(explanation.held_by, [HoldReason::NotDue { until }]);
    assert_eq!(explanation.registration.unwrap().min_interval, Some(HOUR));
}
