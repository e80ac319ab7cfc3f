//! IndexedDB in a window or worker: what its platform objects share.
//!
//! <https://w3c.github.io/IndexedDB/>
//!
//! - [`client`]: the way to the component, and what its events are for;
//! - [`key`]: values as keys, key ranges, and back;
//! - [`key_path`]: finding keys in values, and putting them there;
//! - [`source`]: reading object stores and indexes;
//! - [`result`]: what becomes of the component's answers.
//!
//! The platform objects themselves are in [`crate::dom`], named `idb_…`. The component knows
//! nothing of values, and this side nothing of storage.

pub(crate) mod client;
pub(crate) mod key;
pub(crate) mod key_path;
pub(crate) mod result;
pub(crate) mod source;

use indexed_db::CursorDirection;

use crate::bindings::Realm;
use crate::bindings::generated::IdbCursorDirection;

/// Closes the connections of a realm and aborts its transactions; call it when its global object
/// goes away. Requests that are pending are done, without a result and without events.
pub fn detach(realm: &Realm) {
    if let Some(client) = realm.service::<client::DatabaseClient>() {
        client.detach();
    }
}

/// A direction, as the component calls it.
pub(crate) fn direction(direction: IdbCursorDirection) -> CursorDirection {
    match direction {
        IdbCursorDirection::Next => CursorDirection::Next,
        IdbCursorDirection::Nextunique => CursorDirection::NextUnique,
        IdbCursorDirection::Prev => CursorDirection::Prev,
        IdbCursorDirection::Prevunique => CursorDirection::PrevUnique,
    }
}
