//! <https://html.spec.whatwg.org/multipage/form-elements.html#htmlbuttonelement>

use super::html_element::HtmlElement;
use super::html_form_element::HtmlFormElement;
use crate::bindings::generated::HtmlButtonElementMethods;
use crate::bindings::{Dom, DomString, Fallible, Realm};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/form-elements.html#htmlbuttonelement>
    pub struct HtmlButtonElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlButtonElementMethods for HtmlButtonElement {
    fn disabled(&self, _: &Realm) -> bool {
        self.reflected_boolean("disabled")
    }

    fn set_disabled(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "disabled", value)
    }

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
        let value = self.reflected("type").to_string().to_ascii_lowercase();
        if ["reset", "button"].contains(&value.as_str()) {
            value.into()
        } else {
            "submit".into()
        }
    }

    fn set_type(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "type", &value.to_string())
    }

    fn value(&self, _: &Realm) -> DomString {
        self.reflected("value")
    }

    fn set_value(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "value", &value.to_string())
    }
}
