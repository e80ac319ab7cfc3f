//! Which registration's turn it is: indexes, so that nothing ever walks over all registrations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use base::StorageKey;
use base::time::{Deadline, MonotonicTime, Timestamp, WallTime};
use network_traits::{LinkState, NetworkIdentity, NetworkState, PortalState, Reachability};
use sync_traits::HoldReason;

use crate::policy::SyncPolicy;
use crate::tables::Origin;

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

/// What decides whether the registrations of a lane may fire now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions<'a> {
    pub(crate) policy: &'a SyncPolicy,
    pub(crate) network: &'a NetworkState,
    /// There is a network, but it has not been there for long enough.
    pub(crate) settling: bool,
    pub(crate) origins: &'a BTreeMap<StorageKey, Origin>,
}

/// What keeps the registrations of a lane from firing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held {
    /// The first of the reasons.
    pub(crate) by: Option<HoldReason>,
    /// Whether they are held, and would fire if their origin could be reached.
    pub(crate) awaits_origin: bool,
}

impl Lane {
    /// Everything that keeps registrations of this lane from firing, what matters first.
    pub(crate) fn holds(&self, conditions: Conditions<'_>) -> impl Iterator<Item = HoldReason> {
        let window = conditions.policy.needs_window
            && conditions
                .origins
                .get(&self.storage_key)
                .is_none_or(|origin| origin.windows == 0);
        let window = window.then_some(HoldReason::NoWindow);
        self.network_hold(conditions).into_iter().chain(window)
    }

    pub(crate) fn held(&self, conditions: Conditions<'_>) -> Held {
        let mut holds = self.holds(conditions);
        let by = holds.next();
        let awaits_origin = conditions.policy.heeds_reachability
            && by.as_ref().is_some_and(is_about_reaching_the_origin)
            && holds.next().is_none();
        Held { by, awaits_origin }
    }

    fn network_hold(&self, conditions: Conditions<'_>) -> Option<HoldReason> {
        let network = conditions.network;
        let is_local = self.storage_key.is_loopback();
        if !network.is_online_for(&self.storage_key) {
            return Some(match network.link {
                _ if network.emulated_offline => HoldReason::Offline,
                LinkState::Unknown => HoldReason::NetworkUnknown,
                LinkState::Routable => HoldReason::CaptivePortal,
                LinkState::None | LinkState::NoAddress | LinkState::NoRoute => HoldReason::Offline,
            });
        }
        // What stays on this machine tells no network anything, and needs no link.
        if self.network.is_some() && self.network != network.identity && !is_local {
            return Some(HoldReason::OtherNetwork);
        }
        if conditions.settling && !is_local {
            return Some(HoldReason::Settling);
        }
        if !conditions.policy.heeds_reachability {
            return None;
        }
        match network.reachability(&self.storage_key) {
            Reachability::Checking => Some(HoldReason::Checking),
            Reachability::Unreachable => Some(HoldReason::Unreachable),
            // A network that may have a captive portal is checked first, unless the origin has
            // proved meanwhile that it can be reached.
            Reachability::Unknown if network.portal == PortalState::Unchecked && !is_local => {
                Some(HoldReason::Checking)
            }
            Reachability::Unknown | Reachability::Reachable => None,
        }
    }
}

/// Whether a reason will be gone when the origin can be reached.
fn is_about_reaching_the_origin(reason: &HoldReason) -> bool {
    matches!(
        reason,
        HoldReason::NetworkUnknown
            | HoldReason::Offline
            | HoldReason::CaptivePortal
            | HoldReason::Settling
            | HoldReason::Checking
            | HoldReason::Unreachable
    )
}

/// Registrations that are pending and have an active worker, oldest first in each lane. Lanes that
/// nothing holds back take turns.
///
/// There is one entry for each such registration, so what bounds them bounds this.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    /// By [`order`](crate::SyncRecord::order).
    lanes: BTreeMap<Lane, Waiters>,
    runnable: BTreeSet<Lane>,
    /// The lane that had the last turn.
    last: Option<Lane>,
}

#[derive(Debug, Default)]
struct Waiters {
    held: Held,
    entries: BTreeSet<(u64, EntryId)>,
}

impl ReadyQueue {
    /// Add a registration; `held` is what holds its lane.
    pub(crate) fn insert(&mut self, lane: Lane, sequence: u64, entry: EntryId, held: Held) {
        if held.by.is_none() {
            self.runnable.insert(lane.clone());
        }
        let waiters = self.lanes.entry(lane).or_default();
        waiters.held = held;
        waiters.entries.insert((sequence, entry));
    }

    pub(crate) fn remove(&mut self, lane: &Lane, sequence: u64, entry: EntryId) {
        let Some(waiters) = self.lanes.get_mut(lane) else {
            return;
        };
        waiters.entries.remove(&(sequence, entry));
        if waiters.entries.is_empty() {
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
        let (_, entry) = *self.lanes.get(&lane)?.entries.first()?;
        self.last = Some(lane);
        Some(entry)
    }

    /// Whether anything may fire.
    pub(crate) fn is_runnable(&self) -> bool {
        !self.runnable.is_empty()
    }

    /// Whether something of the origin would fire if it could be reached.
    pub(crate) fn awaits(&self, storage_key: &StorageKey) -> bool {
        self.lanes
            .range(Lane::first(storage_key)..)
            .take_while(|(lane, _)| lane.storage_key == *storage_key)
            .any(|(_, waiters)| waiters.held.awaits_origin)
    }

    /// The conditions have changed for the lanes of one origin, or of all. Gives the origins for
    /// which it makes a difference, and up to `sample` of their registrations.
    pub(crate) fn refresh(
        &mut self,
        storage_key: Option<&StorageKey>,
        conditions: Conditions<'_>,
        sample: usize,
    ) -> (Vec<StorageKey>, Vec<EntryId>) {
        let mut origins = Vec::new();
        let mut affected = Vec::new();
        let first = storage_key.map_or(Bound::Unbounded, |key| Bound::Included(Lane::first(key)));
        for (lane, waiters) in self.lanes.range_mut((first, Bound::Unbounded)) {
            if storage_key.is_some_and(|key| *key != lane.storage_key) {
                break;
            }
            let held = lane.held(conditions);
            if held == waiters.held {
                continue;
            }
            if held.by.is_none() {
                self.runnable.insert(lane.clone());
            } else {
                self.runnable.remove(lane);
            }
            waiters.held = held;
            origins.push(lane.storage_key.clone());
            let room = sample.saturating_sub(affected.len());
            affected.extend(waiters.entries.iter().take(room).map(|(_, entry)| *entry));
        }
        (origins, affected)
    }
}

impl Lane {
    /// The first lane that an origin can have.
    fn first(storage_key: &StorageKey) -> Self {
        Self {
            storage_key: storage_key.clone(),
            network: None,
        }
    }
}

/// When a back-off is over, on both clocks: by whichever comes first. The wall clock knows of the
/// time in which the machine slept; the monotonic one cannot be set back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Due {
    pub(crate) wall: WallTime,
    pub(crate) monotonic: MonotonicTime,
}

impl Due {
    /// When both clocks say what they say at a moment.
    pub(crate) fn of(time: Timestamp) -> Self {
        Self {
            wall: time.wall,
            monotonic: time.monotonic,
        }
    }

    /// When both this and `other` are reached.
    pub(crate) fn later(self, other: Self) -> Self {
        Self {
            wall: self.wall.max(other.wall),
            monotonic: self.monotonic.max(other.monotonic),
        }
    }

    pub(crate) fn is_reached(self, now: Timestamp) -> bool {
        self.wall <= now.wall || self.monotonic <= now.monotonic
    }
}

/// Things in the order in which they come due, on both clocks.
#[derive(Debug)]
pub(crate) struct Dues<T> {
    wall: BTreeSet<(WallTime, T)>,
    monotonic: BTreeSet<(MonotonicTime, T)>,
}

impl<T> Default for Dues<T> {
    fn default() -> Self {
        Self {
            wall: BTreeSet::new(),
            monotonic: BTreeSet::new(),
        }
    }
}

impl<T: Clone + Ord> Dues<T> {
    pub(crate) fn insert(&mut self, thing: T, due: Due) {
        self.wall.insert((due.wall, thing.clone()));
        self.monotonic.insert((due.monotonic, thing));
    }

    pub(crate) fn remove(&mut self, thing: &T, due: Due) {
        self.wall.remove(&(due.wall, thing.clone()));
        self.monotonic.remove(&(due.monotonic, thing.clone()));
    }

    /// One that has come due.
    pub(crate) fn first_due(&self, now: Timestamp) -> Option<T> {
        let wall = self.wall.first().filter(|(due, _)| *due <= now.wall);
        let wall = wall.map(|(_, thing)| thing);
        let monotonic = || {
            let first = self.monotonic.first();
            first.filter(|(due, _)| *due <= now.monotonic)
        };
        wall.or_else(|| monotonic().map(|(_, thing)| thing))
            .cloned()
    }

    /// When the first comes due.
    pub(crate) fn first(&self) -> Option<Due> {
        Some(Due {
            wall: self.wall.first()?.0,
            monotonic: self.monotonic.first()?.0,
        })
    }
}

/// What comes due when. At most one entry for each registration in each index.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: Dues<EntryId>,
    expiry: BTreeSet<(WallTime, EntryId)>,
}

impl Timers {
    pub(crate) fn insert_due(&mut self, entry: EntryId, due: Due) {
        self.due.insert(entry, due);
    }

    pub(crate) fn remove_due(&mut self, entry: EntryId, due: Due) {
        self.due.remove(&entry, due);
    }

    pub(crate) fn insert_expiry(&mut self, entry: EntryId, expiry: Option<WallTime>) {
        self.expiry.extend(expiry.map(|expiry| (expiry, entry)));
    }

    pub(crate) fn remove_expiry(&mut self, entry: EntryId, expiry: Option<WallTime>) {
        if let Some(expiry) = expiry {
            self.expiry.remove(&(expiry, entry));
        }
    }

    /// A registration whose back-off is over.
    pub(crate) fn first_due(&self, now: Timestamp) -> Option<EntryId> {
        self.due.first_due(now)
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
        let due = self.due.first();
        let expiry = self.expiry.first().map(|(time, _)| *time);
        Deadline {
            wall: due.map(|due| due.wall).into_iter().chain(expiry).min(),
            monotonic: due.map(|due| due.monotonic),
        }
    }
}
