//! Any changes, against an index that is as simple as can be.

use std::collections::{BTreeMap, BTreeSet};

use indexed_db::{CursorDirection, KeyRange, Operation, TransactionMode};
use proptest::prelude::*;

use super::{URL, delete, indexed, pairs, put};
use crate::{Machine, name, number};

/// A store with an index, as simply as can be: the keys of each record.
type Model = BTreeMap<u32, BTreeSet<u32>>;

fn expected(model: &Model, range: (u32, u32), direction: CursorDirection) -> Vec<(f64, f64)> {
    let entries = model
        .iter()
        .flat_map(|(key, keys)| keys.iter().map(move |index_key| (*index_key, *key)));
    let mut entries: Vec<(u32, u32)> = entries
        .filter(|(index_key, _)| (range.0..=range.1).contains(index_key))
        .collect();
    entries.sort_unstable();
    if matches!(
        direction,
        CursorDirection::NextUnique | CursorDirection::PrevUnique
    ) {
        entries.dedup_by_key(|(index_key, _)| *index_key);
    }
    if !direction.is_forward() {
        entries.reverse();
    }
    let pair = |(index_key, key): (u32, u32)| (f64::from(index_key), f64::from(key));
    entries.into_iter().map(pair).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Put(u32, BTreeSet<u32>),
    Delete(u32, u32),
    Clear,
    Commit,
    Abort,
}

fn change() -> impl Strategy<Value = Change> {
    let keys = prop::collection::btree_set(0u32..6, 0..4);
    prop_oneof![
        8 => (0u32..8, keys).prop_map(|(key, keys)| Change::Put(key, keys)),
        2 => (0u32..8, 0u32..4).prop_map(|(key, length)| Change::Delete(key, key + length)),
        1 => Just(Change::Clear),
        2 => Just(Change::Commit),
        1 => Just(Change::Abort),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_index_is_what_its_records_make_it(changes in prop::collection::vec(change(), 1..30), range in (0u32..6, 0u32..6)) {
        let range = (range.0.min(range.1), range.0.max(range.1));
        let mut machine = Machine::new();
        let client = machine.client(URL);
        let connection = indexed(&mut machine, client);
        let begin = |machine: &mut Machine| machine.begin(client, connection, &["a"], TransactionMode::ReadWrite);
        let mut transaction = begin(&mut machine);
        let (mut model, mut committed) = (Model::new(), Model::new());
        for change in changes.into_iter().chain([Change::Commit]) {
            match change {
                Change::Put(key, keys) => {
                    let index_keys: Vec<u32> = keys.iter().copied().collect();
                    machine.ask(client, transaction, put(key, &[("m", &index_keys)])).unwrap();
                    model.insert(key, keys);
                }
                Change::Delete(lower, upper) => {
                    let (lower, upper) = (Some(number(lower)), Some(number(upper)));
                    let range = KeyRange { lower, upper, ..KeyRange::default() };
                    model.retain(|key, _| !range.contains(&number(*key)));
                    machine.ask(client, transaction, delete(range)).unwrap();
                }
                Change::Clear => {
                    machine.ask(client, transaction, Operation::Clear { store: name("a") }).unwrap();
                    model.clear();
                }
                Change::Commit => {
                    machine.commit(client, transaction);
                    committed = model.clone();
                    transaction = begin(&mut machine);
                }
                Change::Abort => {
                    machine.abort(client, transaction);
                    model = committed.clone();
                    transaction = begin(&mut machine);
                }
            }
            for direction in [
                CursorDirection::Next,
                CursorDirection::NextUnique,
                CursorDirection::Prev,
                CursorDirection::PrevUnique,
            ] {
                let (lower, upper) = (Some(number(range.0)), Some(number(range.1)));
                let all = Operation::GetAll {
                    store: name("a"),
                    index: Some(name("m")),
                    range: KeyRange { lower, upper, ..KeyRange::default() },
                    direction,
                    count: None,
                    key_only: true,
                };
                let answer = machine.ask(client, transaction, all);
                prop_assert_eq!(pairs(answer), expected(&model, range, direction));
            }
        }
    }
}
