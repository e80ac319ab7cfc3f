//! `fetch()`, its headers, requests, responses, and abort signals, against a server on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base::channel::{Callback, unbounded};
use base::ids::ClientId;
use base::time::Clock;
use indexed_db::IndexedDbHandle;
use net::{Net, NetConfig, NetServices};
use net_monitor::{EvidencePolicy, NetworkMonitor, NetworkScript, ScriptedSource};
use network_traits::EmulationSessionId;
use script::environment::Environment;
use script::event_loop::EventLoop;
use script::{EventLoops, ScriptLimits, Services};
use sw_traits::SwRegistrationHandle;
use sync_traits::SyncManagerHandle;
use url::Url;

use crate::{NoPermissions, Page, StillClock};

/// Long enough for a slow machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The head of a request, line by line, and its body.
type Received = (Vec<String>, String);

/// A server whose answers are written word for word.
struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    fn new(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || serve(stream.unwrap(), &log, &*answer));
            }
        });
        Self { address, received }
    }

    /// A server that sends back what it gets as the body.
    fn echo() -> Self {
        Self::new(|_| String::new())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Answers requests until the connection ends. An empty answer echoes the body; "hang" is none.
fn serve(mut stream: TcpStream, log: &Mutex<Vec<Received>>, answer: &dyn Fn(&str) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            head.push(line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let path = head[0].split(' ').nth(1).unwrap().to_owned();
        log.lock().unwrap().push((head, body.clone()));
        let answer = match answer(&path).as_str() {
            "" => response("200 OK", "Content-Type: text/echo", &body),
            "hang" => continue,
            answer => answer.to_owned(),
        };
        stream.write_all(answer.as_bytes()).unwrap();
        if answer.contains("Connection: close") {
            return;
        }
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    let headers = headers.replace('\n', "\r\n");
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A page of a server, with the network underneath. Fields are dropped in order.
struct Site {
    page: Page,
    event_loop: Rc<EventLoop>,
    monitor: NetworkMonitor,
    _network: NetworkScript,
    net: Net,
}

impl Site {
    fn new(url: &str) -> Self {
        Self::in_page(Page::new(), url)
    }

    fn in_page(page: Page, url: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
        let (source, network) = ScriptedSource::new();
        let monitor = NetworkMonitor::start(
            Box::new(source),
            Arc::clone(&clock),
            EvidencePolicy::default(),
        )
        .unwrap();
        let net = Net::start(
            NetConfig::default(),
            NetServices::new(monitor.handle(), Arc::clone(&clock)),
        )
        .unwrap();
        let event_loop = EventLoop::new(Arc::clone(&clock));
        let services = Services {
            service_workers: SwRegistrationHandle::new(unbounded().0),
            sync: SyncManagerHandle::new(unbounded().0),
            net: net.handle(),
            caches: cache_storage::CacheStorageHandle::new(unbounded().0),
            indexed_db: IndexedDbHandle::new(unbounded().0),
            network: monitor.handle(),
            permissions: Arc::new(NoPermissions),
            clock: Arc::clone(&clock),
            limit_clock: clock,
            event_loops: EventLoops::default(),
            user_agent: script::UserAgent::default(),
            report: Callback::ignore(),
            limits: ScriptLimits::default(),
        };
        let environment = Environment::new(ClientId::random(), Url::parse(url).unwrap(), services);
        page.realm.add_service(Rc::new(environment));
        page.realm.add_service(Rc::clone(&event_loop));
        Self {
            page,
            event_loop,
            monitor,
            _network: network,
            net,
        }
    }

    /// Runs the body of an async function, and returns what it returns as a string.
    fn run(&self, body: &str) -> String {
        self.page.run(&format!(
            "globalThis.result = undefined;
             (async () => {{ {body} }})().then(value => result = String(value),
                                               error => result = 'threw ' + error);"
        ));
        while self.page.run("result === undefined") == "true" {
            assert!(self.event_loop.wait(PATIENCE), "no end: {body}");
            self.event_loop.run_pending();
        }
        self.page.run("result")
    }

    fn emulate_offline(&self, offline: bool) {
        let (sender, done) = unbounded();
        let callback = Callback::to_sender(&sender, |()| ());
        self.monitor
            .handle()
            .emulate_offline(EmulationSessionId(1), offline, callback);
        done.recv().unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let (sender, done) = unbounded();
        let callback = Callback::to_sender(&sender, |()| ());
        self.net.handle().exit(callback);
        done.recv().unwrap();
        self.event_loop.shut_down();
    }
}

#[test]
fn a_response_has_what_the_server_sent() {
    let server = Server::new(|_| {
        response(
            "404 Not Here",
            "Content-Type: application/json\nX-Two: a\nX-Two: b\nSet-Cookie: c=d",
            "{\"a\": [1]}",
        )
    });
    let site = Site::new(&server.url("/dir/page.html"));
    let seen = site.run(
        "const r = await fetch('data.json?q#f');
         const rest = await r.clone().json();
         return [r instanceof Response, r.ok, r.status, r.statusText, r.type, r.redirected,
                 new URL(r.url).pathname, r.headers.get('x-two'), r.headers.has('set-cookie'),
                 rest.a[0], r.bodyUsed, (await r.text()).length, r.bodyUsed].join();",
    );
    assert_eq!(
        seen,
        "true,false,404,Not Here,basic,false,/dir/data.json,a, b,false,1,false,10,true"
    );
    assert_eq!(
        site.run(
            "const r = await fetch('/x'); try { r.headers.set('a', 'b') } catch (e) { return e }"
        ),
        "TypeError: Failed to execute 'set' on 'Headers': These headers cannot be changed."
    );
}

#[test]
fn a_service_worker_fetches_too() {
    let server = Server::echo();
    let site = Site::in_page(Page::service_worker(), &server.url("/sw.js"));
    assert_eq!(
        site.run("return (await fetch('/', {method: 'POST', body: 'b'})).text()"),
        "b"
    );
}

#[test]
fn bodies_arrive_with_their_type() {
    let server = Server::echo();
    let site = Site::new(&server.url("/"));
    for (body, sent, type_) in [
        (
            "'m\\u00fcll'",
            "m\u{fc}ll",
            Some("text/plain;charset=UTF-8"),
        ),
        (
            "new URLSearchParams({a: 'b c', d: '\\u00fc'})",
            "a=b+c&d=%C3%BC",
            Some("application/x-www-form-urlencoded;charset=UTF-8"),
        ),
        ("new TextEncoder().encode('bytes').buffer", "bytes", None),
        (
            "new TextEncoder().encode('bytes').subarray(1, 3)",
            "yt",
            None,
        ),
        (
            "new Blob(['{}'], {type: 'application/json'})",
            "{}",
            Some("application/json"),
        ),
        ("new Blob(['x'])", "x", None),
        ("''", "", Some("text/plain;charset=UTF-8")),
        ("5", "5", Some("text/plain;charset=UTF-8")),
    ] {
        let script = format!("return (await fetch('/', {{method: 'POST', body: {body}}})).text()");
        assert_eq!(site.run(&script), sent, "{body}");
        let (head, received) = server.received.lock().unwrap().pop().unwrap();
        assert_eq!(received, sent, "{body}");
        let own = head.iter().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-type: ")
                .map(str::len)
        });
        assert_eq!(own, type_.map(str::len), "{body}: {head:?}");
    }
}

#[test]
fn forms_arrive_with_their_files_and_are_read_again() {
    let server = Server::echo();
    let site = Site::new(&server.url("/"));
    let sent = site.run(
        "const form = new FormData();
         form.append('a b', 'x\\ny');
         form.append('file', new File(['bytes'], 'n.txt', {type: 'text/plain'}));
         await fetch('/', {method: 'POST', body: form});",
    );
    assert_eq!(sent, "undefined");
    let (head, body) = server.received.lock().unwrap().pop().unwrap();
    let boundary = head
        .iter()
        .find_map(|line| line.split_once("multipart/form-data; boundary="))
        .unwrap()
        .1;
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"a b\"\r\n\r\nx\r\ny\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"n.txt\"\r\n\
         Content-Type: text/plain\r\n\r\nbytes\r\n--{boundary}--\r\n"
    );
    assert_eq!(body, expected);
    for (body, expected) in [
        (
            "const form = new FormData(); form.append('f', new Blob(['\\u00fc'], {type: 'a/b'}), 'n'); form.append('t', '1');
             const read = await new Response(form).formData(), file = read.get('f');
             return [file.name, file.type, await file.text(), read.get('t'), [...read.keys()]].join()",
            "n,a/b,\u{fc},1,f,t",
        ),
        (
            "const body = new URLSearchParams('a=b+c&a=%C3%BC');
             return [...await new Request('/', {method: 'POST', body}).formData()].join()",
            "a,b c,a,\u{fc}",
        ),
        (
            "return new Response('a=b').formData().catch(error => error.name)",
            "TypeError",
        ),
        (
            "const headers = {'Content-Type': 'multipart/form-data; boundary=B'};
             return new Response('--B\\r\\n', {headers}).formData().catch(error => error.name)",
            "TypeError",
        ),
    ] {
        assert_eq!(site.run(body), expected, "{body}");
    }
}

#[test]
fn a_request_carries_method_headers_origin_and_referrer() {
    let server = Server::echo();
    let site = Site::new(&server.url("/page?x"));
    site.run(
        "await fetch('/api', {method: 'put', headers: {'X-Own': ' v ', 'Content-Type': 'a/b',
           Host: 'evil', 'Sec-Fetch-Mode': 'evil', Cookie: 'evil'}, body: 'x'})",
    );
    let (head, _) = server.received.lock().unwrap().pop().unwrap();
    let head = head.join("\n").to_lowercase();
    let origin = server.url("");
    for line in [
        "put /api http/1.1".to_owned(),
        "x-own: v".to_owned(),
        "content-type: a/b".to_owned(),
        format!("origin: {origin}"),
        format!("referer: {origin}/page?x"),
        "sec-fetch-mode: cors".to_owned(),
        "sec-fetch-dest: empty".to_owned(),
        "sec-fetch-site: same-origin".to_owned(),
    ] {
        assert!(head.lines().any(|own| own == line), "{line} in {head}");
    }
    assert!(!head.contains("evil"), "{head}");
    site.run("await fetch(new Request('/api', {referrer: ''}), {cache: 'no-store'})");
    let (head, _) = server.received.lock().unwrap().pop().unwrap();
    let head = head.join("\n").to_lowercase();
    assert!(head.contains("cache-control: no-cache"), "{head}");
    site.run("await fetch(new Request('/api', {referrerPolicy: 'origin'}))");
    let (head, _) = server.received.lock().unwrap().pop().unwrap();
    let head = head.join("\n").to_lowercase();
    assert!(head.contains(&format!("referer: {origin}/\n")), "{head}");
}

#[test]
fn what_prevents_a_response_is_told_in_a_type_error() {
    let server = Server::new(|path| match path {
        "/short" => {
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nabc".to_owned()
        }
        "/away" => response("302 Found", "Location: /", ""),
        _ => response("200 OK", "X: y", "fine"),
    });
    let site = Site::new(&server.url("/"));
    let other = Server::echo();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    for (call, url) in [
        ("fetch('/short')".to_owned(), server.url("/short")),
        (
            "fetch('/away', {redirect: 'error'})".to_owned(),
            server.url("/away"),
        ),
        (
            format!("fetch('http://{closed}/')"),
            format!("http://{closed}/"),
        ),
        (format!("fetch({:?})", other.url("/x")), other.url("/x")),
        (
            format!("fetch({:?}, {{mode: 'same-origin'}})", other.url("/x")),
            other.url("/x"),
        ),
        (
            "fetch('ftp://x.test/')".to_owned(),
            "ftp://x.test/".to_owned(),
        ),
    ] {
        let seen = site.run(&format!("return {call}"));
        let start = format!("threw TypeError: Failed to fetch {url}: ");
        assert!(
            seen.starts_with(&start) && seen.len() > start.len() + 10,
            "{call}: {seen}"
        );
    }
    assert_eq!(site.run("return (await fetch('/')).text()"), "fine");
}

#[test]
fn emulated_offline_is_a_type_error_until_it_ends() {
    let server = Server::echo();
    let site = Site::new(&server.url("/"));
    site.emulate_offline(true);
    let seen = site.run("return fetch('/').catch(e => e.constructor === TypeError && e.message)");
    assert!(
        seen.starts_with("Failed to fetch http://127.0.0.1") && seen.contains("offline"),
        "{seen}"
    );
    site.emulate_offline(false);
    assert_eq!(site.run("return (await fetch('/')).status"), "200");
}

#[test]
fn another_origin_decides_what_may_be_read() {
    let other = Server::new(|path| match path {
        "/open" => response(
            "200 OK",
            "Access-Control-Allow-Origin: *\nAccess-Control-Expose-Headers: x-a\nX-A: 1\nX-B: 2",
            "open",
        ),
        _ => response("200 OK", "X-A: 1", "closed"),
    });
    let server = Server::echo();
    let site = Site::new(&server.url("/"));
    let open = other.url("/open");
    assert_eq!(
        site.run(&format!(
            "const r = await fetch({open:?});
             return [r.type, r.headers.get('x-a'), r.headers.get('x-b'), await r.text()].join()"
        )),
        "cors,1,,open"
    );
    let closed = other.url("/closed");
    assert_eq!(
        site.run(&format!(
            "const r = await fetch({closed:?}, {{mode: 'no-cors'}});
             return [r.type, r.status, r.ok, r.url, [...r.headers].length, await r.text()].join()"
        )),
        "opaque,0,false,,0,"
    );
}

#[test]
fn redirects_are_followed_or_handed_over() {
    let server = Server::new(|path| match path {
        "/from" => response("302 Found", "Location: /to", ""),
        _ => response("200 OK", "X: y", "there"),
    });
    let site = Site::new(&server.url("/"));
    assert_eq!(
        site.run("const r = await fetch('/from'); return r.redirected + new URL(r.url).pathname"),
        "true/to"
    );
    assert_eq!(
        site.run("const r = await fetch('/from', {redirect: 'manual'}); return r.type + r.status"),
        "opaqueredirect0"
    );
}

#[test]
fn an_aborted_fetch_rejects_with_the_reason() {
    let server = Server::new(|path| {
        if path == "/hang" {
            "hang".to_owned()
        } else {
            response("200 OK", "X: y", "fine")
        }
    });
    let site = Site::new(&server.url("/"));
    for (script, expected) in [
        (
            "const c = new AbortController(); const p = fetch('/hang', {signal: c.signal});
             c.abort(); return p",
            "threw AbortError: The operation was aborted.",
        ),
        (
            "const c = new AbortController(); const p = fetch('/hang', {signal: c.signal});
             setTimeout(() => c.abort('own'), 0); return p",
            "threw own",
        ),
        (
            "return fetch('/', {signal: AbortSignal.abort('before')})",
            "threw before",
        ),
        (
            "return fetch('/hang', {signal: AbortSignal.timeout(0)})",
            "threw TimeoutError: The time limit of the signal was reached.",
        ),
        (
            "const signal = AbortSignal.timeout(0);
             for (let handle = -9; handle < 99; handle++) clearTimeout(handle);
             return fetch('/hang', {signal})",
            "threw TimeoutError: The time limit of the signal was reached.",
        ),
        (
            "const a = new AbortController(), b = new AbortController();
             const r = new Request('/hang', {signal: AbortSignal.any([a.signal, b.signal])});
             const p = fetch(r.clone()); b.abort('b'); return p",
            "threw b",
        ),
        (
            "const c = new AbortController(); const r = await fetch('/', {signal: c.signal});
             c.abort(); return r.text()",
            "fine",
        ),
    ] {
        assert_eq!(site.run(script), expected, "{script}");
    }
    let asked = server.received.lock().unwrap().len();
    assert_eq!(site.run("return (await fetch('/')).ok"), "true");
    assert!(asked <= 5, "an aborted signal sends nothing");
}

#[test]
fn what_is_forgotten_with_its_page_leaks_nothing() {
    let server = Server::new(|_| "hang".to_owned());
    let site = Site::new(&server.url("/"));
    site.page.run(
        "const c = new AbortController();
         c.signal.onabort = () => c;
         const p = fetch('/', {signal: c.signal}); p.finally(() => [c, p]);",
    );
    script::fetch::terminate(&site.page.realm);
    // `Site` is dropped: a value that outlives its runtime would be an error in the log.
    site.event_loop.shut_down();
    assert_eq!(site.page.run("1"), "1");
}

/// Scripts about the objects alone, with their results.
#[test]
fn requests_and_responses_are_as_the_standard_says() {
    let site = Site::new("https://example.test/dir/page");
    for (script, expected) in [
        ("return new Request('a?b#c').url", "https://example.test/dir/a?b#c"),
        ("return new Request('/', {method: 'post'}).method", "POST"),
        ("return new Request('/', {method: 'pAtch'}).method", "pAtch"),
        ("const r = new Request('/'); return [r.mode, r.credentials, r.cache, r.redirect, r.referrer, r.destination]",
         "cors,same-origin,default,follow,about:client,"),
        ("const r = new Request('/', {referrerPolicy: 'no-referrer'});
          return [new Request('/').referrerPolicy, r.referrerPolicy, r.clone().referrerPolicy, new Request(r).referrerPolicy, new Request(r, {mode: 'cors'}).referrerPolicy]",
         ",no-referrer,no-referrer,no-referrer,"),
        ("return new Request('/', {method: 'TRACE'})",
         "threw TypeError: Failed to construct 'Request': The method TRACE cannot be used by scripts."),
        ("return new Request('/', {method: 'a b'})",
         "threw TypeError: Failed to construct 'Request': \"a b\" is not an HTTP method."),
        ("return new Request('/', {body: 'x'})",
         "threw TypeError: Failed to construct 'Request': A request with the method GET or HEAD cannot have a body."),
        ("return new Request('https://u:p@x.test/')",
         "threw TypeError: Failed to construct 'Request': The URL https://u:p@x.test/ has a user name or password in it."),
        ("return new Request('/', {mode: 'navigate'})",
         "threw TypeError: Failed to construct 'Request': A script cannot make a request with the mode \"navigate\"."),
        ("return new Request('/', {mode: 'no-cors', method: 'PUT'})",
         "threw TypeError: Failed to construct 'Request': With the mode \"no-cors\" the method can only be GET, HEAD or POST."),
        ("const h = new Request('/', {mode: 'no-cors', headers: {'x-a': '1', accept: 'b'}}).headers;
          return [...h].join('|')", "accept,b"),
        ("const a = new Request('/', {method: 'POST', body: 'x', headers: {y: 'z'}});
          const b = new Request(a); return [a.bodyUsed, b.bodyUsed, await b.text(), b.headers.get('y')]",
         "true,false,x,z"),
        ("const a = new Request('/', {method: 'POST', body: 'x'}); await a.text(); return new Request(a)",
         "threw TypeError: Failed to construct 'Request': The body has been read already."),
        ("const a = new Request('/', {method: 'POST', body: 'x'}); const b = a.clone();
          await a.text(); return b.text()", "x"),
        ("const r = new Response('x'); await r.text(); return r.text()",
         "threw TypeError: Failed to execute 'text' on 'Response': The body has been read already."),
        ("const r = new Response(); return [r.status, r.statusText, r.ok, r.type, r.url, r.bodyUsed, await r.text(), r.bodyUsed]",
         "200,,true,default,,false,,false"),
        ("return new Response('x', {status: 199})",
         "threw RangeError: The status 199 is not in the range from 200 to 599."),
        ("return new Response('x', {status: 204})",
         "threw TypeError: Failed to construct 'Response': A response with the status 204 cannot have a body."),
        ("return new Response(null, {status: 204}).ok", "true"),
        ("return new Response('', {statusText: 'a\\n'})",
         "threw TypeError: Failed to construct 'Response': The status text has characters that it cannot have."),
        ("const r = Response.error(); return [r.type, r.status, r.ok]", "error,0,false"),
        ("const r = Response.redirect('x', 301); return [r.status, r.headers.get('location')]",
         "301,https://example.test/dir/x"),
        ("return Response.redirect('x', 200)", "threw RangeError: 200 is not the status of a redirect."),
        ("const r = Response.json({a: 1}, {status: 201}); return [r.status, r.headers.get('content-type'), await r.text()]",
         "201,application/json,{\"a\":1}"),
        ("return Response.json(undefined)",
         "threw TypeError: Failed to execute 'json' on 'Response': The value has no representation in JSON."),
        ("return new Response('{').json().catch(e => e.name)", "SyntaxError"),
        ("return new Response('\\ufeffx').text()", "x"),
        ("const b = await new Response('ab', {headers: {'content-type': 'A/b'}}).blob(); return [b.size, b.type]",
         "2,a/b"),
        ("return [...await new Response('ab').bytes()]", "97,98"),
        ("return (await new Response(new Uint8Array([1, 2])).arrayBuffer()).byteLength", "2"),
        ("return new Response('x', {headers: {'set-cookie': 'a', b: 'c'}}).headers.has('set-cookie')", "false"),
        ("const r = new Response('a'), c = r.clone(); return [await r.text(), await c.text()]", "a,a"),
        ("return fetch('/', {cache: 'only-if-cached', mode: 'same-origin'})",
         "threw TypeError: Failed to fetch https://example.test/: it is not in the HTTP cache, and only that is to answer"),
        ("return fetch('http://[')",
         "threw TypeError: Failed to execute 'fetch' on 'Window': \"http://[\" is not a valid URL: invalid IPv6 address."),
        ("return fetch('data:text/plain,hi').then(r => r.text())", "hi"),
        ("return fetch.call(undefined, 'data:,x').then(r => r.text())", "x"),
        ("return (() => { try { fetch(); } catch { return 'thrown' } })() ?? 'rejected'", "rejected"),
    ] {
        assert_eq!(site.run(script), expected, "{script}");
    }
}

#[test]
fn headers_are_as_the_standard_says() {
    let page = Page::new();
    for (script, expected) in [
        ("[...new Headers({B: '2', a: '1'})].join('|')", "a,1|b,2"),
        (
            "const h = new Headers([['b', '1'], ['A', '2'], ['B', '3']]); [...h].join('|')",
            "a,2|b,1, 3",
        ),
        (
            "const h = new Headers(); h.append('a', ' x '); h.append('a', ''); JSON.stringify(h.get('A'))",
            "\"x, \"",
        ),
        (
            "const h = new Headers({a: '1'}); h.set('a', '2'); h.set('b', '3'); h.delete('A'); [...h].join()",
            "b,3",
        ),
        ("new Headers().get('x')", "null"),
        (
            "const h = new Headers([['set-cookie', 'a'], ['Set-Cookie', 'b']]); h.getSetCookie().join('|') + [...h].length",
            "a|b2",
        ),
        (
            "try { new Headers({'a b': ''}) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "try { new Headers({a: 'x\\ny'}) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "try { new Headers({a: '\\u0100'}) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "try { new Headers([['a']]) } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "try { new Headers().has('') } catch (e) { e.name }",
            "TypeError",
        ),
        (
            "const seen = []; new Headers({a: '1'}).forEach((v, k, o) => seen.push(k, v, o instanceof Headers)); seen.join()",
            "a,1,true",
        ),
        ("new Headers(new Headers({a: '1'})).get('a')", "1"),
        (
            "const h = new Headers({a: '1', b: '2'}); [...h.keys()].join() + [...h.values()].join()",
            "a,b1,2",
        ),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}

#[test]
fn signals_are_as_the_standard_says() {
    let page = Page::new();
    for (script, expected) in [
        ("const s = new AbortController().signal; s.aborted + String(s.reason)", "falseundefined"),
        ("const c = new AbortController(); c.abort(); c.signal.aborted + c.signal.reason.name + c.signal.reason.code", "trueAbortError20"),
        ("const c = new AbortController(); c.abort(1); c.abort(2); c.signal.reason", "1"),
        ("const c = new AbortController(), seen = []; c.signal.onabort = e => seen.push(e.type, e.isTrusted, e.target === c.signal); c.abort(); c.abort(); seen.join()", "abort,true,true"),
        ("try { AbortSignal.abort('x').throwIfAborted() } catch (e) { e }", "x"),
        ("new AbortController().signal.throwIfAborted()", "undefined"),
        ("try { new AbortSignal() } catch (e) { e.name }", "TypeError"),
        ("const c = new AbortController(); const s = AbortSignal.any([AbortSignal.any([c.signal])]); c.abort('x'); s.reason", "x"),
        ("AbortSignal.any([AbortSignal.abort(1), AbortSignal.abort(2)]).reason", "1"),
        ("AbortSignal.any([]).aborted", "false"),
        ("const c = new AbortController(), seen = []; const s = AbortSignal.any([c.signal]);
          s.onabort = () => seen.push('dependent'); c.signal.onabort = () => seen.push('source' + s.aborted);
          c.abort(); seen.join()", "sourcetrue,dependent"),
        ("AbortSignal.any.name + AbortSignal.any.length", "any1"),
    ] {
        assert_eq!(page.run(&format!("{{ {script} }}")), expected, "{script}");
    }
}
