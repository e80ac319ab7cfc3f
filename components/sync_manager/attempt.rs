//! Attempts: from the turn of a registration to the end of its event.

use base::ids::EventId;
use base::time::{MonotonicTime, Timestamp};
use network_traits::{NetworkState, Reachability};
use sw_traits::EventOutcome;
use sync_traits::SyncKind;

use crate::manager::{Output, SyncManager};
use crate::record::SyncKey;
use crate::schedule::{EntryId, Lane};
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
    pub(crate) lost: Lost,
}

/// What an event lacked since its dispatch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    /// The network was gone at some moment.
    pub(crate) network: bool,
    /// What became known last is that the origin cannot be reached.
    pub(crate) origin: bool,
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
            let Some(id) = self.next_ready(now) else {
                return;
            };
            self.start_attempt(id, now);
        }
    }

    /// Whose turn it is, if anything may fire. A periodic one for which the floors have moved while
    /// it was ready goes back to where it waits for them.
    pub(crate) fn next_ready(&mut self, now: Timestamp) -> Option<EntryId> {
        loop {
            let id = self.ready.next()?;
            if self.may_start(id, now) {
                return Some(id);
            }
            self.take_out(id);
            self.put_in(id);
        }
    }

    /// Whether one more event may be in flight.
    pub(crate) fn has_room(&self) -> bool {
        self.flights.len() + self.orphaned_events.len() < self.policy.max_concurrent_events
    }

    /// Start an attempt: first, that it was started is written.
    pub(crate) fn start_attempt(&mut self, id: EntryId, now: Timestamp) {
        self.take_out(id);
        self.note_start(id, now);
        self.next_event += 1;
        let event = EventId(self.next_event);
        let last_chance = self.write_start(id, event, now);
        let flight = Flight {
            entry: id,
            stage: Stage::Storing,
            last_chance,
            abandoned: false,
            lost: Lost::default(),
        };
        self.flights.insert(event, flight);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.event = Some(event);
        }
    }

    /// The state of the network, and the permission that the origin lacks, at the moment of
    /// dispatch, in answer to [`Output::ConfirmDispatch`]. If the event may be dispatched,
    /// [`Output::Dispatch`] is the next output.
    pub fn handle_dispatch_confirmed(
        &mut self,
        now: Timestamp,
        event: EventId,
        network: NetworkState,
        denied: Option<SyncKind>,
    ) {
        self.begin();
        self.update_network(now, network);
        self.confirm_dispatch(now, event, denied);
        self.settle(now);
    }

    fn confirm_dispatch(&mut self, now: Timestamp, event: EventId, denied: Option<SyncKind>) {
        let may_fire = denied.is_none() && !self.exiting && self.may_be_dispatched(event, now);
        let Some(flight) = self.flights.get_mut(&event) else {
            return;
        };
        if flight.stage != Stage::Confirming {
            return;
        }
        let Some(entry) = self.entries.get_mut(&flight.entry) else {
            return;
        };
        let (storage_key, kind) = (entry.key.storage_key.clone(), entry.key.kind);
        if may_fire {
            flight.stage = Stage::Dispatched { at: now.monotonic };
            let attempts = entry.record.as_ref().map_or(1, |record| {
                record.attempts.saturating_add(record.uncounted_attempts)
            });
            let retry = attempts > 1;
            let time_limit = match kind {
                SyncKind::Periodic if retry => self.policy.periodic.retry_time_limit,
                SyncKind::Periodic => self.policy.periodic.event_time_limit,
                SyncKind::OneShot if flight.last_chance => self.policy.last_chance_time_limit,
                SyncKind::OneShot => self.policy.event_time_limit,
            };
            entry.held_by = None;
            self.outputs.push_back(Output::Dispatch {
                event,
                kind,
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
        if let Some(denied) = denied {
            self.revoke(&storage_key, denied, now);
        } else {
            entry.ended = Some(Ended::not_delivered(now, entry.asked.len()));
            self.advance(id, now);
        }
    }

    /// Whether the registration of an event is young enough, and nothing holds it back now.
    fn may_be_dispatched(&self, event: EventId, now: Timestamp) -> bool {
        let flight = self.flights.get(&event);
        let Some(entry) = flight.and_then(|flight| self.entries.get(&flight.entry)) else {
            return false;
        };
        let Some(record) = &entry.record else {
            return false;
        };
        let SyncKey {
            storage_key, scope, ..
        } = &*entry.key;
        let lane = Lane {
            storage_key: storage_key.clone(),
            network: record.network,
        };
        let suspended = record.periodic.is_some() && self.periodic.is_suspended(storage_key);
        let expiry = record.expiry(&self.policy);
        !suspended
            && expiry.is_none_or(|expiry| expiry > now.wall)
            && lane.held(self.conditions()).by.is_none()
            && !self.network.is_emulated_offline_for(storage_key, scope)
    }

    /// The engine is shut down: what is in flight is as if it had not been dispatched, in one
    /// batch. An attempt whose start is still being written ends when that write is answered.
    pub(crate) fn take_back_flights(&mut self, now: Timestamp) {
        let storing = |flight: &Flight| flight.stage == Stage::Storing;
        self.orphaned_events.clear();
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
                // Nobody fires it again, so this is its end.
                if entry.key.kind == SyncKind::Periodic {
                    self.periodic.note_fire(&entry.key.storage_key, now);
                }
                self.advance(flight.entry, now);
                continue;
            }
            let mut ended = Ended::not_delivered(now, entry.asked.len());
            if matches!(flight.stage, Stage::Dispatched { .. }) {
                ended.how = End::TakenBack;
            }
            entry.ended = Some(ended);
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
        if self.orphaned_events.remove(&event) {
            return;
        }
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
        let kind = entry.key.kind;
        if kind == SyncKind::Periodic && outcome != EventOutcome::NoActiveWorker {
            self.periodic.note_fire(&entry.key.storage_key, now);
        }
        if flight.abandoned {
            self.advance(id, now);
            return;
        }
        let attempts = entry.record.as_ref().map_or(1, |record| record.attempts);
        let (storage_key, scope) = (entry.key.storage_key.clone(), entry.key.scope.clone());
        let mut wants_network = false;
        let how = if outcome == EventOutcome::NoActiveWorker {
            self.set_active_worker(&storage_key, &scope, false);
            End::NotDelivered {
                outcome: Some(outcome),
            }
        } else {
            let without_network = flight.lost.network
                || flight.lost.origin
                || !self
                    .network
                    .is_online_for_registration(&storage_key, &scope)
                || self.network.reachability(&storage_key) == Reachability::Unreachable;
            wants_network = without_network;
            let last_chance = flight.last_chance;
            End::Handled {
                outcome,
                duration,
                last_chance,
                without_network,
            }
        };
        let retry_delay = self.draw_retry_delay(kind, attempts);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.ended_at_change = self.network_changes;
            entry.wants_network = wants_network;
            entry.ended = Some(Ended {
                how,
                at: now,
                retry_delay,
                early_asked: entry.asked.len(),
            });
        }
        self.advance(id, now);
    }

    /// Draw the delay before the next attempt.
    pub(crate) fn draw_retry_delay(&mut self, kind: SyncKind, attempts: u32) -> RetryDelay {
        let delay = |attempt| {
            self.policy.jitter_range(match kind {
                SyncKind::OneShot => self.policy.retry_delay(attempt),
                SyncKind::Periodic => self.policy.periodic.retry_delay(attempt),
            })
        };
        let (initial, counted) = (delay(1), delay(attempts));
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

    /// The service worker registration of an event that was dispatched is gone: the tag does not
    /// wait for its end.
    pub(crate) fn orphan_flight(&mut self, event: EventId, now: Timestamp) {
        let dispatched = |flight: &Flight| matches!(flight.stage, Stage::Dispatched { .. });
        if !self.flights.get(&event).is_some_and(dispatched) {
            return;
        }
        let Some(flight) = self.flights.remove(&event) else {
            return;
        };
        self.orphaned_events.insert(event);
        let Some(entry) = self.entries.get_mut(&flight.entry) else {
            return;
        };
        entry.event = None;
        if entry.key.kind == SyncKind::Periodic {
            self.periodic.note_fire(&entry.key.storage_key, now);
        }
    }
}
