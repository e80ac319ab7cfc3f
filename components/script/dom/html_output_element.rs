//! <https://html.spec.whatwg.org/multipage/form-elements.html#htmloutputelement>

use super::html_element::HtmlElement;
use super::html_form_element::HtmlFormElement;
use crate::bindings::generated::{HtmlOutputElementMethods, NodeMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/form-elements.html#htmloutputelement>
    pub struct HtmlOutputElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlOutputElementMethods for HtmlOutputElement {
    fn form(&self, realm: &Realm) -> Fallible<Option<Dom<HtmlFormElement>>> {
        self.form_owner(realm)
    }

    fn name(&self, _: &Realm) -> DomString {
        self.reflected("name")
    }

    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "name", &value.to_string())
    }

    fn type_(&self, _: &Realm) -> DomString {
        "output".into()
    }

    /// <https://html.spec.whatwg.org/multipage/form-elements.html#dom-output-defaultvalue>
    fn default_value(&self, realm: &Realm) -> DomString {
        let default = self.read(|element| element.control.value.clone());
        default.map_or_else(|| self.value(realm), Into::into)
    }

    fn set_default_value(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        if self.read(|element| element.control.value.is_none()) {
            return self.set_text_content(realm, Some(value));
        }
        self.write(|element| element.control.value = Some(value.to_string()));
        Ok(())
    }

    fn value(&self, realm: &Realm) -> DomString {
        self.text_content(realm).unwrap_or_default()
    }

    /// <https://html.spec.whatwg.org/multipage/form-elements.html#dom-output-value>
    fn set_value(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        let default = self.default_value(realm).to_string();
        self.write(|element| element.control.value = Some(default));
        self.set_text_content(realm, Some(value))
    }
}
