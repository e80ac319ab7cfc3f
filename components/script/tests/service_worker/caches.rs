//! Caches in pages and service workers, on the real components.

use super::pages::{REGISTER, Site};

fn site(worker: &'static str) -> Site {
    Site::with(worker, |path| match path {
        "/mail/a" => Some((200, "text/plain", "A")),
        "/mail/b?c" => Some((200, "text/html", "B")),
        "/mail/old" => Some((404, "text/plain", "gone")),
        _ => None,
    })
}

const NAMED: &str = "const named = promise => promise.then(String, error => error.name);";

#[test]
fn what_a_page_puts_comes_back_as_it_was() {
    let result = site("").page(
        "const cache = await caches.open('x');
         const request = new Request('a?b#c', { headers: { 'X-Asks': 'yes' }, credentials: 'omit',
           referrer: '' });
         const response = new Response('text', { status: 201, statusText: 'Made',
           headers: { 'Content-Type': 'text/x', 'X-Says': 'no' } });
         const put = await cache.put(request, response);
         const found = await cache.match('a?b');
         const [key] = await cache.keys();
         return JSON.stringify([put ?? null, response.bodyUsed, found === response, found.status,
           found.statusText, found.type, found.url, [...found.headers], await found.text(),
           key.url.endsWith('/mail/a?b#c'), key.method, [...key.headers], key.credentials,
           key.referrer, await cache.match('a') ?? null, Object.isFrozen(await cache.matchAll()),
           (await cache.matchAll()).length, caches === window.caches]);",
    );
    assert_eq!(
        result,
        "[null,true,false,201,\"Made\",\"default\",\"\",[[\"content-type\",\"text/x\"],\
         [\"x-says\",\"no\"]],\"text\",true,\"GET\",[[\"x-asks\",\"yes\"]],\"omit\",\"\",null,\
         true,1,true]"
    );
}

#[test]
fn caches_are_named_found_and_deleted() {
    let result = site("").page(&format!(
        "{NAMED}
         const [b, a, again] = [await caches.open('b'), await caches.open('a'),
           await caches.open('b')];
         await a.put('x', new Response('in a'));
         await a.put('y', new Response('in a'));
         await b.put('y', new Response('in b'));
         const text = async response => (await response)?.text();
         return [await caches.keys(), b === again, await caches.has('a'), await caches.has('c'),
           await text(caches.match('x')), await text(caches.match('y')),
           await text(caches.match('y', {{ cacheName: 'a' }})),
           await text(caches.match('y', {{ cacheName: 'c' }})),
           await caches.delete('b'), await caches.delete('b'), await text(again.match('y')),
           await text(caches.match('y')), await a.delete('x'), await a.delete('x'),
           (await a.keys()).length, await named(caches.open()), String(caches), String(a)].join('|');",
    ));
    assert_eq!(
        result,
        "b,a|false|true|false|in a|in b|in a||true|false|in b|in a|true|false|1|TypeError|\
         [object CacheStorage]|[object Cache]"
    );
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let result = site("").page(&format!(
        "{NAMED}
         const cache = await caches.open('x'), response = () => new Response('x'), used = response();
         await used.text();
         const tried = [
           cache.put('data:,x', response()),
           cache.put(new Request('x', {{ method: 'POST' }}), response()),
           cache.put('x', new Response('x', {{ status: 206 }})),
           cache.put('x', new Response('x', {{ headers: {{ Vary: 'cookie, *' }} }})),
           cache.put('x', used),
           cache.put('x'), cache.put('x', {{}}), cache.match(), cache.addAll('x'),
           cache.add('old'), cache.add('data:,x'), cache.addAll(['a', 'old']),
           cache.addAll(['a', 'a']), cache.add('http://127.0.0.1:1/')];
         const names = await Promise.all(tried.map(named));
         return names.join() + ' ' + (await cache.keys()).length;",
    ));
    let type_errors = "TypeError,".repeat(12);
    assert_eq!(
        result,
        format!("{type_errors}InvalidStateError,TypeError 0")
    );
}

#[test]
fn a_worker_fills_a_cache_that_the_page_reads() {
    let result = site(
        "oninstall = event => event.waitUntil(caches.open('offline').then(cache =>
           cache.addAll(['a', new Request('b?c')]).then(() => cache.add('a'))));",
    )
    .page(&format!(
        "{REGISTER}
         await container.ready;
         const cache = await caches.open('offline');
         const responses = await cache.matchAll();
         const texts = await Promise.all(responses.map(response => response.text()));
         return [texts, responses.map(response => response.type), responses[0].url.slice(-9),
           (await cache.matchAll('b', {{ ignoreSearch: true }})).length].join('|');",
    ));
    assert_eq!(result, "B,A|basic,basic|/mail/b?c|1");
}

#[test]
fn caches_are_there_in_secure_contexts_only() {
    let page = crate::Page::new();
    assert_eq!(page.run("'caches' in self && typeof Cache"), "function");
    let (_, mut options) = crate::options(script::bindings::GlobalKind::Window);
    options.secure_context = false;
    let realm = page
        .runtime
        .create_realm(options, |_| script::dom::window::Window::new())
        .ok()
        .unwrap();
    let found = realm.evaluate("'caches' in self || 'Cache' in self", "test.js");
    assert!(found.is_ok_and(|found| !found.is_true()));
}
