//! The life of one service worker on its thread.

use std::rc::Rc;

use base::channel::Callback;
use crossbeam_channel::Receiver;
use sw_traits::{ClientDescription, ClientKind, WorkerHostEvent, WorkerLaunch, WorkerType};

use super::client::ServiceWorkerClient;
use super::import::load_modules;
use super::worker::{OUT_OF_MEMORY, Worker};
use crate::bindings::report::{describe, report_exception};
use crate::bindings::value::PromiseState;
use crate::bindings::{Error, Fallible, GlobalKind, Realm};
use crate::dom::event_target::EventTarget;
use crate::dom::service_worker_global_scope::ServiceWorkerGlobalScope;
use crate::environment::Environment;
use crate::modules;
use crate::services::Services;
use crate::worker::agent::{AgentOptions, WorkerAgent};
use crate::worker::scripts::decode;
use crate::worker::thread::Controls;

/// How a worker's thread ends.
pub(super) enum End {
    /// The script could not be run.
    StartFailed(String),
    /// It was terminated, or crashed for this reason.
    Stopped(Option<String>),
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
    let environment = Environment::of_service_worker(
        launch.client,
        launch.script_url.clone(),
        launch.registration.scope.clone(),
        services.clone(),
    );
    let script = launch.scripts.get(&launch.script_url);
    if let Some(policy) = script.and_then(|script| script.header("referrer-policy")) {
        environment.take_referrer_policy(&policy);
    }
    let options = AgentOptions {
        kind: GlobalKind::ServiceWorker,
        secure_context: launch.storage_key.is_potentially_trustworthy(),
        environment,
        is_module: launch.worker_type == WorkerType::Module,
        ending,
    };
    match WorkerAgent::new(options, ServiceWorkerGlobalScope::new) {
        Ok(agent) => Running { agent: &agent }.run(launch, services, controls, events),
        Err(reason) => End::StartFailed(reason),
    }
}

struct Running<'a> {
    agent: &'a WorkerAgent,
}

impl Running<'_> {
    fn run(
        &self,
        launch: WorkerLaunch,
        services: &Services,
        controls: &Controls,
        events: Callback<WorkerHostEvent>,
    ) -> End {
        let agent = self.agent;
        let realm = &agent.realm;
        let description = ClientDescription {
            secure_context: realm.is_secure_context(),
            ..ClientDescription::new(
                launch.client,
                launch.storage_key.clone(),
                launch.script_url.clone(),
                ClientKind::ServiceWorker(launch.worker),
            )
        };
        if ServiceWorkerClient::attach(realm, services, description).is_err() {
            return End::StartFailed("the worker has no event loop".to_owned());
        }
        self.set_up(Worker::new(launch, events, Rc::clone(&agent.watchdog)));
        if !agent.connect(controls) {
            return End::Stopped(None);
        }
        let terminator = agent.terminator();
        if let Err(reason) = self.start() {
            return if terminator.is_terminated() {
                End::Stopped(None)
            } else {
                End::StartFailed(reason)
            };
        }
        let crash = || Worker::of(realm).ok()?.crashed();
        agent.run(|| crash().is_some());
        End::Stopped(crash().filter(|_| !terminator.is_terminated()))
    }

    /// Gives the realm its worker, which hears of what goes wrong.
    fn set_up(&self, worker: Worker) {
        let worker = Rc::new(worker);
        let observer = Rc::downgrade(&worker);
        self.agent.delegate.observe(move |report| {
            if let Some(worker) = observer.upgrade() {
                // When there is no memory for an error object either, the engine throws null.
                let is_null = report.message == "null" && !report.is_rejection;
                worker.note_failure(if is_null {
                    OUT_OF_MEMORY
                } else {
                    &report.message
                });
            }
            false
        });
        let stopped = Rc::downgrade(&worker);
        self.agent.limit_tasks(move |text| {
            if let Some(worker) = stopped.upgrade() {
                worker.reject_events(text);
            }
        });
        self.agent.realm.add_traced_service(worker);
    }

    /// Runs the main script to its end.
    fn start(&self) -> Result<(), String> {
        let realm = &self.agent.realm;
        let worker = Worker::of(realm).map_err(|_| "the worker is gone".to_owned())?;
        let script = worker
            .script(&worker.script_url)
            .ok_or_else(|| format!("its script {} is not there", worker.script_url))?;
        let evaluated = self.agent.event_loop.run_task(|| {
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
            return Err(self.agent.watchdog.explanation());
        };
        if let Err(error) = result {
            return Err(self.report_failure(error));
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
    fn report_failure(&self, error: Error) -> String {
        let realm: &Realm = &self.agent.realm;
        // What was thrown may describe itself with a script, and so the `error` handler is one.
        let report = self.agent.event_loop.run_task(|| {
            let value = realm.exception_value(error);
            let report = describe(realm, &value);
            report_exception(realm, Error::Thrown(value));
            report
        });
        let Some(report) = report else {
            return self.agent.watchdog.explanation();
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
