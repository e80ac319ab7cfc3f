//! What is on a worker's thread.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::channel::Callback;
use crossbeam_channel::Receiver;

use super::scripts::ScriptWaiter;
use super::thread::{Controls, Wires};
use crate::bindings::{
    ConsoleMessage, ExceptionReport, GlobalKind, HasInterface, RealmDelegate, RealmHandle,
    RealmOptions, RuntimeLimits, ScriptRuntime,
};
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::services::{ScriptReport, ScriptSource, exception_text};
use crate::watchdog::{Terminator, Watchdog};

/// Hears of an exception that the worker's scripts do not handle. Returns whether somebody else
/// reports it.
type ExceptionObserver = Box<dyn Fn(&ExceptionReport) -> bool>;

/// Tells the embedder what a worker's scripts say and do wrong.
pub(crate) struct WorkerDelegate {
    report: Callback<ScriptReport>,
    source: ScriptSource,
    stop: Arc<AtomicBool>,
    observer: OnceCell<ExceptionObserver>,
}

impl WorkerDelegate {
    /// Sets who hears of exceptions too, once.
    pub(crate) fn observe(&self, observer: impl Fn(&ExceptionReport) -> bool + 'static) {
        // The delegate is that of one worker.
        let _ = self.observer.set(Box::new(observer));
    }

    pub(crate) fn error(&self, text: String) {
        let source = self.source.clone();
        self.report.call(ScriptReport::ScriptError { source, text });
    }
}

impl RealmDelegate for WorkerDelegate {
    fn console_message(&self, message: ConsoleMessage) {
        let source = self.source.clone();
        self.report.call(ScriptReport::Console { source, message });
    }

    fn uncaught_exception(&self, report: ExceptionReport) {
        // That a script was stopped is told once, by the one who stopped it.
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        if !self.observer.get().is_some_and(|observe| observe(&report)) {
            self.error(exception_text(&report));
        }
    }
}

/// What a worker's realm is made for.
pub(crate) struct AgentOptions {
    pub(crate) kind: GlobalKind,
    pub(crate) secure_context: bool,
    pub(crate) environment: Environment,
    pub(crate) is_module: bool,
    /// Disconnected when the worker is to end.
    pub(crate) ending: Receiver<()>,
}

/// The engine, realm and event loop of a worker. Dropping it ends what belongs to the realm first.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#integration-with-the-javascript-agent-formalism>
pub(crate) struct WorkerAgent {
    // Values go before the realm, and that before the runtime.
    pub(crate) realm: RealmHandle,
    pub(crate) event_loop: Rc<EventLoop>,
    pub(crate) watchdog: Rc<Watchdog>,
    pub(crate) delegate: Rc<WorkerDelegate>,
    _runtime: ScriptRuntime,
}

impl WorkerAgent {
    /// A realm that runs nothing yet.
    ///
    /// # Errors
    ///
    /// What there is not enough of for the worker.
    pub(crate) fn new<G: HasInterface>(
        options: AgentOptions,
        make_global: impl FnOnce() -> G,
    ) -> Result<Self, String> {
        let no_thing = |thing: &str| format!("there is no {thing} for the worker");
        let services = options.environment.services.clone();
        let limits = RuntimeLimits {
            memory: services.limits.memory_limit,
            stack: services.limits.stack_size,
        };
        let runtime = ScriptRuntime::new(limits).map_err(|_| no_thing("memory"))?;
        let watchdog = Watchdog::start(
            runtime.stop_flag(),
            services.limits.task_time_limit,
            Arc::clone(&services.limit_clock),
        )
        .map_err(|_| no_thing("thread"))?;
        let watchdog = Rc::new(watchdog);
        let delegate = Rc::new(WorkerDelegate {
            report: services.report.clone(),
            source: ScriptSource::Worker {
                url: options.environment.creation_url.clone(),
            },
            stop: runtime.stop_flag(),
            observer: OnceCell::new(),
        });
        let realm_options = RealmOptions {
            kind: options.kind,
            secure_context: options.secure_context,
            delegate: Rc::clone(&delegate) as Rc<dyn RealmDelegate>,
            clock: Arc::clone(&services.clock),
        };
        let realm = runtime
            .create_realm(realm_options, |_| make_global())
            .map_err(|_| no_thing("memory"))?;
        let event_loop = EventLoop::new(Arc::clone(&services.clock));
        services.event_loops.add(&event_loop);
        realm.add_service(Rc::clone(&event_loop));
        realm.add_service(Rc::new(options.environment));
        realm.add_service(Rc::new(ScriptWaiter {
            watchdog: Rc::clone(&watchdog),
            ending: options.ending,
            is_module: options.is_module,
        }));
        Ok(Self {
            realm,
            event_loop,
            watchdog,
            delegate,
            _runtime: runtime,
        })
    }

    /// Has tasks that run too long stopped; `on_stopped` hears why.
    pub(crate) fn limit_tasks(&self, on_stopped: impl Fn(&str) + 'static) {
        let delegate = Rc::clone(&self.delegate);
        let text = self.watchdog.explanation();
        let watchdog = Rc::clone(&self.watchdog);
        self.event_loop.set_watchdog(watchdog, move || {
            delegate.error(text.clone());
            on_stopped(&text);
        });
    }

    pub(crate) fn terminator(&self) -> Terminator {
        self.watchdog.terminator()
    }

    /// Lets others reach the realm. Returns whether the worker is to run at all.
    pub(crate) fn connect(&self, controls: &Controls) -> bool {
        controls.connect(Wires {
            tasks: self.event_loop.sender(),
            terminator: self.terminator(),
            realm: Arc::new(self.event_loop.keep(self.realm.root())),
        });
        !controls.is_terminated()
    }

    /// Runs tasks until the worker is terminated, or `is_over` says so in between.
    pub(crate) fn run(&self, is_over: impl Fn() -> bool) {
        let terminator = self.terminator();
        while !terminator.is_terminated() && !is_over() {
            if !self.event_loop.run_pending() {
                self.event_loop.wait(Duration::MAX);
            }
        }
    }
}

impl Drop for WorkerAgent {
    fn drop(&mut self) {
        crate::user_agent::detach(&self.realm);
        crate::fetch::terminate(&self.realm);
        crate::service_worker::detach(&self.realm);
        crate::permission_watch::detach(&self.realm);
        crate::network_watch::detach(&self.realm);
        crate::cache_client::detach(&self.realm);
        crate::indexed_database::detach(&self.realm);
        self.event_loop.discard(&self.realm);
        self.event_loop.shut_down();
    }
}
