//! <https://html.spec.whatwg.org/multipage/forms.html#htmlformelement>

use super::activation;
use super::html_collection::HtmlCollection;
use super::html_element::HtmlElement;
use crate::bindings::generated::{EventInit, HtmlFormElementMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm, UsvString};
use crate::dom_tree::{NodeId, Tree};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/forms.html#htmlformelement>
    pub struct HtmlFormElement {
        pub(crate) parent: HtmlElement,
    }
}

/// The controls of a form in tree order: those below it that are not below a form in it.
pub(crate) fn controls(tree: &Tree, form: NodeId) -> Vec<NodeId> {
    let names = [
        "button", "fieldset", "input", "object", "output", "select", "textarea",
    ];
    tree.descendants(form)
        .filter(|id| {
            tree.element(*id).is_some_and(|element| {
                names.iter().any(|name| element.is_html(name))
                    && !element
                        .attribute("type")
                        .is_some_and(|type_| type_.eq_ignore_ascii_case("image"))
            })
        })
        .filter(|id| owner(tree, *id) == Some(form))
        .collect()
}

/// The form that a control belongs to: the one its `form` attribute names, else the nearest one
/// above it.
///
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#form-owner>
pub(crate) fn owner(tree: &Tree, control: NodeId) -> Option<NodeId> {
    let is_form = |id: &NodeId| {
        tree.element(*id)
            .is_some_and(|element| element.is_html("form"))
    };
    if let Some(id) = tree
        .element(control)
        .and_then(|element| element.attribute("form"))
    {
        return tree.element_by_id(tree.root(control), id).filter(is_form);
    }
    tree.inclusive_ancestors(control).skip(1).find(is_form)
}

impl HtmlFormElementMethods for HtmlFormElement {
    fn action(&self, realm: &Realm) -> UsvString {
        let action = self.reflected_url(realm, "action");
        if action.is_empty() {
            super::document::url_text(realm)
        } else {
            action
        }
    }

    fn set_action(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.reflect(realm, "action", &value)
    }

    fn method(&self, _: &Realm) -> DomString {
        let value = self.reflected("method").to_string().to_ascii_lowercase();
        if ["post", "dialog"].contains(&value.as_str()) {
            value.into()
        } else {
            "get".into()
        }
    }

    fn set_method(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "method", &value.to_string())
    }

    fn name(&self, _: &Realm) -> DomString {
        self.reflected("name")
    }

    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "name", &value.to_string())
    }

    fn elements(&self, realm: &Realm) -> Fallible<Dom<HtmlCollection>> {
        HtmlCollection::form_elements(realm, self)
    }

    fn length(&self, _: &Realm) -> u32 {
        u32::try_from(controls(&self.tree(), self.node_id()).len()).unwrap_or(u32::MAX)
    }

    /// <https://html.spec.whatwg.org/multipage/forms.html#dom-form-submit>
    fn submit(&self, realm: &Realm) -> Fallible<()> {
        activation::send(realm, self, None)
    }

    fn target(&self, _: &Realm) -> DomString {
        self.reflected("target")
    }

    fn set_target(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "target", &value.to_string())
    }

    /// <https://html.spec.whatwg.org/multipage/forms.html#dom-form-requestsubmit>
    fn request_submit(&self, realm: &Realm, submitter: Option<Dom<HtmlElement>>) -> Fallible<()> {
        let submitter = submitter
            .map(|submitter| self.id_of(&submitter))
            .transpose()?;
        activation::submit(realm, self, submitter)
    }

    /// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#concept-form-reset>
    fn reset(&self, realm: &Realm) -> Fallible<()> {
        let init = EventInit {
            bubbles: true,
            cancelable: true,
            ..EventInit::default()
        };
        if self.fire_event(realm, "reset", &init)? {
            let controls = controls(&self.tree(), self.node_id());
            let mut tree = self.tree_mut();
            for control in controls {
                if let Some(element) = tree.node_mut(control).as_element_mut() {
                    element.control = crate::dom_tree::ControlState::default();
                }
            }
        }
        Ok(())
    }
}
