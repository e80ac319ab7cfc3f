//! What follows from changes of a document's tree.

use crate::bindings::Realm;
use crate::dom::element::Element;
use crate::window::page::Page;
use crate::window::{base_url, frames};

/// The tree of a document has changed.
pub(crate) fn tree_changed(realm: &Realm) {
    if let Some(page) = realm.service::<Page>() {
        base_url::update(&page);
    }
    frames::update(realm);
}

/// An attribute of an element was set or removed.
pub(crate) fn attribute_changed(realm: &Realm, element: &Element, name: &str, is_set: bool) {
    if element.is_html("iframe") {
        frames::attribute_changed(realm, element, name, is_set);
    } else if element.is_html("base")
        && let Some(page) = realm.service::<Page>()
    {
        base_url::update(&page);
    }
}
