//! <https://w3c.github.io/IndexedDB/#record-interface>

use crate::bindings::generated::IdbRecordMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector, Value};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#record-snapshot>
    pub struct IdbRecord {
        pub(crate) reflector: Reflector,
        key: Value,
        primary_key: Value,
        value: Value,
    }
}

impl IdbRecord {
    /// A record as it was read.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn create(
        realm: &Realm,
        key: Value,
        primary_key: Value,
        value: Value,
    ) -> Fallible<Dom<Self>> {
        let reflector = Reflector::default();
        Dom::new(
            realm,
            Self {
                reflector,
                key,
                primary_key,
                value,
            },
        )
    }
}

impl IdbRecordMethods for IdbRecord {
    fn key(&self, _: &Realm) -> Value {
        self.key.clone()
    }

    fn primary_key(&self, _: &Realm) -> Value {
        self.primary_key.clone()
    }

    fn value(&self, _: &Realm) -> Value {
        self.value.clone()
    }
}
