//! Messages on their way through the components.

use sw_traits::SerializedMessage;

use crate::bindings::{Fallible, Object, Realm, Value};
use crate::structured_clone;

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structuredserializewithtransfer>
///
/// # Errors
///
/// A `DataCloneError` for what cannot be cloned, and what getters throw.
pub(crate) fn serialize(
    realm: &Realm,
    message: &Value,
    transfer: &[Object],
) -> Fallible<SerializedMessage> {
    let transfer: Vec<Value> = transfer.iter().map(|object| object.0.clone()).collect();
    structured_clone::serialize(realm, message, &transfer).map(SerializedMessage::from)
}

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structureddeserializewithtransfer>
///
/// # Errors
///
/// The message cannot be read in this realm.
pub(crate) fn deserialize(realm: &Realm, message: &SerializedMessage) -> Fallible<Value> {
    structured_clone::deserialize(realm, &message.data)
}
