//! Navigation: from one document of a browsing context to the next.
//!
//! <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigating-across-documents>

use std::rc::Rc;

use net::{FetchId, FetchResult};
use url::Url;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::load::{self, Loaded};
use super::open_document::OpenDocument;
use crate::services::{ScriptReport, ScriptSource};

/// Where a browsing context is going.
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

/// A navigation whose document is being fetched.
pub(super) struct Ongoing {
    number: u64,
    fetch: FetchId,
}

impl Ongoing {
    pub(super) fn cancel(self, agent: &Agent) {
        agent.services.net.cancel(self.fetch);
    }
}

impl BrowsingContext {
    /// Go to another document. It begins when the task has ended; the last one counts.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate>
    pub(crate) fn navigate(&self, navigation: Navigation) {
        self.wanted.replace(Some(navigation));
        self.wake();
    }

    /// Fetch the document. The one that is shown stays until the answer is there.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#create-navigation-params-by-fetching>
    pub(super) fn begin(self: &Rc<Self>, agent: &Agent, navigation: Navigation) {
        if let Some(ongoing) = self.ongoing.take() {
            ongoing.cancel(agent);
        }
        self.set_last_url(navigation.url.clone());
        let number = self.last_navigation.get() + 1;
        self.last_navigation.set(number);
        let request = load::request(&navigation);
        let kept = (Rc::clone(self), navigation);
        let done = agent
            .event_loop
            .answer(kept, move |(context, navigation), result| {
                context.arrived(number, &navigation, result);
            });
        let fetch = agent.services.net.fetch(request, done);
        self.ongoing.replace(Some(Ongoing { number, fetch }));
    }

    /// The document has come, or not.
    fn arrived(self: &Rc<Self>, number: u64, navigation: &Navigation, result: FetchResult) {
        let is_awaited = |ongoing: &Ongoing| ongoing.number == number;
        // What is late belongs to a navigation that was given up.
        if !self.ongoing.borrow().as_ref().is_some_and(is_awaited) {
            return;
        }
        self.ongoing.take();
        let Some(agent) = self.agent() else {
            return;
        };
        let shown = load::check(&navigation.url, result).and_then(|loaded| {
            report_status(&agent, &loaded);
            self.unload(&agent, true);
            OpenDocument::create(&agent, self, navigation, loaded)
                .map_err(|_| "the engine is out of memory".to_owned())
        });
        match shown {
            Ok(document) => self.set_document(document),
            Err(error) => {
                self.unload(&agent, true);
                let url = navigation.url.clone();
                agent
                    .services
                    .report
                    .call(ScriptReport::PageFailed { url, error });
            }
        }
        self.wake();
    }
}

/// A page that came with an error status is shown, but the developer is told.
fn report_status(agent: &Agent, loaded: &Loaded) {
    if loaded.status >= 400 {
        let url = loaded.url.clone();
        let text = format!(
            "the server answered with status {} for {url}",
            loaded.status
        );
        let source = ScriptSource::Page { url };
        agent
            .services
            .report
            .call(ScriptReport::ScriptError { source, text });
    }
}
