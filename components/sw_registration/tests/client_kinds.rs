//! Clients of every kind: who controls them, and how service workers see them.

use base::ids::{ClientId, WorkerId};
use sw_traits::{
    ClientInfo, ClientKind, ClientType, ClientTypeFilter, ClientUpdate, ControllerSource,
    FrameType, MessageSource, SwAnswer, SwClientEvent, SwRequest, VisibilityState, WorkerEvent,
};

use crate::support::{World, key, register, sync, url};

const PAGE: &str = "https://a.test/mail/";
const SCRIPT: &str = "https://a.test/mail/worker.js";

/// A world in which a page that is not controlled has registered a worker, which runs.
fn world() -> (World, ClientId, WorkerId) {
    let mut world = World::new();
    world.serve(SCRIPT, "install message sync");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let worker = world.registration(page, PAGE).unwrap().active.unwrap().id;
    (world, page, worker)
}

fn controller(world: &World, client: ClientId) -> Option<WorkerId> {
    world.controllers(client).last().expect("one").0
}

fn clients(world: &mut World, worker: WorkerId, filter: ClientTypeFilter) -> Vec<ClientInfo> {
    let request = SwRequest::MatchAllClients {
        include_uncontrolled: true,
        client_type: filter,
    };
    let client = world.worker_client(worker);
    match world.ask(client, request) {
        Ok(SwAnswer::Clients(clients)) => clients,
        other => panic!("no clients: {other:?}"),
    }
}

fn ids(clients: &[ClientInfo]) -> Vec<ClientId> {
    clients.iter().map(|client| client.id).collect()
}

#[test]
fn a_worker_is_controlled_by_what_its_script_url_matches() {
    let (mut world, _, active) = world();
    for kind in [ClientKind::DedicatedWorker, ClientKind::SharedWorker] {
        let inside = world.attach_with("https://a.test/mail/w.js", kind, |_| {});
        assert_eq!(world.controllers(inside), [(Some(active), false)]);
        let outside = world.attach_with("https://a.test/w.js", kind, |_| {});
        assert_eq!(world.controllers(outside), [(None, false)]);
    }
}

#[test]
fn what_has_no_url_of_its_own_inherits_the_controller_of_its_creator() {
    let (mut world, uncontrolled, active) = world();
    let creator = world.attach(PAGE);
    for (address, kind) in [
        ("about:blank", ClientKind::Window),
        ("about:srcdoc", ClientKind::Window),
        ("blob:https://a.test/1", ClientKind::Window),
        ("blob:https://a.test/2", ClientKind::DedicatedWorker),
        // The URL says nothing when the creator is asked.
        (PAGE, ClientKind::Window),
    ] {
        for (creator, expected) in [(creator, Some(active)), (uncontrolled, None)] {
            let child = world.attach_with(address, kind, |client| {
                client.controller = ControllerSource::Client(creator);
            });
            assert_eq!(controller(&world, child), expected, "{address}");
        }
    }
    let reloaded = world.attach_with(PAGE, ClientKind::Window, |client| {
        client.controller = ControllerSource::Nowhere;
    });
    assert_eq!(controller(&world, reloaded), None);
}

#[test]
fn a_controller_is_not_inherited_from_another_origin_or_from_nobody() {
    let (mut world, _, _) = world();
    let creator = world.attach(PAGE);
    let foreign = world.attach_with("about:blank", ClientKind::Window, |client| {
        client.storage_key = key("https://b.test/");
        client.controller = ControllerSource::Client(creator);
    });
    assert_eq!(controller(&world, foreign), None);
    world.detach(creator);
    let orphan = world.attach_with("about:blank", ClientKind::Window, |client| {
        client.controller = ControllerSource::Client(creator);
    });
    assert_eq!(controller(&world, orphan), None);
}

#[test]
fn what_inherited_its_controller_keeps_the_registration_in_use() {
    let (mut world, page, old) = world();
    let creator = world.attach(PAGE);
    let child = world.attach_with(
        "blob:https://a.test/1",
        ClientKind::DedicatedWorker,
        |client| {
            client.controller = ControllerSource::Client(creator);
        },
    );
    world.detach(creator);
    world.serve(SCRIPT, "install message sync 2");
    world.request(page, SwRequest::Update { scope: url(PAGE) });
    let info = world.registration(page, PAGE).unwrap();
    assert_eq!(info.active.unwrap().id, old);
    let waiting = info.waiting.unwrap().id;
    // When it takes over, the child is told.
    let client = world.worker_client(waiting);
    world.ask(client, SwRequest::SkipWaiting).unwrap();
    assert_eq!(
        world.controllers(child),
        [(Some(old), false), (Some(waiting), true)]
    );
}

#[test]
fn claim_takes_workers_too_but_not_what_is_still_loaded() {
    let (mut world, _, _) = world();
    world.serve("https://a.test/sw.js", "install");
    let page = world.attach("https://a.test/");
    let worker = world.attach_with("https://a.test/w.js", ClientKind::SharedWorker, |_| {});
    let blank = world.attach_with("about:blank", ClientKind::Window, |client| {
        client.controller = ControllerSource::Client(page);
    });
    let loading = world.attach_with("https://a.test/x", ClientKind::Window, |client| {
        client.execution_ready = false;
    });
    world.request(page, register("https://a.test/sw.js"));
    let root = world.registration(page, "https://a.test/").unwrap();
    let active = root.active.unwrap().id;
    let client = world.worker_client(active);
    world.ask(client, SwRequest::ClaimClients).unwrap();
    assert_eq!(controller(&world, page), Some(active));
    assert_eq!(controller(&world, worker), Some(active));
    assert_eq!(controller(&world, blank), None, "its URL matches nothing");
    assert_eq!(controller(&world, loading), None);
}

#[test]
fn match_all_tells_types_apart_and_puts_windows_before_workers() {
    let (mut world, first, active) = world();
    let shared = world.attach_with(PAGE, ClientKind::SharedWorker, |_| {});
    let dedicated = world.attach_with(PAGE, ClientKind::DedicatedWorker, |_| {});
    let frame = world.attach_as(PAGE, FrameType::Nested, true);
    let popup = world.attach_as(PAGE, FrameType::Auxiliary, true);
    for (filter, expected) in [
        (ClientTypeFilter::Window, vec![popup, first, frame]),
        (ClientTypeFilter::Worker, vec![dedicated]),
        (ClientTypeFilter::SharedWorker, vec![shared]),
        (
            ClientTypeFilter::All,
            vec![popup, first, frame, shared, dedicated],
        ),
    ] {
        assert_eq!(ids(&clients(&mut world, active, filter)), expected);
    }
    let all = clients(&mut world, active, ClientTypeFilter::All);
    assert_eq!(
        all.iter()
            .map(|client| client.client_type)
            .collect::<Vec<_>>(),
        [
            ClientType::Window,
            ClientType::Window,
            ClientType::Window,
            ClientType::SharedWorker,
            ClientType::Worker
        ]
    );
}

#[test]
fn windows_come_in_the_order_of_their_last_focus() {
    let (mut world, first, active) = world();
    let second = world.attach(PAGE);
    let one_frame = world.attach_as(PAGE, FrameType::Nested, true);
    let other_frame = world.attach_as(PAGE, FrameType::Nested, true);
    let order = |world: &mut World| ids(&clients(world, active, ClientTypeFilter::Window));
    assert_eq!(order(&mut world), [second, first, one_frame, other_frame]);
    world.update_client(first, ClientUpdate::Focus(true));
    world.update_client(other_frame, ClientUpdate::Focus(true));
    assert_eq!(order(&mut world), [other_frame, first, second, one_frame]);
    let focused = |world: &mut World| {
        let mut windows = clients(world, active, ClientTypeFilter::Window);
        windows.retain(|client| client.focused);
        ids(&windows)
    };
    assert_eq!(focused(&mut world), [other_frame, first]);
    world.update_client(other_frame, ClientUpdate::Focus(false));
    assert_eq!(focused(&mut world), [first]);
    world.detach(first);
    assert_eq!(focused(&mut world), [second], "it comes to the front");
    world.update_client(second, ClientUpdate::Focus(false));
    assert_eq!(focused(&mut world), [], "a window of somebody else has it");
}

#[test]
fn a_service_worker_sees_visibility_and_the_origins_around_a_frame() {
    let (mut world, page, active) = world();
    let frame = world.attach_with(PAGE, ClientKind::Window, |client| {
        client.frame_type = FrameType::Nested;
        client.ancestor_origins = vec!["https://b.test".to_owned()];
    });
    world.update_client(frame, ClientUpdate::Visibility(VisibilityState::Hidden));
    let seen = clients(&mut world, active, ClientTypeFilter::Window);
    assert_eq!(ids(&seen), [page, frame]);
    assert_eq!(seen[0].visibility, VisibilityState::Visible);
    assert_eq!(seen[1].visibility, VisibilityState::Hidden);
    assert_eq!(seen[1].ancestor_origins, ["https://b.test"]);
}

#[test]
fn a_client_that_is_still_loaded_is_got_when_it_is_ready() {
    let (mut world, _, active) = world();
    let worker = world.worker_client(active);
    let loading = |world: &mut World| {
        let client = world.attach_with("https://a.test/mail/x", ClientKind::Window, |client| {
            client.execution_ready = false;
        });
        let request = world.request(worker, SwRequest::GetClient { id: Some(client) });
        assert_eq!(world.answer(worker, request), None);
        (client, request)
    };
    let (ready, request) = loading(&mut world);
    let before = clients(&mut world, active, ClientTypeFilter::All);
    assert!(!ids(&before).contains(&ready), "it is not listed yet");
    world.update_client(ready, ClientUpdate::ExecutionReady);
    let Some(Ok(SwAnswer::Clients(found))) = world.answer(worker, request) else {
        panic!("no answer");
    };
    assert_eq!(ids(&found), [ready]);
    let (gone, request) = loading(&mut world);
    world.detach(gone);
    assert_eq!(
        world.answer(worker, request),
        Some(Ok(SwAnswer::Clients(Vec::new())))
    );
}

#[test]
fn a_redirect_gives_a_client_that_is_still_loaded_another_controller() {
    let (mut world, page, active) = world();
    let client = world.attach_with("https://a.test/x", ClientKind::Window, |client| {
        client.execution_ready = false;
    });
    let redirect = |world: &mut World, address: &str| {
        world.update_client(client, ClientUpdate::CreationUrl(url(address)));
    };
    redirect(&mut world, "https://a.test/mail/x");
    redirect(&mut world, "https://a.test/mail/y");
    assert_eq!(
        world.controllers(client),
        [(None, false), (Some(active), false)]
    );
    redirect(&mut world, "https://b.test/");
    assert_eq!(controller(&world, client), Some(active), "not its origin");
    redirect(&mut world, "https://a.test/y");
    assert_eq!(controller(&world, client), None);
    world.update_client(client, ClientUpdate::ExecutionReady);
    redirect(&mut world, PAGE);
    assert_eq!(controller(&world, client), None, "it has run scripts");
    // Nobody uses the registration.
    let answer = world.ask(page, SwRequest::Unregister { scope: url(PAGE) });
    assert_eq!(answer, Ok(SwAnswer::Boolean(true)));
    assert!(world.running.is_empty());
}

#[test]
fn workers_talk_with_service_workers() {
    let (mut world, _, active) = world();
    let dedicated = world.attach_with(PAGE, ClientKind::DedicatedWorker, |_| {});
    let message = SwRequest::PostMessageToWorker {
        worker: active,
        message: vec![1].into(),
    };
    world.request(dedicated, message);
    let Some((_, _, WorkerEvent::Message { source, .. })) = world.dispatched.last() else {
        panic!("no message");
    };
    let MessageSource::Client(info) = source else {
        panic!("{source:?}");
    };
    assert_eq!((info.id, info.client_type), (dedicated, ClientType::Worker));
    let answer = SwRequest::PostMessageToClient {
        client: dedicated,
        message: vec![2].into(),
    };
    let client = world.worker_client(active);
    world.request(client, answer);
    assert!(matches!(
        world.events[&dedicated].last(),
        Some(SwClientEvent::Message { message, .. }) if message.data == [2]
    ));
}

#[test]
fn a_worker_of_a_page_counts_as_no_window() {
    let (mut world, page, _) = world();
    let before = world.notifications.len();
    let worker = world.attach_with(PAGE, ClientKind::SharedWorker, |_| {});
    world.update_client(worker, ClientUpdate::Focus(true));
    world.detach(worker);
    assert_eq!(world.notifications.len(), before);
    world.detach(page);
    assert_eq!(world.notifications.len(), before + 1);
}

#[test]
fn a_worker_that_is_stopped_handles_what_waits_when_it_runs_again() {
    let (mut world, _, active) = world();
    world.held_events.insert("sync");
    let first = world.dispatch(PAGE, sync("first"));
    let (storage_key, scope) = (key(PAGE), url(PAGE));
    let now = world.now;
    assert!(world.machine.handle_stop_worker(now, &storage_key, &scope));
    world.run();
    assert!(matches!(
        world.outcomes[&first],
        sw_traits::EventOutcome::Crashed { .. }
    ));
    assert!(!world.running.contains_key(&active));
    assert!(!world.machine.handle_stop_worker(now, &storage_key, &scope));
    world.run();
    world.held_events.clear();
    let second = world.dispatch(PAGE, sync("second"));
    assert_eq!(world.outcomes[&second], sw_traits::EventOutcome::Fulfilled);
}
