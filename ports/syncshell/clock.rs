use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base::time::{Clock, MonotonicTime, Timestamp, WallTime};

/// The machine's clocks.
pub(crate) struct SystemClock {
    start: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a port is where the clock is read"
)]
impl SystemClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a port is where the clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // A clock that is set to before 1970 reads as 1970.
        let millis = since_epoch.map_or(0, |duration| duration.as_millis());
        Timestamp {
            wall: WallTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)),
            monotonic: MonotonicTime::from_start(self.elapsed()),
        }
    }
}

/// How far a clock can be moved in all: what dates can be written for.
pub(crate) const FURTHEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

/// The machine's clocks, both moved forward by as much as somebody likes.
pub(crate) struct MovableClock {
    system: SystemClock,
    moved_millis: AtomicU64,
}

impl MovableClock {
    pub(crate) fn new() -> Self {
        Self {
            system: SystemClock::new(),
            moved_millis: AtomicU64::new(0),
        }
    }

    /// Move both clocks forward, to [`FURTHEST`] at most. Gives by how much.
    pub(crate) fn advance(&self, duration: Duration) -> Duration {
        let before = self.moved();
        let moved = before.saturating_add(duration).min(FURTHEST);
        let millis = u64::try_from(moved.as_millis()).unwrap_or(u64::MAX);
        self.moved_millis.store(millis, Ordering::SeqCst);
        moved.saturating_sub(before)
    }

    fn moved(&self) -> Duration {
        Duration::from_millis(self.moved_millis.load(Ordering::SeqCst))
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        self.system.now().saturating_add(self.moved())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_move_together_and_stop_at_the_end_of_dates() {
        let clock = MovableClock::new();
        let before = clock.now();
        let half_a_day = Duration::from_secs(12 * 60 * 60);
        assert_eq!(clock.advance(half_a_day), half_a_day);
        assert_eq!(clock.advance(half_a_day), half_a_day);
        let after = clock.now();
        assert!(after.monotonic.saturating_since(before.monotonic) >= 2 * half_a_day);
        assert!(after.wall.saturating_since(before.wall) >= 2 * half_a_day);
        assert!(clock.advance(Duration::MAX) < FURTHEST);
        assert_eq!(clock.advance(Duration::MAX), Duration::ZERO);
        assert!(crate::report::date(clock.now().wall).starts_with('3'));
    }
}
