//! The state machine. [`Monitor`] takes the inputs; [`Monitor::settle`] then works out what has to be
//! done, from the state alone, so that it does not matter which input brought it about.

mod emulation;
mod origin;
mod portal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::StorageKey;
use base::time::{Deadline, MonotonicTime, Timestamp};
use network_traits::{
    EmulationSessionId, FetchOutcome, LinkSnapshot, LinkState, NetworkIdentityKey, NetworkState,
    PortalState, ProbeId, ProbeOutcome, ProbeTarget, Reachability,
};
use url::Url;

use self::emulation::Emulation;
use self::origin::{Origin, Stage};
use self::portal::Portal;
use crate::identity;
use crate::jitter::Jitter;
use crate::policy::{EvidencePolicy, MonitorPolicy, ProbePolicy};

/// What to do now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Make this the current state, then tell every subscriber.
    Publish(NetworkState),
    /// Start a probe, and hand what comes of it to
    /// [`handle_probe_ended`](Monitor::handle_probe_ended).
    Probe {
        /// The probe.
        id: ProbeId,
        /// What to try.
        target: ProbeTarget,
        /// When it has not ended after this time, [`CancelProbe`](Self::CancelProbe) comes.
        time_limit: Duration,
    },
    /// Stop a probe. An answer that comes all the same does no harm.
    CancelProbe {
        /// The probe.
        id: ProbeId,
    },
}

/// What all origins share.
#[derive(Debug)]
struct Settings {
    evidence: EvidencePolicy,
    probes: Option<ProbePolicy>,
    jitter: Jitter,
}

impl Settings {
    fn retry_delay(&mut self, failures: u32) -> Duration {
        let Some(probes) = &self.probes else {
            return Duration::ZERO;
        };
        probes.retry_delay(failures, &mut self.jitter)
    }
}

/// The network monitor as a state machine. See the [crate's front page](crate) for how to call it.
#[derive(Debug)]
pub struct Monitor {
    settings: Settings,
    identity_key: Option<NetworkIdentityKey>,
    links: LinkSnapshot,
    emulation: Emulation,
    origins: BTreeMap<StorageKey, Origin>,
    /// How many of [`origins`](Self::origins) are awaited.
    awaited: usize,
    /// The awaited origins that are to be probed, in the order in which their turn comes.
    queue: VecDeque<StorageKey>,
    /// How many origins are being probed.
    running: usize,
    last_probe: u64,
    portal: Option<Portal>,
    published: NetworkState,
    outputs: VecDeque<Output>,
}

impl Monitor {
    /// A monitor that knows nothing yet: its state is [`NetworkState::default`], which is not
    /// published.
    pub fn new(policy: impl Into<MonitorPolicy>) -> Self {
        let policy = policy.into();
        Self {
            settings: Settings {
                evidence: policy.evidence,
                probes: policy.probes,
                jitter: Jitter::new(policy.seed),
            },
            identity_key: policy.identity_key,
            links: LinkSnapshot::default(),
            emulation: Emulation::default(),
            origins: BTreeMap::new(),
            awaited: 0,
            queue: VecDeque::new(),
            running: 0,
            last_probe: 0,
            portal: policy.captive_portal.map(Portal::new),
            published: NetworkState::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The source says what the links are like now.
    ///
    /// When there is a network that was not there before, the state that says so says too that each
    /// awaited origin is being checked. The link alone fires nothing.
    pub fn handle_link_changed(&mut self, now: Timestamp, mut links: LinkSnapshot) {
        if let Some(key) = &self.identity_key {
            links.identity = links
                .identity
                .map(|identity| identity::keyed(key, identity));
        }
        // A network whose identity is found out later is still the same.
        let same_identity = self.links.identity.is_none() || self.links.identity == links.identity;
        let same_network = same_identity
            && self.links.link == LinkState::Routable
            && links.link == LinkState::Routable;
        self.links = links;
        if !same_network {
            self.forget_network();
        }
        self.settle(now);
    }

    /// A session begins or ends to emulate being offline. Saying the same twice changes nothing.
    pub fn handle_emulate_offline(
        &mut self,
        now: Timestamp,
        session: EmulationSessionId,
        offline: bool,
    ) {
        let before = self.emulation.is_engine_offline();
        self.emulation.set_engine(session, offline);
        self.emulation_changed(now, before);
    }

    /// A session begins or ends to emulate that one service worker registration is offline. Saying
    /// the same twice changes nothing.
    pub fn handle_emulate_registration_offline(
        &mut self,
        now: Timestamp,
        session: EmulationSessionId,
        storage_key: StorageKey,
        scope: Url,
        offline: bool,
    ) {
        self.emulation
            .set_registration(session, storage_key, scope, offline);
        self.settle(now);
    }

    /// A session is over; all that it emulates ends.
    pub fn handle_emulation_session_ended(&mut self, now: Timestamp, session: EmulationSessionId) {
        let before = self.emulation.is_engine_offline();
        self.emulation.end_session(session);
        self.emulation_changed(now, before);
    }

    /// A fetch has shown whether an origin can be reached.
    pub fn handle_fetch_outcome(
        &mut self,
        now: Timestamp,
        origin: StorageKey,
        outcome: FetchOutcome,
    ) {
        let has_responded = outcome == FetchOutcome::Responded;
        if self.is_believed(now, &origin, has_responded) {
            let entry = self.origins.entry(origin).or_default();
            if has_responded {
                entry.reached(now, true);
            } else if entry.is_unreachable() {
                entry.failed_again(now);
            } else if !entry.is_being_checked() {
                // An origin that is being checked is left to its probe, which is newer: the fetch
                // may have failed while there was no network yet.
                entry.failed(now, &mut self.settings);
            }
        }
        self.settle(now);
    }

    /// Something waits for an origin, or nothing does any more. Saying the same twice changes
    /// nothing.
    pub fn handle_await_origin(&mut self, now: Timestamp, origin: StorageKey, awaited: bool) {
        if awaited {
            self.begin_to_await(origin);
        } else if let Some(entry) = self.origins.get_mut(&origin)
            && let Some(stage) = entry.stage.take()
        {
            self.awaited -= 1;
            self.stop(&origin, stage);
        }
        self.settle(now);
    }

    /// A probe has ended by itself. One that is not known was cancelled meanwhile.
    pub fn handle_probe_ended(&mut self, now: Timestamp, id: ProbeId, outcome: ProbeOutcome) {
        self.probe_ended(now, id, outcome);
        self.settle(now);
    }

    /// Time has passed; to be called at [`poll_timeout`](Self::poll_timeout), harmless otherwise.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let overdue: Vec<_> = self
            .origins
            .values()
            .filter_map(|entry| match entry.stage {
                Some(Stage::Running(id, until)) if until <= now.monotonic => Some(id),
                _ => None,
            })
            .chain(self.portal.as_ref().and_then(|portal| portal.overdue(now)))
            .collect();
        for id in overdue {
            self.outputs.push_back(Output::CancelProbe { id });
            self.probe_ended(now, id, ProbeOutcome::Failed);
        }
        self.settle(now);
    }

    /// What to do now; to be called after each input until it answers `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing else happens: when an
    /// awaited origin is to be probed again, when a probe has taken too long, or when an origin that
    /// nothing waits for is not to count as unreachable any more. Never, when there is none of
    /// these.
    pub fn poll_timeout(&self) -> Deadline {
        let origins = self.origins.values().filter_map(|entry| match entry.stage {
            Some(Stage::Waiting(due) | Stage::Running(_, due)) => Some(due),
            Some(Stage::Held | Stage::Queued) => None,
            None => entry.forgotten_at(&self.settings),
        });
        let portal = self.portal.as_ref().and_then(|portal| {
            // Who waits in the queue waits for the portal.
            portal.due_at().filter(|_| self.is_portal_awaited())
        });
        Deadline {
            wall: None,
            monotonic: origins.chain(portal).min(),
        }
    }

    fn emulation_changed(&mut self, now: Timestamp, before: bool) {
        if before && !self.emulation.is_engine_offline() {
            // As with a link that is newly gained: what was in vain before may not be now.
            for entry in self.origins.values_mut() {
                entry.retry_now(now);
            }
            if let Some(portal) = &mut self.portal {
                portal.retry_now(now);
            }
        }
        self.settle(now);
    }

    fn begin_to_await(&mut self, origin: StorageKey) {
        let Some(probes) = &self.settings.probes else {
            return;
        };
        let is_full = self.awaited >= probes.max_awaited;
        let entry = self.origins.entry(origin.clone()).or_default();
        if entry.stage.is_some() {
            return;
        }
        if is_full {
            log::warn!("{origin} is not probed: too many origins are awaited");
            return;
        }
        entry.stage = Some(Stage::Held);
        self.awaited += 1;
    }

    /// What was learned on another network, or before the link went down, says nothing about this
    /// one. The machine itself is the same on each.
    fn forget_network(&mut self) {
        let mut stopped = Vec::new();
        for (origin, entry) in &mut self.origins {
            if origin.is_loopback() {
                continue;
            }
            entry.evidence = None;
            if let Some(stage) = &mut entry.stage {
                stopped.push((origin.clone(), std::mem::replace(stage, Stage::Held)));
            }
        }
        for (origin, stage) in stopped {
            self.stop(&origin, stage);
        }
        if let Some(id) = self.portal.as_mut().and_then(Portal::forget) {
            self.outputs.push_back(Output::CancelProbe { id });
        }
    }

    /// An origin leaves this stage without an answer.
    fn stop(&mut self, origin: &StorageKey, stage: Stage) {
        match stage {
            Stage::Queued => self.queue.retain(|queued| queued != origin),
            Stage::Running(id, _) => {
                self.running -= 1;
                self.outputs.push_back(Output::CancelProbe { id });
            }
            Stage::Held | Stage::Waiting(_) => {}
        }
    }

    /// Whether what a fetch seems to have shown about an origin says something about it.
    fn is_believed(&mut self, now: Timestamp, origin: &StorageKey, has_responded: bool) -> bool {
        if origin.is_loopback() {
            return true;
        }
        if self.links.link != LinkState::Routable {
            // A missing link explains a failure, and the origin may be well.
            return has_responded;
        }
        let Some(portal) = &mut self.portal else {
            return true;
        };
        let is_authentic = has_responded && origin.scheme() == "https";
        if portal.is_captive() {
            if is_authentic && let Some(probes) = &self.settings.probes {
                portal.hurry(now, probes.first_retry);
            }
            return false;
        }
        !has_responded || is_authentic || portal.is_open(now)
    }

    fn probe_ended(&mut self, now: Timestamp, id: ProbeId, outcome: ProbeOutcome) {
        if let Some(portal) = &mut self.portal
            && portal.runs(id)
        {
            portal.ended(now, outcome, &mut self.settings);
            if portal.is_captive() {
                self.disbelieve_all();
            }
            return;
        }
        let running = |entry: &Origin| matches!(entry.stage, Some(Stage::Running(running, _)) if running == id);
        let Some(entry) = self.origins.values_mut().find(|entry| running(entry)) else {
            return;
        };
        self.running -= 1;
        entry.stage = Some(Stage::Held);
        if outcome == ProbeOutcome::Reached {
            entry.reached(now, false);
        } else {
            entry.failed(now, &mut self.settings);
        }
    }

    /// A portal may have answered in place of any server.
    fn disbelieve_all(&mut self) {
        let mut stopped = Vec::new();
        for (origin, entry) in &mut self.origins {
            if origin.is_loopback() {
                continue;
            }
            entry.evidence = None;
            if let Some(stage @ Stage::Running(..)) = entry.stage {
                stopped.push((origin.clone(), stage));
                entry.stage = Some(Stage::Held);
            }
        }
        for (origin, stage) in stopped {
            self.stop(&origin, stage);
        }
    }

    /// Works out what is to be done, after whichever input.
    fn settle(&mut self, now: Timestamp) {
        self.settle_stages(now);
        self.forget_what_is_over(now);
        let started = self.start_probes(now);
        self.publish();
        self.outputs.extend(started);
    }

    /// Brings each awaited origin into the stage that fits what is known of it.
    fn settle_stages(&mut self, now: Timestamp) {
        let mut stopped = Vec::new();
        let (has_network, offline) = (self.has_network(), self.emulation.is_engine_offline());
        for (origin, entry) in &mut self.origins {
            let Some(stage) = entry.stage else {
                continue;
            };
            let may_be_probed = !offline && (has_network || origin.is_loopback());
            let due = entry.in_doubt_at(now, &self.settings);
            let next = match stage {
                _ if !may_be_probed => Stage::Held,
                _ if due > now.monotonic => Stage::Waiting(due),
                Stage::Queued | Stage::Running(..) => continue,
                Stage::Held | Stage::Waiting(_) => {
                    self.queue.push_back(origin.clone());
                    Stage::Queued
                }
            };
            entry.stage = Some(next);
            if matches!(stage, Stage::Queued | Stage::Running(..)) {
                stopped.push((origin.clone(), stage));
            }
        }
        for (origin, stage) in stopped {
            self.stop(&origin, stage);
        }
    }

    fn has_network(&self) -> bool {
        self.links.link == LinkState::Routable
    }

    /// Evidence about origins that nothing waits for ends with time, and when there is too much.
    fn forget_what_is_over(&mut self, now: Timestamp) {
        let settings = &self.settings;
        self.origins.retain(|_, entry| {
            if entry
                .forgotten_at(settings)
                .is_some_and(|at| at <= now.monotonic)
            {
                entry.evidence = None;
            }
            !entry.is_empty()
        });
        while self.origins.len() - self.awaited > self.settings.evidence.capacity {
            let oldest = self
                .origins
                .iter()
                .filter(|(_, entry)| entry.stage.is_none())
                .min_by_key(|(_, entry)| entry.evidence.map(|evidence| evidence.at));
            let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) else {
                break;
            };
            self.origins.remove(&oldest);
        }
    }

    /// Whether an origin that is to be probed, and is not on this machine, is in the queue.
    fn is_portal_awaited(&self) -> bool {
        self.queue.iter().any(|origin| !origin.is_loopback())
    }

    /// The probes that start now.
    fn start_probes(&mut self, now: Timestamp) -> Vec<Output> {
        let mut started = Vec::new();
        let Some(probes) = self.settings.probes else {
            return started;
        };
        let until = now.monotonic.saturating_add(probes.time_limit);
        let mut probe = |id, target| {
            started.push(Output::Probe {
                id,
                target,
                time_limit: probes.time_limit,
            });
        };
        let is_open = self.check_portal(now, until, &mut probe);
        while self.running < probes.max_concurrent.max(1) {
            let next = self
                .queue
                .iter()
                .position(|origin| is_open || origin.is_loopback());
            let Some(origin) = next.and_then(|next| self.queue.remove(next)) else {
                break;
            };
            let id = self.next_probe();
            if let Some(entry) = self.origins.get_mut(&origin) {
                entry.stage = Some(Stage::Running(id, until));
                self.running += 1;
                probe(id, ProbeTarget::Origin(origin));
            }
        }
        started
    }

    /// Starts or cancels the check for a captive portal, as is needed. Answers whether origins that
    /// are not on this machine can be probed.
    fn check_portal(
        &mut self,
        now: Timestamp,
        until: MonotonicTime,
        probe: &mut impl FnMut(ProbeId, ProbeTarget),
    ) -> bool {
        let is_awaited = self.is_portal_awaited();
        let id = ProbeId(self.last_probe + 1);
        let Some(portal) = &mut self.portal else {
            return true;
        };
        if !is_awaited {
            if let Some(id) = portal.cancel() {
                self.outputs.push_back(Output::CancelProbe { id });
            }
        } else if portal.is_due(now) {
            portal.started(id, until);
            probe(id, ProbeTarget::CaptivePortal(portal.check.clone()));
            self.last_probe = id.0;
        }
        portal.is_open(now)
    }

    fn next_probe(&mut self) -> ProbeId {
        self.last_probe += 1;
        ProbeId(self.last_probe)
    }

    /// What is known of a captive portal. Nobody waits for a check that there will never be.
    fn portal_state(&self) -> PortalState {
        let checks = self.has_network() && self.settings.probes.is_some();
        let portal = self.portal.as_ref().filter(|_| checks);
        portal.map(Portal::state).unwrap_or_default()
    }

    /// Publishes the state if it is another one than before.
    fn publish(&mut self) {
        let portal = self.portal_state();
        let state = NetworkState {
            link: self.links.link,
            identity: self.links.identity,
            cost: self.links.cost,
            emulated_offline: self.emulation.is_engine_offline(),
            offline_registrations: self.emulation.offline_registrations(),
            portal,
            origins: self
                .origins
                .iter()
                .filter_map(|(origin, entry)| {
                    let is_captive = portal == PortalState::Captive && !origin.is_loopback();
                    let reachability = if !entry.is_being_checked() {
                        entry.evidence?.reachability
                    } else if is_captive {
                        return None;
                    } else {
                        Reachability::Checking
                    };
                    Some((origin.clone(), reachability))
                })
                .collect(),
        };
        if state != self.published {
            self.published.clone_from(&state);
            self.outputs.push_back(Output::Publish(state));
        }
    }
}
