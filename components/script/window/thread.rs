//! The thread of a window, from document to document.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::channel::{Callback, Receiver, Sender, bounded};
use base::ids::ClientId;
use parking_lot::Mutex;
use sw_traits::FrameType;
use url::Url;

use super::binding::Bindings;
use super::delegate::PageDelegate;
use super::evaluate::evaluate;
use super::inbox::{Inbox, Input};
use super::load::{self, Loaded, Loader};
use super::page::{Navigation, Page};
use crate::bindings::report::report_exception;
use crate::bindings::{
    Dom, Error, Fallible, GlobalKind, RealmHandle, RealmOptions, RuntimeLimits, ScriptRuntime,
};
use crate::dom::document::Document;
use crate::dom::event_target::EventTarget;
use crate::dom::window::Window;
use crate::dom_tree::{DecodedDocument, decode_document};
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::indexed_database;
use crate::service_worker;
use crate::services::{ScriptReport, ScriptSource, Services};
use crate::watchdog::{Terminator, Watchdog};

/// Native stack that the engine's own functions and ours may use besides that of scripts.
const SPARE_STACK: usize = 2 << 20;

/// Why a page fails whose thread panicked. The panic hook has said what happened.
const PANICKED: &str = "internal error";

/// Ends a window's scripts from outside.
#[derive(Clone, Default)]
pub(super) struct Stopper(Arc<StopperState>);

#[derive(Default)]
struct StopperState {
    terminator: Mutex<Option<Terminator>>,
    stopped: AtomicBool,
    ended: AtomicBool,
}

impl Stopper {
    /// Stop what runs, and let nothing run any more.
    pub(super) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
        if let Some(terminator) = &*self.0.terminator.lock() {
            terminator.terminate();
        }
    }

    /// Whether the thread takes nothing any more.
    pub(super) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }

    /// There is another document, with another engine.
    fn follow(&self, terminator: Terminator) {
        // The lock comes first: either this sees that the window is stopped, or the one who stops
        // it finds the terminator.
        let mut current = self.0.terminator.lock();
        if self.is_stopped() {
            terminator.terminate();
        }
        current.replace(terminator);
    }
}

/// A window's thread, seen from outside.
pub(super) struct Started {
    pub(super) inbox: Inbox,
    pub(super) stopper: Stopper,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) ended: Receiver<()>,
}

/// Start a window's thread. When the system has none, the page fails.
pub(super) fn start(services: Services, url: Url, bindings: Bindings) -> Started {
    // The thread makes its event loop itself; this one only lends its channel until then.
    let inbox = Inbox::new(EventLoop::new(Arc::clone(&services.clock)).sender());
    let stopper = Stopper::default();
    let (sender, ended) = bounded::<()>(1);
    let (thread_inbox, thread_stopper) = (inbox.clone(), stopper.clone());
    let failed = (services.report.clone(), url.clone());
    let thread = thread::Builder::new()
        .name("window".to_owned())
        .stack_size(services.limits.stack_size.saturating_add(SPARE_STACK))
        .spawn(move || {
            let window = WindowThread {
                services,
                bindings,
                inbox: thread_inbox,
                stopper: thread_stopper,
            };
            window.run(url, &sender);
        });
    let thread = thread
        .map_err(|error| {
            let error = format!("no thread could be started for the window: {error}");
            failed.0.call(ScriptReport::PageFailed {
                url: failed.1,
                error,
            });
            stopper.0.ended.store(true, Ordering::Release);
        })
        .ok();
    Started {
        inbox,
        stopper,
        thread,
        ended,
    }
}

/// Answer what nobody takes any more.
pub(super) fn refuse(inbox: &Inbox) {
    while let Some(input) = inbox.take() {
        if let Input::Evaluate(_, done) = input {
            done.call(Err("The window is closed.".to_owned()));
        }
    }
}

struct WindowThread {
    services: Services,
    bindings: Bindings,
    inbox: Inbox,
    stopper: Stopper,
}

/// Lets nobody wait for a thread that ends, however it ends.
struct Ending<'a>(&'a WindowThread);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.stopper.0.ended.store(true, Ordering::Release);
        refuse(&self.0.inbox);
    }
}

/// What comes after a document.
enum After {
    Closed,
    Navigation(Box<Navigation>),
}

/// The engine for one document.
struct Engine {
    event_loop: Rc<EventLoop>,
    watchdog: Rc<Watchdog>,
    runtime: ScriptRuntime,
}

/// A document in its realm. Fields are dropped in order: values go before the realm.
struct Open {
    loader: Loader,
    page: Rc<Page>,
    delegate: Rc<PageDelegate>,
    reported: bool,
    /// What a developer typed before the page had loaded.
    waiting: Vec<(String, Callback<Result<String, String>>)>,
    realm: RealmHandle,
}

impl WindowThread {
    fn run(self, url: Url, _ended: &Sender<()>) {
        let _ending = Ending(&self);
        let mut next = Navigation::to(url);
        loop {
            let after = catch_unwind(AssertUnwindSafe(|| self.show(&next)));
            match after.unwrap_or_else(|_| Err(PANICKED.to_owned())) {
                Ok(After::Closed) => break,
                Ok(After::Navigation(navigation)) => next = *navigation,
                Err(error) => {
                    let url = next.url.clone();
                    self.services
                        .report
                        .call(ScriptReport::PageFailed { url, error });
                    break;
                }
            }
        }
    }

    /// Load a document and run it until it goes away.
    fn show(&self, navigation: &Navigation) -> Result<After, String> {
        let engine = self
            .engine()
            .map_err(|reason| format!("no engine for the page: {reason}"))?;
        let after = match self.fetch(&engine, navigation) {
            Fetched::Closed => Ok(After::Closed),
            Fetched::Failed(error) => {
                let url = navigation.url.clone();
                self.services
                    .report
                    .call(ScriptReport::PageFailed { url, error });
                Ok(self.run_without_page(&engine))
            }
            Fetched::Page(loaded) => self.run_page(&engine, navigation, *loaded),
        };
        // Values go before the runtime.
        engine.event_loop.shut_down();
        after
    }

    fn engine(&self) -> Result<Engine, String> {
        let limits = &self.services.limits;
        let runtime = ScriptRuntime::new(RuntimeLimits {
            memory: limits.memory_limit,
            stack: limits.stack_size,
        })
        .map_err(|_| "out of memory".to_owned())?;
        let clock = &self.services.clock;
        let watchdog = Watchdog::start(
            runtime.stop_flag(),
            limits.task_time_limit,
            Arc::clone(&self.services.limit_clock),
        )
        .map_err(|error| error.to_string())?;
        self.stopper.follow(watchdog.terminator());
        let event_loop = EventLoop::new(Arc::clone(clock));
        self.services.event_loops.add(&event_loop);
        self.inbox.follow(event_loop.sender());
        Ok(Engine {
            event_loop,
            watchdog: Rc::new(watchdog),
            runtime,
        })
    }

    /// Fetch a document, and take care of what else comes meanwhile.
    fn fetch(&self, engine: &Engine, navigation: &Navigation) -> Fetched {
        let inbox = self.inbox.clone();
        let done = Callback::new(move |result| inbox.put(Input::Document(result)));
        let fetch = self.services.net.fetch(load::request(navigation), done);
        let mut later = Vec::new();
        let fetched = loop {
            match self.inbox.take() {
                Some(Input::Document(result)) => {
                    break match load::check(&navigation.url, result) {
                        Ok(loaded) => {
                            self.report_status(&loaded);
                            Fetched::Page(Box::new(loaded))
                        }
                        Err(error) => Fetched::Failed(error),
                    };
                }
                Some(Input::Close) => {
                    self.services.net.cancel(fetch);
                    break Fetched::Closed;
                }
                Some(input) => later.push(input),
                None if self.stopper.is_stopped() => break Fetched::Closed,
                None => {
                    engine.event_loop.wait(Duration::MAX);
                }
            }
        };
        for input in later {
            self.inbox.put(input);
        }
        fetched
    }

    /// A page that came with an error status is shown, but the developer is told.
    fn report_status(&self, loaded: &load::Loaded) {
        if loaded.status >= 400 {
            let url = loaded.url.clone();
            let text = format!(
                "the server answered with status {} for {url}",
                loaded.status
            );
            let source = ScriptSource::Page { url };
            self.services
                .report
                .call(ScriptReport::ScriptError { source, text });
        }
    }

    /// A window whose page failed stays there until it is closed.
    fn run_without_page(&self, engine: &Engine) -> After {
        loop {
            match self.inbox.take() {
                Some(Input::Close) => return After::Closed,
                Some(Input::Evaluate(_, done)) => {
                    done.call(Err("The page could not be loaded.".to_owned()));
                }
                Some(_) => {}
                None if self.stopper.is_stopped() => return After::Closed,
                None => {
                    engine.event_loop.wait(Duration::MAX);
                }
            }
        }
    }

    fn run_page(
        &self,
        engine: &Engine,
        navigation: &Navigation,
        loaded: Loaded,
    ) -> Result<After, String> {
        let url = loaded.url.clone();
        let mut open = self
            .create(engine, navigation, loaded)
            .map_err(|_| "the engine is out of memory".to_owned())?;
        // A document that fails for a fault of ours goes away in order.
        let after = catch_unwind(AssertUnwindSafe(|| self.run_document(engine, &mut open)))
            .map_err(|_| PANICKED.to_owned());
        if after.is_ok() && !self.stopper.is_stopped() {
            engine.event_loop.run_task(|| open.fire("pagehide"));
        }
        open.delegate.ending.set(true);
        crate::fetch::terminate(&open.realm);
        crate::messaging::detach(&open.realm);
        service_worker::detach(&open.realm);
        crate::permission_watch::detach(&open.realm);
        crate::network_watch::detach(&open.realm);
        indexed_database::detach(&open.realm);
        engine.event_loop.discard(&open.realm);
        drop(open);
        self.services.report.call(ScriptReport::PageClosed { url });
        after
    }

    /// Make the realm of a document.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#initialise-the-document-object>
    fn create(&self, engine: &Engine, navigation: &Navigation, loaded: Loaded) -> Fallible<Open> {
        let services = &self.services;
        let environment =
            Environment::new(ClientId::random(), loaded.url.clone(), services.clone());
        let environment = Rc::new(environment);
        let watchdog = Rc::clone(&engine.watchdog);
        let delegate = Rc::new(PageDelegate::new(
            services.clone(),
            loaded.url.clone(),
            Rc::clone(&watchdog),
        ));
        let stopped = Rc::clone(&delegate);
        engine
            .event_loop
            .set_watchdog(watchdog, move || stopped.script_was_stopped());
        let secure = environment.origin.as_ref();
        let options = RealmOptions {
            kind: GlobalKind::Window,
            secure_context: secure.is_some_and(base::StorageKey::is_potentially_trustworthy),
            delegate: Rc::clone(&delegate) as _,
            clock: Arc::clone(&services.clock),
        };
        let realm = engine.runtime.create_realm(options, |_| Window::new())?;
        let decoded = text_of(&loaded);
        let page = Rc::new(Page::new(
            Rc::clone(&environment),
            loaded
                .content_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            decoded.encoding,
            navigation.referrer.clone(),
            self.inbox.clone(),
        ));
        realm.add_service(environment);
        realm.add_service(Rc::clone(&page));
        realm.add_service(Rc::clone(&engine.event_loop));
        let missing = || Error::Type("the global object is no window".to_owned());
        let window: Dom<Window> = realm.global().ok_or_else(missing)?;
        let target = realm.global::<EventTarget>().ok_or_else(missing)?;
        service_worker::attach_window(&realm, FrameType::TopLevel)?;
        self.bindings.define(&realm)?;
        let document = Document::new(&realm, &page.store, target)?;
        window.set_document(document.clone());
        let loader = Loader::new(Rc::clone(&page), document, window, &decoded.text);
        Ok(Open {
            loader,
            page,
            delegate,
            reported: false,
            waiting: Vec::new(),
            realm,
        })
    }

    /// Run a document until it goes away.
    fn run_document(&self, engine: &Engine, open: &mut Open) -> After {
        loop {
            if open.page.is_closing() || self.stopper.is_stopped() {
                return After::Closed;
            }
            if let Some(navigation) = open.page.take_navigation() {
                return After::Navigation(Box::new(navigation));
            }
            let mut idle = true;
            if let Some(input) = self.inbox.take() {
                engine.event_loop.run_task(|| open.take(input));
                idle = false;
            }
            if !open.page.is_leaving()
                && let Some(step) = open.loader.next()
            {
                let realm = open.realm.clone();
                engine
                    .event_loop
                    .run_task(|| open.loader.advance(&realm, &step));
                idle = false;
            }
            self.after_load(engine, open);
            idle &= !engine.event_loop.run_pending();
            if idle {
                open.page.collect_garbage();
                engine.event_loop.wait(Duration::MAX);
            }
        }
    }

    /// Say once that the page has loaded, and run what waits for it.
    fn after_load(&self, engine: &Engine, open: &mut Open) {
        if !open.loader.is_loaded() || open.reported {
            return;
        }
        open.reported = true;
        self.services.report.call(ScriptReport::PageLoaded {
            url: open.page.url(),
        });
        for (script, done) in std::mem::take(&mut open.waiting) {
            engine
                .event_loop
                .run_task(|| evaluate(&open.realm, &script, done));
        }
    }
}

/// How the fetch of a document ended.
enum Fetched {
    Page(Box<Loaded>),
    Failed(String),
    Closed,
}

impl Open {
    fn take(&mut self, input: Input) {
        match input {
            Input::Close => self.page.close(),
            Input::Script(fetch, result) => super::scripts::arrived(&self.page, fetch, result),
            Input::Evaluate(script, done) if self.reported => {
                evaluate(&self.realm, &script, done);
            }
            Input::Evaluate(script, done) => self.waiting.push((script, done)),
            Input::HashChanged => self.fire("hashchange"),
            // A document that is late belongs to a navigation that was given up.
            Input::Document(_) => {}
        }
    }

    fn fire(&self, type_: &str) {
        if let Err(error) = self.loader.fire_at_window(&self.realm, type_) {
            report_exception(&self.realm, error);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for (_, done) in self.waiting.drain(..) {
            done.call(Err("The page went away before it had loaded.".to_owned()));
        }
    }
}

/// The text of a document. What is not HTML is shown as it is.
///
/// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#read-text>
fn text_of(loaded: &Loaded) -> DecodedDocument {
    let mut decoded = decode_document(&loaded.body, Some(&loaded.content_type));
    if !loaded.is_html {
        decoded.text = format!(
            "<!doctype html><pre>{}</pre>",
            decoded.text.replace('&', "&amp;").replace('<', "&lt;")
        );
    }
    decoded
}
