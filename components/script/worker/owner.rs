//! The workers that a window or worker has started, and what it hears of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::channel::Callback;
use base::exception::DomExceptionName;
use url::Url;

use super::global_scope::{self, Launch, WorkerNotice};
use super::thread::WorkerThread;
use crate::bindings::generated::{ErrorEventInit, ErrorEventMethods, EventInit};
use crate::bindings::report::report_exception;
use crate::bindings::{
    ConsoleLevel, ConsoleMessage, Dom, Error, ExceptionReport, Fallible, GlobalKind, NoTrace,
    Realm, Traceable, Tracer, Value,
};
use crate::dom::error_event::{self, ErrorEvent};
use crate::dom::event_target::EventTarget;
use crate::dom::worker::Worker;
use crate::environment::Environment;
use crate::event_loop::EventLoop;

/// How long the end of a worker's thread is waited for before it is left behind. Scripts end at
/// once; only a long step of the engine itself, which does not look at the stop flag, is waited
/// for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The workers that a realm has started. A traced service of the realm, which keeps them as long
/// as they run.
#[derive(Default)]
pub(crate) struct OwnedWorkers {
    workers: RefCell<BTreeMap<u64, Owned>>,
    /// The threads of those that are to end.
    ending: NoTrace<RefCell<Vec<WorkerThread>>>,
    last_number: Cell<u64>,
    is_detached: Cell<bool>,
}

struct Owned {
    /// Where events are fired.
    target: Dom<EventTarget>,
    /// None for shared workers.
    dedicated: Option<(Dom<Worker>, NoTrace<WorkerThread>)>,
}

impl Traceable for Owned {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.target.trace(tracer);
        if let Some((worker, _)) = &self.dedicated {
            worker.trace(tracer);
        }
    }
}

impl Traceable for OwnedWorkers {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.workers.trace(tracer);
    }
}

impl OwnedWorkers {
    fn of(realm: &Realm) -> Rc<Self> {
        if realm.service::<Self>().is_none() {
            realm.add_traced_service(Rc::<Self>::default());
        }
        realm.service().unwrap_or_default()
    }

    fn new_number(&self) -> u64 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }

    fn remove(&self, number: u64) {
        let removed = self.workers.borrow_mut().remove(&number);
        let Some((worker, thread)) = removed.and_then(|owned| owned.dedicated) else {
            return;
        };
        worker.let_go();
        let mut ending = self.ending.borrow_mut();
        ending.retain(|thread| !thread.has_ended(Duration::ZERO));
        ending.push(thread.0);
    }

    /// A task: something was heard of a worker.
    fn hear(&self, realm: &Realm, number: u64, notice: WorkerNotice) -> Fallible<()> {
        let target = match self.workers.borrow().get(&number) {
            Some(owned) => owned.target.clone(),
            None => return Ok(()),
        };
        match notice {
            WorkerNotice::Failed(text) => {
                realm.delegate().console_message(ConsoleMessage {
                    level: ConsoleLevel::Error,
                    text,
                    group_depth: 0,
                });
                target.fire_event(realm, "error", &EventInit::default())?;
            }
            WorkerNotice::Exception(report) => fire_error(realm, &target, report)?,
            WorkerNotice::Ended => self.remove(number),
        }
        Ok(())
    }
}

/// <https://html.spec.whatwg.org/multipage/workers.html#runtime-script-errors-2>
fn fire_error(realm: &Realm, target: &EventTarget, report: ExceptionReport) -> Fallible<()> {
    let init = ErrorEventInit {
        parent: EventInit {
            cancelable: true,
            ..EventInit::default()
        },
        message: report.message.as_str().into(),
        filename: report.source_url.as_str().into(),
        lineno: report.line,
        colno: report.column,
        error: Some(Value::null()),
    };
    let event = ErrorEvent::constructor(realm, "error".into(), init)?;
    // What is not handled here goes on to the owner's own global object.
    if target.dispatch_trusted(realm, &event) && !error_event::fire(realm, &report, &Value::null())
    {
        realm.delegate().uncaught_exception(report);
    }
    Ok(())
}

/// Where a worker's notices go: to the task queue of its owner.
fn notices(realm: &Realm, number: u64) -> Fallible<Callback<WorkerNotice>> {
    let event_loop = realm
        .service::<EventLoop>()
        .ok_or_else(|| Error::Type("there is no event loop".to_owned()))?;
    let ticket = Arc::new(event_loop.keep(realm.root()));
    let tasks = event_loop.sender();
    Ok(Callback::new(move |notice| {
        let ticket = Arc::clone(&ticket);
        tasks.queue(move |event_loop| {
            if let Some(realm) = ticket.get(event_loop)
                && let Some(owned) = realm.service::<OwnedWorkers>()
                && let Err(error) = owned.hear(&realm, number, notice)
            {
                report_exception(&realm, error);
            }
        });
    }))
}

/// What is known of a worker before it is started.
pub(crate) struct Description {
    pub(crate) url: Url,
    pub(crate) name: crate::bindings::DomString,
    pub(crate) worker_type: sw_traits::WorkerType,
    pub(crate) credentials: net::CredentialsMode,
}

/// The URL of a worker's script.
///
/// # Errors
///
/// A `SyntaxError` when it is none.
pub(crate) fn parse_url(environment: &Environment, url: &str) -> Fallible<Url> {
    environment.parse_url(url).map_err(|_| {
        let message = format!("\"{url}\" is not a valid URL.");
        Error::dom(DomExceptionName::SyntaxError, message)
    })
}

fn launch(
    realm: &Realm,
    environment: &Environment,
    description: Description,
    notices: Callback<WorkerNotice>,
) -> Launch {
    let blob = environment
        .services
        .user_agent
        .blob_urls
        .resolve(&description.url);
    Launch {
        services: environment.services.clone(),
        kind: GlobalKind::DedicatedWorker,
        origin: match description.url.scheme() {
            "data" => None,
            _ => environment.origin.clone(),
        },
        ancestor_origins: environment.ancestor_origins.clone(),
        // What it refers to now is what runs, even if it is revoked at once.
        script: blob.map(|blob| blob.bytes.to_vec()),
        url: description.url,
        name: description.name,
        worker_type: description.worker_type,
        credentials: description.credentials,
        creator: environment.client,
        referrer: environment.referrer_source(),
        referrer_policy: environment.referrer_policy(),
        secure_context: realm.is_secure_context(),
        inside_port: None,
        notices,
    }
}

/// Starts a dedicated worker. Returns its number among those of its owner.
///
/// <https://html.spec.whatwg.org/multipage/workers.html#dom-worker>
///
/// # Errors
///
/// The owner has no event loop.
pub(crate) fn start_dedicated(
    realm: &Realm,
    worker: &Dom<Worker>,
    target: Dom<EventTarget>,
    inside_port: base::ids::MessagePortId,
    description: Description,
) -> Fallible<u64> {
    let environment = Environment::of(realm)?;
    let owned = OwnedWorkers::of(realm);
    let number = owned.new_number();
    let notices = notices(realm, number)?;
    let launch = Launch {
        inside_port: Some(inside_port),
        ..launch(realm, &environment, description, notices.clone())
    };
    if owned.is_detached.get() {
        return Ok(number);
    }
    let name = "dedicated worker".to_owned();
    let spawned = WorkerThread::spawn(name, &environment.services, move |controls, ending| {
        global_scope::run(&launch, controls, ending);
    });
    let dedicated = match spawned {
        Ok(thread) => Some((worker.clone(), NoTrace(thread))),
        Err(error) => {
            notices.call(WorkerNotice::Failed(format!(
                "There is no thread for the worker: {error}."
            )));
            notices.call(WorkerNotice::Ended);
            None
        }
    };
    let entry = Owned { target, dedicated };
    owned.workers.borrow_mut().insert(number, entry);
    Ok(number)
}

/// Connects to a shared worker, which is started if it does not run.
///
/// <https://html.spec.whatwg.org/multipage/workers.html#dom-sharedworker>
///
/// # Errors
///
/// A `SecurityError` for an opaque origin.
pub(crate) fn connect_shared(
    realm: &Realm,
    target: Dom<EventTarget>,
    port: base::ids::MessagePortId,
    description: Description,
) -> Fallible<()> {
    let environment = Environment::of(realm)?;
    let Some(storage_key) = environment.origin.clone() else {
        let message = "Shared workers are not available to this origin.";
        return Err(Error::dom(DomExceptionName::SecurityError, message));
    };
    let owned = OwnedWorkers::of(realm);
    let number = owned.new_number();
    let notices = notices(realm, number)?;
    let launch = Launch {
        kind: GlobalKind::SharedWorker,
        ..launch(realm, &environment, description, notices)
    };
    if !owned.is_detached.get() {
        let entry = Owned {
            target,
            dedicated: None,
        };
        owned.workers.borrow_mut().insert(number, entry);
        let shared_workers = environment.services.user_agent.shared_workers.clone();
        shared_workers.connect(storage_key, launch, port);
    }
    Ok(())
}

/// <https://html.spec.whatwg.org/multipage/workers.html#terminate-a-worker>
pub(crate) fn terminate(realm: &Realm, number: u64) {
    let Some(owned) = realm.service::<OwnedWorkers>() else {
        return;
    };
    if let Some(entry) = owned.workers.borrow_mut().get_mut(&number)
        && let Some((_, thread)) = &mut entry.dedicated
    {
        thread.0.terminate();
    }
    owned.remove(number);
}

/// Ends the workers of a realm that goes away, and waits for them.
pub(crate) fn detach(realm: &Realm) {
    let Some(owned) = realm.service::<OwnedWorkers>() else {
        return;
    };
    owned.is_detached.set(true);
    let numbers: Vec<u64> = owned.workers.borrow().keys().copied().collect();
    for number in numbers {
        terminate(realm, number);
    }
    let mut ending = owned.ending.take();
    if let Ok(environment) = Environment::of(realm) {
        let shared_workers = &environment.services.user_agent.shared_workers;
        ending.extend(shared_workers.leave(environment.client));
    }
    for thread in ending {
        if !thread.has_ended(PATIENCE) {
            log::error!("a worker's script did not stop; its thread is left behind");
        }
    }
}
