//! Names of things that live for one run of the engine.
//!
//! None of these may be used as the key of a stored record: records are keyed by storage key,
//! scope and tag.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A service worker client: an environment that runs the scripts of a page or worker.
///
/// <https://html.spec.whatwg.org/multipage/#concept-environment-id>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ClientId(pub Uuid);

impl ClientId {
    /// A new id that nobody can guess, as a page gets to see it.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One end of a message channel, wherever it is at the moment. Who knows it may take the port.
///
/// <https://html.spec.whatwg.org/multipage/#message-ports>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct MessagePortId(pub Uuid);

impl MessagePortId {
    /// A new id that nobody can guess.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for MessagePortId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

counted_id! {
    /// One request on one handle; its answer carries the same id.
    RequestId
}
counted_id! {
    /// A service worker registration, as long as the engine runs.
    RegistrationId
}
counted_id! {
    /// A service worker (one version of a registration's script), as long as the engine runs.
    WorkerId
}
counted_id! {
    /// One event handed to one service worker.
    EventId
}
counted_id! {
    /// One batch of writes handed to the store.
    CommitId
}

/// A source of ids that counts up from one; may be shared by threads.
#[derive(Debug, Default)]
pub struct IdSource(AtomicU64);

impl IdSource {
    /// The next number. Never the same twice from one source.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}
