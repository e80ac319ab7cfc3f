//! <https://w3c.github.io/permissions/#permissions-interface>

use super::permission_status::{Feature, PermissionStatus};
use crate::bindings::convert::Object;
use crate::bindings::generated::{PermissionDescriptor, PermissionsMethods};
use crate::bindings::{Dom, Error, Fallible, Promise, Realm, Reflector};
use crate::permission_watch::PermissionWatch;

dom_struct! {
    /// <https://w3c.github.io/permissions/#dom-permissions>
    pub struct Permissions {
        pub(crate) reflector: Reflector,
    }
}

impl Permissions {
    /// The object of a navigator that has none yet.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let reflector = Reflector::default();
        Dom::new(realm, Self { reflector })
    }
}

impl PermissionsMethods for Permissions {
    /// <https://w3c.github.io/permissions/#dom-permissions-query>
    fn query(&self, realm: &Realm, permission_desc: Object) -> Fallible<Promise> {
        // Step 2 and 3
        let descriptor = PermissionDescriptor::from_js(realm, &permission_desc.0)?;
        // Step 4: nothing is told apart besides the name.
        let feature = Feature::parse(&descriptor.name.to_string())
            .map_err(|error| Error::Type(format!("The permission cannot be queried: {error}.")))?;
        // Step 5 to 8: the answer is at hand.
        let watch = PermissionWatch::of(realm)?;
        let status = PermissionStatus::create(realm, &watch, feature)?;
        Promise::resolved(realm, &status)
    }
}
