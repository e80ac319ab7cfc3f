//! Insertion, removal and replacement.

use base::exception::{DomException, DomExceptionName};

use super::node::{NodeData, NodeId};
use super::tree::Tree;

fn hierarchy(message: &str) -> DomException {
    DomException::new(DomExceptionName::HierarchyRequestError, message)
}

/// The children of which a document has at most one.
#[derive(Clone, Copy, Eq, PartialEq)]
enum DocumentChild {
    Element,
    DocumentType,
}

impl Tree {
    /// Insert `node`, or the children of a fragment, into `parent` before `child` (at the end when
    /// `None`). A node that has a parent already moves.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-pre-insert>
    ///
    /// # Errors
    ///
    /// `HierarchyRequestError` when the result would not be a valid tree, `NotFoundError` when
    /// `child` is not a child of `parent`. Nothing is changed then.
    pub fn insert_before(
        &mut self,
        parent: NodeId,
        node: NodeId,
        child: Option<NodeId>,
    ) -> Result<(), DomException> {
        // Step 1: ensure pre-insert validity.
        self.check_insertion(parent, node, child, None)?;
        // Steps 2 and 3: a node that is inserted before itself goes before its next sibling.
        let reference = if child == Some(node) {
            self.node(node).next_sibling()
        } else {
            child
        };
        // Step 4: insert.
        self.insert(parent, node, reference);
        Ok(())
    }

    /// Append `node`, or the children of a fragment, to `parent`.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-append>
    ///
    /// # Errors
    ///
    /// As [`Tree::insert_before`].
    pub fn append(&mut self, parent: NodeId, node: NodeId) -> Result<(), DomException> {
        self.insert_before(parent, node, None)
    }

    /// Replace `child` of `parent` by `node`, or by the children of a fragment.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-replace>
    ///
    /// # Errors
    ///
    /// As [`Tree::insert_before`].
    pub fn replace(
        &mut self,
        parent: NodeId,
        node: NodeId,
        child: NodeId,
    ) -> Result<(), DomException> {
        // Steps 1 to 6: the same checks as for an insertion, without the child that goes.
        self.check_insertion(parent, node, Some(child), Some(child))?;
        // Steps 7 and 8: the reference child is the one after it, and never the node itself.
        let mut reference = self.node(child).next_sibling();
        if reference == Some(node) {
            reference = self.node(node).next_sibling();
        }
        // Steps 9 to 13.
        self.unlink(child);
        self.insert(parent, node, reference);
        Ok(())
    }

    /// Remove `child` from `parent`.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-pre-remove>
    ///
    /// # Errors
    ///
    /// `NotFoundError` when it is not a child of `parent`.
    pub fn remove_child(&mut self, parent: NodeId, child: NodeId) -> Result<(), DomException> {
        self.check_child(parent, child)?;
        self.unlink(child);
        Ok(())
    }

    /// Take `node` out of its parent, if it has one.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-remove>
    pub fn remove(&mut self, node: NodeId) {
        self.unlink(node);
    }

    /// Replace all children of `parent` by `node` (by none when `None`), unchecked: callers pass
    /// text and fragments made for an element or fragment.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-replace-all>
    pub fn replace_all(&mut self, parent: NodeId, node: Option<NodeId>) {
        while let Some(child) = self.node(parent).first_child() {
            self.unlink(child);
        }
        if let Some(node) = node {
            self.insert(parent, node, None);
        }
    }

    /// Link a node, or the children of a fragment.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-insert>
    pub(super) fn insert(&mut self, parent: NodeId, node: NodeId, before: Option<NodeId>) {
        if !matches!(self.node(node).data, NodeData::DocumentFragment) {
            self.unlink(node);
            self.link(parent, node, before);
            return;
        }
        while let Some(child) = self.node(node).first_child() {
            self.unlink(child);
            self.link(parent, child, before);
        }
    }

    /// Whether `node` could be inserted into `parent` before `child`.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-ensure-pre-insertion-validity>
    ///
    /// # Errors
    ///
    /// As [`Tree::insert_before`].
    pub fn check_pre_insertion(
        &self,
        parent: NodeId,
        node: NodeId,
        child: Option<NodeId>,
    ) -> Result<(), DomException> {
        self.check_insertion(parent, node, child, None)
    }

    fn check_child(&self, parent: NodeId, child: NodeId) -> Result<(), DomException> {
        if self.node(child).parent() == Some(parent) {
            return Ok(());
        }
        Err(DomException::new(
            DomExceptionName::NotFoundError,
            "The node is not a child of this node.",
        ))
    }

    /// `without` is the child that is going to be replaced, if any.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-ensure-pre-insertion-validity>
    fn check_insertion(
        &self,
        parent: NodeId,
        node: NodeId,
        child: Option<NodeId>,
        without: Option<NodeId>,
    ) -> Result<(), DomException> {
        // Step 1: only some nodes have children.
        if !matches!(
            self.node(parent).data,
            NodeData::Document | NodeData::DocumentFragment | NodeData::Element(_)
        ) {
            return Err(hierarchy("This node cannot have children."));
        }
        // Step 2: no cycles, also through the contents of a template.
        if self.is_host_including_inclusive_ancestor(node, parent) {
            return Err(hierarchy("The new child contains the parent."));
        }
        // Step 3: the reference is a child.
        if let Some(child) = child {
            self.check_child(parent, child)?;
        }
        // Steps 4 and 5: what may be inserted at all, and text not into a document.
        let in_document = matches!(self.node(parent).data, NodeData::Document);
        match &self.node(node).data {
            NodeData::Document => Err(hierarchy("A document cannot be inserted.")),
            NodeData::Text(_) if in_document => {
                Err(hierarchy("Text cannot be a child of a document."))
            }
            NodeData::DocumentType { .. } if !in_document => {
                Err(hierarchy("A doctype can only be a child of a document."))
            }
            // Step 6: a document has at most one doctype, then at most one element.
            NodeData::DocumentType { .. } => {
                self.check_document_child(parent, DocumentChild::DocumentType, child, without)
            }
            NodeData::Element(_) if in_document => {
                self.check_document_child(parent, DocumentChild::Element, child, without)
            }
            NodeData::DocumentFragment if in_document => {
                let has_text = self
                    .children(node)
                    .any(|inner| self.node(inner).as_text().is_some());
                match self.child_elements(node).count() {
                    _ if has_text => Err(hierarchy("Text cannot be a child of a document.")),
                    0 => Ok(()),
                    1 => self.check_document_child(parent, DocumentChild::Element, child, without),
                    _ => Err(hierarchy("A document can have only one element.")),
                }
            }
            _ => Ok(()),
        }
    }

    fn check_document_child(
        &self,
        document: NodeId,
        kind: DocumentChild,
        child: Option<NodeId>,
        without: Option<NodeId>,
    ) -> Result<(), DomException> {
        let kind_of = |id: NodeId| match self.node(id).data {
            NodeData::Element(_) => Some(DocumentChild::Element),
            NodeData::DocumentType { .. } => Some(DocumentChild::DocumentType),
            _ => None,
        };
        let others = || self.children(document).filter(|id| Some(*id) != without);
        if others().any(|id| kind_of(id) == Some(kind)) {
            return Err(hierarchy(match kind {
                DocumentChild::Element => "A document can have only one element.",
                DocumentChild::DocumentType => "A document can have only one doctype.",
            }));
        }
        let mut before = self.children(document).take_while(|id| Some(*id) != child);
        let mut after = self
            .children(document)
            .skip_while(|id| child.is_none_or(|child| *id != child))
            .filter(|id| Some(*id) != without);
        let wrong_order = match kind {
            DocumentChild::Element => {
                after.any(|id| kind_of(id) == Some(DocumentChild::DocumentType))
            }
            DocumentChild::DocumentType => {
                before.any(|id| kind_of(id) == Some(DocumentChild::Element))
            }
        };
        if wrong_order {
            return Err(hierarchy("The doctype comes before the element."));
        }
        Ok(())
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-host-including-inclusive-ancestor>
    fn is_host_including_inclusive_ancestor(&self, ancestor: NodeId, node: NodeId) -> bool {
        if self.is_inclusive_descendant(node, ancestor) {
            return true;
        }
        let root = self.root(node);
        if !matches!(self.node(root).data, NodeData::DocumentFragment) {
            return false;
        }
        // A fragment's host is a template; look for it from the candidate down.
        let mut fragments = vec![ancestor];
        while let Some(fragment) = fragments.pop() {
            for id in self.inclusive_descendants(fragment) {
                let contents = self.element(id).and_then(|data| data.template_contents);
                if contents == Some(root) {
                    return true;
                }
                fragments.extend(contents);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::node::html_name;

    fn names(tree: &Tree, parent: NodeId) -> String {
        let names: Vec<String> = tree
            .children(parent)
            .map(|id| match &tree.node(id).data {
                NodeData::Element(element) => element.name.local.to_string(),
                NodeData::DocumentType { name, .. } => format!("!{name}"),
                NodeData::Text(text) => format!("'{text}'"),
                NodeData::Comment(_) => "--".to_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        names.join(" ")
    }

    fn element(tree: &mut Tree, name: &str) -> NodeId {
        tree.create_element(html_name(name))
    }

    fn doctype(tree: &mut Tree) -> NodeId {
        tree.create(NodeData::DocumentType {
            name: "html".to_owned(),
            public_id: String::new(),
            system_id: String::new(),
        })
    }

    fn name_of(result: Result<(), DomException>) -> &'static str {
        result.map_or_else(|error| error.name(), |()| "no error")
    }

    #[test]
    fn nodes_move_between_parents_and_places() {
        let mut tree = Tree::new();
        let (list, other) = (element(&mut tree, "ul"), element(&mut tree, "ol"));
        let (a, b, c) = (
            element(&mut tree, "a"),
            element(&mut tree, "b"),
            element(&mut tree, "c"),
        );
        tree.append(list, a).unwrap();
        tree.append(list, b).unwrap();
        tree.insert_before(list, c, Some(b)).unwrap();
        assert_eq!(names(&tree, list), "a c b");
        tree.insert_before(list, c, Some(c)).unwrap();
        assert_eq!(names(&tree, list), "a c b");
        tree.append(list, a).unwrap();
        assert_eq!(names(&tree, list), "c b a");
        tree.append(other, b).unwrap();
        assert_eq!(names(&tree, list), "c a");
        tree.replace(list, a, c).unwrap();
        assert_eq!(names(&tree, list), "a");
        tree.replace(list, a, a).unwrap();
        assert_eq!(names(&tree, list), "a");
        tree.replace(list, b, a).unwrap();
        assert_eq!(
            (names(&tree, list), names(&tree, other)),
            ("b".into(), String::new())
        );
        tree.remove_child(list, b).unwrap();
        assert_eq!(names(&tree, list), "");
        assert_eq!(tree.node(b).parent(), None);
    }

    #[test]
    fn the_children_of_a_fragment_go_in_and_the_fragment_is_empty() {
        let mut tree = Tree::new();
        let list = element(&mut tree, "ul");
        let last = element(&mut tree, "c");
        tree.append(list, last).unwrap();
        let fragment = tree.create(NodeData::DocumentFragment);
        let (a, b) = (element(&mut tree, "a"), element(&mut tree, "b"));
        tree.append(fragment, a).unwrap();
        tree.append(fragment, b).unwrap();
        tree.insert_before(list, fragment, Some(last)).unwrap();
        assert_eq!(names(&tree, list), "a b c");
        assert_eq!(names(&tree, fragment), "");
    }

    #[test]
    fn what_would_not_be_a_tree_is_refused_and_changes_nothing() {
        let mut tree = Tree::new();
        let document = tree.document();
        let (html, body, text) = (
            element(&mut tree, "html"),
            element(&mut tree, "body"),
            tree.create_text("x"),
        );
        tree.append(document, html).unwrap();
        tree.append(html, body).unwrap();
        let late_doctype = doctype(&mut tree);
        let second = element(&mut tree, "p");
        let stray = element(&mut tree, "q");
        let fragment = tree.create(NodeData::DocumentFragment);
        let inner = tree.create_text("y");
        tree.append(fragment, inner).unwrap();
        let refused = "HierarchyRequestError";
        assert_eq!(name_of(tree.append(body, html)), refused, "a cycle");
        assert_eq!(name_of(tree.append(body, body)), refused, "into itself");
        assert_eq!(name_of(tree.append(text, second)), refused, "into text");
        assert_eq!(
            name_of(tree.append(document, text)),
            refused,
            "text into the document"
        );
        assert_eq!(name_of(tree.append(document, fragment)), refused);
        assert_eq!(
            name_of(tree.append(document, second)),
            refused,
            "a second element"
        );
        assert_eq!(
            name_of(tree.append(document, late_doctype)),
            refused,
            "after the element"
        );
        assert_eq!(
            name_of(tree.append(body, late_doctype)),
            refused,
            "into an element"
        );
        assert_eq!(name_of(tree.append(body, document)), refused, "a document");
        assert_eq!(
            name_of(tree.insert_before(body, second, Some(stray))),
            "NotFoundError"
        );
        assert_eq!(name_of(tree.remove_child(body, stray)), "NotFoundError");
        assert_eq!(name_of(tree.replace(body, second, stray)), "NotFoundError");
        assert_eq!(names(&tree, document), "html");
        assert_eq!(names(&tree, body), "");
        tree.insert_before(document, late_doctype, Some(html))
            .unwrap();
        tree.replace(document, second, html).unwrap();
        assert_eq!(names(&tree, document), "!html p");
        assert_eq!(
            name_of(tree.insert_before(document, html, Some(late_doctype))),
            refused
        );
    }

    #[test]
    fn a_template_does_not_go_into_its_own_contents() {
        let mut tree = Tree::new();
        let outer = element(&mut tree, "div");
        let template = element(&mut tree, "template");
        tree.append(outer, template).unwrap();
        let contents = tree.element(template).unwrap().template_contents.unwrap();
        assert_eq!(
            name_of(tree.append(contents, outer)),
            "HierarchyRequestError"
        );
        let p = element(&mut tree, "p");
        tree.append(contents, p).unwrap();
        assert_eq!(name_of(tree.append(p, template)), "HierarchyRequestError");
    }
}
