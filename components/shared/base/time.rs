//! Time: what the calendar says and what a stopwatch says are different types.
//!
//! Due times are wall-clock times, because they outlive the process; time limits are monotonic,
//! because a corrected clock must not end or prolong them. Components never read a clock: an
//! embedder passes a [`Clock`] to the threads, and state machines get a [`Timestamp`] with each
//! call.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in wall-clock time, in milliseconds since 1970-01-01T00:00:00Z. May jump in either
/// direction when somebody sets the clock.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct WallTime(i64);

impl WallTime {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time and `duration`; stops at the end of representable time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The date and time in UTC, to the second, in the Gregorian calendar.
impl fmt::Display for WallTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1_000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

/// The year, month and day this many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // Years are taken to begin in March, so that a leap day is the last day of its year. From then
    // on five months in a row always have 153 days.
    let since_era = days + 719_468;
    let era = since_era.div_euclid(146_097);
    let day_of_era = since_era.rem_euclid(146_097);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let first_day = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - first_day;
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = (months_since_march + 2) % 12 + 1;
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// A point in monotonic time: how long the clock has been running. Never goes back, and means
/// nothing outside the process that read it.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct MonotonicTime(Duration);

impl MonotonicTime {
    /// From the time since the clock started.
    pub const fn from_start(duration: Duration) -> Self {
        Self(duration)
    }

    /// The time since the clock started.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// This time and `duration`; stops at the end of representable time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Timestamp {
    /// What the calendar says.
    pub wall: WallTime,
    /// What the stopwatch says.
    pub monotonic: MonotonicTime,
}

impl Timestamp {
    /// The moment that both clocks reach after `duration`, if nobody sets the wall clock.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self {
            wall: self.wall.saturating_add(duration),
            monotonic: self.monotonic.saturating_add(duration),
        }
    }
}

/// When a state machine wants to be called again if nothing else happens: at whichever comes
/// first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deadline {
    /// Not later than this wall-clock time.
    pub wall: Option<WallTime>,
    /// Not later than this monotonic time.
    pub monotonic: Option<MonotonicTime>,
}

impl Deadline {
    /// How long to wait from `now`; `None` is for ever.
    pub fn after(self, now: Timestamp) -> Option<Duration> {
        let wall = self.wall.map(|due| due.saturating_since(now.wall));
        let monotonic = self
            .monotonic
            .map(|due| due.saturating_since(now.monotonic));
        wall.into_iter().chain(monotonic).min()
    }
}

/// Where time comes from. Supplied by the embedder.
pub trait Clock: Send + Sync {
    /// Both clocks, read now.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_earlier_of_its_two() {
        let now = Timestamp::default().saturating_add(Duration::from_secs(10));
        let mut deadline = Deadline::default();
        assert_eq!(deadline.after(now), None);
        deadline.wall = Some(now.wall.saturating_add(Duration::from_secs(5)));
        assert_eq!(deadline.after(now), Some(Duration::from_secs(5)));
        deadline.monotonic = Some(now.monotonic.saturating_add(Duration::from_secs(2)));
        assert_eq!(deadline.after(now), Some(Duration::from_secs(2)));
        deadline.wall = Some(WallTime::from_millis(0));
        assert_eq!(deadline.after(now), Some(Duration::ZERO));
    }

    #[test]
    fn a_wall_clock_time_is_shown_as_date_and_time() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (951_868_800_000, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599_999, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
            (1_800_000_000_000, "2027-01-15 08:00:00 UTC"),
        ] {
            assert_eq!(WallTime::from_millis(millis).to_string(), expected);
        }
        for end in [i64::MIN, i64::MAX] {
            assert!(WallTime::from_millis(end).to_string().ends_with(" UTC"));
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let end = WallTime::from_millis(i64::MAX);
        assert_eq!(end.saturating_add(Duration::MAX), end);
        assert_eq!(
            WallTime::from_millis(i64::MIN).saturating_since(end),
            Duration::ZERO
        );
    }
}
