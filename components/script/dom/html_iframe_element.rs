//! <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#htmliframeelement>

use super::document::Document;
use super::dom_token_list::DomTokenList;
use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlIframeElementMethods;
use crate::bindings::{Dom, DomString, Fallible, Realm, UsvString, Value};
use crate::window::frames;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#htmliframeelement>
    pub struct HtmlIframeElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlIframeElementMethods for HtmlIframeElement {
    fn src(&self, realm: &Realm) -> UsvString {
        self.reflected_url(realm, "src")
    }

    fn set_src(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.reflect(realm, "src", &value)
    }

    fn srcdoc(&self, _: &Realm) -> DomString {
        self.reflected("srcdoc")
    }

    fn set_srcdoc(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "srcdoc", &value.to_string())
    }

    fn name(&self, _: &Realm) -> DomString {
        self.reflected("name")
    }

    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "name", &value.to_string())
    }

    fn sandbox(&self, realm: &Realm) -> Fallible<Dom<DomTokenList>> {
        DomTokenList::new(realm, self, "sandbox")
    }

    fn allow(&self, _: &Realm) -> DomString {
        self.reflected("allow")
    }

    fn set_allow(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "allow", &value.to_string())
    }

    fn width(&self, _: &Realm) -> DomString {
        self.reflected("width")
    }

    fn set_width(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "width", &value.to_string())
    }

    fn height(&self, _: &Realm) -> DomString {
        self.reflected("height")
    }

    fn set_height(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "height", &value.to_string())
    }

    /// Only a document of the same origin is given out.
    ///
    /// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#dom-iframe-contentdocument>
    fn content_document(&self, realm: &Realm) -> Fallible<Option<Dom<Document>>> {
        Ok(frames::content(realm, self).and_then(|context| context.document_for(realm)))
    }

    /// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#dom-iframe-contentwindow>
    fn content_window(&self, realm: &Realm) -> Value {
        frames::content(realm, self)
            .and_then(|context| context.proxy())
            .unwrap_or_else(Value::null)
    }
}
