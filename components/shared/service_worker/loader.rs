use base::StorageKey;
use base::channel::Callback;
use base::exception::DomException;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::types::{ScriptResource, WorkerType};

/// A request for a script of a service worker.
///
/// <https://w3c.github.io/ServiceWorker/#update-algorithm>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ScriptRequest {
    /// The origin that asks, for credentials and for what it may reach.
    pub storage_key: StorageKey,
    /// The script's URL.
    pub url: Url,
    /// Classic or module, which decides about the request's mode.
    pub worker_type: WorkerType,
    /// The page that asks; none for an update that no page asked for.
    pub referrer: Option<Url>,
    /// Whether this is the main script: then the request carries `Service-Worker: script`, and
    /// a redirect is not followed but answered, which makes it an error. An imported script may be
    /// redirected.
    pub is_top_level: bool,
    /// Whether a stored response has to be revalidated with the server (cache mode `no-cache`).
    pub bypass_cache: bool,
}

/// The response to a [`ScriptRequest`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LoadedScript {
    /// The script, under the URL of the request.
    pub resource: ScriptResource,
    /// The HTTP status. What is not a 2xx is judged by the caller.
    pub status: u16,
    /// Whether it came from the HTTP cache without asking the server.
    pub from_cache: bool,
}

/// Loads the scripts of service workers. An engine supplies its own.
pub trait ScriptLoader: Send {
    /// Start to load a script, without waiting. `done` is called exactly once, from any thread:
    /// with the response, whatever its status, or with the exception that `register()` rejects
    /// with, a `TypeError` with a clear message when the network failed. The loader bounds the size
    /// of head and body and the time it takes.
    fn load(&mut self, request: ScriptRequest, done: Callback<Result<LoadedScript, DomException>>);
}
