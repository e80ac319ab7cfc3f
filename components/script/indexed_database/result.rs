//! What becomes of the component's answers.

use base::exception::{self, DomExceptionName};
use indexed_db::Answer;

use super::key;
use crate::bindings::{Dom, Error, Fallible, Realm, Traceable, Tracer, Value};
use crate::dom::dom_exception::DomException;
use crate::dom::idb_cursor::IdbCursor;
use crate::dom::idb_object_store::IdbObjectStore;
use crate::dom::idb_request::IdbRequest;

/// A request that the component works on.
pub(crate) struct PendingRequest {
    pub(crate) request: Dom<IdbRequest>,
    pub(crate) wanted: Wanted,
}

impl Traceable for PendingRequest {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.request.trace(tracer);
        match &self.wanted {
            Wanted::Values(store) => store.trace(tracer),
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
    /// The next place of this cursor.
    Cursor(Dom<IdbCursor>),
}

/// The result of a request.
///
/// # Errors
///
/// A record cannot be read, or the engine is out of memory.
pub(crate) fn result_value(realm: &Realm, answer: Answer, wanted: &Wanted) -> Fallible<Value> {
    let one = |record: indexed_db::Record| match wanted {
        Wanted::Values(store) => store.value_of(realm, &record),
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
