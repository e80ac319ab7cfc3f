use std::collections::BTreeSet;
use std::time::Duration;

use base::channel::Callback;
use base::ids::{ClientId, EventId, WorkerId};
use base::{DomString, StorageKey};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::fetch::{FetchAnswer, FetchEventData, FetchResponse};
use crate::types::{
    MessageSource, RegistrationInfo, ScriptResource, ScriptResourceMap, SerializedMessage,
    WorkerType,
};

/// What a worker needs to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerLaunch {
    /// The worker to start.
    pub worker: WorkerId,
    /// The id under which it is a client itself.
    pub client: ClientId,
    /// Whose data it may use.
    pub storage_key: StorageKey,
    /// Its registration, as its global scope shows it first.
    pub registration: RegistrationInfo,
    /// The URL of its main script, which is in `scripts`.
    pub script_url: Url,
    /// Classic or module.
    pub worker_type: WorkerType,
    /// Its stored scripts.
    pub scripts: ScriptResourceMap,
    /// Whether it may import scripts that are not in `scripts`, which is so until it is installed.
    pub may_import: bool,
    /// Scripts that it cannot import, because they could not be loaded when its registration was
    /// checked for an update: to import one is a network error, without another request.
    pub unavailable_scripts: BTreeSet<Url>,
    /// Whether the scripts that it imports have to be revalidated with the server (cache mode
    /// `no-cache`): by its registration's `updateViaCache`, or because the last check is too old.
    pub imports_bypass_cache: bool,
}

/// An event for a service worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkerEvent {
    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-install-event>
    Install,
    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-activate-event>
    Activate,
    /// <https://wicg.github.io/background-sync/spec/#sync-event>
    Sync {
        /// The tag of the sync registration.
        tag: DomString,
        /// Whether a failure of this attempt drops the registration.
        last_chance: bool,
    },
    /// <https://wicg.github.io/periodic-background-sync/#periodicsync-event>
    PeriodicSync {
        /// The tag of the periodic sync registration.
        tag: DomString,
    },
    /// <https://w3c.github.io/ServiceWorker/#extendablemessageevent>
    Message {
        /// Who posted it.
        source: MessageSource,
        /// The origin of the one who posted it.
        origin: StorageKey,
        /// What was posted.
        message: SerializedMessage,
    },
    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-fetch-event>
    Fetch(Box<FetchEventData>),
}

impl WorkerEvent {
    /// The event type, for which a worker may have listeners.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Activate => "activate",
            Self::Sync { .. } => "sync",
            Self::PeriodicSync { .. } => "periodicsync",
            Self::Message { .. } => "message",
            Self::Fetch(_) => "fetch",
        }
    }
}

/// An event on its way to a running worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDispatch {
    /// The id that the outcome carries.
    pub event: EventId,
    /// The event.
    pub kind: WorkerEvent,
}

/// How an event ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum EventOutcome {
    /// Every promise given to `waitUntil` was fulfilled, or there was none.
    Fulfilled,
    /// One of them was rejected; with the reason as text. (A listener that throws does not reject
    /// the event.)
    Rejected {
        /// The reason as text.
        reason: String,
    },
    /// The time limit of the event was over first.
    TimedOut,
    /// The worker ended while it handled the event.
    Crashed {
        /// What is known about it.
        reason: String,
    },
    /// The worker did not start: its script has an error or did not come to an end.
    NotStarted {
        /// What is known about it.
        reason: String,
    },
    /// There is no such registration, or it has no active worker.
    NoActiveWorker,
}

/// What the host of the workers reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum WorkerHostEvent {
    /// The worker's script ran to its end; the worker takes events.
    Started {
        /// Which worker.
        worker: WorkerId,
        /// The types of the events for which it has listeners.
        ///
        /// <https://w3c.github.io/ServiceWorker/#dfn-set-of-event-types-to-handle>
        event_types: Vec<String>,
    },
    /// The worker's script could not be run; the worker is gone.
    StartFailed {
        /// Which worker.
        worker: WorkerId,
        /// What was wrong, with script URL and line where there is one.
        reason: String,
    },
    /// The worker imported a script that was not among its stored ones.
    ScriptImported {
        /// Which worker.
        worker: WorkerId,
        /// The script.
        resource: ScriptResource,
        /// Whether it came from the HTTP cache without asking the server.
        from_cache: bool,
    },
    /// The worker imported a script that was among its stored ones. To be reported, at least once
    /// for each script, while it [may import](WorkerLaunch::may_import) others: what a new worker
    /// does not use is dropped when it is installed.
    ///
    /// <https://w3c.github.io/ServiceWorker/#dfn-set-of-used-scripts>
    StoredScriptUsed {
        /// Which worker.
        worker: WorkerId,
        /// The script's URL.
        url: Url,
    },
    /// A `fetch` event has its answer. To be reported, once, before the event ends: with
    /// [`FetchAnswer::NotHandled`] as soon as its listeners have run and none has called
    /// `respondWith`. An event that ends without it has failed, unless it was fulfilled.
    FetchAnswered {
        /// Which worker.
        worker: WorkerId,
        /// Which event.
        event: EventId,
        /// The answer.
        answer: FetchAnswer,
    },
    /// An event ended: `Fulfilled`, `Rejected` or `Crashed`.
    EventEnded {
        /// Which worker.
        worker: WorkerId,
        /// Which event.
        event: EventId,
        /// How it ended.
        outcome: EventOutcome,
    },
    /// The worker is gone, because it was terminated or because it crashed. Events that it had not
    /// ended get no outcome from the host any more.
    Stopped {
        /// Which worker.
        worker: WorkerId,
        /// Why, when nobody asked for it.
        crash: Option<String>,
    },
}

/// Runs the scripts of service workers. An engine supplies its own.
///
/// No method may wait: what happens is reported through `events`, from any thread. Time limits are
/// kept by the caller, which calls [`WorkerHost::terminate`] when one is over; a host must then
/// end the worker even when its script never yields.
///
/// <https://w3c.github.io/ServiceWorker/#run-service-worker-algorithm>
pub trait WorkerHost: Send {
    /// Start a worker. Answered by `Started` or `StartFailed`.
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>);

    /// Dispatch an event in a started worker. Answered by `EventEnded`, unless `Stopped` comes
    /// first.
    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch);

    /// The time limit of an event is over, while the worker goes on for others: no outcome of this
    /// event is wanted, and its listeners cannot extend it any more. A host that does nothing lets
    /// them try in vain.
    ///
    /// <https://w3c.github.io/ServiceWorker/#extendableevent-timed-out-flag>
    fn time_out(&mut self, worker: WorkerId, event: EventId) {
        let _ = (worker, event);
    }

    /// A navigation that a `fetch` event [said](FetchEventData::preload) to be preloaded has its
    /// response, or none for this reason. A host that does nothing leaves `preloadResponse` pending.
    ///
    /// <https://w3c.github.io/ServiceWorker/#fetch-event-preloadresponse>
    fn preload_ended(
        &mut self,
        worker: WorkerId,
        event: EventId,
        result: Result<FetchResponse, String>,
    ) {
        let _ = (worker, event, result);
    }

    /// Whoever asked for the request of a `fetch` event does not want it any more. Its answer is
    /// nobody's, but the event goes on; a host may abort the signal of its request.
    fn abort_fetch(&mut self, worker: WorkerId, event: EventId) {
        let _ = (worker, event);
    }

    /// Stop a worker, whatever it does. Answered by `Stopped`.
    ///
    /// <https://w3c.github.io/ServiceWorker/#terminate-service-worker>
    fn terminate(&mut self, worker: WorkerId);

    /// Stop every worker and wait until their threads have ended, or `patience` is over.
    fn shut_down(&mut self, patience: Duration);
}
