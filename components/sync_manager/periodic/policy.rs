use std::time::Duration;

use sync_traits::Engagement;

use crate::policy::back_off;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Every number that the spec of periodic sync leaves to the user agent, with its default. What
/// both kinds share is in [`SyncPolicy`](crate::SyncPolicy).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeriodicPolicy {
    /// How long after an event of an origin its next one may fire, if the user engages much with
    /// it. Default: 12 h.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#minimum-periodic-sync-interval-for-any-origin>
    pub floor: Duration,
    /// By how much that floor is multiplied when the user engages less. At least 1. Default: 2.
    pub medium_engagement_factor: u32,
    /// By how much it is multiplied when the user engages little. At least 1. Default: 3.
    pub low_engagement_factor: u32,
    /// How long after an event of any origin the next turn may begin, in which every origin that is
    /// due may fire. Default: 12 h.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#minimum-periodic-sync-interval-across-origins>
    pub floor_across_origins: Duration,
    /// How long a turn lasts, of an origin as of all of them: what comes due while it lasts fires in
    /// it, and does not wait until the floor is over. At least `event_time_limit`. Default: 30 min,
    /// in which an event with all its retries has ended.
    pub turn: Duration,
    /// How many attempts that count an event has before the next interval begins. At least 1.
    /// Default: 3.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#maximum-number-of-retries>
    pub max_attempts: u32,
    /// How long after the end of the first failed attempt the next one starts. Default: 5 min.
    pub initial_delay: Duration,
    /// By how much the delay grows from each counted attempt to the next. At least 1. Default: 3
    /// (5 min, then 15 min).
    pub delay_factor: u32,
    /// How long a worker may take for one event, from the moment at which it gets it: stricter than
    /// for other events. At least 1 s. Default: 1 min.
    pub event_time_limit: Duration,
    /// The same for a retry. At least 1 s. Default: 30 s.
    pub retry_time_limit: Duration,
}

impl Default for PeriodicPolicy {
    fn default() -> Self {
        Self {
            floor: 12 * HOUR,
            medium_engagement_factor: 2,
            low_engagement_factor: 3,
            floor_across_origins: 12 * HOUR,
            turn: HOUR / 2,
            max_attempts: 3,
            initial_delay: Duration::from_secs(5 * 60),
            delay_factor: 3,
            event_time_limit: Duration::from_secs(60),
            retry_time_limit: Duration::from_secs(30),
        }
    }
}

impl PeriodicPolicy {
    /// The floor of an origin; nothing if its events are suspended.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#effective-minimum-sync-interval-for-origin>
    pub fn floor_of(&self, engagement: Engagement) -> Option<Duration> {
        let factor = match engagement {
            Engagement::High => 1,
            Engagement::Medium => self.medium_engagement_factor,
            Engagement::Low => self.low_engagement_factor,
            Engagement::Suspended => return None,
        };
        Some(self.floor.saturating_mul(factor))
    }

    /// With each value that makes no sense replaced by the nearest one that does.
    #[must_use]
    pub(crate) fn clamped(self) -> Self {
        let second = Duration::from_secs(1);
        let event_time_limit = self.event_time_limit.max(second);
        Self {
            medium_engagement_factor: self.medium_engagement_factor.max(1),
            low_engagement_factor: self.low_engagement_factor.max(1),
            turn: self.turn.max(event_time_limit),
            max_attempts: self.max_attempts.max(1),
            delay_factor: self.delay_factor.max(1),
            event_time_limit,
            retry_time_limit: self.retry_time_limit.max(second),
            ..self
        }
    }

    /// The delay after the failure of the `attempt`-th attempt, from one, without jitter.
    pub(crate) fn retry_delay(&self, attempt: u32) -> Duration {
        back_off(self.initial_delay, self.delay_factor, attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_taken_as_the_nearest_that_does() {
        let nonsense = PeriodicPolicy {
            medium_engagement_factor: 0,
            low_engagement_factor: 0,
            max_attempts: 0,
            delay_factor: 0,
            turn: Duration::ZERO,
            event_time_limit: Duration::ZERO,
            retry_time_limit: Duration::ZERO,
            ..PeriodicPolicy::default()
        };
        let nearest = PeriodicPolicy {
            medium_engagement_factor: 1,
            low_engagement_factor: 1,
            max_attempts: 1,
            delay_factor: 1,
            turn: Duration::from_secs(1),
            event_time_limit: Duration::from_secs(1),
            retry_time_limit: Duration::from_secs(1),
            ..PeriodicPolicy::default()
        };
        assert_eq!(nonsense.clamped(), nearest);
        let default = PeriodicPolicy::default();
        assert_eq!(default.clone().clamped(), default);
    }

    #[test]
    fn the_floor_grows_as_engagement_shrinks() {
        let floors = [
            Engagement::High,
            Engagement::Medium,
            Engagement::Low,
            Engagement::Suspended,
        ]
        .map(|engagement| PeriodicPolicy::default().floor_of(engagement));
        assert_eq!(
            floors,
            [Some(12 * HOUR), Some(24 * HOUR), Some(36 * HOUR), None]
        );
    }
}
