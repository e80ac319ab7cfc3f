//! What Web IDL demands of every binding.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use script::bindings::{RuntimeLimits, ScriptRuntime};

use crate::Page;

#[test]
fn properties_have_the_flags_that_web_idl_demands() {
    let page = Page::new();
    page.run(
        "function flags(object, key) {
           const d = Object.getOwnPropertyDescriptor(object, key);
           if (!d) return 'missing';
           return (d.writable ? 'w' : '-') + (d.enumerable ? 'e' : '-') +
                  (d.configurable ? 'c' : '-') + (d.get ? ' ' + d.get.name : '') +
                  (d.set ? ' ' + d.set.name : '');
         }",
    );
    for (expression, expected) in [
        ("flags(self, 'Event')", "w-c"),
        ("flags(self, 'console')", "w-c"),
        ("flags(Event, 'prototype')", "---"),
        ("flags(Event.prototype, 'constructor')", "w-c"),
        ("flags(Event.prototype, 'type')", "-ec get type"),
        (
            "flags(Event.prototype, 'returnValue')",
            "-ec get returnValue set returnValue",
        ),
        ("flags(Event.prototype, 'preventDefault')", "wec"),
        ("flags(Event.prototype, Symbol.toStringTag)", "--c"),
        ("flags(Event, 'AT_TARGET')", "-e-"),
        ("flags(Event.prototype, 'AT_TARGET')", "-e-"),
        ("flags(Event.prototype, 'isTrusted')", "missing"),
        ("flags(new Event('x'), 'isTrusted')", "-e- get isTrusted"),
        ("flags(self, 'onerror')", "-ec get onerror set onerror"),
        ("flags(self, 'queueMicrotask')", "wec"),
        ("flags(self, 'window')", "-e- get window"),
        ("flags(Window.prototype, 'onerror')", "missing"),
        ("flags(console, 'log')", "wec"),
        ("Event.length + Event.name", "1Event"),
        ("EventTarget.prototype.addEventListener.length", "2"),
        ("console.log.length", "0"),
        ("Object.getPrototypeOf(CustomEvent) === Event", "true"),
        (
            "Object.getPrototypeOf(CustomEvent.prototype) === Event.prototype",
            "true",
        ),
        (
            "Object.getPrototypeOf(DOMException.prototype) === Error.prototype",
            "true",
        ),
        ("Object.getPrototypeOf(self) === Window.prototype", "true"),
        (
            "Object.getPrototypeOf(Window.prototype) === EventTarget.prototype",
            "true",
        ),
        (
            "Object.prototype.toString.call(new Event('x'))",
            "[object Event]",
        ),
        ("Object.keys(new EventTarget()).length", "0"),
        ("self === window && window === globalThis", "true"),
        ("typeof ServiceWorkerGlobalScope", "undefined"),
        ("String(console)", "[object console]"),
        ("new DOMException('m', 'AbortError').code", "20"),
        ("new DOMException('m', 'AbortError') + ''", "AbortError: m"),
        ("'stack' in new DOMException()", "true"),
        ("self.foo = 1; foo", "1"),
    ] {
        assert_eq!(page.run(expression), expected, "{expression}");
    }
}

#[test]
fn a_service_worker_has_its_own_global_scope() {
    let page = Page::service_worker();
    assert_eq!(
        page.run("typeof Window + self.constructor.name"),
        "undefinedServiceWorkerGlobalScope"
    );
    assert_eq!(
        page.run("self instanceof WorkerGlobalScope && self === globalThis"),
        "true"
    );
    assert_eq!(page.run("self.hasOwnProperty('onerror')"), "false");
}

#[test]
fn a_wrong_this_or_argument_has_a_message_that_names_the_member() {
    let page = Page::new();
    for (expression, expected) in [
        (
            "Event.prototype.preventDefault.call({})",
            "threw TypeError: Failed to execute 'preventDefault' on 'Event': Illegal invocation: \
             'this' is not an object of type Event",
        ),
        (
            "Object.getOwnPropertyDescriptor(Event.prototype, 'type').get.call(new EventTarget())",
            "threw TypeError: Failed to read 'type' on 'Event': Illegal invocation: 'this' is not \
             an object of type Event",
        ),
        (
            "Event('x')",
            "threw TypeError: Failed to construct 'Event': Please use the 'new' operator, this \
             constructor cannot be called as a function.",
        ),
        (
            "new Event()",
            "threw TypeError: Failed to construct 'Event': 1 argument required, but only 0 present.",
        ),
        (
            "new Window()",
            "threw TypeError: Failed to construct 'Window': Illegal constructor",
        ),
        (
            "dispatchEvent({})",
            "threw TypeError: Failed to execute 'dispatchEvent' on 'EventTarget': parameter 1: The \
             provided value is not of type 'Event'.",
        ),
    ] {
        assert_eq!(page.run(expression), expected, "{expression}");
    }
}

#[test]
fn subclasses_and_null_receivers_work() {
    let page = Page::new();
    assert_eq!(
        page.run("class E extends Event {}; const e = new E('x'); (e instanceof E) + e.type"),
        "truex"
    );
    assert_eq!(page.run("let n = 0; addEventListener.call(null, 'x', () => n++); dispatchEvent(new Event('x')); n"), "1");
}

#[test]
fn lone_surrogates_survive() {
    let page = Page::new();
    assert_eq!(
        page.run("new Event('\\ud800x').type === '\\ud800x'"),
        "true"
    );
    assert_eq!(
        page.run("new ErrorEvent('e', { filename: '\\ud800' }).filename === '\\ufffd'"),
        "true"
    );
}

#[test]
fn cycles_through_platform_objects_are_collected() {
    let page = Page::new();
    let before = page.runtime.state().host_objects();
    page.run(
        "for (let i = 0; i < 2000; i++) {
           const t = new EventTarget(); const e = new CustomEvent('x', { detail: t });
           t.event = e; t.addEventListener('x', () => [t, e]);
         }",
    );
    page.runtime.collect_garbage();
    assert_eq!(page.runtime.state().host_objects(), before);
}

#[test]
fn a_realm_is_collected_with_all_that_it_made() {
    let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
    let page = Page::in_runtime(&runtime);
    page.run("addEventListener('x', () => self); onerror = () => {}; self.t = new EventTarget()");
    drop(page);
    runtime.collect_garbage();
    assert_eq!(runtime.state().host_objects(), 0);
}

#[test]
fn a_script_that_never_ends_is_stopped() {
    let page = Page::new();
    let flag = page.runtime.stop_flag();
    let other = std::thread::spawn(move || flag.store(true, Ordering::Relaxed));
    let result = page.run("try { for (;;) {} } catch {} finally { for (;;) {} }");
    other.join().unwrap();
    assert!(result.contains("interrupted"), "{result}");
    page.runtime.stop_flag().store(false, Ordering::Relaxed);
    assert_eq!(page.run("1 + 1"), "2");
}

#[test]
fn realms_have_prototypes_of_their_own_and_errors_belong_to_the_callee() {
    let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
    let (one, two) = (Page::in_runtime(&runtime), Page::in_runtime(&runtime));
    let global = one.realm.global_value();
    two.realm
        .global_value()
        .set(&two.realm, "other", &global)
        .ok()
        .unwrap();
    assert_eq!(
        two.run("other.Event !== Event && other.Event.prototype !== Event.prototype"),
        "true"
    );
    assert_eq!(
        two.run("try { new other.Event() } catch (e) { e instanceof other.TypeError }"),
        "true"
    );
    assert_eq!(
        two.run("other.EventTarget.prototype.dispatchEvent.call(self, new Event('x'))"),
        "true"
    );
    assert_eq!(
        two.run(
            "const f = Object.getOwnPropertyDescriptor(Event.prototype, 'type').get;
             f.call(new other.Event('y'))"
        ),
        "y"
    );
}

#[test]
fn bytes_are_read_past_what_a_page_has_patched() {
    let page = Page::new();
    assert_eq!(
        page.run(
            "const decode = view => new TextDecoder().decode(view);
             const bytes = new TextEncoder().encode('hello');
             const typed = Object.getPrototypeOf(Uint8Array.prototype);
             for (const prototype of [typed, DataView.prototype])
                 for (const name of ['byteOffset', 'byteLength', 'buffer'])
                     Object.defineProperty(prototype, name, { get() { return 1 } });
             decode(bytes.subarray(1, 3)) + decode(new DataView(new ArrayBuffer(2))).length"
        ),
        "el2"
    );
    assert_eq!(
        page.run(
            "Object.prototype.toString = () => 'Float';
             const random = crypto.getRandomValues(new Uint8Array(64));
             let refused = '';
             try { crypto.getRandomValues(new Float32Array(1)) } catch (e) { refused = e.name }
             random.some(byte => byte) + refused"
        ),
        "trueInvalidModificationError"
    );
}

#[test]
fn default_iterators_do_not_use_what_a_page_has_patched() {
    let page = Page::new();
    assert_eq!(
        page.run(
            "const headers = new URLSearchParams('a=b');
             Array.prototype[Symbol.iterator] = () => { throw 'patched' };
             headers.keys().next().value"
        ),
        "a"
    );
}

#[test]
fn memory_and_stack_limits_hold() {
    let limits = RuntimeLimits {
        memory: 4 << 20,
        ..RuntimeLimits::default()
    };
    let page = Page::in_runtime(&Rc::new(ScriptRuntime::new(limits).ok().unwrap()));
    assert!(
        page.run("const a = []; for (;;) a.push(new Array(1000).fill(1.5));")
            .contains("threw")
    );
    let page = Page::new();
    assert!(page.run("(function f() { f(); })()").contains("RangeError"));
}

#[test]
fn the_global_object_and_what_it_inherits_from_keep_their_prototypes() {
    for page in [Page::new(), Page::service_worker()] {
        let chain = "let kinds = [];
            for (let object = self; object; object = Object.getPrototypeOf(object)) {
                const current = Object.getPrototypeOf(object);
                let kind = '';
                try { Object.setPrototypeOf(object, {}); kind += 'O' } catch (e) { kind += e.name[0] }
                try { object.__proto__ = null; kind += 'A' } catch (e) { kind += e.name[0] }
                kind += Reflect.setPrototypeOf(object, {});
                kind += Reflect.setPrototypeOf(object, current);
                kinds.push(kind, Object.setPrototypeOf(object, current) === object);
            }
            new Set(kinds.filter((_, index) => kinds.length - index > 2)).size + ' ' + kinds";
        let kinds = page.run(chain);
        assert!(
            kinds.starts_with("2 TTfalsetrue,true,TTfalsetrue,true,"),
            "{kinds}"
        );
    }
}

#[test]
fn other_objects_get_other_prototypes() {
    let page = Page::new();
    let script = "const a = {}, b = {};
        const results = [Object.setPrototypeOf(a, b) === a, Reflect.setPrototypeOf(b, null),
            Object.getPrototypeOf(a) === b, Object.setPrototypeOf.name, Object.setPrototypeOf.length];
        try { Object.setPrototypeOf(a, 1) } catch (error) { results.push(error.name) }
        try { Object.setPrototypeOf() } catch (error) { results.push(error.name) }
        const object = {}; object.__proto__ = Array.prototype;
        results.push(object instanceof Array, String(window));
        results.join()";
    assert_eq!(
        page.run(script),
        "true,true,true,setPrototypeOf,2,TypeError,TypeError,true,[object Window]"
    );
}
