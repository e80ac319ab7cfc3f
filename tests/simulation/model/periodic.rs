//! When periodic syncs may fire: not before their interval is over, nor before the floors of their
//! origin and of all origins are, counted from the end of the last event.

use std::time::Duration;

use base::time::{MonotonicTime, Timestamp, WallTime};
use base::{DomString, StorageKey};
use sync_manager::{NetworkPolicy, PeriodicPolicy};
use sync_traits::{Engagement, LogEntry, LogEvent, SyncKind};

use super::{Asked, Model, TagKey};
use crate::sites::ScopeIndex;

/// How long it takes at most until the start of an attempt is written and known. What has ended
/// meanwhile had not when it was started.
const WRITING: Duration = Duration::from_secs(60);

/// The last turn of an origin, or of all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// When it began.
    opened: Option<WallTime>,
    /// When the engine started, if the clock had been set back before the beginning: it is taken to
    /// have begun then.
    reopened: Option<WallTime>,
    /// When its last event ended.
    ended: Option<Timestamp>,
    /// When the last one ended that had ended for some time by then.
    ended_before: Option<Timestamp>,
    /// The latest that the calendar has said since.
    pub(super) latest: WallTime,
    /// The same end, as far as the event log has told.
    durable: Option<Timestamp>,
}

impl Turn {
    /// An event has ended.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.ended_before = self.known_at_start(now);
        self.ended = Some(now);
        self.latest = now.wall;
    }

    /// The end that whoever started an attempt knew of that is written by now.
    fn known_at_start(&self, now: Timestamp) -> Option<Timestamp> {
        let is_old = |ended: &Timestamp| now.monotonic >= ended.monotonic.saturating_add(WRITING);
        self.ended.filter(is_old).or(self.ended_before)
    }

    /// An attempt that is no retry was started at this time of the calendar; it is known now.
    pub(super) fn check(
        &mut self,
        started: WallTime,
        now: Timestamp,
        floor: Duration,
        turn: Duration,
    ) -> Result<(), String> {
        let mut opened = self.opened.into_iter().chain(self.reopened);
        let is_under_way =
            opened.any(|opened| opened <= started && started < opened.saturating_add(turn));
        if !is_under_way {
            self.opened = Some(started);
        }
        let now = Timestamp {
            wall: now.wall.max(self.latest),
            ..now
        };
        match self.known_at_start(now) {
            Some(ended) if !is_under_way && !is_over(ended, now, floor) => Err(format!(
                "it fires {:?} after the last event, and the floor is {floor:?}",
                now.wall.saturating_since(ended.wall)
            )),
            _ => Ok(()),
        }
    }

    /// The event log tells of the end of an event at this time.
    pub(super) fn logged(&mut self, ended: Timestamp) {
        self.durable = Some(ended);
    }

    /// The engine starts anew, and nothing is known but what is durable. `interrupted`: when the
    /// last attempt was started whose end nobody knows.
    pub(super) fn restart(&mut self, now: Timestamp, interrupted: Option<WallTime>) {
        let interrupted = interrupted.map(|started| ago(started, now));
        let known = self.durable.map(|ended| ago(ended.wall, now));
        self.durable = known;
        self.ended_before = known;
        self.latest = now.wall;
        let is_ahead = self.opened.is_some_and(|opened| opened > now.wall);
        self.reopened = is_ahead.then_some(now.wall);
        self.ended = match interrupted {
            Some(interrupted) => known.max_by_wall(interrupted),
            None => known,
        };
    }
}

trait MaxByWall {
    fn max_by_wall(self, other: Timestamp) -> Self;
}

impl MaxByWall for Option<Timestamp> {
    fn max_by_wall(self, other: Timestamp) -> Self {
        match self {
            Some(found) if found.wall > other.wall => Some(found),
            _ => Some(other),
        }
    }
}

/// Whether so much time has passed, by one clock or the other.
pub(super) fn is_over(since: Timestamp, now: Timestamp, duration: Duration) -> bool {
    let end = since.saturating_add(duration);
    now.wall >= end.wall || now.monotonic >= end.monotonic
}

/// A stored time on both clocks, as early as it can have been.
pub(super) fn ago(wall: WallTime, now: Timestamp) -> Timestamp {
    let elapsed = now.wall.saturating_since(wall);
    let since_start = now.monotonic.since_start().saturating_sub(elapsed);
    Timestamp {
        wall: wall.min(now.wall),
        monotonic: MonotonicTime::from_start(since_start),
    }
}

/// The shortest floor that an origin had with any of these engagements.
pub(super) fn lowest_floor<'a>(
    policy: &PeriodicPolicy,
    seen: impl IntoIterator<Item = &'a Engagement>,
) -> Duration {
    let floors = seen.into_iter().filter_map(|seen| policy.floor_of(*seen));
    floors.min().unwrap_or(policy.floor)
}

impl Model {
    /// The store could not write.
    pub(crate) fn store_failed(&mut self, now: Timestamp) {
        self.store_failed = Some(now);
    }

    /// Whose turns the events of a scope belong to.
    pub(super) fn turns_of(&self, scope: ScopeIndex) -> [Option<StorageKey>; 2] {
        [None, self.origins.get(&scope).cloned()]
    }

    /// The event log says something about a periodic registration; what it says of every kind is
    /// looked at elsewhere.
    pub(super) fn periodic_logged(
        &mut self,
        now: Timestamp,
        key: &TagKey,
        entry: &LogEntry,
    ) -> Result<(), String> {
        match &entry.event {
            LogEvent::Registered => {
                let asked = self.requests.values().filter_map(|asked| match asked {
                    Asked::Register { key: of, at, .. } if of == key => Some(*at),
                    _ => None,
                });
                let earliest = asked.min_by_key(|at| at.monotonic);
                let fallback = ago(entry.time, now);
                self.tag(key).latest = entry.time;
                self.tag(key).anchor = Timestamp {
                    wall: entry.time,
                    ..earliest.unwrap_or(fallback)
                };
            }
            LogEvent::Dispatched { .. } if !self.tag(key).retrying => {
                self.check_interval(now, key)?;
                self.check_turns(now, key, entry.time)?;
            }
            LogEvent::Finished { .. } => {
                if let Some(ended) = self.tag(key).ended {
                    for of in self.turns_of(key.0) {
                        self.turns.entry(of).or_default().logged(ended);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn floor_of(&self, scope: ScopeIndex) -> Duration {
        let origin = self.origins.get(&scope);
        let seen = origin.and_then(|origin| self.engagements.get(origin));
        lowest_floor(&self.policy.periodic, seen.into_iter().flatten())
    }

    fn check_interval(&mut self, now: Timestamp, key: &TagKey) -> Result<(), String> {
        let floor = self.floor_of(key.0);
        let tag = self.tag(key);
        let interval = tag.min_interval.max(floor);
        let anchor = tag.ended.unwrap_or(tag.anchor);
        let now = Timestamp {
            wall: now.wall.max(tag.latest),
            ..now
        };
        if is_over(anchor, now, interval) {
            return Ok(());
        }
        Err(format!(
            "it fires {:?} after its anchor, and its interval is {interval:?}",
            now.wall.saturating_since(anchor.wall)
        ))
    }

    fn check_turns(
        &mut self,
        now: Timestamp,
        key: &TagKey,
        started: WallTime,
    ) -> Result<(), String> {
        let policy = self.policy.periodic.clone();
        // A turn may be under way that was begun with a start that could not be written.
        let may_be_under_way = self
            .store_failed
            .is_some_and(|failed| !is_over(failed, now, policy.turn));
        let floor = self.floor_of(key.0);
        for of in self.turns_of(key.0) {
            let floor = match of {
                None => policy.floor_across_origins,
                Some(_) => floor,
            };
            let turn = self.turns.entry(of).or_default();
            let found = turn.check(started, now, floor, policy.turn);
            if !may_be_under_way {
                found?;
            }
        }
        Ok(())
    }

    /// From now on every periodic registration has to fire.
    pub(crate) fn expect_periodic(&mut self) {
        for tag in self.tags.values_mut() {
            tag.fired = false;
        }
    }

    /// Every periodic registration has fired.
    pub(crate) fn check_periodic(&mut self) {
        // What belongs to another network waits for it; what needs a window waits for that.
        if self.policy.network == NetworkPolicy::SameNetworkOnly || self.policy.needs_window {
            return;
        }
        let lazy = self.tags.iter().find(|((_, kind, _), tag)| {
            *kind == SyncKind::Periodic && tag.present && !tag.fired && !tag.leaving
        });
        if let Some((key, _)) = lazy {
            let what = format!("{key:?} does not fire");
            self.violate(what);
        }
    }

    /// The periodic registrations that there are.
    pub(crate) fn periodic_tags(&self) -> Vec<(ScopeIndex, DomString)> {
        let present = self.tags.iter().filter(|(_, tag)| tag.present);
        present
            .filter(|((_, kind, _), _)| *kind == SyncKind::Periodic)
            .map(|((scope, _, tag), _)| (*scope, tag.clone()))
            .collect()
    }

    /// The engine starts anew: what is known of turns is what is durable.
    pub(super) fn restart_turns(&mut self, now: Timestamp) {
        self.store_failed = self.store_failed.map(|failed| Timestamp {
            wall: failed.wall.max(now.wall),
            monotonic: now.monotonic,
        });
        for (of, turn) in &mut self.turns {
            let interrupted = self.tags.iter().filter(|((scope, kind, _), tag)| {
                let is_of = of.is_none() || self.origins.get(scope) == of.as_ref();
                let was_handled = tag.under_way && tag.cut_off && !tag.taken_back;
                *kind == SyncKind::Periodic && was_handled && is_of
            });
            let started = interrupted.map(|(_, tag)| tag.started.min(now.wall)).max();
            turn.restart(now, started);
        }
    }
}
