//! What outlives a crash, a shutdown and a failing store.

use storage::key::KeyWriter;
use storage::{Batch, Direction, KeyRange, Tree};
use sync_manager::{SyncPolicy, read};
use sync_traits::{DropReason, Engagement, HoldReason, LogEvent, SyncKind, SyncRegistrationState};

use crate::periodic_support::{SECOND, just_before, nothing, world_with};
use crate::support::{
    DAY, FIRST_BACK_OFF, HOUR, MINUTE, SECOND_BACK_OFF, SITE, StoreMode, World, offline, online,
    origin, url,
};

const OTHER: &str = "https://example.net/";

/// The engine dies and starts again, with both sites and a network.
fn restart(world: &mut World) {
    world.crash();
    world.report_stored(&[SITE, OTHER]);
    world.open_site(SITE);
    world.set_network(online());
}

#[test]
fn an_interval_goes_on_after_a_crash() {
    let mut world = world_with(&["a"]);
    world.pass(10 * HOUR);
    restart(&mut world);
    world.pass(just_before(2 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn what_came_due_while_the_engine_was_off_fires_once() {
    let mut world = world_with(&["a"]);
    world.set_clock(5 * 24 * 3_600_000);
    restart(&mut world);
    assert_eq!(world.firing(), ["a"]);
    world.fulfil("a");
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
}

#[test]
fn a_clock_that_was_set_back_while_the_engine_was_off_lengthens_no_interval() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.fulfil("a");
    world.set_clock(-30 * 24 * 3_600_000);
    restart(&mut world);
    world.pass(just_before(12 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn the_floors_of_an_origin_and_across_origins_survive_a_crash() {
    let mut world = world_with(&["a"]);
    world.pass(HOUR);
    world.register_periodic("same origin", HOUR);
    world.open_site(OTHER);
    world.register_periodic_at(OTHER, "other", HOUR).unwrap();
    world.pass(11 * HOUR);
    world.fulfil("a");
    world.pass(2 * HOUR);
    restart(&mut world);
    world.pass(just_before(10 * HOUR));
    assert_eq!(world.firing(), nothing());
    world.pass(SECOND);
    assert_eq!(world.firing().len(), 3);
}

#[test]
fn a_turn_goes_on_after_a_crash() {
    let mut world = world_with(&["a"]);
    world.pass(20 * MINUTE);
    world.register_periodic("b", HOUR);
    world.pass((12 * HOUR).saturating_sub(20 * MINUTE));
    world.fulfil("a");
    world.pass(10 * MINUTE);
    restart(&mut world);
    world.pass(10 * MINUTE);
    assert_eq!(world.firing(), ["b"]);
}

#[test]
fn an_event_that_was_under_way_at_a_crash_counts_for_the_floors() {
    let mut world = world_with(&["a"]);
    world.pass(HOUR);
    world.register_periodic("b", HOUR);
    world.pass(11 * HOUR);
    assert_eq!(world.firing(), ["a"]);
    world.crash();
    world.pass(HOUR);
    world.report_stored(&[SITE]);
    world.set_network(online());
    assert_eq!(
        world.firing(),
        ["a"],
        "its retry; b is due, but the floor is not over"
    );
}

#[test]
fn the_start_of_an_attempt_is_durable_before_the_worker_gets_the_event() {
    let mut world = world_with(&["a"]);
    world.mode = StoreMode::Slow;
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), nothing());
    world.commit_one(true);
    assert_eq!(world.firing(), ["a"]);
    let stored = read::registrations(world.store()).unwrap();
    assert_eq!(
        (stored[0].state, stored[0].attempts),
        (SyncRegistrationState::Firing, 1)
    );
}

#[test]
fn a_handler_that_crashes_the_engine_uses_up_its_attempts_of_this_interval() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    for back_off in [FIRST_BACK_OFF, SECOND_BACK_OFF] {
        assert_eq!(world.firing(), ["a"]);
        restart(&mut world);
        assert_eq!(world.firing(), nothing());
        world.pass(back_off);
    }
    assert_eq!(world.firing(), ["a"]);
    restart(&mut world);
    assert_eq!(world.stored(), ["a"], "never removed");
    world.pass(11 * HOUR + 50 * MINUTE);
    assert_eq!(
        world.firing(),
        nothing(),
        "counted from the start of the last attempt"
    );
    world.pass(10 * MINUTE);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn an_event_in_flight_at_an_orderly_shutdown_fires_again_whatever_the_floors_say() {
    let mut world = world_with(&["a", "b"]);
    world.pass(12 * HOUR);
    world.fulfil("b");
    world.exit();
    restart(&mut world);
    assert_eq!(world.firing(), ["a"]);
    assert_eq!(world.info("a").unwrap().attempts, 1);
}

#[test]
fn a_store_that_fails_at_the_start_delays_the_event() {
    let mut world = world_with(&["a"]);
    world.mode = StoreMode::Fails;
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), nothing());
    world.pass(HOUR);
    world.mode = StoreMode::Works;
    world.pass(10 * MINUTE);
    assert_eq!(world.firing(), ["a"]);
}

#[test]
fn a_floor_that_moves_while_the_store_fails_is_heeded() {
    let mut world = world_with(&["a"]);
    world.open_site(OTHER);
    world.register_periodic_at(OTHER, "b", HOUR).unwrap();
    world.policy.max_concurrent_events = 1;
    restart(&mut world);
    world.open_site(OTHER);
    world.pass(12 * HOUR);
    let first = world.firing().remove(0);
    world.pass(40 * MINUTE);
    world.mode = StoreMode::Fails;
    world.fulfil(&first);
    world.pass(MINUTE);
    world.mode = StoreMode::Works;
    world.pass(10 * MINUTE);
    assert_eq!(world.firing(), nothing(), "the turn is over");
}

#[test]
fn an_end_that_cannot_be_stored_is_stored_later() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.mode = StoreMode::Fails;
    world.fulfil("a");
    let ended = world.now;
    world.pass(MINUTE);
    world.mode = StoreMode::Works;
    world.pass(10 * MINUTE);
    let stored = read::registrations(world.store()).unwrap();
    let until = ended.saturating_add(12 * HOUR).wall;
    assert_eq!(stored[0].state, SyncRegistrationState::Pending);
    assert_eq!(stored[0].due, Some(until), "counted from the end");
}

#[test]
fn a_profile_tells_when_its_registrations_are_due() {
    let mut world = World::online();
    let start = world.now;
    world.register_periodic("long", 20 * HOUR);
    world.register_periodic("short", HOUR);
    world.open_site(OTHER);
    world
        .register_periodic_at(OTHER, "suspended", HOUR)
        .unwrap();
    world.set_engagement(OTHER, Engagement::Suspended);
    world.pass(12 * HOUR);
    world.fulfil("short");
    let stored = read::registrations(world.store()).unwrap();
    let due = |hours| start.saturating_add(hours * HOUR).wall;
    let told: Vec<_> = stored
        .iter()
        .map(|info| {
            (
                info.tag.to_string(),
                info.kind,
                info.min_interval,
                info.due,
                info.state,
            )
        })
        .collect();
    let pending = SyncRegistrationState::Pending;
    assert_eq!(
        told,
        [
            (
                "long".to_owned(),
                SyncKind::Periodic,
                Some(20 * HOUR),
                Some(due(24)),
                pending
            ),
            (
                "short".to_owned(),
                SyncKind::Periodic,
                Some(HOUR),
                Some(due(24)),
                pending
            ),
            (
                "suspended".to_owned(),
                SyncKind::Periodic,
                Some(HOUR),
                None,
                SyncRegistrationState::Suspended
            ),
        ]
    );
    assert_eq!(stored[2].held_by, Some(HoldReason::Suspended));
}

#[test]
fn a_suspended_origin_is_still_suspended_after_a_crash() {
    let mut world = world_with(&["a"]);
    world.set_engagement(SITE, Engagement::Suspended);
    restart(&mut world);
    let state = world.info("a").unwrap().state;
    assert_eq!(state, SyncRegistrationState::Suspended);
    world.pass(2 * DAY);
    assert_eq!(world.firing(), nothing());
    let asked: Vec<_> = world.manager.periodic_origins().cloned().collect();
    assert_eq!(asked, [origin(SITE)], "who is asked may say something else");
}

fn keys_under(world: &World, site: &str) -> usize {
    let prefix = KeyWriter::new().text(&origin(site).to_string()).finish();
    world
        .store()
        .scan(
            Tree::SyncRegistrations,
            KeyRange::prefix(&prefix),
            Direction::Forward,
        )
        .count()
}

#[test]
fn nothing_about_an_origin_stays_behind_with_its_last_registration() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.fulfil("a");
    assert_eq!(keys_under(&world, SITE), 2, "the registration and the turn");
    world.unregister_periodic("a");
    assert_eq!(keys_under(&world, SITE), 0);
}

#[test]
fn clearing_the_data_of_a_site_takes_its_turns_with_it() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    let mut batch = Batch::new();
    let prefix = KeyWriter::new().text(&origin(SITE).to_string()).finish();
    batch.remove_prefix(Tree::SyncRegistrations, &prefix);
    world.write(batch);
    world.unregister(SITE);
    world.fulfil("a");
    assert_eq!(keys_under(&world, SITE), 0);
    restart(&mut world);
    assert_eq!(world.manager.periodic_origins().count(), 0);
}

#[test]
fn turns_of_an_origin_without_registrations_are_forgotten_at_the_start() {
    let mut world = world_with(&["a"]);
    world.pass(12 * HOUR);
    world.fulfil("a");
    let mut batch = Batch::new();
    let writer = KeyWriter::new().text(&origin(SITE).to_string());
    let prefix = writer.text(url(SITE).as_str()).finish();
    batch.remove_prefix(Tree::SyncRegistrations, &prefix);
    world.write(batch);
    assert_eq!(keys_under(&world, SITE), 1);
    world.crash();
    assert_eq!(keys_under(&world, SITE), 0);
}

#[test]
fn unreadable_records_are_put_aside_and_their_neighbours_live_on() {
    let mut world = world_with(&["a", "b"]);
    world.pass(12 * HOUR);
    world.fulfil("a");
    world.fulfil("b");
    let mut batch = Batch::new();
    let of_site = || KeyWriter::new().text(&origin(SITE).to_string());
    let key = of_site().text(url(SITE).as_str()).byte(2);
    let key = key.code_units(&[u16::from(b'a')]).finish();
    batch.put(Tree::SyncRegistrations, &key, 1, vec![0xFF]);
    let turn = of_site().text("").byte(3).finish();
    batch.put(Tree::SyncRegistrations, &turn, 9, Vec::new());
    world.write(batch);
    restart(&mut world);
    assert_eq!(world.periodic_tags(), ["b"]);
    let dropped = LogEvent::Dropped {
        reason: DropReason::Unreadable,
    };
    assert_eq!(world.events("a").last(), Some(&dropped));
    world.pass(12 * HOUR);
    assert_eq!(world.firing(), ["b"]);
}

#[test]
fn what_is_offline_at_the_start_of_the_engine_waits_without_a_timer() {
    let mut world = World::new(SyncPolicy::default());
    world.set_network(offline());
    world.register_periodic("a", HOUR);
    world.pass(DAY);
    world.crash();
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.report_stored(&[SITE]);
    assert_eq!(world.manager.poll_deadline().after(world.now), None);
    world.set_network(online());
    assert_eq!(world.firing(), ["a"]);
}

/// An entry of the event log as it was written before there were periodic syncs.
#[test]
fn entries_of_the_first_version_of_the_event_log_can_be_read() {
    // Sequence number, time, origin, scope, tag in code units, event.
    let mut version_1 = vec![132, 7, 200, 1];
    for text in ["https://example.org", "https://example.org/"] {
        version_1.push(u8::try_from(text.len()).unwrap());
        version_1.extend_from_slice(text.as_bytes());
    }
    version_1.extend_from_slice(&[3, b'o', b'l', b'd', 2, 1]);
    let mut world = World::new(SyncPolicy::default());
    let event = LogEvent::Held {
        reason: HoldReason::Offline,
    };
    let mut batch = Batch::new();
    let key = KeyWriter::new().number(900).finish();
    batch.put(Tree::SyncLog, &key, 1, version_1);
    world.write(batch);
    world.crash();
    world.report_stored(&[SITE]);
    world.open_site(SITE);
    world.register_periodic("new", HOUR);
    let log = read::log(world.store()).unwrap();
    let old = log.iter().find(|entry| entry.sequence == 900).unwrap();
    assert_eq!(
        (old.kind, old.tag.to_string()),
        (SyncKind::OneShot, "old".to_owned())
    );
    assert_eq!((&old.event, old.time.as_millis()), (&event, 100));
    assert!(
        log.iter()
            .any(|entry| entry.sequence > 900 && entry.kind == SyncKind::Periodic)
    );
    assert_eq!(world.store().quarantined().count(), 0);
}
