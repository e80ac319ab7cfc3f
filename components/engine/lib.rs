//! Puts the components together: what an embedder depends on.
//!
//! A [`Builder`] takes what belongs to the embedder (the clock, the profile, the source of network
//! changes, the permission policy) and starts an [`Engine`]: the store, the network monitor, HTTP,
//! IndexedDB, the caches, the service worker registrations and the sync manager, each on its thread. The
//! embedder's [`WorkerHost`](sw_traits::WorkerHost) runs the service workers; nothing here knows of
//! a script engine.
//!
//! An engine whose threads have started is complete: what its profile holds fires when it is due,
//! with no page open.

mod builder;
mod identity_key;
mod loader;
mod permissions;

use std::path::PathBuf;
use std::sync::Arc;

use base::channel::{Callback, bounded};
use base::time::Clock;
use cache_storage::{CacheStorageHandle, CacheStorageThread};
use indexed_db::{IndexedDbHandle, IndexedDbThread};
use net::{Net, NetHandle};
use net_monitor::NetworkMonitor;
use network_traits::NetworkMonitorHandle;
use storage::{Location, OpenReport, Store};
use sw_registration::SwRegistrationThread;
use sw_traits::SwRegistrationHandle;
use sync_manager::SyncManagerThread;
use sync_traits::{LogEntry, SyncManagerHandle};

pub use builder::{Builder, StartError};
pub use permissions::{
    PermissionDecision, PermissionDefaults, PermissionError, Permissions, stored_permissions,
};

/// One handle per component. Clones are handles of the same components.
#[derive(Clone)]
pub struct Handles {
    /// Service worker registrations.
    pub service_workers: SwRegistrationHandle,
    /// Background Sync.
    pub sync: SyncManagerHandle,
    /// HTTP fetch.
    pub net: NetHandle,
    /// Caches of requests and responses.
    pub caches: CacheStorageHandle,
    /// IndexedDB.
    pub indexed_db: IndexedDbHandle,
    /// The network monitor.
    pub network: NetworkMonitorHandle,
    /// Who may use Background Sync.
    pub permissions: Permissions,
    /// The embedder's clock.
    pub clock: Arc<dyn Clock>,
}

/// What an engine found when it started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// The profile folder; none when the profile is in memory.
    pub profile: Option<PathBuf>,
    /// How many service worker registrations the profile holds.
    pub registrations: usize,
    /// How many sync registrations the profile holds.
    pub syncs: usize,
    /// What opening the profile had to repair, and what does not work, in words for people.
    pub repairs: Vec<String>,
}

/// A running engine.
pub struct Engine {
    handles: Handles,
    location: Location,
    open_report: OpenReport,
    source_error: Option<String>,
    // Stopped from top to bottom: first who causes work, last who does it.
    sync: SyncManagerThread,
    service_workers: SwRegistrationThread,
    caches: CacheStorageThread,
    indexed_db: IndexedDbThread,
    net: Net,
    monitor: NetworkMonitor,
    store: Store,
}

impl Engine {
    /// The handles of the components.
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// Who may use Background Sync, and the way to decide it.
    pub fn permissions(&self) -> &Permissions {
        &self.handles.permissions
    }

    /// Tell every component that the clock was moved, or that the machine has slept: what has come
    /// due meanwhile happens now, and not when a timer notices.
    pub fn time_changed(&self) {
        // Each component is there as long as the engine is.
        let _ = self.handles.sync.time_changed();
        let _ = self.handles.service_workers.time_changed();
        self.handles.network.time_changed();
    }

    /// The event log of the sync manager as it is on disk, oldest entry first.
    ///
    /// # Errors
    ///
    /// When the profile cannot be read, in words for people.
    pub fn sync_log(&self) -> Result<Vec<LogEntry>, String> {
        sync_manager::read::log(&self.store).map_err(|error| error.to_string())
    }

    /// What the engine found in its profile.
    pub fn summary(&self) -> Summary {
        let registrations = wait_for(|done| {
            // Without an answer there are none.
            let _ = self.handles.service_workers.snapshot(done);
        });
        let syncs = wait_for(|done| {
            let _ = self.handles.sync.snapshot(done);
        });
        Summary {
            profile: match &self.location {
                Location::Folder(folder) => Some(folder.clone()),
                Location::Memory => None,
            },
            registrations: registrations.map_or(0, |registrations: Vec<_>| registrations.len()),
            syncs: syncs.map_or(0, |syncs: Vec<_>| syncs.len()),
            repairs: self.repairs(),
        }
    }

    fn repairs(&self) -> Vec<String> {
        let report = &self.open_report;
        let mut repairs = Vec::new();
        let mut tell = |count: u64, what: &str| {
            if count > 0 {
                repairs.push(format!("{count} {what}"));
            }
        };
        tell(
            report.unfinished_snapshots_removed as u64,
            "unfinished snapshot(s) removed",
        );
        tell(
            report.snapshots_set_aside as u64,
            "unreadable snapshot(s) set aside",
        );
        tell(
            report.lost_commits,
            "commit(s) lost, because files of the profile were damaged",
        );
        tell(report.quarantined, "unreadable record(s) in quarantine");
        repairs.extend(self.source_error.clone());
        repairs
    }

    /// Stop the components in order: no event is dispatched any more, the workers end, what is to
    /// be written is written, the profile is free for the next one.
    pub fn shut_down(self) {
        let Self {
            sync,
            service_workers,
            caches,
            indexed_db,
            net,
            monitor,
            store,
            ..
        } = self;
        drop(sync);
        drop(service_workers);
        drop(caches);
        drop(indexed_db);
        drop(net);
        drop(monitor);
        store.close();
    }
}

/// Wait for the one answer to a question. Nothing when its component ends without an answer.
fn wait_for<T: Send + 'static>(ask: impl FnOnce(Callback<T>)) -> Option<T> {
    let (sender, receiver) = bounded(1);
    ask(Callback::to_sender(&sender, |answer| answer));
    drop(sender);
    receiver.recv().ok()
}
