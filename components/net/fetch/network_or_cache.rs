//! One exchange, with the HTTP cache and the cookies around it.

use base::StorageKey;
use ureq::http::HeaderValue;
use ureq::http::header::CACHE_CONTROL;

use super::{Fetch, Tainting, report};
use crate::cache::{CacheKey, Found, Stored};
use crate::clear_site_data::ClearSiteData;
use crate::cookies::{Party, SiteContext};
use crate::error::{FetchError, FetchErrorKind};
use crate::headers::{self, Hop};
use crate::http::{self, Exchange};
use crate::request::{CacheMode, CredentialsMode, RequestMode};
use crate::response::{FetchResult, Response};
use crate::site;

/// Headers with which a requester does the cache's work itself.
///
/// <https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch>, step 8.15
const OWN_CONDITIONS: [&str; 6] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    // Parts are not stored.
    "range",
];

impl Fetch<'_> {
    /// <https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch>
    pub(super) fn network_or_cache_fetch(&self) -> FetchResult {
        let cache_mode = self.cache_mode();
        let body = self.body.clone();
        let mut exchange = self.exchange(&self.method, &self.headers, body, cache_mode);
        // Step 8.21: cookies.
        self.add_cookies(&mut exchange);
        let stored = match self.stored(&exchange, cache_mode)? {
            Some(Found::Fresh(stored)) => return Ok(self.used(&stored)),
            Some(Found::Stale(stored, conditions)) => Some((stored, conditions)),
            None => None,
        };
        // Step 10
        if cache_mode == CacheMode::OnlyIfCached {
            let reason = "it is not in the HTTP cache, and only that is to answer";
            return Err(self.error(FetchErrorKind::Blocked, reason));
        }
        let mut conditional = exchange.clone();
        if let Some((_, conditions)) = &stored {
            conditional.headers.extend_from_slice(conditions);
        }
        let mut response = self.send(&conditional)?;
        self.take_cookies(&response);
        self.clear_site_data(&response);
        // Steps 10.3 and 10.4
        if let Some((stored, conditions)) = stored
            && response.status == 304
            && !conditions.is_empty()
        {
            response = Response {
                redirected: response.redirected,
                redirects: response.redirects.clone(),
                url: response.url.clone(),
                ..stored.validated(&response)
            };
        }
        self.store(&exchange, &response, cache_mode)?;
        Ok(response)
    }

    /// Steps 8.15 and 8.16
    fn cache_mode(&self) -> CacheMode {
        let has_own_conditions = self.headers.iter().any(|(name, _)| {
            let mut conditions = OWN_CONDITIONS.iter();
            conditions.any(|condition| condition.eq_ignore_ascii_case(name))
        });
        if self.request.cache == CacheMode::Default && has_own_conditions {
            CacheMode::NoStore
        } else {
            self.request.cache
        }
    }

    /// What the cache has, if it is to be asked. What need not be validated counts as fresh.
    fn stored(&self, exchange: &Exchange, mode: CacheMode) -> Result<Option<Found>, FetchError> {
        if exchange.method != "GET" || matches!(mode, CacheMode::NoStore | CacheMode::Reload) {
            return Ok(None);
        }
        let mut request = http::head(exchange)?;
        if mode == CacheMode::NoCache {
            // What came in this very moment is not fresh either.
            let headers = request.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let now = self.context.now();
        let found = self
            .context
            .cache
            .lock()
            .find(&self.cache_key(), &request, now);
        Ok(match (found, mode) {
            (Some(Found::Stale(stored, _)), CacheMode::ForceCache | CacheMode::OnlyIfCached) => {
                Some(Found::Fresh(stored))
            }
            (found, _) => found,
        })
    }

    fn used(&self, stored: &Stored) -> Response {
        let mut response = stored.response(self.context.now());
        response.redirected = self.urls.len() > 1;
        response.redirects = self.urls[..self.urls.len() - 1].to_vec();
        response.url = Some(self.current_url().clone());
        response
    }

    fn store(
        &self,
        exchange: &Exchange,
        response: &Response,
        mode: CacheMode,
    ) -> Result<(), FetchError> {
        let is_safe = matches!(
            exchange.method.as_str(),
            "GET" | "HEAD" | "OPTIONS" | "TRACE"
        );
        if !is_safe && response.status < 400 {
            self.context.cache.lock().invalidate(&exchange.url);
        }
        if exchange.method == "GET" && mode != CacheMode::NoStore {
            let request = http::head(exchange)?;
            let now = self.context.now();
            let mut cache = self.context.cache.lock();
            cache.store(self.cache_key(), &request, response, now);
        }
        Ok(())
    }

    /// <https://fetch.spec.whatwg.org/#determine-the-http-cache-partition>
    fn cache_key(&self) -> CacheKey {
        let request = &self.request;
        let top_level = if let Some(outermost) = request.ancestor_origins.last() {
            outermost.clone()
        } else if request.mode == RequestMode::Navigate {
            StorageKey::from_url(self.current_url()).ok()
        } else {
            request.origin.tuple().cloned()
        };
        let site = top_level.map_or_else(String::new, |origin| site::site(&origin));
        CacheKey::new(site, self.current_url().clone())
    }

    /// <https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch>, step 3
    fn includes_credentials(&self) -> bool {
        match self.request.credentials {
            CredentialsMode::Include => true,
            CredentialsMode::SameOrigin => self.tainting == Tainting::Basic,
            CredentialsMode::Omit => false,
        }
    }

    fn add_cookies(&self, exchange: &mut Exchange) {
        if !self.includes_credentials() {
            return;
        }
        let context = SiteContext::of(&self.request, &self.method, &exchange.url);
        let now = self.context.now();
        let mut cookies = self.context.cookies.lock();
        if let Some(found) = cookies.get(&exchange.url, context, Party::Http, now) {
            exchange
                .headers
                .push(("Cookie".to_owned(), found.into_bytes()));
        }
    }

    fn take_cookies(&self, response: &Response) {
        if !self.includes_credentials() {
            return;
        }
        let url = self.current_url();
        let context = SiteContext::of(&self.request, &self.method, url);
        let now = self.context.now();
        let mut cookies = self.context.cookies.lock();
        for (name, value) in &response.headers {
            // One that is not text cannot be sent back as it is.
            if name == "set-cookie"
                && let Ok(cookie) = str::from_utf8(value)
            {
                cookies.set(cookie, url, context, Party::Http, now);
            }
        }
    }

    /// <https://w3c.github.io/webappsec-clear-site-data/#clear-response>
    fn clear_site_data(&self, response: &Response) {
        let Ok(origin) = StorageKey::from_url(self.current_url()) else {
            return;
        };
        if !origin.is_potentially_trustworthy() {
            return;
        }
        let kinds = ClearSiteData::of(response);
        if kinds.cache {
            self.context.cache.lock().clear(&origin);
        }
        if kinds.cookies && self.includes_credentials() {
            self.context.cookies.lock().clear(self.current_url());
        }
        if kinds.storage {
            self.context.services.clear_storage.call(origin);
        }
    }

    pub(super) fn exchange(
        &self,
        method: &str,
        own_headers: &Vec<(String, Vec<u8>)>,
        body: Option<Vec<u8>>,
        cache: CacheMode,
    ) -> Exchange {
        let hop = Hop {
            urls: &self.urls,
            method,
            is_cors: self.tainting == Tainting::Cors,
            referrer_policy: self.referrer_policy,
            cache,
        };
        let headers = headers::complete(&self.context.config, &self.request, own_headers, &hop);
        Exchange {
            method: method.to_owned(),
            url: self.current_url().clone(),
            headers,
            body,
        }
    }

    /// <https://fetch.spec.whatwg.org/#concept-http-network-fetch>
    pub(super) fn send(&self, exchange: &Exchange) -> FetchResult {
        let max_body_size = self.context.config.max_body_size;
        if self.control.is_aborted() {
            return Err(self.error(FetchErrorKind::Aborted, "it was stopped"));
        }
        let sent = self
            .context
            .client
            .send(exchange, max_body_size, self.control);
        if !self.control.is_aborted() {
            report(
                &self.context.services.monitor,
                self.current_url(),
                sent.as_ref().map(|_| ()),
            );
        }
        let mut response = sent?;
        response.redirected = self.urls.len() > 1;
        response.redirects = self.urls[..self.urls.len() - 1].to_vec();
        Ok(response)
    }
}
