//! From a response to a page: parsing, scripts, and the events on the way.
//!
//! <https://html.spec.whatwg.org/multipage/document-lifecycle.html>

use std::cell::Cell;
use std::rc::Rc;

use net::{
    CredentialsMode, Destination, FetchResult, RedirectMode, ReferrerPolicy, Request, RequestMode,
    RequestOrigin, Response,
};
use url::Url;

use super::browsing_context::BrowsingContext;
use super::changes;
use super::navigation::Navigation;
use super::page::{Page, ReadyState};
use super::refresh;
use super::scripts::{self, Next};
use crate::bindings::generated::EventInit;
use crate::bindings::report::report_exception;
use crate::bindings::{Dom, Fallible, Realm};
use crate::dom::document::{self, Document};
use crate::dom::event_target::EventTarget;
use crate::dom::page_transition_event::PageTransitionEvent;
use crate::dom::window::Window;
use crate::dom_tree::{DocumentParser, ParserStop};
use crate::service_worker;

/// The request for a document.
///
/// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#create-navigation-params-by-fetching>
pub(super) fn request(navigation: &Navigation, context: &Rc<BrowsingContext>) -> Request {
    let initiator = navigation.initiator.as_ref();
    let mut request = Request {
        mode: RequestMode::Navigate,
        credentials: CredentialsMode::Include,
        // Each URL may have a service worker of its own.
        redirect: RedirectMode::Manual,
        destination: if context.is_top_level() {
            Destination::Document
        } else {
            Destination::Iframe
        },
        origin: initiator.map_or(RequestOrigin::User, |from| {
            from.origin.tuple().cloned().into()
        }),
        ancestor_origins: context.ancestor_origins(),
        // What the embedder asks for, the user has asked of it.
        user_activation: initiator.is_none(),
        referrer: navigation.referrer(),
        referrer_policy: initiator
            .map_or_else(ReferrerPolicy::default, |from| from.referrer_policy),
        ..Request::new(navigation.url.clone())
    };
    if let Some(body) = &navigation.body {
        "POST".clone_into(&mut request.method);
        let content_type = b"application/x-www-form-urlencoded".to_vec();
        request
            .headers
            .push(("Content-Type".to_owned(), content_type));
        request.body = Some(body.clone().into_bytes());
    }
    request
}

/// A response that is a page.
pub(super) struct Loaded {
    pub(super) url: Url,
    /// Where it was redirected from.
    pub(super) redirected_from: Vec<Url>,
    pub(super) status: u16,
    pub(super) content_type: String,
    /// The value of its `Referrer-Policy` header.
    pub(super) referrer_policy: String,
    /// Whether it is HTML; other text is shown as it is.
    pub(super) is_html: bool,
    pub(super) body: Vec<u8>,
}

impl Loaded {
    /// A page of HTML that is not fetched; an empty one without text.
    pub(super) fn html(url: &Url, text: Option<&str>) -> Self {
        Self {
            url: url.clone(),
            redirected_from: Vec::new(),
            status: 200,
            content_type: "text/html; charset=utf-8".to_owned(),
            referrer_policy: String::new(),
            is_html: true,
            body: text.unwrap_or_default().as_bytes().to_vec(),
        }
    }
}

/// What the fetch of a URL brought, if it is a page. A page that comes with an error status is one.
///
/// # Errors
///
/// Why it is none, for a web developer.
pub(super) fn check(url: Url, result: FetchResult) -> Result<Loaded, String> {
    let response: Response = result.map_err(|error| error.to_string())?;
    if matches!(response.status, 204 | 205) {
        let status = response.status;
        return Err(format!(
            "the server has no page at {url}: it answered with status {status}"
        ));
    }
    let header = |name| {
        let value = response.header(name).unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    };
    let referrer_policy = header("referrer-policy");
    let header = header("content-type");
    let essence = header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_html = match essence.as_str() {
        "text/html" | "application/xhtml+xml" => true,
        // Without a type, the beginning decides.
        "" => response.body.trim_ascii_start().starts_with(b"<"),
        _ => false,
    };
    let is_text = essence.is_empty()
        || essence.starts_with("text/")
        || essence.ends_with("json")
        || essence.ends_with("javascript");
    if !is_html && !is_text {
        return Err(format!(
            "{url} is no page: the server says that it is {essence}"
        ));
    }
    let content_type = if header.is_empty() {
        "text/html".to_owned()
    } else {
        header
    };
    Ok(Loaded {
        url,
        redirected_from: response.redirects,
        status: response.status,
        content_type,
        referrer_policy,
        is_html,
        body: response.body,
    })
}

/// How far the loading of a document is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Parsing,
    /// Deferred scripts run.
    Deferred,
    /// The `load` event waits for other scripts.
    AwaitingLoad,
    Loaded,
}

/// Takes a document from its text to its `load` event, a step at a time.
pub(super) struct Loader {
    phase: Cell<Phase>,
    /// Whether the text comes from scripts, and more may come.
    is_written: Cell<bool>,
    page: Rc<Page>,
    document: Dom<Document>,
    window: Dom<Window>,
}

/// What is to be done next.
pub(super) enum Step {
    Parse,
    Run(Next),
    EndParsing,
    Load,
}

impl Loader {
    pub(super) fn new(
        page: Rc<Page>,
        document: Dom<Document>,
        window: Dom<Window>,
        text: &str,
    ) -> Self {
        let mut parser = DocumentParser::new(Rc::clone(&page.store.tree));
        parser.push(text);
        page.parser.replace(Some(parser));
        Self {
            phase: Cell::new(Phase::Parsing),
            is_written: Cell::new(false),
            page,
            document,
            window,
        }
    }

    /// Parses what there is, without scripts and events: the document is loaded then.
    pub(super) fn finish_silently(&self) {
        let parser = self.page.parser.take();
        if let Some(mut parser) = parser {
            while parser.run() != ParserStop::OutOfInput {}
            parser.finish();
        }
        self.page.set_ready_state(ReadyState::Complete);
        self.phase.set(Phase::Loaded);
    }

    /// The document that is loaded.
    pub(super) fn document(&self) -> Dom<Document> {
        self.document.clone()
    }

    /// Whether the `load` event was fired.
    pub(super) fn is_loaded(&self) -> bool {
        self.phase.get() == Phase::Loaded
    }

    pub(super) fn is_parsing(&self) -> bool {
        self.phase.get() == Phase::Parsing
    }

    /// What can be done now, each as a task of its own.
    pub(super) fn next(&self) -> Option<Step> {
        let scripts = &self.page.scripts;
        if scripts.independent_is_ready() {
            return Some(Step::Run(Next::Independent));
        }
        match self.phase.get() {
            Phase::Parsing if scripts.blocks_parser() => scripts
                .blocking_is_ready()
                .then_some(Step::Run(Next::Blocking)),
            Phase::Parsing if self.waits_for_text() => None,
            Phase::Parsing => Some(Step::Parse),
            Phase::Deferred => match scripts.next_deferred() {
                Some(ready) => ready.then_some(Step::Run(Next::Deferred)),
                None => Some(Step::EndParsing),
            },
            Phase::AwaitingLoad => (scripts.nothing_delays_load() && self.page.frames_are_loaded())
                .then_some(Step::Load),
            Phase::Loaded => None,
        }
    }

    /// Whether scripts write the document.
    pub(super) fn is_written(&self) -> bool {
        self.is_written.get()
    }

    fn waits_for_text(&self) -> bool {
        let parser = self.page.parser.borrow();
        self.is_written() && parser.as_ref().is_none_or(|parser| !parser.has_input())
    }

    /// Begin anew, with text that scripts write.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn reopen(&self, realm: &Realm) -> Fallible<()> {
        let parser = DocumentParser::new(Rc::clone(&self.page.store.tree));
        let replaced = self.page.parser.replace(Some(parser));
        drop(replaced);
        self.page.scripts.forget();
        self.is_written.set(true);
        self.phase.set(Phase::Parsing);
        self.become_ready(realm, ReadyState::Loading)
    }

    /// Parse more text, as far as the parser waits for no script.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn write(&self, realm: &Realm, text: &str) -> Fallible<()> {
        if let Some(parser) = self.page.parser.borrow_mut().as_mut() {
            parser.push(text);
        }
        self.parse_what_there_is(realm)
    }

    /// There is no more text.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn close(&self, realm: &Realm) -> Fallible<()> {
        self.is_written.set(false);
        if self.page.parser_runs_a_script() {
            return Ok(());
        }
        self.parse_what_there_is(realm)
    }

    fn parse_what_there_is(&self, realm: &Realm) -> Fallible<()> {
        while self.is_parsing() && !self.page.scripts.blocks_parser() && !self.waits_for_text() {
            self.parse(realm)?;
        }
        Ok(())
    }

    /// Does one step.
    pub(super) fn advance(&self, realm: &Realm, step: &Step) {
        let result = match step {
            Step::Run(next) => {
                scripts::run_next(&self.page, realm, *next);
                Ok(())
            }
            Step::Parse => self.parse(realm),
            Step::EndParsing => self.end_parsing(realm),
            Step::Load => self.load(realm),
        };
        if let Err(error) = result {
            report_exception(realm, error);
        }
    }

    fn parse(&self, realm: &Realm) -> Fallible<()> {
        // The parser is not borrowed while a script runs, which may write into it.
        let stop = self
            .page
            .parser
            .borrow_mut()
            .as_mut()
            .map(DocumentParser::run);
        // Frames that the parser has come to are there before the next script.
        changes::tree_changed(realm);
        match stop {
            Some(ParserStop::Script(element)) => {
                scripts::prepare(&self.page, realm, element);
                Ok(())
            }
            Some(ParserStop::OutOfInput) if self.is_written() => Ok(()),
            Some(ParserStop::OutOfInput) | None => {
                if let Some(parser) = self.page.parser.take() {
                    parser.finish();
                }
                changes::tree_changed(realm);
                self.phase.set(Phase::Deferred);
                // The event handlers in the attributes of `body` are the window's.
                let body = self.page.store.tree.borrow().body();
                if let Some(body) = body {
                    self.page.store.wrap(realm, body)?;
                }
                self.become_ready(realm, ReadyState::Interactive)
            }
        }
    }

    /// <https://html.spec.whatwg.org/multipage/parsing.html#the-end>
    fn end_parsing(&self, realm: &Realm) -> Fallible<()> {
        self.phase.set(Phase::AwaitingLoad);
        document::fire(&self.document, realm, "DOMContentLoaded", true)?;
        service_worker::enable_messages(realm);
        Ok(())
    }

    fn load(&self, realm: &Realm) -> Fallible<()> {
        self.phase.set(Phase::Loaded);
        self.become_ready(realm, ReadyState::Complete)?;
        self.fire_at_window(realm, "load")?;
        PageTransitionEvent::fire(realm, "pageshow")?;
        refresh::start(&self.page, realm)
    }

    fn become_ready(&self, realm: &Realm, state: ReadyState) -> Fallible<()> {
        self.page.set_ready_state(state);
        document::fire(&self.document, realm, "readystatechange", false)
    }

    /// Fires an event at the window.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn fire_at_window(&self, realm: &Realm, type_: &str) -> Fallible<()> {
        let window: &EventTarget = &self.window;
        window
            .fire_event(realm, type_, &EventInit::default())
            .map(drop)
    }
}
