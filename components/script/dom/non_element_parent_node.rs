//! <https://dom.spec.whatwg.org/#interface-nonelementparentnode>

use super::element::Element;
use super::node_store::node_of;
use crate::bindings::generated::NonElementParentNodeMethods;
use crate::bindings::{Dom, DomObject, DomString, Fallible, Realm};

/// Documents and fragments have the same.
impl<T: DomObject> NonElementParentNodeMethods for T {
    fn get_element_by_id(&self, realm: &Realm, id: DomString) -> Fallible<Option<Dom<Element>>> {
        let node = node_of(self);
        let found = node.tree().element_by_id(node.node_id(), &id.to_string());
        node.wrap(realm, found)
    }
}
