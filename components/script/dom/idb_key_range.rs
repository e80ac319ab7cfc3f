//! <https://w3c.github.io/IndexedDB/#keyrange>

use indexed_db::KeyRange;

use crate::bindings::generated::IdbKeyRangeMethods;
use crate::bindings::{Dom, Fallible, NoTrace, Realm, Reflector, Value};
use crate::indexed_database::key::{self, data_error};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#idbkeyrange>
    pub struct IdbKeyRange {
        pub(crate) reflector: Reflector,
        range: NoTrace<KeyRange>,
        lower: Value,
        upper: Value,
    }
}

impl IdbKeyRange {
    fn create(realm: &Realm, range: KeyRange) -> Fallible<Dom<Self>> {
        let value = |bound: &Option<_>| {
            bound.as_ref().map_or_else(
                || Ok(Value::undefined()),
                |bound| key::to_value(realm, bound),
            )
        };
        let (lower, upper) = (value(&range.lower)?, value(&range.upper)?);
        let this = Self {
            reflector: Reflector::default(),
            range: NoTrace(range),
            lower,
            upper,
        };
        Dom::new(realm, this)
    }

    /// The interval.
    pub(crate) fn range(&self) -> &KeyRange {
        &self.range
    }
}

impl IdbKeyRangeMethods for IdbKeyRange {
    fn lower(&self, _: &Realm) -> Value {
        self.lower.clone()
    }

    fn upper(&self, _: &Realm) -> Value {
        self.upper.clone()
    }

    fn lower_open(&self, _: &Realm) -> bool {
        self.range.lower_open
    }

    fn upper_open(&self, _: &Realm) -> bool {
        self.range.upper_open
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbkeyrange-only>
    fn only(realm: &Realm, value: Value) -> Fallible<Dom<Self>> {
        Self::create(realm, KeyRange::only(key::require(realm, &value)?))
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbkeyrange-lowerbound>
    fn lower_bound(realm: &Realm, lower: Value, open: bool) -> Fallible<Dom<Self>> {
        let range = KeyRange {
            lower: Some(key::require(realm, &lower)?),
            upper: None,
            lower_open: open,
            upper_open: true,
        };
        Self::create(realm, range)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbkeyrange-upperbound>
    fn upper_bound(realm: &Realm, upper: Value, open: bool) -> Fallible<Dom<Self>> {
        let range = KeyRange {
            lower: None,
            upper: Some(key::require(realm, &upper)?),
            lower_open: true,
            upper_open: open,
        };
        Self::create(realm, range)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbkeyrange-bound>
    fn bound(
        realm: &Realm,
        lower: Value,
        upper: Value,
        lower_open: bool,
        upper_open: bool,
    ) -> Fallible<Dom<Self>> {
        let lower = key::require(realm, &lower)?;
        let upper = key::require(realm, &upper)?;
        if lower > upper {
            return Err(data_error(
                "The lower bound is greater than the upper bound.",
            ));
        }
        let (lower, upper) = (Some(lower), Some(upper));
        Self::create(
            realm,
            KeyRange {
                lower,
                upper,
                lower_open,
                upper_open,
            },
        )
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbkeyrange-includes>
    fn includes(&self, realm: &Realm, value: Value) -> Fallible<bool> {
        Ok(self.range.contains(&key::require(realm, &value)?))
    }
}
