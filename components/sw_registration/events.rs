//! Functional events: those that other components have dispatched.

use std::time::Duration;

use base::StorageKey;
use base::ids::RegistrationId;
use sw_traits::{EventOutcome, ServiceWorkerState, WorkerEvent};
use url::Url;

use crate::machine::SwRegistrations;
use crate::model::{EventPurpose, QueuedEvent};

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#fire-functional-event-algorithm>
    pub(crate) fn fire_functional_event(
        &mut self,
        storage_key: &StorageKey,
        scope: &Url,
        event: WorkerEvent,
        limit: Duration,
        token: u64,
    ) {
        if self.exiting {
            self.event_done(token, shut_down());
            return;
        }
        // Steps 1 and 2
        let found = self
            .registration_at(storage_key, scope)
            .and_then(|registration| {
                let active = self.workers.get(&registration.active?)?;
                Some((
                    registration.id,
                    registration.functional_events.len(),
                    active,
                ))
            });
        let Some((id, queued, active)) = found else {
            self.event_done(token, EventOutcome::NoActiveWorker);
            return;
        };
        // Step 3
        if active.should_skip_event(event.event_type()) {
            self.event_done(token, EventOutcome::Fulfilled);
            self.soft_update_if_stale(id);
            return;
        }
        let worker = active.id;
        let event = QueuedEvent {
            event,
            purpose: EventPurpose::Functional(token),
            limit,
        };
        // Step 4
        if active.state == ServiceWorkerState::Activating {
            let max_events = self.policy.max_events_per_worker;
            if queued >= max_events {
                let reason = format!("{max_events} events wait for the worker already");
                self.event_done(token, EventOutcome::NotStarted { reason });
            } else if let Some(registration) = self.registrations.get_mut(&id) {
                registration.functional_events.push_back(event);
            }
            return;
        }
        // Steps 5 and 6; step 8 follows when the event has ended.
        self.queue_event(worker, event);
    }

    /// The active worker is activated: what waited for that goes to it.
    pub(crate) fn release_functional_events(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        let Some(active) = registration.active else {
            return;
        };
        for event in std::mem::take(&mut registration.functional_events) {
            let skip = self
                .workers
                .get(&active)
                .is_some_and(|active| active.should_skip_event(event.event.event_type()));
            match event.purpose {
                EventPurpose::Functional(token) if skip => {
                    self.event_done(token, EventOutcome::Fulfilled);
                }
                EventPurpose::Fetch(key) if skip => {
                    self.fetch_event_ended(key, EventOutcome::Fulfilled);
                }
                _ => self.queue_event(active, event),
            }
        }
    }

    /// The engine shuts down: every functional event gets its outcome now.
    pub(crate) fn abandon_functional_events(&mut self) {
        let in_flight = std::mem::take(&mut self.events)
            .into_values()
            .map(|event| event.purpose);
        let queued = self
            .workers
            .values_mut()
            .flat_map(|worker| std::mem::take(&mut worker.queue))
            .chain(
                self.registrations
                    .values_mut()
                    .flat_map(|registration| std::mem::take(&mut registration.functional_events)),
            )
            .map(|event| event.purpose);
        let purposes: Vec<EventPurpose> = in_flight.chain(queued).collect();
        for purpose in purposes {
            match purpose {
                EventPurpose::Functional(token) => self.event_done(token, shut_down()),
                EventPurpose::Fetch(key) => self.fetch_event_ended(key, shut_down()),
                _ => {}
            }
        }
    }
}

fn shut_down() -> EventOutcome {
    EventOutcome::Crashed {
        reason: "the engine shuts down".to_owned(),
    }
}
