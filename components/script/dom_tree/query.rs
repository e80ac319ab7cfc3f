//! Looking elements up by id, class and name.

use html5ever::ns;
use html5ever::tree_builder::QuirksMode;

use super::node::NodeId;
use super::tree::Tree;

impl Tree {
    /// The first element below `root` with this id.
    ///
    /// <https://dom.spec.whatwg.org/#dom-nonelementparentnode-getelementbyid>
    pub fn element_by_id(&self, root: NodeId, id: &str) -> Option<NodeId> {
        if id.is_empty() {
            return None;
        }
        self.descendants(root).find(|node| {
            self.element(*node)
                .is_some_and(|element| element.attribute("id") == Some(id))
        })
    }

    /// The elements below `root` with this qualified name; `*` is every element.
    ///
    /// <https://dom.spec.whatwg.org/#concept-getelementsbytagname>
    pub fn elements_by_tag_name(&self, root: NodeId, qualified_name: &str) -> Vec<NodeId> {
        let lower = qualified_name.to_ascii_lowercase();
        let matches = |node: &NodeId| {
            self.element(*node).is_some_and(|element| {
                let wanted = if element.name.ns == ns!(html) {
                    &lower
                } else {
                    qualified_name
                };
                let prefix = element
                    .name
                    .prefix
                    .as_ref()
                    .filter(|prefix| !prefix.is_empty());
                qualified_name == "*"
                    || match prefix {
                        None => &*element.name.local == wanted,
                        Some(prefix) => format!("{prefix}:{}", element.name.local) == wanted,
                    }
            })
        };
        self.descendants(root).filter(matches).collect()
    }

    /// The elements below `root` that have all of these classes.
    ///
    /// <https://dom.spec.whatwg.org/#concept-getelementsbyclassname>
    pub fn elements_by_class_name(&self, root: NodeId, class_names: &str) -> Vec<NodeId> {
        let wanted: Vec<&str> = class_names.split_ascii_whitespace().collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let quirks = self.quirks_mode() == QuirksMode::Quirks;
        let same =
            |left: &str, right: &str| left == right || quirks && left.eq_ignore_ascii_case(right);
        self.descendants(root)
            .filter(|node| {
                self.element(*node).is_some_and(|element| {
                    let classes = element.attribute("class").unwrap_or_default();
                    wanted.iter().all(|wanted| {
                        classes
                            .split_ascii_whitespace()
                            .any(|class| same(class, wanted))
                    })
                })
            })
            .collect()
    }

    /// <https://dom.spec.whatwg.org/#document-element>
    pub fn document_element(&self) -> Option<NodeId> {
        self.child_elements(self.document()).next()
    }

    /// The first `head` child of the `html` element.
    ///
    /// <https://html.spec.whatwg.org/multipage/#the-head-element-2>
    pub fn head(&self) -> Option<NodeId> {
        self.html_child(&["head"])
    }

    /// The first `body` or `frameset` child of the `html` element.
    ///
    /// <https://html.spec.whatwg.org/multipage/#the-body-element-2>
    pub fn body(&self) -> Option<NodeId> {
        self.html_child(&["body", "frameset"])
    }

    fn html_child(&self, names: &[&str]) -> Option<NodeId> {
        let html = self.document_element()?;
        if !self.element(html)?.is_html("html") {
            return None;
        }
        self.child_elements(html).find(|child| {
            self.element(*child)
                .is_some_and(|element| names.iter().any(|name| element.is_html(name)))
        })
    }

    /// The document's title, with white space stripped and collapsed.
    ///
    /// <https://html.spec.whatwg.org/multipage/#document.title>
    pub fn title(&self) -> String {
        let title = self
            .elements_by_tag_name(self.document(), "title")
            .into_iter()
            .next();
        let text = title
            .map(|title| self.child_text_content(title))
            .unwrap_or_default();
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    }
}
