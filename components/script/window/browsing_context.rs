//! A browsing context: a place that shows one document after the other.
//!
//! <https://html.spec.whatwg.org/multipage/document-sequences.html#browsing-context>

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use base::channel::Callback;
use url::Url;

use super::agent::Agent;
use super::navigation::{Navigation, Ongoing};
use super::open_document::OpenDocument;
use crate::services::ScriptReport;

/// Answers a developer who waits for a result.
type Evaluation = (String, Callback<Result<String, String>>);

/// A place that shows one document after the other. It belongs to its [`Agent`], and ends with
/// [`Self::discard`].
pub(crate) struct BrowsingContext {
    agent: Weak<Agent>,
    /// What it shows; nothing before the first page has come, and after one that failed.
    document: RefCell<Option<Rc<OpenDocument>>>,
    /// Where it was last sent.
    last_url: RefCell<Url>,
    /// Where it is going, before the way there has begun.
    pub(super) wanted: RefCell<Option<Navigation>>,
    /// The navigation whose document is being fetched.
    pub(super) ongoing: RefCell<Option<Ongoing>>,
    pub(super) last_navigation: Cell<u64>,
    closing: Cell<bool>,
    /// What a developer typed before the page had loaded.
    waiting: RefCell<Vec<Evaluation>>,
}

impl BrowsingContext {
    /// A window of its own.
    pub(super) fn top_level(agent: &Rc<Agent>, url: Url) -> Rc<Self> {
        Rc::new(Self {
            agent: Rc::downgrade(agent),
            document: RefCell::default(),
            last_url: RefCell::new(url),
            wanted: RefCell::default(),
            ongoing: RefCell::default(),
            last_navigation: Cell::new(0),
            closing: Cell::new(false),
            waiting: RefCell::default(),
        })
    }

    /// The thread's share of the windows; none while the thread ends.
    pub(super) fn agent(&self) -> Option<Rc<Agent>> {
        self.agent.upgrade()
    }

    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#nav-document>
    pub(super) fn document(&self) -> Option<Rc<OpenDocument>> {
        self.document.borrow().clone()
    }

    pub(super) fn set_document(&self, document: Rc<OpenDocument>) {
        self.document.replace(Some(document));
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

    /// Whether its document is about to go away.
    pub(super) fn is_leaving(&self) -> bool {
        self.closing.get() || self.wanted.borrow().is_some() || self.ongoing.borrow().is_some()
    }

    /// Close the window, when the task has ended.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.wake();
    }

    /// Whether the window is being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Do what is to be done next, each step as a task of its own. Returns whether there was
    /// anything.
    pub(super) fn advance(self: &Rc<Self>, agent: &Agent) -> bool {
        if self.closing.get() {
            self.discard(agent, true);
            return true;
        }
        if let Some(navigation) = self.wanted.take() {
            self.begin(agent, navigation);
            return true;
        }
        let Some(document) = self.document() else {
            if self.ongoing.borrow().is_none() {
                self.refuse_evaluations("The page could not be loaded.");
            }
            return false;
        };
        let advanced = !self.is_leaving() && document.advance(agent);
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

    fn refuse_evaluations(&self, reason: &str) {
        for (_, done) in self.waiting.take() {
            done.call(Err(reason.to_owned()));
        }
    }

    /// The document goes away. Its scripts hear of it if they may still run.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#unload-a-document>
    pub(super) fn unload(&self, agent: &Agent, tell: bool) {
        let Some(document) = self.document() else {
            return;
        };
        if tell {
            agent.event_loop.run_task(|| document.fire("pagehide"));
        }
        self.refuse_evaluations("The page went away before it had loaded.");
        self.document.take();
        document.destroy(agent);
        agent.document_has_gone();
        agent.services.report.call(ScriptReport::PageClosed {
            url: document.creation_url(),
        });
    }

    /// It is there no more.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#bcg-remove>
    pub(super) fn discard(&self, agent: &Agent, tell: bool) {
        self.closing.set(true);
        self.wanted.take();
        if let Some(ongoing) = self.ongoing.take() {
            ongoing.cancel(agent);
        }
        self.unload(agent, tell);
        self.refuse_evaluations("The window is closed.");
        agent.forget(self);
    }

    /// Free nodes that nothing refers to any more.
    pub(super) fn collect_garbage(&self) {
        if let Some(document) = self.document() {
            document.page.collect_garbage();
        }
    }
}
