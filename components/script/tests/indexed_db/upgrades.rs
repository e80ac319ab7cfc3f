//! Opening, upgrading and deleting databases.

use super::host::Profile;

#[test]
fn an_upgrade_has_its_events_versions_and_transaction() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const log = [];
         const request = indexedDB.open('db', 3);
         log.push(request.readyState, request.source, request.transaction);
         log.push(failure(() => request.result), failure(() => request.error));
         request.onupgradeneeded = event => {
             const { transaction } = request;
             log.push(event.oldVersion, event.newVersion, transaction.mode, event instanceof IDBVersionChangeEvent);
             const database = request.result;
             database.createObjectStore('b'); database.createObjectStore('a');
             log.push([...database.objectStoreNames], [...transaction.objectStoreNames]);
             log.push(failure(() => database.transaction('a')));
             transaction.oncomplete = () => log.push('complete');
         };
         const database = await requested(request);
         log.push(database.name, database.version, request.transaction, request.result === database,
                  database.objectStoreNames.contains('a'), database.objectStoreNames[1],
                  database.objectStoreNames.length, database.objectStoreNames.item(7));
         return log.map(String).join(' ');",
    );
    assert_eq!(
        result,
        "pending null null InvalidStateError InvalidStateError 0 3 versionchange true a,b a,b \
         InvalidStateError complete db 3 null true true b 2 null"
    );
}

#[test]
fn another_connection_is_told_of_an_upgrade_and_can_make_way() {
    let profile = Profile::in_memory();
    let (page, worker) = (profile.page(), profile.worker());
    page.run(
        "self.log = []; self.database = await opened('db', 1);
         database.onversionchange = event => {
             log.push(event.oldVersion, event.newVersion);
             database.close();
         };",
    );
    let result = worker.run(
        "const request = indexedDB.open('db', 2);
         request.onblocked = () => { throw new Error('blocked'); };
         return (await requested(request)).version;",
    );
    assert_eq!(result, "2");
    assert_eq!(
        page.run("return [log, failure(() => database.transaction('x'))].join();"),
        "1,2,InvalidStateError"
    );
}

#[test]
fn an_upgrade_is_blocked_until_the_other_connection_is_closed() {
    let profile = Profile::in_memory();
    let (page, worker) = (profile.page(), profile.worker());
    page.run("self.database = await opened('db', 1);");
    let upgrade = worker.start(
        "const request = indexedDB.open('db', 2);
         self.blocked = new Promise(resolve => request.onblocked = event =>
             resolve([event.oldVersion, event.newVersion].join()));
         return (await requested(request)).version;",
    );
    assert_eq!(worker.run("return blocked;"), "1,2");
    page.run("database.close();");
    assert_eq!(worker.finish(&upgrade), "2");
}

#[test]
fn deleting_a_database_tells_the_version_that_it_had() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await opened('db', 4, database => database.createObjectStore('s'));
         const before = JSON.stringify(await indexedDB.databases());
         database.onversionchange = event => {
             database.close();
             self.seen = [event.oldVersion, event.newVersion];
         };
         const request = indexedDB.deleteDatabase('db');
         const event = await new Promise(resolve => request.onsuccess = resolve);
         const after = JSON.stringify(await indexedDB.databases());
         const anew = await opened('db');
         return [before, seen, event.oldVersion, event.newVersion, String(request.result), after,
                 anew.version, anew.objectStoreNames.length].join(' ');",
    );
    assert_eq!(
        result,
        r#"[{"name":"db","version":4}] 4, 4  undefined [] 1 0"#
    );
}

#[test]
fn an_aborted_upgrade_leaves_the_database_as_it_was() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const first = await opened('db', 1, database => database.createObjectStore('old'));
         first.close();
         const log = [];
         const request = indexedDB.open('db', 2);
         request.onupgradeneeded = () => {
             const database = request.result, transaction = request.transaction;
             const old = transaction.objectStore('old');
             old.name = 'renamed';
             const fresh = database.createObjectStore('new');
             database.deleteObjectStore('renamed');
             log.push([...database.objectStoreNames], failure(() => old.get(1)));
             transaction.abort();
             log.push([...database.objectStoreNames], database.version, old.name,
                      failure(() => fresh.get(1)), failure(() => old.get(1)));
             transaction.onabort = () => log.push('abort');
         };
         const error = await requested(request).catch(error => error.name);
         const again = await opened('db');
         return [...log, error, again.version, [...again.objectStoreNames]].join(' ');",
    );
    assert_eq!(
        result,
        "new InvalidStateError old 1 old InvalidStateError TransactionInactiveError abort \
         AbortError 1 old"
    );
}

#[test]
fn an_exception_while_upgrading_aborts() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run_with_errors(
        "const error = await opened('db', 1, () => { throw new Error('oh'); }).catch(error => error.name);
         return error + ' ' + (await indexedDB.databases()).length;",
    );
    assert_eq!(result, "AbortError 0");
    assert_eq!(page.page.uncaught(), ["Error: oh"]);
}

#[test]
fn data_can_be_moved_while_upgrading() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const first = await opened('db', 1, database =>
             database.createObjectStore('mails').put({ text: 'hello' }, 'k'));
         first.close();
         const second = await opened('db', 2, async (database, transaction, oldVersion) => {
             const value = await requested(transaction.objectStore('mails').get('k'));
             database.deleteObjectStore('mails');
             const store = database.createObjectStore('outbox', { keyPath: 'id', autoIncrement: true });
             await requested(store.add({ ...value, oldVersion }));
             store.name = 'sent';
         });
         const all = await requested(second.transaction('sent').objectStore('sent').getAll());
         return [...second.objectStoreNames] + ' ' + JSON.stringify(all);",
    );
    assert_eq!(result, r#"sent [{"text":"hello","oldVersion":1,"id":1}]"#);
}

#[test]
fn closing_while_upgrading_fails_the_request_after_the_upgrade() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const error = await opened('db', 1, database => {
             database.createObjectStore('s');
             database.close();
         }).catch(error => error.name);
         return error + ' ' + (await indexedDB.databases())[0].version;",
    );
    assert_eq!(result, "AbortError 1");
}

#[test]
fn other_origins_have_other_databases_and_opaque_ones_none() {
    let profile = Profile::in_memory();
    let (page, other) = (profile.page(), profile.page_at("https://other.example/"));
    let opaque = profile.page_at("data:text/html,x");
    page.run("await opened('db', 1)");
    assert_eq!(
        other.run("return (await indexedDB.databases()).length;"),
        "0"
    );
    assert_eq!(
        opaque.run(
            "return [failure(() => indexedDB.open('db')), failure(() => indexedDB.deleteDatabase('db')),
                     await indexedDB.databases().catch(error => error.name),
                     indexedDB === indexedDB].join();"
        ),
        "SecurityError,SecurityError,SecurityError,true"
    );
}
