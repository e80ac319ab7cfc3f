//! The event log: what goes into which batch, and how it stays within its bound.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use base::time::WallTime;
use base::{DomString, StorageKey};
use serde::Deserialize;
use storage::key::KeyWriter;
use storage::{Batch, Record, Tree};
use sync_traits::{LogEntry, LogEvent, SyncKind};
use url::Url;

use crate::log_tail::{self, LogTail};
use crate::record::SyncKey;

/// The version of the format of entries.
const LOG_VERSION: u16 = 2;

/// An entry in the first version of the format, when there was only one kind of registrations.
#[derive(Deserialize)]
struct LogEntryVersion1 {
    sequence: u64,
    time: WallTime,
    storage_key: StorageKey,
    scope: Url,
    tag: DomString,
    event: LogEvent,
}

/// A stored entry of any version; nothing for one that makes no sense.
pub(crate) fn decode(record: &Record) -> Option<LogEntry> {
    match record.version {
        1 => {
            let entry: LogEntryVersion1 = record.decode().ok()?;
            Some(LogEntry {
                sequence: entry.sequence,
                time: entry.time,
                kind: SyncKind::OneShot,
                storage_key: entry.storage_key,
                scope: entry.scope,
                tag: entry.tag,
                event: entry.event,
            })
        }
        LOG_VERSION => record.decode().ok(),
        _ => None,
    }
}

/// An entry without its number, which it gets when it goes into a batch.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) time: WallTime,
    pub(crate) key: Arc<SyncKey>,
    pub(crate) event: LogEvent,
}

/// The entries of one batch on its way.
#[derive(Debug, Default)]
pub(crate) struct BatchedLog {
    entries: Vec<(Arc<SyncKey>, LogEntry)>,
    /// Entries that describe no other change of the batch, so that they must not be lost with it.
    loose: Vec<Draft>,
    /// The numbers of the old entries that the batch removes.
    pruned: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct EventLog {
    bound: usize,
    next_sequence: u64,
    /// The numbers of the entries in the store, those in batches on their way included. Never more
    /// than `bound` after a batch is made.
    stored: BTreeSet<u64>,
    /// Entries that wait for the next batch; at most `bound`.
    loose: VecDeque<Draft>,
    /// Entries that are on disk.
    tail: LogTail,
}

impl EventLog {
    /// A log that continues after the entries with the `stored` numbers, `entries` being those that
    /// can be read.
    pub(crate) fn new(bound: usize, stored: BTreeSet<u64>, entries: Vec<LogEntry>) -> Self {
        let mut tail = LogTail::new(bound);
        for entry in entries {
            tail.push(log_tail::registration(&entry), &entry);
        }
        let next_sequence = stored.last().map_or(1, |last| last.saturating_add(1));
        Self {
            bound,
            next_sequence,
            stored,
            loose: VecDeque::new(),
            tail,
        }
    }

    /// Add an entry that describes no change of a record.
    pub(crate) fn push(&mut self, draft: Draft) {
        if self.loose.len() == self.bound {
            self.loose.pop_front();
        }
        self.loose.push_back(draft);
    }

    /// Whether entries wait for a batch.
    pub(crate) fn has_loose(&self) -> bool {
        !self.loose.is_empty()
    }

    /// Put the waiting entries, these `drafts`, and the removal of what is too much into a batch.
    pub(crate) fn add_to(&mut self, batch: &mut Batch, drafts: Vec<Draft>) -> BatchedLog {
        let loose: Vec<Draft> = self.loose.drain(..).collect();
        let mut batched = BatchedLog::default();
        // Of more entries than the log keeps, the first would be removed at once.
        let total = loose.len() + drafts.len();
        let skipped = total.saturating_sub(self.bound);
        for draft in loose.iter().cloned().chain(drafts).skip(skipped) {
            let sequence = self.next_sequence;
            self.next_sequence = self.next_sequence.saturating_add(1);
            let entry = LogEntry {
                sequence,
                time: draft.time,
                kind: draft.key.kind,
                storage_key: draft.key.storage_key.clone(),
                scope: draft.key.scope.clone(),
                tag: draft.key.tag.clone(),
                event: draft.event,
            };
            batch
                .put_record(Tree::SyncLog, &sequence_key(sequence), LOG_VERSION, &entry)
                .expect("strings, numbers and plain enums can always be encoded");
            self.stored.insert(sequence);
            batched.entries.push((draft.key, entry));
        }
        while self.stored.len() > self.bound
            && let Some(oldest) = self.stored.pop_first()
        {
            batch.remove(Tree::SyncLog, &sequence_key(oldest));
            batched.pruned.push(oldest);
        }
        batched.loose = loose;
        batched
    }

    /// A batch is on disk. Gives its entries.
    pub(crate) fn written(&mut self, batched: BatchedLog) -> Vec<LogEntry> {
        let tail = &mut self.tail;
        let add = |(key, entry)| {
            tail.push(key, &entry);
            entry
        };
        batched.entries.into_iter().map(add).collect()
    }

    /// The newest durable entries about a registration, at most this many, oldest first.
    pub(crate) fn about(&self, key: &SyncKey, most: usize) -> Vec<LogEntry> {
        self.tail.about(key, most)
    }

    /// A batch could not be written. Its entries about changes are gone as the changes are; the
    /// others wait for the next batch. The numbers are not used again, because after a crash it may
    /// turn out that the batch is on disk after all.
    pub(crate) fn put_back(&mut self, batched: BatchedLog) {
        for (_, entry) in &batched.entries {
            self.stored.remove(&entry.sequence);
        }
        self.stored.extend(batched.pruned);
        for draft in batched.loose.into_iter().rev() {
            if self.loose.len() < self.bound {
                self.loose.push_front(draft);
            }
        }
    }
}

/// The key of the entry with this number: ordered as the numbers are.
pub(crate) fn sequence_key(sequence: u64) -> Vec<u8> {
    KeyWriter::new().number(sequence).finish()
}

#[cfg(test)]
mod tests {
    use base::{DomString, StorageKey};
    use url::Url;

    use super::*;

    fn draft(tag: &str) -> Draft {
        let scope = Url::parse("https://example.org/").unwrap();
        let storage_key = StorageKey::from_url(&scope).unwrap();
        let key = Arc::new(SyncKey {
            storage_key,
            scope,
            kind: SyncKind::OneShot,
            tag: DomString::from(tag),
        });
        Draft {
            time: WallTime::default(),
            key,
            event: LogEvent::Completed,
        }
    }

    fn sequences(batched: &BatchedLog) -> Vec<u64> {
        let numbers = batched.entries.iter().map(|(_, entry)| entry.sequence);
        numbers.collect()
    }

    #[test]
    fn a_failed_batch_leaves_the_log_as_it_was_and_a_gap_in_the_numbers() {
        let mut log = EventLog::new(3, BTreeSet::from([4, 5, 6]), Vec::new());
        let failed = log.add_to(&mut Batch::new(), vec![draft("a"), draft("b")]);
        assert_eq!(
            (sequences(&failed), failed.pruned.clone()),
            (vec![7, 8], vec![4, 5])
        );
        log.put_back(failed);
        let again = log.add_to(&mut Batch::new(), vec![draft("a"), draft("b")]);
        assert_eq!((sequences(&again), again.pruned), (vec![9, 10], vec![4, 5]));
    }

    #[test]
    fn of_more_entries_than_it_keeps_the_last_stay() {
        let mut log = EventLog::new(2, BTreeSet::from([1]), Vec::new());
        log.push(draft("loose"));
        let batched = log.add_to(&mut Batch::new(), vec![draft("a"), draft("b")]);
        let tags: Vec<_> = batched
            .entries
            .iter()
            .map(|(_, entry)| entry.tag.to_string())
            .collect();
        assert_eq!(tags, ["a", "b"]);
        assert_eq!(log.stored, BTreeSet::from([2, 3]));
    }
}
