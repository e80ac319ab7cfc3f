//! The way of a request: to the service worker that controls its client, if one does, then over the
//! network.
//!
//! Nothing waits here. The answer of the service worker comes on the thread of its component, which
//! hands the request to the network then, and so the thread of a page has no part in it.

use std::sync::Arc;

use base::channel::Callback;
use base::ids::{ClientId, RequestId};
use net::{FetchError, FetchErrorKind, FetchId, FetchResult, NetHandle, RedirectMode, Request};
use parking_lot::Mutex;
use sw_traits::{FetchAnswer, NavigationPreload, SwClientHandle};

use super::conversion;
use crate::blob_urls::BlobUrlStore;
use crate::services::Services;

/// How what belongs to one client is fetched.
#[derive(Clone)]
pub(crate) struct Fetcher {
    net: NetHandle,
    blob_urls: BlobUrlStore,
    /// The client whose controller is asked first.
    client: Option<SwClientHandle>,
    around: Around,
}

/// The clients around one that is about to be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Around {
    /// Who asks for it.
    pub(crate) initiator: Option<ClientId>,
    /// Which one it replaces.
    pub(crate) replaces: Option<ClientId>,
}

impl Fetcher {
    /// Asks no service worker, unless there is a client.
    pub(crate) fn new(services: &Services, client: Option<SwClientHandle>) -> Self {
        Self {
            net: services.net.clone(),
            blob_urls: services.user_agent.blob_urls.clone(),
            client,
            around: Around::default(),
        }
    }

    /// For a document or worker that is about to be.
    pub(crate) fn around(self, around: Around) -> Self {
        Self { around, ..self }
    }

    /// Fetches. `done` is called exactly once, from any thread, also when it is cancelled.
    pub(crate) fn fetch(&self, request: Request, done: Callback<FetchResult>) -> Course {
        if let Some(response) = self.blob_urls.fetch(&request) {
            done.call(Ok(response));
            return Course(Arc::default());
        }
        let course = Course::default();
        course.0.lock().running = Some(Running {
            net: self.net.clone(),
            client: self.client.clone(),
            around: self.around,
            done,
            url: request.url.to_string(),
            network: None,
            asked: None,
        });
        course.ask(request);
        course
    }
}

/// A fetch on its way. Clones are the same one; dropping them leaves it alone.
#[derive(Clone, Default)]
pub(crate) struct Course(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Nothing when it has ended.
    running: Option<Running>,
}

struct Running {
    net: NetHandle,
    client: Option<SwClientHandle>,
    around: Around,
    done: Callback<FetchResult>,
    url: String,
    /// What the network does for it: the request itself, or its preload.
    network: Option<FetchId>,
    /// What the service worker is asked.
    asked: Option<RequestId>,
}

impl Course {
    /// Ends it with [`FetchErrorKind::Aborted`], unless it has ended.
    pub(crate) fn cancel(&self) {
        let Some(running) = self.0.lock().running.take() else {
            return;
        };
        running.stop();
        let error = FetchError::new(FetchErrorKind::Aborted, &running.url, "it was stopped");
        running.done.call(Err(error));
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.lock().running.is_none()
    }

    fn finish(&self, result: FetchResult) {
        let Some(running) = self.0.lock().running.take() else {
            return;
        };
        running.done.call(result);
    }

    /// Asks the service worker, if there is one to ask.
    fn ask(&self, request: Request) {
        let Some((client, around)) = self.with(|running| (running.client.clone(), running.around))
        else {
            return;
        };
        let is_http = matches!(request.url.scheme(), "http" | "https");
        let Some(client) = client.filter(|_| is_http) else {
            self.send(request);
            return;
        };
        let body = conversion::to_event(&request, around);
        let (course, asked) = (self.clone(), request.clone());
        let preload = Callback::new(move |preload| course.preload(&asked, preload));
        let course = self.clone();
        let done = Callback::new(move |answer| course.answered(&request, answer));
        // It may be answered before this returns, so that the state is not locked meanwhile.
        let asked = client.fetch(body, preload, done);
        if self.with(|running| running.asked = Some(asked)).is_none() {
            client.cancel_fetch(asked);
        }
    }

    fn answered(&self, request: &Request, answer: FetchAnswer) {
        self.with(|running| running.asked = None);
        let url = &request.url;
        match answer {
            FetchAnswer::NotHandled => self.send(request.clone()),
            FetchAnswer::NetworkError { reason } => {
                let error = FetchError::new(FetchErrorKind::ServiceWorker, url, reason);
                self.finish(Err(error));
            }
            FetchAnswer::Response(response) => {
                let response = conversion::from_event(*response, url);
                let has_location = response.header("location").is_some();
                let follows = request.redirect == RedirectMode::Follow;
                if !response.is_redirect() || !has_location || !follows {
                    self.finish(Ok(response));
                    return;
                }
                // What a service worker redirects to, it gets to see.
                match request.clone().redirected(&response) {
                    Ok(next) => self.ask(next),
                    Err(error) => self.finish(Err(error)),
                }
            }
        }
    }

    /// Over the network.
    fn send(&self, request: Request) {
        let course = self.clone();
        let done = Callback::new(move |result| course.finish(result));
        self.start(request, done);
    }

    /// <https://w3c.github.io/ServiceWorker/#on-fetch-request-algorithm>, the part about navigation
    /// preload
    fn preload(&self, request: &Request, preload: NavigationPreload) {
        let NavigationPreload {
            fetch,
            header_value,
        } = preload;
        let Some(Some(client)) = self.with(|running| running.client.clone()) else {
            return;
        };
        let mut request = request.clone();
        let name = "Service-Worker-Navigation-Preload".to_owned();
        request.headers.push((name, header_value));
        let done = Callback::new(move |result: FetchResult| {
            let result = result
                .map(|response| conversion::to_response(&response))
                .map_err(|error| error.to_string());
            client.preload_ended(fetch, result);
        });
        self.start(request, done);
    }

    fn start(&self, request: Request, done: Callback<FetchResult>) {
        let Some(net) = self.with(|running| running.net.clone()) else {
            return;
        };
        // As above.
        let id = net.fetch(request, done);
        if self.with(|running| running.network = Some(id)).is_none() {
            net.cancel(id);
        }
    }

    /// What `look` makes of it, unless it has ended.
    fn with<T>(&self, look: impl FnOnce(&mut Running) -> T) -> Option<T> {
        self.0.lock().running.as_mut().map(look)
    }
}

impl Running {
    fn stop(&self) {
        if let Some(id) = self.network {
            self.net.cancel(id);
        }
        if let (Some(client), Some(asked)) = (&self.client, self.asked) {
            client.cancel_fetch(asked);
        }
    }
}
