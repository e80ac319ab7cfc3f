//! Ways from page to page other than a plain URL: blobs, scripts, links, forms, base URLs.

use super::*;

fn load(pages: &[(&str, &str, &str)]) -> (Browser, Site) {
    (Browser::new(), Site::new(pages))
}

/// Waits for the next `load` event of a frame.
const LOAD: &str = "const load = (frame, act) => new Promise(resolve => {
    frame.addEventListener('load', resolve, { once: true }); act(frame) });";

#[test]
fn a_blob_is_a_page_of_the_origin_that_made_it() {
    let (browser, site) = load(&[("/", "text/html", "<body>"), ("/x", "text/plain", "x")]);
    let window = browser.load(site.url("/"));
    let script = format!(
        "{LOAD}
        const frame = document.createElement('iframe');
        const url = (text, type) => URL.createObjectURL(new Blob([text], {{ type }}));
        (async () => {{
            const results = [];
            const page = url('<title>blob</title><script>var seen = [origin, isSecureContext].join()</script>', 'text/html');
            await load(frame, frame => {{ frame.src = page; document.body.append(frame); URL.revokeObjectURL(page); }});
            const inner = frame.contentWindow;
            results.push(inner.seen === [origin, isSecureContext].join(), inner.document.URL === page, inner.document.title,
                inner.location.protocol);
            await load(frame, frame => frame.src = url('<b>text', 'text/plain'));
            results.push(frame.contentDocument.body.textContent);
            // It is gone, and so is a page for it.
            await load(frame, frame => frame.src = page);
            results.push(frame.contentDocument);
            // A document of another origin cannot show it.
            const inside = `<script>const frame = document.createElement('iframe');
                frame.src = '${{url('text', 'text/html')}}'; document.documentElement.append(frame);
                frame.onload = () => parent.postMessage('other', '*');</script>`;
            const heard = new Promise(resolve => onmessage = e => resolve(e.data));
            frame.sandbox = 'allow-scripts';
            frame.srcdoc = inside;
            results.push(await heard);
            return results.join();
        }})()"
    );
    assert_eq!(window.text(&script), "true,true,blob,blob:,<b>text,,other");
    let reports = std::iter::from_fn(
        || match browser.reports.recv_timeout(Some(Duration::ZERO)) {
            Received::Message(report) => Some(line(report)),
            _ => None,
        },
    );
    let refused = reports.filter(|line| line.contains("no such blob")).count();
    assert_eq!(refused, 2, "the revoked one and the foreign one");
    window.text(
        "location = URL.createObjectURL(new Blob(['<title>top</title>'], { type: 'text/html' }))",
    );
    window.wait_for(
        |report| matches!(report, ScriptReport::PageLoaded { url } if url.scheme() == "blob"),
    );
    assert_eq!(window.text("document.title + history.length"), "top2");
    window.close();
}

#[test]
fn the_script_of_a_url_runs_in_the_document_that_it_is_for() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<body><a id=a href='javascript:void(said.push(`link`))'>",
        ),
        ("/a", "text/html", "<title>a</title>"),
    ]);
    let window = browser.load(site.url("/"));
    let script = format!(
        "{LOAD}
        var said = [];
        const frame = document.createElement('iframe');
        (async () => {{
            // It runs in a task of its own, and does not stop other navigations.
            location = 'javascript:said.push(`a%20b`, this === window, document.title); undefined';
            said.push('first');
            document.getElementById('a').click();
            await new Promise(resolve => setTimeout(resolve));
            await load(frame, frame => {{
                frame.src = 'javascript:parent.said.push(document.URL)';
                document.body.append(frame);
                said.push('inserted');
            }});
            await load(frame, frame => {{ frame.src = 'javascript:`<title>text</title><script>parent.said.push(document.URL, origin)</script>`'; }});
            said.push(frame.contentDocument.title, history.length);
            await load(frame, frame => {{ frame.src = '/a'; }});
            await load(frame, frame => {{
                frame.contentWindow.location = 'javascript:`<p>${{document.title}}</p>`';
            }});
            said.push(frame.contentDocument.body.innerHTML, frame.contentWindow.location.pathname);
            frame.src = 'javascript:nothing.at.all';
            return said.join();
        }})()"
    );
    let origin = site.url("/").origin().ascii_serialization();
    assert_eq!(
        window.text(&script),
        format!(
            "first,a b,true,,link,inserted,about:blank,about:blank,{origin},text,1,<p>a</p>,/a"
        )
    );
    let (_, error) = window.wait_for(is_error);
    assert!(line(error).contains("nothing is not defined"));
    window.close();
}

#[test]
fn the_script_of_a_url_does_not_run_in_another_origin() {
    let other = Site::new(&[(
        "/b",
        "text/html",
        "<script>onmessage = e => e.source.postMessage(typeof broken + document.title, '*')</script>",
    )]);
    let (browser, site) = load(&[("/", "text/html", "<body>")]);
    let window = browser.load(site.url("/"));
    let script = format!(
        "{LOAD}
        const frame = document.createElement('iframe');
        (async () => {{
            await load(frame, frame => {{ frame.src = '{}'; document.body.append(frame); }});
            const inner = frame.contentWindow;
            inner.location = 'javascript:var broken = 1; `<title>new</title>`';
            frame.src = 'javascript:var broken = 1; `<title>new</title>`';
            inner.location.replace('javascript:var broken = 1; `<title>new</title>`');
            await new Promise(resolve => setTimeout(resolve));
            return new Promise(resolve => {{
                onmessage = e => resolve(e.data);
                inner.postMessage(0, '*');
            }});
        }})()",
        other.url("/b")
    );
    assert_eq!(window.text(&script), "undefined");
    window.close();
}

#[test]
fn what_is_for_another_program_leaves_the_page_where_it_is() {
    let (browser, site) = load(&[("/", "text/html", "<a id=a href='mailto:a@b.test'></a>")]);
    let window = browser.load(site.url("/"));
    window.text("document.getElementById('a').click()");
    let (_, error) = window.wait_for(is_error);
    assert_eq!(
        line(error),
        "error: There is nothing that opens mailto: URLs."
    );
    assert_eq!(window.text("location.pathname"), "/");
    window.close();
}

#[test]
fn a_base_element_says_what_urls_are_relative_to() {
    let (browser, site) = load(&[
        (
            "/deep/page",
            "text/html",
            "<base target=_blank><base href='/app/'><base href=/other/><script src=a.js></script><body>",
        ),
        ("/app/a.js", "text/javascript", "var ran = document.baseURI"),
    ]);
    let window = browser.load(site.url("/deep/page"));
    let script = "
        const results = [], path = () => new URL(document.baseURI).pathname;
        const bases = document.getElementsByTagName('base');
        const note = () => results.push(path());
        note();
        history.pushState(null, '', 'x/y'); note();
        results.push(location.pathname, bases[1].href === ran, bases[0].target);
        bases[1].href = '../moved/'; note();
        bases[1].remove(); note();
        document.head.innerHTML = ''; note();
        document.head.innerHTML = '<base href=javascript:x>'; note();
        document.head.innerHTML = '<base href=sub/>'; note();
        document.head.firstChild.removeAttribute('href'); note();
        results.join(' ')";
    assert_eq!(
        window.text(script),
        "/app/ /app/ /app/x/y true _blank /app/moved/ /other/ /app/x/y /app/x/y /app/x/sub/ /app/x/y"
    );
    assert!(site.requests().contains(&"GET /app/a.js".to_owned()));
    window.close();
}

#[test]
fn a_page_may_send_its_reader_on() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<meta http-equiv=refresh content=x><meta http-equiv=Refresh content='0; url=next'>",
        ),
        ("/next", "text/html", "<title>next</title>"),
    ]);
    let window = browser.open(site.url("/"));
    let next = site.url("/next");
    window.wait_for(|report| matches!(report, ScriptReport::PageLoaded { url } if *url == next));
    assert_eq!(window.text("document.title + history.length"), "next1");
    window.close();
}

#[test]
fn links_say_who_opens_them_and_what_is_told() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<a id=blank target=_blank href=/w?blank></a><a id=named target=named href=/w?named></a>
             <a id=opener rel=opener target=_blank href=/w?opener></a>
             <a id=silent rel=noreferrer target=silent href=/w?silent></a>
             <a id=download download href=/w?download></a>
             <map><area id=area target=area href=/w?area></map><iframe name=frame></iframe>
             <a id=framed target=frame href=/w?framed></a>",
        ),
        (
            "/w",
            "text/html",
            "<script>console.log([location.search, !!opener, name, document.referrer !== '', history.length].join())</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let mut seen = Vec::new();
    for id in ["blank", "named", "opener", "silent", "area", "framed"] {
        window.text(&format!("{{ document.getElementById('download').click(); document.getElementById('{id}').click() }}"));
        let (_, console) = window.wait_for(|report| matches!(report, ScriptReport::Console { .. }));
        seen.push(line(console));
    }
    assert_eq!(
        seen,
        [
            "?blank,false,,true,1",
            "?named,true,named,true,1",
            "?opener,true,,true,1",
            "?silent,false,,false,1",
            "?area,true,area,true,1",
            "?framed,false,frame,true,1"
        ]
    );
    assert!(!site.requests().contains(&"GET /w?download".to_owned()));
    window.close();
}

#[test]
fn a_page_of_another_origin_learns_the_origin_it_was_reached_from() {
    let other = Site::page("<script>parent.postMessage(document.referrer, '*')</script>");
    let (browser, site) = load(&[("/secret", "text/html", "<body>")]);
    let window = browser.load(site.url("/secret?token"));
    let script = format!(
        "const frame = document.createElement('iframe');
        frame.src = '{}';
        document.body.append(frame);
        new Promise(resolve => onmessage = e => resolve(e.data))",
        other.url("/")
    );
    assert_eq!(window.text(&script), site.url("/").to_string());
    window.close();
}

#[test]
fn the_button_that_sends_a_form_knows_better_than_the_form() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<base target=two><iframe name=one></iframe><iframe name=two></iframe>
             <form id=f action=/form?old><input name=a value='1 2'>
             <button id=b formaction=/button formmethod=post formtarget=one name=b value=3></form>",
        ),
        ("/form", "text/html", ""),
        ("/button", "text/html", ""),
    ]);
    let window = browser.load(site.url("/"));
    let script = format!(
        "{LOAD}
        const [one, two] = document.getElementsByTagName('iframe');
        const form = document.getElementById('f');
        let asked = 0;
        form.onsubmit = () => asked++;
        (async () => {{
            await load(one, () => document.getElementById('b').click());
            await load(two, () => form.submit());
            form.target = 'one';
            await load(one, () => form.requestSubmit());
            return [one, two].map(frame => frame.contentWindow.location.href.slice(origin.length)).join(' ') + asked;
        }})()"
    );
    assert_eq!(window.text(&script), "/form?a=1+2 /form?a=1+22");
    let requests = site.requests();
    assert_eq!(
        requests[1..],
        [
            "POST /button a=1+2&b=3",
            "GET /form?a=1+2",
            "GET /form?a=1+2"
        ]
    );
    window.close();
}

#[test]
fn the_parts_of_a_link_are_read_and_written() {
    let (browser, site) = load(&[("/", "text/html", "<a id=a href='/p?q#h'></a>")]);
    let window = browser.load(site.url("/"));
    let script = "
        const a = document.getElementById('a');
        const parts = [a.origin === origin, a.protocol, a.host === location.host, a.pathname, a.search, a.hash];
        a.pathname = '/x y'; a.search = ''; a.hash = 'z'; a.protocol = 'https'; a.port = '99999';
        a.hostname = 'b.test'; a.port = '81';
        const empty = document.createElement('a');
        empty.pathname = 'x';
        parts.join() + ' ' + a + ' ' + [empty.protocol, empty.origin, empty.hasAttribute('href')].join()";
    assert_eq!(
        window.text(script),
        "true,http:,true,/p,?q,#h https://b.test:81/x%20y#z ,,false"
    );
    window.close();
}

#[test]
fn a_script_may_write_a_document_anew() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        ("/a.js", "text/javascript", "order.push('external')"),
        ("/late", "text/html", "<title>late</title>"),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const results = [];
        (async () => {
            const frame = document.createElement('iframe');
            frame.src = '/late';
            document.body.append(frame);
            const inner = frame.contentWindow, first = frame.contentDocument;
            const loaded = new Promise(resolve => frame.onload = resolve);
            // What was on its way comes no more.
            results.push(first.open() === first, first.childNodes.length, first.readyState, first.URL === document.URL);
            first.write('<title>written</title><script>var order = []; onload = () => order.push(`load`);');
            first.write('order.push(document.title); document.write(`<p>nested</p>`)</', 'script><i>after</i>');
            results.push(first.body.innerHTML.replace(/<.?script.*>/, ''));
            first.write('<script src=/a.js></', 'script><script>order.push(`inline`)</', 'script>');
            first.close();
            results.push(first.readyState);
            await loaded;
            results.push(first === frame.contentDocument, inner.order.join(' '), first.readyState, history.length);
            // Without open() too, and with nothing left of the old listeners.
            let heard = 0;
            inner.addEventListener('message', () => heard++);
            first.addEventListener('x', () => heard++);
            first.write('<b>new');
            first.close();
            inner.postMessage(0, '*');
            first.dispatchEvent(new Event('x'));
            await new Promise(resolve => { onmessage = resolve; postMessage(0, '*'); });
            results.push(first.body.innerHTML, heard, first.defaultView === inner);
            // Closing what is not open is nothing.
            first.close();
            frame.remove();
            first.write('gone');
            results.push(first.body.innerHTML);
            return results.join();
        })()";
    assert_eq!(
        window.text(script),
        "true,0,loading,true,<p>nested</p><i>after</i>,loading,true,written external inline load,\
         complete,1,<b>new</b>,0,true,<b>new</b>"
    );
    window.text(
        "document.write('<title>top</title><body onload=\"done = 1\"><p>text'); document.close()",
    );
    let script = "new Promise(resolve => { const look = () => window.done ? resolve(document.title + document.body.textContent) : setTimeout(look); look() })";
    assert_eq!(window.text(script), "toptext");
    window.close();
}

#[test]
fn a_script_that_was_fetched_replaces_no_document() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<title>old</title><script defer src=/a.js></script><script async src=/a.js></script>",
        ),
        (
            "/a.js",
            "text/javascript",
            "document.write('new'); console.log(document.title)",
        ),
    ]);
    let window = browser.open(site.url("/"));
    assert_eq!(window.lines_until_loaded(), ["old", "old"]);
    window.close();
}
