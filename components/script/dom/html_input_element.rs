//! <https://html.spec.whatwg.org/multipage/input.html#htmlinputelement>

use super::html_element::HtmlElement;
use super::html_form_element::HtmlFormElement;
use crate::bindings::generated::HtmlInputElementMethods;
use crate::bindings::{Dom, DomString, Fallible, Realm};
use crate::dom_tree::ElementData;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/input.html#htmlinputelement>
    pub struct HtmlInputElement {
        pub(crate) parent: HtmlElement,
    }
}

const TYPES: &[&str] = &[
    "hidden",
    "text",
    "search",
    "tel",
    "url",
    "email",
    "password",
    "date",
    "month",
    "week",
    "time",
    "datetime-local",
    "number",
    "range",
    "color",
    "checkbox",
    "radio",
    "file",
    "submit",
    "image",
    "reset",
    "button",
];

/// The state of the `type` attribute.
pub(crate) fn input_type(element: &ElementData) -> &'static str {
    let value = element.attribute("type").unwrap_or_default();
    TYPES
        .iter()
        .find(|name| name.eq_ignore_ascii_case(value))
        .copied()
        .unwrap_or("text")
}

/// What the `value` attribute of the interface reads and writes.
///
/// <https://html.spec.whatwg.org/multipage/input.html#dom-input-value>
enum ValueMode {
    Value,
    Default,
    DefaultOn,
}

fn value_mode(element: &ElementData) -> ValueMode {
    match input_type(element) {
        "hidden" | "submit" | "image" | "reset" | "button" => ValueMode::Default,
        "checkbox" | "radio" => ValueMode::DefaultOn,
        _ => ValueMode::Value,
    }
}

/// What the `value` attribute of the interface reads.
pub(crate) fn value(element: &ElementData) -> String {
    let attribute = element.attribute("value").map(ToOwned::to_owned);
    match value_mode(element) {
        ValueMode::Value => element
            .control
            .value
            .clone()
            .or(attribute)
            .unwrap_or_default(),
        ValueMode::Default => attribute.unwrap_or_default(),
        ValueMode::DefaultOn => attribute.unwrap_or_else(|| "on".to_owned()),
    }
}

/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#concept-fe-checked>
pub(crate) fn is_checked(element: &ElementData) -> bool {
    element
        .control
        .checked
        .unwrap_or_else(|| element.has_attribute("checked"))
}

impl HtmlInputElementMethods for HtmlInputElement {
    fn default_checked(&self, _: &Realm) -> bool {
        self.reflected_boolean("checked")
    }

    fn set_default_checked(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "checked", value)
    }

    fn checked(&self, _: &Realm) -> bool {
        self.read(is_checked)
    }

    fn set_checked(&self, _: &Realm, value: bool) -> Fallible<()> {
        super::activation::set_checked(self, value);
        Ok(())
    }

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
        self.read(|element| input_type(element).into())
    }

    fn set_type(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "type", &value.to_string())
    }

    fn default_value(&self, _: &Realm) -> DomString {
        self.reflected("value")
    }

    fn set_default_value(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "value", &value.to_string())
    }

    /// <https://html.spec.whatwg.org/multipage/input.html#dom-input-value>
    fn value(&self, _: &Realm) -> Option<DomString> {
        Some(self.read(value).into())
    }

    fn set_value(&self, realm: &Realm, value: Option<DomString>) -> Fallible<()> {
        let value = value.unwrap_or_default().to_string();
        match self.read(value_mode) {
            ValueMode::Value => {
                let value = value.replace(['\r', '\n'], "");
                self.write(|element| element.control.value = Some(value));
                Ok(())
            }
            ValueMode::Default | ValueMode::DefaultOn => self.reflect(realm, "value", &value),
        }
    }
}
