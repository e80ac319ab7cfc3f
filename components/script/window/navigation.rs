//! Navigation: from one document of a browsing context to the next.
//!
//! <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigating-across-documents>

use std::rc::Rc;

use base::StorageKey;
use base::ids::ClientId;
use net::{FetchResult, ReferrerPolicy};
use sw_traits::{ControllerSource, ServiceWorkerInfo};
use url::Url;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::document_fetch::Hop;
use super::host::WindowAnswer;
use super::load::{self, Loaded};
use super::open_document::{NewDocument, OpenDocument};
use super::page::Page;
use super::sandbox::{Restriction, Sandbox};
use super::unfetched;
use crate::bindings::Realm;
use crate::blob_urls::BlobUrlEntry;
use crate::environment::{Environment, Origin};
use crate::service_worker::{self, reserved::ReservedClient};
use crate::services::{ScriptReport, ScriptSource};

/// Where a browsing context is going.
#[derive(Clone, Debug)]
pub(crate) struct Navigation {
    pub(crate) url: Url,
    /// The fields of a form that is sent by `POST`.
    pub(crate) body: Option<String>,
    /// Whether the same document is wanted anew.
    pub(crate) reload: bool,
    /// Whether the new document takes the place of the present one in the history.
    pub(crate) replaces: bool,
    /// The step in the history that the document is shown for again.
    pub(crate) history_step: Option<u32>,
    /// The document itself, for `about:srcdoc`.
    pub(crate) srcdoc: Option<String>,
    /// Who asks; the embedder where it is none.
    pub(crate) initiator: Option<Initiator>,
    /// The service worker that waits for it.
    pub(crate) answer: Option<WindowAnswer>,
    /// What a `blob:` URL stands for. It is looked up when the navigation begins.
    pub(crate) blob: Option<BlobUrlEntry>,
    /// What is forbidden to the new document. It counts what was so when the navigation began.
    pub(crate) sandbox: Sandbox,
}

impl Navigation {
    /// To another document.
    pub(crate) fn to(url: Url) -> Self {
        Self {
            url,
            body: None,
            reload: false,
            replaces: false,
            history_step: None,
            srcdoc: None,
            initiator: None,
            answer: None,
            blob: None,
            sandbox: Sandbox::default(),
        }
    }

    /// The document that asks.
    pub(super) fn referrer(&self) -> Option<Url> {
        self.initiator.as_ref()?.referrer_source.clone()
    }
}

/// What a new document may take over from the one that asks for it.
///
/// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#source-snapshot-params>
#[derive(Clone, Debug)]
pub(crate) struct Initiator {
    /// What its requests tell of, as far as the policy lets them.
    pub(super) referrer_source: Option<Url>,
    pub(super) origin: Origin,
    pub(super) base_url: Url,
    pub(super) client: ClientId,
    pub(super) controller: Option<ServiceWorkerInfo>,
    pub(super) is_secure: bool,
    pub(super) referrer_policy: ReferrerPolicy,
}

impl Initiator {
    /// The document of a realm; none if it has none.
    pub(crate) fn of(realm: &Realm) -> Option<Self> {
        let environment = Environment::of(realm).ok()?;
        realm.service::<Page>()?;
        Some(Self {
            referrer_source: environment.referrer_source(),
            origin: environment.full_origin.clone(),
            base_url: environment.base_url(),
            client: environment.client,
            controller: service_worker::controller(realm),
            is_secure: realm.is_secure_context(),
            referrer_policy: environment.referrer_policy(),
        })
    }
}

impl Initiator {
    /// With the policy that an element has a name of, if it has.
    pub(super) fn with_referrer_policy(self, name: Option<&str>) -> Self {
        let policy = name.and_then(|name| ReferrerPolicy::parse(&name.to_ascii_lowercase()));
        Self {
            referrer_policy: policy.unwrap_or(self.referrer_policy),
            ..self
        }
    }

    /// The new document learns nothing of it.
    ///
    /// <https://html.spec.whatwg.org/multipage/links.html#link-type-noreferrer>
    #[must_use]
    pub(crate) fn without_referrer(self) -> Self {
        Self {
            referrer_policy: ReferrerPolicy::NoReferrer,
            ..self
        }
    }

    /// What a document learns of where its reader came from. One that is not fetched counts as
    /// one of the asker's own.
    fn referrer_for(&self, loaded: &Loaded, is_fetched: bool) -> Option<Url> {
        let source = self.referrer_source.as_ref()?;
        let policy = self.referrer_policy;
        if is_fetched {
            let urls = loaded.redirected_from.iter().chain([&loaded.url]);
            policy.referrer_along(source, urls)
        } else {
            policy.referrer_along(source, [source])
        }
    }
}

/// <https://html.spec.whatwg.org/multipage/urls-and-fetching.html#matches-about:blank>
pub(super) fn is_about_blank(url: &Url) -> bool {
    url.scheme() == "about" && url.path() == "blank"
}

impl BrowsingContext {
    /// Go to another document. It begins when the task has ended; the last one counts.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigate>
    pub(crate) fn navigate(self: &Rc<Self>, navigation: Navigation) {
        // A document that is being unloaded does not hold the navigation up.
        if self
            .document()
            .is_some_and(|document| document.page.is_unloading())
        {
            return;
        }
        let Some(agent) = self.agent() else {
            return;
        };
        if navigation.url.scheme() == "javascript" && self.document().is_some() {
            self.queue_script_url(&agent, navigation);
            return;
        }
        let blob_urls = &agent.services.user_agent.blob_urls;
        let navigation = Navigation {
            blob: blob_urls.resolve(&navigation.url).or(navigation.blob),
            sandbox: self.sandbox.get(),
            ..navigation
        };
        let replaced = self.wanted.replace(Some(navigation));
        drop(replaced);
        self.wake();
    }

    /// Fetch the document. The one that is shown stays until the answer is there.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#create-navigation-params-by-fetching>
    pub(super) fn begin(self: &Rc<Self>, agent: &Rc<Agent>, navigation: Navigation) {
        if unfetched::is_external(&navigation.url) {
            unfetched::refuse_external(agent, &navigation);
            return;
        }
        self.stop();
        self.set_last_url(navigation.url.clone());
        self.announce_unload();
        // A script that heard of it may have removed the frame.
        if self.is_discarded() {
            return;
        }
        let number = self.last_navigation.get() + 1;
        self.last_navigation.set(number);
        let navigation = self.as_before(navigation);
        if navigation.srcdoc.is_some() || is_about_blank(&navigation.url) {
            let loaded = Loaded::html(&navigation.url, navigation.srcdoc.as_deref());
            self.commit(agent, &navigation, loaded, None);
            return;
        }
        if navigation.url.scheme() == "blob" {
            let result = unfetched::fetch_blob(&navigation);
            self.show_result(agent, &navigation, &navigation.url, result, None);
            return;
        }
        let request = load::request(&navigation, self);
        let hop = Hop {
            number,
            navigation,
            request,
            reserved: None,
        };
        self.fetch_document(agent, hop);
    }

    /// Whoever has asked for a document counts as asking for it anew.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#reload>
    fn as_before(&self, navigation: Navigation) -> Navigation {
        match self.history.current() {
            Some(entry) if navigation.reload => Navigation {
                initiator: entry.into_initiator(),
                ..navigation
            },
            _ => navigation,
        }
    }

    /// Show what the last URL of a navigation brought.
    pub(super) fn show_result(
        self: &Rc<Self>,
        agent: &Rc<Agent>,
        navigation: &Navigation,
        url: &Url,
        result: FetchResult,
        reserved: Option<ReservedClient>,
    ) {
        let is_frame = !self.is_top_level();
        // A response without a document changes nothing in a frame.
        let is_nothing = |result: &FetchResult| {
            result
                .as_ref()
                .is_ok_and(|response| matches!(response.status, 204 | 205))
        };
        if is_frame && is_nothing(&result) {
            self.wake();
            return;
        }
        match load::check(url.clone(), result) {
            Ok(loaded) => {
                report_status(agent, &loaded);
                self.commit(agent, navigation, loaded, reserved);
            }
            Err(error) => self.fail(agent, navigation, error),
        }
        self.wake();
    }

    /// There is no document. A frame shows an empty one then, of which its page learns nothing.
    fn fail(self: &Rc<Self>, agent: &Rc<Agent>, navigation: &Navigation, error: String) {
        if let Some(answer) = &navigation.answer {
            answer.fail(&error);
        }
        let url = navigation.url.clone();
        if self.is_top_level() {
            self.unload(agent, true);
            agent
                .services
                .report
                .call(ScriptReport::PageFailed { url, error });
            return;
        }
        let source = ScriptSource::Page { url };
        let text = format!("A frame could not be loaded: {error}.");
        agent
            .services
            .report
            .call(ScriptReport::ScriptError { source, text });
        let new = NewDocument {
            origin: Origin::opaque(),
            controller: ControllerSource::Nowhere,
            ..self.describe(navigation, Loaded::html(&navigation.url, None))
        };
        self.replace_document(agent, navigation, new);
    }

    /// Show the document in place of the present one.
    fn commit(
        self: &Rc<Self>,
        agent: &Rc<Agent>,
        navigation: &Navigation,
        loaded: Loaded,
        reserved: Option<ReservedClient>,
    ) {
        let new = NewDocument {
            reserved,
            ..self.describe(navigation, loaded)
        };
        self.replace_document(agent, navigation, new);
    }

    pub(super) fn replace_document(
        self: &Rc<Self>,
        agent: &Rc<Agent>,
        navigation: &Navigation,
        new: NewDocument,
    ) {
        let old = self.document();
        let is_first = old.as_ref().is_none_or(|old| old.is_initial());
        // The spec has such a document take over the window itself.
        let heir_of = old.filter(|old| old.is_initial() && old.origin().is_same(&new.origin));
        let replaces = is_first || navigation.replaces;
        self.history_of_new_document(navigation, &new.loaded.url, replaces);
        self.unload(agent, true);
        // A script that heard of it may have closed the window.
        if self.is_closing() {
            return;
        }
        match OpenDocument::create(agent, self, new) {
            Ok(document) => {
                if let Some(initial) = heir_of {
                    document.adopt_listeners(&initial);
                }
                self.set_document(document);
                if let Some(answer) = &navigation.answer {
                    answer.give(Ok(self.client()));
                }
            }
            Err(_) => agent.services.report.call(ScriptReport::PageFailed {
                url: navigation.url.clone(),
                error: "the engine is out of memory".to_owned(),
            }),
        }
        self.wake();
    }

    /// What the new document takes from its URL, and what from the document that asks for it.
    fn describe(&self, navigation: &Navigation, loaded: Loaded) -> NewDocument {
        let is_srcdoc = navigation.srcdoc.is_some();
        let is_blank = is_about_blank(&loaded.url);
        let is_blob = loaded.url.scheme() == "blob";
        let initiator = navigation.initiator.as_ref();
        let from = initiator.filter(|_| is_srcdoc || is_blank);
        let origin = if navigation.sandbox.forbids(Restriction::Origin) {
            Origin::opaque()
        } else if let Some(from) = from {
            from.origin.clone()
        } else {
            blob_origin(navigation).unwrap_or_else(|| Origin::of_url(&loaded.url))
        };
        let base_url = from.map_or_else(|| loaded.url.clone(), |from| from.base_url.clone());
        let creator = initiator.filter(|from| from.origin.is_same(&origin));
        let controller = match creator {
            _ if navigation.reload && !is_srcdoc && !is_blank && !is_blob => ControllerSource::Url,
            Some(creator) if is_srcdoc || is_blank || is_blob => {
                ControllerSource::Client(creator.client)
            }
            _ => ControllerSource::Url,
        };
        let is_trustworthy = is_srcdoc
            || matches!(loaded.url.scheme(), "about" | "data")
            || is_blob && origin.tuple().is_none()
            || origin
                .tuple()
                .cloned()
                .or_else(|| StorageKey::from_url(&loaded.url).ok())
                .is_some_and(|origin| origin.is_potentially_trustworthy());
        let around = match self.parent().and_then(|parent| parent.document()) {
            Some(document) => document.realm.is_secure_context(),
            None => from.is_none_or(|from| from.is_secure),
        };
        NewDocument {
            origin,
            base_url,
            controller,
            reserved: None,
            is_secure: is_trustworthy && around,
            referrer: initiator.and_then(|it| it.referrer_for(&loaded, from.is_none())),
            referrer_policy: from.map_or_else(ReferrerPolicy::default, |from| from.referrer_policy),
            is_initial: false,
            sandbox: navigation.sandbox,
            loaded,
        }
    }
}

/// The origin of a document of a blob that was made in an opaque origin.
fn blob_origin(navigation: &Navigation) -> Option<Origin> {
    let (entry, initiator) = navigation
        .blob
        .as_ref()
        .zip(navigation.initiator.as_ref())?;
    let is_own = entry.is_owned_by(initiator.client) && initiator.origin.tuple().is_none();
    is_own.then(|| initiator.origin.clone())
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
