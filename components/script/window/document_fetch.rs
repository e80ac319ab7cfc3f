//! The way of a navigation to its document: one URL after the other, each through the service worker
//! in whose scope it is, if there is one, and else over the network.
//!
//! <https://html.spec.whatwg.org/multipage/browsing-the-web.html#create-navigation-params-by-fetching>

use std::rc::Rc;

use base::StorageKey;
use base::ids::ClientId;
use net::{FetchResult, Request, Response};
use sw_traits::{ClientDescription, ClientKind};
use url::Url;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::navigation::Navigation;
use super::sandbox::Restriction;
use crate::fetch::fetcher::{Around, Course, Fetcher};
use crate::service_worker::reserved::ReservedClient;

/// A navigation whose document is being fetched.
pub(super) struct Ongoing {
    number: u64,
    course: Course,
}

impl Ongoing {
    pub(super) fn cancel(self) {
        self.course.cancel();
    }
}

/// A navigation at one of its URLs.
pub(super) struct Hop {
    /// Which navigation of the browsing context it is.
    pub(super) number: u64,
    pub(super) navigation: Navigation,
    pub(super) request: Request,
    /// The client that the document will be, if it is of this origin.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigation-params-reserved-environment>
    pub(super) reserved: Option<ReservedClient>,
}

impl BrowsingContext {
    /// Fetch the document, or learn where it is.
    pub(super) fn fetch_document(self: &Rc<Self>, agent: &Rc<Agent>, hop: Hop) {
        let reserved = self.reserve(agent, &hop.navigation, &hop.request.url, hop.reserved);
        let initiator = hop.navigation.initiator.as_ref();
        let fetcher = Fetcher::new(
            &agent.services,
            reserved.as_ref().map(ReservedClient::handle),
        )
        .around(Around {
            initiator: initiator.map(|from| from.client),
            replaces: self.replaced_client(),
        });
        let (number, request) = (hop.number, hop.request.clone());
        let kept = (Rc::clone(self), Hop { reserved, ..hop });
        let done = agent
            .event_loop
            .answer(kept, move |(context, hop): (Rc<Self>, Hop), result| {
                context.arrived(hop, result);
            });
        let course = fetcher.fetch(request, done);
        self.ongoing.replace(Some(Ongoing { number, course }));
    }

    /// The client of the document that is about to be replaced.
    fn replaced_client(&self) -> Option<ClientId> {
        let document = self.document().filter(|document| !document.is_initial())?;
        Some(document.page.environment.client)
    }

    /// The client that the document at a URL will be; the one before a redirect, as long as the origin
    /// is the same.
    fn reserve(
        self: &Rc<Self>,
        agent: &Agent,
        navigation: &Navigation,
        url: &Url,
        before: Option<ReservedClient>,
    ) -> Option<ReservedClient> {
        let is_http = matches!(url.scheme(), "http" | "https");
        if !is_http || navigation.sandbox.forbids(Restriction::Origin) {
            return None;
        }
        let storage_key = StorageKey::from_url(url).ok()?;
        if let Some(before) = before.filter(|before| *before.storage_key() == storage_key) {
            before.redirect(url.clone());
            return Some(before);
        }
        let around = self.parent().and_then(|parent| parent.document());
        let description = ClientDescription {
            frame_type: self.frame_type(),
            secure_context: storage_key.is_potentially_trustworthy()
                && around.is_none_or(|document| document.realm.is_secure_context()),
            ancestor_origins: self.serialized_ancestor_origins(),
            ..ClientDescription::new(
                ClientId::random(),
                storage_key,
                url.clone(),
                ClientKind::Window,
            )
        };
        ReservedClient::attach(&agent.services, description)
    }

    /// The document has come, or not, or it is elsewhere.
    fn arrived(self: &Rc<Self>, hop: Hop, result: FetchResult) {
        let is_awaited = |ongoing: &Ongoing| ongoing.number == hop.number;
        // What is late belongs to a navigation that was given up.
        if !self.ongoing.borrow().as_ref().is_some_and(is_awaited) {
            return;
        }
        self.ongoing.take();
        let Some(agent) = self.agent() else {
            return;
        };
        let result = result.map(|response| Response {
            redirects: hop.request.redirected_from.clone(),
            ..response.into_unfiltered()
        });
        match &result {
            Ok(response) if response.is_redirect() && response.header("location").is_some() => {
                self.follow(&agent, hop, response);
            }
            _ => {
                let url = &hop.request.url;
                self.show_result(&agent, &hop.navigation, url, result, hop.reserved);
            }
        }
    }

    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#create-navigation-params-by-fetching>,
    /// the part about a location URL
    fn follow(self: &Rc<Self>, agent: &Rc<Agent>, hop: Hop, response: &Response) {
        match hop.request.redirected(response) {
            Ok(request) => self.fetch_document(agent, Hop { request, ..hop }),
            Err(error) => {
                let url = hop.navigation.url.clone();
                self.show_result(agent, &hop.navigation, &url, Err(error), None);
            }
        }
    }
}
