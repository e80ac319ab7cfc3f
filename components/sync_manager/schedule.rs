//! Which registration's turn it is: indexes, so that nothing ever walks over all registrations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use base::StorageKey;
use base::time::{Deadline, MonotonicTime, Timestamp, WallTime};
use network_traits::{LinkState, NetworkIdentity, NetworkState};
use sync_traits::HoldReason;

/// One tag of one scope in the manager's tables, as long as it runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct EntryId(pub(crate) u64);

/// Registrations that the same condition of the network holds back: those of one origin that may
/// fire on one network, or on any.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Lane {
    pub(crate) storage_key: StorageKey,
    pub(crate) network: Option<NetworkIdentity>,
}

impl Lane {
    /// What about the network keeps registrations of this lane from firing.
    pub(crate) fn held_by(&self, network: &NetworkState) -> Option<HoldReason> {
        if !network.is_online_for(&self.storage_key) {
            let unknown = network.link == LinkState::Unknown && !network.emulated_offline;
            return Some(if unknown {
                HoldReason::NetworkUnknown
            } else {
                HoldReason::Offline
            });
        }
        // What stays on this machine tells no network anything.
        let elsewhere = self.network.is_some()
            && self.network != network.identity
            && !self.storage_key.is_loopback();
        elsewhere.then_some(HoldReason::OtherNetwork)
    }
}

/// Registrations that are pending and have an active worker, oldest first in each lane. Lanes that
/// the network does not hold back take turns.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    lanes: BTreeMap<Lane, BTreeSet<(u64, EntryId)>>,
    runnable: BTreeSet<Lane>,
    /// The lane that had the last turn.
    last: Option<Lane>,
}

impl ReadyQueue {
    pub(crate) fn insert(
        &mut self,
        lane: Lane,
        sequence: u64,
        entry: EntryId,
        network: &NetworkState,
    ) {
        if !self.lanes.contains_key(&lane) && lane.held_by(network).is_none() {
            self.runnable.insert(lane.clone());
        }
        self.lanes
            .entry(lane)
            .or_default()
            .insert((sequence, entry));
    }

    pub(crate) fn remove(&mut self, lane: &Lane, sequence: u64, entry: EntryId) {
        let Some(entries) = self.lanes.get_mut(lane) else {
            return;
        };
        entries.remove(&(sequence, entry));
        if entries.is_empty() {
            self.lanes.remove(lane);
            self.runnable.remove(lane);
        }
    }

    /// Whose turn it is, if anything may fire. It stays in the queue; its lane's turn is over.
    pub(crate) fn next(&mut self) -> Option<EntryId> {
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let lane = self
            .runnable
            .range((after, Bound::Unbounded))
            .next()
            .or_else(|| self.runnable.first())?
            .clone();
        let (_, entry) = *self.lanes.get(&lane)?.first()?;
        self.last = Some(lane);
        Some(entry)
    }

    /// Whether anything may fire.
    pub(crate) fn is_runnable(&self) -> bool {
        !self.runnable.is_empty()
    }

    /// The network changed. Gives up to `sample` registrations of each lane for which it makes a
    /// difference.
    pub(crate) fn update_network(
        &mut self,
        network: &NetworkState,
        previous: &NetworkState,
        sample: usize,
    ) -> Vec<EntryId> {
        let mut affected = Vec::new();
        for (lane, entries) in &self.lanes {
            let held_by = lane.held_by(network);
            if held_by == lane.held_by(previous) {
                continue;
            }
            if held_by.is_none() {
                self.runnable.insert(lane.clone());
            } else {
                self.runnable.remove(lane);
            }
            affected.extend(entries.iter().take(sample).map(|(_, entry)| *entry));
        }
        affected
    }
}

/// When a back-off is over, on both clocks: by whichever comes first. The wall clock knows of the
/// time in which the machine slept; the monotonic one cannot be set back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Due {
    pub(crate) wall: WallTime,
    pub(crate) monotonic: MonotonicTime,
}

/// What comes due when.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due_wall: BTreeSet<(WallTime, EntryId)>,
    due_monotonic: BTreeSet<(MonotonicTime, EntryId)>,
    expiry: BTreeSet<(WallTime, EntryId)>,
}

impl Timers {
    pub(crate) fn insert_due(&mut self, entry: EntryId, due: Due) {
        self.due_wall.insert((due.wall, entry));
        self.due_monotonic.insert((due.monotonic, entry));
    }

    pub(crate) fn remove_due(&mut self, entry: EntryId, due: Due) {
        self.due_wall.remove(&(due.wall, entry));
        self.due_monotonic.remove(&(due.monotonic, entry));
    }

    pub(crate) fn insert_expiry(&mut self, entry: EntryId, expiry: WallTime) {
        self.expiry.insert((expiry, entry));
    }

    pub(crate) fn remove_expiry(&mut self, entry: EntryId, expiry: WallTime) {
        self.expiry.remove(&(expiry, entry));
    }

    /// A registration whose back-off is over.
    pub(crate) fn first_due(&self, now: Timestamp) -> Option<EntryId> {
        let wall = self.due_wall.first().filter(|(due, _)| *due <= now.wall);
        let monotonic = self
            .due_monotonic
            .first()
            .filter(|(due, _)| *due <= now.monotonic);
        wall.map(|(_, entry)| *entry)
            .or(monotonic.map(|(_, entry)| *entry))
    }

    /// A registration that is too old.
    pub(crate) fn first_expired(&self, now: Timestamp) -> Option<EntryId> {
        self.expiry
            .first()
            .filter(|(expiry, _)| *expiry <= now.wall)
            .map(|(_, entry)| *entry)
    }

    /// When the next of all this comes due.
    pub(crate) fn deadline(&self) -> Deadline {
        let due = self.due_wall.first().map(|(time, _)| *time);
        let expiry = self.expiry.first().map(|(time, _)| *time);
        Deadline {
            wall: due.into_iter().chain(expiry).min(),
            monotonic: self.due_monotonic.first().map(|(time, _)| *time),
        }
    }
}
