//! Windows that service workers open, navigate and focus.

use base::exception::{DomException, ErrorClass};
use base::ids::{ClientId, RequestId, WorkerId};
use sw_traits::{ClientKind, ClientUpdate, SwAnswer, SwRequest, WindowRequest};

use crate::support::{World, key, register, url};

const PAGE: &str = "https://a.test/mail/";
const SCRIPT: &str = "https://a.test/mail/worker.js";

/// A world with a page that a worker controls, and the client that the worker is.
fn world() -> (World, ClientId, ClientId) {
    let mut world = World::new();
    world.serve(SCRIPT, "install");
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    let active = world.registration(first, PAGE).unwrap().active.unwrap().id;
    let page = world.attach(PAGE);
    let worker = world.worker_client(active);
    (world, page, worker)
}

fn open(address: &str) -> SwRequest {
    SwRequest::OpenWindow { url: url(address) }
}

fn window(world: &World, client: ClientId, request: RequestId) -> Option<ClientId> {
    match world.answer(client, request) {
        Some(Ok(SwAnswer::WindowClient(info))) => info.map(|info| info.id),
        other => panic!("no window: {other:?}"),
    }
}

#[test]
fn a_window_that_was_opened_is_answered_if_it_is_of_the_origin() {
    let (mut world, _, worker) = world();
    for (address, is_own) in [(PAGE, true), ("https://b.test/", false)] {
        let request = world.request(worker, open(address));
        assert_eq!(world.answer(worker, request), None);
        assert_eq!(
            world.window_requests[0].1,
            WindowRequest::Open {
                storage_key: key(PAGE),
                url: url(address)
            }
        );
        let opened = world.attach(address);
        world.end_window_request(Ok(Some(opened)));
        assert_eq!(window(&world, worker, request), is_own.then_some(opened));
    }
    // What it shows is no client.
    let request = world.request(worker, open("https://b.test/"));
    world.end_window_request(Ok(None));
    assert_eq!(window(&world, worker, request), None);
}

#[test]
fn what_the_host_of_the_windows_refuses_is_refused() {
    let (mut world, page, worker) = world();
    for body in [open(PAGE), SwRequest::FocusClient { client: page }] {
        let request = world.request(worker, body);
        world.end_window_request(Err(ErrorClass::PageMisuse.exception("nobody clicked")));
        let answer = world.answer(worker, request).unwrap();
        assert_eq!(answer.unwrap_err().name(), "InvalidAccessError");
    }
    assert_eq!(world.ask_error(worker, open("about:blank")), "TypeError");
}

#[test]
fn only_a_window_that_the_worker_controls_is_navigated() {
    let (mut world, page, worker) = world();
    let uncontrolled = world.attach("https://a.test/");
    let foreign = world.attach("https://b.test/");
    let thread = world.attach_with(PAGE, ClientKind::DedicatedWorker, |_| {});
    let navigate = |client: ClientId, address: &str| SwRequest::NavigateClient {
        client,
        url: url(address),
    };
    for client in [uncontrolled, foreign, thread, worker] {
        assert_eq!(world.ask_error(worker, navigate(client, PAGE)), "TypeError");
    }
    assert_eq!(
        world.ask_error(worker, navigate(page, "about:blank")),
        "TypeError"
    );
    assert!(world.window_requests.is_empty());

    let request = world.request(worker, navigate(page, "https://a.test/mail/2"));
    assert!(matches!(
        &world.window_requests[0].1,
        WindowRequest::Navigate { client, .. } if *client == page
    ));
    world.detach(page);
    let next = world.attach("https://a.test/mail/2");
    world.end_window_request(Ok(Some(next)));
    assert_eq!(window(&world, worker, request), Some(next));
    let request = world.request(worker, navigate(next, PAGE));
    world.end_window_request(Err(DomException::type_error("it is not fully active")));
    let answer = world.answer(worker, request).unwrap();
    assert_eq!(answer.unwrap_err().name(), "TypeError");
}

#[test]
fn a_window_of_the_origin_gets_the_focus() {
    let (mut world, page, worker) = world();
    let other = world.attach(PAGE);
    let foreign = world.attach("https://b.test/");
    let focus = |client: ClientId| SwRequest::FocusClient { client };
    assert_eq!(world.ask_error(worker, focus(foreign)), "TypeError");
    assert!(world.window_requests.is_empty());

    let request = world.request(worker, focus(page));
    world.update_client(page, ClientUpdate::Focus(true));
    world.end_window_request(Ok(Some(page)));
    assert_eq!(window(&world, worker, request), Some(page));
    let request = world.request(worker, focus(other));
    world.end_window_request(Ok(Some(other)));
    let answer = world.answer(worker, request).unwrap();
    assert_eq!(answer.unwrap_err().name(), "TypeError", "it did not get it");
}

#[test]
fn pages_cannot_ask_for_windows() {
    let (mut world, page, _) = world();
    for body in [
        open(PAGE),
        SwRequest::FocusClient { client: page },
        SwRequest::NavigateClient {
            client: page,
            url: url(PAGE),
        },
    ] {
        assert_eq!(world.ask_error(page, body), "SecurityError");
    }
    assert!(world.window_requests.is_empty());
}

#[test]
fn a_worker_that_asks_for_windows_without_end_is_refused() {
    let (mut world, _, worker) = world();
    let requests: Vec<RequestId> = (0..1_000)
        .map(|_| world.request(worker, open(PAGE)))
        .collect();
    assert_eq!(world.ask_error(worker, open(PAGE)), "QuotaExceededError");
    world.end_window_request(Ok(None));
    assert_eq!(window(&world, worker, requests[0]), None);
    world.request(worker, open(PAGE));
    assert_eq!(world.window_requests.len(), 1_000);
}

#[test]
fn a_worker_that_is_gone_gets_no_answer() {
    let (mut world, _, worker) = world();
    world.request(worker, open(PAGE));
    let running: Vec<WorkerId> = world.running.keys().copied().collect();
    for worker in running {
        world.crash(worker);
    }
    world.end_window_request(Ok(None));
    assert!(world.window_requests.is_empty());
}
