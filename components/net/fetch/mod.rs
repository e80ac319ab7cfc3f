//! The fetch algorithms of the standard, over one HTTP exchange after the other.

mod network_or_cache;

use base::StorageKey;
use base::time::WallTime;
use network_traits::{FetchOutcome, NetworkMonitorHandle};
use parking_lot::Mutex;
use url::Url;

use crate::cache::HttpCache;
use crate::config::NetConfig;
use crate::control::Control;
use crate::cookies::CookieJar;
use crate::cors;
use crate::encoding;
use crate::error::{FetchError, FetchErrorKind};
use crate::headers;
use crate::http::HttpClient;
use crate::local;
use crate::mime;
use crate::ports;
use crate::referrer::ReferrerPolicy;
use crate::request::{CacheMode, RedirectMode, Request, RequestMode};
use crate::response::{FetchResult, Response, ResponseType};
use crate::thread::NetServices;
use crate::withheld;

/// What all fetches share.
pub(crate) struct Context {
    pub(crate) config: NetConfig,
    pub(crate) client: HttpClient,
    pub(crate) services: NetServices,
    pub(crate) cache: Mutex<HttpCache>,
    pub(crate) cookies: Mutex<CookieJar>,
}

impl Context {
    pub(crate) fn now(&self) -> WallTime {
        self.services.clock.now().wall
    }
}

/// <https://fetch.spec.whatwg.org/#concept-fetch>
pub(crate) fn fetch(context: &Context, request: Request, control: &Control) -> FetchResult {
    let mut fetch = Fetch::new(context, request, control);
    loop {
        match fetch.next_hop()? {
            Step::Redirected => {}
            Step::Finished(response) => return Ok(response),
        }
    }
}

/// <https://fetch.spec.whatwg.org/#concept-request-response-tainting>
#[derive(Clone, Copy, Eq, PartialEq)]
enum Tainting {
    Basic,
    Cors,
    Opaque,
}

/// One fetch on its way through its redirects.
struct Fetch<'a> {
    context: &'a Context,
    control: &'a Control,
    request: Request,
    /// What redirects change of the request.
    method: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    referrer_policy: ReferrerPolicy,
    /// The URLs so far; the last is the current one.
    urls: Vec<Url>,
    tainting: Tainting,
}

enum Step {
    Redirected,
    Finished(Response),
}

impl<'a> Fetch<'a> {
    fn new(context: &'a Context, mut request: Request, control: &'a Control) -> Self {
        Self {
            context,
            control,
            method: request.method.clone(),
            headers: std::mem::take(&mut request.headers),
            body: request.body.take(),
            referrer_policy: request.referrer_policy,
            urls: request
                .redirected_from
                .drain(..)
                .chain([request.url.clone()])
                .collect(),
            request,
            tainting: Tainting::Basic,
        }
    }

    fn current_url(&self) -> &Url {
        // There is a first URL, and redirects only add to it.
        &self.urls[self.urls.len() - 1]
    }

    fn error(&self, kind: FetchErrorKind, reason: impl Into<String>) -> FetchError {
        FetchError::new(kind, self.current_url(), reason)
    }

    fn is_same_origin(&self, url: &Url) -> bool {
        self.request
            .origin
            .tuple()
            .is_some_and(|origin| origin.contains(url))
    }

    /// <https://fetch.spec.whatwg.org/#concept-main-fetch>
    fn next_hop(&mut self) -> Result<Step, FetchError> {
        let url = self.current_url().clone();
        let is_http = matches!(url.scheme(), "http" | "https");
        if withheld::is_mixed_content(&self.request, &url) {
            let reason = "the connection is not secure, and that of the page is";
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        // Step 7: some ports belong to services that a page must not talk to.
        if is_http && url.port().is_some_and(ports::is_bad) {
            let reason = "the port belongs to a service that pages must not talk to";
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        let is_own = self.is_same_origin(&url) && self.tainting == Tainting::Basic;
        // Step 12: what the requester may do and see follows from its mode and the origins.
        if is_own || self.request.mode == RequestMode::Navigate || local::is_local(&url) {
            if !is_http {
                return local::fetch(&url, self.context.config.max_body_size).map(Step::Finished);
            }
        } else if self.request.mode == RequestMode::SameOrigin {
            let reason = "it is of another origin, and the request's mode is \"same-origin\"";
            return Err(self.error(FetchErrorKind::Blocked, reason));
        } else if !is_http {
            let reason = format!(
                "URLs with the scheme \"{}\" cannot be fetched",
                url.scheme()
            );
            return Err(self.error(FetchErrorKind::UnsupportedScheme, reason));
        } else if self.request.mode == RequestMode::NoCors {
            self.check_no_cors()?;
            self.tainting = Tainting::Opaque;
        } else {
            self.tainting = Tainting::Cors;
            self.preflight_if_needed()?;
        }
        self.http_fetch()
    }

    /// What may be sent to an origin that is not asked.
    fn check_no_cors(&self) -> Result<(), FetchError> {
        if self.request.redirect != RedirectMode::Follow {
            let reason = "it is of another origin, and with the mode \"no-cors\" redirects can \
                          only be followed";
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        if !cors::is_safelisted_method(&self.method) {
            let reason = format!(
                "with the mode \"no-cors\" the method cannot be {}",
                self.method
            );
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        Ok(())
    }

    /// <https://fetch.spec.whatwg.org/#concept-http-fetch>
    fn http_fetch(&mut self) -> Result<Step, FetchError> {
        let response = self.network_or_cache_fetch()?;
        // Step 4.2: another origin's agreement is needed for its redirects too.
        if self.tainting == Tainting::Cors {
            self.check_cors(&response)?;
        }
        // Step 4.3: and who is not asked for agreement may refuse all the same.
        if self.tainting == Tainting::Opaque {
            let (origin, url) = (self.request.origin.tuple(), self.current_url());
            if let Some(reason) = withheld::resource_policy_forbids(origin, url, &response) {
                return Err(self.error(FetchErrorKind::Blocked, reason));
            }
        }
        // Step 6: redirects.
        if response.is_redirect() {
            match self.request.redirect {
                RedirectMode::Error => {
                    let reason = "it redirects, and the request's redirect mode is \"error\"";
                    return Err(self.error(FetchErrorKind::Redirect, reason));
                }
                RedirectMode::Manual => {
                    let response = response.into_opaque(ResponseType::OpaqueRedirect);
                    return Ok(Step::Finished(response));
                }
                RedirectMode::Follow => {
                    if self.redirect(&response)? {
                        return Ok(Step::Redirected);
                    }
                }
            }
        }
        // What is no script is not run as one.
        if let Some(reason) = mime::blocks(self.request.destination, &response) {
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        // Only here is a body made use of: those of redirects and preflights are passed over.
        let response = encoding::decoded(response, self.context.config.max_body_size)?;
        let response = match self.tainting {
            Tainting::Basic => response.into_basic(),
            Tainting::Cors => response.into_cors(self.request.credentials),
            Tainting::Opaque => response.into_opaque(ResponseType::Opaque),
        };
        Ok(Step::Finished(response))
    }

    /// Goes on to where a response redirects to, if it says so.
    fn redirect(&mut self, response: &Response) -> Result<bool, FetchError> {
        let url = self.urls.pop().unwrap_or_else(|| self.request.url.clone());
        let next = Request {
            method: std::mem::take(&mut self.method),
            headers: std::mem::take(&mut self.headers),
            body: self.body.take(),
            referrer_policy: self.referrer_policy,
            url,
            redirected_from: std::mem::take(&mut self.urls),
            ..self.request.clone()
        };
        let hops = next.redirected_from.len();
        let next = next.redirected(response)?;
        self.method = next.method;
        self.headers = next.headers;
        self.body = next.body;
        self.request.referrer = next.referrer;
        self.referrer_policy = next.referrer_policy;
        self.urls = next.redirected_from;
        self.urls.push(next.url);
        Ok(self.urls.len() > hops + 1)
    }

    /// Asks the other origin first, if the request is one that it might not expect. Answers are
    /// not remembered.
    ///
    /// <https://fetch.spec.whatwg.org/#cors-preflight-fetch>
    fn preflight_if_needed(&self) -> Result<(), FetchError> {
        let unsafe_names = cors::unsafe_header_names(&self.headers);
        if cors::is_safelisted_method(&self.method) && unsafe_names.is_empty() {
            return Ok(());
        }
        // Steps 1 to 5: the question.
        let method = (
            "Access-Control-Request-Method".to_owned(),
            self.method.clone().into_bytes(),
        );
        let mut headers = vec![("Accept".to_owned(), b"*/*".to_vec()), method];
        if !unsafe_names.is_empty() {
            let names = unsafe_names.join(",").into_bytes();
            headers.push(("Access-Control-Request-Headers".to_owned(), names));
        }
        let response = self.send(&self.exchange("OPTIONS", &headers, None, CacheMode::Default))?;
        // Step 7: the answer.
        self.check_cors(&response)?;
        if !response.is_ok() {
            let reason = format!(
                "the server answered the preflight with status {}, which allows nothing",
                response.status
            );
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        cors::check_preflight(&self.method, &unsafe_names, &self.request, &response)
            .map_err(|reason| self.error(FetchErrorKind::Blocked, reason))
    }

    fn check_cors(&self, response: &Response) -> Result<(), FetchError> {
        let origin = headers::serialized_origin(&self.request, &self.urls);
        cors::check(&origin, self.request.credentials, response)
            .map_err(|reason| self.error(FetchErrorKind::Blocked, reason))
    }
}

/// Tells the network monitor what a fetch has shown about an origin, if it has shown something.
pub(crate) fn report(monitor: &NetworkMonitorHandle, url: &Url, result: Result<(), &FetchError>) {
    let outcome = match result.map_err(|error| error.kind) {
        Ok(()) | Err(FetchErrorKind::TooLarge) => FetchOutcome::Responded,
        Err(FetchErrorKind::Connect | FetchErrorKind::ConnectTimeout) => {
            FetchOutcome::ConnectFailed
        }
        Err(FetchErrorKind::Dns) => FetchOutcome::NameNotResolved,
        Err(_) => return,
    };
    if let Ok(origin) = StorageKey::from_url(url) {
        monitor.report_fetch_outcome(origin, outcome);
    }
}
