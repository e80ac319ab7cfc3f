//! Going through records one by one.

use super::host::Profile;

const RECORDS: &str = "
    const database = await mailbox();
    const transaction = database.transaction(['plain', 'in-line'], 'readwrite');
    const store = transaction.objectStore('plain');
    for (let key = 1; key <= 6; key++) store.put('v' + key, key);
    const walk = (request, step = cursor => cursor.continue()) => new Promise((resolve, reject) => {
        const seen = [];
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
            const cursor = request.result;
            if (!cursor) return resolve(seen);
            seen.push(cursor.key);
            step(cursor, seen);
        };
    });
";

fn run(body: &str) -> String {
    let profile = Profile::in_memory();
    let page = profile.page();
    page.run(&format!("{RECORDS} {body}"))
}

#[test]
fn a_cursor_goes_through_a_range_in_its_direction() {
    let result = run(
        "const results = [];
         for (const [query, direction] of [[null, 'next'], [null, 'prev'], [IDBKeyRange.bound(2, 4), 'nextunique'],
                                           [IDBKeyRange.lowerBound(5), 'prevunique'], [9, 'next']])
             results.push(await walk(store.openCursor(query, direction)));
         return results.join(' ');",
    );
    assert_eq!(result, "1,2,3,4,5,6 6,5,4,3,2,1 2,3,4 6,5 ");
}

#[test]
fn a_cursor_jumps_and_advances() {
    let result = run(
        "const jumped = await walk(store.openCursor(), cursor => cursor.key === 1 ? cursor.continue(3.5) : cursor.advance(2));
         const back = await walk(store.openKeyCursor(null, 'prev'), cursor => cursor.key === 6 ? cursor.continue(3) : cursor.continue());
         return jumped + ' ' + back;",
    );
    assert_eq!(result, "1,4,6 6,3,2,1");
}

#[test]
fn a_cursor_shows_where_it_is_and_is_the_same_object_throughout() {
    let result = run(
        "const request = store.openCursor();
         const log = [];
         let first;
         await new Promise(resolve => request.onsuccess = () => {
             const cursor = request.result;
             first ??= cursor;
             if (!cursor) { log.push(String(first.key), String(first.primaryKey), String(first.value)); return resolve(); }
             if (cursor.key > 1) return cursor.continue();
             log.push(cursor.key, cursor.primaryKey, cursor.value, cursor.direction, cursor.source === store,
                      cursor.request === request, cursor instanceof IDBCursorWithValue, request.readyState);
             cursor.continue();
             log.push(request.readyState, failure(() => cursor.continue()), failure(() => cursor.delete()),
                      failure(() => cursor.advance(1)), cursor.key);
         });
         const keys = store.openKeyCursor();
         const keyCursor = await requested(keys);
         log.push('value' in keyCursor, keyCursor instanceof IDBCursor, failure(() => keyCursor.delete()),
                  failure(() => keyCursor.update(1)));
         return log.join(' ');",
    );
    assert_eq!(
        result,
        "1 1 v1 next true true true done pending InvalidStateError InvalidStateError \
         InvalidStateError 1 undefined undefined undefined false true InvalidStateError \
         InvalidStateError"
    );
}

#[test]
fn a_cursor_updates_and_deletes_records() {
    let result = run(
        "await walk(store.openCursor(), cursor => {
             const request = cursor.key % 2 ? cursor.delete() : cursor.update(cursor.value + '!');
             request.onsuccess = () => {
                 if (request.source !== cursor) throw new Error('not its source');
                 if (cursor.key % 2 === 0 && request.result !== cursor.key) throw new Error('not its key');
             };
             cursor.continue();
         });
         return await requested(store.getAll());",
    );
    assert_eq!(result, "v2!,v4!,v6!");
}

#[test]
fn what_a_cursor_cannot_do_is_refused_by_name() {
    for (call, expected) in [
        ("cursor.advance(0)", "TypeError"),
        ("cursor.advance(-1)", "TypeError"),
        ("cursor.continue(1)", "DataError"),
        ("cursor.continue({})", "DataError"),
        ("cursor.continuePrimaryKey(2, 2)", "InvalidAccessError"),
        ("cursor.update(() => {})", "DataCloneError"),
        ("inLine.update({ id: 2 })", "DataError"),
        ("inLine.update({})", "DataError"),
        (
            "{ transaction.abort(); cursor.continue(); }",
            "TransactionInactiveError",
        ),
        (
            "{ transaction.abort(); cursor.update(1); }",
            "TransactionInactiveError",
        ),
    ] {
        let result = run(&format!(
            "transaction.objectStore('in-line').put({{ id: 1 }});
             const inLine = await requested(transaction.objectStore('in-line').openCursor());
             const cursor = await requested(store.openCursor());
             return failure(() => {{ {call} }});"
        ));
        assert_eq!(result, expected, "{call}");
    }
    let read_only = run(
        "await completed(transaction);
         const cursor = await requested(database.transaction('plain').objectStore('plain').openCursor());
         return [failure(() => cursor.update(1)), failure(() => cursor.delete())].join();",
    );
    assert_eq!(read_only, "ReadOnlyError,ReadOnlyError");
}
