//! Reads what is stored, without a state machine: for the start, and for looking into a profile.

use std::collections::BTreeSet;
use std::ops::Bound;

use base::channel::Callback;
use base::ids::{IdSource, RegistrationId, WorkerId};
use storage::{Batch, Direction, KeyRange, ReadError, Store, Tree};
use sw_traits::{RegistrationInfo, RegistrationSnapshot, ScriptResourceMap, ServiceWorkerInfo};

use crate::output::ScriptsPlace;
use crate::records::{
    StoredRegistration, WorkerRecord, decode_scripts, registration_key, scripts_prefix,
    scripts_version,
};

/// The stored registrations, in the order in which they were made, with the states that their
/// workers were in when they were stored. The ids mean nothing.
///
/// # Errors
///
/// When the profile cannot be read. Records that make no sense are left out.
pub fn registrations(store: &Store) -> Result<Vec<RegistrationSnapshot>, ReadError> {
    let mut stored = Vec::new();
    for entry in store.scan(Tree::ServiceWorkers, KeyRange::all(), Direction::Forward) {
        let (key, record) = entry?;
        stored.extend(StoredRegistration::decode(&key, &record).ok());
    }
    stored.sort_unstable_by_key(|stored| stored.record.ordinal);
    let ids = IdSource::default();
    Ok(stored
        .into_iter()
        .map(|stored| snapshot(&ids, stored))
        .collect())
}

fn snapshot(ids: &IdSource, stored: StoredRegistration) -> RegistrationSnapshot {
    let record = stored.record;
    let workers = || record.waiting.iter().chain(&record.active);
    let scripts = (
        workers().map(|worker| worker.scripts.0).sum(),
        workers().map(|worker| worker.scripts.1).sum(),
    );
    let info = |worker: WorkerRecord| ServiceWorkerInfo {
        id: WorkerId(ids.next()),
        script_url: worker.script_url,
        worker_type: worker.worker_type,
        state: worker.state,
    };
    RegistrationSnapshot {
        storage_key: stored.storage_key,
        registration: RegistrationInfo {
            id: RegistrationId(ids.next()),
            ordinal: record.ordinal,
            scope: stored.scope,
            update_via_cache: record.update_via_cache,
            installing: None,
            waiting: record.waiting.map(info),
            active: record.active.map(info),
        },
        last_update_check: record.last_update_check,
        scripts,
    }
}

/// What a state machine starts with: see [`SwRegistrations::new`](crate::SwRegistrations::new).
/// Records that make no sense are put into quarantine. Scripts that no worker has any more are
/// dropped: those of a worker that was replaced, when the engine ended before the next change of its
/// registration.
///
/// # Errors
///
/// When the profile cannot be read.
pub fn recover(store: &Store) -> Result<Vec<StoredRegistration>, ReadError> {
    let mut stored = Vec::new();
    for entry in store.scan(Tree::ServiceWorkers, KeyRange::all(), Direction::Forward) {
        let (key, record) = entry?;
        match StoredRegistration::decode(&key, &record) {
            Ok(registration) => stored.push(registration),
            Err(reason) => {
                log::error!("a service worker registration cannot be read: {reason}");
                store.quarantine(Tree::ServiceWorkers, &key, &reason)?;
            }
        }
    }
    drop_unused_scripts(store, &stored)?;
    Ok(stored)
}

/// Costs a look-up for each version of the scripts of a registration, and one more.
fn drop_unused_scripts(store: &Store, stored: &[StoredRegistration]) -> Result<(), ReadError> {
    let mut batch = Batch::new();
    for registration in stored {
        let record = &registration.record;
        let workers = record.waiting.iter().chain(&record.active);
        let in_use: BTreeSet<u64> = workers.map(|worker| worker.version).collect();
        let prefix = registration_key(&registration.storage_key, &registration.scope);
        let mut range = KeyRange::prefix(&prefix);
        loop {
            let mut keys = store.keys(Tree::Scripts, range.clone(), Direction::Forward);
            let Some(key) = keys.next().transpose()? else {
                break;
            };
            let Some(version) = scripts_version(&prefix, &key) else {
                break;
            };
            let mut place = ScriptsPlace {
                storage_key: registration.storage_key.clone(),
                scope: registration.scope.clone(),
                version,
            };
            if !in_use.contains(&version) {
                batch.remove_prefix(Tree::Scripts, &scripts_prefix(&place));
            }
            let Some(next) = version.checked_add(1) else {
                break;
            };
            place.version = next;
            range.start = Bound::Included(scripts_prefix(&place));
        }
    }
    if !batch.is_empty() {
        // Nothing waits for it: what is not dropped now is found again at the next start.
        store.submit(batch, Callback::ignore());
    }
    Ok(())
}

/// The scripts that [`Output::ReadScripts`](crate::Output::ReadScripts) asks for.
///
/// # Errors
///
/// With the reason when they cannot be read, or make no sense.
pub fn scripts(store: &Store, place: &ScriptsPlace) -> Result<ScriptResourceMap, String> {
    let range = KeyRange::prefix(&scripts_prefix(place));
    let records: Result<Vec<_>, ReadError> = store
        .scan(Tree::Scripts, range, Direction::Forward)
        .map(|entry| entry.map(|(_, record)| record))
        .collect();
    decode_scripts(records.map_err(|error| error.to_string())?)
}
