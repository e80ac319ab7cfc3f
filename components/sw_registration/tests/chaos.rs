//! Random things in random order: whatever happens, everybody gets an answer, once, and the store
//! holds what the pages see.

use std::collections::{BTreeMap, BTreeSet};

use base::ids::{ClientId, RequestId};
use proptest::prelude::*;
use storage::Tree;
use sw_registration::SwPolicy;
use sw_traits::{
    ClientKind, ClientUpdate, ControllerSource, EventOutcome, SerializedMessage, SwClientEvent,
    SwRequest, VisibilityState,
};

use crate::support::{World, register, register_with_scope, sync, url};

const SCOPES: [&str; 2] = ["https://a.test/", "https://a.test/x/"];
const SCRIPTS: [&str; 2] = ["https://a.test/1.js", "https://a.test/2.js"];
const BODIES: [&str; 5] = [
    "install activate sync message",
    "sync import:i.js",
    "install sync 2",
    "throw",
    "hang",
];

#[derive(Clone, Debug)]
enum Step {
    Attach(usize),
    AttachKind(usize, ClientKind, bool),
    AttachChild(usize, ClientKind),
    Tell(usize, ClientUpdate),
    Detach(usize),
    Serve(usize, usize),
    Register(usize, usize, usize),
    Update(usize, usize),
    Unregister(usize, usize),
    SkipWaiting(usize),
    Claim(usize),
    Message(usize, usize),
    Ready(usize),
    GetClient(usize, usize),
    OpenWindow(usize),
    FocusWindow(usize, usize),
    EndWindowRequest(Option<usize>),
    AskAsWorker(usize, usize),
    HoldStarts(bool),
    FailStarts(bool),
    StopWorker(usize),
    Dispatch(usize),
    Hold(bool, bool),
    HoldEvents,
    EndEvents(bool),
    AnswerLoads,
    AnswerCommits(bool),
    Crash(usize),
    Advance(u64),
    Clear,
    Restart,
}

fn kind() -> impl Strategy<Value = ClientKind> {
    prop::sample::select(vec![
        ClientKind::Window,
        ClientKind::DedicatedWorker,
        ClientKind::SharedWorker,
    ])
}

fn client_update() -> impl Strategy<Value = ClientUpdate> {
    prop_oneof![
        (0..2_usize).prop_map(|scope| ClientUpdate::CreationUrl(url(SCOPES[scope]))),
        Just(ClientUpdate::ExecutionReady),
        Just(ClientUpdate::Visibility(VisibilityState::Hidden)),
        any::<bool>().prop_map(ClientUpdate::Focus),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let one_of = || 0..4_usize;
    prop_oneof![
        (0..2_usize).prop_map(Step::Attach),
        (0..2_usize, kind(), any::<bool>())
            .prop_map(|(scope, kind, ready)| Step::AttachKind(scope, kind, ready)),
        (one_of(), kind()).prop_map(|(creator, kind)| Step::AttachChild(creator, kind)),
        (one_of(), client_update()).prop_map(|(client, update)| Step::Tell(client, update)),
        one_of().prop_map(Step::Detach),
        (0..2_usize, 0..BODIES.len()).prop_map(|(script, body)| Step::Serve(script, body)),
        (one_of(), 0..2_usize, 0..2_usize)
            .prop_map(|(client, scope, script)| Step::Register(client, scope, script)),
        (one_of(), 0..2_usize).prop_map(|(client, scope)| Step::Update(client, scope)),
        (one_of(), 0..2_usize).prop_map(|(client, scope)| Step::Unregister(client, scope)),
        one_of().prop_map(Step::SkipWaiting),
        one_of().prop_map(Step::Claim),
        (one_of(), one_of()).prop_map(|(client, worker)| Step::Message(client, worker)),
        one_of().prop_map(Step::Ready),
        (one_of(), one_of()).prop_map(|(worker, client)| Step::GetClient(worker, client)),
        one_of().prop_map(Step::OpenWindow),
        (one_of(), one_of()).prop_map(|(worker, client)| Step::FocusWindow(worker, client)),
        prop::option::of(one_of()).prop_map(Step::EndWindowRequest),
        (one_of(), 0..3_usize).prop_map(|(worker, what)| Step::AskAsWorker(worker, what)),
        any::<bool>().prop_map(Step::HoldStarts),
        any::<bool>().prop_map(Step::FailStarts),
        (0..2_usize).prop_map(Step::StopWorker),
        (0..2_usize).prop_map(Step::Dispatch),
        (any::<bool>(), any::<bool>()).prop_map(|(loads, commits)| Step::Hold(loads, commits)),
        Just(Step::HoldEvents),
        any::<bool>().prop_map(Step::EndEvents),
        Just(Step::AnswerLoads),
        any::<bool>().prop_map(Step::AnswerCommits),
        one_of().prop_map(Step::Crash),
        prop::sample::select(vec![1, 31, 61, 181]).prop_map(Step::Advance),
        Just(Step::Clear),
        Just(Step::Restart),
    ]
}

#[derive(Default)]
struct Asked {
    clients: Vec<ClientId>,
    requests: Vec<(ClientId, RequestId)>,
    tokens: Vec<u64>,
}

impl Asked {
    fn client(&self, number: usize) -> Option<ClientId> {
        (!self.clients.is_empty()).then(|| self.clients[number % self.clients.len()])
    }

    fn ask(&mut self, world: &mut World, client: Option<ClientId>, body: SwRequest) {
        if let Some(client) = client {
            let request = world.request(client, body);
            self.requests.push((client, request));
        }
    }
}

fn take(world: &mut World, asked: &mut Asked, step: &Step) {
    match *step {
        Step::Attach(scope) => asked.clients.push(world.attach(SCOPES[scope])),
        Step::AttachKind(scope, kind, ready) => {
            let client = world.attach_with(SCOPES[scope], kind, |client| {
                client.execution_ready = ready;
            });
            asked.clients.push(client);
        }
        Step::AttachChild(number, kind) => {
            if let Some(creator) = asked.client(number) {
                let child = world.attach_with("about:blank", kind, |client| {
                    client.controller = ControllerSource::Client(creator);
                });
                asked.clients.push(child);
            }
        }
        Step::Tell(number, ref update) => {
            if let Some(client) = asked.client(number) {
                world.update_client(client, update.clone());
            }
        }
        Step::Detach(number) => {
            if let Some(client) = asked.client(number) {
                asked.clients.retain(|found| *found != client);
                asked.requests.retain(|(found, _)| *found != client);
                world.detach(client);
            }
        }
        Step::Serve(script, body) => world.serve(SCRIPTS[script], BODIES[body]),
        Step::Register(client, scope, script) => {
            let body = register_with_scope(SCRIPTS[script], SCOPES[scope]);
            asked.ask(world, asked.client(client), body);
        }
        Step::Update(client, scope) => {
            let scope = url(SCOPES[scope]);
            asked.ask(world, asked.client(client), SwRequest::Update { scope });
        }
        Step::Unregister(client, scope) => {
            let scope = url(SCOPES[scope]);
            asked.ask(world, asked.client(client), SwRequest::Unregister { scope });
        }
        Step::Message(client, number) => {
            let workers: Vec<_> = world.starts.iter().map(|start| start.worker).collect();
            if let (Some(client), false) = (asked.client(client), workers.is_empty()) {
                let worker = workers[number % workers.len()];
                let message = SerializedMessage::default();
                world.request(client, SwRequest::PostMessageToWorker { worker, message });
            }
        }
        Step::Ready(number) => {
            // It may wait for ever, so that its answer is not asked for.
            if let Some(client) = asked.client(number) {
                world.request(client, SwRequest::Ready);
            }
        }
        Step::EndWindowRequest(number) => {
            if !world.window_requests.is_empty() {
                let shown = number.and_then(|number| asked.client(number));
                world.end_window_request(Ok(shown));
            }
        }
        Step::HoldStarts(true) => world.hold_starts = true,
        Step::HoldStarts(false) => world.answer_starts(),
        Step::FailStarts(fail) => world.extra_words = if fail { " throw" } else { "" },
        Step::StopWorker(scope) => world.stop_worker(SCOPES[scope]),
        Step::Dispatch(scope) => asked.tokens.push(world.dispatch(SCOPES[scope], sync("x"))),
        Step::Hold(loads, commits) => (world.hold_loads, world.hold_commits) = (loads, commits),
        Step::HoldEvents => world.held_events = ["install", "activate", "sync"].into(),
        Step::EndEvents(well) => {
            let rejected = EventOutcome::Rejected {
                reason: String::new(),
            };
            world.end_held_events(if well {
                &EventOutcome::Fulfilled
            } else {
                &rejected
            });
        }
        Step::AnswerLoads => world.answer_loads(),
        Step::AnswerCommits(well) => {
            world.fail_commits = !well;
            world.answer_commits();
            world.fail_commits = false;
        }
        Step::Crash(number) => {
            let running: Vec<_> = world.running.keys().copied().collect();
            if !running.is_empty() {
                world.crash(running[number % running.len()]);
            }
        }
        Step::Advance(seconds) => world.advance(seconds),
        Step::Clear => {
            world.clear(SCOPES[0]);
        }
        Step::Restart => {
            // Whoever was to be answered is gone.
            *asked = Asked::default();
            world.restart();
        }
        ref step => take_as_worker(world, asked, step),
    }
}

/// What only a service worker that runs can do.
fn take_as_worker(world: &mut World, asked: &Asked, step: &Step) {
    let worker_client = |world: &World, number: usize| {
        let clients: Vec<ClientId> = world.running.values().copied().collect();
        (!clients.is_empty()).then(|| clients[number % clients.len()])
    };
    match *step {
        Step::SkipWaiting(number) => {
            if let Some(client) = worker_client(world, number) {
                world.ask(client, SwRequest::SkipWaiting).unwrap();
            }
        }
        Step::Claim(number) => {
            if let Some(client) = worker_client(world, number) {
                let _ = world.ask(client, SwRequest::ClaimClients);
            }
        }
        Step::AskAsWorker(number, what) => {
            let scope = url(SCOPES[0]);
            let body = match what {
                0 => SwRequest::Update { scope },
                1 => SwRequest::Unregister { scope },
                _ => register(SCRIPTS[0]),
            };
            // The worker may end before its answer.
            if let Some(client) = worker_client(world, number) {
                world.request(client, body);
            }
        }
        Step::GetClient(worker, number) => {
            // One that is not ready may stay so for ever.
            if let Some(worker) = worker_client(world, worker) {
                let id = asked.client(number);
                world.request(worker, SwRequest::GetClient { id });
            }
        }
        Step::OpenWindow(worker) => {
            if let Some(worker) = worker_client(world, worker) {
                let url = url(SCOPES[0]);
                world.request(worker, SwRequest::OpenWindow { url });
            }
        }
        Step::FocusWindow(worker, number) => {
            if let (Some(worker), Some(client)) =
                (worker_client(world, worker), asked.client(number))
            {
                world.request(worker, SwRequest::FocusClient { client });
            }
        }
        _ => {}
    }
}

/// Let go of everything that was held, and wait for every limit.
fn calm_down(world: &mut World) {
    while !world.window_requests.is_empty() {
        world.end_window_request(Ok(None));
    }
    world.extra_words = "";
    for _ in 0..20 {
        world.answer_starts();
        world.answer_loads();
        world.answer_commits();
        world.end_held_events(&EventOutcome::Fulfilled);
        world.advance(400);
    }
}

/// The store holds the registrations that there are, their scripts, and no others.
fn check_store(world: &World) -> Result<(), TestCaseError> {
    let snapshot = world.machine.snapshot();
    prop_assert_eq!(world.stored(Tree::ServiceWorkers), snapshot.len());
    let scripts: usize = snapshot.iter().map(|found| found.scripts.0).sum();
    prop_assert_eq!(world.stored(Tree::Scripts), scripts);
    Ok(())
}

/// What a page makes of all that it was told is what there is.
fn check_view(world: &World, client: ClientId) -> Result<(), TestCaseError> {
    let mut registrations = BTreeMap::new();
    let mut states = BTreeMap::new();
    for event in world.events.get(&client).into_iter().flatten() {
        match event {
            SwClientEvent::RegistrationChanged(info) => {
                registrations.insert(info.id, (**info).clone());
            }
            SwClientEvent::WorkerStateChanged { worker } => {
                states.insert(worker.id, worker.state);
            }
            _ => {}
        }
    }
    for found in world.machine.snapshot() {
        let Some(mut seen) = registrations.remove(&found.registration.id) else {
            continue;
        };
        let workers = [&mut seen.installing, &mut seen.waiting, &mut seen.active];
        for worker in workers.into_iter().flatten() {
            worker.state = states.get(&worker.id).copied().unwrap_or(worker.state);
        }
        prop_assert_eq!(seen, found.registration);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_gets_an_answer_and_the_store_holds_what_is_seen(
        steps in prop::collection::vec(step(), 1..60),
        max_idle_workers in 0..4_usize,
    ) {
        // With few requests allowed, one that is counted for ever would show; with few idle workers,
        // one that is stopped too much.
        let mut world = World::with_policy(SwPolicy {
            max_requests_per_origin: 4,
            max_idle_workers,
            max_running_workers_per_origin: 3,
            max_script_bytes_per_origin: 500,
            ..SwPolicy::default()
        });
        world.serve("https://a.test/i.js", "1");
        world.serve(SCRIPTS[0], BODIES[0]);
        world.serve(SCRIPTS[1], BODIES[1]);
        let mut asked = Asked::default();
        asked.clients.push(world.attach(SCOPES[0]));
        for step in &steps {
            take(&mut world, &mut asked, step);
        }
        calm_down(&mut world);

        for (client, request) in &asked.requests {
            prop_assert!(world.answer(*client, *request).is_some(), "a request has no answer");
        }
        for token in &asked.tokens {
            prop_assert!(world.outcomes.contains_key(token), "an event has no outcome");
        }
        prop_assert!(world.running.is_empty(), "a worker runs for ever");
        prop_assert_eq!(world.machine.poll_deadline().after(world.now), None);

        let scopes = |world: &World| -> BTreeSet<String> {
            let snapshot = world.machine.snapshot();
            snapshot.iter().map(|found| found.registration.scope.to_string()).collect()
        };
        let seen = scopes(&world);
        for client in &asked.clients {
            let told = world.controllers(*client).last().and_then(|(worker, _)| *worker);
            let is_gone = told.is_some_and(|worker| world.is_redundant(worker));
            prop_assert!(!is_gone, "a client is controlled by a worker that is gone");
            check_view(&world, *client)?;
        }
        let seen_workers: usize = world
            .machine
            .snapshot()
            .iter()
            .map(|found| {
                usize::from(found.registration.waiting.is_some())
                    + usize::from(found.registration.active.is_some())
            })
            .sum();
        prop_assert!(seen_workers >= seen.len(), "a registration has a worker");
        // Whatever happened before, the API works, now and after a restart.
        for client in std::mem::take(&mut asked.clients) {
            world.detach(client);
        }
        calm_down(&mut world);
        check_store(&world)?;
        for restarted in [false, true] {
            if restarted {
                let seen = scopes(&world);
                world.restart();
                prop_assert_eq!(scopes(&world), seen);
            }
            world.serve(SCRIPTS[0], BODIES[0]);
            let page = world.attach(SCOPES[0]);
            world.request(page, SwRequest::Unregister { scope: url(SCOPES[0]) });
            world.ask_registration(page, register(SCRIPTS[0]));
            let starts = world.starts.len();
            world.ask_registration(page, SwRequest::Update { scope: url(SCOPES[0]) });
            prop_assert_eq!(world.starts.len(), starts, "an update that changes nothing");
            let token = world.dispatch(SCOPES[0], sync("last"));
            prop_assert_eq!(&world.outcomes[&token], &EventOutcome::Fulfilled);
            world.detach(page);
            calm_down(&mut world);
            check_store(&world)?;
        }
    }
}
