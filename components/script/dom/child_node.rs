//! <https://dom.spec.whatwg.org/#interface-childnode>

use super::node::Node;
use super::node_store::node_of;
use crate::bindings::generated::{ChildNodeMethods, NodeOrDomString};
use crate::bindings::{Dom, DomObject, Fallible, Realm};
use crate::dom_tree::NodeId;

/// The first sibling in one direction that is not among these nodes.
fn viable_sibling(node: &Node, nodes: &[NodeOrDomString], forward: bool) -> Option<NodeId> {
    let tree = node.tree();
    let step = |id: NodeId| {
        let node = tree.node(id);
        if forward {
            node.next_sibling()
        } else {
            node.previous_sibling()
        }
    };
    let is_among = |id: NodeId| {
        nodes
            .iter()
            .any(|other| matches!(other, NodeOrDomString::Node(other) if node.id_of(other).is_ok_and(|own| own == id)))
    };
    std::iter::successors(step(node.node_id()), |id| step(*id)).find(|id| !is_among(*id))
}

fn parent_of(realm: &Realm, node: &Node) -> Fallible<Option<Dom<Node>>> {
    let parent = node.tree().node(node.node_id()).parent();
    node.wrap(realm, parent)
}

/// Elements, text, comments and doctypes have the same.
impl<T: DomObject> ChildNodeMethods for T {
    /// <https://dom.spec.whatwg.org/#dom-childnode-before>
    fn before(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<()> {
        let node = node_of(self);
        let Some(parent) = parent_of(realm, node)? else {
            return Ok(());
        };
        let previous = viable_sibling(node, &nodes, false);
        let new = parent.node_from(realm, nodes)?;
        let before = match previous {
            Some(previous) => parent.tree().node(previous).next_sibling(),
            None => parent.tree().node(parent.node_id()).first_child(),
        };
        parent.insert(realm, new, before)
    }

    /// <https://dom.spec.whatwg.org/#dom-childnode-after>
    fn after(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<()> {
        let node = node_of(self);
        let Some(parent) = parent_of(realm, node)? else {
            return Ok(());
        };
        let next = viable_sibling(node, &nodes, true);
        let new = parent.node_from(realm, nodes)?;
        parent.insert(realm, new, next)
    }

    /// <https://dom.spec.whatwg.org/#dom-childnode-replacewith>
    fn replace_with(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<()> {
        let node = node_of(self);
        let Some(parent) = parent_of(realm, node)? else {
            return Ok(());
        };
        let next = viable_sibling(node, &nodes, true);
        let new = parent.node_from(realm, nodes)?;
        let is_child = parent.tree().node(node.node_id()).parent() == Some(parent.node_id());
        if is_child {
            return parent.replace(realm, new, node.node_id());
        }
        parent.insert(realm, new, next)
    }

    fn remove(&self, realm: &Realm) -> Fallible<()> {
        node_of(self).detach(realm);
        Ok(())
    }
}
