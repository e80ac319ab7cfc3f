//! The order of transactions, commit and abort, and ids that are not one's own.

use base::exception::DomExceptionName;
use base::ids::RequestId;
use indexed_db::{
    Answer, ClientRequest, CommitFailure, IndexedDbEvent, IndexedDbMessage, Operation,
    TransactionId, TransactionMode,
};

use crate::{
    Machine, add, error_name, generating_store, get, get_all, keys_of, name, number, plain_store,
    put, value_of,
};

const URL: &str = "https://example.org/";
const RO: TransactionMode = TransactionMode::ReadOnly;
const RW: TransactionMode = TransactionMode::ReadWrite;

/// Which of some transactions have started: those whose operation was answered.
fn started(machine: &mut Machine, client: base::ids::ClientId) -> Vec<TransactionId> {
    std::iter::from_fn(|| machine.next(client))
        .filter_map(|event| match event {
            IndexedDbEvent::Answer { transaction, .. } => Some(transaction),
            _ => None,
        })
        .collect()
}

#[test]
fn transactions_start_as_in_this_table() {
    type Scope<'a> = &'a [(TransactionMode, &'a [&'a str])];
    // (the transactions in order, which start at once, which start when the first is finished)
    let table: &[(Scope<'_>, &[usize], &[usize])] = &[
        (&[(RO, &["a"]), (RO, &["a"])], &[0, 1], &[]),
        (&[(RW, &["a"]), (RW, &["a"])], &[0], &[1]),
        (&[(RW, &["a"]), (RW, &["b"])], &[0, 1], &[]),
        (&[(RW, &["a"]), (RO, &["a"])], &[0], &[1]),
        (&[(RO, &["a"]), (RW, &["a"])], &[0], &[1]),
        (&[(RO, &["a"]), (RW, &["a"]), (RO, &["a"])], &[0], &[1]),
        (&[(RW, &["a"]), (RO, &["a"]), (RO, &["a"])], &[0], &[1, 2]),
        (
            &[(RW, &["a", "b"]), (RW, &["b", "g"]), (RW, &["g"])],
            &[0],
            &[1],
        ),
        (
            &[(RO, &["a", "b"]), (RW, &["b"]), (RO, &["a"])],
            &[0, 2],
            &[1],
        ),
        (&[(RW, &["a"]), (RW, &["a", "b"]), (RO, &["b"])], &[0], &[1]),
    ];
    for (transactions, at_once, then) in table {
        let mut machine = Machine::new();
        let client = machine.client(URL);
        let connection = machine.database(client);
        let ids: Vec<TransactionId> = transactions
            .iter()
            .map(|(mode, scope)| {
                let transaction = machine.begin(client, connection, scope, *mode);
                machine.operate(client, transaction, get_all(scope[0]));
                transaction
            })
            .collect();
        let index = |id: TransactionId| ids.iter().position(|other| *other == id).unwrap();
        let found: Vec<usize> = started(&mut machine, client)
            .into_iter()
            .map(index)
            .collect();
        assert_eq!(found, *at_once, "{transactions:?}");
        machine.send(
            client,
            ClientRequest::Commit {
                transaction: ids[0],
            },
        );
        let found: Vec<usize> = started(&mut machine, client)
            .into_iter()
            .map(index)
            .collect();
        assert_eq!(found, *then, "{transactions:?}");
    }
}

#[test]
fn transactions_of_different_connections_wait_for_each_other() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    let here = machine.database(first);
    machine.request_open(second, "db", None);
    let (there, _) = machine.opened(second);
    let writing = machine.begin(first, here, &["a"], RW);
    let reading = machine.begin(second, there, &["a"], RO);
    let request = machine.operate(second, reading, get("a", number(1)));
    machine
        .ask(first, writing, put("a", Some(number(1)), b"x"))
        .unwrap();
    assert_eq!(
        machine.next(second),
        None,
        "nobody sees what is not committed"
    );
    machine.hold_commits = true;
    machine.send(
        first,
        ClientRequest::Commit {
            transaction: writing,
        },
    );
    assert_eq!(
        machine.next(first),
        None,
        "it is complete when it is durable"
    );
    assert_eq!(machine.next(second), None);
    machine.hold_commits = false;
    machine.release_commits();
    let transaction = writing;
    assert_eq!(
        machine.next(first),
        Some(IndexedDbEvent::Completed { transaction })
    );
    match machine.next(second) {
        Some(IndexedDbEvent::Answer {
            request: answered,
            result,
            ..
        }) => {
            assert_eq!(answered, request);
            assert_eq!(value_of(result), Some(b"x".to_vec()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_may_be_sent_at_once() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let blocking = machine.begin(client, connection, &["a"], RW);
    let mut waiting = Vec::new();
    for round in 0..2000 {
        let transaction = machine.begin(client, connection, &["a"], RW);
        machine.operate(client, transaction, put("a", Some(number(round)), b"x"));
        machine.send(client, ClientRequest::Commit { transaction });
        waiting.push(transaction);
    }
    assert_eq!(machine.next(client), None);
    machine.commit(client, blocking);
    for transaction in waiting {
        assert!(matches!(
            machine.next(client),
            Some(IndexedDbEvent::Answer { .. })
        ));
        assert_eq!(
            machine.next(client),
            Some(IndexedDbEvent::Completed { transaction })
        );
    }
    let answers = machine.run(client, connection, vec![get_all("a")]);
    assert_eq!(keys_of(answers[0].clone()).len(), 2000);
}

#[test]
fn an_abort_undoes_everything() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let [one, two, three] = [1, 2, 3].map(number);
    let before = vec![
        put("a", Some(one.clone()), b"old"),
        put("a", Some(two.clone()), b"old"),
    ];
    machine.run(client, connection, before);
    machine.run(client, connection, vec![put("g", None, b"first")]);

    let transaction = machine.begin(client, connection, &["a", "g"], RW);
    for operation in [
        put("a", Some(one.clone()), b"new"),
        put("a", Some(three), b"new"),
        Operation::Delete {
            store: name("a"),
            range: indexed_db::KeyRange::only(two.clone()),
        },
        put("g", None, b"second"),
        put("g", Some(number(50)), b"explicit"),
        Operation::Clear { store: name("g") },
    ] {
        machine.ask(client, transaction, operation).unwrap();
    }
    machine.abort(client, transaction);
    let answers = machine.run(
        client,
        connection,
        vec![
            get_all("a"),
            get("a", one.clone()),
            get_all("g"),
            put("g", None, b"second"),
        ],
    );
    assert_eq!(keys_of(answers[0].clone()), [one.clone(), two.clone()]);
    assert_eq!(value_of(answers[1].clone()), Some(b"old".to_vec()));
    assert_eq!(keys_of(answers[2].clone()), [one]);
    assert_eq!(
        answers[3],
        Ok(Answer::Key(two)),
        "the key generator goes back as well"
    );
}

#[test]
fn an_abort_drops_what_has_not_started() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let first = machine.begin(client, connection, &["a"], RW);
    let second = machine.begin(client, connection, &["a"], RW);
    machine.operate(client, second, put("a", Some(number(1)), b"x"));
    machine.abort(client, second);
    machine.commit(client, first);
    assert_eq!(machine.next(client), None);
    let refused = machine.ask(client, second, get_all("a"));
    assert_eq!(error_name(refused), "TransactionInactiveError");
}

#[test]
fn a_commit_that_cannot_be_stored_aborts() {
    for (failure, expected) in [
        (
            CommitFailure::DiskFull,
            DomExceptionName::QuotaExceededError,
        ),
        (
            CommitFailure::Other("it is broken".into()),
            DomExceptionName::UnknownError,
        ),
    ] {
        let mut machine = Machine::new();
        let client = machine.client(URL);
        let connection = machine.database(client);
        machine.hold_commits = true;
        let transaction = machine.begin(client, connection, &["a", "g"], RW);
        machine
            .ask(client, transaction, put("a", Some(number(1)), b"x"))
            .unwrap();
        machine
            .ask(client, transaction, put("g", None, b"x"))
            .unwrap();
        machine.send(client, ClientRequest::Commit { transaction });
        machine.send(client, ClientRequest::Abort { transaction });
        assert_eq!(machine.next(client), None, "too late for an abort");
        machine.fail_commit(failure);
        match machine.next(client) {
            Some(IndexedDbEvent::Aborted {
                error: Some(error), ..
            }) => {
                assert_eq!(error.name(), expected.as_str());
            }
            other => panic!("{other:?}"),
        }
        machine.hold_commits = false;
        let answers = machine.run(client, connection, vec![get_all("a"), put("g", None, b"x")]);
        assert_eq!(keys_of(answers[0].clone()), []);
        assert_eq!(answers[1], Ok(Answer::Key(number(1))));
    }
}

#[test]
fn an_upgrade_that_cannot_be_stored_is_undone() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    machine.hold_commits = true;
    machine.request_open(client, "db", Some(1));
    let (_, upgrade, _) = machine.started_upgrade(client);
    machine
        .ask(
            client,
            upgrade,
            Operation::CreateObjectStore(plain_store("a")),
        )
        .unwrap();
    machine.send(
        client,
        ClientRequest::Commit {
            transaction: upgrade,
        },
    );
    machine.fail_commit(CommitFailure::DiskFull);
    assert!(matches!(
        machine.next(client),
        Some(IndexedDbEvent::Aborted { .. })
    ));
    assert!(matches!(
        machine.next(client),
        Some(IndexedDbEvent::OpenFailed { .. })
    ));
    machine.request_open(client, "db", None);
    assert_eq!(machine.started_upgrade(client).2, 0);
}

#[test]
fn a_failed_request_aborts_nothing_by_itself() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let answers = machine.run(
        client,
        connection,
        vec![
            add("a", Some(number(1)), b"x"),
            add("a", Some(number(1)), b"y"),
            get_all("a"),
        ],
    );
    assert_eq!(error_name(answers[1].clone()), "ConstraintError");
    assert_eq!(keys_of(answers[2].clone()), [number(1)]);
    let answers = machine.run(client, connection, vec![get("a", number(1))]);
    assert_eq!(value_of(answers[0].clone()), Some(b"x".to_vec()));
}

#[test]
fn what_cannot_be_a_transaction_is_aborted() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    for (scope, mode, expected) in [
        (&[][..], RO, "InvalidAccessError"),
        (&["a", "z"], RO, "NotFoundError"),
        (&["a"], TransactionMode::VersionChange, "TypeError"),
    ] {
        let asked = machine.begin(client, connection, scope, mode);
        match machine.next(client) {
            Some(IndexedDbEvent::Aborted {
                transaction,
                error: Some(error),
            }) => {
                assert_eq!((transaction, error.name()), (asked, expected));
            }
            other => panic!("{other:?}"),
        }
    }
    let transaction = machine.begin(client, connection, &["a"], RO);
    let outside = machine.ask(client, transaction, get_all("b"));
    assert_eq!(error_name(outside), "NotFoundError");
    let writing = machine.ask(client, transaction, put("a", Some(number(1)), b"x"));
    assert_eq!(error_name(writing), "ReadOnlyError");
}

#[test]
fn ids_of_others_reach_nothing() {
    let mut machine = Machine::new();
    let victim = machine.client(URL);
    let connection = machine.database(victim);
    let transaction = machine.begin(victim, connection, &["a"], RW);
    machine
        .ask(victim, transaction, put("a", Some(number(1)), b"secret"))
        .unwrap();
    for url in [URL, "https://evil.example/"] {
        let thief = machine.client(url);
        let stolen = machine.ask(thief, transaction, get("a", number(1)));
        assert_eq!(error_name(stolen), "TransactionInactiveError");
        let forged = machine.begin(thief, connection, &["a"], RW);
        assert!(
            matches!(machine.next(thief), Some(IndexedDbEvent::Aborted { transaction, .. })
            if transaction == forged)
        );
        for request in [
            ClientRequest::Abort { transaction },
            ClientRequest::Commit { transaction },
            ClientRequest::Close { connection },
            ClientRequest::VersionChangeFired { connection },
        ] {
            machine.send(thief, request);
        }
        assert_eq!(machine.next(thief), None);
        assert_eq!(machine.next(victim), None);
    }
    let kept = machine.ask(victim, transaction, get("a", number(1)));
    assert_eq!(value_of(kept), Some(b"secret".to_vec()));
    machine.commit(victim, transaction);
    machine.begin(victim, connection, &["a"], RO);
    assert_eq!(machine.next(victim), None, "the connection is still open");
}

#[test]
fn an_id_that_is_used_twice_is_the_first_ones() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let transaction = machine.begin(client, connection, &["a"], RO);
    let scope = vec![name("b")];
    let mode = RW;
    let again = ClientRequest::CreateTransaction {
        transaction,
        connection,
        scope,
        mode,
    };
    machine.send(client, again);
    assert!(machine.ask(client, transaction, get_all("a")).is_ok());
    let name = name("other");
    let request = RequestId(machine.id());
    machine.send(
        client,
        ClientRequest::Open {
            request,
            transaction,
            name,
            version: None,
        },
    );
    assert!(matches!(
        machine.next(client),
        Some(IndexedDbEvent::OpenFailed { .. })
    ));
}

#[test]
fn a_shutdown_lets_commits_end_and_aborts_the_rest() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let committing = machine.begin(client, connection, &["a"], RW);
    machine
        .ask(client, committing, put("a", Some(number(1)), b"x"))
        .unwrap();
    let unfinished = machine.begin(client, connection, &["b"], RW);
    machine
        .ask(client, unfinished, put("b", Some(number(1)), b"x"))
        .unwrap();
    machine.hold_commits = true;
    machine.send(
        client,
        ClientRequest::Commit {
            transaction: committing,
        },
    );
    machine.handle(IndexedDbMessage::Shutdown);
    assert!(!machine.indexed_db.has_ended());
    machine.release_commits();
    assert!(machine.indexed_db.has_ended());

    let mut machine = machine.restart();
    let client = machine.client(URL);
    machine.request_open(client, "db", None);
    let (connection, database) = machine.opened(client);
    assert_eq!(database.object_stores[2], generating_store("g"));
    let answers = machine.run(client, connection, vec![get_all("a"), get_all("b")]);
    assert_eq!(keys_of(answers[0].clone()), [number(1)]);
    assert_eq!(keys_of(answers[1].clone()), []);
}
