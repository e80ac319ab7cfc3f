//! Every state of a registration against every thing that can happen.

use std::fmt::Write as _;

use sw_traits::{EventOutcome, RegistrationInfo, SwAnswer, SwRequest};

use crate::support::{World, register, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";
const OTHER: &str = "https://a.test/other.js";

type Step = fn(&mut World, base::ids::ClientId);

fn active(world: &mut World, page: base::ids::ClientId) {
    world.request(page, register(SCRIPT));
    world.advance(60);
}

const STATES: &[(&str, Step)] = &[
    ("nothing", |_, _| {}),
    ("loading", |world, page| {
        world.hold_loads = true;
        world.request(page, register(SCRIPT));
    }),
    ("evaluating", |world, page| {
        world.serve(SCRIPT, "hang install activate sync");
        world.request(page, register(SCRIPT));
    }),
    ("installing", |world, page| {
        world.held_events.insert("install");
        world.request(page, register(SCRIPT));
    }),
    ("storing", |world, page| {
        world.hold_commits = true;
        world.request(page, register(SCRIPT));
    }),
    ("activating", |world, page| {
        world.held_events.insert("activate");
        world.request(page, register(SCRIPT));
    }),
    ("idle", active),
    ("in use", |world, page| {
        active(world, page);
        world.attach(PAGE);
    }),
    ("waiting", |world, page| {
        active(world, page);
        world.attach(PAGE);
        world.serve(SCRIPT, "install activate sync 2");
        world.request(page, SwRequest::Update { scope: url(PAGE) });
    }),
    ("handling", |world, page| {
        active(world, page);
        world.held_events.insert("sync");
        world.dispatch(PAGE, sync("first"));
    }),
    ("removing", |world, page| {
        active(world, page);
        world.hold_commits = true;
        world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    }),
    ("removed in use", |world, page| {
        active(world, page);
        world.attach(PAGE);
        world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    }),
];

const INPUTS: &[(&str, Step)] = &[
    ("register", |world, page| {
        world.request(page, register(SCRIPT));
    }),
    ("register other", |world, page| {
        world.request(page, register(OTHER));
    }),
    ("update", |world, page| {
        world.request(page, SwRequest::Update { scope: url(PAGE) });
    }),
    ("unregister", |world, page| {
        world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    }),
    ("sync event", |world, _| {
        world.dispatch(PAGE, sync("second"));
    }),
    ("crash", |world, _| {
        for worker in world.running.keys().copied().collect::<Vec<_>>() {
            world.crash(worker);
        }
    }),
    ("skip waiting", |world, _| {
        for client in world.running.values().copied().collect::<Vec<_>>() {
            world.request(client, SwRequest::SkipWaiting);
        }
    }),
    ("claim", |world, _| {
        for client in world.running.values().copied().collect::<Vec<_>>() {
            world.request(client, SwRequest::ClaimClients);
        }
    }),
    ("stop worker", |world, _| world.stop_worker(PAGE)),
    ("new page", |world, _| {
        world.attach(PAGE);
    }),
    ("new script", |world, page| {
        world.serve(SCRIPT, "install activate sync 3");
        world.request(page, SwRequest::Update { scope: url(PAGE) });
    }),
    ("bad script", |world, page| {
        world.serve(SCRIPT, "throw");
        world.request(page, SwRequest::Update { scope: url(PAGE) });
    }),
    ("event fails", |world, _| {
        world.end_held_events(&EventOutcome::Rejected {
            reason: String::new(),
        });
    }),
    ("clear", |world, _| {
        world.clear(PAGE);
    }),
    ("store fails", |world, _| {
        world.fail_commits = true;
    }),
    ("restart", |world, _| world.restart()),
];

fn shape(info: Option<&RegistrationInfo>) -> String {
    let Some(info) = info else {
        return "none".to_owned();
    };
    let mut shape = Vec::new();
    for (place, worker) in [
        ("installing", &info.installing),
        ("waiting", &info.waiting),
        ("active", &info.active),
    ] {
        if let Some(worker) = worker {
            shape.push(format!("{place} {:?}", worker.state).to_lowercase());
        }
    }
    shape.join(", ")
}

fn outcome(outcome: &EventOutcome) -> String {
    let text = format!("{outcome:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// What comes of the input, once everything that was held is let go.
fn result_of(state: Step, input: Step) -> String {
    let mut world = World::new();
    world.serve(SCRIPT, "install activate sync");
    world.serve(OTHER, "install activate sync other");
    let page = world.attach("https://a.test/");
    // The page that asks is not controlled, so that it keeps nothing from becoming active.
    state(&mut world, page);
    let answers_before = world.events[&page].len();
    let outcomes_before: Vec<u64> = world.outcomes.keys().copied().collect();
    input(&mut world, page);
    world.answer_loads();
    world.answer_commits();
    world.end_held_events(&EventOutcome::Fulfilled);
    world.fail_commits = false;
    world.advance(300);

    let mut line = shape(
        world
            .machine
            .snapshot()
            .first()
            .map(|found| &found.registration),
    );
    let events = world.events.get(&page).into_iter().flatten();
    for event in events.skip(answers_before) {
        if let sw_traits::SwClientEvent::Answer { result, .. } = event {
            let answer = match result {
                Ok(SwAnswer::Registration(_)) => "resolved".to_owned(),
                Ok(SwAnswer::Boolean(answer)) => answer.to_string(),
                Ok(other) => format!("{other:?}"),
                Err(exception) => exception.name().to_owned(),
            };
            write!(line, "; {answer}").unwrap();
        }
    }
    for (token, ended) in &world.outcomes {
        if !outcomes_before.contains(token) {
            write!(line, "; {}", outcome(ended)).unwrap();
        }
    }
    assert!(
        world.running.is_empty(),
        "nothing keeps a worker running for ever"
    );
    line
}

#[test]
fn states_against_inputs() {
    let mut table = String::new();
    for (state_name, state) in STATES {
        writeln!(table, "{state_name}").unwrap();
        for (input_name, input) in INPUTS {
            writeln!(table, "  {input_name:<15}{}", result_of(*state, *input)).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
