//! The state of one document in its window. A service of the realm.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use encoding_rs::Encoding;
use url::Url;

use super::browsing_context::BrowsingContext;
use super::navigation::{Initiator, Navigation};
use super::sandbox::Sandbox;
use super::scripts::ScriptQueues;
use super::session_history::entry_changed;
use crate::bindings::Realm;
use crate::bindings::generated::DocumentReadyState;
use crate::dom::node_store::NodeStore;
use crate::dom_tree::{DocumentParser, NodeId};
use crate::environment::Environment;

/// <https://html.spec.whatwg.org/multipage/dom.html#current-document-readiness>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadyState {
    Loading,
    Interactive,
    Complete,
}

impl From<ReadyState> for DocumentReadyState {
    fn from(state: ReadyState) -> Self {
        match state {
            ReadyState::Loading => Self::Loading,
            ReadyState::Interactive => Self::Interactive,
            ReadyState::Complete => Self::Complete,
        }
    }
}

/// The state of one document in its window.
pub(crate) struct Page {
    pub(crate) store: Rc<NodeStore>,
    pub(crate) environment: Rc<Environment>,
    pub(crate) content_type: String,
    pub(crate) referrer: Option<Url>,
    pub(crate) scripts: ScriptQueues,
    /// Where it is shown, or was.
    pub(crate) context: Rc<BrowsingContext>,
    /// What it may not do.
    pub(crate) sandbox: Sandbox,
    /// Until the document is parsed.
    pub(super) parser: RefCell<Option<DocumentParser>>,
    encoding: &'static Encoding,
    url: RefCell<Url>,
    /// The base URL without a `base` element.
    ///
    /// <https://html.spec.whatwg.org/multipage/urls-and-fetching.html#fallback-base-url>
    fallback_base_url: RefCell<Url>,
    /// The `base` element that counts, with its attribute.
    base_element: RefCell<Option<(NodeId, String)>>,
    /// The browsing contexts in it, by their elements.
    frames: RefCell<BTreeMap<NodeId, Rc<BrowsingContext>>>,
    ready_state: Cell<ReadyState>,
    focused: Cell<Option<NodeId>>,
    /// Whether its scripts are just being told that it goes.
    unloading: Cell<bool>,
    /// Whether it goes for sure.
    pub(super) is_going: Cell<bool>,
    hidden: Cell<bool>,
}

/// What a page is made with.
pub(super) struct NewPage {
    pub(super) environment: Rc<Environment>,
    pub(super) content_type: String,
    pub(super) encoding: &'static Encoding,
    pub(super) referrer: Option<Url>,
    pub(super) context: Rc<BrowsingContext>,
    pub(super) sandbox: Sandbox,
}

impl Page {
    pub(super) fn new(new: NewPage) -> Self {
        Self {
            store: Rc::default(),
            content_type: new.content_type,
            referrer: new.referrer,
            scripts: ScriptQueues::default(),
            context: new.context,
            sandbox: new.sandbox,
            parser: RefCell::default(),
            encoding: new.encoding,
            url: RefCell::new(new.environment.creation_url.clone()),
            fallback_base_url: RefCell::new(new.environment.base_url()),
            base_element: RefCell::default(),
            environment: new.environment,
            frames: RefCell::default(),
            ready_state: Cell::new(ReadyState::Loading),
            focused: Cell::new(None),
            unloading: Cell::new(false),
            is_going: Cell::new(false),
            hidden: Cell::new(false),
        }
    }

    /// Whether its scripts are just being told that it goes. They cannot go elsewhere then.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#unload-counter>
    pub(crate) fn is_unloading(&self) -> bool {
        self.unloading.get()
    }

    pub(super) fn set_unloading(&self, unloading: bool) {
        self.unloading.set(unloading);
    }

    /// Whether nobody can see it any more.
    ///
    /// <https://html.spec.whatwg.org/multipage/interaction.html#visibility-state>
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden.get()
    }

    pub(super) fn set_hidden(&self) {
        self.hidden.set(true);
    }

    /// Whether its browsing context shows it.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#fully-active>
    pub(crate) fn is_active(&self) -> bool {
        // While a document is created, it is not set yet, and nothing else is.
        !self.context.is_discarded()
            && self
                .context
                .document()
                .is_none_or(|document| std::ptr::eq(&raw const *document.page, self))
    }

    /// The browsing context of an `iframe` element.
    pub(super) fn frame(&self, element: NodeId) -> Option<Rc<BrowsingContext>> {
        self.frames.borrow().get(&element).cloned()
    }

    pub(super) fn add_frame(&self, element: NodeId, frame: Rc<BrowsingContext>) {
        self.frames.borrow_mut().insert(element, frame);
    }

    pub(super) fn take_frames(&self) -> Vec<Rc<BrowsingContext>> {
        self.frames.take().into_values().collect()
    }

    /// Take the frames out whose elements are meant.
    pub(super) fn take_frames_if(
        &self,
        is_meant: impl Fn(NodeId) -> bool,
    ) -> Vec<Rc<BrowsingContext>> {
        let mut frames = self.frames.borrow_mut();
        let meant: Vec<NodeId> = frames.keys().copied().filter(|id| is_meant(*id)).collect();
        meant.iter().filter_map(|id| frames.remove(id)).collect()
    }

    pub(crate) fn frame_count(&self) -> u32 {
        u32::try_from(self.frames.borrow().len()).unwrap_or(u32::MAX)
    }

    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#document-tree-child-navigables>
    pub(super) fn frames_in_order(&self) -> Vec<Rc<BrowsingContext>> {
        let frames = self.frames.borrow();
        if frames.len() < 2 {
            return frames.values().cloned().collect();
        }
        let tree = self.store.tree.borrow();
        let in_order = tree.descendants(tree.document());
        in_order.filter_map(|id| frames.get(&id).cloned()).collect()
    }

    /// Whether no frame is left that the `load` event waits for.
    pub(super) fn frames_are_loaded(&self) -> bool {
        !self
            .frames
            .borrow()
            .values()
            .any(|frame| frame.delays_load())
    }

    /// Whether the URL is that of this document, or of one around it.
    ///
    /// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#shared-attribute-processing-steps-for-iframe-and-frame-elements>
    pub(super) fn is_shown_around(&self, url: &Url) -> bool {
        let is_same = |own: &Url| without_fragment(own) == without_fragment(url);
        let mut outer = self.context.container_page();
        let mut found = is_same(&self.url());
        while let Some(page) = outer {
            found |= is_same(&page.url());
            outer = page.context.container_page();
        }
        found && url.scheme() != "about"
    }

    /// <https://dom.spec.whatwg.org/#concept-document-url>
    pub(crate) fn url(&self) -> Url {
        self.url.borrow().clone()
    }

    /// The document shows another URL of its origin.
    pub(crate) fn set_url(&self, url: Url) {
        if matches!(url.scheme(), "http" | "https") {
            self.environment.set_referrer_source(url.clone());
        }
        self.fallback_base_url.replace(url.clone());
        if !self.has_base_element() {
            self.environment.set_base_url(url.clone());
        }
        self.url.replace(url);
    }

    pub(super) fn has_base_element(&self) -> bool {
        self.base_element.borrow().is_some()
    }

    /// The first `base` element with a URL is this one. It keeps the base URL that it had when it
    /// came, whatever URL the document has later.
    pub(super) fn set_base_element(&self, element: Option<(NodeId, String)>) {
        if *self.base_element.borrow() == element {
            return;
        }
        let fallback = self.fallback_base_url.borrow().clone();
        let named = element
            .as_ref()
            .and_then(|(_, href)| fallback.join(href).ok())
            .filter(|url| !matches!(url.scheme(), "data" | "javascript"));
        self.environment.set_base_url(named.unwrap_or(fallback));
        self.base_element.replace(element);
    }

    /// The document has another URL, which is not its base URL.
    pub(super) fn set_document_url(&self, url: Url) {
        self.url.replace(url);
    }

    pub(crate) fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        self.ready_state.get()
    }

    pub(super) fn set_ready_state(&self, state: ReadyState) {
        self.ready_state.set(state);
    }

    /// The script that runs now.
    pub(crate) fn current_script(&self) -> Option<NodeId> {
        self.scripts.current.get()
    }

    /// The element with the focus.
    pub(crate) fn focused(&self) -> Option<NodeId> {
        self.focused.get()
    }

    pub(crate) fn set_focused(&self, element: Option<NodeId>) {
        self.focused.set(element);
    }

    /// Write text to where the parser waits. False when no parser waits for a script.
    pub(crate) fn write(&self, text: &str) -> bool {
        let mut parser = self.parser.borrow_mut();
        let Some(parser) = parser.as_mut().filter(|_| self.current_script().is_some()) else {
            return false;
        };
        parser.write(text);
        true
    }

    /// Whether it is a script that the parser has come to that runs.
    pub(super) fn parser_runs_a_script(&self) -> bool {
        self.parser.borrow().is_some() && self.current_script().is_some()
    }

    /// Whether the script that runs came from a URL of its own.
    pub(super) fn runs_a_fetched_script(&self) -> bool {
        let tree = self.store.tree.borrow();
        self.current_script()
            .and_then(|script| tree.element(script))
            .is_some_and(|script| script.has_attribute("src"))
    }

    /// Go to another document, or to another fragment of this one.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate>
    /// `source` is the realm of the script that asks for it.
    pub(crate) fn navigate(&self, source: &Realm, navigation: Navigation) {
        let source_page = source.service::<Self>();
        let may = source_page.is_none_or(|source| source.may_navigate(&self.context));
        if !self.is_active() || self.is_unloading() || !may {
            return;
        }
        if self.navigate_to_fragment(&navigation) {
            return;
        }
        let initiator = navigation
            .initiator
            .clone()
            .or_else(|| Initiator::of(source));
        self.context.navigate(Navigation {
            initiator,
            ..navigation
        });
    }

    /// Whether it is a fragment of this document that is wanted, which is then shown.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#scroll-to-fragid>
    pub(super) fn navigate_to_fragment(&self, navigation: &Navigation) -> bool {
        let old = self.url();
        let new = navigation.url.clone();
        let is_fragment = new.fragment().is_some()
            && !navigation.reload
            && navigation.body.is_none()
            && without_fragment(&new) == without_fragment(&old);
        if is_fragment {
            let replaces = navigation.replaces || new == old;
            self.context.update_history(&new, None, replaces);
            self.set_url(new.clone());
            if let Some(document) = self.context.document() {
                entry_changed(&document.realm, old, new);
            }
        }
        is_fragment
    }

    /// Free nodes that nothing refers to any more.
    pub(super) fn collect_garbage(&self) {
        if self.parser.borrow().is_none() && self.scripts.is_idle() {
            let focused = self.focused();
            self.store.collect_garbage(|id| Some(id) == focused);
        }
    }
}

fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}
