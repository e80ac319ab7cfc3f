//! Cursors in all directions.

use indexed_db::{
    Answer, CursorDirection, CursorPosition, Key, KeyRange, Operation, TransactionMode,
};

use crate::{Machine, name, number, put};

const URL: &str = "https://example.org/";

/// A cursor as a client keeps it.
struct Cursor {
    range: KeyRange,
    direction: CursorDirection,
    position: Option<Key>,
}

fn at(key: Key) -> CursorPosition {
    CursorPosition {
        key,
        primary_key: None,
    }
}

impl Cursor {
    fn go_on(&mut self, key: Option<Key>, count: u32, machine: &mut Ready) -> Option<Key> {
        let operation = Operation::IterateCursor {
            store: name("a"),
            index: None,
            range: self.range.clone(),
            direction: self.direction,
            position: self.position.clone().map(at).map(Box::new),
            target: key.map(at).map(Box::new),
            count,
            key_only: true,
        };
        match machine.0.ask(machine.1, machine.2, operation) {
            Ok(Answer::Record(record)) => {
                self.position = record.map(|record| record.key);
                self.position.clone()
            }
            other => panic!("{other:?}"),
        }
    }
}

struct Ready(Machine, base::ids::ClientId, indexed_db::TransactionId);

/// A transaction on a store with the even numbers from 2 to 20, half of them committed, half of
/// them put in this transaction.
fn ready() -> Ready {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let put_number = |key| put("a", Some(number(key)), b"x");
    let mut stored: Vec<Operation> = (1..=5).map(|half| put_number(half * 4)).collect();
    stored.push(put_number(11));
    machine.run(client, connection, stored);
    let transaction = machine.begin(client, connection, &["a"], TransactionMode::ReadWrite);
    for half in 0..5 {
        machine
            .ask(client, transaction, put_number(half * 4 + 2))
            .unwrap();
    }
    let range = KeyRange::only(number(11));
    let delete = Operation::Delete {
        store: name("a"),
        range,
    };
    machine.ask(client, transaction, delete).unwrap();
    Ready(machine, client, transaction)
}

fn bounds(lower: u32, lower_open: bool, upper: u32, upper_open: bool) -> KeyRange {
    KeyRange {
        lower: Some(number(lower)),
        upper: Some(number(upper)),
        lower_open,
        upper_open,
    }
}

#[test]
fn cursors_visit_their_range_in_their_direction() {
    use CursorDirection::{Next, NextUnique, Prev, PrevUnique};
    let all: Vec<u32> = (1..=10).map(|half| half * 2).collect();
    for (range, expected) in [
        (KeyRange::all(), all),
        (bounds(4, false, 8, false), vec![4, 6, 8]),
        (bounds(4, true, 8, true), vec![6]),
        (bounds(5, false, 9, true), vec![6, 8]),
        (bounds(10, false, 12, false), vec![10, 12]),
        (bounds(21, false, 99, false), vec![]),
        (bounds(9, false, 3, false), vec![]),
        (KeyRange::only(number(6)), vec![6]),
    ] {
        for direction in [Next, NextUnique, Prev, PrevUnique] {
            let mut ready = ready();
            let mut cursor = Cursor {
                range: range.clone(),
                direction,
                position: None,
            };
            let found: Vec<Key> =
                std::iter::from_fn(|| cursor.go_on(None, 1, &mut ready)).collect();
            let mut expected: Vec<Key> = expected.iter().copied().map(number).collect();
            if matches!(direction, Prev | PrevUnique) {
                expected.reverse();
            }
            assert_eq!(found, expected, "{range:?} {direction:?}");
        }
    }
}

#[test]
fn cursors_advance_and_continue_at_a_key() {
    use CursorDirection::{Next, Prev};
    // (direction, steps of (key to continue at, how many), keys that are reached)
    type Steps<'a> = &'a [(Option<u32>, u32, Option<u32>)];
    let table: &[(CursorDirection, Steps<'_>)] = &[
        (
            Next,
            &[
                (None, 1, Some(2)),
                (None, 3, Some(8)),
                (None, 6, Some(20)),
                (None, 1, None),
            ],
        ),
        (
            Next,
            &[
                (None, 1, Some(2)),
                (Some(7), 1, Some(8)),
                (Some(10), 1, Some(10)),
            ],
        ),
        (Next, &[(Some(20), 1, Some(20)), (None, 1, None)]),
        (Next, &[(None, 1, Some(2)), (Some(21), 1, None)]),
        (Next, &[(None, 1, Some(2)), (None, 10, None)]),
        (
            Prev,
            &[
                (None, 1, Some(20)),
                (None, 3, Some(14)),
                (Some(5), 1, Some(4)),
            ],
        ),
        (
            Prev,
            &[(None, 2, Some(18)), (None, 8, Some(2)), (None, 1, None)],
        ),
        (Prev, &[(None, 1, Some(20)), (Some(1), 1, None)]),
    ];
    for (direction, steps) in table {
        let mut ready = ready();
        let range = KeyRange::all();
        let mut cursor = Cursor {
            range,
            direction: *direction,
            position: None,
        };
        for (key, count, expected) in *steps {
            let reached = cursor.go_on(key.map(number), *count, &mut ready);
            assert_eq!(reached, expected.map(number), "{direction:?} {steps:?}");
        }
    }
}

#[test]
fn a_cursor_sees_what_changes_before_it() {
    let mut ready = ready();
    let mut cursor = Cursor {
        range: KeyRange::all(),
        direction: CursorDirection::Next,
        position: None,
    };
    assert_eq!(cursor.go_on(None, 1, &mut ready), Some(number(2)));
    let Ready(machine, client, transaction) = &mut ready;
    machine
        .ask(*client, *transaction, put("a", Some(number(3)), b"x"))
        .unwrap();
    let range = KeyRange::only(number(4));
    let delete = Operation::Delete {
        store: name("a"),
        range,
    };
    machine.ask(*client, *transaction, delete).unwrap();
    assert_eq!(cursor.go_on(None, 1, &mut ready), Some(number(3)));
    assert_eq!(cursor.go_on(None, 1, &mut ready), Some(number(6)));
}

#[test]
fn a_cursor_brings_values() {
    let Ready(mut machine, client, transaction) = ready();
    let operation = Operation::IterateCursor {
        store: name("a"),
        index: None,
        range: KeyRange::all(),
        direction: CursorDirection::Prev,
        position: None,
        target: None,
        count: 1,
        key_only: false,
    };
    let Ok(Answer::Record(Some(record))) = machine.ask(client, transaction, operation) else {
        panic!("no record");
    };
    assert_eq!(
        (record.key, record.value),
        (number(20), Some(b"x".to_vec()))
    );
}
