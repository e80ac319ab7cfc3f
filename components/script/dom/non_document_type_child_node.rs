//! <https://dom.spec.whatwg.org/#interface-nondocumenttypechildnode>

use super::element::Element;
use super::node_store::node_of;
use crate::bindings::generated::NonDocumentTypeChildNodeMethods;
use crate::bindings::{Dom, DomObject, Fallible, Realm};

/// Elements, text and comments have the same.
impl<T: DomObject> NonDocumentTypeChildNodeMethods for T {
    fn previous_element_sibling(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let node = node_of(self);
        let sibling = {
            let tree = node.tree();
            let step = |id| tree.node(id).previous_sibling();
            std::iter::successors(step(node.node_id()), |id| step(*id))
                .find(|id| tree.element(*id).is_some())
        };
        node.wrap(realm, sibling)
    }

    fn next_element_sibling(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let node = node_of(self);
        let sibling = {
            let tree = node.tree();
            let step = |id| tree.node(id).next_sibling();
            std::iter::successors(step(node.node_id()), |id| step(*id))
                .find(|id| tree.element(*id).is_some())
        };
        node.wrap(realm, sibling)
    }
}
