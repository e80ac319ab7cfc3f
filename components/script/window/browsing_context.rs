//! A browsing context: a place that shows one document after the other.
//!
//! <https://html.spec.whatwg.org/multipage/document-sequences.html#browsing-context>

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use base::StorageKey;
use base::channel::Callback;
use sw_traits::{ClientUpdate, FrameType};
use url::Url;

use super::agent::Agent;
use super::document_fetch::Ongoing;
use super::navigation::Navigation;
use super::open_document::OpenDocument;
use super::page::Page;
use super::sandbox::Sandbox;
use super::session_history::SessionHistory;
use crate::bindings::{Dom, Fallible, Realm, Value, window_proxy};
use crate::dom::document::Document;
use crate::dom::node::Node;
use crate::dom_tree::NodeId;
use crate::environment::Environment;
use crate::service_worker;

/// Answers a developer who waits for a result.
type Evaluation = (String, Callback<Result<String, String>>);

/// The element that a nested browsing context is in.
#[derive(Clone)]
pub(super) struct Container {
    /// The document of the element.
    pub(super) page: Weak<Page>,
    pub(super) element: NodeId,
}

/// A place that shows one document after the other. It belongs to its [`Agent`], and ends with
/// [`Self::discard`].
pub(crate) struct BrowsingContext {
    agent: Weak<Agent>,
    pub(super) container: Option<Container>,
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#opener-browsing-context>
    opener: RefCell<Weak<Self>>,
    /// Who has opened it, whatever it is told of that.
    creator: Option<Weak<Self>>,
    /// The same for those that may know of one another.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#browsing-context-group>
    group: Rc<()>,
    name: RefCell<String>,
    /// What its container forbids.
    pub(super) sandbox: Cell<Sandbox>,
    /// What stands for its window, from the first document on.
    proxy: RefCell<Option<Value>>,
    /// What it shows; nothing before the first page of a window has come, and after one that
    /// failed.
    document: RefCell<Option<Rc<OpenDocument>>>,
    /// Where it was last sent.
    last_url: RefCell<Url>,
    /// Where it is going, before the way there has begun.
    pub(super) wanted: RefCell<Option<Navigation>>,
    /// The navigation whose document is being fetched.
    pub(super) ongoing: RefCell<Option<Ongoing>>,
    pub(super) last_navigation: Cell<u64>,
    /// What it has shown.
    pub(super) history: SessionHistory,
    /// How many scripts of `javascript:` URLs are going to run.
    pub(super) waiting_scripts: Cell<u32>,
    closing: Cell<bool>,
    /// Whether it is being discarded, or has been.
    ending: Cell<bool>,
    discarded: Cell<bool>,
    /// What a developer typed before the page had loaded.
    waiting: RefCell<Vec<Evaluation>>,
}

impl BrowsingContext {
    fn new(agent: &Rc<Agent>, url: Url) -> Self {
        Self {
            agent: Rc::downgrade(agent),
            container: None,
            opener: RefCell::default(),
            creator: None,
            group: Rc::default(),
            name: RefCell::default(),
            sandbox: Cell::default(),
            proxy: RefCell::default(),
            document: RefCell::default(),
            last_url: RefCell::new(url),
            wanted: RefCell::default(),
            ongoing: RefCell::default(),
            last_navigation: Cell::new(0),
            history: SessionHistory::default(),
            waiting_scripts: Cell::new(0),
            closing: Cell::new(false),
            ending: Cell::new(false),
            discarded: Cell::new(false),
            waiting: RefCell::default(),
        }
    }

    /// A window of its own.
    pub(super) fn top_level(agent: &Rc<Agent>, url: Url) -> Rc<Self> {
        Rc::new(Self::new(agent, url))
    }

    /// A window that a script opens. It is in a group of its own if neither may know of the other.
    pub(super) fn auxiliary(
        agent: &Rc<Agent>,
        url: Url,
        creator: &Rc<Self>,
        no_opener: bool,
    ) -> Rc<Self> {
        let group = if no_opener {
            Rc::default()
        } else {
            Rc::clone(&creator.group)
        };
        Rc::new(Self {
            creator: Some(Rc::downgrade(creator)),
            group,
            ..Self::new(agent, url)
        })
    }

    /// A frame.
    pub(super) fn nested(agent: &Rc<Agent>, container: Container, url: Url) -> Rc<Self> {
        let around = container.page.upgrade();
        let group = around.map(|page| Rc::clone(&page.context.group));
        Rc::new(Self {
            container: Some(container),
            group: group.unwrap_or_default(),
            ..Self::new(agent, url)
        })
    }

    /// The thread's share of the windows; none while the thread ends.
    pub(super) fn agent(&self) -> Option<Rc<Agent>> {
        self.agent.upgrade()
    }

    /// The document around a frame.
    pub(super) fn container_page(&self) -> Option<Rc<Page>> {
        self.container.as_ref()?.page.upgrade()
    }

    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#bc-container-document>
    pub(crate) fn parent(&self) -> Option<Rc<Self>> {
        self.container_page().map(|page| Rc::clone(&page.context))
    }

    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#nav-top>
    pub(crate) fn top(self: &Rc<Self>) -> Rc<Self> {
        let mut top = Rc::clone(self);
        while let Some(parent) = top.parent() {
            top = parent;
        }
        top
    }

    /// Whether it is a window, not a frame.
    pub(crate) fn is_top_level(&self) -> bool {
        self.container.is_none()
    }

    /// Whether a script has opened it.
    pub(super) fn is_auxiliary(&self) -> bool {
        self.creator.is_some()
    }

    pub(super) fn is_opened_by(&self, other: &Rc<Self>) -> bool {
        self.creator
            .as_ref()
            .is_some_and(|creator| std::ptr::eq(creator.as_ptr(), Rc::as_ptr(other)))
    }

    pub(super) fn is_in_group_of(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.group, &other.group)
    }

    pub(super) fn frame_type(&self) -> FrameType {
        match (&self.container, self.is_auxiliary()) {
            (Some(_), _) => FrameType::Nested,
            (None, true) => FrameType::Auxiliary,
            (None, false) => FrameType::TopLevel,
        }
    }

    /// Who has opened it, if that is still there.
    pub(crate) fn opener(&self) -> Option<Rc<Self>> {
        self.opener
            .borrow()
            .upgrade()
            .filter(|opener| !opener.is_closing())
    }

    pub(crate) fn set_opener(&self, opener: Option<&Rc<Self>>) {
        self.opener
            .replace(opener.map(Rc::downgrade).unwrap_or_default());
    }

    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#nav-target>
    pub(crate) fn name(&self) -> String {
        self.name.borrow().clone()
    }

    pub(crate) fn set_name(&self, name: String) {
        self.name.replace(name);
    }

    /// What stands for its window; none before the first page of a window has come.
    pub(crate) fn proxy(&self) -> Option<Value> {
        self.proxy.borrow().clone()
    }

    /// It shows a document with this realm from now on.
    pub(super) fn show(self: &Rc<Self>, realm: &Realm) -> Fallible<()> {
        let proxy = self.proxy();
        if let Some(proxy) = proxy {
            return window_proxy::show(&proxy, realm);
        }
        let handler = Rc::new(Rc::clone(self));
        let proxy = window_proxy::create(realm, Some(realm), handler)?;
        self.proxy.replace(Some(proxy));
        Ok(())
    }

    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#nav-document>
    pub(super) fn document(&self) -> Option<Rc<OpenDocument>> {
        self.document.borrow().clone()
    }

    pub(super) fn take_document(&self) {
        let document = self.document.take();
        drop(document);
    }

    pub(super) fn set_document(&self, document: Rc<OpenDocument>) {
        self.document.replace(Some(document));
    }

    /// What it shows, for a script of the same origin.
    pub(crate) fn document_for(&self, accessor: &Realm) -> Option<Dom<Document>> {
        let document = self.document()?;
        let own = Environment::of(accessor).ok()?;
        own.full_origin
            .is_same(&document.page.environment.full_origin)
            .then(|| document.node())
    }

    /// Where it was last sent.
    pub(super) fn last_url(&self) -> Url {
        self.last_url.borrow().clone()
    }

    pub(super) fn set_last_url(&self, url: Url) {
        self.last_url.replace(url);
    }

    /// Have the thread look around.
    pub(super) fn wake(&self) {
        if let Some(agent) = self.agent() {
            agent.event_loop.sender().queue(|_| {});
        }
    }

    /// Whether it is on its way to another document.
    pub(super) fn is_navigating(&self) -> bool {
        self.wanted.borrow().is_some() || self.ongoing.borrow().is_some()
    }

    /// Whether the document around it has to wait for it.
    ///
    /// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#iframe-load-in-progress>
    pub(super) fn delays_load(&self) -> bool {
        self.is_navigating()
            || self.waiting_scripts.get() > 0
            || self
                .document()
                .is_some_and(|document| !document.is_loaded())
    }

    /// Close the window, when the task has ended. Frames are not closed.
    pub(crate) fn close(&self) {
        if self.is_top_level() {
            self.closing.set(true);
            self.wake();
        }
    }

    /// Whether it is being closed, or is there no more.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether it is there no more.
    pub(super) fn is_discarded(&self) -> bool {
        self.discarded.get()
    }

    /// It gets the focus, and service workers hear of it.
    ///
    /// <https://html.spec.whatwg.org/multipage/interaction.html#focusing-steps>
    pub(crate) fn focus(self: &Rc<Self>) {
        let Some(agent) = self.agent() else {
            return;
        };
        let former = agent.focused();
        agent.set_focused(self);
        let chain = self.with_ancestors();
        let is_in_chain = |context: &Rc<Self>| chain.iter().any(|other| Rc::ptr_eq(other, context));
        for context in former.iter().flat_map(Self::with_ancestors) {
            // Which of the windows has it is for service workers to tell from who got it last.
            if !is_in_chain(&context) && !context.is_top_level() {
                context.tell_service_workers(ClientUpdate::Focus(false));
            }
        }
        // What is around a frame counts as focused later than the frame.
        for context in &chain {
            context.tell_service_workers(ClientUpdate::Focus(true));
        }
        if former
            .as_ref()
            .is_some_and(|former| Rc::ptr_eq(former, self))
        {
            return;
        }
        if let Some(document) = former.and_then(|former| former.document()) {
            document.fire("blur");
        }
        if let Some(document) = self.document() {
            document.fire("focus");
        }
    }

    /// It, and those around it.
    fn with_ancestors(self: &Rc<Self>) -> Vec<Rc<Self>> {
        std::iter::successors(Some(Rc::clone(self)), |context| context.parent()).collect()
    }

    fn tell_service_workers(&self, update: ClientUpdate) {
        if let Some(document) = self.document() {
            service_worker::update(&document.realm, update);
        }
    }

    /// Whether it, or a frame in it, has the focus.
    ///
    /// <https://html.spec.whatwg.org/multipage/interaction.html#has-focus-steps>
    pub(crate) fn has_focus(&self) -> bool {
        let mut focused = self.agent().and_then(|agent| agent.focused());
        while let Some(context) = focused {
            if std::ptr::eq(&raw const *context, self) {
                return true;
            }
            focused = context.parent();
        }
        false
    }

    /// The origins of the documents around it, the top-level one's last; `None` is an opaque one.
    pub(super) fn ancestor_origins(&self) -> Vec<Option<StorageKey>> {
        self.ancestors(|environment| environment.origin.clone())
    }

    /// <https://html.spec.whatwg.org/multipage/dom.html#concept-document-ancestor-origins-list>
    pub(crate) fn serialized_ancestor_origins(&self) -> Vec<String> {
        self.ancestors(Environment::serialized_origin)
    }

    fn ancestors<T>(&self, of: impl Fn(&Environment) -> T) -> Vec<T> {
        let mut found = Vec::new();
        let mut outer = self.container_page();
        while let Some(page) = outer {
            found.push(of(&page.environment));
            outer = page.context.container_page();
        }
        found
    }

    /// The document around a frame and its element there, while that document is shown.
    pub(super) fn container_document(&self) -> Option<(NodeId, Rc<OpenDocument>)> {
        let container = self.container.as_ref()?;
        let page = container.page.upgrade()?;
        let outer = page.context.document()?;
        Rc::ptr_eq(&outer.page, &page).then_some((container.element, outer))
    }

    /// The `iframe` element that it is in, for a script of the same origin.
    pub(crate) fn container_for(&self, accessor: &Realm) -> Fallible<Option<Dom<Node>>> {
        let Some((container, outer)) = self
            .container
            .as_ref()
            .zip(self.parent().and_then(|parent| parent.document()))
        else {
            return Ok(None);
        };
        let own = Environment::of(accessor)?;
        if !own.full_origin.is_same(&outer.page.environment.full_origin) {
            return Ok(None);
        }
        outer
            .page
            .store
            .wrap(&outer.realm, container.element)
            .map(Some)
    }

    /// Do what is to be done next, each step as a task of its own. Returns whether there was
    /// anything.
    pub(super) fn advance(self: &Rc<Self>, agent: &Rc<Agent>) -> bool {
        if self.closing.get() {
            agent.event_loop.run_task(|| {
                self.announce_unload();
                self.discard(agent, true);
            });
            return true;
        }
        if !self.is_navigating()
            && let Some(delta) = self.history.next_delta()
        {
            agent.event_loop.run_task(|| self.traverse(delta));
            return true;
        }
        let wanted = self.wanted.take();
        if let Some(navigation) = wanted {
            agent.event_loop.run_task(|| self.begin(agent, navigation));
            return true;
        }
        let Some(document) = self.document() else {
            if self.ongoing.borrow().is_none() {
                self.refuse_evaluations("The page could not be loaded.");
            }
            return false;
        };
        let mut advanced = false;
        while !self.is_navigating() && !self.closing.get() && document.advance(agent) {
            advanced = true;
            // The parser is not interrupted by other tasks but where it waits for a script.
            if !document.is_parsing() {
                break;
            }
        }
        if document.is_loaded() {
            for (script, done) in self.waiting.take() {
                agent
                    .event_loop
                    .run_task(|| document.evaluate(&script, done));
            }
        }
        advanced
    }

    /// Evaluate what a developer typed, once the page has loaded.
    pub(super) fn evaluate(&self, script: String, done: Callback<Result<String, String>>) {
        match self.document() {
            Some(document) if document.is_loaded() => document.evaluate(&script, done),
            _ => self.waiting.borrow_mut().push((script, done)),
        }
    }

    pub(super) fn refuse_evaluations(&self, reason: &str) {
        for (_, done) in self.waiting.take() {
            done.call(Err(reason.to_owned()));
        }
    }

    /// It goes nowhere any more. Returns false where that has been so before.
    pub(super) fn begin_to_end(&self) -> bool {
        self.closing.set(true);
        let wanted = self.wanted.take();
        drop(wanted);
        !self.ending.replace(true)
    }

    /// Whether it is being discarded, or has been.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// It is there no more. Its document is gone.
    pub(super) fn end(&self, agent: &Agent) {
        if self.discarded.replace(true) {
            return;
        }
        self.refuse_evaluations("The window is closed.");
        let proxy = self.proxy.take();
        drop(proxy);
        agent.forget(self);
    }

    /// `window.stop()`
    pub(crate) fn stop_loading(&self) {
        self.wanted.take();
        self.stop();
        self.wake();
    }

    /// Give up the navigation whose document is being fetched.
    pub(super) fn stop(&self) {
        let ongoing = self.ongoing.take();
        if let Some(ongoing) = ongoing {
            ongoing.cancel();
        }
    }

    /// Free nodes that nothing refers to any more.
    pub(super) fn collect_garbage(&self) {
        if let Some(document) = self.document() {
            document.page.collect_garbage();
        }
    }
}
