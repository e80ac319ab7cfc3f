//! <https://html.spec.whatwg.org/multipage/sections.html#htmlbodyelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlBodyElementMethods;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/sections.html#htmlbodyelement>
    pub struct HtmlBodyElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlBodyElementMethods for HtmlBodyElement {}
