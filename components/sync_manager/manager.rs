//! The state machine: its tables, what it is told, and what it answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::ids::{ClientId, CommitId, EventId, RequestId};
use base::time::{Deadline, MonotonicTime, Timestamp};
use base::{DomString, StorageKey};
use network_traits::{NetworkIdentity, NetworkState};
use storage::Batch;
use sw_traits::SwNotification;
use sync_traits::{DropReason, LogEntry, LogEvent, SyncClientEvent, SyncRegistrationInfo};
use url::Url;

use crate::attempt::Flight;
use crate::commit::{CommitInFlight, StoreRetry};
use crate::error::RegisterError;
use crate::event_log::{Draft, EventLog};
use crate::jitter::Jitter;
use crate::policy::SyncPolicy;
use crate::record::{RecordState, SyncKey, SyncRecord};
use crate::refires::Refires;
use crate::schedule::{EntryId, ReadyQueue, Timers};
use crate::tables::{Entry, HELD_ENTRIES_PER_INPUT, Origin};
use crate::transition::{End, Ended, public_state};

/// What the manager wants done.
#[derive(Debug)]
pub enum Output {
    /// Make this batch durable, and say how that ended with
    /// [`handle_committed`](SyncManager::handle_committed). Batches are handed to the store in the
    /// order in which they come out.
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
        /// The origin to ask the permission policy about.
        storage_key: StorageKey,
    },
    /// Dispatch a `sync` event, and say how it ended with
    /// [`handle_event_ended`](SyncManager::handle_event_ended).
    Dispatch {
        /// The id for the answer.
        event: EventId,
        /// Whose registration.
        storage_key: StorageKey,
        /// The scope of the service worker registration.
        scope: Url,
        /// The event's tag.
        tag: DomString,
        /// The event's `lastChance`.
        last_chance: bool,
        /// How long the worker may take, from when it gets the event.
        time_limit: Duration,
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
    /// The numbers of the entries of the event log.
    pub log_sequences: BTreeSet<u64>,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    /// The client.
    pub client: ClientId,
    /// Its request.
    pub request: RequestId,
}

/// One-shot Background Sync as a state machine. See the [crate's front page](crate) for how it is
/// driven.
#[derive(Debug)]
pub struct SyncManager {
    pub(crate) policy: SyncPolicy,
    pub(crate) jitter: Jitter,
    pub(crate) network: NetworkState,
    /// The network on which the machine is or was last.
    pub(crate) last_network: Option<NetworkIdentity>,
    /// Counts the changes of the network.
    pub(crate) network_changes: u64,
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
    pub(crate) commits: BTreeMap<CommitId, CommitInFlight>,
    /// Entries that wait for the store to work again.
    pub(crate) unwritten: BTreeSet<EntryId>,
    pub(crate) store_retry: Option<StoreRetry>,
    pub(crate) refires: Refires,
    pub(crate) log: EventLog,
    /// Entries whose reason for being held may be new to the event log.
    pub(crate) held_anew: Vec<EntryId>,
    pub(crate) next_entry: u64,
    pub(crate) next_event: u64,
    pub(crate) next_commit: u64,
    pub(crate) next_sequence: u64,
    pub(crate) exiting: bool,
    exited: bool,
    pub(crate) outputs: VecDeque<Output>,
}

impl SyncManager {
    /// A manager of what was found in the store. `seed` is for the jitter of delays.
    ///
    /// Until it is told otherwise, the network is unknown and nothing has an active worker.
    pub fn new(policy: SyncPolicy, seed: u64, recovered: Recovered, now: Timestamp) -> Self {
        let log = EventLog::new(policy.max_log_entries, recovered.log_sequences);
        let mut manager = Self {
            policy,
            jitter: Jitter::new(seed),
            network: NetworkState::default(),
            last_network: None,
            network_changes: 0,
            service_workers_known: false,
            origins: BTreeMap::new(),
            entries: BTreeMap::new(),
            ready: ReadyQueue::default(),
            timers: Timers::default(),
            waiting: BTreeMap::new(),
            flights: BTreeMap::new(),
            commits: BTreeMap::new(),
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
                key,
                event,
            });
        }
        for (key, record) in recovered.records {
            manager.recover(key, record, now);
        }
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
        let mut deadline = self.timers.deadline();
        if let Some(retry) = self.store_retry_deadline() {
            deadline.monotonic = deadline.monotonic.into_iter().chain([retry]).min();
        }
        deadline
    }

    /// Time has passed, or the clock was set.
    pub fn handle_time(&mut self, now: Timestamp) {
        self.begin();
        self.settle(now);
    }

    /// A page or worker calls `register()`. `may_sync` is what the permission policy says about
    /// the origin now.
    ///
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>
    pub fn handle_register(
        &mut self,
        now: Timestamp,
        requester: Requester,
        key: SyncKey,
        may_sync: bool,
    ) {
        self.begin();
        match self.check_register(now, &key, may_sync) {
            Ok(()) => {
                let id = self.entry_of(key);
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.requesters.push(requester);
                }
                self.advance(id, now);
            }
            Err(error) => self.reply_registered(requester, Err(error.exception())),
        }
        self.settle(now);
    }

    /// A page or worker calls `getTags()`: what is durable, in order of registration.
    ///
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-gettags>
    pub fn handle_tags(&mut self, requester: Requester, storage_key: &StorageKey, scope: &Url) {
        self.begin();
        let mut tags: Vec<(u64, &DomString)> = self
            .scope(storage_key, scope)
            .into_iter()
            .flat_map(|scope| scope.tags.values())
            .filter_map(|id| self.entries.get(id))
            .filter_map(|entry| Some((entry.visible_record()?.sequence, &entry.key.tag)))
            .collect();
        tags.sort_unstable_by_key(|(sequence, _)| *sequence);
        let result = Ok(tags.into_iter().map(|(_, tag)| tag.clone()).collect());
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
    /// was registered for others is dropped: their removal did not get to the end.
    pub fn handle_stored_service_workers(
        &mut self,
        now: Timestamp,
        stored: impl IntoIterator<Item = (StorageKey, Url, bool)>,
    ) {
        self.begin();
        let mut known = BTreeSet::new();
        for (storage_key, scope, active_worker) in stored {
            self.set_active_worker(&storage_key, &scope, active_worker);
            known.insert((storage_key, scope));
        }
        self.service_workers_known = true;
        let mut orphans = Vec::new();
        for (storage_key, origin) in &self.origins {
            for (url, scope) in &origin.scopes {
                if known.contains(&(storage_key.clone(), url.clone())) {
                    self.held_anew
                        .extend(scope.tags.values().take(HELD_ENTRIES_PER_INPUT));
                } else {
                    orphans.extend(scope.tags.values().copied());
                }
            }
        }
        self.remove_all(&orphans, DropReason::Unregistered, now);
        self.settle(now);
    }

    /// The service worker registrations changed.
    pub fn handle_service_worker(&mut self, now: Timestamp, notification: SwNotification) {
        self.begin();
        match notification {
            SwNotification::Activated { storage_key, scope } => {
                self.set_active_worker(&storage_key, &scope, true);
            }
            SwNotification::Unregistered { storage_key, scope } => {
                let ids: Vec<_> = self
                    .scope(&storage_key, &scope)
                    .map(|scope| scope.tags.values().copied().collect())
                    .unwrap_or_default();
                // The records went with the commit that removed the service worker; but a batch of
                // ours may have got to the store after it, so they are removed once more.
                self.remove_all(&ids, DropReason::Unregistered, now);
                self.set_active_worker(&storage_key, &scope, false);
                self.forget_empty_scope(&storage_key, &scope);
            }
            SwNotification::WindowClients { storage_key, count } => {
                self.origins.entry(storage_key.clone()).or_default().windows = count;
                self.forget_empty_origin(&storage_key);
            }
        }
        self.settle(now);
    }

    /// The network is like this now.
    pub fn handle_network(&mut self, now: Timestamp, network: NetworkState) {
        self.begin();
        self.update_network(network);
        self.settle(now);
    }

    /// The permission policy says this about an origin now. Revocation removes every registration
    /// of the origin.
    pub fn handle_permission(&mut self, now: Timestamp, storage_key: &StorageKey, may_sync: bool) {
        self.begin();
        if !may_sync {
            self.revoke(storage_key, now);
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
        }
        self.settle(now);
    }

    /// Every registration, with what holds it back, by origin, scope and tag.
    pub fn snapshot(&self) -> Vec<SyncRegistrationInfo> {
        let ids = self.origins.values().flat_map(|origin| {
            origin
                .scopes
                .values()
                .flat_map(|scope| scope.tags.values().copied())
        });
        ids.filter_map(|id| {
            let entry = self.entries.get(&id)?;
            let record = entry.visible_record()?;
            let state = public_state(record.state);
            let due = match record.state {
                RecordState::Waiting { due } => Some(due),
                RecordState::Pending | RecordState::Firing { .. } => None,
            };
            Some(SyncRegistrationInfo {
                storage_key: entry.key.storage_key.clone(),
                scope: entry.key.scope.clone(),
                tag: entry.key.tag.clone(),
                state,
                attempts: record.attempts,
                registered: record.registered,
                due,
                held_by: self.held_by(entry),
            })
        })
        .collect()
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
        if !self.exiting {
            self.run_timers(now);
            self.retry_store(now);
            self.start_attempts(now);
            self.log_holds(now);
        }
        self.flush_log();
        if self.exiting && self.commits.is_empty() && self.flights.is_empty() && !self.exited {
            self.exited = true;
            self.outputs.push_back(Output::Exited);
        }
    }

    /// Take over a record that an earlier run left behind.
    fn recover(&mut self, key: SyncKey, record: SyncRecord, now: Timestamp) {
        self.next_sequence = self.next_sequence.max(record.sequence.saturating_add(1));
        let mut interrupted = None;
        let mut due = None;
        match record.state {
            RecordState::Pending => {}
            RecordState::Waiting { due: wall } => {
                // When the clock was set back while nothing ran, no back-off gets longer than it
                // can be.
                let (_, longest) = self
                    .policy
                    .jitter_range(self.policy.retry_delay(self.policy.max_attempts));
                let left = wall.saturating_since(now.wall).min(longest);
                due = Some(now.monotonic.saturating_add(left));
            }
            RecordState::Firing { started, .. } => {
                // The attempt ended when the engine did, which is known no better.
                let at = Timestamp {
                    wall: started.min(now.wall),
                    monotonic: now.monotonic,
                };
                interrupted = Some((record.attempts, at));
            }
        }
        let id = self.entry_of(key);
        let ended = interrupted.map(|(attempts, at)| Ended {
            how: End::Interrupted,
            at,
            retry_delay: self.draw_retry_delay(attempts),
            early_requesters: 0,
        });
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.record = Some(record);
            entry.due = due;
            entry.ended = ended;
        }
        self.advance(id, now);
    }

    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>, as far as it may
    /// reject.
    fn check_register(
        &mut self,
        now: Timestamp,
        key: &SyncKey,
        may_sync: bool,
    ) -> Result<(), RegisterError> {
        if self.exiting {
            return Err(RegisterError::ShuttingDown);
        }
        let scope = self.scope(&key.storage_key, &key.scope);
        // Step 2: there must be an active worker.
        let Some(scope) = scope.filter(|scope| scope.active_worker) else {
            return Err(RegisterError::NoActiveWorker);
        };
        let tags = scope.tags.len();
        let exists = scope.tags.contains_key(&key.tag);
        // Step 3: the user must not have disabled background sync.
        if !may_sync {
            self.revoke(&key.storage_key, now);
            return Err(RegisterError::PermissionDenied);
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
