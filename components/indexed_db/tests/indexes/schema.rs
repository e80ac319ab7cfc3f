//! How indexes come and go.

use base::ids::ClientId;
use indexed_db::{
    Answer, ClientRequest, CursorDirection, IndexedDbEvent, Key, KeyRange, Operation, TransactionId,
};
use storage::{Direction, KeyRange as StoredRange, Tree};

use super::{URL, all, create_index, delete, delete_index, index, indexed, pairs, put, unique};
use crate::{Machine, error_name, name, number};

/// The database, again, and on the way to the next version.
fn reopened(machine: &mut Machine, version: u64) -> (ClientId, TransactionId) {
    let client = machine.client(URL);
    machine.request_open(client, "db", Some(version));
    let (_, transaction, _) = machine.started_upgrade(client);
    (client, transaction)
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
