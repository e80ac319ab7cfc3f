//! The least that starting a worker can cost.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_support::SystemClock;
use script::bindings::{
    ConsoleMessage, ExceptionReport, GlobalKind, RealmDelegate, RealmOptions, RuntimeLimits,
    ScriptRuntime,
};
use script::dom::service_worker_global_scope::ServiceWorkerGlobalScope;

struct Silent;

impl RealmDelegate for Silent {
    fn console_message(&self, _: ConsoleMessage) {}

    fn uncaught_exception(&self, _: ExceptionReport) {}
}

/// Create a script engine with the global scope of a worker, and nothing more.
pub(crate) fn create() -> Duration {
    let start = Instant::now();
    let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
    let options = RealmOptions {
        kind: GlobalKind::ServiceWorker,
        secure_context: true,
        delegate: Rc::new(Silent),
        clock: Arc::new(SystemClock::default()),
    };
    let realm = runtime.create_realm(options, |_| ServiceWorkerGlobalScope::new());
    let elapsed = start.elapsed();
    drop(realm.ok().unwrap());
    elapsed
}
