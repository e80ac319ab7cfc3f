//! Indexes: their entries and their cursors.

mod model;
mod schema;

use base::exception::DomException;
use base::ids::ClientId;
use indexed_db::{
    Answer, ConnectionId, CursorDirection, CursorPosition, IndexInfo, IndexKey, IndexKeys, Key,
    KeyPath, KeyRange, ObjectStoreInfo, Operation, Record, TransactionMode,
};
use storage::{Batch, Direction, KeyRange as StoredRange, Tree};

use crate::{Machine, error_name, generating_store, get, name, number, plain_store, value_of};

const URL: &str = "https://example.org/";

pub(crate) fn index(text: &str) -> IndexInfo {
    IndexInfo {
        name: name(text),
        key_path: KeyPath::String(name(text)),
        unique: false,
        multi_entry: false,
    }
}

fn unique(text: &str) -> IndexInfo {
    IndexInfo {
        unique: true,
        ..index(text)
    }
}

fn multi_entry(text: &str) -> IndexInfo {
    IndexInfo {
        multi_entry: true,
        ..index(text)
    }
}

fn create_index(store: &str, index: IndexInfo) -> Operation {
    Operation::CreateIndex {
        store: name(store),
        index,
    }
}

fn delete_index(store: &str, index: &str) -> Operation {
    Operation::DeleteIndex {
        store: name(store),
        name: name(index),
    }
}

/// A record of the store `a` with keys in indexes.
fn put(key: u32, keys: &[(&str, &[u32])]) -> Operation {
    let index_keys = keys.iter().map(|(index, keys)| IndexKeys {
        index: name(index),
        keys: keys.iter().map(|key| IndexKey::Key(number(*key))).collect(),
    });
    Operation::Put {
        store: name("a"),
        key: Some(number(key)),
        value: format!("v{key}").into_bytes(),
        no_overwrite: false,
        index_keys: index_keys.collect(),
    }
}

fn delete(range: KeyRange) -> Operation {
    Operation::Delete {
        store: name("a"),
        range,
    }
}

fn all(index: &str, direction: CursorDirection) -> Operation {
    Operation::GetAll {
        store: name("a"),
        index: Some(name(index)),
        range: KeyRange::all(),
        direction,
        count: None,
        key_only: true,
    }
}

/// Keys in the index and keys of the records.
fn pairs(answer: Result<Answer, DomException>) -> Vec<(f64, f64)> {
    let Ok(Answer::Records(records)) = answer else {
        panic!("no records, but {answer:?}")
    };
    records.into_iter().map(pair).collect()
}

fn pair(record: Record) -> (f64, f64) {
    match (record.index_key, record.key) {
        (Some(Key::Number(index_key)), Key::Number(key)) => (index_key, key),
        other => panic!("{other:?}"),
    }
}

/// A database whose store `a` has the indexes `i`, `u` (unique) and `m` (multi-entry).
fn indexed(machine: &mut Machine, client: ClientId) -> ConnectionId {
    let mut operations = [plain_store("a"), plain_store("b"), generating_store("g")]
        .map(Operation::CreateObjectStore)
        .to_vec();
    operations
        .extend([index("i"), unique("u"), multi_entry("m")].map(|index| create_index("a", index)));
    machine.upgrade(client, "db", 1, operations)
}

#[test]
fn records_are_found_by_their_keys_in_an_index() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let puts = vec![
        put(1, &[("i", &[30])]),
        put(2, &[("i", &[10])]),
        put(3, &[("i", &[10])]),
        put(4, &[]),
    ];
    machine.run(client, connection, puts);
    let mut machine = machine.restart();
    let client = machine.client(URL);
    machine.request_open(client, "db", None);
    let (connection, info) = machine.opened(client);
    assert_eq!(
        info.object_stores[0].indexes,
        [index("i"), multi_entry("m"), unique("u")],
        "ordered by name"
    );
    let through = |range| Operation::Get {
        store: name("a"),
        index: Some(name("i")),
        range,
        key_only: false,
    };
    let count = |range| Operation::Count {
        store: name("a"),
        index: Some(name("i")),
        range,
    };
    let above_ten = KeyRange {
        lower: Some(number(10)),
        lower_open: true,
        ..KeyRange::default()
    };
    let answers = machine.run(
        client,
        connection,
        vec![
            all("i", CursorDirection::Next),
            through(KeyRange::only(number(30))),
            through(KeyRange::only(number(10))),
            through(KeyRange::only(number(20))),
            count(KeyRange::only(number(10))),
            count(KeyRange::all()),
            count(above_ten),
        ],
    );
    assert_eq!(
        pairs(answers[0].clone()),
        [(10.0, 2.0), (10.0, 3.0), (30.0, 1.0)]
    );
    assert_eq!(value_of(answers[1].clone()), Some(b"v1".to_vec()));
    assert_eq!(
        value_of(answers[2].clone()),
        Some(b"v2".to_vec()),
        "the first of both"
    );
    assert_eq!(value_of(answers[3].clone()), None);
    assert_eq!(answers[4], Ok(Answer::Count(2)));
    assert_eq!(answers[5], Ok(Answer::Count(3)));
    assert_eq!(answers[6], Ok(Answer::Count(1)));
}

#[test]
fn a_lookup_through_an_index_looks_at_nothing_else() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let puts = (1..=9).map(|key| put(key, &[("i", &[key]), ("u", &[key])]));
    machine.run(client, connection, puts.collect());
    // Whoever comes by one of these fails: nothing that could be decoded, between the entries.
    let mut batch = Batch::new();
    let entries: Vec<Vec<u8>> = machine
        .store
        .keys(
            Tree::IndexedDb,
            StoredRange::prefix(&[2]),
            Direction::Forward,
        )
        .map(Result::unwrap)
        .collect();
    for entry in entries {
        let encoded = number(5).encode().unwrap();
        // Entries end with the key in the index and that of the record.
        if !entry.ends_with(&[&encoded[..], &encoded].concat()) {
            continue;
        }
        let prefix = &entry[..entry.len() - 2 * encoded.len()];
        for neighbour in [4, 5] {
            let mut malformed = number(neighbour).encode().unwrap();
            malformed.push(0xFF);
            batch.put(
                Tree::IndexedDb,
                &[prefix, &malformed].concat(),
                1,
                Vec::new(),
            );
        }
    }
    assert_eq!(batch.len(), 4, "in both indexes");
    machine.store.commit(batch).unwrap();
    let lookup = |key_only| Operation::Get {
        store: name("a"),
        index: Some(name("i")),
        range: KeyRange::only(number(5)),
        key_only,
    };
    let count = Operation::Count {
        store: name("a"),
        index: Some(name("i")),
        range: KeyRange::only(number(5)),
    };
    let position = Some((4, Some(4)));
    let answers = machine.run(
        client,
        connection,
        vec![
            lookup(false),
            lookup(true),
            count,
            iterate(CursorDirection::NextUnique, position, None, 1),
            put(5, &[("i", &[5]), ("u", &[5])]),
            all("i", CursorDirection::Next),
        ],
    );
    assert_eq!(value_of(answers[0].clone()), Some(b"v5".to_vec()));
    for answer in &answers[1..5] {
        assert!(answer.is_ok(), "{answer:?}");
    }
    assert_eq!(answers[2], Ok(Answer::Count(1)));
    assert_eq!(error_name(answers[5].clone()), "UnknownError");
}

#[test]
fn an_index_follows_its_records() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let mode = TransactionMode::ReadWrite;
    machine.run(
        client,
        connection,
        (1..=6).map(|key| put(key, &[("i", &[10 * key])])).collect(),
    );
    let transaction = machine.begin(client, connection, &["a"], mode);
    for operation in [
        put(1, &[("i", &[99])]),
        put(2, &[]),
        delete(KeyRange::only(number(3))),
        put(7, &[("i", &[40])]),
    ] {
        machine.ask(client, transaction, operation).unwrap();
    }
    let expected = [
        (40.0, 4.0),
        (40.0, 7.0),
        (50.0, 5.0),
        (60.0, 6.0),
        (99.0, 1.0),
    ];
    let before = machine.ask(client, transaction, all("i", CursorDirection::Next));
    assert_eq!(pairs(before), expected, "within the transaction");
    machine.commit(client, transaction);
    let answers = machine.run(client, connection, vec![all("i", CursorDirection::Next)]);
    assert_eq!(pairs(answers[0].clone()), expected, "and after it");

    let transaction = machine.begin(client, connection, &["a"], mode);
    let clear = Operation::Clear { store: name("a") };
    machine.ask(client, transaction, clear).unwrap();
    machine
        .ask(client, transaction, put(8, &[("i", &[1])]))
        .unwrap();
    machine.abort(client, transaction);
    let answers = machine.run(client, connection, vec![all("i", CursorDirection::Next)]);
    assert_eq!(pairs(answers[0].clone()), expected, "undone");
    let clear = Operation::Clear { store: name("a") };
    let answers = machine.run(
        client,
        connection,
        vec![
            clear,
            put(8, &[("i", &[1])]),
            all("i", CursorDirection::Next),
        ],
    );
    assert_eq!(pairs(answers[2].clone()), [(1.0, 8.0)]);
}

#[test]
fn a_multi_entry_index_has_each_key_of_a_record_once() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let answers = machine.run(
        client,
        connection,
        vec![
            put(1, &[("m", &[3, 1, 3, 2]), ("i", &[5, 6])]),
            put(2, &[("m", &[2])]),
            all("m", CursorDirection::Next),
            all("i", CursorDirection::Next),
            put(1, &[("m", &[2])]),
            all("m", CursorDirection::Next),
        ],
    );
    assert_eq!(
        pairs(answers[2].clone()),
        [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (3.0, 1.0)]
    );
    assert_eq!(
        pairs(answers[3].clone()),
        [(5.0, 1.0)],
        "one in any other index"
    );
    assert_eq!(pairs(answers[5].clone()), [(2.0, 1.0), (2.0, 2.0)]);
}

#[test]
fn a_unique_index_refuses_the_key_of_another_record_and_changes_nothing() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let answers = machine.run(
        client,
        connection,
        vec![
            put(1, &[("u", &[10])]),
            put(2, &[("u", &[20]), ("i", &[5])]),
            put(3, &[("u", &[10])]),
            put(2, &[("u", &[10]), ("i", &[6])]),
            put(1, &[("u", &[10])]),
            all("u", CursorDirection::Next),
            all("i", CursorDirection::Next),
            get("a", number(3)),
        ],
    );
    assert_eq!(error_name(answers[2].clone()), "ConstraintError");
    assert_eq!(error_name(answers[3].clone()), "ConstraintError");
    assert!(answers[4].is_ok(), "its own key is not in its way");
    assert_eq!(pairs(answers[5].clone()), [(10.0, 1.0), (20.0, 2.0)]);
    assert_eq!(pairs(answers[6].clone()), [(5.0, 2.0)]);
    assert_eq!(value_of(answers[7].clone()), None);
    let answers = machine.run(client, connection, vec![put(3, &[("u", &[20])])]);
    assert_eq!(
        error_name(answers[0].clone()),
        "ConstraintError",
        "also with what was committed before"
    );
}

#[test]
fn generated_keys_are_in_indexes_too() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let store = ObjectStoreInfo {
        indexes: vec![index("id"), index("both")],
        ..generating_store("a")
    };
    let create = Operation::CreateObjectStore(store);
    let others = [plain_store("b"), plain_store("g")].map(Operation::CreateObjectStore);
    let operations = [vec![create], others.to_vec()].concat();
    let connection = machine.upgrade(client, "db", 1, operations);
    let both = IndexKey::Array(vec![IndexKey::Key(Key::string("x")), IndexKey::Primary]);
    let put = Operation::Put {
        store: name("a"),
        key: None,
        value: b"{}".to_vec(),
        no_overwrite: true,
        index_keys: vec![
            IndexKeys {
                index: name("id"),
                keys: vec![IndexKey::Primary],
            },
            IndexKeys {
                index: name("both"),
                keys: vec![both],
            },
        ],
    };
    let through_both = Operation::Get {
        store: name("a"),
        index: Some(name("both")),
        range: KeyRange::only(Key::Array(vec![Key::string("x"), number(2)])),
        key_only: true,
    };
    let operations = vec![
        put.clone(),
        put,
        all("id", CursorDirection::Next),
        through_both,
    ];
    let answers = machine.run(client, connection, operations);
    assert_eq!(pairs(answers[2].clone()), [(1.0, 1.0), (2.0, 2.0)]);
    assert!(matches!(&answers[3], Ok(Answer::Record(Some(record))) if record.key == number(2)));
}

#[test]
fn a_generator_does_not_go_on_for_what_a_unique_index_refuses() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let store = ObjectStoreInfo {
        indexes: vec![unique("u")],
        ..generating_store("g")
    };
    let others = [plain_store("a"), plain_store("b"), store].map(Operation::CreateObjectStore);
    let connection = machine.upgrade(client, "db", 1, others.to_vec());
    let put = |index_key| Operation::Put {
        store: name("g"),
        key: None,
        value: b"{}".to_vec(),
        no_overwrite: true,
        index_keys: vec![IndexKeys {
            index: name("u"),
            keys: vec![IndexKey::Key(number(index_key))],
        }],
    };
    let answers = machine.run(client, connection, vec![put(1), put(1), put(2)]);
    assert_eq!(answers[0], Ok(Answer::Key(number(1))));
    assert_eq!(error_name(answers[1].clone()), "ConstraintError");
    assert_eq!(answers[2], Ok(Answer::Key(number(2))));
}

/// Where a cursor over the index `i` comes to.
fn iterate(
    direction: CursorDirection,
    position: Option<(u32, Option<u32>)>,
    target: Option<(u32, Option<u32>)>,
    count: u32,
) -> Operation {
    let at = |(key, primary_key): (u32, Option<u32>)| {
        Box::new(CursorPosition {
            key: number(key),
            primary_key: primary_key.map(number),
        })
    };
    Operation::IterateCursor {
        store: name("a"),
        index: Some(name("i")),
        range: KeyRange::all(),
        direction,
        position: position.map(at),
        target: target.map(at),
        count,
        key_only: true,
    }
}

#[test]
fn a_cursor_over_an_index_goes_on_by_key_and_primary_key() {
    use CursorDirection::{Next, NextUnique, Prev, PrevUnique};
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let stored = [(1, 10), (2, 10), (3, 10), (4, 20), (5, 30), (6, 30)];
    let puts = stored.map(|(key, index_key)| put(key, &[("i", &[index_key])]));
    machine.run(client, connection, puts.to_vec());
    let first = Some((10, Some(1)));
    let last = Some((30, Some(6)));
    for (step, expected) in [
        (iterate(Next, None, None, 1), Some((10.0, 1.0))),
        (iterate(Next, first, None, 1), Some((10.0, 2.0))),
        (iterate(Next, first, Some((15, None)), 1), Some((20.0, 4.0))),
        (iterate(Next, first, last, 1), Some((30.0, 6.0))),
        (
            iterate(Next, first, Some((10, Some(3))), 2),
            Some((20.0, 4.0)),
        ),
        (iterate(Next, last, None, 1), None),
        (iterate(NextUnique, first, None, 1), Some((20.0, 4.0))),
        (iterate(NextUnique, None, None, 3), Some((30.0, 5.0))),
        (iterate(Prev, None, None, 1), Some((30.0, 6.0))),
        (iterate(Prev, last, Some((10, None)), 1), Some((10.0, 3.0))),
        (
            iterate(Prev, last, Some((10, Some(2))), 1),
            Some((10.0, 2.0)),
        ),
        (iterate(PrevUnique, None, None, 1), Some((30.0, 5.0))),
        (
            iterate(PrevUnique, Some((30, Some(5))), None, 2),
            Some((10.0, 1.0)),
        ),
        (iterate(PrevUnique, first, None, 1), None),
    ] {
        let answers = machine.run(client, connection, vec![step.clone()]);
        let Ok(Answer::Record(record)) = answers[0].clone() else {
            panic!("{answers:?}")
        };
        assert_eq!(record.map(pair), expected, "{step:?}");
    }
}
