//! Every state of a registration against every thing that can happen.

use std::fmt::Write as _;

use base::ids::WorkerId;
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
    ("checking", |world, page| {
        active(world, page);
        world.hold_loads = true;
        world.request(page, SwRequest::Update { scope: url(PAGE) });
    }),
    ("updating", |world, page| {
        active(world, page);
        world.held_events.insert("install");
        world.serve(SCRIPT, "install activate sync 2");
        world.request(page, SwRequest::Update { scope: url(PAGE) });
    }),
    ("starting", |world, page| {
        active(world, page);
        world.hold_starts = true;
        world.dispatch(PAGE, sync("first"));
    }),
    ("handling", |world, page| {
        active(world, page);
        world.held_events.insert("sync");
        world.dispatch(PAGE, sync("first"));
    }),
    ("waiting, handling", |world, page| {
        active(world, page);
        world.attach(PAGE);
        world.held_events.insert("sync");
        world.dispatch(PAGE, sync("first"));
        world.serve(SCRIPT, "install activate sync 2");
        world.request(page, SwRequest::Update { scope: url(PAGE) });
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
    ("stale event", |world, _| {
        world.serve(SCRIPT, "install activate sync stale");
        world.advance(86_401);
        world.dispatch(PAGE, sync("second"));
    }),
    ("start fails", |world, _| {
        world.extra_words = " throw";
        world.dispatch(PAGE, sync("second"));
    }),
    ("start hangs", |world, _| {
        world.extra_words = " hang";
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
    ("worker update", |world, _| {
        for client in world.running.values().copied().collect::<Vec<_>>() {
            world.request(client, SwRequest::Update { scope: url(PAGE) });
        }
    }),
    ("worker unregister", |world, _| {
        for client in world.running.values().copied().collect::<Vec<_>>() {
            world.request(client, SwRequest::Unregister { scope: url(PAGE) });
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
    ("pages close", |world, page| {
        let pages: Vec<_> = world.pages().filter(|other| *other != page).collect();
        for other in pages {
            world.detach(other);
        }
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

/// What tells the script of a worker from the first one.
fn script_of(world: &World, worker: WorkerId) -> String {
    let start = world.starts.iter().find(|start| start.worker == worker);
    let body = start.map(|start| &start.scripts[&start.script_url].body);
    let body = body.map(|body| String::from_utf8(body.to_vec()).unwrap());
    match body
        .as_deref()
        .and_then(|body| body.strip_prefix("install activate sync "))
    {
        Some(version) => format!(" ({version})"),
        None => String::new(),
    }
}

fn shape(world: &World) -> String {
    let snapshot = world.machine.snapshot();
    let info: Option<&RegistrationInfo> = snapshot.first().map(|found| &found.registration);
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
            let state = format!("{place} {:?}", worker.state).to_lowercase();
            shape.push(state + &script_of(world, worker.id));
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
    world.answer_starts();
    world.end_held_events(&EventOutcome::Fulfilled);
    world.fail_commits = false;
    world.advance(300);

    let mut line = shape(&world);
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
            writeln!(table, "  {input_name:<18}{}", result_of(*state, *input)).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
