use std::fmt;
use std::io;
use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, unbounded};
use base::ids::ClientId;
use base::time::Clock;
use indexed_db::IndexedDbThread;
use net::{Net, NetConfig, NetStartError};
use net_monitor::{EvidencePolicy, NetworkMonitor, ScriptedSource};
use network_traits::{EmulationSessionId, NetworkSource};
use storage::{Location, OpenError, Store, StoreConfig};
use sw_registration::{SwPolicy, SwRegistrationConfig, SwRegistrationThread};
use sw_traits::{SwRegistrationHandle, WorkerHost};
use sync_manager::{Inbox, SyncManagerConfig, SyncPolicy};
use sync_traits::{LogEntry, PermissionPolicy};

use crate::loader::NetScriptLoader;
use crate::{Engine, Handles, wait_for};

/// Why an engine did not start. What had started is stopped again, and the profile is as it was.
#[derive(Debug)]
pub enum StartError {
    /// The profile cannot be opened.
    Profile(OpenError),
    /// The HTTP component cannot start.
    Net(NetStartError),
    /// What the profile holds of service workers cannot be read.
    ServiceWorkers(sw_registration::StartError),
    /// What the profile holds of syncs cannot be read.
    Sync(sync_manager::StartError),
    /// The system has no thread for a component.
    Thread(io::Error),
    /// A component ended while the engine started; its log says why.
    Ended,
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(error) => error.fmt(formatter),
            Self::Net(error) => error.fmt(formatter),
            Self::ServiceWorkers(error) => error.fmt(formatter),
            Self::Sync(error) => error.fmt(formatter),
            Self::Thread(error) => write!(formatter, "no thread for a component: {error}"),
            Self::Ended => formatter.write_str("a component ended while the engine started"),
        }
    }
}

impl std::error::Error for StartError {}

/// Every origin may use Background Sync, as the spec recommends.
///
/// <https://wicg.github.io/background-sync/spec/#permission>
struct AllowAll;

impl PermissionPolicy for AllowAll {
    fn may_sync(&self, _storage_key: &StorageKey) -> bool {
        true
    }
}

/// Takes what belongs to the embedder, and starts an engine.
pub struct Builder {
    clock: Arc<dyn Clock>,
    location: Location,
    network_source: Box<dyn NetworkSource>,
    offline: Option<EmulationSessionId>,
    permission: Box<dyn PermissionPolicy>,
    sync_policy: SyncPolicy,
    seed: u64,
    service_worker_policy: SwPolicy,
    net: NetConfig,
    log_observer: Callback<LogEntry>,
}

impl Builder {
    /// An engine in memory, on a machine whose network is never known: only loopback origins can
    /// be reached. Every origin may use Background Sync.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            location: Location::Memory,
            network_source: Box::new(ScriptedSource::new().0),
            offline: None,
            permission: Box::new(AllowAll),
            sync_policy: SyncPolicy::default(),
            seed: ClientId::random().0.as_u64_pair().0,
            service_worker_policy: SwPolicy::default(),
            net: NetConfig::default(),
            log_observer: Callback::ignore(),
        }
    }

    /// Where the profile is.
    #[must_use]
    pub fn profile(mut self, location: Location) -> Self {
        self.location = location;
        self
    }

    /// Who tells what the network is like.
    #[must_use]
    pub fn network_source(mut self, source: Box<dyn NetworkSource>) -> Self {
        self.network_source = source;
        self
    }

    /// Emulate offline from the start, before anything can fire, until this session ends it.
    #[must_use]
    pub fn emulate_offline(mut self, session: EmulationSessionId) -> Self {
        self.offline = Some(session);
        self
    }

    /// Who decides which origin may use Background Sync.
    #[must_use]
    pub fn permission_policy(mut self, permission: Box<dyn PermissionPolicy>) -> Self {
        self.permission = permission;
        self
    }

    /// The choices that the Background Sync spec leaves open.
    #[must_use]
    pub fn sync_policy(mut self, policy: SyncPolicy) -> Self {
        self.sync_policy = policy;
        self
    }

    /// The seed for the jitter of retries; a random one by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The choices that the Service Workers spec leaves open.
    #[must_use]
    pub fn service_worker_policy(mut self, policy: SwPolicy) -> Self {
        self.service_worker_policy = policy;
        self
    }

    /// How HTTP fetches are made.
    #[must_use]
    pub fn net_config(mut self, net: NetConfig) -> Self {
        self.net = net;
        self
    }

    /// Who gets each new entry of the sync manager's event log, from the first one on.
    #[must_use]
    pub fn observe_log(mut self, observer: Callback<LogEntry>) -> Self {
        self.log_observer = observer;
        self
    }

    /// Start the engine. `worker_host` makes the host that runs service workers; it gets the
    /// handles that their scripts need.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(
        self,
        worker_host: impl FnOnce(&Handles) -> Box<dyn WorkerHost>,
    ) -> Result<Engine, StartError> {
        let (store, open_report) =
            Store::open(StoreConfig::at(self.location.clone())).map_err(StartError::Profile)?;
        let monitor = NetworkMonitor::start(
            self.network_source,
            Arc::clone(&self.clock),
            EvidencePolicy::default(),
        )
        .map_err(StartError::Thread)?;
        if let Some(session) = self.offline {
            wait_for(|done| monitor.handle().emulate_offline(session, true, done))
                .ok_or(StartError::Ended)?;
        }
        let net = Net::start(self.net, monitor.handle()).map_err(StartError::Net)?;
        let indexed_db = IndexedDbThread::start(store.clone()).map_err(StartError::Thread)?;

        // The two components speak with each other and with the worker host, so their channels are
        // there before they are.
        let service_worker_channel = unbounded();
        let sync_inbox = Inbox::default();
        let handles = Handles {
            service_workers: SwRegistrationHandle::new(service_worker_channel.0.clone()),
            sync: sync_inbox.handle(),
            net: net.handle(),
            indexed_db: indexed_db.handle().clone(),
            network: monitor.handle(),
            clock: Arc::clone(&self.clock),
        };
        let notify = {
            let sync = handles.sync.clone();
            Callback::new(move |notification| sync.notify_service_worker(notification))
        };
        let sync = sync_manager::start_with(
            sync_inbox,
            SyncManagerConfig {
                policy: self.sync_policy,
                seed: self.seed,
                store: store.clone(),
                clock: Arc::clone(&self.clock),
                permission: self.permission,
                dispatch: handles.service_workers.clone(),
                network: monitor.handle(),
                log_observer: self.log_observer,
            },
        )
        .map_err(StartError::Sync)?;
        let service_workers = SwRegistrationThread::start(
            SwRegistrationConfig {
                policy: self.service_worker_policy,
                store: store.clone(),
                host: worker_host(&handles),
                loader: Box::new(NetScriptLoader::new(net.handle())),
                clock: self.clock,
                notify,
            },
            service_worker_channel,
        )
        .map_err(StartError::ServiceWorkers)?;
        Ok(Engine {
            handles,
            location: self.location,
            open_report,
            source_error: monitor.source_error().map(ToString::to_string),
            sync,
            service_workers,
            indexed_db,
            net,
            monitor,
            store,
        })
    }
}
