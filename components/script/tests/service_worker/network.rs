//! What a service worker learns of the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, Receiver, unbounded};
use network_traits::{LinkState, NetworkMonitorHandle, NetworkMonitorMessage, NetworkState};
use parking_lot::RwLock;
use script::{ScriptReport, ServiceWorkerThreads, Services};
use sw_traits::EventOutcome;

use super::host::{Host, take, url};

/// A network monitor that is the test.
struct Monitor {
    messages: Receiver<NetworkMonitorMessage>,
    current: Arc<RwLock<NetworkState>>,
    subscriber: Option<Callback<NetworkState>>,
}

impl Monitor {
    /// One that the workers of this host follow from now on.
    fn of(host: &mut Host) -> Self {
        let (sender, messages) = unbounded();
        let current = Arc::new(RwLock::new(online()));
        host.threads = ServiceWorkerThreads::new(Services {
            network: NetworkMonitorHandle::new(sender, Arc::clone(&current)),
            ..host.services.clone()
        });
        Self {
            messages,
            current,
            subscriber: None,
        }
    }

    /// Waits for somebody who wants to be told of changes.
    fn expect_subscription(&mut self) {
        let NetworkMonitorMessage::Subscribe { subscriber, .. } = take(&self.messages) else {
            panic!("another message");
        };
        subscriber.call(self.current.read().clone());
        self.subscriber = Some(subscriber);
    }

    fn publish(&self, state: NetworkState) {
        *self.current.write() = state.clone();
        self.subscriber.as_ref().unwrap().call(state);
    }
}

fn online() -> NetworkState {
    NetworkState {
        link: LinkState::Routable,
        ..NetworkState::default()
    }
}

/// With the registration of this scope emulated to be offline.
fn online_but_for(scope: &str) -> NetworkState {
    let scope = url(scope);
    let key = StorageKey::from_url(&scope).unwrap();
    NetworkState {
        offline_registrations: BTreeMap::from([(key, BTreeSet::from([scope]))]),
        ..online()
    }
}

fn logged(host: &Host) -> String {
    loop {
        if let ScriptReport::Console { message, .. } = take(&host.reports) {
            return message.text;
        }
    }
}

/// A worker that begins and stops to listen when it is told to.
const LISTENING: &str = "
    const log = (event) => console.log(event.type, navigator.onLine);
    self.onsync = ({ tag }) => {
      if (tag === 'both') {
        self.onoffline = log;
        addEventListener('online', log);
      } else if (tag === 'online') {
        self.onoffline = null;
      } else if (tag === 'none') {
        removeEventListener('online', log);
      }
      console.log(tag, navigator.onLine);
    };";

#[test]
fn a_worker_hears_of_the_network_only_as_long_as_it_listens() {
    let mut host = Host::new();
    let mut monitor = Monitor::of(&mut host);
    host.run(LISTENING);
    assert_eq!(host.sync("nothing"), EventOutcome::Fulfilled);
    assert_eq!(logged(&host), "nothing true");
    assert!(monitor.messages.try_recv().is_none(), "nobody asks");

    host.sync("both");
    assert_eq!(logged(&host), "both true");
    monitor.expect_subscription();
    monitor.publish(NetworkState::default());
    monitor.publish(NetworkState {
        link: LinkState::NoRoute,
        ..NetworkState::default()
    });
    assert_eq!(logged(&host), "offline false");
    monitor.publish(online());
    assert_eq!(logged(&host), "online true");

    host.sync("online");
    assert_eq!(logged(&host), "online true");
    monitor.publish(NetworkState {
        emulated_offline: true,
        ..online()
    });
    monitor.publish(online());
    assert_eq!(logged(&host), "online true", "and no `offline` before it");

    host.sync("none");
    assert_eq!(logged(&host), "none true");
    assert!(matches!(
        take(&monitor.messages),
        NetworkMonitorMessage::Unsubscribe { .. }
    ));
}

#[test]
fn being_offline_can_be_emulated_for_a_worker_alone() {
    let mut host = Host::new();
    let mut monitor = Monitor::of(&mut host);
    host.run(LISTENING);
    host.sync("both");
    assert_eq!(logged(&host), "both true");
    monitor.expect_subscription();
    monitor.publish(online_but_for("elsewhere/"));
    monitor.publish(online_but_for("mail/"));
    assert_eq!(logged(&host), "offline false");
    host.sync("still");
    assert_eq!(logged(&host), "still false");
    monitor.publish(online());
    assert_eq!(logged(&host), "online true");
}

#[test]
fn a_worker_that_ends_is_told_no_more() {
    let mut host = Host::new();
    let mut monitor = Monitor::of(&mut host);
    host.run("addEventListener('offline', () => {});");
    monitor.expect_subscription();
    host.run("");
    assert!(matches!(
        take(&monitor.messages),
        NetworkMonitorMessage::Unsubscribe { .. }
    ));
}
