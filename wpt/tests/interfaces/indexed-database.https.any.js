// META: global=window,worker
// META: title=Interfaces of IndexedDB
// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// META: timeout=long

idl_test(["IndexedDB"], ["dom", "html"], async idl => {
  // The handlers stay null, which is what the harness looks for.
  const requested = request => new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
  const opening = indexedDB.open("interfaces", 1);
  opening.addEventListener("upgradeneeded", () => {
    const store = opening.result.createObjectStore("store", { keyPath: "id" });
    store.createIndex("index", "id");
    store.put({ id: 1 });
  });
  self.opening = opening;
  self.database = await requested(opening);
  self.transaction = database.transaction("store");
  self.store = transaction.objectStore("store");
  self.index = store.index("index");
  self.reading = store.getAllRecords();
  [self.record] = await requested(reading);
  self.cursor = await requested(index.openCursor());
  self.keyCursor = await requested(index.openKeyCursor());
  idl.add_objects({
    IDBFactory: ["indexedDB"],
    IDBOpenDBRequest: ["opening"],
    IDBDatabase: ["database"],
    DOMStringList: ["database.objectStoreNames"],
    IDBTransaction: ["transaction"],
    IDBObjectStore: ["store"],
    IDBIndex: ["index"],
    IDBRequest: ["reading"],
    IDBRecord: ["record"],
    IDBCursor: ["keyCursor"],
    IDBCursorWithValue: ["cursor"],
    IDBKeyRange: ["IDBKeyRange.only(1)"],
    IDBVersionChangeEvent: ["new IDBVersionChangeEvent('blocked')"],
  });
});
