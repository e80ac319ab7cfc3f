//! Messages on their way through the components.

use sw_traits::SerializedMessage;

use crate::bindings::{Fallible, Object, Realm, Value};
use crate::messaging::transfer_list;
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
    let message =
        structured_clone::serialize_with_transfer(realm, message, &transfer_list(transfer))?;
    Ok(SerializedMessage {
        data: message.bytes,
        ports: message.ports,
    })
}
