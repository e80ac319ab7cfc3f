//! What a page or a worker of one origin can do to another one's, whatever it sends: nothing. All of it
//! goes over the channel of the component, as bytes where a request can be sent as such.

use base::ids::{ClientId, RequestId, WorkerId};
use storage::Tree;
use sw_traits::{
    ClientDescription, ClientKind, ClientTypeFilter, ClientUpdate, ControllerSource, SwAnswer,
    SwClientEvent, SwRequest, UpdateViaCache, WorkerEvent, WorkerType,
};

use crate::component::{Engine, OTHER_SCRIPT, PAGE, Page, SCRIPT, Told, received, start};
use crate::support::{key, register, url};

const OTHER_PAGE: &str = "https://b.test/";

/// A page with a worker, and a page of another origin with its own.
struct Sites {
    engine: Engine,
    victim: Page,
    victim_worker: Page,
    worker: WorkerId,
    attacker: Page,
    attacker_worker: Page,
    _folder: tempfile::TempDir,
}

fn sites() -> Sites {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let first = engine.open(PAGE);
    first.ask(register(SCRIPT)).unwrap();
    first.ask(SwRequest::Ready).unwrap();
    let launch = engine.launch();
    activated(&engine);
    let victim_worker = engine.worker(&launch);
    let victim = engine.open(PAGE);
    let attacker = engine.open(OTHER_PAGE);
    attacker.ask(register(OTHER_SCRIPT)).unwrap();
    attacker.ask(SwRequest::Ready).unwrap();
    let attacker_worker = engine.worker(&engine.launch());
    activated(&engine);
    Sites {
        engine,
        victim,
        victim_worker,
        worker: launch.worker,
        attacker,
        attacker_worker,
        _folder: folder,
    }
}

/// Waits for the last event of a worker that is registered.
fn activated(engine: &Engine) {
    engine.told_of(
        |told| matches!(told, Told::Dispatch(event) if event.kind == WorkerEvent::Activate),
    );
}

/// Everything that may be asked for, about somebody else.
fn requests(client: ClientId, worker: WorkerId) -> Vec<SwRequest> {
    let scope = url(PAGE);
    let script_url = url(SCRIPT);
    let register = |scope: &str, script_url: &str| SwRequest::Register {
        scope: Some(url(scope)),
        script_url: url(script_url),
        worker_type: WorkerType::Classic,
        update_via_cache: UpdateViaCache::None,
    };
    vec![
        SwRequest::Register {
            scope: None,
            script_url: script_url.clone(),
            worker_type: WorkerType::Module,
            update_via_cache: UpdateViaCache::All,
        },
        register(PAGE, SCRIPT),
        register(PAGE, OTHER_SCRIPT),
        register(OTHER_PAGE, SCRIPT),
        SwRequest::Update {
            scope: scope.clone(),
        },
        SwRequest::Unregister {
            scope: scope.clone(),
        },
        SwRequest::GetRegistration { url: scope.clone() },
        SwRequest::GetRegistrations,
        SwRequest::Ready,
        SwRequest::MatchAllClients {
            include_uncontrolled: true,
            client_type: ClientTypeFilter::All,
        },
        SwRequest::GetClient { id: Some(client) },
        SwRequest::ClaimClients,
        SwRequest::SkipWaiting,
        SwRequest::NavigateClient {
            client,
            url: url(OTHER_PAGE),
        },
        SwRequest::FocusClient { client },
        SwRequest::PostMessageToClient {
            client,
            message: vec![1].into(),
        },
        SwRequest::PostMessageToWorker {
            worker,
            message: vec![1].into(),
        },
    ]
}

/// As it would come from another process.
fn over_the_wire(request: &SwRequest) -> SwRequest {
    postcard::from_bytes(&postcard::to_stdvec(request).unwrap()).unwrap()
}

/// What an answer gives away about the other origin.
fn gives_away(answer: &SwAnswer) -> bool {
    let text = format!("{answer:?}");
    text.contains("a.test")
}

/// Wait until the component has done everything that was sent to it before.
fn settle(page: &Page) -> Vec<SwClientEvent> {
    let last = page.handle.request(SwRequest::GetRegistrations).unwrap();
    let mut events = Vec::new();
    loop {
        match received(&page.events) {
            SwClientEvent::Answer { request, .. } if request == last => return events,
            event => events.push(event),
        }
    }
}

fn registrations(page: &Page) -> SwAnswer {
    page.ask(SwRequest::GetRegistrations).unwrap()
}

#[test]
fn no_request_reaches_another_origin() {
    let sites = sites();
    let before = registrations(&sites.victim);
    settle(&sites.victim);
    settle(&sites.victim_worker);
    let targets = [
        (sites.victim.handle.client(), sites.worker),
        (sites.victim_worker.handle.client(), sites.worker),
    ];
    for from in [&sites.attacker, &sites.attacker_worker] {
        for (client, worker) in targets {
            let asked: Vec<(RequestId, SwRequest)> = requests(client, worker)
                .into_iter()
                .map(|request| {
                    let request = over_the_wire(&request);
                    (from.handle.request(request.clone()).unwrap(), request)
                })
                .collect();
            for event in settle(from) {
                let SwClientEvent::Answer { request, result } = event else {
                    continue;
                };
                let (_, asked) = asked.iter().find(|(id, _)| *id == request).unwrap();
                match result {
                    Ok(answer) => assert!(!gives_away(&answer), "{asked:?}: {answer:?}"),
                    Err(exception) => assert!(
                        ["SecurityError", "TypeError", "InvalidStateError"]
                            .contains(&exception.name()),
                        "{asked:?}: {exception}"
                    ),
                }
            }
        }
    }
    assert_eq!(settle(&sites.victim), [], "nobody told it anything");
    assert_eq!(settle(&sites.victim_worker), []);
    assert_eq!(registrations(&sites.victim), before);
    assert_eq!(sites.engine.asked_windows.try_recv(), None);
    assert_eq!(sites.engine.count(Tree::ServiceWorkers), 2);
}

#[test]
fn a_message_for_another_origins_worker_starts_nothing() {
    let sites = sites();
    while sites.engine.told.try_recv().is_some() {}
    for from in [&sites.attacker, &sites.attacker_worker] {
        let message = SwRequest::PostMessageToWorker {
            worker: sites.worker,
            message: vec![1].into(),
        };
        from.handle.request(over_the_wire(&message)).unwrap();
        settle(from);
    }
    assert!(sites.engine.told.try_recv().is_none());
}

#[test]
fn no_update_of_a_client_makes_it_one_of_another_origin() {
    let sites = sites();
    let mut description = ClientDescription::new(
        ClientId::random(),
        key(OTHER_PAGE),
        url("https://b.test/loading"),
        ClientKind::Window,
    );
    description.execution_ready = false;
    // And its creator is said to be a page of the other origin.
    description.controller = ControllerSource::Client(sites.victim.handle.client());
    let loading = sites.engine.attach(description);
    for update in [
        ClientUpdate::CreationUrl(url(PAGE)),
        ClientUpdate::ExecutionReady,
    ] {
        loading.handle.update(update).unwrap();
    }
    for event in settle(&loading) {
        assert!(
            matches!(
                event,
                SwClientEvent::ControllerChanged {
                    controller: None,
                    ..
                }
            ),
            "{event:?}"
        );
    }
    let all = SwRequest::MatchAllClients {
        include_uncontrolled: true,
        client_type: ClientTypeFilter::All,
    };
    let Ok(SwAnswer::Clients(seen)) = sites.victim_worker.ask(all) else {
        panic!("no clients");
    };
    let loading = loading.handle.client();
    assert!(seen.iter().all(|client| client.id != loading));
}

#[test]
fn a_worker_of_one_origin_is_nobody_under_another_ones_key() {
    let sites = sites();
    // Not even a mistake of the one who attaches it makes a client of one origin a worker of another.
    let mixed = sites.engine.attach(ClientDescription::new(
        ClientId::random(),
        key(OTHER_PAGE),
        url(OTHER_SCRIPT),
        ClientKind::ServiceWorker(sites.worker),
    ));
    settle(&sites.victim);
    let client = sites.victim.handle.client();
    for request in [
        SwRequest::SkipWaiting,
        SwRequest::ClaimClients,
        SwRequest::GetClient { id: Some(client) },
        SwRequest::FocusClient { client },
    ] {
        assert_eq!(mixed.ask(request).unwrap_err().name(), "SecurityError");
    }
    assert_eq!(settle(&sites.victim), []);
}

#[test]
fn a_client_without_a_secure_context_may_do_nothing() {
    let sites = sites();
    let address = url("http://c.test/");
    let key = base::StorageKey::from_url(&address).unwrap();
    let mut description =
        ClientDescription::new(ClientId::random(), key, address, ClientKind::Window);
    description.secure_context = false;
    let insecure = sites.engine.attach(description);
    let client = sites.victim.handle.client();
    for request in requests(client, sites.worker) {
        let exception = insecure.ask(request).unwrap_err();
        assert_eq!(exception.name(), "SecurityError");
    }
}
