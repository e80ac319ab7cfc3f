//! Text of nodes.

use super::node::{NodeData, NodeId};
use super::tree::Tree;

impl Tree {
    /// What `textContent` reads; `None` for documents and doctypes.
    ///
    /// <https://dom.spec.whatwg.org/#get-text-content>
    pub fn text_content(&self, node: NodeId) -> Option<String> {
        match &self.node(node).data {
            NodeData::Document | NodeData::DocumentType { .. } => None,
            NodeData::Element(_) | NodeData::DocumentFragment => {
                Some(self.descendant_text_content(node))
            }
            NodeData::Text(data)
            | NodeData::Comment(data)
            | NodeData::ProcessingInstruction { data, .. } => Some(data.clone()),
        }
    }

    /// <https://dom.spec.whatwg.org/#concept-descendant-text-content>
    pub fn descendant_text_content(&self, node: NodeId) -> String {
        self.descendants(node)
            .filter_map(|id| self.node(id).as_text())
            .collect()
    }

    /// <https://dom.spec.whatwg.org/#concept-child-text-content>
    pub fn child_text_content(&self, node: NodeId) -> String {
        self.children(node)
            .filter_map(|id| self.node(id).as_text())
            .collect()
    }

    /// What writing `textContent` does.
    ///
    /// <https://dom.spec.whatwg.org/#set-text-content>
    pub fn set_text_content(&mut self, node: NodeId, text: &str) {
        match &mut self.node_mut(node).data {
            NodeData::Document | NodeData::DocumentType { .. } => {}
            NodeData::Element(_) | NodeData::DocumentFragment => {
                let child = (!text.is_empty()).then(|| self.create_text(text));
                self.replace_all(node, child);
            }
            NodeData::Text(data)
            | NodeData::Comment(data)
            | NodeData::ProcessingInstruction { data, .. } => text.clone_into(data),
        }
    }

    /// Set the data of a `CharacterData` node; nothing happens to another one.
    pub fn set_character_data(&mut self, node: NodeId, text: String) {
        if let NodeData::Text(data)
        | NodeData::Comment(data)
        | NodeData::ProcessingInstruction { data, .. } = &mut self.node_mut(node).data
        {
            *data = text;
        }
    }

    /// Join neighbouring text nodes below `node` and remove empty ones.
    ///
    /// <https://dom.spec.whatwg.org/#dom-node-normalize>
    pub fn normalize(&mut self, node: NodeId) {
        let texts: Vec<NodeId> = self
            .descendants(node)
            .filter(|id| self.node(*id).as_text().is_some())
            .collect();
        for id in texts {
            let text = self.node(id).as_text().unwrap_or_default().to_owned();
            let previous = self.node(id).previous_sibling();
            let joined = previous.and_then(|previous| match &mut self.node_mut(previous).data {
                NodeData::Text(data) => {
                    data.push_str(&text);
                    Some(())
                }
                _ => None,
            });
            if joined.is_some() || text.is_empty() {
                self.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::node::html_name;

    #[test]
    fn text_content_reads_descendants_and_replaces_children() {
        let mut tree = Tree::new();
        let p = tree.create_element(html_name("p"));
        let b = tree.create_element(html_name("b"));
        let (one, two) = (tree.create_text("one "), tree.create_text("two"));
        let comment = tree.create(NodeData::Comment("not seen".to_owned()));
        tree.append(p, one).unwrap();
        tree.append(p, b).unwrap();
        tree.append(b, two).unwrap();
        tree.append(b, comment).unwrap();
        assert_eq!(tree.text_content(p).as_deref(), Some("one two"));
        assert_eq!(tree.child_text_content(p), "one ");
        assert_eq!(tree.text_content(comment).as_deref(), Some("not seen"));
        assert_eq!(tree.text_content(tree.document()), None);
        tree.set_text_content(p, "new");
        assert_eq!(tree.children(p).count(), 1);
        assert_eq!(tree.text_content(p).as_deref(), Some("new"));
        tree.set_text_content(p, "");
        assert_eq!(tree.children(p).count(), 0);
        assert_eq!(tree.text_content(b).as_deref(), Some("two"));
    }

    #[test]
    fn normalizing_joins_neighbours_and_drops_empty_text() {
        let mut tree = Tree::new();
        let p = tree.create_element(html_name("p"));
        let br = tree.create_element(html_name("br"));
        for text in ["", "a", "", "b"] {
            let text = tree.create_text(text);
            tree.append(p, text).unwrap();
        }
        tree.append(p, br).unwrap();
        let last = tree.create_text("c");
        tree.append(p, last).unwrap();
        tree.normalize(p);
        let texts: Vec<_> = tree
            .children(p)
            .map(|id| tree.node(id).as_text().unwrap_or("<br>").to_owned())
            .collect();
        assert_eq!(texts, ["ab", "<br>", "c"]);
    }
}
