//! <https://html.spec.whatwg.org/multipage/semantics.html#htmllinkelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlLinkElementMethods;
use crate::bindings::{DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/semantics.html#htmllinkelement>
    pub struct HtmlLinkElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlLinkElementMethods for HtmlLinkElement {
    fn href(&self, realm: &Realm) -> UsvString {
        self.reflected_url(realm, "href")
    }

    fn set_href(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.reflect(realm, "href", &value)
    }

    fn rel(&self, _: &Realm) -> DomString {
        self.reflected("rel")
    }

    fn set_rel(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "rel", &value.to_string())
    }

    fn type_(&self, _: &Realm) -> DomString {
        self.reflected("type")
    }

    fn set_type(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "type", &value.to_string())
    }
}
