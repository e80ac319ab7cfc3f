//! What every part of the world can see and use: time, chance, the queues between the parts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::StorageKey;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, EventId, RequestId, WorkerId};
use network_traits::{
    FetchOutcome, LinkSnapshot, NetworkState, ProbeId, ProbeOutcome, ProbeTarget,
};
use storage::Batch;
use sw_traits::{
    ClientDescription, EventOutcome, LoadedScript, RegistrationSnapshot, SwNotification, SwRequest,
    WorkerEvent, WorkerHostEvent,
};
use sync_manager::Requester;
use sync_traits::{Engagement, SyncKind, SyncRequest};
use url::Url;

use crate::clock::{Agenda, SimulatedClock};
use crate::delivery::{Deliveries, WorldEvent};
use crate::model::Model;
use crate::nodes::host::WorkerStep;
use crate::nodes::internet::Internet;
use crate::random::Random;
use crate::settings::Settings;
use crate::sites::{Sites, client_id};
use crate::trace::Trace;

/// What the sync manager's thread is told. The variants are those of
/// [`SyncManagerMessage`](sync_traits::SyncManagerMessage) that a run needs.
#[derive(Debug)]
pub(crate) enum SyncMessage {
    Request {
        requester: Requester,
        storage_key: StorageKey,
        scope: Url,
        body: SyncRequest,
    },
    ServiceWorker(SwNotification),
    StoredServiceWorkers(Vec<RegistrationSnapshot>),
    Network,
    EventEnded(EventId, EventOutcome),
    Committed(CommitId, Result<(), String>),
    PermissionChanged(StorageKey),
    EngagementChanged(StorageKey),
    TimeChanged,
    Exit,
}

/// What the thread of the service worker registrations is told.
#[derive(Debug)]
pub(crate) enum SwMessage {
    Attach(ClientDescription),
    Detach(ClientId),
    Request {
        client: ClientId,
        request: RequestId,
        body: SwRequest,
    },
    DispatchEvent {
        storage_key: StorageKey,
        scope: Url,
        event: WorkerEvent,
        time_limit: Duration,
        /// The sync manager's number for it.
        sync_event: EventId,
    },
    Host(WorkerHostEvent),
    ScriptLoaded(u64, Result<LoadedScript, DomException>),
    Committed(CommitId, Result<(), String>),
    ClearStorage(StorageKey),
    Snapshot,
    Exit,
}

/// What the network monitor's thread is told.
#[derive(Debug)]
pub(crate) enum NetworkMessage {
    /// The sync manager subscribes.
    Subscribe,
    Link(LinkSnapshot),
    EmulateOffline(bool),
    Fetch(StorageKey, FetchOutcome),
    AwaitOrigin(StorageKey, bool),
    ProbeEnded(ProbeId, ProbeOutcome),
}

/// Whom the store answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Committer {
    Sync,
    ServiceWorkers,
}

/// A batch on its way to the store.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) committer: Committer,
    pub(crate) commit: CommitId,
    pub(crate) batch: Batch,
}

/// What happens in the engine's process at some time, unless the process ends first.
#[derive(Debug)]
pub(crate) enum Inside {
    /// The store writes what waits.
    Flush,
    Worker(WorkerId, WorkerStep),
    ScriptLoaded(u64, Url),
    ProbeEnded(ProbeId, ProbeTarget),
}

/// What happens whether the machine is awake or not.
#[derive(Debug)]
pub(crate) enum Outside {
    /// The user, or the world, does something.
    Action,
    World(WorldEvent),
}

/// What every part of the world can see and use.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) random: Random,
    pub(crate) clock: SimulatedClock,
    pub(crate) trace: Trace,
    pub(crate) settings: Settings,
    pub(crate) sites: Sites,
    pub(crate) inside: Agenda<Inside>,
    pub(crate) outside: Agenda<Outside>,
    pub(crate) to_sync: VecDeque<SyncMessage>,
    pub(crate) to_service_workers: VecDeque<SwMessage>,
    pub(crate) to_network: VecDeque<NetworkMessage>,
    pub(crate) to_store: VecDeque<Submission>,
    /// What the network monitor's handle says.
    pub(crate) network: NetworkState,
    /// The origins that may not sync.
    pub(crate) denied: BTreeSet<StorageKey>,
    /// The origins that may not sync periodically.
    pub(crate) denied_periodic: BTreeSet<StorageKey>,
    /// How much the user engages with origins; much with those that are not there.
    pub(crate) engagement: BTreeMap<StorageKey, Engagement>,
    pub(crate) internet: Internet,
    pub(crate) model: Model,
    /// Everything works from now on.
    pub(crate) calm: bool,
    /// Probes that were told to end.
    pub(crate) cancelled_probes: BTreeSet<ProbeId>,
    pub(crate) deliveries: Deliveries,
    last_number: u64,
}

impl Context {
    pub(crate) fn new(mut random: Random, settings: Settings, sites: Sites, trace: Trace) -> Self {
        let model = Model::new(settings.sync_policy.clone(), &sites);
        let internet = Internet::new(&sites, random.fork());
        Self {
            random,
            clock: SimulatedClock::default(),
            trace,
            settings,
            sites,
            inside: Agenda::default(),
            outside: Agenda::default(),
            to_sync: VecDeque::new(),
            to_service_workers: VecDeque::new(),
            to_network: VecDeque::new(),
            to_store: VecDeque::new(),
            network: NetworkState::default(),
            denied: BTreeSet::new(),
            denied_periodic: BTreeSet::new(),
            engagement: BTreeMap::new(),
            internet,
            model,
            calm: false,
            cancelled_probes: BTreeSet::new(),
            deliveries: Deliveries::default(),
            last_number: 0,
        }
    }

    /// A number that nothing else in this run has.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn next_client(&mut self) -> ClientId {
        client_id(self.next_number())
    }

    /// Something happens in the engine's process after this time.
    pub(crate) fn later(&mut self, delay: Duration, what: Inside) {
        let at = self.clock.awake() + delay;
        self.inside.add(at, what);
    }

    /// The permission that an origin lacks for this kind, if any.
    pub(crate) fn denied(&self, kind: SyncKind, storage_key: &StorageKey) -> Option<SyncKind> {
        if self.denied.contains(storage_key) {
            return Some(SyncKind::OneShot);
        }
        (kind == SyncKind::Periodic && self.denied_periodic.contains(storage_key)).then_some(kind)
    }

    /// How much the user engages with an origin.
    pub(crate) fn engagement(&self, storage_key: &StorageKey) -> Engagement {
        self.engagement
            .get(storage_key)
            .copied()
            .unwrap_or_default()
    }

    /// The machine's links become this.
    pub(crate) fn change_link(&mut self, link: LinkSnapshot) {
        if self.internet.set_link(link) {
            self.to_network.push_back(NetworkMessage::Link(link));
        }
    }

    /// A client asks the sync manager for something.
    pub(crate) fn request_sync(&mut self, client: ClientId, scope: usize, body: SyncRequest) {
        let request = RequestId(self.next_number());
        let scope_url = self.sites.scopes[scope].url.clone();
        let storage_key = self.sites.scopes[scope].storage_key.clone();
        self.note(|| format!("{request}: {body:?} at {scope_url}"));
        let now = self.clock.now();
        self.model.requested(now, request, scope, &body);
        self.to_sync.push_back(SyncMessage::Request {
            requester: Requester {
                client,
                request,
                registration: None,
            },
            storage_key,
            scope: scope_url,
            body,
        });
    }

    /// A client asks the service worker registrations for something.
    pub(crate) fn request_service_workers(&mut self, client: ClientId, body: SwRequest) {
        let request = RequestId(self.next_number());
        self.note(|| format!("{request}: {body:?}"));
        self.to_service_workers.push_back(SwMessage::Request {
            client,
            request,
            body,
        });
    }

    /// Note what happens, if anybody wants to know.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.trace.is_enabled() {
            let elapsed = self.clock.elapsed().as_secs_f64();
            self.trace.push(format!("{elapsed:>14.3} {}", line()));
        }
    }
}
