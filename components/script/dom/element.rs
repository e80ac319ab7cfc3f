//! <https://dom.spec.whatwg.org/#interface-element>

use base::exception::DomExceptionName;

use super::dom_token_list::DomTokenList;
use super::event_handler_content_attributes as handlers;
use super::html_collection::HtmlCollection;
use super::node::Node;
use crate::bindings::generated::ElementMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, Realm, UsvString};
use crate::dom_tree::{ElementData, NodeData, NodeId, Selectors, parse_fragment};
use crate::environment::Environment;
use crate::window::changes;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-element>
    pub struct Element {
        pub(crate) parent: Node,
    }
}

impl Element {
    /// The part of an element's object that this interface is.
    pub(crate) fn new_inherited(node: Node) -> Self {
        Self { parent: node }
    }

    /// Looks at the element's data.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&ElementData) -> T) -> T {
        let tree = self.tree();
        read(
            tree.element(self.node_id())
                .expect("the node of an element is an element"),
        )
    }

    /// Changes the element's data.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut ElementData) -> T) -> T {
        let mut tree = self.tree_mut();
        let data = tree.node_mut(self.node_id()).as_element_mut();
        write(data.expect("the node of an element is an element"))
    }

    /// Whether it is an HTML element with this name.
    pub(crate) fn is_html(&self, name: &str) -> bool {
        self.read(|element| element.is_html(name))
    }

    /// Sets an attribute, and does what follows from it.
    pub(crate) fn change_attribute(&self, realm: &Realm, name: &str, value: String) {
        self.write(|element| element.set_attribute(name, value.clone()));
        handlers::changed(realm, self, name, Some(&value));
        changes::attribute_changed(realm, self, name, true);
    }

    fn drop_attribute(&self, realm: &Realm, name: &str) {
        if self.write(|element| element.remove_attribute(name)) {
            handlers::changed(realm, self, name, None);
            changes::attribute_changed(realm, self, name, false);
        }
    }

    /// The event handlers that its attributes ask for.
    pub(super) fn set_up_event_handlers(&self, realm: &Realm) {
        let attributes: Vec<(String, String)> = self.read(|element| {
            let is_handler = |name: &str| name.starts_with("on");
            let attributes = element.attributes.iter();
            attributes
                .filter(|attribute| is_handler(&attribute.name.local))
                .map(|attribute| (attribute.name.local.to_string(), attribute.value.clone()))
                .collect()
        });
        for (name, value) in attributes {
            handlers::changed(realm, self, &name, Some(&value));
        }
    }

    /// <https://html.spec.whatwg.org/multipage/common-dom-interfaces.html#reflect>
    pub(crate) fn reflected(&self, name: &str) -> DomString {
        self.read(|element| element.attribute(name).unwrap_or_default().into())
    }

    /// Sets an attribute that an IDL attribute reflects.
    ///
    /// # Errors
    ///
    /// None; it has the form of a setter.
    #[expect(clippy::unnecessary_wraps, reason = "has the form of a setter")]
    pub(crate) fn reflect(&self, realm: &Realm, name: &str, value: &str) -> Fallible<()> {
        self.change_attribute(realm, name, value.to_owned());
        Ok(())
    }

    /// Whether an attribute is there.
    pub(crate) fn reflected_boolean(&self, name: &str) -> bool {
        self.read(|element| element.has_attribute(name))
    }

    /// Sets or removes an attribute that a boolean IDL attribute reflects.
    ///
    /// # Errors
    ///
    /// None; it has the form of a setter.
    pub(crate) fn reflect_boolean(&self, realm: &Realm, name: &str, value: bool) -> Fallible<()> {
        if value {
            return self.reflect(realm, name, "");
        }
        self.drop_attribute(realm, name);
        Ok(())
    }

    /// The URL that an attribute holds, absolute where it can be parsed.
    pub(crate) fn reflected_url(&self, realm: &Realm, name: &str) -> UsvString {
        let Some(value) = self.read(|element| element.attribute(name).map(ToOwned::to_owned))
        else {
            return UsvString::default();
        };
        let url = Environment::of(realm).and_then(|environment| environment.parse_url(&value));
        url.map_or(value, |url| url.to_string()).into()
    }

    /// Where `insertAdjacent*()` inserts: the parent, and the child before which.
    ///
    /// <https://dom.spec.whatwg.org/#insert-adjacent>
    fn adjacent(&self, realm: &Realm, place: &DomString) -> Fallible<Option<Adjacent>> {
        let (parent, next, first) = {
            let tree = self.tree();
            let node = tree.node(self.node_id());
            (node.parent(), node.next_sibling(), node.first_child())
        };
        let outer = |before| -> Fallible<Option<Adjacent>> {
            Ok(self
                .wrap(realm, parent)?
                .map(|parent| Adjacent { parent, before }))
        };
        let inner = |before| {
            Ok(Some(Adjacent {
                parent: Dom::from_ref(&self.parent),
                before,
            }))
        };
        match place.to_string().to_ascii_lowercase().as_str() {
            "beforebegin" => outer(Some(self.node_id())),
            "afterbegin" => inner(first),
            "beforeend" => inner(None),
            "afterend" => outer(next),
            other => Err(Error::dom(
                DomExceptionName::SyntaxError,
                format!(
                    "'{other}' is none of 'beforebegin', 'afterbegin', 'beforeend' and 'afterend'."
                ),
            )),
        }
    }
}

struct Adjacent {
    parent: Dom<Node>,
    before: Option<NodeId>,
}

/// <https://dom.spec.whatwg.org/#valid-attribute-local-name>
fn check_attribute_name(name: &str) -> Fallible<()> {
    let forbidden = |character: char| {
        character.is_ascii_whitespace() || matches!(character, '\0' | '/' | '=' | '>')
    };
    if name.is_empty() || name.contains(forbidden) {
        return Err(Error::dom(
            DomExceptionName::InvalidCharacterError,
            format!("'{name}' is not a valid attribute name."),
        ));
    }
    Ok(())
}

impl ElementMethods for Element {
    fn namespace_uri(&self, _: &Realm) -> Option<DomString> {
        self.read(|element| {
            Some(&*element.name.ns)
                .filter(|ns| !ns.is_empty())
                .map(Into::into)
        })
    }

    fn prefix(&self, _: &Realm) -> Option<DomString> {
        self.read(|element| element.name.prefix.as_ref().map(|prefix| (**prefix).into()))
    }

    fn local_name(&self, _: &Realm) -> DomString {
        self.read(|element| (*element.name.local).into())
    }

    fn tag_name(&self, _: &Realm) -> DomString {
        self.read(|element| element.tag_name().into())
    }

    fn id(&self, _: &Realm) -> DomString {
        self.reflected("id")
    }

    fn set_id(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "id", &value.to_string())
    }

    fn class_name(&self, _: &Realm) -> DomString {
        self.reflected("class")
    }

    fn set_class_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "class", &value.to_string())
    }

    fn class_list(&self, realm: &Realm) -> Fallible<Dom<DomTokenList>> {
        DomTokenList::new(realm, self, "class")
    }

    fn has_attributes(&self, _: &Realm) -> Fallible<bool> {
        Ok(self.read(|element| !element.attributes.is_empty()))
    }

    fn get_attribute_names(&self, _: &Realm) -> Fallible<Vec<DomString>> {
        Ok(self.read(|element| {
            element
                .attributes
                .iter()
                .map(|attribute| attribute.qualified_name().into())
                .collect()
        }))
    }

    fn get_attribute(&self, _: &Realm, name: DomString) -> Fallible<Option<DomString>> {
        let name = name.to_string();
        Ok(self.read(|element| {
            element
                .attribute_by_name(&name)
                .map(|attribute| attribute.value.as_str().into())
        }))
    }

    fn set_attribute(&self, realm: &Realm, name: DomString, value: DomString) -> Fallible<()> {
        let name = name.to_string();
        check_attribute_name(&name)?;
        self.change_attribute(realm, &name, value.to_string());
        Ok(())
    }

    fn remove_attribute(&self, realm: &Realm, name: DomString) -> Fallible<()> {
        self.drop_attribute(realm, &name.to_string());
        Ok(())
    }

    /// <https://dom.spec.whatwg.org/#dom-element-toggleattribute>
    fn toggle_attribute(
        &self,
        realm: &Realm,
        name: DomString,
        force: Option<bool>,
    ) -> Fallible<bool> {
        let text = name.to_string();
        check_attribute_name(&text)?;
        let present = self.has_attribute(realm, name)?;
        let wanted = force.unwrap_or(!present);
        if wanted && !present {
            self.change_attribute(realm, &text, String::new());
        } else if !wanted {
            self.drop_attribute(realm, &text);
        }
        Ok(wanted)
    }

    fn has_attribute(&self, _: &Realm, name: DomString) -> Fallible<bool> {
        let name = name.to_string();
        Ok(self.read(|element| element.attribute_by_name(&name).is_some()))
    }

    fn closest(&self, realm: &Realm, selectors: DomString) -> Fallible<Option<Dom<Self>>> {
        let selectors = Selectors::parse(&selectors.to_string())?;
        let found = selectors.closest(&self.tree(), self.parent.node_id());
        self.wrap(realm, found)
    }

    fn matches(&self, _: &Realm, selectors: DomString) -> Fallible<bool> {
        let selectors = Selectors::parse(&selectors.to_string())?;
        Ok(selectors.matches(&self.tree(), self.parent.node_id(), self.parent.node_id()))
    }

    fn get_elements_by_tag_name(
        &self,
        realm: &Realm,
        name: DomString,
    ) -> Fallible<Dom<HtmlCollection>> {
        HtmlCollection::by_tag_name(realm, self, &name)
    }

    fn get_elements_by_class_name(
        &self,
        realm: &Realm,
        names: DomString,
    ) -> Fallible<Dom<HtmlCollection>> {
        HtmlCollection::by_class_name(realm, self, &names)
    }

    fn insert_adjacent_element(
        &self,
        realm: &Realm,
        place: DomString,
        element: Dom<Self>,
    ) -> Fallible<Option<Dom<Self>>> {
        let Some(adjacent) = self.adjacent(realm, &place)? else {
            return Ok(None);
        };
        let id = self.id_of(&element)?;
        adjacent.parent.insert(realm, id, adjacent.before)?;
        Ok(Some(element))
    }

    fn insert_adjacent_text(
        &self,
        realm: &Realm,
        place: DomString,
        data: DomString,
    ) -> Fallible<()> {
        let Some(adjacent) = self.adjacent(realm, &place)? else {
            return Ok(());
        };
        let text = self.tree_mut().create_text(data.to_string());
        adjacent.parent.insert(realm, text, adjacent.before)
    }

    /// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#dom-element-insertadjacenthtml>
    fn insert_adjacent_html(
        &self,
        realm: &Realm,
        position: DomString,
        string: DomString,
    ) -> Fallible<()> {
        let Some(adjacent) = self.adjacent(realm, &position)? else {
            return Err(Error::dom(
                DomExceptionName::NoModificationAllowedError,
                "The element has no parent to insert into.",
            ));
        };
        let html = string.to_string();
        let fragment = parse_fragment(&mut self.tree_mut(), adjacent.parent.node_id(), &html);
        adjacent.parent.insert(realm, fragment, adjacent.before)
    }

    fn inner_html(&self, _: &Realm) -> Option<DomString> {
        Some(self.tree().inner_html(self.parent.node_id()).into())
    }

    /// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#dom-element-innerhtml>
    fn set_inner_html(&self, realm: &Realm, value: Option<DomString>) -> Fallible<()> {
        let html = value.unwrap_or_default().to_string();
        let fragment = parse_fragment(&mut self.tree_mut(), self.parent.node_id(), &html);
        let contents = self.read(|element| element.template_contents);
        match contents {
            Some(contents) => {
                self.store()
                    .wrap(realm, contents)?
                    .replace_all(realm, Some(fragment));
            }
            None => self.replace_all(realm, Some(fragment)),
        }
        Ok(())
    }

    fn outer_html(&self, _: &Realm) -> Option<DomString> {
        Some(self.tree().outer_html(self.parent.node_id()).into())
    }

    /// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#dom-element-outerhtml>
    fn set_outer_html(&self, realm: &Realm, value: Option<DomString>) -> Fallible<()> {
        let parent = self.tree().node(self.parent.node_id()).parent();
        let Some(parent) = self.wrap::<Node>(realm, parent)? else {
            return Ok(());
        };
        if matches!(
            parent.tree().node(parent.node_id()).data,
            NodeData::Document
        ) {
            return Err(Error::dom(
                DomExceptionName::NoModificationAllowedError,
                "The element of the document cannot be replaced by HTML.",
            ));
        }
        let html = value.unwrap_or_default().to_string();
        let fragment = parse_fragment(&mut self.tree_mut(), parent.node_id(), &html);
        parent.replace(realm, fragment, self.parent.node_id())
    }
}
