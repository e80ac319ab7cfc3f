//! The state machine with a store that needs no time, and pages and workers that do what they are
//! told at once.

use std::collections::VecDeque;
use std::time::Duration;

use base::ids::{ClientId, CommitId, EventId, RequestId};
use base::time::{MonotonicTime, Timestamp, WallTime};
use base::{DomString, StorageKey};
use network_traits::{LinkState, NetworkIdentity, NetworkState};
use storage::Batch;
use sw_traits::{EventOutcome, SwNotification};
use sync_manager::{Output, Recovered, Requester, SyncKey, SyncManager, SyncPolicy};
use sync_traits::SyncKind;
use url::Url;

/// How many tags each site has when many registrations are spread over sites.
pub(crate) const TAGS_PER_SITE: u64 = 10;

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

/// The policy without the limits that a benchmark of very many would meet.
pub(crate) fn policy() -> SyncPolicy {
    SyncPolicy {
        max_tags_per_registration: usize::MAX,
        max_bytes_per_origin: u64::MAX,
        max_unanswered_requests: usize::MAX,
        ..SyncPolicy::default()
    }
}

pub(crate) fn start_of_time() -> Timestamp {
    Timestamp {
        wall: WallTime::from_millis(1_800_000_000_000),
        monotonic: MonotonicTime::from_start(Duration::from_secs(100)),
    }
}

/// The site with this number; numbers next to one another are not neighbours.
pub(crate) fn site(number: u64) -> Url {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Url::parse(&format!("https://site-{spread:016x}.example/")).unwrap()
}

pub(crate) fn tag(number: u64) -> DomString {
    DomString::from(format!("outbox-{number}"))
}

/// The registration with this number, with a few on each site.
pub(crate) fn key(number: u64) -> SyncKey {
    key_at(&site(number / TAGS_PER_SITE), number)
}

pub(crate) fn key_at(scope: &Url, number: u64) -> SyncKey {
    SyncKey {
        storage_key: StorageKey::from_url(scope).unwrap(),
        scope: scope.clone(),
        kind: SyncKind::OneShot,
        tag: tag(number),
    }
}

pub(crate) struct Machine {
    pub(crate) manager: SyncManager,
    pub(crate) now: Timestamp,
    network: NetworkState,
    requester: Requester,
    commits: VecDeque<CommitId>,
    confirmations: VecDeque<EventId>,
    /// Events that have not ended.
    pub(crate) running: VecDeque<EventId>,
    /// How many answers pages got.
    pub(crate) replies: u64,
    /// Where batches go, if they are not just dropped.
    pub(crate) write: Option<Box<dyn FnMut(Batch)>>,
}

impl Machine {
    pub(crate) fn new(network: NetworkState) -> Self {
        let now = start_of_time();
        let mut machine = Self {
            manager: SyncManager::new(policy(), 7, Recovered::default(), now),
            now,
            network: NetworkState::default(),
            requester: Requester {
                client: ClientId::random(),
                request: RequestId(1),
                registration: None,
            },
            commits: VecDeque::new(),
            confirmations: VecDeque::new(),
            running: VecDeque::new(),
            replies: 0,
            write: None,
        };
        machine.set_network(network);
        machine
    }

    /// With this many registrations, in back-off after a first attempt.
    pub(crate) fn with_waiting(count: u64) -> Self {
        let mut machine = Self::new(online());
        for number in 0..count {
            machine.register(key(number));
            machine.end_all(&rejected());
        }
        machine
    }

    pub(crate) fn set_network(&mut self, network: NetworkState) {
        self.network = network.clone();
        self.manager.handle_network(self.now, network);
        self.drain();
    }

    pub(crate) fn open_site(&mut self, scope: &Url) {
        let storage_key = StorageKey::from_url(scope).unwrap();
        for notification in [
            SwNotification::Activated {
                storage_key: storage_key.clone(),
                scope: scope.clone(),
                ordinal: 1,
            },
            SwNotification::WindowClients {
                storage_key: storage_key.clone(),
                count: 1,
            },
        ] {
            self.manager.handle_service_worker(self.now, notification);
            self.drain();
        }
    }

    /// A page of the site registers; the site is opened with the first of its tags.
    pub(crate) fn register(&mut self, key: SyncKey) {
        self.open_site(&key.scope);
        let replies = self.replies;
        self.manager
            .handle_register(self.now, self.requester, key, None);
        self.drain();
        assert_eq!(self.replies, replies + 1);
    }

    /// As [`register`](Self::register), on a site that is open.
    pub(crate) fn register_open(&mut self, key: SyncKey) {
        self.manager
            .handle_register(self.now, self.requester, key, None);
        self.drain();
    }

    pub(crate) fn tags(&mut self, scope: &Url, storage_key: &StorageKey) -> Option<Output> {
        self.manager
            .handle_tags(self.requester, SyncKind::OneShot, storage_key, scope);
        self.manager.poll_output()
    }

    /// All events that are under way end, and those that follow them; gives how many.
    pub(crate) fn end_all(&mut self, outcome: &EventOutcome) -> u64 {
        let mut ended = 0;
        while let Some(event) = self.running.pop_front() {
            self.manager
                .handle_event_ended(self.now, event, outcome.clone());
            self.drain();
            ended += 1;
        }
        ended
    }

    pub(crate) fn drain(&mut self) {
        loop {
            while self.step() {}
            if let Some(event) = self.confirmations.pop_front() {
                let network = self.network.clone();
                self.manager
                    .handle_dispatch_confirmed(self.now, event, network, None);
            } else if let Some(commit) = self.commits.pop_front() {
                self.manager.handle_committed(self.now, commit, Ok(()));
            } else {
                return;
            }
        }
    }

    /// Take one output; false when there is none.
    fn step(&mut self) -> bool {
        match self.manager.poll_output() {
            None => return false,
            Some(Output::Commit { commit, batch }) => {
                if let Some(write) = &mut self.write {
                    write(batch);
                }
                self.commits.push_back(commit);
            }
            Some(Output::ConfirmDispatch { event, .. }) => self.confirmations.push_back(event),
            Some(Output::Dispatch { event, .. }) => self.running.push_back(event),
            Some(Output::Reply { .. }) => self.replies += 1,
            Some(_) => {}
        }
        true
    }
}

pub(crate) fn rejected() -> EventOutcome {
    EventOutcome::Rejected {
        reason: "TypeError: fetch failed".to_owned(),
    }
}
