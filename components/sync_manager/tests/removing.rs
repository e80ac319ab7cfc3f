//! Expiry, revocation, unregistering.

use base::DomString;
use sw_traits::{EventOutcome, SwNotification};
use sync_manager::{StoredServiceWorker, SyncKey, SyncPolicy};
use sync_traits::{DropReason, LogEvent, SyncClientEvent, SyncKind};

use crate::support::{
    DAY, FIRST_BACK_OFF, HOUR, SITE, StoreMode, World, offline, online, origin, stored_worker, url,
};

fn drop_reason(world: &World, tag: &str) -> Option<DropReason> {
    match world.events(tag).last() {
        Some(LogEvent::Dropped { reason }) => Some(*reason),
        _ => None,
    }
}

#[test]
fn a_registration_expires_seven_days_after_it_was_last_registered() {
    let mut world = World::offline();
    world.register("old");
    world.register("renewed");
    world.pass(6 * DAY);
    world.register("renewed");
    world.pass(DAY);
    assert_eq!(world.tags(), ["renewed"]);
    assert_eq!(drop_reason(&world, "old"), Some(DropReason::Expired));
    assert_eq!(world.stored(), ["renewed"]);
    world.pass(6 * DAY);
    assert_eq!(world.stored(), Vec::<String>::new());
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn what_expired_while_the_engine_was_off_does_not_fire() {
    let mut world = World::offline();
    world.register("outbox");
    world.set_clock(i64::try_from((8 * DAY).as_millis()).unwrap());
    world.restart();
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(drop_reason(&world, "outbox"), Some(DropReason::Expired));
}

#[test]
fn what_expires_between_the_start_of_an_attempt_and_its_dispatch_does_not_fire() {
    let mut world = World::online();
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    world.commit_one(true);
    world.set_clock(i64::try_from((8 * DAY).as_millis()).unwrap());
    world.mode = StoreMode::Works;
    world.commit_all();
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(drop_reason(&world, "outbox"), Some(DropReason::Expired));
}

#[test]
fn an_event_in_flight_at_the_expiry_may_end() {
    let mut world = World::online();
    world.register("outbox");
    world.pass(8 * DAY);
    assert_eq!(world.tags(), ["outbox"]);
    world.fulfil("outbox");
    assert_eq!(world.events("outbox").last(), Some(&LogEvent::Completed));
}

#[test]
fn revocation_removes_every_sync_of_the_origin_and_of_no_other() {
    let mut world = World::offline();
    let (scope, other) = ("https://example.org/app/", "https://other.example/");
    world.open_site(scope);
    world.open_site(other);
    world.register("pending");
    world.register_at(scope, "in another scope").unwrap();
    world.register_at(other, "of another origin").unwrap();
    world.set_permission(SITE, false);
    assert_eq!(world.stored(), ["of another origin"]);
    assert_eq!(
        drop_reason(&world, "in another scope"),
        Some(DropReason::PermissionRevoked)
    );
    world.set_permission(SITE, true);
    world.set_network(online());
    assert_eq!(
        world.firing(),
        ["of another origin"],
        "granting again brings nothing back"
    );
    world.restart();
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn the_permission_is_asked_for_again_at_dispatch() {
    let mut world = World::offline();
    world.register("first");
    world.register("second");
    world.denied.insert(crate::support::origin(SITE));
    world.set_network(online());
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(world.stored(), Vec::<String>::new());
    assert_eq!(
        drop_reason(&world, "second"),
        Some(DropReason::PermissionRevoked)
    );
}

#[test]
fn an_event_in_flight_at_the_revocation_is_ignored_when_it_ends() {
    for outcome in [EventOutcome::Fulfilled, crate::support::rejected()] {
        let mut world = World::online();
        world.register("outbox");
        world.set_permission(SITE, false);
        assert_eq!(world.tags(), Vec::<String>::new());
        world.end("outbox", outcome);
        world.pass(HOUR);
        assert_eq!(world.firing(), Vec::<String>::new());
        assert_eq!(world.stored(), Vec::<String>::new());
        assert_eq!(
            drop_reason(&world, "outbox"),
            Some(DropReason::PermissionRevoked)
        );
    }
}

#[test]
fn a_revocation_that_cannot_be_stored_is_stored_later_and_spares_what_came_after() {
    let mut world = World::offline();
    world.register("before");
    world.register("again");
    world.mode = StoreMode::Fails;
    world.set_permission(SITE, false);
    assert_eq!(world.tags(), Vec::<String>::new());
    world.set_permission(SITE, true);
    world.mode = StoreMode::Works;
    world.register("again");
    world.pass(HOUR);
    assert_eq!(world.stored(), ["again"]);
    world.set_network(online());
    world.fulfil("again");
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn what_is_being_removed_is_not_listed_any_more() {
    let mut world = World::offline();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    world.set_permission(SITE, false);
    assert_eq!(world.tags(), Vec::<String>::new());
    assert_eq!(world.info("outbox"), None);
    world.commit_one(false);
    assert_eq!(world.tags(), Vec::<String>::new());
}

#[test]
fn who_registers_while_the_permission_goes_is_rejected() {
    let mut world = World::offline();
    world.mode = StoreMode::Slow;
    let in_flight = world.ask(SITE, "outbox");
    let queued = world.ask(SITE, "outbox");
    world.set_permission(SITE, false);
    world.mode = StoreMode::Works;
    world.commit_all();
    for request in [in_flight, queued] {
        assert_eq!(
            world.answer(request).unwrap().unwrap_err().name(),
            "NotAllowedError"
        );
    }
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn unregistering_the_worker_takes_its_syncs_with_it() {
    let mut world = World::online();
    let other = "https://example.org/app/";
    world.open_site(other);
    world.register("outbox");
    world.set_network(offline());
    world.register("pending");
    world.register_at(other, "of another scope").unwrap();
    world.unregister(SITE);
    assert_eq!(world.stored(), ["of another scope"]);
    assert_eq!(
        drop_reason(&world, "pending"),
        Some(DropReason::Unregistered)
    );
    world.end(
        "outbox",
        EventOutcome::Crashed {
            reason: "terminated".to_owned(),
        },
    );
    world.pass(HOUR);
    assert_eq!(world.stored(), ["of another scope"]);
    assert_eq!(world.rejection(SITE, "outbox"), "InvalidStateError");
}

#[test]
fn a_tag_of_a_new_worker_does_not_wait_for_the_event_of_the_old_one() {
    let mut world = World::online();
    world.register("outbox");
    world.unregister(SITE);
    world.activate(SITE);
    world.register("outbox");
    assert_eq!(world.firing(), ["outbox", "outbox"]);
    world.fulfil("outbox");
    assert_eq!(
        world.stored(),
        ["outbox"],
        "the old event's success is not the new one's"
    );
    world.fulfil("outbox");
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn an_event_of_a_worker_that_is_gone_still_counts_as_one_that_runs() {
    let policy = SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    };
    let mut world = World::new(policy);
    world.set_network(online());
    world.register("outbox");
    world.unregister(SITE);
    world.activate(SITE);
    world.register("outbox");
    assert_eq!(world.firing(), ["outbox"]);
    let outcome = EventOutcome::Crashed {
        reason: "terminated".to_owned(),
    };
    world.end("outbox", outcome);
    assert_eq!(world.firing(), ["outbox"], "{:?}", world.explain("outbox"));
    assert!(!world.fulfil("outbox").orphaned);
}

#[test]
fn who_holds_a_registration_that_is_gone_does_not_reach_the_next_one_of_its_scope() {
    let mut world = World::online();
    world.set_network(offline());
    world.unregister(SITE);
    world.service_worker(SwNotification::Activated {
        storage_key: origin(SITE),
        scope: url(SITE),
        ordinal: 2,
    });
    world.register("of the new one");
    for (ordinal, is_there) in [(1, false), (2, true)] {
        let mut requester = world.requester();
        requester.registration = Some(ordinal);
        let (storage_key, scope) = (origin(SITE), url(SITE));
        world
            .manager
            .handle_tags(requester, SyncKind::OneShot, &storage_key, &scope);
        world.drain();
        let mut registers = world.requester();
        registers.registration = Some(ordinal);
        let key = SyncKey {
            storage_key,
            scope,
            kind: SyncKind::OneShot,
            tag: DomString::from("of whoever asks"),
        };
        world
            .manager
            .handle_register(world.now, registers, key, None);
        world.drain();
        let tags = &world.replies[&requester.request];
        let found =
            matches!(tags, SyncClientEvent::Tags { result: Ok(tags), .. } if !tags.is_empty());
        assert_eq!(found, is_there);
        let answer = world.answer(registers.request).unwrap();
        assert_eq!(answer.is_ok(), is_there, "{answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.name(), "InvalidStateError");
        }
    }
}

#[test]
fn a_batch_that_was_on_its_way_brings_nothing_of_an_unregistered_worker_back() {
    let mut world = World::online();
    world.mode = StoreMode::Slow;
    let request = world.ask(SITE, "outbox");
    world.unregister(SITE);
    world.mode = StoreMode::Works;
    world.commit_all();
    assert_eq!(
        world.answer(request).unwrap().unwrap_err().name(),
        "InvalidStateError"
    );
    assert_eq!(world.stored(), Vec::<String>::new());
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn a_crash_does_not_hand_what_was_left_behind_to_the_next_worker_of_the_scope() {
    for (ordinal, is_kept) in [(1, true), (2, false)] {
        let mut world = World::online();
        world.register("outbox");
        world.end(
            "outbox",
            EventOutcome::Rejected {
                reason: "no".to_owned(),
            },
        );
        assert_eq!(world.stored(), ["outbox"]);
        // The page has unregistered the worker, with its syncs, and registered another one; but the
        // batch that stores the sync came after the removal, and the crash before its own.
        world.crash();
        let stored = StoredServiceWorker {
            ordinal,
            ..stored_worker(SITE, true)
        };
        world
            .manager
            .handle_stored_service_workers(world.now, [stored]);
        world.drain();
        assert_eq!(!world.tags().is_empty(), is_kept);
        assert_eq!(!world.stored().is_empty(), is_kept);
        // The tag is free again, for the new worker.
        world.set_windows(SITE, 1);
        world.register("outbox");
        world.crash();
        let stored = StoredServiceWorker {
            ordinal,
            ..stored_worker(SITE, true)
        };
        world
            .manager
            .handle_stored_service_workers(world.now, [stored]);
        world.drain();
        assert_eq!(world.tags(), ["outbox"]);
    }
}

#[test]
fn what_expires_while_the_store_fails_does_not_fire() {
    let policy = SyncPolicy {
        max_age: FIRST_BACK_OFF,
        ..SyncPolicy::default()
    };
    let mut world = World::new(policy);
    world.set_network(offline());
    world.register("outbox");
    world.mode = StoreMode::Fails;
    world.pass(HOUR);
    world.set_network(online());
    world.mode = StoreMode::Works;
    world.pass(HOUR);
    assert_eq!(world.stored(), Vec::<String>::new());
    assert!(world.running.is_empty());
}

#[test]
fn what_has_succeeded_is_not_reported_dropped_as_well() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    world.fulfil("outbox");
    world.unregister(SITE);
    world.mode = StoreMode::Works;
    world.commit_all();
    assert_eq!(world.events("outbox").last(), Some(&LogEvent::Completed));
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn an_end_that_was_never_stored_goes_with_its_registration() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Fails;
    world.fulfil("outbox");
    world.set_permission(SITE, false);
    world.mode = StoreMode::Works;
    world.pass(HOUR);
    assert_eq!(
        drop_reason(&world, "outbox"),
        Some(DropReason::PermissionRevoked)
    );
    assert!(!world.events("outbox").contains(&LogEvent::Completed));
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn a_clock_that_was_set_back_does_not_put_off_the_expiry() {
    let mut world = World::online();
    world.set_network(offline());
    world.register("outbox");
    world.set_clock(-365 * 86_400_000);
    world.restart();
    world.pass(8 * DAY);
    assert_eq!(world.stored(), Vec::<String>::new());
}
