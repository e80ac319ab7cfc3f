use std::collections::BTreeMap;
use std::sync::Arc;

use base::StorageKey;
use base::ids::{ClientId, MessagePortId, RegistrationId, WorkerId};
use base::time::WallTime;
use serde::{Deserialize, Serialize};
use url::Url;

/// The state of a service worker.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-state>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum ServiceWorkerState {
    /// Its script has been read.
    Parsed,
    /// Its `install` event is being handled.
    Installing,
    /// Installed; it waits until no client uses the active worker.
    Installed,
    /// Its `activate` event is being handled.
    Activating,
    /// It gets functional events.
    Activated,
    /// Replaced, failed or unregistered: it gets no event any more.
    Redundant,
}

/// <https://w3c.github.io/ServiceWorker/#dfn-type>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum WorkerType {
    /// A classic script.
    #[default]
    Classic,
    /// A module script.
    Module,
}

/// Whether update checks may use the HTTP cache.
///
/// <https://w3c.github.io/ServiceWorker/#enumdef-serviceworkerupdateviacache>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum UpdateViaCache {
    /// For imported scripts only.
    #[default]
    Imports,
    /// For all scripts.
    All,
    /// For no script.
    None,
}

/// Whether navigations begin to be fetched while the worker starts.
///
/// <https://w3c.github.io/ServiceWorker/#dictdef-navigationpreloadstate>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NavigationPreloadState {
    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-navigation-preload-enabled-flag>
    pub enabled: bool,
    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-navigation-preload-header-value>
    pub header_value: Vec<u8>,
}

impl Default for NavigationPreloadState {
    fn default() -> Self {
        Self {
            enabled: false,
            header_value: b"true".to_vec(),
        }
    }
}

/// What a page changes of a [`NavigationPreloadState`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum NavigationPreloadChange {
    /// Enable or disable it.
    Enabled(bool),
    /// Set the value of the header.
    HeaderValue(Vec<u8>),
}

/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-client-frame-type>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum FrameType {
    /// A window that another one opened.
    Auxiliary,
    /// A window of its own.
    TopLevel,
    /// A frame in a window.
    Nested,
    /// Not a window.
    None,
}

/// What kind of environment a client is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum ClientKind {
    /// A window; its frame type is never [`FrameType::None`].
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-window-client>
    Window,
    /// <https://w3c.github.io/ServiceWorker/#dfn-dedicatedworker-client>
    DedicatedWorker,
    /// <https://w3c.github.io/ServiceWorker/#dfn-sharedworker-client>
    SharedWorker,
    /// A service worker. It may use the API, but it is not listed by `clients.matchAll()` and is
    /// controlled by nobody.
    ServiceWorker(WorkerId),
}

/// A client, as the one who creates it describes it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClientDescription {
    /// Its id, which scripts see too.
    pub id: ClientId,
    /// Whose data it may use.
    pub storage_key: StorageKey,
    /// <https://html.spec.whatwg.org/multipage/#concept-environment-creation-url>
    pub creation_url: Url,
    /// What kind of environment it is.
    pub kind: ClientKind,
    /// Where it stands among windows.
    pub frame_type: FrameType,
    /// Where its controller comes from.
    pub controller: ControllerSource,
    /// Whether its scripts may run already. One that is attached before, so that its controller is
    /// known while its document or script is loaded, is seen by service workers only once it
    /// [says so](ClientUpdate::ExecutionReady).
    ///
    /// <https://html.spec.whatwg.org/multipage/#concept-environment-execution-ready-flag>
    pub execution_ready: bool,
    /// The origins of the documents around a frame, the innermost first; empty when it is none.
    ///
    /// <https://html.spec.whatwg.org/multipage/#concept-document-ancestor-origins-list>
    pub ancestor_origins: Vec<String>,
    /// The URLs from which a navigation was redirected to the client's; what matches one of them is
    /// checked for an update too.
    pub redirected_from: Vec<Url>,
    /// Whether its scripts run in a secure context. Without it every request is refused.
    pub secure_context: bool,
}

impl ClientDescription {
    /// A client that runs scripts already, in a secure context, and is controlled by what its URL
    /// matches: a window of its own, or a worker.
    pub fn new(id: ClientId, storage_key: StorageKey, creation_url: Url, kind: ClientKind) -> Self {
        Self {
            id,
            storage_key,
            creation_url,
            kind,
            frame_type: match kind {
                ClientKind::Window => FrameType::TopLevel,
                _ => FrameType::None,
            },
            controller: ControllerSource::Url,
            execution_ready: true,
            redirected_from: Vec::new(),
            ancestor_origins: Vec::new(),
            secure_context: true,
        }
    }
}

/// Where the controller of a new client comes from.
///
/// <https://w3c.github.io/ServiceWorker/#control-and-use>
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum ControllerSource {
    /// From the registration that its creation URL matches: its document or script comes over
    /// HTTP.
    #[default]
    Url,
    /// From this client of the same origin: that of the creator of an `about:blank`, `about:srcdoc`
    /// or `blob:` document, or the owner of a worker with a `blob:` script.
    Client(ClientId),
    /// It has none: after a forced reload, or where the creator is of another origin.
    Nowhere,
}

/// What changes in the life of a client.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ClientUpdate {
    /// The load of its document or script was redirected to this URL, which is its creation URL now;
    /// its controller is matched anew. Of no effect when it is execution ready, or when the URL is of
    /// another origin: that makes it another client.
    CreationUrl(Url),
    /// Its scripts may run.
    ExecutionReady,
    /// <https://html.spec.whatwg.org/multipage/#visibility-state>
    Visibility(VisibilityState),
    /// Its document got the focus, or lost it.
    ///
    /// <https://html.spec.whatwg.org/multipage/#has-focus-steps>
    Focus(bool),
}

/// <https://html.spec.whatwg.org/multipage/#visibility-state>
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum VisibilityState {
    /// It can be seen.
    #[default]
    Visible,
    /// It cannot be seen.
    Hidden,
}

/// What kind of client a service worker sees.
///
/// <https://w3c.github.io/ServiceWorker/#client-type-enum>
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ClientType {
    /// A window.
    Window,
    /// A dedicated worker.
    Worker,
    /// A shared worker.
    SharedWorker,
}

/// A client, as a service worker sees it.
///
/// <https://w3c.github.io/ServiceWorker/#client-interface>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Its id.
    pub id: ClientId,
    /// Its creation URL.
    pub url: Url,
    /// What kind of client it is.
    pub client_type: ClientType,
    /// Where it stands among windows.
    pub frame_type: FrameType,
    /// Whether it can be seen; a window can until it says otherwise.
    pub visibility: VisibilityState,
    /// Whether it has the focus. In an engine without a screen, where nobody says so, that is the
    /// newest window.
    pub focused: bool,
    /// The origins of the documents around it, the innermost first.
    pub ancestor_origins: Vec<String>,
}

/// Which clients `clients.matchAll()` is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum ClientTypeFilter {
    /// Windows.
    #[default]
    Window,
    /// Dedicated workers.
    Worker,
    /// Shared workers.
    SharedWorker,
    /// Every client.
    All,
}

/// A service worker, as a client sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceWorkerInfo {
    /// Which one it is.
    pub id: WorkerId,
    /// The URL of its main script.
    pub script_url: Url,
    /// Classic or module.
    pub worker_type: WorkerType,
    /// Its state when this was sent.
    pub state: ServiceWorkerState,
}

/// A service worker registration, as a client sees it.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-service-worker-registration>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RegistrationInfo {
    /// Which one it is.
    pub id: RegistrationId,
    /// Counts up from registration to registration, also over restarts, and is not used again. So
    /// what belongs to a registration can be told from what was left behind by an earlier one of the
    /// same scope.
    pub ordinal: u64,
    /// Its scope URL.
    pub scope: Url,
    /// Whether update checks may use the HTTP cache.
    pub update_via_cache: UpdateViaCache,
    /// The installing worker.
    pub installing: Option<ServiceWorkerInfo>,
    /// The waiting worker.
    pub waiting: Option<ServiceWorkerInfo>,
    /// The active worker.
    pub active: Option<ServiceWorkerInfo>,
}

/// A registration with its owner, as an operator sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RegistrationSnapshot {
    /// Whose it is.
    pub storage_key: StorageKey,
    /// The registration.
    pub registration: RegistrationInfo,
    /// When its script was last compared with the server's.
    pub last_update_check: Option<WallTime>,
    /// How many scripts its workers hold, and their bytes.
    pub scripts: (usize, u64),
}

/// One script of a service worker, as it came from the server.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ScriptResource {
    /// The URL it was requested under.
    pub url: Url,
    /// Where it came from in the end, which a module's own imports are relative to.
    pub response_url: Url,
    /// The body, byte for byte.
    pub body: Arc<[u8]>,
    /// The headers of the response, without cookies: names in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl ScriptResource {
    /// The value of a header, whose name is given in lower case; several values are joined with
    /// ", ".
    ///
    /// <https://fetch.spec.whatwg.org/#concept-header-list-get>
    pub fn header(&self, name: &str) -> Option<String> {
        let of_name = self.headers.iter().filter(|(other, _)| other == name);
        let values: Vec<_> = of_name
            .map(|(_, value)| String::from_utf8_lossy(value))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// The scripts that a service worker runs: its main script and what it imported.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-script-resource-map>
pub type ScriptResourceMap = BTreeMap<Url, ScriptResource>;

/// The result of `StructuredSerializeWithTransfer`, in the script component's own encoding.
///
/// <https://html.spec.whatwg.org/multipage/#structuredserializewithtransfer>
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct SerializedMessage {
    /// The message.
    pub data: Vec<u8>,
    /// The ports that are transferred with it, in the order of the transfer list.
    pub ports: Vec<MessagePortId>,
}

impl From<Vec<u8>> for SerializedMessage {
    /// A message that transfers no port.
    fn from(data: Vec<u8>) -> Self {
        let ports = Vec::new();
        Self { data, ports }
    }
}

/// Who posted a message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum MessageSource {
    /// A client other than a service worker.
    Client(ClientInfo),
    /// A service worker.
    ServiceWorker(ServiceWorkerInfo),
}
