//! What runs when a worker starts, and how workers end.

use std::time::Duration;

use base::ids::WorkerId;
use script::{ScriptLimits, ScriptReport, ScriptSource};
use sw_traits::{EventOutcome, WorkerHost, WorkerHostEvent};

use super::host::{Host, WORKER, launch, resource, serve, sync, take, url};

const LISTENER: &str = "addEventListener('sync', e => { if (e.tag == 'loop') for (;;); });";

/// Enough for every script of these tests but the endless ones.
fn impatient() -> Host {
    Host::with_limits(ScriptLimits {
        task_time_limit: Duration::from_millis(300),
        ..ScriptLimits::default()
    })
}

#[test]
fn a_started_worker_tells_what_it_listens_to() {
    let mut host = Host::new();
    let script = "addEventListener('sync', () => {}); oninstall = () => {}; onmessage = 5;
                  addEventListener('sync', function other() {}); onactivate = {};
                  function gone() {} addEventListener('fetch', gone);
                  removeEventListener('fetch', gone);";
    assert_eq!(host.run(script), ["sync", "install", "activate"]);
}

#[test]
fn a_worker_has_random_numbers_and_a_stopwatch() {
    let mut host = Host::new();
    let script = "const id = crypto.randomUUID();
                  if (id === crypto.randomUUID() || crypto !== self.crypto) throw new Error(id);
                  if (!(performance.now() >= 0)) throw new Error(performance.now());
                  onsync = () => {};";
    assert_eq!(host.run(script), ["sync"]);
}

#[test]
fn a_script_that_cannot_be_run_says_where() {
    let mut host = Host::new();
    for (script, message, line) in [
        ("\nlet = = 1;", "SyntaxError: ", 2),
        ("\n\nthrow new RangeError('oh')", "RangeError: oh", 3),
        ("missing()", "ReferenceError: missing is not defined", 1),
    ] {
        let reason = host.fail(script);
        assert!(reason.starts_with(message), "{reason}");
        let place = format!("(https://example.test/mail/worker.js:{line})");
        assert!(reason.ends_with(&place), "{reason}");
        let text = host.script_error();
        assert!(text.starts_with(&format!("Uncaught {message}")), "{text}");
    }
}

#[test]
fn what_a_worker_tells_its_console_has_its_url() {
    let mut host = Host::new();
    host.run("console.warn('careful')");
    let ScriptReport::Console { source, message } = take(&host.reports) else {
        panic!("another report");
    };
    let expected = ScriptSource::Worker {
        url: url("mail/worker.js"),
    };
    assert_eq!((source, message.text.as_str()), (expected, "careful"));
}

#[test]
fn an_endless_script_is_stopped_at_its_limit() {
    let mut host = impatient();
    let reason = host.fail("for (;;);");
    assert!(
        reason.ends_with("it ran longer than its time limit of 0.3 s."),
        "{reason}"
    );
    assert_eq!(host.script_error(), reason);
}

#[test]
fn an_exception_that_never_ends_describing_itself_is_stopped() {
    let mut host = impatient();
    for script in [
        "throw { toString() { for (;;); } }",
        "throw { get stack() { for (;;); } }",
        "onerror = () => { for (;;); }; throw new Error('x')",
    ] {
        let reason = host.fail(script);
        assert!(reason.contains("was stopped"), "{script}: {reason}");
        assert_eq!(host.script_error(), reason, "{script}");
    }
}

#[test]
fn a_worker_lives_on_after_a_handler_was_stopped() {
    let mut host = impatient();
    host.run(&format!(
        "let kept = 'kept'; {LISTENER} {}",
        "addEventListener('sync', e => console.log(kept));"
    ));
    let EventOutcome::Rejected { reason } = host.sync("loop") else {
        panic!("it was not stopped");
    };
    assert!(reason.contains("was stopped"), "{reason}");
    assert_eq!(host.script_error(), reason);
    assert_eq!(host.sync("again"), EventOutcome::Fulfilled);
    assert!(host.console_until("kept").is_empty());
}

#[test]
fn an_endless_task_fails_the_events_that_wait() {
    let mut host = impatient();
    host.run(
        "onsync = e => e.waitUntil(new Promise(resolve => {
           setTimeout(() => { for (;;); resolve(); }, 0);
         }));",
    );
    for _ in 0..2 {
        let outcome = host.sync("x");
        assert!(
            matches!(&outcome, EventOutcome::Rejected { reason } if reason.contains("was stopped")),
            "{outcome:?}"
        );
    }
}

#[test]
fn endless_microtasks_are_stopped_too() {
    let mut host = impatient();
    host.run("onsync = async e => { for (;;) await null; };");
    let outcome = host.sync("x");
    assert!(
        matches!(&outcome, EventOutcome::Rejected { reason } if reason.contains("was stopped")),
        "{outcome:?}"
    );
}

#[test]
fn stopped_microtasks_do_not_live_on() {
    let mut host = impatient();
    host.run(
        "addEventListener('sync', e => {
           if (e.tag == 'loop') (async () => { for (;;) await 0; })();
           else e.waitUntil(Promise.resolve().then(() => console.log('ran')));
         });",
    );
    let EventOutcome::Rejected { reason } = host.sync("loop") else {
        panic!("it was not stopped");
    };
    assert!(reason.contains("was stopped"), "{reason}");
    for _ in 0..2 {
        assert_eq!(host.sync("x"), EventOutcome::Fulfilled);
        assert!(host.console_until("ran").is_empty());
    }
}

#[test]
fn a_terminated_worker_stops_whatever_it_does() {
    for script in [
        "",
        "onsync = () => { for (;;); }",
        "onsync = () => { try { for (;;); } finally { for (;;); } }",
        "onsync = async () => { for (;;) { try { await null; } catch {} } }",
        "onsync = e => e.waitUntil(new Promise(() => {}))",
        "onsync = e => e.waitUntil(new Promise(r => { self.keep = r; self.event = e; }))",
    ] {
        let mut host = Host::new();
        host.run(script);
        if !script.is_empty() {
            host.send(sync("x"));
        }
        host.threads.terminate(WORKER);
        let mut next = host.next();
        // A handler without a promise may have ended before.
        if matches!(next, WorkerHostEvent::EventEnded { .. }) {
            next = host.next();
        }
        assert!(
            matches!(
                next,
                WorkerHostEvent::Stopped {
                    worker: WORKER,
                    crash: None
                }
            ),
            "{script}: {next:?}"
        );
    }
}

#[test]
fn a_worker_that_is_starting_can_be_terminated() {
    let mut host = Host::new();
    host.start(launch("for (;;);"));
    host.threads.terminate(WORKER);
    assert!(matches!(
        host.next(),
        WorkerHostEvent::Stopped { crash: None, .. }
    ));
    // And started again.
    host.run("");
}

#[test]
fn a_worker_that_takes_too_much_memory_ends_alone() {
    let mut host = Host::with_limits(ScriptLimits {
        memory_limit: 8 << 20,
        ..ScriptLimits::default()
    });
    let mut other = launch(LISTENER);
    other.worker = WorkerId(8);
    host.start(other);
    assert!(matches!(host.next(), WorkerHostEvent::Started { .. }));
    host.run("onsync = () => { const all = []; for (;;) all.push(new Array(1000).fill(1)); }");
    host.send(sync("x"));
    let crash = loop {
        match host.next() {
            WorkerHostEvent::Stopped {
                worker: WORKER,
                crash,
            } => break crash,
            WorkerHostEvent::EventEnded { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(crash.is_some_and(|crash| crash.contains("memory")));
    host.run("");
}

#[test]
fn stored_scripts_are_imported_in_order_without_network() {
    let mut host = Host::new();
    let mut installed = launch(
        "self.order = []; importScripts('a.js', '/b.js?x');
         console.log(order.join(), importScripts('a.js')); console.log(order.join());
         try { importScripts('c.js'); } catch (e) { console.log(e.name, e.message); }
         try { importScripts('http://'); } catch (e) { console.log(e.name); }
         console.log('end')",
    );
    installed.may_import = false;
    for (path, body) in [
        ("mail/a.js", "\u{feff}order.push('ä');"),
        ("b.js?x", "order.push('b')"),
    ] {
        let script = resource(url(path), body);
        installed.scripts.insert(url(path), script);
    }
    host.start(installed);
    assert!(matches!(host.next(), WorkerHostEvent::Started { .. }));
    assert_eq!(
        host.console_until("end"),
        [
            "ä,b undefined",
            "ä,b,ä",
            "NetworkError The script https://example.test/mail/c.js could not be imported: it was \
             not imported while the service worker was installed.",
            "SyntaxError",
        ]
    );
}

#[test]
fn a_new_worker_imports_over_the_network_and_tells_what() {
    let mut host = Host::new();
    let server = serve(|path| match path {
        "/lib.js" => Some((200, "text/javascript", "self.lib = location.href;")),
        "/throws.js" => Some((200, "text/javascript", "throw new RangeError('secret')")),
        "/page.js" => Some((200, "text/html", "")),
        _ => Some((404, "text/javascript", "")),
    });
    host.start(launch(&format!(
        "const report = (url) => {{
           try {{ importScripts(url); }} catch (e) {{ console.log(e.name, e.message); }}
         }};
         importScripts('{server}/lib.js'); console.log(lib);
         report('{server}/page.js'); report('{server}/none.js'); report('{server}/throws.js');
         console.log('end')"
    )));
    let mut imported = Vec::new();
    loop {
        match host.next() {
            WorkerHostEvent::ScriptImported { resource, .. } => imported.push(resource),
            WorkerHostEvent::Started { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    let urls: Vec<&str> = imported.iter().map(|script| script.url.as_str()).collect();
    assert_eq!(
        urls,
        [format!("{server}/lib.js"), format!("{server}/throws.js")]
    );
    let header = |name| imported[0].header(name);
    assert_eq!(header("content-type").as_deref(), Some("text/javascript"));
    assert_eq!(&*imported[0].body, b"self.lib = location.href;");
    let console = host.console_until("end");
    assert_eq!(console[0], "https://example.test/mail/worker.js");
    assert_eq!(console.len(), 4);
    for (line, part) in console[1..].iter().zip(["text/html", "404", "exception"]) {
        assert!(line.starts_with("NetworkError "), "{line}");
        assert!(line.contains(part), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn an_import_that_hangs_does_not_keep_a_worker_from_ending() {
    let mut host = impatient();
    let server = serve(|_| None);
    host.start(launch(&format!(
        "console.log('asking'); importScripts('{server}/slow.js')"
    )));
    assert!(host.console_until("asking").is_empty());
    host.threads.terminate(WORKER);
    assert!(matches!(
        host.next(),
        WorkerHostEvent::Stopped { crash: None, .. }
    ));
}

#[test]
fn an_import_that_hangs_is_given_up_at_the_time_limit() {
    let mut host = impatient();
    let server = serve(|_| None);
    host.start(launch(&format!(
        "for (const url of ['a.js', 'b.js']) {{
           try {{ importScripts('{server}/' + url); }} catch (e) {{ console.log(e.name, e.message); }}
         }}
         console.log('end')"
    )));
    assert!(matches!(host.next(), WorkerHostEvent::Started { .. }));
    let console = host.console_until("end");
    assert_eq!(console.len(), 2);
    for line in console {
        assert!(line.starts_with("NetworkError "), "{line}");
        assert!(line.contains("time limit"), "{line}");
    }
}
