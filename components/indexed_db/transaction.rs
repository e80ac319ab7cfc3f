//! A transaction: what it has changed so far, and how an operation is done in it.

use std::collections::{BTreeMap, VecDeque};

use base::exception::{DomException, DomExceptionName};
use base::ids::{ClientId, CommitId, RequestId};
use storage::{Batch, EncodingError, ReadError, Store, Tree};

use crate::format::{self, DatabaseRecord, ObjectStoreRecord, VERSION};
use crate::key::{InvalidKey, Key};
use crate::key_range::KeyRange;
use crate::records::{Changes, View};
use crate::types::{
    Answer, ConnectionId, CursorDirection, DatabaseKey, Name, ObjectStoreInfo, Operation, Record,
    TransactionId, TransactionMode, constraint_error, data_error, display_name,
};

/// How much a transaction may write.
const MAX_TRANSACTION_BYTES: usize = 256 << 20;
/// The largest number that a key generator makes.
///
/// <https://w3c.github.io/IndexedDB/#key-generator-construct>
const LAST_GENERATED: u64 = 1 << 53;

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
    changes: BTreeMap<u64, Changes>,
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
            changes: BTreeMap::new(),
            generators: BTreeMap::new(),
            bytes: 0,
        }
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
            Operation::Put {
                store,
                key,
                value,
                no_overwrite,
            } => self.put(source, &store, key, value, no_overwrite),
            Operation::Get {
                store,
                range,
                key_only,
            } => {
                let first = self.records(source, &store, &range, true, key_only, 1)?;
                Ok(Answer::Record(first.into_iter().next()))
            }
            Operation::GetAll {
                store,
                range,
                count,
                key_only,
            } => {
                // Zero is no limit.
                let count = count
                    .filter(|count| *count > 0)
                    .map_or(usize::MAX, to_usize);
                let records = self.records(source, &store, &range, true, key_only, count)?;
                Ok(Answer::Records(records))
            }
            Operation::Count { store, range } => self.count(source, &store, &range),
            Operation::Delete { store, range } => self.delete(source, &store, &range),
            Operation::Clear { store } => self.clear(source, &store),
            Operation::IterateCursor {
                store,
                range,
                direction,
                position,
                key,
                count,
                key_only,
            } => {
                let range = remaining(range, direction, position, key);
                let forward = direction.is_forward();
                let count = to_usize(count.max(1));
                let mut records = self.records(source, &store, &range, forward, key_only, count)?;
                let reached = if records.len() < count {
                    None
                } else {
                    records.pop()
                };
                Ok(Answer::Record(reached))
            }
        }
    }

    fn schema<'a>(&'a self, source: &Source<'a>) -> Option<&'a DatabaseRecord> {
        self.upgrade
            .as_ref()
            .map(|upgrade| &upgrade.schema)
            .or(source.record)
    }

    /// The database and object store ids of a name that is in scope.
    fn object_store<'a>(
        &'a self,
        source: &Source<'a>,
        name: &[u16],
    ) -> Result<(u64, &'a ObjectStoreRecord), DomException> {
        self.schema(source)
            .and_then(|schema| Some((schema.id, schema.object_store(name)?)))
            .filter(|(_, store)| self.upgrade.is_some() || self.scope.contains(&store.id))
            .ok_or_else(|| not_found(name))
    }

    fn writable<'a>(
        &'a self,
        source: &Source<'a>,
        name: &[u16],
    ) -> Result<(u64, &'a ObjectStoreRecord), DomException> {
        if self.mode == TransactionMode::ReadOnly {
            let message = "the transaction is read-only";
            return Err(DomException::new(DomExceptionName::ReadOnlyError, message));
        }
        self.object_store(source, name)
    }

    fn view<'a>(&'a self, source: &Source<'a>, database: u64, object_store: u64) -> View<'a> {
        View {
            store: source.store,
            prefix: format::records_prefix(database, object_store),
            changes: self.changes.get(&object_store),
        }
    }

    fn upgrade(&mut self) -> Result<&mut Upgrade, DomException> {
        self.upgrade.as_mut().ok_or_else(|| {
            let message = "object stores change in an upgrade transaction only";
            DomException::new(DomExceptionName::InvalidStateError, message)
        })
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-createobjectstore>
    fn create_object_store(&mut self, info: ObjectStoreInfo) -> Result<Answer, DomException> {
        let schema = &mut self.upgrade()?.schema;
        if schema.object_store(&info.name).is_some() {
            return Err(name_is_taken(&info.name));
        }
        schema.object_stores.push(ObjectStoreRecord {
            id: schema.next_object_store_id,
            name: info.name,
            key_path: info.key_path,
            auto_increment: info.auto_increment,
            indexes: Vec::new(),
        });
        schema.next_object_store_id += 1;
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-deleteobjectstore>
    fn delete_object_store(&mut self, name: &[u16]) -> Result<Answer, DomException> {
        let upgrade = self.upgrade()?;
        let stores = &mut upgrade.schema.object_stores;
        let index = stores
            .iter()
            .position(|store| store.name == name)
            .ok_or_else(|| not_found(name))?;
        let id = stores.remove(index).id;
        upgrade.deleted.push(id);
        self.changes.remove(&id);
        self.generators.remove(&id);
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-name>
    fn rename_object_store(&mut self, from: &[u16], to: Name) -> Result<Answer, DomException> {
        let schema = &mut self.upgrade()?.schema;
        if from != to && schema.object_store(&to).is_some() {
            return Err(name_is_taken(&to));
        }
        let store = schema
            .object_stores
            .iter_mut()
            .find(|store| store.name == from);
        store.ok_or_else(|| not_found(from))?.name = to;
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#store-a-record-into-an-object-store>
    fn put(
        &mut self,
        source: &Source<'_>,
        name: &[u16],
        key: Option<Key>,
        value: Vec<u8>,
        no_overwrite: bool,
    ) -> Result<Answer, DomException> {
        let (database, object_store) = self.writable(source, name)?;
        let id = object_store.id;
        let auto_increment = object_store.auto_increment;
        // Step 1: with a key generator, make a key, or let it know of the one that there is.
        let key = match key {
            None if !auto_increment => {
                return Err(data_error(
                    "the object store needs a key, and none was given",
                ));
            }
            None => self.generate_key(source, database, id)?,
            Some(key) => {
                key.encode().map_err(InvalidKey::exception)?;
                if auto_increment {
                    self.update_generator(source, database, id, &key)?;
                }
                key
            }
        };
        let encoded = key.encode().map_err(InvalidKey::exception)?;
        // Step 2: `add` does not replace a record.
        if no_overwrite {
            let existing = self
                .view(source, database, id)
                .get(&encoded)
                .map_err(unreadable)?;
            if existing.is_some() {
                return Err(constraint_error("a record with this key is there already"));
            }
        }
        self.bytes = self
            .bytes
            .saturating_add(encoded.len())
            .saturating_add(value.len());
        if self.bytes > MAX_TRANSACTION_BYTES {
            return Err(DomException::new(
                DomExceptionName::QuotaExceededError,
                format!("the transaction writes more than {MAX_TRANSACTION_BYTES} bytes"),
            ));
        }
        // Steps 3 to 4: store the record, in place of the one that had the key.
        self.changes
            .entry(id)
            .or_default()
            .records
            .insert(encoded, Some(value));
        Ok(Answer::Key(key))
    }

    fn current_number(
        &self,
        source: &Source<'_>,
        database: u64,
        object_store: u64,
    ) -> Result<u64, DomException> {
        if let Some(number) = self.generators.get(&object_store) {
            return Ok(*number);
        }
        let key = format::generator_key(database, object_store);
        match source
            .store
            .read(Tree::IndexedDb, &key)
            .map_err(unreadable)?
        {
            None => Ok(1),
            Some(record) => record.decode().map_err(undecodable),
        }
    }

    /// <https://w3c.github.io/IndexedDB/#generate-a-key>
    // The numbers are at most 2^53, so floating point holds them exactly.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
    fn generate_key(
        &mut self,
        source: &Source<'_>,
        database: u64,
        object_store: u64,
    ) -> Result<Key, DomException> {
        let number = self.current_number(source, database, object_store)?;
        if number > LAST_GENERATED {
            return Err(constraint_error("the key generator has made its last key"));
        }
        self.generators.insert(object_store, number + 1);
        Ok(Key::Number(number as f64))
    }

    /// <https://w3c.github.io/IndexedDB/#possibly-update-the-key-generator>
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a conversion that stops at the ends is what is wanted"
    )]
    fn update_generator(
        &mut self,
        source: &Source<'_>,
        database: u64,
        object_store: u64,
        key: &Key,
    ) -> Result<(), DomException> {
        // Step 1: only numbers count.
        let Key::Number(number) = *key else {
            return Ok(());
        };
        // Steps 2 to 4: the whole number below, but not beyond the last.
        let number = number.min(LAST_GENERATED as f64).floor() as u64;
        // Steps 5 to 6: the generator goes on after it.
        if number >= self.current_number(source, database, object_store)? {
            self.generators.insert(object_store, number + 1);
        }
        Ok(())
    }

    /// The first `limit` records of a range, from either end.
    fn records(
        &self,
        source: &Source<'_>,
        name: &[u16],
        range: &KeyRange,
        forward: bool,
        key_only: bool,
        limit: usize,
    ) -> Result<Vec<Record>, DomException> {
        let (database, object_store) = self.object_store(source, name)?;
        let view = self.view(source, database, object_store.id);
        let encoded = range.encode().map_err(InvalidKey::exception)?;
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut records = Vec::new();
        for entry in view.iterate(encoded, forward, key_only).take(limit) {
            let (key, value) = entry.map_err(unreadable)?;
            let key = Key::decode(&key).ok_or_else(|| unknown("a record has a malformed key"))?;
            records.push(Record {
                key,
                value: (!key_only).then_some(value),
            });
        }
        Ok(records)
    }

    fn count(
        &self,
        source: &Source<'_>,
        name: &[u16],
        range: &KeyRange,
    ) -> Result<Answer, DomException> {
        let (database, object_store) = self.object_store(source, name)?;
        let view = self.view(source, database, object_store.id);
        let encoded = range.encode().map_err(InvalidKey::exception)?;
        let mut count = 0;
        if !range.is_empty() {
            for entry in view.iterate(encoded, true, true) {
                entry.map_err(unreadable)?;
                count += 1;
            }
        }
        Ok(Answer::Count(count))
    }

    /// <https://w3c.github.io/IndexedDB/#delete-records-from-an-object-store>
    fn delete(
        &mut self,
        source: &Source<'_>,
        name: &[u16],
        range: &KeyRange,
    ) -> Result<Answer, DomException> {
        let (database, object_store) = self.writable(source, name)?;
        let id = object_store.id;
        let view = self.view(source, database, id);
        let encoded = range.encode().map_err(InvalidKey::exception)?;
        if range.is_empty() {
            return Ok(Answer::Done);
        }
        let keys: Result<Vec<_>, _> = view
            .iterate(encoded, true, true)
            .map(|entry| entry.map(|(key, _)| (key, None)))
            .collect();
        let keys = keys.map_err(unreadable)?;
        self.changes.entry(id).or_default().records.extend(keys);
        Ok(Answer::Done)
    }

    /// <https://w3c.github.io/IndexedDB/#clear-an-object-store>
    fn clear(&mut self, source: &Source<'_>, name: &[u16]) -> Result<Answer, DomException> {
        let (_, object_store) = self.writable(source, name)?;
        let id = object_store.id;
        self.changes.insert(
            id,
            Changes {
                cleared: true,
                records: BTreeMap::new(),
            },
        );
        Ok(Answer::Done)
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
            batch.put_record(Tree::IndexedDb, &database_key, VERSION, &upgrade.schema)?;
            let next_key = format::next_database_id_key();
            batch.put_record(Tree::IndexedDb, &next_key, VERSION, &next_database_id)?;
        }
        for (object_store, changes) in std::mem::take(&mut self.changes) {
            let prefix = format::records_prefix(database, object_store);
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

/// What is left of a cursor's range after its position, from the key on that it is to continue at.
///
/// <https://w3c.github.io/IndexedDB/#iterate-a-cursor>
fn remaining(
    mut range: KeyRange,
    direction: CursorDirection,
    position: Option<Key>,
    key: Option<Key>,
) -> KeyRange {
    for (limit, open) in [(position, true), (key, false)] {
        let Some(limit) = limit else { continue };
        if direction.is_forward() {
            if range
                .lower
                .as_ref()
                .is_none_or(|lower| (lower, range.lower_open) < (&limit, open))
            {
                (range.lower, range.lower_open) = (Some(limit), open);
            }
        } else if range
            .upper
            .as_ref()
            .is_none_or(|upper| (&limit, range.upper_open) < (upper, open))
        {
            (range.upper, range.upper_open) = (Some(limit), open);
        }
    }
    range
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn not_found(name: &[u16]) -> DomException {
    DomException::new(
        DomExceptionName::NotFoundError,
        format!(
            "there is no object store \"{}\" in the transaction",
            display_name(name)
        ),
    )
}

fn name_is_taken(name: &[u16]) -> DomException {
    constraint_error(format!(
        "there is an object store \"{}\" already",
        display_name(name)
    ))
}

pub(crate) fn unknown(message: impl Into<String>) -> DomException {
    DomException::new(DomExceptionName::UnknownError, message)
}

fn unreadable(error: ReadError) -> DomException {
    error.class().exception(error.to_string())
}

fn undecodable(error: EncodingError) -> DomException {
    error.class().exception(error.to_string())
}
