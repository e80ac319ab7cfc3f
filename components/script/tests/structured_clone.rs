//! Structured clone: what comes back, what is refused, and that bytes from anywhere are harmless.

use proptest::prelude::*;
use script::bindings::{Error, RealmHandle, Value};
use script::structured_clone::{deserialize, serialize};

use crate::Page;

/// How the tests show a value, so that a clone can be compared with its original.
const SHOW: &str = "
  globalThis.show = (value, seen = new Map()) => {
    if (typeof value === 'bigint') return value + 'n';
    if (typeof value === 'string') return JSON.stringify(value);
    if (Object.is(value, -0)) return '-0';
    if (typeof value !== 'object' || value === null) return String(value);
    if (seen.has(value)) return '#' + seen.get(value);
    seen.set(value, seen.size);
    const s = (inner) => show(inner, seen);
    const name = Object.prototype.toString.call(value).slice(8, -1);
    const properties = () => Object.keys(value).map((key) => key + ':' + s(value[key])).join();
    if (value instanceof Map) return 'Map' + s([...value]);
    if (value instanceof Set) return 'Set' + s([...value]);
    if (value instanceof Date) return 'Date ' + value.getTime();
    if (value instanceof RegExp) return String(value) + value.lastIndex;
    if (value instanceof ArrayBuffer)
      return 'buffer(' + [...new Uint8Array(value)] + ' ' + value.maxByteLength + ')';
    if (value instanceof DataView)
      return 'view(' + s(value.buffer) + ' ' + value.byteOffset + ' ' + value.byteLength + ')';
    if (ArrayBuffer.isView(value))
      return name + '(' + s(value.buffer) + ' ' + value.byteOffset + ' ' + value.length + ')';
    if (value instanceof Error)
      return value.name + ' ' + value.constructor.name + ':' + value.message + ':' +
        typeof value.stack + ('cause' in value ? ' because ' + s(value.cause) : '');
    if (value instanceof Blob) return 'Blob ' + value.size + ' ' + value.type;
    if (['Number', 'Boolean', 'String', 'BigInt'].includes(name))
      return 'Object(' + s(value.valueOf()) + ')';
    if (Array.isArray(value)) return '[' + value.length + ' ' + properties() + ']';
    return '{' + properties() + '}';
  };
";

fn page() -> Page {
    let page = Page::new();
    page.run(SHOW);
    page
}

#[test]
fn a_clone_shows_what_the_original_shows() {
    let page = page();
    for expression in [
        "undefined",
        "null",
        "[true, false, 0, -0, 1, -1, 2147483647, -2147483648, 2147483648, 0.5, NaN, Infinity]",
        "[0n, -1n, 123456789012345678901234567890n, -(2n ** 200n)]",
        "['', 'a\\0b', 'm\\u00fcll', '\\ud83d\\ude80', '\\ud800', '\\udc00x']",
        "[new Boolean(false), new Number(-0), new String('\\ud800'), Object(7n)]",
        "[new Date(0), new Date(-1e15), new Date(NaN)]",
        "[/a+/giu, /\\//y, new RegExp('\\n'), new RegExp('[\\u{1f600}]', 'vd')]",
        "(() => { const r = /x/g; r.lastIndex = 3; return r.flags; })()",
        "new Map([[1, 'one'], [{a: 1}, new Map()], [NaN, undefined]])",
        "new Set([3, 'x', {}, new Set([1])])",
        "[1, , 3, , ,]",
        "Object.assign([1], {x: 2, 7: 'far', 4294967295: 'not an index'})",
        "new Array(4294967295)",
        "({b: 1, a: 2, 10: 'x', 2: 'y', '': 'empty', __proto__: null})",
        "JSON.parse('{\"__proto__\": {\"x\": 1}, \"constructor\": 2}')",
        "[new ArrayBuffer(0), new Uint8Array([1, 2, 255]).buffer]",
        "[new ArrayBuffer(3, {maxByteLength: 8}), new ArrayBuffer(0, {maxByteLength: 0})]",
        "[new Uint8Array([1, 2, 3]).subarray(1), new Float64Array([NaN, -0, 1e300])]",
        "[Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
          BigInt64Array, BigUint64Array, Float32Array, Float64Array].map((T) => new T(3))",
        "(() => { const b = new ArrayBuffer(8);
           return [new DataView(b, 2, 3), new Uint16Array(b, 2), b, new Uint8Array(b)]; })()",
        "['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError',
          'URIError'].map((name) => new globalThis[name]('of ' + name))",
        "new Error('outer', {cause: {inner: new TypeError('x', {cause: null})}})",
        "new DOMException('gone', 'NotFoundError').code",
        "new Blob(['abc'], {type: 'text/plain'}).slice(1)",
        "(() => { const a = {}; a.self = a; a.list = [a, [a]]; return a; })()",
        "(() => { const m = new Map(); m.set(m, new Set([m])); return m; })()",
        "(() => { const e = new Error('x'); e.cause = e; return e; })()",
        "(() => { const shared = {n: 1}; return [shared, shared, {shared}]; })()",
        "(function () { return arguments; })(1, 'two')",
    ] {
        let original = page.run(&format!("show({expression})"));
        assert!(!original.starts_with("threw"), "{expression}: {original}");
        let clone = page.run(&format!("show(structuredClone({expression}))"));
        assert_eq!(clone, original, "{expression}");
    }
}

#[test]
fn a_clone_is_another_object_of_the_plain_kind() {
    let page = page();
    for (expression, expected) in [
        (
            "const o = {a: {}}; const c = structuredClone(o); c !== o && c.a !== o.a",
            "true",
        ),
        (
            "class A { x = 1 } structuredClone(new A()).constructor === Object",
            "true",
        ),
        (
            "structuredClone(Object.create({inherited: 1})).inherited",
            "undefined",
        ),
        (
            "show(structuredClone(Object.defineProperty({}, 'x', {value: 1})))",
            "{}",
        ),
        ("show(structuredClone({get x() { return 5; }}))", "{x:5}"),
        ("show(structuredClone({[Symbol('s')]: 1, a: 2}))", "{a:2}"),
        (
            "show(structuredClone({get a() { delete this.b; return 1; }, b: 2}))",
            "{a:1}",
        ),
        (
            "class M extends Map {} structuredClone(new M([[1, 2]])).constructor === Map",
            "true",
        ),
        ("structuredClone(/x/g).lastIndex", "0"),
        (
            "show(structuredClone(new AggregateError([1], 'many')))",
            "Error Error:many:string",
        ),
        (
            "const e = new Error('m'); e.name = 'RangeError'; structuredClone(e) instanceof RangeError",
            "true",
        ),
        (
            "const s = new Error('m'); structuredClone(s).stack === s.stack",
            "true",
        ),
        (
            "structuredClone(new DOMException('m', 'DataError')) instanceof DOMException",
            "true",
        ),
        ("show(structuredClone(new Proxy({}, {}).x))", "undefined"),
        ("structuredClone.length", "1"),
    ] {
        assert_eq!(
            page.run(&format!("{{ {expression} }}")),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn what_scripts_have_replaced_does_not_matter() {
    let page = page();
    page.run(
        "globalThis.value = [new Map([[1, 2]]), new Set([3]), new Date(4), /five/g, new String('6'),
           new Uint8Array([7]), new DataView(new ArrayBuffer(8)), new TypeError('9'), 10n];
         globalThis.before = show(value);
         const saved = [];
         for (const type of [Map, Set, Date, RegExp, String, ArrayBuffer, DataView, BigInt,
                             Object.getPrototypeOf(Uint8Array), Array]) {
           for (const key of Reflect.ownKeys(type.prototype)) {
             if (key === 'constructor') continue;
             const old = Object.getOwnPropertyDescriptor(type.prototype, key);
             if (!old.configurable) continue;
             saved.push([type.prototype, key, old]);
           }
         }
         const boom = () => { throw 'a replaced method was called'; };
         for (let index = 0; index < saved.length; index++) {
           Object.defineProperty(saved[index][0], saved[index][1],
                                 {get: boom, set: boom, configurable: true});
         }
         let cloned, thrown;
         try { cloned = structuredClone(value); } catch (error) { thrown = error; }
         for (let index = 0; index < saved.length; index++) {
           Object.defineProperty(saved[index][0], saved[index][1], saved[index][2]);
         }
         globalThis.cloned = cloned; globalThis.thrown = thrown;",
    );
    assert_eq!(page.run("String(thrown)"), "undefined");
    assert_eq!(page.run("show(cloned) === before"), "true");
}

#[test]
fn what_cannot_be_cloned_is_named() {
    let page = page();
    for (expression, expected) in [
        ("function save() {}", "The function save cannot be cloned."),
        ("() => {}", "A function without a name cannot be cloned."),
        ("Symbol('x')", "A symbol cannot be cloned."),
        (
            "({a: [1, {run() {}}]})",
            "The function run at value.a[1].run cannot be cloned.",
        ),
        (
            "new Map([[1, Symbol()]])",
            "A symbol at value.(entry) cannot be cloned.",
        ),
        ("Promise.resolve()", "The Promise object cannot be cloned."),
        (
            "({w: new WeakMap()})",
            "The WeakMap object at value.w cannot be cloned.",
        ),
        ("new Proxy({}, {})", "A Proxy cannot be cloned."),
        ("new Proxy([], {})", "A Proxy cannot be cloned."),
        ("new Event('x')", "The Event object cannot be cloned."),
        ("self", "The Window object cannot be cloned."),
        ("[].values()", "The Array Iterator object cannot be cloned."),
        ("Object(Symbol())", "The Symbol object cannot be cloned."),
        ("new WeakRef({})", "The WeakRef object cannot be cloned."),
        (
            "(function* () {})()",
            "The Generator object cannot be cloned.",
        ),
        (
            "new Error('x', {cause: () => {}})",
            "The function cause at value.cause cannot be cloned.",
        ),
        (
            "(() => { const b = new ArrayBuffer(1); b.transfer(); return {b}; })()",
            "The ArrayBuffer at value.b is detached: it was transferred before.",
        ),
        (
            "(() => { const v = new Uint8Array(1); v.buffer.transfer(); return v; })()",
            "The Uint8Array object shows an ArrayBuffer that is detached or too small.",
        ),
    ] {
        let script = format!(
            "try {{ structuredClone(({expression})); 'cloned' }}
             catch (e) {{ (e instanceof DOMException) + e.name + e.code + ':' + e.message }}"
        );
        assert_eq!(
            page.run(&script),
            format!("trueDataCloneError25:{expected}"),
            "{expression}"
        );
    }
    assert_eq!(
        page.run("structuredClone({get x() { throw new RangeError('own') }})"),
        "threw RangeError: own"
    );
}

#[test]
fn a_transferred_buffer_is_detached_and_its_bytes_arrive() {
    let page = page();
    for (expression, expected) in [
        (
            "const b = new Uint8Array([1, 2]).buffer;
             const c = structuredClone({b, v: new Uint8Array(b, 1)}, {transfer: [b]});
             b.detached + ' ' + show(c)",
            "true {b:buffer(1,2 2),v:Uint8Array(#1 1 1)}",
        ),
        (
            "const b = new ArrayBuffer(1); structuredClone(1, {transfer: [b]}); b.detached",
            "true",
        ),
        (
            "const b = new ArrayBuffer(1);
             try { structuredClone(1, {transfer: [b, b]}) } catch (e) { e.name + b.detached }",
            "DataCloneErrorfalse",
        ),
        (
            "const b = new ArrayBuffer(1);
             try { structuredClone(() => {}, {transfer: [b]}) } catch (e) { e.name + b.detached }",
            "DataCloneErrorfalse",
        ),
        (
            "try { structuredClone(1, {transfer: [{}]}) } catch (e) { e.message }",
            "The Object object cannot be transferred.",
        ),
        (
            "const b = new ArrayBuffer(1); b.transfer();
             try { structuredClone(1, {transfer: [b]}) } catch (e) { e.message }",
            "An ArrayBuffer to transfer is detached: it was transferred before.",
        ),
        (
            "const b = new Uint8Array([1]).buffer;
             show(structuredClone({get x() { new Uint8Array(b)[0] = 9; return 1; }, b},
                                  {transfer: [b]}))",
            "{x:1,b:buffer(9 1)}",
        ),
    ] {
        assert_eq!(
            page.run(&format!("{{ {expression} }}")),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn depth_is_no_danger() {
    let page = page();
    page.run(
        "globalThis.deep = null;
         for (let i = 0; i < 200000; i++) deep = i % 3 ? {deep} : i % 2 ? [deep] : new Map([[1, deep]]);
         const clone = structuredClone(deep);
         globalThis.depth = 0;
         for (let at = clone; at; at = at instanceof Map ? at.get(1) : at.deep ?? at[0]) depth++;",
    );
    assert_eq!(page.run("depth"), "200000");
    page.run("deep = null");
}

#[test]
fn a_clone_belongs_to_the_realm_that_reads_it() {
    let one = page();
    let other = Page::in_runtime(&one.runtime);
    let value = one
        .realm
        .evaluate("[new Map(), new Error('x'), {}]", "x.js");
    let bytes = serialize(&one.realm, &value.ok().unwrap(), &[])
        .ok()
        .unwrap();
    let clone = deserialize(&other.realm, &bytes).ok().unwrap();
    let global = other.realm.global_value();
    global.set(&other.realm, "clone", &clone).ok().unwrap();
    assert_eq!(
        other.run(
            "clone[0] instanceof Map && clone[1] instanceof Error && clone instanceof Array
                   && clone[2] instanceof Object"
        ),
        "true"
    );
}

/// The format is stored by others, so that it may not change unnoticed.
#[test]
fn the_format_is_the_documented_one() {
    let page = page();
    for (expression, bytes) in [
        ("undefined", &[1, 0, 0][..]),
        ("-2", &[1, 0, 4, 3]),
        ("1.5", &[1, 0, 5, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        ("'ab'", &[1, 0, 7, 4, b'a', b'b']),
        ("'\\u20ac'", &[1, 0, 7, 3, 0xac, 0x20]),
        (
            "({a: [true,, null]})",
            &[1, 0, 12, 3, 2, b'a', 13, 3, 1, 3, 2, 2, 1, 0, 0],
        ),
        ("new Uint8Array([5])", &[1, 0, 17, 16, 1, 5, 0, 2, 0, 1]),
    ] {
        let value = page.realm.evaluate(expression, "x.js").ok().unwrap();
        assert_eq!(
            serialize(&page.realm, &value, &[]).ok().unwrap(),
            bytes,
            "{expression}"
        );
    }
}

/// Reads bytes and, if they are a value, makes sure that it is one that can be used.
fn read_and_use(realm: &RealmHandle, bytes: &[u8]) {
    match deserialize(realm, bytes) {
        Ok(value) => {
            let global = realm.global_value();
            global.set(realm, "value", &value).ok().unwrap();
            let _ = realm.evaluate("show(value)", "x.js");
            let _ = serialize(realm, &value, &[]);
        }
        Err(Error::Dom(_) | Error::Thrown(_)) => {}
        Err(Error::Type(_) | Error::Range(_)) => {
            panic!("an error that structured clone does not have")
        }
    }
}

fn samples(page: &Page) -> Vec<Vec<u8>> {
    let value = |expression: &str| page.realm.evaluate(expression, "x.js").ok().unwrap();
    let serialized = |value: Value| serialize(&page.realm, &value, &[]).ok().unwrap();
    [
        "[1, 2.5, 'text', '\\u20ac', -5n, null, undefined, true, new Date(5), /x/g]",
        "const o = {m: new Map([[{}, new Set([1, 2])]]), e: new Error('x', {cause: [1]})}; o.o = o; o",
        "const b = new ArrayBuffer(16); [new DataView(b, 1), new Float64Array(b), new Int8Array(b, 3, 4)]",
        "[new Blob(['x']), new DOMException('m', 'DataError'), Object('s'), new ArrayBuffer(1, {maxByteLength: 2})]",
    ]
    .iter()
    .map(|expression| serialized(value(&format!("(() => {{ return eval({expression:?}) }})()"))))
    .collect()
}

#[test]
fn truncated_bytes_are_refused() {
    let page = page();
    for sample in samples(&page) {
        assert!(deserialize(&page.realm, &sample).is_ok());
        for length in 0..sample.len() {
            assert!(
                deserialize(&page.realm, &sample[..length]).is_err(),
                "{length}"
            );
        }
        assert!(deserialize(&page.realm, &[&sample[..], &[0]].concat()).is_err());
    }
}

#[test]
fn damaged_bytes_do_no_harm() {
    let page = page();
    let samples = samples(&page);
    let strategy = (
        0..samples.len(),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    );
    proptest!(ProptestConfig::with_cases(2000), |((sample, changes) in strategy)| {
        let mut bytes = samples[sample].clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_and_use(&page.realm, &bytes);
    });
}

#[test]
fn bytes_from_anywhere_do_no_harm() {
    let page = page();
    let strategy = prop::collection::vec(prop_oneof![0_u8..24, any::<u8>()], 0..64);
    proptest!(ProptestConfig::with_cases(3000), |(rest in strategy)| {
        read_and_use(&page.realm, &[&[1, 0], &rest[..]].concat());
    });
}

proptest! {
    #[test]
    fn json_values_come_back(text in json()) {
        let page = page();
        let value = page.realm.parse_json(&text).ok().unwrap();
        let bytes = serialize(&page.realm, &value, &[]).ok().unwrap();
        let clone = deserialize(&page.realm, &bytes).ok().unwrap();
        let json = |value: &Value| {
            let json = page.realm.to_json(value).ok().unwrap();
            json.to_dom_string(&page.realm).ok().unwrap()
        };
        prop_assert_eq!(json(&clone), json(&value));
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        (-1e20..1e20).prop_map(|value: f64| value.to_string()),
        "[a-z\u{e4}\u{20ac}]{0,5}".prop_map(|text| format!("{text:?}")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-c0-9]{1,2}", inner), 0..6).prop_map(|entries| {
                let entries = entries.iter().map(|(key, item)| format!("{key:?}:{item}"));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}
