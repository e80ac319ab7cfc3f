//! What becomes of the component's answers.

use base::exception::{self, DomExceptionName};
use indexed_db::{Answer, IndexInfo, KeyPath, Operation, Record};

use super::key_path::Extracted;
use super::{key, key_path};
use crate::bindings::{Dom, Error, Fallible, Realm, ToJs, Traceable, Tracer, Value};
use crate::dom::dom_exception::DomException;
use crate::dom::idb_cursor::IdbCursor;
use crate::dom::idb_object_store::IdbObjectStore;
use crate::dom::idb_record::IdbRecord;
use crate::dom::idb_request::IdbRequest;
use crate::structured_clone;

/// A request that the component works on.
pub(crate) struct PendingRequest {
    pub(crate) request: Dom<IdbRequest>,
    pub(crate) wanted: Wanted,
}

impl Traceable for PendingRequest {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.request.trace(tracer);
        match &self.wanted {
            Wanted::Values(store) | Wanted::Records(store) => store.trace(tracer),
            Wanted::Cursor(cursor) => cursor.trace(tracer),
            Wanted::Keys => {}
        }
    }
}

/// What a request makes of the records that it gets.
pub(crate) enum Wanted {
    /// Their keys.
    Keys,
    /// Their values, as they are in this object store.
    Values(Dom<IdbObjectStore>),
    /// Their keys and values, as they are in this object store.
    Records(Dom<IdbObjectStore>),
    /// The next place of this cursor.
    Cursor(Dom<IdbCursor>),
}

/// The result of a request.
///
/// # Errors
///
/// A record cannot be read, or the engine is out of memory.
pub(crate) fn result_value(realm: &Realm, answer: Answer, wanted: &Wanted) -> Fallible<Value> {
    let one = |record: Record| match wanted {
        Wanted::Values(store) => store.value_of(realm, &record),
        Wanted::Records(store) => {
            let primary_key = key::to_value(realm, &record.key)?;
            let key = match &record.index_key {
                Some(key) => key::to_value(realm, key)?,
                None => primary_key.clone(),
            };
            let value = store.value_of(realm, &record)?;
            IdbRecord::create(realm, key, primary_key, value)?.to_js(realm)
        }
        Wanted::Keys | Wanted::Cursor(_) => key::to_value(realm, &record.key),
    };
    match answer {
        Answer::Done => Ok(Value::undefined()),
        Answer::Key(key) => key::to_value(realm, &key),
        #[expect(clippy::cast_precision_loss, reason = "JavaScript numbers are doubles")]
        Answer::Count(count) => Ok(Value::number(count as f64)),
        Answer::Record(record) => match (record, wanted) {
            (record, Wanted::Cursor(cursor)) => cursor.iterated(realm, record),
            (Some(record), _) => one(record),
            (None, _) => Ok(Value::undefined()),
        },
        Answer::Records(records) => {
            let values = records.into_iter().map(one).collect::<Fallible<Vec<_>>>()?;
            realm.new_array(&values)
        }
    }
}

/// The value of a record, with the key that was generated for it.
///
/// # Errors
///
/// The stored bytes cannot be read, or the engine is out of memory.
pub(crate) fn record_value(
    realm: &Realm,
    key_path: Option<&KeyPath>,
    auto_increment: bool,
    record: &Record,
) -> Fallible<Value> {
    let bytes = record.value.as_deref().unwrap_or_default();
    let value = structured_clone::deserialize(realm, bytes)?;
    if let Some(path @ KeyPath::String(name)) = key_path
        && auto_increment
        && matches!(key_path::extract(realm, &value, path)?, Extracted::Missing)
    {
        key_path::inject(realm, &value, &record.key, name)?;
    }
    Ok(value)
}

/// An index that is being created for records that are there already.
pub(crate) struct Population {
    pub(crate) index: IndexInfo,
    /// What kind of object store it is in.
    pub(crate) key_path: Option<KeyPath>,
    pub(crate) auto_increment: bool,
}

impl Population {
    /// The keys of records in the index.
    ///
    /// # Errors
    ///
    /// The stored bytes cannot be read, or the engine is out of memory.
    pub(crate) fn keys(&self, realm: &Realm, records: Vec<Record>) -> Fallible<Operation> {
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            let path = self.key_path.as_ref();
            let value = record_value(realm, path, self.auto_increment, &record)?;
            let index_keys = key_path::present_index_keys(realm, &value, &self.index)?;
            keys.push((record.key, index_keys));
        }
        Ok(Operation::IndexRecords { keys })
    }
}

/// The object of a request's error.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn exception_object(realm: &Realm, error: Error) -> Fallible<Dom<DomException>> {
    let exception = match error {
        Error::Dom(exception) => exception,
        Error::Type(message) | Error::Range(message) => {
            exception::DomException::new(DomExceptionName::UnknownError, message)
        }
        Error::Thrown(_) => exception::DomException::new(
            DomExceptionName::UnknownError,
            "There is not enough memory for the result.",
        ),
    };
    DomException::create(realm, &exception)
}
