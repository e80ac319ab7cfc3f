//! <https://html.spec.whatwg.org/multipage/workers.html#the-workernavigator-object>

use std::cell::OnceCell;

use super::permissions::Permissions;
use super::window_or_worker_global_scope::same;
use crate::bindings::generated::WorkerNavigatorMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#workernavigator>
    pub struct WorkerNavigator {
        pub(crate) reflector: Reflector,
        permissions: OnceCell<Dom<Permissions>>,
    }
}

impl WorkerNavigator {
    /// The navigator of a worker's global object.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            permissions: OnceCell::new(),
        };
        Dom::new(realm, this)
    }
}

impl WorkerNavigatorMethods for WorkerNavigator {
    /// <https://w3c.github.io/permissions/#dom-workernavigator-permissions>
    fn permissions(&self, realm: &Realm) -> Fallible<Dom<Permissions>> {
        same(&self.permissions, || Permissions::create(realm))
    }
}
