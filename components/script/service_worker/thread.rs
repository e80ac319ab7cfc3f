//! The life of one service worker on its thread.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::channel::Callback;
use crossbeam_channel::Receiver;
use sw_traits::{
    ClientDescription, ClientKind, EventDispatch, WorkerHostEvent, WorkerLaunch, WorkerType,
};

use super::client::ServiceWorkerClient;
use super::import::{decode, load_modules};
use super::worker::{OUT_OF_MEMORY, Worker};
use crate::bindings::report::{describe, report_exception};
use crate::bindings::value::PromiseState;
use crate::bindings::{
    ConsoleMessage, Error, ExceptionReport, Fallible, GlobalKind, Realm, RealmDelegate,
    RealmHandle, RealmOptions, RuntimeLimits, ScriptRuntime,
};
use crate::dom::event_target::EventTarget;
use crate::dom::service_worker_global_scope::ServiceWorkerGlobalScope;
use crate::environment::Environment;
use crate::event_loop::{EventLoop, TaskSender, Trusted};
use crate::modules;
use crate::services::{ScriptReport, ScriptSource, Services, exception_text};
use crate::watchdog::{Terminator, Watchdog};

/// What others hold of a worker's thread.
#[derive(Default)]
pub(super) struct Controls {
    terminated: AtomicBool,
    wires: OnceLock<Wires>,
    end_reported: AtomicBool,
}

/// The way to a worker that has a realm.
struct Wires {
    tasks: TaskSender,
    terminator: Terminator,
    realm: Arc<Trusted<RealmHandle>>,
}

impl Controls {
    /// Stops the worker, whatever it does.
    pub(super) fn terminate(&self) {
        self.terminated.store(true, Ordering::SeqCst);
        // A worker that has no wires yet looks at the flag when it gets them.
        if let Some(wires) = self.wires.get() {
            wires.terminator.terminate();
            // It may be waiting for a task.
            wires.tasks.queue(|_| {});
        }
    }

    /// Dispatches an event in a worker that has started.
    pub(super) fn dispatch(&self, dispatch: EventDispatch) {
        let Some(wires) = self.wires.get() else {
            log::error!("an event is dispatched in a worker that has not started");
            return;
        };
        let realm = Arc::clone(&wires.realm);
        wires.tasks.queue(move |event_loop| {
            if let Some(realm) = realm.get(event_loop)
                && let Ok(worker) = Worker::of(&realm)
            {
                worker.dispatch(&realm, dispatch);
            }
        });
    }

    /// Whether the one who asks is the first, who is to report the worker's end.
    pub(super) fn claim_end(&self) -> bool {
        !self.end_reported.swap(true, Ordering::SeqCst)
    }

    fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }
}

/// How a worker's thread ends.
pub(super) enum End {
    /// The script could not be run.
    StartFailed(String),
    /// It was terminated, or crashed for this reason.
    Stopped(Option<String>),
}

/// Tells the shell what the worker's scripts say and do wrong.
struct Delegate {
    report: Callback<ScriptReport>,
    source: ScriptSource,
    stop: Arc<AtomicBool>,
    worker: OnceCell<Weak<Worker>>,
}

impl RealmDelegate for Delegate {
    fn console_message(&self, message: ConsoleMessage) {
        let source = self.source.clone();
        self.report.call(ScriptReport::Console { source, message });
    }

    fn uncaught_exception(&self, report: ExceptionReport) {
        // That a script was stopped is told once, by the one who stopped it.
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(worker) = self.worker.get().and_then(Weak::upgrade) {
            // When there is no memory for an error object either, the engine throws null.
            let is_null = report.message == "null" && !report.is_rejection;
            worker.note_failure(if is_null {
                OUT_OF_MEMORY
            } else {
                &report.message
            });
        }
        let text = exception_text(&report);
        self.error(text);
    }
}

impl Delegate {
    fn error(&self, text: String) {
        let source = self.source.clone();
        self.report.call(ScriptReport::ScriptError { source, text });
    }
}

/// Runs a worker until it is terminated, crashes, or cannot be started.
///
/// <https://w3c.github.io/ServiceWorker/#run-service-worker-algorithm>
pub(super) fn run(
    launch: WorkerLaunch,
    services: &Services,
    controls: &Controls,
    ending: Receiver<()>,
    events: Callback<WorkerHostEvent>,
) -> End {
    let no_thing = |thing: &str| End::StartFailed(format!("there is no {thing} for the worker"));
    let limits = RuntimeLimits {
        memory: services.limits.memory_limit,
        stack: services.limits.stack_size,
    };
    let Ok(runtime) = ScriptRuntime::new(limits) else {
        return no_thing("memory");
    };
    let clock = Arc::clone(&services.clock);
    let time_limit = services.limits.task_time_limit;
    let Ok(watchdog) = Watchdog::start(
        runtime.stop_flag(),
        time_limit,
        Arc::clone(&services.limit_clock),
    ) else {
        return no_thing("thread");
    };
    let delegate = Rc::new(Delegate {
        report: services.report.clone(),
        source: ScriptSource::Worker {
            url: launch.script_url.clone(),
        },
        stop: runtime.stop_flag(),
        worker: OnceCell::new(),
    });
    let options = RealmOptions {
        kind: GlobalKind::ServiceWorker,
        secure_context: launch.storage_key.is_potentially_trustworthy(),
        delegate: Rc::clone(&delegate) as Rc<dyn RealmDelegate>,
        clock: Arc::clone(&clock),
    };
    let Ok(realm) = runtime.create_realm(options, |_| ServiceWorkerGlobalScope::new()) else {
        return no_thing("memory");
    };
    let event_loop = EventLoop::new(clock);
    services.event_loops.add(&event_loop);
    let end = Running {
        realm: &realm,
        event_loop: &event_loop,
        controls,
        delegate: &delegate,
    }
    .run(launch, services, Rc::new(watchdog), ending, events);
    // What is kept for the worker goes before its realm, and that before its runtime.
    crate::fetch::terminate(&realm);
    crate::messaging::detach(&realm);
    super::detach(&realm);
    crate::permission_watch::detach(&realm);
    crate::network_watch::detach(&realm);
    crate::indexed_database::detach(&realm);
    event_loop.discard(&realm);
    event_loop.shut_down();
    drop(realm);
    end
}

struct Running<'a> {
    realm: &'a RealmHandle,
    event_loop: &'a Rc<EventLoop>,
    controls: &'a Controls,
    delegate: &'a Delegate,
}

impl Running<'_> {
    fn run(
        &self,
        launch: WorkerLaunch,
        services: &Services,
        watchdog: Rc<Watchdog>,
        ending: Receiver<()>,
        events: Callback<WorkerHostEvent>,
    ) -> End {
        let realm = self.realm;
        let (client, script_url) = (launch.client, launch.script_url.clone());
        let environment = Environment::of_service_worker(
            client,
            script_url.clone(),
            launch.registration.scope.clone(),
            services.clone(),
        );
        realm.add_service(Rc::clone(self.event_loop));
        realm.add_service(Rc::new(environment));
        let description = ClientDescription {
            secure_context: realm.is_secure_context(),
            ..ClientDescription::new(
                client,
                launch.storage_key.clone(),
                script_url,
                ClientKind::ServiceWorker(launch.worker),
            )
        };
        if ServiceWorkerClient::attach(realm, services, description).is_err() {
            return End::StartFailed("the worker has no event loop".to_owned());
        }
        let terminator = watchdog.terminator();
        self.set_up(
            Worker::new(launch, events, Rc::clone(&watchdog), ending),
            &watchdog,
        );
        let wires = Wires {
            tasks: self.event_loop.sender(),
            terminator: terminator.clone(),
            realm: Arc::new(self.event_loop.keep(realm.root())),
        };
        // Nobody else sets it.
        let _ = self.controls.wires.set(wires);
        if self.controls.is_terminated() {
            return End::Stopped(None);
        }
        if let Err(reason) = self.start(&watchdog) {
            return if terminator.is_terminated() {
                End::Stopped(None)
            } else {
                End::StartFailed(reason)
            };
        }
        loop {
            if terminator.is_terminated() {
                return End::Stopped(None);
            }
            if let Ok(worker) = Worker::of(realm)
                && let Some(crash) = worker.crashed()
            {
                return End::Stopped(Some(crash));
            }
            if !self.event_loop.run_pending() {
                self.event_loop.wait(Duration::MAX);
            }
        }
    }

    /// Gives the realm its worker, and has tasks that run too long stopped.
    fn set_up(&self, worker: Worker, watchdog: &Rc<Watchdog>) {
        let worker = Rc::new(worker);
        let weak = Rc::downgrade(&worker);
        // The delegate is new.
        let _ = self.delegate.worker.set(Weak::clone(&weak));
        self.realm.add_traced_service(worker);
        let source = self.delegate.source.clone();
        let report = self.delegate.report.clone();
        let text = watchdog.explanation();
        self.event_loop.set_watchdog(Rc::clone(watchdog), move || {
            report.call(ScriptReport::ScriptError {
                source: source.clone(),
                text: text.clone(),
            });
            if let Some(worker) = weak.upgrade() {
                worker.reject_events(&text);
            }
        });
    }

    /// Runs the main script to its end.
    fn start(&self, watchdog: &Watchdog) -> Result<(), String> {
        let realm = self.realm;
        let worker = Worker::of(realm).map_err(|_| "the worker is gone".to_owned())?;
        let script = worker
            .script(&worker.script_url)
            .ok_or_else(|| format!("its script {} is not there", worker.script_url))?;
        let evaluated = self.event_loop.run_task(|| {
            // The objects for itself are there from the start, so that no change is missed.
            worker.registration(realm)?;
            worker.service_worker(realm)?;
            match worker.script_type {
                WorkerType::Classic => {
                    let source = decode(&script.body);
                    realm.evaluate(&source, script.url.as_str()).map(drop)
                }
                WorkerType::Module => run_modules(realm, &worker),
            }
        });
        let Some(result) = evaluated else {
            return Err(watchdog.explanation());
        };
        if let Err(error) = result {
            return Err(self.report_failure(error, watchdog));
        }
        if let Some(crash) = worker.crashed() {
            return Err(crash);
        }
        let global = realm.global::<EventTarget>();
        let event_types = global.map(|global| global.event_types());
        worker.report(WorkerHostEvent::Started {
            worker: worker.id,
            event_types: event_types
                .unwrap_or_default()
                .iter()
                .map(ToString::to_string)
                .collect(),
        });
        Ok(())
    }

    /// Reports what the main script threw; returns it with its place, for the one who starts the
    /// worker.
    fn report_failure(&self, error: Error, watchdog: &Watchdog) -> String {
        let realm: &Realm = self.realm;
        // What was thrown may describe itself with a script, and so the `error` handler is one.
        let report = self.event_loop.run_task(|| {
            let value = realm.exception_value(error);
            let report = describe(realm, &value);
            report_exception(realm, Error::Thrown(value));
            report
        });
        let Some(report) = report else {
            return watchdog.explanation();
        };
        if report.line > 0 {
            format!("{} ({}:{})", report.message, report.source_url, report.line)
        } else {
            report.message
        }
    }
}

/// Runs a module worker's scripts to their end.
///
/// # Errors
///
/// What one of them throws, or that one cannot be had or waits in its body.
fn run_modules(realm: &Realm, worker: &Worker) -> Fallible<()> {
    let root = load_modules(realm, worker)?;
    // The state is to be seen before microtasks let a script go on that waits.
    realm.run_script(|| {
        let promise = modules::run(realm, &root)?;
        promise.value().mark_as_handled(realm);
        match promise.value().promise_state(realm) {
            Some(PromiseState::Rejected(reason)) => Err(Error::Thrown(reason)),
            Some(PromiseState::Pending) => Err(Error::Type(
                "A service worker cannot use await outside of functions.".to_owned(),
            )),
            _ => Ok(()),
        }
    })
}
