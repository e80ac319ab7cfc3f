//! Navigations for which nothing is fetched from the network: `blob:` and `javascript:` URLs, and
//! those that are for other programs.
//!
//! <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate>

use std::rc::Rc;

use net::{FetchError, FetchErrorKind, FetchResult};
use percent_encoding::percent_decode_str;
use url::Url;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::frames;
use super::load::Loaded;
use super::navigation::Navigation;
use super::open_document::{NewDocument, OpenDocument};
use super::sandbox::Restriction;
use crate::bindings::report::report_exception;
use crate::services::{ScriptReport, ScriptSource};
use sw_traits::ControllerSource;

/// Whether a URL is for another program, of which there are none here: what is shown stays.
///
/// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#hand-off-to-external-software>
pub(super) fn is_external(url: &Url) -> bool {
    let own = [
        "about",
        "blob",
        "data",
        "file",
        "http",
        "https",
        "javascript",
    ];
    !own.contains(&url.scheme())
}

/// There is no program for the URL.
pub(super) fn refuse_external(agent: &Agent, navigation: &Navigation) {
    let url = &navigation.url;
    let text = format!("There is nothing that opens {}: URLs.", url.scheme());
    if let Some(answer) = &navigation.answer {
        answer.fail(&text);
    }
    let source = ScriptSource::Page { url: url.clone() };
    agent
        .services
        .report
        .call(ScriptReport::ScriptError { source, text });
}

impl BrowsingContext {
    /// Run the script of a `javascript:` URL as a task of its own. Another navigation that has begun
    /// goes on.
    pub(super) fn queue_script_url(self: &Rc<Self>, agent: &Rc<Agent>, navigation: Navigation) {
        self.waiting_scripts.set(self.waiting_scripts.get() + 1);
        let kept = (Rc::clone(self), Rc::clone(agent), navigation);
        let run = agent.event_loop.answer(
            kept,
            |(context, agent, navigation): (Rc<Self>, _, _), ()| {
                context
                    .waiting_scripts
                    .set(context.waiting_scripts.get() - 1);
                context.run_script_url(&agent, &navigation);
                context.wake();
            },
        );
        run.call(());
    }

    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate-to-a-javascript:-url>
    fn run_script_url(self: &Rc<Self>, agent: &Rc<Agent>, navigation: &Navigation) {
        let Some(document) = self.document().filter(|_| !self.is_closing()) else {
            return;
        };
        // Step 3: only scripts of the same origin run in a document.
        let may = navigation
            .initiator
            .as_ref()
            .is_some_and(|initiator| initiator.origin.is_same(document.origin()));
        let text = may.then(|| evaluate(&document, &navigation.url)).flatten();
        let is_shown = self
            .document()
            .is_some_and(|shown| Rc::ptr_eq(&shown, &document));
        if !is_shown || self.is_closing() {
            return;
        }
        let Some(text) = text else {
            // Step 9: there is no new document; whoever waits for the first one of a frame hears.
            if document.is_initial()
                && let Some((container, outer)) = self.container_document()
            {
                frames::fire_load(&outer.page, &outer.realm, container);
            }
            return;
        };
        let shown = document.page.url();
        let new = NewDocument {
            origin: document.origin().clone(),
            base_url: document.page.environment.base_url(),
            controller: ControllerSource::Client(document.page.environment.client),
            reserved: None,
            is_secure: document.realm.is_secure_context(),
            referrer: document.page.referrer.clone(),
            referrer_policy: document.page.environment.referrer_policy(),
            is_initial: false,
            sandbox: document.page.sandbox,
            loaded: Loaded::html(&shown, Some(&text)),
        };
        let navigation = Navigation {
            replaces: true,
            ..Navigation::to(shown)
        };
        self.replace_document(agent, &navigation, new);
    }
}

/// The text that the script of a URL results in; none for any other result.
///
/// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#evaluate-a-javascript:-url>
fn evaluate(document: &OpenDocument, url: &Url) -> Option<String> {
    if document.page.sandbox.forbids(Restriction::Scripts) {
        return None;
    }
    // Steps 1 to 3: what stands after the scheme.
    let source = url.as_str().strip_prefix("javascript:")?;
    let source = percent_decode_str(source).decode_utf8_lossy();
    // Steps 4 to 9: run it.
    let realm = &document.realm;
    let result = realm.evaluate(&source, document.page.url().as_str());
    match result {
        Ok(value) if value.is_string() => {
            let text = value.to_dom_string(realm).ok()?;
            Some(text.to_string())
        }
        Ok(_) => None,
        Err(error) => {
            report_exception(realm, error);
            None
        }
    }
}

/// What a `blob:` URL stood for when the navigation to it began, for documents of its origin.
///
/// <https://fetch.spec.whatwg.org/#scheme-fetch>
pub(super) fn fetch_blob(navigation: &Navigation) -> FetchResult {
    let origin = navigation
        .initiator
        .as_ref()
        .map(|initiator| initiator.origin.tuple().cloned());
    let entry = navigation
        .blob
        .as_ref()
        .filter(|entry| origin.is_some_and(|origin| entry.is_of(origin.as_ref())));
    match entry {
        Some(entry) if navigation.body.is_none() => Ok(entry.response(&navigation.url)),
        _ => Err(FetchError {
            kind: FetchErrorKind::BadRequest,
            url: navigation.url.to_string(),
            reason: "there is no such blob, or it is of another origin".to_owned(),
        }),
    }
}
