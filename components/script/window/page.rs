//! The state of one document in its window. A service of the realm.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use encoding_rs::Encoding;
use url::Url;

use super::browsing_context::BrowsingContext;
use super::navigation::Navigation;
use super::scripts::ScriptQueues;
use crate::bindings::Realm;
use crate::bindings::generated::{DocumentReadyState, EventInit};
use crate::bindings::report::report_exception;
use crate::dom::event_target::EventTarget;
use crate::dom::node_store::NodeStore;
use crate::dom_tree::{DocumentParser, NodeId};
use crate::environment::Environment;
use crate::event_loop::EventLoop;

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
    /// Until the document is parsed.
    pub(super) parser: RefCell<Option<DocumentParser>>,
    encoding: &'static Encoding,
    url: RefCell<Url>,
    ready_state: Cell<ReadyState>,
    focused: Cell<Option<NodeId>>,
}

impl Page {
    pub(super) fn new(
        environment: Rc<Environment>,
        content_type: String,
        encoding: &'static Encoding,
        referrer: Option<Url>,
        context: Rc<BrowsingContext>,
    ) -> Self {
        Self {
            store: Rc::default(),
            content_type,
            referrer,
            scripts: ScriptQueues::default(),
            context,
            parser: RefCell::default(),
            encoding,
            url: RefCell::new(environment.creation_url.clone()),
            environment,
            ready_state: Cell::new(ReadyState::Loading),
            focused: Cell::new(None),
        }
    }

    /// <https://dom.spec.whatwg.org/#concept-document-url>
    pub(crate) fn url(&self) -> Url {
        self.url.borrow().clone()
    }

    /// The document shows another URL of its origin.
    pub(crate) fn set_url(&self, url: Url) {
        self.environment.set_base_url(url.clone());
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

    /// Go to another document, or to another fragment of this one.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate>
    pub(crate) fn navigate(&self, realm: &Realm, navigation: Navigation) {
        let old = self.url();
        let is_fragment = navigation.url.fragment().is_some()
            && !navigation.reload
            && navigation.body.is_none()
            && without_fragment(&navigation.url) == without_fragment(&old);
        if is_fragment {
            self.set_url(navigation.url);
            queue_event(realm, "hashchange");
            return;
        }
        self.context.navigate(Navigation {
            referrer: Some(old),
            ..navigation
        });
    }

    /// Free nodes that nothing refers to any more.
    pub(super) fn collect_garbage(&self) {
        if self.parser.borrow().is_none() && self.scripts.is_idle() {
            let focused = self.focused();
            self.store.collect_garbage(|id| Some(id) == focused);
        }
    }
}

/// Fire an event at the window in a task of its own.
fn queue_event(realm: &Realm, type_: &'static str) {
    let Some(event_loop) = realm.service::<EventLoop>() else {
        return;
    };
    let ticket = event_loop.keep(realm.root());
    event_loop.sender().queue(move |event_loop| {
        if let Some(realm) = ticket.take(event_loop)
            && let Some(window) = realm.global::<EventTarget>()
            && let Err(error) = window.fire_event(&realm, type_, &EventInit::default())
        {
            report_exception(&realm, error);
        }
    });
}

fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}
