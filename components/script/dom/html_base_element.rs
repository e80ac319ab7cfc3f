//! <https://html.spec.whatwg.org/multipage/semantics.html#htmlbaseelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlBaseElementMethods;
use crate::bindings::{DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/semantics.html#htmlbaseelement>
    pub struct HtmlBaseElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlBaseElementMethods for HtmlBaseElement {
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
}
