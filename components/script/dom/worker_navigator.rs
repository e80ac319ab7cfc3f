//! <https://html.spec.whatwg.org/multipage/workers.html#the-workernavigator-object>

use crate::bindings::generated::WorkerNavigatorMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#workernavigator>
    pub struct WorkerNavigator {
        pub(crate) reflector: Reflector,
    }
}

impl WorkerNavigator {
    /// The navigator of a worker's global object.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let reflector = Reflector::default();
        Dom::new(realm, Self { reflector })
    }
}

impl WorkerNavigatorMethods for WorkerNavigator {}
