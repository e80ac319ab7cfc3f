//! `register()` and `getTags()`.

use base::DomString;
use sync_manager::SyncPolicy;
use sync_traits::{LogEvent, SyncRegistrationState};

use crate::support::{
    FIRST_BACK_OFF, SITE, StoreMode, World, offline, online, origin, stored_worker,
};

#[test]
fn register_resolves_when_durable_and_before_the_event_starts() {
    let mut world = World::online();
    world.mode = StoreMode::Slow;
    let request = world.ask(SITE, "outbox");
    assert_eq!(
        world.answer(request),
        None,
        "nothing is promised that is not on disk"
    );
    assert_eq!(world.tags(), Vec::<String>::new());
    world.commit_one(true);
    assert_eq!(world.answer(request), Some(Ok(())));
    assert_eq!(
        world.firing(),
        Vec::<String>::new(),
        "the start of the attempt is not on disk"
    );
    world.commit_one(true);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn checks_come_in_order_worker_permission_window_tag_quota() {
    let policy = SyncPolicy {
        max_tags_per_registration: 0,
        ..SyncPolicy::default()
    };
    let mut world = World::new(policy);
    world.set_permission(SITE, false);
    world.set_windows(SITE, 0);
    world.unregister(SITE);
    let long = "x".repeat(10_241);
    assert_eq!(world.rejection(SITE, long.as_str()), "InvalidStateError");
    world.activate(SITE);
    assert_eq!(world.rejection(SITE, long.as_str()), "NotAllowedError");
    world.set_permission(SITE, true);
    let request = world.ask(SITE, long.as_str());
    let error = world.answer(request).unwrap().unwrap_err();
    assert_eq!(error.name(), "InvalidAccessError");
    assert!(error.message.contains("window"), "{error}");
    world.set_windows(SITE, 1);
    let error = world.register_at(SITE, long.as_str()).unwrap_err();
    assert_eq!(error.name(), "InvalidAccessError");
    assert!(
        error.message.contains("10240"),
        "the message names the limit: {error}"
    );
    assert_eq!(world.rejection(SITE, "x"), "QuotaExceededError");
}

#[test]
fn a_scope_of_another_origin_is_not_there() {
    let mut world = World::online();
    let requester = sync_manager::Requester {
        client: world.client,
        request: base::ids::RequestId(99),
        registration: None,
    };
    let key = sync_manager::SyncKey {
        storage_key: origin("https://evil.example/"),
        scope: crate::support::url(SITE),
        kind: sync_traits::SyncKind::OneShot,
        tag: DomString::from("outbox"),
    };
    world.set_windows("https://evil.example/", 1);
    world
        .manager
        .handle_register(world.now, requester, key, None);
    world.drain();
    let error = world.answer(requester.request).unwrap().unwrap_err();
    assert_eq!(error.name(), "InvalidStateError");
}

#[test]
fn a_tag_may_take_exactly_the_limit_in_utf8() {
    let mut world = World::offline();
    world.register("x".repeat(10_240));
    world.register("é".repeat(5_120));
    assert_eq!(
        world.rejection(SITE, "é".repeat(5_121)),
        "InvalidAccessError"
    );
}

#[test]
fn quotas_are_per_registration_and_per_origin() {
    let policy = SyncPolicy {
        max_tags_per_registration: 2,
        max_bytes_per_origin: 480,
        ..SyncPolicy::default()
    };
    let mut world = World::new(policy);
    world.register("a");
    world.register("b");
    assert_eq!(world.rejection(SITE, "c"), "QuotaExceededError");
    world.register("a");
    let other = "https://example.org/other/";
    world.activate(other);
    world.register_at(other, "c").unwrap();
    assert_eq!(
        world.rejection(other, "d"),
        "QuotaExceededError",
        "the origin's bytes"
    );
    world.unregister(other);
    world.activate(other);
    world.register_at(other, "d").unwrap();
}

#[test]
fn any_dom_string_is_a_tag_and_survives_a_restart() {
    let tags = [
        DomString::default(),
        DomString::from("outbox"),
        DomString::from_code_units(vec![0xd800]),
        DomString::from_code_units(vec![0xdc00]),
        DomString::from_code_units(vec![0xfffd]),
        DomString::from_code_units(vec![0]),
        DomString::from("\u{e9}"),
        DomString::from("e\u{301}"),
    ];
    let mut world = World::offline();
    for tag in &tags {
        world.register_at(SITE, tag.clone()).unwrap();
    }
    assert_eq!(world.tags_at(SITE), tags);
    world.restart();
    assert_eq!(world.tags_at(SITE), tags);
}

#[test]
fn get_tags_keeps_the_order_of_registration() {
    let mut world = World::offline();
    for tag in ["z", "a", "m"] {
        world.register(tag);
    }
    world.register("z");
    assert_eq!(
        world.tags(),
        ["z", "a", "m"],
        "registering again changes no order"
    );
    world.restart();
    assert_eq!(world.tags(), ["z", "a", "m"]);
    world.open_site(SITE);
    world.register("b");
    assert_eq!(
        world.tags(),
        ["z", "a", "m", "b"],
        "the count goes on after a restart"
    );
}

#[test]
fn get_tags_lists_firing_ones_and_needs_neither_window_nor_worker() {
    let mut world = World::online();
    world.register("outbox");
    assert_eq!(world.firing(), ["outbox"]);
    world.set_windows(SITE, 0);
    assert_eq!(world.tags(), ["outbox"]);
    world.restart();
    world
        .manager
        .handle_stored_service_workers(world.now, [stored_worker(SITE, false)]);
    world.drain();
    assert_eq!(world.tags(), ["outbox"]);
    assert_eq!(world.tags_at("https://nowhere.example/"), []);
}

#[test]
fn a_closed_page_does_not_keep_its_sync_from_firing() {
    let mut world = World::offline();
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    world.set_windows(SITE, 0);
    world.mode = StoreMode::Works;
    world.commit_all();
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn registering_a_pending_tag_again_fires_once() {
    let mut world = World::offline();
    world.register("outbox");
    world.register("outbox");
    world.set_network(online());
    world.fulfil("outbox");
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(world.tags(), Vec::<String>::new());
}

#[test]
fn many_calls_for_one_tag_at_once_all_resolve_and_fire_once() {
    let mut world = World::offline();
    world.mode = StoreMode::Slow;
    let requests: Vec<_> = (0..5).map(|_| world.ask(SITE, "outbox")).collect();
    assert_eq!(
        world.commits.len(),
        1,
        "the rest waits for the first batch and shares the next"
    );
    world.mode = StoreMode::Works;
    world.commit_all();
    for request in requests {
        assert_eq!(world.answer(request), Some(Ok(())));
    }
    world.set_network(online());
    world.fulfil("outbox");
    assert_eq!(world.firing(), Vec::<String>::new());
}

#[test]
fn registering_a_waiting_tag_again_fires_now_and_starts_the_count_anew() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    assert_eq!(world.firing(), Vec::<String>::new());
    world.register("outbox");
    let found = SyncRegistrationState::Waiting;
    assert!(
        world
            .events("outbox")
            .contains(&LogEvent::Reregistered { found })
    );
    for back_off in [FIRST_BACK_OFF, 3 * FIRST_BACK_OFF] {
        assert!(!world.reject("outbox").last_chance);
        world.pass(back_off);
    }
    assert!(world.reject("outbox").last_chance);
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn reregister_while_firing_fires_again_after_success_and_after_failure() {
    for outcome in [
        sw_traits::EventOutcome::Fulfilled,
        crate::support::rejected(),
    ] {
        let mut world = World::online();
        world.register("outbox");
        world.register("outbox");
        assert_eq!(world.firing(), ["outbox"], "not two at once");
        let state = world.info("outbox").unwrap().state;
        assert_eq!(state, SyncRegistrationState::ReregisteredWhileFiring);
        world.end("outbox", outcome);
        assert_eq!(world.firing(), ["outbox"]);
        assert_eq!(
            world.info("outbox").unwrap().attempts,
            1,
            "the count starts anew"
        );
        world.fulfil("outbox");
        assert_eq!(world.tags(), Vec::<String>::new());
    }
}

#[test]
fn a_handler_that_registers_its_own_tag_is_held_back_after_three_times() {
    let mut world = World::online();
    world.register("outbox");
    for _ in 0..4 {
        assert_eq!(world.firing(), ["outbox"]);
        world.register("outbox");
        world.fulfil("outbox");
    }
    assert_eq!(
        world.firing(),
        Vec::<String>::new(),
        "once and three times at once, then not"
    );
    assert_eq!(
        world.info("outbox").unwrap().state,
        SyncRegistrationState::Waiting
    );
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"]);
    world.fulfil("outbox");
    assert_eq!(world.tags(), Vec::<String>::new());
}

#[test]
fn a_handler_that_registers_its_own_tag_twice_is_held_back_just_the_same() {
    let mut world = World::online();
    world.register("outbox");
    for _ in 0..4 {
        assert_eq!(world.firing(), ["outbox"]);
        world.mode = StoreMode::Slow;
        let requests = [world.ask(SITE, "outbox"), world.ask(SITE, "outbox")];
        world.fulfil("outbox");
        world.mode = StoreMode::Works;
        world.commit_all();
        assert_eq!(
            requests.map(|request| world.answer(request)),
            [Some(Ok(())), Some(Ok(()))]
        );
    }
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(
        world.info("outbox").unwrap().state,
        SyncRegistrationState::Waiting
    );
}

#[test]
fn a_store_that_cannot_write_rejects_and_touches_nothing_else() {
    let mut world = World::offline();
    world.register("before");
    world.mode = StoreMode::Fails;
    assert_eq!(world.rejection(SITE, "outbox"), "UnknownError");
    assert_eq!(world.rejection(SITE, "before"), "UnknownError");
    assert_eq!(world.tags(), ["before"]);
    assert_eq!(world.stored(), ["before"]);
    world.mode = StoreMode::Works;
    world.register("after");
    world.set_network(online());
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["before", "after"]);
}

#[test]
fn a_store_that_cannot_write_for_one_site_removes_nothing_of_another() {
    let other = "https://other.example/";
    let mut world = World::offline();
    world.open_site(other);
    world.register_at(other, "of another").unwrap();
    world.mode = StoreMode::Fails;
    assert_eq!(world.rejection(SITE, "outbox"), "UnknownError");
    assert_eq!(world.tags_at(other).len(), 1);
    world.mode = StoreMode::Works;
    world.crash();
    world.report_stored(&[SITE, other]);
    assert_eq!(world.stored(), ["of another"]);
}

#[test]
fn a_reregistration_that_cannot_be_stored_does_not_fire_again() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Fails;
    assert_eq!(world.rejection(SITE, "outbox"), "UnknownError");
    world.mode = StoreMode::Works;
    world.fulfil("outbox");
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn a_reregistration_while_firing_survives_a_crash() {
    let mut world = World::online();
    world.register("outbox");
    world.register("outbox");
    world.restart();
    world.set_network(online());
    assert_eq!(
        world.firing(),
        ["outbox"],
        "it was promised, so it fires without back-off"
    );
    assert_eq!(world.info("outbox").unwrap().attempts, 1);
}

#[test]
fn what_is_asked_for_during_shutdown_is_rejected() {
    let mut world = World::online();
    world.set_network(offline());
    world.exit();
    assert_eq!(world.rejection(SITE, "outbox"), "AbortError");
}

#[test]
fn an_end_that_comes_during_a_reregistration_that_fails_is_not_lost() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    let request = world.ask(SITE, "outbox");
    world.fulfil("outbox");
    world.commit_one(false);
    assert_eq!(
        world.answer(request).unwrap().unwrap_err().name(),
        "UnknownError"
    );
    world.mode = StoreMode::Works;
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.stored(), Vec::<String>::new());
    assert_eq!(world.tags(), Vec::<String>::new());
}

#[test]
fn a_tag_that_waits_because_it_fired_too_often_is_not_released_by_registering_it_again() {
    let mut world = World::online();
    let mut fired = 0;
    for _ in 0..50 {
        world.register("outbox");
        if world.firing().is_empty() {
            break;
        }
        fired += 1;
        world.register("outbox");
        world.fulfil("outbox");
    }
    assert!(fired < 10, "it fired {fired} times and no time passed");
    world.pass(2 * FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"], "but when the delay is over");
}
