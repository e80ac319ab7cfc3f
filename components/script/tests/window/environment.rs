//! What a window tells its scripts, and the limits it sets them.

use super::*;

#[test]
fn the_window_tells_what_it_is() {
    let site = Site::page("<!doctype html><body><a href='next?x#y'>next</a>");
    let browser = Browser::new();
    let window = browser.load(site.url("/folder/../?a=b#c"));
    let origin = site.url("/").origin().ascii_serialization();
    for (script, expected) in [
        ("location.href", format!("{origin}/?a=b#c")),
        (
            "[location.origin === origin, location.pathname, location.search, location.hash].join()",
            "true,/,?a=b,#c".to_owned(),
        ),
        (
            "document.URL === location.href && document.location === location && String(location) === location.href",
            "true".to_owned(),
        ),
        (
            "window === self && window.window === globalThis && document.defaultView === window",
            "true".to_owned(),
        ),
        (
            "isSecureContext + ',' + navigator.onLine + ',' + (typeof navigator.userAgent)",
            "true,true,string".to_owned(),
        ),
        (
            "document.querySelector('a').href",
            format!("{origin}/next?x#y"),
        ),
        (
            "document.compatMode + document.characterSet + document.contentType",
            "CSS1CompatUTF-8text/html".to_owned(),
        ),
        (
            "performance.now() > 0 && performance === performance",
            "true".to_owned(),
        ),
        (
            "/^[0-9a-f-]{36}$/.test(crypto.randomUUID()) + ',' + crypto.getRandomValues(new Uint32Array(8)).some(x => x > 65535)",
            "true,true".to_owned(),
        ),
        (
            "new Promise(resolve => requestAnimationFrame(time => resolve(typeof time)))",
            "number".to_owned(),
        ),
        (
            "history.pushState({ a: [1] }, '', '/other'); location.pathname + history.state.a + history.length",
            "/other12".to_owned(),
        ),
        (
            "new Promise(resolve => { onhashchange = () => resolve(location.hash); location.hash = 'z' })",
            "#z".to_owned(),
        ),
    ] {
        assert_eq!(window.evaluate(script), Ok(expected), "{script}");
    }
    window.close();
}

#[test]
fn a_rejection_that_is_handled_late_is_told_in_a_task_of_its_own() {
    let site = Site::page("<body>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    window.text(
        "self.log = [];
         onunhandledrejection = e => {
           e.preventDefault();
           log.push('not ' + e.reason);
           if (e.reason === 'early') early.catch(() => {});
         };
         onrejectionhandled = e => {
           log.push(e.reason, e.promise === late, e.cancelable, e.isTrusted);
         };
         self.late = Promise.reject('late'); self.early = Promise.reject('early'); ''",
    );
    assert_eq!(window.text("log.join()"), "not late,not early");
    window.text("late.catch(() => log.push('caught')); late.catch(() => {}); ''");
    assert_eq!(
        window.text("new Promise(resolve => setTimeout(() => resolve(log.join())))"),
        "not late,not early,caught,late,true,false,true"
    );
    window.close();
}

#[test]
fn members_that_no_script_may_forge_belong_to_the_object() {
    let site = Site::page("<body>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    let script = "
        const { value, writable, enumerable, configurable } =
          Object.getOwnPropertyDescriptor(location, 'assign');
        [typeof value, writable, enumerable, configurable, 'assign' in Location.prototype,
         webkitURL === URL, location.ancestorOrigins.length,
         location.ancestorOrigins === location.ancestorOrigins, crossOriginIsolated,
         navigator.hardwareConcurrency].join()";
    assert_eq!(
        window.text(script),
        "function,false,true,false,false,true,0,true,false,1"
    );
    window.close();
}

#[test]
fn a_script_that_never_ends_is_stopped_and_the_page_lives_on() {
    let site = Site::page(
        "<body><script>for (;;);</script><script>console.log('next')</script>
         <button onclick='while (true) {}'>hang</button>",
    );
    let browser = Browser::with_time_limit(Duration::from_millis(500));
    let window = browser.open(site.url("/"));
    let lines = window.lines_until_loaded();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with(
            "error: The script was stopped: it ran longer than its time limit of 0.5 s."
        ),
        "{lines:?}"
    );
    assert_eq!(lines[1], "next");
    assert!(
        window
            .evaluate("document.querySelector('button').click()")
            .is_err()
    );
    let (_, report) = window.wait_for(is_error);
    assert!(line(report).contains("was stopped"));
    assert_eq!(window.text("1 + 1"), "2");
    window.text("setTimeout(() => { for (;;); }); setTimeout(() => console.log('later'))");
    window.wait_for(|report| line(report.clone()) == "later");
    window.close();
}

#[test]
fn a_window_is_closed_even_while_its_script_does_not_end() {
    let site = Site::page("<body><script>console.log('begin'); for (;;);</script>");
    let browser = Browser::with_time_limit(Duration::from_secs(3600));
    let window = browser.open(site.url("/"));
    window.wait_for(|report| line(report.clone()) == "begin");
    window.handle.close();
    window.handle.close();
    let Window { handle, .. } = window;
    handle.join(Duration::from_millis(100));
    let rest: Vec<ScriptReport> = std::iter::from_fn(|| browser.reports.try_recv()).collect();
    assert!(
        matches!(rest[..], [ScriptReport::PageClosed { .. }]),
        "{rest:?}"
    );
}

#[test]
fn what_a_developer_types_is_answered() {
    let site = Site::page("<body><script>let secret = { a: 1 };</script>");
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    assert_eq!(window.text("secret.a + 1"), "2", "waits for the page");
    assert_eq!(window.text("'text'"), "text");
    assert_eq!(
        window.text("(async () => { await null; return 42 })()"),
        "42"
    );
    assert_eq!(
        window.evaluate("null.x").unwrap_err().split(':').next(),
        Some("TypeError")
    );
    assert_eq!(
        window.evaluate("Promise.reject(new RangeError('r'))"),
        Err("RangeError: r".to_owned())
    );
    assert!(window.evaluate("(").unwrap_err().starts_with("SyntaxError"));
    let (sender, answers) = unbounded();
    window.handle.evaluate(
        "new Promise(() => {})".to_owned(),
        Callback::to_sender(&sender, |answer| answer),
    );
    window.handle.close();
    assert!(matches!(
        answers.recv_timeout(Some(PATIENCE)),
        Received::Message(Err(_))
    ));
    window.handle.join(PATIENCE);
}

#[test]
fn a_window_is_a_service_worker_client_until_it_is_closed() {
    let site = Site::page("<body>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    let Received::Message(SwRegistrationMessage::AttachClient { client, .. }) =
        browser.clients.recv_timeout(Some(PATIENCE))
    else {
        panic!("the window is no client");
    };
    assert_eq!(client.creation_url, site.url("/"));
    window.close();
    loop {
        match browser.clients.recv_timeout(Some(PATIENCE)) {
            Received::Message(SwRegistrationMessage::DetachClient { client: gone }) => {
                assert_eq!(gone, client.id);
                return;
            }
            Received::Message(_) => {}
            other => panic!("the window stays a client: {other:?}"),
        }
    }
}

#[test]
fn a_window_that_nobody_closes_ends_when_it_is_no_longer_waited_for() {
    let site = Site::page("<body>");
    let browser = Browser::new();
    let Window { handle, .. } = browser.load(site.url("/"));
    handle.join(Duration::from_secs(1));
    assert!(matches!(
        browser.reports.try_recv(),
        Some(ScriptReport::PageClosed { .. })
    ));
}

#[test]
fn a_window_whose_thread_panics_ends_and_answers() {
    let site = Site::page("<body>");
    let mut browser = Browser::new();
    let report = browser.services.report.clone();
    browser.services.report = Callback::new(move |news: ScriptReport| {
        assert!(!matches!(news, ScriptReport::PageLoaded { .. }));
        report.call(news);
    });
    let window = browser.open(site.url("/"));
    // Asked before or after the end, there is an answer.
    assert!(window.evaluate("1").is_err());
    assert!(matches!(browser.next(), ScriptReport::PageClosed { .. }));
    assert!(matches!(browser.next(), ScriptReport::PageFailed { .. }));
    assert!(window.evaluate("1").is_err());
    let Window { handle, .. } = window;
    handle.join(PATIENCE);
    drop(browser.services);
    let messages = std::iter::from_fn(|| browser.clients.recv().ok());
    let detached =
        messages.filter(|message| matches!(message, SwRegistrationMessage::DetachClient { .. }));
    assert_eq!(detached.count(), 1, "the page is no client any more");
}

#[test]
fn a_binding_is_there_before_any_script_and_in_every_document() {
    let site = Site::page(
        "<!doctype html><meta charset=utf-8><script>\
         tell('from ' + location.search + ' \u{2713}');\
         const tries = [() => tell(), () => tell(1), () => tell('a', 'b')];\
         tell(tries.map(attempt => { try { attempt() } catch (error) { return error.name } }).join());\
         tell(typeof tell + tell.name + tell.length + Object.keys(window).includes('tell'));\
         </script>",
    );
    let browser = Browser::new();
    let (sender, told) = unbounded();
    let options = WindowOptions::new(site.url("/?first"))
        .with_binding("tell", Callback::to_sender(&sender, |text| text));
    let window = Window {
        handle: open(browser.services.clone(), options),
        browser: &browser,
    };
    let next = || match told.recv_timeout(Some(PATIENCE)) {
        Received::Message(text) => text,
        other => panic!("nothing was told: {other:?}"),
    };
    for document in ["?first", "?second"] {
        assert_eq!(next(), format!("from {document} \u{2713}"));
        assert_eq!(next(), "TypeError,TypeError,TypeError");
        assert_eq!(next(), "functiontell1false");
        window.wait_for(|report| matches!(report, ScriptReport::PageLoaded { .. }));
        if document == "?first" {
            window.text("location.search = '?second'; 0");
        }
    }
    window.close();
}

#[test]
fn a_page_loads_when_nobody_is_left_to_say_who_controls_it() {
    let site = Site::page("<title>alone</title>");
    let mut browser = Browser::new();
    let (sender, messages) = unbounded();
    browser.services.service_workers = SwRegistrationHandle::new(sender);
    // The component takes the client, and ends before it answers.
    let component = thread::spawn(move || drop(messages.recv()));
    let window = browser.load(site.url("/"));
    assert_eq!(window.text("document.title"), "alone");
    window.close();
    component.join().unwrap();
}
