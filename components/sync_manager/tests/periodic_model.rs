//! What must hold of periodic syncs whatever happens, for the random walks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::DomString;
use base::ids::EventId;
use base::time::{MonotonicTime, Timestamp};
use sync_traits::{Engagement, LogEntry, LogEvent};
use url::Url;

use crate::support::{Dispatched, HOUR, World};

type Of = (Url, DomString);

/// No origin has a shorter floor than this.
const FLOOR: Duration = Duration::from_secs(12 * 60 * 60);

/// What is known of the periodic registrations from the outside.
#[derive(Debug, Default)]
pub(crate) struct Periodic {
    /// What the event log says last: it was registered, and not dropped since.
    alive: BTreeMap<Of, bool>,
    /// Those whose worker was unregistered, of which the event log has not told. A batch that got
    /// to the store after that may have brought them back, if a crash came before the next one.
    in_doubt: BTreeSet<Of>,
    /// When the event ended that ended last, by both clocks.
    ended: BTreeMap<Of, (EventId, Timestamp)>,
    /// When the last event ended that the event log calls completed.
    completed: BTreeMap<Of, Timestamp>,
    /// What has fired.
    pub(crate) fired: BTreeSet<Of>,
    /// Dispatches since the last completed one, or since it was registered.
    dispatches: BTreeMap<Of, Vec<Timestamp>>,
}

impl Periodic {
    pub(crate) fn alive(&self) -> BTreeSet<Of> {
        let alive = self.alive.iter().filter(|(_, alive)| **alive);
        alive.map(|(of, _)| of.clone()).collect()
    }

    pub(crate) fn is_in_doubt(&self, of: &Of) -> bool {
        self.in_doubt.contains(of)
    }

    pub(crate) fn end(&mut self, of: Of, event: EventId, now: Timestamp) {
        self.ended.insert(of, (event, now));
    }

    /// The worker of a scope is unregistered, and the store knows.
    pub(crate) fn unregister(&mut self, scope: &Url) {
        for (of, alive) in self.alive.iter_mut().filter(|((of, _), _)| of == scope) {
            *alive = false;
            self.in_doubt.insert(of.clone());
        }
    }

    /// The engine has died: of what was before, only the wall clock knows, and not what it would
    /// be later than now.
    pub(crate) fn crash(&mut self, now: Timestamp) {
        let times = self.completed.values_mut();
        for time in times.chain(self.dispatches.values_mut().flatten()) {
            time.wall = time.wall.min(now.wall);
            time.monotonic = MonotonicTime::default();
        }
        self.ended.clear();
    }

    pub(crate) fn look_at_entry(&mut self, entry: &LogEntry) {
        let of = (entry.scope.clone(), entry.tag.clone());
        if matches!(entry.event, LogEvent::Registered | LogEvent::Dropped { .. }) {
            self.in_doubt.remove(&of);
        }
        match &entry.event {
            LogEvent::Registered => {
                self.alive.insert(of.clone(), true);
                self.completed.remove(&of);
                self.dispatches.remove(&of);
            }
            LogEvent::Dropped { .. } => {
                self.alive.insert(of, false);
            }
            LogEvent::Completed => {
                self.dispatches.remove(&of);
                if let Some((_, ended)) = self.ended.remove(&of) {
                    self.completed.insert(of, ended);
                }
            }
            _ => {}
        }
    }

    /// An event has been dispatched just now, or a moment ago.
    pub(crate) fn look_at_dispatch(&mut self, dispatched: &Dispatched, world: &World) {
        let of = (dispatched.scope.clone(), dispatched.tag.clone());
        let storage_key = base::StorageKey::from_url(&dispatched.scope).unwrap();
        assert!(!world.denied.contains(&storage_key), "without permission");
        assert!(
            !world.periodic_denied.contains(&storage_key),
            "without permission"
        );
        let engagement = world.engagement.get(&storage_key);
        assert_ne!(engagement, Some(&Engagement::Suspended));
        assert!(!dispatched.last_chance);
        let now = world.now;
        if let Some(completed) = self.completed.get(&of) {
            assert!(over(*completed, now), "{of:?} fires before its floor");
        }
        // Within one interval there are only so many attempts: those that count, those that do
        // not, and one for each crash or shutdown, of which this walk has few.
        let dispatches = self.dispatches.entry(of.clone()).or_default();
        dispatches.retain(|earlier| !over(*earlier, now));
        dispatches.push(now);
        let most = world.policy.periodic.max_attempts + world.policy.max_uncounted_attempts;
        assert!(
            dispatches.len() <= usize::try_from(most).unwrap(),
            "{of:?} fires too often"
        );
        self.fired.insert(of);
    }
}

/// Whether a floor that is counted from `since` is over by one of the clocks. Walks pass in steps
/// of an hour at most where that matters.
fn over(since: Timestamp, now: Timestamp) -> bool {
    let end = since.saturating_add(FLOOR);
    end.wall <= now.wall || end.monotonic <= now.monotonic
}

#[test]
fn the_model_knows_when_a_floor_is_over() {
    let since = Timestamp::default();
    assert!(!over(since, since.saturating_add(11 * HOUR)));
    assert!(over(since, since.saturating_add(12 * HOUR)));
}
