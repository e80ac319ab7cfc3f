//! A world around the state machine: a store that works, fails or is slow, a network, a permission,
//! a service worker that is done with an event when the test says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::channel::Callback;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, EventId, RequestId};
use base::time::{MonotonicTime, Timestamp, WallTime};
use base::{DomString, StorageKey};
use network_traits::{LinkState, NetworkIdentity, NetworkState, Reachability};
use storage::{Batch, Store, StoreConfig};
use sw_traits::{EventOutcome, SwNotification};
use sync_manager::{
    Output, Requester, StoredServiceWorker, SyncKey, SyncManager, SyncPolicy, read,
};
use sync_traits::{
    Engagement, LogEntry, LogEvent, SyncClientEvent, SyncExplanation, SyncKind, SyncQuestion,
    SyncRegistrationInfo,
};
use url::Url;

use crate::describe::describe;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than any first back-off.
pub(crate) const FIRST_BACK_OFF: Duration = Duration::from_secs(331);
/// Longer than any second back-off.
pub(crate) const SECOND_BACK_OFF: Duration = Duration::from_secs(991);

pub(crate) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub(crate) fn origin(text: &str) -> StorageKey {
    StorageKey::from_url(&url(text)).unwrap()
}

/// A stored service worker registration, the first one of its scope.
pub(crate) fn stored_worker(scope: &str, active_worker: bool) -> StoredServiceWorker {
    StoredServiceWorker {
        storage_key: origin(scope),
        scope: url(scope),
        ordinal: 1,
        active_worker,
    }
}

pub(crate) fn online() -> NetworkState {
    NetworkState {
        link: LinkState::Routable,
        identity: Some(NetworkIdentity(1)),
        ..NetworkState::default()
    }
}

pub(crate) fn offline() -> NetworkState {
    NetworkState {
        link: LinkState::None,
        ..NetworkState::default()
    }
}

pub(crate) fn with_reachability(reachability: Reachability) -> NetworkState {
    let mut network = online();
    network.origins.insert(origin(SITE), reachability);
    network
}

/// What somebody asks who wants to know about a tag of the site.
pub(crate) fn question(tag: &str) -> SyncQuestion {
    SyncQuestion {
        kind: SyncKind::OneShot,
        storage_key: origin(SITE),
        scope: url(SITE),
        tag: DomString::from(tag),
    }
}

pub(crate) fn rejected() -> EventOutcome {
    EventOutcome::Rejected {
        reason: "TypeError: fetch failed".to_owned(),
    }
}

/// A dispatched event that has not ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Dispatched {
    pub(crate) event: EventId,
    pub(crate) kind: SyncKind,
    pub(crate) scope: Url,
    pub(crate) tag: DomString,
    pub(crate) last_chance: bool,
    pub(crate) time_limit: Duration,
    /// Its service worker registration is gone.
    pub(crate) orphaned: bool,
}

/// What came out, as far as its order matters.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Answered { request: RequestId, resolved: bool },
    Dispatched(Dispatched),
    Log(LogEntry),
}

/// What the store does with a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StoreMode {
    Works,
    Fails,
    /// Batches wait for `commit_one`.
    Slow,
}

pub(crate) const SITE: &str = "https://example.org/";

pub(crate) struct World {
    pub(crate) manager: SyncManager,
    pub(crate) policy: SyncPolicy,
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
    store: Store,
    pub(crate) mode: StoreMode,
    pub(crate) commits: VecDeque<(CommitId, Batch)>,
    /// Batches that failed since the last one that did not: after a crash they may be on disk.
    pub(crate) failed: Vec<Batch>,
    /// What is found when it is looked up at dispatch; the manager may have been told less.
    pub(crate) network: NetworkState,
    pub(crate) denied: BTreeSet<StorageKey>,
    pub(crate) periodic_denied: BTreeSet<StorageKey>,
    /// What the engagement policy says about origins that are not of high engagement.
    pub(crate) engagement: BTreeMap<StorageKey, Engagement>,
    pub(crate) client: ClientId,
    pub(crate) requests: u64,
    pub(crate) replies: BTreeMap<RequestId, SyncClientEvent>,
    /// Everything that came out, in order, in words.
    pub(crate) trace: Vec<String>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) log: Vec<LogEntry>,
    /// Events in flight.
    pub(crate) running: Vec<Dispatched>,
    pub(crate) exited: bool,
    /// The origins for which something waits.
    pub(crate) awaited: BTreeSet<StorageKey>,
}

impl World {
    /// A world with one site that has an active worker and a window; nothing is known of the
    /// network.
    pub(crate) fn new(policy: SyncPolicy) -> Self {
        let now = Timestamp {
            wall: WallTime::from_millis(1_800_000_000_000),
            monotonic: MonotonicTime::from_start(Duration::from_secs(100)),
        };
        let (store, _) = Store::open(StoreConfig::memory()).unwrap();
        let manager = SyncManager::new(policy.clone(), 7, read::recover(&store).unwrap(), now);
        let mut world = Self {
            manager,
            policy,
            seed: 7,
            now,
            store,
            mode: StoreMode::Works,
            commits: VecDeque::new(),
            failed: Vec::new(),
            network: NetworkState::default(),
            denied: BTreeSet::new(),
            periodic_denied: BTreeSet::new(),
            engagement: BTreeMap::new(),
            client: ClientId(uuid::Uuid::nil()),
            requests: 0,
            replies: BTreeMap::new(),
            trace: Vec::new(),
            seen: Vec::new(),
            log: Vec::new(),
            running: Vec::new(),
            exited: false,
            awaited: BTreeSet::new(),
        };
        world.drain();
        world.report_stored(&[SITE]);
        world.open_site(SITE);
        world
    }

    pub(crate) fn online() -> Self {
        let mut world = Self::new(SyncPolicy::default());
        world.set_network(online());
        world
    }

    pub(crate) fn offline() -> Self {
        let mut world = Self::new(SyncPolicy::default());
        world.set_network(offline());
        world
    }

    /// The service worker registrations tell which scopes they have stored.
    pub(crate) fn report_stored(&mut self, scopes: &[&str]) {
        let stored: Vec<_> = scopes
            .iter()
            .map(|scope| stored_worker(scope, true))
            .collect();
        self.manager.handle_stored_service_workers(self.now, stored);
        self.drain();
    }

    /// A scope gets an active worker and its origin a window.
    pub(crate) fn open_site(&mut self, scope: &str) {
        self.activate(scope);
        self.set_windows(scope, 1);
    }

    pub(crate) fn activate(&mut self, scope: &str) {
        let (storage_key, scope) = (origin(scope), url(scope));
        self.service_worker(SwNotification::Activated {
            storage_key,
            scope,
            ordinal: 1,
        });
    }

    pub(crate) fn unregister(&mut self, scope: &str) {
        let (storage_key, scope) = (origin(scope), url(scope));
        for event in &mut self.running {
            event.orphaned |= event.scope == scope;
        }
        self.service_worker(SwNotification::Unregistered { storage_key, scope });
    }

    pub(crate) fn set_windows(&mut self, scope: &str, count: usize) {
        let storage_key = origin(scope);
        self.service_worker(SwNotification::WindowClients { storage_key, count });
    }

    pub(crate) fn service_worker(&mut self, notification: SwNotification) {
        self.manager.handle_service_worker(self.now, notification);
        self.drain();
    }

    pub(crate) fn set_network(&mut self, network: NetworkState) {
        self.network = network.clone();
        self.manager.handle_network(self.now, network);
        self.drain();
    }

    pub(crate) fn set_permission(&mut self, scope: &str, may_sync: bool) {
        let storage_key = origin(scope);
        if may_sync {
            self.denied.remove(&storage_key);
        } else {
            self.denied.insert(storage_key.clone());
        }
        self.report_permission(&storage_key);
    }

    pub(crate) fn report_permission(&mut self, storage_key: &StorageKey) {
        let denied = self.denied_permission(SyncKind::Periodic, storage_key);
        self.manager
            .handle_permission(self.now, storage_key, denied);
        self.drain();
    }

    pub(crate) fn denied_permission(
        &self,
        kind: SyncKind,
        storage_key: &StorageKey,
    ) -> Option<SyncKind> {
        if self.denied.contains(storage_key) {
            return Some(SyncKind::OneShot);
        }
        (kind == SyncKind::Periodic && self.periodic_denied.contains(storage_key)).then_some(kind)
    }

    pub(crate) fn requester(&mut self) -> Requester {
        self.requests += 1;
        Requester {
            client: self.client,
            request: RequestId(self.requests),
            registration: None,
        }
    }

    pub(crate) fn ask(&mut self, scope: &str, tag: impl Into<DomString>) -> RequestId {
        let requester = self.requester();
        let key = SyncKey {
            storage_key: origin(scope),
            scope: url(scope),
            kind: SyncKind::OneShot,
            tag: tag.into(),
        };
        let denied = self.denied_permission(key.kind, &key.storage_key);
        self.manager
            .handle_register(self.now, requester, key, denied);
        self.drain();
        requester.request
    }

    /// The answer to a `register()` or `unregister()`, if there is one yet.
    pub(crate) fn answer(&self, request: RequestId) -> Option<Result<(), DomException>> {
        match self.replies.get(&request)? {
            SyncClientEvent::Registered { result, .. }
            | SyncClientEvent::Unregistered { result, .. } => Some(result.clone()),
            SyncClientEvent::Tags { .. } => panic!("another answer than was asked for"),
        }
    }

    pub(crate) fn register_at(
        &mut self,
        scope: &str,
        tag: impl Into<DomString>,
    ) -> Result<(), DomException> {
        let request = self.ask(scope, tag);
        self.answer(request).expect("register() is answered")
    }

    pub(crate) fn register(&mut self, tag: impl Into<DomString>) {
        self.register_at(SITE, tag).expect("register() resolves");
    }

    /// The name of the exception with which `register()` rejects.
    pub(crate) fn rejection(&mut self, scope: &str, tag: impl Into<DomString>) -> &'static str {
        self.register_at(scope, tag)
            .expect_err("register() rejects")
            .name()
    }

    pub(crate) fn tags_at(&mut self, scope: &str) -> Vec<DomString> {
        self.tags_of(SyncKind::OneShot, scope)
    }

    pub(crate) fn tags_of(&mut self, kind: SyncKind, scope: &str) -> Vec<DomString> {
        let requester = self.requester();
        self.manager
            .handle_tags(requester, kind, &origin(scope), &url(scope));
        self.drain();
        match self.replies.get(&requester.request) {
            Some(SyncClientEvent::Tags { result, .. }) => result.clone().unwrap(),
            other => panic!("no tags: {other:?}"),
        }
    }

    pub(crate) fn tags(&mut self) -> Vec<String> {
        self.tags_at(SITE)
            .iter()
            .map(DomString::to_string)
            .collect()
    }

    pub(crate) fn explain(&self, tag: &str) -> SyncExplanation {
        self.manager.explain(question(tag))
    }

    /// The tags of the events in flight, in the order of their dispatch.
    pub(crate) fn firing(&self) -> Vec<String> {
        self.running
            .iter()
            .map(|event| event.tag.to_string())
            .collect()
    }

    /// The event in flight for a tag ends.
    pub(crate) fn end(&mut self, tag: &str, outcome: EventOutcome) -> Dispatched {
        let index = self
            .running
            .iter()
            .position(|event| event.tag == DomString::from(tag))
            .unwrap_or_else(|| panic!("{tag} does not fire"));
        self.end_at(index, outcome)
    }

    /// The event in flight at this place ends.
    pub(crate) fn end_at(&mut self, index: usize, outcome: EventOutcome) -> Dispatched {
        let dispatched = self.running.remove(index);
        self.manager.handle_network(self.now, self.network.clone());
        self.drain();
        self.manager
            .handle_event_ended(self.now, dispatched.event, outcome);
        self.drain();
        dispatched
    }

    pub(crate) fn fulfil(&mut self, tag: &str) -> Dispatched {
        self.end(tag, EventOutcome::Fulfilled)
    }

    pub(crate) fn reject(&mut self, tag: &str) -> Dispatched {
        self.end(tag, rejected())
    }

    /// Time passes, and the manager is called at each of its deadlines.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let mut left = duration;
        // More deadlines than this in one stretch of a test are a loop.
        for _ in 0..10_000 {
            let step = self
                .manager
                .poll_deadline()
                .after(self.now)
                .unwrap_or(left)
                .min(left);
            self.now = self.now.saturating_add(step);
            left = left.saturating_sub(step);
            self.manager.handle_time(self.now);
            self.drain();
            if left.is_zero() {
                return;
            }
        }
        panic!("the manager never stops to want to be called");
    }

    /// Somebody sets the wall clock; nobody tells the manager.
    pub(crate) fn set_clock(&mut self, millis: i64) {
        let wall = self.now.wall.as_millis() + millis;
        self.now.wall = WallTime::from_millis(wall);
    }

    /// The engine dies and starts again on what is durable; the network is unknown again.
    pub(crate) fn crash(&mut self) {
        self.commits.clear();
        self.failed.clear();
        self.running.clear();
        self.awaited.clear();
        self.network = NetworkState::default();
        let recovered = read::recover(self.store()).unwrap();
        self.now.monotonic = MonotonicTime::from_start(Duration::from_secs(1));
        self.manager = SyncManager::new(self.policy.clone(), self.seed, recovered, self.now);
        self.drain();
    }

    /// The engine dies, starts again, and the site's service worker is still there.
    pub(crate) fn restart(&mut self) {
        self.crash();
        self.report_stored(&[SITE]);
    }

    pub(crate) fn info(&self, tag: &str) -> Option<SyncRegistrationInfo> {
        self.manager
            .snapshot()
            .into_iter()
            .find(|info| info.tag == DomString::from(tag))
    }

    /// The tags that are durable.
    pub(crate) fn stored(&self) -> Vec<String> {
        let stored = read::registrations(self.store()).unwrap();
        stored.iter().map(|info| info.tag.to_string()).collect()
    }

    /// What the event log says about a tag.
    pub(crate) fn events(&self, tag: &str) -> Vec<LogEvent> {
        let tag = DomString::from(tag);
        self.log
            .iter()
            .filter(|entry| entry.tag == tag)
            .map(|entry| entry.event.clone())
            .collect()
    }

    pub(crate) fn exit(&mut self) {
        self.manager.handle_exit(self.now);
        self.drain();
    }

    /// A batch gets to the store. Whoever reads waits for it, so that a walk of thousands of
    /// batches does not wait for each of them.
    pub(crate) fn write(&self, batch: Batch) {
        self.store.submit(
            batch,
            Callback::new(|result: Result<(), _>| result.unwrap()),
        );
    }

    /// The store with everything that was written.
    pub(crate) fn store(&self) -> &Store {
        self.store.commit(Batch::new()).unwrap();
        &self.store
    }

    /// The store answers the oldest batch.
    pub(crate) fn commit_one(&mut self, works: bool) {
        let (commit, batch) = self.commits.pop_front().expect("a batch is on its way");
        let result = if works {
            self.failed.clear();
            self.write(batch);
            Ok(())
        } else {
            self.failed.push(batch);
            Err("the disk is full".to_owned())
        };
        self.manager.handle_committed(self.now, commit, result);
        self.drain();
    }

    pub(crate) fn commit_all(&mut self) {
        while !self.commits.is_empty() {
            self.commit_one(true);
        }
    }

    fn note_reply(&mut self, event: SyncClientEvent) {
        let request = match &event {
            SyncClientEvent::Registered { request, result }
            | SyncClientEvent::Unregistered { request, result } => {
                self.seen.push(Seen::Answered {
                    request: *request,
                    resolved: result.is_ok(),
                });
                *request
            }
            SyncClientEvent::Tags { request, .. } => *request,
        };
        let before = self.replies.insert(request, event);
        assert!(before.is_none(), "a request is answered once");
    }

    pub(crate) fn drain(&mut self) {
        loop {
            let mut confirmations = VecDeque::new();
            while let Some(output) = self.manager.poll_output() {
                self.trace.push(describe(&output));
                match output {
                    Output::Commit { commit, batch } => self.commits.push_back((commit, batch)),
                    Output::Reply { event, .. } => self.note_reply(event),
                    Output::ConfirmDispatch {
                        event,
                        kind,
                        storage_key,
                    } => {
                        confirmations.push_back((event, kind, storage_key));
                    }
                    Output::Dispatch {
                        event,
                        kind,
                        storage_key,
                        scope,
                        tag,
                        last_chance,
                        time_limit,
                    } => {
                        assert!(
                            self.network
                                .is_online_for_registration(&storage_key, &scope),
                            "{tag} fires offline"
                        );
                        let reachability = self.network.reachability(&storage_key);
                        let in_doubt = matches!(
                            reachability,
                            Reachability::Checking | Reachability::Unreachable
                        );
                        assert!(
                            !in_doubt || !self.policy.heeds_reachability,
                            "{tag} fires although its server is {reachability:?}"
                        );
                        let running = &self.running;
                        let twice = |other: &Dispatched| {
                            let same =
                                (&other.scope, other.kind, &other.tag) == (&scope, kind, &tag);
                            same && !other.orphaned
                        };
                        assert!(!running.iter().any(twice), "one event at a time for {tag}");
                        let dispatched = Dispatched {
                            event,
                            kind,
                            scope,
                            tag,
                            last_chance,
                            time_limit,
                            orphaned: false,
                        };
                        self.seen.push(Seen::Dispatched(dispatched.clone()));
                        self.running.push(dispatched);
                    }
                    Output::AwaitOrigin {
                        storage_key,
                        awaited,
                    } => {
                        let changed = if awaited {
                            self.awaited.insert(storage_key)
                        } else {
                            self.awaited.remove(&storage_key)
                        };
                        assert!(changed, "only changes are told");
                    }
                    Output::Log(entry) => {
                        self.seen.push(Seen::Log(entry.clone()));
                        self.log.push(entry);
                    }
                    Output::StoreFailed { .. } => {}
                    Output::Exited => self.exited = true,
                }
            }
            if !confirmations.is_empty() {
                for (event, kind, storage_key) in confirmations {
                    let denied = self.denied_permission(kind, &storage_key);
                    let network = self.network.clone();
                    self.manager
                        .handle_dispatch_confirmed(self.now, event, network, denied);
                    self.drain();
                }
            } else if self.mode == StoreMode::Slow || self.commits.is_empty() {
                return;
            } else {
                let works = self.mode == StoreMode::Works;
                self.commit_one(works);
            }
        }
    }
}
