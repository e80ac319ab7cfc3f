//! `base` elements.
//!
//! <https://html.spec.whatwg.org/multipage/semantics.html#the-base-element>

use super::page::Page;
use crate::dom_tree::{NodeId, Tree};

/// The first `base` element of the document that has this attribute.
fn first_with(tree: &Tree, name: &str) -> Option<(NodeId, String)> {
    let value_of = |id: NodeId| {
        let value = tree.element(id)?.attribute(name)?;
        Some((id, value.to_owned()))
    };
    match tree.bases() {
        [] => None,
        [one] => value_of(*one).filter(|_| tree.is_connected(*one)),
        several => tree
            .descendants(tree.document())
            .filter(|id| several.contains(id))
            .find_map(value_of),
    }
}

/// The document takes the base URL that its elements say now.
///
/// <https://html.spec.whatwg.org/multipage/semantics.html#set-the-frozen-base-url>
pub(super) fn update(page: &Page) {
    let first = {
        let tree = page.store.tree.borrow();
        if tree.bases().is_empty() && !page.has_base_element() {
            return;
        }
        first_with(&tree, "href")
    };
    page.set_base_element(first);
}

/// Where links without a target lead.
///
/// <https://html.spec.whatwg.org/multipage/semantics.html#get-an-element's-target>
pub(crate) fn target(page: &Page) -> String {
    let first = first_with(&page.store.tree.borrow(), "target");
    first.map(|(_, target)| target).unwrap_or_default()
}
