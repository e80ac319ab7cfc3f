//! What clearing an origin's storage does to pages and workers at once.

use storage::Tree;
use sw_traits::{ServiceWorkerState, SwAnswer, SwRequest};

use crate::support::{World, register, register_with_scope, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";

fn world(body: &str) -> World {
    let mut world = World::new();
    world.serve(SCRIPT, body);
    world
}

#[test]
fn pages_lose_their_controller_at_once() {
    let mut world = world("install");
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    let page = world.attach(PAGE);
    let worker = world.controllers(page)[0].0.expect("a controller");
    let token = world.clear(PAGE);
    assert_eq!(world.cleared[&token], Ok(()));
    assert_eq!(
        world.controllers(page),
        [(Some(worker), false), (None, true)]
    );
    assert_eq!(world.controllers(first), [(None, false)], "it had none");
    assert_eq!(
        world.states(page).last(),
        Some(&(worker, ServiceWorkerState::Redundant))
    );
    assert!(world.running.is_empty());
    // It can start anew.
    world.request(page, register(SCRIPT));
    let late = world.attach(PAGE);
    assert!(world.controllers(late)[0].0.is_some());
}

#[test]
fn a_worker_that_was_unregistered_and_lives_on_for_its_pages_goes_too() {
    let mut world = world("install");
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    let page = world.attach(PAGE);
    let worker = world.controllers(page)[0].0.expect("a controller");
    let unregister = SwRequest::Unregister { scope: url(PAGE) };
    assert_eq!(world.ask(first, unregister), Ok(SwAnswer::Boolean(true)));
    assert_eq!(world.controllers(page).len(), 1, "it keeps its controller");
    world.clear(PAGE);
    assert_eq!(world.controllers(page).last(), Some(&(None, true)));
    assert_eq!(
        world.states(page).last(),
        Some(&(worker, ServiceWorkerState::Redundant))
    );
    assert!(world.running.is_empty());
}

#[test]
fn pages_of_other_origins_keep_theirs() {
    let mut world = world("install");
    world.serve("https://b.test/worker.js", "install");
    let other = world.attach("https://b.test/");
    world.request(other, register("https://b.test/worker.js"));
    let other = world.attach("https://b.test/");
    world.clear(PAGE);
    assert_eq!(world.controllers(other).len(), 1);
    assert!(world.controllers(other)[0].0.is_some());
}

#[test]
fn every_stage_of_a_worker_ends_redundant() {
    for held in ["install", "activate"] {
        let mut world = world("install activate");
        let page = world.attach(PAGE);
        world.held_events.insert(held);
        let info = world.ask_registration(page, register(SCRIPT));
        let worker = info.installing.expect("a worker").id;
        world.clear(PAGE);
        assert_eq!(
            world.states(page).last(),
            Some(&(worker, ServiceWorkerState::Redundant)),
            "{held}"
        );
        let registrations = world.ask(page, SwRequest::GetRegistrations);
        assert_eq!(registrations, Ok(SwAnswer::Registrations(Vec::new())));
        assert_eq!(world.stored(Tree::Scripts), 0);
        world.end_held_events(&sw_traits::EventOutcome::Fulfilled);
        assert_eq!(world.machine.snapshot(), []);
    }
    let mut world = world("install");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let page = world.attach(PAGE);
    world.serve(SCRIPT, "install 2");
    world.request(page, SwRequest::Update { scope: url(PAGE) });
    let events = world.states(page).len();
    world.clear(PAGE);
    assert_eq!(
        world.states(page)[events..]
            .iter()
            .map(|(_, state)| *state)
            .collect::<Vec<_>>(),
        [ServiceWorkerState::Redundant; 2],
        "the waiting and the active one"
    );
}

#[test]
fn register_is_aborted_while_its_script_runs() {
    let mut world = world("hang");
    let page = world.attach(PAGE);
    let first = world.request(page, register(SCRIPT));
    let second = world.request(page, register_with_scope(SCRIPT, "https://a.test/x/"));
    world.clear(PAGE);
    for request in [first, second] {
        let answer = world.answer(page, request).expect("an answer");
        assert_eq!(answer.unwrap_err().name(), "AbortError");
    }
    assert!(world.running.is_empty());
}
