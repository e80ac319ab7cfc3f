//! The queue of requests to open or delete a database: versions, `versionchange`, `blocked`,
//! upgrades and deletion.

use std::collections::BTreeSet;

use base::exception::{DomException, DomExceptionName};
use base::ids::{ClientId, CommitId, RequestId};
use storage::Batch;

use super::{Connection, Database};
use crate::engine::Context;
use crate::format::{self, DatabaseRecord};
use crate::message::IndexedDbEvent;
use crate::transaction::{Transaction, Upgrade, unknown};
use crate::types::{ConnectionId, TransactionId, TransactionMode};

/// A request to open or delete a database.
///
/// <https://w3c.github.io/IndexedDB/#open-request>
pub(crate) struct OpenRequest {
    client: ClientId,
    id: RequestId,
    kind: Kind,
    stage: Stage,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Open {
        transaction: TransactionId,
        version: Option<u64>,
    },
    Delete,
}

enum Stage {
    /// It is not its turn.
    Waiting,
    /// These connections have been told, and have not yet said that their handlers have run.
    Notifying(BTreeSet<ConnectionId>),
    /// Until all connections are closed.
    Blocked,
    /// The upgrade transaction runs.
    Upgrading,
    /// The database is being deleted.
    Deleting(CommitId),
}

impl OpenRequest {
    pub(crate) fn new(client: ClientId, id: RequestId, kind: Kind) -> Self {
        Self {
            client,
            id,
            kind,
            stage: Stage::Waiting,
        }
    }

    pub(crate) fn fail(&self, error: DomException, context: &mut Context) {
        let request = self.id;
        let event = match self.kind {
            Kind::Open { .. } => IndexedDbEvent::OpenFailed { request, error },
            Kind::Delete => IndexedDbEvent::DeleteFailed { request, error },
        };
        context.send(self.client, event);
    }

    /// The version that a database of this version is to have; nothing when it is to be deleted.
    fn new_version(&self, current: u64) -> Option<u64> {
        match self.kind {
            Kind::Open { version, .. } => Some(version.unwrap_or(current.max(1))),
            Kind::Delete => None,
        }
    }

    pub(super) fn is_deleting(&self, commit: CommitId) -> bool {
        matches!(self.stage, Stage::Deleting(id) if id == commit)
    }

    /// Whether nothing is left to do for it when its client is gone.
    pub(super) fn can_be_dropped_with(&self, client: ClientId) -> bool {
        let running = matches!(self.stage, Stage::Upgrading | Stage::Deleting(_));
        self.client == client && !running
    }
}

impl Database {
    pub(crate) fn request(&mut self, request: OpenRequest, context: &mut Context) {
        self.queue.push_back(request);
        self.advance_queue(context);
    }

    pub(crate) fn version_change_fired(&mut self, id: ConnectionId, context: &mut Context) {
        if let Some(OpenRequest {
            stage: Stage::Notifying(unfired),
            ..
        }) = self.queue.front_mut()
        {
            unfired.remove(&id);
        }
        self.advance_queue(context);
    }

    /// Go on with the requests to open or delete, one after another, as far as possible.
    pub(super) fn advance_queue(&mut self, context: &mut Context) {
        while let Some(front) = self.queue.front_mut() {
            match &mut front.stage {
                Stage::Waiting => self.start_front(context),
                Stage::Notifying(unfired) => {
                    unfired.retain(|id| self.connections.contains_key(id));
                    if !unfired.is_empty() {
                        return;
                    }
                    if self.connections.is_empty() {
                        self.run_front(context);
                        continue;
                    }
                    front.stage = Stage::Blocked;
                    let old_version = self.record.as_ref().map_or(0, |record| record.version);
                    let new_version = front.new_version(old_version);
                    let request = front.id;
                    let event = IndexedDbEvent::Blocked {
                        request,
                        old_version,
                        new_version,
                    };
                    context.send(front.client, event);
                    return;
                }
                Stage::Blocked if self.connections.is_empty() => self.run_front(context),
                Stage::Blocked | Stage::Upgrading | Stage::Deleting(_) => return,
            }
        }
    }

    /// It is the turn of the first request.
    ///
    /// <https://w3c.github.io/IndexedDB/#open-a-database-connection>,
    /// <https://w3c.github.io/IndexedDB/#delete-a-database>
    fn start_front(&mut self, context: &mut Context) {
        let Some(front) = self.queue.front_mut() else {
            return;
        };
        let (client, request) = (front.client, front.id);
        let old_version = self.record.as_ref().map_or(0, |record| record.version);
        let new_version = front.new_version(old_version);
        match new_version {
            None if self.record.is_none() => {
                self.queue.pop_front();
                context.send(
                    client,
                    IndexedDbEvent::Deleted {
                        request,
                        old_version: 0,
                    },
                );
            }
            Some(0) => {
                front.fail(DomException::type_error("a version is at least 1"), context);
                self.queue.pop_front();
            }
            Some(version) if version < old_version => {
                let message = format!(
                    "version {version} was asked for, but the database has version {old_version}"
                );
                let error = DomException::new(DomExceptionName::VersionError, message);
                front.fail(error, context);
                self.queue.pop_front();
            }
            Some(version) if version == old_version => {
                self.queue.pop_front();
                let Some(record) = &self.record else { return };
                let database = record.info(&self.key.name);
                let connection = self.connect(client, context);
                context.send(
                    client,
                    IndexedDbEvent::Opened {
                        request,
                        connection,
                        database,
                    },
                );
            }
            _ => {
                let mut unfired = BTreeSet::new();
                for (id, connection) in &self.connections {
                    if !connection.close_pending {
                        unfired.insert(*id);
                        let event = IndexedDbEvent::VersionChange {
                            connection: *id,
                            old_version,
                            new_version,
                        };
                        context.send(connection.client, event);
                    }
                }
                front.stage = Stage::Notifying(unfired);
            }
        }
    }

    fn connect(&mut self, client: ClientId, context: &mut Context) -> ConnectionId {
        let id = context.new_connection(&self.key);
        self.connections.insert(
            id,
            Connection {
                client,
                close_pending: false,
            },
        );
        id
    }

    /// No connection is in the way of the first request any more.
    fn run_front(&mut self, context: &mut Context) {
        let Some(front) = self.queue.front_mut() else {
            return;
        };
        match (front.kind, &self.record) {
            (Kind::Open { transaction, .. }, _) => {
                if let Err(error) = self.start_upgrade(transaction, context)
                    && let Some(front) = self.queue.pop_front()
                {
                    front.fail(error, context);
                }
            }
            (Kind::Delete, Some(record)) => {
                let mut batch = Batch::new();
                format::remove_database(&mut batch, &self.key, record.id);
                front.stage = Stage::Deleting(context.commit(&self.key, batch));
            }
            // There was one when it was this request's turn.
            (Kind::Delete, None) => front.stage = Stage::Waiting,
        }
    }

    /// <https://w3c.github.io/IndexedDB/#upgrade-a-database>
    fn start_upgrade(
        &mut self,
        transaction: TransactionId,
        context: &mut Context,
    ) -> Result<(), DomException> {
        let Some(front) = self.queue.front_mut() else {
            return Ok(());
        };
        let (client, request) = (front.client, front.id);
        if context.transactions.contains_key(&(client, transaction)) {
            return Err(unknown("the id of the upgrade transaction is in use"));
        }
        let old_version = self.record.as_ref().map_or(0, |record| record.version);
        let mut schema = match &self.record {
            Some(record) => record.clone(),
            None => DatabaseRecord::new(
                context
                    .new_database_id()
                    .map_err(|error| unknown(error.to_string()))?,
            ),
        };
        schema.version = front.new_version(old_version).unwrap_or(old_version);
        front.stage = Stage::Upgrading;
        let database = schema.info(&self.key.name);
        let connection = self.connect(client, context);
        let id = (client, transaction);
        let order = context.new_transaction(id, &self.key);
        let upgrade = Some(Upgrade::new(request, schema));
        let mode = TransactionMode::VersionChange;
        let upgrade = Transaction::new(id, connection, mode, Vec::new(), upgrade);
        self.transactions.insert(order, upgrade);
        context.send(
            client,
            IndexedDbEvent::UpgradeNeeded {
                request,
                connection,
                transaction,
                old_version,
                database,
            },
        );
        Ok(())
    }

    pub(super) fn finish_deletion(
        &mut self,
        result: Result<(), DomException>,
        context: &mut Context,
    ) {
        let Some(front) = self.queue.pop_front() else {
            return;
        };
        if let Err(error) = result {
            front.fail(error, context);
            return;
        }
        let old_version = self.record.take().map_or(0, |record| record.version);
        let request = front.id;
        context.send(
            front.client,
            IndexedDbEvent::Deleted {
                request,
                old_version,
            },
        );
    }

    /// The last steps of opening a database that had to be upgraded.
    ///
    /// <https://w3c.github.io/IndexedDB/#open-a-database-connection>
    pub(super) fn finish_upgrade(
        &mut self,
        upgrade: Upgrade,
        completed: bool,
        id: ConnectionId,
        context: &mut Context,
    ) {
        if completed {
            self.record = Some(upgrade.schema);
        }
        let Some(front) = self.queue.pop_front() else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match &self.record {
            Some(record) if completed && !connection.close_pending => {
                let database = record.info(&self.key.name);
                let request = upgrade.request;
                let event = IndexedDbEvent::Opened {
                    request,
                    connection: id,
                    database,
                };
                context.send(front.client, event);
            }
            _ => {
                connection.close_pending = true;
                let message = if completed {
                    "the connection was closed while the database was upgraded"
                } else {
                    "the upgrade of the database was aborted"
                };
                front.fail(
                    DomException::new(DomExceptionName::AbortError, message),
                    context,
                );
            }
        }
    }
}
