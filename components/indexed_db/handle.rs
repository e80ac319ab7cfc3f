use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, Disconnected, Sender};
use base::ids::{ClientId, IdSource, RequestId};

use crate::message::{ClientRequest, IndexedDbEvent, IndexedDbMessage};
use crate::types::{ConnectionId, Name, Operation, TransactionId, TransactionMode};

/// The IndexedDB component, for trusted code.
#[derive(Clone, Debug)]
pub struct IndexedDbHandle {
    sender: Sender<IndexedDbMessage>,
}

impl IndexedDbHandle {
    /// A handle of the component that receives from this sender's channel.
    pub fn new(sender: Sender<IndexedDbMessage>) -> Self {
        Self { sender }
    }

    /// Let a client use the databases of a storage key, and get the handle that it may use.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn attach_client(
        &self,
        client: ClientId,
        storage_key: StorageKey,
        events: Callback<IndexedDbEvent>,
    ) -> Result<IndexedDbClientHandle, Disconnected> {
        self.sender.send(IndexedDbMessage::AttachClient {
            client,
            storage_key,
            events,
        })?;
        Ok(IndexedDbClientHandle(Arc::new(Attachment {
            sender: self.sender.clone(),
            client,
            ids: IdSource::default(),
        })))
    }

    /// Stop the component after the commits that are on their way.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when it has shut down already.
    pub fn shut_down(&self) -> Result<(), Disconnected> {
        self.sender.send(IndexedDbMessage::Shutdown)
    }
}

/// The IndexedDB component, for one client: it reaches the databases of one storage key, and the
/// connections and transactions of this client, and nothing else. When the last clone is dropped
/// the client is detached: its unfinished transactions are aborted and its connections closed.
///
/// All answers are events; see [`ClientRequest`] for which. Every method fails with
/// [`Disconnected`] when the component has shut down, and with nothing else.
#[derive(Clone, Debug)]
pub struct IndexedDbClientHandle(Arc<Attachment>);

#[derive(Debug)]
struct Attachment {
    sender: Sender<IndexedDbMessage>,
    client: ClientId,
    ids: IdSource,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // When the component is gone there is nothing to detach from.
        let _ = self.sender.send(IndexedDbMessage::DetachClient {
            client: self.client,
        });
    }
}

#[expect(clippy::missing_errors_doc, reason = "said once, on the type")]
impl IndexedDbClientHandle {
    /// Send any request. Whatever ids are in it, it cannot reach what is not this client's.
    pub fn send(&self, request: ClientRequest) -> Result<(), Disconnected> {
        self.0.sender.send(IndexedDbMessage::Client {
            client: self.0.client,
            request,
        })
    }

    fn request(
        &self,
        request: impl FnOnce(RequestId) -> ClientRequest,
    ) -> Result<RequestId, Disconnected> {
        let id = RequestId(self.0.ids.next());
        self.send(request(id))?;
        Ok(id)
    }

    /// Open a connection to a database. The upgrade transaction, should there be one, is named in
    /// [`IndexedDbEvent::UpgradeNeeded`].
    pub fn open(&self, name: Name, version: Option<u64>) -> Result<RequestId, Disconnected> {
        let transaction = TransactionId(self.0.ids.next());
        self.request(|request| ClientRequest::Open {
            request,
            transaction,
            name,
            version,
        })
    }

    /// Delete a database.
    pub fn delete_database(&self, name: Name) -> Result<RequestId, Disconnected> {
        self.request(|request| ClientRequest::DeleteDatabase { request, name })
    }

    /// List the databases.
    pub fn databases(&self) -> Result<RequestId, Disconnected> {
        self.request(|request| ClientRequest::Databases { request })
    }

    /// Close a connection once its transactions are finished.
    pub fn close(&self, connection: ConnectionId) -> Result<(), Disconnected> {
        self.send(ClientRequest::Close { connection })
    }

    /// Say that all handlers of a [`IndexedDbEvent::VersionChange`] have run. Whoever waits for
    /// the connection is only then told that it is blocked.
    pub fn version_change_fired(&self, connection: ConnectionId) -> Result<(), Disconnected> {
        self.send(ClientRequest::VersionChangeFired { connection })
    }

    /// Create a transaction. Operations can be sent at once; they wait until it starts.
    pub fn create_transaction(
        &self,
        connection: ConnectionId,
        scope: Vec<Name>,
        mode: TransactionMode,
    ) -> Result<TransactionId, Disconnected> {
        let transaction = TransactionId(self.0.ids.next());
        self.send(ClientRequest::CreateTransaction {
            transaction,
            connection,
            scope,
            mode,
        })?;
        Ok(transaction)
    }

    /// Do something in a transaction. Operations of a transaction are done in the order in which
    /// they were sent.
    pub fn operate(
        &self,
        transaction: TransactionId,
        operation: Operation,
    ) -> Result<RequestId, Disconnected> {
        self.request(|request| ClientRequest::Operate {
            request,
            transaction,
            operation,
        })
    }

    /// Commit a transaction after everything that was asked of it.
    pub fn commit(&self, transaction: TransactionId) -> Result<(), Disconnected> {
        self.send(ClientRequest::Commit { transaction })
    }

    /// Abort a transaction. It has no effect once the transaction is committing.
    pub fn abort(&self, transaction: TransactionId) -> Result<(), Disconnected> {
        self.send(ClientRequest::Abort { transaction })
    }
}
