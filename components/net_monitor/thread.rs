use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::time::Clock;
use network_traits::{
    NetworkMonitorHandle, NetworkMonitorMessage, NetworkSource, NetworkSourceError, NetworkState,
    ProbeId, ProbeOutcome, Prober, SourceGuard, SubscriptionId,
};
use parking_lot::RwLock;

use crate::monitor::{Monitor, Output};
use crate::policy::MonitorPolicy;
use crate::prober::TcpProber;

/// The network monitor on its thread. Dropping it shuts it down and waits until it has ended.
///
/// However it ends, the current state is then that nothing is known about the network; subscribers
/// are not told.
#[derive(Debug)]
pub struct NetworkMonitor {
    handle: NetworkMonitorHandle,
    source_error: Option<NetworkSourceError>,
    thread: Option<JoinHandle<()>>,
}

impl NetworkMonitor {
    /// Start the monitor and its source, with a [`TcpProber`].
    ///
    /// A source that cannot start is not an error: the link state stays unknown, what is on this
    /// machine stays online, and [`source_error`](Self::source_error) says why.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub fn start(
        source: Box<dyn NetworkSource>,
        clock: Arc<dyn Clock>,
        policy: impl Into<MonitorPolicy>,
    ) -> io::Result<Self> {
        Self::start_with(source, clock, policy, Box::new(TcpProber::new()))
    }

    /// Start the monitor and its source, with a prober of the embedder's. For the rest see
    /// [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub fn start_with(
        source: Box<dyn NetworkSource>,
        clock: Arc<dyn Clock>,
        policy: impl Into<MonitorPolicy>,
        prober: Box<dyn Prober>,
    ) -> io::Result<Self> {
        // No bound: only trusted components have the handle. They send one message per fetch that
        // has ended, whose number the fetch component bounds, and few on behalf of a user; the
        // source sends one per change of the links. Handling one takes microseconds.
        let (sender, receiver) = unbounded();
        let current = Arc::default();
        let handle = NetworkMonitorHandle::new(sender.clone(), Arc::clone(&current));
        let changed = Callback::to_sender(&sender, NetworkMonitorMessage::LinkChanged);
        let (source_guard, source_error) = match source.start(changed) {
            Ok(guard) => (Some(guard), None),
            Err(error) => (None, Some(error)),
        };
        let monitor_loop = MonitorLoop {
            monitor: Monitor::new(policy),
            clock,
            current,
            subscribers: BTreeMap::new(),
            source_guard,
            prober,
            sender,
        };
        let thread = thread::Builder::new()
            .name("network monitor".to_owned())
            .spawn(move || {
                let done = monitor_loop.run(&receiver);
                // What is still in the queue is answered by being dropped.
                drop(receiver);
                if let Some(done) = done {
                    done.call(());
                }
            })?;
        Ok(Self {
            handle,
            source_error,
            thread: Some(thread),
        })
    }

    /// A handle on the monitor.
    pub fn handle(&self) -> NetworkMonitorHandle {
        self.handle.clone()
    }

    /// Why the source could not start, if it could not.
    pub fn source_error(&self) -> Option<&NetworkSourceError> {
        self.source_error.as_ref()
    }
}

impl Drop for NetworkMonitor {
    fn drop(&mut self) {
        self.handle.exit(Callback::ignore());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the network monitor's thread panicked");
        }
    }
}

struct MonitorLoop {
    monitor: Monitor,
    clock: Arc<dyn Clock>,
    current: Arc<RwLock<NetworkState>>,
    /// Bounded by the trusted components and open windows that subscribe.
    subscribers: BTreeMap<SubscriptionId, Callback<NetworkState>>,
    source_guard: Option<SourceGuard>,
    prober: Box<dyn Prober>,
    /// Where probes say that they have ended.
    sender: Sender<NetworkMonitorMessage>,
}

impl MonitorLoop {
    /// Runs until it is told to end; answers whom to tell when it has.
    fn run(mut self, receiver: &Receiver<NetworkMonitorMessage>) -> Option<Callback<()>> {
        loop {
            let timeout = self.monitor.poll_timeout().after(self.clock.now());
            let done = match receiver.recv_timeout(timeout) {
                Received::Message(NetworkMonitorMessage::Exit { done }) => {
                    return Some(done);
                }
                // Cannot be: a sender is kept here.
                Received::Disconnected => return None,
                Received::TimedOut => {
                    self.monitor.handle_timeout(self.clock.now());
                    None
                }
                Received::Message(message) => self.handle_message(message),
            };
            while let Some(output) = self.monitor.poll_output() {
                self.perform(output);
            }
            if let Some(done) = done {
                done.call(());
            }
        }
    }

    /// Returns whom to tell once the outputs are dealt with.
    fn handle_message(&mut self, message: NetworkMonitorMessage) -> Option<Callback<()>> {
        let now = self.clock.now();
        match message {
            NetworkMonitorMessage::Subscribe { id, subscriber } => {
                subscriber.call(self.current.read().clone());
                self.subscribers.insert(id, subscriber);
            }
            NetworkMonitorMessage::Unsubscribe { id } => {
                self.subscribers.remove(&id);
            }
            NetworkMonitorMessage::LinkChanged(snapshot) => {
                self.monitor.handle_link_changed(now, snapshot);
            }
            NetworkMonitorMessage::EmulateOffline {
                session,
                offline,
                done,
            } => {
                self.monitor.handle_emulate_offline(now, session, offline);
                return Some(done);
            }
            NetworkMonitorMessage::EmulateRegistrationOffline {
                session,
                storage_key,
                scope,
                offline,
                done,
            } => {
                self.monitor.handle_emulate_registration_offline(
                    now,
                    session,
                    storage_key,
                    scope,
                    offline,
                );
                return Some(done);
            }
            NetworkMonitorMessage::EndEmulationSession { session, done } => {
                self.monitor.handle_emulation_session_ended(now, session);
                return Some(done);
            }
            NetworkMonitorMessage::ReportFetchOutcome { origin, outcome } => {
                self.monitor.handle_fetch_outcome(now, origin, outcome);
            }
            NetworkMonitorMessage::AwaitOrigin { origin, awaited } => {
                self.monitor.handle_await_origin(now, origin, awaited);
            }
            NetworkMonitorMessage::ProbeEnded { id, outcome } => {
                self.monitor.handle_probe_ended(now, id, outcome);
            }
            NetworkMonitorMessage::TimeChanged => self.monitor.handle_timeout(now),
            NetworkMonitorMessage::Exit { .. } => {}
        }
        None
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Publish(state) => self.publish(state),
            Output::Probe {
                id,
                target,
                time_limit,
            } => self
                .prober
                .start(id, target, time_limit, self.probe_ended(id)),
            Output::CancelProbe { id } => self.prober.cancel(id),
        }
    }

    fn probe_ended(&self, id: ProbeId) -> Callback<ProbeOutcome> {
        let sender = self.sender.clone();
        Callback::new(move |outcome| {
            // A monitor that is gone needs no answer.
            let _ = sender.send(NetworkMonitorMessage::ProbeEnded { id, outcome });
        })
    }

    /// The cell first: whoever is told, and looks there, must not find something older.
    fn publish(&mut self, state: NetworkState) {
        self.current.write().clone_from(&state);
        for subscriber in self.subscribers.values() {
            subscriber.call(state.clone());
        }
    }
}

/// Also when its thread panics: what nobody follows any more is not known.
impl Drop for MonitorLoop {
    fn drop(&mut self) {
        drop(self.source_guard.take());
        let mut current = self.current.write();
        *current = NetworkState {
            // Nothing may get out just because nobody can be asked.
            emulated_offline: current.emulated_offline,
            offline_registrations: std::mem::take(&mut current.offline_registrations),
            ..NetworkState::default()
        };
    }
}
