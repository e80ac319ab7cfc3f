//! <https://html.spec.whatwg.org/multipage/scripting.html#htmltemplateelement>

use std::cell::RefCell;

use super::document_fragment::DocumentFragment;
use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlTemplateElementMethods;
use crate::bindings::{Dom, Error, Fallible, Realm};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/scripting.html#htmltemplateelement>
    pub struct HtmlTemplateElement {
        pub(crate) parent: HtmlElement,
        /// Keeps the object of the contents, which is in a tree of its own.
        content: RefCell<Option<Dom<DocumentFragment>>>,
    }
}

impl HtmlTemplateElement {
    pub(super) fn new_inherited(parent: HtmlElement) -> Self {
        Self {
            parent,
            content: RefCell::default(),
        }
    }
}

impl HtmlTemplateElementMethods for HtmlTemplateElement {
    fn content(&self, realm: &Realm) -> Fallible<Dom<DocumentFragment>> {
        if let Some(content) = &*self.content.borrow() {
            return Ok(content.clone());
        }
        let contents = self.read(|element| element.template_contents);
        let content: Option<Dom<DocumentFragment>> = self.wrap(realm, contents)?;
        self.content.replace(content.clone());
        content.ok_or_else(|| Error::Type("The template has no contents.".to_owned()))
    }
}
