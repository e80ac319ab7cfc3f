//! What a window or worker knows of registrations and workers, and its way to the components.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, Disconnected};
use base::exception::{DomException, DomExceptionName, ErrorClass};
use base::ids::{RegistrationId, RequestId, WorkerId};
use sw_traits::{
    ClientDescription, ClientUpdate, MessageSource, RegistrationInfo, SerializedMessage,
    ServiceWorkerInfo, ServiceWorkerState, SwAnswer, SwClientEvent, SwClientHandle, SwRequest,
};
use sync_traits::{RegistrationReference, SyncClientEvent, SyncClientHandle, SyncRequest};

use crate::bindings::generated::EventInit;
use crate::bindings::{
    ByteString, Dom, Error, Fallible, GlobalKind, NoTrace, Promise, Realm, RealmHandle, ToJs,
    Traceable, Tracer, Value,
};
use crate::dom::client::Client;
use crate::dom::service_worker::ServiceWorker;
use crate::dom::service_worker_container::ServiceWorkerContainer;
use crate::dom::service_worker_registration::ServiceWorkerRegistration;
use crate::event_loop::{EventLoop, TaskSender, Trusted};
use crate::messaging;
use crate::service_worker::reserved::ReservedClient;
use crate::services::Services;
use crate::window::page::Page;

/// A realm's part in service workers and Background Sync. A traced service of the realm.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-client>
pub(crate) struct ServiceWorkerClient {
    handle: NoTrace<RefCell<Option<SwClientHandle>>>,
    sync_handle: NoTrace<RefCell<Option<SyncClientHandle>>>,
    requests: RefCell<BTreeMap<RequestId, PendingRequest>>,
    sync_requests: RefCell<BTreeMap<RequestId, Promise>>,
    /// <https://w3c.github.io/ServiceWorker/#environment-settings-object-service-worker-registration-object-map>
    registrations: RefCell<BTreeMap<RegistrationId, Dom<ServiceWorkerRegistration>>>,
    /// <https://w3c.github.io/ServiceWorker/#environment-settings-object-service-worker-object-map>
    workers: RefCell<BTreeMap<WorkerId, Dom<ServiceWorker>>>,
    controller: NoTrace<RefCell<Option<ServiceWorkerInfo>>>,
    /// Whether the component has said who that is.
    controller_is_known: Cell<bool>,
    container: OnceCell<Dom<ServiceWorkerContainer>>,
    /// <https://w3c.github.io/ServiceWorker/#serviceworkercontainer-ready-promise>
    ready: OnceCell<Promise>,
    /// <https://w3c.github.io/ServiceWorker/#dfn-client-message-queue>
    messages: NoTrace<RefCell<VecDeque<(MessageSource, SerializedMessage)>>>,
    messages_enabled: Cell<bool>,
    /// By which the components' events find the realm.
    ticket: NoTrace<Arc<Trusted<RealmHandle>>>,
}

struct PendingRequest {
    promise: Promise,
    /// The answer is one client, not a list.
    wants_one_client: bool,
}

impl Traceable for PendingRequest {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.promise.trace(tracer);
    }
}

impl Traceable for ServiceWorkerClient {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.requests.trace(tracer);
        self.sync_requests.trace(tracer);
        self.registrations.trace(tracer);
        self.workers.trace(tracer);
        self.container.trace(tracer);
        self.ready.trace(tracer);
    }
}

impl ServiceWorkerClient {
    /// Makes a realm a client. When a component has shut down already, what is asked of it is
    /// refused.
    ///
    /// # Errors
    ///
    /// The realm has no event loop.
    pub(crate) fn attach(
        realm: &Realm,
        services: &Services,
        description: ClientDescription,
    ) -> Fallible<()> {
        Self::attach_as(realm, services, description, None)
    }

    /// The same for a client that may have been there before its realm; the description says what it
    /// is then.
    ///
    /// # Errors
    ///
    /// The realm has no event loop.
    pub(crate) fn attach_as(
        realm: &Realm,
        services: &Services,
        description: ClientDescription,
        reserved: Option<ReservedClient>,
    ) -> Fallible<()> {
        let event_loop = realm
            .service::<EventLoop>()
            .ok_or_else(|| Error::Type("there is no event loop".to_owned()))?;
        let (id, storage_key) = (description.id, description.storage_key.clone());
        let ticket = Arc::new(event_loop.keep(realm.root()));
        let awaited = ControllerAwaited {
            sender: event_loop.sender(),
            ticket: Arc::clone(&ticket),
        };
        let on_event = events(&event_loop, &ticket, |client, realm, event| {
            client.handle_event(realm, event)
        });
        let events_of_client = Callback::new(move |event| {
            let _ = &awaited;
            on_event.call(event);
        });
        let handle = match reserved {
            Some(reserved) => Ok(reserved.connect(events_of_client)),
            None => services
                .service_workers
                .attach_client(description, events_of_client),
        };
        let sync_handle = services.sync.attach_client(
            id,
            storage_key,
            events(&event_loop, &ticket, |client, realm, event| {
                client.handle_sync_event(realm, event);
                Ok(())
            }),
        );
        realm.add_traced_service(Rc::new(Self {
            controller_is_known: Cell::new(handle.is_err()),
            handle: NoTrace(RefCell::new(handle.ok())),
            sync_handle: NoTrace(RefCell::new(sync_handle.ok())),
            requests: RefCell::default(),
            sync_requests: RefCell::default(),
            registrations: RefCell::default(),
            workers: RefCell::default(),
            controller: NoTrace::default(),
            container: OnceCell::new(),
            ready: OnceCell::new(),
            messages: NoTrace::default(),
            messages_enabled: Cell::new(false),
            ticket: NoTrace(ticket),
        }));
        Ok(())
    }

    /// The client that a realm is.
    ///
    /// # Errors
    ///
    /// A `SecurityError` when it is none, because its origin is opaque.
    pub(crate) fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        realm.service().ok_or_else(|| {
            let message = "Service workers are not available to this origin.";
            Error::from(ErrorClass::Security.exception(message))
        })
    }

    /// Gives the handles back. What is asked after this is refused.
    pub(crate) fn detach(&self, realm: &Realm) {
        // The components may be slow to forget it: the realm does not wait for them.
        if let Some(event_loop) = realm.service::<EventLoop>() {
            self.ticket.release(&event_loop);
        }
        drop(self.handle.take());
        drop(self.controller.take());
        drop(self.sync_handle.take());
        drop(self.requests.take());
        drop(self.sync_requests.take());
        for (_, message) in self.messages.take() {
            messaging::discard(realm, &message.data);
        }
    }

    /// Asks for something; the promise is settled with the answer.
    pub(crate) fn request(&self, realm: &Realm, body: SwRequest) -> Fallible<Promise> {
        let promise = Promise::new(realm)?;
        let wants_one_client = matches!(body, SwRequest::GetClient { .. });
        if realm
            .service::<Page>()
            .is_some_and(|page| page.context.is_closing())
        {
            // Its answer would come too late.
            let exception = DomException::new(
                DomExceptionName::InvalidStateError,
                "the window was closed".to_owned(),
            );
            promise.reject(exception);
            return Ok(promise);
        }
        let request = match &*self.handle.borrow() {
            Some(handle) => handle.request(body),
            None => Err(Disconnected),
        };
        match request {
            Ok(request) => {
                let pending = PendingRequest {
                    promise: promise.clone(),
                    wants_one_client,
                };
                self.requests.borrow_mut().insert(request, pending);
            }
            Err(disconnected) => promise.reject(gone(disconnected)),
        }
        Ok(promise)
    }

    /// Tells the component something new about this client.
    pub(crate) fn update(&self, update: ClientUpdate) {
        if let Some(handle) = &*self.handle.borrow() {
            // Nobody who is gone has to know.
            let _ = handle.update(update);
        }
    }

    /// Whether it is a client still.
    pub(crate) fn is_attached(&self) -> bool {
        self.handle.borrow().is_some()
    }

    /// The handle, if a service worker may have a say in what the client fetches. Fetches of a
    /// client without a controller do not have to take the way over the component.
    pub(crate) fn controlled_handle(&self) -> Option<SwClientHandle> {
        let may_be_controlled =
            !self.controller_is_known.get() || self.controller.borrow().is_some();
        self.handle
            .borrow()
            .as_ref()
            .filter(|_| may_be_controlled)
            .cloned()
    }

    /// Sends what has no answer. That nobody receives it any more is not an error.
    #[expect(clippy::unnecessary_wraps, reason = "has the form of an operation")]
    pub(crate) fn send(&self, body: SwRequest) -> Fallible<()> {
        if let Some(handle) = &*self.handle.borrow() {
            let _ = handle.request(body);
        }
        Ok(())
    }

    /// Asks the sync manager for something; the promise is settled with the answer.
    pub(crate) fn sync_request(
        &self,
        realm: &Realm,
        registration: RegistrationReference,
        body: SyncRequest,
    ) -> Fallible<Promise> {
        let promise = Promise::new(realm)?;
        let request = match &*self.sync_handle.borrow() {
            Some(handle) => handle.request(registration, body),
            None => Err(Disconnected),
        };
        match request {
            Ok(request) => {
                let pending = promise.clone();
                self.sync_requests.borrow_mut().insert(request, pending);
            }
            Err(disconnected) => promise.reject(gone(disconnected)),
        }
        Ok(promise)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-ready>
    pub(crate) fn ready(&self, realm: &Realm) -> Fallible<Promise> {
        if let Some(ready) = self.ready.get() {
            return Ok(ready.clone());
        }
        let ready = Promise::new(realm)?;
        let request = self
            .handle
            .borrow()
            .as_ref()
            .and_then(|handle| handle.request(SwRequest::Ready).ok());
        if let Some(request) = request {
            let pending = PendingRequest {
                promise: ready.clone(),
                wants_one_client: false,
            };
            self.requests.borrow_mut().insert(request, pending);
        }
        Ok(self.ready.get_or_init(|| ready).clone())
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-controller>
    pub(crate) fn controller(&self, realm: &Realm) -> Fallible<Option<Dom<ServiceWorker>>> {
        let controller = self.controller.borrow().clone();
        controller
            .map(|controller| self.worker_object(realm, &controller))
            .transpose()
    }

    pub(super) fn controller_info(&self) -> Option<ServiceWorkerInfo> {
        self.controller.borrow().clone()
    }

    pub(super) fn inherit_controller(&self, controller: ServiceWorkerInfo) {
        self.controller.replace(Some(controller));
    }

    /// Whether scripts may run: they can see from the start who controls the client.
    pub(super) fn controller_is_known(&self) -> bool {
        self.controller_is_known.get()
    }

    /// `navigator.serviceWorker`
    pub(crate) fn container(&self, realm: &Realm) -> Fallible<Dom<ServiceWorkerContainer>> {
        if let Some(container) = self.container.get() {
            return Ok(container.clone());
        }
        let container = ServiceWorkerContainer::create(realm)?;
        Ok(self.container.get_or_init(|| container).clone())
    }

    /// <https://w3c.github.io/ServiceWorker/#get-the-service-worker-object>
    pub(crate) fn worker_object(
        &self,
        realm: &Realm,
        info: &ServiceWorkerInfo,
    ) -> Fallible<Dom<ServiceWorker>> {
        if let Some(worker) = self.workers.borrow().get(&info.id) {
            return Ok(worker.clone());
        }
        let worker = ServiceWorker::create(realm, info.clone())?;
        self.workers.borrow_mut().insert(info.id, worker.clone());
        Ok(worker)
    }

    /// <https://w3c.github.io/ServiceWorker/#get-the-service-worker-registration-object>
    pub(crate) fn registration_object(
        &self,
        realm: &Realm,
        info: &RegistrationInfo,
    ) -> Fallible<Dom<ServiceWorkerRegistration>> {
        if let Some(registration) = self.registrations.borrow().get(&info.id) {
            return Ok(registration.clone());
        }
        let registration = ServiceWorkerRegistration::create(realm, self, info)?;
        self.registrations
            .borrow_mut()
            .insert(info.id, registration.clone());
        Ok(registration)
    }

    /// <https://w3c.github.io/ServiceWorker/#dfn-client-message-queue>
    pub(crate) fn enable_messages(&self, realm: &Realm) {
        if self.messages_enabled.replace(true) || self.messages.borrow().is_empty() {
            return;
        }
        let Some(event_loop) = realm.service::<EventLoop>() else {
            return;
        };
        let ticket = event_loop.keep(realm.root());
        event_loop.sender().queue(move |event_loop| {
            if let Some(realm) = ticket.take(event_loop)
                && let Some(client) = realm.service::<Self>()
            {
                client.deliver_messages(&realm);
            }
        });
    }

    fn deliver_messages(&self, realm: &Realm) {
        if !self.messages_enabled.get() {
            return;
        }
        loop {
            let next = self.messages.borrow_mut().pop_front();
            let Some((source, message)) = next else {
                return;
            };
            if self.deliver_message(realm, source, &message).is_err() {
                log::error!("a message of a service worker is lost: out of memory");
            }
        }
    }

    /// The task of <https://w3c.github.io/ServiceWorker/#client-postmessage-options>
    fn deliver_message(
        &self,
        realm: &Realm,
        source: MessageSource,
        message: &SerializedMessage,
    ) -> Fallible<()> {
        // Only service workers post to clients this way.
        let MessageSource::ServiceWorker(source) = source else {
            return Ok(());
        };
        let container = self.container(realm)?;
        let origin = StorageKey::from_url(&source.script_url)
            .map_or_else(|_| "null".to_owned(), |origin| origin.to_string());
        let source = self.worker_object(realm, &source)?.value();
        let event = messaging::receive(realm, &message.data).into_event(realm, origin, &source)?;
        container.dispatch_trusted(realm, &event);
        Ok(())
    }

    fn handle_event(&self, realm: &Realm, event: SwClientEvent) -> Fallible<()> {
        match event {
            SwClientEvent::Answer { request, result } => {
                let pending = self.requests.borrow_mut().remove(&request);
                if let Some(pending) = pending {
                    self.settle(realm, &pending, result);
                }
            }
            SwClientEvent::RegistrationChanged(info) => self.registration_changed(realm, &info)?,
            SwClientEvent::UpdateFound { registration } => {
                let registration = self.registrations.borrow().get(&registration).cloned();
                if let Some(registration) = registration {
                    registration.fire_event(realm, "updatefound", &EventInit::default())?;
                }
            }
            SwClientEvent::WorkerStateChanged { worker: info } => {
                if let Some(controller) = &mut *self.controller.borrow_mut()
                    && controller.id == info.id
                {
                    controller.state = info.state;
                }
                let worker = self.workers.borrow().get(&info.id).cloned();
                if let Some(worker) = worker {
                    worker.change_state(realm, info.state)?;
                }
                self.forget_worker(realm, &info);
            }
            SwClientEvent::ControllerChanged { controller, fire } => {
                self.controller.replace(controller);
                self.controller_is_known.set(true);
                // Without the object there are no listeners either.
                if let Some(container) = self.container.get().filter(|_| fire) {
                    container.fire_event(realm, "controllerchange", &EventInit::default())?;
                }
            }
            SwClientEvent::Message { source, message } => {
                // Bounded by the component's limits on what a worker may send, and delivered as
                // soon as the document is parsed.
                self.messages.borrow_mut().push_back((source, message));
                self.deliver_messages(realm);
            }
        }
        Ok(())
    }

    /// Nothing is told of a redundant worker any more: its object lives for as long as a script has
    /// it. A page that stays open for long may see many.
    fn forget_worker(&self, realm: &Realm, info: &ServiceWorkerInfo) {
        if info.state == ServiceWorkerState::Redundant
            && realm.kind() != GlobalKind::ServiceWorker
            && self
                .controller_info()
                .is_none_or(|controller| controller.id != info.id)
        {
            let forgotten = self.workers.borrow_mut().remove(&info.id);
            drop(forgotten);
        }
    }

    /// Likewise for a registration whose last worker is gone: there is none without workers after
    /// that.
    fn forget_registration(&self, realm: &Realm, info: &RegistrationInfo) {
        let workers = [&info.installing, &info.waiting, &info.active];
        if workers.into_iter().all(Option::is_none) && realm.kind() != GlobalKind::ServiceWorker {
            let forgotten = self.registrations.borrow_mut().remove(&info.id);
            drop(forgotten);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#update-registration-state-algorithm>
    fn registration_changed(&self, realm: &Realm, info: &RegistrationInfo) -> Fallible<()> {
        let registration = self.registrations.borrow().get(&info.id).cloned();
        if let Some(registration) = registration {
            registration.update_workers(realm, self, info)?;
        }
        self.forget_registration(realm, info);
        // A worker learns here what happened between its launch and the moment when it became a
        // client.
        if realm.kind() == GlobalKind::ServiceWorker {
            let workers = [&info.installing, &info.waiting, &info.active];
            for info in workers.into_iter().flatten() {
                if let Some(worker) = self.workers.borrow().get(&info.id) {
                    worker.set_state(info.state);
                }
            }
        }
        Ok(())
    }

    fn settle(
        &self,
        realm: &Realm,
        pending: &PendingRequest,
        result: Result<SwAnswer, DomException>,
    ) {
        let PendingRequest {
            promise,
            wants_one_client,
        } = pending;
        let answer = match result {
            Ok(answer) => answer,
            // The ready promise never rejects.
            Err(_)
                if self
                    .ready
                    .get()
                    .is_some_and(|ready| is_same(ready, promise)) =>
            {
                return;
            }
            Err(exception) => return promise.reject(exception),
        };
        match self.answer_value(realm, answer, *wants_one_client) {
            Ok(value) => promise.resolve(&value),
            Err(error) => promise.reject(error),
        }
    }

    fn answer_value(
        &self,
        realm: &Realm,
        answer: SwAnswer,
        wants_one_client: bool,
    ) -> Fallible<Value> {
        match answer {
            SwAnswer::Registration(Some(info)) => {
                Ok(self.registration_object(realm, &info)?.value())
            }
            SwAnswer::Registration(None) | SwAnswer::Done => Ok(Value::undefined()),
            SwAnswer::Registrations(infos) => {
                let registrations = infos
                    .iter()
                    .map(|info| self.registration_object(realm, info))
                    .collect::<Fallible<Vec<_>>>()?;
                frozen(realm, registrations.to_js(realm)?)
            }
            SwAnswer::Boolean(value) => Ok(Value::boolean(value)),
            SwAnswer::NavigationPreload(state) => {
                let object = realm.new_object()?;
                let value = ByteString(state.header_value).to_js(realm)?;
                object.create_data_property(realm, "enabled", &Value::boolean(state.enabled))?;
                object.create_data_property(realm, "headerValue", &value)?;
                Ok(object)
            }
            SwAnswer::Clients(infos) if wants_one_client => infos.into_iter().next().map_or_else(
                || Ok(Value::undefined()),
                |info| Client::create(realm, info),
            ),
            SwAnswer::WindowClient(info) => {
                info.map_or_else(|| Ok(Value::null()), |info| Client::create(realm, *info))
            }
            SwAnswer::Clients(infos) => {
                let clients = infos
                    .into_iter()
                    .map(|info| Client::create(realm, info))
                    .collect::<Fallible<Vec<_>>>()?;
                frozen(realm, realm.new_array(&clients)?)
            }
        }
    }

    fn handle_sync_event(&self, realm: &Realm, event: SyncClientEvent) {
        let (request, result) = match event {
            SyncClientEvent::Registered { request, result }
            | SyncClientEvent::Unregistered { request, result } => {
                (request, result.map(|()| Ok(Value::undefined())))
            }
            SyncClientEvent::Tags { request, result } => {
                (request, result.map(|tags| tags_value(realm, &tags)))
            }
        };
        let Some(promise) = self.sync_requests.borrow_mut().remove(&request) else {
            return;
        };
        match result.map_err(Error::from).and_then(|value| value) {
            Ok(value) => promise.resolve(&value),
            Err(error) => promise.reject(error),
        }
    }
}

/// Goes with the last of those who could tell a client its controller: then there is nothing more to
/// wait for.
struct ControllerAwaited {
    sender: TaskSender,
    ticket: Arc<Trusted<RealmHandle>>,
}

impl Drop for ControllerAwaited {
    fn drop(&mut self) {
        let ticket = Arc::clone(&self.ticket);
        self.sender.queue(move |event_loop| {
            let client = ticket
                .get(event_loop)
                .and_then(|realm| realm.service::<ServiceWorkerClient>());
            if let Some(client) = client {
                client.controller_is_known.set(true);
            }
        });
    }
}

/// A callback that hands each event to the client on its thread.
fn events<T: Send + 'static>(
    event_loop: &EventLoop,
    ticket: &Arc<Trusted<RealmHandle>>,
    handle: fn(&ServiceWorkerClient, &Realm, T) -> Fallible<()>,
) -> Callback<T> {
    let sender = event_loop.sender();
    let ticket = Arc::clone(ticket);
    Callback::new(move |event| {
        let ticket = Arc::clone(&ticket);
        sender.queue(move |event_loop| {
            let Some(realm) = ticket.get(event_loop) else {
                return;
            };
            let Some(client) = realm.service::<ServiceWorkerClient>() else {
                return;
            };
            // An event that was on its way when the client was detached is for nobody.
            if client.handle.borrow().is_some() && handle(&client, &realm, event).is_err() {
                log::error!("an event for a client is lost: out of memory");
            }
        });
    })
}

fn tags_value(realm: &Realm, tags: &[base::DomString]) -> Fallible<Value> {
    let tags = tags
        .iter()
        .map(|tag| realm.new_string_utf16(tag.code_units()))
        .collect::<Fallible<Vec<_>>>()?;
    realm.new_array(&tags)
}

fn frozen(realm: &Realm, array: Value) -> Fallible<Value> {
    array.freeze(realm)?;
    Ok(array)
}

fn gone(disconnected: Disconnected) -> DomException {
    ErrorClass::EmbedderMisuse.exception(disconnected.to_string())
}

fn is_same(one: &Promise, other: &Promise) -> bool {
    one.value().address() == other.value().address()
}
