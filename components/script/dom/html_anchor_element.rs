//! <https://html.spec.whatwg.org/multipage/text-level-semantics.html#htmlanchorelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::{HtmlAnchorElementMethods, NodeMethods};
use crate::bindings::{DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/text-level-semantics.html#htmlanchorelement>
    pub struct HtmlAnchorElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlAnchorElementMethods for HtmlAnchorElement {
    fn href(&self, realm: &Realm) -> UsvString {
        self.reflected_url(realm, "href")
    }

    fn set_href(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.reflect(realm, "href", &value)
    }

    fn target(&self, _: &Realm) -> DomString {
        self.reflected("target")
    }

    fn set_target(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "target", &value.to_string())
    }

    fn rel(&self, _: &Realm) -> DomString {
        self.reflected("rel")
    }

    fn set_rel(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "rel", &value.to_string())
    }

    fn text(&self, realm: &Realm) -> Option<DomString> {
        self.text_content(realm)
    }

    fn set_text(&self, realm: &Realm, value: Option<DomString>) -> Fallible<()> {
        self.set_text_content(realm, value)
    }
}
