//! Copies of nodes.

use std::collections::HashMap;

use super::node::{NodeData, NodeId};
use super::tree::Tree;

impl Tree {
    /// A copy of a node without a parent, with copies of all its descendants when `deep`.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-clone>
    pub fn clone_node(&mut self, node: NodeId, deep: bool) -> NodeId {
        let copy = self.clone_single(node);
        if deep {
            self.clone_descendants(node, copy);
        }
        copy
    }

    /// A copy of a node of another tree, without a parent, with copies of all its descendants when
    /// `deep`.
    ///
    /// <https://dom.spec.whatwg.org/#dom-document-importnode>
    pub fn import_node(&mut self, source: &Self, node: NodeId, deep: bool) -> NodeId {
        let copy = self.copy_single(&source.node(node).data);
        let mut work = Vec::new();
        if deep {
            work.push((node, copy));
        }
        while let Some((from, to)) = work.pop() {
            for child in source.children(from) {
                let copy = self.copy_single(&source.node(child).data);
                self.link(to, copy, None);
                work.push((child, copy));
            }
            let contents = |tree: &Self, id| {
                tree.element(id)
                    .and_then(|element| element.template_contents)
            };
            work.extend(contents(source, from).zip(contents(self, to)));
        }
        copy
    }

    /// Copy everything below `from` to `to`, contents of templates too.
    fn clone_descendants(&mut self, from: NodeId, to: NodeId) {
        let mut work = vec![(from, to)];
        while let Some((from, to)) = work.pop() {
            // Copies of the nodes of this tree, by their originals.
            let mut copies = HashMap::from([(from, to)]);
            let originals: Vec<NodeId> = self.inclusive_descendants(from).collect();
            for original in originals {
                let copy = match copies.get(&original) {
                    Some(copy) => *copy,
                    None => self.clone_single(original),
                };
                if original != from {
                    copies.insert(original, copy);
                    let parent = self.node(original).parent();
                    if let Some(parent) = parent.and_then(|parent| copies.get(&parent)) {
                        self.link(*parent, copy, None);
                    }
                }
                let contents = |id| {
                    self.element(id)
                        .and_then(|element| element.template_contents)
                };
                work.extend(contents(original).zip(contents(copy)));
            }
        }
    }

    /// <https://dom.spec.whatwg.org/#clone-a-single-node>
    fn clone_single(&mut self, node: NodeId) -> NodeId {
        let data = self.node(node).data.clone();
        self.copy_single(&data)
    }

    fn copy_single(&mut self, data: &NodeData) -> NodeId {
        let NodeData::Element(element) = data else {
            return self.create(data.clone());
        };
        let element = element.clone();
        let copy = self.create_element(element.name);
        if let Some(data) = self.node_mut(copy).as_element_mut() {
            data.attributes = element.attributes;
            // The cloning steps of script and input elements.
            data.script.already_started = element.script.already_started;
            data.control = element.control;
        }
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::parse_fragment;

    #[test]
    fn a_deep_copy_is_equal_and_independent() {
        let mut tree = Tree::new();
        let html = "<p class=\"a\">x<b>y</b><template><i>z</i></template></p><!--c-->";
        let context = tree.create_element(crate::dom_tree::html_name("div"));
        let fragment = parse_fragment(&mut tree, context, html);
        tree.append(context, fragment).unwrap();
        let copy = tree.clone_node(context, true);
        assert_eq!(tree.inner_html(copy), html);
        assert_eq!(tree.node(copy).parent(), None);
        let first = tree.node(copy).first_child().unwrap();
        tree.set_text_content(first, "changed");
        assert_eq!(tree.inner_html(context), html);
        let shallow = tree.clone_node(context, false);
        assert_eq!(tree.inner_html(shallow), "");
    }
}
