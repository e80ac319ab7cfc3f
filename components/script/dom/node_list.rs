//! <https://dom.spec.whatwg.org/#interface-nodelist>

use super::node::Node;
use crate::bindings::generated::NodeListMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector};
use crate::dom_tree::NodeId;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-nodelist>
    pub struct NodeList {
        pub(crate) reflector: Reflector,
        /// The parent of a list of children, which changes with them.
        parent: Option<Dom<Node>>,
        /// What another list holds, which stays as it is.
        nodes: Vec<Dom<Node>>,
    }
}

impl NodeList {
    /// The children of a node.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn children(realm: &Realm, node: &Node) -> Fallible<Dom<Self>> {
        let parent = Some(Dom::from_ref(node));
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                parent,
                nodes: Vec::new(),
            },
        )
    }

    /// These nodes of the tree of `relative`.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn of(realm: &Realm, relative: &Node, ids: &[NodeId]) -> Fallible<Dom<Self>> {
        let nodes = ids
            .iter()
            .map(|id| relative.store().wrap(realm, *id))
            .collect::<Fallible<_>>()?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                parent: None,
                nodes,
            },
        )
    }
}

impl NodeListMethods for NodeList {
    fn item(&self, realm: &Realm, index: u32) -> Fallible<Option<Dom<Node>>> {
        let index = index as usize;
        let Some(parent) = &self.parent else {
            return Ok(self.nodes.get(index).cloned());
        };
        let child = parent.tree().children(parent.node_id()).nth(index);
        parent.wrap(realm, child)
    }

    fn length(&self, _: &Realm) -> u32 {
        let length = match &self.parent {
            Some(parent) => parent.tree().children(parent.node_id()).count(),
            None => self.nodes.len(),
        };
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}
