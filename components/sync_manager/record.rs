//! What is stored of a sync registration.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `SyncRegistrations` | storage key, scope, kind 1, tag | ordinal of the service worker registration, [`SyncRecord`] |
//! | `SyncRegistrations` | storage key, scope, kind 2, tag | ordinal of the service worker registration, [`SyncRecord`] and `PeriodicRecord` |
//! | `SyncRegistrations` | storage key, empty, kind 3 | the last turn of an origin, for its floor |
//! | `SyncRegistrations` | empty, empty, kind 3 | the last turn of any origin |
//! | `SyncLog` | sequence number | [`LogEntry`](sync_traits::LogEntry) |
//!
//! The removal of a service worker registration removes everything under (storage key, scope), and
//! that of an origin everything under (storage key), whatever the kind.

use base::time::WallTime;
use base::{DomString, StorageKey};
use network_traits::NetworkIdentity;
use serde::{Deserialize, Serialize};
use storage::key::{KeyReader, KeyWriter};
use storage::{Batch, Record, Tree};
use sync_traits::SyncKind;
use url::Url;

use crate::periodic::{PeriodicRecord, PeriodicState};
use crate::policy::SyncPolicy;

/// The version of the formats of both kinds of registrations.
const RECORD_VERSION: u16 = 2;
/// The one before: without the service worker registration.
const RECORD_VERSION_1: u16 = 1;

/// The kind bytes in keys. They are never changed or used again.
const KIND_ONE_SHOT: u8 = 1;
const KIND_PERIODIC: u8 = 2;

/// What a registration takes in the store beside its scope and tag, rounded up.
const FIXED_BYTES: u64 = 128;

/// Which sync registration: at most one exists for each of these.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SyncKey {
    /// Whose it is.
    pub storage_key: StorageKey,
    /// The scope of its service worker registration.
    pub scope: Url,
    /// One-shot or periodic: a tag of one kind has nothing to do with the same tag of the other.
    pub kind: SyncKind,
    /// <https://wicg.github.io/background-sync/spec/#tag>
    pub tag: DomString,
}

impl SyncKey {
    /// The key of its record.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        KeyWriter::new()
            .text(self.storage_key.as_str())
            .text(self.scope.as_str())
            .byte(match self.kind {
                SyncKind::OneShot => KIND_ONE_SHOT,
                SyncKind::Periodic => KIND_PERIODIC,
            })
            .code_units(self.tag.code_units())
            .finish()
    }

    /// What [`to_bytes`](Self::to_bytes) made; nothing for the key of another kind of record, or
    /// of none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = KeyReader::new(bytes);
        let storage_key = StorageKey::try_from(reader.text()?).ok()?;
        let scope = Url::parse(&reader.text()?).ok()?;
        let kind = match reader.byte()? {
            KIND_ONE_SHOT => SyncKind::OneShot,
            KIND_PERIODIC => SyncKind::Periodic,
            _ => return None,
        };
        let tag = DomString::from_code_units(reader.code_units()?);
        reader.is_at_end().then_some(Self {
            storage_key,
            scope,
            kind,
            tag,
        })
    }

    /// How many bytes the registration counts for in its origin's quota: the scope, two for each
    /// code unit of the tag, and a fixed number for the rest.
    pub fn stored_bytes(&self) -> u64 {
        let variable = self.scope.as_str().len() + 2 * self.tag.code_units().len();
        FIXED_BYTES + variable as u64
    }
}

/// A sync registration as it is stored.
///
/// <https://wicg.github.io/background-sync/spec/#sync-registration>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SyncRecord {
    /// Counts up from registration to registration, across restarts: the order in which `getTags()`
    /// lists them. A tag that is registered again while it exists keeps its number.
    pub sequence: u64,
    /// Its state.
    pub state: RecordState,
    /// How many attempts that count were started since it was last registered.
    pub attempts: u32,
    /// How many attempts did not count since it was last registered.
    pub uncounted_attempts: u32,
    /// How many times in a row it fired again at once.
    pub immediate_refires: u32,
    /// When it was last registered.
    pub registered: WallTime,
    /// The one network on which it may fire; `None` for any.
    pub network: Option<NetworkIdentity>,
    /// The [ordinal](sw_traits::RegistrationInfo::ordinal) of the service worker registration
    /// that it belongs to; `None` in a record of an earlier version. Stored beside the rest.
    #[serde(skip)]
    pub registration: Option<u64>,
    /// What only a periodic one has; stored beside the rest.
    #[serde(skip)]
    pub periodic: Option<Box<PeriodicState>>,
}

impl SyncRecord {
    /// Whether an attempt was made for which there may be another one: then what comes next is a
    /// retry, and not the next interval.
    pub(crate) fn is_retry(&self) -> bool {
        self.attempts > 0 || self.uncounted_attempts > 0
    }

    /// When it is too old to fire; a periodic one never is.
    pub(crate) fn expiry(&self, policy: &SyncPolicy) -> Option<WallTime> {
        let expires = self.periodic.is_none();
        expires.then(|| policy.expiry(self.registered)).flatten()
    }

    /// Its place among those of its kind and origin that may fire: the oldest first. For periodic
    /// ones that is by the last event, so that what did not fit into a turn comes first in the
    /// next; and they come after the one-shot ones.
    pub(crate) fn order(&self) -> u64 {
        const PERIODIC: u64 = 1 << 63;
        match &self.periodic {
            None => self.sequence,
            Some(periodic) => {
                let anchor = periodic.anchor.wall.as_millis();
                PERIODIC | u64::try_from(anchor).unwrap_or(0)
            }
        }
    }
}

/// The state of a stored registration.
///
/// <https://wicg.github.io/background-sync/spec/#registration-state>
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum RecordState {
    /// It fires as soon as the origin can be reached.
    Pending,
    /// It becomes pending when the back-off is over, or is cut short.
    Waiting {
        /// When the back-off is over.
        due: WallTime,
    },
    /// An attempt was started and has not ended.
    Firing {
        /// When it was started.
        started: WallTime,
        /// Whether the tag was registered again since.
        reregistered: bool,
    },
}

/// Store a record.
pub(crate) fn put(batch: &mut Batch, key: &SyncKey, record: &SyncRecord) {
    let bytes = key.to_bytes();
    let encoded = match PeriodicRecord::of(record) {
        Some(periodic) => batch.put_record(
            Tree::SyncRegistrations,
            &bytes,
            RECORD_VERSION,
            &(record.registration, periodic),
        ),
        None => batch.put_record(
            Tree::SyncRegistrations,
            &bytes,
            RECORD_VERSION,
            &(record.registration, record),
        ),
    };
    encoded.expect("numbers and plain enums can always be encoded");
}

/// What [`put`] stored, or why it makes no sense.
pub(crate) fn decode(key: &SyncKey, record: &Record) -> Result<SyncRecord, String> {
    let decoded = match (record.version, key.kind) {
        (RECORD_VERSION, SyncKind::OneShot) => record.decode(),
        (RECORD_VERSION, SyncKind::Periodic) => {
            record
                .decode()
                .map(|(registration, periodic): (_, PeriodicRecord)| {
                    (registration, periodic.into_record())
                })
        }
        (RECORD_VERSION_1, SyncKind::OneShot) => record.decode().map(|record| (None, record)),
        (RECORD_VERSION_1, SyncKind::Periodic) => record
            .decode()
            .map(|periodic: PeriodicRecord| (None, periodic.into_record())),
        (version, _) => {
            return Err(format!("its version is {version}, not {RECORD_VERSION}"));
        }
    };
    let (registration, record): (Option<u64>, SyncRecord) =
        decoded.map_err(|error| error.to_string())?;
    Ok(SyncRecord {
        registration,
        ..record
    })
}

/// Remove a record.
pub(crate) fn remove(batch: &mut Batch, key: &SyncKey) {
    batch.remove(Tree::SyncRegistrations, &key.to_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_tag_survives_in_a_key(
            units in prop::collection::vec(any::<u16>(), 0..8),
            kind in prop::sample::select(vec![SyncKind::OneShot, SyncKind::Periodic]),
        ) {
            let scope = Url::parse("https://example.org/app/").unwrap();
            let key = SyncKey {
                storage_key: StorageKey::from_url(&scope).unwrap(),
                scope,
                kind,
                tag: DomString::from_code_units(units),
            };
            prop_assert_eq!(SyncKey::from_bytes(&key.to_bytes()), Some(key));
        }

        #[test]
        fn any_bytes_can_be_tried(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = SyncKey::from_bytes(&bytes);
        }
    }
}
