//! <https://html.spec.whatwg.org/multipage/semantics.html#htmlmetaelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlMetaElementMethods;
use crate::bindings::{DomString, Fallible, Realm};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/semantics.html#htmlmetaelement>
    pub struct HtmlMetaElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlMetaElementMethods for HtmlMetaElement {
    fn name(&self, _: &Realm) -> DomString {
        self.reflected("name")
    }

    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "name", &value.to_string())
    }

    fn http_equiv(&self, _: &Realm) -> DomString {
        self.reflected("http-equiv")
    }

    fn set_http_equiv(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "http-equiv", &value.to_string())
    }

    fn content(&self, _: &Realm) -> DomString {
        self.reflected("content")
    }

    fn set_content(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "content", &value.to_string())
    }
}
