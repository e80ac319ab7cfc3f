use std::collections::{BTreeMap, BTreeSet};

use base::ids::{EventId, RegistrationId, WorkerId};
use base::time::MonotonicTime;

/// What is due at some time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Timer {
    /// A worker's script must have come to its end.
    Start(WorkerId),
    /// An event must have ended.
    Event(EventId),
    /// A worker has been idle for long enough.
    Idle(WorkerId),
    /// A registration's script is to be checked for an update.
    Update(RegistrationId),
}

/// Each timer at most once. Bounded by the workers, events and registrations there are.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<Timer, MonotonicTime>,
    in_order: BTreeSet<(MonotonicTime, Timer)>,
}

impl Timers {
    /// Set or move a timer.
    pub(crate) fn set(&mut self, timer: Timer, due: MonotonicTime) {
        self.stop(timer);
        self.due.insert(timer, due);
        self.in_order.insert((due, timer));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(due) = self.due.remove(&timer) {
            self.in_order.remove(&(due, timer));
        }
    }

    pub(crate) fn next_due(&self) -> Option<MonotonicTime> {
        self.in_order.first().map(|(due, _)| *due)
    }

    /// The first timer that is due at `now`, which is stopped.
    pub(crate) fn pop_due(&mut self, now: MonotonicTime) -> Option<Timer> {
        let &(due, timer) = self.in_order.first().filter(|(due, _)| *due <= now)?;
        self.in_order.remove(&(due, timer));
        self.due.remove(&timer);
        Some(timer)
    }
}
