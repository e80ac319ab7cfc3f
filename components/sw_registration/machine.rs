use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use base::StorageKey;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, EventId, RegistrationId, RequestId, WorkerId};
use base::time::{Deadline, Timestamp};
use storage::{Batch, EncodingError};
use sw_traits::{
    ClientDescription, ClientUpdate, EventOutcome, FetchRequest, FetchResponse, LoadedScript,
    RegistrationInfo, RegistrationSnapshot, ScriptResourceMap, SwAnswer, SwClientEvent,
    SwNotification, SwRequest, WindowResult, WorkerEvent, WorkerHostEvent,
};
use url::Url;

use crate::fetch::{FetchKey, PendingFetch};
use crate::jobs::{Job, JobKey};
use crate::model::{Client, InFlight, Registration, RunState, Worker};
use crate::output::Output;
use crate::policy::SwPolicy;
use crate::records::StoredRegistration;
use crate::scope_map::ScopeMap;
use crate::timers::{Timer, Timers};
use crate::window_requests::PendingWindowRequest;

/// The service worker registrations as a state machine. See the [crate's front page](crate) for how
/// to call it.
#[derive(Debug)]
pub struct SwRegistrations {
    pub(crate) policy: SwPolicy,
    /// When the input came that is being handled.
    pub(crate) now: Timestamp,
    /// Also those that were unregistered and are still in use.
    pub(crate) registrations: BTreeMap<RegistrationId, Registration>,
    pub(crate) scopes: ScopeMap,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) clients: BTreeMap<ClientId, Client>,
    /// The clients of an origin in order of creation.
    pub(crate) clients_of: HashMap<StorageKey, BTreeMap<u64, ClientId>>,
    /// How many top-level and auxiliary windows an origin has; not there when it has none.
    pub(crate) own_window_counts: HashMap<StorageKey, usize>,
    /// Top-level and auxiliary windows in the order in which they last got the focus.
    pub(crate) own_windows: BTreeSet<(u64, ClientId)>,
    /// The job queues of each origin, by scope; none is empty. Bounded by
    /// `max_requests_per_origin`.
    pub(crate) jobs: HashMap<StorageKey, BTreeMap<Url, VecDeque<Job>>>,
    /// How many requests of an origin wait for an answer.
    pub(crate) unanswered: HashMap<StorageKey, usize>,
    /// One for each running job, or one for each script that its worker imported.
    pub(crate) loads: BTreeMap<u64, JobKey>,
    /// What service workers asked the host of the windows for. Bounded by `max_requests_per_origin`.
    pub(crate) window_requests: BTreeMap<u64, PendingWindowRequest>,
    /// At most a few per registration: a commit of a job, one of an activation, and one per update
    /// check.
    pub(crate) commits: BTreeMap<CommitId, CommitPurpose>,
    pub(crate) events: BTreeMap<EventId, InFlight>,
    /// What clients fetch, until it is answered. Bounded as events are.
    pub(crate) fetches: BTreeMap<FetchKey, PendingFetch>,
    /// Origins that are being cleared, and how often; their jobs wait.
    pub(crate) held: BTreeMap<StorageKey, usize>,
    pub(crate) timers: Timers,
    /// The workers that run and have no event, the one that has had none for longest first. At most
    /// `max_idle_workers` after each input.
    pub(crate) idle: BTreeMap<u64, WorkerId>,
    /// How many workers of an origin run, or are being started or stopped; not there when none does.
    pub(crate) running: HashMap<StorageKey, usize>,
    /// How many bytes of scripts the workers of an origin hold together; not there when none does.
    pub(crate) script_bytes: HashMap<StorageKey, u64>,
    /// What is left to do for the input that is being handled.
    pub(crate) tasks: VecDeque<Task>,
    /// Emptied by the caller after each input.
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) next_ordinal: u64,
    pub(crate) last_id: u64,
    pub(crate) exiting: bool,
    pub(crate) exited: bool,
}

/// A step that is taken when the current one is done, so that no algorithm runs inside another.
#[derive(Debug)]
pub(crate) enum Task {
    RunJob(JobKey),
    TryActivate(RegistrationId),
    TryClear(RegistrationId),
    CommitEnded(CommitPurpose, Result<(), String>),
}

/// What waits for a commit.
#[derive(Debug)]
pub(crate) enum CommitPurpose {
    /// The worker becomes the waiting worker.
    Install { job: JobKey, worker: WorkerId },
    /// The worker becomes activated; these versions of the scripts are gone then.
    Activate {
        registration: RegistrationId,
        worker: WorkerId,
        dropped: Vec<u64>,
    },
    /// Nothing waits for it.
    Refresh {
        registration: RegistrationId,
        dropped: Vec<u64>,
    },
    /// The registration is unregistered.
    Unregister {
        job: JobKey,
        registration: RegistrationId,
    },
    /// The origin is cleared.
    Clear {
        storage_key: StorageKey,
        token: u64,
        registrations: Vec<RegistrationId>,
    },
}

impl SwRegistrations {
    /// The registrations that were found in the store. There may be outputs at once.
    pub fn new(policy: SwPolicy, now: Timestamp, mut stored: Vec<StoredRegistration>) -> Self {
        let mut machine = Self {
            policy,
            now,
            registrations: BTreeMap::new(),
            scopes: ScopeMap::default(),
            workers: BTreeMap::new(),
            clients: BTreeMap::new(),
            clients_of: HashMap::new(),
            own_window_counts: HashMap::new(),
            own_windows: BTreeSet::new(),
            jobs: HashMap::new(),
            unanswered: HashMap::new(),
            loads: BTreeMap::new(),
            window_requests: BTreeMap::new(),
            commits: BTreeMap::new(),
            events: BTreeMap::new(),
            fetches: BTreeMap::new(),
            held: BTreeMap::new(),
            timers: Timers::default(),
            idle: BTreeMap::new(),
            running: HashMap::new(),
            script_bytes: HashMap::new(),
            tasks: VecDeque::new(),
            outputs: VecDeque::new(),
            next_ordinal: 0,
            last_id: 0,
            exiting: false,
            exited: false,
        };
        stored.sort_by_key(|stored| stored.record.ordinal);
        for stored in stored {
            machine.restore(stored);
        }
        machine.settle();
        machine
    }

    /// A client exists from now on. It gets its controller at once. Whoever calls this vouches for
    /// the description.
    pub fn handle_attach_client(&mut self, now: Timestamp, client: ClientDescription) {
        self.enter(now);
        self.attach_client(client);
        self.settle();
    }

    /// Something about a client has changed.
    pub fn handle_update_client(&mut self, now: Timestamp, client: ClientId, update: ClientUpdate) {
        self.enter(now);
        if !self.exiting {
            self.update_client(client, update);
        }
        self.settle();
    }

    /// A client is gone.
    pub fn handle_detach_client(&mut self, now: Timestamp, client: ClientId) {
        self.enter(now);
        self.detach_client(client);
        self.settle();
    }

    /// A client asks for something. Answered by a [`SwClientEvent::Answer`] where the request says
    /// so.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        client: ClientId,
        request: RequestId,
        body: SwRequest,
    ) {
        self.enter(now);
        if !self.exiting {
            self.client_request(client, request, body);
        }
        self.settle();
    }

    /// A functional event is to be dispatched. Answered by exactly one [`Output::EventDone`] with
    /// `token`, a number of the caller's choice.
    pub fn handle_dispatch_event(
        &mut self,
        now: Timestamp,
        storage_key: &StorageKey,
        scope: &Url,
        event: WorkerEvent,
        time_limit: Duration,
        token: u64,
    ) {
        self.enter(now);
        self.fire_functional_event(storage_key, scope, event, time_limit, token);
        self.settle();
    }

    /// A client fetches something. Answered by exactly one [`Output::FetchAnswered`], unless the
    /// client goes away or cancels it before; there may be an [`Output::PreloadNavigation`] before
    /// that.
    pub fn handle_fetch(
        &mut self,
        now: Timestamp,
        client: ClientId,
        request: RequestId,
        body: FetchRequest,
    ) {
        self.enter(now);
        let key = (client, request);
        if self.fetches.contains_key(&key) {
            log::error!("client {client} uses the name of a fetch twice");
        } else {
            self.fetch(key, body);
        }
        self.settle();
    }

    /// What an [`Output::PreloadNavigation`] asked for has come, or could not be had.
    pub fn handle_preload_ended(
        &mut self,
        now: Timestamp,
        client: ClientId,
        request: RequestId,
        result: Result<FetchResponse, String>,
    ) {
        self.enter(now);
        if !self.exiting {
            self.preload_ended((client, request), result);
        }
        self.settle();
    }

    /// A client does not want what it fetches any more: there will be no answer.
    pub fn handle_cancel_fetch(&mut self, now: Timestamp, client: ClientId, request: RequestId) {
        self.enter(now);
        self.cancel_fetch((client, request));
        self.settle();
    }

    /// The host of the workers reports something.
    pub fn handle_host_event(&mut self, now: Timestamp, event: WorkerHostEvent) {
        self.enter(now);
        if !self.exiting {
            self.host_event(event);
        }
        self.settle();
    }

    /// A load that [`Output::LoadScript`] asked for has ended.
    pub fn handle_script_loaded(
        &mut self,
        now: Timestamp,
        load: u64,
        result: Result<LoadedScript, DomException>,
    ) {
        self.enter(now);
        if !self.exiting {
            self.script_loaded(load, result);
        }
        self.settle();
    }

    /// The scripts that [`Output::ReadScripts`] asked for were read, or could not be.
    pub fn handle_scripts_read(
        &mut self,
        now: Timestamp,
        worker: WorkerId,
        result: Result<ScriptResourceMap, String>,
    ) {
        self.enter(now);
        if !self.exiting {
            self.scripts_read(worker, result);
        }
        self.settle();
    }

    /// What [`Output::AskWindowHost`] asked for is done, or could not be.
    pub fn handle_window_request_ended(
        &mut self,
        now: Timestamp,
        number: u64,
        result: WindowResult,
    ) {
        self.enter(now);
        if !self.exiting {
            self.window_request_ended(number, result);
        }
        self.settle();
    }

    /// A batch that [`Output::Commit`] handed over is on disk, or is not.
    pub fn handle_committed(
        &mut self,
        now: Timestamp,
        commit: CommitId,
        result: Result<(), String>,
    ) {
        self.enter(now);
        if let Some(purpose) = self.commits.remove(&commit) {
            self.tasks.push_back(Task::CommitEnded(purpose, result));
        }
        self.settle();
    }

    /// All registrations of an origin are to be removed, with their scripts and syncs. Answered by
    /// an [`Output::StorageCleared`] with `token`.
    pub fn handle_clear_storage(&mut self, now: Timestamp, storage_key: StorageKey, token: u64) {
        self.enter(now);
        self.clear_storage(storage_key, token);
        self.settle();
    }

    /// The active worker of a registration is to be stopped, as if it had been idle for long enough.
    /// Tells whether it ran, or was about to.
    pub fn handle_stop_worker(
        &mut self,
        now: Timestamp,
        storage_key: &StorageKey,
        scope: &Url,
    ) -> bool {
        self.enter(now);
        let active = self
            .registration_at(storage_key, scope)
            .and_then(|registration| self.workers.get(&registration.active?))
            .filter(|active| active.run != RunState::Stopped)
            .map(|active| active.id);
        if let Some(active) = active {
            self.stop_active_worker(active);
        }
        self.settle();
        active.is_some()
    }

    /// Time has passed; to be called at [`poll_deadline`](Self::poll_deadline), harmless otherwise.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.enter(now);
        while let Some(timer) = self.timers.pop_due(now.monotonic) {
            match timer {
                Timer::Start(worker) => self.start_limit_over(worker),
                Timer::Event(event) => self.event_limit_over(event),
                Timer::Idle(worker) => self.idle_limit_over(worker),
                Timer::Update(registration) => self.soft_update(registration),
            }
        }
        self.settle();
    }

    /// The engine shuts down. Events that have not ended are answered as crashed;
    /// [`Output::Exited`] comes when every commit has ended. The caller stops the workers.
    pub fn handle_exit(&mut self, now: Timestamp) {
        self.enter(now);
        self.exiting = true;
        self.abandon_functional_events();
        self.settle();
    }

    /// What to do now; to be called after each input until it answers `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing else happens. Without a
    /// worker that runs, and without a page that was just opened, never.
    pub fn poll_deadline(&self) -> Deadline {
        let monotonic = if self.exiting {
            None
        } else {
            self.timers.next_due()
        };
        Deadline {
            wall: None,
            monotonic,
        }
    }

    /// Every registration, as an operator sees it.
    pub fn snapshot(&self) -> Vec<RegistrationSnapshot> {
        self.registrations
            .values()
            .filter(|registration| !registration.unregistered)
            .map(|registration| {
                let workers = || {
                    registration
                        .workers()
                        .filter_map(|id| self.workers.get(&id))
                };
                RegistrationSnapshot {
                    storage_key: registration.storage_key.clone(),
                    registration: self.registration_info(registration),
                    last_update_check: registration.last_update_check,
                    scripts: (
                        workers().map(|worker| worker.script_count).sum(),
                        workers().map(|worker| worker.script_bytes).sum(),
                    ),
                }
            })
            .collect()
    }

    fn enter(&mut self, now: Timestamp) {
        debug_assert!(
            self.outputs.is_empty(),
            "outputs are taken before the next input"
        );
        self.now = now;
    }

    fn settle(&mut self) {
        while let Some(task) = self.tasks.pop_front() {
            match task {
                Task::CommitEnded(purpose, result) => self.commit_ended(purpose, result),
                _ if self.exiting => {}
                Task::RunJob(job) => self.run_job(&job),
                Task::TryActivate(registration) => self.try_activate(registration),
                Task::TryClear(registration) => self.try_clear_registration(registration),
            }
        }
        self.stop_idle_workers();
        if self.exiting && !self.exited && self.commits.is_empty() {
            self.exited = true;
            self.outputs.push_back(Output::Exited);
        }
    }

    fn commit_ended(&mut self, purpose: CommitPurpose, result: Result<(), String>) {
        match purpose {
            CommitPurpose::Install { job, worker } => self.install_stored(&job, worker, result),
            CommitPurpose::Activate {
                registration,
                worker,
                dropped,
            } => {
                self.record_stored(registration, &dropped, result);
                self.activation_stored(worker);
            }
            CommitPurpose::Refresh {
                registration,
                dropped,
            } => {
                self.record_stored(registration, &dropped, result);
            }
            CommitPurpose::Unregister { job, registration } => {
                self.unregister_stored(&job, registration, result);
            }
            CommitPurpose::Clear {
                storage_key,
                token,
                registrations,
            } => {
                self.clear_storage_stored(&storage_key, token, &registrations, result);
            }
        }
    }

    /// A number that no id of this machine has had.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn commit(&mut self, batch: Result<Batch, EncodingError>, purpose: CommitPurpose) {
        match batch {
            Ok(batch) => {
                let commit = CommitId(self.next_id());
                self.commits.insert(commit, purpose);
                self.outputs.push_back(Output::Commit { commit, batch });
            }
            Err(error) => self
                .tasks
                .push_back(Task::CommitEnded(purpose, Err(error.to_string()))),
        }
    }

    pub(crate) fn notify(&mut self, notification: SwNotification) {
        self.outputs.push_back(Output::Notify(notification));
    }

    pub(crate) fn event_done(&mut self, token: u64, outcome: EventOutcome) {
        self.outputs.push_back(Output::EventDone { token, outcome });
    }

    pub(crate) fn tell_client(&mut self, client: ClientId, event: SwClientEvent) {
        if self.clients.contains_key(&client) {
            self.outputs.push_back(Output::ToClient { client, event });
        }
    }

    pub(crate) fn answer(
        &mut self,
        client: ClientId,
        request: RequestId,
        result: Result<SwAnswer, DomException>,
    ) {
        self.tell_client(client, SwClientEvent::Answer { request, result });
    }

    /// Tell every client of an origin.
    pub(crate) fn broadcast(&mut self, storage_key: &StorageKey, event: &SwClientEvent) {
        for &client in self
            .clients_of
            .get(storage_key)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            self.outputs.push_back(Output::ToClient {
                client,
                event: event.clone(),
            });
        }
    }

    /// The registration that the map has for a scope.
    pub(crate) fn registration_at(
        &self,
        storage_key: &StorageKey,
        scope: &Url,
    ) -> Option<&Registration> {
        self.registrations
            .get(&self.scopes.registration(storage_key, scope)?)
    }

    pub(crate) fn registration_info(&self, registration: &Registration) -> RegistrationInfo {
        let info = |worker: Option<WorkerId>| {
            worker
                .and_then(|worker| self.workers.get(&worker))
                .map(Worker::info)
        };
        RegistrationInfo {
            id: registration.id,
            ordinal: registration.ordinal,
            scope: registration.scope.clone(),
            update_via_cache: registration.update_via_cache,
            installing: info(registration.installing),
            waiting: info(registration.waiting),
            active: info(registration.active),
        }
    }

    /// The answer that represents a registration.
    pub(crate) fn registration_answer(&self, registration: Option<RegistrationId>) -> SwAnswer {
        let registration = registration.and_then(|id| self.registrations.get(&id));
        SwAnswer::Registration(registration.map(|found| Box::new(self.registration_info(found))))
    }

    /// <https://w3c.github.io/ServiceWorker/#set-registration-algorithm>
    pub(crate) fn new_registration(
        &mut self,
        storage_key: StorageKey,
        scope: Url,
        ordinal: u64,
    ) -> &mut Registration {
        let id = RegistrationId(self.next_id());
        self.next_ordinal = self.next_ordinal.max(ordinal.saturating_add(1));
        self.scopes.insert(&storage_key, &scope, id);
        self.registrations.entry(id).or_insert(Registration {
            id,
            ordinal,
            storage_key,
            scope,
            update_via_cache: sw_traits::UpdateViaCache::default(),
            last_update_check: None,
            navigation_preload: sw_traits::NavigationPreloadState::default(),
            installing: None,
            waiting: None,
            active: None,
            storing: None,
            refresh_when_stored: false,
            users: BTreeSet::new(),
            unregistered: false,
            being_removed: false,
            stored_versions: BTreeSet::new(),
            next_version: 1,
            functional_events: VecDeque::new(),
        })
    }
}
