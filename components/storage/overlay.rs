//! What is in the journal and not yet durable in the database. Readers see it in front of the
//! database, so it does not matter to them how far the database has come.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{Direction, KeyRange};
use crate::device::{Scanned, Writes};

/// What is to be under a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    /// Nothing when the key goes.
    pub(crate) value: Option<Vec<u8>>,
    /// The group that made the change, and its place in it: no two changes have the same.
    pub(crate) sequence: u64,
    pub(crate) number: u32,
}

/// A key, and what is to be under it.
pub(crate) type ChangedValue = (Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Default)]
pub(crate) struct Overlay {
    changes: BTreeMap<Vec<u8>, Change>,
    /// The keys whose changes the database does not have yet.
    unapplied: BTreeSet<Vec<u8>>,
    unapplied_bytes: usize,
}

impl Overlay {
    /// Take the changes of a group that is in the journal.
    pub(crate) fn insert(&mut self, writes: Writes, sequence: u64) {
        for (number, (key, value)) in (0..).zip(writes) {
            self.insert_one(key, value, sequence, number);
        }
    }

    /// Take one change that is in the journal.
    pub(crate) fn insert_one(
        &mut self,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
        sequence: u64,
        number: u32,
    ) {
        self.forget_unapplied(&key);
        self.unapplied_bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.unapplied.insert(key.clone());
        let change = Change {
            value,
            sequence,
            number,
        };
        self.changes.insert(key, change);
    }

    /// Take changes that are not in the journal yet: readers see them, the database waits.
    pub(crate) fn show(&mut self, writes: &Writes, sequence: u64) {
        for (number, (key, value)) in (0..).zip(writes) {
            self.forget_unapplied(key);
            let change = Change {
                value: value.clone(),
                sequence,
                number,
            };
            self.changes.insert(key.clone(), change);
        }
    }

    fn forget_unapplied(&mut self, key: &[u8]) {
        if self.unapplied.remove(key) {
            let bytes = self.changes.get(key).and_then(|old| old.value.as_ref());
            self.unapplied_bytes -= key.len() + bytes.map_or(0, Vec::len);
        }
    }

    /// What is to be under a key, if it changed.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Change> {
        self.changes.get(key)
    }

    /// The first changes of a range, some `limit` of them or fewer when they are large, and whether
    /// there are no more.
    pub(crate) fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
        mut bytes: usize,
    ) -> (Vec<ChangedValue>, bool) {
        let mut range = self.changes.range((range.start.clone(), range.end.clone()));
        let mut changes = Vec::new();
        while changes.len() < limit && bytes > 0 {
            let next = match direction {
                Direction::Forward => range.next(),
                Direction::Backward => range.next_back(),
            };
            let Some((key, change)) = next else {
                return (changes, true);
            };
            bytes = bytes.saturating_sub(change.value.as_ref().map_or(0, Vec::len));
            changes.push((key.clone(), change.value.clone()));
        }
        (changes, false)
    }

    /// Some of what the database does not have yet, in the order of the keys.
    pub(crate) fn unapplied(&self, limit: usize, bytes: usize) -> Vec<(Vec<u8>, Change)> {
        let mut room = bytes;
        let mut some = Vec::new();
        for key in self.unapplied.iter().take(limit) {
            let Some(change) = self.changes.get(key) else {
                continue;
            };
            some.push((key.clone(), change.clone()));
            room = room.saturating_sub(key.len() + change.value.as_ref().map_or(0, Vec::len));
            if room == 0 {
                break;
            }
        }
        some
    }

    pub(crate) fn unapplied_bytes(&self) -> usize {
        self.unapplied_bytes
    }

    /// The database has these changes, though perhaps not durably. A key that has changed again
    /// meanwhile still waits.
    pub(crate) fn applied(&mut self, changes: &[(Vec<u8>, Change)]) {
        for (key, applied) in changes {
            let now = self.changes.get(key);
            if now
                .is_some_and(|now| (now.sequence, now.number) == (applied.sequence, applied.number))
            {
                self.forget_unapplied(key);
            }
        }
    }

    /// The database may have lost what was applied since it was last durable.
    pub(crate) fn apply_all_again(&mut self) {
        self.unapplied = self.changes.keys().cloned().collect();
        let bytes = |(key, change): (&Vec<u8>, &Change)| {
            key.len() + change.value.as_ref().map_or(0, Vec::len)
        };
        self.unapplied_bytes = self.changes.iter().map(bytes).sum();
    }

    /// Everything is durable in the database.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Put changes in front of what the database holds. Both are the first of the same range, in the
/// same order.
pub(crate) fn merge(
    (changes, no_more_changes): (Vec<ChangedValue>, bool),
    scanned: Scanned,
    direction: Direction,
) -> Merged {
    let before = |left: &[u8], right: &[u8]| match direction {
        Direction::Forward => left < right,
        Direction::Backward => left > right,
    };
    // Beyond the end of the shorter one nothing is known yet.
    let ends = [
        changes
            .last()
            .filter(|_| !no_more_changes)
            .map(|(key, _)| key.clone()),
        scanned
            .entries
            .last()
            .filter(|_| !scanned.exhausted)
            .map(|(key, _)| key.clone()),
    ];
    let end = ends.into_iter().flatten().reduce(
        |left, right| {
            if before(&left, &right) { left } else { right }
        },
    );
    let known = |key: &[u8]| end.as_deref().is_none_or(|end| !before(end, key));

    let mut entries: BTreeMap<Vec<u8>, Found> = BTreeMap::new();
    for (key, stored) in scanned.entries {
        if known(&key) {
            entries.insert(key, Found::Stored(stored));
        }
    }
    for (key, value) in changes {
        if !known(&key) {
            continue;
        }
        match value {
            Some(value) => entries.insert(key, Found::Value(value)),
            None => entries.remove(&key),
        };
    }
    let entries = entries.into_iter();
    Merged {
        entries: match direction {
            Direction::Forward => entries.collect(),
            Direction::Backward => entries.rev().collect(),
        },
        end,
    }
}

/// Where a merged entry comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// A change: a value as its owner knows it.
    Value(Vec<u8>),
    /// What the database holds, perhaps a pointer to pieces.
    Stored(Vec<u8>),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Merged {
    pub(crate) entries: Vec<(Vec<u8>, Found)>,
    /// Up to which key the range was looked at; nothing when that is all of it.
    pub(crate) end: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use proptest::prelude::*;

    use super::*;
    use crate::device::{Entry, MemoryDatabase, OrderedDatabase};

    fn writes() -> impl Strategy<Value = Writes> {
        let key = prop::collection::vec(0..3_u8, 0..4);
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..3));
        prop::collection::btree_map(key, value, 0..12)
    }

    proptest! {
        #[test]
        fn a_merged_scan_is_a_scan_of_both(
            stored in writes(),
            changed in writes(),
            limits in (1..5_usize, 1..5_usize),
            backward: bool,
        ) {
            let database = MemoryDatabase::default();
            database.open().unwrap();
            database.apply(&stored).unwrap();
            let mut overlay = Overlay::default();
            overlay.insert(changed.clone(), 1);
            let direction = if backward { Direction::Backward } else { Direction::Forward };

            let mut range = KeyRange { start: Bound::Unbounded, end: Bound::Unbounded };
            let mut found: Vec<Entry> = Vec::new();
            loop {
                let changes = overlay.scan(&range, direction, limits.0, 3);
                let scanned = database.scan(&range, direction, limits.1).unwrap();
                let merged = merge(changes, scanned, direction);
                found.extend(merged.entries.into_iter().map(|(key, found)| match found {
                    Found::Value(value) | Found::Stored(value) => (key, value),
                }));
                let Some(end) = merged.end else { break };
                range.continue_after(&end, direction);
            }
            let mut expected = stored;
            expected.extend(changed);
            let expected = expected.into_iter().filter_map(|(key, value)| Some((key, value?)));
            let mut expected: Vec<Entry> = expected.collect();
            if backward {
                expected.reverse();
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_is_unapplied_is_counted_and_what_changes_again_still_waits(rounds in prop::collection::vec((writes(), 0..5_usize), 1..5)) {
            let mut overlay = Overlay::default();
            for (round, (writes, some)) in (0..).zip(rounds) {
                overlay.insert(writes.clone(), 3 * round);
                overlay.show(&writes.clone().into_iter().take(2).collect(), 3 * round + 1);
                let some = overlay.unapplied(some, usize::MAX);
                // The database takes these; meanwhile they change again.
                let again: Writes = writes.into_iter().skip(3).collect();
                overlay.insert(again.clone(), 3 * round + 2);
                overlay.applied(&some);
                let left = overlay.unapplied(usize::MAX, usize::MAX);
                let waits = |key| left.iter().any(|(left, _)| left == key);
                prop_assert!(again.keys().all(waits));
                let bytes = left.iter().map(|(key, change)| {
                    key.len() + change.value.as_ref().map_or(0, Vec::len)
                });
                prop_assert_eq!(overlay.unapplied_bytes(), bytes.sum::<usize>());
            }
        }
    }
}
