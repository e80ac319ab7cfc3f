use std::fmt;

use base::channel::Disconnected;
use base::exception::{DomException, ErrorClass};
use storage::ReadError;
use sync_traits::SyncKind;

/// Why `register()` is rejected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RegisterError {
    /// The service worker registration is not there or has no active worker.
    NoActiveWorker,
    /// The permission for this kind is denied, or was revoked meanwhile.
    PermissionDenied(SyncKind),
    /// The origin has no top-level window.
    NoWindow,
    /// The tag is too long.
    TagTooLong {
        /// How long it is, in bytes of UTF-8.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The service worker registration has as many tags as it may have.
    TooManyTags {
        /// How many it may have.
        limit: usize,
    },
    /// The registrations of the origin take as many bytes as they may take.
    OriginFull {
        /// How many bytes they may take.
        limit: u64,
    },
    /// As many calls of the client wait for their answer as may wait at a time.
    TooManyRequests {
        /// How many may wait.
        limit: usize,
    },
    /// The store could not write, for this reason.
    NotStored(String),
    /// The service worker was unregistered meanwhile.
    Unregistered,
    /// The engine is shutting down.
    ShuttingDown,
}

impl RegisterError {
    /// Who is at fault.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoActiveWorker | Self::Unregistered => ErrorClass::PageState,
            Self::PermissionDenied(_) => ErrorClass::Permission,
            Self::NoWindow | Self::TagTooLong { .. } => ErrorClass::PageMisuse,
            Self::TooManyTags { .. } | Self::OriginFull { .. } | Self::TooManyRequests { .. } => {
                ErrorClass::Quota
            }
            Self::NotStored(_) => ErrorClass::Store,
            Self::ShuttingDown => ErrorClass::EmbedderMisuse,
        }
    }

    /// What the page gets to see.
    pub fn exception(&self) -> DomException {
        self.class().exception(self.to_string())
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoActiveWorker => formatter.write_str(
                "the registration has no active service worker; wait for \
                 navigator.serviceWorker.ready",
            ),
            Self::PermissionDenied(SyncKind::OneShot) => {
                formatter.write_str("the permission \"background-sync\" is denied")
            }
            Self::PermissionDenied(SyncKind::Periodic) => {
                formatter.write_str("the permission \"periodic-background-sync\" is denied")
            }
            Self::NoWindow => formatter.write_str(
                "a sync can be registered only while a top-level window of the origin is open",
            ),
            Self::TagTooLong { length, limit } => write!(
                formatter,
                "the tag takes {length} bytes, more than the limit of {limit} bytes"
            ),
            Self::TooManyTags { limit } => write!(
                formatter,
                "the service worker registration has {limit} tags, which is the limit"
            ),
            Self::OriginFull { limit } => write!(
                formatter,
                "the sync registrations of this origin would take more than the limit of {limit} \
                 bytes"
            ),
            Self::TooManyRequests { limit } => write!(
                formatter,
                "{limit} calls wait for their answer, which is the limit"
            ),
            Self::NotStored(reason) => {
                write!(formatter, "the registration could not be stored: {reason}")
            }
            Self::Unregistered => formatter.write_str("the service worker was unregistered"),
            Self::ShuttingDown => formatter.write_str("the engine is shutting down"),
        }
    }
}

impl std::error::Error for RegisterError {}

/// Why the sync manager could not start. Nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StartError {
    /// What is stored could not be read.
    Store(ReadError),
    /// The network monitor or the service worker registrations have shut down already.
    Component(&'static str),
    /// The system has no thread for it, for this reason.
    Thread(String),
}

impl StartError {
    /// Who is at fault.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(error) => error.class(),
            Self::Component(_) => ErrorClass::EmbedderMisuse,
            Self::Thread(_) => ErrorClass::Internal,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the sync manager could not start: ")?;
        match self {
            Self::Store(error) => error.fmt(formatter),
            Self::Component(name) => write!(formatter, "{name}: {Disconnected}"),
            Self::Thread(reason) => write!(formatter, "no thread for it: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ReadError> for StartError {
    fn from(error: ReadError) -> Self {
        Self::Store(error)
    }
}
