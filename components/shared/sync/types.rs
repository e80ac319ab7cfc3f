use std::fmt;
use std::time::Duration;

use base::time::WallTime;
use base::{DomString, StorageKey};
use serde::{Deserialize, Serialize};
use sw_traits::EventOutcome;
use url::Url;

/// The state of a sync registration.
///
/// <https://wicg.github.io/background-sync/spec/#registration-state>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum SyncRegistrationState {
    /// It fires as soon as the origin can be reached.
    Pending,
    /// An attempt failed; it becomes pending when the back-off is over.
    Waiting,
    /// Its event is being handled.
    Firing,
    /// Its event is being handled, and it was registered again meanwhile.
    ReregisteredWhileFiring,
}

impl fmt::Display for SyncRegistrationState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Firing => "firing",
            Self::ReregisteredWhileFiring => "reregistered while firing",
        })
    }
}

/// A sync registration, as an operator sees it.
///
/// <https://wicg.github.io/background-sync/spec/#sync-registration>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncRegistrationInfo {
    /// Whose it is.
    pub storage_key: StorageKey,
    /// The scope of its service worker registration.
    pub scope: Url,
    /// Its tag.
    pub tag: DomString,
    /// Its state.
    pub state: SyncRegistrationState,
    /// How many attempts were started that count.
    pub attempts: u32,
    /// When it was last registered.
    pub registered: WallTime,
    /// When it may fire next, for one that is waiting.
    pub due: Option<WallTime>,
    /// What holds it back now; `None` while it fires.
    pub held_by: Option<HoldReason>,
}

/// Why a registration does not fire.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum HoldReason {
    /// The state of the network is not known yet.
    NetworkUnknown,
    /// The network is down, or offline is emulated.
    Offline,
    /// It may only fire on the network on which it was registered, and this is another one.
    OtherNetwork,
    /// It is in back-off until this time.
    BackOff {
        /// When the back-off is over.
        until: WallTime,
    },
    /// As many events as the policy allows are in flight.
    Queued,
    /// Its service worker registration has no active worker.
    NoActiveWorker,
    /// The write that must be on disk first has not ended.
    Storing,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkUnknown => {
                formatter.write_str("the state of the network is not known yet")
            }
            Self::Offline => formatter.write_str("waiting for network"),
            Self::OtherNetwork => formatter.write_str("waiting for its own network"),
            Self::BackOff { .. } => formatter.write_str("in back-off after a failed attempt"),
            Self::Queued => formatter.write_str("queued behind other events"),
            Self::NoActiveWorker => formatter.write_str("no active service worker"),
            Self::Storing => formatter.write_str("being written to disk"),
        }
    }
}

/// Why a registration was removed before it succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum DropReason {
    /// Its last attempt failed.
    AttemptsExhausted,
    /// It was registered longer ago than the policy keeps a registration.
    Expired,
    /// The permission was revoked.
    PermissionRevoked,
    /// Its service worker registration was unregistered, or the site's data was cleared.
    Unregistered,
    /// Its stored record cannot be read.
    Unreadable,
}

impl fmt::Display for DropReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AttemptsExhausted => "its last attempt failed",
            Self::Expired => "it is too old",
            Self::PermissionRevoked => "the permission was revoked",
            Self::Unregistered => "its service worker was unregistered",
            Self::Unreadable => "its stored record cannot be read",
        })
    }
}

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Counts up from entry to entry, across restarts. A write that failed leaves a gap.
    pub sequence: u64,
    /// When it happened.
    pub time: WallTime,
    /// Whose registration.
    pub storage_key: StorageKey,
    /// The scope of its service worker registration.
    pub scope: Url,
    /// Its tag.
    pub tag: DomString,
    /// What happened.
    pub event: LogEvent,
}

/// What happened to a sync registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LogEvent {
    /// It was registered.
    Registered,
    /// It was registered again.
    Reregistered {
        /// The state in which the registration found it.
        found: SyncRegistrationState,
    },
    /// It cannot fire now.
    Held {
        /// Why.
        reason: HoldReason,
    },
    /// Its event was handed to the service worker.
    Dispatched {
        /// Which attempt this is, from one.
        attempt: u32,
        /// What the event's `lastChance` says.
        last_chance: bool,
    },
    /// Its event ended.
    Finished {
        /// How.
        outcome: EventOutcome,
        /// How long it took.
        duration: Duration,
        /// Whether the attempt counts; one that failed for want of network does not.
        counted: bool,
    },
    /// It will be tried again.
    RetryScheduled {
        /// When, at the latest.
        due: WallTime,
    },
    /// The engine crashed while the event was handled; the attempt counts.
    Interrupted {
        /// Which attempt it was.
        attempt: u32,
    },
    /// It succeeded and was removed.
    Completed,
    /// It was removed without success.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// Decides which origin may use Background Sync. Asked at each registration and before each
/// dispatch, on the sync manager's thread, so it may not wait.
///
/// <https://wicg.github.io/background-sync/spec/#permissions-integration>
pub trait PermissionPolicy: Send {
    /// Whether the origin has the permission `background-sync`.
    fn may_sync(&self, storage_key: &StorageKey) -> bool;
}
