//! The state machine: its tables, what it is told, and what it answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::ids::{ClientId, CommitId, EventId, RequestId};
use base::time::{Deadline, MonotonicTime, Timestamp};
use base::{DomString, StorageKey};
use network_traits::{NetworkIdentity, NetworkState};
use storage::Batch;
use sw_traits::{RegistrationSnapshot, SwNotification};
use sync_traits::{
    DropReason, Engagement, LogEntry, LogEvent, SyncClientEvent, SyncKind, SyncRegistrationInfo,
    SyncRegistrationState,
};
use url::Url;

use crate::attempt::Flight;
use crate::commit::{CommitInFlight, StoreRetry};
use crate::error::RegisterError;
use crate::event_log::{Draft, EventLog};
use crate::jitter::Jitter;
use crate::periodic::{PeriodicSchedule, TurnOf, TurnRecord};
use crate::place::Place;
use crate::policy::SyncPolicy;
use crate::record::{RecordState, SyncKey, SyncRecord};
use crate::refires::Refires;
use crate::schedule::{EntryId, ReadyQueue, Timers};
use crate::tables::{Ask, Asked, Entry, HELD_CANDIDATES_PER_INPUT, Origin, Scope};
use crate::transition::public_state;

/// What the manager wants done.
#[derive(Debug)]
pub enum Output {
    /// Make this batch durable, and say how that ended with
    /// [`handle_committed`](SyncManager::handle_committed). Batches are handed to the store in the
    /// order in which they come out. One that changes the event log alone may become durable
    /// later.
    Commit {
        /// The id for the answer.
        commit: CommitId,
        /// The changes.
        batch: Batch,
    },
    /// Answer a request.
    Reply {
        /// Who asked.
        client: ClientId,
        /// The answer.
        event: SyncClientEvent,
    },
    /// Everything that a dispatch needs is durable. Read the state of the network and the
    /// permission now, and say what they are with
    /// [`handle_dispatch_confirmed`](SyncManager::handle_dispatch_confirmed).
    ConfirmDispatch {
        /// The id for the answer.
        event: EventId,
        /// Which permission it needs.
        kind: SyncKind,
        /// The origin to ask the permission policy about.
        storage_key: StorageKey,
    },
    /// Dispatch a `sync` or `periodicsync` event, and say how it ended with
    /// [`handle_event_ended`](SyncManager::handle_event_ended).
    Dispatch {
        /// The id for the answer.
        event: EventId,
        /// Whether it is a `sync` or a `periodicsync` event.
        kind: SyncKind,
        /// Whose registration.
        storage_key: StorageKey,
        /// The scope of the service worker registration.
        scope: Url,
        /// The event's tag.
        tag: DomString,
        /// The `lastChance` of a `sync` event; false for others.
        last_chance: bool,
        /// How long the worker may take, from when it gets the event.
        time_limit: Duration,
    },
    /// Something waits for this origin to be reachable, or nothing does any more: tell the network
    /// monitor, which probes it as long as something does. Comes only when that changes.
    AwaitOrigin {
        /// The origin.
        storage_key: StorageKey,
        /// Whether something waits for it.
        awaited: bool,
    },
    /// This entry of the event log is durable.
    Log(LogEntry),
    /// The store could not write. What was asked for by a page has been rejected; the rest is tried
    /// again.
    StoreFailed {
        /// What the store said.
        reason: String,
        /// When the next try is made.
        retry: MonotonicTime,
    },
    /// After [`handle_exit`](SyncManager::handle_exit): nothing is on its way any more.
    Exited,
}

/// What was found in the store.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The registrations.
    pub records: Vec<(SyncKey, SyncRecord)>,
    /// Those whose record cannot be read; it is out of the way already.
    pub unreadable: Vec<SyncKey>,
    /// The last turns of periodic syncs: of each origin, and of all of them.
    pub turns: Vec<(TurnOf, TurnRecord)>,
    /// The numbers of the entries of the event log.
    pub log_sequences: BTreeSet<u64>,
    /// The entries of the event log, oldest first, as far as they can be read.
    pub log: Vec<LogEntry>,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    /// The client.
    pub client: ClientId,
    /// Its request.
    pub request: RequestId,
    /// The [ordinal](sw_traits::RegistrationInfo::ordinal) of the service worker registration that
    /// is meant; without one, whichever has the scope now.
    pub registration: Option<u64>,
}

/// Background Sync, one-shot and periodic, as a state machine. See the
/// [crate's front page](crate) for how it is driven.
#[derive(Debug)]
pub struct SyncManager {
    pub(crate) policy: SyncPolicy,
    pub(crate) jitter: Jitter,
    pub(crate) network: NetworkState,
    /// The network on which the machine is or was last.
    pub(crate) last_network: Option<NetworkIdentity>,
    /// Counts the changes of the network.
    pub(crate) network_changes: u64,
    /// When the network, which has just come, is taken to stay.
    pub(crate) settled_at: Option<MonotonicTime>,
    /// The origins for which the network monitor knows that something waits. Each has a
    /// registration.
    pub(crate) awaited: BTreeSet<StorageKey>,
    /// The origins for which that may have changed with this input.
    pub(crate) await_anew: BTreeSet<StorageKey>,
    /// Whether the stored service worker registrations have been reported.
    pub(crate) service_workers_known: bool,
    pub(crate) origins: BTreeMap<StorageKey, Origin>,
    pub(crate) entries: BTreeMap<EntryId, Entry>,
    pub(crate) ready: ReadyQueue,
    pub(crate) timers: Timers,
    /// The registrations in back-off, by origin.
    pub(crate) waiting: BTreeMap<StorageKey, BTreeSet<EntryId>>,
    /// From the start of an attempt until the worker is done with the event.
    pub(crate) flights: BTreeMap<EventId, Flight>,
    /// The events in flight whose service worker registration is gone.
    pub(crate) orphaned_events: BTreeSet<EventId>,
    /// At most one for each entry, and one of the event log.
    pub(crate) commits: BTreeMap<CommitId, CommitInFlight>,
    /// The one batch on its way that holds nothing but entries of the event log.
    pub(crate) log_batch: Option<CommitId>,
    /// Entries that wait for the store to work again. Of the entries, so bounded as they are: by
    /// the quota of each origin, and what a page asks for is rejected while the store fails.
    pub(crate) unwritten: BTreeSet<EntryId>,
    pub(crate) store_retry: Option<StoreRetry>,
    pub(crate) refires: Refires,
    pub(crate) periodic: PeriodicSchedule,
    /// The moment of the last input.
    pub(crate) now: Timestamp,
    pub(crate) log: EventLog,
    /// Entries whose reason for being held may be new to the event log, as many as are looked at.
    pub(crate) held_anew: Vec<EntryId>,
    pub(crate) next_entry: u64,
    pub(crate) next_event: u64,
    pub(crate) next_commit: u64,
    pub(crate) next_sequence: u64,
    pub(crate) exiting: bool,
    exited: bool,
    /// Drained after each input, so never more than follows from one: a few for each registration
    /// that it changes.
    pub(crate) outputs: VecDeque<Output>,
}

/// A service worker registration that is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredServiceWorker {
    /// Whose it is.
    pub storage_key: StorageKey,
    /// Its scope.
    pub scope: Url,
    /// Its [ordinal](sw_traits::RegistrationInfo::ordinal).
    pub ordinal: u64,
    /// Whether it has an active worker.
    pub active_worker: bool,
}

impl From<RegistrationSnapshot> for StoredServiceWorker {
    fn from(snapshot: RegistrationSnapshot) -> Self {
        Self {
            storage_key: snapshot.storage_key,
            active_worker: snapshot.registration.active.is_some(),
            scope: snapshot.registration.scope,
            ordinal: snapshot.registration.ordinal,
        }
    }
}

impl SyncManager {
    /// A manager of what was found in the store. `seed` is for the jitter of delays.
    ///
    /// Until it is told otherwise, the network is unknown and nothing has an active worker.
    pub fn new(policy: SyncPolicy, seed: u64, recovered: Recovered, now: Timestamp) -> Self {
        let policy = policy.clamped();
        let log = EventLog::new(
            policy.max_log_entries,
            recovered.log_sequences,
            recovered.log,
        );
        let mut manager = Self {
            periodic: PeriodicSchedule::new(policy.periodic.clone()),
            now,
            policy,
            jitter: Jitter::new(seed),
            network: NetworkState::default(),
            last_network: None,
            network_changes: 0,
            settled_at: None,
            awaited: BTreeSet::new(),
            await_anew: BTreeSet::new(),
            service_workers_known: false,
            origins: BTreeMap::new(),
            entries: BTreeMap::new(),
            ready: ReadyQueue::default(),
            timers: Timers::default(),
            waiting: BTreeMap::new(),
            flights: BTreeMap::new(),
            orphaned_events: BTreeSet::new(),
            commits: BTreeMap::new(),
            log_batch: None,
            unwritten: BTreeSet::new(),
            store_retry: None,
            refires: Refires::default(),
            log,
            held_anew: Vec::new(),
            next_entry: 0,
            next_event: 0,
            next_commit: 0,
            next_sequence: 0,
            exiting: false,
            exited: false,
            outputs: VecDeque::new(),
        };
        for key in recovered.unreadable {
            let event = LogEvent::Dropped {
                reason: DropReason::Unreadable,
            };
            manager.log.push(Draft {
                time: now.wall,
                key: Arc::new(key),
                event,
            });
        }
        for (of, record) in recovered.turns {
            manager.periodic.recover(of, &record, now);
        }
        for (key, record) in recovered.records {
            manager.recover(key, record, now);
        }
        manager.periodic.end_recovery();
        manager.settle(now);
        manager
    }

    /// What is to be done next, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_time`](Self::handle_time) must be called if nothing else happens.
    pub fn poll_deadline(&self) -> Deadline {
        if self.exiting {
            return Deadline::default();
        }
        let (timers, periodic) = (self.timers.deadline(), self.periodic.deadline());
        let retry = self.store_retry_deadline();
        Deadline {
            wall: timers.wall.into_iter().chain(periodic.wall).min(),
            monotonic: [timers.monotonic, periodic.monotonic, retry, self.settled_at]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    /// Time has passed, or the clock was set.
    pub fn handle_time(&mut self, now: Timestamp) {
        self.begin();
        self.settle(now);
    }

    /// A page or worker calls `register()`. `denied` is the permission that the origin lacks now,
    /// if it lacks the one that it needs.
    ///
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>
    pub fn handle_register(
        &mut self,
        now: Timestamp,
        requester: Requester,
        key: SyncKey,
        denied: Option<SyncKind>,
    ) {
        self.begin();
        let key = SyncKey {
            kind: SyncKind::OneShot,
            ..key
        };
        let what = Ask::Register;
        self.register(now, Asked { requester, what }, key, denied, None);
        self.settle(now);
    }

    /// Register a tag of either kind; a periodic one with what the engagement policy says.
    pub(crate) fn register(
        &mut self,
        now: Timestamp,
        asked: Asked,
        key: SyncKey,
        denied: Option<SyncKind>,
        engagement: Option<Engagement>,
    ) {
        if let Err(error) = self.check_register(now, &key, asked.requester.registration, denied) {
            self.reply(asked, Err(error.exception()));
            return;
        }
        let storage_key = key.storage_key.clone();
        let id = self.entry_of(key);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.asked.push(asked);
        }
        if let Some(engagement) = engagement {
            self.set_engagement(now, &storage_key, engagement);
        }
        self.advance(id, now);
    }

    /// A page or worker calls `getTags()`: what is durable, in order of registration.
    ///
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-gettags>,
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-gettags>
    pub fn handle_tags(
        &mut self,
        requester: Requester,
        kind: SyncKind,
        storage_key: &StorageKey,
        scope: &Url,
    ) {
        self.begin();
        let scope = self.scope(storage_key, scope);
        let scope = scope.filter(|scope| scope.is(requester.registration));
        let tags = scope.map(|scope| scope.listed(kind).cloned().collect());
        let result = Ok(tags.unwrap_or_default());
        let event = SyncClientEvent::Tags {
            request: requester.request,
            result,
        };
        self.outputs.push_back(Output::Reply {
            client: requester.client,
            event,
        });
    }

    /// Which service worker registrations are stored, and whether each has an active worker. What
    /// was registered for others is dropped: their removal did not get to the end. So is what was
    /// registered for an earlier registration of the same scope.
    pub fn handle_stored_service_workers(
        &mut self,
        now: Timestamp,
        stored: impl IntoIterator<Item = StoredServiceWorker>,
    ) {
        self.begin();
        let mut known = BTreeSet::new();
        for stored in stored {
            let (storage_key, scope) = (stored.storage_key, stored.scope);
            self.set_active_worker(&storage_key, &scope, stored.active_worker);
            self.set_registration(&storage_key, &scope, stored.ordinal);
            known.insert((storage_key, scope));
        }
        self.service_workers_known = true;
        let (mut found, mut orphans) = (Vec::new(), Vec::new());
        for (storage_key, origin) in &self.origins {
            for (url, scope) in &origin.scopes {
                if known.contains(&(storage_key.clone(), url.clone())) {
                    let room = HELD_CANDIDATES_PER_INPUT.saturating_sub(found.len());
                    found.extend(scope.all().take(room));
                    orphans.extend(self.left_behind(scope));
                } else {
                    orphans.extend(scope.all());
                }
            }
        }
        for id in found {
            self.note_hold(id);
        }
        self.remove_all(&orphans, DropReason::Unregistered, now);
        self.settle(now);
    }

    /// The service worker registrations changed.
    pub fn handle_service_worker(&mut self, now: Timestamp, notification: SwNotification) {
        self.begin();
        match notification {
            SwNotification::Activated {
                storage_key,
                scope,
                ordinal,
            } => {
                self.set_active_worker(&storage_key, &scope, true);
                self.set_registration(&storage_key, &scope, ordinal);
            }
            SwNotification::Unregistered { storage_key, scope } => {
                let ids: Vec<_> = self
                    .scope(&storage_key, &scope)
                    .map(|scope| scope.all().collect())
                    .unwrap_or_default();
                // The records went with the commit that removed the service worker; but a batch of
                // ours may have got to the store after it, so they are removed once more.
                self.remove_all(&ids, DropReason::Unregistered, now);
                self.set_active_worker(&storage_key, &scope, false);
                self.forget_empty_scope(&storage_key, &scope);
            }
            SwNotification::WindowClients { storage_key, count } => {
                let origin = self.origins.entry(storage_key.clone()).or_default();
                let before = std::mem::replace(&mut origin.windows, count);
                if (before == 0) != (count == 0) {
                    self.refresh_lanes(Some(&storage_key));
                }
                self.forget_empty_origin(&storage_key);
            }
        }
        self.settle(now);
    }

    /// The network is like this now.
    pub fn handle_network(&mut self, now: Timestamp, network: NetworkState) {
        self.begin();
        self.update_network(now, network);
        self.settle(now);
    }

    /// The origins that have registrations: those about which the permission policy is asked after
    /// a start.
    pub fn origins(&self) -> impl Iterator<Item = &StorageKey> {
        self.origins.keys()
    }

    /// An origin lacks this permission now, or none. Revocation of `background-sync` (one-shot)
    /// removes every registration of the origin, of both kinds; that of
    /// `periodic-background-sync`, every periodic one.
    pub fn handle_permission(
        &mut self,
        now: Timestamp,
        storage_key: &StorageKey,
        denied: Option<SyncKind>,
    ) {
        self.begin();
        if let Some(denied) = denied {
            self.revoke(storage_key, denied, now);
        }
        self.settle(now);
    }

    /// Start nothing more, and answer [`Output::Exited`] when the writes on their way have ended.
    /// An event in flight is taken back: it fires again after the next start, and the attempt does
    /// not count. How the worker ends it is ignored.
    pub fn handle_exit(&mut self, now: Timestamp) {
        self.begin();
        if !self.exiting {
            self.exiting = true;
            self.take_back_flights(now);
            self.await_anew.extend(self.awaited.iter().cloned());
        }
        self.settle(now);
    }

    /// Every registration, with what holds it back, by origin, scope and tag.
    pub fn snapshot(&self) -> Vec<SyncRegistrationInfo> {
        let ids = self
            .origins
            .values()
            .flat_map(|origin| origin.scopes.values().flat_map(Scope::all));
        ids.filter_map(|id| self.info(self.entries.get(&id)?))
            .collect()
    }

    /// A registration as an operator sees it; nothing for one that is not there any more.
    pub(crate) fn info(&self, entry: &Entry) -> Option<SyncRegistrationInfo> {
        let record = entry.visible_record()?;
        let periodic = record.periodic.as_ref();
        let storage_key = &entry.key.storage_key;
        let suspended = matches!(entry.place, Place::Suspended);
        let due = match record.state {
            RecordState::Waiting { due } => Some(due),
            RecordState::Pending => periodic.and_then(|periodic| {
                let due = self.periodic.due_of(storage_key, periodic)?;
                Some(self.periodic.admits(storage_key, due, self.now).1.wall)
            }),
            RecordState::Firing { .. } => None,
        };
        Some(SyncRegistrationInfo {
            kind: entry.key.kind,
            storage_key: storage_key.clone(),
            scope: entry.key.scope.clone(),
            tag: entry.key.tag.clone(),
            state: if suspended {
                SyncRegistrationState::Suspended
            } else {
                public_state(record.state)
            },
            attempts: record.attempts,
            registered: record.registered,
            min_interval: periodic.map(|periodic| periodic.min_interval),
            due,
            held_by: self.held_by(entry),
        })
    }

    /// The contract: whoever changes the manager drains its outputs before the next change.
    pub(crate) fn begin(&self) {
        debug_assert!(
            self.outputs.is_empty(),
            "poll_output must be called until it gives nothing before the next input"
        );
    }

    /// What follows from any input.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.now = now;
        if !self.exiting {
            self.run_timers(now);
            self.run_periodic(now);
            self.retry_store(now);
            self.start_attempts(now);
            self.log_holds(now);
        }
        self.flush_log();
        self.periodic.settle(now);
        self.update_awaited();
        if self.exiting && self.commits.is_empty() && self.flights.is_empty() && !self.exited {
            self.exited = true;
            self.outputs.push_back(Output::Exited);
        }
    }

    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>, as far as it may
    /// reject.
    fn check_register(
        &mut self,
        now: Timestamp,
        key: &SyncKey,
        registration: Option<u64>,
        denied: Option<SyncKind>,
    ) -> Result<(), RegisterError> {
        if self.exiting {
            return Err(RegisterError::ShuttingDown);
        }
        let scope = self.scope(&key.storage_key, &key.scope);
        // Step 2: there must be an active worker. A registration that is gone has none, whatever
        // there is for its scope now.
        let Some(scope) = scope.filter(|scope| scope.active_worker && scope.is(registration))
        else {
            return Err(RegisterError::NoActiveWorker);
        };
        let tags = scope.len();
        let exists = scope.tags(key.kind).contains_key(&key.tag);
        // Step 3: the user must not have disabled background sync.
        if let Some(denied) = denied {
            self.revoke(&key.storage_key, denied, now);
            return Err(RegisterError::PermissionDenied(denied));
        }
        // Step 4 to 6: the origin must not be in the background.
        let origin = self.origins.get(&key.storage_key);
        let Some(origin) = origin.filter(|origin| origin.windows > 0) else {
            return Err(RegisterError::NoWindow);
        };
        // Not in the spec: limits on what a site may use.
        let (length, limit) = (key.tag.utf8_len(), self.policy.max_tag_bytes);
        if length > limit {
            return Err(RegisterError::TagTooLong { length, limit });
        }
        if exists {
            return Ok(());
        }
        if tags >= self.policy.max_tags_per_registration {
            return Err(RegisterError::TooManyTags {
                limit: self.policy.max_tags_per_registration,
            });
        }
        let limit = self.policy.max_bytes_per_origin;
        if origin.bytes.saturating_add(key.stored_bytes()) > limit {
            return Err(RegisterError::OriginFull { limit });
        }
        Ok(())
    }
}
