//! What windows and workers need from outside, and what they report.

use std::fmt::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use base::channel::Callback;
use base::time::Clock;
use cache_storage::CacheStorageHandle;
use indexed_db::IndexedDbHandle;
use net::NetHandle;
use network_traits::NetworkMonitorHandle;
use sw_traits::SwRegistrationHandle;
use sync_traits::{PermissionStates, SyncManagerHandle};
use url::Url;

use crate::bindings::{ConsoleMessage, ExceptionReport};
use crate::event_loop::EventLoops;
use crate::user_agent::UserAgent;

/// The components that scripts reach, with the embedder's clock and limits. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The service worker registrations.
    pub service_workers: SwRegistrationHandle,
    /// The sync manager.
    pub sync: SyncManagerHandle,
    /// The network, for pages, scripts and `fetch()`.
    pub net: NetHandle,
    /// The caches of requests and responses.
    pub caches: CacheStorageHandle,
    /// The databases.
    pub indexed_db: IndexedDbHandle,
    /// What the network is like.
    pub network: NetworkMonitorHandle,
    /// What an origin may do.
    pub permissions: Arc<dyn PermissionStates>,
    /// What time it is. Whoever moves it calls [`EventLoops::time_changed`] then.
    pub clock: Arc<dyn Clock>,
    /// What [`ScriptLimits::task_time_limit`] is measured with: the machine's clock, even if `clock`
    /// is another one that somebody moves.
    pub limit_clock: Arc<dyn Clock>,
    /// The event loops of the windows and workers.
    pub event_loops: EventLoops,
    /// What the windows and workers share among themselves; one for each engine.
    pub user_agent: UserAgent,
    /// Where pages and workers say what happens in them.
    pub report: Callback<ScriptReport>,
    /// What scripts may use.
    pub limits: ScriptLimits,
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Services")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What the scripts of one window or worker may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptLimits {
    /// How long one task may run, its microtasks included, before it is stopped. What
    /// it waits for in between, as `importScripts` does, may take as long again.
    pub task_time_limit: Duration,
    /// Bytes of the engine's heap.
    pub memory_limit: usize,
    /// Bytes of native stack.
    pub stack_size: usize,
    /// How many processors scripts are told of.
    pub processors: NonZeroUsize,
}

impl Default for ScriptLimits {
    /// 10 seconds, 128 MiB, 512 KiB, one processor.
    fn default() -> Self {
        Self {
            task_time_limit: Duration::from_secs(10),
            memory_limit: 128 << 20,
            stack_size: 512 << 10,
            processors: NonZeroUsize::MIN,
        }
    }
}

/// What happened in a page or worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScriptReport {
    /// A page has loaded: its `load` event was fired.
    PageLoaded {
        /// The URL of the document.
        url: Url,
    },
    /// A page could not be shown.
    PageFailed {
        /// The URL that was to be loaded.
        url: Url,
        /// What was wrong, for a web developer.
        error: String,
    },
    /// A page is gone: its window was closed, or another page has taken its place.
    PageClosed {
        /// The URL of the document.
        url: Url,
    },
    /// A script told its console something.
    Console {
        /// Whose script.
        source: ScriptSource,
        /// What it told.
        message: ConsoleMessage,
    },
    /// An exception or rejection that no script handled, a script that could not be loaded, or one
    /// that was stopped.
    ScriptError {
        /// Whose script.
        source: ScriptSource,
        /// The message, then where it happened, on lines of their own.
        text: String,
    },
}

/// Whose script it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScriptSource {
    /// A page's.
    Page {
        /// The URL of the document.
        url: Url,
    },
    /// A worker's.
    Worker {
        /// The URL of its script.
        url: Url,
    },
}

/// An uncaught exception as a developer tools console shows it: the message, and below it where it
/// was thrown.
pub(crate) fn exception_text(report: &ExceptionReport) -> String {
    let mut text = String::new();
    if report.is_rejection {
        text.push_str("Uncaught (in promise) ");
    } else {
        text.push_str("Uncaught ");
    }
    text.push_str(&report.message);
    let stack = report.stack.trim_end();
    if !stack.is_empty() {
        text.push('\n');
        text.push_str(stack);
    } else if report.line > 0 {
        let _ = write!(
            text,
            "\n    at {}:{}:{}",
            report.source_url, report.line, report.column
        );
    }
    text
}
