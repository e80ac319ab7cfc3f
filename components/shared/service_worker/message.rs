use std::time::Duration;

use base::StorageKey;
use base::channel::Callback;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, RegistrationId, RequestId, WorkerId};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::fetch::{FetchAnswer, FetchRequest, FetchResponse, NavigationPreload};
use crate::host::{EventOutcome, WorkerEvent, WorkerHostEvent};
use crate::loader::LoadedScript;
use crate::types::{
    ClientDescription, ClientInfo, ClientTypeFilter, ClientUpdate, MessageSource,
    NavigationPreloadChange, NavigationPreloadState, RegistrationInfo, RegistrationSnapshot,
    SerializedMessage, ServiceWorkerInfo, UpdateViaCache, WorkerType,
};
use crate::windows::WindowResult;

/// What the service worker registration component is told.
#[derive(Debug, Serialize, Deserialize)]
pub enum SwRegistrationMessage {
    /// A client exists from now on.
    AttachClient {
        /// The client.
        client: ClientDescription,
        /// Where its events go.
        events: Callback<SwClientEvent>,
        /// Called once for each of its requests that was looked at.
        handled: Callback<()>,
    },
    /// Something about a client has changed.
    UpdateClient {
        /// The client, as its handle is bound.
        client: ClientId,
        /// What has changed.
        update: ClientUpdate,
    },
    /// A client is gone.
    DetachClient {
        /// The client.
        client: ClientId,
    },
    /// A client asks for something.
    Request {
        /// The client, as its handle is bound.
        client: ClientId,
        /// The id that the answer carries.
        request: RequestId,
        /// What it asks for.
        body: SwRequest,
    },
    /// A client fetches something: the service worker that controls it may answer.
    ///
    /// <https://w3c.github.io/ServiceWorker/#on-fetch-request-algorithm>
    Fetch {
        /// The client, as its handle is bound.
        client: ClientId,
        /// The name of the fetch among this client's requests.
        request: RequestId,
        /// What it fetches.
        body: Box<FetchRequest>,
        /// Called at most once, before `done`: the same request is to be fetched over the network
        /// with one more header, and what comes of it to be reported.
        preload: Callback<NavigationPreload>,
        /// Called exactly once.
        done: Callback<FetchAnswer>,
    },
    /// The response that `preload` asked for is there, or why it is not.
    PreloadEnded {
        /// The client, as its handle is bound.
        client: ClientId,
        /// Which fetch.
        request: RequestId,
        /// The response, or why there is none.
        result: Result<FetchResponse, String>,
    },
    /// A client does not want what it fetches any more.
    CancelFetch {
        /// The client, as its handle is bound.
        client: ClientId,
        /// Which fetch.
        request: RequestId,
    },
    /// A functional event is to be dispatched in the active worker of a registration.
    ///
    /// <https://w3c.github.io/ServiceWorker/#fire-functional-event>
    DispatchEvent {
        /// Whose registration.
        storage_key: StorageKey,
        /// The registration's scope.
        scope: Url,
        /// The event.
        event: WorkerEvent,
        /// How long the worker may take, counted from the moment at which it gets the event. When
        /// the worker is restarted because it hangs in another event, it gets this one again, with
        /// all its time.
        time_limit: Duration,
        /// How it ended. Called exactly once.
        done: Callback<EventOutcome>,
    },
    /// The host of the workers reports something.
    Host(WorkerHostEvent),
    /// A script load has ended.
    ScriptLoaded {
        /// Which load, by the number that the component gave it.
        load: u64,
        /// The response, or what was wrong: an exception that `register()` rejects with.
        result: Result<LoadedScript, DomException>,
    },
    /// What was asked of the host of the windows is done, or could not be.
    WindowRequestEnded {
        /// Which request, by the number that the component gave it.
        number: u64,
        /// The client that the window has now, or what was wrong.
        result: WindowResult,
    },
    /// A batch of writes has ended.
    Committed {
        /// Which batch.
        commit: CommitId,
        /// Whether it is on disk.
        result: Result<(), String>,
    },
    /// All registrations of an origin are to be removed, with their scripts and syncs.
    ClearStorage {
        /// The origin.
        storage_key: StorageKey,
        /// Called exactly once, with success when it is durable.
        done: Callback<Result<(), String>>,
    },
    /// The active worker of a registration is to be stopped, as if it had been idle for long enough.
    StopWorker {
        /// Whose registration.
        storage_key: StorageKey,
        /// The registration's scope.
        scope: Url,
        /// Called exactly once: with whether there was one that ran, or was about to.
        done: Callback<bool>,
    },
    /// Every registration is asked for.
    Snapshot {
        /// Where the answer goes.
        done: Callback<Vec<RegistrationSnapshot>>,
    },
    /// The clock was set, or the machine has slept: what has come due meanwhile is looked for now.
    TimeChanged,
    /// Stop the workers and end.
    Exit {
        /// Called when it is done.
        done: Callback<()>,
    },
}

/// What a client may ask for. Everything is about registrations of the client's own origin; a
/// scope, client or worker of another one is treated as not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SwRequest {
    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-register>. URLs are already
    /// resolved against the client's base URL; `scope` is `None` when the page gave none.
    /// Answered by [`SwAnswer::Registration`].
    Register {
        /// The scope option.
        scope: Option<Url>,
        /// The main script.
        script_url: Url,
        /// Classic or module.
        worker_type: WorkerType,
        /// Whether update checks may use the HTTP cache.
        update_via_cache: UpdateViaCache,
    },
    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-update>. Answered by
    /// [`SwAnswer::Registration`].
    Update {
        /// The registration's scope.
        scope: Url,
    },
    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-unregister>. Answered by
    /// [`SwAnswer::Boolean`].
    Unregister {
        /// The registration's scope.
        scope: Url,
    },
    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager>: what the registration says
    /// about navigation preload. Answered by [`SwAnswer::NavigationPreload`].
    NavigationPreload {
        /// The registration's scope.
        scope: Url,
    },
    /// Change that; only with an active worker. Answered by [`SwAnswer::Done`].
    ChangeNavigationPreload {
        /// The registration's scope.
        scope: Url,
        /// The change.
        change: NavigationPreloadChange,
    },
    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-getRegistration>. Answered
    /// by [`SwAnswer::Registration`].
    GetRegistration {
        /// The URL to match.
        url: Url,
    },
    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-getRegistrations>. Answered
    /// by [`SwAnswer::Registrations`].
    GetRegistrations,
    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-ready>. Answered by
    /// [`SwAnswer::Registration`] as soon as there is one with an active worker.
    Ready,
    /// <https://w3c.github.io/ServiceWorker/#clients-matchall>. Only from a service worker.
    /// Answered by [`SwAnswer::Clients`].
    MatchAllClients {
        /// Whether clients that this worker does not control are wanted too.
        include_uncontrolled: bool,
        /// Which type.
        client_type: ClientTypeFilter,
    },
    /// <https://w3c.github.io/ServiceWorker/#clients-get>. Only from a service worker. Answered by
    /// [`SwAnswer::Clients`] with at most one.
    GetClient {
        /// The id; none when the script passed something that is no id.
        id: Option<ClientId>,
    },
    /// <https://w3c.github.io/ServiceWorker/#clients-claim>. Only from a service worker. Answered
    /// by [`SwAnswer::Done`].
    ClaimClients,
    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-skipwaiting>. Only from a
    /// service worker. Answered by [`SwAnswer::Done`].
    SkipWaiting,
    /// <https://w3c.github.io/ServiceWorker/#clients-openwindow>. Only from a service worker.
    /// Answered by [`SwAnswer::WindowClient`].
    OpenWindow {
        /// The URL, resolved against the worker's base URL; one of another origin may be opened.
        url: Url,
    },
    /// <https://w3c.github.io/ServiceWorker/#client-navigate>. Only from a service worker. Answered
    /// by [`SwAnswer::WindowClient`].
    NavigateClient {
        /// The window.
        client: ClientId,
        /// The URL, resolved against the worker's base URL.
        url: Url,
    },
    /// <https://w3c.github.io/ServiceWorker/#client-focus>. Only from a service worker. Answered by
    /// [`SwAnswer::WindowClient`].
    FocusClient {
        /// The window.
        client: ClientId,
    },
    /// <https://w3c.github.io/ServiceWorker/#client-postmessage>. Only from a service worker. Has
    /// no answer.
    PostMessageToClient {
        /// The client.
        client: ClientId,
        /// What is posted.
        message: SerializedMessage,
    },
    /// <https://w3c.github.io/ServiceWorker/#service-worker-postmessage>. Has no answer.
    PostMessageToWorker {
        /// The worker.
        worker: WorkerId,
        /// What is posted.
        message: SerializedMessage,
    },
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SwClientEvent {
    /// The answer to a request.
    Answer {
        /// Which request.
        request: RequestId,
        /// The answer, or the exception that the promise is rejected with.
        result: Result<SwAnswer, DomException>,
    },
    /// The workers of a registration changed places.
    ///
    /// <https://w3c.github.io/ServiceWorker/#update-registration-state-algorithm>
    RegistrationChanged(Box<RegistrationInfo>),
    /// A registration has a new installing worker: fire `updatefound`.
    UpdateFound {
        /// Which registration.
        registration: RegistrationId,
    },
    /// A worker changed its state: fire `statechange`.
    ///
    /// <https://w3c.github.io/ServiceWorker/#update-state-algorithm>
    WorkerStateChanged {
        /// The worker, in its new state.
        worker: ServiceWorkerInfo,
    },
    /// The client's controller.
    ///
    /// <https://w3c.github.io/ServiceWorker/#notify-controller-change-algorithm>
    ControllerChanged {
        /// The new controller.
        controller: Option<ServiceWorkerInfo>,
        /// Whether `controllerchange` is to be fired; not for the first message after attaching,
        /// which tells the controller that the client starts with.
        fire: bool,
    },
    /// A service worker posted a message to this client.
    Message {
        /// Who posted it.
        source: MessageSource,
        /// What was posted.
        message: SerializedMessage,
    },
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SwAnswer {
    /// A registration, if there is one.
    Registration(Option<Box<RegistrationInfo>>),
    /// Registrations, in the order in which they were made.
    Registrations(Vec<RegistrationInfo>),
    /// Yes or no.
    Boolean(bool),
    /// What a registration says about navigation preload.
    NavigationPreload(NavigationPreloadState),
    /// Clients, in the order that the spec gives.
    Clients(Vec<ClientInfo>),
    /// A window that was opened, navigated or focused; none, which a script sees as null, when what
    /// it shows is of another origin.
    WindowClient(Option<Box<ClientInfo>>),
    /// It is done.
    Done,
}

/// What the component tells the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SwNotification {
    /// A registration has an active worker now; sent for stored registrations at the start too.
    Activated {
        /// Whose registration.
        storage_key: StorageKey,
        /// Its scope.
        scope: Url,
        /// Which one of all that were ever made for this scope: see
        /// [`RegistrationInfo::ordinal`].
        ordinal: u64,
    },
    /// A registration is gone; the commit that removed it removed its syncs from the store too.
    Unregistered {
        /// Whose registration.
        storage_key: StorageKey,
        /// Its scope.
        scope: Url,
    },
    /// How many top-level and auxiliary windows of an origin exist has changed.
    WindowClients {
        /// The origin.
        storage_key: StorageKey,
        /// How many there are now.
        count: usize,
    },
}
