//! Scripts against the bindings: what a page sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use base::StorageKey;
use base::channel::Callback;
use base::time::{Clock, Timestamp};
use script::bindings::{
    ConsoleMessage, Error, ExceptionReport, GlobalKind, RealmDelegate, RealmHandle, RealmOptions,
    RuntimeLimits, ScriptRuntime, Value,
};
use script::dom::service_worker_global_scope::ServiceWorkerGlobalScope;
use script::dom::window::Window;
use sync_traits::{
    PermissionChange, PermissionName, PermissionObserver, PermissionState, PermissionStates,
};

mod bindings;
mod events;
mod fetch;
mod indexed_db;
mod messaging;
mod service_worker;
mod structured_clone;
mod text_and_urls;
mod timers;
mod window;

/// A clock that stands still until it is told to move.
#[derive(Default)]
struct StillClock(Mutex<Timestamp>);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Nobody may do anything, and that does not change.
struct NoPermissions;

impl PermissionStates for NoPermissions {
    fn state(&self, _: &StorageKey, _: PermissionName) -> PermissionState {
        PermissionState::Denied
    }

    fn observe(&self, _: &StorageKey, _: Callback<PermissionChange>) -> PermissionObserver {
        PermissionObserver(0)
    }

    fn stop_observing(&self, _: PermissionObserver) {}
}

#[derive(Default)]
struct Log {
    console: RefCell<Vec<ConsoleMessage>>,
    uncaught: RefCell<Vec<ExceptionReport>>,
}

impl RealmDelegate for Log {
    fn console_message(&self, message: ConsoleMessage) {
        self.console.borrow_mut().push(message);
    }

    fn uncaught_exception(&self, report: ExceptionReport) {
        self.uncaught.borrow_mut().push(report);
    }
}

/// A realm to run scripts in. Fields are dropped in order: values go before their runtime.
struct Page {
    realm: RealmHandle,
    log: Rc<Log>,
    runtime: Rc<ScriptRuntime>,
}

impl Page {
    fn new() -> Self {
        Self::in_runtime(&Rc::new(
            ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap(),
        ))
    }

    fn in_runtime(runtime: &Rc<ScriptRuntime>) -> Self {
        let (log, options) = options(GlobalKind::Window);
        let realm = runtime.create_realm(options, |_| Window::new());
        Self {
            realm: realm.ok().unwrap(),
            log,
            runtime: Rc::clone(runtime),
        }
    }

    fn service_worker() -> Self {
        let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
        let (log, options) = options(GlobalKind::ServiceWorker);
        let realm = runtime.create_realm(options, |_| ServiceWorkerGlobalScope::new());
        Self {
            realm: realm.ok().unwrap(),
            log,
            runtime,
        }
    }

    /// Runs a script and returns its result as a string.
    fn run(&self, source: &str) -> String {
        let result = self.realm.evaluate(source, "test.js");
        match result {
            Ok(value) => self.text(&value),
            Err(Error::Thrown(value)) => format!("threw {}", self.text(&value)),
            Err(_) => "threw an error of the bindings".to_owned(),
        }
    }

    fn text(&self, value: &Value) -> String {
        value
            .to_dom_string(&self.realm)
            .map(|text| text.to_string())
            .unwrap_or_default()
    }

    fn console(&self) -> Vec<String> {
        self.log
            .console
            .borrow()
            .iter()
            .map(|message| message.text.clone())
            .collect()
    }

    fn uncaught(&self) -> Vec<String> {
        self.log
            .uncaught
            .borrow()
            .iter()
            .map(|report| report.message.clone())
            .collect()
    }
}

fn options(kind: GlobalKind) -> (Rc<Log>, RealmOptions) {
    let log = Rc::new(Log::default());
    let options = RealmOptions {
        kind,
        secure_context: true,
        delegate: Rc::clone(&log) as Rc<dyn RealmDelegate>,
        clock: Arc::new(StillClock::default()),
    };
    (log, options)
}
