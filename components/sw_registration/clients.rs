//! Clients: who they are, and what they ask for.

use std::collections::BTreeMap;

use base::StorageKey;
use base::exception::{DomException, ErrorClass};
use base::ids::{ClientId, RegistrationId, RequestId, WorkerId};
use sw_traits::{
    ClientDescription, ClientUpdate, MessageSource, NavigationPreloadChange, SerializedMessage,
    ServiceWorkerState, SwAnswer, SwClientEvent, SwNotification, SwRequest, WorkerEvent,
};
use url::Url;

use crate::jobs::{Job, JobPromise, JobType, RegisterOptions};
use crate::machine::SwRegistrations;
use crate::model::{Client, EventPurpose, QueuedEvent, Worker};

/// What a request comes to at once: an answer, or none yet.
pub(crate) type Immediate = Result<Option<SwAnswer>, DomException>;

impl SwRegistrations {
    pub(crate) fn attach_client(&mut self, description: ClientDescription) {
        let id = description.id;
        if self.clients.contains_key(&id) {
            log::error!("client {id} is attached twice");
            return;
        }
        let order = self.next_id();
        let storage_key = description.storage_key.clone();
        let client = Client::new(description, order);
        let is_own_window = client.is_own_window() && client.description.execution_ready;
        self.update_what_redirected(&client);
        let controller = self.controller_for(&client);
        self.clients.insert(id, client);
        self.clients_of
            .entry(storage_key.clone())
            .or_default()
            .insert(order, id);
        if is_own_window {
            self.count_window(id);
        }
        if let Some((worker, registration)) = controller {
            self.set_controller(id, worker, registration);
        }
        self.tell_first_controller(id);
        self.tell_own_registration(id);
    }

    pub(crate) fn update_client(&mut self, id: ClientId, update: ClientUpdate) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        match update {
            ClientUpdate::CreationUrl(url) => self.redirect_client(id, url),
            ClientUpdate::ExecutionReady => {
                let was_ready = std::mem::replace(&mut client.description.execution_ready, true);
                let is_own_window = client.is_own_window();
                if !was_ready && is_own_window {
                    self.count_window(id);
                }
                // Its scripts begin with this.
                if !was_ready {
                    self.tell_first_controller(id);
                }
                self.answer_who_wants(id);
            }
            ClientUpdate::Visibility(visibility) => client.visibility = visibility,
            ClientUpdate::Focus(focused) => self.set_focus(id, focused),
        }
    }

    /// A window shows something of its origin from now on.
    fn count_window(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let storage_key = client.description.storage_key.clone();
        if let Some(order) = client.focus_order {
            self.own_windows.insert((order, id));
        }
        let count = self
            .own_window_counts
            .entry(storage_key.clone())
            .or_default();
        *count += 1;
        let count = *count;
        self.notify_window_clients(storage_key, count);
    }

    fn set_focus(&mut self, id: ClientId, focused: bool) {
        let order = self.next_id();
        let Some(client) = self
            .clients
            .get_mut(&id)
            .filter(|client| client.is_window())
        else {
            return;
        };
        client.focused = focused;
        if !focused {
            return;
        }
        let former = client.focus_order.replace(order);
        if client.is_own_window() && client.description.execution_ready {
            if let Some(former) = former {
                self.own_windows.remove(&(former, id));
            }
            self.own_windows.insert((order, id));
        }
    }

    /// Service workers that asked for a client get it, or hear that it is gone.
    fn answer_who_wants(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let wanted_by = std::mem::take(&mut client.wanted_by);
        let storage_key = client.description.storage_key.clone();
        self.uncount_unanswered(&storage_key, wanted_by.len());
        for (worker, request) in wanted_by {
            let result = self.resolve_client(id);
            self.answer(worker, request, result);
        }
    }

    /// What a worker was started with may be old by the time it becomes a client.
    fn tell_own_registration(&mut self, id: ClientId) {
        let own = self
            .clients
            .get(&id)
            .and_then(|client| self.own_worker(client));
        let Some(registration) = own.and_then(|own| self.registrations.get(&own.registration))
        else {
            return;
        };
        let info = Box::new(self.registration_info(registration));
        self.tell_client(id, SwClientEvent::RegistrationChanged(info));
    }

    /// The worker that a client is. Whoever attached it said which; a worker of another origin
    /// than the client's would be a mistake of theirs.
    pub(crate) fn own_worker(&self, client: &Client) -> Option<&Worker> {
        let worker = self.workers.get(&client.worker()?)?;
        let registration = self.registrations.get(&worker.registration)?;
        (registration.storage_key == client.description.storage_key).then_some(worker)
    }

    pub(crate) fn detach_client(&mut self, id: ClientId) {
        self.cancel_fetches_of(id);
        self.unload_client(id);
        let Some(client) = self.clients.remove(&id) else {
            return;
        };
        let storage_key = client.description.storage_key.clone();
        self.uncount_unanswered(&storage_key, client.ready.len() + client.wanted_by.len());
        for (worker, request) in client.wanted_by {
            self.answer(worker, request, Ok(SwAnswer::Clients(Vec::new())));
        }
        if let Some(clients) = self.clients_of.get_mut(&storage_key) {
            clients.remove(&client.order);
            if clients.is_empty() {
                self.clients_of.remove(&storage_key);
            }
        }
        let focus_order = client.focus_order.unwrap_or_default();
        if self.own_windows.remove(&(focus_order, id)) {
            let mut left = 0;
            if let Some(count) = self.own_window_counts.get_mut(&storage_key) {
                *count -= 1;
                left = *count;
            }
            if left == 0 {
                self.own_window_counts.remove(&storage_key);
            }
            self.notify_window_clients(storage_key, left);
        }
    }

    fn notify_window_clients(&mut self, storage_key: StorageKey, count: usize) {
        self.notify(SwNotification::WindowClients { storage_key, count });
    }

    /// Steps 6 and 7 of Activate: answer the clients of which the registration has become the
    /// matching one with an active worker.
    pub(crate) fn resolve_ready(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        if registration.unregistered {
            return;
        }
        let storage_key = registration.storage_key.clone();
        let waiting: Vec<ClientId> = self
            .clients_of
            .get(&storage_key)
            .into_iter()
            .flat_map(BTreeMap::values)
            .copied()
            .filter(|client| {
                self.clients.get(client).is_some_and(|client| {
                    let url = &client.description.creation_url;
                    !client.ready.is_empty()
                        && self.scopes.longest_match(&storage_key, url) == Some(id)
                })
            })
            .collect();
        for client in waiting {
            let requests = self
                .clients
                .get_mut(&client)
                .map(|client| std::mem::take(&mut client.ready))
                .unwrap_or_default();
            self.uncount_unanswered(&storage_key, requests.len());
            for request in requests {
                let answer = self.registration_answer(Some(id));
                self.answer(client, request, Ok(answer));
            }
        }
    }

    /// Whatever a client asks for is about its own origin, as its description says; nothing in
    /// the request can change that.
    pub(crate) fn client_request(&mut self, id: ClientId, request: RequestId, body: SwRequest) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        if !client.description.secure_context {
            let message = "service workers need a secure context: https or localhost";
            self.answer(id, request, Err(ErrorClass::Security.exception(message)));
            return;
        }
        let promise = JobPromise {
            client: id,
            request,
        };
        let result = match body {
            SwRequest::Register {
                scope,
                script_url,
                worker_type,
                update_via_cache,
            } => {
                let options = RegisterOptions {
                    scope,
                    script_url,
                    worker_type,
                    update_via_cache,
                };
                let description = &client.description;
                let storage_key = description.storage_key.clone();
                let referrer = description.creation_url.clone();
                self.start_register(storage_key, referrer, promise, options)
                    .map(|()| None)
            }
            SwRequest::Update { scope } => self.request_update(promise, scope),
            SwRequest::Unregister { scope } => self.request_unregister(promise, scope),
            SwRequest::NavigationPreload { scope } => Ok(Some(self.navigation_preload(id, scope))),
            SwRequest::ChangeNavigationPreload { scope, change } => {
                self.change_navigation_preload(id, scope, change)
            }
            SwRequest::GetRegistration { url } => self.registration_of_url(id, url),
            SwRequest::GetRegistrations => Ok(Some(self.registrations_of(id))),
            SwRequest::Ready => self.ready(id, request),
            SwRequest::PostMessageToWorker { worker, message } => {
                self.post_message_to_worker(id, worker, message);
                Ok(None)
            }
            body => self.worker_request(id, request, body),
        };
        match result {
            Ok(None) => {}
            Ok(Some(answer)) => self.answer(id, request, Ok(answer)),
            Err(exception) => self.answer(id, request, Err(exception)),
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-update>
    fn request_update(&mut self, promise: JobPromise, mut scope: Url) -> Immediate {
        let Some(client) = self.clients.get(&promise.client) else {
            return Ok(None);
        };
        let storage_key = client.description.storage_key.clone();
        scope.set_fragment(None);
        let Some(registration) = self.registration_at(&storage_key, &scope) else {
            return Err(DomException::type_error(format!(
                "there is no service worker registration for {scope}"
            )));
        };
        // Steps 2 and 3
        let Some(newest) = registration
            .newest_worker()
            .and_then(|id| self.workers.get(&id))
        else {
            return Err(ErrorClass::PageState.exception("the registration has no worker"));
        };
        // Step 4
        let own = self.own_worker(client);
        if own.is_some_and(|own| own.state == ServiceWorkerState::Installing) {
            return Err(ErrorClass::PageState
                .exception("a worker cannot update its registration while it is installing"));
        }
        // Steps 5 to 8
        let job = Job {
            script_url: Some(newest.script_url.clone()),
            worker_type: newest.worker_type,
            update_via_cache: registration.update_via_cache,
            referrer: Some(client.description.creation_url.clone()),
            ..Job::new(JobType::Update, Some(promise))
        };
        self.schedule_job((storage_key, scope), job).map(|()| None)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-unregister>
    fn request_unregister(&mut self, promise: JobPromise, mut scope: Url) -> Immediate {
        let Some(client) = self.clients.get(&promise.client) else {
            return Ok(None);
        };
        let storage_key = client.description.storage_key.clone();
        scope.set_fragment(None);
        let job = Job::new(JobType::Unregister, Some(promise));
        self.schedule_job((storage_key, scope), job).map(|()| None)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-getstate>
    fn navigation_preload(&self, id: ClientId, scope: Url) -> SwAnswer {
        let registration = self
            .registration_of_client(id, scope)
            .and_then(|id| self.registrations.get(&id));
        let state = registration.map(|registration| registration.navigation_preload.clone());
        SwAnswer::NavigationPreload(state.unwrap_or_default())
    }

    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-enable>,
    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-disable>,
    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-setheadervalue>
    fn change_navigation_preload(
        &mut self,
        id: ClientId,
        scope: Url,
        change: NavigationPreloadChange,
    ) -> Immediate {
        let limit = self.policy.max_url_bytes;
        if matches!(&change, NavigationPreloadChange::HeaderValue(value) if value.len() > limit) {
            let message = format!("the header value has more than {limit} bytes");
            return Err(ErrorClass::Quota.exception(message));
        }
        let registration = self.registration_of_client(id, scope);
        let Some(registration) = registration
            .and_then(|id| self.registrations.get_mut(&id))
            .filter(|registration| registration.active.is_some())
        else {
            let message = "the registration has no active worker";
            return Err(ErrorClass::PageState.exception(message));
        };
        let state = &mut registration.navigation_preload;
        match change {
            NavigationPreloadChange::Enabled(enabled) => state.enabled = enabled,
            NavigationPreloadChange::HeaderValue(value) => state.header_value = value,
        }
        let registration = registration.id;
        self.refresh_record(registration);
        Ok(Some(SwAnswer::Done))
    }

    /// The registration of a client's origin with this scope.
    fn registration_of_client(&self, id: ClientId, mut scope: Url) -> Option<RegistrationId> {
        let client = self.clients.get(&id)?;
        scope.set_fragment(None);
        let storage_key = &client.description.storage_key;
        self.scopes.registration(storage_key, &scope)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-getRegistration>
    fn registration_of_url(&self, id: ClientId, mut url: Url) -> Immediate {
        let Some(client) = self.clients.get(&id) else {
            return Ok(None);
        };
        let storage_key = &client.description.storage_key;
        // Step 5
        url.set_fragment(None);
        // Step 6
        if !storage_key.contains(&url) {
            return Err(ErrorClass::Security.exception(format!(
                "{url} is not of the origin of the page, {storage_key}"
            )));
        }
        // Step 8
        let registration = self.scopes.longest_match(storage_key, &url);
        Ok(Some(self.registration_answer(registration)))
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-getRegistrations>
    fn registrations_of(&self, id: ClientId) -> SwAnswer {
        let registrations = self.clients.get(&id).into_iter().flat_map(|client| {
            self.scopes
                .registrations(&client.description.storage_key)
                .filter_map(|id| Some(self.registration_info(self.registrations.get(&id)?)))
        });
        SwAnswer::Registrations(registrations.collect())
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-ready>
    fn ready(&mut self, id: ClientId, request: RequestId) -> Immediate {
        let Some(client) = self.clients.get(&id) else {
            return Ok(None);
        };
        let storage_key = client.description.storage_key.clone();
        let registration = self
            .scopes
            .longest_match(&storage_key, &client.description.creation_url);
        let found = registration.and_then(|id| self.registrations.get(&id));
        if found.is_some_and(|found| found.active.is_some()) {
            return Ok(Some(self.registration_answer(registration)));
        }
        self.count_unanswered(&storage_key)?;
        if let Some(client) = self.clients.get_mut(&id) {
            client.ready.push(request);
        }
        Ok(None)
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-postmessage>
    fn post_message_to_worker(
        &mut self,
        id: ClientId,
        worker: WorkerId,
        message: SerializedMessage,
    ) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let storage_key = &client.description.storage_key;
        // A worker of another origin is as if it was not there, and so is one that is gone.
        let Some(target) = self.workers.get(&worker).filter(|target| {
            target.state != ServiceWorkerState::Redundant
                && self
                    .registrations
                    .get(&target.registration)
                    .is_some_and(|registration| registration.storage_key == *storage_key)
        }) else {
            return;
        };
        // Step 5
        if target.should_skip_event("message") {
            return;
        }
        let source = match client.worker() {
            Some(_) => self
                .own_worker(client)
                .map(Worker::info)
                .map(MessageSource::ServiceWorker),
            None => client
                .info(self.is_focused(client))
                .map(MessageSource::Client),
        };
        let Some(source) = source else {
            return;
        };
        // Step 6
        let event = QueuedEvent {
            event: WorkerEvent::Message {
                source,
                origin: storage_key.clone(),
                message,
            },
            purpose: EventPurpose::Message,
            limit: self.policy.message_limit,
        };
        self.queue_event(worker, event);
    }
}
