use std::fmt;
use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, Disconnected, Sender};
use base::ids::IdSource;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{EmulationSessionId, FetchOutcome, LinkSnapshot, NetworkState, ProbeId, ProbeOutcome};

/// One subscription to the network state.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct SubscriptionId(pub u64);

/// What the network monitor is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum NetworkMonitorMessage {
    /// Call `subscriber` with the current state, and then with each change, in order.
    Subscribe {
        /// The name under which the subscription can be ended.
        id: SubscriptionId,
        /// Whom to call.
        subscriber: Callback<NetworkState>,
    },
    /// Call a subscriber no more.
    Unsubscribe {
        /// The subscription to end; one that is unknown is none.
        id: SubscriptionId,
    },
    /// From the network source: the system's links have changed.
    LinkChanged(LinkSnapshot),
    /// A session begins or ends to emulate being offline.
    EmulateOffline {
        /// The session. The engine is offline as long as at least one session wants it.
        session: EmulationSessionId,
        /// Whether this session wants it.
        offline: bool,
        /// Called once the state that holds the change is in force, or the monitor has ended.
        done: Callback<()>,
    },
    /// A session begins or ends to emulate that one service worker registration is offline.
    EmulateRegistrationOffline {
        /// The session. The registration is offline as long as at least one session wants it.
        session: EmulationSessionId,
        /// Whose registration it is.
        storage_key: StorageKey,
        /// The registration's scope.
        scope: Url,
        /// Whether this session wants it.
        offline: bool,
        /// Called once the state that holds the change is in force, or the monitor has ended.
        done: Callback<()>,
    },
    /// A session is over; all that it emulates ends.
    EndEmulationSession {
        /// The session.
        session: EmulationSessionId,
        /// Called once the state that holds the change is in force, or the monitor has ended.
        done: Callback<()>,
    },
    /// A fetch has shown whether an origin can be reached.
    ReportFetchOutcome {
        /// The origin that was asked.
        origin: StorageKey,
        /// What it showed.
        outcome: FetchOutcome,
    },
    /// Something waits for an origin, or nothing does any more. Only origins for which something
    /// waits are probed.
    AwaitOrigin {
        /// The origin.
        origin: StorageKey,
        /// Whether something waits for it.
        awaited: bool,
    },
    /// From the prober: a probe has ended by itself.
    ProbeEnded {
        /// The probe.
        id: ProbeId,
        /// What it showed.
        outcome: ProbeOutcome,
    },
    /// The clock was set, or the machine has slept: what has come due meanwhile is looked for now.
    TimeChanged,
    /// Stop the source and end.
    Exit {
        /// Called when the monitor has ended and will call nobody any more.
        done: Callback<()>,
    },
}

/// The way to the network monitor, for trusted components: it is bound to no origin. Cheap to
/// clone.
///
/// When the monitor has shut down, what is told it is lost, and [`current`](Self::current) says
/// that the link state is unknown. Whoever waits for a `done` is called all the same.
#[derive(Clone)]
pub struct NetworkMonitorHandle {
    sender: Sender<NetworkMonitorMessage>,
    current: Arc<RwLock<NetworkState>>,
    subscription_ids: Arc<IdSource>,
}

impl NetworkMonitorHandle {
    /// A handle on the monitor that receives from `sender` and writes each new state into
    /// `current` before it tells anybody about it.
    pub fn new(sender: Sender<NetworkMonitorMessage>, current: Arc<RwLock<NetworkState>>) -> Self {
        Self {
            sender,
            current,
            subscription_ids: Arc::default(),
        }
    }

    /// The state now: never older than what any subscriber has been told.
    pub fn current(&self) -> NetworkState {
        self.current.read().clone()
    }

    /// Have `subscriber` called with the current state, and then with each change, in order.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the monitor has shut down.
    pub fn subscribe(
        &self,
        subscriber: Callback<NetworkState>,
    ) -> Result<SubscriptionId, Disconnected> {
        let id = SubscriptionId(self.subscription_ids.next());
        self.sender
            .send(NetworkMonitorMessage::Subscribe { id, subscriber })?;
        Ok(id)
    }

    /// End a subscription. A call that is already under way still arrives.
    pub fn unsubscribe(&self, id: SubscriptionId) {
        self.send(NetworkMonitorMessage::Unsubscribe { id });
    }

    /// Emulate being offline, or stop to, on behalf of a session. The engine is offline as long as
    /// at least one session wants it. `done` is called, exactly once, when
    /// [`current`](Self::current) says so or the monitor has shut down.
    pub fn emulate_offline(&self, session: EmulationSessionId, offline: bool, done: Callback<()>) {
        self.send(NetworkMonitorMessage::EmulateOffline {
            session,
            offline,
            done: done.exactly_once(|| ()),
        });
    }

    /// Emulate that one service worker registration is offline, or stop to, on behalf of a session.
    /// The registration is offline as long as at least one session wants it. `done` is called,
    /// exactly once, when [`current`](Self::current) says so or the monitor has shut down.
    pub fn emulate_registration_offline(
        &self,
        session: EmulationSessionId,
        storage_key: StorageKey,
        scope: Url,
        offline: bool,
        done: Callback<()>,
    ) {
        self.send(NetworkMonitorMessage::EmulateRegistrationOffline {
            session,
            storage_key,
            scope,
            offline,
            done: done.exactly_once(|| ()),
        });
    }

    /// Say that a session is over, so that all it emulates ends. `done` is called, exactly once,
    /// when [`current`](Self::current) says so or the monitor has shut down.
    pub fn end_emulation_session(&self, session: EmulationSessionId, done: Callback<()>) {
        self.send(NetworkMonitorMessage::EndEmulationSession {
            session,
            done: done.exactly_once(|| ()),
        });
    }

    /// Say what a fetch has shown about its origin.
    pub fn report_fetch_outcome(&self, origin: StorageKey, outcome: FetchOutcome) {
        self.send(NetworkMonitorMessage::ReportFetchOutcome { origin, outcome });
    }

    /// Say that something waits for an origin to be reachable, or that nothing does any more.
    /// While something waits and the origin is in doubt, it is probed; what comes of it is in the
    /// next [`NetworkState`]. Saying the same twice changes nothing.
    pub fn await_origin(&self, origin: StorageKey, awaited: bool) {
        self.send(NetworkMonitorMessage::AwaitOrigin { origin, awaited });
    }

    /// Say that the clock was set, or that the machine has slept, so that what has come due
    /// meanwhile happens now and not when a timer notices.
    pub fn time_changed(&self) {
        self.send(NetworkMonitorMessage::TimeChanged);
    }

    /// Shut the monitor down. `done` is called, exactly once, when it has ended, at once if it
    /// already has.
    pub fn exit(&self, done: Callback<()>) {
        let done = done.exactly_once(|| ());
        self.send(NetworkMonitorMessage::Exit { done });
    }

    /// A monitor that is gone needs to know nothing any more. Who waits for an answer gets it when
    /// the message is dropped.
    fn send(&self, message: NetworkMonitorMessage) {
        let _ = self.sender.send(message);
    }
}

impl fmt::Debug for NetworkMonitorHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NetworkMonitorHandle")
    }
}

#[cfg(test)]
mod tests {
    use base::channel::unbounded;

    use super::*;

    #[test]
    fn messages_mean_the_same_after_serialization() {
        let (sender, receiver) = unbounded();
        let handle = NetworkMonitorHandle::new(sender, Arc::default());
        let (answers, answered) = unbounded::<bool>();
        let subscriber = Callback::to_sender(&answers, |state: NetworkState| state.is_online());
        let id = handle.subscribe(subscriber).unwrap();
        let bytes = postcard::to_stdvec(&receiver.recv().unwrap()).unwrap();
        let NetworkMonitorMessage::Subscribe {
            id: same_id,
            subscriber,
        } = postcard::from_bytes(&bytes).unwrap()
        else {
            panic!("another message than was sent");
        };
        assert_eq!(same_id, id);
        subscriber.call(NetworkState {
            emulated_offline: true,
            ..NetworkState::default()
        });
        assert_eq!(answered.recv(), Ok(false));
    }

    #[test]
    fn without_a_monitor_subscribing_fails_and_telling_does_not() {
        let (sender, receiver) = unbounded();
        let handle = NetworkMonitorHandle::new(sender, Arc::default());
        drop(receiver);
        assert_eq!(handle.subscribe(Callback::ignore()), Err(Disconnected));
        handle.unsubscribe(SubscriptionId(1));
        let (sender, done) = unbounded::<()>();
        let waiting = || Callback::to_sender(&sender, |()| ());
        handle.exit(waiting());
        assert_eq!(done.try_recv(), Some(()));
        handle.emulate_offline(EmulationSessionId(1), true, waiting());
        assert_eq!(done.try_recv(), Some(()));
    }

    #[test]
    fn who_waits_is_called_when_the_monitor_ends_before_its_message() {
        let (sender, receiver) = unbounded();
        let handle = NetworkMonitorHandle::new(sender, Arc::default());
        let (sender, done) = unbounded::<()>();
        let waiting = || Callback::to_sender(&sender, |()| ());
        handle.emulate_offline(EmulationSessionId(1), true, waiting());
        handle.exit(waiting());
        assert_eq!(done.try_recv(), None);
        drop(receiver);
        assert_eq!((done.try_recv(), done.try_recv()), (Some(()), Some(())));
    }
}
