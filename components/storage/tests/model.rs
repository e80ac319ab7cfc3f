//! The store beside an ordered map that does the same.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;
use storage::{Batch, Direction, KeyRange, Store, StoreConfig, Tree};

type Model = BTreeMap<(Tree, Vec<u8>), Vec<u8>>;

#[derive(Clone, Debug)]
enum Change {
    Put(Tree, Vec<u8>, usize),
    Remove(Tree, Vec<u8>),
    RemovePrefix(Tree, Vec<u8>),
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>),
    Scan(Tree, Bound<Vec<u8>>, Bound<Vec<u8>>),
    Reopen,
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::sample::select(vec![Tree::Meta, Tree::SyncRegistrations])
}

/// Few short keys, so that they meet; bytes at the ends of their range.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, 255]), 0..4)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        Just(Bound::Unbounded),
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let length = prop::sample::select(vec![0, 10, 4088, 4089, 9000]);
    prop_oneof![
        6 => (tree(), key(), length).prop_map(|(tree, key, length)| Change::Put(tree, key, length)),
        2 => (tree(), key()).prop_map(|(tree, key)| Change::Remove(tree, key)),
        1 => (tree(), key()).prop_map(|(tree, key)| Change::RemovePrefix(tree, key)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(change(), 0..6).prop_map(Step::Commit),
        3 => (tree(), bound(), bound()).prop_map(|(tree, from, to)| Step::Scan(tree, from, to)),
        1 => Just(Step::Reopen),
    ]
}

fn commit(changes: Vec<Change>, round: usize, store: &Store, model: &mut Model) {
    let mut batch = Batch::new();
    for change in changes {
        match change {
            Change::Put(tree, key, length) => {
                let value: Vec<u8> = round
                    .to_le_bytes()
                    .into_iter()
                    .cycle()
                    .take(length)
                    .collect();
                batch.put(tree, &key, 1, value.clone());
                model.insert((tree, key), value);
            }
            Change::Remove(tree, key) => {
                batch.remove(tree, &key);
                model.remove(&(tree, key));
            }
            Change::RemovePrefix(tree, prefix) => {
                batch.remove_prefix(tree, &prefix);
                model.retain(|(other, key), _| *other != tree || !key.starts_with(&prefix));
            }
        }
    }
    store.commit(batch).unwrap();
}

fn scan(
    store: &Store,
    tree: Tree,
    range: &KeyRange,
    direction: Direction,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let entries = store.scan(tree, range.clone(), direction);
    entries
        .map(|entry| entry.map(|(key, record)| (key, record.value)).unwrap())
        .collect()
}

fn expected(model: &Model, tree: Tree, range: &KeyRange) -> Vec<(Vec<u8>, Vec<u8>)> {
    let after = |key: &Vec<u8>| match &range.start {
        Bound::Unbounded => true,
        Bound::Included(start) => key >= start,
        Bound::Excluded(start) => key > start,
    };
    let before = |key: &Vec<u8>| match &range.end {
        Bound::Unbounded => true,
        Bound::Included(end) => key <= end,
        Bound::Excluded(end) => key < end,
    };
    model
        .iter()
        .filter(|((other, key), _)| *other == tree && after(key) && before(key))
        .map(|((_, key), value)| (key.clone(), value.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_an_ordered_map(steps in prop::collection::vec(step(), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::folder(folder.path());
        let (mut store, _) = Store::open(config.clone()).unwrap();
        let mut model = Model::new();
        for (round, step) in steps.into_iter().enumerate() {
            match step {
                Step::Commit(changes) => commit(changes, round, &store, &mut model),
                Step::Scan(tree, start, end) => {
                    let range = KeyRange { start, end };
                    let mut expected = expected(&model, tree, &range);
                    prop_assert_eq!(&scan(&store, tree, &range, Direction::Forward), &expected);
                    expected.reverse();
                    prop_assert_eq!(&scan(&store, tree, &range, Direction::Backward), &expected);
                },
                Step::Reopen => {
                    store.close();
                    let (reopened, report) = Store::open(config.clone()).unwrap();
                    prop_assert_eq!((report.lost_commits, report.quarantined), (0, 0));
                    store = reopened;
                },
            }
        }
        for ((tree, key), value) in &model {
            let found = store.read(*tree, key).unwrap().map(|record| record.value);
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        prop_assert_eq!(store.status().quarantined, 0);
    }
}
