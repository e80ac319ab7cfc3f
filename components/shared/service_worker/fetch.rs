use base::ids::{ClientId, RequestId};
use serde::{Deserialize, Serialize};
use url::Url;

/// A request that a service worker may answer, as data. What has a name in Fetch is in the words of
/// its JavaScript interface, so that an engine hands it to its own `Request` object as it is.
///
/// <https://fetch.spec.whatwg.org/#concept-request>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// The method.
    pub method: String,
    /// What to fetch.
    pub url: Url,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body; `None` is another thing than an empty one.
    pub body: Option<Vec<u8>>,
    /// `navigate`, `same-origin`, `no-cors` or `cors`.
    pub mode: String,
    /// What the response is for; empty for `fetch()`.
    pub destination: String,
    /// `omit`, `same-origin` or `include`.
    pub credentials: String,
    /// The cache mode.
    pub cache: String,
    /// `follow`, `error` or `manual`.
    pub redirect: String,
    /// The referrer: a URL, or nothing.
    pub referrer: String,
    /// The referrer policy.
    pub referrer_policy: String,
    /// The client that asks for a document or worker. (What is fetched for a client that there is
    /// comes from this client, whatever this says.)
    pub initiator: Option<ClientId>,
    /// The client whose document a navigation replaces.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-request-replaces-client-id>
    pub replaces: Option<ClientId>,
}

impl FetchRequest {
    /// <https://fetch.spec.whatwg.org/#navigation-request>
    pub fn is_navigation(&self) -> bool {
        matches!(
            self.destination.as_str(),
            "document" | "embed" | "frame" | "iframe" | "object"
        )
    }

    /// Whether it is for a client that is about to be: a document or a worker.
    ///
    /// <https://fetch.spec.whatwg.org/#non-subresource-request>
    pub fn is_non_subresource(&self) -> bool {
        self.is_navigation()
            || matches!(
                self.destination.as_str(),
                "serviceworker" | "sharedworker" | "worker"
            )
    }
}

/// A response of a service worker, or one that was preloaded for it.
///
/// <https://fetch.spec.whatwg.org/#concept-response>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FetchResponse {
    /// `basic`, `cors`, `default`, `error`, `opaque` or `opaqueredirect`.
    pub response_type: String,
    /// Where it came from in the end; none when a script has made it, or when that may not be seen.
    pub url: Option<Url>,
    /// Whether redirects were followed.
    pub redirected: bool,
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub status_text: Vec<u8>,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Option<Vec<u8>>,
    /// What is behind an opaque response. It must not get into the hands of a script.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-internal-response>
    pub internal: Option<Box<FetchResponse>>,
}

/// What has become of a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum FetchAnswer {
    /// It is to be fetched over the network.
    NotHandled,
    /// The service worker has answered it; the response is one that Handle Fetch lets pass.
    Response(Box<FetchResponse>),
    /// It has failed, and is not to be fetched over the network.
    NetworkError {
        /// Why, for a web developer.
        reason: String,
    },
}

/// A navigation is to be fetched over the network too, while its service worker starts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NavigationPreload {
    /// Which fetch.
    pub fetch: RequestId,
    /// The value of the header `Service-Worker-Navigation-Preload`.
    pub header_value: Vec<u8>,
}

/// A `fetch` event.
///
/// <https://w3c.github.io/ServiceWorker/#fetchevent-interface>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FetchEventData {
    /// What is asked for.
    pub request: FetchRequest,
    /// The client that asks.
    pub client: Option<ClientId>,
    /// The client that the response will make.
    pub resulting_client: Option<ClientId>,
    /// The client that it replaces.
    pub replaced_client: Option<ClientId>,
    /// Whether the request is being fetched already: the response, or why there is none, comes with
    /// [`WorkerHost::preload_ended`](crate::WorkerHost::preload_ended).
    ///
    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-navigation-preload-enabled-flag>
    pub preload: bool,
}
