//! `periodicSync.register()`, `getTags()` and `unregister()`.

use std::time::Duration;

use base::DomString;
use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::{DropReason, Engagement, LogEvent, SyncKind, SyncRegistrationState};

use crate::support::{DAY, FIRST_BACK_OFF, HOUR, SITE, StoreMode, World, online, origin};

const OTHER: &str = "https://example.net/";

#[test]
fn checks_come_in_order_worker_permission_window_tag_quota() {
    let mut world = World::new(SyncPolicy {
        max_tags_per_registration: 1,
        ..SyncPolicy::default()
    });
    world.register("one-shot");
    world.unregister(SITE);
    world.set_windows(SITE, 0);
    world.set_periodic_permission(SITE, false);
    let long = "x".repeat(10_241);
    let name = |world: &mut World| {
        let result = world.register_periodic_at(SITE, long.as_str(), HOUR);
        result.expect_err("register() rejects").name()
    };
    assert_eq!(name(&mut world), "InvalidStateError");
    world.activate(SITE);
    assert_eq!(name(&mut world), "NotAllowedError");
    world.set_periodic_permission(SITE, true);
    assert_eq!(name(&mut world), "InvalidAccessError", "no window");
    world.set_windows(SITE, 1);
    assert_eq!(
        name(&mut world),
        "InvalidAccessError",
        "the tag is too long"
    );
    world.register("one-shot");
    let result = world.register_periodic_at(SITE, "periodic", HOUR);
    let name = result.expect_err("the kinds share the quota").name();
    assert_eq!(name, "QuotaExceededError");
}

#[test]
fn without_the_permission_for_one_shot_syncs_there_are_no_periodic_ones() {
    let mut world = World::online();
    world.set_permission(SITE, false);
    let result = world.register_periodic_at(SITE, "a", HOUR);
    assert_eq!(result.unwrap_err().name(), "NotAllowedError");
}

#[test]
fn a_periodic_register_that_finds_one_shot_syncs_denied_says_so_and_removes_both_kinds() {
    let mut world = World::new(SyncPolicy::default());
    world.register("one-shot");
    world.register_periodic("a", HOUR);
    world.denied.insert(origin(SITE));
    let error = world.register_periodic_at(SITE, "b", HOUR).unwrap_err();
    assert!(error.message.contains("\"background-sync\""), "{error:?}");
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn register_and_unregister_resolve_when_durable() {
    let mut world = World::online();
    world.mode = StoreMode::Slow;
    let request = world.ask_periodic(SITE, "a", HOUR);
    assert_eq!(world.answer(request), None);
    assert_eq!(world.periodic_tags(), Vec::<String>::new());
    world.commit_one(true);
    assert_eq!(world.answer(request), Some(Ok(())));
    assert_eq!(world.stored(), ["a"]);
    let request = world.ask_unregister(SITE, "a");
    assert_eq!(world.answer(request), None);
    world.commit_one(true);
    assert_eq!(world.answer(request), Some(Ok(())));
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn a_store_that_cannot_write_rejects_and_leaves_what_there_is() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.mode = StoreMode::Fails;
    let result = world.register_periodic_at(SITE, "b", HOUR);
    assert_eq!(result.unwrap_err().name(), "UnknownError");
    let request = world.ask_unregister(SITE, "a");
    let result = world.answer(request).unwrap();
    assert_eq!(result.unwrap_err().name(), "UnknownError");
    world.mode = StoreMode::Works;
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn a_tag_of_one_kind_has_nothing_to_do_with_the_same_tag_of_the_other() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.register("a");
    assert_eq!(
        (world.tags(), world.periodic_tags()),
        (vec!["a".into()], vec!["a".into()])
    );
    world.fulfil("a");
    assert_eq!(
        (world.tags(), world.periodic_tags()),
        (vec![], vec!["a".into()])
    );
    world.pass(12 * HOUR);
    world.register("a");
    let kinds: Vec<_> = world.running.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [SyncKind::Periodic, SyncKind::OneShot]);
    world.unregister_periodic("a");
    assert_eq!(
        (world.tags(), world.periodic_tags()),
        (vec!["a".into()], vec![])
    );
}

#[test]
fn get_tags_keeps_the_order_of_registration_and_needs_neither_window_nor_worker() {
    let mut world = World::online();
    for tag in ["c", "a", "b"] {
        world.register_periodic(tag, HOUR);
    }
    world.register_periodic("c", 2 * HOUR);
    world.pass(12 * HOUR);
    assert_eq!(world.firing().len(), 3);
    assert_eq!(world.periodic_tags(), ["c", "a", "b"], "firing ones too");
    for tag in ["a", "b", "c"] {
        world.end(tag, EventOutcome::NoActiveWorker);
    }
    world.set_windows(SITE, 0);
    assert_eq!(world.periodic_tags(), ["c", "a", "b"]);
    world.crash();
    assert_eq!(world.periodic_tags(), ["c", "a", "b"]);
}

#[test]
fn any_dom_string_is_a_tag() {
    let mut world = World::online();
    let tag = DomString::from_code_units(vec![0xD800, 0, 0x61]);
    world.register_periodic(tag.clone(), HOUR);
    world.restart();
    assert_eq!(world.tags_of(SyncKind::Periodic, SITE), [tag]);
}

#[test]
fn unregistering_an_unknown_tag_resolves_without_a_write() {
    let mut world = World::online();
    world.trace.clear();
    world.unregister_periodic("a");
    assert_eq!(world.trace, ["Unregistered"]);
}

#[test]
fn unregister_needs_neither_window_nor_worker_nor_permission() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.end("a", EventOutcome::NoActiveWorker);
    world.set_windows(SITE, 0);
    world.denied.insert(crate::support::origin(SITE));
    world.unregister_periodic("a");
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn what_is_unregistered_while_pending_leaves_no_timer() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.unregister_periodic("a");
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    let dropped = LogEvent::Dropped {
        reason: DropReason::UnregisteredByPage,
    };
    assert_eq!(world.events("a").last(), Some(&dropped));
    world.pass(2 * DAY);
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn what_is_unregistered_while_firing_goes_and_its_end_is_ignored() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.unregister_periodic("a");
    assert_eq!(world.periodic_tags(), Vec::<String>::new());
    assert_eq!(world.firing(), ["a"], "the event goes on");
    let before = world.events("a").len();
    world.reject("a");
    assert_eq!(world.events("a").len(), before);
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    assert_eq!(world.manager.snapshot(), []);
    assert_eq!(world.manager.periodic_origins().count(), 0);
}

#[test]
fn an_event_that_ends_while_its_registration_is_being_unregistered_is_ignored() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.mode = StoreMode::Slow;
    let request = world.ask_unregister(SITE, "a");
    world.reject("a");
    world.mode = StoreMode::Works;
    world.commit_all();
    assert_eq!(world.answer(request), Some(Ok(())));
    assert_eq!(world.stored(), Vec::<String>::new());
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
}

#[test]
fn an_unregistration_that_fails_lets_the_event_count() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.mode = StoreMode::Slow;
    let request = world.ask_unregister(SITE, "a");
    world.reject("a");
    world.mode = StoreMode::Works;
    world.commit_one(false);
    assert_eq!(
        world.answer(request).unwrap().unwrap_err().name(),
        "UnknownError"
    );
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["a"], "it is tried again");
}

#[test]
fn what_is_unregistered_between_attempts_or_suspended_leaves_no_timer() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.reject("a");
    world.unregister_periodic("a");
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.register_periodic("a", HOUR);
    world.set_engagement(SITE, Engagement::Suspended);
    world.unregister_periodic("a");
    world.set_engagement(SITE, Engagement::High);
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn what_is_asked_for_at_once_happens_in_order() {
    let mut world = World::online();
    world.register_periodic("first", HOUR);
    world.mode = StoreMode::Slow;
    world.ask_periodic(SITE, "last", HOUR);
    let requests = [
        world.ask_periodic(SITE, "first", 2 * HOUR),
        world.ask_unregister(SITE, "first"),
        world.ask_periodic(SITE, "first", 20 * HOUR),
        world.ask_unregister(SITE, "last"),
        world.ask_periodic(SITE, "last", 3 * HOUR),
    ];
    world.commit_all();
    for request in requests {
        assert_eq!(world.answer(request), Some(Ok(())));
    }
    assert_eq!(world.periodic_tags(), ["last", "first"], "registered anew");
    let info = world.info("first").unwrap();
    assert_eq!(info.min_interval, Some(20 * HOUR));
}

#[test]
fn a_tag_registered_anew_while_the_event_of_the_old_one_runs_starts_from_now() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.unregister_periodic("a");
    world.pass(HOUR / 60);
    world.register_periodic("a", HOUR);
    world.reject("a");
    world.pass((12 * HOUR).saturating_sub(Duration::from_secs(1)));
    assert_eq!(world.firing(), Vec::<String>::new(), "no retry either");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn changing_the_interval_keeps_the_anchor() {
    let mut world = World::online();
    world.register_periodic("a", 40 * HOUR);
    world.pass(20 * HOUR);
    world.register_periodic("a", 30 * HOUR);
    assert_eq!(world.firing(), Vec::<String>::new());
    world.pass(10 * HOUR);
    assert_eq!(world.firing(), ["a"], "30 h after the first registration");
    world.fulfil("a");
    world.register_periodic("a", DAY);
    world.pass(20 * HOUR);
    world.register_periodic("a", HOUR);
    assert_eq!(world.firing(), ["a"], "it is overdue by the new interval");
}

#[test]
fn an_identical_reregistration_while_firing_ends_the_interval_with_the_event() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.register_periodic("a", HOUR);
    let state = world.info("a").unwrap().state;
    assert_eq!(state, SyncRegistrationState::ReregisteredWhileFiring);
    world.reject("a");
    world.pass(11 * HOUR);
    assert_eq!(world.firing(), Vec::<String>::new(), "no retry");
    world.pass(HOUR);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn another_interval_while_firing_is_no_reregistration() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.register_periodic("a", 2 * HOUR);
    let state = world.info("a").unwrap().state;
    assert_eq!(state, SyncRegistrationState::Firing);
    world.reject("a");
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["a"], "the retry");
}

#[test]
fn revoking_the_permission_removes_the_periodic_ones_of_the_origin() {
    let mut world = World::new(SyncPolicy::default());
    world.open_site("https://example.org/app/");
    world.open_site(OTHER);
    world.register("one-shot");
    world.register_periodic("a", HOUR);
    world
        .register_periodic_at("https://example.org/app/", "b", HOUR)
        .unwrap();
    world.register_periodic_at(OTHER, "c", HOUR).unwrap();
    world.set_periodic_permission(SITE, false);
    assert_eq!(world.stored(), ["one-shot", "c"]);
    world.set_periodic_permission(SITE, true);
    world.set_network(online());
    world.pass(DAY);
    assert_eq!(
        world.firing(),
        ["one-shot", "c"],
        "it does not bring them back"
    );
}

#[test]
fn revoking_background_sync_removes_both_kinds() {
    let mut world = World::new(SyncPolicy::default());
    world.register("one-shot");
    world.register_periodic("a", HOUR);
    world.set_permission(SITE, false);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn the_permission_is_asked_for_again_at_dispatch() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.register("one-shot");
    world.fulfil("one-shot");
    world.periodic_denied.insert(crate::support::origin(SITE));
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn an_event_in_flight_at_the_revocation_is_ignored_when_it_ends() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.pass(12 * HOUR);
    world.set_periodic_permission(SITE, false);
    world.reject("a");
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn unregistering_the_worker_takes_its_periodic_syncs_with_it() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.unregister(SITE);
    assert_eq!(world.stored(), Vec::<String>::new());
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
}

#[test]
fn who_unregisters_a_tag_that_is_being_revoked_is_told_when_it_is_gone() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.mode = StoreMode::Slow;
    let registered = world.ask_periodic(SITE, "a", 2 * HOUR);
    let later = world.ask_periodic(SITE, "a", 3 * HOUR);
    let unregistered = world.ask_unregister(SITE, "a");
    world.set_periodic_permission(SITE, false);
    assert_eq!(world.answer(unregistered), None);
    world.commit_all();
    for request in [registered, later] {
        let answer = world.answer(request).unwrap();
        assert_eq!(answer.unwrap_err().name(), "NotAllowedError");
    }
    assert_eq!(world.answer(unregistered), Some(Ok(())));
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn what_is_asked_for_during_shutdown_is_rejected() {
    let mut world = World::online();
    world.register_periodic("a", HOUR);
    world.exit();
    let request = world.ask_unregister(SITE, "a");
    assert!(world.answer(request).unwrap().is_err());
    assert!(world.register_periodic_at(SITE, "b", HOUR).is_err());
    assert_eq!(world.stored(), ["a"]);
}
