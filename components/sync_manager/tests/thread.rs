//! The thread, with a real store, in the place where an engine has it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::channel::{Callback, Receiver, unbounded};
use base::exception::DomException;
use base::ids::{ClientId, RegistrationId, WorkerId};
use base::time::{Clock, MonotonicTime, Timestamp, WallTime};
use base::{DomString, StorageKey};
use network_traits::{NetworkMonitorHandle, NetworkMonitorMessage, NetworkState};
use parking_lot::{Mutex, RwLock};
use storage::{Store, StoreConfig};
use sw_traits::{
    EventOutcome, RegistrationInfo, RegistrationSnapshot, ServiceWorkerInfo, ServiceWorkerState,
    SwNotification, SwRegistrationHandle, SwRegistrationMessage, UpdateViaCache, WorkerEvent,
    WorkerType,
};
use sync_manager::{
    Inbox, StartError, SyncManagerConfig, SyncManagerThread, SyncPolicy, read, start, start_with,
};
use sync_traits::{
    DropReason, Engagement, EngagementPolicy, HoldReason, LogEntry, LogEvent, PermissionPolicy,
    SyncClientEvent, SyncClientHandle, SyncManagerHandle, SyncRegistrationInfo,
    SyncRegistrationState, SyncRequest, WakeUp,
};

use crate::support::{FIRST_BACK_OFF, SITE, offline, online, origin, question, url};

#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub(crate) fn pass(&self, duration: Duration) {
        let mut now = self.0.lock();
        *now = now.saturating_add(duration);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// Whoever may sync may sync periodically.
struct Allowed(Arc<RwLock<bool>>);

impl PermissionPolicy for Allowed {
    fn may_sync(&self, _: &StorageKey) -> bool {
        *self.0.read()
    }

    fn may_sync_periodically(&self, _: &StorageKey) -> bool {
        true
    }
}

struct Engaged(Arc<RwLock<Engagement>>);

impl EngagementPolicy for Engaged {
    fn engagement(&self, _: &StorageKey) -> Engagement {
        *self.0.read()
    }
}

struct Told(Arc<Mutex<Vec<Option<WallTime>>>>);

impl WakeUp for Told {
    fn next_due(&self, next: Option<WallTime>) {
        self.0.lock().push(next);
    }
}

/// An engine of which only the sync manager is real.
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) allowed: Arc<RwLock<bool>>,
    pub(crate) engagement: Arc<RwLock<Engagement>>,
    /// When something is due next, as it was told.
    pub(crate) told: Arc<Mutex<Vec<Option<WallTime>>>>,
    pub(crate) current: Arc<RwLock<NetworkState>>,
    network: Receiver<NetworkMonitorMessage>,
    subscriber: Callback<NetworkState>,
    workers: Receiver<SwRegistrationMessage>,
    pub(crate) handle: SyncManagerHandle,
    thread: SyncManagerThread,
    log: Receiver<LogEntry>,
}

pub(crate) struct Page {
    pub(crate) handle: SyncClientHandle,
    pub(crate) events: Receiver<SyncClientEvent>,
}

impl Page {
    pub(crate) fn register(&self, tag: &str) -> Result<(), DomException> {
        let tag = DomString::from(tag);
        let request = self
            .handle
            .request(url(SITE), SyncRequest::Register { tag })
            .unwrap();
        match self.events.recv().unwrap() {
            SyncClientEvent::Registered {
                request: answered,
                result,
            } if answered == request => result,
            other => panic!("another answer: {other:?}"),
        }
    }

    fn tags(&self) -> Vec<String> {
        self.handle.request(url(SITE), SyncRequest::Tags).unwrap();
        match self.events.recv().unwrap() {
            SyncClientEvent::Tags { result, .. } => {
                result.unwrap().iter().map(DomString::to_string).collect()
            }
            other => panic!("another answer: {other:?}"),
        }
    }
}

/// Whether the last that the network monitor is told is the end of the subscription.
fn unsubscribes(network: &Receiver<NetworkMonitorMessage>) -> bool {
    let messages = std::iter::from_fn(|| network.try_recv());
    matches!(
        messages.last(),
        Some(NetworkMonitorMessage::Unsubscribe { .. })
    )
}

fn stored_worker() -> RegistrationSnapshot {
    let active = ServiceWorkerInfo {
        id: WorkerId(1),
        script_url: url("https://example.org/worker.js"),
        worker_type: WorkerType::Classic,
        state: ServiceWorkerState::Activated,
    };
    RegistrationSnapshot {
        storage_key: origin(SITE),
        registration: RegistrationInfo {
            id: RegistrationId(1),
            ordinal: 1,
            scope: url(SITE),
            update_via_cache: UpdateViaCache::default(),
            installing: None,
            waiting: None,
            active: Some(active),
        },
        last_update_check: None,
        scripts: (1, 1),
    }
}

impl Engine {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_on(StoreConfig::folder(folder))
    }

    pub(crate) fn start_on(config: StoreConfig) -> Self {
        Self::start_with(config, SyncPolicy::default(), true)
    }

    fn start_with(config: StoreConfig, policy: SyncPolicy, allowed: bool) -> Self {
        let (store, _) = Store::open(config).unwrap();
        let clock = Arc::new(ManualClock(Mutex::new(Timestamp {
            wall: WallTime::from_millis(1_800_000_000_000),
            monotonic: MonotonicTime::default(),
        })));
        let allowed = Arc::new(RwLock::new(allowed));
        let engagement = Arc::new(RwLock::new(Engagement::High));
        let told = Arc::new(Mutex::new(Vec::new()));
        let (network_sender, network) = unbounded();
        let (workers_sender, workers) = unbounded();
        let current = Arc::new(RwLock::new(NetworkState::default()));
        let inbox = Inbox::default();
        let handle = inbox.handle();
        let (log_sender, log) = unbounded();
        let thread = start_with(
            inbox,
            SyncManagerConfig {
                policy,
                seed: 7,
                store: store.clone(),
                clock: clock.clone(),
                permission: Box::new(Allowed(Arc::clone(&allowed))),
                engagement: Box::new(Engaged(Arc::clone(&engagement))),
                wake_up: Some(Box::new(Told(Arc::clone(&told)))),
                dispatch: SwRegistrationHandle::new(workers_sender),
                network: NetworkMonitorHandle::new(network_sender, Arc::clone(&current)),
                log_observer: Callback::to_sender(&log_sender, |entry| entry),
            },
        )
        .unwrap();
        let NetworkMonitorMessage::Subscribe { subscriber, .. } = network.recv().unwrap() else {
            panic!("the network is subscribed to first");
        };
        let SwRegistrationMessage::Snapshot { done } = workers.recv().unwrap() else {
            panic!("the service workers are asked for first");
        };
        done.call(vec![stored_worker()]);
        Self {
            store,
            clock,
            allowed,
            engagement,
            told,
            current,
            network,
            subscriber,
            workers,
            handle,
            thread,
            log,
        }
    }

    pub(crate) fn set_network(&self, state: NetworkState) {
        *self.current.write() = state.clone();
        self.subscriber.call(state);
    }

    pub(crate) fn open_page(&self) -> Page {
        let (sender, events) = unbounded();
        let events_to = Callback::to_sender(&sender, |event| event);
        let handle = self
            .handle
            .attach_client(ClientId::random(), origin(SITE), events_to)
            .unwrap();
        self.set_windows(1);
        Page { handle, events }
    }

    pub(crate) fn set_windows(&self, count: usize) {
        let storage_key = origin(SITE);
        self.handle
            .notify_service_worker(SwNotification::WindowClients { storage_key, count });
    }

    /// Wait for the next event of any kind; gives how long it may take as well, and how to end it.
    pub(crate) fn any_event(&self) -> (WorkerEvent, Duration, Callback<EventOutcome>) {
        match self.workers.recv().unwrap() {
            SwRegistrationMessage::DispatchEvent {
                event,
                time_limit,
                done,
                ..
            } => (event, time_limit, done),
            other => panic!("no event: {other:?}"),
        }
    }

    /// Wait for the next event; gives its tag and `lastChance`, and how to end it.
    fn event(&self) -> (String, bool, Callback<EventOutcome>) {
        match self.workers.recv().unwrap() {
            SwRegistrationMessage::DispatchEvent {
                event: WorkerEvent::Sync { tag, last_chance },
                done,
                ..
            } => (tag.to_string(), last_chance, done),
            other => panic!("no sync event: {other:?}"),
        }
    }

    /// Wait until the event log says something.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&LogEvent) -> bool) -> LogEntry {
        loop {
            let entry = self.log.recv().unwrap();
            if wanted(&entry.event) {
                return entry;
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Vec<SyncRegistrationInfo> {
        let (sender, receiver) = unbounded();
        self.handle
            .snapshot(Callback::to_sender(&sender, |infos| infos))
            .unwrap();
        receiver.recv().unwrap()
    }

    /// The profile stays as it is at this moment.
    pub(crate) fn crash(self) {
        self.store.close();
        self.stop();
    }

    /// Shut down in order, and free the profile.
    pub(crate) fn stop(self) {
        let (sender, receiver) = unbounded();
        self.handle
            .exit(Callback::to_sender(&sender, |()| ()))
            .unwrap();
        receiver.recv().unwrap();
        drop(self.thread);
        assert!(unsubscribes(&self.network));
        self.store.close();
    }
}

#[test]
fn a_permission_that_went_while_no_engine_ran_is_noticed_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    let page = engine.open_page();
    assert_eq!(page.register("outbox"), Ok(()));
    drop(page);
    engine.stop();

    let config = StoreConfig::folder(folder.path());
    let engine = Engine::start_with(config, SyncPolicy::default(), false);
    let reason = DropReason::PermissionRevoked;
    engine.wait_for(|event| *event == LogEvent::Dropped { reason });
    assert_eq!(engine.snapshot(), []);
    engine.stop();
}

#[test]
fn a_sync_registered_offline_fires_after_a_restart_when_the_network_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    engine.set_network(offline());
    let page = engine.open_page();
    for tag in ["outbox", "drafts"] {
        assert_eq!(page.register(tag), Ok(()));
    }
    assert_eq!(page.tags(), ["outbox", "drafts"]);
    drop(page);
    engine.set_windows(0);
    engine.stop();

    let engine = Engine::start(folder.path());
    engine.set_network(online());
    for expected in ["outbox", "drafts"] {
        let (tag, last_chance, done) = engine.event();
        assert_eq!((tag.as_str(), last_chance), (expected, false));
        done.call(EventOutcome::Fulfilled);
    }
    engine.wait_for(|event| *event == LogEvent::Completed);
    engine.wait_for(|event| *event == LogEvent::Completed);
    assert_eq!(engine.snapshot(), []);
    engine.stop();

    let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
    assert_eq!(read::registrations(&store).unwrap(), []);
    let events: Vec<_> = read::log(&store)
        .unwrap()
        .into_iter()
        .map(|entry| entry.event)
        .collect();
    assert_eq!(events.first(), Some(&LogEvent::Registered));
    assert_eq!(events.last(), Some(&LogEvent::Completed));
}

#[test]
fn an_event_in_flight_at_an_orderly_shutdown_fires_again_and_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    engine.set_network(online());
    let page = engine.open_page();
    page.register("outbox").unwrap();
    let (_, _, done) = engine.event();
    drop(page);
    engine.stop();
    drop(done);

    let engine = Engine::start(folder.path());
    assert_eq!(engine.snapshot()[0].attempts, 0);
    engine.set_network(online());
    assert_eq!(engine.event().0, "outbox");
    engine.stop();
}

#[test]
fn an_event_interrupted_by_a_crash_counts_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    engine.set_network(online());
    let page = engine.open_page();
    page.register("outbox").unwrap();
    let (_, _, done) = engine.event();
    let registrations = read::registrations(&engine.store).unwrap();
    assert_eq!(registrations[0].state, SyncRegistrationState::Firing);
    drop(page);
    engine.crash();
    drop(done);

    let engine = Engine::start(folder.path());
    engine.wait_for(|event| *event == LogEvent::Interrupted { attempt: 1 });
    engine.set_network(online());
    assert_eq!(engine.snapshot()[0].state, SyncRegistrationState::Waiting);
    engine.clock.pass(FIRST_BACK_OFF);
    engine.handle.time_changed().unwrap();
    let (tag, last_chance, done) = engine.event();
    assert_eq!((tag.as_str(), last_chance), ("outbox", false));
    done.call(EventOutcome::Rejected {
        reason: "no".to_owned(),
    });
    let retry = engine.wait_for(|event| matches!(event, LogEvent::RetryScheduled { .. }));
    assert_eq!(retry.tag, DomString::from("outbox"));
    engine.stop();
}

#[test]
fn the_state_of_the_network_is_read_at_dispatch_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    engine.set_network(online());
    let page = engine.open_page();
    // The link is down, and the monitor has not got round to telling anybody.
    *engine.current.write() = offline();
    page.register("outbox").unwrap();
    engine.wait_for(|event| matches!(event, LogEvent::Held { .. }));
    assert!(engine.workers.try_recv().is_none(), "nothing is dispatched");
    // An older message that is still on its way does not turn time back.
    engine.subscriber.call(online());
    assert_eq!(engine.snapshot()[0].held_by, Some(HoldReason::Offline));
    engine.set_network(online());
    assert_eq!(engine.event().0, "outbox");
    engine.stop();
}

#[test]
fn what_only_the_event_log_tells_costs_no_sync() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    let page = engine.open_page();
    let before = engine.store.status().syncs;
    page.register("outbox").unwrap();
    let registered = engine.store.status().syncs;
    assert_eq!(registered, before + 1, "a registration is durable");
    engine.set_network(offline());
    let offline = HoldReason::Offline;
    engine.wait_for(|event| matches!(event, LogEvent::Held { reason } if *reason == offline));
    assert_eq!(engine.store.status().syncs, registered);
    engine.stop();
}

#[test]
fn the_network_monitor_is_told_for_which_origins_something_waits() {
    let engine = Engine::start_on(StoreConfig::memory());
    engine.set_network(offline());
    let page = engine.open_page();
    page.register("outbox").unwrap();
    let told = || match engine.network.recv().unwrap() {
        NetworkMonitorMessage::AwaitOrigin { origin, awaited } => (origin, awaited),
        other => panic!("something else is told: {other:?}"),
    };
    assert_eq!(told(), (origin(SITE), true));
    let (sender, explanation) = unbounded();
    let done = Callback::to_sender(&sender, |explanation| explanation);
    engine.handle.explain(question("outbox"), done).unwrap();
    assert_eq!(explanation.recv().unwrap().held_by, [HoldReason::Offline]);
    engine.set_network(online());
    let (_, _, done) = engine.event();
    assert_eq!(told(), (origin(SITE), false));
    done.call(EventOutcome::Fulfilled);
    engine.stop();
}

#[test]
fn the_permission_is_asked_for_when_it_changes_and_at_each_call() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    engine.set_network(offline());
    let page = engine.open_page();
    page.register("outbox").unwrap();
    *engine.allowed.write() = false;
    engine.handle.permission_changed(origin(SITE)).unwrap();
    assert_eq!(page.tags(), Vec::<String>::new());
    assert_eq!(
        page.register("outbox").unwrap_err().name(),
        "NotAllowedError"
    );
    engine.stop();
}

#[test]
fn a_store_that_is_closed_rejects_with_an_unknown_error() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    let page = engine.open_page();
    engine.store.close();
    assert_eq!(page.register("outbox").unwrap_err().name(), "UnknownError");
    engine.stop();
}

#[test]
fn in_private_browsing_nothing_outlives_the_engine() {
    let engine = Engine::start_on(StoreConfig::memory());
    let (observer, observed) = unbounded();
    let observer = Callback::to_sender(&observer, |entry: LogEntry| entry.event);
    engine.handle.observe_log(observer).unwrap();
    engine.set_network(offline());
    let page = engine.open_page();
    page.register("outbox").unwrap();
    assert_eq!(page.tags(), ["outbox"]);
    assert_eq!(observed.recv(), Ok(LogEvent::Registered));
    engine.stop();
    let engine = Engine::start_on(StoreConfig::memory());
    assert_eq!(engine.snapshot(), []);
    engine.stop();
}

#[test]
fn it_does_not_start_without_the_components_it_needs() {
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    let (workers_sender, workers) = unbounded();
    let (network_sender, network) = unbounded();
    drop((workers, network));
    let result = start(SyncManagerConfig {
        policy: SyncPolicy::default(),
        seed: 7,
        store,
        clock: Arc::new(ManualClock(Mutex::default())),
        permission: Box::new(Allowed(Arc::default())),
        engagement: Box::new(Engaged(Arc::default())),
        wake_up: None,
        dispatch: SwRegistrationHandle::new(workers_sender),
        network: NetworkMonitorHandle::new(network_sender, Arc::default()),
        log_observer: Callback::ignore(),
    });
    assert!(matches!(result, Err(StartError::Component(_))));
}

#[test]
fn dropping_it_ends_it_after_the_writes_on_their_way() {
    let folder = tempfile::tempdir().unwrap();
    let Engine {
        store,
        network,
        handle,
        thread,
        ..
    } = {
        let engine = Engine::start(folder.path());
        engine.set_network(offline());
        let page = engine.open_page();
        let tag = DomString::from("outbox");
        page.handle
            .request(url(SITE), SyncRequest::Register { tag })
            .unwrap();
        engine
    };
    assert!(thread.handle().time_changed().is_ok());
    drop(thread);
    assert_eq!(read::registrations(&store).unwrap().len(), 1);
    assert!(unsubscribes(&network));
    assert!(handle.time_changed().is_err(), "nobody listens any more");
    store.close();
}

#[test]
fn a_dispatcher_that_has_shut_down_uses_up_no_attempt() {
    let mut engine = Engine::start_on(StoreConfig::memory());
    engine.set_network(offline());
    let page = engine.open_page();
    page.register("outbox").unwrap();
    // The service worker registrations end first.
    drop(std::mem::replace(&mut engine.workers, unbounded().1));
    engine.set_network(online());
    engine.wait_for(|event| {
        matches!(
            event,
            LogEvent::Held {
                reason: HoldReason::NoActiveWorker
            }
        )
    });
    let registrations = engine.snapshot();
    assert_eq!(registrations[0].state, SyncRegistrationState::Pending);
    assert_eq!(registrations[0].attempts, 0);
    engine.stop();
}

#[test]
fn only_so_many_calls_of_a_client_wait_for_their_answer() {
    let policy = SyncPolicy {
        max_unanswered_requests: 2,
        ..SyncPolicy::default()
    };
    let engine = Engine::start_with(StoreConfig::memory(), policy, true);
    engine.set_network(offline());
    let page = engine.open_page();
    // The manager stands still until all of them are in its channel, before any answer of the
    // store.
    let (go_on, stop) = unbounded::<()>();
    let stand_still = Callback::new(move |_: Vec<SyncRegistrationInfo>| stop.recv().unwrap());
    engine.handle.snapshot(stand_still).unwrap();
    let register = |tag: &str| {
        let tag = DomString::from(tag);
        page.handle
            .request(url(SITE), SyncRequest::Register { tag })
            .unwrap()
    };
    let requests = [register("a"), register("a"), register("a")];
    go_on.send(()).unwrap();
    let mut answers = std::collections::BTreeMap::new();
    for _ in &requests {
        match page.events.recv().unwrap() {
            SyncClientEvent::Registered { request, result } => answers.insert(request, result),
            SyncClientEvent::Tags { .. } | SyncClientEvent::Unregistered { .. } => {
                panic!("another answer than was asked for")
            }
        };
    }
    let names = requests.map(|request| answers[&request].as_ref().map_err(DomException::name));
    assert_eq!(names, [Ok(&()), Ok(&()), Err("QuotaExceededError")]);
    for _ in 0..5 {
        assert_eq!(page.register("b"), Ok(()), "the others are answered");
    }
    engine.stop();
}
