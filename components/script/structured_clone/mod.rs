//! Structured clone: JavaScript values as bytes, and back.
//!
//! <https://html.spec.whatwg.org/multipage/structured-data.html>
//!
//! The bytes may travel to another realm, thread or process, and may be stored: the format is
//! versioned (see [`mod@format`]). Reading is safe whatever the bytes are. Neither direction recurses,
//! so that depth costs memory of the engine and no stack.
//!
//! Serializable are all that the language has to offer except functions, symbols and objects whose
//! state cannot be copied (`Promise`, `WeakMap`, iterators, proxies); and of the platform objects
//! `Blob` and `DOMException`. Transferable are `ArrayBuffer`, whose bytes are copied, and
//! `MessagePort`, whose id is written; the originals are detached. A typed array that tracks the length of a resizable buffer comes back with the
//! length that it had.

mod format;
mod reader;
mod writer;

use base::ids::MessagePortId;

pub(crate) use self::format::data_clone_error;
use crate::bindings::{Dom, Fallible, Object, Realm, Value};
use crate::dom::message_port::MessagePort;
use crate::messaging;
use crate::messaging::router::Message;

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structuredserializewithtransfer>
///
/// The objects in `transfer` are detached. They come first among the objects in the bytes,
/// whether the value refers to them or not.
///
/// # Errors
///
/// A `DataCloneError` that names what cannot be cloned or transferred, and what getters throw.
pub fn serialize(realm: &Realm, value: &Value, transfer: &[Value]) -> Fallible<Vec<u8>> {
    serialize_with_transfer(realm, value, transfer).map(|message| message.bytes)
}

/// As [`serialize`], with the ports that were transferred.
pub(crate) fn serialize_with_transfer(
    realm: &Realm,
    value: &Value,
    transfer: &[Value],
) -> Fallible<Message> {
    writer::serialize(realm, value, transfer)
}

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structureddeserializewithtransfer>
///
/// # Errors
///
/// A `DataCloneError` if the bytes are not what [`serialize`] makes, or an exception of the engine
/// when it is out of memory.
pub fn deserialize(realm: &Realm, bytes: &[u8]) -> Fallible<Value> {
    deserialize_with_transfer(realm, bytes).map(|(value, _)| value)
}

/// As [`deserialize`], with the ports that were transferred. When the bytes cannot be read, their
/// ports are closed.
pub(crate) fn deserialize_with_transfer(
    realm: &Realm,
    bytes: &[u8],
) -> Fallible<(Value, Vec<Dom<MessagePort>>)> {
    let result = reader::deserialize(realm, bytes);
    if result.is_err() {
        messaging::discard(realm, bytes);
    }
    result
}

/// The ports that are transferred in these bytes.
pub(crate) fn transferred_ports(bytes: &[u8]) -> Vec<MessagePortId> {
    reader::transferred_ports(bytes)
}

/// <https://html.spec.whatwg.org/multipage/structured-data.html#dom-structuredclone>
pub(crate) fn structured_clone(
    realm: &Realm,
    value: &Value,
    transfer: &[Object],
) -> Fallible<Value> {
    let transfer = messaging::transfer_list(transfer);
    deserialize(realm, &serialize(realm, value, &transfer)?)
}
