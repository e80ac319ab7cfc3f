use std::fmt;
use std::time::Duration;

use base::time::WallTime;
use base::{DomString, StorageKey};
use serde::{Deserialize, Serialize};
use sw_traits::EventOutcome;
use url::Url;

/// One-shot or periodic.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub enum SyncKind {
    /// <https://wicg.github.io/background-sync/spec/#sync-registration>
    #[default]
    OneShot,
    /// <https://wicg.github.io/periodic-background-sync/#periodic-sync-registration>
    Periodic,
}

impl fmt::Display for SyncKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OneShot => "one-shot",
            Self::Periodic => "periodic",
        })
    }
}

/// The state of a sync registration of either kind.
///
/// <https://wicg.github.io/background-sync/spec/#registration-state>,
/// <https://wicg.github.io/periodic-background-sync/#periodic-sync-registration-state>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum SyncRegistrationState {
    /// It fires as soon as the origin can be reached; a periodic one not before its interval is
    /// over.
    Pending,
    /// An attempt failed; it becomes pending when the back-off is over.
    Waiting,
    /// Its event is being handled.
    Firing,
    /// Its event is being handled, and it was registered again meanwhile.
    ReregisteredWhileFiring,
    /// Periodic, and the user no longer engages with the origin enough for it to fire.
    Suspended,
}

impl fmt::Display for SyncRegistrationState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Firing => "firing",
            Self::ReregisteredWhileFiring => "reregistered while firing",
            Self::Suspended => "suspended",
        })
    }
}

/// A sync registration, as an operator sees it.
///
/// <https://wicg.github.io/background-sync/spec/#sync-registration>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncRegistrationInfo {
    /// One-shot or periodic.
    pub kind: SyncKind,
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
    /// The interval of a periodic one, as the page asked for it.
    pub min_interval: Option<Duration>,
    /// When it may fire next, for one that is waiting or periodic.
    pub due: Option<WallTime>,
    /// What holds it back now; `None` while it fires.
    pub held_by: Option<HoldReason>,
}

/// Why a registration does not fire. Part of the stored event log: new reasons come last.
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
    /// There is a network, and whether the origin can be reached on it is being probed.
    Checking,
    /// The origin cannot be reached; it is probed again and again.
    Unreachable,
    /// Periodic: its interval, or the floor of its origin, is not over yet.
    NotDue {
        /// When both are over.
        until: WallTime,
    },
    /// Periodic: another origin had an event too short a time ago.
    AcrossOrigins {
        /// When the floor across origins is over.
        until: WallTime,
    },
    /// Periodic: the user does not engage with the origin enough.
    Suspended,
    /// It may only fire while a window of its origin is open, and none is.
    NoWindow,
    /// There is a network, but it has not been there for as long as the policy asks for.
    Settling,
    /// There is a network, but on its way somebody answers in place of the servers: the user has to
    /// log in first.
    CaptivePortal,
}

impl HoldReason {
    /// Until when it holds at least, for those that end by themselves.
    pub fn until(&self) -> Option<WallTime> {
        match self {
            Self::BackOff { until } | Self::NotDue { until } | Self::AcrossOrigins { until } => {
                Some(*until)
            }
            _ => None,
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkUnknown => {
                formatter.write_str("the state of the network is not known yet")
            }
            Self::Offline => formatter.write_str("waiting for network"),
            Self::Checking => formatter.write_str("finding out whether the server can be reached"),
            Self::Unreachable => {
                formatter.write_str("waiting for the server, which cannot be reached")
            }
            Self::NotDue { .. } => formatter.write_str("not due yet"),
            Self::AcrossOrigins { .. } => {
                formatter.write_str("another site had its turn too short a time ago")
            }
            Self::Suspended => formatter.write_str("suspended: the site is hardly used"),
            Self::NoWindow => formatter.write_str("waiting until a page of the site is open"),
            Self::CaptivePortal => {
                formatter.write_str("waiting for somebody to log in to the network")
            }
            Self::Settling => formatter.write_str("waiting for the network to prove stable"),
            Self::OtherNetwork => formatter.write_str("waiting for its own network"),
            Self::BackOff { .. } => formatter.write_str("in back-off after a failed attempt"),
            Self::Queued => formatter.write_str("queued behind other events"),
            Self::NoActiveWorker => formatter.write_str("no active service worker"),
            Self::Storing => formatter.write_str("being written to disk"),
        }
    }
}

/// Why a registration was removed before it succeeded. Part of the stored event log: new reasons
/// come last.
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
    /// The page unregistered it; only a periodic one can be.
    UnregisteredByPage,
}

impl fmt::Display for DropReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AttemptsExhausted => "its last attempt failed",
            Self::Expired => "it is too old",
            Self::PermissionRevoked => "the permission was revoked",
            Self::Unregistered => "its service worker was unregistered",
            Self::UnregisteredByPage => "the page unregistered it",
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
    /// The kind of the registration.
    pub kind: SyncKind,
    /// Whose registration.
    pub storage_key: StorageKey,
    /// The scope of its service worker registration.
    pub scope: Url,
    /// Its tag.
    pub tag: DomString,
    /// What happened.
    pub event: LogEvent,
}

/// What happened to a sync registration. Part of the stored event log: new events come last.
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
    /// It succeeded, and was removed if it is one-shot.
    Completed,
    /// It was removed without success.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// Which registration somebody asks about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SyncQuestion {
    /// One-shot or periodic.
    pub kind: SyncKind,
    /// Whose it is.
    pub storage_key: StorageKey,
    /// The scope of its service worker registration.
    pub scope: Url,
    /// Its tag.
    pub tag: DomString,
}

/// Why a tag has not fired, and what would make it fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncExplanation {
    /// Which registration was asked about.
    pub question: SyncQuestion,
    /// The registration, if there is one.
    pub registration: Option<SyncRegistrationInfo>,
    /// Everything that holds it back now, what matters first.
    pub held_by: Vec<HoldReason>,
    /// The newest entries of the event log about this tag, oldest first. For one that is not
    /// there they say what became of it.
    pub log: Vec<LogEntry>,
}

/// How much the user engages with an origin: how often its periodic syncs may fire.
///
/// <https://wicg.github.io/periodic-background-sync/#effective-minimum-sync-interval-for-origin>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum Engagement {
    /// Much: the floor of an origin as it is.
    #[default]
    High,
    /// Some: twice the floor.
    Medium,
    /// Little: three times the floor.
    Low,
    /// None: its periodic syncs are suspended until that changes.
    Suspended,
}

/// Decides how often an origin's periodic syncs may fire. Asked on the sync manager's thread, so
/// it may not wait.
pub trait EngagementPolicy: Send {
    /// How much the user engages with the origin.
    fn engagement(&self, storage_key: &StorageKey) -> Engagement;
}

/// Told when something is due next, so that a device may sleep until then.
pub trait WakeUp: Send {
    /// Nothing has to be done before `next`; with `None`, before something happens. Called on the
    /// sync manager's thread, and only when the answer changes. Whoever lets the machine sleep calls
    /// [`SyncManagerHandle::time_changed`](crate::SyncManagerHandle::time_changed) when it wakes up.
    fn next_due(&self, next: Option<WallTime>);
}

/// Decides which origin may use Background Sync. Asked at each registration and before each
/// dispatch, on the sync manager's thread, so it may not wait.
///
/// <https://wicg.github.io/background-sync/spec/#permissions-integration>
pub trait PermissionPolicy: Send {
    /// Whether the origin has the permission `background-sync`.
    fn may_sync(&self, storage_key: &StorageKey) -> bool;

    /// Whether the origin has the permission `periodic-background-sync`. Not unless an embedder
    /// grants it.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#permission>
    fn may_sync_periodically(&self, storage_key: &StorageKey) -> bool {
        let _ = storage_key;
        false
    }
}
