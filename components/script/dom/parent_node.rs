//! <https://dom.spec.whatwg.org/#interface-parentnode>

use super::element::Element;
use super::html_collection::HtmlCollection;
use super::node_list::NodeList;
use super::node_store::node_of;
use crate::bindings::generated::{NodeOrDomString, ParentNodeMethods};
use crate::bindings::{Dom, DomObject, DomString, Fallible, Realm};
use crate::dom_tree::Selectors;

/// Documents, fragments and elements have the same.
impl<T: DomObject> ParentNodeMethods for T {
    fn children(&self, realm: &Realm) -> Fallible<Dom<HtmlCollection>> {
        HtmlCollection::children(realm, node_of(self))
    }

    fn first_element_child(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let node = node_of(self);
        let child = node.tree().child_elements(node.node_id()).next();
        node.wrap(realm, child)
    }

    fn last_element_child(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let node = node_of(self);
        let child = node.tree().child_elements(node.node_id()).last();
        node.wrap(realm, child)
    }

    fn child_element_count(&self, _: &Realm) -> u32 {
        let node = node_of(self);
        let count = node.tree().child_elements(node.node_id()).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn prepend(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<()> {
        let parent = node_of(self);
        let node = parent.node_from(realm, nodes)?;
        let first = parent.tree().node(parent.node_id()).first_child();
        parent.insert(realm, node, first)
    }

    fn append(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<()> {
        let parent = node_of(self);
        let node = parent.node_from(realm, nodes)?;
        parent.insert(realm, node, None)
    }

    /// <https://dom.spec.whatwg.org/#dom-parentnode-replacechildren>
    fn replace_children(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<()> {
        let parent = node_of(self);
        let node = parent.node_from(realm, nodes)?;
        parent
            .tree()
            .check_pre_insertion(parent.node_id(), node, None)?;
        parent.replace_all(realm, Some(node));
        Ok(())
    }

    fn query_selector(
        &self,
        realm: &Realm,
        selectors: DomString,
    ) -> Fallible<Option<Dom<Element>>> {
        let node = node_of(self);
        let selectors = Selectors::parse(&selectors.to_string())?;
        let found = selectors.query_first(&node.tree(), node.node_id());
        node.wrap(realm, found)
    }

    fn query_selector_all(&self, realm: &Realm, selectors: DomString) -> Fallible<Dom<NodeList>> {
        let node = node_of(self);
        let selectors = Selectors::parse(&selectors.to_string())?;
        let found = selectors.query_all(&node.tree(), node.node_id());
        NodeList::of(realm, node, &found)
    }
}
