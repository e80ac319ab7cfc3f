//! The thread around the state machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::ids::{ClientId, EventId};
use base::time::{Clock, WallTime};
use network_traits::{NetworkMonitorHandle, SubscriptionId};
use storage::{CommitError, Durability, Store, Tree};
use sw_traits::{SwRegistrationHandle, WorkerEvent};
use sync_traits::{
    EngagementPolicy, LogEntry, PermissionPolicy, RegistrationReference, SyncClientEvent, SyncKind,
    SyncManagerHandle, SyncManagerMessage, SyncRequest, WakeUp,
};
use url::Url;

use crate::error::{RegisterError, StartError};
use crate::manager::{Output, Requester, StoredServiceWorker, SyncManager};
use crate::policy::SyncPolicy;
use crate::read;
use crate::record::SyncKey;

/// Times that differ by less are the same to who lets the machine sleep.
const SAME_TIME: Duration = Duration::from_secs(1);

/// What the sync manager works with.
pub struct SyncManagerConfig {
    /// Its numbers.
    pub policy: SyncPolicy,
    /// The seed for the jitter of delays.
    pub seed: u64,
    /// Where the registrations are kept.
    pub store: Store,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who decides which origin may sync.
    pub permission: Box<dyn PermissionPolicy>,
    /// Who decides how often an origin may sync periodically.
    pub engagement: Box<dyn EngagementPolicy>,
    /// Who is told when something is due next.
    pub wake_up: Option<Box<dyn WakeUp>>,
    /// Where events are dispatched, and who knows the service worker registrations.
    pub dispatch: SwRegistrationHandle,
    /// Who knows the network.
    pub network: NetworkMonitorHandle,
    /// Who gets every new entry of the event log, from the first one on.
    pub log_observer: Callback<LogEntry>,
}

/// The channel of a sync manager that has not been started. It exists before the manager so that
/// the components that it works with can be given its handle when they start.
#[derive(Debug)]
pub struct Inbox {
    sender: Sender<SyncManagerMessage>,
    receiver: Receiver<SyncManagerMessage>,
}

impl Default for Inbox {
    fn default() -> Self {
        // Without a bound, because components that wait for one another would stand still. What
        // bounds it: one message for each call of a page (handled or rejected at once, however many
        // wait for their answer), each event in flight, each batch on its
        // way, each change of a window, a worker or the network; and handling one takes
        // microseconds.
        let (sender, receiver) = unbounded();
        Self { sender, receiver }
    }
}

impl Inbox {
    /// A handle of the manager that will read from here.
    pub fn handle(&self) -> SyncManagerHandle {
        SyncManagerHandle::new(self.sender.clone())
    }
}

/// A running sync manager. Dropping it shuts it down in order, and waits until it has ended.
#[derive(Debug)]
pub struct SyncManagerThread {
    handle: SyncManagerHandle,
    thread: Option<JoinHandle<()>>,
}

impl SyncManagerThread {
    /// A handle of the manager.
    pub fn handle(&self) -> SyncManagerHandle {
        self.handle.clone()
    }
}

impl Drop for SyncManagerThread {
    fn drop(&mut self) {
        // One that has been told to exit already ends as well.
        let _ = self.handle.exit(Callback::ignore());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the sync manager's thread panicked");
        }
    }
}

/// Start a sync manager with a channel of its own. It runs until it is dropped or told to
/// [exit](SyncManagerHandle::exit).
///
/// # Errors
///
/// See [`StartError`].
pub fn start(config: SyncManagerConfig) -> Result<SyncManagerThread, StartError> {
    start_with(Inbox::default(), config)
}

/// Start a sync manager that reads from a channel that is there already.
///
/// What is stored has been read when this returns; the rest happens on the thread.
///
/// # Errors
///
/// See [`StartError`].
pub fn start_with(
    inbox: Inbox,
    config: SyncManagerConfig,
) -> Result<SyncManagerThread, StartError> {
    let handle = inbox.handle();
    let Inbox { sender, receiver } = inbox;
    let recovered = read::recover(&config.store)?;
    let now = config.clock.now();
    let policy = config.policy.clamped();
    let max_unanswered_requests = policy.max_unanswered_requests;
    let manager = SyncManager::new(policy, config.seed, recovered, now);
    // The registrations are asked for before anybody can dispatch, so their answer comes first.
    config
        .dispatch
        .snapshot(Callback::to_sender(
            &sender,
            SyncManagerMessage::StoredServiceWorkers,
        ))
        .map_err(|_| StartError::Component("service worker registrations"))?;
    let subscription = config
        .network
        .subscribe(Callback::to_sender(&sender, SyncManagerMessage::Network))
        .map_err(|_| StartError::Component("network monitor"))?;
    let runner = Runner {
        manager,
        sender,
        store: config.store,
        clock: config.clock,
        permission: config.permission,
        engagement: config.engagement,
        wake_up: config.wake_up,
        told_due: None,
        dispatch: config.dispatch,
        network: config.network,
        subscription,
        clients: BTreeMap::new(),
        max_unanswered_requests,
        observers: vec![config.log_observer],
        confirmations: VecDeque::new(),
        exits: Vec::new(),
        exited: false,
    };
    let thread = thread::Builder::new()
        .name("sync manager".to_owned())
        .spawn(move || runner.run(&receiver))
        .map_err(|error| StartError::Thread(error.to_string()))?;
    Ok(SyncManagerThread {
        handle,
        thread: Some(thread),
    })
}

/// A client that may ask for something.
struct Client {
    storage_key: StorageKey,
    events: Callback<SyncClientEvent>,
    /// How many calls of `register()` and `unregister()` wait for their answer. `getTags()` is
    /// answered at once.
    unanswered: usize,
}

struct Runner {
    manager: SyncManager,
    sender: Sender<SyncManagerMessage>,
    store: Store,
    clock: Arc<dyn Clock>,
    permission: Box<dyn PermissionPolicy>,
    engagement: Box<dyn EngagementPolicy>,
    wake_up: Option<Box<dyn WakeUp>>,
    /// What was last said to be due next.
    told_due: Option<WallTime>,
    dispatch: SwRegistrationHandle,
    network: NetworkMonitorHandle,
    subscription: SubscriptionId,
    clients: BTreeMap<ClientId, Client>,
    max_unanswered_requests: usize,
    /// Trusted code adds itself here; pages cannot.
    observers: Vec<Callback<LogEntry>>,
    /// Dispatches that wait for a look at the network and the permission: as many as may be in
    /// flight at most, and none after an input was handled.
    confirmations: VecDeque<(EventId, SyncKind, StorageKey)>,
    /// Trusted code again, in the moment between being told to end and the end.
    exits: Vec<Callback<()>>,
    exited: bool,
}

impl Runner {
    fn run(mut self, receiver: &Receiver<SyncManagerMessage>) {
        self.drain();
        // Before anything is known to have a worker: what is offline from the start fires nothing.
        let now = self.clock.now();
        self.manager.handle_network(now, self.network.current());
        self.drain();
        // What was decided while no engine ran is not told.
        let origins: Vec<StorageKey> = self.manager.origins().cloned().collect();
        for storage_key in origins {
            self.ask_permission(&storage_key);
        }
        let origins: Vec<StorageKey> = self.manager.periodic_origins().cloned().collect();
        for storage_key in origins {
            self.ask_engagement(&storage_key);
        }
        while !self.exited {
            self.tell_next_due();
            let timeout = self.manager.poll_deadline().after(self.clock.now());
            match receiver.recv_timeout(timeout) {
                Received::Message(message) => self.handle(message),
                Received::TimedOut => self.manager.handle_time(self.clock.now()),
                // Cannot be: a sender is kept here.
                Received::Disconnected => break,
            }
            self.drain();
        }
        self.network.unsubscribe(self.subscription);
        for done in self.exits {
            done.call(());
        }
    }

    fn handle(&mut self, message: SyncManagerMessage) {
        let now = self.clock.now();
        match message {
            SyncManagerMessage::AttachClient {
                client,
                storage_key,
                events,
            } => {
                self.clients.insert(
                    client,
                    Client {
                        storage_key,
                        events,
                        unanswered: 0,
                    },
                );
            }
            SyncManagerMessage::DetachClient { client } => {
                self.clients.remove(&client);
            }
            SyncManagerMessage::Request {
                client,
                request,
                registration: RegistrationReference { scope, ordinal },
                body,
            } => {
                let requester = Requester {
                    client,
                    request,
                    registration: ordinal,
                };
                self.handle_request(requester, scope, body);
            }
            SyncManagerMessage::ServiceWorker(notification) => {
                self.manager.handle_service_worker(now, notification);
            }
            SyncManagerMessage::StoredServiceWorkers(stored) => {
                let stored = stored.into_iter().map(StoredServiceWorker::from);
                self.manager.handle_stored_service_workers(now, stored);
            }
            // What the message says may be older than what was read at a dispatch since, and time
            // does not go back.
            SyncManagerMessage::Network(_) => {
                self.manager.handle_network(now, self.network.current());
            }
            SyncManagerMessage::EventEnded { event, outcome } => {
                // Whether the network is to blame depends on what it is like now, and the monitor
                // may know more than it has told.
                self.manager.handle_network(now, self.network.current());
                self.drain();
                self.manager.handle_event_ended(now, event, outcome);
            }
            SyncManagerMessage::Committed { commit, result } => {
                self.manager.handle_committed(now, commit, result);
            }
            SyncManagerMessage::PermissionChanged { storage_key } => {
                self.ask_permission(&storage_key);
            }
            SyncManagerMessage::EngagementChanged { storage_key } => {
                self.ask_engagement(&storage_key);
            }
            SyncManagerMessage::Explain { question, done } => {
                done.call(self.manager.explain(question));
            }
            SyncManagerMessage::ObserveLog { observer } => self.observers.push(observer),
            SyncManagerMessage::Snapshot { done } => done.call(self.manager.snapshot()),
            SyncManagerMessage::TimeChanged => self.manager.handle_time(now),
            SyncManagerMessage::Exit { done } => {
                self.exits.push(done);
                self.manager.handle_exit(now);
            }
        }
    }

    fn handle_request(&mut self, requester: Requester, scope: Url, body: SyncRequest) {
        // A client that is gone, or was never attached, has nobody to answer to.
        let Some(client) = self.clients.get_mut(&requester.client) else {
            return;
        };
        let storage_key = client.storage_key.clone();
        let (kind, tag) = match &body {
            SyncRequest::Tags => {
                self.manager
                    .handle_tags(requester, SyncKind::OneShot, &storage_key, &scope);
                return;
            }
            SyncRequest::PeriodicTags => {
                self.manager
                    .handle_tags(requester, SyncKind::Periodic, &storage_key, &scope);
                return;
            }
            SyncRequest::Register { tag } => (SyncKind::OneShot, tag.clone()),
            SyncRequest::RegisterPeriodic { tag, .. } | SyncRequest::UnregisterPeriodic { tag } => {
                (SyncKind::Periodic, tag.clone())
            }
        };
        if client.unanswered >= self.max_unanswered_requests {
            let limit = self.max_unanswered_requests;
            let error = RegisterError::TooManyRequests { limit }.exception();
            let (request, result) = (requester.request, Err(error));
            client.events.call(match body {
                SyncRequest::UnregisterPeriodic { .. } => {
                    SyncClientEvent::Unregistered { request, result }
                }
                _ => SyncClientEvent::Registered { request, result },
            });
            return;
        }
        client.unanswered += 1;
        let now = self.clock.now();
        let denied = self.denied(kind, &storage_key);
        let key = SyncKey {
            storage_key,
            scope,
            kind,
            tag,
        };
        match body {
            SyncRequest::RegisterPeriodic { min_interval, .. } => {
                let engagement = self.engagement.engagement(&key.storage_key);
                self.manager.handle_register_periodic(
                    now,
                    requester,
                    key,
                    min_interval,
                    denied,
                    engagement,
                );
            }
            SyncRequest::UnregisterPeriodic { .. } => {
                self.manager.handle_unregister_periodic(now, requester, key);
            }
            _ => self.manager.handle_register(now, requester, key, denied),
        }
    }

    /// The permission that an origin lacks for this kind, if any. Whoever may not sync at all may
    /// not sync periodically either.
    fn denied(&self, kind: SyncKind, storage_key: &StorageKey) -> Option<SyncKind> {
        if !self.permission.may_sync(storage_key) {
            return Some(SyncKind::OneShot);
        }
        let periodic = kind == SyncKind::Periodic;
        (periodic && !self.permission.may_sync_periodically(storage_key))
            .then_some(SyncKind::Periodic)
    }

    fn ask_permission(&mut self, storage_key: &StorageKey) {
        let denied = self.denied(SyncKind::Periodic, storage_key);
        let now = self.clock.now();
        self.manager.handle_permission(now, storage_key, denied);
        self.drain_outputs();
    }

    fn ask_engagement(&mut self, storage_key: &StorageKey) {
        let engagement = self.engagement.engagement(storage_key);
        let now = self.clock.now();
        self.manager.handle_engagement(now, storage_key, engagement);
        self.drain_outputs();
    }

    /// Tell who lets the machine sleep when something is due next, if that is another time than it
    /// was told.
    fn tell_next_due(&mut self) {
        let Some(wake_up) = &self.wake_up else { return };
        let deadline = self.manager.poll_deadline();
        let now = self.clock.now();
        let next = deadline
            .after(now)
            .map(|left| now.wall.saturating_add(left));
        // Of the two clocks, which are not read at quite the same time, the wall clock is exact.
        let next = match (next, deadline.wall) {
            (Some(next), Some(wall)) if wall.saturating_since(next) <= SAME_TIME => Some(wall),
            (next, _) => next,
        };
        let same = match (next, self.told_due) {
            (Some(next), Some(told)) => {
                next.saturating_since(told) <= SAME_TIME && told.saturating_since(next) <= SAME_TIME
            }
            (next, told) => next == told,
        };
        if !same {
            self.told_due = next;
            wake_up.next_due(next);
        }
    }

    /// Do what the manager wants until it wants nothing more.
    fn drain(&mut self) {
        loop {
            self.drain_outputs();
            let Some((event, kind, storage_key)) = self.confirmations.pop_front() else {
                return;
            };
            if kind == SyncKind::Periodic {
                self.ask_engagement(&storage_key);
            }
            let denied = self.denied(kind, &storage_key);
            let network = self.network.current();
            let now = self.clock.now();
            self.manager
                .handle_dispatch_confirmed(now, event, network, denied);
        }
    }

    fn drain_outputs(&mut self) {
        while let Some(output) = self.manager.poll_output() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Commit { commit, batch } => {
                let sender = self.sender.clone();
                let done = Callback::new(move |result: Result<(), CommitError>| {
                    let result = result.map_err(|error| error.to_string());
                    let _ = sender.send(SyncManagerMessage::Committed { commit, result });
                });
                // What only tells what happened need not cost a sync of its own.
                let durability = if batch.only_changes(Tree::SyncLog) {
                    Durability::Relaxed
                } else {
                    Durability::Durable
                };
                self.store.submit_with(batch, durability, done);
            }
            Output::Reply { client, event } => {
                if let Some(client) = self.clients.get_mut(&client) {
                    if !matches!(event, SyncClientEvent::Tags { .. }) {
                        client.unanswered = client.unanswered.saturating_sub(1);
                    }
                    client.events.call(event);
                }
            }
            Output::ConfirmDispatch {
                event,
                kind,
                storage_key,
            } => {
                self.confirmations.push_back((event, kind, storage_key));
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
                let sender = self.sender.clone();
                let done = Callback::new(move |outcome| {
                    let _ = sender.send(SyncManagerMessage::EventEnded { event, outcome });
                });
                let sync = match kind {
                    SyncKind::OneShot => WorkerEvent::Sync { tag, last_chance },
                    SyncKind::Periodic => WorkerEvent::PeriodicSync { tag },
                };
                self.dispatch
                    .dispatch_event(storage_key, scope, sync, time_limit, done);
            }
            Output::AwaitOrigin {
                storage_key,
                awaited,
            } => self.network.await_origin(storage_key, awaited),
            Output::Log(entry) => {
                for observer in &self.observers {
                    observer.call(entry.clone());
                }
            }
            Output::StoreFailed { reason, .. } => log::error!("{reason}"),
            Output::Exited => self.exited = true,
        }
    }
}
