//! What is stored of registrations and their scripts.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `ServiceWorkers` | storage key, scope | [`RegistrationRecord`] |
//! | `Scripts` | storage key, scope, version of the scripts, URL | [`ScriptResource`] |
//! | `SyncRegistrations` | storage key, scope, ... | removed here along with the registration |

use std::sync::Arc;

use base::StorageKey;
use base::time::WallTime;
use serde::{Deserialize, Serialize};
use storage::key::{KeyReader, KeyWriter};
use storage::{Batch, EncodingError, Record, Tree};
use sw_traits::{
    NavigationPreloadState, ScriptResource, ScriptResourceMap, ServiceWorkerState, UpdateViaCache,
    WorkerType,
};
use url::Url;

use crate::output::ScriptsPlace;

/// The format of the registrations.
pub(crate) const RECORD_VERSION: u16 = 2;

/// The format of the scripts. One of a version that is not known counts as one that cannot be read,
/// which an update heals.
const SCRIPT_VERSION: u16 = 3;

/// The fields of a script of version 2: both URLs, the body, and of the headers the values of
/// `Content-Type` and `Referrer-Policy`, empty when there was none.
type ScriptVersion2 = (Url, Url, Arc<[u8]>, String, String);

/// A stored registration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct RegistrationRecord {
    /// Counts up from registration to registration.
    pub(crate) ordinal: u64,
    pub(crate) update_via_cache: UpdateViaCache,
    pub(crate) last_update_check: Option<WallTime>,
    pub(crate) waiting: Option<WorkerRecord>,
    pub(crate) active: Option<WorkerRecord>,
    /// Not in version 1.
    pub(crate) navigation_preload: NavigationPreloadState,
}

/// The fields of version 1.
type RecordVersion1 = (
    u64,
    UpdateViaCache,
    Option<WallTime>,
    Option<WorkerRecord>,
    Option<WorkerRecord>,
);

/// A stored worker.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkerRecord {
    /// Which scripts of the registration are this worker's.
    pub(crate) version: u64,
    pub(crate) script_url: Url,
    pub(crate) worker_type: WorkerType,
    pub(crate) state: ServiceWorkerState,
    /// <https://w3c.github.io/ServiceWorker/#dfn-set-of-event-types-to-handle>
    pub(crate) event_types: Vec<String>,
    /// How many scripts it has, and how many bytes they have.
    pub(crate) scripts: (usize, u64),
}

/// A registration as it was found in the store.
#[derive(Clone, Debug)]
pub struct StoredRegistration {
    pub(crate) storage_key: StorageKey,
    pub(crate) scope: Url,
    pub(crate) record: RegistrationRecord,
}

impl StoredRegistration {
    /// Make sense of a record of [`Tree::ServiceWorkers`].
    ///
    /// # Errors
    ///
    /// With the reason when it makes none; such a record is to be put into quarantine.
    pub(crate) fn decode(key: &[u8], record: &Record) -> Result<Self, String> {
        let mut reader = KeyReader::new(key);
        let (Some(storage_key), Some(scope), true) =
            (reader.text(), reader.text(), reader.is_at_end())
        else {
            return Err("its key is no storage key with a scope".to_owned());
        };
        Ok(Self {
            storage_key: StorageKey::try_from(storage_key).map_err(|error| error.to_string())?,
            scope: Url::parse(&scope).map_err(|error| error.to_string())?,
            record: RegistrationRecord::decode(record)?,
        })
    }
}

impl RegistrationRecord {
    fn decode(record: &Record) -> Result<Self, String> {
        match record.version {
            1 => {
                let (ordinal, update_via_cache, last_update_check, waiting, active): RecordVersion1 =
                    record.decode().map_err(|error| error.to_string())?;
                Ok(Self {
                    ordinal,
                    update_via_cache,
                    last_update_check,
                    waiting,
                    active,
                    navigation_preload: NavigationPreloadState::default(),
                })
            }
            RECORD_VERSION => record.decode().map_err(|error| error.to_string()),
            other => Err(format!("its version is {other}, not {RECORD_VERSION}")),
        }
    }
}

/// Make sense of the records of [`Tree::Scripts`] under [`scripts_prefix`].
///
/// # Errors
///
/// With the reason when one of them makes none, or when `records` has none at all.
pub(crate) fn decode_scripts(
    records: impl IntoIterator<Item = Record>,
) -> Result<ScriptResourceMap, String> {
    let mut scripts = ScriptResourceMap::new();
    for record in records {
        let script = decode_script(&record)?;
        scripts.insert(script.url.clone(), script);
    }
    if scripts.is_empty() {
        return Err("they are not there".to_owned());
    }
    Ok(scripts)
}

fn decode_script(record: &Record) -> Result<ScriptResource, String> {
    match record.version {
        2 => {
            let (url, response_url, body, content_type, referrer_policy): ScriptVersion2 =
                record.decode().map_err(|error| error.to_string())?;
            let mut headers = vec![
                ("content-type".to_owned(), content_type.into_bytes()),
                ("referrer-policy".to_owned(), referrer_policy.into_bytes()),
            ];
            headers.retain(|(_, value)| !value.is_empty());
            Ok(ScriptResource {
                url,
                response_url,
                body,
                headers,
            })
        }
        SCRIPT_VERSION => record.decode().map_err(|error| error.to_string()),
        other => Err(format!("the version of a script is {other}")),
    }
}

/// The prefix of the keys of everything that belongs to an origin, in each of the trees.
pub(crate) fn origin_prefix(storage_key: &StorageKey) -> Vec<u8> {
    KeyWriter::new().text(&storage_key.to_string()).finish()
}

/// The key of a registration; in other trees the prefix of the keys of what belongs to it.
pub(crate) fn registration_key(storage_key: &StorageKey, scope: &Url) -> Vec<u8> {
    KeyWriter::new()
        .text(&storage_key.to_string())
        .text(scope.as_str())
        .finish()
}

/// The prefix of the keys of the scripts of one worker in [`Tree::Scripts`].
pub(crate) fn scripts_prefix(place: &ScriptsPlace) -> Vec<u8> {
    KeyWriter::new()
        .text(&place.storage_key.to_string())
        .text(place.scope.as_str())
        .number(place.version)
        .finish()
}

/// The version that a key in [`Tree::Scripts`] belongs to, given the key of the registration.
pub(crate) fn scripts_version(registration_key: &[u8], key: &[u8]) -> Option<u64> {
    KeyReader::new(key.strip_prefix(registration_key)?).number()
}

pub(crate) fn put_registration(
    batch: &mut Batch,
    storage_key: &StorageKey,
    scope: &Url,
    record: &RegistrationRecord,
) -> Result<(), EncodingError> {
    let key = registration_key(storage_key, scope);
    batch.put_record(Tree::ServiceWorkers, &key, RECORD_VERSION, record)
}

pub(crate) fn put_scripts(
    batch: &mut Batch,
    place: &ScriptsPlace,
    scripts: &ScriptResourceMap,
) -> Result<(), EncodingError> {
    let prefix = scripts_prefix(place);
    // An earlier attempt of the same version may have got to the disk although it was answered
    // with an error.
    batch.remove_prefix(Tree::Scripts, &prefix);
    for (url, script) in scripts {
        let key = [&prefix[..], &KeyWriter::new().text(url.as_str()).finish()].concat();
        batch.put_record(Tree::Scripts, &key, SCRIPT_VERSION, script)?;
    }
    Ok(())
}

/// The changes that remove a registration, its scripts and its syncs.
pub(crate) fn removal_of_registration(storage_key: &StorageKey, scope: &Url) -> Batch {
    let key = registration_key(storage_key, scope);
    let mut batch = Batch::new();
    batch.remove(Tree::ServiceWorkers, &key);
    batch.remove_prefix(Tree::Scripts, &key);
    batch.remove_prefix(Tree::SyncRegistrations, &key);
    batch
}

/// The changes that remove all registrations of an origin, with their scripts and syncs.
pub(crate) fn removal_of_origin(storage_key: &StorageKey) -> Batch {
    let prefix = origin_prefix(storage_key);
    let mut batch = Batch::new();
    for tree in [Tree::ServiceWorkers, Tree::Scripts, Tree::SyncRegistrations] {
        batch.remove_prefix(tree, &prefix);
    }
    batch
}
