//! Nodes to HTML.

use html5ever::serialize::{Serialize, SerializeOpts, Serializer, TraversalScope, serialize};
use std::io;

use super::node::{Node, NodeData, NodeId};
use super::tree::Tree;

impl Tree {
    /// What `innerHTML` reads: the children, or the contents of a template.
    ///
    /// <https://html.spec.whatwg.org/multipage/#html-fragment-serialisation-algorithm>
    pub fn inner_html(&self, node: NodeId) -> String {
        let element = self.element(node);
        let name = element.map(|element| element.name.clone());
        let source = element
            .and_then(|element| element.template_contents)
            .unwrap_or(node);
        self.to_html(source, TraversalScope::ChildrenOnly(name))
    }

    /// What `outerHTML` reads.
    pub fn outer_html(&self, node: NodeId) -> String {
        self.to_html(node, TraversalScope::IncludeNode)
    }

    fn to_html(&self, node: NodeId, scope: TraversalScope) -> String {
        let options = SerializeOpts {
            traversal_scope: scope,
            ..SerializeOpts::default()
        };
        let mut bytes = Vec::new();
        serialize(&mut bytes, &Subtree { tree: self, node }, options)
            .expect("writing to memory does not fail");
        String::from_utf8(bytes).expect("the serializer writes whole strings")
    }
}

struct Subtree<'a> {
    tree: &'a Tree,
    node: NodeId,
}

/// One step of the walk; an element is left after what is in it.
enum Step {
    Enter(NodeId),
    Leave(NodeId),
}

impl Serialize for Subtree<'_> {
    fn serialize<S: Serializer>(
        &self,
        serializer: &mut S,
        scope: TraversalScope,
    ) -> io::Result<()> {
        let tree = self.tree;
        let enter_children = |steps: &mut Vec<Step>, node| {
            let start = steps.len();
            steps.extend(tree.children(node).map(Step::Enter));
            steps[start..].reverse();
        };
        let mut steps = Vec::new();
        match scope {
            TraversalScope::IncludeNode => steps.push(Step::Enter(self.node)),
            TraversalScope::ChildrenOnly(_) => enter_children(&mut steps, self.node),
        }
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(id) => {
                    let node = tree.node(id);
                    start(serializer, node)?;
                    if let Some(element) = node.as_element() {
                        steps.push(Step::Leave(id));
                        enter_children(&mut steps, element.template_contents.unwrap_or(id));
                    } else {
                        enter_children(&mut steps, id);
                    }
                }
                Step::Leave(id) => {
                    if let Some(element) = tree.element(id) {
                        serializer.end_elem(element.name.clone())?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn start<S: Serializer>(serializer: &mut S, node: &Node) -> io::Result<()> {
    match &node.data {
        NodeData::Document | NodeData::DocumentFragment => Ok(()),
        NodeData::DocumentType { name, .. } => serializer.write_doctype(name),
        NodeData::Element(element) => serializer.start_elem(
            element.name.clone(),
            element
                .attributes
                .iter()
                .map(|attribute| (&attribute.name, attribute.value.as_str())),
        ),
        NodeData::Text(text) => serializer.write_text(text),
        NodeData::Comment(text) => serializer.write_comment(text),
        NodeData::ProcessingInstruction { target, data } => {
            serializer.write_processing_instruction(target, data)
        }
    }
}
