//! Keys, key ranges, key paths and key generators.

use super::host::Profile;

#[test]
fn keys_are_ordered_by_type_and_value() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const ordered = [-Infinity, -1, 0, 1.5, Infinity, new Date(-1), new Date(5), '', 'a', 'a\\0', 'b',
             '\\uD83D\\uDE00', '\\uFFFF', new ArrayBuffer(0), new Uint8Array([1]), new Uint8Array([1, 0]).buffer,
             [], [1], [1, 2], ['a'], [[]]];
         const wrong = [];
         ordered.forEach((left, i) => ordered.forEach((right, j) => {
             if (indexedDB.cmp(left, right) !== Math.sign(i - j)) wrong.push([i, j]);
         }));
         return JSON.stringify(wrong) + indexedDB.cmp(-0, 0);",
    );
    assert_eq!(result, "[]0");
}

#[test]
fn what_is_no_key_is_refused() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const cycle = []; cycle.push(cycle);
         let deep = []; for (let i = 0; i < 5000; i++) deep = [deep];
         const detached = new ArrayBuffer(4); structuredClone(detached, { transfer: [detached] });
         const values = [undefined, null, true, NaN, new Date(NaN), {}, () => {}, Symbol(), 1n, /x/, [1, {}],
             [, 1], cycle, deep, new Proxy([], {}), new Number(1), new String('x'), detached];
         return values.map(value => failure(() => indexedDB.cmp(1, value)))
             .filter(name => name !== 'DataError').join();",
    );
    assert_eq!(result, "");
}

#[test]
fn an_exception_in_the_getter_of_an_array_is_passed_on() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const array = []; Object.defineProperty(array, 0, { get() { throw new RangeError(); } });
         return failure(() => indexedDB.cmp(1, array));",
    );
    assert_eq!(result, "RangeError");
}

#[test]
fn keys_come_back_as_they_went_in() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const store = database.transaction('plain', 'readwrite').objectStore('plain');
         const keys = [3, new Date(7), '\\uD800x', new Uint8Array([1, 2, 3]).subarray(1), [1, ['x', new Date(0)]]];
         for (const key of keys) await requested(store.put('v', key));
         const back = await requested(store.getAllKeys());
         let deep = []; for (let i = 1; i < 200; i++) deep = [deep];
         await requested(store.put('deep', deep));
         if (await requested(store.get(deep)) !== 'deep') throw new Error('deep');
         if (indexedDB.cmp(await requested(store.getKey(deep)), deep) !== 0) throw new Error('deep key');
         return [back[0], back[1] instanceof Date && back[1].getTime(), back[2] === '\\uD800x',
                 back[3] instanceof ArrayBuffer && new Uint8Array(back[3]), JSON.stringify(back[4])].join(' ');",
    );
    assert_eq!(
        result,
        r#"3 7 true 2,3 [1,["x","1970-01-01T00:00:00.000Z"]]"#
    );
}

#[test]
fn ranges_select_records() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const store = database.transaction('plain', 'readwrite').objectStore('plain');
         for (let key = 1; key <= 5; key++) store.put('v' + key, key);
         const { only, lowerBound, upperBound, bound } = Object.fromEntries(
             ['only', 'lowerBound', 'upperBound', 'bound'].map(name =>
                 [name, (...parameters) => IDBKeyRange[name](...parameters)]));
         const results = [];
         for (const range of [only(2), lowerBound(4), lowerBound(4, true), upperBound(2), upperBound(2, true),
                              bound(2, 4), bound(2, 4, true), bound(2, 4, true, true), bound(9, 9), 3, null])
             results.push(await requested(store.getAllKeys(range)));
         results.push(await requested(store.getAll(undefined, 2)), await requested(store.get(lowerBound(2, true))),
                      await requested(store.getKey(upperBound(9))), await requested(store.count(bound(2, 4))));
         await requested(store.delete(bound(2, 4)));
         results.push(await requested(store.getAllKeys()));
         await requested(store.clear());
         results.push(await requested(store.count()));
         return results.join(' ');",
    );
    assert_eq!(
        result,
        "2 4,5 5 1,2 1 2,3,4 3,4 3  3 1,2,3,4,5 v1,v2 v3 1 3 1,5 0"
    );
}

#[test]
fn a_range_shows_its_bounds() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const show = range => [range.lower, range.upper, range.lowerOpen, range.upperOpen].map(String).join();
         const range = IDBKeyRange.bound('x', [1], true);
         return [show(IDBKeyRange.only(1)), show(IDBKeyRange.lowerBound(1)), show(IDBKeyRange.upperBound(1, true)),
                 range.upper === range.upper, IDBKeyRange.bound(1, 3, true).includes(1),
                 IDBKeyRange.bound(1, 3).includes(3)].join(' ');",
    );
    assert_eq!(
        result,
        "1,1,false,false 1,undefined,false,true undefined,1,true,true true false true"
    );
}

#[test]
fn key_paths_lead_to_keys() {
    let profile = Profile::in_memory();
    let page = profile.page();
    for (path, value, expected) in [
        ("'a.b.c'", "{ a: { b: { c: 5 } } }", "5"),
        ("''", "'self'", "\"self\""),
        ("['x', 'y.z']", "{ x: 1, y: { z: 'two' } }", "[1,\"two\"]"),
        ("'name.length'", "{ name: 'four' }", "4"),
        ("'list.length'", "{ list: [1, 2] }", "2"),
        ("'list.1'", "{ list: [1, 2] }", "SyntaxError"),
        ("'blob.size'", "{ blob: new Blob(['abc']) }", "3"),
        (
            "'blob.type'",
            "{ blob: new Blob([], { type: 'text/plain' }) }",
            "\"text/plain\"",
        ),
        ("'a.b'", "{ a: 5 }", "DataError"),
        ("'a'", "Object.create({ a: 1 })", "DataError"),
        ("'a'", "{ get a() { return 'read'; } }", "\"read\""),
        ("['x', 'y']", "{ x: 1 }", "DataError"),
    ] {
        let script = format!(
            "let key;
             const database = await opened('db', 1, (database) => {{
                 try {{
                     const store = database.createObjectStore('s', {{ keyPath: {path} }});
                     store.put({value}).onsuccess = event => key = JSON.stringify(event.target.result);
                 }} catch (error) {{ key = error.name; }}
             }});
             database.close();
             await requested(indexedDB.deleteDatabase('db'));
             return key;"
        );
        assert_eq!(page.run(&script), expected, "{path} of {value}");
    }
}

#[test]
fn an_object_store_shows_how_it_gets_keys() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await opened('db', 1, database => {
             database.createObjectStore('a', { keyPath: ['x', 'y'] });
             database.createObjectStore('b', { keyPath: 'k', autoIncrement: true });
             database.createObjectStore('c');
         });
         const transaction = database.transaction(['c', 'a', 'b', 'a'], 'readonly', { durability: 'relaxed' });
         const shown = ['a', 'b', 'c'].map(name => {
             const store = transaction.objectStore(name);
             return [store.name, JSON.stringify(store.keyPath), store.autoIncrement, store.indexNames.length,
                     store.transaction === transaction, store.keyPath === store.keyPath].join();
         });
         return [...shown, [...transaction.objectStoreNames], transaction.mode, transaction.durability,
                 transaction.db === database, transaction.objectStore('a') === transaction.objectStore('a')].join(' ');",
    );
    assert_eq!(
        result,
        r#"a,["x","y"],false,0,true,true b,"k",true,0,true,true c,null,false,0,true,true a,b,c readonly relaxed true true"#
    );
}

#[test]
fn generated_keys_count_on_from_the_largest_and_are_put_into_values() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await opened('db', 1, database => {
             database.createObjectStore('out', { autoIncrement: true });
             database.createObjectStore('in', { keyPath: 'meta.id', autoIncrement: true });
         });
         const transaction = database.transaction(['out', 'in'], 'readwrite');
         const out = transaction.objectStore('out'), inside = transaction.objectStore('in');
         const keys = [];
         for (const key of [undefined, 10.5, undefined, 'text', 3, undefined])
             keys.push(await requested(out.add('v', key)));
         const value = { text: 'x' };
         keys.push(await requested(inside.add(value)));
         keys.push(await requested(inside.add({ meta: { id: 7, more: 1 } })));
         keys.push(await requested(inside.put({ meta: {} })));
         await requested(inside.put({ meta: { id: new Uint8Array([1]) } }));
         const own = (await requested(inside.get(new Uint8Array([1])))).meta.id;
         keys.push(own instanceof Uint8Array);
         const all = JSON.stringify(await requested(inside.getAll(IDBKeyRange.upperBound(99))));
         return [keys, JSON.stringify(value), all].join(' ');",
    );
    assert_eq!(
        result,
        r#"1,10.5,11,text,3,12,1,7,8,true {"text":"x"} [{"text":"x","meta":{"id":1}},{"meta":{"id":7,"more":1}},{"meta":{"id":8}}]"#
    );
}
