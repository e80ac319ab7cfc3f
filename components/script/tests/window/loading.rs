//! From a URL to a loaded page, and to the next one.

use super::*;

#[test]
fn scripts_run_in_document_order_and_events_tell_how_far_the_page_is() {
    let site = Site::new(&[
        (
            "/",
            "text/html",
            "<!doctype html><html><head><script>
             document.addEventListener('readystatechange', () => console.log(document.readyState));
             document.addEventListener('DOMContentLoaded', () => console.log('parsed'));
             addEventListener('load', () => console.log('loaded'));
             console.log('1', document.readyState, document.body);</script>
             <script defer src=deferred.js></script></head><body onload=\"console.log('body')\">
             <script src=/two.js></script><p id=p></p>
             <script src=gone.js onerror=\"console.log('gone', event.type)\"></script>
             <script>console.log('3', !!document.getElementById('p'),
                 !!document.getElementById('later'));</script><p id=later></p>",
        ),
        (
            "/two.js",
            "text/javascript",
            "console.log('2', document.currentScript.src, !!p);",
        ),
        (
            "/deferred.js",
            "text/javascript",
            "console.log('4', !!document.getElementById('later'));",
        ),
    ]);
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    let lines = window.lines_until_loaded();
    let two = format!(
        "error: Uncaught ReferenceError: p is not defined\n    at <eval> ({}",
        site.url("/two.js")
    );
    let expected = [
        "1 loading null",
        &two,
        "error: The script",
        "gone error",
        "3 true false",
        "interactive",
        "4 true",
        "parsed",
        "complete",
        "loaded",
        "body",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
    assert_eq!(window.text("document.readyState"), "complete");
    window.close();
}

#[test]
fn scripts_that_scripts_insert_run_too() {
    let site = Site::new(&[
        (
            "/",
            "text/html",
            "<body><script>
             const inline = document.createElement('script');
             inline.textContent = \"console.log('inline')\";
             document.body.append(inline);
             console.log('after');
             const external = document.createElement('script');
             external.src = 'x.js';
             external.onload = () => console.log('loaded', external.async);
             document.body.append(external);
             document.body.insertAdjacentHTML('beforeend', '<script>console.log(\"never\")<\\/script>');
             </script><script>document.write('<p id=w>w</p><script>console.log(\"written\")<\\/script>')</script>
             <script>console.log(document.getElementById('w').textContent)</script>",
        ),
        ("/x.js", "text/javascript", "console.log('external')"),
    ]);
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    let mut lines = window.lines_until_loaded();
    let external = lines.iter().position(|line| line == "external").unwrap();
    assert_eq!(lines.remove(external + 1), "loaded true");
    lines.remove(external);
    assert_eq!(lines, ["inline", "after", "written", "w"]);
    window.close();
}

#[test]
fn an_exception_is_reported_with_its_place() {
    let site = Site::page(
        "<body>\n<script>\nfunction f() {\n  null.x;\n}\nsetTimeout(f);\nPromise.reject(new Error('no'));\n</script>",
    );
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    let (_, rejection) = window.wait_for(is_error);
    assert!(line(rejection).starts_with("error: Uncaught (in promise) Error: no"));
    let (_, exception) = window.wait_for(is_error);
    let ScriptReport::ScriptError { source, text } = exception else {
        unreachable!()
    };
    assert_eq!(source, ScriptSource::Page { url: site.url("/") });
    assert!(text.starts_with("Uncaught TypeError"), "{text}");
    assert!(text.contains(&format!("{}:4:", site.url("/"))), "{text}");
    window.wait_for(|report| matches!(report, ScriptReport::PageLoaded { .. }));
    window.close();
}

#[test]
fn a_page_that_cannot_be_had_fails_with_the_reason() {
    let truncated = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<p>";
    let picture = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n";
    let site = Site::raw(BTreeMap::from([
        ("/truncated".to_owned(), truncated.to_vec()),
        ("/picture".to_owned(), picture.to_vec()),
    ]));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let refused = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let browser = Browser::new();
    for (url, reason) in [
        (Url::parse(&refused).unwrap(), "refused"),
        (site.url("/truncated"), "half way"),
        (site.url("/picture"), "image/png"),
    ] {
        let window = browser.open(url.clone());
        let ScriptReport::PageFailed { url: failed, error } = browser.next() else {
            panic!("{url} did not fail");
        };
        assert_eq!(failed, url);
        assert!(error.contains(reason), "{error}");
        assert!(window.evaluate("1").is_err());
        window.handle.close();
        window.handle.join(PATIENCE);
    }
    let window = browser.load(site.url("/missing"));
    assert_eq!(
        window.text("document.title"),
        "Missing",
        "an error page is a page"
    );
    window.close();
}

#[test]
fn links_forms_and_location_go_to_other_pages() {
    let site = Site::new(&[
        (
            "/",
            "text/html",
            "<form action=/two><input name=q value='a b'><input type=checkbox name=c checked><button name=s value=1>Go</button></form>",
        ),
        (
            "/two",
            "text/html",
            "<form method=post action=/three><textarea name=t>x\ny</textarea></form>",
        ),
        ("/three", "text/html", "<a id=a href='/four#x'>four</a>"),
        ("/four", "text/html", "<p>four"),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    let loaded = |expected: Url| {
        window.wait_for(
            |report| matches!(report, ScriptReport::PageLoaded { url } if *url == expected),
        )
    };
    window.text("document.querySelector('button').click()");
    let (before, _) = loaded(site.url("/two?q=a+b&c=on&s=1"));
    assert!(
        matches!(before[..], [ScriptReport::PageClosed { .. }]),
        "{before:?}"
    );
    window.text("document.querySelector('form').requestSubmit()");
    loaded(site.url("/three"));
    assert_eq!(
        window.text("document.referrer"),
        site.url("/two?q=a+b&c=on&s=1").to_string()
    );
    window.text("document.getElementById('a').click()");
    loaded(site.url("/four#x"));
    window.text("location.reload()");
    loaded(site.url("/four#x"));
    window.text("location = '/'");
    loaded(site.url("/"));
    assert_eq!(
        site.requests(),
        [
            "GET /",
            "GET /two?q=a+b&c=on&s=1",
            "POST /three t=x%0D%0Ay",
            "GET /four",
            "GET /four",
            "GET /"
        ]
    );
    window.close();
}

#[test]
fn the_parser_goes_on_before_other_tasks() {
    let site = Site::page(
        "<!doctype html><script>
           const { port1, port2 } = new MessageChannel();
           var seen = new Promise(resolve => {
             port2.onmessage = () => resolve(document.body ? document.body.id : 'no body');
           });
           port1.postMessage(0);
         </script><script>var more;</script><body id=parsed>",
    );
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(window.text("seen"), "parsed");
    window.close();
}

#[test]
fn scripts_and_servers_share_the_cookies_of_a_page() {
    let with_headers = |headers: &str, body: &str| {
        let length = body.len();
        let head = format!("Content-Type: text/html\r\nContent-Length: {length}\r\n{headers}");
        format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}").into_bytes()
    };
    let cookies = "Set-Cookie: a=1\r\nSet-Cookie: hidden=1; HttpOnly\r\n";
    let site = Site::raw(BTreeMap::from([(
        "/".to_owned(),
        with_headers(cookies, "<p>one"),
    )]));
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    assert_eq!(window.text("document.cookie"), "a=1");
    window.text("document.cookie = 'b=2; Path=/'; document.cookie = 'hidden=2'");
    assert_eq!(window.text("document.cookie"), "a=1; b=2");
    window.text("document.cookie = 'a=; Max-Age=0'");
    assert_eq!(window.text("document.cookie"), "b=2");
    window.close();
    let elsewhere = browser.load(Url::parse("data:text/html,<p>nowhere").unwrap());
    let refused = elsewhere.evaluate("document.cookie").unwrap_err();
    assert!(refused.contains("opaque origin"), "{refused}");
    elsewhere.close();
}
