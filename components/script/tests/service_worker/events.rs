//! The events of a service worker.

use base::StorageKey;
use base::ids::ClientId;
use sw_traits::{
    ClientInfo, ClientType, EventOutcome, FrameType, MessageSource, VisibilityState, WorkerEvent,
    WorkerHost,
};

use super::host::{Host, WORKER, sync, url};
use crate::Page;

fn rejected(reason: &str) -> EventOutcome {
    EventOutcome::Rejected {
        reason: reason.to_owned(),
    }
}

#[test]
fn wait_until_decides_the_outcome() {
    let late = "const later = (run) => new Promise(done => setTimeout(() => done(run()), 1));";
    for (handler, outcome) in [
        ("", EventOutcome::Fulfilled),
        ("e.waitUntil(5)", EventOutcome::Fulfilled),
        ("e.waitUntil(later(() => 5))", EventOutcome::Fulfilled),
        (
            "e.waitUntil(Promise.reject(new Error('no')))",
            rejected("Error: no"),
        ),
        (
            "e.waitUntil(later(() => Promise.reject('late')))",
            rejected("late"),
        ),
        // The first reason counts, when all are settled.
        (
            "e.waitUntil(later(() => Promise.reject('second'))); e.waitUntil(Promise.reject('first'))",
            rejected("first"),
        ),
        // A handler that throws does not reject.
        ("throw new Error('handler')", EventOutcome::Fulfilled),
        (
            "e.waitUntil(Promise.reject('promise')); throw new Error('handler')",
            rejected("promise"),
        ),
        // Extended from a microtask of the handler, and from a promise that is pending.
        (
            "Promise.resolve().then(() => e.waitUntil(Promise.reject('microtask')))",
            rejected("microtask"),
        ),
        (
            "e.waitUntil(later(() => { e.waitUntil(later(() => Promise.reject('chained'))) }))",
            rejected("chained"),
        ),
        (
            "const p = Promise.resolve(); e.waitUntil(p);
             p.then(() => e.waitUntil(Promise.reject('same turn')))",
            rejected("same turn"),
        ),
        // Too late.
        (
            "setTimeout(() => { try { e.waitUntil(1) } catch (x) { console.log(x.name) } }, 1)",
            EventOutcome::Fulfilled,
        ),
    ] {
        let mut host = Host::new();
        host.run(&format!("{late} onsync = e => {{ {handler} }};"));
        assert_eq!(host.sync("x"), outcome, "{handler}");
    }
}

#[test]
fn an_event_that_is_over_cannot_be_extended() {
    let mut host = Host::new();
    host.run(
        "const attempt = e => { try { e.waitUntil(1) } catch (x) { console.log(x.name) } };
         onsync = e => {
           setTimeout(attempt, 1, e);
           attempt(new SyncEvent('sync', { tag: '' }));
           attempt(new ExtendableEvent('x'));
           setTimeout(() => console.log('end'), 5);
         };",
    );
    assert_eq!(host.sync("x"), EventOutcome::Fulfilled);
    assert_eq!(
        host.console_until("end"),
        [
            "InvalidStateError",
            "InvalidStateError",
            "InvalidStateError"
        ]
    );
}

#[test]
fn an_event_whose_time_is_over_cannot_be_extended() {
    let mut host = Host::new();
    host.run(
        "let first;
         onsync = e => {
           if (e.tag == 'first') { first = e; e.waitUntil(new Promise(() => {})); return; }
           try { first.waitUntil(1); console.log('extended'); }
           catch (x) { console.log(x.name); }
           console.log('end ' + e.tag);
         };",
    );
    let first = host.send(sync("first"));
    assert_eq!(host.sync("second"), EventOutcome::Fulfilled);
    assert_eq!(host.console_until("end second"), ["extended"]);
    host.threads.time_out(WORKER, first);
    assert_eq!(host.sync("third"), EventOutcome::Fulfilled);
    assert_eq!(host.console_until("end third"), ["InvalidStateError"]);
}

#[test]
fn what_a_handler_throws_is_reported() {
    let mut host = Host::new();
    host.run("onsync = () => { throw new TypeError('oops') }");
    assert_eq!(host.sync("x"), EventOutcome::Fulfilled);
    let text = host.script_error();
    assert!(text.starts_with("Uncaught TypeError: oops"), "{text}");
    assert!(text.contains("mail/worker.js:1"), "{text}");
}

#[test]
fn events_may_overlap() {
    let mut host = Host::new();
    host.run(
        "let release; const first = new Promise(resolve => { release = resolve; });
         onsync = e => { if (e.tag == 'first') e.waitUntil(first); else release(); };",
    );
    let first = host.send(sync("first"));
    let second = host.send(sync("second"));
    let mut ended = Vec::new();
    for _ in 0..2 {
        if let sw_traits::WorkerHostEvent::EventEnded { event, outcome, .. } = host.next() {
            assert_eq!(outcome, EventOutcome::Fulfilled);
            ended.push(event);
        }
    }
    ended.sort_unstable();
    assert_eq!(ended, [first, second]);
}

#[test]
fn a_sync_event_has_its_tag_unchanged() {
    let mut host = Host::new();
    host.run(
        "onsync = e => console.log(e.tag.length, e.tag.charCodeAt(0).toString(16), e.lastChance,
           e.isTrusted, e instanceof SyncEvent, e instanceof ExtendableEvent, e.type,
           e.bubbles, e.cancelable, e.target === self, String(e));",
    );
    let event = WorkerEvent::Sync {
        tag: base::DomString::from_code_units(vec![0xd800, 0x41]),
        last_chance: true,
    };
    assert_eq!(host.dispatch(event), EventOutcome::Fulfilled);
    host.run("console.log('end')");
    assert_eq!(
        host.console_until("end"),
        ["2 d800 true true true true sync false false true [object SyncEvent]"]
    );
}

#[test]
fn lifecycle_events_are_extendable() {
    let mut host = Host::new();
    host.run(
        "oninstall = e => { console.log(e.type, e instanceof InstallEvent); };
         onactivate = e => {
           console.log(e.type, e.constructor === ExtendableEvent);
           e.waitUntil(Promise.reject(1));
         };",
    );
    assert_eq!(host.dispatch(WorkerEvent::Install), EventOutcome::Fulfilled);
    assert_eq!(host.dispatch(WorkerEvent::Activate), rejected("1"));
    host.run("console.log('end')");
    assert_eq!(host.console_until("end"), ["install true", "activate true"]);
}

#[test]
fn sync_events_can_be_constructed() {
    let mut host = Host::new();
    host.run(
        "const e = new SyncEvent('x', { tag: 't', lastChance: 1, cancelable: true });
         console.log(e.type, e.tag, e.lastChance, e.cancelable, e.isTrusted);
         console.log(new SyncEvent('', { tag: null }).tag, SyncEvent.length);
         for (const attempt of [() => new SyncEvent('x'), () => new SyncEvent('x', {}),
                                () => SyncEvent('x', { tag: '' }),
                                () => SyncEvent.prototype.tag,
                                () => SyncManager.prototype.getTags.call(1),
                                () => new SyncManager(), () => new Clients()]) {
           try { const result = attempt(); console.log(result instanceof Promise); }
           catch (x) { console.log(x.name); }
         }
         console.log('end')",
    );
    let console = host.console_until("end");
    assert_eq!(console[0], "x t true true false");
    assert_eq!(console[1], "null 2");
    assert_eq!(
        console[2..],
        [
            "TypeError",
            "TypeError",
            "TypeError",
            "TypeError",
            "true",
            "TypeError",
            "TypeError"
        ]
    );
}

pub(crate) fn message(bytes: Vec<u8>) -> WorkerEvent {
    WorkerEvent::Message {
        source: MessageSource::Client(ClientInfo {
            id: ClientId::random(),
            url: url("mail/#inbox"),
            client_type: ClientType::Window,
            frame_type: FrameType::TopLevel,
            visibility: VisibilityState::Visible,
            focused: true,
            ancestor_origins: vec!["https://top.test".to_owned()],
        }),
        origin: StorageKey::from_url(&url("")).unwrap(),
        message: bytes.into(),
    }
}

#[test]
fn a_message_comes_with_its_source() {
    let page = Page::new();
    let value = page
        .realm
        .evaluate("({ a: [1, 'x'], b: new Date(5) })", "test.js");
    let value = value.ok().unwrap();
    let bytes = script::structured_clone::serialize(&page.realm, &value, &[]);
    let mut host = Host::new();
    host.run(
        "onmessage = e => {
           const s = e.source;
           console.log(JSON.stringify(e.data), e.data.b.getTime(), e.origin, e.lastEventId === '',
             e.ports.length, Object.isFrozen(e.ports), e.source === s,
             e instanceof ExtendableMessageEvent);
           console.log(s instanceof WindowClient, s.url, s.frameType, s.type, s.focused,
             s.visibilityState, s.id.length, s.ancestorOrigins.join(),
             Object.isFrozen(s.ancestorOrigins), s.ancestorOrigins === s.ancestorOrigins);
         };
         onmessageerror = e => console.log(e.type, e.data);",
    );
    let sent = message(bytes.ok().unwrap());
    assert_eq!(host.dispatch(sent), EventOutcome::Fulfilled);
    assert_eq!(
        host.dispatch(message(b"no message".to_vec())),
        EventOutcome::Fulfilled
    );
    host.run("console.log('end')");
    assert_eq!(
        host.console_until("end"),
        [
            "{\"a\":[1,\"x\"],\"b\":\"1970-01-01T00:00:00.005Z\"} 5 https://example.test true 0 \
             true true true",
            "true https://example.test/mail/#inbox top-level window true visible 36 \
             https://top.test true true",
            "messageerror null",
        ]
    );
}

#[test]
fn a_periodic_sync_event_has_its_tag() {
    let mut host = Host::new();
    host.run(
        "onperiodicsync = e => {
           console.log(e.type, e.tag === 'news \\ud800', e.isTrusted, e instanceof ExtendableEvent,
             e instanceof PeriodicSyncEvent, 'lastChance' in e, e.target === self);
           e.waitUntil(Promise.reject(new Error('no news')));
         };
         const made = new PeriodicSyncEvent('x', { tag: 5 });
         console.log(made.type, made.tag, made.isTrusted, PeriodicSyncEvent.length);
         for (const wrong of [() => new PeriodicSyncEvent('x'), () => new PeriodicSyncEvent('x', {})])
           try { wrong() } catch (e) { console.log(e.name) }",
    );
    let mut tag: Vec<u16> = "news ".encode_utf16().collect();
    tag.push(0xD800);
    let outcome = host.dispatch(WorkerEvent::PeriodicSync {
        tag: base::DomString::from_code_units(tag),
    });
    assert_eq!(outcome, rejected("Error: no news"));
    host.run("console.log('end')");
    assert_eq!(
        host.console_until("end"),
        [
            "x 5 false 2",
            "TypeError",
            "TypeError",
            "periodicsync true true true true false true",
        ]
    );
}

#[test]
fn a_worker_knows_itself() {
    let mut host = Host::new();
    host.run(
        "console.log(serviceWorker.state, serviceWorker.scriptURL, registration.scope,
           registration.updateViaCache, registration.active);
         console.log(registration === self.registration, serviceWorker === self.serviceWorker,
           clients === self.clients, registration.sync instanceof SyncManager);
         console.log(location.href, location.pathname, location.origin, String(location),
           location.port === '', location.protocol, location.host);
         console.log(navigator.onLine, navigator.userAgent.startsWith('Mozilla/5.0'),
           'serviceWorker' in navigator, isSecureContext, typeof window, self === globalThis);
         clients.openWindow('about:blank').catch(e => console.log(e.name)).then(
           () => console.log('end'));",
    );
    assert_eq!(
        host.console_until("end"),
        [
            "parsed https://example.test/mail/worker.js https://example.test/mail/ imports null",
            "true true true true",
            "https://example.test/mail/worker.js /mail/worker.js https://example.test \
             https://example.test/mail/worker.js true https: example.test",
            "true true true true undefined true",
            "TypeError",
        ]
    );
}
