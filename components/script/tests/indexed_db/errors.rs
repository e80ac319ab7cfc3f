//! What is refused at once.

use super::host::Profile;

#[test]
fn what_is_wrong_is_refused_by_name() {
    let profile = Profile::in_memory();
    let page = profile.page();
    page.run("self.database = await mailbox();");
    for (call, expected) in [
        ("indexedDB.open('x', 0)", "TypeError"),
        ("indexedDB.open('x', -1)", "TypeError"),
        ("indexedDB.open('x', 2 ** 53)", "TypeError"),
        ("indexedDB.open()", "TypeError"),
        ("indexedDB.cmp(1)", "TypeError"),
        ("indexedDB.cmp(1, {})", "DataError"),
        ("new IDBFactory()", "TypeError"),
        ("database.transaction([])", "InvalidAccessError"),
        ("database.transaction('missing')", "NotFoundError"),
        (
            "database.transaction(['plain', 'missing'])",
            "NotFoundError",
        ),
        (
            "database.transaction('plain', 'versionchange')",
            "TypeError",
        ),
        ("database.transaction('plain', 'write')", "TypeError"),
        ("database.createObjectStore('x')", "InvalidStateError"),
        ("database.deleteObjectStore('plain')", "InvalidStateError"),
        ("read.objectStore('missing')", "NotFoundError"),
        ("read.objectStore('in-line')", "NotFoundError"),
        ("plain.name = 'x'", "InvalidStateError"),
        ("plain.put(1, 1)", "ReadOnlyError"),
        ("plain.add(1, 1)", "ReadOnlyError"),
        ("plain.delete(1)", "ReadOnlyError"),
        ("plain.clear()", "ReadOnlyError"),
        ("plain.get()", "TypeError"),
        ("plain.get(undefined)", "DataError"),
        ("plain.get(null)", "DataError"),
        ("plain.getKey({})", "DataError"),
        ("plain.getAll(NaN)", "DataError"),
        ("plain.getAll(null, -1)", "TypeError"),
        ("plain.count(true)", "DataError"),
        ("plain.openCursor(null, 'sideways')", "TypeError"),
        ("plain.openCursor({})", "DataError"),
        ("writable('plain').put(1)", "DataError"),
        ("writable('plain').put(1, null)", "DataError"),
        ("writable('plain').delete(null)", "DataError"),
        ("writable('plain').put(() => {}, 1)", "DataCloneError"),
        (
            "writable('plain').put({ get x() { throw new RangeError() } }, 1)",
            "RangeError",
        ),
        ("writable('in-line').put({ id: 1 }, 1)", "DataError"),
        ("writable('in-line').put({})", "DataError"),
        ("writable('in-line').put({ id: {} })", "DataError"),
        ("writable('in-line').put(1)", "DataError"),
        ("writable('outbox').put('not an object')", "DataError"),
        ("writable('outbox').put({ id: null })", "DataError"),
        ("writable('outbox').put({}, 1)", "DataError"),
        ("IDBKeyRange.only()", "TypeError"),
        ("IDBKeyRange.only({})", "DataError"),
        ("IDBKeyRange.bound(2, 1)", "DataError"),
        ("IDBKeyRange.lowerBound(NaN)", "DataError"),
        ("IDBKeyRange.only(1).includes(undefined)", "DataError"),
    ] {
        let script = format!(
            "const read = database.transaction('plain'), plain = read.objectStore('plain');
             const writable = name => database.transaction(name, 'readwrite').objectStore(name);
             return failure(() => {call});"
        );
        assert_eq!(page.run(&script), expected, "{call}");
    }
}

#[test]
fn what_is_wrong_while_upgrading_is_refused_by_name() {
    let profile = Profile::in_memory();
    let page = profile.page();
    for (call, expected) in [
        ("database.createObjectStore('s')", "ConstraintError"),
        (
            "database.createObjectStore('t', { keyPath: 'a b' })",
            "SyntaxError",
        ),
        (
            "database.createObjectStore('t', { keyPath: [] })",
            "SyntaxError",
        ),
        (
            "database.createObjectStore('t', { keyPath: '', autoIncrement: true })",
            "InvalidAccessError",
        ),
        (
            "database.createObjectStore('t', { keyPath: ['a'], autoIncrement: true })",
            "InvalidAccessError",
        ),
        ("database.deleteObjectStore('t')", "NotFoundError"),
        (
            "database.createObjectStore('t').name = 's'",
            "ConstraintError",
        ),
        (
            "{ database.deleteObjectStore('s'); store.put(1, 1); }",
            "InvalidStateError",
        ),
        (
            "{ transaction.abort(); database.createObjectStore('t'); }",
            "TransactionInactiveError",
        ),
        (
            "{ transaction.abort(); transaction.objectStore('s'); }",
            "InvalidStateError",
        ),
    ] {
        let script = format!(
            "let result;
             await opened('db', 1, (database, transaction) => {{
                 const store = database.createObjectStore('s');
                 result = failure(() => {{ {call} }});
                 if (transaction.error === null) try {{ transaction.abort(); }} catch {{}}
             }}).catch(() => {{}});
             return result;"
        );
        assert_eq!(page.run(&script), expected, "{call}");
    }
}

#[test]
fn opening_an_older_version_fails() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "await opened('db', 5);
         const request = indexedDB.open('db', 4);
         const error = await requested(request).catch(error => error);
         return [error.name, error === request.error, String(request.result), error instanceof DOMException].join();",
    );
    assert_eq!(result, "VersionError,true,undefined,true");
}

#[test]
fn a_getter_that_runs_during_the_clone_cannot_make_requests() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         const store = transaction.objectStore('plain');
         let inside;
         store.put({ get x() { inside = failure(() => store.get(1)); return 1; } }, 1);
         return [inside, failure(() => store.get(1))].join();",
    );
    assert_eq!(result, "TransactionInactiveError,nothing");
}

#[test]
fn a_key_generator_that_is_used_up_fails_the_request() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const store = database.transaction('numbered', 'readwrite').objectStore('numbered');
         await requested(store.put('last', 2 ** 53));
         return requested(store.put('more')).catch(error => error.name);",
    );
    assert_eq!(result, "ConstraintError");
}
