//! Every state of a registration and every input: what comes out, and what it becomes.

use std::fmt::Write;

use network_traits::Reachability;
use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::SyncRegistrationInfo;

use crate::support::{
    DAY, FIRST_BACK_OFF, SITE, StoreMode, World, offline, online, rejected, with_reachability,
};

pub(crate) type Step = (&'static str, fn(&mut World));

/// Every state in which a registration can be, batches on their way included.
pub(crate) const STATES: &[Step] = &[
    ("not registered", |_| {}),
    ("being registered", |world| {
        world.mode = StoreMode::Slow;
        world.ask(SITE, "tag");
    }),
    ("pending, offline", |world| {
        world.set_network(offline());
        world.register("tag");
    }),
    ("pending, being checked", |world| {
        world.set_network(with_reachability(Reachability::Checking));
        world.register("tag");
    }),
    ("pending, unreachable", |world| {
        world.set_network(with_reachability(Reachability::Unreachable));
        world.register("tag");
    }),
    ("pending, no active worker", |world| {
        world.register("tag");
        world.end("tag", EventOutcome::NoActiveWorker);
    }),
    ("pending, queued", |world| {
        world.register("other");
        world.register("tag");
    }),
    ("pending, store fails", |world| {
        world.set_network(offline());
        world.register("tag");
        world.mode = StoreMode::Fails;
        world.set_network(online());
    }),
    ("being started", |world| {
        world.mode = StoreMode::Slow;
        world.ask(SITE, "tag");
        world.commit_one(true);
    }),
    ("firing", |world| world.register("tag")),
    ("firing, last chance", |world| {
        world.register("tag");
        world.reject("tag");
        world.pass(FIRST_BACK_OFF);
    }),
    ("firing, being reregistered", |world| {
        world.register("tag");
        world.mode = StoreMode::Slow;
        world.ask(SITE, "tag");
    }),
    ("reregistered while firing", |world| {
        world.register("tag");
        world.register("tag");
    }),
    ("ended, being written", |world| {
        world.register("tag");
        world.mode = StoreMode::Slow;
        world.reject("tag");
    }),
    ("ended, store fails", |world| {
        world.register("tag");
        world.mode = StoreMode::Fails;
        world.reject("tag");
    }),
    ("waiting", |world| {
        world.register("tag");
        world.reject("tag");
    }),
    ("waiting, unreachable", |world| {
        world.register("tag");
        world.set_network(with_reachability(Reachability::Unreachable));
        world.reject("tag");
    }),
    ("waiting, being reregistered", |world| {
        world.register("tag");
        world.reject("tag");
        world.mode = StoreMode::Slow;
        world.ask(SITE, "tag");
    }),
    ("being removed", |world| {
        world.set_network(offline());
        world.register("tag");
        world.mode = StoreMode::Slow;
        world.set_permission(SITE, false);
        world.set_permission(SITE, true);
    }),
    ("removed while firing", |world| {
        world.register("tag");
        world.set_permission(SITE, false);
        world.set_permission(SITE, true);
    }),
];

pub(crate) fn end(world: &mut World, outcome: EventOutcome) {
    if world.firing().contains(&"tag".to_owned()) {
        world.end("tag", outcome);
    } else {
        world.trace.push("(no event)".to_owned());
    }
}

pub(crate) fn commit(world: &mut World, works: bool) {
    if world.commits.is_empty() {
        world.trace.push("(no batch)".to_owned());
    } else {
        world.commit_one(works);
    }
}

pub(crate) const INPUTS: &[Step] = &[
    ("register", |world| {
        world.ask(SITE, "tag");
    }),
    ("getTags", |world| {
        world.tags();
    }),
    ("network down", |world| world.set_network(offline())),
    ("network up", |world| world.set_network(online())),
    ("server being checked", |world| {
        world.set_network(with_reachability(Reachability::Checking));
    }),
    ("server reachable", |world| {
        world.set_network(with_reachability(Reachability::Reachable));
    }),
    ("server unreachable", |world| {
        world.set_network(with_reachability(Reachability::Unreachable));
    }),
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
        world.set_permission(SITE, false);
    }),
    ("unregistered", |world| world.unregister(SITE)),
    ("activated", |world| world.activate(SITE)),
    ("back-off over", |world| world.pass(FIRST_BACK_OFF)),
    ("a week later", |world| world.pass(7 * DAY)),
    ("exit", World::exit),
    ("crash", World::restart),
];

/// Failures in a row are one: how many there are is not what the table is about.
fn shortened(trace: &[String]) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in trace {
        let again = lines.ends_with(&["Commit", "StoreFailed", "Commit"]) && line == "StoreFailed";
        if again {
            lines.pop();
        } else {
            lines.push(line);
        }
    }
    lines.join(", ")
}

/// What one input makes of one state.
pub(crate) struct Row {
    pub(crate) state: &'static str,
    pub(crate) input: &'static str,
    outputs: String,
    pub(crate) before: Option<SyncRegistrationInfo>,
    pub(crate) after: Option<SyncRegistrationInfo>,
}

pub(crate) fn rows(policy: &SyncPolicy, states: &[Step], inputs: &[Step]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (state, reach) in states {
        for (input, apply) in inputs {
            let mut world = World::new(policy.clone());
            world.set_network(online());
            reach(&mut world);
            let before = world.info("tag");
            world.trace.clear();
            apply(&mut world);
            rows.push(Row {
                state,
                input,
                outputs: shortened(&world.trace),
                before,
                after: world.info("tag"),
            });
        }
    }
    rows
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    let mut state = "";
    for row in rows {
        if row.state != state {
            state = row.state;
            writeln!(table, "{state}").unwrap();
        }
        let becomes = row.after.as_ref().map_or("nothing".to_owned(), |info| {
            let held_by = info.held_by.as_ref();
            let held_by = held_by.map(|held_by| format!(" ({held_by})"));
            format!("{}{}", info.state, held_by.unwrap_or_default())
        });
        writeln!(table, "  {}: {} -> {becomes}", row.input, row.outputs).unwrap();
    }
    table
}

pub(crate) fn policy() -> SyncPolicy {
    SyncPolicy {
        max_attempts: 2,
        max_concurrent_events: 1,
        ..SyncPolicy::default()
    }
}

#[test]
fn every_input_in_every_state() {
    insta::assert_snapshot!(table(&rows(&policy(), STATES, INPUTS)));
}
