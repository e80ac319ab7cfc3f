//! <https://html.spec.whatwg.org/multipage/dom.html#htmlelement>

use std::rc::Rc;

use super::activation;
use super::element::Element;
use super::event_target::EventTarget;
use crate::bindings::generated::{EventInit, HtmlElementMethods, NodeMethods};
use crate::bindings::{Dom, DomString, Fallible, Realm};
use crate::window::frames;
use crate::window::page::Page;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/dom.html#htmlelement>
    pub struct HtmlElement {
        pub(crate) parent: Element,
    }
}

impl HtmlElement {
    /// The object of the form that a control belongs to: the nearest one above it.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn form_owner(
        &self,
        realm: &Realm,
    ) -> Fallible<Option<Dom<super::html_form_element::HtmlFormElement>>> {
        let form = super::html_form_element::owner(&self.tree(), self.node_id());
        self.wrap(realm, form)
    }
}

impl HtmlElementMethods for HtmlElement {
    fn title(&self, _: &Realm) -> DomString {
        self.reflected("title")
    }

    fn set_title(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "title", &value.to_string())
    }

    fn lang(&self, _: &Realm) -> DomString {
        self.reflected("lang")
    }

    fn set_lang(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "lang", &value.to_string())
    }

    fn dir(&self, _: &Realm) -> DomString {
        let value = self.reflected("dir").to_string().to_ascii_lowercase();
        if ["ltr", "rtl", "auto"].contains(&value.as_str()) {
            value.into()
        } else {
            "".into()
        }
    }

    fn set_dir(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "dir", &value.to_string())
    }

    fn hidden(&self, _: &Realm) -> bool {
        self.reflected_boolean("hidden")
    }

    fn set_hidden(&self, realm: &Realm, value: bool) -> Fallible<()> {
        self.reflect_boolean(realm, "hidden", value)
    }

    /// Nothing is rendered here, and then it is what `textContent` is.
    ///
    /// <https://html.spec.whatwg.org/multipage/dom.html#dom-innertext>
    fn inner_text(&self, realm: &Realm) -> DomString {
        self.text_content(realm).unwrap_or_default()
    }

    /// Each line break becomes a `br` element.
    fn set_inner_text(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        let text = value.to_string().replace("\r\n", "\n").replace('\r', "\n");
        let fragment = {
            let mut tree = self.tree_mut();
            let fragment = tree.create(crate::dom_tree::NodeData::DocumentFragment);
            for (number, line) in text.split('\n').enumerate() {
                if number > 0 {
                    let line_break = tree.create_element(crate::dom_tree::html_name("br"));
                    tree.append(fragment, line_break)?;
                }
                if !line.is_empty() {
                    let line = tree.create_text(line);
                    tree.append(fragment, line)?;
                }
            }
            fragment
        };
        self.replace_all(realm, Some(fragment));
        Ok(())
    }

    fn click(&self, realm: &Realm) -> Fallible<()> {
        activation::click(realm, self)
    }

    /// <https://html.spec.whatwg.org/multipage/interaction.html#dom-focus>
    fn focus(&self, realm: &Realm) -> Fallible<()> {
        let Some(page) = realm.service::<Page>() else {
            return Ok(());
        };
        let id = self.node_id();
        if self.tree().is_connected(id) && page.is_active() {
            let frame = frames::content(realm, self);
            frame.unwrap_or_else(|| Rc::clone(&page.context)).focus();
        }
        if !self.tree().is_connected(id) || page.focused() == Some(id) {
            return Ok(());
        }
        if let Some(old) = page.focused().and_then(|old| self.store().existing(old)) {
            fire_focus_event(realm, &old, "blur")?;
        }
        page.set_focused(Some(id));
        fire_focus_event(realm, self, "focus")
    }

    /// <https://html.spec.whatwg.org/multipage/interaction.html#dom-blur>
    fn blur(&self, realm: &Realm) -> Fallible<()> {
        let Some(page) = realm.service::<Page>() else {
            return Ok(());
        };
        if page.focused() != Some(self.node_id()) {
            return Ok(());
        }
        page.set_focused(None);
        fire_focus_event(realm, self, "blur")
    }
}

fn fire_focus_event(realm: &Realm, target: &EventTarget, type_: &str) -> Fallible<()> {
    let init = EventInit {
        composed: true,
        ..EventInit::default()
    };
    target.fire_event(realm, type_, &init).map(drop)
}
