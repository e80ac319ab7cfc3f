use std::time::Duration;

use base::time::WallTime;

use crate::periodic::PeriodicPolicy;

/// Every number that the specs leave to the user agent, with its default. An embedder may set each
/// of them. A value that makes no sense is taken as the nearest one that does, which each field
/// names; [`clamped`](Self::clamped) shows what is used.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each of them is a rule that can be set without the others"
)]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncPolicy {
    /// How many attempts that count a registration has before it is dropped. The attempt that uses
    /// up the last one has `lastChance` set. Counted from the moment at which the tag was last
    /// registered. At least 1. Default: 3, as in Chromium.
    pub max_attempts: u32,
    /// How long after the end of the first failed attempt the next one starts. Default: 5 min, as
    /// in Chromium.
    pub initial_delay: Duration,
    /// By how much the delay grows from each counted attempt to the next. At least 1. Default: 3
    /// (5 min, then 15 min), as in Chromium.
    pub delay_factor: u32,
    /// By how many percent of itself a delay is made longer or shorter at random, so that machines
    /// that failed together do not return together. At most 100. Default: 10.
    pub jitter_percent: u32,
    /// How many attempts may fail without being counted, because the network was gone or the
    /// origin could not be reached. Counted from the moment at which the tag was last registered.
    /// Default: 10.
    pub max_uncounted_attempts: u32,
    /// Whether an attempt counts that a crash of the engine interrupted. If not, a handler that
    /// crashes the engine is called again after each start, without end. Default: yes.
    pub count_interrupted_attempts: bool,
    /// Whether connectivity that is newly gained, and reachability that is newly verified, end a
    /// back-off. Default: yes.
    pub connectivity_ends_back_off: bool,
    /// How long after the end of an attempt that counts the next one starts at the soonest, when
    /// connectivity ends the back-off: on a link that comes and goes, attempts would be used up at
    /// once. Without jitter, and never longer than the back-off itself; an attempt that failed for
    /// want of network does not wait for it. Default: 30 s.
    pub min_retry_delay: Duration,
    /// Whether a tag that is registered again while it exists gets all of its attempts anew, and
    /// fires at once if it is in back-off. If not, that changes nothing about it, unless its event
    /// is being handled. Default: yes.
    pub reregistering_starts_anew: bool,
    /// How many times in a row a tag that is registered again while its event is being handled, or
    /// within `refire_window` of its end, fires again at once; after that a delay of
    /// `initial_delay` comes first. `u32::MAX` is without end. Default: 3.
    pub max_immediate_refires: u32,
    /// How soon after the end of its event a tag that is registered anew is taken to have been
    /// registered by the handler of the event. In monotonic time. Default: 1 s.
    pub refire_window: Duration,
    /// How long after it was last registered a registration is dropped, in wall-clock time. At
    /// least 1 s; `Duration::MAX` is never. Default: 7 days.
    pub max_age: Duration,
    /// How long a worker may take for one event, from the moment at which it gets it. At least 1 s.
    /// Default: 3 min, as in Chromium.
    pub event_time_limit: Duration,
    /// The same for an event with `lastChance`, which the spec allows to be much shorter. At least
    /// 1 s. Default: 1 min.
    pub last_chance_time_limit: Duration,
    /// How many events may be in flight at once, over all origins. At least 1. Default: 8.
    pub max_concurrent_events: usize,
    /// How long a tag may be, in bytes of UTF-8. Default: 10,240, as in Chromium.
    pub max_tag_bytes: usize,
    /// How many tags one service worker registration may have at a time. Default: 10,000.
    pub max_tags_per_registration: usize,
    /// How many bytes the registrations of one origin may take in the store, as
    /// [`SyncKey::stored_bytes`](crate::SyncKey::stored_bytes) counts them. Default: 8 MiB.
    pub max_bytes_per_origin: u64,
    /// How many calls of `register()` of one client may wait for their answer at a time. At least
    /// 1. Default: 1,000.
    pub max_unanswered_requests: usize,
    /// How many entries the event log keeps; older ones go. At least 1. Default: 1,000.
    pub max_log_entries: usize,
    /// How long after a failed write the next one is tried. It doubles with each further failure,
    /// up to `max_store_retry_delay`. In monotonic time. At least 10 ms. Default: 1 s.
    pub store_retry_delay: Duration,
    /// The longest delay between tries to write. At least `store_retry_delay`. Default: 5 min.
    pub max_store_retry_delay: Duration,
    /// On which networks events may fire. Default: any.
    pub network: NetworkPolicy,
    /// Whether what is known about the reachability of an origin holds its registrations back, and
    /// the network monitor is asked to probe it. If not, events fire as soon as there is a network.
    /// Default: yes.
    pub heeds_reachability: bool,
    /// How long there must have been a network before anything fires, in monotonic time, so that a
    /// link that comes up and goes down again fires nothing. An origin on this machine does not
    /// wait. Default: none, because what waits for an origin is checked with a probe.
    pub settling_delay: Duration,
    /// Whether events fire only while a window of their origin is open. Default: no.
    pub needs_window: bool,
    /// What is different for periodic syncs.
    pub periodic: PeriodicPolicy,
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
            count_interrupted_attempts: true,
            connectivity_ends_back_off: true,
            min_retry_delay: Duration::from_secs(30),
            reregistering_starts_anew: true,
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
            heeds_reachability: true,
            settling_delay: Duration::ZERO,
            needs_window: false,
            periodic: PeriodicPolicy::default(),
        }
    }
}

impl SyncPolicy {
    /// Decides as Chromium does, the one browser that ships the API; to compare with. Where its
    /// sources leave room, this is what it was seen to do.
    ///
    /// No jitter; every attempt counts, but not one that a crash interrupted; a back-off runs to
    /// its end, whatever the network does and the page registers; a tag that is registered by its
    /// own handler fires again at once, without end; any number of events at once; no expiry and
    /// no quotas; the last chance has as much time as the others; and an event waits for 1.5 s of
    /// network, but does not care whether its server can be reached.
    ///
    /// About periodic syncs it says nothing of its own: they are decided as by default.
    ///
    /// These are not decisions but faults, and no policy asks for them: what is acknowledged
    /// before it is durable, what is fired because the state of the network is stale, tags that
    /// fire after the permission for them was revoked, and a failed write that removes what other
    /// sites have registered. Nor is the order of `getTags()` and of the checks of `register()` a
    /// matter of policy. What protects the engine itself also stays as it is: how many calls of one
    /// client may wait, how long the event log gets, and how a store that fails is tried again.
    pub fn chromium() -> Self {
        let event_time_limit = Duration::from_secs(3 * 60);
        Self {
            max_attempts: 3,
            initial_delay: Duration::from_secs(5 * 60),
            delay_factor: 3,
            jitter_percent: 0,
            max_uncounted_attempts: 0,
            count_interrupted_attempts: false,
            connectivity_ends_back_off: false,
            reregistering_starts_anew: false,
            max_immediate_refires: u32::MAX,
            max_age: Duration::MAX,
            event_time_limit,
            last_chance_time_limit: event_time_limit,
            max_concurrent_events: usize::MAX,
            max_tag_bytes: 10_240,
            max_tags_per_registration: usize::MAX,
            max_bytes_per_origin: u64::MAX,
            network: NetworkPolicy::Any,
            heeds_reachability: false,
            settling_delay: Duration::from_millis(1_500),
            needs_window: false,
            ..Self::default()
        }
    }

    /// For users who want no site to act behind their back: an event fires only while a page of its
    /// site is open, only on the network on which the tag was registered, and once: there is no
    /// retry. A registration whose page is closed first waits until the site is opened again.
    pub fn private() -> Self {
        Self {
            max_attempts: 1,
            max_uncounted_attempts: 0,
            periodic: PeriodicPolicy {
                max_attempts: 1,
                ..PeriodicPolicy::default()
            },
            network: NetworkPolicy::SameNetworkOnly,
            needs_window: true,
            ..Self::default()
        }
    }

    /// The policy with each value that makes no sense replaced by the nearest one that does. This
    /// is what a manager goes by.
    #[must_use]
    pub fn clamped(self) -> Self {
        let second = Duration::from_secs(1);
        let store_retry_delay = self.store_retry_delay.max(Duration::from_millis(10));
        Self {
            max_attempts: self.max_attempts.max(1),
            delay_factor: self.delay_factor.max(1),
            jitter_percent: self.jitter_percent.min(100),
            max_age: self.max_age.max(second),
            event_time_limit: self.event_time_limit.max(second),
            last_chance_time_limit: self.last_chance_time_limit.max(second),
            max_concurrent_events: self.max_concurrent_events.max(1),
            max_unanswered_requests: self.max_unanswered_requests.max(1),
            max_log_entries: self.max_log_entries.max(1),
            store_retry_delay,
            max_store_retry_delay: self.max_store_retry_delay.max(store_retry_delay),
            periodic: self.periodic.clamped(),
            ..self
        }
    }

    /// When a registration that was last made at this time is too old; nothing if never.
    pub(crate) fn expiry(&self, registered: WallTime) -> Option<WallTime> {
        let expiry = registered.saturating_add(self.max_age);
        (expiry.as_millis() < i64::MAX).then_some(expiry)
    }

    /// The delay after the failure of the `attempt`-th attempt, from one, without jitter.
    pub(crate) fn retry_delay(&self, attempt: u32) -> Duration {
        back_off(self.initial_delay, self.delay_factor, attempt)
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
        let part = delay / 100 * self.jitter_percent;
        (delay.saturating_sub(part), delay.saturating_add(part))
    }
}

/// A delay that grows by a factor with each attempt after the first.
pub(crate) fn back_off(initial: Duration, factor: u32, attempt: u32) -> Duration {
    let exponent = attempt.saturating_sub(1);
    initial.saturating_mul(factor.max(1).saturating_pow(exponent))
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
        }
        .clamped();
        assert_eq!(policy.retry_delay(u32::MAX), Duration::MAX);
        let (shortest, longest) = policy.jitter_range(Duration::MAX);
        assert!(shortest < longest);
        assert_eq!(
            policy.store_retry_delay(u32::MAX),
            policy.max_store_retry_delay
        );
    }

    #[test]
    fn what_makes_no_sense_is_taken_as_the_nearest_that_does() {
        let nonsense = SyncPolicy {
            max_attempts: 0,
            delay_factor: 0,
            jitter_percent: 101,
            max_age: Duration::ZERO,
            event_time_limit: Duration::ZERO,
            last_chance_time_limit: Duration::ZERO,
            max_concurrent_events: 0,
            max_unanswered_requests: 0,
            max_log_entries: 0,
            store_retry_delay: Duration::ZERO,
            max_store_retry_delay: Duration::ZERO,
            ..SyncPolicy::default()
        };
        let nearest = SyncPolicy {
            max_attempts: 1,
            delay_factor: 1,
            jitter_percent: 100,
            max_age: Duration::from_secs(1),
            event_time_limit: Duration::from_secs(1),
            last_chance_time_limit: Duration::from_secs(1),
            max_concurrent_events: 1,
            max_unanswered_requests: 1,
            max_log_entries: 1,
            store_retry_delay: Duration::from_millis(10),
            max_store_retry_delay: Duration::from_millis(10),
            ..SyncPolicy::default()
        };
        assert_eq!(nonsense.clamped(), nearest);
    }

    #[test]
    fn each_preset_makes_sense() {
        for preset in [
            SyncPolicy::default(),
            SyncPolicy::chromium(),
            SyncPolicy::private(),
        ] {
            assert_eq!(preset.clone().clamped(), preset);
        }
    }

    #[test]
    fn without_a_greatest_age_nothing_expires() {
        let registered = WallTime::from_millis(1);
        assert_eq!(SyncPolicy::chromium().expiry(registered), None);
        assert!(SyncPolicy::default().expiry(registered).is_some());
    }
}
