//! What a busy site can do to the others, and what piles up.

use sync_manager::SyncPolicy;
use sync_traits::HoldReason;

use crate::support::{StoreMode, World, offline, online};

const BUSY: &str = "https://busy.example/";
const QUIET: &str = "https://quiet.example/";

#[test]
fn ten_thousand_due_tags_of_one_origin_delay_the_one_of_another_by_one_event() {
    let mut world = World::offline();
    for site in [BUSY, QUIET] {
        world.open_site(site);
    }
    for number in 0..10_000 {
        world.register_at(BUSY, format!("busy {number}")).unwrap();
    }
    world.set_network(online());
    assert_eq!(world.running.len(), 8);
    world.register_at(QUIET, "quiet").unwrap();
    // At most two turns: the busy origin may be the next in the round.
    for _ in 0..2 {
        let tag = world.firing()[0].clone();
        world.fulfil(&tag);
    }
    assert!(world.firing().contains(&"quiet".to_owned()));
}

#[test]
fn two_origins_with_much_to_do_get_the_same_number_of_turns() {
    let mut world = World::new(SyncPolicy {
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    });
    world.set_network(offline());
    for (site, tags) in [(BUSY, 500), (QUIET, 20)] {
        world.open_site(site);
        for number in 0..tags {
            world.register_at(site, format!("{number}")).unwrap();
        }
    }
    world.set_network(online());
    let mut turns = Vec::new();
    for _ in 0..40 {
        let running = world.running[0].clone();
        turns.push(running.scope.to_string());
        world.fulfil(&running.tag.to_string());
    }
    assert_eq!(turns.iter().filter(|scope| *scope == QUIET).count(), 20);
}

#[test]
fn while_the_store_is_slow_entries_of_the_event_log_wait_for_one_another() {
    let mut world = World::offline();
    world.register("outbox");
    world.mode = StoreMode::Slow;
    for _ in 0..100 {
        world.set_network(network_traits::NetworkState::default());
        world.set_network(offline());
    }
    assert_eq!(world.commits.len(), 1);
    world.commit_all();
    let held = world.explain("outbox").log;
    assert!(held.len() > 10, "none of them is lost");
    assert_eq!(
        world.info("outbox").unwrap().held_by,
        Some(HoldReason::Offline)
    );
}
