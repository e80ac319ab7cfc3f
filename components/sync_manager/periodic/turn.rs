//! Turns and floors.

use std::time::Duration;

use base::time::Timestamp;

use super::record::TurnRecord;
use super::record::ago;
use crate::schedule::Due;

/// The last turn of an origin, or of all of them: when it began, and when its last event so far
/// ended. A turn lasts for a time; after that the next may begin when the floor is over, counted
/// from the last event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    pub(crate) opened: Option<Timestamp>,
    pub(crate) last_fire: Option<Timestamp>,
}

/// The numbers that decide when there may be a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long after the last event the next turn may begin.
    pub(crate) floor: Duration,
    /// How long a turn lasts.
    pub(crate) turn: Duration,
}

impl Turn {
    pub(crate) fn recover(record: &TurnRecord, now: Timestamp) -> Self {
        Self {
            opened: record.opened.map(|wall| ago(wall, now)),
            last_fire: record.last_fire.map(|wall| ago(wall, now)),
        }
    }

    /// Whether the last turn is not over at this moment. By both clocks, because a clock that was
    /// set back must not prolong it.
    pub(crate) fn is_under_way(&self, at: Timestamp, pace: Pace) -> bool {
        self.opened.is_some_and(|opened| {
            let end = opened.saturating_add(pace.turn);
            opened.wall <= at.wall && at.wall < end.wall && at.monotonic < end.monotonic
        })
    }

    /// When the floor is over.
    fn floor_over(&self, pace: Pace) -> Option<Due> {
        Some(Due::of(self.last_fire?.saturating_add(pace.floor)))
    }

    /// Whether something may fire now.
    pub(crate) fn is_open(&self, now: Timestamp, pace: Pace) -> bool {
        self.is_under_way(now, pace)
            || self
                .floor_over(pace)
                .is_none_or(|floor_over| floor_over.is_reached(now))
    }

    /// When something may fire that is due then.
    pub(crate) fn admits(&self, due: Due, now: Timestamp, pace: Pace) -> Due {
        let due = due.later(Due::of(now));
        // By the wall clock alone, because the monotonic times of what is stored are only bounds.
        let joins = self.is_under_way(now, pace)
            && self
                .opened
                .is_some_and(|opened| due.wall < opened.wall.saturating_add(pace.turn));
        match self.floor_over(pace) {
            Some(floor_over) if !joins => due.later(floor_over),
            _ => due,
        }
    }
}
