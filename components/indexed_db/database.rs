//! One database: its connections and the order of its transactions.

mod queue;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::exception::{DomException, DomExceptionName};
use base::ids::{ClientId, CommitId};

use crate::engine::Context;
use crate::format::DatabaseRecord;
use crate::message::IndexedDbEvent;
use crate::transaction::{Source, State, Step, Transaction, unknown};
use crate::types::{ConnectionId, DatabaseKey, Name, TransactionId, TransactionMode, display_name};

pub(crate) use self::queue::{Kind, OpenRequest};

pub(crate) struct Database {
    key: DatabaseKey,
    /// As it is stored; nothing when there is no such database.
    record: Option<DatabaseRecord>,
    /// <https://w3c.github.io/IndexedDB/#connection-queue>
    queue: VecDeque<OpenRequest>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Those that are not finished, in the order in which they were created.
    transactions: BTreeMap<u64, Transaction>,
}

struct Connection {
    client: ClientId,
    /// It is closed as soon as its transactions are finished.
    close_pending: bool,
}

impl Database {
    pub(crate) fn new(key: DatabaseKey, record: Option<DatabaseRecord>) -> Self {
        Self {
            key,
            record,
            queue: VecDeque::new(),
            connections: BTreeMap::new(),
            transactions: BTreeMap::new(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.connections.is_empty() && self.transactions.is_empty()
    }

    /// Whether a connection is this client's.
    pub(crate) fn is_of(&self, connection: ConnectionId, client: ClientId) -> bool {
        self.connections
            .get(&connection)
            .is_some_and(|connection| connection.client == client)
    }

    pub(crate) fn close(&mut self, id: ConnectionId, context: &mut Context) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.close_pending = true;
        }
        self.remove_if_closed(id, context);
        self.advance_queue(context);
    }

    /// A connection is closed when it wants to be and has no transactions any more.
    fn remove_if_closed(&mut self, id: ConnectionId, context: &mut Context) {
        let closing = self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.close_pending);
        if closing
            && !self
                .transactions
                .values()
                .any(|transaction| transaction.connection == id)
        {
            self.connections.remove(&id);
            context.connections.remove(&id);
        }
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-transaction>
    pub(crate) fn create_transaction(
        &mut self,
        id: (ClientId, TransactionId),
        connection: ConnectionId,
        scope: &[Name],
        mode: TransactionMode,
        context: &mut Context,
    ) -> Result<(), DomException> {
        let invalid_state = |message: &str| {
            Err(DomException::new(
                DomExceptionName::InvalidStateError,
                message,
            ))
        };
        let open = self
            .connections
            .get(&connection)
            .is_some_and(|open| !open.close_pending);
        let (Some(record), true) = (&self.record, open) else {
            return invalid_state("the connection is closed");
        };
        if self
            .transactions
            .values()
            .any(|transaction| transaction.upgrade.is_some())
        {
            return invalid_state("the database is being upgraded");
        }
        if mode == TransactionMode::VersionChange {
            return Err(DomException::type_error("this mode cannot be asked for"));
        }
        if scope.is_empty() {
            let message = "a transaction needs an object store";
            return Err(DomException::new(
                DomExceptionName::InvalidAccessError,
                message,
            ));
        }
        let mut ids = Vec::new();
        for name in scope {
            let Some(store) = record.object_store(name) else {
                let message = format!("there is no object store \"{}\"", display_name(name));
                return Err(DomException::new(DomExceptionName::NotFoundError, message));
            };
            ids.push(store.id);
        }
        let order = context.new_transaction(id, &self.key);
        self.transactions
            .insert(order, Transaction::new(id, connection, mode, ids, None));
        self.start_transactions(context);
        Ok(())
    }

    /// Start what can be started, do what was asked of it, and again if that finished something.
    ///
    /// <https://w3c.github.io/IndexedDB/#transaction-scheduling>
    fn start_transactions(&mut self, context: &mut Context) {
        loop {
            let startable = self.startable();
            let before = self.transactions.len();
            for order in startable {
                let Some(transaction) = self.transactions.get_mut(&order) else {
                    continue;
                };
                transaction.state = State::Started;
                self.perform_waiting(order, context);
            }
            if self.transactions.len() == before {
                return;
            }
        }
    }

    /// A transaction can start when no earlier one that is not finished is in its way: for a
    /// reading one these are the writing ones with an object store in common, for a writing one
    /// all with an object store in common.
    fn startable(&self) -> Vec<u64> {
        let mut read = BTreeSet::new();
        let mut written = BTreeSet::new();
        let mut startable = Vec::new();
        for (order, transaction) in &self.transactions {
            let writes = transaction.mode != TransactionMode::ReadOnly;
            let blocked = transaction
                .scope
                .iter()
                .any(|store| written.contains(store) || (writes && read.contains(store)));
            if transaction.state == State::Waiting && !blocked {
                startable.push(*order);
            }
            let held = if writes { &mut written } else { &mut read };
            held.extend(transaction.scope.iter().copied());
        }
        startable
    }

    /// Do something in a transaction, now or when it starts. Says whether that is possible.
    pub(crate) fn step(&mut self, order: u64, step: Step, context: &mut Context) -> bool {
        let Some(transaction) = self.transactions.get_mut(&order) else {
            return false;
        };
        match transaction.state {
            State::Committing(_) => return false,
            // Bounded by the memory of the script that asks.
            State::Waiting => transaction.waiting.push_back(step),
            // So does this one.
            State::Started if transaction.must_wait(&step) => {
                transaction.waiting.push_back(step);
            }
            State::Started => {
                self.perform(order, step, context);
                self.perform_waiting(order, context);
                self.settle(context);
            }
        }
        true
    }

    fn perform_waiting(&mut self, order: u64, context: &mut Context) {
        while let Some(transaction) = self.transactions.get_mut(&order)
            && let Some(step) = transaction.next_waiting()
        {
            self.perform(order, step, context);
        }
    }

    fn perform(&mut self, order: u64, step: Step, context: &mut Context) {
        let Some(transaction) = self.transactions.get_mut(&order) else {
            return;
        };
        match step {
            Step::Commit => self.commit(order, context),
            Step::Operate(request, operation) => {
                let source = Source {
                    store: &context.store,
                    record: self.record.as_ref(),
                };
                let result = transaction.execute(&source, operation);
                let (client, transaction) = (transaction.client, transaction.id);
                context.send(
                    client,
                    IndexedDbEvent::Answer {
                        transaction,
                        request,
                        result,
                    },
                );
            }
        }
    }

    /// <https://w3c.github.io/IndexedDB/#commit-a-transaction>
    fn commit(&mut self, order: u64, context: &mut Context) {
        let Some(transaction) = self.transactions.get_mut(&order) else {
            return;
        };
        if matches!(transaction.state, State::Committing(_)) {
            return;
        }
        let stored = self.record.as_ref().map(|record| record.id);
        let database = transaction
            .upgrade
            .as_ref()
            .map(|upgrade| upgrade.schema.id)
            .or(stored);
        let batch = context
            .next_database_id()
            .map_err(|error| unknown(error.to_string()))
            .and_then(|next_id| {
                let database = database.unwrap_or_default();
                let batch = transaction.batch(&self.key, database, next_id);
                batch.map_err(|error| unknown(error.to_string()))
            });
        match batch {
            Err(error) => self.finish(order, Err(Some(error)), context),
            Ok(batch) if batch.is_empty() => self.finish(order, Ok(()), context),
            Ok(batch) => transaction.state = State::Committing(context.commit(&self.key, batch)),
        }
    }

    /// Abort a transaction, unless it is committing.
    ///
    /// <https://w3c.github.io/IndexedDB/#abort-a-transaction>
    pub(crate) fn abort(&mut self, order: u64, error: Option<DomException>, context: &mut Context) {
        let state = self
            .transactions
            .get(&order)
            .map(|transaction| transaction.state);
        if matches!(state, Some(State::Waiting | State::Started)) {
            self.finish(order, Err(error), context);
            self.settle(context);
        }
    }

    /// The store has answered.
    pub(crate) fn committed(
        &mut self,
        commit: CommitId,
        result: Result<(), DomException>,
        context: &mut Context,
    ) {
        let committing = |transaction: &Transaction| transaction.state == State::Committing(commit);
        let order = self
            .transactions
            .iter()
            .find(|(_, transaction)| committing(transaction));
        if let Some(order) = order.map(|(order, _)| *order) {
            self.finish(order, result.map_err(Some), context);
        } else if matches!(self.queue.front(), Some(front) if front.is_deleting(commit)) {
            self.finish_deletion(result, context);
        }
        self.settle(context);
    }

    /// A transaction is over.
    fn finish(
        &mut self,
        order: u64,
        result: Result<(), Option<DomException>>,
        context: &mut Context,
    ) {
        let Some(transaction) = self.transactions.remove(&order) else {
            return;
        };
        let Transaction {
            client,
            id,
            connection,
            upgrade,
            ..
        } = transaction;
        context.transactions.remove(&(client, id));
        let completed = result.is_ok();
        context.send(
            client,
            match result {
                Ok(()) => IndexedDbEvent::Completed { transaction: id },
                Err(error) => IndexedDbEvent::Aborted {
                    transaction: id,
                    error,
                },
            },
        );
        if let Some(upgrade) = upgrade {
            self.finish_upgrade(upgrade, completed, connection, context);
        }
        self.remove_if_closed(connection, context);
    }

    /// Go on with everything that waited for a transaction to be over.
    fn settle(&mut self, context: &mut Context) {
        self.start_transactions(context);
        self.advance_queue(context);
    }

    /// A client is gone.
    pub(crate) fn detach(&mut self, client: ClientId, context: &mut Context) {
        self.queue
            .retain(|request| !request.can_be_dropped_with(client));
        let connections: Vec<ConnectionId> = self
            .connections
            .iter_mut()
            .filter(|(_, connection)| connection.client == client)
            .map(|(id, connection)| {
                connection.close_pending = true;
                *id
            })
            .collect();
        let unfinished: Vec<u64> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| transaction.client == client)
            .filter(|(_, transaction)| !matches!(transaction.state, State::Committing(_)))
            .map(|(order, _)| *order)
            .collect();
        for order in unfinished {
            self.finish(order, Err(None), context);
        }
        for id in connections {
            self.remove_if_closed(id, context);
        }
        self.settle(context);
    }
}
