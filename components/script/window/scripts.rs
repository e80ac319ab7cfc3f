//! `script` elements: fetching and running them at their time.
//!
//! <https://html.spec.whatwg.org/multipage/scripting.html#script-processing-model>

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use net::{CredentialsMode, Destination, FetchResult, Request, RequestMode};
use url::Url;

use super::page::Page;
use super::sandbox::Restriction;
use crate::bindings::generated::EventInit;
use crate::bindings::report::report_exception;
use crate::bindings::{Error, Fallible, Realm};
use crate::dom::node_store::NodeStore;
use crate::dom_tree::{
    NodeId, PreparedScript, ScriptKind, ScriptSource, ScriptTiming, decode_text,
};
use crate::fetch::fetch_for_realm;
use crate::modules::{self, FetchOptions, Wanted};
use crate::services::{ScriptReport, ScriptSource as Source};

/// The scripts of a document that have not run yet.
#[derive(Default)]
pub(crate) struct ScriptQueues {
    /// The script for which the parser waits.
    blocking: RefCell<Option<PendingScript>>,
    /// <https://html.spec.whatwg.org/multipage/scripting.html#list-of-scripts-that-will-execute-when-the-document-has-finished-parsing>
    deferred: RefCell<VecDeque<PendingScript>>,
    /// <https://html.spec.whatwg.org/multipage/scripting.html#list-of-scripts-that-will-execute-in-order-as-soon-as-possible>
    in_order: RefCell<VecDeque<PendingScript>>,
    /// <https://html.spec.whatwg.org/multipage/scripting.html#set-of-scripts-that-will-execute-as-soon-as-possible>
    asynchronous: RefCell<Vec<PendingScript>>,
    pub(super) current: Cell<Option<NodeId>>,
    last_fetch: Cell<u64>,
}

/// A script whose time has not come.
struct PendingScript {
    element: NodeId,
    kind: ScriptKind,
    /// The fetch that brings it.
    fetch: u64,
    text: Text,
}

enum Text {
    Awaited,
    /// The text, its URL, its first line, and whether it came from a URL of its own.
    Here {
        text: String,
        url: String,
        line: u32,
        external: bool,
    },
    /// A module with all that it imports: its name in the module map, and whether it came from a
    /// URL of its own.
    Module {
        root: String,
        external: bool,
    },
    /// Why there is none.
    Failed(String),
}

impl PendingScript {
    fn is_ready(&self) -> bool {
        !matches!(self.text, Text::Awaited)
    }
}

impl ScriptQueues {
    /// No script that waits runs any more.
    pub(super) fn forget(&self) {
        self.blocking.take();
        self.deferred.take();
        self.in_order.take();
        self.asynchronous.take();
    }

    /// Whether no script waits.
    pub(super) fn is_idle(&self) -> bool {
        self.blocking.borrow().is_none()
            && self.deferred.borrow().is_empty()
            && self.nothing_delays_load()
    }

    /// Whether the parser waits for a script.
    pub(super) fn blocks_parser(&self) -> bool {
        self.blocking.borrow().is_some()
    }

    /// Whether a script that came is to be run before the parser goes on.
    pub(super) fn blocking_is_ready(&self) -> bool {
        self.blocking
            .borrow()
            .as_ref()
            .is_some_and(PendingScript::is_ready)
    }

    /// Whether there is a deferred script, and whether it has come.
    pub(super) fn next_deferred(&self) -> Option<bool> {
        self.deferred.borrow().front().map(PendingScript::is_ready)
    }

    /// Whether a script that does not wait for the parser can run.
    pub(super) fn independent_is_ready(&self) -> bool {
        self.in_order
            .borrow()
            .front()
            .is_some_and(PendingScript::is_ready)
            || self
                .asynchronous
                .borrow()
                .iter()
                .any(PendingScript::is_ready)
    }

    /// Whether no script is left that the `load` event waits for.
    pub(super) fn nothing_delays_load(&self) -> bool {
        self.in_order.borrow().is_empty() && self.asynchronous.borrow().is_empty()
    }

    fn take_blocking(&self) -> Option<PendingScript> {
        self.blocking.take()
    }

    fn take_deferred(&self) -> Option<PendingScript> {
        self.deferred.borrow_mut().pop_front()
    }

    fn take_independent(&self) -> Option<PendingScript> {
        let mut in_order = self.in_order.borrow_mut();
        if in_order.front().is_some_and(PendingScript::is_ready) {
            return in_order.pop_front();
        }
        let mut asynchronous = self.asynchronous.borrow_mut();
        let place = asynchronous.iter().position(PendingScript::is_ready)?;
        Some(asynchronous.remove(place))
    }

    fn next_fetch(&self) -> u64 {
        self.last_fetch.set(self.last_fetch.get() + 1);
        self.last_fetch.get()
    }

    /// Says what became of a fetch.
    fn arrived(&self, fetch: u64, text: Text) {
        let mut blocking = self.blocking.borrow_mut();
        let mut deferred = self.deferred.borrow_mut();
        let mut in_order = self.in_order.borrow_mut();
        let mut asynchronous = self.asynchronous.borrow_mut();
        let mut all = blocking
            .iter_mut()
            .chain(deferred.iter_mut())
            .chain(in_order.iter_mut())
            .chain(asynchronous.iter_mut());
        if let Some(script) = all.find(|script| script.fetch == fetch) {
            script.text = text;
        }
    }
}

/// Which of the waiting scripts is to run.
#[derive(Clone, Copy)]
pub(super) enum Next {
    Blocking,
    Deferred,
    Independent,
}

/// Run a waiting script that has come.
pub(super) fn run_next(page: &Page, realm: &Realm, next: Next) {
    let script = match next {
        Next::Blocking => page.scripts.take_blocking(),
        Next::Deferred => page.scripts.take_deferred(),
        Next::Independent => page.scripts.take_independent(),
    };
    if let Some(script) = script {
        run(page, realm, script);
    }
}

/// A script inserted `script` elements: those that run now run at once.
pub(crate) fn prepare_inserted(realm: &Realm, store: &Rc<NodeStore>, element: NodeId) {
    let Some(page) = realm.service::<Page>() else {
        return;
    };
    if Rc::ptr_eq(store, &page.store) {
        prepare(&page, realm, element);
    }
}

/// <https://html.spec.whatwg.org/multipage/scripting.html#prepare-the-script-element>
pub(super) fn prepare(page: &Rc<Page>, realm: &Realm, element: NodeId) {
    // A document that is not shown any more, or may run no scripts, has none that run.
    if !page.is_active() || page.sandbox.forbids(Restriction::Scripts) {
        return;
    }
    let prepared = page.store.tree.borrow_mut().prepare_script(element);
    if let Some(prepared) = prepared {
        start(page, realm, prepared);
    }
}

/// Run a prepared script if its time has come, else fetch it and let it wait.
fn start(page: &Rc<Page>, realm: &Realm, prepared: PreparedScript) {
    let PreparedScript {
        element,
        kind,
        source,
        timing,
    } = prepared;
    let mut script = PendingScript {
        element,
        kind,
        fetch: page.scripts.next_fetch(),
        text: Text::Awaited,
    };
    let mut module = None;
    match source {
        ScriptSource::Inline { text, line } if kind == ScriptKind::Module => {
            module = Some(Module::Inline { text, line });
        }
        ScriptSource::Inline { text, line } => {
            script.text = Text::Here {
                text,
                url: page.url().to_string(),
                line,
                external: false,
            };
        }
        ScriptSource::External(source) if source.is_empty() => {
            script.text = Text::Failed("A script element has an empty src attribute.".to_owned());
        }
        ScriptSource::External(source) => match page.environment.parse_url(&source) {
            Ok(url) if kind == ScriptKind::Module => module = Some(Module::External(url)),
            Ok(url) => fetch(page, realm, script.fetch, url),
            Err(_) => {
                script.text =
                    Text::Failed(format!("The script URL \"{source}\" is not a valid URL."));
            }
        },
    }
    let fetch = script.fetch;
    let queues = &page.scripts;
    match timing {
        ScriptTiming::Immediately => run(page, realm, script),
        ScriptTiming::BlockingParser => {
            queues.blocking.replace(Some(script));
        }
        ScriptTiming::AfterParsing => queues.deferred.borrow_mut().push_back(script),
        ScriptTiming::InOrder => queues.in_order.borrow_mut().push_back(script),
        ScriptTiming::Async => queues.asynchronous.borrow_mut().push(script),
    }
    // It may be complete at once, and has to be found then.
    if let Some(module) = module {
        fetch_module(page, realm, element, fetch, module);
    }
    if timing != ScriptTiming::Immediately {
        page.context.wake();
    }
}

/// A module script of the document.
enum Module {
    Inline { text: String, line: u32 },
    External(Url),
}

/// Steps 31 and 32 of <https://html.spec.whatwg.org/multipage/scripting.html#prepare-the-script-element>
/// for a module.
fn fetch_module(page: &Page, realm: &Realm, element: NodeId, fetch: u64, module: Module) {
    let cross_origin = page
        .store
        .tree
        .borrow()
        .element(element)
        .and_then(|element| {
            element
                .attribute("crossorigin")
                .map(str::to_ascii_lowercase)
        });
    let options = FetchOptions {
        credentials: if cross_origin.as_deref() == Some("use-credentials") {
            CredentialsMode::Include
        } else {
            CredentialsMode::SameOrigin
        },
        destination: Destination::Script,
        referrer_policy: None,
    };
    let external = matches!(module, Module::External(_));
    let then = Box::new(move |realm: &Realm, result: Result<String, String>| {
        let Some(page) = realm.service::<Page>() else {
            return;
        };
        let text = match result {
            Ok(root) => Text::Module { root, external },
            Err(reason) => Text::Failed(reason),
        };
        page.scripts.arrived(fetch, text);
        page.context.wake();
    });
    match module {
        Module::External(url) => {
            let root = Wanted {
                url,
                referrer: page.environment.referrer_source(),
                options,
                is_top_level: true,
            };
            modules::fetch_graph(realm, root, then);
        }
        Module::Inline { text, line } => {
            let base_url = page.environment.base_url();
            let line = i32::try_from(line).unwrap_or(i32::MAX);
            modules::fetch_inline_graph(realm, (text, line), base_url, options, then);
        }
    }
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-classic-script>
fn fetch(page: &Rc<Page>, realm: &Realm, id: u64, url: Url) {
    let environment = &page.environment;
    let request = Request {
        mode: RequestMode::NoCors,
        origin: environment.origin.clone().into(),
        ancestor_origins: environment.ancestor_origins.clone(),
        destination: Destination::Script,
        referrer: environment.referrer_source(),
        referrer_policy: environment.referrer_policy(),
        ..Request::new(url)
    };
    let awaiting = Rc::clone(page);
    let started = fetch_for_realm(realm, request, move |_, result| {
        arrived(&awaiting, id, result);
    });
    if started.is_err() {
        log::error!("a script cannot be fetched: the realm has no event loop");
    }
}

/// A script has come, or not.
fn arrived(page: &Page, fetch: u64, result: FetchResult) {
    let text = match result {
        Err(error) => Text::Failed(format!("A script could not be loaded: {error}.")),
        Ok(response) => {
            let response = response.unfiltered();
            let url = response
                .url
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            if response.is_ok() {
                let content_type = response.header("content-type").unwrap_or_default();
                let content_type = String::from_utf8_lossy(&content_type);
                let text = decode_text(&response.body, &content_type, page.encoding());
                Text::Here {
                    text,
                    url,
                    line: 1,
                    external: true,
                }
            } else {
                let status = response.status;
                Text::Failed(format!(
                    "The script {url} could not be loaded: the server answered with status \
                     {status} {}.",
                    response.status_text
                ))
            }
        }
    };
    page.scripts.arrived(fetch, text);
}

/// <https://html.spec.whatwg.org/multipage/scripting.html#execute-the-script-element>
fn run(page: &Page, realm: &Realm, script: PendingScript) {
    let result = match (script.kind, script.text) {
        (
            ScriptKind::Classic,
            Text::Here {
                text,
                url,
                line,
                external,
            },
        ) => {
            let before = page.scripts.current.replace(Some(script.element));
            let line = i32::try_from(line).unwrap_or(i32::MAX);
            let result = realm.evaluate_at(&text, &url, line);
            page.scripts.current.set(before);
            if let Err(error) = result {
                report_exception(realm, error);
            }
            if external {
                fire(page, realm, script.element, "load")
            } else {
                Ok(())
            }
        }
        (_, Text::Module { root, external }) => {
            modules::run_and_report(realm, &root);
            if external {
                fire(page, realm, script.element, "load")
            } else {
                Ok(())
            }
        }
        (_, Text::Failed(reason)) => {
            report(page, reason);
            fire(page, realm, script.element, "error")
        }
        (_, _) => {
            report(page, "Import maps are not supported yet.".to_owned());
            fire(page, realm, script.element, "error")
        }
    };
    if let Err(error) = result {
        report_exception(realm, error);
    }
}

pub(super) fn report(page: &Page, text: String) {
    let source = Source::Page { url: page.url() };
    page.environment
        .services
        .report
        .call(ScriptReport::ScriptError { source, text });
}

pub(super) fn fire(page: &Page, realm: &Realm, element: NodeId, type_: &str) -> Fallible<()> {
    let element = page.store.wrap(realm, element)?;
    let target = element
        .upcast::<crate::dom::event_target::EventTarget>()
        .ok_or_else(|| Error::Type("A node is no event target.".to_owned()))?;
    target
        .fire_event(realm, type_, &EventInit::default())
        .map(drop)
}
