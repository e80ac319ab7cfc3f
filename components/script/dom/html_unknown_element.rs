//! <https://html.spec.whatwg.org/multipage/dom.html#htmlunknownelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::HtmlUnknownElementMethods;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/dom.html#htmlunknownelement>
    pub struct HtmlUnknownElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlUnknownElementMethods for HtmlUnknownElement {}
