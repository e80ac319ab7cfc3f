use std::collections::BTreeSet;

use base::StorageKey;
use base::ids::{ClientId, CommitId, EventId, RequestId, WorkerId};
use storage::Batch;
use sw_traits::{
    EventDispatch, EventOutcome, FetchAnswer, FetchResponse, RegistrationInfo, ScriptRequest,
    ScriptResourceMap, SwClientEvent, SwNotification, WindowRequest, WorkerLaunch, WorkerType,
};
use url::Url;

/// What the caller of the state machine is to do now, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell a client something.
    ToClient {
        /// The client; when it is gone by now, nobody is interested.
        client: ClientId,
        /// What it is told.
        event: SwClientEvent,
    },
    /// Tell the other components something. It has to reach them before what a later output leads
    /// to: a page that is told of an active worker may use it at once.
    Notify(SwNotification),
    /// Start a worker, and report what the host says of it.
    StartWorker(Box<WorkerStart>),
    /// Hand an event to a started worker.
    DispatchEvent {
        /// The worker.
        worker: WorkerId,
        /// The event.
        dispatch: EventDispatch,
    },
    /// Tell a worker that the time of an event is over.
    TimeOutEvent {
        /// The worker, which goes on for other events.
        worker: WorkerId,
        /// The event.
        event: EventId,
    },
    /// Stop a worker.
    TerminateWorker(WorkerId),
    /// Load a script, and report the result with this number.
    LoadScript {
        /// The number.
        load: u64,
        /// What to load.
        request: ScriptRequest,
    },
    /// Have something done with a window, and report the result with this number.
    AskWindowHost {
        /// The number.
        number: u64,
        /// What to do.
        request: WindowRequest,
    },
    /// Read the stored scripts of a worker, and report them.
    ReadScripts {
        /// The worker.
        worker: WorkerId,
        /// Where they are.
        place: ScriptsPlace,
    },
    /// Store changes, and report whether they are durable.
    Commit {
        /// The number under which the result is reported.
        commit: CommitId,
        /// The changes.
        batch: Batch,
    },
    /// Tell a client what becomes of its fetch.
    FetchAnswered {
        /// The client.
        client: ClientId,
        /// Which fetch.
        request: RequestId,
        /// The answer.
        answer: FetchAnswer,
    },
    /// Have a client fetch its navigation request over the network too, and report what comes of it.
    PreloadNavigation {
        /// The client.
        client: ClientId,
        /// Which fetch.
        request: RequestId,
        /// The value of the header `Service-Worker-Navigation-Preload`.
        header_value: Vec<u8>,
    },
    /// Tell a worker what was preloaded for its event.
    PreloadEnded {
        /// The worker.
        worker: WorkerId,
        /// The event, which was dispatched before.
        event: EventId,
        /// The response, or why there is none.
        result: Result<FetchResponse, String>,
    },
    /// Tell a worker that nobody wants the response of an event.
    AbortFetch {
        /// The worker.
        worker: WorkerId,
        /// The event.
        event: EventId,
    },
    /// A functional event ended.
    EventDone {
        /// The number that the caller gave it.
        token: u64,
        /// How it ended.
        outcome: EventOutcome,
    },
    /// An origin was cleared, or could not be.
    StorageCleared {
        /// The number that the caller gave the request.
        token: u64,
        /// Whether it is durable.
        result: Result<(), String>,
    },
    /// The machine has ended; nothing comes after this.
    Exited,
}

/// A worker to be started: a [`WorkerLaunch`] but for the client id, which has to be one that nobody
/// can guess.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerStart {
    /// The worker.
    pub worker: WorkerId,
    /// Whose data it may use.
    pub storage_key: StorageKey,
    /// Its registration.
    pub registration: RegistrationInfo,
    /// The URL of its main script.
    pub script_url: Url,
    /// Classic or module.
    pub worker_type: WorkerType,
    /// Its scripts.
    pub scripts: ScriptResourceMap,
    /// Whether it may import others.
    pub may_import: bool,
    /// What it cannot import.
    pub unavailable_scripts: BTreeSet<Url>,
    /// Whether what it imports has to be asked of the server.
    pub imports_bypass_cache: bool,
}

impl WorkerStart {
    /// The launch, with the id under which the worker will be a client.
    pub fn launch(self, client: ClientId) -> WorkerLaunch {
        WorkerLaunch {
            worker: self.worker,
            client,
            storage_key: self.storage_key,
            registration: self.registration,
            script_url: self.script_url,
            worker_type: self.worker_type,
            scripts: self.scripts,
            may_import: self.may_import,
            unavailable_scripts: self.unavailable_scripts,
            imports_bypass_cache: self.imports_bypass_cache,
        }
    }
}

/// Where the scripts of a worker are stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScriptsPlace {
    /// Whose registration.
    pub storage_key: StorageKey,
    /// Its scope.
    pub scope: Url,
    /// Which version of its scripts.
    pub version: u64,
}
