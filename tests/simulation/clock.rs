//! Time: what really passes, what the machine's clocks say of it, and what happens when.

use std::collections::BTreeMap;
use std::time::Duration;

use base::time::{MonotonicTime, Timestamp, WallTime};

/// 2027-01-15.
const START: i64 = 1_800_000_000_000;

/// The clocks of the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedClock {
    /// How much time has passed since the start of the run, outside of the machine.
    elapsed: Duration,
    /// How much of it the machine has slept.
    slept: Duration,
    /// By how many milliseconds somebody has set the wall clock.
    offset: i64,
    /// How long the machine had been awake when the engine's process started.
    process_start: Duration,
}

impl SimulatedClock {
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed.as_millis()).expect("no run is that long");
        let running = self.awake().saturating_sub(self.process_start);
        Timestamp {
            wall: WallTime::from_millis(START + elapsed + self.offset),
            monotonic: MonotonicTime::from_start(running + Duration::from_secs(1)),
        }
    }

    /// How much time has passed outside of the machine.
    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How long the machine has been awake: what its timers go by.
    pub(crate) fn awake(&self) -> Duration {
        self.elapsed.saturating_sub(self.slept)
    }

    pub(crate) fn pass(&mut self, duration: Duration) {
        self.elapsed += duration;
    }

    pub(crate) fn sleep(&mut self, duration: Duration) {
        self.elapsed += duration;
        self.slept += duration;
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_wall(&mut self, by_millis: i64) {
        self.offset += by_millis;
    }

    /// A new process: its monotonic time starts anew.
    pub(crate) fn start_process(&mut self) {
        self.process_start = self.awake();
    }
}

/// What is to happen when, in order; what happens at the same time happens in the order in which
/// it was put in.
#[derive(Clone, Debug)]
pub(crate) struct Agenda<E> {
    entries: BTreeMap<(Duration, u64), E>,
    sequence: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            sequence: 0,
        }
    }
}

impl<E> Agenda<E> {
    pub(crate) fn add(&mut self, at: Duration, entry: E) {
        self.sequence += 1;
        self.entries.insert((at, self.sequence), entry);
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// The first entry, if its time has come.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<E> {
        let first = self.entries.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
