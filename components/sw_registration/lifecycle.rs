//! Install, activate, clear.

use std::collections::BTreeMap;

use base::StorageKey;
use base::exception::DomException;
use base::ids::{ClientId, RegistrationId, WorkerId};
use sw_traits::{EventOutcome, ServiceWorkerState, SwClientEvent, SwNotification, WorkerEvent};

use crate::jobs::JobKey;
use crate::machine::{CommitPurpose, SwRegistrations, Task};
use crate::model::{EventPurpose, PendingActivation, QueuedEvent, RunState};
use crate::records::removal_of_origin;

/// The place of a worker in its registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Installing,
    Waiting,
    Active,
}

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#update-registration-state-algorithm>
    fn update_registration_state(
        &mut self,
        id: RegistrationId,
        place: Place,
        worker: Option<WorkerId>,
    ) {
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        match place {
            Place::Installing => registration.installing = worker,
            Place::Waiting => registration.waiting = worker,
            Place::Active => registration.active = worker,
        }
        self.broadcast_registration(id);
    }

    pub(crate) fn broadcast_registration(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        let info = self.registration_info(registration);
        let storage_key = registration.storage_key.clone();
        self.broadcast(
            &storage_key,
            &SwClientEvent::RegistrationChanged(Box::new(info)),
        );
    }

    /// <https://w3c.github.io/ServiceWorker/#update-state-algorithm>
    fn update_worker_state(&mut self, id: WorkerId, state: ServiceWorkerState) {
        let Some(worker) = self
            .workers
            .get_mut(&id)
            .filter(|worker| worker.state != state)
        else {
            return;
        };
        worker.state = state;
        let event = SwClientEvent::WorkerStateChanged {
            worker: worker.info(),
        };
        if let Some(registration) = self.registrations.get(&worker.registration) {
            let storage_key = registration.storage_key.clone();
            self.broadcast(&storage_key, &event);
        }
    }

    /// A worker's time is over: terminate it, and let nobody start it again.
    fn make_redundant(&mut self, id: WorkerId) {
        self.terminate_worker(id, "it was replaced or removed");
        self.update_worker_state(id, ServiceWorkerState::Redundant);
    }

    /// A worker leaves its place, which nobody takes. The spec changes its state first; upstream's
    /// tests, and so the browsers, want a page that hears `statechange` to see the place empty.
    fn retire(&mut self, id: RegistrationId, place: Place, worker: WorkerId) {
        self.terminate_worker(worker, "it was replaced or removed");
        self.update_registration_state(id, place, None);
        self.update_worker_state(worker, ServiceWorkerState::Redundant);
        self.forget_redundant_worker(worker);
    }

    /// A worker that left its registration is forgotten as soon as it does not run any more.
    pub(crate) fn forget_redundant_worker(&mut self, id: WorkerId) {
        let is_over = self.workers.get(&id).is_some_and(|worker| {
            worker.state == ServiceWorkerState::Redundant && worker.run == RunState::Stopped
        });
        if is_over {
            self.remove_worker(id);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#installation-algorithm>, from the evaluated script
    /// to the `install` event.
    pub(crate) fn install(&mut self, key: &JobKey, worker: WorkerId) {
        let Some(id) = self.scopes.registration(&key.0, &key.1) else {
            return;
        };
        let Some(update_via_cache) = self.first_job(key).map(|job| job.update_via_cache) else {
            return;
        };
        // Steps 1 to 3
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.update_via_cache = update_via_cache;
        }
        // Step 4
        self.update_registration_state(id, Place::Installing, Some(worker));
        // Step 5
        self.update_worker_state(worker, ServiceWorkerState::Installing);
        // Steps 6 and 7
        self.resolve_with_registration(key);
        // Steps 8 and 9
        self.broadcast(&key.0, &SwClientEvent::UpdateFound { registration: id });
        // Steps 10 and 11
        if self
            .workers
            .get(&worker)
            .is_some_and(|worker| worker.should_skip_event("install"))
        {
            self.install_event_ended(key, worker, EventOutcome::Fulfilled);
            return;
        }
        let event = QueuedEvent {
            event: WorkerEvent::Install,
            purpose: EventPurpose::Install(key.clone()),
            limit: self.policy.install_limit,
        };
        self.queue_event(worker, event);
    }

    /// Install from step 12, the end of the `install` event, to the commit.
    pub(crate) fn install_event_ended(
        &mut self,
        key: &JobKey,
        worker: WorkerId,
        outcome: EventOutcome,
    ) {
        let registration = self.registration_at(&key.0, &key.1);
        let Some(registration) = registration.filter(|found| found.installing == Some(worker))
        else {
            return;
        };
        let id = registration.id;
        // Step 12
        if outcome != EventOutcome::Fulfilled {
            log::warn!("the worker of {} was not installed: {outcome:?}", key.1);
            self.install_failed(key, worker);
            return;
        }
        // Steps 13 to 15
        if let Some(worker) = self.workers.get_mut(&worker) {
            let before = worker.script_bytes;
            worker.drop_unused_scripts();
            let after = worker.script_bytes;
            self.count_scripts(&key.0, before, after);
        }
        // Before anybody is told, the worker becomes durable.
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.storing = Some(worker);
        }
        let (batch, _) = self.record_batch(id, Some(worker));
        self.commit(
            batch,
            CommitPurpose::Install {
                job: key.clone(),
                worker,
            },
        );
    }

    /// Step 12 of Install.
    fn install_failed(&mut self, key: &JobKey, worker: WorkerId) {
        let Some(id) = self.scopes.registration(&key.0, &key.1) else {
            return;
        };
        self.retire(id, Place::Installing, worker);
        self.forget_registration_without_worker(key);
        self.finish_job(key);
    }

    /// Install from step 16 on.
    pub(crate) fn install_stored(
        &mut self,
        key: &JobKey,
        worker: WorkerId,
        result: Result<(), String>,
    ) {
        let registration = self.registration_at(&key.0, &key.1);
        let Some(registration) = registration.filter(|found| found.storing == Some(worker)) else {
            return;
        };
        let id = registration.id;
        let former = registration.waiting;
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        registration.storing = None;
        let refresh = std::mem::take(&mut registration.refresh_when_stored);
        if let Err(error) = result {
            log::error!("the worker of {} was not installed: {error}", key.1);
            // A former waiting worker could not be activated meanwhile.
            self.tasks.push_back(Task::TryActivate(id));
            self.install_failed(key, worker);
            if refresh {
                self.refresh_record(id);
            }
            return;
        }
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.is_stored = true;
        }
        // Step 16; the next commit drops its scripts from the store.
        if let Some(former) = former {
            self.make_redundant(former);
        }
        // Steps 17 to 19
        self.update_registration_state(id, Place::Waiting, Some(worker));
        self.update_registration_state(id, Place::Installing, None);
        self.update_worker_state(worker, ServiceWorkerState::Installed);
        if let Some(former) = former {
            self.forget_redundant_worker(former);
        }
        if refresh {
            self.refresh_record(id);
        }
        // Step 20
        self.finish_job(key);
        // Steps 21 and 22
        self.tasks.push_back(Task::TryActivate(id));
    }

    /// A new worker whose script did not start.
    pub(crate) fn evaluation_failed(&mut self, key: &JobKey, worker: WorkerId, reason: &str) {
        self.remove_worker(worker);
        let message = format!("the service worker's script did not run: {reason}");
        self.update_failed(key, DomException::type_error(message));
    }

    /// A worker that was being evaluated or installed by a job that is given up.
    pub(crate) fn discard_new_worker(&mut self, key: &JobKey, worker: WorkerId) {
        let id = self.scopes.registration(&key.0, &key.1);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.evaluating_for = None;
        }
        if let Some(registration) = id.and_then(|id| self.registrations.get_mut(&id)) {
            // The store may get the worker all the same.
            registration.refresh_when_stored |= registration.storing.take().is_some();
        }
        match id {
            Some(id) => self.retire(id, Place::Installing, worker),
            None => self.make_redundant(worker),
        }
        self.forget_redundant_worker(worker);
    }

    /// <https://w3c.github.io/ServiceWorker/#try-activate-algorithm>
    pub(crate) fn try_activate(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        // Step 1
        let Some(waiting) = registration.waiting.and_then(|id| self.workers.get(&id)) else {
            return;
        };
        // What is about to replace or remove the waiting worker goes first.
        if registration.storing.is_some()
            || (registration.being_removed && !registration.unregistered)
        {
            return;
        }
        // Steps 2 and 3
        let may_activate = match registration.active.and_then(|id| self.workers.get(&id)) {
            None => true,
            Some(active) => {
                active.state != ServiceWorkerState::Activating
                    && active.in_flight.is_empty()
                    && (registration.users.is_empty() || waiting.skip_waiting)
            }
        };
        if may_activate {
            self.activate(id);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#activation-algorithm>
    fn activate(&mut self, id: RegistrationId) {
        // Step 1
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        let Some(worker) = registration.waiting else {
            return;
        };
        let (storage_key, scope) = registration.key();
        let unregistered = registration.unregistered;
        let ordinal = registration.ordinal;
        let former = registration.active;
        // Step 2
        if let Some(former) = former {
            self.make_redundant(former);
        }
        if !unregistered {
            let storage_key = storage_key.clone();
            self.notify(SwNotification::Activated {
                storage_key,
                scope,
                ordinal,
            });
        }
        // Steps 3 to 5
        self.update_registration_state(id, Place::Active, Some(worker));
        self.update_registration_state(id, Place::Waiting, None);
        self.update_worker_state(worker, ServiceWorkerState::Activating);
        if let Some(former) = former {
            self.forget_redundant_worker(former);
        }
        self.store_activation(id, worker);
        // Steps 6 and 7
        self.resolve_ready(id);
        // Step 8
        self.change_controllers(id, worker);
        // Steps 9 and 10
        let skip = self
            .workers
            .get(&worker)
            .is_none_or(|found| found.should_skip_event("activate"));
        if skip {
            self.activated_if_done(worker);
        } else {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.activation.event = true;
            }
            let event = QueuedEvent {
                event: WorkerEvent::Activate,
                purpose: EventPurpose::Activate,
                limit: self.policy.activate_limit,
            };
            self.queue_event(worker, event);
        }
    }

    /// Functional events wait until this commit has ended. When it fails, the store still holds the
    /// worker as a waiting one, which the next start promotes, so it may go on all the same.
    fn store_activation(&mut self, id: RegistrationId, worker: WorkerId) {
        if self
            .registrations
            .get(&id)
            .is_none_or(|found| found.unregistered || found.being_removed)
        {
            return;
        }
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.activation.commit = true;
        }
        let (batch, dropped) = self.record_batch(id, None);
        self.commit(
            batch,
            CommitPurpose::Activate {
                registration: id,
                worker,
                dropped,
            },
        );
    }

    pub(crate) fn activation_stored(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.activation.commit = false;
        }
        self.activated_if_done(worker);
    }

    /// However the `activate` event ended, the worker is activated.
    pub(crate) fn activate_event_ended(&mut self, worker: WorkerId, outcome: &EventOutcome) {
        if *outcome != EventOutcome::Fulfilled {
            log::warn!("the activate event of worker {worker} failed: {outcome:?}");
        }
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.activation.event = false;
        }
        self.activated_if_done(worker);
    }

    /// Step 11 of Activate.
    fn activated_if_done(&mut self, worker: WorkerId) {
        let Some(found) = self.workers.get(&worker) else {
            return;
        };
        if found.state != ServiceWorkerState::Activating
            || found.activation != PendingActivation::default()
        {
            return;
        }
        let id = found.registration;
        self.update_worker_state(worker, ServiceWorkerState::Activated);
        self.release_functional_events(id);
        self.tasks.push_back(Task::TryActivate(id));
    }

    /// <https://w3c.github.io/ServiceWorker/#try-clear-registration-algorithm>, for one that was
    /// unregistered.
    pub(crate) fn try_clear_registration(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        let has_no_pending_events = registration
            .workers()
            .filter_map(|worker| self.workers.get(&worker))
            .all(|worker| worker.event_count() == 0);
        if registration.unregistered && registration.users.is_empty() && has_no_pending_events {
            self.clear_registration(id);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#clear-registration-algorithm>
    fn clear_registration(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        let places = [
            (Place::Installing, registration.installing),
            (Place::Waiting, registration.waiting),
            (Place::Active, registration.active),
        ];
        // Steps 2 to 4 for all workers at once: whoever hears that one of them is redundant finds
        // none in the registration.
        let workers = places.map(|(_, worker)| worker);
        for worker in workers.into_iter().flatten() {
            self.terminate_worker(worker, "it was replaced or removed");
        }
        for (place, _) in places.into_iter().filter(|(_, worker)| worker.is_some()) {
            self.update_registration_state(id, place, None);
        }
        for worker in workers.into_iter().flatten() {
            self.update_worker_state(worker, ServiceWorkerState::Redundant);
            self.forget_redundant_worker(worker);
        }
        if let Some(registration) = self.registrations.remove(&id) {
            for event in registration.functional_events {
                match event.purpose {
                    EventPurpose::Functional(token) => {
                        self.event_done(token, EventOutcome::NoActiveWorker);
                    }
                    EventPurpose::Fetch(key) => {
                        self.fetch_event_ended(key, EventOutcome::NoActiveWorker);
                    }
                    _ => {}
                }
            }
            self.timers.stop(crate::timers::Timer::Update(id));
        }
    }

    pub(crate) fn clear_storage(&mut self, storage_key: StorageKey, token: u64) {
        self.abort_jobs(&storage_key);
        *self.held.entry(storage_key.clone()).or_default() += 1;
        let registrations: Vec<RegistrationId> = self.scopes.registrations(&storage_key).collect();
        for id in &registrations {
            if let Some(registration) = self.registrations.get_mut(id) {
                registration.being_removed = true;
            }
        }
        let batch = removal_of_origin(&storage_key);
        self.commit(
            Ok(batch),
            CommitPurpose::Clear {
                storage_key,
                token,
                registrations,
            },
        );
    }

    pub(crate) fn clear_storage_stored(
        &mut self,
        storage_key: &StorageKey,
        token: u64,
        registrations: &[RegistrationId],
        result: Result<(), String>,
    ) {
        if let Some(count) = self.held.get_mut(storage_key) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(storage_key);
            }
        }
        if result.is_ok() {
            self.release_clients_of(storage_key);
        }
        for &id in registrations {
            if result.is_ok() {
                self.take_from_map(id);
                // The user wants it gone, whoever uses it.
                self.clear_registration(id);
            } else if !self.held.contains_key(storage_key) {
                self.registration_stays(id);
            }
        }
        self.outputs
            .push_back(crate::Output::StorageCleared { token, result });
        let waiting = self.job_queues_of(storage_key);
        self.tasks.extend(waiting.into_iter().map(Task::RunJob));
    }

    /// The removal of a registration failed, and no other one is on its way.
    pub(crate) fn registration_stays(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        registration.being_removed = false;
        if std::mem::take(&mut registration.refresh_when_stored) {
            self.refresh_record(id);
        }
        self.tasks.push_back(Task::TryActivate(id));
    }

    /// Nobody controls the clients of an origin any more. What lived on for them alone goes.
    fn release_clients_of(&mut self, storage_key: &StorageKey) {
        let clients: Vec<ClientId> = self
            .clients_of
            .get(storage_key)
            .into_iter()
            .flat_map(BTreeMap::values)
            .copied()
            .collect();
        for client in clients {
            let controller = self.clients.get(&client).and_then(|found| found.controller);
            let Some((_, registration)) = controller else {
                continue;
            };
            self.unload_client(client);
            let event = SwClientEvent::ControllerChanged {
                controller: None,
                fire: true,
            };
            self.tell_client(client, event);
            if self
                .registrations
                .get(&registration)
                .is_some_and(|found| found.unregistered)
            {
                self.clear_registration(registration);
            }
        }
    }
}
