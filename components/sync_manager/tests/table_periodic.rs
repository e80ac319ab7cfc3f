//! Every state of a periodic registration and every input, as in `table`.

use std::time::Duration;

use sw_traits::EventOutcome;
use sync_manager::{PeriodicPolicy, SyncPolicy};
use sync_traits::Engagement;

use crate::support::{FIRST_BACK_OFF, HOUR, SITE, StoreMode, World, offline, online, rejected};
use crate::table::{Step, commit, end, policy, rows, table};

const OTHER: &str = "https://example.net/";
const INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);

/// The tag is registered and its event has been dispatched.
fn fire(world: &mut World) {
    world.register_periodic("tag", HOUR);
    world.pass(INTERVAL);
}

pub(crate) const STATES: &[Step] = &[
    ("not registered", |_| {}),
    ("being registered", |world| {
        world.mode = StoreMode::Slow;
        world.ask_periodic(SITE, "tag", HOUR);
    }),
    ("pending, not due", |world| {
        world.register_periodic("tag", HOUR);
    }),
    ("pending, other sites had their turn", |world| {
        world.open_site(OTHER);
        world.register_periodic_at(OTHER, "other", HOUR).unwrap();
        world.pass(HOUR);
        world.register_periodic("tag", HOUR);
        world.pass(INTERVAL.saturating_sub(HOUR));
        world.fulfil("other");
        world.pass(2 * HOUR);
    }),
    ("pending, offline", |world| {
        world.set_network(offline());
        fire(world);
    }),
    ("pending, no active worker", |world| {
        fire(world);
        world.end("tag", EventOutcome::NoActiveWorker);
    }),
    ("pending, queued", |world| {
        world.register_periodic("tag", HOUR);
        world.register("other");
        world.pass(INTERVAL);
    }),
    ("pending, store fails", |world| {
        world.register_periodic("tag", HOUR);
        world.mode = StoreMode::Fails;
        world.pass(INTERVAL);
    }),
    ("being started", |world| {
        world.register_periodic("tag", HOUR);
        world.mode = StoreMode::Slow;
        world.pass(INTERVAL);
    }),
    ("firing", fire),
    ("firing, last attempt", |world| {
        fire(world);
        world.reject("tag");
        world.pass(FIRST_BACK_OFF);
    }),
    ("firing, being reregistered", |world| {
        fire(world);
        world.mode = StoreMode::Slow;
        world.ask_periodic(SITE, "tag", HOUR);
    }),
    ("firing, being unregistered", |world| {
        fire(world);
        world.mode = StoreMode::Slow;
        world.ask_unregister(SITE, "tag");
    }),
    ("reregistered while firing", |world| {
        fire(world);
        world.register_periodic("tag", HOUR);
    }),
    ("ended, being written", |world| {
        fire(world);
        world.mode = StoreMode::Slow;
        world.reject("tag");
    }),
    ("ended, store fails", |world| {
        fire(world);
        world.mode = StoreMode::Fails;
        world.reject("tag");
    }),
    ("waiting", |world| {
        fire(world);
        world.reject("tag");
    }),
    ("suspended", |world| {
        world.register_periodic("tag", HOUR);
        world.set_engagement(SITE, Engagement::Suspended);
    }),
    ("suspended between attempts", |world| {
        fire(world);
        world.reject("tag");
        world.set_engagement(SITE, Engagement::Suspended);
    }),
    ("suspended while firing", |world| {
        fire(world);
        world.set_engagement(SITE, Engagement::Suspended);
    }),
    ("being unregistered", |world| {
        world.register_periodic("tag", HOUR);
        world.mode = StoreMode::Slow;
        world.ask_unregister(SITE, "tag");
    }),
    ("being removed", |world| {
        world.register_periodic("tag", HOUR);
        world.mode = StoreMode::Slow;
        world.set_periodic_permission(SITE, false);
        world.set_periodic_permission(SITE, true);
    }),
    ("unregistered while firing", |world| {
        fire(world);
        world.unregister_periodic("tag");
    }),
];

pub(crate) const INPUTS: &[Step] = &[
    ("register", |world| {
        world.ask_periodic(SITE, "tag", HOUR);
    }),
    ("register with another interval", |world| {
        world.ask_periodic(SITE, "tag", 24 * HOUR);
    }),
    ("unregister", |world| {
        world.ask_unregister(SITE, "tag");
    }),
    ("getTags", |world| {
        world.periodic_tags();
    }),
    ("network down", |world| world.set_network(offline())),
    ("network up", |world| world.set_network(online())),
    ("event fulfilled", |world| {
        end(world, EventOutcome::Fulfilled);
    }),
    ("event rejected", |world| end(world, rejected())),
    ("event rejected offline", |world| {
        if world.firing().contains(&"tag".to_owned()) {
            world.network = offline();
        }
        end(world, rejected());
    }),
    ("event without worker", |world| {
        end(world, EventOutcome::NoActiveWorker);
    }),
    ("batch written", |world| commit(world, true)),
    ("batch failed", |world| commit(world, false)),
    ("permission revoked", |world| {
        world.set_periodic_permission(SITE, false);
    }),
    ("background-sync revoked", |world| {
        world.set_permission(SITE, false);
    }),
    ("worker unregistered", |world| world.unregister(SITE)),
    ("activated", |world| world.activate(SITE)),
    ("engagement lost", |world| {
        world.set_engagement(SITE, Engagement::Suspended);
    }),
    ("engagement gained", |world| {
        world.set_engagement(SITE, Engagement::High);
    }),
    ("back-off over", |world| world.pass(FIRST_BACK_OFF)),
    ("interval over", |world| world.pass(INTERVAL)),
    ("clock a day back", |world| {
        world.set_clock(-24 * 3_600_000);
        world.pass(Duration::from_secs(1));
    }),
    ("exit", World::exit),
    ("crash", World::restart),
];

pub(crate) fn periodic_policy() -> SyncPolicy {
    SyncPolicy {
        periodic: PeriodicPolicy {
            max_attempts: 2,
            ..PeriodicPolicy::default()
        },
        ..policy()
    }
}

#[test]
fn every_input_in_every_periodic_state() {
    insta::assert_snapshot!(table(&rows(&periodic_policy(), STATES, INPUTS)));
}
