use base::StorageKey;
use base::channel::Callback;
use base::exception::DomException;
use base::ids::{ClientId, CommitId, RequestId};
use serde::{Deserialize, Serialize};

use crate::types::{
    Answer, ConnectionId, DatabaseInfo, Name, NameAndVersion, Operation, TransactionId,
    TransactionMode,
};

/// What the IndexedDB component can be told.
#[derive(Debug, Serialize, Deserialize)]
pub enum IndexedDbMessage {
    /// A client may use the databases of a storage key from now on.
    AttachClient {
        /// Who.
        client: ClientId,
        /// Whose databases.
        storage_key: StorageKey,
        /// Where its events go.
        events: Callback<IndexedDbEvent>,
    },
    /// A client is gone: its unfinished transactions are aborted, its connections closed.
    DetachClient {
        /// Who.
        client: ClientId,
    },
    /// Something that an attached client wants.
    Client {
        /// Who.
        client: ClientId,
        /// What.
        request: ClientRequest,
    },
    /// The store has answered.
    Committed {
        /// What was to be made durable.
        commit: CommitId,
        /// How it went.
        result: Result<(), CommitFailure>,
    },
    /// Answer what is on its way to the disk, abort the rest, and end.
    Shutdown,
}

/// Why a commit failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum CommitFailure {
    /// There is not enough room on the disk.
    DiskFull,
    /// Something else, in words.
    Other(String),
}

/// What a client can want.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClientRequest {
    /// Open a connection to a database; answered with [`IndexedDbEvent::Opened`] or
    /// [`IndexedDbEvent::OpenFailed`].
    ///
    /// <https://w3c.github.io/IndexedDB/#open-a-database-connection>
    Open {
        /// Its answer carries the same.
        request: RequestId,
        /// The id of the upgrade transaction, should there be one.
        transaction: TransactionId,
        /// The database.
        name: Name,
        /// The version to upgrade to, at least one; nothing for the one that it has.
        version: Option<u64>,
    },
    /// Delete a database; answered with [`IndexedDbEvent::Deleted`] or
    /// [`IndexedDbEvent::DeleteFailed`].
    ///
    /// <https://w3c.github.io/IndexedDB/#delete-a-database>
    DeleteDatabase {
        /// Its answer carries the same.
        request: RequestId,
        /// The database.
        name: Name,
    },
    /// List the databases; answered with [`IndexedDbEvent::Databases`].
    Databases {
        /// Its answer carries the same.
        request: RequestId,
    },
    /// Close a connection once its transactions are finished.
    ///
    /// <https://w3c.github.io/IndexedDB/#close-a-database-connection>
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// All handlers of a [`IndexedDbEvent::VersionChange`] have run.
    VersionChangeFired {
        /// The connection that got the event.
        connection: ConnectionId,
    },
    /// Create a transaction.
    CreateTransaction {
        /// Its id.
        transaction: TransactionId,
        /// Of which connection.
        connection: ConnectionId,
        /// The names of the object stores.
        scope: Vec<Name>,
        /// Reading, or reading and writing.
        mode: TransactionMode,
    },
    /// Do something in a transaction when it is its turn; answered with
    /// [`IndexedDbEvent::Answer`].
    Operate {
        /// Its answer carries the same.
        request: RequestId,
        /// In which transaction.
        transaction: TransactionId,
        /// What.
        operation: Operation,
    },
    /// Commit a transaction after everything that was asked of it; ends with
    /// [`IndexedDbEvent::Completed`] or [`IndexedDbEvent::Aborted`].
    Commit {
        /// Which.
        transaction: TransactionId,
    },
    /// Abort a transaction; ends with [`IndexedDbEvent::Aborted`].
    Abort {
        /// Which.
        transaction: TransactionId,
    },
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IndexedDbEvent {
    /// A connection is open.
    Opened {
        /// The request to open it.
        request: RequestId,
        /// The connection.
        connection: ConnectionId,
        /// What it is connected to.
        database: DatabaseInfo,
    },
    /// A database has to be upgraded by its upgrade transaction before it is open
    /// (`upgradeneeded`).
    UpgradeNeeded {
        /// The request to open it.
        request: RequestId,
        /// The connection that it will be.
        connection: ConnectionId,
        /// The upgrade transaction, which has started.
        transaction: TransactionId,
        /// The version it had, zero when it is new.
        old_version: u64,
        /// What it is like, already with its new version.
        database: DatabaseInfo,
    },
    /// Other connections stand in the way of an upgrade or a deletion (`blocked`).
    Blocked {
        /// The request to open or delete.
        request: RequestId,
        /// The version it has.
        old_version: u64,
        /// The version it is to have; nothing when it is to be deleted.
        new_version: Option<u64>,
    },
    /// A connection could not be opened.
    OpenFailed {
        /// The request to open it.
        request: RequestId,
        /// Why.
        error: DomException,
    },
    /// A database is deleted, durably.
    Deleted {
        /// The request to delete it.
        request: RequestId,
        /// The version it had, zero when there was none.
        old_version: u64,
    },
    /// A database could not be deleted.
    DeleteFailed {
        /// The request to delete it.
        request: RequestId,
        /// Why.
        error: DomException,
    },
    /// The databases of the storage key.
    Databases {
        /// The request.
        request: RequestId,
        /// The databases, ordered by name.
        result: Result<Vec<NameAndVersion>, DomException>,
    },
    /// Somebody wants to upgrade or delete the database of an open connection (`versionchange`).
    /// To be answered with [`ClientRequest::VersionChangeFired`].
    VersionChange {
        /// The connection that is in the way.
        connection: ConnectionId,
        /// The version it has.
        old_version: u64,
        /// The version it is to have; nothing when it is to be deleted.
        new_version: Option<u64>,
    },
    /// What was asked for in a transaction. A failure does not abort the transaction.
    Answer {
        /// The transaction.
        transaction: TransactionId,
        /// The request.
        request: RequestId,
        /// What it has brought.
        result: Result<Answer, DomException>,
    },
    /// A transaction is finished, and durable.
    Completed {
        /// Which.
        transaction: TransactionId,
    },
    /// A transaction is undone. Requests that are not answered will not be.
    Aborted {
        /// Which.
        transaction: TransactionId,
        /// Why; nothing when the client wanted it.
        error: Option<DomException>,
    },
}
