use std::time::Duration;

/// Every number that the specs leave to the user agent, with its default. An embedder may set each
/// of them. Of `max_attempts`, `max_concurrent_events` and `max_log_entries`, zero is taken as one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncPolicy {
    /// How many attempts that count a registration has before it is dropped. The attempt that uses
    /// up the last one has `lastChance` set. Counted from the moment at which the tag was last
    /// registered. Default: 3, as in Chromium.
    pub max_attempts: u32,
    /// How long after the end of the first failed attempt the next one starts. Default: 5 min, as
    /// in Chromium.
    pub initial_delay: Duration,
    /// By how much the delay grows from each counted attempt to the next. Default: 3 (5 min, then
    /// 15 min), as in Chromium.
    pub delay_factor: u32,
    /// By how many percent of itself a delay is made longer or shorter at random, so that machines
    /// that failed together do not return together. At most 100. Default: 10.
    pub jitter_percent: u32,
    /// How many attempts may fail without being counted, because the network was gone or the
    /// origin could not be reached. Counted from the moment at which the tag was last registered.
    /// Default: 10.
    pub max_uncounted_attempts: u32,
    /// How many times in a row a tag that is registered again while its event is being handled, or
    /// within `refire_window` of its end, fires again at once; after that a delay of
    /// `initial_delay` comes first. Default: 3.
    pub max_immediate_refires: u32,
    /// How soon after the end of its event a tag that is registered anew is taken to have been
    /// registered by the handler of the event. In monotonic time. Default: 1 s.
    pub refire_window: Duration,
    /// How long after it was last registered a registration is dropped, in wall-clock time.
    /// Default: 7 days.
    pub max_age: Duration,
    /// How long a worker may take for one event, from the moment at which it gets it. Default:
    /// 3 min, as in Chromium.
    pub event_time_limit: Duration,
    /// The same for an event with `lastChance`, which the spec allows to be much shorter. Default:
    /// 1 min.
    pub last_chance_time_limit: Duration,
    /// How many events may be in flight at once, over all origins. Default: 8.
    pub max_concurrent_events: usize,
    /// How long a tag may be, in bytes of UTF-8. Default: 10,240, as in Chromium.
    pub max_tag_bytes: usize,
    /// How many tags one service worker registration may have at a time. Default: 10,000.
    pub max_tags_per_registration: usize,
    /// How many bytes the registrations of one origin may take in the store, as
    /// [`SyncKey::stored_bytes`](crate::SyncKey::stored_bytes) counts them. Default: 8 MiB.
    pub max_bytes_per_origin: u64,
    /// How many calls of `register()` of one client may wait for their answer at a time. Default:
    /// 1,000.
    pub max_unanswered_requests: usize,
    /// How many entries the event log keeps; older ones go. Default: 1,000.
    pub max_log_entries: usize,
    /// How long after a failed write the next one is tried. It doubles with each further failure,
    /// up to `max_store_retry_delay`. In monotonic time. Default: 1 s.
    pub store_retry_delay: Duration,
    /// The longest delay between tries to write. Default: 5 min.
    pub max_store_retry_delay: Duration,
    /// On which networks events may fire. Default: any.
    pub network: NetworkPolicy,
}

/// On which networks the events of a registration may fire.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum NetworkPolicy {
    /// On any network.
    #[default]
    Any,
    /// Only on the network on which the tag was registered, so that an eavesdropper on another one
    /// learns nothing about the user's history. A tag that was registered while offline belongs to
    /// the network that was there last; when none has been seen since the start, to any network.
    ///
    /// <https://wicg.github.io/background-sync/spec/#history-leaking>
    SameNetworkOnly,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_delay: Duration::from_secs(5 * 60),
            delay_factor: 3,
            jitter_percent: 10,
            max_uncounted_attempts: 10,
            max_immediate_refires: 3,
            refire_window: Duration::from_secs(1),
            max_age: Duration::from_secs(7 * 24 * 60 * 60),
            event_time_limit: Duration::from_secs(3 * 60),
            last_chance_time_limit: Duration::from_secs(60),
            max_concurrent_events: 8,
            max_tag_bytes: 10_240,
            max_tags_per_registration: 10_000,
            max_bytes_per_origin: 8 << 20,
            max_unanswered_requests: 1_000,
            max_log_entries: 1_000,
            store_retry_delay: Duration::from_secs(1),
            max_store_retry_delay: Duration::from_secs(5 * 60),
            network: NetworkPolicy::default(),
        }
    }
}

impl SyncPolicy {
    /// The delay after the failure of the `attempt`-th attempt, from one, without jitter.
    pub(crate) fn retry_delay(&self, attempt: u32) -> Duration {
        let exponent = attempt.saturating_sub(1);
        self.initial_delay
            .saturating_mul(self.delay_factor.max(1).saturating_pow(exponent))
    }

    /// The delay before the next try to write after this many failures in a row, from one.
    pub(crate) fn store_retry_delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.store_retry_delay
            .saturating_mul(1 << doublings)
            .min(self.max_store_retry_delay)
    }

    /// The shortest and the longest that jitter makes of a delay.
    pub(crate) fn jitter_range(&self, delay: Duration) -> (Duration, Duration) {
        let part = delay / 100 * self.jitter_percent.min(100);
        (delay.saturating_sub(part), delay.saturating_add(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_five_and_fifteen_minutes_give_or_take_a_tenth() {
        let policy = SyncPolicy::default();
        assert_eq!(policy.retry_delay(1), Duration::from_secs(5 * 60));
        assert_eq!(policy.retry_delay(2), Duration::from_secs(15 * 60));
        assert_eq!(
            policy.jitter_range(Duration::from_secs(5 * 60)),
            (Duration::from_secs(270), Duration::from_secs(330))
        );
    }

    #[test]
    fn no_number_overflows() {
        let policy = SyncPolicy {
            delay_factor: u32::MAX,
            jitter_percent: u32::MAX,
            initial_delay: Duration::MAX,
            ..SyncPolicy::default()
        };
        assert_eq!(policy.retry_delay(u32::MAX), Duration::MAX);
        let (shortest, longest) = policy.jitter_range(Duration::MAX);
        assert!(shortest < longest);
        assert_eq!(
            policy.store_retry_delay(u32::MAX),
            policy.max_store_retry_delay
        );
    }
}
