//! Requests of clients, and what the service workers that control them make of them.

use base::ids::{ClientId, RequestId};
use sw_traits::{
    ClientKind, ClientUpdate, EventOutcome, FetchAnswer, FetchEventData, FetchRequest,
    FetchResponse, NavigationPreloadChange, SwNotification, SwRequest, WorkerEvent,
};

use crate::support::{World, register, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";

/// A world with an active worker that does not run, and a page that it controls. The worker's events
/// go on until the test ends them.
fn world(body: &str) -> (World, ClientId) {
    let mut world = World::new();
    world.serve(SCRIPT, body);
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    world.detach(first);
    world.advance(60);
    world.starts.clear();
    world.held_events.insert("fetch");
    let page = world.attach(PAGE);
    (world, page)
}

fn request(address: &str) -> FetchRequest {
    FetchRequest {
        method: "GET".to_owned(),
        url: url(address),
        headers: Vec::new(),
        body: None,
        mode: "cors".to_owned(),
        destination: String::new(),
        credentials: "same-origin".to_owned(),
        cache: "default".to_owned(),
        redirect: "follow".to_owned(),
        referrer: String::new(),
        referrer_policy: String::new(),
        initiator: None,
        replaces: None,
    }
}

fn navigation(address: &str) -> FetchRequest {
    FetchRequest {
        mode: "navigate".to_owned(),
        destination: "document".to_owned(),
        redirect: "manual".to_owned(),
        ..request(address)
    }
}

fn response(response_type: &str) -> Box<FetchResponse> {
    Box::new(FetchResponse {
        response_type: response_type.to_owned(),
        url: None,
        redirected: false,
        status: 200,
        status_text: Vec::new(),
        headers: Vec::new(),
        body: None,
        internal: None,
    })
}

/// A window that is about to be.
fn reserve(world: &mut World, address: &str) -> ClientId {
    world.attach_with(address, ClientKind::Window, |client| {
        client.execution_ready = false;
    })
}

fn event(world: &World) -> &FetchEventData {
    match &world.dispatched.last().expect("an event").2 {
        WorkerEvent::Fetch(data) => data,
        other => panic!("another event: {other:?}"),
    }
}

fn is_network_error(world: &World, key: (ClientId, RequestId)) -> bool {
    matches!(
        world.fetched.get(&key),
        Some(FetchAnswer::NetworkError { .. })
    )
}

#[test]
fn the_controlling_worker_answers_and_is_kept_until_its_event_ends() {
    let (mut world, page) = world("fetch");
    let fetch = world.fetch(page, request("https://b.test/data"));
    assert_eq!(world.starts.len(), 1, "it is started for this");
    assert_eq!(event(&world).client, Some(page));
    assert_eq!(event(&world).resulting_client, None);
    assert_eq!(world.fetched.get(&(page, fetch)), None);

    let answer = FetchAnswer::Response(response("default"));
    world.respond(answer.clone());
    assert_eq!(world.fetched[&(page, fetch)], answer);
    world.advance(60);
    assert_eq!(world.running.len(), 1, "waitUntil() keeps it");
    world.end_held_events(&EventOutcome::Fulfilled);
    world.advance(60);
    assert!(world.running.is_empty());
}

#[test]
fn without_a_listener_or_a_controller_the_network_is_asked_and_no_worker_started() {
    let (mut world, page) = world("sync");
    let fetch = world.fetch(page, request(PAGE));
    assert_eq!(world.fetched[&(page, fetch)], FetchAnswer::NotHandled);
    let stranger = world.attach("https://b.test/");
    let fetch = world.fetch(stranger, request(PAGE));
    assert_eq!(world.fetched[&(stranger, fetch)], FetchAnswer::NotHandled);
    assert!(world.starts.is_empty());
}

#[test]
fn what_ends_without_an_answer_goes_to_the_network_if_it_was_fulfilled() {
    for (outcome, fails) in [
        (EventOutcome::Fulfilled, false),
        (
            EventOutcome::Rejected {
                reason: String::new(),
            },
            true,
        ),
        (
            EventOutcome::Crashed {
                reason: String::new(),
            },
            true,
        ),
    ] {
        let (mut world, page) = world("fetch");
        let fetch = world.fetch(page, request(PAGE));
        world.end_held_events(&outcome);
        assert_eq!(
            is_network_error(&world, (page, fetch)),
            fails,
            "{outcome:?}"
        );
        assert!(world.fetched.contains_key(&(page, fetch)));
    }
}

#[test]
fn a_worker_that_does_not_start_or_takes_too_long_is_a_network_error() {
    let (mut world, page) = world("fetch");
    world.hold_starts = true;
    let fetch = world.fetch(page, request(PAGE));
    world.advance(60);
    assert!(is_network_error(&world, (page, fetch)));

    let (mut world, page) = self::world("fetch");
    let fetch = world.fetch(page, request(PAGE));
    world.advance(180);
    assert!(is_network_error(&world, (page, fetch)));
}

#[test]
fn what_a_response_may_be_depends_on_the_request() {
    type Change = fn(&mut FetchRequest, &mut FetchResponse);
    let table: [(&str, Change, bool); 9] = [
        ("basic", |_, _| {}, true),
        ("error", |_, _| {}, false),
        (
            "cors",
            |request, _| request.mode = "same-origin".to_owned(),
            false,
        ),
        ("cors", |_, _| {}, true),
        ("opaque", |_, _| {}, false),
        (
            "opaque",
            |request, _| request.mode = "no-cors".to_owned(),
            true,
        ),
        ("opaqueredirect", |_, _| {}, false),
        (
            "opaqueredirect",
            |request, _| request.redirect = "manual".to_owned(),
            true,
        ),
        (
            "basic",
            |request, response| {
                request.redirect = "error".to_owned();
                response.redirected = true;
            },
            false,
        ),
    ];
    for (response_type, change, passes) in table {
        let (mut world, page) = world("fetch");
        let (mut request, mut response) = (request(PAGE), response(response_type));
        change(&mut request, &mut response);
        let fetch = world.fetch(page, request.clone());
        world.respond(FetchAnswer::Response(response));
        assert_eq!(
            !is_network_error(&world, (page, fetch)),
            passes,
            "{response_type} for {request:?}"
        );
    }
}

#[test]
fn a_navigation_is_seen_by_what_the_url_of_the_new_client_matches() {
    let (mut world, page) = world("fetch");
    let stranger = world.attach("https://b.test/");
    let new = reserve(&mut world, "https://a.test/new");
    world.notifications.clear();
    world.fetch(
        new,
        FetchRequest {
            initiator: Some(page),
            replaces: Some(stranger),
            ..navigation("https://a.test/new")
        },
    );
    let data = event(&world);
    assert_eq!(data.resulting_client, Some(new));
    assert_eq!(data.client, Some(page));
    assert_eq!(data.replaced_client, None, "it is of another origin");
    assert_eq!(world.notifications, [], "it is no window yet");
    world.update_client(new, ClientUpdate::ExecutionReady);
    assert!(matches!(
        world.notifications[..],
        [SwNotification::WindowClients { count: 2, .. }]
    ));
}

#[test]
fn no_one_asks_for_a_document_of_another_origin_or_in_place_of_another_client() {
    let (mut world, page) = world("fetch");
    let new = reserve(&mut world, "https://a.test/new");
    for (client, address) in [(new, "https://b.test/"), (page, "https://a.test/new")] {
        let fetch = world.fetch(client, navigation(address));
        assert_eq!(world.fetched[&(client, fetch)], FetchAnswer::NotHandled);
    }
    assert!(
        world
            .dispatched
            .iter()
            .all(|(_, _, event)| event.event_type() != "fetch")
    );
}

#[test]
fn what_a_service_worker_fetches_no_service_worker_sees() {
    let (mut world, page) = world("fetch");
    world.fetch(page, request(PAGE));
    let dispatched = world.dispatched.len();
    let worker = *world.running.values().next().expect("a worker");
    let fetch = world.fetch(worker, request(PAGE));
    assert_eq!(world.fetched[&(worker, fetch)], FetchAnswer::NotHandled);
    assert_eq!(world.dispatched.len(), dispatched);
}

#[test]
fn a_fetch_that_is_given_up_gets_no_answer() {
    let (mut world, page) = world("fetch");
    let fetch = world.fetch(page, request(PAGE));
    world.machine.handle_cancel_fetch(world.now, page, fetch);
    world.run();
    let (_, event, _) = world.dispatched.last().expect("an event").clone();
    assert_eq!(world.aborted, [event]);
    world.respond(FetchAnswer::NotHandled);
    assert_eq!(world.fetched.get(&(page, fetch)), None);

    let other = world.fetch(page, request(PAGE));
    world.detach(page);
    assert_eq!(world.aborted.len(), 2);
    assert_eq!(world.fetched.get(&(page, other)), None);
}

#[test]
fn one_that_is_given_up_while_the_worker_starts_is_not_dispatched() {
    let (mut world, page) = world("fetch");
    world.hold_starts = true;
    let fetch = world.fetch(page, request(PAGE));
    let dispatched = world.dispatched.len();
    world.machine.handle_cancel_fetch(world.now, page, fetch);
    world.run();
    world.answer_starts();
    assert_eq!(world.dispatched.len(), dispatched);
}

#[test]
fn a_navigation_is_preloaded_if_its_registration_says_so() {
    let (mut world, page) = world("fetch");
    let change = |change| SwRequest::ChangeNavigationPreload {
        scope: url(PAGE),
        change,
    };
    world
        .ask(page, change(NavigationPreloadChange::Enabled(true)))
        .unwrap();
    let value = b"mine".to_vec();
    world
        .ask(page, change(NavigationPreloadChange::HeaderValue(value)))
        .unwrap();
    world.fetch(page, request(PAGE));
    assert_eq!(world.preloads, [], "it is no navigation");
    assert!(!event(&world).preload);

    let new = reserve(&mut world, PAGE);
    let fetch = world.fetch(new, navigation(PAGE));
    assert_eq!(world.preloads, [(new, fetch, b"mine".to_vec())]);
    assert!(event(&world).preload);
    let result = Ok(*response("basic"));
    world
        .machine
        .handle_preload_ended(world.now, new, fetch, result.clone());
    world.run();
    let (_, event, _) = world.dispatched.last().expect("an event").clone();
    assert_eq!(world.preloaded, [(event, result)]);
}

#[test]
fn what_was_preloaded_before_the_worker_runs_comes_behind_the_event() {
    let (mut world, page) = world("fetch");
    let request = SwRequest::ChangeNavigationPreload {
        scope: url(PAGE),
        change: NavigationPreloadChange::Enabled(true),
    };
    world.ask(page, request).unwrap();
    world.hold_starts = true;
    let new = reserve(&mut world, PAGE);
    let fetch = world.fetch(new, navigation(PAGE));
    let result = Err("no network".to_owned());
    world
        .machine
        .handle_preload_ended(world.now, new, fetch, result.clone());
    world.run();
    assert_eq!(world.preloaded, []);
    world.answer_starts();
    assert_eq!(world.preloaded.len(), 1);
    assert_eq!(world.preloaded[0].1, result);
}

#[test]
fn the_engine_shuts_down_with_an_answer() {
    let (mut world, page) = world("fetch");
    let fetch = world.fetch(page, request(PAGE));
    world.machine.handle_exit(world.now);
    world.run();
    assert!(is_network_error(&world, (page, fetch)));
    let late = RequestId(99_999);
    world
        .machine
        .handle_fetch(world.now, page, late, request(PAGE));
    world.run();
    assert_eq!(world.fetched[&(page, late)], FetchAnswer::NotHandled);
}
