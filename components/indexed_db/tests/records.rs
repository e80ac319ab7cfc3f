//! Putting, getting, counting, deleting; key generators.

use std::collections::BTreeMap;

use indexed_db::{Answer, CursorDirection, Key, KeyRange, Operation, TransactionMode};
use proptest::prelude::*;

use crate::{Machine, add, error_name, get, get_all, keys_of, name, number, put, value_of};

const URL: &str = "https://example.org/";

fn range(lower: u32, upper: u32) -> KeyRange {
    KeyRange {
        lower: Some(number(lower)),
        upper: Some(number(upper)),
        ..KeyRange::default()
    }
}

#[test]
fn records_are_kept_in_the_order_of_their_keys() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let keys = [
        Key::Number(-1.5),
        Key::Number(10.0),
        Key::Date(0.0),
        Key::string("a"),
        Key::Binary(vec![0]),
        Key::Array(vec![Key::Number(1.0), Key::string("x")]),
    ];
    let scrambled = [3, 0, 5, 2, 1, 4];
    let puts = scrambled.map(|index: usize| put("a", Some(keys[index].clone()), &[0, 255]));
    machine.run(client, connection, puts.to_vec());
    let mut machine = machine.restart();
    let client = machine.client(URL);
    machine.request_open(client, "db", None);
    let (connection, _) = machine.opened(client);
    let answers = machine.run(
        client,
        connection,
        vec![get_all("a"), get("a", keys[5].clone())],
    );
    assert_eq!(keys_of(answers[0].clone()), keys);
    assert_eq!(
        value_of(answers[1].clone()),
        Some(vec![0, 255]),
        "values are opaque"
    );
}

#[test]
fn reads_see_the_changes_of_their_own_transaction() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let before = (1..=6)
        .map(|key| put("a", Some(number(key)), b"old"))
        .collect();
    machine.run(client, connection, before);
    let store = || name("a");
    let answers = machine.run(
        client,
        connection,
        vec![
            Operation::Delete {
                store: store(),
                range: range(2, 3),
            },
            put("a", Some(number(3)), b"new"),
            put("a", Some(number(5)), b"new"),
            put("a", Some(number(7)), b"new"),
            get_all("a"),
            get("a", number(2)),
            get("a", number(5)),
            Operation::Count {
                store: store(),
                index: None,
                range: range(2, 5),
            },
            Operation::Get {
                store: store(),
                index: None,
                range: range(2, 9),
                key_only: true,
            },
            Operation::Clear { store: store() },
            put("a", Some(number(4)), b"newer"),
            get_all("a"),
            get("a", number(1)),
        ],
    );
    assert_eq!(keys_of(answers[4].clone()), [1, 3, 4, 5, 6, 7].map(number));
    assert_eq!(value_of(answers[5].clone()), None);
    assert_eq!(value_of(answers[6].clone()), Some(b"new".to_vec()));
    assert_eq!(answers[7], Ok(Answer::Count(3)));
    assert_eq!(
        value_of(answers[8].clone()),
        None,
        "only the key was asked for"
    );
    assert!(matches!(&answers[8], Ok(Answer::Record(Some(record))) if record.key == number(3)));
    assert_eq!(keys_of(answers[11].clone()), [number(4)]);
    assert_eq!(value_of(answers[12].clone()), None);
    let answers = machine.run(client, connection, vec![get_all("a")]);
    assert_eq!(
        keys_of(answers[0].clone()),
        [number(4)],
        "and so it is stored"
    );
}

#[test]
fn ranges_and_counts_limit_what_is_got() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let before = (1..=9)
        .map(|key| put("a", Some(number(key)), b"x"))
        .collect();
    machine.run(client, connection, before);
    let open = KeyRange {
        lower_open: true,
        upper_open: true,
        ..range(3, 6)
    };
    let empty = KeyRange {
        lower_open: true,
        ..range(3, 3)
    };
    let inverted = range(6, 3);
    for (range, count, expected) in [
        (KeyRange::all(), Some(2), vec![1, 2]),
        (KeyRange::all(), Some(0), (1..=9).collect()),
        (range(3, 6), None, vec![3, 4, 5, 6]),
        (open, None, vec![4, 5]),
        (empty, None, vec![]),
        (inverted, None, vec![]),
        (
            KeyRange {
                upper: None,
                ..range(8, 0)
            },
            None,
            vec![8, 9],
        ),
        (
            KeyRange {
                lower: None,
                ..range(0, 2)
            },
            Some(9),
            vec![1, 2],
        ),
        (KeyRange::only(number(4)), None, vec![4]),
        (KeyRange::only(number(40)), None, vec![]),
    ] {
        let store = name("a");
        let all = Operation::GetAll {
            store,
            index: None,
            range: range.clone(),
            direction: CursorDirection::Next,
            count,
            key_only: true,
        };
        let answers = machine.run(client, connection, vec![all]);
        let expected: Vec<Key> = expected.into_iter().map(number).collect();
        assert_eq!(keys_of(answers[0].clone()), expected, "{range:?}");
    }
}

#[test]
fn keys_are_needed_and_checked() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let nan = || Some(Key::Number(f64::NAN));
    let nan_range = || KeyRange {
        lower: nan(),
        ..KeyRange::default()
    };
    let huge = Some(Key::Binary(vec![1; indexed_db::MAX_KEY_BYTES]));
    for (operation, expected) in [
        (put("a", None, b"x"), "DataError"),
        (put("a", nan(), b"x"), "DataError"),
        (put("a", huge, b"x"), "QuotaExceededError"),
        (
            Operation::Count {
                store: name("a"),
                index: None,
                range: nan_range(),
            },
            "DataError",
        ),
        (
            Operation::Delete {
                store: name("a"),
                range: nan_range(),
            },
            "DataError",
        ),
    ] {
        let answers = machine.run(client, connection, vec![operation]);
        assert_eq!(error_name(answers[0].clone()), expected);
    }
}

#[test]
fn key_generators_follow_the_rules() {
    type Keys<'a> = &'a [Option<Key>];
    const LAST: f64 = 9_007_199_254_740_992.0;
    // (keys that are put, nothing for a generated one; the keys that the records get)
    let table: &[(Keys<'_>, Keys<'_>)] = &[
        (&[None, None], &[Some(number(1)), Some(number(2))]),
        (
            &[Some(Key::Number(5.9)), None],
            &[Some(Key::Number(5.9)), Some(number(6))],
        ),
        (
            &[Some(number(5)), None],
            &[Some(number(5)), Some(number(6))],
        ),
        (
            &[None, Some(Key::Number(0.5)), None],
            &[Some(number(1)), Some(Key::Number(0.5)), Some(number(2))],
        ),
        (
            &[Some(Key::Number(-7.0)), None],
            &[Some(Key::Number(-7.0)), Some(number(1))],
        ),
        (
            &[Some(Key::Number(f64::NEG_INFINITY)), None],
            &[Some(Key::Number(f64::NEG_INFINITY)), Some(number(1))],
        ),
        (
            &[Some(Key::Date(70.0)), None],
            &[Some(Key::Date(70.0)), Some(number(1))],
        ),
        (
            &[Some(Key::string("9")), None],
            &[Some(Key::string("9")), Some(number(1))],
        ),
        (
            &[Some(Key::Array(vec![number(9)])), None],
            &[Some(Key::Array(vec![number(9)])), Some(number(1))],
        ),
        (
            &[Some(Key::Number(LAST - 1.0)), None, None],
            &[Some(Key::Number(LAST - 1.0)), Some(Key::Number(LAST)), None],
        ),
        (
            &[Some(Key::Number(LAST)), None],
            &[Some(Key::Number(LAST)), None],
        ),
        (
            &[Some(Key::Number(1e300)), None],
            &[Some(Key::Number(1e300)), None],
        ),
        (
            &[Some(Key::Number(f64::INFINITY)), None],
            &[Some(Key::Number(f64::INFINITY)), None],
        ),
    ];
    for (puts, expected) in table {
        let mut machine = Machine::new();
        let client = machine.client(URL);
        machine.database(client);
        for (key, expected) in puts.iter().zip(*expected) {
            // The generator's number survives a restart.
            machine = machine.restart();
            let client = machine.client(URL);
            machine.request_open(client, "db", None);
            let (connection, _) = machine.opened(client);
            let answers = machine.run(client, connection, vec![put("g", key.clone(), b"x")]);
            match expected {
                Some(expected) => assert_eq!(answers[0], Ok(Answer::Key(expected.clone()))),
                None => assert_eq!(error_name(answers[0].clone()), "ConstraintError"),
            }
        }
    }
}

#[test]
fn a_generator_goes_on_after_a_failed_add_a_delete_and_a_clear() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let answers = machine.run(
        client,
        connection,
        vec![
            put("g", None, b"x"),
            add("g", Some(number(1)), b"x"),
            Operation::Delete {
                store: name("g"),
                range: KeyRange::all(),
            },
            put("g", None, b"x"),
            Operation::Clear { store: name("g") },
            put("g", None, b"x"),
        ],
    );
    assert_eq!(error_name(answers[1].clone()), "ConstraintError");
    assert_eq!(answers[3], Ok(Answer::Key(number(2))));
    assert_eq!(answers[5], Ok(Answer::Key(number(3))));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32, bool),
    Delete(u32, u32),
    Clear,
    Commit,
    Abort,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12_u32, any::<bool>()).prop_map(|(key, add)| Step::Put(key, add)),
        3 => (0..12_u32, 0..4_u32).prop_map(|(lower, more)| Step::Delete(lower, lower + more)),
        1 => Just(Step::Clear),
        3 => Just(Step::Commit),
        2 => Just(Step::Abort),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A store behaves as a map does, whatever is committed, aborted and interrupted.
    #[test]
    fn an_object_store_is_an_ordered_map(steps in prop::collection::vec(step(), 1..60)) {
        let mut machine = Machine::new();
        let mut client = machine.client(URL);
        let mut connection = machine.database(client);
        let mode = TransactionMode::ReadWrite;
        let mut transaction = machine.begin(client, connection, &["a"], mode);
        let mut committed: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut current = committed.clone();
        for (round, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put(key, no_overwrite) => {
                    let value = round.to_le_bytes().to_vec();
                    let operation = if no_overwrite { add } else { put };
                    let operation = operation("a", Some(number(key)), &value);
                    let taken = no_overwrite && current.contains_key(&key);
                    prop_assert_eq!(machine.ask(client, transaction, operation).is_err(), taken);
                    if !taken {
                        current.insert(key, value);
                    }
                },
                Step::Delete(lower, upper) => {
                    let operation = Operation::Delete { store: name("a"), range: range(lower, upper) };
                    machine.ask(client, transaction, operation).unwrap();
                    current.retain(|key, _| !(lower..=upper).contains(key));
                },
                Step::Clear => {
                    let operation = Operation::Clear { store: name("a") };
                    machine.ask(client, transaction, operation).unwrap();
                    current.clear();
                },
                Step::Commit => {
                    machine.commit(client, transaction);
                    committed.clone_from(&current);
                    transaction = machine.begin(client, connection, &["a"], mode);
                },
                Step::Abort => {
                    machine.abort(client, transaction);
                    current.clone_from(&committed);
                    transaction = machine.begin(client, connection, &["a"], mode);
                },
                Step::Restart => {
                    machine = machine.restart();
                    client = machine.client(URL);
                    machine.request_open(client, "db", None);
                    connection = machine.opened(client).0;
                    current.clone_from(&committed);
                    transaction = machine.begin(client, connection, &["a"], mode);
                },
            }
            let Ok(Answer::Records(records)) = machine.ask(client, transaction, get_all("a")) else {
                panic!("no records");
            };
            let found: Vec<_> =
                records.into_iter().map(|record| (record.key, record.value.unwrap())).collect();
            let expected: Vec<_> =
                current.iter().map(|(key, value)| (number(*key), value.clone())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
