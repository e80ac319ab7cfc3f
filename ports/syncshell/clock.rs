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
