//! Clients: control, messages, and what one origin cannot do to another.

use base::ids::{ClientId, WorkerId};
use sw_traits::{
    ClientDescription, ClientKind, ClientTypeFilter, EventOutcome, FrameType, MessageSource,
    NavigationPreloadChange, SerializedMessage, SwAnswer, SwClientEvent, SwNotification, SwRequest,
    WorkerEvent,
};

use crate::support::{World, key, register, register_with_scope, sync, url};

const PAGE: &str = "https://a.test/mail/";
const SCRIPT: &str = "https://a.test/mail/worker.js";

/// A world in which a page has registered a worker, which runs.
fn world() -> (World, ClientId, WorkerId) {
    let mut world = World::new();
    world.serve(SCRIPT, "install message sync");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let worker = world
        .registration(page, PAGE)
        .and_then(|info| info.active)
        .expect("one")
        .id;
    (world, page, worker)
}

fn all_clients(include_uncontrolled: bool) -> SwRequest {
    SwRequest::MatchAllClients {
        include_uncontrolled,
        client_type: ClientTypeFilter::All,
    }
}

fn ids(answer: Result<SwAnswer, base::exception::DomException>) -> Vec<ClientId> {
    match answer {
        Ok(SwAnswer::Clients(clients)) => clients.iter().map(|client| client.id).collect(),
        other => panic!("no clients: {other:?}"),
    }
}

fn message(byte: u8) -> SerializedMessage {
    vec![byte].into()
}

#[test]
fn a_page_is_controlled_by_the_active_worker_that_its_url_matches() {
    let (mut world, first, worker) = world();
    assert_eq!(
        world.controllers(first),
        [(None, false)],
        "it was there before"
    );
    for (address, secure, controller) in [
        ("https://a.test/mail/x", true, Some(worker)),
        ("https://a.test/", true, None),
        ("https://b.test/mail/", true, None),
        ("https://a.test/mail/x", false, None),
    ] {
        let page = world.attach_as(address, FrameType::TopLevel, secure);
        assert_eq!(world.controllers(page), [(controller, false)], "{address}");
    }
}

#[test]
fn claim_takes_over_the_pages_that_match() {
    let (mut world, page, worker) = world();
    let elsewhere = world.attach("https://a.test/");
    let insecure = world.attach_as(PAGE, FrameType::TopLevel, false);
    let client = world.worker_client(worker);
    assert_eq!(
        world.ask(client, SwRequest::ClaimClients),
        Ok(SwAnswer::Done)
    );
    assert_eq!(
        world.controllers(page),
        [(None, false), (Some(worker), true)]
    );
    assert_eq!(world.controllers(elsewhere), [(None, false)]);
    assert_eq!(world.controllers(insecure), [(None, false)]);
    assert_eq!(
        world.ask(client, SwRequest::ClaimClients),
        Ok(SwAnswer::Done)
    );
    assert_eq!(world.controllers(page).len(), 2, "it has it already");
}

#[test]
fn a_deeper_registration_claims_pages_from_the_outer_one() {
    let (mut world, page, worker) = world();
    world.serve("https://a.test/mail/x/worker.js", "install");
    let deep = world.attach("https://a.test/mail/x/");
    assert_eq!(world.controllers(deep), [(Some(worker), false)]);
    world.request(page, register("https://a.test/mail/x/worker.js"));
    let inner = world
        .registration(deep, "https://a.test/mail/x/")
        .and_then(|info| info.active);
    let inner = inner.expect("a worker").id;
    let client = world.worker_client(inner);
    world.ask(client, SwRequest::ClaimClients).unwrap();
    assert_eq!(
        world.controllers(deep),
        [(Some(worker), false), (Some(inner), true)]
    );
    // The outer one is used by nobody any more: a new version takes over at once.
    world.serve(SCRIPT, "install message 2");
    world.request(page, SwRequest::Update { scope: url(PAGE) });
    let active = world.registration(page, PAGE).and_then(|info| info.active);
    assert_ne!(active.map(|active| active.id), Some(worker));
}

#[test]
fn only_the_active_worker_can_claim() {
    let (mut world, page, worker) = world();
    let old = world.worker_client(worker);
    world.ask(old, SwRequest::ClaimClients).unwrap();
    world.serve(SCRIPT, "install message 2");
    world.request(page, SwRequest::Update { scope: url(PAGE) });
    let waiting = world
        .registration(page, PAGE)
        .and_then(|info| info.waiting)
        .expect("one")
        .id;
    let client = world.worker_client(waiting);
    assert_eq!(
        world.ask_error(client, SwRequest::ClaimClients),
        "InvalidStateError"
    );
}

#[test]
fn match_all_gives_windows_of_the_origin_the_newest_first() {
    let (mut world, first, worker) = world();
    let second = world.attach(PAGE);
    let frame = world.attach_as(PAGE, FrameType::Nested, true);
    let third = world.attach(PAGE);
    world.attach_as(PAGE, FrameType::TopLevel, false);
    world.attach("https://b.test/mail/");
    let client = world.worker_client(worker);
    assert_eq!(
        ids(world.ask(client, all_clients(true))),
        [third, second, first, frame]
    );
    assert_eq!(
        ids(world.ask(client, all_clients(false))),
        [third, second, frame]
    );
    let workers = SwRequest::MatchAllClients {
        include_uncontrolled: true,
        client_type: ClientTypeFilter::Worker,
    };
    assert_eq!(ids(world.ask(client, workers)), []);
    world.detach(third);
    assert_eq!(ids(world.ask(client, all_clients(false))), [second, frame]);
}

#[test]
fn a_client_can_be_asked_for_by_its_id() {
    let (mut world, page, worker) = world();
    let foreign = world.attach("https://b.test/");
    let insecure = world.attach_as(PAGE, FrameType::TopLevel, false);
    let client = world.worker_client(worker);
    let ask = |id| SwRequest::GetClient { id };
    assert_eq!(ids(world.ask(client, ask(Some(page)))), [page]);
    assert_eq!(ids(world.ask(client, ask(None))), []);
    assert_eq!(ids(world.ask(client, ask(Some(foreign)))), []);
    assert_eq!(
        ids(world.ask(client, ask(Some(client)))),
        [],
        "workers are not listed"
    );
    assert_eq!(
        world.ask_error(client, ask(Some(insecure))),
        "SecurityError"
    );
}

#[test]
fn messages_go_both_ways_with_their_source() {
    let (mut world, page, worker) = world();
    world.request(
        page,
        SwRequest::PostMessageToWorker {
            worker,
            message: message(1),
        },
    );
    let (_, _, event) = world.dispatched.last().cloned().expect("an event");
    let WorkerEvent::Message {
        source: MessageSource::Client(source),
        origin,
        message: got,
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((source.id, source.url), (page, url(PAGE)));
    assert_eq!((origin, got), (key(PAGE), message(1)));

    let client = world.worker_client(worker);
    world.request(
        client,
        SwRequest::PostMessageToClient {
            client: page,
            message: message(2),
        },
    );
    let Some(SwClientEvent::Message {
        source: MessageSource::ServiceWorker(source),
        message: got,
    }) = world.events[&page].last()
    else {
        panic!("no message");
    };
    assert_eq!((source.id, got), (worker, &message(2)));
}

#[test]
fn a_message_starts_a_worker_that_does_not_run() {
    let (mut world, page, worker) = world();
    world.advance(60);
    assert!(world.running.is_empty());
    world.request(
        page,
        SwRequest::PostMessageToWorker {
            worker,
            message: message(1),
        },
    );
    assert_eq!(world.last_event("message").0, worker);
}

#[test]
fn a_page_cannot_ask_for_what_only_a_worker_may() {
    let (mut world, page, _) = world();
    for request in [
        all_clients(true),
        SwRequest::GetClient { id: Some(page) },
        SwRequest::ClaimClients,
        SwRequest::SkipWaiting,
        SwRequest::PostMessageToClient {
            client: page,
            message: message(1),
        },
    ] {
        assert_eq!(world.ask_error(page, request), "SecurityError");
    }
    assert!(
        !world.events[&page]
            .iter()
            .any(|event| matches!(event, SwClientEvent::Message { .. }))
    );
}

#[test]
fn another_origin_sees_and_changes_nothing() {
    let (mut world, page, worker) = world();
    world.serve("https://b.test/worker.js", "install");
    let evil = world.attach("https://b.test/");
    world.request(evil, register("https://b.test/worker.js"));
    let evil_worker = world
        .registration(evil, "https://b.test/")
        .and_then(|info| info.active);
    let evil_worker = world.worker_client(evil_worker.expect("one").id);
    let events = world.events[&page].clone();
    let dispatched = world.dispatched.len();

    for client in [evil, evil_worker] {
        let forged = register_with_scope(SCRIPT, PAGE);
        assert_eq!(world.ask_error(client, forged), "SecurityError");
        let forged = SwRequest::Unregister { scope: url(PAGE) };
        assert_eq!(world.ask(client, forged), Ok(SwAnswer::Boolean(false)));
        assert_eq!(
            world.ask_error(client, SwRequest::Update { scope: url(PAGE) }),
            "TypeError"
        );
        let forged = SwRequest::GetRegistration { url: url(PAGE) };
        assert_eq!(world.ask_error(client, forged), "SecurityError");
        let forged = SwRequest::PostMessageToWorker {
            worker,
            message: message(1),
        };
        world.request(client, forged);
        let forged = SwRequest::PostMessageToClient {
            client: page,
            message: message(1),
        };
        world.request(client, forged);
        let Ok(SwAnswer::Registrations(own)) = world.ask(client, SwRequest::GetRegistrations)
        else {
            panic!("no list");
        };
        assert!(own.iter().all(|info| info.scope == url("https://b.test/")));
    }
    assert_eq!(ids(world.ask(evil_worker, all_clients(true))), [evil]);
    world.ask(evil_worker, SwRequest::ClaimClients).unwrap();

    assert_eq!(world.events[&page], events, "the page noticed nothing");
    assert_eq!(
        world.dispatched.len(),
        dispatched,
        "its worker noticed nothing"
    );
    let info = world.registration(page, PAGE).expect("it is still there");
    assert_eq!(info.active.map(|active| active.id), Some(worker));
}

#[test]
fn a_client_that_is_not_attached_gets_nothing_and_does_nothing() {
    let (mut world, page, _) = world();
    world.detach(page);
    world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn the_number_of_windows_of_an_origin_is_told() {
    let mut world = World::new();
    let first = world.attach(PAGE);
    let second = world.attach_as(PAGE, FrameType::Auxiliary, true);
    world.attach_as(PAGE, FrameType::Nested, true);
    world.attach("https://b.test/");
    world.detach(first);
    world.detach(second);
    let counts: Vec<(String, usize)> = world
        .notifications
        .iter()
        .map(|notification| match notification {
            SwNotification::WindowClients { storage_key, count } => {
                (storage_key.to_string(), *count)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let a = "https://a.test".to_owned();
    let b = "https://b.test".to_owned();
    assert_eq!(
        counts,
        [
            (a.clone(), 1),
            (a.clone(), 2),
            (b, 1),
            (a.clone(), 1),
            (a, 0)
        ]
    );
}

#[test]
fn a_new_worker_client_is_told_of_its_registration_as_it_is_now() {
    let (world, _, worker) = world();
    let events = &world.events[&world.worker_client(worker)];
    let Some(SwClientEvent::RegistrationChanged(info)) = events
        .iter()
        .find(|event| matches!(event, SwClientEvent::RegistrationChanged(_)))
    else {
        panic!("{events:?}");
    };
    assert_eq!(info.scope, url(PAGE));
}

#[test]
fn a_client_of_one_origin_cannot_be_a_worker_of_another() {
    let (mut world, page, worker) = world();
    let id = ClientId(uuid::Uuid::from_u128(77));
    let (storage_key, address) = (key("https://b.test/"), url("https://b.test/"));
    let kind = ClientKind::ServiceWorker(worker);
    let forged = ClientDescription::new(id, storage_key, address, kind);
    world.machine.handle_attach_client(world.now, forged);
    world.run();
    assert_eq!(world.ask_error(id, all_clients(true)), "SecurityError");
    assert_eq!(world.ask_error(id, SwRequest::SkipWaiting), "SecurityError");
    let events = world.events[&page].len();
    let forged = SwRequest::PostMessageToClient {
        client: page,
        message: message(1),
    };
    world.request(id, forged);
    assert_eq!(world.events[&page].len(), events);
}

#[test]
fn navigation_preload_is_state_of_the_registration_that_survives() {
    let (mut world, page, _) = world();
    let change = |change| SwRequest::ChangeNavigationPreload {
        scope: url(PAGE),
        change,
    };
    let state = |world: &mut World, page| {
        let scope = url(PAGE);
        match world.ask(page, SwRequest::NavigationPreload { scope }) {
            Ok(SwAnswer::NavigationPreload(state)) => (state.enabled, state.header_value),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(state(&mut world, page), (false, b"true".to_vec()));
    let value = NavigationPreloadChange::HeaderValue(b"x".to_vec());
    assert_eq!(world.ask(page, change(value)), Ok(SwAnswer::Done));
    let enabled = NavigationPreloadChange::Enabled(true);
    assert_eq!(world.ask(page, change(enabled.clone())), Ok(SwAnswer::Done));
    // Another origin names the same scope.
    let stranger = world.attach("https://b.test/");
    assert_eq!(
        world.ask_error(stranger, change(enabled.clone())),
        "InvalidStateError"
    );
    assert_eq!(state(&mut world, stranger), (false, b"true".to_vec()));
    world.run();
    world.restart();
    let page = world.attach(PAGE);
    assert_eq!(state(&mut world, page), (true, b"x".to_vec()));
    let disabled = NavigationPreloadChange::Enabled(false);
    assert_eq!(world.ask(page, change(disabled)), Ok(SwAnswer::Done));
    assert_eq!(state(&mut world, page), (false, b"x".to_vec()));
    world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    assert_eq!(world.ask_error(page, change(enabled)), "InvalidStateError");
}
