use std::collections::{BTreeMap, VecDeque};

use base::StorageKey;
use base::exception::{DomException, DomExceptionName};
use base::ids::{ClientId, CommitId, RequestId};
use storage::{Batch, ReadError, Store};

use crate::database::{Database, Kind, OpenRequest};
use crate::format;
use crate::message::{ClientRequest, CommitFailure, IndexedDbEvent, IndexedDbMessage};
use crate::transaction::{Step, unknown};
use crate::types::{ConnectionId, DatabaseKey, Name, TransactionId};

/// What an [`IndexedDb`] wants done.
#[derive(Debug)]
pub enum Output {
    /// Tell a client, if it is still there.
    Event {
        /// Whom.
        client: ClientId,
        /// What.
        event: IndexedDbEvent,
    },
    /// Make a batch durable, and answer with [`IndexedDbMessage::Committed`]. Batches are to be
    /// submitted in the order in which they come.
    Commit {
        /// What the answer carries.
        commit: CommitId,
        /// The batch.
        batch: Batch,
    },
}

/// The state of all databases that are in use.
///
/// After every [`handle_message`](Self::handle_message), drain
/// [`poll_output`](Self::poll_output). Nothing depends on time.
pub struct IndexedDb {
    clients: BTreeMap<ClientId, StorageKey>,
    databases: BTreeMap<DatabaseKey, Database>,
    context: Context,
    shutting_down: bool,
}

/// What all databases share.
pub(crate) struct Context {
    pub(crate) store: Store,
    outputs: VecDeque<Output>,
    /// Where transactions that are not finished are.
    pub(crate) transactions: BTreeMap<(ClientId, TransactionId), (DatabaseKey, u64)>,
    /// Where connections are.
    pub(crate) connections: BTreeMap<ConnectionId, DatabaseKey>,
    /// Whose commits are on their way.
    commits: BTreeMap<CommitId, DatabaseKey>,
    next_commit: u64,
    next_connection: u64,
    next_transaction: u64,
    /// Nothing until it was read from the store.
    next_database_id: Option<u64>,
}

impl Context {
    pub(crate) fn send(&mut self, client: ClientId, event: IndexedDbEvent) {
        self.outputs.push_back(Output::Event { client, event });
    }

    pub(crate) fn commit(&mut self, key: &DatabaseKey, batch: Batch) -> CommitId {
        self.next_commit += 1;
        let commit = CommitId(self.next_commit);
        self.commits.insert(commit, key.clone());
        self.outputs.push_back(Output::Commit { commit, batch });
        commit
    }

    pub(crate) fn new_connection(&mut self, key: &DatabaseKey) -> ConnectionId {
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        self.connections.insert(connection, key.clone());
        connection
    }

    /// The place of a new transaction in the order of all.
    pub(crate) fn new_transaction(
        &mut self,
        id: (ClientId, TransactionId),
        key: &DatabaseKey,
    ) -> u64 {
        self.next_transaction += 1;
        self.transactions
            .insert(id, (key.clone(), self.next_transaction));
        self.next_transaction
    }

    /// The id that the next new database gets, as of now.
    pub(crate) fn next_database_id(&mut self) -> Result<u64, ReadError> {
        if let Some(id) = self.next_database_id {
            return Ok(id);
        }
        let id = format::read_next_database_id(&self.store)?;
        self.next_database_id = Some(id);
        Ok(id)
    }

    pub(crate) fn new_database_id(&mut self) -> Result<u64, ReadError> {
        let id = self.next_database_id()?;
        self.next_database_id = Some(id + 1);
        Ok(id)
    }
}

impl IndexedDb {
    /// The databases in a store. No other may use them at the same time.
    pub fn new(store: Store) -> Self {
        Self {
            clients: BTreeMap::new(),
            databases: BTreeMap::new(),
            context: Context {
                store,
                outputs: VecDeque::new(),
                transactions: BTreeMap::new(),
                connections: BTreeMap::new(),
                commits: BTreeMap::new(),
                next_commit: 0,
                next_connection: 0,
                next_transaction: 0,
                next_database_id: None,
            },
            shutting_down: false,
        }
    }

    /// Something happened.
    pub fn handle_message(&mut self, message: IndexedDbMessage) {
        match message {
            IndexedDbMessage::Committed { commit, result } => self.committed(commit, result),
            _ if self.shutting_down => {}
            IndexedDbMessage::AttachClient {
                client,
                storage_key,
                ..
            } => {
                self.detach(client);
                self.clients.insert(client, storage_key);
            }
            IndexedDbMessage::DetachClient { client } => self.detach(client),
            IndexedDbMessage::Client { client, request } => {
                // A client that was detached may still have sent something.
                if let Some(storage_key) = self.clients.get(&client) {
                    let storage_key = storage_key.clone();
                    self.client_request(client, storage_key, request);
                }
            }
            IndexedDbMessage::Shutdown => {
                for client in self.clients.keys().copied().collect::<Vec<_>>() {
                    self.detach(client);
                }
                self.shutting_down = true;
            }
        }
    }

    /// What to do now, until there is nothing more to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// Whether it was shut down and nothing is on its way any more.
    pub fn has_ended(&self) -> bool {
        self.shutting_down && self.context.commits.is_empty()
    }

    fn client_request(
        &mut self,
        client: ClientId,
        storage_key: StorageKey,
        request: ClientRequest,
    ) {
        match request {
            ClientRequest::Open {
                request,
                transaction,
                name,
                version,
            } => {
                let kind = Kind::Open {
                    transaction,
                    version,
                };
                self.open_or_delete(storage_key, name, OpenRequest::new(client, request, kind));
            }
            ClientRequest::DeleteDatabase { request, name } => {
                let request = OpenRequest::new(client, request, Kind::Delete);
                self.open_or_delete(storage_key, name, request);
            }
            ClientRequest::Databases { request } => {
                let result =
                    format::read_databases(&self.context.store, &storage_key).map_err(unknown);
                self.context
                    .send(client, IndexedDbEvent::Databases { request, result });
            }
            ClientRequest::Close { connection } => {
                self.with_connection(client, connection, |database, context| {
                    database.close(connection, context);
                });
            }
            ClientRequest::VersionChangeFired { connection } => {
                self.with_connection(client, connection, |database, context| {
                    database.version_change_fired(connection, context);
                });
            }
            ClientRequest::CreateTransaction {
                transaction,
                connection,
                scope,
                mode,
            } => {
                let id = (client, transaction);
                if self.context.transactions.contains_key(&id) {
                    log::warn!("client {client} has used the id of a transaction twice");
                    return;
                }
                let created = self.with_connection(client, connection, |database, context| {
                    database.create_transaction(id, connection, &scope, mode, context)
                });
                if let Some(error) = created.unwrap_or_else(|| Err(no_connection())).err() {
                    let error = Some(error);
                    self.context
                        .send(client, IndexedDbEvent::Aborted { transaction, error });
                }
            }
            ClientRequest::Operate {
                request,
                transaction,
                operation,
            } => {
                let step = Step::Operate(request, operation);
                if !self.step(client, transaction, step) {
                    self.refuse(client, transaction, request);
                }
            }
            ClientRequest::Commit { transaction } => {
                self.step(client, transaction, Step::Commit);
            }
            ClientRequest::Abort { transaction } => {
                self.with_transaction(client, transaction, |database, order, context| {
                    database.abort(order, None, context);
                });
            }
        }
    }

    fn open_or_delete(&mut self, storage_key: StorageKey, name: Name, request: OpenRequest) {
        let key = DatabaseKey { storage_key, name };
        let mut database = match self.databases.remove(&key) {
            Some(database) => database,
            None => match format::read_database(&self.context.store, &key) {
                Ok(record) => Database::new(key.clone(), record),
                Err(detail) => {
                    log::error!("the database {key} cannot be read: {detail}");
                    request.fail(unknown(detail), &mut self.context);
                    return;
                }
            },
        };
        database.request(request, &mut self.context);
        self.put_back(key, database);
    }

    /// Keep a database in memory as long as it is in use.
    fn put_back(&mut self, key: DatabaseKey, database: Database) {
        if !database.is_idle() {
            self.databases.insert(key, database);
        }
    }

    fn with_database<T>(
        &mut self,
        key: DatabaseKey,
        act: impl FnOnce(&mut Database, &mut Context) -> T,
    ) -> Option<T> {
        let mut database = self.databases.remove(&key)?;
        let result = act(&mut database, &mut self.context);
        self.put_back(key, database);
        Some(result)
    }

    /// Nothing when there is no such connection, or it is not the client's.
    fn with_connection<T>(
        &mut self,
        client: ClientId,
        connection: ConnectionId,
        act: impl FnOnce(&mut Database, &mut Context) -> T,
    ) -> Option<T> {
        let key = self.context.connections.get(&connection)?.clone();
        self.databases
            .get(&key)
            .filter(|database| database.is_of(connection, client))?;
        self.with_database(key, act)
    }

    /// Nothing when the client has no such transaction.
    fn with_transaction<T>(
        &mut self,
        client: ClientId,
        transaction: TransactionId,
        act: impl FnOnce(&mut Database, u64, &mut Context) -> T,
    ) -> Option<T> {
        let (key, order) = self
            .context
            .transactions
            .get(&(client, transaction))?
            .clone();
        self.with_database(key, |database, context| act(database, order, context))
    }

    fn step(&mut self, client: ClientId, transaction: TransactionId, step: Step) -> bool {
        self.with_transaction(client, transaction, |database, order, context| {
            database.step(order, step, context)
        })
        .unwrap_or(false)
    }

    fn refuse(&mut self, client: ClientId, transaction: TransactionId, request: RequestId) {
        let message = "the transaction is finished, or there never was one";
        let error = DomException::new(DomExceptionName::TransactionInactiveError, message);
        let result = Err(error);
        self.context.send(
            client,
            IndexedDbEvent::Answer {
                transaction,
                request,
                result,
            },
        );
    }

    fn committed(&mut self, commit: CommitId, result: Result<(), CommitFailure>) {
        let Some(key) = self.context.commits.remove(&commit) else {
            return;
        };
        let result = result.map_err(|failure| match failure {
            CommitFailure::DiskFull => DomException::new(
                DomExceptionName::QuotaExceededError,
                "there is not enough room on the disk",
            ),
            CommitFailure::Other(detail) => unknown(detail),
        });
        self.with_database(key, |database, context| {
            database.committed(commit, result, context);
        });
    }

    fn detach(&mut self, client: ClientId) {
        let Some(storage_key) = self.clients.remove(&client) else {
            return;
        };
        let first = DatabaseKey {
            storage_key: storage_key.clone(),
            name: Name::new(),
        };
        let keys: Vec<DatabaseKey> = self
            .databases
            .range(first..)
            .map(|(key, _)| key.clone())
            .take_while(|key| key.storage_key == storage_key)
            .collect();
        for key in keys {
            self.with_database(key, |database, context| database.detach(client, context));
        }
    }
}

fn no_connection() -> DomException {
    let message = "the connection is closed";
    DomException::new(DomExceptionName::InvalidStateError, message)
}
