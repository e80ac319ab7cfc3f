//! What the nodes of a window share: their tree, and their JavaScript objects.
//!
//! The objects of all nodes of one tree live and die together, because a script that holds one of
//! them reaches all others. They form a ring of counted references, which the engine's garbage
//! collector gives up as a whole; a node's object changes rings when the node changes trees. A node
//! has no object until a script asks for it, and then its ancestors have theirs too, so that events
//! find their way.

use std::cell::RefCell;
use std::rc::Rc;

use super::node::Node;
use crate::bindings::weak::{WeakEntry, WeakTable};
use crate::bindings::{Dom, DomObject, Fallible, Realm};
use crate::dom_tree::{NodeId, Tree};

/// A place in a ring of objects; none when it is alone.
pub(crate) type Neighbour = RefCell<Option<Dom<Node>>>;

/// What the nodes of a window share.
#[derive(Default)]
pub(crate) struct NodeStore {
    pub(crate) tree: Rc<RefCell<Tree>>,
    objects: Rc<WeakTable<NodeId, Node>>,
}

impl NodeStore {
    /// A field for the object of a node.
    pub(crate) fn entry(&self, id: NodeId) -> WeakEntry<NodeId, Node> {
        self.objects.entry(id)
    }

    /// The document has got its object.
    pub(crate) fn adopt_document(&self, document: &Dom<Node>) {
        self.objects.insert(document, Node::entry);
    }

    /// The object of a node, if it has one.
    pub(crate) fn existing(&self, id: NodeId) -> Option<Dom<Node>> {
        self.objects.get(id)
    }

    /// The object of a node.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn wrap(self: &Rc<Self>, realm: &Realm, id: NodeId) -> Fallible<Dom<Node>> {
        if let Some(existing) = self.existing(id) {
            return Ok(existing);
        }
        let path: Vec<NodeId> = {
            let tree = self.tree.borrow();
            tree.inclusive_ancestors(id)
                .take_while(|ancestor| !self.objects.contains(*ancestor))
                .collect()
        };
        let mut object = None;
        for id in path.into_iter().rev() {
            let created = super::node_factory::create(realm, self, id)?;
            self.objects.insert(&created, Node::entry);
            if let Some(relative) = self.relative(id) {
                join(&created, &relative);
            }
            created.set_up(realm);
            object = Some(created);
        }
        object.map_or_else(|| self.wrap(realm, id), Ok)
    }

    /// An object of the same tree.
    fn relative(&self, id: NodeId) -> Option<Dom<Node>> {
        let tree = self.tree.borrow();
        match tree.node(id).parent() {
            Some(parent) => self.objects.get(parent),
            None => tree
                .descendants(id)
                .find_map(|inner| self.objects.get(inner)),
        }
    }

    /// A node has got another parent, or none: its objects, and those below it, join those of its
    /// tree.
    pub(crate) fn moved(&self, id: NodeId) {
        let tree = self.tree.borrow();
        let parent = tree.node(id).parent();
        let mut relative = parent.and_then(|parent| self.objects.get(parent));
        for inner in tree.inclusive_descendants(id) {
            let Some(object) = self.objects.get(inner) else {
                continue;
            };
            leave(&object);
            if let Some(relative) = &relative {
                join(&object, relative);
            } else {
                relative = Some(object);
            }
        }
    }

    /// Free the nodes that neither the document nor an object keeps, if it is worth it. Not to be
    /// called while the document is parsed.
    pub(crate) fn collect_garbage(&self, is_held: impl Fn(NodeId) -> bool) {
        let mut tree = self.tree.borrow_mut();
        if tree.wants_collection() {
            tree.collect_garbage(|id| self.objects.contains(id) || is_held(id));
        }
    }
}

/// Put an object that is alone into the ring of another one, after it.
fn join(object: &Dom<Node>, relative: &Dom<Node>) {
    let next = relative
        .ring_next()
        .take()
        .unwrap_or_else(|| relative.clone());
    next.ring_previous().replace(Some(object.clone()));
    object.ring_next().replace(Some(next));
    object.ring_previous().replace(Some(relative.clone()));
    relative.ring_next().replace(Some(object.clone()));
}

/// Take an object out of its ring.
fn leave(object: &Dom<Node>) {
    let (Some(next), Some(previous)) = (object.ring_next().take(), object.ring_previous().take())
    else {
        return;
    };
    if next.same(&previous) {
        // The other one is alone now.
        let neighbours = (next.ring_next().take(), next.ring_previous().take());
        drop(neighbours);
        return;
    }
    let replaced = (
        previous.ring_next().replace(Some(next.clone())),
        next.ring_previous().replace(Some(previous)),
    );
    drop(replaced);
}

/// The node that an object of some interface is.
///
/// # Panics
///
/// When its interface does not inherit from `Node`: only interfaces that do include the mixins
/// that call this.
pub(crate) fn node_of(object: &impl DomObject) -> &Node {
    let object: &dyn DomObject = object;
    object.cast().expect("the interface inherits from Node")
}
