use serde::{Deserialize, Serialize};
use url::Url;

/// The name of a cache: a `DOMString`, in code units.
pub type Name = Vec<u16>;

/// A header's name, in lower case, and its value.
pub type Header = (String, Vec<u8>);

/// A request as it is stored. What this component does not look at is in the words of the
/// JavaScript interface.
///
/// <https://fetch.spec.whatwg.org/#concept-request>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StoredRequest {
    /// The method.
    pub method: String,
    /// The URL, with its fragment.
    pub url: Url,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// The mode.
    pub mode: String,
    /// The credentials mode.
    pub credentials: String,
    /// The cache mode.
    pub cache: String,
    /// The redirect mode.
    pub redirect: String,
    /// The referrer: a URL, `about:client`, or nothing.
    pub referrer: String,
}

/// A response as it is stored: as much of it as its page may see; of an opaque one what is behind the
/// filter, for what runs scripts.
///
/// <https://fetch.spec.whatwg.org/#concept-response>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// The type, in the words of the JavaScript interface.
    pub response_type: String,
    /// Where it came from in the end.
    pub url: Option<Url>,
    /// Whether redirects were followed.
    pub redirected: bool,
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub status_text: Vec<u8>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// The body; `None` is another thing than an empty one.
    pub body: Option<Vec<u8>>,
}

/// What is looked for.
///
/// <https://w3c.github.io/ServiceWorker/#dictdef-cachequeryoptions>
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// A request like this.
    pub request: StoredRequest,
    /// Whatever comes after the `?` of the URL.
    pub ignore_search: bool,
    /// Whatever the method.
    pub ignore_method: bool,
    /// Whatever the `Vary` header of the response says.
    pub ignore_vary: bool,
}

impl Query {
    /// A query without options.
    pub fn exactly(request: StoredRequest) -> Self {
        Self {
            request,
            ignore_search: false,
            ignore_method: false,
            ignore_vary: false,
        }
    }
}
