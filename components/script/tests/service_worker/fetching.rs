//! `fetch` events: requests of pages and workers, answered by the service worker that controls them.

use super::pages::{REGISTER, Site};

/// Registers the worker, which claims its clients, and waits until it controls the page.
fn control() -> String {
    format!(
        "{REGISTER}
         if (!container.controller) {{
           await new Promise(done => container.oncontrollerchange = done);
         }}"
    )
}

const CLAIM: &str = "onactivate = event => event.waitUntil(clients.claim());";

/// A site whose worker has this script too, after which it claims its clients.
fn site(worker: &str) -> Site {
    // The test's own text, once for each test.
    let worker: &'static str = Box::leak(format!("{CLAIM}\n{worker}").into_boxed_str());
    Site::with(worker, |path| match path {
        "/mail/data" => Some((200, "text/plain", "from the server")),
        "/mail/by-server" => Some((302, "text/plain\r\nLocation: data", "")),
        "/elsewhere" => Some((302, "text/plain\r\nLocation: /mail/there", "")),
        "/mail/script.js" => Some((200, "text/javascript", "self.origin_of_script = 'server'")),
        "/mail/dedicated.js" => Some((
            200,
            "text/javascript",
            "importScripts('script.js'); fetch('data').then(async response =>
               postMessage([origin_of_script, await response.text(), location.pathname].join()))",
        )),
        _ => None,
    })
}

#[test]
fn a_request_of_a_page_is_answered_by_the_service_worker_that_controls_it() {
    let site = site(
        "onfetch = event => {
           const { request, clientId, resultingClientId, replacesClientId } = event;
           if (!request.url.endsWith('/made')) return;
           event.respondWith(request.text().then(async body => new Response(JSON.stringify([
             request.method, request.mode, request.destination, request.headers.get('x-own'),
             request.headers.get('accept'), body, request.cache, request.redirect,
             new URL(request.referrer).pathname, request.referrerPolicy,
             (await clients.get(clientId)).url.endsWith('/mail/'), resultingClientId,
             replacesClientId, event.cancelable, event.isTrusted, await event.preloadResponse]),
             { status: 201, statusText: 'Made', headers: { 'X-Its': '1' } })));
         };",
    );
    let result = site.page(&format!(
        "const before = (await fetch('made')).status; {}
         const response = await fetch('made', {{ method: 'POST', body: 'sent',
           headers: {{ 'X-Own': 'mine' }}, cache: 'no-store' }});
         const other = await fetch('data');
         return [before, response.status, response.statusText, response.type,
           response.headers.get('x-its'), response.url.endsWith('/mail/made'), response.redirected,
           await response.text(), other.type, await other.text()].join(' ');",
        control()
    ));
    assert_eq!(
        result,
        "404 201 Made default 1 true false [\"POST\",\"cors\",\"\",\"mine\",\"*/*\",\"sent\",\
         \"no-store\",\"follow\",\"/mail/\",\"strict-origin-when-cross-origin\",true,\"\",\"\",true,\
         true,null] basic from the server"
    );
}

#[test]
fn what_a_service_worker_fetches_itself_goes_to_the_network() {
    let site = site(
        "let count = 0;
         onfetch = event => { count++; event.respondWith(fetch('data').then(async response =>
           new Response(count + ' ' + await response.text()))) };",
    );
    let result = site.page(&format!("{} return (await fetch('x')).text()", control()));
    assert_eq!(result, "1 from the server");
}

#[test]
fn an_event_is_answered_once_and_in_time_or_the_request_fails() {
    let site = site(
        "const names = [];
         const attempt = action => { try { action(); names.push('done'); }
           catch (error) { names.push(error.name); } };
         const untrusted = new FetchEvent('fetch', { request: new Request('x') });
         attempt(() => untrusted.respondWith(new Response('')));
         let handled, later;
         addEventListener('fetch', event => {
           const what = new URL(event.request.url).search.slice(1);
           handled = event.handled.then(value => 'handled ' + value, error => error.name);
           switch (what) {
             case 'twice':
               attempt(() => event.respondWith(new Response('first')));
               attempt(() => event.respondWith(new Response('second')));
               break;
             case 'late': event.waitUntil(later = new Promise(done => setTimeout(() => {
               attempt(() => event.respondWith(new Response('late'))); done(); }))); break;
             case 'rejected': event.respondWith(Promise.reject(new Error('no'))); break;
             case 'nothing': event.respondWith(undefined); break;
             case 'error': event.respondWith(Response.error()); break;
             case 'used': { const response = new Response('x');
               event.respondWith(response.text().then(() => response)); break; }
             case 'prevented': event.preventDefault(); break;
             case 'throws': throw new Error('not caught');
           }
         });
         addEventListener('fetch', event => { if (event.request.url.endsWith('?twice')) names.push('not stopped'); });
         onmessage = async event => {
           await later;
           event.source.postMessage(names.splice(0) + ' ' + await handled);
         };",
    );
    let result = site.page(&format!(
        "{} const log = [];
         for (const what of ['twice', 'late', 'rejected', 'nothing', 'error', 'used', 'prevented',
                             'throws', 'unhandled']) {{
           const text = await fetch('data?' + what).then(
             async response => response.status + ' ' + await response.text(), error => error.name);
           const names = await new Promise(got => {{
             container.onmessage = event => got(event.data);
             container.controller.postMessage(0);
           }});
           log.push(what + ': ' + text + ' [' + names + ']');
         }}
         return log.join('; ');",
        control()
    ));
    assert_eq!(
        result,
        "twice: 200 first [InvalidStateError,done,InvalidStateError handled undefined]; \
         late: 404 missing [InvalidStateError handled undefined]; \
         rejected: TypeError [ NetworkError]; nothing: TypeError [ NetworkError]; \
         error: TypeError [ handled undefined]; used: TypeError [ NetworkError]; \
         prevented: TypeError [ NetworkError]; throws: 404 missing [ handled undefined]; \
         unhandled: 404 missing [ handled undefined]"
    );
}

#[test]
fn a_worker_that_ends_while_it_answers_is_a_network_error() {
    let site = site(
        "onfetch = event => {
           event.respondWith(new Promise(() => {}));
           clients.get(event.clientId).then(client => client.postMessage('dispatched'));
         };",
    );
    site.page(&format!(
        "{} self.result = fetch('x').then(() => 'an answer', error => error.name);
         await new Promise(got => container.onmessage = got);",
        control()
    ));
    let scope = url::Url::parse(&format!("{}/mail/", site.address)).unwrap();
    let key = base::StorageKey::from_url(&scope).unwrap();
    let (sender, stopped) = base::channel::bounded(1);
    let done = base::channel::Callback::to_sender(&sender, |ran| ran);
    let handle = &site.services.service_workers;
    handle.stop_worker(key, scope, done).unwrap();
    assert!(super::host::take(&stopped));
    assert_eq!(site.page("return self.result"), "TypeError");
}

#[test]
fn an_aborted_fetch_aborts_the_request_of_the_event() {
    let site = site(
        "onfetch = event => {
           const { signal } = event.request;
           event.respondWith(new Promise((_, reject) => signal.onabort = async () => {
             const [client] = await clients.matchAll();
             client.postMessage(signal.reason.name);
             reject(signal.reason);
           }));
           clients.get(event.clientId).then(client => client.postMessage('dispatched'));
         };",
    );
    let result = site.page(&format!(
        "{} const controller = new AbortController(), messages = [];
         const all = new Promise(got => container.onmessage = event => {{
           messages.push(event.data);
           if (event.data == 'dispatched') controller.abort(); else got();
         }});
         const name = await fetch('x', {{ signal: controller.signal }}).catch(error => error.name);
         await all;
         return [name, ...messages].join();",
        control()
    ));
    assert_eq!(result, "AbortError,dispatched,AbortError");
}

#[test]
fn scripts_and_workers_come_through_the_service_worker() {
    let site = site(
        "const seen = [];
         onfetch = event => {
           const { request } = event, { pathname } = new URL(request.url);
           seen.push([pathname, request.destination, request.mode, event.clientId != '',
             event.resultingClientId != ''].join(' '));
           if (pathname == '/mail/script.js') event.respondWith(new Response(
             'self.origin_of_script = \"worker\"', { headers: { 'Content-Type': 'text/javascript' } }));
         };
         onmessage = event => event.source.postMessage(seen.splice(0));",
    );
    let result = site.page(&format!(
        "{} const script = document.createElement('script'); script.src = 'script.js';
         await new Promise(done => {{ script.onload = done; document.body.append(script); }});
         const worker = new Worker('dedicated.js');
         const told = await new Promise(got => worker.onmessage = event => got(event.data));
         const seen = await new Promise(got => {{
           container.onmessage = event => got(event.data); container.controller.postMessage(0); }});
         return [self.origin_of_script, told, ...seen].join('; ');",
        control()
    ));
    assert_eq!(
        result,
        "worker; worker,from the server,/mail/dedicated.js; \
         /mail/script.js script no-cors true false; \
         /mail/dedicated.js worker same-origin true true; \
         /mail/script.js script no-cors true false; /mail/data  cors true false"
    );
}

/// Loads a frame and gives the variable `frame`, with the text of its document in `shown`.
const FRAME: &str = "const load = async url => {
      const frame = document.createElement('iframe'); frame.src = url;
      await new Promise(done => { frame.onload = done; document.body.append(frame); });
      return frame; };
    const shown = frame => frame.contentDocument?.body.textContent ?? 'blocked';";

#[test]
fn a_frame_is_answered_by_what_its_url_matches_and_controlled_by_it() {
    let site = site(
        "let told;
         onfetch = event => {
           const { request, clientId, resultingClientId } = event;
           if (request.mode != 'navigate') return;
           event.respondWith((async () => {
             const { pathname } = new URL(request.url);
             const asker = await clients.get(clientId);
             told = clients.get(resultingClientId).then(client => new URL(client.url).pathname +
               ' ' + client.frameType + ' ' + (client.id == resultingClientId));
             const text = [request.method, request.destination, request.redirect, request.credentials,
               request.headers.get('accept').slice(0, 9), asker.url.endsWith('/mail/')].join();
             return new Response(text, { headers: { 'Content-Type': 'text/html' } });
           })());
         };
         onmessage = async event => event.source.postMessage(await told);",
    );
    let result = site.page(&format!(
        "{} {FRAME}
         const frame = await load('nowhere#there');
         const told = await new Promise(got => {{
           container.onmessage = event => got(event.data); container.controller.postMessage(0); }});
         const inner = frame.contentWindow;
         return [shown(frame), told, inner.location.pathname + inner.location.hash,
           inner.navigator.serviceWorker.controller.scriptURL == container.controller.scriptURL].join('; ');",
        control()
    ));
    assert_eq!(
        result,
        "GET,iframe,manual,include,text/html,true; /mail/nowhere nested true; /mail/nowhere#there; true"
    );
}

#[test]
fn each_url_of_a_redirected_navigation_has_its_own_service_worker() {
    let site = site(
        "const seen = [];
         onfetch = event => {
           const { pathname } = new URL(event.request.url);
           seen.push(pathname);
           if (pathname == '/mail/there') event.respondWith(new Response('there',
             { headers: { 'Content-Type': 'text/html' } }));
           if (pathname == '/mail/by-worker')
             event.respondWith(Response.redirect('there'));
           if (pathname == '/mail/circle') event.respondWith(Response.redirect('circle'));
           if (pathname == '/mail/followed')
             event.respondWith(fetch('by-server'));
         };
         onmessage = event => event.source.postMessage(seen.splice(0).join());",
    );
    let result = site.page(&format!(
        "{} {FRAME} const log = [];
         for (const url of ['by-worker', '/elsewhere', 'circle', 'followed', 'data']) {{
           const frame = await load(url);
           const seen = await new Promise(got => {{
             container.onmessage = event => got(event.data); container.controller.postMessage(0); }});
           let place; try {{ place = frame.contentWindow.location.pathname }} catch (e) {{ place = e.name }}
           log.push([shown(frame).slice(0, 15), place, seen.split(',').length, seen.slice(0, 27)].join());
         }}
         return log.join('; ');",
        control()
    ));
    assert_eq!(
        result,
        "there,/mail/there,2,/mail/by-worker,/mail/there; \
         there,/mail/there,1,/mail/there; \
         blocked,SecurityError,21,/mail/circle,/mail/circle,/; \
         blocked,SecurityError,1,/mail/followed; \
         from the server,/mail/data,1,/mail/data"
    );
}

#[test]
fn a_navigation_is_preloaded_while_the_worker_starts() {
    let site = site(
        "onfetch = event => {
           if (event.request.mode != 'navigate') return;
           event.respondWith((async () => {
             const response = await event.preloadResponse;
             const text = response ? response.type + ' ' + await response.text() : 'nothing';
             return new Response('preloaded: ' + text, { headers: { 'Content-Type': 'text/html' } });
           })());
         };",
    );
    let result = site.page(&format!(
        "{} {FRAME}
         const before = shown(await load('data'));
         await registration.navigationPreload.enable();
         const after = shown(await load('data'));
         return before + '; ' + after;",
        control()
    ));
    assert_eq!(
        result,
        "preloaded: nothing; preloaded: basic from the server"
    );
}

#[test]
fn an_opaque_response_is_passed_on_and_kept_without_being_shown() {
    let other = super::host::serve(|path| match path {
        "/other.js" => Some((200, "text/javascript", "self.count = (self.count || 0) + 1")),
        _ => Some((404, "text/plain", "missing")),
    });
    let site = site(
        "onfetch = event => {
           if (!event.request.url.endsWith('/other.js')) return;
           event.respondWith((async () => {
             const cache = await caches.open('scripts');
             const found = await cache.match(event.request);
             if (found) return found;
             const response = await fetch(event.request);
             await cache.put(event.request, response.clone());
             return response;
           })());
         };",
    );
    let result = site.page(&format!(
        "{} const run = () => new Promise((done, failed) => {{
           const script = document.createElement('script'); script.src = '{other}/other.js';
           script.onload = done; script.onerror = failed; document.body.append(script); }});
         await run(); await run();
         const kept = await caches.match('{other}/other.js');
         const refused = await fetch('{other}/other.js').catch(error => error.name);
         return [self.count, kept.type, kept.status, kept.url, await kept.text(), refused].join();",
        control()
    ));
    assert_eq!(result, "2,opaque,0,,,TypeError");
}
