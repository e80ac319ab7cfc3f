//! Registrations that are unregistered while somebody uses them, and registered again.

use base::ids::{ClientId, RegistrationId};
use storage::Tree;
use sw_traits::{
    EventOutcome, ServiceWorkerState, SwAnswer, SwClientEvent, SwRequest, WorkerEvent,
};

use crate::support::{World, register, sync, url};

const PAGE: &str = "https://a.test/";
const OLD: &str = "https://a.test/old.js";
const NEW: &str = "https://a.test/new.js";

fn unregister() -> SwRequest {
    SwRequest::Unregister { scope: url(PAGE) }
}

/// A world in which a page uses a registration that another one, which does not, has unregistered.
fn world() -> (World, ClientId, ClientId, RegistrationId) {
    let mut world = World::new();
    world.serve(OLD, "install sync message");
    world.serve(NEW, "install sync message");
    let outside = world.attach(PAGE);
    let registration = world.ask_registration(outside, register(OLD)).id;
    let inside = world.attach(PAGE);
    assert!(world.controllers(inside)[0].0.is_some());
    assert_eq!(
        world.ask(outside, unregister()),
        Ok(SwAnswer::Boolean(true))
    );
    (world, inside, outside, registration)
}

/// Nobody was told anything about the old registration since then.
fn assert_untouched(world: &World, page: ClientId, events: usize, old: RegistrationId) {
    for event in &world.events[&page][events..] {
        match event {
            SwClientEvent::RegistrationChanged(info) => assert_ne!(info.id, old),
            SwClientEvent::UpdateFound { registration } => assert_ne!(*registration, old),
            SwClientEvent::ControllerChanged { .. } => panic!("{event:?}"),
            _ => {}
        }
    }
}

#[test]
fn it_is_found_by_nobody_and_refuses_updates() {
    let (mut world, inside, outside, _) = world();
    for page in [inside, outside] {
        assert_eq!(world.registration(page, PAGE), None);
        assert_eq!(
            world.ask(page, SwRequest::GetRegistrations),
            Ok(SwAnswer::Registrations(Vec::new()))
        );
        assert_eq!(world.ask(page, unregister()), Ok(SwAnswer::Boolean(false)));
        let update = SwRequest::Update { scope: url(PAGE) };
        assert_eq!(world.ask_error(page, update), "TypeError");
    }
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::NoActiveWorker);
}

#[test]
fn registering_again_makes_another_one_beside_it() {
    for script in [OLD, NEW] {
        let (mut world, inside, outside, old) = world();
        let events = world.events[&inside].len();
        let new = world.ask_registration(outside, register(script));
        assert_ne!(new.id, old);
        assert!(
            new.installing.is_some() && new.active.is_none(),
            "it is new"
        );
        assert_untouched(&world, inside, events, old);
        let late = world.attach(PAGE);
        let (old_worker, new_worker) =
            (world.controllers(inside)[0].0, world.controllers(late)[0].0);
        assert!(new_worker.is_some());
        assert_ne!(old_worker, new_worker);
        world.detach(inside);
        assert_eq!(
            world.states(late),
            [(old_worker.unwrap(), ServiceWorkerState::Redundant)],
            "the old one goes with its page"
        );
        assert_eq!(
            world.registration(late, PAGE).map(|info| info.id),
            Some(new.id)
        );
        assert_eq!(world.stored(Tree::Scripts), 1);
    }
}

#[test]
fn what_is_registered_again_has_another_ordinal_also_after_a_restart() {
    let mut world = World::new();
    world.serve(OLD, "install");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = world.attach(PAGE);
        world.request(page, register(OLD));
        seen.push(world.machine.snapshot()[0].registration.ordinal);
        world.request(page, unregister());
        world.request(page, register(OLD));
        seen.push(world.machine.snapshot()[0].registration.ordinal);
        world.request(page, unregister());
        assert_eq!(world.machine.snapshot(), []);
        world.restart();
        world.advance(1);
    }
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
}

#[test]
fn a_registration_that_fails_does_not_bring_it_back() {
    let (mut world, inside, outside, old) = world();
    let events = world.events[&inside].len();
    assert_eq!(
        world.ask_error(outside, register("https://a.test/missing.js")),
        "TypeError"
    );
    world.held_events.insert("install");
    let new = world.ask_registration(outside, register(NEW));
    world.end_event(
        "install",
        EventOutcome::Rejected {
            reason: String::new(),
        },
    );
    assert_ne!(new.id, old);
    assert_untouched(&world, inside, events, old);
    let late = world.attach(PAGE);
    assert_eq!(world.controllers(late), [(None, false)]);
    assert_eq!(world.registration(late, PAGE), None);
}

#[test]
fn unregister_waits_for_the_installation_before_it() {
    let mut world = World::new();
    world.serve(OLD, "install");
    let page = world.attach(PAGE);
    world.held_events.insert("install");
    world.ask_registration(page, register(OLD));
    let unregistered = world.request(page, unregister());
    let again = world.request(page, register(OLD));
    assert_eq!(world.answer(page, unregistered), None);
    world.end_held_events(&EventOutcome::Fulfilled);
    assert_eq!(
        world.answer(page, unregistered),
        Some(Ok(SwAnswer::Boolean(true)))
    );
    let Some(Ok(SwAnswer::Registration(Some(info)))) = world.answer(page, again) else {
        panic!("no registration");
    };
    assert_eq!(
        world.registration(page, PAGE).map(|found| found.id),
        Some(info.id)
    );
}

#[test]
fn one_that_is_being_activated_is_activated_for_its_pages() {
    let mut world = World::new();
    world.serve(OLD, "install activate message");
    let first = world.attach(PAGE);
    world.held_events.insert("activate");
    world.request(first, register(OLD));
    let page = world.attach(PAGE);
    let worker = world.controllers(page)[0].0.expect("a controller");
    assert_eq!(world.ask(first, unregister()), Ok(SwAnswer::Boolean(true)));
    world.end_held_events(&EventOutcome::Fulfilled);
    assert_eq!(
        world.states(page).last(),
        Some(&(worker, ServiceWorkerState::Activated))
    );
    assert_eq!(world.stored(Tree::ServiceWorkers), 0, "it is not stored");
}

#[test]
fn its_waiting_worker_takes_over_in_memory_alone() {
    let mut world = World::new();
    world.serve(OLD, "install message");
    let first = world.attach(PAGE);
    world.request(first, register(OLD));
    let page = world.attach(PAGE);
    world.serve(OLD, "install message 2");
    world.request(first, SwRequest::Update { scope: url(PAGE) });
    let waiting = world.registration(first, PAGE).unwrap().waiting.unwrap().id;
    assert_eq!(world.ask(first, unregister()), Ok(SwAnswer::Boolean(true)));
    let notifications = world.notifications.len();
    let client = world.worker_client(waiting);
    world.ask(client, SwRequest::SkipWaiting).unwrap();
    assert_eq!(
        world.notifications[notifications..],
        [],
        "it gets no functional events"
    );
    assert_eq!(world.controllers(page).last(), Some(&(Some(waiting), true)));
    assert_eq!(world.stored(Tree::ServiceWorkers), 0);
    assert_eq!(world.stored(Tree::Scripts), 0);
    // It claims nobody: nobody's URL matches it any more.
    let client = world.worker_client(waiting);
    world.ask(client, SwRequest::ClaimClients).unwrap();
    assert_eq!(world.controllers(first), [(None, false)]);
}

#[test]
fn it_lives_until_its_last_event_has_ended() {
    let mut world = World::new();
    world.serve(OLD, "install sync");
    let page = world.attach(PAGE);
    world.request(page, register(OLD));
    world.held_events.insert("sync");
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.ask(page, unregister()), Ok(SwAnswer::Boolean(true)));
    assert_eq!(world.running.len(), 1);
    assert!(matches!(
        world.dispatched.last(),
        Some((_, _, WorkerEvent::Sync { .. }))
    ));
    world.end_held_events(&EventOutcome::Fulfilled);
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    assert!(world.running.is_empty());
}

#[test]
fn its_waiting_worker_is_not_activated_for_nobody() {
    let mut world = World::new();
    world.serve(OLD, "install activate sync");
    let outside = world.attach(PAGE);
    world.request(outside, register(OLD));
    let inside = world.attach(PAGE);
    world.serve(OLD, "install activate sync 2");
    let update = SwRequest::Update { scope: url(PAGE) };
    let info = world.ask_registration(outside, update);
    let waiting = info.installing.expect("a new worker").id;
    world.held_events.insert("sync");
    world.dispatch(PAGE, sync("x"));
    world.request(outside, unregister());
    world.detach(inside);
    assert!(!world.is_redundant(waiting), "an event keeps all of it");
    world.end_held_events(&EventOutcome::Fulfilled);
    assert!(world.is_redundant(waiting));
    let states = world.states(outside);
    assert!(!states.contains(&(waiting, ServiceWorkerState::Activating)));
    assert!(world.running.is_empty());
}

#[test]
fn its_last_event_leads_to_no_check_of_the_one_that_was_registered_after_it() {
    let mut world = World::new();
    world.serve(OLD, "install sync");
    let page = world.attach(PAGE);
    world.request(page, register(OLD));
    world.advance(86_401);
    world.held_events.insert("sync");
    world.dispatch(PAGE, sync("x"));
    world.request(page, unregister());
    world.ask_registration(page, register(OLD));
    let loads = world.loads.len();
    world.end_held_events(&EventOutcome::Fulfilled);
    assert_eq!(world.loads.len(), loads);
}

/// Whether each worker that became redundant had left its place before the page heard of it.
fn places_are_empty_first(world: &World, page: ClientId) -> bool {
    let mut last = None;
    world.events[&page].iter().all(|event| match event {
        SwClientEvent::RegistrationChanged(info) => {
            last = Some(info.clone());
            true
        }
        SwClientEvent::WorkerStateChanged { worker } => {
            let places = last.iter().flat_map(|info| {
                [&info.installing, &info.waiting, &info.active]
                    .into_iter()
                    .flatten()
            });
            worker.state != ServiceWorkerState::Redundant
                || places.into_iter().all(|found| found.id != worker.id)
        }
        _ => true,
    })
}

#[test]
fn a_page_that_hears_of_a_redundant_worker_finds_its_place_empty() {
    // Its installation fails.
    let mut world = World::new();
    world.serve(OLD, "install");
    let page = world.attach(PAGE);
    world.held_events.insert("install");
    world.request(page, register(OLD));
    world.end_event(
        "install",
        EventOutcome::Rejected {
            reason: String::new(),
        },
    );
    assert_eq!(world.states(page).len(), 2);
    assert!(places_are_empty_first(&world, page));
    // It is unregistered, with an active and a waiting worker.
    let mut world = World::new();
    world.serve(OLD, "install");
    let first = world.attach(PAGE);
    world.request(first, register(OLD));
    let page = world.attach(PAGE);
    world.serve(OLD, "install 2");
    world.request(first, SwRequest::Update { scope: url(PAGE) });
    world.request(first, unregister());
    world.detach(page);
    let states = world.states(first);
    let redundant = states
        .iter()
        .filter(|(_, state)| *state == ServiceWorkerState::Redundant);
    assert_eq!(redundant.count(), 2);
    assert!(places_are_empty_first(&world, first));
}

#[test]
fn who_hears_that_a_worker_is_redundant_finds_none_in_the_registration() {
    let mut world = World::new();
    world.serve(OLD, "install");
    let outside = world.attach(PAGE);
    world.request(outside, register(OLD));
    let inside = world.attach(PAGE);
    world.serve(OLD, "install 2");
    world.request(outside, SwRequest::Update { scope: url(PAGE) });
    let waiting = world.registration(outside, PAGE).unwrap().waiting;
    assert!(waiting.is_some());
    world.request(outside, unregister());
    let before = world.events[&outside].len();
    world.detach(inside);
    let mut workers_left = None;
    let mut redundant = 0;
    for event in &world.events[&outside][before..] {
        match event {
            SwClientEvent::RegistrationChanged(info) => {
                let workers = [&info.installing, &info.waiting, &info.active];
                workers_left = Some(workers.into_iter().flatten().count());
            }
            SwClientEvent::WorkerStateChanged { worker } => {
                assert_eq!(worker.state, ServiceWorkerState::Redundant);
                assert_eq!(workers_left, Some(0));
                redundant += 1;
            }
            _ => {}
        }
    }
    assert_eq!(redundant, 2);
}
