//! How a registration gets into the store, and what is known to be there.

use base::StorageKey;
use base::ids::{RegistrationId, WorkerId};
use storage::{Batch, EncodingError, Tree};
use sw_traits::{ServiceWorkerState, SwNotification};

use crate::machine::{CommitPurpose, SwRegistrations, Task};
use crate::model::{Registration, Worker};
use crate::output::ScriptsPlace;
use crate::records::{
    RegistrationRecord, StoredRegistration, WorkerRecord, put_registration, put_scripts,
    scripts_prefix,
};

impl SwRegistrations {
    /// A registration that was found in the store.
    pub(crate) fn restore(&mut self, stored: StoredRegistration) {
        let StoredRegistration {
            storage_key,
            scope,
            record,
        } = stored;
        let registration = self.new_registration(storage_key, scope, record.ordinal);
        let id = registration.id;
        registration.update_via_cache = record.update_via_cache;
        registration.last_update_check = record.last_update_check;
        registration.navigation_preload = record.navigation_preload;
        // A worker that was being activated counts as activated: neither a crash nor the end of
        // the engine keeps it from getting there.
        let owner = (registration.storage_key.clone(), id);
        let active = record.active.map(|active| {
            self.restore_worker(owner.clone(), active, ServiceWorkerState::Activated)
        });
        let waiting = record
            .waiting
            .map(|waiting| self.restore_worker(owner, waiting, ServiceWorkerState::Installed));
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        registration.active = active;
        registration.waiting = waiting;
        if active.is_some() {
            let storage_key = registration.storage_key.clone();
            let scope = registration.scope.clone();
            let ordinal = registration.ordinal;
            self.notify(SwNotification::Activated {
                storage_key,
                scope,
                ordinal,
            });
        }
        // No client can be using it, so that a waiting worker is promoted, as the spec wants.
        self.tasks.push_back(Task::TryActivate(id));
    }

    fn restore_worker(
        &mut self,
        (storage_key, registration): (StorageKey, RegistrationId),
        record: WorkerRecord,
        state: ServiceWorkerState,
    ) -> WorkerId {
        let id = WorkerId(self.next_id());
        if let Some(registration) = self.registrations.get_mut(&registration) {
            registration.stored_versions.insert(record.version);
            registration.next_version = registration
                .next_version
                .max(record.version.saturating_add(1));
        }
        let (script_count, script_bytes) = record.scripts;
        let worker = Worker {
            script_count,
            script_bytes,
            is_stored: true,
            event_types: Some(record.event_types.into_iter().collect()),
            ..Worker::new(
                id,
                (storage_key, registration),
                record.version,
                (record.script_url, record.worker_type),
                state,
            )
        };
        self.add_worker(worker);
        id
    }

    /// Store the current state of a stored registration; nothing waits for it.
    pub(crate) fn refresh_record(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        if registration.unregistered
            || registration.being_removed
            || registration.stored_versions.is_empty()
        {
            return;
        }
        // If the batch with the scripts of a new worker failed, and this one did not, the store
        // would have a worker without scripts.
        if registration.storing.is_some() {
            registration.refresh_when_stored = true;
            return;
        }
        let (batch, dropped) = self.record_batch(id, None);
        self.commit(
            batch,
            CommitPurpose::Refresh {
                registration: id,
                dropped,
            },
        );
    }

    /// The changes that store a registration as it is, with the scripts of `new_worker`, and the
    /// versions whose scripts they drop.
    pub(crate) fn record_batch(
        &mut self,
        id: RegistrationId,
        new_worker: Option<WorkerId>,
    ) -> (Result<Batch, EncodingError>, Vec<u64>) {
        let Some(registration) = self.registrations.get(&id) else {
            return (Ok(Batch::new()), Vec::new());
        };
        let worker = |id: Option<WorkerId>, state: ServiceWorkerState| {
            let worker = id.and_then(|id| self.workers.get(&id))?;
            Some(worker.record(state))
        };
        let active_state = registration
            .active
            .and_then(|id| self.workers.get(&id))
            .map_or(ServiceWorkerState::Activated, |active| active.state);
        // A worker whose commit is on its way counts as the waiting one. Until it is, the former
        // waiting worker keeps its scripts, for the case that the commit fails.
        let record = RegistrationRecord {
            ordinal: registration.ordinal,
            update_via_cache: registration.update_via_cache,
            last_update_check: registration.last_update_check,
            navigation_preload: registration.navigation_preload.clone(),
            waiting: worker(
                registration.storing.or(registration.waiting),
                ServiceWorkerState::Installed,
            ),
            active: worker(registration.active, active_state),
        };
        let in_use: Vec<u64> = [
            registration.storing,
            registration.waiting,
            registration.active,
        ]
        .into_iter()
        .flatten()
        .filter_map(|id| self.workers.get(&id).map(|worker| worker.version))
        .collect();
        let dropped: Vec<u64> = registration
            .stored_versions
            .iter()
            .copied()
            .filter(|version| !in_use.contains(version))
            .collect();
        let batch = self.encode_record(registration, &record, new_worker, &dropped);
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.stored_versions.extend(in_use);
        }
        (batch, dropped)
    }

    fn encode_record(
        &self,
        registration: &Registration,
        record: &RegistrationRecord,
        new_worker: Option<WorkerId>,
        dropped: &[u64],
    ) -> Result<Batch, EncodingError> {
        let mut batch = Batch::new();
        put_registration(
            &mut batch,
            &registration.storage_key,
            &registration.scope,
            record,
        )?;
        if let Some(worker) = new_worker.and_then(|id| self.workers.get(&id))
            && let Some(scripts) = &worker.scripts
        {
            put_scripts(&mut batch, &scripts_place(registration, worker), scripts)?;
        }
        for &version in dropped {
            let place = ScriptsPlace {
                storage_key: registration.storage_key.clone(),
                scope: registration.scope.clone(),
                version,
            };
            batch.remove_prefix(Tree::Scripts, &scripts_prefix(&place));
        }
        Ok(batch)
    }

    pub(crate) fn record_stored(
        &mut self,
        id: RegistrationId,
        dropped: &[u64],
        result: Result<(), String>,
    ) {
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        match result {
            Ok(()) => registration
                .stored_versions
                .retain(|version| !dropped.contains(version)),
            Err(error) => {
                log::error!(
                    "the registration of {} was not stored: {error}",
                    registration.scope
                );
            }
        }
    }
}

pub(crate) fn scripts_place(registration: &Registration, worker: &Worker) -> ScriptsPlace {
    ScriptsPlace {
        storage_key: registration.storage_key.clone(),
        scope: registration.scope.clone(),
        version: worker.version,
    }
}
