use html5ever::QualName;
use html5ever::tree_builder::QuirksMode;

use super::node::{ElementData, Node, NodeData, NodeId};

/// The fewest nodes at which a garbage collection is worth its walk.
const FIRST_COLLECTION: usize = 4096;

/// A document with all the nodes that were created for it.
#[derive(Debug)]
pub struct Tree {
    /// `None` is a free place.
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    document: NodeId,
    quirks_mode: QuirksMode,
    /// The `iframe` elements, in the order in which they were created.
    frames: Vec<NodeId>,
    /// The `base` elements, likewise.
    bases: Vec<NodeId>,
    /// The number of nodes at which the next garbage collection is due.
    collect_at: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

/// How two nodes stand to one another, in the order of the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TreePosition {
    /// They are the same.
    Same,
    /// They have different roots.
    Disconnected,
    /// The other one comes first and does not contain this one.
    Preceding,
    /// The other one comes later and is not in this one.
    Following,
    /// The other one contains this one.
    Contains,
    /// This one contains the other one.
    ContainedBy,
}

impl Tree {
    /// A tree with an empty document.
    pub fn new() -> Self {
        Self {
            nodes: vec![Some(Node::new(NodeData::Document))],
            free: Vec::new(),
            document: NodeId::from_index(0),
            quirks_mode: QuirksMode::NoQuirks,
            frames: Vec::new(),
            bases: Vec::new(),
            collect_at: FIRST_COLLECTION,
        }
    }

    /// The document.
    pub fn document(&self) -> NodeId {
        self.document
    }

    /// <https://dom.spec.whatwg.org/#concept-document-mode>
    pub fn quirks_mode(&self) -> QuirksMode {
        self.quirks_mode
    }

    pub(super) fn set_quirks_mode(&mut self, mode: QuirksMode) {
        self.quirks_mode = mode;
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// When the node was freed, which nothing that holds its id lets happen.
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes[id.index()]
            .as_ref()
            .expect("a node lives as long as its id is held")
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// When the node was freed, which nothing that holds its id lets happen.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id.index()]
            .as_mut()
            .expect("a node lives as long as its id is held")
    }

    /// The element's data, if the node is an element.
    pub fn element(&self, id: NodeId) -> Option<&ElementData> {
        self.node(id).as_element()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Never: there is always a document.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// A new node, without a parent.
    pub fn create(&mut self, data: NodeData) -> NodeId {
        let node = Some(Node::new(data));
        if let Some(id) = self.free.pop() {
            self.nodes[id.index()] = node;
            return id;
        }
        self.nodes.push(node);
        NodeId::from_index(self.nodes.len() - 1)
    }

    /// A new element, with template contents if it is a template.
    pub fn create_element(&mut self, name: QualName) -> NodeId {
        let mut element = ElementData::new(name);
        if element.is_html("template") {
            element.template_contents = Some(self.create(NodeData::DocumentFragment));
        }
        let is_frame = element.is_html("iframe");
        let is_base = element.is_html("base");
        let id = self.create(NodeData::Element(element));
        if is_frame {
            self.frames.push(id);
        }
        if is_base {
            self.bases.push(id);
        }
        id
    }

    /// The `iframe` elements, whether they are in the document or not.
    pub fn frames(&self) -> &[NodeId] {
        &self.frames
    }

    /// The `base` elements, whether they are in the document or not.
    pub fn bases(&self) -> &[NodeId] {
        &self.bases
    }

    /// A new text node.
    pub fn create_text(&mut self, text: impl Into<String>) -> NodeId {
        self.create(NodeData::Text(text.into()))
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-root>
    pub fn root(&self, node: NodeId) -> NodeId {
        self.inclusive_ancestors(node).last().unwrap_or(node)
    }

    /// Whether the node is in the document.
    ///
    /// <https://dom.spec.whatwg.org/#connected>
    pub fn is_connected(&self, node: NodeId) -> bool {
        self.root(node) == self.document
    }

    /// The node, its parent, and so on.
    pub fn inclusive_ancestors(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(node), |id| self.node(*id).parent)
    }

    /// Whether `node` is `ancestor` or below it.
    ///
    /// <https://dom.spec.whatwg.org/#concept-tree-inclusive-descendant>
    pub fn is_inclusive_descendant(&self, node: NodeId, ancestor: NodeId) -> bool {
        self.inclusive_ancestors(node).any(|id| id == ancestor)
    }

    /// The children, first to last.
    pub fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(node).first_child, |id| {
            self.node(*id).next_sibling
        })
    }

    /// The children that are elements, first to last.
    pub fn child_elements(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.children(node)
            .filter(|child| self.element(*child).is_some())
    }

    /// The node and everything below it, in tree order.
    ///
    /// <https://dom.spec.whatwg.org/#concept-tree-order>
    pub fn inclusive_descendants(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(node), move |id| self.next_in_order(*id, node))
    }

    /// Everything below the node, in tree order.
    pub fn descendants(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.inclusive_descendants(node).skip(1)
    }

    /// The node that follows `node` in tree order, inside `scope`.
    pub fn next_in_order(&self, node: NodeId, scope: NodeId) -> Option<NodeId> {
        if let Some(child) = self.node(node).first_child {
            return Some(child);
        }
        self.inclusive_ancestors(node)
            .take_while(|id| *id != scope)
            .find_map(|id| self.node(id).next_sibling)
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-index>
    pub fn index(&self, node: NodeId) -> usize {
        std::iter::successors(self.node(node).previous_sibling, |id| {
            self.node(*id).previous_sibling
        })
        .count()
    }

    /// Where `other` stands, seen from `node`.
    pub fn position(&self, node: NodeId, other: NodeId) -> TreePosition {
        if node == other {
            return TreePosition::Same;
        }
        let path = |id| {
            let mut path: Vec<NodeId> = self.inclusive_ancestors(id).collect();
            path.reverse();
            path
        };
        let (path, other_path) = (path(node), path(other));
        if path[0] != other_path[0] {
            return TreePosition::Disconnected;
        }
        let common = path
            .iter()
            .zip(&other_path)
            .take_while(|(left, right)| left == right)
            .count();
        match (path.get(common), other_path.get(common)) {
            (None, _) => TreePosition::ContainedBy,
            (_, None) => TreePosition::Contains,
            (Some(branch), Some(other_branch)) => {
                if self.index(*other_branch) < self.index(*branch) {
                    TreePosition::Preceding
                } else {
                    TreePosition::Following
                }
            }
        }
    }

    /// Link `node`, which has no parent, into `parent` before `before` (at the end if `None`).
    pub(super) fn link(&mut self, parent: NodeId, node: NodeId, before: Option<NodeId>) {
        debug_assert!(self.node(node).parent.is_none());
        let previous = match before {
            Some(before) => self.node(before).previous_sibling,
            None => self.node(parent).last_child,
        };
        let linked = self.node_mut(node);
        linked.parent = Some(parent);
        linked.previous_sibling = previous;
        linked.next_sibling = before;
        match previous {
            Some(previous) => self.node_mut(previous).next_sibling = Some(node),
            None => self.node_mut(parent).first_child = Some(node),
        }
        match before {
            Some(before) => self.node_mut(before).previous_sibling = Some(node),
            None => self.node_mut(parent).last_child = Some(node),
        }
    }

    /// Take `node` out of its parent, if it has one.
    pub(super) fn unlink(&mut self, node: NodeId) {
        let unlinked = self.node_mut(node);
        let Some(parent) = unlinked.parent.take() else {
            return;
        };
        let previous = unlinked.previous_sibling.take();
        let next = unlinked.next_sibling.take();
        match previous {
            Some(previous) => self.node_mut(previous).next_sibling = next,
            None => self.node_mut(parent).first_child = next,
        }
        match next {
            Some(next) => self.node_mut(next).previous_sibling = previous,
            None => self.node_mut(parent).last_child = previous,
        }
    }

    /// Whether so many nodes were created since the last collection that another one is due.
    pub fn wants_collection(&self) -> bool {
        self.len() >= self.collect_at
    }

    /// Free every node that is neither in the document nor in a tree with a node for which
    /// `is_held` is true. Not to be called while a parser builds the tree, since it holds nodes of
    /// its own.
    pub fn collect_garbage(&mut self, is_held: impl Fn(NodeId) -> bool) {
        let mut keep = vec![false; self.nodes.len()];
        let mut roots = vec![self.document];
        for (index, node) in self.nodes.iter().enumerate() {
            let id = NodeId::from_index(index);
            if node.is_some() && is_held(id) {
                roots.push(self.root(id));
            }
        }
        while let Some(root) = roots.pop() {
            if keep[root.index()] {
                continue;
            }
            for id in self.inclusive_descendants(root) {
                keep[id.index()] = true;
                roots.extend(
                    self.element(id)
                        .and_then(|element| element.template_contents),
                );
            }
        }
        for (index, keep) in keep.into_iter().enumerate() {
            if !keep && self.nodes[index].take().is_some() {
                self.free.push(NodeId::from_index(index));
            }
        }
        let nodes = &self.nodes;
        self.frames.retain(|id| nodes[id.index()].is_some());
        self.bases.retain(|id| nodes[id.index()].is_some());
        self.collect_at = FIRST_COLLECTION.max(self.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::{Selectors, html_name};

    #[test]
    fn positions_are_those_of_tree_order() {
        let mut tree = Tree::new();
        let ids: Vec<NodeId> = ["html", "head", "body", "p"]
            .iter()
            .map(|name| tree.create_element(html_name(name)))
            .collect();
        let [html, head, body, p] = ids[..] else {
            unreachable!()
        };
        tree.link(tree.document(), html, None);
        tree.link(html, body, None);
        tree.link(html, head, Some(body));
        assert_eq!(tree.position(head, body), TreePosition::Following);
        assert_eq!(tree.position(body, head), TreePosition::Preceding);
        assert_eq!(tree.position(body, html), TreePosition::Contains);
        assert_eq!(tree.position(html, body), TreePosition::ContainedBy);
        assert_eq!(tree.position(p, body), TreePosition::Disconnected);
        assert_eq!(tree.position(p, p), TreePosition::Same);
        assert_eq!(
            tree.descendants(tree.document()).collect::<Vec<_>>(),
            [html, head, body]
        );
        assert_eq!(tree.index(body), 1);
        assert!(tree.is_connected(head) && !tree.is_connected(p));
    }

    #[test]
    fn garbage_is_what_neither_the_document_nor_a_held_node_keeps() {
        let mut tree = Tree::new();
        let kept = tree.create_element(html_name("template"));
        tree.link(tree.document(), kept, None);
        let contents = tree.element(kept).unwrap().template_contents.unwrap();
        let parent = tree.create_element(html_name("div"));
        let held = tree.create_text("held");
        let sibling = tree.create_text("sibling");
        tree.link(parent, held, None);
        tree.link(parent, sibling, None);
        let lost = tree.create_element(html_name("p"));
        let child = tree.create_text("lost");
        tree.link(lost, child, None);
        assert_eq!(tree.len(), 8);
        tree.collect_garbage(|id| id == held);
        assert_eq!(tree.len(), 6);
        assert_eq!(tree.node(sibling).as_text(), Some("sibling"));
        assert_eq!(tree.root(held), parent);
        assert!(matches!(
            tree.node(contents).data,
            NodeData::DocumentFragment
        ));
        let reused = tree.create_text("new");
        assert!([lost, child].contains(&reused));
    }

    #[test]
    fn very_deep_trees_do_not_use_up_the_stack() {
        let mut tree = Tree::new();
        let mut top = tree.create_text("x");
        for _ in 0..100_000 {
            let parent = tree.create_element(html_name("div"));
            tree.append(parent, top).unwrap();
            top = parent;
        }
        let copy = tree.clone_node(top, true);
        tree.append(tree.document(), top).unwrap();
        assert_eq!(tree.outer_html(copy).len(), 100_000 * 11 + 1);
        assert_eq!(tree.text_content(copy).as_deref(), Some("x"));
        let selectors = Selectors::parse(":root > div div:not(p > *):last-child").unwrap();
        assert!(selectors.query_first(&tree, tree.document()).is_some());
        tree.collect_garbage(|_| false);
        assert_eq!(tree.len(), 100_002);
    }
}
