//! When nothing may fire, and what the event log and the snapshot say about it.

use network_traits::{LinkState, NetworkIdentity, NetworkState};
use sw_traits::EventOutcome;
use sync_manager::{NetworkPolicy, SyncPolicy};
use sync_traits::{HoldReason, LogEvent};

use crate::support::{
    FIRST_BACK_OFF, HOUR, SITE, StoreMode, World, offline, online, stored_worker,
};

fn held(world: &World, tag: &str) -> Vec<HoldReason> {
    let events = world.events(tag).into_iter();
    events
        .filter_map(|event| match event {
            LogEvent::Held { reason } => Some(reason),
            _ => None,
        })
        .collect()
}

#[test]
fn nothing_fires_while_the_network_is_unknown_down_or_emulated_offline() {
    let no_address = NetworkState {
        link: LinkState::NoAddress,
        ..NetworkState::default()
    };
    let emulated = NetworkState {
        emulated_offline: true,
        ..online()
    };
    for (network, reason) in [
        (NetworkState::default(), HoldReason::NetworkUnknown),
        (offline(), HoldReason::Offline),
        (no_address, HoldReason::Offline),
        (emulated, HoldReason::Offline),
    ] {
        let mut world = World::new(SyncPolicy::default());
        world.set_network(network);
        world.register("outbox");
        world.pass(HOUR);
        assert_eq!(world.firing(), Vec::<String>::new());
        assert_eq!(world.info("outbox").unwrap().held_by, Some(reason.clone()));
        assert_eq!(held(&world, "outbox"), [reason]);
        world.set_network(online());
        assert_eq!(world.firing(), ["outbox"]);
    }
}

#[test]
fn an_origin_on_this_machine_needs_no_network_unless_offline_is_emulated() {
    let local = "http://localhost:8000/";
    let mut world = World::offline();
    world.open_site(local);
    world.register_at(local, "first").unwrap();
    assert_eq!(world.firing(), ["first"]);
    world.set_network(NetworkState {
        emulated_offline: true,
        ..offline()
    });
    world.register_at(local, "second").unwrap();
    assert_eq!(world.firing(), ["first"]);
}

#[test]
fn the_network_is_read_again_at_dispatch() {
    let mut world = World::online();
    // The link went down, and the news is still on its way.
    world.network = offline();
    world.register("outbox");
    assert_eq!(world.firing(), Vec::<String>::new());
    let info = world.info("outbox").unwrap();
    assert_eq!(info.attempts, 0, "what was not dispatched does not count");
    assert_eq!(info.held_by, Some(HoldReason::Offline));
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn a_hold_is_logged_once_for_each_change_of_its_reason() {
    let mut world = World::new(SyncPolicy::default());
    world.register("outbox");
    world.set_network(offline());
    world.set_network(NetworkState {
        link: LinkState::NoRoute,
        ..offline()
    });
    world.set_network(NetworkState {
        emulated_offline: true,
        ..offline()
    });
    world.pass(HOUR);
    assert_eq!(
        held(&world, "outbox"),
        [HoldReason::NetworkUnknown, HoldReason::Offline]
    );
}

#[test]
fn what_waits_for_its_turn_says_so() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    world.register("first");
    world.register("second");
    assert_eq!(
        world.info("second").unwrap().held_by,
        Some(HoldReason::Queued)
    );
    assert_eq!(held(&world, "second"), [HoldReason::Queued]);
    assert_eq!(world.info("first").unwrap().held_by, None);
    world.fulfil("first");
    assert_eq!(world.firing(), ["second"]);
}

#[test]
fn a_back_off_is_named_with_its_end() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    let info = world.info("outbox").unwrap();
    assert_eq!(
        info.held_by,
        Some(HoldReason::BackOff {
            until: info.due.unwrap()
        })
    );
    world.set_network(offline());
    world.pass(FIRST_BACK_OFF);
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::Offline)
    );
    assert_eq!(held(&world, "outbox"), [HoldReason::Offline]);
}

#[test]
fn what_is_being_written_says_so() {
    let mut world = World::offline();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::Storing)
    );
    world.commit_all();
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::Offline)
    );
}

#[test]
fn an_offline_registration_takes_one_batch() {
    let mut world = World::offline();
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    world.commit_one(true);
    assert!(
        world.commits.is_empty(),
        "the entry about the hold goes with the registration"
    );
    assert_eq!(held(&world, "outbox"), [HoldReason::Offline]);
}

#[test]
fn without_an_active_worker_a_sync_waits_for_one() {
    let mut world = World::online();
    world.register("outbox");
    world.end("outbox", EventOutcome::NoActiveWorker);
    let info = world.info("outbox").unwrap();
    assert_eq!(info.attempts, 0, "no worker had the event");
    assert_eq!(info.held_by, Some(HoldReason::NoActiveWorker));
    world.pass(HOUR);
    assert_eq!(world.firing(), Vec::<String>::new());
    world.activate(SITE);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_update_of_the_worker_leaves_its_syncs_alone() {
    let mut world = World::offline();
    world.register("outbox");
    world.activate(SITE);
    assert_eq!(world.tags(), ["outbox"]);
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn a_stored_registration_whose_worker_is_not_active_yet_is_held() {
    let mut world = World::offline();
    world.register("outbox");
    world.crash();
    world.set_network(online());
    assert_eq!(
        world.firing(),
        Vec::<String>::new(),
        "the workers are not known yet"
    );
    world
        .manager
        .handle_stored_service_workers(world.now, [stored_worker(SITE, false)]);
    world.drain();
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::NoActiveWorker)
    );
    assert_eq!(
        held(&world, "outbox").last(),
        Some(&HoldReason::NoActiveWorker)
    );
    world.activate(SITE);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn with_same_network_only_a_sync_fires_only_where_it_was_registered() {
    let policy = SyncPolicy {
        network: NetworkPolicy::SameNetworkOnly,
        ..SyncPolicy::default()
    };
    let elsewhere = NetworkState {
        identity: Some(NetworkIdentity(2)),
        ..online()
    };
    let mut world = World::new(policy);
    world.set_network(online());
    world.set_network(offline());
    world.register("outbox");
    world.set_network(elsewhere.clone());
    assert_eq!(world.firing(), Vec::<String>::new());
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::OtherNetwork)
    );
    world.register("other");
    assert_eq!(world.firing(), ["other"]);
    world.restart();
    world.set_network(elsewhere);
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::OtherNetwork)
    );
    world.set_network(online());
    assert!(world.firing().contains(&"outbox".to_owned()));
}

#[test]
fn an_idle_manager_wants_to_be_called_only_when_something_expires() {
    let mut world = World::offline();
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.register("outbox");
    let next = world.manager.poll_deadline().after(world.now);
    assert_eq!(next, Some(world.policy.max_age));
}

#[test]
fn the_event_log_is_bounded_and_counts_on_after_a_restart() {
    let mut world = World::new(SyncPolicy {
        max_log_entries: 10,
        ..SyncPolicy::default()
    });
    world.set_network(online());
    for number in 0..20 {
        let tag = format!("tag {number}");
        world.register(tag.as_str());
        world.fulfil(&tag);
    }
    world.restart();
    world.set_network(online());
    world.open_site(SITE);
    world.register("last");
    let stored = sync_manager::read::log(world.store()).unwrap();
    assert_eq!(stored.len(), 10);
    assert_eq!(stored, world.log[world.log.len() - 10..]);
    let sequences: Vec<_> = world.log.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
}

#[test]
fn entries_about_holds_are_not_lost_with_a_failed_write() {
    let mut world = World::new(SyncPolicy::default());
    world.register("outbox");
    world.mode = StoreMode::Fails;
    world.set_network(offline());
    world.mode = StoreMode::Works;
    world.pass(HOUR);
    assert_eq!(
        held(&world, "outbox"),
        [HoldReason::NetworkUnknown, HoldReason::Offline]
    );
}

#[test]
fn a_change_that_holds_back_thousands_leaves_room_in_the_event_log() {
    let mut world = World::new(SyncPolicy::default());
    for number in 0..1_000 {
        world.register(format!("tag {number}"));
    }
    let before = world.log.len();
    world.set_network(offline());
    let added = world.log.len() - before;
    assert!((1..100).contains(&added), "{added} entries");
    assert_eq!(
        world.info("tag 999").unwrap().held_by,
        Some(HoldReason::Offline)
    );
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "poll_output must be called")]
fn a_change_before_the_outputs_are_drained_is_a_bug_of_the_caller() {
    let mut world = World::online();
    world.manager.handle_exit(world.now);
    world.manager.handle_time(world.now);
}
