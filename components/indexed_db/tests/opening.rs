//! Versions, the connection queue, `versionchange` and `blocked`, deletion.

use base::ids::ClientId;
use indexed_db::{
    ClientRequest, CommitFailure, ConnectionId, IndexedDbEvent, IndexedDbMessage, KeyPath,
    NameAndVersion, ObjectStoreInfo, Operation, TransactionMode,
};

use crate::{
    Machine, error_name, generating_store, get, get_all, keys_of, name, number, plain_store, put,
    value_of,
};

const URL: &str = "https://example.org/";

fn databases(machine: &mut Machine, client: ClientId) -> Vec<(String, u64)> {
    let request = base::ids::RequestId(machine.id());
    machine.send(client, ClientRequest::Databases { request });
    match machine.next(client) {
        Some(IndexedDbEvent::Databases {
            result: Ok(databases),
            ..
        }) => databases
            .into_iter()
            .map(|NameAndVersion { name, version }| (String::from_utf16(&name).unwrap(), version))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn close(machine: &mut Machine, client: ClientId, connection: ConnectionId) {
    machine.send(client, ClientRequest::Close { connection });
}

#[test]
fn versions_are_asked_for_and_granted_as_in_this_table() {
    // (existing, asked for, what happens)
    for (existing, version, expected) in [
        (None, None, Ok((true, 1))),
        (None, Some(1), Ok((true, 1))),
        (None, Some(7), Ok((true, 7))),
        (None, Some(u64::MAX), Ok((true, u64::MAX))),
        (Some(3), None, Ok((false, 3))),
        (Some(3), Some(3), Ok((false, 3))),
        (Some(3), Some(4), Ok((true, 4))),
        (Some(3), Some(2), Err("VersionError")),
        (Some(3), Some(0), Err("TypeError")),
        (None, Some(0), Err("TypeError")),
    ] {
        let mut machine = Machine::new();
        let client = machine.client(URL);
        if let Some(existing) = existing {
            let connection = machine.upgrade(client, "db", existing, vec![]);
            close(&mut machine, client, connection);
        }
        machine.request_open(client, "db", version);
        let found = match machine.next(client) {
            Some(IndexedDbEvent::Opened { database, .. }) => Ok((false, database.version)),
            Some(IndexedDbEvent::UpgradeNeeded {
                transaction,
                database,
                old_version,
                ..
            }) => {
                assert_eq!(old_version, existing.unwrap_or(0));
                machine.commit(client, transaction);
                assert_eq!(machine.opened(client).1.version, database.version);
                Ok((true, database.version))
            }
            Some(IndexedDbEvent::OpenFailed { error, .. }) => Err(error.name()),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{existing:?} {version:?}");
    }
}

#[test]
fn object_stores_are_there_with_all_their_properties_after_a_restart() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let paths = ObjectStoreInfo {
        name: vec![0xD800],
        key_path: Some(KeyPath::Sequence(vec![name("x"), vec![]])),
        auto_increment: false,
        indexes: Vec::new(),
    };
    let stores = vec![
        generating_store("g"),
        plain_store("b"),
        paths.clone(),
        plain_store(""),
    ];
    let create = stores
        .into_iter()
        .map(Operation::CreateObjectStore)
        .collect();
    machine.upgrade(client, "db", 1, create);
    let mut machine = machine.restart();
    let client = machine.client(URL);
    machine.request_open(client, "db", None);
    let (_, database) = machine.opened(client);
    assert_eq!((database.name, database.version), (name("db"), 1));
    let expected = [
        plain_store(""),
        plain_store("b"),
        generating_store("g"),
        paths,
    ];
    assert_eq!(database.object_stores, expected, "ordered by name");
}

#[test]
fn an_upgrade_waits_for_the_connections_in_its_way() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    let connection = machine.upgrade(first, "db", 1, vec![]);
    let request = machine.request_open(second, "db", Some(2));
    let change = IndexedDbEvent::VersionChange {
        connection,
        old_version: 1,
        new_version: Some(2),
    };
    assert_eq!(machine.next(first), Some(change));
    assert_eq!(machine.next(second), None, "the handlers have not run yet");
    machine.send(first, ClientRequest::VersionChangeFired { connection });
    let blocked = IndexedDbEvent::Blocked {
        request,
        old_version: 1,
        new_version: Some(2),
    };
    assert_eq!(machine.next(second), Some(blocked));
    close(&mut machine, first, connection);
    assert_eq!(machine.started_upgrade(second).2, 1);
    assert_eq!(machine.next(first), None);
}

#[test]
fn a_connection_that_is_closed_by_its_handler_blocks_nobody() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    let connection = machine.upgrade(first, "db", 1, vec![]);
    machine.request_open(second, "db", Some(2));
    close(&mut machine, first, connection);
    machine.send(first, ClientRequest::VersionChangeFired { connection });
    assert_eq!(machine.started_upgrade(second).2, 1);
}

#[test]
fn closing_waits_for_the_transactions_of_the_connection() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    let connection = machine.database(first);
    let transaction = machine.begin(first, connection, &["a"], TransactionMode::ReadWrite);
    close(&mut machine, first, connection);
    machine.request_open(second, "db", Some(2));
    assert!(matches!(
        machine.next(second),
        Some(IndexedDbEvent::Blocked { .. })
    ));
    machine
        .ask(first, transaction, put("a", Some(number(1)), b"x"))
        .unwrap();
    let late = machine.begin(first, connection, &["a"], TransactionMode::ReadOnly);
    assert!(
        matches!(machine.next(first), Some(IndexedDbEvent::Aborted { transaction, .. })
        if transaction == late)
    );
    machine.commit(first, transaction);
    let (_, upgrade, _) = machine.started_upgrade(second);
    assert_eq!(
        value_of(machine.ask(second, upgrade, get("a", number(1)))),
        Some(b"x".to_vec())
    );
}

#[test]
fn requests_to_open_and_delete_are_served_one_after_another() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    machine.request_open(first, "db", Some(1));
    machine.request_open(second, "db", Some(1));
    machine.request_open(second, "db", Some(1));
    machine.request_open(second, "other", Some(1));
    let (_, transaction, _) = machine.started_upgrade(first);
    machine.started_upgrade(second);
    assert_eq!(
        machine.next(second),
        None,
        "only another database is opened meanwhile"
    );
    machine.commit(first, transaction);
    machine.opened(first);
    assert_eq!(machine.opened(second).1.version, 1);
    assert_eq!(machine.opened(second).1.version, 1);
}

#[test]
fn an_aborted_upgrade_leaves_no_trace() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    machine.run(client, connection, vec![put("a", Some(number(1)), b"kept")]);
    close(&mut machine, client, connection);

    let request = machine.request_open(client, "db", Some(2));
    let (_, upgrade, _) = machine.started_upgrade(client);
    for operation in [
        Operation::DeleteObjectStore { name: name("a") },
        Operation::CreateObjectStore(plain_store("a")),
        put("a", Some(number(2)), b"new"),
        Operation::CreateObjectStore(plain_store("new")),
        Operation::RenameObjectStore {
            from: name("b"),
            to: name("c"),
        },
        put("g", None, b"generated"),
    ] {
        machine.ask(client, upgrade, operation).unwrap();
    }
    assert_eq!(
        keys_of(machine.ask(client, upgrade, get_all("a"))),
        [number(2)]
    );
    machine.abort(client, upgrade);
    match machine.next(client) {
        Some(IndexedDbEvent::OpenFailed {
            request: failed,
            error,
        }) => {
            assert_eq!((failed, error.name()), (request, "AbortError"));
        }
        other => panic!("{other:?}"),
    }

    machine.request_open(client, "db", None);
    let (connection, database) = machine.opened(client);
    assert_eq!(database.version, 1);
    assert_eq!(
        database.object_stores,
        [plain_store("a"), plain_store("b"), generating_store("g")]
    );
    let answers = machine.run(
        client,
        connection,
        vec![get_all("a"), put("g", None, b"first")],
    );
    assert_eq!(keys_of(answers[0].clone()), [number(1)]);
    assert_eq!(answers[1], Ok(indexed_db::Answer::Key(number(1))));
}

#[test]
fn an_aborted_creation_leaves_no_database() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    machine.request_open(client, "db", Some(5));
    let (_, upgrade, _) = machine.started_upgrade(client);
    machine.abort(client, upgrade);
    assert!(matches!(
        machine.next(client),
        Some(IndexedDbEvent::OpenFailed { .. })
    ));
    assert_eq!(databases(&mut machine, client), []);
    machine.request_open(client, "db", None);
    assert_eq!(machine.started_upgrade(client).2, 0);
}

#[test]
fn a_connection_that_is_closed_in_its_upgrade_is_not_opened() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    machine.request_open(client, "db", Some(1));
    let (connection, upgrade, _) = machine.started_upgrade(client);
    close(&mut machine, client, connection);
    machine.commit(client, upgrade);
    match machine.next(client) {
        Some(IndexedDbEvent::OpenFailed { error, .. }) => assert_eq!(error.name(), "AbortError"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        databases(&mut machine, client),
        [("db".into(), 1)],
        "the upgrade counts"
    );
}

#[test]
fn schema_mistakes_have_the_names_of_the_spec() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let create = |text| Operation::CreateObjectStore(plain_store(text));
    let connection = machine.upgrade(client, "db", 1, vec![create("a"), create("b")]);
    let transaction = machine.begin(client, connection, &["a"], TransactionMode::ReadWrite);
    let outside = machine.ask(client, transaction, create("c"));
    assert_eq!(error_name(outside), "InvalidStateError");
    machine.abort(client, transaction);
    close(&mut machine, client, connection);
    machine.request_open(client, "db", Some(2));
    let (_, upgrade, _) = machine.started_upgrade(client);
    for (operation, expected) in [
        (create("a"), "ConstraintError"),
        (
            Operation::DeleteObjectStore { name: name("c") },
            "NotFoundError",
        ),
        (
            Operation::RenameObjectStore {
                from: name("a"),
                to: name("b"),
            },
            "ConstraintError",
        ),
        (
            Operation::RenameObjectStore {
                from: name("c"),
                to: name("d"),
            },
            "NotFoundError",
        ),
    ] {
        assert_eq!(
            error_name(machine.ask(client, upgrade, operation)),
            expected
        );
    }
    let same = Operation::RenameObjectStore {
        from: name("a"),
        to: name("a"),
    };
    assert!(machine.ask(client, upgrade, same).is_ok());
}

#[test]
fn a_store_that_is_deleted_and_created_again_is_empty() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    let operations = vec![put("a", Some(number(1)), b"x"), put("g", None, b"x")];
    machine.run(client, connection, operations);
    close(&mut machine, client, connection);
    let operations = vec![
        Operation::DeleteObjectStore { name: name("a") },
        Operation::CreateObjectStore(plain_store("a")),
        Operation::DeleteObjectStore { name: name("g") },
        Operation::CreateObjectStore(generating_store("g")),
        Operation::RenameObjectStore {
            from: name("b"),
            to: name("c"),
        },
    ];
    machine.upgrade(client, "db", 2, operations);
    let mut machine = machine.restart();
    let client = machine.client(URL);
    machine.request_open(client, "db", None);
    let (connection, _) = machine.opened(client);
    let scope = ["a", "c", "g"];
    let transaction = machine.begin(client, connection, &scope, TransactionMode::ReadWrite);
    assert_eq!(keys_of(machine.ask(client, transaction, get_all("a"))), []);
    let key = machine.ask(client, transaction, put("g", None, b"x"));
    assert_eq!(key, Ok(indexed_db::Answer::Key(number(1))));
}

#[test]
fn deleting_waits_for_connections_and_leaves_nothing() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    let connection = machine.database(first);
    machine.run(
        first,
        connection,
        vec![put("a", Some(number(1)), b"x"), put("g", None, b"x")],
    );
    machine.upgrade(
        first,
        "other",
        1,
        vec![Operation::CreateObjectStore(plain_store("a"))],
    );
    let request = machine.request_delete(second, "db");
    let change = IndexedDbEvent::VersionChange {
        connection,
        old_version: 1,
        new_version: None,
    };
    assert_eq!(machine.next(first), Some(change));
    machine.send(first, ClientRequest::VersionChangeFired { connection });
    let blocked = IndexedDbEvent::Blocked {
        request,
        old_version: 1,
        new_version: None,
    };
    assert_eq!(machine.next(second), Some(blocked));
    machine.hold_commits = true;
    close(&mut machine, first, connection);
    machine.request_open(first, "db", None);
    assert_eq!(machine.next(second), None, "it is not durable yet");
    assert_eq!(
        machine.next(first),
        None,
        "its turn comes after the deletion"
    );
    machine.hold_commits = false;
    machine.release_commits();
    let deleted = IndexedDbEvent::Deleted {
        request,
        old_version: 1,
    };
    assert_eq!(machine.next(second), Some(deleted));
    let (_, upgrade, old_version) = machine.started_upgrade(first);
    assert_eq!(old_version, 0);
    let create = Operation::CreateObjectStore(plain_store("a"));
    machine.ask(first, upgrade, create).unwrap();
    assert_eq!(keys_of(machine.ask(first, upgrade, get_all("a"))), []);
    assert_eq!(databases(&mut machine, second), [("other".into(), 1)]);
}

#[test]
fn deleting_what_is_not_there_succeeds() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let request = machine.request_delete(client, "db");
    let deleted = IndexedDbEvent::Deleted {
        request,
        old_version: 0,
    };
    assert_eq!(machine.next(client), Some(deleted));
}

#[test]
fn a_deletion_that_cannot_be_stored_leaves_the_database() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    machine.run(client, connection, vec![put("a", Some(number(1)), b"x")]);
    close(&mut machine, client, connection);
    machine.hold_commits = true;
    machine.request_delete(client, "db");
    machine.fail_commit(CommitFailure::DiskFull);
    match machine.next(client) {
        Some(IndexedDbEvent::DeleteFailed { error, .. }) => {
            assert_eq!(error.name(), "QuotaExceededError");
        }
        other => panic!("{other:?}"),
    }
    machine.request_open(client, "db", None);
    assert_eq!(machine.opened(client).1.object_stores.len(), 3);
}

#[test]
fn origins_do_not_see_each_other() {
    let mut machine = Machine::new();
    let here = machine.client(URL);
    let there = machine.client("https://example.com/");
    let connection = machine.database(here);
    machine.run(here, connection, vec![put("a", Some(number(1)), b"here")]);
    assert_eq!(databases(&mut machine, there), []);
    let foreign = machine.database(there);
    let answers = machine.run(there, foreign, vec![get_all("a")]);
    assert_eq!(keys_of(answers[0].clone()), []);
    machine.run(there, foreign, vec![put("a", Some(number(1)), b"there")]);
    close(&mut machine, there, foreign);
    machine.request_delete(there, "db");
    assert_eq!(
        machine.next(here),
        None,
        "no versionchange from another origin"
    );
    let answers = machine.run(here, connection, vec![get("a", number(1))]);
    assert_eq!(value_of(answers[0].clone()), Some(b"here".to_vec()));
}

#[test]
fn a_detached_client_is_in_nobodys_way() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    let connection = machine.database(first);
    machine.request_open(first, "db", Some(9));
    machine.next(first);
    let writing = machine.begin(first, connection, &["a"], TransactionMode::ReadWrite);
    machine
        .ask(first, writing, put("a", Some(number(1)), b"x"))
        .unwrap();
    machine.request_open(second, "db", Some(2));
    machine.handle(IndexedDbMessage::DetachClient { client: first });
    let (_, upgrade, old_version) = machine.started_upgrade(second);
    assert_eq!(old_version, 1, "the request of the detached client is gone");
    assert_eq!(keys_of(machine.ask(second, upgrade, get_all("a"))), []);
}

#[test]
fn a_client_that_is_detached_in_its_upgrade_aborts_it() {
    let mut machine = Machine::new();
    let [first, second] = [machine.client(URL), machine.client(URL)];
    machine.request_open(first, "db", Some(3));
    let (_, upgrade, _) = machine.started_upgrade(first);
    machine
        .ask(
            first,
            upgrade,
            Operation::CreateObjectStore(plain_store("a")),
        )
        .unwrap();
    machine.request_open(second, "db", None);
    machine.handle(IndexedDbMessage::DetachClient { client: first });
    assert_eq!(machine.started_upgrade(second).2, 0);
    machine.send(
        first,
        ClientRequest::Commit {
            transaction: upgrade,
        },
    );
    assert_eq!(databases(&mut machine, second), []);
}

#[test]
fn a_lost_counter_does_not_mix_databases_up() {
    let mut machine = Machine::new();
    let client = machine.client(URL);
    let connection = machine.database(client);
    machine.run(client, connection, vec![put("a", Some(number(1)), b"x")]);
    let mut batch = storage::Batch::new();
    batch.remove(storage::Tree::IndexedDb, &[0]);
    machine.store.commit(batch).unwrap();
    let mut machine = machine.restart();
    let client = machine.client(URL);
    let create = Operation::CreateObjectStore(plain_store("a"));
    let connection = machine.upgrade(client, "other", 1, vec![create]);
    let transaction = machine.begin(client, connection, &["a"], TransactionMode::ReadOnly);
    assert_eq!(keys_of(machine.ask(client, transaction, get_all("a"))), []);
}
