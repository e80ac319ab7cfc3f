use base::StorageKey;
use base::channel::Callback;
use base::exception::DomException;
use base::ids::ClientId;
use serde::{Deserialize, Serialize};
use url::Url;

/// What a service worker wants done with a window.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum WindowRequest {
    /// Open a new top-level window.
    ///
    /// <https://w3c.github.io/ServiceWorker/#clients-openwindow>
    Open {
        /// The origin of the service worker.
        storage_key: StorageKey,
        /// What to open, which may be of another origin.
        url: Url,
    },
    /// Navigate a window or frame of the worker's origin, which the worker controls.
    ///
    /// <https://w3c.github.io/ServiceWorker/#client-navigate>
    Navigate {
        /// The client that it shows.
        client: ClientId,
        /// Where to, which may be another origin.
        url: Url,
    },
    /// Bring a window or frame of the worker's origin to the front.
    ///
    /// <https://w3c.github.io/ServiceWorker/#client-focus>
    Focus {
        /// The client that it shows.
        client: ClientId,
    },
}

/// The client that a window shows after a [`WindowRequest`], none when it shows what is no client;
/// or the exception that the promise is rejected with.
pub type WindowResult = Result<Option<ClientId>, DomException>;

/// Opens, navigates and focuses windows for service workers. An engine supplies its own.
pub trait WindowHost: Send {
    /// Do it, without waiting. `done` is called exactly once, from any thread, with:
    ///
    /// - the client, which was attached before, once it is execution ready; for
    ///   [`WindowRequest::Focus`] the same client, after its
    ///   [`ClientUpdate::Focus`](crate::ClientUpdate::Focus);
    /// - an `InvalidAccessError` when it takes an action of the user, and there was none: the host
    ///   knows about transient activation;
    /// - a `TypeError` when the navigation fails, or the document of the client is not fully active.
    fn perform(&mut self, request: WindowRequest, done: Callback<WindowResult>);
}
