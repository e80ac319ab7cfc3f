//! A transaction: what it has changed so far, and how an operation is done in it.

mod read;
mod schema;
mod write;

use std::collections::{BTreeMap, VecDeque};

use base::exception::{DomException, DomExceptionName};
use base::ids::{ClientId, CommitId, RequestId};
use storage::{Batch, EncodingError, ReadError, Store, Tree};

use self::read::Cursor;
use self::schema::Population;
use self::write::NewRecord;
use crate::format::{self, DatabaseRecord, ObjectStoreRecord, RECORDS, VERSION};
use crate::records::{Changes, View};
use crate::types::{
    Answer, ConnectionId, CursorDirection, DatabaseKey, Operation, TransactionId, TransactionMode,
    display_name,
};

/// How much a transaction may write.
const MAX_TRANSACTION_BYTES: usize = 256 << 20;

pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) client: ClientId,
    pub(crate) connection: ConnectionId,
    pub(crate) mode: TransactionMode,
    /// The ids of its object stores; without meaning for an upgrade transaction, which has all.
    pub(crate) scope: Vec<u64>,
    pub(crate) state: State,
    /// What to do when it starts.
    pub(crate) waiting: VecDeque<Step>,
    pub(crate) upgrade: Option<Upgrade>,
    /// An index that is being created; nothing else is done until that is finished.
    population: Option<Population>,
    /// By object store and space: the records, or an index.
    changes: BTreeMap<(u64, u8), Changes>,
    /// The current numbers of key generators, where they have changed.
    generators: BTreeMap<u64, u64>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Waiting,
    Started,
    Committing(CommitId),
}

pub(crate) enum Step {
    Operate(RequestId, Operation),
    Commit,
}

/// What an upgrade transaction makes of its database.
pub(crate) struct Upgrade {
    /// The request to open the database.
    pub(crate) request: RequestId,
    pub(crate) schema: DatabaseRecord,
    deleted: Vec<u64>,
}

impl Upgrade {
    pub(crate) fn new(request: RequestId, schema: DatabaseRecord) -> Self {
        Self {
            request,
            schema,
            deleted: Vec::new(),
        }
    }
}

/// Who can read records and descriptions for a transaction.
pub(crate) struct Source<'a> {
    pub(crate) store: &'a Store,
    /// The database as it is stored; nothing when it is new.
    pub(crate) record: Option<&'a DatabaseRecord>,
}

impl Transaction {
    pub(crate) fn new(
        (client, id): (ClientId, TransactionId),
        connection: ConnectionId,
        mode: TransactionMode,
        scope: Vec<u64>,
        upgrade: Option<Upgrade>,
    ) -> Self {
        let state = if upgrade.is_some() {
            State::Started
        } else {
            State::Waiting
        };
        Self {
            id,
            client,
            connection,
            mode,
            scope,
            state,
            waiting: VecDeque::new(),
            upgrade,
            population: None,
            changes: BTreeMap::new(),
            generators: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Whether a step has to wait although the transaction has started.
    pub(crate) fn must_wait(&self, step: &Step) -> bool {
        self.population.is_some()
            && !matches!(step, Step::Operate(_, Operation::IndexRecords { .. }))
    }

    /// The next step that has waited, as soon as it does not have to any more.
    pub(crate) fn next_waiting(&mut self) -> Option<Step> {
        let front = self.waiting.front()?;
        if self.must_wait(front) {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Do an operation now.
    pub(crate) fn execute(
        &mut self,
        source: &Source<'_>,
        operation: Operation,
    ) -> Result<Answer, DomException> {
        match operation {
            Operation::CreateObjectStore(info) => self.create_object_store(info),
            Operation::DeleteObjectStore { name } => self.delete_object_store(&name),
            Operation::RenameObjectStore { from, to } => self.rename_object_store(&from, to),
            Operation::CreateIndex { store, index } => self.create_index(source, store, index),
            Operation::IndexRecords { keys } => self.index_records(source, keys),
            Operation::DeleteIndex { store, name } => self.delete_index(&store, &name),
            Operation::RenameIndex { store, from, to } => self.rename_index(&store, &from, to),
            Operation::Put {
                store,
                key,
                value,
                no_overwrite,
                index_keys,
            } => {
                let record = NewRecord {
                    key,
                    value,
                    no_overwrite,
                    index_keys,
                };
                self.put(source, &store, record)
            }
            Operation::Delete { store, range } => self.delete(source, &store, &range),
            Operation::Clear { store } => self.clear(source, &store),
            Operation::Get {
                store,
                index,
                range,
                key_only,
            } => {
                let place = (&store[..], index.as_ref());
                let direction = CursorDirection::Next;
                let first = self.retrieve(source, place, &range, direction, key_only, 1)?;
                Ok(Answer::Record(first.into_iter().next()))
            }
            Operation::GetAll {
                store,
                index,
                range,
                direction,
                count,
                key_only,
            } => {
                // Zero is no limit.
                let count = count
                    .filter(|count| *count > 0)
                    .map_or(usize::MAX, to_usize);
                let place = (&store[..], index.as_ref());
                let records = self.retrieve(source, place, &range, direction, key_only, count)?;
                Ok(Answer::Records(records))
            }
            Operation::Count {
                store,
                index,
                range,
            } => self.count(source, (&store[..], index.as_ref()), &range),
            Operation::IterateCursor {
                store,
                index,
                range,
                direction,
                position,
                target,
                count,
                key_only,
            } => {
                let cursor = Cursor {
                    direction,
                    position: position.map(|position| *position),
                    target: target.map(|target| *target),
                    count,
                };
                let place = (&store[..], index.as_ref());
                self.iterate_cursor(source, place, &range, cursor, key_only)
            }
        }
    }

    fn schema<'a>(&'a self, source: &Source<'a>) -> Option<&'a DatabaseRecord> {
        self.upgrade
            .as_ref()
            .map(|upgrade| &upgrade.schema)
            .or(source.record)
    }

    /// The database's id and the object store of a name that is in scope.
    fn object_store<'a>(
        &'a self,
        source: &Source<'a>,
        name: &[u16],
    ) -> Result<(u64, &'a ObjectStoreRecord), DomException> {
        self.schema(source)
            .and_then(|schema| Some((schema.id, schema.object_store(name)?)))
            .filter(|(_, store)| self.upgrade.is_some() || self.scope.contains(&store.id))
            .ok_or_else(|| no_object_store(name))
    }

    /// The records of an object store.
    fn view<'a>(&'a self, source: &Source<'a>, database: u64, object_store: u64) -> View<'a> {
        self.space(source, (database, object_store), RECORDS)
    }

    /// One of the spaces of an object store, such as an index.
    fn space<'a>(
        &'a self,
        source: &Source<'a>,
        (database, object_store): (u64, u64),
        space: u8,
    ) -> View<'a> {
        View {
            store: source.store,
            prefix: format::space_prefix(database, object_store, space),
            changes: self.changes.get(&(object_store, space)),
        }
    }

    /// Take everything that the transaction changed, as one batch.
    pub(crate) fn batch(
        &mut self,
        key: &DatabaseKey,
        database: u64,
        next_database_id: u64,
    ) -> Result<Batch, EncodingError> {
        let mut batch = Batch::new();
        if let Some(upgrade) = &self.upgrade {
            for deleted in &upgrade.deleted {
                format::remove_object_store(&mut batch, database, *deleted);
            }
            let database_key = format::database_key(key);
            let version = upgrade.schema.format_version();
            batch.put_record(Tree::IndexedDb, &database_key, version, &upgrade.schema)?;
            let next_key = format::next_database_id_key();
            batch.put_record(Tree::IndexedDb, &next_key, VERSION, &next_database_id)?;
        }
        for ((object_store, space), changes) in std::mem::take(&mut self.changes) {
            let prefix = format::space_prefix(database, object_store, space);
            if changes.cleared {
                batch.remove_prefix(Tree::IndexedDb, &prefix);
            }
            for (key, value) in changes.records {
                let key = [&prefix, &key[..]].concat();
                match value {
                    Some(value) => batch.put(Tree::IndexedDb, &key, VERSION, value),
                    None => batch.remove(Tree::IndexedDb, &key),
                }
            }
        }
        for (object_store, number) in &self.generators {
            let key = format::generator_key(database, *object_store);
            batch.put_record(Tree::IndexedDb, &key, VERSION, number)?;
        }
        Ok(batch)
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn not_found(message: String) -> DomException {
    DomException::new(DomExceptionName::NotFoundError, message)
}

fn no_object_store(name: &[u16]) -> DomException {
    not_found(format!(
        "there is no object store \"{}\" in the transaction",
        display_name(name)
    ))
}

pub(crate) fn unknown(message: impl Into<String>) -> DomException {
    DomException::new(DomExceptionName::UnknownError, message)
}

pub(crate) fn unreadable(error: ReadError) -> DomException {
    error.class().exception(error.to_string())
}

fn undecodable(error: EncodingError) -> DomException {
    error.class().exception(error.to_string())
}
