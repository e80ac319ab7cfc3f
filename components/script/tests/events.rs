//! `EventTarget`, `Event`, the console, and the reporting of errors.

use crate::Page;

#[test]
fn listeners_run_in_order_and_handlers_keep_their_place() {
    let page = Page::new();
    let result = page.run(
        "const log = []; const target = self;
         target.addEventListener('load', () => log.push('first'));
         onload = () => log.push('handler');
         target.addEventListener('load', { handleEvent() { log.push('object'); } });
         onload = () => log.push('other handler');
         target.addEventListener('load', () => log.push('once'), { once: true });
         dispatchEvent(new Event('load')); dispatchEvent(new Event('load'));
         log.join()",
    );
    assert_eq!(
        result,
        "first,other handler,object,once,first,other handler,object"
    );
}

#[test]
fn an_event_has_its_dictionary_and_can_be_canceled() {
    let page = Page::new();
    let result = page.run(
        "const e = new CustomEvent('x', { cancelable: true, detail: 5 });
         const t = new EventTarget(); t.addEventListener('x', e => e.preventDefault());
         [t.dispatchEvent(e), e.defaultPrevented, e.detail, e.isTrusted, e.bubbles, e.type,
          e.target === t, e instanceof Event].join()",
    );
    assert_eq!(result, "false,true,5,false,false,x,true,true");
}

#[test]
fn an_exception_in_a_listener_is_reported_and_the_next_listener_runs() {
    let page = Page::new();
    let result = page.run(
        "let ran = false; const t = new EventTarget();
         t.addEventListener('x', () => { throw new RangeError('oh'); });
         t.addEventListener('x', () => { ran = true; });
         t.dispatchEvent(new Event('x')); ran",
    );
    assert_eq!(result, "true");
    assert_eq!(page.uncaught(), ["RangeError: oh"]);
    let report = page.log.uncaught.borrow()[0].clone();
    assert_eq!((report.source_url.as_str(), report.line), ("test.js", 2));
}

#[test]
fn an_error_handler_gets_five_arguments_and_true_cancels() {
    let page = Page::new();
    page.run("onerror = (...all) => { self.got = all; return true; };");
    page.run("queueMicrotask(() => { throw new TypeError('bad'); })");
    assert_eq!(
        page.run("got[0] + ' ' + got.length + ' ' + (got[4] instanceof TypeError)"),
        "TypeError: bad 5 true"
    );
    assert!(page.uncaught().is_empty());
}

#[test]
fn a_rejection_that_nothing_handles_is_reported_once() {
    let page = Page::new();
    page.run("Promise.reject(new Error('lost')); Promise.reject(1).catch(() => {});");
    assert_eq!(page.uncaught(), ["Error: lost"]);
    page.run("onunhandledrejection = e => { self.reason = e.reason; e.preventDefault(); };");
    page.run("Promise.reject('seen')");
    assert_eq!(page.run("reason"), "seen");
    assert_eq!(page.uncaught().len(), 1);
}

#[test]
fn the_console_shows_values() {
    let page = Page::new();
    page.run(
        "const cycle = { name: 'x' }; cycle.self = cycle;
         console.log('%s is %d', 'a', 4.5, [1, 'b', null], { a: { b: new Map([[1, 2]]) } });
         console.log(cycle, -0, 10n, Symbol('s'), () => {}, new Event('e'));
         console.assert(false, 'no'); console.count(); console.count();",
    );
    assert_eq!(
        page.console(),
        [
            "a is 4 [ 1, 'b', null ] { a: { b: Map(1) { 1 => 2 } } }",
            "{ name: 'x', self: [Circular] } -0 10n Symbol(s) [Function (anonymous)] Event { isTrusted: [Getter] }",
            "Assertion failed: no",
            "default: 1",
            "default: 2",
        ]
    );
}

#[test]
fn a_rejection_handler_that_rejects_is_called_again_and_in_order() {
    let page = Page::new();
    page.run(
        "self.reasons = [];
         onunhandledrejection = e => {
           e.preventDefault();
           reasons.push(e.reason);
           if (reasons.length < 4999) Promise.reject(reasons.length + 2);
         };
         Promise.reject(1); const late = Promise.reject('handled'); Promise.reject(2);
         late.catch(() => {});",
    );
    assert_eq!(page.run("reasons.length"), "5000");
    assert_eq!(
        page.run("reasons.every((reason, index) => reason === index + 1)"),
        "true"
    );
    assert_eq!(page.uncaught(), Vec::<String>::new());
}
