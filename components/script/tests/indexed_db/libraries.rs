//! IndexedDB through the libraries that most sites use: `tests/libraries/install` installs them.

use std::path::Path;

use super::host::{Client, Profile};

/// Lets a page or worker load a library as a classic script.
fn load(client: &Client<'_>, path: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/libraries/node_modules");
    let script = std::fs::read_to_string(folder.join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}; run tests/libraries/install"));
    client.page.run(&script);
}

/// Runs a script in a page and in a service worker that have a library, each with databases of its
/// own.
fn run(library: &str, body: &str) -> String {
    let in_page = {
        let profile = Profile::in_memory();
        let page = profile.page();
        load(&page, library);
        page.run(body)
    };
    let profile = Profile::in_memory();
    let worker = profile.worker();
    load(&worker, library);
    assert_eq!(worker.run(body), in_page);
    in_page
}

#[test]
fn idb_keeps_an_outbox() {
    let result = run(
        "idb/build/umd.js",
        "const open = version => idb.openDB('outbox', version, {
             upgrade(database, oldVersion, _, transaction) {
                 if (oldVersion < 1) {
                     const store = database.createObjectStore('requests', { keyPath: 'id', autoIncrement: true });
                     store.createIndex('queueName', 'queueName');
                 }
                 if (oldVersion === 1) transaction.objectStore('requests').createIndex('time', ['queueName', 'time']);
             },
             blocking(_, __, event) { event.target.close(); },
         });
         const first = await open(1);
         for (const [queueName, time] of [['mail', 3], ['news', 1], ['mail', 2]])
             await first.add('requests', { queueName, time });
         const database = await open(2);
         const log = [
             (await database.getAllFromIndex('requests', 'queueName', 'mail')).map(entry => entry.id),
             (await database.getFromIndex('requests', 'queueName', 'news')).id,
             await database.countFromIndex('requests', 'queueName'),
             (await database.getAllKeysFromIndex('requests', 'time', IDBKeyRange.bound(['mail', 0], ['mail', 9]))),
         ];
         // As workbox takes the last entry of a queue.
         let cursor = await database.transaction('requests', 'readwrite').store.index('queueName').openCursor('mail', 'prev');
         log.push(cursor.value.id);
         await cursor.delete();
         const seen = [];
         for await (const { key, primaryKey } of database.transaction('requests').store.index('time'))
             seen.push(key + ':' + primaryKey);
         log.push(seen.join(' '));
         log.push(await database.add('requests', { id: 1 }).catch(error => error.name));
         const transaction = database.transaction('requests', 'readwrite');
         await Promise.all([transaction.store.clear(), transaction.done]);
         log.push(await database.count('requests'), (await indexedDB.databases())[0].version);
         database.close();
         await idb.deleteDB('outbox');
         log.push((await indexedDB.databases()).length);
         return log.map(String).join(' | ');",
    );
    assert_eq!(
        result,
        "1,3 | 2 | 3 | 3,1 | 3 | mail,3:1 news,1:2 | ConstraintError | 0 | 2 | 0"
    );
}

#[test]
fn dexie_queries_its_tables() {
    let result = run(
        "dexie/dist/dexie.js",
        "const database = new Dexie('friends');
         database.version(1).stores({ friends: '++id, name, age, *tags, &mail, [name+age]' });
         await database.friends.bulkAdd([
             { name: 'Ada', age: 36, tags: ['math', 'engine'], mail: 'a' },
             { name: 'Bob', age: 5, tags: ['toys'], mail: 'b' },
             { name: 'Cyd', age: 36, tags: ['math'], mail: 'c' },
             { name: 'ada', age: 7, tags: [], mail: 'd' },
         ]);
         const ids = async collection => (await collection.primaryKeys()).join('');
         const { friends } = database;
         const log = [
             await ids(friends.where('age').equals(36)), await ids(friends.where('age').between(5, 10)),
             await ids(friends.where('tags').anyOf('math', 'toys').distinct()),
             await ids(friends.where('name').startsWithIgnoreCase('AD')),
             await ids(friends.where({ name: 'Cyd', age: 36 })), await ids(friends.where('name').notEqual('Bob')),
             (await friends.orderBy('age').reverse().limit(2).toArray()).map(friend => friend.name),
             (await friends.orderBy('age').uniqueKeys()).join(), await friends.where('age').above(6).count(),
             await friends.add({ name: 'Eve', mail: 'a' }).catch(error => error.name),
         ];
         await database.transaction('rw', friends, async () => {
             await friends.where('age').equals(36).modify(friend => { friend.age++; });
             await friends.delete(2);
         });
         log.push((await friends.toArray()).map(friend => friend.name + friend.age).join());
         await database.transaction('rw', friends, async () => {
             await friends.clear();
             throw new Error('undone');
         }).catch(error => log.push(error.message));
         log.push(await friends.count());
         database.close();
         const upgraded = new Dexie('friends');
         upgraded.version(1).stores({ friends: '++id, name, age, *tags, &mail, [name+age]' });
         upgraded.version(2).stores({ friends: '++id, name, *words' }).upgrade(transaction =>
             transaction.table('friends').toCollection().modify(friend => { friend.words = friend.tags; delete friend.tags; }));
         log.push(await ids(upgraded.friends.where('words').equals('math')));
         await upgraded.delete();
         log.push((await Dexie.getDatabaseNames()).length);
         return log.map(String).join(' | ');",
    );
    assert_eq!(
        result,
        "13 | 24 | 132 | 14 | 3 | 134 | Cyd,Ada | 5,7,36 | 3 | ConstraintError | \
         Ada37,Cyd37,ada7 | undone | 3 | 13 | 0"
    );
}

#[test]
fn localforage_keeps_values_of_every_type() {
    let result = run(
        "localforage/dist/localforage.js",
        "const storage = localforage.createInstance({ name: 'site', storeName: 'values', driver: localforage.INDEXEDDB });
         await storage.setItem('list', [1, 'two', { three: 3 }]);
         await storage.setItem('bytes', new Uint8Array([1, 2, 3]));
         await storage.setItem('nothing', undefined);
         const log = [storage.driver(), JSON.stringify(await storage.getItem('list')), await storage.getItem('bytes'),
                      await storage.getItem('nothing'), await storage.getItem('missing'), await storage.length(),
                      await storage.keys(), await storage.key(1)];
         const seen = [];
         await storage.iterate((value, key, number) => { seen.push(key + number); });
         log.push(seen);
         await storage.removeItem('list');
         log.push(await storage.length());
         const other = localforage.createInstance({ name: 'site', storeName: 'others', driver: localforage.INDEXEDDB });
         await other.setItem('x', 1);
         log.push(await other.length(), await storage.length());
         await storage.clear();
         log.push(await storage.length());
         await localforage.dropInstance({ name: 'site' });
         log.push((await indexedDB.databases()).filter(({ name }) => name === 'site').length);
         return log.map(String).join(' | ');",
    );
    assert_eq!(
        result,
        "asyncStorage | [1,\"two\",{\"three\":3}] | 1,2,3 | null | null | 3 | bytes,list,nothing | \
         list | bytes1,list2,nothing3 | 2 | 1 | 2 | 0 | 0"
    );
}
