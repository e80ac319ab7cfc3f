//! What a page or its worker would let grow without limit.

use base::ids::ClientId;
use storage::{Direction, KeyRange, Tree};
use sw_registration::SwPolicy;
use sw_traits::{EventOutcome, NavigationPreloadChange, SwAnswer, SwRequest, WorkerHostEvent};

use crate::support::{World, register, register_with_scope, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";
const ONE: &str = "https://a.test/one.js";
const OTHER: &str = "https://a.test/other.js";

/// A world in which a worker has at most 100 bytes of script, with a page.
fn world() -> (World, ClientId) {
    let mut world = World::with_policy(SwPolicy {
        max_scripts_per_worker: (10, 100),
        update_after_navigation: None,
        ..SwPolicy::default()
    });
    world.serve(ONE, "1");
    world.serve(OTHER, "1");
    let page = world.attach(PAGE);
    (world, page)
}

#[test]
fn a_main_script_that_is_too_large_leaves_nothing_behind() {
    let (mut world, page) = world();
    world.serve(SCRIPT, &"x".repeat(101));
    assert_eq!(
        world.ask_error(page, register(SCRIPT)),
        "QuotaExceededError"
    );
    assert_eq!(
        world.ask(page, SwRequest::GetRegistrations),
        Ok(SwAnswer::Registrations(Vec::new()))
    );
    assert!(world.starts.is_empty());
    world.serve(SCRIPT, &"x".repeat(100));
    world.ask_registration(page, register(SCRIPT));
}

#[test]
fn imports_that_have_become_too_large_together_are_no_update() {
    let (mut world, page) = world();
    world.serve(SCRIPT, "install import:one.js import:other.js");
    let active = world.ask_registration(page, register(SCRIPT)).id;
    let starts = world.starts.len();
    for script in [ONE, OTHER] {
        world.serve(script, &"x".repeat(60));
    }
    let update = SwRequest::Update { scope: url(PAGE) };
    assert_eq!(world.ask_error(page, update), "QuotaExceededError");
    assert_eq!(world.starts.len(), starts);
    let info = world.registration(page, PAGE).expect("a registration");
    assert_eq!(info.id, active);
    assert!(info.active.is_some() && info.installing.is_none());
}

#[test]
fn a_worker_that_listens_to_everything_has_a_small_record() {
    let mut world = World::new();
    let mut types: Vec<String> = (0..100_000).map(|number| format!("type{number}")).collect();
    types.insert(0, "x".repeat(100_000));
    world.serve(SCRIPT, &format!("install sync {}", types.join(" ")));
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let mut records = world
        .store
        .scan(Tree::ServiceWorkers, KeyRange::all(), Direction::Forward);
    let (_, record) = records.next().expect("a record").unwrap();
    assert!(record.value.len() < 100_000, "{} bytes", record.value.len());
}

#[test]
fn urls_and_header_values_without_end_are_refused() {
    let mut world = World::new();
    world.serve(SCRIPT, "install");
    let page = world.attach(PAGE);
    let limit = SwPolicy::default().max_url_bytes;
    let long = |bytes: usize| format!("{PAGE}{}", "x".repeat(bytes - PAGE.len()));
    let refused = [
        register_with_scope(SCRIPT, &long(limit + 1)),
        register(&long(limit + 1)),
    ];
    for request in refused {
        assert_eq!(world.ask_error(page, request), "QuotaExceededError");
    }
    assert!(world.loads.is_empty());
    world.ask_registration(page, register_with_scope(SCRIPT, &long(limit)));
    let change = |bytes| SwRequest::ChangeNavigationPreload {
        scope: url(&long(limit)),
        change: NavigationPreloadChange::HeaderValue(vec![b'x'; bytes]),
    };
    assert_eq!(
        world.ask_error(page, change(limit + 1)),
        "QuotaExceededError"
    );
    assert_eq!(world.ask(page, change(limit)), Ok(SwAnswer::Done));
}

#[test]
fn requests_that_a_clearing_has_aborted_count_no_more() {
    let mut world = World::with_policy(SwPolicy {
        max_requests_per_origin: 1,
        ..SwPolicy::default()
    });
    world.serve(SCRIPT, "install");
    let page = world.attach(PAGE);
    world.hold_loads = true;
    world.request(page, register(SCRIPT));
    assert_eq!(
        world.ask_error(page, register(SCRIPT)),
        "QuotaExceededError"
    );
    world.clear(PAGE);
    world.answer_loads();
    world.ask_registration(page, register(SCRIPT));
}

#[test]
fn a_record_is_written_with_the_same_work_after_many_updates() {
    let (mut world, page) = world();
    world.serve(SCRIPT, "install 0");
    world.request(page, register(SCRIPT));
    let changes = [1, 2, 8].map(|last| {
        for version in 1..=last {
            world.serve(SCRIPT, &format!("install {last}.{version}"));
            world.ask_registration(page, SwRequest::Update { scope: url(PAGE) });
        }
        world.hold_commits = true;
        let scope = url(PAGE);
        let change = NavigationPreloadChange::Enabled(true);
        world.request(page, SwRequest::ChangeNavigationPreload { scope, change });
        let (_, batch) = world.held_commits.back().expect("a commit");
        let changes = batch.len();
        world.answer_commits();
        changes
    });
    assert_eq!(changes[0], changes[1]);
    assert_eq!(changes[1], changes[2]);
}

#[test]
fn an_origin_starts_no_more_workers_than_may_run() {
    let mut world = World::with_policy(SwPolicy {
        max_running_workers_per_origin: 2,
        update_after_navigation: None,
        ..SwPolicy::default()
    });
    let scopes = ["a", "b", "c"].map(|name| format!("{PAGE}{name}"));
    world.serve(SCRIPT, "install sync");
    world.serve("https://b.test/worker.js", "install");
    world.held_events.insert("install");
    let page = world.attach(PAGE);
    for scope in &scopes[..2] {
        world.ask_registration(page, register_with_scope(SCRIPT, scope));
    }
    let third = register_with_scope(SCRIPT, &scopes[2]);
    assert_eq!(world.ask_error(page, third.clone()), "TypeError");
    let other = world.attach("https://b.test/");
    world.ask_registration(other, register("https://b.test/worker.js"));
    // One that the host has not stopped yet takes as much as one that runs.
    world.end_held_events(&EventOutcome::Fulfilled);
    world.hold_stops = true;
    world.advance(60);
    assert_eq!(world.ask_error(page, third.clone()), "TypeError");
    world.hold_stops = false;
    for worker in world.terminated.clone() {
        let crash = None;
        world.host(WorkerHostEvent::Stopped { worker, crash });
    }
    world.ask_registration(page, third);
    // However a worker ended, it counts no more.
    for (number, scope) in scopes.iter().cycle().take(12).enumerate() {
        world.extra_words = ["", " throw"][number % 2];
        world.dispatch(scope, sync("x"));
        let running: Vec<_> = world.running.keys().copied().collect();
        for worker in running {
            world.crash(worker);
        }
    }
    world.extra_words = "";
    let token = world.dispatch(&scopes[0], sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn workers_that_did_not_start_take_no_place_of_others() {
    let mut world = World::with_policy(SwPolicy {
        max_running_workers_per_origin: 1,
        ..SwPolicy::default()
    });
    let page = world.attach(PAGE);
    for _ in 0..2 {
        world.serve(SCRIPT, "hang");
        let request = world.request(page, register(SCRIPT));
        world.advance(60);
        let answer = world.answer(page, request).expect("an answer");
        assert!(answer.is_err());
    }
    world.serve(SCRIPT, "install");
    world.ask_registration(page, register(SCRIPT));
}

#[test]
fn the_scripts_of_all_workers_of_an_origin_have_a_limit() {
    let mut world = World::with_policy(SwPolicy {
        max_script_bytes_per_origin: 280,
        update_after_navigation: None,
        ..SwPolicy::default()
    });
    let page = world.attach(PAGE);
    let body = |version: u8| format!("install import:one.js {version} {}", "x".repeat(60));
    world.serve(ONE, &"1".repeat(20));
    world.serve(SCRIPT, &body(0));
    let [first, second, third] = ["a", "b", "c"].map(|name| format!("{PAGE}{name}"));
    for scope in [&first, &second] {
        world.ask_registration(page, register_with_scope(SCRIPT, scope));
    }
    let one_more = register_with_scope(SCRIPT, &third);
    assert_eq!(
        world.ask_error(page, one_more.clone()),
        "QuotaExceededError"
    );
    world.request(page, SwRequest::Unregister { scope: url(&first) });
    // What it imports counts as well.
    world.serve(ONE, &"1".repeat(100));
    assert_eq!(world.ask_error(page, one_more.clone()), "TypeError");
    world.serve(ONE, "1");
    world.ask_registration(page, one_more);
    // What was replaced, dropped or stored by an earlier run of the engine is counted as it is.
    for version in 1..20 {
        world.serve(SCRIPT, &body(version));
        let update = SwRequest::Update {
            scope: url(&second),
        };
        world.ask_registration(page, update);
    }
    world.serve(SCRIPT, &"x".repeat(200));
    let again = register_with_scope(SCRIPT, &first);
    assert_eq!(world.ask_error(page, again.clone()), "QuotaExceededError");
    world.clear(PAGE);
    world.ask_registration(page, again);
}
