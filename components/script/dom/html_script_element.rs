//! <https://html.spec.whatwg.org/multipage/scripting.html#htmlscriptelement>

use super::html_element::HtmlElement;
use crate::bindings::generated::{HtmlScriptElementMethods, NodeMethods};
use crate::bindings::{DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/scripting.html#htmlscriptelement>
    pub struct HtmlScriptElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlScriptElementMethods for HtmlScriptElement {
    fn type_(&self, _: &Realm) -> DomString {
        self.reflected("type")
    }

    fn set_type(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "type", &value.to_string())
    }

    fn src(&self, realm: &Realm) -> UsvString {
        self.reflected_url(realm, "src")
    }

    fn set_src(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.reflect(realm, "src", &value)
    }

    fn no_module(&self, _: &Realm) -> bool {
        self.reflected_boolean("nomodule")
    }

    fn set_no_module(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "nomodule", value)
    }

    fn async_(&self, _: &Realm) -> bool {
        self.tree().is_script_async(self.node_id())
    }

    /// <https://html.spec.whatwg.org/multipage/scripting.html#dom-script-async>
    fn set_async(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.tree_mut().clear_force_async(self.node_id());
        self.reflect_boolean(realm, "async", value)
    }

    fn defer(&self, _: &Realm) -> bool {
        self.reflected_boolean("defer")
    }

    fn set_defer(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "defer", value)
    }

    fn text(&self, _: &Realm) -> DomString {
        self.tree().child_text_content(self.node_id()).into()
    }

    fn set_text(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.set_text_content(realm, Some(value))
    }
}
