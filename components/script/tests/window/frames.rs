//! Pages in pages.

use sw_traits::{ClientUpdate, SwRequest};

use super::*;

/// Waits until a frame or page says that it is done.
const DONE: &str = "const done = new Promise(resolve => window.resolve = resolve);";

fn load(pages: &[(&str, &str, &str)]) -> (Browser, Site) {
    (Browser::new(), Site::new(pages))
}

#[test]
fn a_frame_has_a_document_at_once_and_shows_its_page_later() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        (
            "/a",
            "text/html",
            "<title>a</title><script>var x = 7;</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const frame = document.createElement('iframe');
        const events = [];
        frame.onload = () => events.push('load');
        frame.src = '/a';
        const before = [frame.contentWindow, frame.contentDocument, window.length];
        document.body.append(frame);
        const proxy = frame.contentWindow;
        const blank = frame.contentDocument;
        const at_once = [blank.URL, blank.readyState, blank.body.nodeName, window.length,
            window[0] === proxy, frames[0] === proxy, proxy.parent === window, proxy.top === window,
            proxy.frameElement === frame, proxy !== window, events.length];
        new Promise(resolve => frame.addEventListener('load', () => resolve([
            before.join(), at_once.join(), frame.contentWindow === proxy,
            frame.contentDocument !== blank, proxy.document === frame.contentDocument,
            proxy.document.title, proxy.x, proxy.location.pathname, blank.defaultView,
            [...proxy.location.ancestorOrigins].join() === origin,
            events.join()].join(' '))))";
    assert_eq!(
        window.text(script),
        ",,0 about:blank,complete,BODY,1,true,true,true,true,true,true,0 true true true a 7 /a  true load"
    );
    assert_eq!(
        window.text("frame.remove(); [frame.contentWindow, length, proxy.closed, proxy.parent, proxy.x].join()"),
        ",0,true,,7"
    );
    window.close();
}

#[test]
fn a_page_takes_over_the_listeners_of_the_empty_document_before_it() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        ("/a", "text/html", "<script>heard = []</script>"),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const frame = document.createElement('iframe'), heard = [];
        frame.src = '/a';
        document.body.append(frame);
        const proxy = frame.contentWindow;
        proxy.addEventListener('load', e => heard.push(e.currentTarget === proxy), { once: true });
        proxy.onload = () => heard.push('handler');
        const loaded = () => new Promise(resolve => { frame.onload = resolve; });
        loaded().then(() => { frame.src = '/a?again'; return loaded(); }).then(() => heard.join())";
    assert_eq!(window.text(script), "true,handler", "but not of a page");
    window.close();
}

#[test]
fn the_load_event_of_a_page_waits_for_its_frames() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<iframe name=one src=/a onload=\"console.log('frame', event.target.name)\"></iframe>
             <script>console.log(frames.one.location.href, window.one === frames[0]);
             addEventListener('load', () => console.log('page'));</script>
             <iframe srcdoc=\"<script>console.log('srcdoc', parent === top, document.URL,
                 document.baseURI === parent.document.baseURI)</script>\"></iframe>",
        ),
        (
            "/a",
            "text/html",
            "<script>addEventListener('load', () => console.log('inner', name, frameElement.src));</script>",
        ),
    ]);
    let window = browser.open(site.url("/"));
    let lines = window.lines_until_loaded();
    let inner = format!("inner one {}", site.url("/a"));
    let place = |wanted: &str| {
        lines
            .iter()
            .position(|line| line == wanted)
            .unwrap_or_else(|| panic!("{wanted} is not in {lines:#?}"))
    };
    assert_eq!(place("about:blank true"), 0);
    assert!(place(&inner) < place("frame one"));
    assert!(place("srcdoc true about:srcdoc true") < place("page"));
    assert_eq!(place("page"), 4, "{lines:#?}");
    window.close();
}

#[test]
fn messages_go_between_frames_with_their_source() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        (
            "/a",
            "text/html",
            "<script>onmessage = e => e.source.postMessage(
                [e.data, e.origin === origin, e.source === parent].join(), e.origin);</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const frame = document.createElement('iframe');
        frame.src = '/a';
        document.body.append(frame);
        new Promise(resolve => {
            onmessage = e => resolve([e.data, e.source === frame.contentWindow, e.origin === origin].join(' '));
            frame.onload = () => {
                frame.contentWindow.postMessage('for nobody', 'https://other.test');
                frame.contentWindow.postMessage('hello', '*');
            };
        })";
    assert_eq!(window.text(script), "hello,true,true true true");
    window.close();
}

#[test]
fn a_window_of_another_origin_shows_only_what_it_may() {
    let other = Site::new(&[(
        "/b",
        "text/html",
        "<script>var secret = 1; let error;
         try { parent.document } catch (e) { error = e.name }
         parent.postMessage(error, '*');
         onmessage = e => e.source.postMessage('to ' + e.data, '*');</script>",
    )]);
    let (browser, site) = load(&[("/", "text/html", "<body>")]);
    let window = browser.load(site.url("/"));
    let script = format!(
        "{DONE}
        const frame = document.createElement('iframe');
        frame.src = '{}';
        const messages = [];
        onmessage = e => {{
            messages.push(e.data + (e.source === frame.contentWindow));
            if (messages.length == 2) resolve();
        }};
        const proxy = (document.body.append(frame), frame.contentWindow);
        frame.onload = () => proxy.postMessage('b', '*');
        const name = f => {{ try {{ return String(f()) }} catch (e) {{ return e.name }} }};
        done.then(() => [messages.join(), frame.contentDocument, proxy.closed, proxy.length,
            proxy.parent === window, proxy.window === proxy,
            name(() => proxy.secret), name(() => proxy.document), name(() => proxy.x = 1),
            name(() => proxy.location.href), name(() => Object.getPrototypeOf(proxy.location)),
            name(() => Object.getOwnPropertyDescriptor(window, 'document').get.call(proxy)),
            name(() => {{ delete proxy.name }}), name(() => proxy.then), typeof proxy.focus].join(' '))",
        other.url("/b")
    );
    assert_eq!(
        window.text(&script),
        "SecurityErrortrue,to btrue  false 0 true true SecurityError SecurityError SecurityError \
         SecurityError null SecurityError SecurityError undefined function"
    );
    // The part for other origins can send it home again.
    let back = format!(
        "new Promise(resolve => {{
            frame.onload = () => resolve(proxy.document.URL);
            proxy.location = '{}';
        }})",
        site.url("/missing")
    );
    assert_eq!(window.text(&back), site.url("/missing").to_string());
    window.close();
}

#[test]
fn a_sandbox_takes_origin_and_scripts() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        (
            "/a",
            "text/html",
            "<script>let result;
             try { navigator.serviceWorker.getRegistration(); result = 'none' }
             catch (e) { result = e.name }
             parent.postMessage([origin, result].join(), '*')</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const frame = sandbox => {
            const frame = document.createElement('iframe');
            if (sandbox !== undefined) frame.sandbox = sandbox;
            frame.src = '/a';
            document.body.append(frame);
            return new Promise(resolve => frame.onload = () => resolve(frame));
        };
        const messages = [];
        onmessage = e => messages.push(e.data + ' ' + (e.origin === 'null'));
        (async () => {
            const silent = await frame('');
            const opaque = await frame('allow-scripts');
            const open = await frame('allow-scripts allow-same-origin');
            await new Promise(resolve => setTimeout(resolve));
            return [silent.contentDocument, opaque.contentDocument, open.contentDocument.URL,
                messages[0], messages.length].join(' ');
        })()";
    let text = window.text(script);
    let expected = format!("  {} null,SecurityError true 2", site.url("/a"));
    assert_eq!(text, expected);
    window.close();
}

#[test]
fn frames_that_are_gone_are_forgotten() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body><div id=d></div>"),
        (
            "/a",
            "text/html",
            "<script>addEventListener('pagehide', () => parent.gone = 1);
            addEventListener('message', () => frameElement.remove());</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const d = document.getElementById('d');
        (async () => {
            const results = [];
            for (let i = 0; i < 20; i++) {
                d.innerHTML = '<iframe src=/a></iframe>';
                await new Promise(resolve => d.firstChild.onload = resolve);
                results.push(length, d.firstChild.contentWindow.length);
                window.gone = 0;
                if (i % 2) d.textContent = '';
                else {
                    d.firstChild.contentWindow.postMessage(0, '*');
                    while (length) await new Promise(resolve => setTimeout(resolve));
                }
                results.push(length, gone);
            }
            return [...new Set(results)].join();
        })()";
    assert_eq!(window.text(script), "1,0");
    window.close();
}

#[test]
fn a_window_that_a_script_opens_knows_its_opener() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        (
            "/w",
            "text/html",
            "<script>opener.postMessage(['here', name, opener.length].join(), '*');
             onmessage = () => close();</script>",
        ),
        ("/n", "text/html", "<script>console.log(opener)</script>"),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const opened = open('/w', 'w');
        const blank = opened.location.href;
        new Promise(resolve => onmessage = e => resolve([
            blank, e.data, e.source === opened, opened.opener === window, opened.closed,
            open('', 'w') === opened, opened.top === opened].join(' ')))";
    assert_eq!(
        window.text(script),
        "about:blank here,w,0 true true false true true"
    );
    window.wait_for(
        |report| matches!(report, ScriptReport::PageLoaded { url } if *url == site.url("/w")),
    );
    window.text("opened.postMessage(0, '*')");
    window.wait_for(
        |report| matches!(report, ScriptReport::PageClosed { url } if *url == site.url("/w")),
    );
    assert_eq!(window.text("opened.closed"), "true");
    assert_eq!(
        window.text("String(open('/n', '_blank', 'noopener'))"),
        "null"
    );
    let (before, _) = window.wait_for(
        |report| matches!(report, ScriptReport::PageLoaded { url } if *url == site.url("/n")),
    );
    assert_eq!(before.into_iter().map(line).collect::<Vec<_>>(), ["null"]);
    window.close();
}

#[test]
fn frames_of_the_same_origin_share_their_objects() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body><iframe src=/a></iframe>"),
        (
            "/a",
            "text/html",
            "<body><p id=p>text</p><script>function f() { return [this === window, new Error] }</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const inner = frames[0];
        [inner.document.getElementById('p').textContent,
         inner.document instanceof Document, inner.document instanceof inner.Document,
         inner.f()[1] instanceof inner.Error, inner.Array !== Array,
         inner.eval('typeof p'), inner.self === inner, inner.globalThis === inner,
         'p' in inner, 'document' in inner,
         Object.keys(inner).includes('f'), inner.setTimeout.name,
         inner.document.defaultView === inner, history.length].join()";
    assert_eq!(
        window.text(script),
        "text,false,true,true,true,undefined,true,true,false,true,true,setTimeout,true,1"
    );
    window.close();
}

#[test]
fn what_is_called_on_an_object_is_done_in_its_realm() {
    let (browser, site) = load(&[
        ("/", "text/html", "<iframe src=deep/frame></iframe>"),
        ("/deep/frame", "text/html", "<body>"),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const theirs = frames[0], realms = [];
        const realm = promise => realms.push(promise instanceof theirs.Promise ? 'theirs' : 'ours');
        realm(navigator.serviceWorker.register.call(theirs.navigator.serviceWorker, 'w.js'));
        const { get } = Object.getOwnPropertyDescriptor(ServiceWorkerContainer.prototype, 'ready');
        realm(get.call(theirs.navigator.serviceWorker));
        // What is wrong with a call is the caller's.
        realm(navigator.serviceWorker.register.call(theirs.document, 'w.js'));
        realms.join()";
    assert_eq!(window.text(script), "theirs,theirs,ours");
    window.close();
    let script_url = loop {
        match browser.clients.recv_timeout(Some(PATIENCE)) {
            Received::Message(SwRegistrationMessage::Request {
                body: SwRequest::Register { script_url, .. },
                ..
            }) => break script_url,
            Received::Message(_) => {}
            other => panic!("nothing is registered: {other:?}"),
        }
    };
    assert_eq!(script_url, site.url("/deep/w.js"));
}

#[test]
fn the_focus_goes_from_window_to_window() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<iframe src=/frame></iframe><iframe src=/frame></iframe>",
        ),
        ("/frame", "text/html", "<body>"),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const heard = [], [one, two] = [frames[0], frames[1]];
        for (const [name, w] of Object.entries({ top, one, two }))
          for (const type of ['focus', 'blur'])
            w.addEventListener(type, () => heard.push(name + ' ' + type));
        const focused = () => [document, one.document, two.document].map(d => d.hasFocus()).join();
        const seen = [focused()];
        for (const w of [one, two, two, window]) { w.focus(); seen.push(focused()); }
        heard.join() + ' | ' + seen.join(' ')";
    assert_eq!(
        window.text(script),
        "top blur,one focus,one blur,two focus,two blur,top focus | \
         true,false,false true,true,false true,false,true true,false,true true,false,false"
    );
    window.close();
    drop(browser.services);
    let focus: Vec<bool> = std::iter::from_fn(|| browser.clients.recv().ok())
        .filter_map(|message| match message {
            SwRegistrationMessage::UpdateClient {
                update: ClientUpdate::Focus(focused),
                ..
            } => Some(focused),
            _ => None,
        })
        .collect();
    // For each of the four: who loses it, who gets it, and the page around that.
    assert_eq!(
        focus,
        [true, true, false, true, true, true, true, false, true]
    );
}

#[test]
fn servers_learn_who_asks_for_a_frame_and_in_whose_page_it_is() {
    let frame = "<script>
        const worker = new Worker('/worker');
        const asked = new Promise(resolve => worker.onmessage = resolve);
        Promise.all([fetch('/inside'), asked])
            .then(() => parent.postMessage(`[${document.cookie}]`, '*'))
        </script>";
    let worker = "fetch('/of-worker').then(() => postMessage(''))";
    let sandboxed = "<script>parent.postMessage('sandboxed', '*')</script>";
    let answer = |headers: &str, body: &str| {
        let length = body.len();
        let media_type = if body == worker { "javascript" } else { "html" };
        let head =
            format!("Content-Type: text/{media_type}\r\nContent-Length: {length}\r\n{headers}");
        format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}").into_bytes()
    };
    let page = "<body>";
    let site = Site::raw(
        [
            ("/", answer("Set-Cookie: own=1\r\n", page)),
            ("/silent", answer("Referrer-Policy: no-referrer\r\n", page)),
            ("/frame", answer("", frame)),
            ("/inside", answer("", "")),
            ("/worker", answer("", worker)),
            ("/of-worker", answer("", "")),
            ("/sandboxed", answer("", sandboxed)),
        ]
        .map(|(path, answer)| (path.to_owned(), answer))
        .into(),
    );
    let mut named = site.url("/");
    named.set_host(Some("localhost")).unwrap();
    let show = format!(
        "new Promise(resolve => {{
             onmessage = e => resolve(e.data);
             const frame = document.createElement('iframe');
             frame.src = '{named}frame';
             document.body.append(frame);
         }})"
    );
    let headers = |path: &str| {
        let names = ["cookie", "referer", "sec-fetch-dest", "sec-fetch-site"];
        names.map(|name| site.last_header(path, name)).join(" ")
    };
    let browser = Browser::new();
    // In a page of its own site.
    let window = browser.load(named.clone());
    assert_eq!(headers("/"), "  document none");
    assert_eq!(site.last_header("/", "sec-fetch-user"), "?1");
    assert_eq!(window.text(&show), "[own=1]");
    assert_eq!(
        headers("/frame"),
        format!("own=1 {named} iframe same-origin")
    );
    assert_eq!(site.last_header("/frame", "sec-fetch-user"), "");
    assert_eq!(
        headers("/inside"),
        format!("own=1 {named}frame empty same-origin")
    );
    assert_eq!(
        headers("/of-worker"),
        format!("own=1 {named}worker empty same-origin")
    );
    // Where a sandboxed document goes, nobody asks whom a site could know, nor from where.
    let go = format!(
        "new Promise(resolve => {{
             onmessage = e => resolve(e.data);
             const frame = document.createElement('iframe');
             frame.sandbox = 'allow-scripts';
             frame.srcdoc = `<script>location = '{named}sandboxed'</script>`;
             document.body.append(frame);
         }})"
    );
    assert_eq!(window.text(&go), "sandboxed");
    assert_eq!(headers("/sandboxed"), "  iframe cross-site");
    window.close();
    // In a page of another one, which tells nobody where it is.
    let window = browser.load(site.url("/silent"));
    assert_eq!(window.text(&show), "[]");
    assert_eq!(headers("/frame"), "  iframe cross-site");
    assert_eq!(
        headers("/inside"),
        format!(" {named}frame empty same-origin")
    );
    assert_eq!(
        headers("/of-worker"),
        format!(" {named}worker empty same-origin")
    );
    window.close();
}

#[test]
fn a_window_of_another_origin_does_not_give_its_prototype_away() {
    let other = Site::new(&[(
        "/b",
        "text/html",
        "<script>parent.postMessage(0, '*')</script>",
    )]);
    let (browser, site) = load(&[("/", "text/html", "<body>")]);
    let window = browser.load(site.url("/"));
    let script = format!(
        "const frame = document.createElement('iframe');
        frame.src = '{}';
        document.body.append(frame);
        const w = frame.contentWindow, wrapped = new Proxy(w, {{}});
        const blank = [Object.getPrototypeOf(w) === w.Window.prototype, w.__proto__ === w.Window.prototype,
            Reflect.getPrototypeOf(wrapped) === w.Window.prototype, w instanceof w.Window];
        const get = f => {{ try {{ return String(f()) }} catch (e) {{ return e.name }} }};
        const {{ get: proto }} = Object.getOwnPropertyDescriptor(Object.prototype, '__proto__');
        new Promise(resolve => onmessage = resolve).then(() => [
            blank.join(),
            ...[w, wrapped].flatMap(w => [
                get(() => Object.getPrototypeOf(w)), get(() => Reflect.getPrototypeOf(w)),
                get(() => proto.call(w)), get(() => w.__proto__), get(() => w.constructor),
                get(() => Object.setPrototypeOf(w, {{}})), get(() => Reflect.setPrototypeOf(w, {{}})),
                get(() => Object.setPrototypeOf(w, null) === w),
                get(() => Object.preventExtensions(w)), get(() => Reflect.preventExtensions(w)),
                get(() => Object.freeze(w)), get(() => Object.isExtensible(w))]),
            get(() => w[Symbol.iterator]), get(() => w[Symbol.toStringTag]), get(() => `${{w}}`),
            Reflect.ownKeys(w).length, Object.keys(w).length, get(() => 'x' in w),
            get(() => Object.prototype.__lookupGetter__.call(wrapped, 'constructor')),
        ].join(' '))",
        other.url("/b")
    );
    let of_one = "null null null SecurityError SecurityError TypeError false TypeError \
                  TypeError false TypeError true";
    assert_eq!(
        window.text(&script),
        format!(
            "true,true,true,true {of_one} {of_one} SecurityError undefined SecurityError 17 0 \
             SecurityError SecurityError"
        )
    );
    let back = format!(
        "new Promise(resolve => {{
            frame.onload = () => resolve(Object.getPrototypeOf(w) === w.Window.prototype);
            w.location = '{}';
        }})",
        site.url("/missing")
    );
    assert_eq!(window.text(&back), "true");
    window.close();
}

#[test]
fn a_sandbox_counts_as_it_was_when_the_navigation_began() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        (
            "/a",
            "text/html",
            "<script>parent.postMessage(0, '*')</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        const frame = document.createElement('iframe');
        let messages = 0;
        onmessage = () => messages++;
        const load = () => new Promise(resolve => frame.onload = resolve);
        (async () => {
            frame.sandbox = '';
            frame.src = '/a';
            document.body.append(frame);
            frame.sandbox = 'allow-scripts allow-same-origin';
            await load();
            const before = [frame.contentDocument, messages];
            frame.src = '/a?again';
            frame.removeAttribute('sandbox');
            await load();
            await new Promise(resolve => setTimeout(resolve));
            return [...before, frame.contentDocument.URL === frame.src, messages].join();
        })()";
    assert_eq!(window.text(script), ",0,true,1");
    window.close();
}

#[test]
fn a_sandboxed_frame_leaves_other_windows_where_they_are() {
    let (browser, site) = load(&[
        (
            "/",
            "text/html",
            "<iframe name=one></iframe><iframe name=two sandbox='allow-scripts allow-popups'></iframe>",
        ),
        (
            "/a",
            "text/html",
            "<script>
            const said = f => { try { return String(f()) } catch (e) { return e.name } };
            parent.postMessage([
                said(() => { top.location = '/gone' }),
                said(() => { parent[0].location = '/gone' }),
                said(() => typeof open('/other', 'one')),
                said(() => open('/gone', '_top')),
                said(() => top.close()),
                said(() => { const own = open('', 'own'); own.location = 'about:blank?'; return own.closed }),
            ].join(), '*')</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    let script = "
        frames.two.location = '/a';
        new Promise(resolve => onmessage = e => setTimeout(() =>
            resolve([e.data, location.pathname, frames.one.location.href].join(' '))))";
    assert_eq!(
        window.text(script),
        "SecurityError,SecurityError,object,null,undefined,false / about:blank"
    );
    assert!(!site.requests().iter().any(|request| request == "GET /gone"));
    window.close();
}

#[test]
fn a_window_without_opener_is_not_found_by_name() {
    let (browser, site) = load(&[
        ("/", "text/html", "<body>"),
        (
            "/w",
            "text/html",
            "<script>name = 'other'; console.log('named')</script>",
        ),
    ]);
    let window = browser.load(site.url("/"));
    window.text("open('/w', '_blank', 'noopener')");
    window.wait_for(|report| matches!(report, ScriptReport::PageLoaded { .. }));
    // What is found is a new one.
    let script =
        "const found = open('', 'other'); [found.location.href, found.opener === window].join()";
    assert_eq!(window.text(script), "about:blank,true");
    window.close();
}

#[test]
fn frames_that_contain_themselves_end_somewhere() {
    let (browser, site) = load(&[(
        "/",
        "text/html",
        "<body><script>
            const frame = document.createElement('iframe');
            frame.src = '/?' + Math.random();
            onload = () => { if (top === window) console.log('deep') };
            document.body.append(frame);
            </script>",
    )]);
    let window = browser.open(site.url("/"));
    let lines = window.lines_until_loaded();
    assert!(
        lines.iter().any(|line| line.contains("too many frames")),
        "{lines:?}"
    );
    let script = "let depth = 0; for (let w = window; w.length; w = w[0]) depth++; depth";
    assert_eq!(window.text(script), "32");
    assert_eq!(window.text("frame.remove(); length"), "0");
    window.close();
}

#[test]
fn frames_give_their_memory_back() {
    let (mut browser, site) = load(&[("/", "text/html", "<body>")]);
    // Room for some seventy.
    browser.services.limits.memory_limit = 16 << 20;
    let window = browser.load(site.url("/"));
    let script = "{
        const counts = [];
        for (let round = 0; round < 3; round++) {
            for (let i = 0; i < 25; i++) {
                const frame = document.createElement('iframe');
                document.body.append(frame);
                // A cycle between the realms.
                frame.contentWindow.mine = { frame, own: window };
                window.last = frame.contentWindow.mine;
            }
            counts.push(length);
            document.body.textContent = '';
        }
        counts.join();
    }";
    assert_eq!(window.text(script), "25,25,25");
    assert_eq!(window.text(script), "25,25,25");
    window.close();
}

#[test]
fn nodes_stay_in_their_document() {
    let (browser, site) = load(&[("/", "text/html", "<body><p id=own>a</p><iframe></iframe>")]);
    let window = browser.load(site.url("/"));
    let script = "
        const theirs = frames[0].document, own = document.getElementById('own');
        const name = f => { try { return String(f()) } catch (e) { return e.name } };
        const node = theirs.createElement('section');
        node.innerHTML = '<b class=x>1</b><template><i>t</i></template>2';
        const results = [
            () => own.append(node), () => own.appendChild(node), () => own.before(node), () => own.replaceWith(node),
            () => own.insertBefore(node, null), () => own.replaceChild(node, own.firstChild), () => own.removeChild(node),
            () => own.insertAdjacentElement('afterend', node), () => document.adoptNode(node),
            () => own.contains(theirs.body), () => document.contains(theirs), () => own.isSameNode(node),
            () => (own.compareDocumentPosition(node) & 0x21) === 0x21, () => document.importNode(theirs),
        ].map(name);
        const copy = document.importNode(node, true);
        own.append(copy);
        results.push(copy.ownerDocument === document, copy instanceof HTMLElement, own.innerHTML,
            copy.querySelector('template').content.firstChild.textContent, document.importNode(node).childNodes.length,
            node.isConnected);
        results.join()";
    let refused = "NotSupportedError,".repeat(9);
    assert_eq!(
        window.text(script),
        format!(
            "{refused}false,false,false,true,NotSupportedError,true,true,\
             a<section><b class=\"x\">1</b><template><i>t</i></template>2</section>,t,0,false"
        )
    );
    window.close();
}
