//! Dedicated and shared workers, and blob URLs.

use base::channel::Received;
use base::ids::ClientId;
use script::ScriptReport;
use sw_traits::{ClientKind, ControllerSource, SwRegistrationMessage};

use super::{Browser, PATIENCE, Site, Window, is_error, line};

const SCRIPT: &str = "text/javascript";

/// What a page that waits for workers has.
const PAGE: &str = "<script>
  const next = (target, type = 'message') =>
    new Promise(resolve => target.addEventListener(type, resolve, { once: true }));
  const answer = async target => (await next(target)).data;
  const inline = (code, options) =>
    new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), options);
</script>";

/// The result of a script that declares nothing for the next one.
fn text(window: &Window<'_>, script: &str) -> String {
    window.text(&format!("{{ {script} }}"))
}

fn site(scripts: &[(&'static str, &'static str)]) -> Site {
    let mut pages = vec![("/", "text/html", PAGE)];
    pages.extend(scripts.iter().map(|(path, code)| (*path, SCRIPT, *code)));
    Site::new(&pages)
}

#[test]
fn a_worker_and_its_page_exchange_messages() {
    let site = site(&[(
        "/echo.js",
        "postMessage([name, self instanceof DedicatedWorkerGlobalScope, typeof Window,
           location.pathname, self === globalThis, isSecureContext].join());
         onmessage = e => {
           const { data, ports } = e;
           postMessage({ data, ports: ports.length, origin: e.origin, source: e.source }, ports);
         };",
    )]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(
        text(
            &window,
            "worker = new Worker('echo.js#x', { name: 'Echo' }); answer(worker)"
        ),
        "Echo,true,undefined,/echo.js,true,true"
    );
    assert_eq!(
        text(
            &window,
            "const { port1, port2 } = new MessageChannel(), buffer = new ArrayBuffer(3);
             worker.postMessage({ buffer, when: new Date(5) }, [port2, buffer]);
             next(worker).then(e => [e.data.data.buffer.byteLength, buffer.byteLength,
               e.data.data.when.getTime(), e.data.ports, e.data.origin === '', e.data.source,
               e.ports.length, e.target === worker, e.isTrusted].join())"
        ),
        "3,0,5,1,true,,1,true,true"
    );
    window.close();
    assert_eq!(site.requests(), ["GET /", "GET /echo.js"]);
}

#[test]
fn messages_wait_until_the_worker_listens_and_come_before_it_closes() {
    let site = site(&[
        (
            "/late.js",
            "importScripts('one.js', 'two.js'); onmessage = e => postMessage(log + e.data)",
        ),
        ("/one.js", "var log = 'one '"),
        ("/two.js", "log += 'two '"),
        (
            "/closing.js",
            "postMessage('a'); postMessage('b'); close(); postMessage('c');
                         setTimeout(() => postMessage('never'), 0)",
        ),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(
        text(
            &window,
            "worker = new Worker('late.js'); worker.postMessage('early'); answer(worker)"
        ),
        "one two early"
    );
    assert_eq!(
        text(
            &window,
            "const closing = new Worker('closing.js'), got = [];
             new Promise(resolve => closing.onmessage = e => {
               got.push(e.data); if (got.length === 3) resolve(got.join()) })"
        ),
        "a,b,c"
    );
    window.close();
}

#[test]
fn what_a_worker_does_not_handle_comes_to_its_page() {
    let site = site(&[
        (
            "/throws.js",
            "onmessage = () => {\n  throw new RangeError('too far') }",
        ),
        (
            "/handles.js",
            "onerror = () => true; setTimeout(() => postMessage('handled')); throw 1",
        ),
        ("/wrong.js", "let = ;"),
        (
            "/rejects.js",
            "Promise.reject(new Error('nobody')); setTimeout(() => postMessage('done'))",
        ),
        (
            "/missing-import.js",
            "try { importScripts('/none.js') } catch (e) { postMessage(e.name) }",
        ),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    let file = site.url("/throws.js");
    assert_eq!(
        text(
            &window,
            "worker = new Worker('throws.js'); worker.postMessage(0);
             worker.onerror = e => { e.preventDefault() };
             next(worker, 'error').then(e => [e instanceof ErrorEvent, e.message, e.filename,
               e.lineno, e.colno > 0, e.cancelable, e.error].join())"
        ),
        format!("true,RangeError: too far,{file},2,true,true,")
    );
    // What the page does not handle either is reported, once.
    assert_eq!(
        text(
            &window,
            "worker.onerror = null; worker.postMessage(0);
             next(window, 'error').then(e => [e.message, e.error].join())"
        ),
        "RangeError: too far,"
    );
    let (_, report) = window.wait_for(is_error);
    assert!(line(report).contains("Uncaught RangeError: too far"));
    assert_eq!(text(&window, "answer(new Worker('handles.js'))"), "handled");
    assert_eq!(
        text(
            &window,
            "const wrong = new Worker('wrong.js'); wrong.onerror = e => e.preventDefault();
             next(wrong, 'error').then(e => e.message.slice(0, 11))"
        ),
        "SyntaxError"
    );
    assert_eq!(text(&window, "answer(new Worker('rejects.js'))"), "done");
    let (_, report) = window.wait_for(is_error);
    assert!(line(report).contains("Uncaught (in promise) Error: nobody"));
    assert_eq!(
        text(&window, "answer(new Worker('missing-import.js'))"),
        "NetworkError"
    );
    window.close();
}

#[test]
fn a_worker_without_a_script_is_an_error_event() {
    let other = site(&[("/script.js", "postMessage('never')")]);
    let site = Site::new(&[
        ("/", "text/html", PAGE),
        ("/text.js", "text/plain", "postMessage('never')"),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    let elsewhere = other.url("/script.js");
    for url in ["none.js", "text.js", elsewhere.as_str(), "blob:null/gone"] {
        assert_eq!(
            text(
                &window,
                &format!(
                    "next(new Worker('{url}'), 'error').then(e => [e.type, e.constructor.name,
                   e.cancelable].join())"
                )
            ),
            "error,Event,false",
            "{url}"
        );
    }
    assert_eq!(
        text(
            &window,
            "try { new Worker('http://[') } catch (e) { e.name }"
        ),
        "SyntaxError"
    );
    window.close();
}

#[test]
fn workers_come_from_blob_and_data_urls_and_have_workers_of_their_own() {
    let site = site(&[
        (
            "/outer.js",
            "const inner = new Worker('inner.js'); inner.onmessage = e => postMessage('outer ' + e.data)",
        ),
        ("/inner.js", "postMessage('inner ' + location.pathname)"),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(
        text(&window, "answer(new Worker('outer.js'))"),
        "outer inner /inner.js"
    );
    assert_eq!(
        text(
            &window,
            "const code = new Blob(['postMessage([location.protocol, location.origin].join())'],
               { type: 'text/javascript' });
             const url = URL.createObjectURL(code);
             const worker = new Worker(url); URL.revokeObjectURL(url);
             answer(worker).then(data => data === 'blob:,' + origin)"
        ),
        "true"
    );
    assert_eq!(
        text(
            &window,
            "answer(new Worker('data:text/javascript,postMessage(location.origin)'))"
        ),
        "null"
    );
    assert_eq!(
        text(
            &window,
            "const lib = URL.createObjectURL(new Blob(['var x = 6'], { type: 'text/javascript' }));
             answer(inline(`importScripts('${lib}'); postMessage(x * 7)`))"
        ),
        "42"
    );
    window.close();
}

#[test]
fn a_module_worker_imports() {
    let site = site(&[
        (
            "/main.js",
            "import { word } from './lib.js';
                      let refused; try { importScripts('lib.js') } catch (e) { refused = e.name }
                      onmessage = e => postMessage([word, refused, e.data].join());",
        ),
        ("/lib.js", "export const word = 'imported'"),
        (
            "/shared.js",
            "import { word } from './lib.js'; onconnect = e => e.ports[0].postMessage(word)",
        ),
        ("/bad.js", "import './none.js'"),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(
        text(
            &window,
            "const worker = new Worker('main.js', { type: 'module' });
             worker.postMessage('early'); answer(worker)"
        ),
        "imported,TypeError,early"
    );
    assert_eq!(
        text(
            &window,
            "next(new Worker('bad.js', { type: 'module' }), 'error').then(e => e.type)"
        ),
        "error"
    );
    assert_eq!(
        text(
            &window,
            "const { port } = new SharedWorker('shared.js', { type: 'module' }); port.start();
             answer(port)"
        ),
        "imported"
    );
    window.close();
}

#[test]
fn a_worker_ends_when_it_is_told_to_and_with_its_page() {
    let site = site(&[
        ("/busy.js", "postMessage('busy'); for (;;);"),
        (
            "/waits.js",
            "postMessage('waits'); importScripts('/never.js')",
        ),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(
        text(&window, "busy = new Worker('busy.js'); answer(busy)"),
        "busy"
    );
    assert_eq!(
        text(
            &window,
            "busy.terminate(); busy.terminate(); busy.postMessage('into the void');
             const { port1, port2 } = new MessageChannel(); busy.postMessage(0, [port2]);
             next(port1, 'close').then(e => e.type)"
        ),
        "close"
    );
    assert_eq!(
        text(&window, "other = new Worker('busy.js'); answer(other)"),
        "busy"
    );
    // The thread is waited for: what is left behind fails the test.
    window.close();
}

#[test]
fn workers_are_clients_that_get_their_controller_from_their_url_or_their_owner() {
    let site = site(&[
        (
            "/worker.js",
            "postMessage(typeof navigator.serviceWorker.ready.then)",
        ),
        (
            "/shared.js",
            "onconnect = e => e.ports[0].postMessage('connected')",
        ),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(
        text(&window, "answer(worker = new Worker('worker.js'))"),
        "function"
    );
    assert_eq!(
        text(&window, "answer(blob = inline('postMessage(1)'))"),
        "1"
    );
    assert_eq!(
        text(
            &window,
            "answer(new Worker('data:text/javascript,postMessage(2)'))"
        ),
        "2"
    );
    text(
        &window,
        "shared = new SharedWorker('shared.js'); shared.port.start(); answer(shared.port)",
    );
    let mut page: Option<ClientId> = None;
    let mut attached = Vec::new();
    while attached.len() < 3 {
        let Received::Message(message) = browser.clients.recv_timeout(Some(PATIENCE)) else {
            panic!("a client is missing: {attached:?}");
        };
        if let SwRegistrationMessage::AttachClient { client, .. } = message {
            if client.kind == ClientKind::Window {
                page = Some(client.id);
            } else {
                attached.push((
                    client.kind,
                    client.creation_url.scheme().to_owned(),
                    client.controller,
                ));
            }
        }
    }
    assert_eq!(
        attached,
        [
            (
                ClientKind::DedicatedWorker,
                "http".to_owned(),
                ControllerSource::Url
            ),
            (
                ClientKind::DedicatedWorker,
                "blob".to_owned(),
                ControllerSource::Client(page.unwrap())
            ),
            (
                ClientKind::SharedWorker,
                "http".to_owned(),
                ControllerSource::Url
            ),
        ]
    );
    window.close();
}

#[test]
fn windows_share_a_worker_until_the_last_of_them_goes() {
    let site = site(&[(
        "/shared.js",
        "let count = 0;
         onconnect = e => {
           const [port] = e.ports; count += 1;
           port.onmessage = ({ data }) => port.postMessage([data, count, name].join());
           port.postMessage([count, e.source === port, e.data === '', e.target === self,
             self instanceof SharedWorkerGlobalScope].join());
         };",
    )]);
    let browser = Browser::new();
    let (one, two) = (browser.load(site.url("/")), browser.load(site.url("/")));
    let connect = |options: &str| {
        format!(
            "shared = new SharedWorker('shared.js'{options}); shared.port.start();
             answer(shared.port)"
        )
    };
    assert_eq!(text(&one, &connect("")), "1,true,true,true,true");
    assert_eq!(text(&two, &connect("")), "2,true,true,true,true");
    assert_eq!(
        text(
            &two,
            "shared.port.postMessage('again'); answer(shared.port)"
        ),
        "again,2,"
    );
    // Another name is another worker.
    assert_eq!(text(&one, &connect(", 'named'")), "1,true,true,true,true");
    assert_eq!(
        text(&one, &connect(", { name: 'named' }")),
        "2,true,true,true,true"
    );
    assert_eq!(
        text(
            &two,
            "next(new SharedWorker('shared.js', { type: 'module' }), 'error').then(e => e.type)"
        ),
        "error"
    );
    one.close();
    assert_eq!(text(&two, &connect("")), "3,true,true,true,true");
    two.close();
    // Nobody is connected any more, so it starts anew.
    let three = browser.load(site.url("/"));
    assert_eq!(text(&three, &connect("")), "1,true,true,true,true");
    three.close();
}

#[test]
fn a_shared_worker_that_fails_tells_its_page_and_may_be_tried_again() {
    let site = site(&[(
        "/throws.js",
        "onconnect = e => { e.ports[0].postMessage('here'); throw new Error('later') }",
    )]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    for _ in 0..2 {
        assert_eq!(
            text(
                &window,
                "next(new SharedWorker('none.js'), 'error').then(e => e.constructor.name)"
            ),
            "Event"
        );
    }
    assert_eq!(
        text(
            &window,
            "const shared = new SharedWorker('throws.js'); shared.port.start();
             answer(shared.port)"
        ),
        "here"
    );
    // It is nobody's in particular: the developer is told.
    let (_, report) = window.wait_for(is_error);
    assert!(line(report).contains("Error: later"));
    window.close();
}

#[test]
fn a_blob_url_is_there_for_its_origin_until_it_is_revoked() {
    let site = site(&[]);
    let browser = Browser::new();
    let (one, two) = (browser.load(site.url("/")), browser.load(site.url("/")));
    let url = text(
        &one,
        "url = URL.createObjectURL(new Blob(['some ', 'text'], { type: 'text/x-test' })); url",
    );
    assert!(
        url.starts_with(&format!("blob:http://{}/", site.address)),
        "{url}"
    );
    for window in [&one, &two] {
        assert_eq!(
            text(
                window,
                &format!(
                    "fetch(`{url}`).then(async r => [r.status, r.headers.get('content-type'),
                   r.headers.get('content-length'), await r.text(), r.url === `{url}`].join())"
                )
            ),
            "200,text/x-test,9,some text,true"
        );
    }
    assert_eq!(
        text(
            &two,
            &format!("fetch(`{url}`, {{ method: 'POST' }}).catch(e => e.name)")
        ),
        "TypeError"
    );
    let second = text(&one, "URL.createObjectURL(new Blob())");
    text(
        &two,
        &format!("URL.revokeObjectURL(`{url}`); URL.revokeObjectURL('no URL')"),
    );
    assert_eq!(text(&one, "fetch(url).catch(e => e.name)"), "TypeError");
    one.close();
    // It goes with the page that made it.
    assert_eq!(
        text(&two, &format!("fetch(`{second}`).catch(e => e.name)")),
        "TypeError"
    );
    let closed = |report: &ScriptReport| matches!(report, ScriptReport::PageClosed { .. });
    two.handle.close();
    two.wait_for(closed);
}
