//! Update: what is asked of the server, what counts as a change, and what fails.

use base::ids::ClientId;
use base::time::WallTime;
use sw_traits::{
    RegistrationInfo, ServiceWorkerState, SwAnswer, SwClientEvent, SwRequest, UpdateViaCache,
    WorkerHostEvent,
};

use crate::support::{World, header, register, script, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";
const ONE: &str = "https://a.test/one.js";
const OTHER: &str = "https://a.test/other.js";
const DAY: u64 = 86_400;

fn update() -> SwRequest {
    SwRequest::Update { scope: url(PAGE) }
}

fn register_via(mode: UpdateViaCache) -> SwRequest {
    let mut request = register(SCRIPT);
    if let SwRequest::Register {
        update_via_cache, ..
    } = &mut request
    {
        *update_via_cache = mode;
    }
    request
}

/// A world with a page and a registration with an active worker.
fn world(body: &str) -> (World, ClientId) {
    let mut world = World::new();
    world.serve(ONE, "1");
    world.serve(OTHER, "1");
    world.serve(SCRIPT, body);
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    assert!(info(&mut world, page).active.is_some());
    (world, page)
}

fn info(world: &mut World, page: ClientId) -> RegistrationInfo {
    world.registration(page, PAGE).expect("a registration")
}

fn last_check(world: &World) -> Option<WallTime> {
    world.machine.snapshot()[0].last_update_check
}

/// The URLs that were asked for since then, and whether caches were bypassed.
fn loads_since(world: &World, count: usize) -> Vec<(&str, bool)> {
    world.loads[count..]
        .iter()
        .map(|load| (load.url.path(), load.bypass_cache))
        .collect()
}

/// The update is rejected with this, and nothing has changed.
fn assert_rejected(world: &mut World, page: ClientId, name: &str) {
    let before = info(world, page);
    let events = world.events[&page].len();
    assert_eq!(world.ask_error(page, update()), name);
    assert_eq!(info(world, page), before);
    let others = world.events[&page][events..]
        .iter()
        .filter(|event| !matches!(event, SwClientEvent::Answer { .. }));
    assert_eq!(others.count(), 0, "nobody hears of it");
    assert!(world.running.len() <= 1, "no other worker runs");
}

#[test]
fn a_redirected_script_is_a_security_error_of_register_and_a_type_error_of_update() {
    let (mut world, page) = world("install");
    world.serve_status(SCRIPT, 302);
    assert_rejected(&mut world, page, "TypeError");
    world.serve_status("https://a.test/x/moved.js", 301);
    let moved = register("https://a.test/x/moved.js");
    assert_eq!(world.ask_error(page, moved), "SecurityError");
}

#[test]
fn an_update_to_a_script_that_cannot_run_changes_nothing() {
    let (mut world, page) = world("install");
    let mut text = script(SCRIPT, "install 2");
    text.resource.headers = vec![header("content-type", "text/plain")];
    world.server.insert(url(SCRIPT), Ok(text));
    assert_rejected(&mut world, page, "SecurityError");
    world.serve_status(SCRIPT, 404);
    assert_rejected(&mut world, page, "TypeError");
    for body in ["throw", "import:missing.js"] {
        world.serve(SCRIPT, body);
        assert_rejected(&mut world, page, "TypeError");
    }
}

#[test]
fn a_worker_whose_install_event_fails_still_resolves_the_update() {
    let (mut world, page) = world("install");
    world.serve(SCRIPT, "install 2");
    world.held_events.insert("install");
    let found = world.ask_registration(page, update());
    let new = found.installing.expect("a new worker").id;
    world.end_event(
        "install",
        sw_traits::EventOutcome::Rejected {
            reason: String::new(),
        },
    );
    let states = world.states(page);
    assert_eq!(states.last(), Some(&(new, ServiceWorkerState::Redundant)));
    assert!(info(&mut world, page).waiting.is_none());
}

#[test]
fn many_updates_at_once_are_one() {
    let (mut world, page) = world("install");
    world.serve(SCRIPT, "install 2");
    world.hold_loads = true;
    let before = world.loads.len();
    let requests: Vec<_> = (0..10).map(|_| world.request(page, update())).collect();
    world.answer_loads();
    assert_eq!(world.loads.len(), before + 1);
    for request in requests {
        assert!(matches!(
            world.answer(page, request),
            Some(Ok(SwAnswer::Registration(Some(_))))
        ));
    }
    assert_eq!(world.starts.len(), 2);
}

#[test]
fn an_import_that_is_gone_is_no_change() {
    let (mut world, page) = world("install import:one.js");
    let before = world.starts.len();
    world.serve_status(ONE, 404);
    world.ask_registration(page, update());
    world.server.remove(&url(ONE));
    world.ask_registration(page, update());
    assert_eq!(world.starts.len(), before);
    // The stored one is still there for the worker that has it.
    world.advance(60);
    world.dispatch(PAGE, crate::support::sync("x"));
    assert_eq!(world.machine.snapshot()[0].scripts.0, 2);
}

#[test]
fn an_import_that_is_no_script_any_more_is_no_change() {
    let (mut world, page) = world("install import:one.js");
    let before = world.starts.len();
    let mut loaded = script(ONE, "an error page");
    loaded.resource.headers = vec![header("content-type", "text/html")];
    world.server.insert(url(ONE), Ok(loaded));
    world.ask_registration(page, update());
    assert_eq!(world.starts.len(), before);
}

#[test]
fn a_new_worker_that_needs_an_import_that_is_gone_does_not_start() {
    let (mut world, page) = world("install import:one.js import:other.js");
    world.serve(OTHER, "2");
    world.serve_status(ONE, 404);
    assert_rejected(&mut world, page, "TypeError");
}

#[test]
fn an_import_that_comes_back_while_the_new_worker_starts_comes_too_late() {
    let (mut world, page) = world("install import:one.js import:other.js");
    world.serve(OTHER, "2");
    world.serve_status(ONE, 404);
    world.hold_loads = true;
    let request = world.request(page, update());
    world.hold_loads = false;
    let (main, _) = world.held_loads.pop().expect("the main script is loaded");
    let unchanged = script(SCRIPT, "install import:one.js import:other.js");
    world.come_back_after_check = Some(url(ONE));
    world.end_load(main, Ok(unchanged));
    let answer = world.answer(page, request).expect("an answer");
    assert_eq!(answer.unwrap_err().name(), "TypeError");
    assert!(world.starts[1].unavailable_scripts.contains(&url(ONE)));
    // The next check finds it.
    world.ask_registration(page, update());
}

#[test]
fn a_new_worker_may_do_without_an_import_that_is_gone() {
    let (mut world, page) = world("install import:one.js");
    world.serve_status(ONE, 404);
    world.serve(SCRIPT, "install 2");
    assert!(world.ask_registration(page, update()).installing.is_some());
    assert_eq!(world.machine.snapshot()[0].scripts.0, 1);
}

#[test]
fn what_a_new_worker_does_not_import_is_dropped_when_it_is_installed() {
    let (mut world, page) = world("install import:one.js import:other.js");
    assert_eq!(world.stored(storage::Tree::Scripts), 3);
    // The main script is the same, but only one of its imports is used this time.
    world.serve(ONE, "2");
    world.held_events.insert("install");
    world.ignore_imports_of_stored = vec![url(OTHER)];
    world.ask_registration(page, update());
    world.end_held_events(&sw_traits::EventOutcome::Fulfilled);
    assert_eq!(world.machine.snapshot()[0].scripts.0, 2);
    assert_eq!(world.stored(storage::Tree::Scripts), 2);
    // It starts without it.
    world.ignore_imports_of_stored.clear();
    world.restart();
    assert_eq!(world.machine.snapshot()[0].scripts.0, 2);
}

#[test]
fn caches_are_used_as_the_registration_says_and_not_when_it_is_stale() {
    for (mode, main, imports) in [
        (UpdateViaCache::Imports, true, false),
        (UpdateViaCache::All, false, false),
        (UpdateViaCache::None, true, true),
    ] {
        let (mut world, page) = world("install import:one.js");
        world.request(page, register_via(mode));
        assert_eq!(info(&mut world, page).update_via_cache, mode);
        for (age, stale) in [(0, false), (DAY - 1, false), (DAY + 1, true)] {
            world.advance(age);
            let count = world.loads.len();
            world.ask_registration(page, update());
            assert_eq!(
                loads_since(&world, count),
                [("/worker.js", main || stale), ("/one.js", imports || stale)],
                "{mode:?} after {age} s"
            );
        }
    }
}

#[test]
fn a_new_worker_imports_through_caches_as_the_registration_says() {
    for (mode, bypass) in [
        (UpdateViaCache::Imports, false),
        (UpdateViaCache::All, false),
        (UpdateViaCache::None, true),
    ] {
        let mut world = World::new();
        world.serve(SCRIPT, "install");
        let page = world.attach(PAGE);
        world.request(page, register_via(mode));
        assert_eq!(world.starts[0].imports_bypass_cache, bypass, "{mode:?}");
        world.advance(DAY + 1);
        world.serve(SCRIPT, "install 2");
        world.ask_registration(page, update());
        assert!(world.starts[1].imports_bypass_cache, "{mode:?} when stale");
    }
}

#[test]
fn register_loads_by_the_mode_that_it_is_called_with() {
    use UpdateViaCache::{All, Imports, None};
    for (before, after, main, imports) in [
        (Imports, All, false, false),
        (Imports, None, true, true),
        (All, Imports, true, false),
        (None, Imports, true, false),
        (None, All, false, false),
    ] {
        let (mut world, page) = world("install import:one.js");
        if before != Imports {
            world.request(page, register_via(before));
        }
        assert_eq!(info(&mut world, page).update_via_cache, before);
        let count = world.loads.len();
        world.request(page, register_via(after));
        assert_eq!(
            loads_since(&world, count),
            [("/worker.js", main), ("/one.js", imports)],
            "{before:?} then {after:?}"
        );
        // Also what the new worker imports is.
        world.serve(SCRIPT, "install import:one.js 2");
        world.request(page, register_via(before));
        let bypass = world.starts.last().unwrap().imports_bypass_cache;
        assert_eq!(bypass, before == None, "{after:?} then {before:?}");
    }
}

#[test]
fn only_what_the_server_said_counts_as_a_check() {
    let (mut world, page) = world("install import:one.js");
    let first = last_check(&world);
    assert!(first.is_some());
    let cache = |world: &mut World, address: &str, body: &str| {
        let mut loaded = script(address, body);
        loaded.from_cache = true;
        world.server.insert(url(address), Ok(loaded));
    };
    cache(&mut world, SCRIPT, "install import:one.js");
    cache(&mut world, ONE, "1");
    world.advance(10);
    world.ask_registration(page, update());
    assert_eq!(last_check(&world), first);
    world.serve(ONE, "1");
    world.ask_registration(page, update());
    let second = last_check(&world);
    assert!(second > first);
    // Likewise for what a new worker imports.
    world.advance(10);
    cache(&mut world, SCRIPT, "install import:other.js");
    cache(&mut world, OTHER, "1");
    world.ask_registration(page, update());
    assert_eq!(last_check(&world), second);
    cache(&mut world, SCRIPT, "install import:third.js");
    world.serve("https://a.test/third.js", "1");
    world.ask_registration(page, update());
    assert!(last_check(&world) > second);
}

#[test]
fn every_page_hears_of_a_changed_update_via_cache() {
    let (mut world, page) = world("install");
    let other = world.attach(PAGE);
    world.request(page, register_via(UpdateViaCache::All));
    for client in [page, other] {
        let told = world.events[&client].iter().any(|event| {
            matches!(event, SwClientEvent::RegistrationChanged(info)
                if info.update_via_cache == UpdateViaCache::All)
        });
        assert!(told);
    }
}

#[test]
fn update_via_cache_stays_when_register_rejects() {
    let (mut world, page) = world("install");
    for body in ["throw", "import:missing.js"] {
        world.serve(SCRIPT, body);
        assert_eq!(
            world.ask_error(page, register_via(UpdateViaCache::None)),
            "TypeError"
        );
        assert_eq!(
            info(&mut world, page).update_via_cache,
            UpdateViaCache::Imports
        );
    }
}

#[test]
fn an_update_that_waited_keeps_the_update_via_cache_that_was_registered_meanwhile() {
    let (mut world, page) = world("install");
    world.hold_loads = true;
    world.request(page, register_via(UpdateViaCache::None));
    world.request(page, update());
    world.answer_loads();
    assert_eq!(
        info(&mut world, page).update_via_cache,
        UpdateViaCache::None
    );
}

#[test]
fn another_type_of_worker_is_another_worker() {
    let (mut world, page) = world("install");
    let old = info(&mut world, page).active.expect("a worker");
    let mut request = register(SCRIPT);
    if let SwRequest::Register { worker_type, .. } = &mut request {
        *worker_type = sw_traits::WorkerType::Module;
    }
    let new = world.ask_registration(page, request).installing;
    let new = new.expect("a new worker, of the same bytes");
    assert_ne!(new.id, old.id);
    assert_eq!(new.worker_type, sw_traits::WorkerType::Module);
    assert_eq!(
        world.loads.last().unwrap().worker_type,
        sw_traits::WorkerType::Module
    );
    // And an update keeps the type.
    world.ask_registration(page, update());
    assert_eq!(
        world.loads.last().unwrap().worker_type,
        sw_traits::WorkerType::Module
    );
    assert_eq!(world.starts.len(), 2);
}

#[test]
fn an_update_to_what_became_another_script_meanwhile_is_refused() {
    let (mut world, page) = world("install");
    world.serve(OTHER, "install");
    world.hold_loads = true;
    let register = world.request(page, register(OTHER));
    let update = world.request(page, update());
    world.answer_loads();
    assert!(world.answer(page, register).unwrap().is_ok());
    let refused = world.answer(page, update).unwrap().unwrap_err();
    assert_eq!(refused.name(), "TypeError");
}

#[test]
fn a_worker_updates_its_own_registration_while_another_one_installs() {
    let (mut world, page) = world("install");
    let active = info(&mut world, page).active.expect("a worker").id;
    let client = world.worker_client(active);
    world.serve(SCRIPT, "install 2");
    world.held_events.insert("install");
    let installing = world.ask_registration(page, update()).installing;
    let installing = world.worker_client(installing.expect("a new worker").id);
    assert_eq!(world.ask_error(installing, update()), "InvalidStateError");
    let request = world.request(client, update());
    assert_eq!(world.answer(client, request), None, "its turn comes later");
    world.end_held_events(&sw_traits::EventOutcome::Fulfilled);
    // Its own worker is replaced by then; who asked gets the answer all the same.
    world.request(page, SwRequest::GetRegistrations);
    assert!(
        world.events[&client].iter().any(|event| matches!(
            event,
            SwClientEvent::Answer { request: of, result: Ok(_) } if *of == request
        )) || !world.running.contains_key(&active)
    );
}

#[test]
fn what_was_not_among_the_stored_scripts_cannot_be_used() {
    let (mut world, page) = world("install import:one.js");
    world.serve(SCRIPT, "install 2");
    world.held_events.insert("install");
    let installing = world.ask_registration(page, update()).installing;
    let worker = installing.expect("a new worker").id;
    world.host(WorkerHostEvent::StoredScriptUsed {
        worker,
        url: url(ONE),
    });
    world.end_held_events(&sw_traits::EventOutcome::Fulfilled);
    assert_eq!(world.stored(storage::Tree::Scripts), 1);
}

#[test]
fn a_worker_that_stops_while_its_script_is_checked_is_no_change() {
    let (mut world, page) = world("install sync import:one.js");
    let before = info(&mut world, page);
    world.dispatch(PAGE, sync("x"));
    world.hold_loads = true;
    let asked = world.request(page, update());
    world.stop_worker(PAGE);
    assert!(world.running.is_empty());
    world.answer_loads();
    assert!(world.answer(page, asked).is_some());
    let starts = world.starts.len();
    assert_eq!(info(&mut world, page), before);
    // Nothing of it stays in memory: what starts next is read from the store.
    world.dispatch(PAGE, sync("y"));
    assert_eq!(world.starts.len(), starts + 1);
    assert_eq!(world.starts[starts].scripts.len(), 2);
}
