//! <https://html.spec.whatwg.org/multipage/system-state.html#the-navigator-object>

use crate::bindings::generated::NavigatorMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/system-state.html#the-navigator-object>
    pub struct Navigator {
        pub(crate) reflector: Reflector,
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
            },
        )
    }
}

impl NavigatorMethods for Navigator {}
