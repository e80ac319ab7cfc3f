use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Disconnected, Sender};
use base::exception::ErrorClass;
use base::ids::{ClientId, IdSource, RequestId};
use url::Url;

use crate::fetch::{FetchAnswer, FetchRequest, FetchResponse, NavigationPreload};
use crate::host::{EventOutcome, WorkerEvent};
use crate::message::{SwClientEvent, SwRegistrationMessage, SwRequest};
use crate::types::{ClientDescription, ClientUpdate, RegistrationSnapshot};

/// How many requests of one client may wait until the component looks at them.
const MAX_WAITING_REQUESTS: usize = 1_000;

/// The service worker registration component, for trusted code.
#[derive(Clone, Debug)]
pub struct SwRegistrationHandle {
    sender: Sender<SwRegistrationMessage>,
}

impl SwRegistrationHandle {
    /// A handle of the component that receives from this sender's channel.
    pub fn new(sender: Sender<SwRegistrationMessage>) -> Self {
        Self { sender }
    }

    /// Make a client known, and get the handle that it may use. The client is gone when the last
    /// clone of the handle is dropped.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn attach_client(
        &self,
        client: ClientDescription,
        events: Callback<SwClientEvent>,
    ) -> Result<SwClientHandle, Disconnected> {
        let id = client.id;
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        // The handle does not keep alive where the events go: that may own the handle.
        let kept = Arc::new(events.clone());
        let answers = Arc::downgrade(&kept);
        self.sender.send(SwRegistrationMessage::AttachClient {
            client,
            events,
            handled: Callback::new(move |()| {
                let _ = &kept;
                counted.fetch_sub(1, Ordering::Relaxed);
            }),
        })?;
        Ok(SwClientHandle(Arc::new(Attachment {
            sender: self.sender.clone(),
            client: id,
            requests: IdSource::default(),
            answers,
            waiting,
        })))
    }

    /// Dispatch a functional event in the active worker of a registration, which is started if it
    /// does not run. `done` is called exactly once; when the component has shut down, at once, as
    /// without an active worker: no worker gets the event.
    pub fn dispatch_event(
        &self,
        storage_key: StorageKey,
        scope: Url,
        event: WorkerEvent,
        time_limit: Duration,
        done: Callback<EventOutcome>,
    ) {
        let answer = done.clone();
        let message = SwRegistrationMessage::DispatchEvent {
            storage_key,
            scope,
            event,
            time_limit,
            done,
        };
        if self.sender.send(message).is_err() {
            answer.call(EventOutcome::NoActiveWorker);
        }
    }

    /// Stop the active worker of a registration, as if it had been idle for long enough: the next
    /// event starts it again. What it has not ended counts as crashed. `done` is called exactly once,
    /// with whether there was one that ran, or was about to.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn stop_worker(
        &self,
        storage_key: StorageKey,
        scope: Url,
        done: Callback<bool>,
    ) -> Result<(), Disconnected> {
        let done = done.exactly_once(|| false);
        self.sender.send(SwRegistrationMessage::StopWorker {
            storage_key,
            scope,
            done,
        })
    }

    /// Ask for every registration.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn snapshot(&self, done: Callback<Vec<RegistrationSnapshot>>) -> Result<(), Disconnected> {
        self.sender.send(SwRegistrationMessage::Snapshot { done })
    }

    /// Remove all registrations of an origin with their scripts and syncs. `done` is called exactly
    /// once, also when the component has shut down or does so meanwhile.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn clear_storage(
        &self,
        storage_key: StorageKey,
        done: Callback<Result<(), String>>,
    ) -> Result<(), Disconnected> {
        let done = done.exactly_once(|| Err(Disconnected.to_string()));
        self.sender
            .send(SwRegistrationMessage::ClearStorage { storage_key, done })
    }

    /// Say that the clock was set, or that the machine has slept, so that what has come due
    /// meanwhile happens now and not when a timer notices.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn time_changed(&self) -> Result<(), Disconnected> {
        self.sender.send(SwRegistrationMessage::TimeChanged)
    }

    /// Stop the workers and the component. `done` is called exactly once, also when somebody else
    /// has stopped it already.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when it has shut down already.
    pub fn exit(&self, done: Callback<()>) -> Result<(), Disconnected> {
        let done = done.exactly_once(|| ());
        self.sender.send(SwRegistrationMessage::Exit { done })
    }
}

/// The component as one client sees it: a capability, bound to that client.
#[derive(Clone, Debug)]
pub struct SwClientHandle(Arc<Attachment>);

#[derive(Debug)]
struct Attachment {
    sender: Sender<SwRegistrationMessage>,
    client: ClientId,
    requests: IdSource,
    /// Where the events go, for as long as the component knows the client.
    answers: Weak<Callback<SwClientEvent>>,
    /// How many requests the component has not looked at yet.
    waiting: Arc<AtomicUsize>,
}

impl SwClientHandle {
    /// The client that this handle is bound to.
    pub fn client(&self) -> ClientId {
        self.0.client
    }

    /// Ask for something. The answer comes as [`SwClientEvent::Answer`] with the returned id. When
    /// 1,000 requests of this client wait to be looked at, it is a quota error at once, and what has
    /// no answer is dropped.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn request(&self, body: SwRequest) -> Result<RequestId, Disconnected> {
        let request = RequestId(self.0.requests.next());
        let client = self.0.client;
        // Nothing depends on the exact count of a handle that several threads use at once.
        if self.0.waiting.load(Ordering::Relaxed) >= MAX_WAITING_REQUESTS {
            self.refuse(request, &body)?;
            return Ok(request);
        }
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.sender.send(SwRegistrationMessage::Request {
            client,
            request,
            body,
        })?;
        Ok(request)
    }

    /// Ask the service worker that controls the client for the response to a request, before it is
    /// sent over the network. For the request of a document or worker the client is the one that will
    /// be, attached before it is [execution ready](ClientDescription::execution_ready).
    ///
    /// `preload` is called at most once, before `done`: then the same request is to be fetched over
    /// the network meanwhile, with the header `Service-Worker-Navigation-Preload`, and
    /// its end is to be told with [`preload_ended`](Self::preload_ended). `done` is called exactly
    /// once, in every case; when the component has shut down, at once, as if nothing controlled the
    /// client. Neither waits for anything of the caller.
    ///
    /// <https://w3c.github.io/ServiceWorker/#on-fetch-request-algorithm>
    pub fn fetch(
        &self,
        body: FetchRequest,
        preload: Callback<NavigationPreload>,
        done: Callback<FetchAnswer>,
    ) -> RequestId {
        let request = RequestId(self.0.requests.next());
        let done = done.exactly_once(|| FetchAnswer::NotHandled);
        if self.0.waiting.load(Ordering::Relaxed) >= MAX_WAITING_REQUESTS {
            let reason = format!(
                "{MAX_WAITING_REQUESTS} service worker requests of this client wait already"
            );
            done.call(FetchAnswer::NetworkError { reason });
            return request;
        }
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        // The message of a component that is gone is dropped, and with it answered.
        let _ = self.0.sender.send(SwRegistrationMessage::Fetch {
            client: self.0.client,
            request,
            body: Box::new(body),
            preload,
            done,
        });
        request
    }

    /// Tell what has come of the request that `preload` asked for.
    pub fn preload_ended(&self, request: RequestId, result: Result<FetchResponse, String>) {
        let client = self.0.client;
        // Nobody who is gone wants it.
        let _ = self.0.sender.send(SwRegistrationMessage::PreloadEnded {
            client,
            request,
            result,
        });
    }

    /// Say that nobody wants the answer to a [`fetch`](Self::fetch) any more.
    pub fn cancel_fetch(&self, request: RequestId) {
        let client = self.0.client;
        // What is gone needs no cancelling.
        let _ = self
            .0
            .sender
            .send(SwRegistrationMessage::CancelFetch { client, request });
    }

    /// Say that something about the client has changed. Nothing answers.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn update(&self, update: ClientUpdate) -> Result<(), Disconnected> {
        let client = self.0.client;
        let message = SwRegistrationMessage::UpdateClient { client, update };
        self.0.sender.send(message)
    }

    fn refuse(&self, request: RequestId, body: &SwRequest) -> Result<(), Disconnected> {
        let answers = self.0.answers.upgrade().ok_or(Disconnected)?;
        if matches!(
            body,
            SwRequest::PostMessageToClient { .. } | SwRequest::PostMessageToWorker { .. }
        ) {
            return Ok(());
        }
        let exception = ErrorClass::Quota.exception(format!(
            "{MAX_WAITING_REQUESTS} service worker requests of this client wait already"
        ));
        answers.call(SwClientEvent::Answer {
            request,
            result: Err(exception),
        });
        Ok(())
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // When the component is gone, so are its clients.
        let _ = self.sender.send(SwRegistrationMessage::DetachClient {
            client: self.client,
        });
    }
}
