//! What the next start does.

use storage::{Batch, Direction, KeyRange, Tree};
use sync_traits::{DropReason, LogEvent, SyncRegistrationState};

use crate::support::{FIRST_BACK_OFF, SITE, StoreMode, World, online};

#[test]
fn an_acknowledged_registration_fires_after_a_crash() {
    let mut world = World::offline();
    world.register("outbox");
    world.restart();
    assert_eq!(
        world.firing(),
        Vec::<String>::new(),
        "the network is not known yet"
    );
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
    world.fulfil("outbox");
    assert_eq!(world.stored(), Vec::<String>::new());
}

#[test]
fn a_back_off_goes_on_after_a_crash() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    let due = world.info("outbox").unwrap().due;
    world.restart();
    world.set_network(online());
    let info = world.info("outbox").unwrap();
    assert_eq!(
        (info.state, info.due),
        (SyncRegistrationState::Waiting, due)
    );
    assert_eq!(info.attempts, 1);
    world.pass(FIRST_BACK_OFF);
    assert_eq!(world.firing(), ["outbox"]);
}

#[test]
fn an_interrupted_attempt_counts_and_backs_off_from_its_start() {
    let mut world = World::online();
    world.register("outbox");
    world.set_clock(60_000);
    world.restart();
    world.set_network(online());
    assert_eq!(world.events("outbox").len(), 4);
    assert!(
        world
            .events("outbox")
            .contains(&LogEvent::Interrupted { attempt: 1 })
    );
    let info = world.info("outbox").unwrap();
    assert_eq!(
        (info.state, info.attempts),
        (SyncRegistrationState::Waiting, 1)
    );
    let left = info.due.unwrap().saturating_since(world.now.wall);
    assert!(left < std::time::Duration::from_secs(271), "{left:?}");
    world.restart();
    let interrupted = |event: &&LogEvent| matches!(event, LogEvent::Interrupted { .. });
    assert_eq!(
        world.events("outbox").iter().filter(interrupted).count(),
        1,
        "reported once"
    );
}

#[test]
fn a_crash_before_the_start_is_durable_uses_no_attempt() {
    let mut world = World::online();
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    world.commit_one(true);
    world.crash();
    world.mode = StoreMode::Works;
    world.report_stored(&[SITE]);
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
    assert_eq!(
        world.info("outbox").unwrap().state,
        SyncRegistrationState::Pending
    );
}

#[test]
fn registrations_of_workers_that_are_gone_are_dropped() {
    let mut world = World::offline();
    world.register("outbox");
    world.crash();
    world.report_stored(&["https://other.example/"]);
    assert_eq!(world.stored(), Vec::<String>::new());
    let reason = DropReason::Unregistered;
    assert_eq!(
        world.events("outbox").last(),
        Some(&LogEvent::Dropped { reason })
    );
}

#[test]
fn an_unreadable_record_is_dropped_and_its_neighbours_live_on() {
    let mut world = World::offline();
    world.register("first");
    world.register("second");
    let mut scan = world
        .store()
        .scan(Tree::SyncRegistrations, KeyRange::all(), Direction::Forward);
    let (key, record) = scan.next().unwrap().unwrap();
    let mut batch = Batch::new();
    batch.put(Tree::SyncRegistrations, &key, record.version, b"?".to_vec());
    world.write(batch);
    world.restart();
    assert_eq!(world.tags(), ["second"]);
    assert_eq!(world.stored(), ["second"]);
    let reason = DropReason::Unreadable;
    assert_eq!(
        world.events("first").last(),
        Some(&LogEvent::Dropped { reason })
    );
    world.restart();
    let dropped = |event: &&LogEvent| matches!(event, LogEvent::Dropped { .. });
    assert_eq!(
        world.events("first").iter().filter(dropped).count(),
        1,
        "reported once"
    );
    world.set_network(online());
    assert_eq!(world.firing(), ["second"]);
}

#[test]
fn an_orderly_exit_waits_for_the_batches_on_their_way() {
    let mut world = World::offline();
    world.mode = StoreMode::Slow;
    let request = world.ask(SITE, "outbox");
    world.exit();
    assert!(!world.exited);
    world.commit_one(true);
    assert_eq!(world.answer(request), Some(Ok(())));
    assert!(world.exited);
    world.mode = StoreMode::Works;
    world.restart();
    assert_eq!(world.tags(), ["outbox"]);
}

#[test]
fn an_exit_on_a_failing_store_comes_to_an_end() {
    let mut world = World::online();
    world.register("outbox");
    world.mode = StoreMode::Fails;
    world.fulfil("outbox");
    world.exit();
    assert!(world.exited);
}

#[test]
fn orderly_shutdowns_use_up_no_attempts() {
    let mut world = World::online();
    world.register("outbox");
    for _ in 0..5 {
        assert_eq!(world.firing(), ["outbox"]);
        assert!(!world.running[0].last_chance);
        world.exit();
        assert!(world.exited);
        let info = world.info("outbox").unwrap();
        assert_eq!(
            (info.state, info.attempts),
            (SyncRegistrationState::Pending, 0)
        );
        world.exited = false;
        world.restart();
        world.set_network(online());
    }
    let interrupted = |event: &LogEvent| matches!(event, LogEvent::Interrupted { .. });
    assert!(!world.events("outbox").iter().any(interrupted));
}

#[test]
fn a_tag_that_is_registered_again_while_it_fires_survives_an_orderly_shutdown() {
    let mut world = World::online();
    world.register("outbox");
    world.reject("outbox");
    world.pass(FIRST_BACK_OFF);
    world.mode = StoreMode::Slow;
    let request = world.ask(SITE, "outbox");
    world.exit();
    world.commit_all();
    assert!(world.exited);
    assert_eq!(world.answer(request), Some(Ok(())));
    world.mode = StoreMode::Works;
    world.restart();
    world.set_network(online());
    assert_eq!(world.firing(), ["outbox"]);
    assert_eq!(world.info("outbox").unwrap().attempts, 1);
}

#[test]
fn nothing_comes_after_the_end_of_an_orderly_exit() {
    let mut world = World::online();
    world.mode = StoreMode::Slow;
    world.ask(SITE, "outbox");
    world.commit_one(true);
    // The start of the attempt is being written.
    world.exit();
    assert!(!world.exited);
    world.commit_one(true);
    assert!(!world.exited, "the attempt is being taken back");
    world.commit_all();
    assert!(world.exited);
    assert_eq!(world.trace.last().unwrap(), "Exited");
    assert!(!world.trace.iter().any(|line| line == "ConfirmDispatch"));
    assert_eq!(world.firing(), Vec::<String>::new());
    world.mode = StoreMode::Works;
    world.restart();
    assert_eq!(world.info("outbox").unwrap().attempts, 0);
}
