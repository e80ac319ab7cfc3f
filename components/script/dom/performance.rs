//! <https://w3c.github.io/hr-time/#sec-performance>

use super::event_target::EventTarget;
use crate::bindings::generated::PerformanceMethods;
use crate::bindings::{Dom, Fallible, Object, Realm, Value, convert};

dom_struct! {
    /// <https://w3c.github.io/hr-time/#sec-performance>
    pub struct Performance {
        pub(crate) parent: EventTarget,
    }
}

impl Performance {
    /// The clock of a global object.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                parent: EventTarget::new_inherited(),
            },
        )
    }
}

impl PerformanceMethods for Performance {
    fn now(&self, realm: &Realm) -> Fallible<f64> {
        Ok(realm.now())
    }

    fn time_origin(&self, realm: &Realm) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of this age are exact"
        )]
        let wall = realm.clock().now().wall.as_millis() as f64;
        wall - realm.now()
    }

    fn to_json(&self, realm: &Realm) -> Fallible<Object> {
        let object = realm.new_object()?;
        let origin = Value::number(self.time_origin(realm));
        object.create_data_property(realm, "timeOrigin", &origin)?;
        convert::object(&object)
    }
}
