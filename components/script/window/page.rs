//! The state of one document in its window. A service of the realm.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use encoding_rs::Encoding;
use url::Url;

use super::inbox::{Inbox, Input};
use super::scripts::ScriptQueues;
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

/// Where a window is going.
#[derive(Clone, Debug)]
pub(crate) struct Navigation {
    pub(crate) url: Url,
    /// The fields of a form that is sent by `POST`.
    pub(crate) body: Option<String>,
    /// Whether the same document is wanted anew.
    pub(crate) reload: bool,
    /// The document that asks.
    pub(crate) referrer: Option<Url>,
}

impl Navigation {
    /// To another document.
    pub(crate) fn to(url: Url) -> Self {
        Self {
            url,
            body: None,
            reload: false,
            referrer: None,
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
    pub(crate) inbox: Inbox,
    /// Until the document is parsed.
    pub(super) parser: RefCell<Option<DocumentParser>>,
    encoding: &'static Encoding,
    url: RefCell<Url>,
    ready_state: Cell<ReadyState>,
    focused: Cell<Option<NodeId>>,
    navigation: RefCell<Option<Navigation>>,
    closing: Cell<bool>,
}

impl Page {
    pub(super) fn new(
        environment: Rc<Environment>,
        content_type: String,
        encoding: &'static Encoding,
        referrer: Option<Url>,
        inbox: Inbox,
    ) -> Self {
        Self {
            store: Rc::default(),
            content_type,
            referrer,
            scripts: ScriptQueues::default(),
            inbox,
            parser: RefCell::default(),
            encoding,
            url: RefCell::new(environment.creation_url.clone()),
            environment,
            ready_state: Cell::new(ReadyState::Loading),
            focused: Cell::new(None),
            navigation: RefCell::default(),
            closing: Cell::new(false),
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

    /// Go to another document, or to another fragment of this one. It happens when the task has
    /// ended; the last one counts.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate>
    pub(crate) fn navigate(&self, navigation: Navigation) {
        let old = self.url();
        let is_fragment = navigation.url.fragment().is_some()
            && !navigation.reload
            && navigation.body.is_none()
            && without_fragment(&navigation.url) == without_fragment(&old);
        if is_fragment {
            self.set_url(navigation.url);
            self.inbox.put(Input::HashChanged);
            return;
        }
        self.navigation.replace(Some(Navigation {
            referrer: Some(old),
            ..navigation
        }));
        self.inbox.wake();
    }

    pub(super) fn take_navigation(&self) -> Option<Navigation> {
        self.navigation.take()
    }

    /// Whether the document is about to go away.
    pub(super) fn is_leaving(&self) -> bool {
        self.closing.get() || self.navigation.borrow().is_some()
    }

    /// Close the window, when the task has ended.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.inbox.wake();
    }

    /// Whether the window is being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
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
