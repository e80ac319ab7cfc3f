//! <https://dom.spec.whatwg.org/#interface-document>

use std::rc::Rc;

use base::channel::Callback;
use base::exception::DomExceptionName;
use crossbeam_channel::bounded;
use html5ever::tree_builder::QuirksMode;
use url::Url;

use super::comment::Comment;
use super::document_fragment::DocumentFragment;
use super::document_type::DocumentType;
use super::element::Element;
use super::event_target::EventTarget;
use super::html_collection::HtmlCollection;
use super::html_element::HtmlElement;
use super::html_script_element::HtmlScriptElement;
use super::location::Location;
use super::node::Node;
use super::node_list::NodeList;
use super::node_store::{NodeStore, node_of};
use super::text::Text;
use super::window::Window;
use crate::bindings::generated::{DocumentMethods, DocumentReadyState, DocumentVisibilityState};
use crate::bindings::{Dom, DomObject, DomString, Error, Fallible, Realm, UsvString, Value};
use crate::dom_tree::{NodeData, NodeId, html_name};
use crate::environment::Environment;
use crate::window::document_open;
use crate::window::page::Page;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-document>
    pub struct Document {
        pub(crate) parent: Node,
        window: Dom<EventTarget>,
    }
}

impl Document {
    /// The object of the document of a window.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(
        realm: &Realm,
        store: &Rc<NodeStore>,
        window: Dom<EventTarget>,
    ) -> Fallible<Dom<Self>> {
        let id = store.tree.borrow().document();
        let document = Dom::new(
            realm,
            Self {
                parent: Node::new_inherited(store, id),
                window,
            },
        )?;
        if let Some(node) = document.upcast::<Node>() {
            store.adopt_document(&node);
        }
        Ok(document)
    }

    /// The window that events go on to.
    pub(crate) fn window(&self) -> Dom<EventTarget> {
        self.window.clone()
    }

    fn element<T: DomObject>(&self, realm: &Realm, id: Option<NodeId>) -> Fallible<Option<Dom<T>>> {
        self.wrap(realm, id)
    }

    fn created<T: DomObject>(&self, realm: &Realm, id: NodeId) -> Fallible<Dom<T>> {
        self.wrap(realm, Some(id))?
            .ok_or_else(|| Error::Type("The node implements another interface.".to_owned()))
    }

    /// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#document-write-steps>
    fn write_text(realm: &Realm, text: &[DomString], end: &str) -> Fallible<()> {
        let mut written: String = text.iter().map(ToString::to_string).collect();
        written.push_str(end);
        document_open::write(realm, &*page(realm)?, &written)
    }
}

/// A new node of the window's document, as the interface that it implements.
///
/// # Errors
///
/// The realm has no document, or the engine is out of memory.
pub(super) fn create<T: DomObject>(realm: &Realm, data: NodeData) -> Fallible<Option<Dom<T>>> {
    let Some(page) = realm.service::<Page>() else {
        return Ok(None);
    };
    let id = page.store.tree.borrow_mut().create(data);
    Ok(page.store.wrap(realm, id)?.downcast())
}

/// The URL of the document; empty where there is none.
pub(super) fn url_text(realm: &Realm) -> UsvString {
    realm
        .service::<Page>()
        .map(|page| page.url().to_string())
        .unwrap_or_default()
        .into()
}

/// The URL whose cookies a document has; `None` when there are none for it.
///
/// <https://html.spec.whatwg.org/multipage/dom.html#cookie-averse-document-object>
fn cookie_url(realm: &Realm) -> Fallible<Option<Url>> {
    if Environment::of(realm)?.origin.is_none() {
        return Err(Error::dom(
            DomExceptionName::SecurityError,
            "A document with an opaque origin has no cookies.",
        ));
    }
    let url = page(realm)?.url();
    Ok(matches!(url.scheme(), "http" | "https").then_some(url))
}

fn page(realm: &Realm) -> Fallible<Rc<Page>> {
    realm
        .service()
        .ok_or_else(|| Error::Type("The realm has no document.".to_owned()))
}

/// <https://dom.spec.whatwg.org/#valid-element-local-name>
fn check_element_name(name: &str) -> Fallible<()> {
    let mut characters = name.chars();
    let first = characters.next().unwrap_or_default();
    let forbidden =
        |character: char| character.is_ascii_whitespace() || matches!(character, '\0' | '/' | '>');
    let starts = first.is_ascii_alphabetic() || first == ':' || first == '_' || !first.is_ascii();
    if !starts || first == '\0' || characters.any(forbidden) {
        return Err(Error::dom(
            DomExceptionName::InvalidCharacterError,
            format!("'{name}' is not a valid element name."),
        ));
    }
    Ok(())
}

impl DocumentMethods for Document {
    fn url(&self, realm: &Realm) -> UsvString {
        url_text(realm)
    }

    fn document_uri(&self, realm: &Realm) -> UsvString {
        url_text(realm)
    }

    fn compat_mode(&self, _: &Realm) -> DomString {
        let quirks = self.tree().quirks_mode() == QuirksMode::Quirks;
        if quirks {
            "BackCompat".into()
        } else {
            "CSS1Compat".into()
        }
    }

    fn character_set(&self, realm: &Realm) -> DomString {
        realm
            .service::<Page>()
            .map_or("UTF-8", |page| page.encoding().name())
            .into()
    }

    fn charset(&self, realm: &Realm) -> DomString {
        self.character_set(realm)
    }

    fn input_encoding(&self, realm: &Realm) -> DomString {
        self.character_set(realm)
    }

    fn content_type(&self, realm: &Realm) -> DomString {
        realm
            .service::<Page>()
            .map(|page| page.content_type.clone())
            .unwrap_or_default()
            .into()
    }

    fn doctype(&self, realm: &Realm) -> Fallible<Option<Dom<DocumentType>>> {
        let doctype = {
            let tree = self.tree();
            let is_doctype =
                |id: &NodeId| matches!(tree.node(*id).data, NodeData::DocumentType { .. });
            tree.children(self.node_id()).find(is_doctype)
        };
        self.wrap(realm, doctype)
    }

    fn document_element(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let element = self.tree().document_element();
        self.wrap(realm, element)
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

    /// <https://dom.spec.whatwg.org/#dom-document-createelement>
    fn create_element(&self, realm: &Realm, local_name: DomString) -> Fallible<Dom<Element>> {
        let name = local_name.to_string();
        check_element_name(&name)?;
        let id = self
            .tree_mut()
            .create_element(html_name(&name.to_ascii_lowercase()));
        self.created(realm, id)
    }

    fn create_document_fragment(&self, realm: &Realm) -> Fallible<Dom<DocumentFragment>> {
        let id = self.tree_mut().create(NodeData::DocumentFragment);
        self.created(realm, id)
    }

    fn create_text_node(&self, realm: &Realm, data: DomString) -> Fallible<Dom<Text>> {
        let id = self.tree_mut().create_text(data.to_string());
        self.created(realm, id)
    }

    fn create_comment(&self, realm: &Realm, data: DomString) -> Fallible<Dom<Comment>> {
        let id = self.tree_mut().create(NodeData::Comment(data.to_string()));
        self.created(realm, id)
    }

    fn import_node(&self, realm: &Realm, node: Dom<Node>, subtree: bool) -> Fallible<Dom<Node>> {
        use crate::bindings::generated::NodeMethods;
        if self.is_at_home_with(&node) {
            return node.clone_node(realm, subtree);
        }
        if matches!(node.tree().node(node.node_id()).data, NodeData::Document) {
            return Err(Error::dom(
                DomExceptionName::NotSupportedError,
                "A document cannot be imported.",
            ));
        }
        let copy = self
            .tree_mut()
            .import_node(&node.tree(), node.node_id(), subtree);
        self.created(realm, copy)
    }

    /// Nodes stay in their document, so it is only taken out of its parent.
    fn adopt_node(&self, realm: &Realm, node: Dom<Node>) -> Fallible<Dom<Node>> {
        if matches!(node.tree().node(node.node_id()).data, NodeData::Document) {
            return Err(Error::dom(
                DomExceptionName::NotSupportedError,
                "A document cannot be adopted.",
            ));
        }
        self.id_of(&node)?;
        node.detach(realm);
        Ok(node)
    }

    fn location(&self, realm: &Realm) -> Fallible<Option<Dom<Location>>> {
        let is_active = realm.service::<Page>().is_some_and(|page| page.is_active());
        let Some(window) = realm.global::<Window>().filter(|_| is_active) else {
            return Ok(None);
        };
        window.location_object(realm).map(Some)
    }

    fn referrer(&self, realm: &Realm) -> UsvString {
        let page = realm.service::<Page>();
        let referrer = page.and_then(|page| page.referrer.as_ref().map(ToString::to_string));
        referrer.unwrap_or_default().into()
    }

    /// <https://html.spec.whatwg.org/multipage/dom.html#dom-document-cookie>
    fn cookie(&self, realm: &Realm) -> Fallible<UsvString> {
        let Some(url) = cookie_url(realm)? else {
            return Ok(UsvString::default());
        };
        let (sender, cookies) = bounded(1);
        let done = Callback::new(move |cookies: String| {
            // It is called once.
            let _ = sender.send(cookies);
        });
        let environment = Environment::of(realm)?;
        let is_same_site = environment.is_in_site_of(&url);
        environment.services.net.cookies(url, is_same_site, done);
        Ok(cookies.recv().unwrap_or_default().into())
    }

    fn set_cookie(&self, realm: &Realm, cookie: UsvString) -> Fallible<()> {
        if let Some(url) = cookie_url(realm)? {
            let environment = Environment::of(realm)?;
            let is_same_site = environment.is_in_site_of(&url);
            let net = &environment.services.net;
            net.set_cookie(url, is_same_site, cookie.to_string());
        }
        Ok(())
    }

    fn ready_state(&self, realm: &Realm) -> DocumentReadyState {
        realm
            .service::<Page>()
            .map_or(DocumentReadyState::Complete, |page| {
                page.ready_state().into()
            })
    }

    fn title(&self, _: &Realm) -> DomString {
        self.tree().title().into()
    }

    /// <https://html.spec.whatwg.org/multipage/dom.html#document.title>
    fn set_title(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        let (title, head) = {
            let tree = self.tree();
            (
                tree.elements_by_tag_name(self.node_id(), "title")
                    .first()
                    .copied(),
                tree.head(),
            )
        };
        let title = match (title, head) {
            (Some(title), _) => title,
            (None, Some(head)) => {
                let title = self.tree_mut().create_element(html_name("title"));
                self.created::<Node>(realm, head)?
                    .insert(realm, title, None)?;
                title
            }
            (None, None) => return Ok(()),
        };
        let text = self.tree_mut().create_text(value.to_string());
        self.created::<Node>(realm, title)?
            .replace_all(realm, Some(text));
        Ok(())
    }

    fn body(&self, realm: &Realm) -> Fallible<Option<Dom<HtmlElement>>> {
        let body = self.tree().body();
        self.element(realm, body)
    }

    fn head(&self, realm: &Realm) -> Fallible<Option<Dom<HtmlElement>>> {
        let head = self.tree().head();
        self.element(realm, head)
    }

    fn current_script(&self, realm: &Realm) -> Fallible<Option<Dom<HtmlScriptElement>>> {
        let script = realm
            .service::<Page>()
            .and_then(|page| page.current_script());
        self.element(realm, script)
    }

    fn get_elements_by_name(&self, realm: &Realm, name: DomString) -> Fallible<Dom<NodeList>> {
        let name = name.to_string();
        let found: Vec<NodeId> = {
            let tree = self.tree();
            let has_name = |id: &NodeId| {
                tree.element(*id)
                    .is_some_and(|element| element.attribute("name") == Some(&name))
            };
            tree.descendants(self.node_id()).filter(has_name).collect()
        };
        NodeList::of(realm, self, &found)
    }

    fn open(
        &self,
        realm: &Realm,
        _: Option<DomString>,
        _: Option<DomString>,
    ) -> Fallible<Dom<Self>> {
        document_open::open(realm, &*page(realm)?)?;
        Ok(Dom::from_ref(self))
    }

    fn close(&self, realm: &Realm) -> Fallible<()> {
        document_open::close(realm, &*page(realm)?)
    }

    fn write(&self, realm: &Realm, text: Vec<DomString>) -> Fallible<()> {
        Self::write_text(realm, &text, "")
    }

    fn writeln(&self, realm: &Realm, text: Vec<DomString>) -> Fallible<()> {
        Self::write_text(realm, &text, "\n")
    }

    fn default_view(&self, realm: &Realm) -> Value {
        match realm.service::<Page>() {
            Some(page) if page.is_active() => realm.global_value(),
            _ => Value::null(),
        }
    }

    fn has_focus(&self, realm: &Realm) -> Fallible<bool> {
        Ok(realm
            .service::<Page>()
            .is_some_and(|page| page.is_active() && page.context.has_focus()))
    }

    fn hidden(&self, realm: &Realm) -> bool {
        realm.service::<Page>().is_none_or(|page| page.is_hidden())
    }

    fn visibility_state(&self, realm: &Realm) -> DocumentVisibilityState {
        if self.hidden(realm) {
            DocumentVisibilityState::Hidden
        } else {
            DocumentVisibilityState::Visible
        }
    }

    /// <https://html.spec.whatwg.org/multipage/interaction.html#dom-documentorshadowroot-activeelement>
    fn active_element(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let focused = realm.service::<Page>().and_then(|page| page.focused());
        let element = {
            let tree = self.tree();
            let focused = focused.filter(|id| tree.is_connected(*id));
            focused
                .or_else(|| tree.body())
                .or_else(|| tree.document_element())
        };
        self.wrap(realm, element)
    }
}

/// Fires an event at the document.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn fire(document: &Document, realm: &Realm, type_: &str, bubbles: bool) -> Fallible<()> {
    let init = crate::bindings::generated::EventInit {
        bubbles,
        ..Default::default()
    };
    node_of(document).fire_event(realm, type_, &init).map(drop)
}
