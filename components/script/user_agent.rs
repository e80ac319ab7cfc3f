//! What the windows and workers of one engine share among themselves, whatever thread they are on.

use std::fmt;

use crate::bindings::Realm;
use crate::blob_urls::{self, BlobUrlStore};
use crate::messaging::broadcast::Broadcasts;
use crate::messaging::router::PortRouter;
use crate::window::host::WindowClients;
use crate::worker::shared::SharedWorkers;
use crate::{messaging, worker};

/// What the windows and workers of one engine share among themselves. Clones are the same.
#[derive(Clone, Default)]
pub struct UserAgent {
    pub(crate) ports: PortRouter,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) blob_urls: BlobUrlStore,
    pub(crate) shared_workers: SharedWorkers,
    pub(crate) windows: WindowClients,
}

impl fmt::Debug for UserAgent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserAgent")
    }
}

/// Ends what a realm that goes away has to do with others: its workers, ports,
/// channels and blob URLs. Waits
/// for the end of its workers' threads.
pub(crate) fn detach(realm: &Realm) {
    worker::owner::detach(realm);
    messaging::detach(realm);
    blob_urls::detach(realm);
}
