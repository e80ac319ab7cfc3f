//! Pages and their service workers, on the real components.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::channel::{Callback, Receiver, bounded, unbounded};
use engine::{Builder, Engine};
use script::{
    EventLoops, ScriptLimits, ScriptReport, ServiceWorkerThreads, ServiceWorkerWindows, Services,
    UserAgent, WindowHandle, WindowOptions, open,
};
use url::Url;

use super::host::{PATIENCE, listen_to_the_log, real_clock, serve, take};

/// A page of a site, and the engine that it is on.
pub(super) struct Site {
    window: Option<WindowHandle>,
    pub(super) engine: Option<Engine>,
    pub(super) services: Services,
    pub(super) reports: Receiver<ScriptReport>,
    pub(super) address: String,
}

impl Site {
    /// A site whose service worker has this script; what else there is comes from `answer`.
    pub(super) fn with(
        worker: &'static str,
        answer: impl Fn(&str) -> Option<(u16, &'static str, &'static str)> + Send + Sync + 'static,
    ) -> Self {
        Self::with_windows(worker, answer, |windows| windows)
    }

    /// The same; `windows` may let the worker open some.
    pub(super) fn with_windows(
        worker: &'static str,
        answer: impl Fn(&str) -> Option<(u16, &'static str, &'static str)> + Send + Sync + 'static,
        windows: impl FnOnce(ServiceWorkerWindows) -> ServiceWorkerWindows,
    ) -> Self {
        listen_to_the_log();
        let address = serve(move |path| {
            answer(path).or(Some(match path {
                "/mail/" => (200, "text/html", "<!doctype html><title>Mail</title>"),
                "/mail/worker.js" => (200, "text/javascript", worker),
                _ => (404, "text/plain", "missing"),
            }))
        });
        let clock = real_clock();
        // What one test reports.
        let (report_sender, reports) = unbounded();
        let mut services = None;
        let user_agent = UserAgent::default();
        let engine = Builder::new(Arc::clone(&clock))
            .window_host(Box::new(windows(ServiceWorkerWindows::new(&user_agent))))
            .start(|handles| {
                let bundle = Services {
                    service_workers: handles.service_workers.clone(),
                    sync: handles.sync.clone(),
                    net: handles.net.clone(),
                    caches: handles.caches.clone(),
                    indexed_db: handles.indexed_db.clone(),
                    network: handles.network.clone(),
                    permissions: Arc::new(handles.permissions.clone()),
                    clock: Arc::clone(&clock),
                    limit_clock: clock,
                    event_loops: EventLoops::default(),
                    user_agent,
                    report: Callback::to_sender(&report_sender, |report| report),
                    limits: ScriptLimits::default(),
                };
                services = Some(bundle.clone());
                Box::new(ServiceWorkerThreads::new(bundle))
            })
            .unwrap();
        let mut site = Self {
            window: None,
            engine: Some(engine),
            services: services.unwrap(),
            reports,
            address,
        };
        site.window = Some(site.open());
        site
    }

    pub(super) fn new(worker: &'static str) -> Self {
        Self::with(worker, |_| None)
    }

    /// Opens a window and waits until its page has loaded.
    fn open(&self) -> WindowHandle {
        let url = Url::parse(&format!("{}/mail/", self.address)).unwrap();
        let window = open(self.services.clone(), WindowOptions::new(url));
        while !matches!(take(&self.reports), ScriptReport::PageLoaded { .. }) {}
        window
    }

    /// Evaluates an expression in the page; promises are waited for.
    pub(super) fn run(&self, script: &str) -> Result<String, String> {
        evaluate(self.window.as_ref().unwrap(), script)
    }

    /// Runs an async function's body in the page and returns its result.
    pub(super) fn page(&self, body: &str) -> String {
        let script = format!(
            "(async () => {{ try {{ {body} }} catch (e) {{ return e.name + ': ' + e.message }} }})()"
        );
        self.run(&script).unwrap().trim_matches('\'').to_owned()
    }
}

fn evaluate(window: &WindowHandle, script: &str) -> Result<String, String> {
    let (sender, result) = bounded(1);
    let done = Callback::to_sender(&sender, |result| result);
    window.evaluate(script.to_owned(), done);
    take(&result)
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(window) = self.window.take() {
            window.close();
            window.join(PATIENCE);
        }
        if let Some(engine) = self.engine.take() {
            engine.shut_down();
        }
    }
}

pub(super) const REGISTER: &str = "const container = navigator.serviceWorker;
    const registration = await container.register('worker.js');";

/// Waits until the worker in this variable is in this state.
pub(super) const REACHED: &str = "const reached = (worker, state) => new Promise(done => {
      const look = () => { if (worker.state == state) done(); };
      worker.addEventListener('statechange', look); look(); });";

#[test]
fn a_registered_worker_is_installed_and_activated() {
    let site = Site::new(
        "let log = ['start ' + serviceWorker.state];
         serviceWorker.onstatechange = () => log.push(serviceWorker.state);
         oninstall = e => log.push('install ' + serviceWorker.state + ' ' +
           (registration.installing === serviceWorker));
         onactivate = e => { log.push('activate'); e.waitUntil(clients.claim()); };
         onmessage = e => e.source.postMessage(log);",
    );
    let result = site.page(&format!(
        "{REGISTER} {REACHED}
         const worker = registration.installing, states = [worker.state];
         let changes = 0; container.addEventListener('controllerchange', () => changes++);
         worker.onstatechange = e => states.push(worker.state);
         const ready = await container.ready;
         await reached(worker, 'activated');
         const log = await new Promise(got => {{
           container.onmessage = e => got(e.data); worker.postMessage(0);
         }});
         return JSON.stringify([states, ready === registration, registration.active === worker,
           registration.installing, registration.waiting, container.controller === worker, changes,
           registration.scope.endsWith('/mail/'), worker.scriptURL.endsWith('/mail/worker.js'),
           registration.updateViaCache, log]);",
    ));
    assert_eq!(
        result,
        "[[\"installing\",\"installed\",\"activating\",\"activated\"],true,true,null,null,true,1,\
         true,true,\"imports\",[\"start parsed\",\"installing\",\"install installing true\",\
         \"installed\",\"activating\",\"activate\",\"activated\"]]"
    );
}

#[test]
fn the_same_registration_is_the_same_object() {
    let site = Site::new("");
    let result = site.page(&format!(
        "{REGISTER}
         const again = await container.register('worker.js', {{ scope: './' }});
         const found = await container.getRegistration();
         const all = await container.getRegistrations();
         return [again === registration, found === registration, all[0] === registration, all.length,
           Object.isFrozen(all), await container.ready === registration,
           container.ready === container.ready, await container.getRegistration('/other/'),
           registration.sync === registration.sync, container === navigator.serviceWorker].join();",
    ));
    assert_eq!(result, "true,true,true,1,true,true,true,,true,true");
}

#[test]
fn navigation_preload_is_state_that_needs_an_active_worker() {
    let site = Site::new(
        "let go; oninstall = event => event.waitUntil(new Promise(done => go = done));
         onmessage = () => go();",
    );
    let result = site.page(&format!(
        "{REGISTER}
         const preload = registration.navigationPreload, text = async () =>
           JSON.stringify(await preload.getState());
         const early = await preload.enable().catch(error => error.name);
         registration.installing.postMessage(0);
         await container.ready;
         const states = [early, await text(), await preload.enable(), await text()];
         await preload.setHeaderValue('x-\\xe9'); await preload.disable();
         states.push(await text(), preload === registration.navigationPreload);
         return states.join();",
    ));
    assert_eq!(
        result,
        "InvalidStateError,{\"enabled\":false,\"headerValue\":\"true\"},,\
         {\"enabled\":true,\"headerValue\":\"true\"},\
         {\"enabled\":false,\"headerValue\":\"x-é\"},true"
    );
}

#[test]
fn what_cannot_be_registered_is_rejected_by_kind() {
    let site = Site::with("", |path| match path {
        "/mail/bad.js" => Some((200, "text/javascript", "let = = 1")),
        "/mail/throws.js" => Some((200, "text/javascript", "\nthrow new Error('at start')")),
        "/mail/page.js" => Some((200, "text/html", "")),
        _ => None,
    });
    for (arguments, expected) in [
        ("'http://'", "TypeError"),
        ("'worker.js', { scope: 'http://' }", "TypeError"),
        ("'worker.js', { type: 'x' }", "TypeError"),
        ("'https://other.test/worker.js'", "SecurityError"),
        ("'worker.js', { scope: '/' }", "SecurityError"),
        ("'page.js'", "SecurityError"),
        ("'missing.js'", "TypeError"),
        ("'bad.js'", "TypeError"),
        ("'throws.js'", "TypeError"),
    ] {
        let result = site.page(&format!(
            "await navigator.serviceWorker.register({arguments}); return 'registered'"
        ));
        assert!(result.starts_with(expected), "{arguments}: {result}");
    }
    let result = site.page("await navigator.serviceWorker.register('throws.js')");
    assert!(result.contains("at start"), "{result}");
    assert!(result.contains("/mail/throws.js:2"), "{result}");
    let result = site.page("await navigator.serviceWorker.getRegistration('https://other.test/')");
    assert!(result.starts_with("SecurityError"), "{result}");
    let result = site.page("return (await navigator.serviceWorker.getRegistrations()).length");
    assert_eq!(result, "0");
}

#[test]
fn a_worker_whose_installation_fails_is_redundant() {
    let site = Site::new("oninstall = e => e.waitUntil(Promise.reject(new Error('no')))");
    let result = site.page(&format!(
        "{REGISTER} {REACHED} const worker = registration.installing;
         await reached(worker, 'redundant');
         const found = await container.getRegistration();
         return [found, registration.installing, registration.active].join()",
    ));
    assert_eq!(result, ",,");
}

#[test]
fn messages_go_both_ways() {
    let site = Site::new(
        "onmessage = async e => {
           const all = await clients.matchAll({ includeUncontrolled: true });
           const same = await clients.get(e.source.id);
           e.source.postMessage({ got: e.data, origin: e.origin === location.origin,
             source: e.source.url.endsWith('/mail/'), type: e.source.type,
             all: all.length, same: same.id === all[0].id, other: same !== e.source,
             frame: same.frameType, none: await clients.get('no id') });
         };",
    );
    let result = site.page(&format!(
        "{REGISTER} await container.ready;
         const answer = new Promise(got => container.addEventListener('message', got));
         registration.active.postMessage(new Map([[1, [2]]]));
         const e = await answer;
         let refused = 0;
         for (const wrong of [() => 0, Symbol(), registration]) {{
           try {{ registration.active.postMessage(wrong) }}
           catch (e) {{ if (e.name == 'DataCloneError') refused++; }}
         }}
         const {{ got, ...rest }} = e.data;
         return JSON.stringify([got instanceof Map, got.get(1), rest, e.origin === location.origin,
           e.source === registration.active, e instanceof MessageEvent, e.ports.length, refused]);",
    ));
    assert_eq!(
        result,
        "[true,[2],{\"origin\":true,\"source\":true,\"type\":\"window\",\"all\":1,\"same\":true,\
         \"other\":true,\"frame\":\"top-level\"},true,true,true,0,3]"
    );
}

#[test]
fn a_sync_fires_in_the_worker() {
    let site = Site::new(
        "onactivate = e => e.waitUntil(clients.claim());
         let release; const released = new Promise(done => { release = done; });
         onmessage = () => release();
         onsync = e => {
           e.waitUntil((async () => {
             for (const client of await clients.matchAll()) client.postMessage([e.tag, e.lastChance]);
             await released;
           })());
         };",
    );
    let result = site.page(&format!(
        "{REGISTER} await container.ready; {REACHED} await reached(registration.active, 'activated');
         const fired = new Promise(got => {{ container.onmessage = e => got(e.data); }});
         const done = await registration.sync.register('outbox \\ud800');
         const [tag, lastChance] = await fired;
         const tags = await registration.sync.getTags();
         registration.active.postMessage('release');
         let left; do left = await registration.sync.getTags(); while (left.length);
         return JSON.stringify([done === undefined, tag, lastChance, tags, left,
           Object.isFrozen(tags)]);",
    ));
    assert_eq!(
        result,
        "[true,\"outbox \\ud800\",false,[\"outbox \\ud800\"],[],false]"
    );
}

#[test]
fn a_sync_needs_an_active_worker() {
    let site = Site::new("oninstall = e => e.waitUntil(new Promise(() => {}))");
    let result = site.page(&format!(
        "{REGISTER}
         const tags = await registration.sync.getTags();
         const name = e => e.name;
         return [tags.length, await registration.sync.register('x').catch(name),
           await registration.sync.register().catch(name)].join();"
    ));
    assert_eq!(result, "0,InvalidStateError,TypeError");
}

#[test]
fn a_worker_may_register_a_sync_while_a_window_is_open() {
    let site = Site::new(
        "onmessage = async e => {
           const all = [];
           onsync = s => all.push(s.tag);
           try { await registration.sync.register('from worker'); } catch (x) { all.push(x.name); }
           let left; do left = await registration.sync.getTags(); while (left.length);
           e.source.postMessage(all);
         };
         onsync = () => {};",
    );
    let result = site.page(&format!(
        "{REGISTER} await container.ready;
         const answer = new Promise(got => {{ container.onmessage = e => got(e.data); }});
         registration.active.postMessage(0);
         return (await answer).join();"
    ));
    assert_eq!(result, "from worker");
}

#[test]
fn an_update_is_found_waits_and_takes_over() {
    let loads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&loads);
    let site = Site::with("", move |path| {
        (path == "/mail/worker.js").then(|| {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let script = if first {
                "onactivate = e => e.waitUntil(clients.claim())"
            } else {
                "onmessage = async e => { await skipWaiting(); e.source.postMessage('skipped'); }"
            };
            (200, "text/javascript", script)
        })
    });
    let result = site.page(&format!(
        "{REGISTER} {REACHED} const old = registration.installing;
         await reached(old, 'activated'); const log = [];
         registration.addEventListener('updatefound', () => {{
           const found = registration.installing; log.push('found ' + found.state + (found !== old));
         }});
         container.addEventListener('controllerchange', () => log.push('controller'));
         const same = await registration.update(); log.push(same === registration);
         const next = registration.installing || registration.waiting;
         await reached(next, 'installed');
         log.push(registration.waiting === next, registration.active === old);
         await new Promise(got => {{ container.onmessage = got; next.postMessage(0); }});
         await reached(next, 'activated');
         log.push(registration.active === next, old.state, container.controller === next);
         return log.join();"
    ));
    assert_eq!(
        result,
        "true,found installingtrue,true,true,controller,true,redundant,true"
    );
    assert_eq!(loads.load(Ordering::SeqCst), 2);
}

#[test]
fn an_unregistered_worker_is_found_no_more() {
    let site = Site::new("");
    let result = site.page(&format!(
        "{REGISTER} await container.ready;
         return [await registration.unregister(), await container.getRegistration(),
           (await container.getRegistrations()).length, await registration.unregister()].join();"
    ));
    assert_eq!(result, "true,,0,false");
}

#[test]
fn an_imported_script_is_there_after_the_worker_was_stopped() {
    let site = Site::with("", |path| match path {
        "/mail/worker.js" => Some((
            200,
            "text/javascript",
            "importScripts('lib.js'); onmessage = e => e.source.postMessage(lib);",
        )),
        "/mail/lib.js" => Some((200, "text/javascript", "self.lib = 'imported'")),
        _ => None,
    });
    let result = site.page(&format!(
        "{REGISTER} await container.ready;
         const answer = new Promise(got => {{ container.onmessage = e => got(e.data); }});
         registration.active.postMessage(0); return await answer;"
    ));
    assert_eq!(result, "imported");
}

#[test]
fn a_second_window_is_a_client_of_its_own() {
    let site = Site::new(
        "onactivate = e => e.waitUntil(clients.claim());
         onmessage = async e => e.source.postMessage((await clients.matchAll()).length);",
    );
    let first = site.page(&format!("{REGISTER} await container.ready; return 'ready'"));
    assert_eq!(first, "ready");
    let count = "(async () => {
        const container = navigator.serviceWorker; await container.ready;
        const answer = new Promise(got => { container.onmessage = e => got(e.data); });
        if (!container.controller)
          await new Promise(done => { container.oncontrollerchange = done; });
        container.controller.postMessage(0); return await answer; })()";
    let second = site.open();
    assert_eq!(evaluate(&second, count), Ok("2".to_owned()));
    second.close();
    second.join(PATIENCE);
    assert_eq!(site.run(count), Ok("1".to_owned()));
}

#[test]
fn the_first_script_of_a_page_sees_who_controls_it() {
    let site = Site::with("onactivate = e => e.waitUntil(clients.claim())", |path| {
        (path == "/mail/frame").then_some((
            200,
            "text/html",
            "<!doctype html><script>controller = navigator.serviceWorker.controller</script>",
        ))
    });
    let seen = site.page(&format!(
        "{REGISTER} {REACHED} await reached(registration.installing, 'activated');
         const seen = [];
         for (let i = 0; i < 5; i++) {{
           const frame = document.createElement('iframe');
           frame.src = 'frame';
           await new Promise(done => {{ frame.onload = done; document.body.append(frame); }});
           const {{ controller }} = frame.contentWindow;
           seen.push(controller ? controller.state : 'nobody');
         }}
         return seen.join();"
    ));
    assert_eq!(seen, ["activated"; 5].join(","));
}
