//! Indexes: their entries, their cursors, and how they come and go.

use std::collections::{BTreeMap, BTreeSet};

use base::exception::DomException;
use base::ids::ClientId;
use indexed_db::{
    Answer, ClientRequest, ConnectionId, CursorDirection, CursorPosition, IndexInfo, IndexKey,
    IndexKeys, IndexedDbEvent, Key, KeyPath, KeyRange, ObjectStoreInfo, Operation, Record,
    TransactionId, TransactionMode,
};
use proptest::prelude::*;
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

/// The database, again, and on the way to the next version.
fn reopened(machine: &mut Machine, version: u64) -> (ClientId, TransactionId) {
    let client = machine.client(URL);
    machine.request_open(client, "db", Some(version));
    let (_, transaction, _) = machine.started_upgrade(client);
    (client, transaction)
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

#[test]
fn a_new_index_gets_the_keys_of_the_records_before_anything_else_is_done() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    // More than are asked about at once.
    let puts = (0..1200).map(|key| put(key, &[])).collect();
    machine.run(client, connection, puts);
    machine.send(client, ClientRequest::Close { connection });
    let (client, transaction) = reopened(&mut machine, 2);
    machine.operate(client, transaction, create_index("a", index("new")));
    machine.operate(client, transaction, all("new", CursorDirection::Prev));
    machine.send(client, ClientRequest::Commit { transaction });
    let mut asked = 0;
    loop {
        let answer = machine.next(client);
        let Some(IndexedDbEvent::Answer {
            result: Ok(Answer::Records(records)),
            ..
        }) = answer
        else {
            panic!("not asked, but {answer:?}")
        };
        if records.is_empty() {
            break;
        }
        asked += records.len();
        assert_eq!(machine.next(client), None, "the rest waits");
        let keys = records.into_iter().map(|record| {
            let Key::Number(key) = record.key else {
                panic!("{record:?}")
            };
            assert!(record.value.is_some());
            let half = Key::Number((key / 2.0).floor());
            // What is odd has no key in the index.
            let keys = if key % 2.0 == 0.0 { vec![half] } else { vec![] };
            (record.key, keys)
        });
        let keys = keys.collect();
        machine.operate(client, transaction, Operation::IndexRecords { keys });
    }
    assert_eq!(asked, 1200);
    let Some(IndexedDbEvent::Answer { result, .. }) = machine.next(client) else {
        panic!("no answer")
    };
    let found = pairs(result);
    assert_eq!(found.len(), 600);
    assert_eq!(found[0], (599.0, 1198.0));
    assert_eq!(
        machine.next(client),
        Some(IndexedDbEvent::Completed { transaction })
    );
    let connection = machine.opened(client).0;
    let answers = machine.run(
        client,
        connection,
        vec![
            delete(KeyRange::only(number(1198))),
            all("new", CursorDirection::Prev),
        ],
    );
    assert_eq!(pairs(answers[1].clone())[0], (598.0, 1196.0));
}

#[test]
fn a_unique_index_cannot_be_created_over_records_that_share_a_key() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    machine.run(client, connection, vec![put(1, &[]), put(2, &[])]);
    machine.send(client, ClientRequest::Close { connection });
    let (client, transaction) = reopened(&mut machine, 2);
    let create = create_index("a", unique("new"));
    machine.ask(client, transaction, create).unwrap();
    let same = |key| (number(key), vec![number(7)]);
    let keys = vec![same(1), same(2)];
    let answer = machine.ask(client, transaction, Operation::IndexRecords { keys });
    assert_eq!(error_name(answer), "ConstraintError");
    let unasked = Operation::IndexRecords {
        keys: vec![same(1)],
    };
    let answer = machine.ask(client, transaction, unasked);
    assert_eq!(error_name(answer), "InvalidStateError");
    machine.abort(client, transaction);
}

#[test]
fn indexes_come_and_go_with_an_upgrade_and_leave_nothing() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    let record = put(1, &[("i", &[10]), ("u", &[20]), ("m", &[1, 2])]);
    machine.run(client, connection, vec![record]);
    machine.send(client, ClientRequest::Close { connection });

    let (client, transaction) = reopened(&mut machine, 2);
    for (operation, expected) in [
        (create_index("a", index("i")), "ConstraintError"),
        (create_index("missing", index("x")), "NotFoundError"),
        (delete_index("a", "x"), "NotFoundError"),
        (all("x", CursorDirection::Next), "NotFoundError"),
    ] {
        let answer = machine.ask(client, transaction, operation);
        assert_eq!(error_name(answer), expected);
    }
    let rename = |from: &str, to: &str| Operation::RenameIndex {
        store: name("a"),
        from: name(from),
        to: name(to),
    };
    for (from, to, expected) in [
        ("i", "u", Some("ConstraintError")),
        ("x", "y", Some("NotFoundError")),
        ("i", "i", None),
        ("i", "j", None),
    ] {
        let answer = machine.ask(client, transaction, rename(from, to));
        assert_eq!(answer.err().map(|error| error.name()), expected);
    }
    machine
        .ask(client, transaction, delete_index("a", "u"))
        .unwrap();
    // It gets the id of the one before, and none of its entries.
    let create = create_index("a", index("w"));
    machine.ask(client, transaction, create).unwrap();
    let keys = Vec::new();
    let complete = machine.ask(client, transaction, Operation::IndexRecords { keys });
    assert_eq!(complete, Ok(Answer::Records(Vec::new())));
    machine.commit(client, transaction);
    let connection = machine.opened(client).0;
    let answers = machine.run(
        client,
        connection,
        vec![
            all("j", CursorDirection::Next),
            all("w", CursorDirection::Next),
        ],
    );
    assert_eq!(pairs(answers[0].clone()), [(10.0, 1.0)]);
    assert_eq!(pairs(answers[1].clone()), []);
    machine.send(client, ClientRequest::Close { connection });

    let (client, transaction) = reopened(&mut machine, 3);
    for name in ["j", "w", "m"] {
        let delete = delete_index("a", name);
        machine.ask(client, transaction, delete).unwrap();
    }
    machine.commit(client, transaction);
    let entries = machine
        .store
        .keys(
            Tree::IndexedDb,
            StoredRange::prefix(&[2]),
            Direction::Forward,
        )
        .count();
    assert_eq!(entries, 1, "only the record is left");
}

#[test]
fn indexes_change_in_upgrade_transactions_only() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = indexed(&mut machine, client);
    for operation in [
        create_index("a", index("x")),
        delete_index("a", "i"),
        Operation::RenameIndex {
            store: name("a"),
            from: name("i"),
            to: name("x"),
        },
    ] {
        let answers = machine.run(client, connection, vec![operation]);
        assert_eq!(error_name(answers[0].clone()), "InvalidStateError");
    }
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

#[test]
fn databases_with_indexes_are_not_for_engines_that_do_not_know_of_them() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    machine.database(client);
    let version = |machine: &Machine| {
        let mut databases = machine.store.scan(
            Tree::IndexedDb,
            StoredRange::prefix(&[1]),
            Direction::Forward,
        );
        databases.next().unwrap().unwrap().1.version
    };
    assert_eq!(version(&machine), 1);
    let mut machine = Machine::new();
    let client = machine.client(URL);
    indexed(&mut machine, client);
    assert_eq!(version(&machine), 2);
}

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
