//! Module scripts of pages.

use super::*;

const JS: &str = "text/javascript";
const HTML: &str = "text/html";

fn lines(pages: &[(&str, &str, &str)]) -> Vec<String> {
    let site = Site::new(pages);
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    let lines = window.lines_until_loaded();
    window.close();
    let address = site.url("/").to_string();
    lines
        .into_iter()
        .map(|line| line.replace(&address, "/"))
        .collect()
}

#[test]
fn modules_run_after_parsing_each_once_and_before_what_imports_them() {
    let lines = lines(&[
        (
            "/",
            HTML,
            "<!doctype html><script type=module>
                import { name } from './lib/a.js';
                import * as b from '/lib/b.js?x';
                console.log('inline', name, b.name, b.default(), !!document.getElementById('p'),
                    document.currentScript, import.meta.url, typeof this);
             </script>
             <script type=module src=lib/a.js></script>
             <script nomodule>console.log('old')</script>
             <script>console.log('classic')</script>
             <script defer src=deferred.js></script>
             <p id=p></p>
             <script>addEventListener('DOMContentLoaded', () => console.log('parsed'))</script>",
        ),
        (
            "/lib/a.js",
            JS,
            "import { b } from './c.js'; export let name = 'a'; console.log('a', b, import.meta.url);",
        ),
        (
            "/lib/b.js",
            JS,
            "export const name = 'b'; export default () => import.meta.url; console.log('b');",
        ),
        (
            "/lib/c.js",
            JS,
            "import './a.js'; console.log('c'); export var b = 5;",
        ),
        ("/deferred.js", JS, "console.log('deferred')"),
    ]);
    assert_eq!(
        lines,
        [
            "classic",
            "c",
            "a 5 /lib/a.js",
            "b",
            "inline a b /lib/b.js?x true null / undefined",
            "deferred",
            "parsed",
        ]
    );
}

#[test]
fn an_asynchronous_module_does_not_wait_for_the_document() {
    let lines = lines(&[
        (
            "/",
            HTML,
            "<!doctype html><script>
                document.addEventListener('DOMContentLoaded', () => console.log('parsed'));
                const script = document.createElement('script');
                script.type = 'module';
                script.textContent = \"import './a.js'; console.log('inserted')\";
                document.head.append(script);
                script.onload = () => console.log('inline scripts have no load event');
             </script>
             <script type=module async src=a.js onload=\"console.log('load')\"></script>
             <script src=slow.js></script>",
        ),
        ("/a.js", JS, "console.log('a', document.readyState);"),
        ("/slow.js", JS, ""),
    ]);
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("a ")).count(),
        1
    );
    for expected in ["inserted", "load", "parsed"] {
        assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    }
    assert!(
        !lines.iter().any(|line| line.contains("inline")),
        "{lines:?}"
    );
}

#[test]
fn what_cannot_be_fetched_is_an_error_event_and_what_cannot_run_an_exception() {
    let module = |src: &str| {
        format!(
            "<script type=module src={src} onload=\"console.log('load {src}')\" \
             onerror=\"console.log('error {src}')\"></script>"
        )
    };
    let html = format!(
        "<!doctype html><script>onerror = (message, url, line) =>
            console.log(message, url.replace(location.href, '/'), line)</script>{}",
        [
            "gone",
            "text",
            "asks",
            "broken",
            "asks-broken",
            "bare",
            "links",
            "throws",
            "good"
        ]
        .map(module)
        .join("")
    );
    let page = (
        "<script type=module>\nawait null; throw new Error('late');</script>",
        "/",
    );
    let html = format!("{html}{}", page.0);
    let all = lines(&[
        ("/", HTML, &html),
        ("/text", "text/plain", "console.log('not JavaScript')"),
        ("/asks", JS, "import './gone'; console.log('asks')"),
        ("/broken", JS, "\nlet = 1;"),
        (
            "/asks-broken",
            JS,
            "import './broken'; console.log('asks-broken')",
        ),
        ("/bare", JS, "import 'jquery'; console.log('bare')"),
        (
            "/links",
            JS,
            "import { none } from './good'; console.log('links')",
        ),
        ("/throws", JS, "\n\nthrow new RangeError('oh')"),
        ("/good", JS, "console.log('good')"),
    ]);
    let errors: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("error "))
        .collect();
    assert_eq!(errors, ["error gone", "error text", "error asks"]);
    let loads: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("load "))
        .collect();
    let runs = ["broken", "asks-broken", "bare", "links", "throws", "good"];
    assert_eq!(loads, runs.map(|name| format!("load {name}")));
    let has = |start: &str, end: &str| {
        let found = all
            .iter()
            .any(|line| line.starts_with(start) && line.ends_with(end));
        assert!(found, "{start} ... {end}: {all:#?}");
    };
    has("SyntaxError: ", " /broken 2");
    has("TypeError: The module specifier \"jquery\"", "0");
    has("SyntaxError: ", "none' in module '/good'  0");
    has("RangeError: oh", " /throws 3");
    has("Error: late", " / 3");
    let syntax = all
        .iter()
        .filter(|line| line.ends_with("/broken 2"))
        .count();
    assert_eq!(syntax, 2, "the error is reported for each script: {all:#?}");
    assert_eq!(all.iter().filter(|line| *line == "good").count(), 1);
    for never in ["asks", "asks-broken", "bare", "links", "not JavaScript"] {
        assert!(!all.iter().any(|line| line == never), "{never}");
    }
}

#[test]
fn import_of_a_script_brings_the_module_that_others_have() {
    let site = Site::new(&[
        (
            "/",
            HTML,
            "<!doctype html><script>
                const caught = promise => promise.then(() => 'done', error => String(error));
                const reports = [];
                const lines = (async () => {
                    const a = await import('./lib/a.js');
                    reports.push(a === await import('/lib/../lib/a.js'));
                    reports.push(a.value, a.increment(), a.value);
                    reports.push((await a.more()).where);
                    reports.push(await caught(import('./gone.js')));
                    reports.push(await caught(import('./throws.js')));
                    reports.push(await caught(import('bare')));
                    reports.push(await caught(import({ toString() { throw 'x' } })));
                    reports.push(await caught(import('./then.js')));
                    reports.push(await caught(import('./lib/a.js', { with: { type: 'json' } })));
                    for (const line of reports) console.log(line);
                })();
             </script>
             <script type=module>import { value } from './lib/a.js';
                await lines; console.log('the same', value);
                console.log('end');</script>
             <script type=module>await new Promise(() => {});</script>",
        ),
        (
            "/lib/a.js",
            JS,
            "export let value = 1; export const increment = () => { value++; };
             export const more = () => import('./b.js');",
        ),
        (
            "/lib/b.js",
            JS,
            "await null; export const where = import.meta.url;",
        ),
        ("/throws.js", JS, "throw 'thrown'"),
        (
            "/then.js",
            JS,
            "export function then(resolve, reject) { reject('thenable') }",
        ),
    ]);
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    let (before, _) = window.wait_for(
        |report| matches!(report, ScriptReport::Console { message, .. } if message.text == "end"),
    );
    let address = site.url("/").to_string();
    let lines: Vec<String> = before
        .into_iter()
        .filter(|report| matches!(report, ScriptReport::Console { .. }))
        .map(|report| line(report).replace(&address, "/"))
        .collect();
    window.close();
    let start = "TypeError: The module /gone.js could not be loaded: the server answered with \
                 status 404.";
    assert_eq!(
        lines[..9],
        [
            "true",
            "1",
            "undefined",
            "2",
            "/lib/b.js",
            start,
            "thrown",
            &lines[7],
            "x"
        ]
    );
    assert!(lines[7].starts_with("TypeError: The module specifier \"bare\""));
    assert_eq!(lines[9], "thenable");
    assert!(lines[10].starts_with("TypeError: "), "{lines:?}");
    assert_eq!(lines[11..], ["the same 2"]);
}

#[test]
fn what_a_module_imports_is_relative_to_where_it_was_found() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: /new/a.js\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n";
    let page = |type_: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {type_}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let html = "<!doctype html><script type=module>import { a } from './old/a.js';
        import * as same from './new/a.js';
        console.log(a, same.a)</script>";
    let answers = [
        ("/", page(HTML, html)),
        ("/old/a.js", moved.to_owned()),
        (
            "/new/a.js",
            page(
                JS,
                "export { b as a } from './b.js'; console.log(import.meta.url)",
            ),
        ),
        ("/new/b.js", page(JS, "export const b = 'found'")),
    ];
    let site = Site::raw(
        answers
            .map(|(path, answer)| (path.to_owned(), answer.into_bytes()))
            .into(),
    );
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    let a = site.url("/new/a.js").to_string();
    // The map is kept by the URLs that were asked for, so these are two modules.
    assert_eq!(window.lines_until_loaded(), [&*a, &*a, "found found"]);
    window.close();
}
