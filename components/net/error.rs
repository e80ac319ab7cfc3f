use std::fmt;

use base::exception::DomException;
use serde::{Deserialize, Serialize};

/// What sort of thing went wrong. Whatever it is, a page sees a network error.
///
/// <https://fetch.spec.whatwg.org/#concept-network-error>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum FetchErrorKind {
    /// Being offline is emulated.
    Offline,
    /// The host's name could not be resolved.
    Dns,
    /// The machine lost its network, or got another one, on the way.
    NetworkChanged,
    /// No connection to the host could be made.
    Connect,
    /// The connection could not be secured: a certificate that is not trusted, for instance.
    Tls,
    /// The time limit was reached before there was a connection.
    ConnectTimeout,
    /// The time limit was reached while the request was sent or the response received.
    Timeout,
    /// The server closed the connection before the response was complete.
    Truncated,
    /// What the server sent is not HTTP, or not what was asked for.
    Protocol,
    /// The response's body is larger than the limit.
    TooLarge,
    /// The rules of cross-origin requests forbid it.
    Blocked,
    /// The request itself cannot be sent: its URL, method or headers.
    BadRequest,
    /// There is no way to fetch URLs of this scheme.
    UnsupportedScheme,
    /// A redirect that may not be followed, or too many of them.
    Redirect,
    /// A service worker has answered with an error, or has failed.
    ServiceWorker,
    /// It was cancelled, or the component has shut down or failed.
    Aborted,
    /// Too many fetches are waiting already.
    Busy,
}

/// Why a fetch has no response.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FetchError {
    /// What sort of thing went wrong.
    pub kind: FetchErrorKind,
    /// The URL that was being fetched; after redirects, the last one.
    pub url: String,
    /// What went wrong and, if something can be done about it, what; for a web developer.
    pub reason: String,
}

impl FetchError {
    /// An error at this URL, for this reason.
    pub fn new(kind: FetchErrorKind, url: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self {
            kind,
            url: url.to_string(),
            reason: reason.into(),
        }
    }

    /// Whether the origin was out of reach, so that the failure says nothing against the request.
    pub fn is_network_unreachable(&self) -> bool {
        matches!(
            self.kind,
            FetchErrorKind::Offline
                | FetchErrorKind::NetworkChanged
                | FetchErrorKind::Dns
                | FetchErrorKind::Connect
                | FetchErrorKind::ConnectTimeout
        )
    }

    /// What a script sees of it.
    pub fn exception(&self) -> DomException {
        DomException::type_error(self.to_string())
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot fetch {}: {}", self.url, self.reason)
    }
}

impl std::error::Error for FetchError {}
