use std::fmt;
use std::io;
use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, unbounded};
use base::ids::ClientId;
use base::time::Clock;
use cache_storage::{CacheStorageHandle, CacheStorageThread};
use indexed_db::IndexedDbThread;
use net::{Net, NetConfig, NetServices, NetStartError};
use net_monitor::{MonitorPolicy, NetworkMonitor, ScriptedSource, TcpProber};
use network_traits::{EmulationSessionId, HostMap, NetworkSource};
use storage::{Location, OpenError, ReadError, Store, StoreConfig};
use sw_registration::{SwPolicy, SwRegistrationConfig, SwRegistrationThread};
use sw_traits::{SwRegistrationHandle, WindowHost, WorkerHost};
use sync_manager::{Inbox, SyncManagerConfig, SyncPolicy};
use sync_traits::{Engagement, EngagementPolicy, LogEntry, PermissionPolicy, WakeUp};

use crate::identity_key::identity_key;
use crate::loader::NetScriptLoader;
use crate::permissions::{PermissionDefaults, Permissions};
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
    /// What the profile holds otherwise cannot be read.
    Unreadable(ReadError),
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
            Self::Unreadable(error) => error.fmt(formatter),
            Self::Sync(error) => error.fmt(formatter),
            Self::Thread(error) => write!(formatter, "no thread for a component: {error}"),
            Self::Ended => formatter.write_str("a component ended while the engine started"),
        }
    }
}

impl std::error::Error for StartError {}

/// Who decides about permissions.
enum PermissionSource {
    Stored(PermissionDefaults),
    Policy(Box<dyn PermissionPolicy>),
}

/// Nobody knows how much the user engages with a site: the floors as they are.
struct AlwaysHigh;

impl EngagementPolicy for AlwaysHigh {
    fn engagement(&self, _: &StorageKey) -> Engagement {
        Engagement::High
    }
}

/// Takes what belongs to the embedder, and starts an engine.
pub struct Builder {
    clock: Arc<dyn Clock>,
    location: Location,
    network_source: Box<dyn NetworkSource>,
    monitor_policy: MonitorPolicy,
    offline: Option<EmulationSessionId>,
    permission: PermissionSource,
    engagement: Box<dyn EngagementPolicy>,
    wake_up: Option<Box<dyn WakeUp>>,
    sync_policy: SyncPolicy,
    seed: u64,
    service_worker_policy: SwPolicy,
    window_host: Option<Box<dyn WindowHost>>,
    net: NetConfig,
    hosts: HostMap,
    log_observer: Callback<LogEntry>,
}

impl Builder {
    /// An engine in memory, on a machine whose network is never known: only loopback origins can
    /// be reached. Every origin may use Background Sync, and none Periodic Background Sync.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            location: Location::Memory,
            network_source: Box::new(ScriptedSource::new().0),
            monitor_policy: MonitorPolicy::default(),
            offline: None,
            permission: PermissionSource::Stored(PermissionDefaults::default()),
            engagement: Box::new(AlwaysHigh),
            wake_up: None,
            sync_policy: SyncPolicy::default(),
            seed: ClientId::random().0.as_u64_pair().0,
            service_worker_policy: SwPolicy::default(),
            window_host: None,
            net: NetConfig::default(),
            hosts: HostMap::default(),
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

    /// How servers are probed for which something waits, and how a captive portal is found out. When
    /// the policy has no key for network identities, the one that the profile keeps is used.
    #[must_use]
    pub fn monitor_policy(mut self, policy: MonitorPolicy) -> Self {
        self.monitor_policy = policy;
        self
    }

    /// Emulate offline from the start, before anything can fire, until this session ends it.
    #[must_use]
    pub fn emulate_offline(mut self, session: EmulationSessionId) -> Self {
        self.offline = Some(session);
        self
    }

    /// Who decides which origin may use Background Sync, in place of the permissions that the
    /// profile keeps. When it changes its mind, call
    /// [`Permissions::policy_changed`](crate::Permissions::policy_changed).
    #[must_use]
    pub fn permission_policy(mut self, permission: Box<dyn PermissionPolicy>) -> Self {
        self.permission = PermissionSource::Policy(permission);
        self
    }

    /// Keep the permissions in the profile, and start from these. That is the default; see
    /// [`Engine::permissions`].
    #[must_use]
    pub fn permission_defaults(mut self, defaults: PermissionDefaults) -> Self {
        self.permission = PermissionSource::Stored(defaults);
        self
    }

    /// Who decides how often an origin's periodic syncs may fire. By default nobody is held back
    /// for a lack of engagement. When it changes its mind, call
    /// [`engagement_changed`](sync_traits::SyncManagerHandle::engagement_changed).
    #[must_use]
    pub fn engagement_policy(mut self, engagement: Box<dyn EngagementPolicy>) -> Self {
        self.engagement = engagement;
        self
    }

    /// Who is told when something is due next, so that a device may sleep until then. When it wakes
    /// up, call [`Engine::time_changed`].
    #[must_use]
    pub fn wake_up(mut self, wake_up: Box<dyn WakeUp>) -> Self {
        self.wake_up = Some(wake_up);
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

    /// Who opens, navigates and focuses windows for service workers. By default they cannot.
    #[must_use]
    pub fn window_host(mut self, windows: Box<dyn WindowHost>) -> Self {
        self.window_host = Some(windows);
        self
    }

    /// How HTTP fetches are made.
    #[must_use]
    pub fn net_config(mut self, net: NetConfig) -> Self {
        self.net = net;
        self
    }

    /// Hosts whose addresses are known: neither fetches nor probes ask a resolver for them. They
    /// take the place of those in [`net_config`](Self::net_config).
    #[must_use]
    pub fn hosts(mut self, hosts: HostMap) -> Self {
        self.hosts = hosts;
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
        let identity_key = match self.monitor_policy.identity_key {
            Some(key) => key,
            None => identity_key(&store).map_err(StartError::Unreadable)?,
        };
        let monitor = NetworkMonitor::start_with(
            self.network_source,
            Arc::clone(&self.clock),
            MonitorPolicy {
                identity_key: Some(identity_key),
                ..self.monitor_policy
            },
            Box::new(TcpProber::with_hosts(self.hosts.clone())),
        )
        .map_err(StartError::Thread)?;
        if let Some(session) = self.offline {
            wait_for(|done| monitor.handle().emulate_offline(session, true, done))
                .ok_or(StartError::Ended)?;
        }
        let net_config = NetConfig {
            hosts: self.hosts,
            ..self.net
        };
        // The components speak with each other and with the worker host, so their channels are
        // there before they are.
        let service_worker_channel = unbounded();
        let caches = CacheStorageThread::start(store.clone()).map_err(StartError::Thread)?;
        let net_services = NetServices {
            clear_storage: clear_storage(
                SwRegistrationHandle::new(service_worker_channel.0.clone()),
                caches.handle().clone(),
            ),
            ..NetServices::new(monitor.handle(), Arc::clone(&self.clock))
        };
        let net = Net::start(net_config, net_services).map_err(StartError::Net)?;
        let indexed_db = IndexedDbThread::start(store.clone()).map_err(StartError::Thread)?;

        let sync_inbox = Inbox::default();
        let permissions = match self.permission {
            PermissionSource::Stored(defaults) => {
                Permissions::stored(store.clone(), defaults, sync_inbox.handle())
                    .map_err(StartError::Unreadable)?
            }
            PermissionSource::Policy(policy) => Permissions::policy(policy, sync_inbox.handle()),
        };
        let handles = Handles {
            service_workers: SwRegistrationHandle::new(service_worker_channel.0.clone()),
            sync: sync_inbox.handle(),
            net: net.handle(),
            caches: caches.handle().clone(),
            indexed_db: indexed_db.handle().clone(),
            network: monitor.handle(),
            permissions: permissions.clone(),
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
                permission: Box::new(permissions.clone()),
                engagement: self.engagement,
                wake_up: self.wake_up,
                dispatch: handles.service_workers.clone(),
                network: monitor.handle(),
                log_observer: self.log_observer,
            },
        )
        .map_err(StartError::Sync)?;
        permissions.enforce();
        let service_workers = SwRegistrationThread::start(
            SwRegistrationConfig {
                policy: self.service_worker_policy,
                store: store.clone(),
                host: worker_host(&handles),
                loader: Box::new(NetScriptLoader::new(net.handle())),
                windows: self.window_host,
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
            caches,
            indexed_db,
            net,
            monitor,
            store,
        })
    }
}

/// What is done when a server asks to clear what is stored for its origin.
fn clear_storage(
    service_workers: SwRegistrationHandle,
    caches: CacheStorageHandle,
) -> Callback<StorageKey> {
    Callback::new(move |origin: StorageKey| {
        // A component that is gone keeps what it has stored.
        let _ = caches.clear(origin.clone(), Callback::ignore());
        let _ = service_workers.clear_storage(origin, Callback::ignore());
    })
}
