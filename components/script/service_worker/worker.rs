//! What the realm of a service worker knows of itself, and the events that it handles.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base::StorageKey;
use base::channel::Callback;
use base::exception::DomExceptionName;
use base::ids::{EventId, WorkerId};
use sw_traits::{
    EventDispatch, EventOutcome, FetchAnswer, FetchResponse, MessageSource, RegistrationInfo,
    ScriptResource, ScriptResourceMap, SerializedMessage, ServiceWorkerInfo, ServiceWorkerState,
    WorkerEvent, WorkerHostEvent, WorkerLaunch, WorkerType,
};
use url::Url;

use super::client::ServiceWorkerClient;
use crate::bindings::{Dom, DomString, Error, Fallible, Realm, Traceable, Tracer, Value};
use crate::dom::client::Client;
use crate::dom::event_target::EventTarget;
use crate::dom::extendable_event::ExtendableEvent;
use crate::dom::extendable_message_event::ExtendableMessageEvent;
use crate::dom::fetch_event::FetchEvent;
use crate::dom::install_event::InstallEvent;
use crate::dom::periodic_sync_event::PeriodicSyncEvent;
use crate::dom::service_worker::ServiceWorker;
use crate::dom::service_worker_registration::ServiceWorkerRegistration;
use crate::dom::sync_event::SyncEvent;
use crate::messaging;
use crate::watchdog::Watchdog;

/// What the engine throws when a script needs more memory than its limit leaves.
pub(super) const OUT_OF_MEMORY: &str = "InternalError: out of memory";

/// A service worker on its own thread. A traced service of its realm.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker>
pub(crate) struct Worker {
    pub(super) id: WorkerId,
    pub(super) storage_key: StorageKey,
    pub(super) script_url: Url,
    pub(super) script_type: WorkerType,
    registration: RegistrationInfo,
    /// <https://w3c.github.io/ServiceWorker/#dfn-script-resource-map>
    scripts: RefCell<ScriptResourceMap>,
    may_import: bool,
    pub(super) unavailable_scripts: BTreeSet<Url>,
    pub(super) imports_bypass_cache: bool,
    events: Callback<WorkerHostEvent>,
    watchdog: Rc<Watchdog>,
    in_flight: RefCell<BTreeMap<EventId, InFlight>>,
    crash: RefCell<Option<String>>,
}

/// An event that is dispatched or has promises that are pending.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-set-of-extended-events>
struct InFlight {
    event: Dom<ExtendableEvent>,
    /// Whether the caller has the outcome already.
    reported: Cell<bool>,
}

impl Traceable for InFlight {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.event.trace(tracer);
    }
}

impl Traceable for Worker {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.in_flight.trace(tracer);
    }
}

impl Worker {
    pub(super) fn new(
        launch: WorkerLaunch,
        events: Callback<WorkerHostEvent>,
        watchdog: Rc<Watchdog>,
    ) -> Self {
        Self {
            id: launch.worker,
            storage_key: launch.storage_key,
            script_url: launch.script_url,
            script_type: launch.worker_type,
            registration: launch.registration,
            scripts: RefCell::new(launch.scripts),
            may_import: launch.may_import,
            unavailable_scripts: launch.unavailable_scripts,
            imports_bypass_cache: launch.imports_bypass_cache,
            events,
            watchdog,
            in_flight: RefCell::default(),
            crash: RefCell::default(),
        }
    }

    /// The service worker that a realm belongs to.
    ///
    /// # Errors
    ///
    /// `InvalidStateError` when it belongs to none, as in a test of single bindings.
    pub(crate) fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        realm.service().ok_or_else(|| {
            let message = "The global object belongs to no service worker.";
            Error::dom(DomExceptionName::InvalidStateError, message)
        })
    }

    pub(super) fn report(&self, event: WorkerHostEvent) {
        self.events.call(event);
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-registration>
    pub(crate) fn registration(&self, realm: &Realm) -> Fallible<Dom<ServiceWorkerRegistration>> {
        ServiceWorkerClient::of(realm)?.registration_object(realm, &self.registration)
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-serviceworker>
    pub(crate) fn service_worker(&self, realm: &Realm) -> Fallible<Dom<ServiceWorker>> {
        let RegistrationInfo {
            installing,
            waiting,
            active,
            ..
        } = &self.registration;
        let own = [installing, waiting, active]
            .into_iter()
            .flatten()
            .find(|worker| worker.id == self.id)
            .cloned()
            .unwrap_or_else(|| ServiceWorkerInfo {
                id: self.id,
                script_url: self.script_url.clone(),
                worker_type: self.script_type,
                state: ServiceWorkerState::Parsed,
            });
        ServiceWorkerClient::of(realm)?.worker_object(realm, &own)
    }

    /// A script that needs no network.
    pub(super) fn script(&self, url: &Url) -> Option<ScriptResource> {
        let script = self.scripts.borrow().get(url).cloned()?;
        if self.may_import && *url != self.script_url {
            self.report(WorkerHostEvent::StoredScriptUsed {
                worker: self.id,
                url: url.clone(),
            });
        }
        Some(script)
    }

    /// Whether scripts that are not stored may be imported over the network.
    pub(super) fn may_import(&self, realm: &Realm) -> Fallible<bool> {
        Ok(self.may_import && self.service_worker(realm)?.is_new())
    }

    /// Keeps a script that was imported; `from_cache` says whether the server was not asked.
    pub(super) fn add_script(&self, resource: ScriptResource, from_cache: bool) {
        self.scripts
            .borrow_mut()
            .insert(resource.url.clone(), resource.clone());
        self.report(WorkerHostEvent::ScriptImported {
            worker: self.id,
            resource,
            from_cache,
        });
    }

    /// The event of a dispatch, as long as it is active.
    pub(crate) fn event(&self, id: EventId) -> Option<Dom<ExtendableEvent>> {
        self.in_flight
            .borrow()
            .get(&id)
            .map(|in_flight| in_flight.event.clone())
    }

    /// Dispatches an event at the global object. Its outcome is reported when it is not active any
    /// more.
    pub(super) fn dispatch(&self, realm: &Realm, dispatch: EventDispatch) {
        let id = dispatch.event;
        let target = realm.global::<EventTarget>();
        let created = create_event(realm, dispatch.kind);
        let (Some(target), Ok(event)) = (target, created) else {
            let reason = "the event could not be made: out of memory";
            self.crash(reason);
            return;
        };
        event.set_dispatch(id);
        let in_flight = InFlight {
            event: event.clone(),
            reported: Cell::new(false),
        };
        self.in_flight.borrow_mut().insert(id, in_flight);
        target.dispatch_trusted(realm, &event);
        if let Some(event) = event.downcast::<FetchEvent>()
            && !self.watchdog.has_expired()
            && let Some(answer) = event.dispatched()
        {
            self.report_answer(id, answer);
        }
        self.end_event_if_inactive(id);
    }

    /// What the listener of a `fetch` event gave to `respondWith()` is settled.
    pub(crate) fn respond(&self, realm: &Realm, id: EventId, result: Result<Value, Value>) {
        if let Some(event) = self.fetch_event(id) {
            let answer = event.settled(realm, result);
            self.report_answer(id, answer);
        }
    }

    /// The preload of a navigation has ended.
    pub(super) fn preload_ended(
        &self,
        realm: &Realm,
        id: EventId,
        result: Result<FetchResponse, String>,
    ) {
        if let Some(event) = self.fetch_event(id) {
            event.preload_ended(realm, result);
        }
    }

    /// Nobody wants the response of a `fetch` event any more.
    pub(super) fn abort_fetch(&self, realm: &Realm, id: EventId) {
        if let Some(event) = self.fetch_event(id) {
            event.abort(realm);
        }
    }

    fn fetch_event(&self, id: EventId) -> Option<Dom<FetchEvent>> {
        self.event(id)?.downcast()
    }

    fn report_answer(&self, event: EventId, answer: FetchAnswer) {
        self.report(WorkerHostEvent::FetchAnswered {
            worker: self.id,
            event,
            answer,
        });
    }

    /// Reports the outcome of an event that has ended.
    pub(crate) fn end_event_if_inactive(&self, id: EventId) {
        let ended = {
            let mut in_flight = self.in_flight.borrow_mut();
            // One that is being stopped has not ended, whatever its state looks like.
            if self.watchdog.has_expired()
                || in_flight.get(&id).is_none_or(|it| it.event.is_active())
            {
                return;
            }
            in_flight.remove(&id)
        };
        let Some(ended) = ended.filter(|ended| !ended.reported.get()) else {
            return;
        };
        let outcome = match ended.event.rejection() {
            Some(reason) => EventOutcome::Rejected { reason },
            None => EventOutcome::Fulfilled,
        };
        self.report_end(id, outcome);
    }

    /// Nobody waits for an event any more.
    pub(super) fn time_out(&self, id: EventId) {
        if let Some(in_flight) = self.in_flight.borrow_mut().remove(&id) {
            in_flight.event.set_timed_out();
        }
    }

    /// A task was stopped: the events that it may have been part of have failed.
    pub(super) fn reject_events(&self, reason: &str) {
        let unreported: Vec<EventId> = {
            let in_flight = self.in_flight.borrow();
            in_flight
                .iter()
                .filter(|(_, event)| !event.reported.replace(true))
                .map(|(id, _)| *id)
                .collect()
        };
        for id in unreported {
            let reason = reason.to_owned();
            self.report_end(id, EventOutcome::Rejected { reason });
        }
        let active = self
            .in_flight
            .take()
            .into_iter()
            .filter(|(_, in_flight)| in_flight.event.is_active())
            .collect();
        self.in_flight.replace(active);
    }

    fn report_end(&self, event: EventId, outcome: EventOutcome) {
        self.report(WorkerHostEvent::EventEnded {
            worker: self.id,
            event,
            outcome,
        });
    }

    /// A script failed for this reason. When it was for want of memory, the worker ends.
    pub(crate) fn note_failure(&self, reason: &str) {
        if reason == OUT_OF_MEMORY {
            self.crash("it used more memory than a worker may");
        }
    }

    fn crash(&self, reason: &str) {
        self.crash
            .borrow_mut()
            .get_or_insert_with(|| reason.to_owned());
    }

    /// Why the worker has to end.
    pub(super) fn crashed(&self) -> Option<String> {
        self.crash.borrow().clone()
    }
}

fn create_event(realm: &Realm, event: WorkerEvent) -> Fallible<Dom<ExtendableEvent>> {
    let event_type = event.event_type();
    match event {
        WorkerEvent::Install => upcast(&InstallEvent::create(realm)?),
        WorkerEvent::Activate => ExtendableEvent::create(realm, event_type),
        WorkerEvent::Sync { tag, last_chance } => {
            let tag = DomString::from_code_units(tag.code_units().to_vec());
            upcast(&SyncEvent::create(realm, tag, last_chance)?)
        }
        WorkerEvent::PeriodicSync { tag } => {
            let tag = DomString::from_code_units(tag.code_units().to_vec());
            upcast(&PeriodicSyncEvent::create(realm, tag)?)
        }
        WorkerEvent::Message {
            source,
            origin,
            message,
        } => message_event(realm, source, &origin, &message),
        WorkerEvent::Fetch(data) => upcast(&FetchEvent::create(realm, *data)?),
    }
}

/// From <https://w3c.github.io/ServiceWorker/#service-worker-postmessage-options>
fn message_event(
    realm: &Realm,
    source: MessageSource,
    origin: &StorageKey,
    message: &SerializedMessage,
) -> Fallible<Dom<ExtendableEvent>> {
    let source = match source {
        MessageSource::Client(client) => Client::create(realm, client)?,
        MessageSource::ServiceWorker(worker) => ServiceWorkerClient::of(realm)?
            .worker_object(realm, &worker)?
            .value(),
    };
    let received = messaging::receive(realm, &message.data);
    let event = ExtendableMessageEvent::create(realm, received, origin.to_string(), &source)?;
    upcast(&event)
}

fn upcast<T: crate::bindings::DomObject>(event: &Dom<T>) -> Fallible<Dom<ExtendableEvent>> {
    event
        .upcast()
        .ok_or_else(|| Error::Type("not an extendable event".to_owned()))
}
