//! What is stored of periodic sync beside what is stored of any sync.

use std::time::Duration;

use base::StorageKey;
use base::time::{MonotonicTime, Timestamp, WallTime};
use serde::{Deserialize, Serialize};
use storage::key::{KeyReader, KeyWriter};
use storage::{Batch, Record, Tree};
use sync_traits::Engagement;

use crate::record::SyncRecord;

/// The kind byte in the keys of turns.
const KIND_TURN: u8 = 3;
/// The version of the format of turns.
const TURN_VERSION: u16 = 1;

/// What only a periodic sync registration has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeriodicState {
    /// <https://wicg.github.io/periodic-background-sync/#periodic-sync-registration-minimum-interval>
    pub min_interval: Duration,
    /// When its last event ended, or when it was registered.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#periodic-sync-registration-anchor-time>
    pub anchor: Timestamp,
}

/// A periodic sync registration as it is stored.
///
/// <https://wicg.github.io/periodic-background-sync/#periodic-sync-registration>
#[derive(Serialize, Deserialize)]
pub(crate) struct PeriodicRecord {
    sync: SyncRecord,
    min_interval: Duration,
    anchor: WallTime,
}

impl PeriodicRecord {
    /// Nothing for a one-shot registration.
    pub(crate) fn of(record: &SyncRecord) -> Option<Self> {
        let periodic = record.periodic.as_ref()?;
        Some(Self {
            sync: record.clone(),
            min_interval: periodic.min_interval,
            anchor: periodic.anchor.wall,
        })
    }

    /// The anchor's monotonic time is not known: see [`ago`].
    pub(crate) fn into_record(self) -> SyncRecord {
        let anchor = Timestamp {
            wall: self.anchor,
            monotonic: MonotonicTime::default(),
        };
        let periodic = PeriodicState {
            min_interval: self.min_interval,
            anchor,
        };
        SyncRecord {
            periodic: Some(Box::new(periodic)),
            ..self.sync
        }
    }
}

/// Whose turns.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TurnOf {
    /// Those of all origins together.
    AllOrigins,
    /// Those of one origin.
    Origin(StorageKey),
}

/// What is stored of a last turn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// When it began.
    pub opened: Option<WallTime>,
    /// When its last event so far ended.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#periodic-sync-scheduler-time-of-last-fire>
    pub last_fire: Option<WallTime>,
    /// How much the user engaged with the origin when that was last asked.
    pub engagement: Engagement,
}

/// Store what is known of a last turn, or remove it.
pub(crate) fn put_turn(batch: &mut Batch, of: &TurnOf, turn: Option<TurnRecord>) {
    let key = turn_key(of);
    match turn {
        Some(turn) => batch
            .put_record(Tree::SyncRegistrations, &key, TURN_VERSION, &turn)
            .expect("numbers and plain enums can always be encoded"),
        None => batch.remove(Tree::SyncRegistrations, &key),
    }
}

/// Whose turns the key is about, if it is about any.
pub(crate) fn turn_of_key(bytes: &[u8]) -> Option<TurnOf> {
    let mut reader = KeyReader::new(bytes);
    let storage_key = reader.text()?;
    let is_turn = reader.text()?.is_empty() && reader.byte()? == KIND_TURN;
    if !is_turn || !reader.is_at_end() {
        return None;
    }
    if storage_key.is_empty() {
        return Some(TurnOf::AllOrigins);
    }
    StorageKey::try_from(storage_key).ok().map(TurnOf::Origin)
}

/// What [`put_turn`] stored, or why it makes no sense.
pub(crate) fn decode_turn(record: &Record) -> Result<TurnRecord, String> {
    if record.version != TURN_VERSION {
        return Err(format!(
            "its version is {}, not {TURN_VERSION}",
            record.version
        ));
    }
    record.decode().map_err(|error| error.to_string())
}

/// No scope is empty, so this is no registration's key; but it is under the origin.
fn turn_key(of: &TurnOf) -> Vec<u8> {
    let origin = match of {
        TurnOf::AllOrigins => String::new(),
        TurnOf::Origin(storage_key) => storage_key.to_string(),
    };
    KeyWriter::new()
        .text(&origin)
        .text("")
        .byte(KIND_TURN)
        .finish()
}

/// A stored time on both clocks. One that lies ahead, because the clock was set back while nothing
/// ran, is taken as now, so that nothing that is counted from it takes longer than it can. The
/// monotonic clock may not have been running long enough for a time before its start; then what is
/// counted from it comes later than it should by that clock, and in time by the other.
pub(crate) fn ago(wall: WallTime, now: Timestamp) -> Timestamp {
    let elapsed = now.wall.saturating_since(wall);
    let since_start = now.monotonic.since_start().saturating_sub(elapsed);
    Timestamp {
        wall: wall.min(now.wall),
        monotonic: MonotonicTime::from_start(since_start),
    }
}

#[cfg(test)]
mod tests {
    use base::DomString;
    use storage::{Direction, KeyRange, Store, StoreConfig};
    use sync_traits::SyncKind;
    use url::Url;

    use super::*;
    use crate::record::{self, RecordState, SyncKey};

    fn key(kind: SyncKind) -> SyncKey {
        let scope = Url::parse("https://example.org/").unwrap();
        SyncKey {
            storage_key: StorageKey::from_url(&scope).unwrap(),
            scope,
            kind,
            tag: DomString::from("t"),
        }
    }

    fn sync_record(periodic: Option<PeriodicState>) -> SyncRecord {
        SyncRecord {
            sequence: 7,
            state: RecordState::Firing {
                started: WallTime::from_millis(1),
                reregistered: true,
            },
            attempts: 2,
            uncounted_attempts: 3,
            immediate_refires: 4,
            registered: WallTime::from_millis(5),
            network: None,
            registration: Some(8),
            periodic: periodic.map(Box::new),
        }
    }

    /// The versions and values that a batch stores.
    fn stored(batch: Batch) -> Vec<(u16, Vec<u8>)> {
        let (store, _) = Store::open(StoreConfig::memory()).unwrap();
        store.commit(batch).unwrap();
        store
            .scan(Tree::SyncRegistrations, KeyRange::all(), Direction::Forward)
            .map(|entry| entry.unwrap().1)
            .map(|record| (record.version, record.value))
            .collect()
    }

    /// What profiles hold: a change of these bytes needs another version.
    #[test]
    fn the_formats_stay_as_they_are() {
        let mut batch = Batch::new();
        let one_shot = sync_record(None);
        let periodic = sync_record(Some(PeriodicState {
            min_interval: Duration::from_millis(2_500),
            anchor: Timestamp {
                wall: WallTime::from_millis(9),
                monotonic: MonotonicTime::default(),
            },
        }));
        record::put(&mut batch, &key(SyncKind::OneShot), &one_shot);
        record::put(&mut batch, &key(SyncKind::Periodic), &periodic);
        let turn = TurnRecord {
            opened: Some(WallTime::from_millis(1)),
            last_fire: Some(WallTime::from_millis(2)),
            engagement: Engagement::Suspended,
        };
        put_turn(&mut batch, &TurnOf::AllOrigins, Some(turn));
        let fixed = [1, 8, 7, 2, 2, 1, 2, 3, 4, 10, 0];
        let seconds_and_nanos = [2, 128, 202, 181, 238, 1];
        let with_interval = [&fixed[..], &seconds_and_nanos, &[18]].concat();
        assert_eq!(
            stored(batch),
            [
                (1, vec![1, 2, 1, 4, 3]),
                (2, fixed.to_vec()),
                (2, with_interval)
            ]
        );
    }

    #[test]
    fn what_an_earlier_version_has_stored_can_be_read() {
        let fixed = [7, 2, 2, 1, 2, 3, 4, 10, 0];
        let seconds_and_nanos = [2, 128, 202, 181, 238, 1];
        let with_interval = [&fixed[..], &seconds_and_nanos, &[18]].concat();
        let decode = |kind, value| record::decode(&key(kind), &Record { version: 1, value });
        let expected = SyncRecord {
            registration: None,
            ..sync_record(None)
        };
        let one_shot = decode(SyncKind::OneShot, fixed.to_vec());
        assert_eq!(one_shot, Ok(expected.clone()));
        let periodic = decode(SyncKind::Periodic, with_interval).unwrap();
        assert_eq!(
            periodic.periodic.map(|periodic| periodic.min_interval),
            Some(Duration::from_millis(2_500))
        );
    }

    #[test]
    fn what_is_stored_comes_back() {
        let key = key(SyncKind::Periodic);
        let periodic = sync_record(Some(PeriodicState {
            min_interval: Duration::MAX,
            anchor: Timestamp {
                wall: WallTime::from_millis(9),
                monotonic: MonotonicTime::default(),
            },
        }));
        let mut batch = Batch::new();
        record::put(&mut batch, &key, &periodic);
        let (version, value) = stored(batch).remove(0);
        let found = record::decode(&key, &Record { version, value });
        assert_eq!(found, Ok(periodic));
        for of in [TurnOf::AllOrigins, TurnOf::Origin(key.storage_key.clone())] {
            assert_eq!(turn_of_key(&turn_key(&of)), Some(of));
        }
        assert_eq!(turn_of_key(&key.to_bytes()), None);
        assert_eq!(SyncKey::from_bytes(&turn_key(&TurnOf::AllOrigins)), None);
    }
}
