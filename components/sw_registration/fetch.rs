//! Requests of clients, as far as the service workers that control them answer.

use base::ids::{ClientId, EventId, RegistrationId, RequestId, WorkerId};
use sw_traits::{
    EventOutcome, FetchAnswer, FetchEventData, FetchRequest, FetchResponse, ServiceWorkerState,
    WorkerEvent,
};

use crate::machine::SwRegistrations;
use crate::model::{Client, EventPurpose, QueuedEvent};
use crate::output::Output;

/// A fetch, by the client that asks and the name that it has among this client's requests.
pub(crate) type FetchKey = (ClientId, RequestId);

/// A fetch that waits for the answer of a service worker.
#[derive(Debug)]
pub(crate) struct PendingFetch {
    /// What its request says about responses.
    mode: String,
    redirect: String,
    /// Who handles it, once the event is dispatched.
    dispatched: Option<(WorkerId, EventId)>,
    /// What came of the preload before that.
    preloaded: Option<Result<FetchResponse, String>>,
}

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#on-fetch-request-algorithm>
    pub(crate) fn fetch(&mut self, key: FetchKey, request: FetchRequest) {
        let Some(registration) = self.registration_that_sees(key.0, &request) else {
            self.answer_fetch(key, FetchAnswer::NotHandled);
            return;
        };
        let found = self.registrations.get(&registration);
        let active = found.and_then(|found| self.workers.get(&found.active?));
        let (Some(found), Some(active)) = (found, active) else {
            self.answer_fetch(key, FetchAnswer::NotHandled);
            return;
        };
        // An update check of what a document or worker is made from is under way since its client
        // was attached.
        if active.should_skip_event("fetch") {
            self.answer_fetch(key, FetchAnswer::NotHandled);
            self.soft_update_if_stale(registration);
            return;
        }
        let preload = &found.navigation_preload;
        let header_value = (preload.enabled && request.is_navigation() && request.method == "GET")
            .then(|| preload.header_value.clone());
        let (worker, is_activating) = (active.id, active.state == ServiceWorkerState::Activating);
        let waiting = found.functional_events.len();
        let pending = PendingFetch {
            mode: request.mode.clone(),
            redirect: request.redirect.clone(),
            dispatched: None,
            preloaded: None,
        };
        let event = QueuedEvent {
            event: WorkerEvent::Fetch(Box::new(self.fetch_event(
                key.0,
                request,
                header_value.is_some(),
            ))),
            purpose: EventPurpose::Fetch(key),
            limit: self.policy.fetch_limit,
        };
        self.fetches.insert(key, pending);
        if let Some(header_value) = header_value {
            let (client, request) = key;
            self.outputs.push_back(Output::PreloadNavigation {
                client,
                request,
                header_value,
            });
        }
        if !is_activating {
            self.queue_event(worker, event);
        } else if waiting >= self.policy.max_events_per_worker {
            self.fail_fetch(key, "too many events wait for the worker already");
        } else if let Some(found) = self.registrations.get_mut(&registration) {
            found.functional_events.push_back(event);
        }
    }

    /// The registration whose worker gets to see a request. A client that is about to be has been
    /// matched with its URL when it was attached; one that there is, is controlled or not.
    fn registration_that_sees(
        &self,
        id: ClientId,
        request: &FetchRequest,
    ) -> Option<RegistrationId> {
        let client = self.clients.get(&id)?;
        let description = &client.description;
        let is_own = !request.is_non_subresource()
            || (!description.execution_ready && description.storage_key.contains(&request.url));
        let has_event = matches!(request.url.scheme(), "http" | "https")
            && !matches!(
                request.destination.as_str(),
                "embed" | "object" | "serviceworker"
            );
        if self.exiting || !is_own || !has_event || client.worker().is_some() {
            return None;
        }
        client
            .controller
            .filter(|_| description.secure_context)
            .map(|(_, registration)| registration)
    }

    fn fetch_event(&self, id: ClientId, request: FetchRequest, preload: bool) -> FetchEventData {
        let storage_key = self
            .clients
            .get(&id)
            .map(|client| &client.description.storage_key);
        // Ids of another origin's clients are not told.
        let known = |named: Option<ClientId>| {
            let client = self.clients.get(&named?)?;
            let is_own = Some(&client.description.storage_key) == storage_key;
            named.filter(|_| is_own && is_seen(client))
        };
        let is_new = request.is_non_subresource();
        FetchEventData {
            client: if is_new {
                known(request.initiator)
            } else {
                Some(id)
            },
            resulting_client: is_new.then_some(id),
            replaced_client: known(request.replaces).filter(|_| request.is_navigation()),
            request,
            preload,
        }
    }

    /// A `fetch` event goes to its worker.
    pub(crate) fn fetch_dispatched(&mut self, key: FetchKey, worker: WorkerId, event: EventId) {
        let Some(pending) = self.fetches.get_mut(&key) else {
            return;
        };
        pending.dispatched = Some((worker, event));
        if let Some(result) = pending.preloaded.take() {
            self.outputs.push_back(Output::PreloadEnded {
                worker,
                event,
                result,
            });
        }
    }

    /// What a navigation preload brought.
    pub(crate) fn preload_ended(&mut self, key: FetchKey, result: Result<FetchResponse, String>) {
        let Some(pending) = self.fetches.get_mut(&key) else {
            return;
        };
        match pending.dispatched {
            Some((worker, event)) => self.outputs.push_back(Output::PreloadEnded {
                worker,
                event,
                result,
            }),
            None => pending.preloaded = Some(result),
        }
    }

    /// A worker has answered.
    pub(crate) fn fetch_answered(&mut self, worker: WorkerId, event: EventId, answer: FetchAnswer) {
        let found = self
            .events
            .get(&event)
            .filter(|found| found.worker == worker);
        let Some(EventPurpose::Fetch(key)) = found.map(|found| found.purpose.clone()) else {
            return;
        };
        let newest = EventId(self.last_id);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.alive_since = newest;
        }
        let Some(pending) = self.fetches.get(&key) else {
            return;
        };
        let answer = checked(pending, answer);
        self.answer_fetch(key, answer);
    }

    /// A `fetch` event ended, or will not happen. If it has no answer by now, this is it.
    pub(crate) fn fetch_event_ended(&mut self, key: FetchKey, outcome: EventOutcome) {
        let reason = match outcome {
            EventOutcome::Fulfilled | EventOutcome::NoActiveWorker => {
                if self.fetches.contains_key(&key) {
                    self.answer_fetch(key, FetchAnswer::NotHandled);
                }
                return;
            }
            EventOutcome::Rejected { reason }
            | EventOutcome::Crashed { reason }
            | EventOutcome::NotStarted { reason } => reason,
            EventOutcome::TimedOut => "it took too long".to_owned(),
        };
        self.fail_fetch(key, &reason);
    }

    fn fail_fetch(&mut self, key: FetchKey, reason: &str) {
        if self.fetches.contains_key(&key) {
            let reason = format!("the service worker did not answer: {reason}");
            self.answer_fetch(key, FetchAnswer::NetworkError { reason });
        }
    }

    pub(crate) fn answer_fetch(&mut self, key: FetchKey, answer: FetchAnswer) {
        self.fetches.remove(&key);
        let (client, request) = key;
        self.outputs.push_back(Output::FetchAnswered {
            client,
            request,
            answer,
        });
    }

    /// Nobody wants the answer any more: an event that waits is not dispatched.
    pub(crate) fn cancel_fetch(&mut self, key: FetchKey) {
        let Some(pending) = self.fetches.remove(&key) else {
            return;
        };
        if let Some((worker, event)) = pending.dispatched {
            self.outputs.push_back(Output::AbortFetch { worker, event });
            return;
        }
        let is_other = |event: &QueuedEvent| !event.purpose.is_fetch(key);
        for worker in self.workers.values_mut() {
            worker.queue.retain(is_other);
        }
        for registration in self.registrations.values_mut() {
            registration.functional_events.retain(is_other);
        }
    }

    /// A client is gone, and with it whoever wanted its answers.
    pub(crate) fn cancel_fetches_of(&mut self, client: ClientId) {
        let all = (client, RequestId(0))..=(client, RequestId(u64::MAX));
        let keys: Vec<FetchKey> = self.fetches.range(all).map(|(key, _)| *key).collect();
        for key in keys {
            self.cancel_fetch(key);
        }
    }
}

/// Whether service workers know of a client.
fn is_seen(client: &Client) -> bool {
    client.worker().is_none() && client.description.secure_context
}

/// What of a worker's answers may pass.
///
/// <https://fetch.spec.whatwg.org/#concept-http-fetch>, step 4.5
fn checked(pending: &PendingFetch, answer: FetchAnswer) -> FetchAnswer {
    let FetchAnswer::Response(response) = answer else {
        return answer;
    };
    let (mode, redirect) = (pending.mode.as_str(), pending.redirect.as_str());
    let fault = match response.response_type.as_str() {
        "error" => Some("it answered with Response.error()"),
        "cors" if mode == "same-origin" => {
            Some("its response is of another origin, and the request's mode is \"same-origin\"")
        }
        "opaque" if mode != "no-cors" => {
            Some("its response is opaque, and the request's mode is not \"no-cors\"")
        }
        "opaqueredirect" if redirect != "manual" => Some(
            "its response is a redirect that was not followed, and the request's redirect mode \
             is not \"manual\"",
        ),
        _ if redirect != "follow" && response.redirected => {
            Some("its response was redirected, and the request's redirect mode is not \"follow\"")
        }
        _ => None,
    };
    match fault {
        Some(fault) => FetchAnswer::NetworkError {
            reason: format!("the service worker's answer cannot be used: {fault}"),
        },
        None => FetchAnswer::Response(response),
    }
}
