//! The network: what it holds back, which back-offs it ends, and whose origin is to be probed.

use std::collections::{BTreeMap, BTreeSet};

use base::StorageKey;
use base::time::{MonotonicTime, Timestamp};
use network_traits::{LinkState, NetworkIdentity, NetworkState, Reachability};
use url::Url;

use crate::attempt::Stage;
use crate::manager::{Output, SyncManager};
use crate::policy::NetworkPolicy;
use crate::record::SyncKey;
use crate::schedule::{Conditions, EntryId};
use crate::tables::{Entry, HELD_ENTRIES_PER_INPUT};

/// The scopes for which being offline is emulated.
type OfflineRegistrations = BTreeMap<StorageKey, BTreeSet<Url>>;

impl SyncManager {
    /// What decides now whether a registration may fire.
    pub(crate) fn conditions(&self) -> Conditions<'_> {
        Conditions {
            policy: &self.policy,
            network: &self.network,
            settling: self.settled_at.is_some(),
            origins: &self.origins,
        }
    }

    /// The network is like this now.
    pub(crate) fn update_network(&mut self, now: Timestamp, network: NetworkState) {
        if network == self.network {
            return;
        }
        self.last_network = network.identity.or(self.last_network);
        let previous = std::mem::replace(&mut self.network, network);
        self.network_changes += 1;
        let mut gained = self.note_reachability(&previous);
        self.note_lost_network();
        gained.extend(self.update_offline_registrations(&previous));
        let only_reachability = previous.link == self.network.link
            && previous.identity == self.network.identity
            && previous.emulated_offline == self.network.emulated_offline
            && previous.portal == self.network.portal;
        if only_reachability {
            for storage_key in changed_origins(&previous, &self.network) {
                self.refresh_lanes(Some(&storage_key));
            }
        } else {
            self.note_link_up(&previous, now.monotonic);
            self.refresh_lanes(None);
            for (storage_key, origin) in &mut self.origins {
                if is_gained(storage_key, &previous, &self.network) {
                    origin.gained_at_change = self.network_changes;
                    gained.push(storage_key.clone());
                }
            }
        }
        // Newly gained connectivity cuts the back-off short.
        for storage_key in gained {
            self.end_back_offs(&storage_key);
        }
    }

    /// The conditions have changed for one origin, or for all.
    pub(crate) fn refresh_lanes(&mut self, storage_key: Option<&StorageKey>) {
        let conditions = Conditions {
            policy: &self.policy,
            network: &self.network,
            settling: self.settled_at.is_some(),
            origins: &self.origins,
        };
        let sample = HELD_ENTRIES_PER_INPUT;
        let (origins, affected) = self.ready.refresh(storage_key, conditions, sample);
        self.await_anew.extend(origins);
        for id in affected {
            self.note_hold(id);
        }
    }

    /// Being offline is emulated for other service worker registrations now. Gives the origins of
    /// those for which that has ended.
    fn update_offline_registrations(&mut self, previous: &NetworkState) -> Vec<StorageKey> {
        let now = &self.network.offline_registrations;
        let before = &previous.offline_registrations;
        if now == before {
            return Vec::new();
        }
        let began = difference(now, before);
        let ended = difference(before, now);
        let change = self.network_changes;
        for (storage_key, url) in &ended {
            if let Some(scope) = self.scope_mut(storage_key, url) {
                scope.gained_at_change = change;
            }
        }
        for (storage_key, url) in began.iter().chain(&ended) {
            self.place_pending_anew(storage_key, url);
        }
        ended
            .into_iter()
            .map(|(storage_key, _)| storage_key)
            .collect()
    }

    /// Whether being offline is emulated for this service worker registration in particular.
    pub(crate) fn is_offline_registration(&self, storage_key: &StorageKey, scope: &Url) -> bool {
        let scopes = self.network.offline_registrations.get(storage_key);
        scopes.is_some_and(|scopes| scopes.contains(scope))
    }

    /// A link that has just come up has to stay up for some time, if the policy says so. What the
    /// system said first about a link tells nothing about how long it has been up.
    fn note_link_up(&mut self, previous: &NetworkState, now: MonotonicTime) {
        let online =
            |state: &NetworkState| state.link == LinkState::Routable && !state.emulated_offline;
        if !online(&self.network) {
            self.settled_at = None;
        } else if !online(previous)
            && previous.link != LinkState::Unknown
            && !self.policy.settling_delay.is_zero()
        {
            self.settled_at = Some(now.saturating_add(self.policy.settling_delay));
        }
    }

    /// The link has been up for long enough.
    pub(crate) fn settle_link(&mut self, now: MonotonicTime) {
        if self.settled_at.is_some_and(|at| at <= now) {
            self.settled_at = None;
            self.refresh_lanes(None);
        }
    }

    /// Remember which origins were unreachable. Gives those that can be reached now: an event that
    /// ended before the origin was last known to be unreachable may have failed for that. One that
    /// ended after that had its answer from the origin, which says nothing new. An event that
    /// failed for want of network is another matter: it had no answer, so a probe that has
    /// succeeded since is news.
    fn note_reachability(&mut self, previous: &NetworkState) -> Vec<StorageKey> {
        let unreachable =
            |(_, state): &(&StorageKey, &Reachability)| **state == Reachability::Unreachable;
        for (storage_key, _) in previous.origins.iter().filter(unreachable) {
            if let Some(origin) = self.origins.get_mut(storage_key) {
                origin.unreachable_at_change = Some(self.network_changes);
            }
        }
        let reachable = self.network.origins.iter().filter(|(storage_key, state)| {
            **state == Reachability::Reachable
                && previous.reachability(storage_key) != Reachability::Reachable
        });
        let mut gained = Vec::new();
        for (storage_key, _) in reachable {
            let Some(origin) = self.origins.get_mut(storage_key) else {
                continue;
            };
            let probed = previous.reachability(storage_key) == Reachability::Checking;
            if probed {
                origin.verified_at_change = self.network_changes;
            }
            let unreachable_at = origin.unreachable_at_change.take();
            if let Some(change) = unreachable_at {
                origin.gained_at_change = origin.gained_at_change.max(change);
            }
            if probed || unreachable_at.is_some() {
                gained.push(storage_key.clone());
            }
        }
        gained
    }

    /// End or shorten the back-off of each registration of an origin that has gained connectivity
    /// since its event ended.
    fn end_back_offs(&mut self, storage_key: &StorageKey) {
        let ended_before = |id: &EntryId| {
            let entry = self.entries.get(id);
            entry.is_some_and(|entry| self.has_regained_network(entry))
        };
        let waiting = self.waiting.get(storage_key).into_iter().flatten();
        let ids: Vec<EntryId> = waiting.copied().filter(ended_before).collect();
        for id in ids {
            self.take_out(id);
            self.put_in(id);
        }
    }

    /// Whether connectivity has come since the last event of a registration ended, so that it need
    /// not wait for the end of its back-off.
    pub(crate) fn has_regained_network(&self, entry: &Entry) -> bool {
        let Some(origin) = self.origins.get(&entry.key.storage_key) else {
            return false;
        };
        let ended = entry.ended_at_change;
        let scope = origin.scopes.get(&entry.key.scope);
        let regained = ended < origin.gained_at_change
            || scope.is_some_and(|scope| ended < scope.gained_at_change)
            || entry.wants_network && ended < origin.verified_at_change;
        regained && self.policy.connectivity_ends_back_off
    }

    /// Remember which events had no network at some moment, and which origins are known to be
    /// unreachable since. There are only as many as may be in flight at once.
    fn note_lost_network(&mut self) {
        for flight in self.flights.values_mut() {
            let Some(entry) = self.entries.get(&flight.entry) else {
                continue;
            };
            if !matches!(flight.stage, Stage::Dispatched { .. }) {
                continue;
            }
            let SyncKey {
                storage_key, scope, ..
            } = &*entry.key;
            flight.lost.network |= !self.network.is_online_for_registration(storage_key, scope);
            match self.network.reachability(storage_key) {
                Reachability::Unreachable => flight.lost.origin = true,
                Reachability::Reachable => flight.lost.origin = false,
                Reachability::Unknown | Reachability::Checking => {}
            }
        }
    }

    /// The network to which a registration that is made now belongs.
    pub(crate) fn network_of_registration(&self) -> Option<NetworkIdentity> {
        match self.policy.network {
            NetworkPolicy::Any => None,
            NetworkPolicy::SameNetworkOnly => self.network.identity.or(self.last_network),
        }
    }

    /// Tell the network monitor for which origins something waits, as far as that has changed.
    pub(crate) fn update_awaited(&mut self) {
        for storage_key in std::mem::take(&mut self.await_anew) {
            let awaited = !self.exiting && self.is_awaited(&storage_key);
            // While what holds it back is being written, what waits for an origin stands in no
            // index; a probe that is under way is not given up for that. The answer of the store
            // brings the origin here again.
            if !awaited && !self.exiting && self.is_being_written(&storage_key) {
                continue;
            }
            let changed = if awaited {
                self.awaited.insert(storage_key.clone())
            } else {
                self.awaited.remove(&storage_key)
            };
            if changed {
                self.outputs.push_back(Output::AwaitOrigin {
                    storage_key,
                    awaited,
                });
            }
        }
    }

    fn is_being_written(&self, storage_key: &StorageKey) -> bool {
        self.origins
            .get(storage_key)
            .is_some_and(|origin| origin.being_written > 0)
    }

    /// Whether something would fire if an origin could be reached.
    fn is_awaited(&self, storage_key: &StorageKey) -> bool {
        let in_back_off = self
            .origins
            .get(storage_key)
            .is_some_and(|origin| origin.waiting_for_network > 0);
        self.policy.heeds_reachability && (in_back_off || self.ready.awaits(storage_key))
    }
}

/// The scopes that are in `these` and not in `those`.
fn difference(
    these: &OfflineRegistrations,
    those: &OfflineRegistrations,
) -> Vec<(StorageKey, Url)> {
    let mut difference = Vec::new();
    for (storage_key, scopes) in these {
        let others = those.get(storage_key);
        let scopes = scopes
            .iter()
            .filter(|scope| others.is_none_or(|others| !others.contains(*scope)));
        difference.extend(scopes.map(|scope| (storage_key.clone(), scope.clone())));
    }
    difference
}

/// The origins whose reachability is another one now. The monitor bounds how many there are.
fn changed_origins(previous: &NetworkState, network: &NetworkState) -> Vec<StorageKey> {
    let gone = previous
        .origins
        .keys()
        .filter(|storage_key| !network.origins.contains_key(*storage_key));
    let changed = network
        .origins
        .iter()
        .filter(|(storage_key, state)| previous.origins.get(*storage_key) != Some(*state))
        .map(|(storage_key, _)| storage_key);
    gone.chain(changed).cloned().collect()
}

/// Whether a change of the network brought connectivity for an origin: it was offline, or the
/// machine has gone to another network. That the state is known for the first time brings nothing.
fn is_gained(origin: &StorageKey, previous: &NetworkState, network: &NetworkState) -> bool {
    if !network.is_online_for(origin) {
        return false;
    }
    if previous.is_online_for(origin) {
        return !origin.is_loopback()
            && previous.identity.is_some()
            && network.identity.is_some()
            && previous.identity != network.identity;
    }
    previous.emulated_offline || previous.link != LinkState::Unknown
}
