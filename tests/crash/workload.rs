//! What writers write, and what must be found afterwards.
//!
//! Each of some threads submits batches with the numbers 1, 2, 3... What a batch changes follows
//! from seed, thread and number alone, and a record in it holds the number. So whoever reads the
//! profile knows which batches are in it, and what all records of that thread must be then.

use std::collections::BTreeMap;

use storage::{Batch, Direction, KeyRange, Store, Tree};

use crate::random::Random;

pub(crate) const TREES: [Tree; 4] = [
    Tree::Meta,
    Tree::SyncRegistrations,
    Tree::SyncLog,
    Tree::Scripts,
];

/// The records of one thread.
pub(crate) type Records = BTreeMap<(Tree, String), Vec<u8>>;

enum Change {
    Put(Tree, String, Vec<u8>),
    Remove(Tree, String),
    RemovePrefix(Tree, String),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) seed: u64,
    pub(crate) threads: u64,
    /// How long the large values are at most.
    pub(crate) large: u64,
    /// Before each batch with an even number there is a relaxed one.
    pub(crate) relaxed: bool,
}

/// What the keys that relaxed batches write have in them.
const RELAXED: &str = " relaxed ";

impl Workload {
    fn changes(&self, thread: u64, number: u64) -> Vec<Change> {
        let mut random = Random::new(self.seed ^ (thread << 48) ^ number);
        let registration = |number: u64| format!("{thread} {number:08}");
        let script = |number: u64| format!("{thread} script {}", number % 3);
        let log = |group: u64| format!("{thread} group {group:08} ");
        let small = 40 + random.index(200);
        let mut changes = vec![
            Change::Put(
                Tree::Meta,
                format!("{thread} counter"),
                number.to_le_bytes().to_vec(),
            ),
            Change::Put(
                Tree::SyncRegistrations,
                registration(number),
                random.bytes(small),
            ),
            Change::Put(
                Tree::SyncLog,
                format!("{}{number:08}", log(number / 8)),
                random.bytes(30),
            ),
        ];
        if number.is_multiple_of(3) {
            let other = registration(number - random.below(3));
            changes.push(Change::Put(
                Tree::SyncRegistrations,
                other,
                random.bytes(100),
            ));
        }
        if number.is_multiple_of(4) {
            let other = registration(number - 1 - random.below(3));
            changes.push(Change::Remove(Tree::SyncRegistrations, other));
        }
        if number.is_multiple_of(5) {
            let length = 4097 + random.below(self.large);
            let value = random.bytes(usize::try_from(length).unwrap());
            changes.push(Change::Put(Tree::Scripts, script(random.next()), value));
        }
        if number.is_multiple_of(11) {
            changes.push(Change::Remove(Tree::Scripts, script(random.next())));
        }
        if number.is_multiple_of(16) {
            let group = log(number / 8 - 2);
            changes.push(Change::RemovePrefix(Tree::SyncLog, group.clone()));
            changes.push(Change::Put(
                Tree::SyncLog,
                format!("{group}instead"),
                random.bytes(10),
            ));
        }
        if number.is_multiple_of(50) {
            // Few registrations stay, so that the profile does not only grow.
            let prefix = format!("{thread} ");
            changes.push(Change::RemovePrefix(Tree::SyncRegistrations, prefix));
        }
        changes
    }

    pub(crate) fn batch(&self, thread: u64, number: u64) -> Batch {
        let mut batch = Batch::new();
        for change in self.changes(thread, number) {
            match change {
                Change::Put(tree, key, value) => batch.put(tree, key.as_bytes(), 1, value),
                Change::Remove(tree, key) => batch.remove(tree, key.as_bytes()),
                Change::RemovePrefix(tree, prefix) => batch.remove_prefix(tree, prefix.as_bytes()),
            }
        }
        batch
    }

    /// The relaxed batch before a batch.
    pub(crate) fn relaxed_batch(&self, thread: u64, number: u64) -> Option<Batch> {
        (self.relaxed && number.is_multiple_of(2)).then(|| {
            let mut batch = Batch::new();
            let key = format!("{thread}{RELAXED}{number:08}");
            batch.put(
                Tree::SyncLog,
                key.as_bytes(),
                1,
                number.to_le_bytes().to_vec(),
            );
            batch
        })
    }

    /// Of the relaxed batches any number at the end may be missing, but none before a batch that is
    /// there. Gives the last.
    fn check_relaxed(
        &self,
        relaxed: &Records,
        number: u64,
        progress: &Progress,
    ) -> Result<u64, String> {
        let numbers: Vec<u64> = relaxed
            .values()
            .filter_map(|value| Some(u64::from_le_bytes(value[..].try_into().ok()?)))
            .collect();
        let last = numbers.last().copied().unwrap_or(0);
        let before = if self.relaxed { number / 2 * 2 } else { 0 };
        let least = before.max(progress.relaxed);
        let most = progress.submitted.max(progress.relaxed_submitted);
        let whole = numbers
            .iter()
            .copied()
            .eq((1..=last / 2).map(|half| 2 * half));
        if !whole || last < least || last > most {
            return Err(format!("{progress:?}, but the relaxed batches {numbers:?}"));
        }
        Ok(last)
    }

    /// What a batch does to the records of its thread.
    pub(crate) fn apply(&self, records: &mut Records, thread: u64, number: u64) {
        for change in self.changes(thread, number) {
            match change {
                Change::Put(tree, key, value) => {
                    records.insert((tree, key), value);
                }
                Change::Remove(tree, key) => {
                    records.remove(&(tree, key));
                }
                Change::RemovePrefix(tree, prefix) => {
                    records
                        .retain(|(in_tree, key), _| *in_tree != tree || !key.starts_with(&prefix));
                }
            }
        }
    }
}

/// The records of each thread after each of its batches, worked out once.
pub(crate) struct History {
    workload: Workload,
    threads: Vec<Vec<Records>>,
}

impl History {
    pub(crate) fn new(workload: Workload, batches: u64) -> Self {
        let of_thread = |thread| {
            let mut records = Records::new();
            let mut after = vec![Records::new()];
            for number in 1..=batches {
                workload.apply(&mut records, thread, number);
                after.push(records.clone());
            }
            after
        };
        Self {
            workload,
            threads: (0..workload.threads).map(of_thread).collect(),
        }
    }
}

/// Which batches of a thread must be and may be in the profile.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Progress {
    pub(crate) submitted: u64,
    pub(crate) acknowledged: u64,
    /// The last relaxed batch that must be there, though no batch after it needs to be.
    pub(crate) relaxed: u64,
    /// The last relaxed batch that may be there, though the batch that it was submitted with is not.
    pub(crate) relaxed_submitted: u64,
}

impl Progress {
    /// Batches up to this number are there, and no other.
    pub(crate) fn at(number: u64) -> Self {
        Self {
            submitted: number,
            acknowledged: number,
            relaxed: 0,
            relaxed_submitted: 0,
        }
    }
}

/// Compare what a store holds with what must be there. Gives exactly what is there, or
/// what is wrong.
pub(crate) fn check(
    store: &Store,
    history: &History,
    progress: &[Progress],
) -> Result<Vec<Progress>, String> {
    check_with(
        store,
        &history.workload,
        progress,
        |thread, number, found| {
            let expected = &history.threads[thread][usize::try_from(number).unwrap()];
            compare(expected, found)
        },
    )
}

/// The same, with another way to tell whether the records of a thread are right after a batch.
pub(crate) fn check_with(
    store: &Store,
    workload: &Workload,
    progress: &[Progress],
    mut compare: impl FnMut(usize, u64, &Records) -> Result<(), String>,
) -> Result<Vec<Progress>, String> {
    let mut found = found(store)?;
    if let Some(thread) = found
        .keys()
        .find(|thread| **thread >= progress.len() as u64)
    {
        return Err(format!("records of thread {thread}, which does not exist"));
    }
    let mut seen = Vec::new();
    for (thread, progress) in progress.iter().enumerate() {
        let all = found.remove(&(thread as u64)).unwrap_or_default();
        let (relaxed, found): (Records, Records) = all
            .into_iter()
            .partition(|((_, key), _)| key.contains(RELAXED));
        let found = &found;
        let number = counter(found, thread as u64);
        if number < progress.acknowledged || number > progress.submitted {
            return Err(format!(
                "thread {thread}: {progress:?}, but batches up to {number} are there"
            ));
        }
        compare(thread, number, found)
            .map_err(|difference| format!("thread {thread} at batch {number}: {difference}"))?;
        let relaxed = workload.check_relaxed(&relaxed, number, progress);
        let relaxed =
            relaxed.map_err(|what| format!("thread {thread} at batch {number}: {what}"))?;
        seen.push(Progress {
            relaxed,
            relaxed_submitted: relaxed,
            ..Progress::at(number)
        });
    }
    Ok(seen)
}

/// Everything in the profile, by thread.
pub(crate) fn found(store: &Store) -> Result<BTreeMap<u64, Records>, String> {
    let mut found: BTreeMap<u64, Records> = BTreeMap::new();
    for tree in TREES {
        for entry in store.scan(tree, KeyRange::all(), Direction::Forward) {
            let (key, record) =
                entry.map_err(|error| format!("{tree:?} cannot be read: {error}"))?;
            let key = String::from_utf8(key).map_err(|error| error.to_string())?;
            let thread = key.split(' ').next().and_then(|thread| thread.parse().ok());
            let thread = thread.ok_or_else(|| format!("the key {key} was never written"))?;
            found
                .entry(thread)
                .or_default()
                .insert((tree, key), record.value);
        }
    }
    Ok(found)
}

/// The number of the last batch of a thread.
pub(crate) fn counter(records: &Records, thread: u64) -> u64 {
    records
        .get(&(Tree::Meta, format!("{thread} counter")))
        .and_then(|value| Some(u64::from_le_bytes(value[..].try_into().ok()?)))
        .unwrap_or(0)
}

/// The first differences, in words.
pub(crate) fn compare(expected: &Records, found: &Records) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let missing = expected
        .iter()
        .filter(|(key, value)| found.get(key) != Some(value))
        .map(|(key, _)| {
            let what = if found.contains_key(key) {
                "has another value"
            } else {
                "is missing"
            };
            format!("{key:?} {what}")
        });
    let more = found
        .keys()
        .filter(|key| !expected.contains_key(key))
        .map(|key| format!("{key:?} should not be there"));
    let all: Vec<String> = missing.chain(more).collect();
    let first = all[..all.len().min(4)].join("; ");
    Err(format!("{} records differ: {first}", all.len()))
}
