//! Every input in every state, and long walks of random inputs, with what must hold all the time.

use std::collections::BTreeSet;

use network_traits::{CaptivePortalCheck, ExpectedAnswer};

use super::probing::{exact, example};
use super::*;

const MAX_CONCURRENT: usize = 2;
const MAX_AWAITED: usize = 4;

/// What the walk knows beside the monitor, to check it by.
#[derive(Debug)]
struct World {
    monitor: Monitor,
    now: Timestamp,
    links: LinkSnapshot,
    sessions: BTreeSet<EmulationSessionId>,
    awaited: BTreeSet<StorageKey>,
    probes: BTreeMap<ProbeId, ProbeTarget>,
    ended: BTreeSet<ProbeId>,
    state: NetworkState,
}

#[derive(Clone, Debug)]
enum Input {
    Link(LinkSnapshot),
    Emulate(u64, bool),
    EndSession(u64),
    Fetch(StorageKey, FetchOutcome),
    Await(StorageKey, bool),
    /// The oldest, or a random, probe ends.
    End(usize, ProbeOutcome),
    /// A probe that was never started, or has ended already, ends.
    EndUnknown(ProbeOutcome),
    Time(Duration),
    ToTimeout,
}

impl World {
    fn new(policy: MonitorPolicy) -> Self {
        Self {
            monitor: Monitor::new(policy),
            now: at(1),
            links: LinkSnapshot::default(),
            sessions: BTreeSet::new(),
            awaited: BTreeSet::new(),
            probes: BTreeMap::new(),
            ended: BTreeSet::new(),
            state: NetworkState::default(),
        }
    }

    fn apply(&mut self, input: Input) {
        let now = self.now;
        match input {
            Input::Link(links) => {
                self.links = links;
                self.monitor.handle_link_changed(now, links);
            }
            Input::Emulate(session, offline) => {
                let session = EmulationSessionId(session);
                if offline {
                    self.sessions.insert(session);
                } else {
                    self.sessions.remove(&session);
                }
                self.monitor.handle_emulate_offline(now, session, offline);
            }
            Input::EndSession(session) => {
                self.sessions.remove(&EmulationSessionId(session));
                self.monitor
                    .handle_emulation_session_ended(now, EmulationSessionId(session));
            }
            Input::Fetch(origin, outcome) => {
                self.monitor.handle_fetch_outcome(now, origin, outcome);
            }
            Input::Await(origin, awaited) => {
                if !awaited {
                    self.awaited.remove(&origin);
                } else if self.awaited.len() < MAX_AWAITED {
                    self.awaited.insert(origin.clone());
                }
                self.monitor.handle_await_origin(now, origin, awaited);
            }
            Input::End(which, outcome) => {
                let count = self.probes.len().max(1);
                if let Some(id) = self.probes.keys().nth(which % count).copied() {
                    self.probes.remove(&id);
                    self.ended.insert(id);
                    self.monitor.handle_probe_ended(now, id, outcome);
                }
            }
            Input::EndUnknown(outcome) => {
                let id = self.ended.first().copied().unwrap_or(ProbeId(u64::MAX));
                self.monitor.handle_probe_ended(now, id, outcome);
            }
            Input::Time(duration) => {
                self.now = now.saturating_add(duration);
                self.monitor.handle_timeout(self.now);
            }
            Input::ToTimeout => {
                if let Some(timeout) = self.monitor.poll_timeout().after(now) {
                    self.now = now.saturating_add(timeout);
                    self.monitor.handle_timeout(self.now);
                }
            }
        }
        self.drain();
        self.check();
    }

    fn drain(&mut self) {
        let (mut published, mut started) = (0, false);
        while let Some(output) = self.monitor.poll_output() {
            match output {
                Output::Publish(state) => {
                    assert_ne!(state, self.state, "what is published is news");
                    assert!(!started, "the state comes before the probes");
                    published += 1;
                    self.state = state;
                }
                Output::Probe { id, target, .. } => {
                    started = true;
                    assert!(!self.ended.contains(&id), "no number is used twice");
                    assert_eq!(self.probes.insert(id, target), None);
                }
                Output::CancelProbe { id } => {
                    assert!(!started, "cancelling comes first");
                    assert!(self.probes.remove(&id).is_some(), "it was running");
                    self.ended.insert(id);
                }
            }
        }
        assert!(published <= 1, "one input, one state");
    }

    fn may_be_probed(&self, origin: &StorageKey) -> bool {
        let has_network = self.links.link == LinkState::Routable;
        self.awaited.contains(origin)
            && self.sessions.is_empty()
            && (has_network || origin.is_loopback())
    }

    /// What holds after every input.
    fn check(&self) {
        let mut origins = BTreeSet::new();
        let mut portals = 0;
        for target in self.probes.values() {
            match target {
                ProbeTarget::Origin(origin) => {
                    assert!(origins.insert(origin), "one probe per origin");
                    assert!(self.may_be_probed(origin), "{origin} is not to be probed");
                    assert!(origin.is_loopback() || self.state.portal == PortalState::Open);
                }
                ProbeTarget::CaptivePortal(_) => portals += 1,
            }
        }
        assert!(origins.len() <= MAX_CONCURRENT && portals <= 1);
        let remote_awaited = |origin: &&StorageKey| !origin.is_loopback();
        if portals > 0 {
            assert!(self.awaited.iter().any(|origin| remote_awaited(&origin)));
            assert!(self.sessions.is_empty() && self.links.link == LinkState::Routable);
        }
        assert_eq!(self.state.link, self.links.link);
        let is_configured = self.monitor.portal.is_some();
        let may_be_held = is_configured && self.links.link == LinkState::Routable;
        assert!(may_be_held || self.state.portal == PortalState::Open);
        if self.state.portal == PortalState::Unchecked && self.sessions.is_empty() {
            // Who waits for an origin of which nothing is known waits for the check.
            let is_unknown = |origin: &&StorageKey| {
                let reachability = self.state.reachability(origin);
                !origin.is_loopback()
                    && matches!(reachability, Reachability::Unknown | Reachability::Checking)
            };
            let is_checked = self.awaited.iter().any(|origin| is_unknown(&origin));
            assert!(portals == 1 || !is_checked, "nobody waits for nothing");
        }
        assert_eq!(self.state.emulated_offline, !self.sessions.is_empty());
        let timeout = self.monitor.poll_timeout().after(self.now);
        for (origin, reachability) in &self.state.origins {
            assert_ne!(*reachability, Reachability::Unknown);
            if *reachability == Reachability::Checking {
                assert!(self.may_be_probed(origin));
                assert!(timeout.is_some(), "each check ends");
                assert!(!self.probes.is_empty(), "something is under way");
            }
        }
        for origin in &self.awaited {
            if self.may_be_probed(origin) && self.state.is_online_for(origin) {
                let reachability = self.state.reachability(origin);
                assert_ne!(reachability, Reachability::Unknown, "nothing may fire yet");
            }
        }
        let unreachable = self
            .state
            .origins
            .values()
            .any(|reachability| *reachability == Reachability::Unreachable);
        if self.awaited.is_empty() {
            assert_eq!(self.probes, BTreeMap::new());
            assert_eq!(
                timeout.is_some(),
                unreachable,
                "nothing else to wake up for"
            );
        }
        let unawaited = self.monitor.origins.len() - self.awaited.len();
        assert!(unawaited <= self.monitor.settings.evidence.capacity);
        assert_eq!(self.monitor.awaited, self.awaited.len());
        assert_eq!(self.monitor.running, origins.len());
    }

    /// Whatever came before: left alone, with probes that never answer, each check ends; and when
    /// nothing is awaited any more, the monitor falls asleep.
    fn settle_down(&mut self) {
        for _ in 0..100 {
            let checking = |state: &NetworkState| {
                let mut origins = state.origins.values();
                origins.any(|reachability| *reachability == Reachability::Checking)
            };
            if !checking(&self.state) {
                break;
            }
            self.apply(Input::ToTimeout);
        }
        let checking = self.state.origins.values().copied();
        assert!(
            !checking.into_iter().any(|it| it == Reachability::Checking),
            "each check ends: {:?}",
            self.state
        );
        for origin in self.awaited.clone() {
            self.apply(Input::Await(origin, false));
        }
        for _ in 0..100 {
            if self.monitor.poll_timeout() == Deadline::default() {
                break;
            }
            self.apply(Input::ToTimeout);
        }
        assert_eq!(self.monitor.poll_timeout(), Deadline::default());
        assert_eq!(self.monitor.queue, VecDeque::<StorageKey>::new());
    }
}

fn policy(portal: bool) -> MonitorPolicy {
    let mut policy = exact();
    policy.evidence.capacity = 3;
    let probes = policy.probes.as_mut().unwrap();
    probes.max_concurrent = MAX_CONCURRENT;
    probes.max_awaited = MAX_AWAITED;
    probes.jitter_percent = 20;
    policy.captive_portal = portal.then(|| CaptivePortalCheck {
        url: Url::parse("http://check.example/").unwrap(),
        expected: ExpectedAnswer::Status(204),
    });
    policy
}

fn local() -> StorageKey {
    key("http://localhost:8000/")
}

/// Each input that differs from the others, for two origins.
fn inputs() -> Vec<Input> {
    let outcomes = [
        ProbeOutcome::Reached,
        ProbeOutcome::Failed,
        ProbeOutcome::Altered,
    ];
    let mut inputs = vec![
        Input::Link(link(LinkState::Unknown)),
        Input::Link(link(LinkState::None)),
        Input::Link(link(LinkState::NoAddress)),
        Input::Link(link(LinkState::NoRoute)),
        Input::Link(routable(1)),
        Input::Link(routable(2)),
        Input::Emulate(1, true),
        Input::Emulate(1, false),
        Input::EndSession(1),
        Input::Time(Duration::ZERO),
        Input::Time(Duration::from_secs(1)),
        Input::Time(Duration::from_secs(1000)),
        Input::ToTimeout,
    ];
    for outcome in outcomes {
        inputs.push(Input::End(0, outcome));
        inputs.push(Input::End(1, outcome));
        inputs.push(Input::EndUnknown(outcome));
    }
    for origin in [example(), local()] {
        for outcome in [
            FetchOutcome::Responded,
            FetchOutcome::ConnectFailed,
            FetchOutcome::NameNotResolved,
        ] {
            inputs.push(Input::Fetch(origin.clone(), outcome));
        }
        inputs.push(Input::Await(origin.clone(), true));
        inputs.push(Input::Await(origin, false));
    }
    inputs
}

/// The ways into each state in which an origin, the portal and the link can be.
fn ways() -> Vec<Vec<Input>> {
    let wait = Input::Await(example(), true);
    let up = Input::Link(routable(1));
    let failed = Input::End(0, ProbeOutcome::Failed);
    let reached = Input::End(0, ProbeOutcome::Reached);
    let altered = Input::End(0, ProbeOutcome::Altered);
    let long = Input::Time(Duration::from_secs(1000));
    let way = |inputs: &[&Input]| inputs.iter().copied().cloned().collect();
    vec![
        way(&[]),
        way(&[&up]),
        way(&[&Input::Link(link(LinkState::None))]),
        way(&[&wait]),
        way(&[&up, &wait]),
        way(&[&up, &wait, &failed]),
        way(&[&up, &wait, &failed, &failed]),
        way(&[&up, &wait, &failed, &failed, &Input::ToTimeout]),
        way(&[&up, &wait, &reached]),
        way(&[&up, &wait, &reached, &reached]),
        way(&[&up, &wait, &reached, &reached, &long]),
        way(&[&up, &wait, &altered]),
        way(&[&up, &wait, &altered, &Input::ToTimeout]),
        way(&[&up, &wait, &Input::Emulate(1, true)]),
        way(&[&up, &wait, &failed, &Input::Emulate(1, true)]),
        way(&[&up, &wait, &Input::Link(link(LinkState::None))]),
        way(&[
            &Input::Await(local(), true),
            &Input::Fetch(local(), FetchOutcome::ConnectFailed),
        ]),
        way(&[&up, &Input::Fetch(example(), FetchOutcome::ConnectFailed)]),
        way(&[
            &up,
            &Input::Fetch(example(), FetchOutcome::Responded),
            &long,
        ]),
    ]
}

#[test]
fn in_every_state_every_input_keeps_the_rules() {
    for portal in [false, true] {
        for way in ways() {
            for first in inputs() {
                for second in inputs() {
                    let mut world = World::new(policy(portal));
                    for input in way.iter().cloned() {
                        world.apply(input);
                    }
                    world.apply(first.clone());
                    world.apply(second);
                    world.settle_down();
                }
            }
        }
    }
}

fn random_input(random: &mut Jitter) -> Input {
    let mut below = |limit: u64| random.next() % limit;
    let origins = [
        "https://a.example/",
        "https://b.example/",
        "http://c.example/",
        "https://d.example/",
        "https://e.example/",
        "http://localhost/",
        "http://[::1]:81/",
    ];
    let origin = key(origins[usize::try_from(below(7)).unwrap()]);
    let outcome = [
        ProbeOutcome::Reached,
        ProbeOutcome::Failed,
        ProbeOutcome::Altered,
    ][usize::try_from(below(3)).unwrap()];
    match below(20) {
        0 => Input::Link(link(LinkState::None)),
        1 => Input::Link(link(LinkState::NoRoute)),
        2..=4 => Input::Link(routable(below(2))),
        5 => Input::Emulate(below(2), below(3) == 0),
        6 => Input::EndSession(below(2)),
        7 => Input::Fetch(origin, FetchOutcome::Responded),
        8 => Input::Fetch(origin, FetchOutcome::ConnectFailed),
        9..=11 => Input::Await(origin, true),
        12 => Input::Await(origin, false),
        13..=15 => Input::End(usize::try_from(below(4)).unwrap(), outcome),
        16 => Input::EndUnknown(outcome),
        17 => Input::Time(Duration::from_millis(below(20_000))),
        18 => Input::Time(Duration::from_secs(below(1000))),
        _ => Input::ToTimeout,
    }
}

#[test]
fn random_walks_keep_the_rules() {
    for seed in 0..150 {
        let mut random = Jitter::new(seed);
        let mut world = World::new(policy(seed % 2 == 0));
        for _ in 0..300 {
            world.apply(random_input(&mut random));
        }
        world.settle_down();
    }
}
