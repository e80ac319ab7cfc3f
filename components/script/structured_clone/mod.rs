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
//! `Blob` and `DOMException`. Transferable is `ArrayBuffer`: its bytes are copied, and the original
//! is detached. A typed array that tracks the length of a resizable buffer comes back with the
//! length that it had.

mod format;
mod reader;
mod writer;

use crate::bindings::{Fallible, Object, Realm, Value};

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structuredserializewithtransfer>
///
/// The `ArrayBuffer`s in `transfer` are detached. They come first among the objects in the bytes,
/// whether the value refers to them or not.
///
/// # Errors
///
/// A `DataCloneError` that names what cannot be cloned or transferred, and what getters throw.
pub fn serialize(realm: &Realm, value: &Value, transfer: &[Value]) -> Fallible<Vec<u8>> {
    writer::serialize(realm, value, transfer)
}

/// <https://html.spec.whatwg.org/multipage/structured-data.html#structureddeserializewithtransfer>
///
/// # Errors
///
/// A `DataCloneError` if the bytes are not what [`serialize`] makes, or an exception of the engine
/// when it is out of memory.
pub fn deserialize(realm: &Realm, bytes: &[u8]) -> Fallible<Value> {
    reader::deserialize(realm, bytes)
}

/// <https://html.spec.whatwg.org/multipage/structured-data.html#dom-structuredclone>
pub(crate) fn structured_clone(
    realm: &Realm,
    value: &Value,
    transfer: &[Object],
) -> Fallible<Value> {
    let transfer: Vec<Value> = transfer.iter().map(|object| object.0.clone()).collect();
    deserialize(realm, &serialize(realm, value, &transfer)?)
}
