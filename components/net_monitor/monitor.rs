use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::StorageKey;
use base::time::{Deadline, MonotonicTime, Timestamp};
use network_traits::{
    EmulationSessionId, FetchOutcome, LinkSnapshot, LinkState, NetworkState, Reachability,
};

/// How much is remembered of what fetches have shown, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EvidencePolicy {
    /// Of how many origins; when there are more, the oldest evidence goes.
    pub capacity: usize,
    /// How long an origin counts as unreachable after the last fetch that could not reach it. Then
    /// it is in doubt again, since it may well have come back.
    pub unreachable_for: Duration,
}

impl Default for EvidencePolicy {
    /// 256 origins; five minutes.
    fn default() -> Self {
        Self {
            capacity: 256,
            unreachable_for: Duration::from_secs(5 * 60),
        }
    }
}

/// What to do now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Make this the current state, then tell every subscriber.
    Publish(NetworkState),
}

/// The newest thing a fetch has shown about an origin.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    reachability: Reachability,
    at: MonotonicTime,
}

/// The network monitor as a state machine. See the [crate's front page](crate) for how to call it.
#[derive(Debug)]
pub struct Monitor {
    policy: EvidencePolicy,
    links: LinkSnapshot,
    /// Sessions that emulate being offline. Bounded by the trusted code that opens sessions.
    offline_sessions: BTreeSet<EmulationSessionId>,
    evidence: BTreeMap<StorageKey, Evidence>,
    published: NetworkState,
    output: Option<NetworkState>,
}

impl Monitor {
    /// A monitor that knows nothing yet: its state is [`NetworkState::default`], which is not
    /// published.
    pub fn new(policy: EvidencePolicy) -> Self {
        Self {
            policy,
            links: LinkSnapshot::default(),
            offline_sessions: BTreeSet::new(),
            evidence: BTreeMap::new(),
            published: NetworkState::default(),
            output: None,
        }
    }

    /// The source says what the links are like now.
    pub fn handle_link_changed(&mut self, links: LinkSnapshot) {
        let same_network = self.links.link == LinkState::Routable
            && links.link == LinkState::Routable
            && self.links.identity == links.identity;
        self.links = links;
        if !same_network {
            // What was learned on another network, or before the link went down, says nothing
            // about this one. The machine itself is the same on each.
            self.evidence.retain(|origin, _| origin.is_loopback());
        }
        self.changed();
    }

    /// A session begins or ends to emulate being offline. Saying the same twice changes nothing.
    pub fn handle_emulate_offline(&mut self, session: EmulationSessionId, offline: bool) {
        if offline {
            self.offline_sessions.insert(session);
        } else {
            self.offline_sessions.remove(&session);
        }
        self.changed();
    }

    /// A fetch has shown whether an origin can be reached.
    pub fn handle_fetch_outcome(
        &mut self,
        now: Timestamp,
        origin: StorageKey,
        outcome: FetchOutcome,
    ) {
        let reachability = match outcome {
            FetchOutcome::Responded => Reachability::Reachable,
            FetchOutcome::ConnectFailed | FetchOutcome::NameNotResolved => {
                Reachability::Unreachable
            }
        };
        let failed = reachability == Reachability::Unreachable;
        if failed && !origin.is_loopback() && self.links.link != LinkState::Routable {
            // The missing link explains it; the origin may be well.
            return;
        }
        self.evidence.insert(
            origin,
            Evidence {
                reachability,
                at: now.monotonic,
            },
        );
        while self.evidence.len() > self.policy.capacity {
            let oldest = self.evidence.iter().min_by_key(|(_, evidence)| evidence.at);
            let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) else {
                break;
            };
            self.evidence.remove(&oldest);
        }
        self.changed();
    }

    /// Time has passed; to be called at [`poll_timeout`](Self::poll_timeout), harmless otherwise.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let policy = self.policy;
        self.evidence.retain(|_, evidence| {
            in_doubt_at(policy, evidence).is_none_or(|in_doubt_at| now.monotonic < in_doubt_at)
        });
        self.changed();
    }

    /// What to do now; to be called after each input until it answers `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.take().map(Output::Publish)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing else happens: when the
    /// first origin that counts as unreachable is to be in doubt again. Without such an origin,
    /// never.
    pub fn poll_timeout(&self) -> Deadline {
        let monotonic = self
            .evidence
            .values()
            .filter_map(|evidence| in_doubt_at(self.policy, evidence))
            .min();
        Deadline {
            wall: None,
            monotonic,
        }
    }

    /// Publishes the state if it is another one than before.
    fn changed(&mut self) {
        debug_assert!(
            self.output.is_none(),
            "outputs are taken before the next input"
        );
        let state = NetworkState {
            link: self.links.link,
            identity: self.links.identity,
            cost: self.links.cost,
            emulated_offline: !self.offline_sessions.is_empty(),
            origins: self
                .evidence
                .iter()
                .map(|(origin, evidence)| (origin.clone(), evidence.reachability))
                .collect(),
        };
        if state != self.published {
            self.published.clone_from(&state);
            self.output = Some(state);
        }
    }
}

fn in_doubt_at(policy: EvidencePolicy, evidence: &Evidence) -> Option<MonotonicTime> {
    (evidence.reachability == Reachability::Unreachable)
        .then(|| evidence.at.saturating_add(policy.unreachable_for))
}

#[cfg(test)]
mod tests {
    use network_traits::{CostHint, NetworkIdentity};
    use url::Url;

    use super::*;

    fn key(url: &str) -> StorageKey {
        StorageKey::from_url(&Url::parse(url).unwrap()).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().saturating_add(Duration::from_secs(seconds))
    }

    fn routable(network: u64) -> LinkSnapshot {
        LinkSnapshot {
            link: LinkState::Routable,
            identity: Some(NetworkIdentity(network)),
            cost: CostHint::Unknown,
        }
    }

    fn link(link: LinkState) -> LinkSnapshot {
        LinkSnapshot {
            link,
            ..LinkSnapshot::default()
        }
    }

    /// What is published, if anything.
    fn published(monitor: &mut Monitor) -> Option<NetworkState> {
        let state = monitor.poll_output().map(|Output::Publish(state)| state);
        assert_eq!(monitor.poll_output(), None);
        state
    }

    fn monitor_on(network: u64) -> Monitor {
        let mut monitor = Monitor::new(EvidencePolicy::default());
        monitor.handle_link_changed(routable(network));
        assert!(published(&mut monitor).is_some());
        monitor
    }

    #[test]
    fn each_change_of_the_links_is_published_once() {
        let mut monitor = Monitor::new(EvidencePolicy::default());
        for (snapshot, is_news) in [
            (link(LinkState::Unknown), false),
            (link(LinkState::None), true),
            (link(LinkState::None), false),
            (link(LinkState::NoAddress), true),
            (link(LinkState::NoRoute), true),
            (routable(1), true),
            (routable(1), false),
            (routable(2), true),
            (
                LinkSnapshot {
                    cost: CostHint::Metered,
                    ..routable(2)
                },
                true,
            ),
            (link(LinkState::Unknown), true),
        ] {
            monitor.handle_link_changed(snapshot);
            let state = published(&mut monitor);
            assert_eq!(state.is_some(), is_news, "{snapshot:?}");
            if let Some(state) = state {
                assert_eq!(state.link, snapshot.link);
                assert_eq!(state.identity, snapshot.identity);
                assert_eq!(state.cost, snapshot.cost);
            }
            assert_eq!(
                monitor.poll_timeout(),
                Deadline::default(),
                "an idle monitor sleeps"
            );
        }
    }

    #[test]
    fn offline_is_emulated_until_the_last_session_ends_it() {
        let mut monitor = monitor_on(1);
        let (first, second) = (EmulationSessionId(1), EmulationSessionId(2));
        monitor.handle_emulate_offline(first, true);
        assert!(!published(&mut monitor).unwrap().is_online());
        monitor.handle_emulate_offline(first, true);
        monitor.handle_emulate_offline(second, true);
        assert_eq!(published(&mut monitor), None);
        monitor.handle_emulate_offline(first, false);
        assert_eq!(
            published(&mut monitor),
            None,
            "the second session still holds it"
        );
        monitor.handle_emulate_offline(second, false);
        assert!(published(&mut monitor).unwrap().is_online());
    }

    #[test]
    fn a_link_that_comes_and_goes_stays_hidden_behind_emulated_offline() {
        let mut monitor = monitor_on(1);
        monitor.handle_emulate_offline(EmulationSessionId(1), true);
        published(&mut monitor);
        monitor.handle_link_changed(link(LinkState::None));
        assert!(!published(&mut monitor).unwrap().is_online());
        monitor.handle_link_changed(routable(1));
        let state = published(&mut monitor).unwrap();
        assert_eq!(state.link, LinkState::Routable);
        assert!(!state.is_online() && !state.is_online_for(&key("https://example.org/")));
    }

    #[test]
    fn fetches_show_whether_an_origin_is_reachable() {
        let mut monitor = monitor_on(1);
        let origin = key("https://example.org/");
        for (outcome, reachability) in [
            (FetchOutcome::Responded, Reachability::Reachable),
            (FetchOutcome::ConnectFailed, Reachability::Unreachable),
            (FetchOutcome::Responded, Reachability::Reachable),
            (FetchOutcome::NameNotResolved, Reachability::Unreachable),
        ] {
            monitor.handle_fetch_outcome(at(0), origin.clone(), outcome);
            let state = published(&mut monitor).unwrap();
            assert_eq!(state.reachability(&origin), reachability, "{outcome:?}");
            monitor.handle_fetch_outcome(at(1), origin.clone(), outcome);
            assert_eq!(published(&mut monitor), None, "the same again is no news");
        }
    }

    #[test]
    fn an_unreachable_origin_is_in_doubt_again_after_a_while() {
        let mut monitor = monitor_on(1);
        let (down, up) = (key("https://down.example/"), key("https://up.example/"));
        monitor.handle_fetch_outcome(at(0), up.clone(), FetchOutcome::Responded);
        published(&mut monitor);
        assert_eq!(monitor.poll_timeout(), Deadline::default());
        monitor.handle_fetch_outcome(at(10), down.clone(), FetchOutcome::ConnectFailed);
        published(&mut monitor);
        assert_eq!(
            monitor.poll_timeout().after(at(10)),
            Some(Duration::from_secs(5 * 60))
        );
        monitor.handle_timeout(at(309));
        assert_eq!(published(&mut monitor), None);
        monitor.handle_timeout(at(310));
        let state = published(&mut monitor).unwrap();
        assert_eq!(state.reachability(&down), Reachability::Unknown);
        assert_eq!(state.reachability(&up), Reachability::Reachable);
        assert_eq!(monitor.poll_timeout(), Deadline::default());
    }

    #[test]
    fn evidence_ends_with_the_network_except_about_the_machine_itself() {
        for next in [link(LinkState::None), link(LinkState::Unknown), routable(2)] {
            let mut monitor = monitor_on(1);
            let (remote, local) = (key("https://example.org/"), key("http://localhost/"));
            monitor.handle_fetch_outcome(at(0), remote.clone(), FetchOutcome::Responded);
            published(&mut monitor);
            monitor.handle_fetch_outcome(at(0), local.clone(), FetchOutcome::Responded);
            published(&mut monitor);
            monitor.handle_link_changed(next);
            let state = published(&mut monitor).unwrap();
            assert_eq!(
                state.reachability(&remote),
                Reachability::Unknown,
                "{next:?}"
            );
            assert_eq!(
                state.reachability(&local),
                Reachability::Reachable,
                "{next:?}"
            );
        }
    }

    #[test]
    fn a_failure_without_a_route_says_nothing_about_the_origin() {
        let mut monitor = Monitor::new(EvidencePolicy::default());
        monitor.handle_link_changed(link(LinkState::None));
        published(&mut monitor);
        let (remote, local) = (key("https://example.org/"), key("http://[::1]:8000/"));
        monitor.handle_fetch_outcome(at(0), remote, FetchOutcome::NameNotResolved);
        assert_eq!(published(&mut monitor), None);
        monitor.handle_fetch_outcome(at(0), local.clone(), FetchOutcome::ConnectFailed);
        let state = published(&mut monitor).unwrap();
        assert_eq!(state.reachability(&local), Reachability::Unreachable);
    }

    #[test]
    fn the_oldest_evidence_makes_room() {
        let mut monitor = Monitor::new(EvidencePolicy {
            capacity: 2,
            ..EvidencePolicy::default()
        });
        let hosts = [
            "https://b.example/",
            "https://a.example/",
            "https://c.example/",
        ]
        .map(key);
        for (second, host) in hosts.iter().enumerate() {
            let now = at(second as u64);
            monitor.handle_fetch_outcome(now, host.clone(), FetchOutcome::Responded);
            let state = published(&mut monitor).unwrap();
            assert!(state.origins.len() <= 2);
            assert_eq!(state.reachability(host), Reachability::Reachable);
        }
        assert_eq!(
            monitor.published.reachability(&hosts[0]),
            Reachability::Unknown
        );
        assert_eq!(
            monitor.published.reachability(&hosts[1]),
            Reachability::Reachable
        );
    }
}
