use std::time::Duration;

use base::channel::Callback;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, EventId, RequestId};
use base::{DomString, StorageKey};
use network_traits::NetworkState;
use serde::{Deserialize, Serialize};
use sw_traits::{EventOutcome, RegistrationSnapshot, SwNotification};
use url::Url;

use crate::types::{LogEntry, SyncExplanation, SyncQuestion, SyncRegistrationInfo};

/// What the sync manager is told. Everything comes over one channel, so that what happened first
/// is seen first.
#[derive(Debug, Serialize, Deserialize)]
pub enum SyncManagerMessage {
    /// A client may use the API from now on.
    AttachClient {
        /// The client.
        client: ClientId,
        /// Its origin.
        storage_key: StorageKey,
        /// Where its answers go.
        events: Callback<SyncClientEvent>,
    },
    /// A client is gone. What it registered stays.
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
        /// The service worker registration.
        registration: RegistrationReference,
        /// What it asks for.
        body: SyncRequest,
    },
    /// The service worker registrations changed.
    ServiceWorker(SwNotification),
    /// Every stored service worker registration, in answer to a question asked at the start. What
    /// is registered for others is dropped.
    StoredServiceWorkers(Vec<RegistrationSnapshot>),
    /// The network changed.
    Network(NetworkState),
    /// A sync event ended.
    EventEnded {
        /// Which event.
        event: EventId,
        /// How it ended.
        outcome: EventOutcome,
    },
    /// A batch of writes ended.
    Committed {
        /// Which batch.
        commit: CommitId,
        /// Whether it is on disk.
        result: Result<(), String>,
    },
    /// The answer of the permission policy for this origin may have changed.
    PermissionChanged {
        /// The origin.
        storage_key: StorageKey,
    },
    /// The answer of the engagement policy for this origin may have changed.
    EngagementChanged {
        /// The origin.
        storage_key: StorageKey,
    },
    /// Why has this tag not fired?
    Explain {
        /// Which registration, existing or not.
        question: SyncQuestion,
        /// Where the answer goes.
        done: Callback<SyncExplanation>,
    },
    /// Every new entry of the event log is wanted.
    ObserveLog {
        /// Where the entries go.
        observer: Callback<LogEntry>,
    },
    /// Every registration is asked for.
    Snapshot {
        /// Where the answer goes.
        done: Callback<Vec<SyncRegistrationInfo>>,
    },
    /// The clock was set, or the machine has slept: what has come due meanwhile is looked for now.
    TimeChanged,
    /// Finish the writes that are on their way, and end.
    Exit {
        /// Called when it is done.
        done: Callback<()>,
    },
}

/// A service worker registration, as a client names it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RegistrationReference {
    /// Its scope.
    pub scope: Url,
    /// Its [ordinal](sw_traits::RegistrationInfo::ordinal). Without one, whichever has the scope now.
    pub ordinal: Option<u64>,
}

impl From<Url> for RegistrationReference {
    fn from(scope: Url) -> Self {
        Self {
            scope,
            ordinal: None,
        }
    }
}

/// What a client may ask for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum SyncRequest {
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>
    Register {
        /// The tag.
        tag: DomString,
    },
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-gettags>
    Tags,
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-register>.
    /// Answered by [`SyncClientEvent::Registered`].
    RegisterPeriodic {
        /// The tag; it has nothing to do with a one-shot registration of the same tag.
        tag: DomString,
        /// At least this long from one event to the next.
        min_interval: Duration,
    },
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-gettags>.
    /// Answered by [`SyncClientEvent::Tags`].
    PeriodicTags,
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-unregister>.
    /// Answered by [`SyncClientEvent::Unregistered`].
    UnregisterPeriodic {
        /// The tag.
        tag: DomString,
    },
}

/// What a client is told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum SyncClientEvent {
    /// The answer to [`SyncRequest::Register`] or [`SyncRequest::RegisterPeriodic`]: the
    /// registration is durable, or this is wrong.
    Registered {
        /// Which request.
        request: RequestId,
        /// The result.
        result: Result<(), DomException>,
    },
    /// The answer to [`SyncRequest::UnregisterPeriodic`]: the removal is durable (or there was no
    /// such registration), or this is wrong.
    Unregistered {
        /// Which request.
        request: RequestId,
        /// The result.
        result: Result<(), DomException>,
    },
    /// The answer to [`SyncRequest::Tags`] or [`SyncRequest::PeriodicTags`].
    Tags {
        /// Which request.
        request: RequestId,
        /// The tags in order of registration, or what is wrong.
        result: Result<Vec<DomString>, DomException>,
    },
}
