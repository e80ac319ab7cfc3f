//! Finding records by what is in them.

use super::host::Profile;

/// A store of mails with an index of each kind.
const MAILS: &str = "
    const mails = (records = [
        { id: 1, to: 'bob', tags: ['new', 'work', 'new', {}], size: 3, number: 'a' },
        { id: 2, to: 'ada', tags: 'work', size: 1, number: 'b' },
        { id: 3, to: 'bob', tags: ['old'], size: 2, number: 'c' },
        { id: 4, to: null, number: 'd' },
    ]) => opened('mails', 1, database => {
        const store = database.createObjectStore('mail', { keyPath: 'id' });
        store.createIndex('to', 'to');
        store.createIndex('tags', 'tags', { multiEntry: true });
        store.createIndex('number', 'number', { unique: true });
        store.createIndex('to and size', ['to', 'size']);
        for (const record of records) store.put(record);
    });
    const walk = (request, step = cursor => cursor.continue()) => new Promise((resolve, reject) => {
        const seen = [];
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
            const cursor = request.result;
            if (!cursor) return resolve(seen.join());
            seen.push(cursor.key + ':' + cursor.primaryKey);
            step(cursor);
        };
    });
";

fn run(body: &str) -> String {
    let profile = Profile::in_memory();
    let page = profile.page();
    page.run(&format!(
        "{MAILS}
         const database = await mails();
         const transaction = database.transaction('mail', 'readwrite');
         const store = transaction.objectStore('mail');
         {body}"
    ))
}

#[test]
fn records_are_found_through_each_kind_of_index() {
    let result = run(
        "const to = store.index('to');
         const ids = records => records.map(record => record.id ?? record).join('');
         const log = [
             (await requested(to.get('bob'))).id, await requested(to.getKey('ada')), await requested(to.get('eve')),
             ids(await requested(to.getAll('bob'))), ids(await requested(to.getAllKeys())),
             await requested(to.count()), await requested(to.count('bob')),
             ids(await requested(store.index('tags').getAll('work'))),
             ids(await requested(store.index('tags').getAllKeys())),
             ids(await requested(store.index('to and size').getAll(IDBKeyRange.bound(['bob'], ['bob', []])))),
             (await requested(store.index('number').get('d'))).id,
         ];
         return log.map(String).join(' ');",
    );
    assert_eq!(result, "1 2 undefined 13 213 3 2 12 1312 31 4");
}

#[test]
fn a_cursor_over_an_index_goes_every_way() {
    let result = run("const to = store.index('to');
         const results = [];
         for (const direction of ['next', 'nextunique', 'prev', 'prevunique'])
             results.push(await walk(to.openKeyCursor(null, direction)));
         results.push(await walk(to.openCursor(IDBKeyRange.lowerBound('b'))));
         let first = true;
         results.push(await walk(to.openCursor(), cursor => {
             if (!first) return cursor.continue();
             first = false;
             cursor.continuePrimaryKey('bob', 2);
         }));
         results.push(await walk(store.index('tags').openCursor(), cursor => cursor.advance(2)));
         return results.join(' ');");
    assert_eq!(
        result,
        "ada:2,bob:1,bob:3 ada:2,bob:1 bob:3,bob:1,ada:2 bob:1,ada:2 bob:1,bob:3 ada:2,bob:3 \
         new:1,work:1"
    );
}

#[test]
fn a_cursor_over_an_index_updates_and_deletes_the_records_themselves() {
    let result = run(
        "const index = store.index('number');
         const visited = await walk(index.openCursor(), cursor => {
             if (cursor.key === 'a') cursor.update({ ...cursor.value, number: 'z' });
             if (cursor.key === 'b') cursor.delete();
             cursor.continue();
         });
         return [visited, await requested(index.getAllKeys()), await requested(store.count())].join(' ');",
    );
    // A record that has moved ahead comes up once more.
    assert_eq!(result, "a:1,b:2,c:3,d:4,z:1 3,4,1 3");
}

#[test]
fn get_all_takes_options_and_records_have_both_keys() {
    let result = run(
        "const to = store.index('to');
         const records = await requested(to.getAllRecords({ direction: 'prev', count: 2 }));
         const log = [
             records.map(record => [record.key, record.primaryKey, record.value.size, record instanceof IDBRecord]).join(' '),
             (await requested(store.getAllKeys({ query: IDBKeyRange.lowerBound(2), direction: 'prev' }))).join(),
             (await requested(to.getAll({ direction: 'nextunique' }))).map(record => record.id).join(),
             (await requested(store.getAllKeys(null, 2))).join(),
             failure(() => store.getAll({ direction: 'up' })),
             failure(() => store.getAll(NaN)),
         ];
         return log.join(' | ');",
    );
    assert_eq!(
        result,
        "bob,3,2,true bob,1,3,true | 4,3,2 | 2,1 | 1,2 | TypeError | DataError"
    );
}

#[test]
fn a_unique_index_refuses_a_second_record() {
    let result = run("const adding = store.add({ id: 9, number: 'a' });
         const log = [];
         adding.onerror = event => { log.push(adding.error.name); event.preventDefault(); };
         await completed(transaction);
         const read = database.transaction('mail').objectStore('mail');
         log.push(await requested(read.count()), failure(() => read.index('number').get({})));
         return log.join();");
    assert_eq!(result, "ConstraintError,4,DataError");
}

#[test]
fn an_index_is_created_for_the_records_that_are_there() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(&format!(
        "{MAILS}
         (await mails()).close();
         const log = [];
         const database = await opened('mails', 2, (database, transaction) => {{
             const store = transaction.objectStore('mail');
             store.deleteIndex('tags');
             const index = store.createIndex('size', 'size');
             index.getAllKeys().onsuccess = event => log.push(event.target.result.join(''));
             store.index('to').name = 'recipient';
             log.push([...store.indexNames], failure(() => store.index('tags')));
         }});
         const store = database.transaction('mail').objectStore('mail');
         const index = store.index('recipient');
         log.push([...store.indexNames], index === store.index('recipient'), index.objectStore === store);
         log.push(store.index('to and size').keyPath, index.keyPath, index.unique, index.multiEntry);
         log.push((await requested(index.get('ada'))).id);
         return log.join(' ');"
    ));
    assert_eq!(
        result,
        "number,recipient,size,to and size NotFoundError 231 number,recipient,size,to and size true true \
         to,size to false false 2"
    );
}

#[test]
fn a_unique_index_over_records_that_share_a_key_aborts_the_upgrade() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(&format!(
        "{MAILS}
         (await mails()).close();
         const log = [];
         let index, store;
         await opened('mails', 2, (database, transaction) => {{
             transaction.onabort = () => log.push(transaction.error.name);
             store = transaction.objectStore('mail');
             store.index('to').name = 'other';
             index = store.createIndex('unique', 'to', {{ unique: true }});
         }}).catch(error => log.push(error.name));
         log.push([...store.indexNames], failure(() => index.get(1)));
         const database = await opened('mails');
         log.push(database.version, [...database.transaction('mail').objectStore('mail').indexNames]);
         return log.join(' ');"
    ));
    assert_eq!(
        result,
        "ConstraintError AbortError number,tags,to,to and size InvalidStateError 1 \
         number,tags,to,to and size"
    );
}

#[test]
fn generated_keys_are_found_through_indexes() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await opened('db', 1, database => {
             const store = database.createObjectStore('outbox', { keyPath: 'id', autoIncrement: true });
             store.createIndex('id', 'id');
             store.createIndex('both', ['to', 'id']);
         });
         const store = database.transaction('outbox', 'readwrite').objectStore('outbox');
         for (const to of ['bob', 'ada']) store.add({ to });
         const found = await requested(store.index('both').get(['ada', 2]));
         return [found.id, found.to, (await requested(store.index('id').getAllKeys())).join('')].join();",
    );
    assert_eq!(result, "2,ada,12");
}

#[test]
fn what_is_wrong_with_an_index_is_refused_by_name() {
    let profile = Profile::in_memory();
    let page = profile.page();
    for (call, expected) in [
        ("store.createIndex('to', 'x')", "ConstraintError"),
        ("store.createIndex('x', 'a b')", "SyntaxError"),
        ("store.createIndex('x', [])", "SyntaxError"),
        (
            "store.createIndex('x', ['a'], { multiEntry: true })",
            "InvalidAccessError",
        ),
        ("store.createIndex('x')", "TypeError"),
        ("store.index('x')", "NotFoundError"),
        ("store.deleteIndex('x')", "NotFoundError"),
        ("store.index('to').name = 'tags'", "ConstraintError"),
        (
            "{ const index = store.index('to'); store.deleteIndex('to'); index.get(1); }",
            "InvalidStateError",
        ),
        (
            "{ const index = store.index('to'); database.deleteObjectStore('mail'); index.count(); }",
            "InvalidStateError",
        ),
    ] {
        let result = page.run(&format!(
            "{MAILS}
             let result;
             await opened('db' + Math.random(), 1, (database, transaction) => {{
                 const store = database.createObjectStore('mail');
                 store.createIndex('to', 'to');
                 store.createIndex('tags', 'tags');
                 result = failure(() => {{ {call} }});
             }}).then(database => database.close(), () => {{}});
             return result;"
        ));
        assert_eq!(result, expected, "{call}");
    }
    let result = run(
        "const cursor = await requested(store.index('to').openCursor(null, 'nextunique'));
         return [failure(() => store.createIndex('x', 'x')), failure(() => store.deleteIndex('to')),
                 failure(() => { store.index('to').name = 'x'; }),
                 failure(() => cursor.continuePrimaryKey('bob', 1))].join();",
    );
    assert_eq!(
        result,
        "InvalidStateError,InvalidStateError,InvalidStateError,InvalidAccessError"
    );
}
