//! Values on their way through the store, and the shape of the interfaces.

use super::host::Profile;

#[test]
fn structured_values_come_back() {
    let profile = Profile::in_memory();
    let (page, worker) = (profile.page(), profile.worker());
    page.run(
        "const database = await mailbox();
         const shared = { n: 1 };
         const value = {
             map: new Map([['k', { deep: [1, , 3] }]]), set: new Set([1, 'x']), date: new Date(1234),
             bytes: new Uint8Array([1, 2, 255]), big: 12345678901234567890n, text: '\\uD800 ok',
             blob: new Blob(['hello'], { type: 'text/plain' }), pattern: /a+/gi, one: shared, other: shared,
             nothing: undefined, error: new RangeError('far'),
         };
         value.self = value;
         const transaction = database.transaction('plain', 'readwrite');
         transaction.objectStore('plain').put(value, 'k');
         value.text = 'changed later';
         await completed(transaction);",
    );
    let result = worker.run(
        "const database = await mailbox();
         const value = await requested(database.transaction('plain').objectStore('plain').get('k'));
         return [value.map.get('k').deep.length, 1 in value.map.get('k').deep, [...value.set], value.date.getTime(),
                 value.bytes instanceof Uint8Array, value.bytes, value.big, value.text === '\\uD800 ok',
                 value.blob.size, value.pattern, value.one === value.other, 'nothing' in value,
                 value.error.message, value.self === value].join(' ');",
    );
    assert_eq!(
        result,
        "3 false 1,x 1234 true 1,2,255 12345678901234567890 true 5 /a+/gi true true far true"
    );
}

#[test]
fn large_values_come_back() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         const bytes = new Uint8Array(3 << 20).fill(7);
         transaction.objectStore('plain').put({ bytes }, 1);
         await completed(transaction);
         const back = await requested(database.transaction('plain').objectStore('plain').get(1));
         return [back.bytes.length, back.bytes.every(byte => byte === 7)].join();",
    );
    assert_eq!(result, "3145728,true");
}

#[test]
fn the_interfaces_have_their_shape() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const tag = Object.prototype.toString.call(indexedDB);
         return [tag, Object.getPrototypeOf(IDBOpenDBRequest) === IDBRequest, IDBRequest.prototype instanceof EventTarget,
                 Object.getPrototypeOf(IDBCursorWithValue) === IDBCursor, IDBDatabase.prototype instanceof EventTarget,
                 new IDBVersionChangeEvent('x', { oldVersion: 2, newVersion: null }).oldVersion,
                 IDBObjectStore.prototype.put.length, IDBFactory.prototype.open.length,
                 'onupgradeneeded' in IDBOpenDBRequest.prototype, 'createIndex' in IDBObjectStore.prototype].join(' ');",
    );
    assert_eq!(
        result,
        "[object IDBFactory] true true true true 2 1 1 true true"
    );
}
