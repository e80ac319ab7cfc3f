//! <https://html.spec.whatwg.org/multipage/system-state.html#the-navigator-object>

use std::cell::OnceCell;

use super::permissions::Permissions;
use super::window_or_worker_global_scope::same;
use crate::bindings::generated::{
    BlobOrBufferSourceOrFormDataOrUrlSearchParamsOrUsvString as BodyInit, NavigatorMethods,
};
use crate::bindings::{Dom, Fallible, Realm, Reflector, UsvString};
use crate::window::beacon;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/system-state.html#the-navigator-object>
    pub struct Navigator {
        pub(crate) reflector: Reflector,
        permissions: OnceCell<Dom<Permissions>>,
    }
}

impl Navigator {
    /// The navigator of a window.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                permissions: OnceCell::new(),
            },
        )
    }
}

impl NavigatorMethods for Navigator {
    /// <https://w3c.github.io/permissions/#dom-navigator-permissions>
    fn permissions(&self, realm: &Realm) -> Fallible<Dom<Permissions>> {
        same(&self.permissions, || Permissions::create(realm))
    }

    /// <https://w3c.github.io/beacon/#dom-navigator-sendbeacon>
    fn send_beacon(&self, realm: &Realm, url: UsvString, data: Option<BodyInit>) -> Fallible<bool> {
        beacon::send(realm, &url, data)
    }
}
