use std::time::{Duration, Instant, SystemTime};

use base::time::{Clock, MonotonicTime, Timestamp, WallTime};

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Timestamp {
            wall: WallTime::from_millis(i64::try_from(since_epoch.as_millis()).unwrap()),
            monotonic: MonotonicTime::from_start(self.0.elapsed()),
        }
    }
}
