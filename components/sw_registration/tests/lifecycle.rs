//! Update, install, activate, and what of them is stored.

use std::collections::BTreeSet;

use storage::{Batch, Direction, KeyRange, Tree};
use sw_traits::{
    ClientKind, EventOutcome, ScriptResource, ServiceWorkerState, SwAnswer, SwNotification,
    SwRequest, WorkerEvent, WorkerHostEvent,
};

use crate::support::{World, header, key, register, script, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";

fn update() -> SwRequest {
    SwRequest::Update { scope: url(PAGE) }
}

/// A world with a registration whose worker is active, a page that it controls, and the worker.
fn world(body: &str) -> (World, base::ids::ClientId, base::ids::WorkerId) {
    let mut world = World::new();
    world.serve(SCRIPT, body);
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    world.detach(first);
    let page = world.attach(PAGE);
    let worker = world.controllers(page)[0].0.expect("a controller");
    (world, page, worker)
}

fn rejected() -> EventOutcome {
    EventOutcome::Rejected {
        reason: "no".to_owned(),
    }
}

#[test]
fn an_unchanged_script_leads_to_no_new_worker() {
    let (mut world, page, worker) = world("install");
    let info = world.ask_registration(page, update());
    assert_eq!(info.active.map(|active| active.id), Some(worker));
    assert_eq!(world.loads.len(), 2);
    assert_eq!(world.starts.len(), 1);
}

#[test]
fn a_script_that_differs_in_one_byte_waits_while_pages_use_the_old_one() {
    let (mut world, page, old) = world("install sync ");
    world.serve(SCRIPT, "install sync x");
    let info = world.ask_registration(page, update());
    let new = info.installing.expect("a new worker").id;
    let info = world.registration(page, PAGE).expect("a registration");
    assert_eq!(info.waiting.map(|worker| worker.id), Some(new));
    assert_eq!(info.active.map(|worker| worker.id), Some(old));
    world.dispatch(PAGE, sync("x"));
    assert_eq!(world.last_event("sync").0, old);

    world.detach(page);
    world.dispatch(PAGE, sync("x"));
    assert_eq!(world.last_event("sync").0, new, "the last page is gone");
    assert_eq!(
        world.stored(Tree::Scripts),
        1,
        "the old scripts are gone as well"
    );
}

#[test]
fn imported_scripts_are_compared_too() {
    let mut world = World::new();
    world.serve(SCRIPT, "install import:a.js import:b.js");
    world.serve("https://a.test/a.js", "1");
    world.serve("https://a.test/b.js", "1");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    assert_eq!(world.stored(Tree::Scripts), 3);

    world.ask_registration(page, update());
    assert_eq!(world.starts.len(), 1, "nothing changed");
    world.server.remove(&url("https://a.test/a.js"));
    let mut broken = script("https://a.test/b.js", "2");
    broken.status = 500;
    world.server.insert(url("https://a.test/b.js"), Ok(broken));
    world.ask_registration(page, update());
    assert_eq!(
        world.starts.len(),
        1,
        "what cannot be loaded has not changed"
    );

    world.serve("https://a.test/a.js", "1");
    world.serve("https://a.test/b.js", "2");
    world.ask_registration(page, update());
    assert_eq!(world.starts.len(), 2);
    let scripts = &world.starts[1].scripts;
    assert_eq!(&*scripts[&url("https://a.test/b.js")].body, b"2");
    assert_eq!(&*scripts[&url("https://a.test/a.js")].body, b"1");
}

#[test]
fn an_update_that_cannot_load_its_script_changes_nothing() {
    let (mut world, page, worker) = world("install sync");
    world.server.clear();
    assert_eq!(world.ask_error(page, update()), "TypeError");
    world.serve(SCRIPT, "throw");
    assert_eq!(world.ask_error(page, update()), "TypeError");
    let info = world.registration(page, PAGE).expect("a registration");
    assert_eq!(info.active.map(|active| active.id), Some(worker));
    assert_eq!((info.installing, info.waiting), (None, None));
}

#[test]
fn an_update_of_what_is_not_there_is_refused() {
    let mut world = World::new();
    let page = world.attach(PAGE);
    assert_eq!(world.ask_error(page, update()), "TypeError");
}

#[test]
fn a_worker_cannot_update_while_it_is_installing() {
    let mut world = World::new();
    world.serve(SCRIPT, "install");
    world.held_events.insert("install");
    let page = world.attach(PAGE);
    let worker = world
        .ask_registration(page, register(SCRIPT))
        .installing
        .expect("one")
        .id;
    let client = world.worker_client(worker);
    assert_eq!(world.ask_error(client, update()), "InvalidStateError");
}

#[test]
fn a_failed_install_event_makes_the_worker_redundant_and_stores_nothing() {
    for outcome in [
        rejected(),
        EventOutcome::Crashed {
            reason: String::new(),
        },
    ] {
        let mut world = World::new();
        world.serve(SCRIPT, "install");
        world.held_events.insert("install");
        let page = world.attach(PAGE);
        let worker = world
            .ask_registration(page, register(SCRIPT))
            .installing
            .expect("one")
            .id;
        world.end_event("install", outcome);
        let states = [
            ServiceWorkerState::Installing,
            ServiceWorkerState::Redundant,
        ];
        assert_eq!(world.states(page), states.map(|state| (worker, state)));
        assert_eq!(world.registration(page, PAGE), None);
        assert_eq!(world.stored(Tree::ServiceWorkers), 0);
        assert!(world.running.is_empty());
        // The next try starts afresh.
        world.held_events.clear();
        world.ask_registration(page, register(SCRIPT));
        assert!(
            world
                .registration(page, PAGE)
                .is_some_and(|info| info.active.is_some())
        );
    }
}

#[test]
fn a_failed_update_keeps_the_waiting_worker() {
    let (mut world, page, old) = world("install");
    world.serve(SCRIPT, "install 2");
    world.request(page, update());
    let waiting = world.registration(page, PAGE).and_then(|info| info.waiting);
    world.serve(SCRIPT, "install 3");
    world.held_events.insert("install");
    world.request(page, update());
    world.end_event("install", rejected());
    let info = world.registration(page, PAGE).expect("a registration");
    assert_eq!(info.waiting, waiting);
    assert_eq!(info.active.map(|worker| worker.id), Some(old));
}

#[test]
fn a_newer_worker_makes_the_waiting_one_redundant() {
    let (mut world, page, _) = world("install");
    world.serve(SCRIPT, "install 2");
    world.request(page, update());
    let former = world
        .registration(page, PAGE)
        .and_then(|info| info.waiting)
        .expect("one")
        .id;
    world.serve(SCRIPT, "install 3");
    world.request(page, update());
    let waiting = world
        .registration(page, PAGE)
        .and_then(|info| info.waiting)
        .expect("one")
        .id;
    assert_ne!(former, waiting);
    assert!(
        world
            .states(page)
            .contains(&(former, ServiceWorkerState::Redundant))
    );
}

#[test]
fn skip_waiting_replaces_the_active_worker_under_its_pages() {
    let (mut world, page, old) = world("install activate");
    world.serve(SCRIPT, "install activate 2");
    world.request(page, update());
    let new = world
        .registration(page, PAGE)
        .and_then(|info| info.waiting)
        .expect("one")
        .id;
    let client = world.worker_client(new);
    world.trace.clear();
    assert_eq!(
        world.ask(client, SwRequest::SkipWaiting),
        Ok(SwAnswer::Done)
    );
    assert_eq!(
        world.controllers(page),
        [(Some(old), false), (Some(new), true)]
    );
    insta::assert_snapshot!(world.trace.join("\n"), @r"
    statechange: Redundant
    notify: active https://a.test/
    registration: installing null, waiting set, active set
    registration: installing null, waiting null, active set
    statechange: Activating
    commit
    controller: set, controllerchange
    event: activate
    statechange: Activated
    ");
}

#[test]
fn skip_waiting_during_install_activates_as_soon_as_it_is_installed() {
    let (mut world, page, _) = world("install");
    world.serve(SCRIPT, "install 2");
    world.held_events.insert("install");
    let new = world
        .ask_registration(page, update())
        .installing
        .expect("one")
        .id;
    let client = world.worker_client(new);
    assert_eq!(
        world.ask(client, SwRequest::SkipWaiting),
        Ok(SwAnswer::Done)
    );
    world.end_event("install", EventOutcome::Fulfilled);
    let active = world
        .registration(page, PAGE)
        .and_then(|info| info.active)
        .expect("one");
    assert_eq!(
        (active.id, active.state),
        (new, ServiceWorkerState::Activated)
    );
}

#[test]
fn a_waiting_worker_lets_the_events_of_the_active_one_end() {
    let (mut world, page, old) = world("install sync");
    world.serve(SCRIPT, "install sync 2");
    world.request(page, update());
    world.held_events.insert("sync");
    let token = world.dispatch(PAGE, sync("x"));
    world.detach(page);
    assert!(world.running.contains_key(&old));
    world.end_event("sync", EventOutcome::Fulfilled);
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    world.dispatch(PAGE, sync("x"));
    assert_ne!(world.last_event("sync").0, old);
}

#[test]
fn a_worker_that_skips_waiting_lets_the_one_before_it_get_activated() {
    let (mut world, page, _) = world("install activate");
    world.serve(SCRIPT, "install activate 2");
    let second = world.ask_registration(page, update()).installing.unwrap();
    world.advance(60);
    // It has to be started for its `activate` event.
    world.hold_starts = true;
    world.detach(page);
    let page = world.attach(PAGE);
    assert_eq!(world.controllers(page)[0].0, Some(second.id));
    world.serve(SCRIPT, "install activate 3");
    let request = world.request(page, update());
    let event_types = ["install", "activate"].map(str::to_owned).to_vec();
    let worker = *world.running.keys().max().unwrap();
    world.host(WorkerHostEvent::Started {
        worker,
        event_types,
    });
    assert!(world.answer(page, request).is_some());
    let client = world.worker_client(worker);
    world.ask(client, SwRequest::SkipWaiting).unwrap();
    assert!(!world.is_redundant(second.id));
    world.answer_starts();
    let activated = (second.id, ServiceWorkerState::Activated);
    assert!(world.states(page).contains(&activated));
    assert_eq!(
        world.states(page).last(),
        Some(&(worker, ServiceWorkerState::Activated))
    );
}

#[test]
fn events_wait_until_the_worker_is_activated() {
    let mut world = World::new();
    world.serve(SCRIPT, "install activate sync");
    world.held_events.insert("activate");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let token = world.dispatch(PAGE, sync("x"));
    assert!(!world.outcomes.contains_key(&token));
    world.end_event("activate", rejected());
    assert_eq!(
        world.outcomes[&token],
        EventOutcome::Fulfilled,
        "even a failed activate event"
    );
    let active = world
        .registration(page, PAGE)
        .and_then(|info| info.active)
        .expect("one");
    assert_eq!(active.state, ServiceWorkerState::Activated);
}

#[test]
fn events_wait_until_the_active_worker_is_durable() {
    let mut world = World::new();
    world.serve(SCRIPT, "install sync");
    let page = world.attach(PAGE);
    world.hold_commits = true;
    world.request(page, register(SCRIPT));
    let info = world.registration(page, PAGE).expect("a registration");
    assert!(
        info.installing.is_some(),
        "not installed before it is durable"
    );
    let held = world.held_commits.len();
    assert_eq!(held, 1);
    // The commit of the installation ends, that of the activation does not.
    world.answer_one_commit();
    let token = world.dispatch(PAGE, sync("x"));
    assert!(!world.outcomes.contains_key(&token));
    world.answer_commits();
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn a_worker_that_cannot_be_stored_is_not_installed() {
    let mut world = World::new();
    world.serve(SCRIPT, "install");
    let page = world.attach(PAGE);
    world.fail_commits = true;
    world.request(page, register(SCRIPT));
    assert_eq!(world.registration(page, PAGE), None);
    assert_eq!(
        world.states(page).last().map(|(_, state)| *state),
        Some(ServiceWorkerState::Redundant)
    );
    world.fail_commits = false;
    world.request(page, register(SCRIPT));
    assert!(
        world
            .registration(page, PAGE)
            .is_some_and(|info| info.active.is_some())
    );
}

#[test]
fn an_unregistration_that_cannot_be_stored_rejects_and_changes_nothing() {
    let (mut world, page, worker) = world("install sync");
    world.fail_commits = true;
    let exception = world
        .ask(page, SwRequest::Unregister { scope: url(PAGE) })
        .unwrap_err();
    assert_eq!(exception.name(), "UnknownError");
    assert!(exception.message.contains("the disk is full"));
    let active = world.registration(page, PAGE).and_then(|info| info.active);
    assert_eq!(active.map(|active| active.id), Some(worker));
    world.fail_commits = false;
    let unregister = SwRequest::Unregister { scope: url(PAGE) };
    assert_eq!(world.ask(page, unregister), Ok(SwAnswer::Boolean(true)));
}

#[test]
fn an_active_worker_survives_a_restart_with_its_scripts_and_their_headers() {
    let mut world = World::new();
    let headers = [
        header("content-type", "text/javascript"),
        header("referrer-policy", "origin"),
        header("x-version", "1"),
        header("x-version", "2"),
    ];
    for (address, body) in [
        (SCRIPT, "install sync import:a.js"),
        ("https://a.test/a.js", "1"),
    ] {
        let mut loaded = script(address, body);
        loaded.resource.headers = headers.to_vec();
        world.server.insert(url(address), Ok(loaded));
    }
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.restart();
    world.server.clear();
    assert!(matches!(
        &world.notifications[..],
        [SwNotification::Activated { scope, .. }] if *scope == url(PAGE)
    ));
    assert!(world.starts.is_empty(), "nothing starts for no reason");
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    let start = &world.starts[0];
    assert_eq!(start.scripts.len(), 2);
    for script in start.scripts.values() {
        assert_eq!(script.headers, headers);
    }
    assert!(!start.may_import);
    assert_eq!(start.storage_key, key(PAGE));
}

#[test]
fn scripts_that_were_stored_without_their_headers_run() {
    let (mut world, ..) = world("install sync");
    let stored: Vec<_> = world
        .store
        .scan(Tree::Scripts, KeyRange::all(), Direction::Forward)
        .map(Result::unwrap)
        .collect();
    let mut batch = Batch::new();
    for (key, record) in stored {
        let script: ScriptResource = record.decode().unwrap();
        // Version 2 had two of them.
        let fields = (
            script.url,
            script.response_url,
            script.body,
            "text/javascript".to_owned(),
            String::new(),
        );
        batch.put_record(Tree::Scripts, &key, 2, &fields).unwrap();
    }
    world.store.commit(batch).unwrap();
    world.restart();
    world.server.clear();
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    let script = &world.starts[0].scripts[&url(SCRIPT)];
    assert_eq!(script.headers, [header("content-type", "text/javascript")]);
}

#[test]
fn what_was_being_installed_at_a_crash_is_gone() {
    let mut world = World::new();
    world.serve(SCRIPT, "install");
    world.held_events.insert("install");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.restart();
    assert_eq!(world.machine.snapshot(), []);
}

#[test]
fn what_was_being_activated_at_a_crash_is_activated() {
    let mut world = World::new();
    world.serve(SCRIPT, "install activate sync");
    world.held_events.insert("activate");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.restart();
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    assert!(
        world
            .dispatched
            .iter()
            .all(|(_, _, event)| event.event_type() == "sync")
    );
}

#[test]
fn a_waiting_worker_is_promoted_by_a_restart() {
    let (mut world, page, _) = world("install activate sync");
    world.serve(SCRIPT, "install activate sync 2");
    world.request(page, update());
    world.restart();
    assert_eq!(world.last_event("activate").0, world.starts[0].worker);
    assert_eq!(
        world.stored(Tree::Scripts),
        1,
        "the scripts of the old one are gone"
    );
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    assert_eq!(
        &*world.starts[0].scripts[&url(SCRIPT)].body,
        b"install activate sync 2"
    );
}

#[test]
fn registrations_keep_their_order_over_restarts() {
    let mut world = World::new();
    for folder in ["z", "a", "m"] {
        let address = format!("https://a.test/{folder}/worker.js");
        world.serve(&address, "install");
        let page = world.attach(PAGE);
        world.request(page, register(&address));
    }
    world.restart();
    let page = world.attach(PAGE);
    world.serve("https://a.test/b/worker.js", "install");
    world.request(page, register("https://a.test/b/worker.js"));
    world.restart();
    let page = world.attach(PAGE);
    let Ok(SwAnswer::Registrations(all)) = world.ask(page, SwRequest::GetRegistrations) else {
        panic!("no list");
    };
    let scopes: Vec<&str> = all.iter().map(|info| info.scope.path()).collect();
    assert_eq!(scopes, ["/z/", "/a/", "/m/", "/b/"]);
}

#[test]
fn damaged_scripts_fail_the_event_and_are_healed_from_the_server() {
    for import in ["", "import:a.js"] {
        let mut world = World::new();
        world.serve(SCRIPT, &format!("install sync {import}"));
        world.serve("https://a.test/a.js", "1");
        let page = world.attach(PAGE);
        world.request(page, register(SCRIPT));
        world.restart();
        let last = world
            .store
            .scan(Tree::Scripts, KeyRange::all(), Direction::Forward)
            .next()
            .unwrap()
            .unwrap();
        let mut batch = Batch::new();
        batch.remove(Tree::Scripts, &last.0);
        world.store.commit(batch).unwrap();
        let token = world.dispatch(PAGE, sync("x"));
        assert!(matches!(
            world.outcomes[&token],
            EventOutcome::NotStarted { .. }
        ));
        let token = world.dispatch(PAGE, sync("x"));
        assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    }
}

#[test]
fn an_activation_that_cannot_be_stored_is_made_again_by_the_next_start() {
    let mut world = World::new();
    world.serve(SCRIPT, "install activate sync");
    let page = world.attach(PAGE);
    world.hold_commits = true;
    world.request(page, register(SCRIPT));
    world.answer_one_commit();
    world.fail_commits = true;
    world.answer_commits();
    world.fail_commits = false;
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    world.restart();
    assert_eq!(world.last_event("activate").0, world.starts[0].worker);
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn clearing_an_origin_removes_everything_of_it_and_nothing_of_others() {
    let (mut world, page, worker) = world("install sync");
    world.serve("https://b.test/worker.js", "install sync");
    let other = world.attach("https://b.test/");
    world.request(other, register("https://b.test/worker.js"));
    world.hold_loads = true;
    let pending = world.request(page, update());
    let token = world.clear(PAGE);
    assert_eq!(world.cleared[&token], Ok(()));
    assert_eq!(
        world.answer(page, pending).unwrap().unwrap_err().name(),
        "AbortError"
    );
    assert!(world.terminated.contains(&worker));
    assert_eq!(world.registration(page, PAGE), None);
    assert_eq!(world.stored(Tree::ServiceWorkers), 1);
    assert_eq!(world.stored(Tree::Scripts), 1);
    assert!(world.registration(other, "https://b.test/").is_some());
    world.answer_loads();
    world.ask_registration(page, register(SCRIPT));
}

#[test]
fn clearing_that_cannot_be_stored_changes_nothing() {
    let (mut world, page, _) = world("install sync");
    world.fail_commits = true;
    let token = world.clear(PAGE);
    assert!(world.cleared[&token].is_err());
    assert!(world.registration(page, PAGE).is_some());
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn a_registration_that_was_loading_when_its_origin_was_cleared_leaves_nothing_behind() {
    let mut world = World::new();
    world.serve(SCRIPT, "install");
    let page = world.attach(PAGE);
    world.hold_loads = true;
    world.request(page, register(SCRIPT));
    world.fail_commits = true;
    let token = world.clear(PAGE);
    assert!(world.cleared[&token].is_err());
    world.answer_loads();
    assert_eq!(world.registration(page, PAGE), None);
}

#[test]
fn unregister_behind_an_installation_that_skips_waiting_is_answered() {
    let (mut world, page, _) = world("install");
    world.advance(60);
    world.serve(SCRIPT, "install 2");
    world.hold_commits = true;
    let new = world
        .ask_registration(page, update())
        .installing
        .expect("one")
        .id;
    let client = world.worker_client(new);
    world.ask(client, SwRequest::SkipWaiting).unwrap();
    let unregister = world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    world.answer_commits();
    assert_eq!(
        world.answer(page, unregister),
        Some(Ok(SwAnswer::Boolean(true)))
    );
    assert_eq!(
        world.controllers(page).last(),
        Some(&(Some(new), true)),
        "the page lives on"
    );
}

#[test]
fn the_script_is_checked_after_a_navigation_and_when_a_stale_worker_had_an_event() {
    let mut world = World::with_policy(sw_registration::SwPolicy::default());
    world.serve(SCRIPT, "install sync");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.attach(PAGE);
    assert_eq!(world.loads.len(), 1);
    world.advance(2);
    assert_eq!(world.loads.len(), 2, "a page was opened");
    world.dispatch(PAGE, sync("x"));
    assert_eq!(world.loads.len(), 2, "the last check is new");
    world.advance(90_000);
    world.dispatch(PAGE, sync("x"));
    assert_eq!(world.loads.len(), 3);
}

#[test]
fn an_event_that_a_stale_worker_does_not_listen_to_leads_to_a_check() {
    let (mut world, _, _) = world("install sync");
    let before = world.loads.len();
    for (seconds, loads) in [(1, 0), (86_400, 1)] {
        world.advance(seconds);
        let event = WorkerEvent::PeriodicSync { tag: "x".into() };
        let token = world.dispatch(PAGE, event);
        assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
        assert_eq!(world.loads.len() - before, loads);
    }
}

#[test]
fn what_redirected_a_navigation_is_checked_too() {
    let mut world = World::with_policy(sw_registration::SwPolicy::default());
    let page = world.attach(PAGE);
    let scopes = [
        "https://a.test/one/",
        "https://a.test/two/",
        "https://a.test/three/",
    ];
    for scope in scopes {
        let script_url = format!("{scope}worker.js");
        world.serve(&script_url, "install");
        world.request(page, register(&script_url));
    }
    world.loads.clear();
    world.attach_with("https://a.test/two/page", ClientKind::Window, |client| {
        let from = ["https://a.test/one/page", "https://b.test/three/page"];
        client.redirected_from = from.map(url).to_vec();
    });
    world.advance(2);
    let asked: BTreeSet<&str> = world.loads.iter().map(|load| load.url.path()).collect();
    assert_eq!(asked, ["/one/worker.js", "/two/worker.js"].into());
}

#[test]
fn a_check_that_nobody_asked_for_does_not_hold_up_a_page() {
    let mut world = World::with_policy(sw_registration::SwPolicy::default());
    world.serve(SCRIPT, "install sync");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.attach(PAGE);
    world.hold_loads = true;
    world.advance(2);
    assert_eq!(world.held_loads.len(), 1, "a server that does not answer");
    world.ask_registration(page, register(SCRIPT));
    let unregister = SwRequest::Unregister { scope: url(PAGE) };
    assert_eq!(world.ask(page, unregister), Ok(SwAnswer::Boolean(true)));
    world.answer_loads();
}

#[test]
fn a_check_that_gave_way_to_a_registration_that_changes_nothing_is_made_later() {
    let mut world = World::with_policy(sw_registration::SwPolicy::default());
    world.serve(SCRIPT, "install sync");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.attach(PAGE);
    world.hold_loads = true;
    world.advance(2);
    world.ask_registration(page, register(SCRIPT));
    world.answer_loads();
    world.serve(SCRIPT, "install sync v2");
    assert_eq!(world.registration(page, PAGE).unwrap().waiting, None);
    world.advance(2);
    assert!(world.registration(page, PAGE).unwrap().waiting.is_some());
}

#[test]
fn scripts_of_a_replaced_worker_are_dropped_at_the_latest_by_the_next_start() {
    let mut world = World::new();
    world.serve(SCRIPT, "sync v0");
    let page = world.attach(PAGE);
    world.ask_registration(page, register(SCRIPT));
    world.detach(page);
    let page = world.attach(PAGE);
    for body in ["sync v1", "sync v2", "sync v3"] {
        world.serve(SCRIPT, body);
        world.ask_registration(page, SwRequest::Update { scope: url(PAGE) });
    }
    let stored = world.stored(Tree::Scripts);
    assert!(
        (2..=3).contains(&stored),
        "the active worker's, the waiting one's, at most those of one that was replaced: {stored}"
    );
    world.restart();
    world.advance(400);
    assert_eq!(world.machine.snapshot()[0].scripts.0, 1, "it was promoted");
    assert_eq!(world.stored(Tree::Scripts), 1);
}
