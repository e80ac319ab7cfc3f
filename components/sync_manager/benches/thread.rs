//! The sync manager on its thread, in the place where an engine has it.

use std::sync::Arc;
use std::time::Instant;

use base::StorageKey;
use base::channel::{Callback, Receiver, unbounded};
use base::ids::ClientId;
use bench_support::{Contestant, Latencies, SystemClock, keep_in_flight};
use network_traits::{NetworkMonitorHandle, NetworkMonitorMessage, NetworkState};
use parking_lot::RwLock;
use storage::{Store, StoreConfig};
use sw_traits::{SwNotification, SwRegistrationHandle, SwRegistrationMessage};
use sync_manager::{SyncManagerConfig, SyncManagerThread, start};
use sync_traits::{
    Engagement, EngagementPolicy, PermissionPolicy, SyncClientEvent, SyncClientHandle, SyncRequest,
};
use url::Url;

use crate::machine::{offline, policy, site, tag};

struct AllowAll;

impl EngagementPolicy for AllowAll {
    fn engagement(&self, _: &StorageKey) -> Engagement {
        Engagement::High
    }
}

impl PermissionPolicy for AllowAll {
    fn may_sync(&self, _: &StorageKey) -> bool {
        true
    }
}

/// A page that registers one tag after another at a manager that is offline, so that nothing fires.
pub(crate) struct Registering {
    name: &'static str,
    number: u64,
    scope: Url,
    page: SyncClientHandle,
    events: Receiver<SyncClientEvent>,
    _network: Receiver<NetworkMonitorMessage>,
    _workers: Receiver<SwRegistrationMessage>,
    _thread: SyncManagerThread,
}

impl Registering {
    pub(crate) fn start(name: &'static str, config: StoreConfig) -> Self {
        let (store, _) = Store::open(config).unwrap();
        let (network_sender, network) = unbounded();
        let (workers_sender, workers) = unbounded();
        let current = Arc::new(RwLock::new(offline()));
        let thread = start(SyncManagerConfig {
            policy: policy(),
            seed: 7,
            store,
            clock: Arc::new(SystemClock::default()),
            permission: Box::new(AllowAll),
            engagement: Box::new(AllowAll),
            wake_up: None,
            dispatch: SwRegistrationHandle::new(workers_sender),
            network: NetworkMonitorHandle::new(network_sender, current),
            log_observer: Callback::ignore(),
        })
        .unwrap();
        let NetworkMonitorMessage::Subscribe { subscriber, .. } = network.recv().unwrap() else {
            panic!("the network is subscribed to first");
        };
        subscriber.call(NetworkState {
            emulated_offline: true,
            ..offline()
        });
        let SwRegistrationMessage::Snapshot { done } = workers.recv().unwrap() else {
            panic!("the service workers are asked for first");
        };
        done.call(Vec::new());
        let scope = site(0);
        let storage_key = StorageKey::from_url(&scope).unwrap();
        let handle = thread.handle();
        handle.notify_service_worker(SwNotification::Activated {
            storage_key: storage_key.clone(),
            scope: scope.clone(),
            ordinal: 1,
        });
        handle.notify_service_worker(SwNotification::WindowClients {
            storage_key: storage_key.clone(),
            count: 1,
        });
        let (sender, events) = unbounded();
        let events_to = Callback::to_sender(&sender, |event| event);
        let page = handle
            .attach_client(ClientId::random(), storage_key, events_to)
            .unwrap();
        Self {
            name,
            number: 0,
            scope,
            page,
            events,
            _network: network,
            _workers: workers,
            _thread: thread,
        }
    }
}

impl Contestant for Registering {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, in_flight: usize, end: Instant, latencies: &mut Latencies) {
        // Answers of one page come in the order of its requests.
        let sent = std::cell::RefCell::new(std::collections::VecDeque::new());
        let send = || {
            self.number += 1;
            let spread = self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            sent.borrow_mut().push_back(Instant::now());
            let tag = tag(spread);
            self.page
                .request(self.scope.clone(), SyncRequest::Register { tag })
                .unwrap();
        };
        keep_in_flight(in_flight, end, latencies, send, || {
            let SyncClientEvent::Registered { result, .. } = self.events.recv().unwrap() else {
                panic!("another answer than was asked for");
            };
            result.unwrap();
            sent.borrow_mut().pop_front().unwrap()
        });
    }
}
