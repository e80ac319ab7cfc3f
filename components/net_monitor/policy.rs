use std::time::Duration;

use network_traits::{CaptivePortalCheck, NetworkIdentityKey};

use crate::jitter::Jitter;

/// What a [`Monitor`](crate::Monitor) remembers, and what it does to find out more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MonitorPolicy {
    /// How much is remembered of what fetches and probes have shown.
    pub evidence: EvidencePolicy,
    /// How origins that something waits for are probed; `None` to probe nothing, ever. Then nothing
    /// is known of an origin but what fetches have shown.
    pub probes: Option<ProbePolicy>,
    /// How a captive portal is found out, before anything that a probe shows about an origin that
    /// is not on this machine is believed; `None` not to look for one. With it, each new network is
    /// [`Unchecked`](network_traits::PortalState::Unchecked) until something waits for an origin and
    /// the check has ended. Nothing is checked without [`probes`](Self::probes).
    pub captive_portal: Option<CaptivePortalCheck>,
    /// The profile's key for network identities; `None` to publish them as the source says them.
    /// What keeps identities beyond its own run sets a key.
    pub identity_key: Option<NetworkIdentityKey>,
    /// The seed for the jitter of retries.
    pub seed: u64,
}

impl Default for MonitorPolicy {
    /// Probes, but no URL to find out a captive portal, since there is none that suits everyone, and
    /// no key, since it belongs to a profile.
    fn default() -> Self {
        Self {
            evidence: EvidencePolicy::default(),
            probes: Some(ProbePolicy::default()),
            captive_portal: None,
            identity_key: None,
            seed: 0,
        }
    }
}

impl From<EvidencePolicy> for MonitorPolicy {
    fn from(evidence: EvidencePolicy) -> Self {
        Self {
            evidence,
            ..Self::default()
        }
    }
}

/// How much is remembered of what fetches and probes have shown, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EvidencePolicy {
    /// Of how many origins that nothing waits for; when there are more, the oldest evidence goes.
    pub capacity: usize,
    /// How long an origin that nothing waits for counts as unreachable, after the last fetch that
    /// could not reach it. Then it is in doubt again, since it may well have come back.
    pub unreachable_for: Duration,
    /// How long after an origin was reached it is believed, by who waits for it, to be reachable
    /// still. The same goes for the absence of a captive portal.
    pub reachable_for: Duration,
}

impl Default for EvidencePolicy {
    /// 256 origins; five minutes; five minutes.
    fn default() -> Self {
        Self {
            capacity: 256,
            unreachable_for: Duration::from_secs(5 * 60),
            reachable_for: Duration::from_secs(5 * 60),
        }
    }
}

/// How origins that something waits for are probed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbePolicy {
    /// How many origins can be awaited. One that does not fit is not probed, and what waits for it
    /// has to try for itself.
    pub max_awaited: usize,
    /// How many origins are probed at once; the others take turns. At least one.
    pub max_concurrent: usize,
    /// How long after the first failure an origin is probed again. It doubles with each failure in
    /// a row, until [`longest_retry`](Self::longest_retry).
    pub first_retry: Duration,
    /// The longest time between two probes of one origin.
    pub longest_retry: Duration,
    /// By how many percent such a time is made longer or shorter by chance, so that machines do not
    /// come all at once to a server that has been down. At most 100.
    pub jitter_percent: u32,
    /// A probe that has not ended after this time has failed, and is cancelled.
    pub time_limit: Duration,
}

impl Default for ProbePolicy {
    /// 256 origins, 4 at once; a second to five minutes, 20 percent; ten seconds.
    fn default() -> Self {
        Self {
            max_awaited: 256,
            max_concurrent: 4,
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(5 * 60),
            jitter_percent: 20,
            time_limit: Duration::from_secs(10),
        }
    }
}

impl ProbePolicy {
    /// How long to wait after so many failures in a row, from one.
    pub(crate) fn retry_delay(&self, failures: u32, jitter: &mut Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let delay = self
            .first_retry
            .saturating_mul(1 << doublings)
            .min(self.longest_retry);
        let part = delay / 100 * self.jitter_percent.min(100);
        jitter.between(delay.saturating_sub(part), delay.saturating_add(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(policy: &ProbePolicy, failures: u32) -> Duration {
        policy.retry_delay(failures, &mut Jitter::new(1))
    }

    #[test]
    fn retries_come_at_twice_the_distance_each_time_up_to_the_longest() {
        let policy = ProbePolicy {
            jitter_percent: 0,
            ..ProbePolicy::default()
        };
        let seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        for (failures, seconds) in (1..).zip(seconds) {
            assert_eq!(delay(&policy, failures), Duration::from_secs(seconds));
        }
        assert_eq!(delay(&policy, u32::MAX), policy.longest_retry);
    }

    #[test]
    fn jitter_stays_within_its_percentage_and_comes_from_the_seed() {
        let policy = ProbePolicy::default();
        let drawn = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..100)
                .map(|_| policy.retry_delay(1, &mut jitter))
                .collect::<Vec<_>>()
        };
        let range = Duration::from_millis(800)..=Duration::from_millis(1200);
        assert!(drawn(1).iter().all(|delay| range.contains(delay)));
        assert!(drawn(1).windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn no_policy_is_too_strange() {
        let policy = ProbePolicy {
            first_retry: Duration::MAX,
            longest_retry: Duration::MAX,
            jitter_percent: u32::MAX,
            ..ProbePolicy::default()
        };
        assert!(delay(&policy, u32::MAX) >= Duration::ZERO);
    }
}
