//! Registrations, workers and clients as the state machine holds them.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use base::StorageKey;
use base::ids::{ClientId, EventId, RegistrationId, RequestId, WorkerId};
use base::time::WallTime;
use sw_traits::{
    ClientDescription, ClientInfo, ClientKind, ClientType, FrameType, NavigationPreloadState,
    ScriptResourceMap, ServiceWorkerInfo, ServiceWorkerState, UpdateViaCache, VisibilityState,
    WorkerEvent, WorkerType,
};
use url::Url;

use crate::fetch::FetchKey;
use crate::jobs::JobKey;
use crate::records::WorkerRecord;

/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-registration>
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) id: RegistrationId,
    /// Where it stands among all that were ever made; survives a restart.
    pub(crate) ordinal: u64,
    pub(crate) storage_key: StorageKey,
    pub(crate) scope: Url,
    pub(crate) update_via_cache: UpdateViaCache,
    pub(crate) last_update_check: Option<WallTime>,
    pub(crate) navigation_preload: NavigationPreloadState,
    pub(crate) installing: Option<WorkerId>,
    pub(crate) waiting: Option<WorkerId>,
    pub(crate) active: Option<WorkerId>,
    /// The worker that becomes the waiting one as soon as it is durable.
    pub(crate) storing: Option<WorkerId>,
    /// Whether its record is to be written again when that has ended, however it did.
    pub(crate) refresh_when_stored: bool,
    /// The clients that use it.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-use>
    pub(crate) users: BTreeSet<ClientId>,
    /// Whether it was taken from the map, and lives on only for the clients that use it.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-registration-unregistered>
    pub(crate) unregistered: bool,
    /// Whether a commit that removes it is on its way, so that no other may bring it back.
    pub(crate) being_removed: bool,
    /// Which versions of its scripts the store may hold.
    pub(crate) stored_versions: BTreeSet<u64>,
    /// The version that the next worker gets.
    pub(crate) next_version: u64,
    /// Functional events that wait until the active worker is activated. Bounded by
    /// `max_events_per_worker`.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-registration-task-queue>
    pub(crate) functional_events: VecDeque<QueuedEvent>,
}

impl Registration {
    pub(crate) fn key(&self) -> JobKey {
        (self.storage_key.clone(), self.scope.clone())
    }

    /// <https://w3c.github.io/ServiceWorker/#get-newest-worker-algorithm>
    pub(crate) fn newest_worker(&self) -> Option<WorkerId> {
        self.installing.or(self.waiting).or(self.active)
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> {
        [self.installing, self.waiting, self.active]
            .into_iter()
            .flatten()
    }
}

/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker>
#[derive(Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the spec has the type of a worker"
)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) storage_key: StorageKey,
    pub(crate) registration: RegistrationId,
    pub(crate) version: u64,
    pub(crate) script_url: Url,
    pub(crate) worker_type: WorkerType,
    pub(crate) state: ServiceWorkerState,
    /// Nothing while they are only in the store, which is so for stored workers that do not run.
    pub(crate) scripts: Option<ScriptResourceMap>,
    pub(crate) script_count: usize,
    pub(crate) script_bytes: u64,
    /// Of a worker that is not installed, the scripts that it has run. Bounded by
    /// `max_scripts_per_worker`.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-set-of-used-scripts>
    pub(crate) used_scripts: BTreeSet<Url>,
    /// Of a worker that is not installed, the scripts of the one before it that are gone. Bounded
    /// likewise.
    pub(crate) unavailable_scripts: BTreeSet<Url>,
    /// Whether the store holds its scripts.
    pub(crate) is_stored: bool,
    /// Nothing before it was ever evaluated.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-set-of-event-types-to-handle>
    pub(crate) event_types: Option<Box<[String]>>,
    /// <https://w3c.github.io/ServiceWorker/#dfn-skip-waiting-flag>
    pub(crate) skip_waiting: bool,
    pub(crate) run: RunState,
    /// Whether its scripts are being read from the store.
    pub(crate) reading: bool,
    /// The job that waits for its evaluation.
    pub(crate) evaluating_for: Option<JobKey>,
    /// Events that wait until it runs. Bounded, with those in flight, by `max_events_per_worker`.
    pub(crate) queue: VecDeque<QueuedEvent>,
    /// Events that it handles now.
    pub(crate) in_flight: BTreeSet<EventId>,
    /// The newest event that had been dispatched when it last ended one; what was dispatched after
    /// that has seen no sign of life of it.
    pub(crate) alive_since: EventId,
    /// Its place in the order in which workers got idle, if it runs without an event.
    pub(crate) idle_since: Option<u64>,
    /// What has to end before it is activated.
    pub(crate) activation: PendingActivation,
}

/// What has to end before a worker is activated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct PendingActivation {
    /// The commit that makes it the active worker.
    pub(crate) commit: bool,
    /// Its `activate` event.
    pub(crate) event: bool,
}

/// Whether a worker runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RunState {
    Stopped,
    /// It starts as soon as its scripts are read.
    Reading,
    /// The host was told to start it.
    Starting,
    Running,
    /// The host was told to stop it.
    Stopping,
}

impl RunState {
    /// Whether the host has a thread for it.
    pub(crate) fn takes_thread(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}

impl Worker {
    /// A worker that does not run and has no scripts yet.
    pub(crate) fn new(
        id: WorkerId,
        (storage_key, registration): (StorageKey, RegistrationId),
        version: u64,
        (script_url, worker_type): (Url, WorkerType),
        state: ServiceWorkerState,
    ) -> Self {
        Self {
            id,
            storage_key,
            registration,
            version,
            script_url,
            worker_type,
            state,
            scripts: None,
            script_count: 0,
            script_bytes: 0,
            used_scripts: BTreeSet::new(),
            unavailable_scripts: BTreeSet::new(),
            is_stored: false,
            event_types: None,
            skip_waiting: false,
            run: RunState::Stopped,
            reading: false,
            evaluating_for: None,
            queue: VecDeque::new(),
            in_flight: BTreeSet::new(),
            alive_since: EventId(0),
            idle_since: None,
            activation: PendingActivation::default(),
        }
    }

    pub(crate) fn info(&self) -> ServiceWorkerInfo {
        ServiceWorkerInfo {
            id: self.id,
            script_url: self.script_url.clone(),
            worker_type: self.worker_type,
            state: self.state,
        }
    }

    pub(crate) fn record(&self, state: ServiceWorkerState) -> WorkerRecord {
        WorkerRecord {
            version: self.version,
            script_url: self.script_url.clone(),
            worker_type: self.worker_type,
            state,
            event_types: self.event_types.iter().flatten().cloned().collect(),
            scripts: (self.script_count, self.script_bytes),
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#should-skip-event-algorithm>
    pub(crate) fn should_skip_event(&self, event_type: &str) -> bool {
        // Step 1: before the first evaluation nothing is known.
        self.event_types
            .as_ref()
            .is_some_and(|types| types.iter().all(|found| found != event_type))
    }

    /// Whether it may still import scripts.
    pub(crate) fn may_import(&self) -> bool {
        matches!(
            self.state,
            ServiceWorkerState::Parsed | ServiceWorkerState::Installing
        )
    }

    pub(crate) fn event_count(&self) -> usize {
        self.queue.len() + self.in_flight.len()
    }

    /// Steps 13 to 15 of Install: what an update check has loaded and the new worker did not run is
    /// not kept.
    pub(crate) fn drop_unused_scripts(&mut self) {
        let used = std::mem::take(&mut self.used_scripts);
        self.unavailable_scripts.clear();
        let script_url = &self.script_url;
        if let Some(scripts) = &mut self.scripts {
            scripts.retain(|url, _| url == script_url || used.contains(url));
            self.script_count = scripts.len();
            self.script_bytes = bytes_of(scripts);
        }
    }

    /// Memory is given back once the store has the scripts and nothing runs them. The caller sees to
    /// it that no job needs them.
    pub(crate) fn forget_stored_scripts(&mut self) {
        if self.is_stored && self.run == RunState::Stopped {
            self.scripts = None;
        }
    }
}

pub(crate) fn bytes_of(scripts: &ScriptResourceMap) -> u64 {
    scripts
        .values()
        .map(|script| script.body.len() as u64)
        .sum()
}

/// An event that is not dispatched yet.
#[derive(Clone, Debug)]
pub(crate) struct QueuedEvent {
    pub(crate) event: WorkerEvent,
    pub(crate) purpose: EventPurpose,
    /// How long it may take, from its dispatch.
    pub(crate) limit: Duration,
}

/// Who wants to know how an event ended.
#[derive(Clone, Debug)]
pub(crate) enum EventPurpose {
    Install(JobKey),
    Activate,
    /// With the number that the caller gave it.
    Functional(u64),
    Fetch(FetchKey),
    Message,
}

impl EventPurpose {
    /// Whether it is to answer this fetch.
    pub(crate) fn is_fetch(&self, key: FetchKey) -> bool {
        matches!(self, Self::Fetch(own) if *own == key)
    }
}

/// An event that a worker handles now.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) worker: WorkerId,
    pub(crate) purpose: EventPurpose,
    /// A functional event as it is handed out again when the worker hangs in another one.
    pub(crate) again: Option<QueuedEvent>,
}

/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-client>
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) description: ClientDescription,
    /// Counts up with each client: the order of creation.
    pub(crate) order: u64,
    /// Its active service worker, and the registration that it uses.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-control>
    pub(crate) controller: Option<(WorkerId, RegistrationId)>,
    /// Requests for `ready` that are not answered yet. Bounded by `max_requests_per_origin`.
    pub(crate) ready: Vec<RequestId>,
    /// Service workers that asked for it before it was execution ready. Bounded likewise.
    pub(crate) wanted_by: Vec<(ClientId, RequestId)>,
    pub(crate) visibility: VisibilityState,
    /// Whether it has, as far as it said, the focus. A new window has it.
    pub(crate) focused: bool,
    /// When it last got the focus, counted up from focus to focus; none: never.
    pub(crate) focus_order: Option<u64>,
}

impl Client {
    pub(crate) fn new(description: ClientDescription, order: u64) -> Self {
        let mut client = Self {
            description,
            order,
            controller: None,
            ready: Vec::new(),
            wanted_by: Vec::new(),
            visibility: VisibilityState::default(),
            focused: false,
            focus_order: None,
        };
        client.focused = client.is_own_window();
        client.focus_order = client.focused.then_some(order);
        client
    }

    pub(crate) fn is_window(&self) -> bool {
        self.description.kind == ClientKind::Window
    }

    /// What a service worker sees it as; none for service workers themselves.
    pub(crate) fn client_type(&self) -> Option<ClientType> {
        match self.description.kind {
            ClientKind::Window => Some(ClientType::Window),
            ClientKind::DedicatedWorker => Some(ClientType::Worker),
            ClientKind::SharedWorker => Some(ClientType::SharedWorker),
            ClientKind::ServiceWorker(_) => None,
        }
    }

    pub(crate) fn worker(&self) -> Option<WorkerId> {
        match self.description.kind {
            ClientKind::ServiceWorker(worker) => Some(worker),
            ClientKind::Window | ClientKind::DedicatedWorker | ClientKind::SharedWorker => None,
        }
    }

    /// Whether it is a window that a person can bring to the front.
    pub(crate) fn is_own_window(&self) -> bool {
        self.is_window()
            && matches!(
                self.description.frame_type,
                FrameType::TopLevel | FrameType::Auxiliary
            )
    }

    /// The client as a service worker sees it; none for one that is a service worker.
    pub(crate) fn info(&self, focused: bool) -> Option<ClientInfo> {
        Some(ClientInfo {
            id: self.description.id,
            url: self.description.creation_url.clone(),
            client_type: self.client_type()?,
            frame_type: self.description.frame_type,
            visibility: self.visibility,
            focused,
            ancestor_origins: self.description.ancestor_origins.clone(),
        })
    }
}
