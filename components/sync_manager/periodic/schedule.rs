//! Which periodic registration is due when: one index for each origin, and one over all of them.

use std::collections::{BTreeMap, BTreeSet};

use base::StorageKey;
use base::time::{Deadline, Timestamp};
use storage::Batch;
use sync_traits::{Engagement, HoldReason};

use super::policy::PeriodicPolicy;
use super::record::{PeriodicState, TurnOf, TurnRecord, put_turn};
use super::turn::{Pace, Turn};
use crate::schedule::{Due, Dues, EntryId};

/// An origin with periodic registrations.
#[derive(Debug, Default)]
pub(crate) struct PeriodicOrigin {
    /// How many of them there are.
    registrations: usize,
    engagement: Engagement,
    turn: Turn,
    /// Whether its turn is in the store, or may be.
    stored: bool,
    /// Those that are pending, by when their interval is over.
    pending: Dues<EntryId>,
    /// Where the origin stands in the index of all of them.
    indexed: Option<Due>,
}

/// When what is due.
#[derive(Debug, Default)]
pub(crate) struct PeriodicSchedule {
    policy: PeriodicPolicy,
    /// The turn of all origins.
    turn: Turn,
    origins: BTreeMap<StorageKey, PeriodicOrigin>,
    /// The origins by when the first of their registrations may fire, as far as the origin alone
    /// decides.
    due: Dues<StorageKey>,
    /// Origins whose place in the index may be wrong.
    touched: BTreeSet<StorageKey>,
    /// Turns that are not stored as they are, nor on their way to the store.
    unsaved: BTreeSet<TurnOf>,
    deadline: Deadline,
}

impl PeriodicSchedule {
    pub(crate) fn new(policy: PeriodicPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Take over what an earlier run left behind.
    pub(crate) fn recover(&mut self, of: TurnOf, record: &TurnRecord, now: Timestamp) {
        let turn = Turn::recover(record, now);
        match of {
            TurnOf::AllOrigins => self.turn = turn,
            TurnOf::Origin(storage_key) => {
                let origin = self.origins.entry(storage_key).or_default();
                origin.turn = turn;
                origin.engagement = record.engagement;
                origin.stored = true;
            }
        }
    }

    /// Forget the recovered origins for which there are no registrations.
    pub(crate) fn end_recovery(&mut self) {
        self.origins.retain(|storage_key, origin| {
            let used = origin.registrations > 0;
            if !used {
                self.unsaved.insert(TurnOf::Origin(storage_key.clone()));
            }
            used
        });
    }

    /// The origins that have registrations.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &StorageKey> {
        self.origins.keys()
    }

    /// An origin has one registration more.
    pub(crate) fn add(&mut self, storage_key: &StorageKey) {
        let of = TurnOf::Origin(storage_key.clone());
        let origin = self.origins.entry(storage_key.clone()).or_default();
        origin.registrations += 1;
        // What is still to be removed is still there.
        origin.stored |= self.unsaved.contains(&of);
    }

    /// An origin has one registration less.
    pub(crate) fn remove(&mut self, storage_key: &StorageKey) {
        let Some(origin) = self.origins.get_mut(storage_key) else {
            return;
        };
        origin.registrations = origin.registrations.saturating_sub(1);
        if origin.registrations > 0 {
            return;
        }
        if let Some(indexed) = origin.indexed {
            self.due.remove(storage_key, indexed);
        }
        if origin.stored {
            self.unsaved.insert(TurnOf::Origin(storage_key.clone()));
        } else {
            self.unsaved.remove(&TurnOf::Origin(storage_key.clone()));
        }
        self.origins.remove(storage_key);
    }

    /// How much the user engages with an origin. Gives whether that is news.
    pub(crate) fn set_engagement(
        &mut self,
        storage_key: &StorageKey,
        engagement: Engagement,
    ) -> bool {
        let Some(origin) = self.origins.get_mut(storage_key) else {
            return false;
        };
        if origin.engagement == engagement {
            return false;
        }
        origin.engagement = engagement;
        self.unsaved.insert(TurnOf::Origin(storage_key.clone()));
        self.touched.insert(storage_key.clone());
        true
    }

    pub(crate) fn is_suspended(&self, storage_key: &StorageKey) -> bool {
        self.pace_of(storage_key).is_none()
    }

    fn pace_across(&self) -> Pace {
        Pace {
            floor: self.policy.floor_across_origins,
            turn: self.policy.turn,
        }
    }

    /// Nothing for an origin that is suspended.
    fn pace_of(&self, storage_key: &StorageKey) -> Option<Pace> {
        let origin = self.origins.get(storage_key);
        let engagement = origin.map_or(Engagement::default(), |origin| origin.engagement);
        Some(Pace {
            floor: self.policy.floor_of(engagement)?,
            turn: self.policy.turn,
        })
    }

    /// When the interval of a registration is over, counted from its anchor.
    pub(crate) fn due_of(&self, storage_key: &StorageKey, state: &PeriodicState) -> Option<Due> {
        let interval = self.pace_of(storage_key)?.floor.max(state.min_interval);
        Some(Due::of(state.anchor.saturating_add(interval)))
    }

    /// A registration is pending.
    pub(crate) fn insert(&mut self, storage_key: &StorageKey, entry: EntryId, due: Due) {
        if let Some(origin) = self.origins.get_mut(storage_key) {
            origin.pending.insert(entry, due);
            self.touched.insert(storage_key.clone());
        }
    }

    /// A registration is pending no more.
    pub(crate) fn take_out(&mut self, storage_key: &StorageKey, entry: EntryId, due: Due) {
        if let Some(origin) = self.origins.get_mut(storage_key) {
            origin.pending.remove(&entry, due);
            self.touched.insert(storage_key.clone());
        }
    }

    /// When a registration of the origin may fire whose own interval is over then: as far as the
    /// origin decides, and as far as all of them do.
    pub(crate) fn admits(&self, storage_key: &StorageKey, due: Due, now: Timestamp) -> (Due, Due) {
        let origin = self.origins.get(storage_key).zip(self.pace_of(storage_key));
        let of_origin = origin.map_or(due, |(origin, pace)| origin.turn.admits(due, now, pace));
        (
            of_origin,
            self.turn.admits(of_origin, now, self.pace_across()),
        )
    }

    /// What holds back a registration of the origin whose own interval is over then.
    pub(crate) fn held_until(
        &self,
        storage_key: &StorageKey,
        due: Due,
        now: Timestamp,
    ) -> HoldReason {
        let (of_origin, across) = self.admits(storage_key, due, now);
        if across.wall > of_origin.wall {
            HoldReason::AcrossOrigins { until: across.wall }
        } else {
            HoldReason::NotDue {
                until: of_origin.wall,
            }
        }
    }

    /// Everything here that holds back a registration of the origin whose own interval is over
    /// then.
    pub(crate) fn holds(
        &self,
        storage_key: &StorageKey,
        due: Due,
        now: Timestamp,
    ) -> Vec<HoldReason> {
        let (of_origin, across) = self.admits(storage_key, due, now);
        let not_due = !of_origin.is_reached(now);
        let not_due = not_due.then_some(HoldReason::NotDue {
            until: of_origin.wall,
        });
        let too_soon = across.wall > of_origin.wall;
        let too_soon = too_soon.then_some(HoldReason::AcrossOrigins { until: across.wall });
        not_due.into_iter().chain(too_soon).collect()
    }

    /// Whether the floors let an origin fire now.
    pub(crate) fn may_fire(&self, storage_key: &StorageKey, now: Timestamp) -> bool {
        self.is_open_for(storage_key, now) && self.turn.is_open(now, self.pace_across())
    }

    /// A registration whose interval is over and which nothing here holds back.
    pub(crate) fn first_due(&mut self, now: Timestamp) -> Option<EntryId> {
        self.reindex(now);
        if !self.turn.is_open(now, self.pace_across()) {
            return None;
        }
        // The places in the index are those of now, so that what is due may fire.
        let storage_key = self.due.first_due(now)?;
        self.origins.get(&storage_key)?.pending.first_due(now)
    }

    /// Correct the places of the origins for which something has changed, or that would have been
    /// due in a turn that is over.
    fn reindex(&mut self, now: Timestamp) {
        loop {
            for storage_key in std::mem::take(&mut self.touched) {
                self.place(storage_key, now);
            }
            match self.due.first_due(now) {
                Some(late) if !self.is_open_for(&late, now) => self.touched.insert(late),
                _ => return,
            };
        }
    }

    /// Whether the origin's own floor lets it fire now.
    fn is_open_for(&self, storage_key: &StorageKey, now: Timestamp) -> bool {
        let origin = self.origins.get(storage_key).zip(self.pace_of(storage_key));
        origin.is_some_and(|(origin, pace)| origin.turn.is_open(now, pace))
    }

    fn place(&mut self, storage_key: StorageKey, now: Timestamp) {
        let pace = self.pace_of(&storage_key);
        let Some(origin) = self.origins.get_mut(&storage_key) else {
            return;
        };
        let first = origin.pending.first();
        let due = first
            .zip(pace)
            .map(|(first, pace)| origin.turn.admits(first, now, pace));
        if due == origin.indexed {
            return;
        }
        if let Some(indexed) = std::mem::replace(&mut origin.indexed, due) {
            self.due.remove(&storage_key, indexed);
        }
        if let Some(due) = due {
            self.due.insert(storage_key, due);
        }
    }

    /// An origin fires: if no turn is under way, one begins.
    pub(crate) fn open_turn(&mut self, storage_key: &StorageKey, now: Timestamp) {
        let (across, of_origin) = (self.pace_across(), self.pace_of(storage_key));
        if !self.turn.is_under_way(now, across) {
            self.turn.opened = Some(now);
            self.unsaved.insert(TurnOf::AllOrigins);
        }
        let origin = self.origins.get_mut(storage_key).zip(of_origin);
        if let Some((origin, pace)) = origin
            && !origin.turn.is_under_way(now, pace)
        {
            origin.turn.opened = Some(now);
            self.unsaved.insert(TurnOf::Origin(storage_key.clone()));
            self.touched.insert(storage_key.clone());
        }
    }

    /// An event of an origin has ended.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#periodic-sync-scheduler-time-of-last-fire>
    pub(crate) fn note_fire(&mut self, storage_key: &StorageKey, at: Timestamp) {
        self.turn.last_fire = Some(at);
        self.unsaved.insert(TurnOf::AllOrigins);
        if let Some(origin) = self.origins.get_mut(storage_key) {
            origin.turn.last_fire = Some(at);
            self.unsaved.insert(TurnOf::Origin(storage_key.clone()));
            self.touched.insert(storage_key.clone());
        }
    }

    /// An event was under way when an earlier run ended.
    pub(crate) fn note_interrupted(&mut self, storage_key: &StorageKey, at: Timestamp) {
        let later = |last_fire: &mut Option<Timestamp>| {
            if last_fire.is_none_or(|last_fire| last_fire.wall < at.wall) {
                *last_fire = Some(at);
            }
        };
        later(&mut self.turn.last_fire);
        self.unsaved.insert(TurnOf::AllOrigins);
        if let Some(origin) = self.origins.get_mut(storage_key) {
            later(&mut origin.turn.last_fire);
            self.unsaved.insert(TurnOf::Origin(storage_key.clone()));
        }
    }

    /// Whether there are turns to be stored.
    pub(crate) fn has_unsaved(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// Put the turns that are to be stored into a batch. Gives which, for when it fails.
    pub(crate) fn save(&mut self, batch: &mut Batch) -> BTreeSet<TurnOf> {
        let saved = std::mem::take(&mut self.unsaved);
        for of in &saved {
            let known = match of {
                TurnOf::AllOrigins => Some((&self.turn, Engagement::default())),
                TurnOf::Origin(storage_key) => {
                    let origin = self.origins.get_mut(storage_key);
                    origin.map(|origin| {
                        origin.stored = true;
                        (&origin.turn, origin.engagement)
                    })
                }
            };
            let record = known.map(|(turn, engagement)| TurnRecord {
                opened: turn.opened.map(|opened| opened.wall),
                last_fire: turn.last_fire.map(|last_fire| last_fire.wall),
                engagement,
            });
            put_turn(batch, of, record);
        }
        saved
    }

    /// A batch with these turns could not be written.
    pub(crate) fn put_back(&mut self, saved: BTreeSet<TurnOf>) {
        self.unsaved.extend(saved);
    }

    /// Find out when something is due next.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.reindex(now);
        let first = self.due.first();
        let due = first.map(|first| self.turn.admits(first, now, self.pace_across()));
        self.deadline = due.map_or(Deadline::default(), |due| Deadline {
            wall: Some(due.wall),
            monotonic: Some(due.monotonic),
        });
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }
}
