//! <https://html.spec.whatwg.org/multipage/form-elements.html#htmltextareaelement>

use super::html_element::HtmlElement;
use super::html_form_element::HtmlFormElement;
use crate::bindings::generated::{HtmlTextAreaElementMethods, NodeMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm};
use crate::dom_tree::{NodeId, Tree};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/form-elements.html#htmltextareaelement>
    pub struct HtmlTextAreaElement {
        pub(crate) parent: HtmlElement,
    }
}

/// The API value: what was written into it, else its text.
///
/// <https://html.spec.whatwg.org/multipage/form-elements.html#concept-textarea-api-value>
pub(crate) fn value(tree: &Tree, id: NodeId) -> String {
    let dirty = tree
        .element(id)
        .and_then(|element| element.control.value.clone());
    dirty.unwrap_or_else(|| normalized(&tree.child_text_content(id)))
}

/// <https://infra.spec.whatwg.org/#normalize-newlines>
fn normalized(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

impl HtmlTextAreaElementMethods for HtmlTextAreaElement {
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

    fn placeholder(&self, _: &Realm) -> DomString {
        self.reflected("placeholder")
    }

    fn set_placeholder(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "placeholder", &value.to_string())
    }

    fn read_only(&self, _: &Realm) -> bool {
        self.reflected_boolean("readonly")
    }

    fn set_read_only(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "readonly", value)
    }

    fn required(&self, _: &Realm) -> bool {
        self.reflected_boolean("required")
    }

    fn set_required(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "required", value)
    }

    fn type_(&self, _: &Realm) -> DomString {
        "textarea".into()
    }

    fn default_value(&self, _: &Realm) -> DomString {
        self.tree().child_text_content(self.node_id()).into()
    }

    fn set_default_value(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.set_text_content(realm, Some(value))
    }

    /// <https://html.spec.whatwg.org/multipage/form-elements.html#dom-textarea-value>
    fn value(&self, _: &Realm) -> Option<DomString> {
        Some(value(&self.tree(), self.node_id()).into())
    }

    fn set_value(&self, _: &Realm, value: Option<DomString>) -> Fallible<()> {
        let value = value.unwrap_or_default().to_string();
        self.write(|element| element.control.value = Some(normalized(&value)));
        Ok(())
    }

    fn text_length(&self, realm: &Realm) -> u32 {
        let value = self.value(realm).unwrap_or_default();
        u32::try_from(value.code_units().len()).unwrap_or(u32::MAX)
    }
}
