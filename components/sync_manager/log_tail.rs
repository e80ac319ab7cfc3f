//! The newest entries of the event log, to be found by their registration.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use base::time::WallTime;
use sync_traits::{LogEntry, LogEvent};

use crate::record::SyncKey;

/// How many entries are remembered at most; the store may keep more of them.
const MAX_ENTRIES: usize = 10_000;

/// Durable entries of the event log: as many of the newest as the store keeps.
#[derive(Debug)]
pub(crate) struct LogTail {
    bound: usize,
    entries: BTreeMap<u64, Kept>,
    /// The sequence numbers of each registration's entries.
    by_registration: HashMap<Arc<SyncKey>, BTreeSet<u64>>,
}

/// What an entry consists of beside its number.
#[derive(Debug)]
struct Kept {
    key: Arc<SyncKey>,
    time: WallTime,
    event: LogEvent,
}

impl LogTail {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound: bound.min(MAX_ENTRIES),
            entries: BTreeMap::new(),
            by_registration: HashMap::new(),
        }
    }

    /// Add an entry about the registration with this key.
    pub(crate) fn push(&mut self, key: Arc<SyncKey>, entry: &LogEntry) {
        if self.entries.len() >= self.bound
            && let Some((sequence, oldest)) = self.entries.pop_first()
        {
            self.forget(sequence, &oldest.key);
        }
        self.by_registration
            .entry(Arc::clone(&key))
            .or_default()
            .insert(entry.sequence);
        let kept = Kept {
            key,
            time: entry.time,
            event: entry.event.clone(),
        };
        self.entries.insert(entry.sequence, kept);
    }

    fn forget(&mut self, sequence: u64, key: &SyncKey) {
        if let Some(sequences) = self.by_registration.get_mut(key) {
            sequences.remove(&sequence);
            if sequences.is_empty() {
                self.by_registration.remove(key);
            }
        }
    }

    /// The newest entries about a registration, at most this many, oldest first.
    pub(crate) fn about(&self, key: &SyncKey, most: usize) -> Vec<LogEntry> {
        let sequences = self.by_registration.get(key);
        let newest = sequences.into_iter().flatten().rev().take(most);
        let mut found: Vec<LogEntry> = newest
            .filter_map(|number| Some(self.entries.get(number)?.entry(*number)))
            .collect();
        found.reverse();
        found
    }
}

impl Kept {
    fn entry(&self, sequence: u64) -> LogEntry {
        LogEntry {
            sequence,
            time: self.time,
            kind: self.key.kind,
            storage_key: self.key.storage_key.clone(),
            scope: self.key.scope.clone(),
            tag: self.key.tag.clone(),
            event: self.event.clone(),
        }
    }
}

/// The key of the registration that an entry is about.
pub(crate) fn registration(entry: &LogEntry) -> Arc<SyncKey> {
    Arc::new(SyncKey {
        storage_key: entry.storage_key.clone(),
        scope: entry.scope.clone(),
        kind: entry.kind,
        tag: entry.tag.clone(),
    })
}

#[cfg(test)]
mod tests {
    use base::time::WallTime;
    use base::{DomString, StorageKey};
    use sync_traits::{LogEvent, SyncKind};
    use url::Url;

    use super::*;

    fn entry(sequence: u64, tag: &str) -> LogEntry {
        let scope = Url::parse("https://example.org/").unwrap();
        LogEntry {
            sequence,
            time: WallTime::default(),
            kind: SyncKind::OneShot,
            storage_key: StorageKey::from_url(&scope).unwrap(),
            scope,
            tag: DomString::from(tag),
            event: LogEvent::Registered,
        }
    }

    #[test]
    fn the_newest_entries_are_found_and_the_oldest_forgotten() {
        let mut tail = LogTail::new(4);
        for (sequence, tag) in [(1, "old"), (2, "a"), (4, "b"), (5, "a"), (9, "a")] {
            let entry = entry(sequence, tag);
            tail.push(registration(&entry), &entry);
        }
        let about = |tag: &str, most: usize| -> Vec<u64> {
            let key = registration(&entry(0, tag));
            let entries = tail.about(&key, most);
            entries.iter().map(|entry| entry.sequence).collect()
        };
        assert_eq!(about("a", 2), [5, 9]);
        assert_eq!(about("b", 2), [4]);
        assert_eq!(about("old", 2), [0_u64; 0]);
        assert_eq!(tail.by_registration.len(), 2);
    }
}
