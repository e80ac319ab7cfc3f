//! Attempts: from the turn of a registration to the end of its event.

use base::StorageKey;
use base::ids::EventId;
use base::time::{MonotonicTime, Timestamp};
use network_traits::{LinkState, NetworkState, Reachability};
use sw_traits::EventOutcome;

use crate::manager::{Output, SyncManager};
use crate::policy::NetworkPolicy;
use crate::schedule::{EntryId, Lane};
use crate::tables::HELD_ENTRIES_PER_INPUT;
use crate::transition::{End, Ended, RetryDelay};

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) entry: EntryId,
    pub(crate) stage: Stage,
    /// The event's `lastChance`.
    pub(crate) last_chance: bool,
    /// The registration was removed: nobody cares how the event ends.
    abandoned: bool,
    /// The network was gone at some moment since the dispatch.
    network_lost: bool,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Its start is being written.
    Storing,
    /// Its start is durable, and what must hold at the moment of dispatch is being looked up.
    Confirming,
    /// The service worker has the event.
    Dispatched {
        /// Since when.
        at: MonotonicTime,
    },
}

impl SyncManager {
    /// Start attempts as long as something may fire and there is room.
    ///
    /// <https://wicg.github.io/background-sync/spec/#fire-a-sync-event>
    pub(crate) fn start_attempts(&mut self, now: Timestamp) {
        while self.store_retry.is_none() && self.has_room() {
            let Some(id) = self.ready.next() else { return };
            self.start_attempt(id, now);
        }
    }

    /// Whether one more event may be in flight.
    pub(crate) fn has_room(&self) -> bool {
        self.flights.len() < self.policy.max_concurrent_events.max(1)
    }

    /// Start an attempt: first, that it was started is written.
    pub(crate) fn start_attempt(&mut self, id: EntryId, now: Timestamp) {
        self.take_out(id);
        self.next_event += 1;
        let event = EventId(self.next_event);
        let last_chance = self.write_start(id, event, now);
        let flight = Flight {
            entry: id,
            stage: Stage::Storing,
            last_chance,
            abandoned: false,
            network_lost: false,
        };
        self.flights.insert(event, flight);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.event = Some(event);
        }
    }

    /// The state of the network and the permission at the moment of dispatch, in answer to
    /// [`Output::ConfirmDispatch`]. If the event may be dispatched, [`Output::Dispatch`] is the
    /// next output.
    pub fn handle_dispatch_confirmed(
        &mut self,
        now: Timestamp,
        event: EventId,
        network: NetworkState,
        may_sync: bool,
    ) {
        self.begin();
        self.update_network(network);
        self.confirm_dispatch(now, event, may_sync);
        self.settle(now);
    }

    fn confirm_dispatch(&mut self, now: Timestamp, event: EventId, may_sync: bool) {
        let Some(flight) = self.flights.get_mut(&event) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&flight.entry) else {
            return;
        };
        let Some(record) = entry
            .record
            .as_ref()
            .filter(|_| flight.stage == Stage::Confirming)
        else {
            return;
        };
        let storage_key = entry.key.storage_key.clone();
        let lane = Lane {
            storage_key: storage_key.clone(),
            network: record.network,
        };
        let expired = record.registered.saturating_add(self.policy.max_age) <= now.wall;
        if may_sync && !self.exiting && !expired && lane.held_by(&self.network).is_none() {
            flight.stage = Stage::Dispatched { at: now.monotonic };
            let time_limit = if flight.last_chance {
                self.policy.last_chance_time_limit
            } else {
                self.policy.event_time_limit
            };
            entry.held_by = None;
            self.outputs.push_back(Output::Dispatch {
                event,
                storage_key,
                scope: entry.key.scope.clone(),
                tag: entry.key.tag.clone(),
                last_chance: flight.last_chance,
                time_limit,
            });
            return;
        }
        let id = flight.entry;
        self.flights.remove(&event);
        entry.event = None;
        if may_sync {
            entry.ended = Some(Ended::not_delivered(now, entry.requesters.len()));
            self.advance(id, now);
        } else {
            self.revoke(&storage_key, now);
        }
    }

    /// The engine is shut down: what is in flight is as if it had not been dispatched, in one
    /// batch. An attempt whose start is still being written ends when that write is answered.
    pub(crate) fn take_back_flights(&mut self, now: Timestamp) {
        let storing = |flight: &Flight| flight.stage == Stage::Storing;
        let flights = std::mem::take(&mut self.flights);
        let (storing, others) = flights.into_iter().partition(|(_, flight)| storing(flight));
        self.flights = storing;
        // What the store could not write so far gets a last try.
        let mut to_write: Vec<EntryId> = std::mem::take(&mut self.unwritten).into_iter().collect();
        for (_, flight) in others {
            let Some(entry) = self.entries.get_mut(&flight.entry) else {
                continue;
            };
            entry.event = None;
            if flight.abandoned {
                self.advance(flight.entry, now);
                continue;
            }
            entry.ended = Some(Ended::not_delivered(now, entry.requesters.len()));
            if !entry.writing {
                to_write.push(flight.entry);
            }
        }
        self.write(&to_write, now);
    }

    /// A sync event ended. Unknown ids are ignored.
    pub fn handle_event_ended(&mut self, now: Timestamp, event: EventId, outcome: EventOutcome) {
        self.begin();
        self.end_event(now, event, outcome);
        self.settle(now);
    }

    fn end_event(&mut self, now: Timestamp, event: EventId, outcome: EventOutcome) {
        let Some(Flight {
            stage: Stage::Dispatched { at },
            ..
        }) = self.flights.get(&event)
        else {
            return;
        };
        let duration = now.monotonic.saturating_since(*at);
        let Some(flight) = self.flights.remove(&event) else {
            return;
        };
        let id = flight.entry;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.event = None;
        if flight.abandoned {
            self.advance(id, now);
            return;
        }
        let attempts = entry.record.as_ref().map_or(1, |record| record.attempts);
        let (storage_key, scope) = (entry.key.storage_key.clone(), entry.key.scope.clone());
        let how = if outcome == EventOutcome::NoActiveWorker {
            self.set_active_worker(&storage_key, &scope, false);
            End::NotDelivered {
                outcome: Some(outcome),
            }
        } else {
            let without_network = flight.network_lost
                || !self.network.is_online_for(&storage_key)
                || self.network.reachability(&storage_key) == Reachability::Unreachable;
            let last_chance = flight.last_chance;
            End::Handled {
                outcome,
                duration,
                last_chance,
                without_network,
            }
        };
        let retry_delay = self.draw_retry_delay(attempts);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.ended_at_change = self.network_changes;
            entry.ended = Some(Ended {
                how,
                at: now,
                retry_delay,
                early_requesters: entry.requesters.len(),
            });
        }
        self.advance(id, now);
    }

    /// Draw the delay before the next attempt.
    pub(crate) fn draw_retry_delay(&mut self, attempts: u32) -> RetryDelay {
        let initial = self.policy.jitter_range(self.policy.retry_delay(1));
        let counted = self.policy.jitter_range(self.policy.retry_delay(attempts));
        RetryDelay {
            initial: self.jitter.between(initial),
            counted: self.jitter.between(counted),
        }
    }

    /// The registration of an event is removed.
    pub(crate) fn abandon_flight(&mut self, event: EventId) {
        let Some(flight) = self.flights.get_mut(&event) else {
            return;
        };
        match flight.stage {
            // The end of the write deals with it.
            Stage::Storing => {}
            Stage::Confirming => {
                let id = flight.entry;
                self.flights.remove(&event);
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.event = None;
                }
            }
            Stage::Dispatched { .. } => flight.abandoned = true,
        }
    }

    /// The network is like this now.
    pub(crate) fn update_network(&mut self, network: NetworkState) {
        if network == self.network {
            return;
        }
        self.last_network = network.identity.or(self.last_network);
        let previous = std::mem::replace(&mut self.network, network);
        self.network_changes += 1;
        let mut gained = self.note_reachability(&previous);
        let only_reachability = previous.link == self.network.link
            && previous.identity == self.network.identity
            && previous.emulated_offline == self.network.emulated_offline;
        if !only_reachability {
            self.note_lost_network();
            let affected =
                self.ready
                    .update_network(&self.network, &previous, HELD_ENTRIES_PER_INPUT);
            self.held_anew.extend(affected);
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

    /// Remember which origins were unreachable. Gives those that can be reached now: an event that
    /// ended before the origin was last known to be unreachable may have failed for that. One that
    /// ended after that had its answer from the origin, which says nothing new.
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
            let origin = self.origins.get_mut(storage_key);
            let unreachable_at = origin.and_then(|origin| {
                let change = origin.unreachable_at_change.take()?;
                origin.gained_at_change = origin.gained_at_change.max(change);
                Some(change)
            });
            if unreachable_at.is_some() {
                gained.push(storage_key.clone());
            }
        }
        gained
    }

    /// End the back-off of each registration of an origin that has gained connectivity since its
    /// event ended.
    fn end_back_offs(&mut self, storage_key: &StorageKey) {
        let Some(origin) = self.origins.get(storage_key) else {
            return;
        };
        let ended_before = |id: &EntryId| {
            let entry = self.entries.get(id);
            entry.is_some_and(|entry| entry.ended_at_change < origin.gained_at_change)
        };
        let waiting = self.waiting.get(storage_key).into_iter().flatten();
        let ids: Vec<EntryId> = waiting.copied().filter(ended_before).collect();
        for id in ids {
            self.end_back_off(id);
        }
    }

    /// Remember which events had no network at some moment. There are only as many as may be in
    /// flight at once.
    fn note_lost_network(&mut self) {
        for flight in self.flights.values_mut() {
            let Some(entry) = self.entries.get(&flight.entry) else {
                continue;
            };
            flight.network_lost |= matches!(flight.stage, Stage::Dispatched { .. })
                && !self.network.is_online_for(&entry.key.storage_key);
        }
    }

    /// The network to which a registration that is made now belongs.
    pub(crate) fn network_of_registration(&self) -> Option<network_traits::NetworkIdentity> {
        match self.policy.network {
            NetworkPolicy::Any => None,
            NetworkPolicy::SameNetworkOnly => self.network.identity.or(self.last_network),
        }
    }
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
