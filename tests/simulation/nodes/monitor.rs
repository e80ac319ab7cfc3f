//! The network monitor's thread, around the real state machine. What it does with messages and
//! outputs is what `net_monitor::thread` does, one thing at a time.

use std::time::Duration;

use net_monitor::{Monitor, Output};
use network_traits::{EmulationSessionId, ProbeTarget};

use crate::context::{Context, Inside, NetworkMessage, SyncMessage};
use crate::nodes::internet::FetchKind;

const SESSION: EmulationSessionId = EmulationSessionId(1);

/// The thread of the network monitor.
#[derive(Debug)]
pub(crate) struct MonitorNode {
    machine: Monitor,
    subscribed: bool,
    draining: bool,
    wake: Option<Duration>,
}

impl MonitorNode {
    pub(crate) fn start(context: &mut Context) -> Self {
        context.network = network_traits::NetworkState::default();
        context.cancelled_probes.clear();
        // The source tells what is so as soon as it knows.
        let link = context.internet.link();
        context.to_network.push_back(NetworkMessage::Link(link));
        Self {
            machine: Monitor::new(context.settings.monitor_policy.clone()),
            subscribed: false,
            draining: true,
            wake: None,
        }
    }

    /// When the thread wakes up by itself, in time awake.
    pub(crate) fn wake(&self) -> Option<Duration> {
        self.wake
    }

    pub(crate) fn has_work(&self, context: &Context) -> bool {
        let is_due = self.wake.is_some_and(|wake| wake <= context.clock.awake());
        self.draining || !context.to_network.is_empty() || is_due
    }

    /// Do one thing.
    pub(crate) fn step(&mut self, context: &mut Context) {
        let now = context.clock.now();
        if self.draining {
            if let Some(output) = self.machine.poll_output() {
                self.act(context, output);
            } else {
                self.draining = false;
                let deadline = self.machine.poll_timeout().after(now);
                self.wake = deadline.map(|deadline| context.clock.awake() + deadline);
            }
            return;
        }
        self.draining = true;
        match context.to_network.pop_front() {
            Some(message) => self.handle(context, message),
            None => self.machine.handle_timeout(now),
        }
    }

    fn handle(&mut self, context: &mut Context, message: NetworkMessage) {
        let now = context.clock.now();
        context.note(|| format!("network: {message:?}"));
        match message {
            NetworkMessage::Subscribe => {
                self.subscribed = true;
                context.to_sync.push_back(SyncMessage::Network);
            }
            NetworkMessage::Link(link) => self.machine.handle_link_changed(now, link),
            NetworkMessage::EmulateOffline(offline) => {
                self.machine.handle_emulate_offline(now, SESSION, offline);
            }
            NetworkMessage::Fetch(origin, outcome) => {
                self.machine.handle_fetch_outcome(now, origin, outcome);
            }
            NetworkMessage::AwaitOrigin(origin, awaited) => {
                self.machine.handle_await_origin(now, origin, awaited);
            }
            NetworkMessage::ProbeEnded(id, outcome) => {
                self.machine.handle_probe_ended(now, id, outcome);
            }
        }
    }

    fn act(&mut self, context: &mut Context, output: Output) {
        match output {
            Output::Publish(state) => {
                context.note(|| {
                    format!(
                        "network: {:?} {:?} offline {} {:?}",
                        state.link, state.identity, state.emulated_offline, state.origins
                    )
                });
                context.network = state;
                if self.subscribed {
                    context.to_sync.push_back(SyncMessage::Network);
                }
            }
            Output::Probe { id, target, .. } => {
                let delay = match &target {
                    ProbeTarget::Origin(origin) => {
                        context.internet.latency(origin, FetchKind::Probe)
                    }
                    ProbeTarget::CaptivePortal(_) => Duration::from_millis(100),
                };
                context.model.summary.probes += 1;
                context.later(delay, Inside::ProbeEnded(id, target));
            }
            Output::CancelProbe { id } => {
                context.cancelled_probes.insert(id);
            }
        }
    }
}
