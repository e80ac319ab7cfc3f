//! A world around the state machine: a server of scripts, a host whose workers do what their scripts
//! say, a store in memory, and a clock that only moves when told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::StorageKey;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, EventId, RequestId, WorkerId};
use base::time::Timestamp;
use storage::{Batch, Direction, KeyRange, Store, StoreConfig, Tree};
use sw_registration::{Output, ScriptsPlace, SwPolicy, SwRegistrations, WorkerStart, read};
use sw_traits::{
    ClientDescription, ClientKind, ClientUpdate, EventOutcome, FetchAnswer, FetchRequest,
    FetchResponse, FrameType, LoadedScript, RegistrationInfo, ScriptRequest, ScriptResource,
    ServiceWorkerState, SwAnswer, SwClientEvent, SwNotification, SwRequest, UpdateViaCache,
    WindowRequest, WindowResult, WorkerEvent, WorkerHostEvent, WorkerType,
};
use url::Url;
use uuid::Uuid;

/// The site of most tests.
const PAGES: &str = "https://a.test/";

pub fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub fn key(text: &str) -> StorageKey {
    StorageKey::from_url(&url(text)).unwrap()
}

pub fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

pub fn script(address: &str, body: &str) -> LoadedScript {
    LoadedScript {
        resource: ScriptResource {
            url: url(address),
            response_url: url(address),
            body: body.as_bytes().into(),
            headers: vec![header("content-type", "text/javascript; charset=utf-8")],
        },
        status: 200,
        from_cache: false,
    }
}

pub fn register(script_url: &str) -> SwRequest {
    SwRequest::Register {
        scope: None,
        script_url: url(script_url),
        worker_type: WorkerType::Classic,
        update_via_cache: UpdateViaCache::Imports,
    }
}

pub fn register_with_scope(script_url: &str, wanted: &str) -> SwRequest {
    let mut request = register(script_url);
    if let SwRequest::Register { scope, .. } = &mut request {
        *scope = Some(url(wanted));
    }
    request
}

pub fn sync(tag: &str) -> WorkerEvent {
    WorkerEvent::Sync {
        tag: tag.into(),
        last_chance: false,
    }
}

/// What the world did, in order; what a page cannot see is left out.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct World {
    pub machine: SwRegistrations,
    pub store: Store,
    pub now: Timestamp,
    /// The server: what it has, or what goes wrong.
    pub server: BTreeMap<Url, Result<LoadedScript, DomException>>,
    /// Loads that the server does not answer until [`World::answer_loads`].
    pub hold_loads: bool,
    pub held_loads: Vec<(u64, ScriptRequest)>,
    pub loads: Vec<ScriptRequest>,
    /// Commits are not answered until [`World::answer_commits`].
    pub hold_commits: bool,
    pub held_commits: VecDeque<(CommitId, Batch)>,
    pub fail_commits: bool,
    /// Events of these types do not end by themselves.
    pub held_events: BTreeSet<&'static str>,
    /// Every event that a worker was handed.
    pub dispatched: Vec<(WorkerId, EventId, WorkerEvent)>,
    pub starts: Vec<WorkerStart>,
    pub running: BTreeMap<WorkerId, ClientId>,
    worker_clients: BTreeSet<ClientId>,
    /// Workers do not come to the end of their script until [`World::answer_starts`].
    pub hold_starts: bool,
    held_starts: Vec<(WorkerId, Vec<String>)>,
    /// What workers that are started do in addition to what their script says.
    pub extra_words: &'static str,
    /// The host does not manage to stop workers.
    pub hold_stops: bool,
    /// A script that the server has again when the next worker is started.
    pub come_back_after_check: Option<Url>,
    /// Stored scripts that workers do not import any more, whatever their script says.
    pub ignore_imports_of_stored: Vec<Url>,
    pub terminated: Vec<WorkerId>,
    /// Events that a worker was told to give up.
    pub timed_out: Vec<EventId>,
    /// What the host of the windows has not done yet.
    pub window_requests: VecDeque<(u64, WindowRequest)>,
    pub notifications: Vec<SwNotification>,
    pub events: BTreeMap<ClientId, Vec<SwClientEvent>>,
    pub outcomes: BTreeMap<u64, EventOutcome>,
    pub cleared: BTreeMap<u64, Result<(), String>>,
    /// What became of fetches, ...
    pub fetched: BTreeMap<(ClientId, RequestId), FetchAnswer>,
    /// ... what is to be preloaded for them, and what was.
    pub preloads: Vec<(ClientId, RequestId, Vec<u8>)>,
    pub preloaded: Vec<(EventId, Result<FetchResponse, String>)>,
    pub aborted: Vec<EventId>,
    /// What clients and other components were told, in the order in which it happened.
    pub trace: Vec<String>,
    pub exited: bool,
    inputs: VecDeque<Input>,
    last: u64,
    max_idle_workers: usize,
    /// Workers whose script has come to its end, ...
    started: BTreeSet<WorkerId>,
    /// ... and events that the host has not ended.
    open: BTreeMap<EventId, WorkerId>,
}

enum Input {
    Attach(ClientDescription),
    Update(ClientId, ClientUpdate),
    WindowRequestEnded(u64, WindowResult),
    Detach(ClientId),
    Host(WorkerHostEvent),
    Loaded(u64, Result<LoadedScript, DomException>),
    Committed(CommitId, Result<(), String>),
    Read(WorkerId, ScriptsPlace),
}

impl World {
    pub fn new() -> Self {
        Self::with_policy(SwPolicy {
            update_after_navigation: None,
            ..SwPolicy::default()
        })
    }

    pub fn with_policy(policy: SwPolicy) -> Self {
        let (store, _) = Store::open(StoreConfig::memory()).unwrap();
        let now = Timestamp::default().saturating_add(Duration::from_secs(1_000_000));
        let max_idle_workers = policy.max_idle_workers;
        Self {
            machine: SwRegistrations::new(policy, now, Vec::new()),
            store,
            now,
            server: BTreeMap::new(),
            hold_loads: false,
            held_loads: Vec::new(),
            loads: Vec::new(),
            hold_commits: false,
            held_commits: VecDeque::new(),
            fail_commits: false,
            held_events: BTreeSet::new(),
            dispatched: Vec::new(),
            starts: Vec::new(),
            running: BTreeMap::new(),
            worker_clients: BTreeSet::new(),
            hold_starts: false,
            held_starts: Vec::new(),
            extra_words: "",
            hold_stops: false,
            come_back_after_check: None,
            ignore_imports_of_stored: Vec::new(),
            terminated: Vec::new(),
            timed_out: Vec::new(),
            window_requests: VecDeque::new(),
            notifications: Vec::new(),
            events: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            cleared: BTreeMap::new(),
            fetched: BTreeMap::new(),
            preloads: Vec::new(),
            preloaded: Vec::new(),
            aborted: Vec::new(),
            trace: Vec::new(),
            exited: false,
            inputs: VecDeque::new(),
            last: 0,
            max_idle_workers,
            started: BTreeSet::new(),
            open: BTreeMap::new(),
        }
    }

    /// The engine is killed, and started again on what is stored.
    pub fn restart(&mut self) {
        self.run();
        let stored = read::recover(&self.store).unwrap();
        let policy = SwPolicy {
            update_after_navigation: None,
            max_idle_workers: self.max_idle_workers,
            ..SwPolicy::default()
        };
        self.machine = SwRegistrations::new(policy, self.now, stored);
        self.running.clear();
        self.started.clear();
        self.inputs.clear();
        self.held_commits.clear();
        self.held_loads.clear();
        self.held_starts.clear();
        self.window_requests.clear();
        self.starts.clear();
        self.events.clear();
        self.notifications.clear();
        self.dispatched.clear();
        self.run();
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Serve a script. Its words say what a worker does that runs it: the types of the events that
    /// it listens to; `throw`, to fail; `hang`, to never come to its end; `import:URL`, which fails
    /// when the script is not there.
    pub fn serve(&mut self, address: &str, body: &str) {
        self.server.insert(url(address), Ok(script(address, body)));
    }

    /// Serve what is answered with this status.
    pub fn serve_status(&mut self, address: &str, status: u16) {
        let mut loaded = script(address, "");
        loaded.status = status;
        self.server.insert(url(address), Ok(loaded));
    }

    pub fn attach(&mut self, address: &str) -> ClientId {
        self.attach_as(address, FrameType::TopLevel, true)
    }

    pub fn attach_as(&mut self, address: &str, frame_type: FrameType, secure: bool) -> ClientId {
        let id = ClientId(Uuid::from_u128(self.next().into()));
        self.attach_client(ClientDescription {
            frame_type,
            secure_context: secure,
            ..ClientDescription::new(id, key(address), url(address), ClientKind::Window)
        })
    }

    /// A worker of a page, or a window that is not like others.
    pub fn attach_with(
        &mut self,
        address: &str,
        kind: ClientKind,
        change: impl FnOnce(&mut ClientDescription),
    ) -> ClientId {
        let id = ClientId(Uuid::from_u128(self.next().into()));
        let mut client = ClientDescription::new(id, key(PAGES), url(address), kind);
        change(&mut client);
        self.attach_client(client)
    }

    fn attach_client(&mut self, client: ClientDescription) -> ClientId {
        let id = client.id;
        self.inputs.push_back(Input::Attach(client));
        self.run();
        id
    }

    pub fn update_client(&mut self, client: ClientId, update: ClientUpdate) {
        self.inputs.push_back(Input::Update(client, update));
        self.run();
    }

    /// The host of the windows has done what was asked of it first.
    pub fn end_window_request(&mut self, result: WindowResult) {
        let (number, _) = self.window_requests.pop_front().expect("a request");
        self.inputs
            .push_back(Input::WindowRequestEnded(number, result));
        self.run();
    }

    pub fn detach(&mut self, client: ClientId) {
        self.inputs.push_back(Input::Detach(client));
        self.run();
    }

    pub fn request(&mut self, client: ClientId, body: SwRequest) -> RequestId {
        let request = RequestId(self.next());
        self.machine.handle_request(self.now, client, request, body);
        self.run();
        request
    }

    /// Fetch something for a client.
    pub fn fetch(&mut self, client: ClientId, body: FetchRequest) -> RequestId {
        let request = RequestId(self.next());
        self.machine.handle_fetch(self.now, client, request, body);
        self.run();
        request
    }

    /// The worker answers the `fetch` event that it was handed last.
    pub fn respond(&mut self, answer: FetchAnswer) {
        let (worker, event, _) = self.dispatched.last().expect("an event").clone();
        self.inputs
            .push_back(Input::Host(WorkerHostEvent::FetchAnswered {
                worker,
                event,
                answer,
            }));
        self.run();
    }

    /// Ask, and expect an answer at once.
    pub fn ask(&mut self, client: ClientId, body: SwRequest) -> Result<SwAnswer, DomException> {
        let request = self.request(client, body);
        self.answer(client, request).expect("an answer at once")
    }

    pub fn answer(
        &self,
        client: ClientId,
        request: RequestId,
    ) -> Option<Result<SwAnswer, DomException>> {
        let mut answers = self
            .events
            .get(&client)?
            .iter()
            .filter_map(|event| match event {
                SwClientEvent::Answer {
                    request: of,
                    result,
                } if *of == request => Some(result.clone()),
                _ => None,
            });
        let answer = answers.next();
        assert!(answers.next().is_none(), "answered once");
        answer
    }

    /// The registration that is answered.
    pub fn ask_registration(&mut self, client: ClientId, body: SwRequest) -> RegistrationInfo {
        match self.ask(client, body) {
            Ok(SwAnswer::Registration(Some(info))) => *info,
            other => panic!("no registration: {other:?}"),
        }
    }

    /// The name of the exception that is the answer.
    pub fn ask_error(&mut self, client: ClientId, body: SwRequest) -> &'static str {
        self.ask(client, body).expect_err("an exception").name()
    }

    /// The registration of an URL, as a page sees it now.
    pub fn registration(&mut self, client: ClientId, address: &str) -> Option<RegistrationInfo> {
        match self.ask(client, SwRequest::GetRegistration { url: url(address) }) {
            Ok(SwAnswer::Registration(info)) => info.map(|info| *info),
            other => panic!("no registration: {other:?}"),
        }
    }

    pub fn dispatch(&mut self, scope: &str, event: WorkerEvent) -> u64 {
        let token = self.next();
        let scope = url(scope);
        let storage_key = StorageKey::from_url(&scope).unwrap();
        let limit = Duration::from_secs(180);
        self.machine
            .handle_dispatch_event(self.now, &storage_key, &scope, event, limit, token);
        self.run();
        token
    }

    pub fn stop_worker(&mut self, scope: &str) {
        let (storage_key, scope) = (key(scope), url(scope));
        self.machine
            .handle_stop_worker(self.now, &storage_key, &scope);
        self.run();
    }

    /// Whether anybody was told that a worker's time is over.
    pub fn is_redundant(&self, worker: WorkerId) -> bool {
        self.events.values().flatten().any(|event| {
            matches!(event, SwClientEvent::WorkerStateChanged { worker: info }
                if info.id == worker && info.state == ServiceWorkerState::Redundant)
        })
    }

    pub fn clear(&mut self, address: &str) -> u64 {
        let token = self.next();
        self.machine
            .handle_clear_storage(self.now, key(address), token);
        self.run();
        token
    }

    pub fn exit(&mut self) {
        self.machine.handle_exit(self.now);
        self.run();
    }

    pub fn host(&mut self, event: WorkerHostEvent) {
        self.inputs.push_back(Input::Host(event));
        self.run();
    }

    /// The last event of this type that a worker was handed.
    pub fn last_event(&self, event_type: &str) -> (WorkerId, EventId) {
        self.dispatched
            .iter()
            .rev()
            .find(|(_, _, event)| event.event_type() == event_type)
            .map(|(worker, event, _)| (*worker, *event))
            .expect("such an event")
    }

    /// End the last event of this type.
    pub fn end_event(&mut self, event_type: &str, outcome: EventOutcome) {
        let (worker, event) = self.last_event(event_type);
        self.host(WorkerHostEvent::EventEnded {
            worker,
            event,
            outcome,
        });
    }

    pub fn crash(&mut self, worker: WorkerId) {
        self.running.remove(&worker);
        self.host(WorkerHostEvent::Stopped {
            worker,
            crash: Some("out of memory".to_owned()),
        });
    }

    /// End every event that a worker was handed and that was held, with this outcome.
    pub fn end_held_events(&mut self, outcome: &EventOutcome) {
        self.held_events.clear();
        for (worker, event, _) in self.dispatched.clone() {
            self.host(WorkerHostEvent::EventEnded {
                worker,
                event,
                outcome: outcome.clone(),
            });
        }
    }

    /// Let time pass.
    pub fn advance(&mut self, seconds: u64) {
        let end = self.now.saturating_add(Duration::from_secs(seconds));
        loop {
            let left = end.monotonic.saturating_since(self.now.monotonic);
            match self.machine.poll_deadline().after(self.now) {
                Some(wait) if wait <= left => {
                    self.now = self.now.saturating_add(wait);
                    self.machine.handle_timeout(self.now);
                    self.run();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    pub fn answer_loads(&mut self) {
        self.hold_loads = false;
        for (load, request) in std::mem::take(&mut self.held_loads) {
            self.load(load, &request);
        }
        self.run();
    }

    pub fn answer_starts(&mut self) {
        self.hold_starts = false;
        for (worker, event_types) in std::mem::take(&mut self.held_starts) {
            if self.running.contains_key(&worker) {
                self.host(WorkerHostEvent::Started {
                    worker,
                    event_types,
                });
            }
        }
    }

    /// A load that was taken from the held ones ends.
    pub fn end_load(&mut self, load: u64, result: Result<LoadedScript, DomException>) {
        self.inputs.push_back(Input::Loaded(load, result));
        self.run();
    }

    pub fn answer_commits(&mut self) {
        self.hold_commits = false;
        for (commit, batch) in std::mem::take(&mut self.held_commits) {
            self.commit(commit, batch);
        }
        self.run();
    }

    /// Answer the first held commit; later ones stay held.
    pub fn answer_one_commit(&mut self) {
        let (commit, batch) = self.held_commits.pop_front().expect("a held commit");
        self.commit(commit, batch);
        self.run();
    }

    pub fn stored(&self, tree: Tree) -> usize {
        self.store
            .scan(tree, KeyRange::all(), Direction::Forward)
            .count()
    }

    /// The client that a running worker is.
    pub fn worker_client(&self, worker: WorkerId) -> ClientId {
        self.running[&worker]
    }

    /// The states that a client was told of, worker by worker.
    pub fn states(&self, client: ClientId) -> Vec<(WorkerId, ServiceWorkerState)> {
        let events = self.events.get(&client).into_iter().flatten();
        events
            .filter_map(|event| match event {
                SwClientEvent::WorkerStateChanged { worker } => Some((worker.id, worker.state)),
                _ => None,
            })
            .collect()
    }

    /// The clients that are no workers and were told anything.
    pub fn pages(&self) -> impl Iterator<Item = ClientId> {
        let clients = self.events.keys().copied();
        clients.filter(|client| !self.worker_clients.contains(client))
    }

    /// The controllers that a client was told of.
    pub fn controllers(&self, client: ClientId) -> Vec<(Option<WorkerId>, bool)> {
        let events = self.events.get(&client).into_iter().flatten();
        events
            .filter_map(|event| match event {
                SwClientEvent::ControllerChanged { controller, fire } => {
                    Some((controller.as_ref().map(|worker| worker.id), *fire))
                }
                _ => None,
            })
            .collect()
    }

    /// Go on until nothing happens any more.
    pub fn run(&mut self) {
        loop {
            while let Some(output) = self.machine.poll_output() {
                self.carry_out(output);
            }
            let Some(input) = self.inputs.pop_front() else {
                self.check_idle_workers();
                return;
            };
            let now = self.now;
            match input {
                Input::Attach(client) => self.machine.handle_attach_client(now, client),
                Input::Update(client, update) => {
                    self.machine.handle_update_client(now, client, update);
                }
                Input::WindowRequestEnded(number, result) => {
                    self.machine
                        .handle_window_request_ended(now, number, result);
                }
                Input::Detach(client) => self.machine.handle_detach_client(now, client),
                Input::Host(event) => {
                    match &event {
                        WorkerHostEvent::Started { worker, .. } => {
                            self.started.insert(*worker);
                        }
                        WorkerHostEvent::EventEnded { event, .. } => {
                            self.open.remove(event);
                        }
                        WorkerHostEvent::Stopped { worker, .. } => {
                            self.started.remove(worker);
                        }
                        _ => {}
                    }
                    self.machine.handle_host_event(now, event);
                }
                Input::Loaded(load, result) => self.machine.handle_script_loaded(now, load, result),
                Input::Committed(commit, result) => {
                    self.machine.handle_committed(now, commit, result);
                }
                Input::Read(worker, place) => {
                    let result = read::scripts(&self.store, &place);
                    self.machine.handle_scripts_read(now, worker, result);
                }
            }
        }
    }

    /// No more workers run without an event than may.
    fn check_idle_workers(&self) {
        let busy: BTreeSet<_> = self.open.values().collect();
        let idle = self
            .running
            .keys()
            .filter(|worker| self.started.contains(worker) && !busy.contains(worker));
        assert!(
            idle.count() <= self.max_idle_workers,
            "too many idle workers"
        );
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::ToClient { client, event } => {
                let line = describe(&event);
                if !self.worker_clients.contains(&client) {
                    self.trace.push(line);
                }
                self.events.entry(client).or_default().push(event);
            }
            Output::Notify(notification) => {
                self.trace.push(match &notification {
                    SwNotification::Activated { scope, .. } => format!("notify: active {scope}"),
                    SwNotification::Unregistered { scope, .. } => format!("notify: gone {scope}"),
                    SwNotification::WindowClients { count, .. } => {
                        format!("notify: {count} windows")
                    }
                });
                self.notifications.push(notification);
            }
            Output::StartWorker(start) => self.start(*start),
            Output::DispatchEvent { worker, dispatch } => {
                self.trace
                    .push(format!("event: {}", dispatch.kind.event_type()));
                let event = dispatch.event;
                let event_type = dispatch.kind.event_type();
                self.open.insert(event, worker);
                self.dispatched.push((worker, event, dispatch.kind));
                if !self.held_events.contains(event_type) {
                    self.inputs
                        .push_back(Input::Host(WorkerHostEvent::EventEnded {
                            worker,
                            event,
                            outcome: EventOutcome::Fulfilled,
                        }));
                }
            }
            Output::TimeOutEvent { worker, event } => {
                assert_eq!(self.open.remove(&event), Some(worker));
                self.timed_out.push(event);
            }
            Output::TerminateWorker(worker) => {
                self.terminated.push(worker);
                self.started.remove(&worker);
                if let Some(client) = self.running.remove(&worker) {
                    self.inputs.push_back(Input::Detach(client));
                }
                if !self.hold_stops {
                    self.inputs.push_back(Input::Host(WorkerHostEvent::Stopped {
                        worker,
                        crash: None,
                    }));
                }
            }
            Output::LoadScript { load, request } => {
                self.loads.push(request.clone());
                if self.hold_loads {
                    self.held_loads.push((load, request));
                } else {
                    self.load(load, &request);
                }
            }
            Output::AskWindowHost { number, request } => {
                self.window_requests.push_back((number, request));
            }
            Output::ReadScripts { worker, place } => {
                self.inputs.push_back(Input::Read(worker, place));
            }
            Output::Commit { commit, batch } => {
                self.trace.push("commit".to_owned());
                // The store keeps the order in which batches are submitted.
                if self.hold_commits || !self.held_commits.is_empty() {
                    self.held_commits.push_back((commit, batch));
                } else {
                    self.commit(commit, batch);
                }
            }
            Output::EventDone { token, outcome } => {
                let former = self.outcomes.insert(token, outcome);
                assert!(former.is_none(), "an event ends once");
            }
            Output::StorageCleared { token, result } => {
                self.cleared.insert(token, result);
            }
            Output::Exited => self.exited = true,
            output => self.carry_out_fetch(output),
        }
    }

    fn carry_out_fetch(&mut self, output: Output) {
        match output {
            Output::FetchAnswered {
                client,
                request,
                answer,
            } => {
                let before = self.fetched.insert((client, request), answer);
                assert_eq!(before, None, "answered once");
            }
            Output::PreloadNavigation {
                client,
                request,
                header_value,
            } => {
                self.preloads.push((client, request, header_value));
            }
            Output::PreloadEnded { event, result, .. } => {
                assert!(
                    self.dispatched.iter().any(|(_, id, _)| *id == event),
                    "it is dispatched before"
                );
                self.preloaded.push((event, result));
            }
            Output::AbortFetch { event, .. } => self.aborted.push(event),
            other => panic!("not about a fetch: {other:?}"),
        }
    }

    fn load(&mut self, load: u64, request: &ScriptRequest) {
        let missing = || {
            Err(DomException::type_error(format!(
                "{} is not there",
                request.url
            )))
        };
        let result = self
            .server
            .get(&request.url)
            .cloned()
            .unwrap_or_else(missing);
        self.inputs.push_back(Input::Loaded(load, result));
    }

    fn commit(&mut self, commit: CommitId, batch: Batch) {
        let result = if self.fail_commits {
            Err("the disk is full".to_owned())
        } else {
            self.store.commit(batch).map_err(|error| error.to_string())
        };
        self.inputs.push_back(Input::Committed(commit, result));
    }

    fn start(&mut self, start: WorkerStart) {
        if let Some(back) = self.come_back_after_check.take() {
            self.serve(back.as_str(), "1");
        }
        let worker = start.worker;
        let client = ClientId(Uuid::from_u128(self.next().into()));
        let main = &start.scripts[&start.script_url];
        let mut body = String::from_utf8(main.body.to_vec()).unwrap();
        body.push_str(self.extra_words);
        self.running.insert(worker, client);
        self.worker_clients.insert(client);
        self.inputs.push_back(Input::Attach(ClientDescription::new(
            client,
            start.storage_key.clone(),
            start.script_url.clone(),
            ClientKind::ServiceWorker(worker),
        )));
        let words = body.clone();
        for import in words
            .split(' ')
            .filter_map(|word| word.strip_prefix("import:"))
        {
            let import = start.script_url.join(import).unwrap();
            if self.ignore_imports_of_stored.contains(&import) {
                continue;
            }
            let report = if start.scripts.contains_key(&import) {
                WorkerHostEvent::StoredScriptUsed {
                    worker,
                    url: import,
                }
            } else if let Some(Ok(loaded)) = self.server.get(&import)
                && loaded.status == 200
                && !start.unavailable_scripts.contains(&import)
            {
                WorkerHostEvent::ScriptImported {
                    worker,
                    resource: loaded.resource.clone(),
                    from_cache: loaded.from_cache,
                }
            } else {
                body.push_str(" throw");
                continue;
            };
            self.inputs.push_back(Input::Host(report));
        }
        if body.contains("throw") {
            self.running.remove(&worker);
            self.inputs.push_back(Input::Detach(client));
            self.inputs
                .push_back(Input::Host(WorkerHostEvent::StartFailed {
                    worker,
                    reason: "ReferenceError: x is not defined at worker.js:1".to_owned(),
                }));
        } else if !body.contains("hang") {
            let event_types = body.split(' ').map(str::to_owned).collect();
            if self.hold_starts {
                self.held_starts.push((worker, event_types));
                self.starts.push(start);
                return;
            }
            self.inputs.push_back(Input::Host(WorkerHostEvent::Started {
                worker,
                event_types,
            }));
        }
        self.starts.push(start);
    }
}

fn describe(event: &SwClientEvent) -> String {
    match event {
        SwClientEvent::Answer {
            result: Ok(answer), ..
        } => match answer {
            SwAnswer::Registration(_) => "answer: a registration".to_owned(),
            other => format!("answer: {other:?}"),
        },
        SwClientEvent::Answer {
            result: Err(exception),
            ..
        } => format!("answer: {exception}"),
        SwClientEvent::RegistrationChanged(info) => {
            let name = |worker: &Option<_>| if worker.is_some() { "set" } else { "null" };
            format!(
                "registration: installing {}, waiting {}, active {}",
                name(&info.installing),
                name(&info.waiting),
                name(&info.active)
            )
        }
        SwClientEvent::UpdateFound { .. } => "updatefound".to_owned(),
        SwClientEvent::WorkerStateChanged { worker } => format!("statechange: {:?}", worker.state),
        SwClientEvent::ControllerChanged { controller, fire } => format!(
            "controller: {}{}",
            if controller.is_some() { "set" } else { "null" },
            if *fire { ", controllerchange" } else { "" }
        ),
        SwClientEvent::Message { .. } => "message".to_owned(),
    }
}
