//! <https://w3c.github.io/IndexedDB/#cursor-interface>

use super::idb_cursor::IdbCursor;
use crate::bindings::generated::IdbCursorWithValueMethods;
use crate::bindings::{Dom, Fallible, Realm, Value};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#idbcursorwithvalue>
    pub struct IdbCursorWithValue {
        pub(crate) parent: IdbCursor,
    }
}

impl IdbCursorWithValue {
    pub(super) fn create(realm: &Realm, parent: IdbCursor) -> Fallible<Dom<Self>> {
        Dom::new(realm, Self { parent })
    }

    /// The part that is a cursor.
    pub(super) fn as_cursor(&self) -> Dom<IdbCursor> {
        Dom::from_ref(&self.parent)
    }
}

impl IdbCursorWithValueMethods for IdbCursorWithValue {
    fn value(&self, _: &Realm) -> Value {
        self.current_value()
    }
}
