//! The HTTP cache: a private one, in memory.
//!
//! What may be stored, how long it is fresh and how it is validated is decided by
//! `http-cache-semantics`; here is where responses are kept, and how many.
//!
//! <https://www.rfc-editor.org/rfc/rfc9111>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::StorageKey;
use base::time::WallTime;
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use ureq::http;
use url::Url;

use crate::response::Response;

/// What an entry takes besides headers and body, in bytes, roughly.
const ENTRY_OVERHEAD: usize = 1 << 10;

/// No entry may take more than this part of the whole.
const LARGEST_SHARE: usize = 8;

/// Numbers of seconds beyond this make no sense, and would overflow when they are added up.
const MAX_SECONDS: u64 = 100 * 365 * 24 * 60 * 60;

/// Headers of a validated response that belong to the body, which stays as it was.
///
/// <https://www.rfc-editor.org/rfc/rfc9111#section-3.2>
const KEPT_HEADERS: [&str; 4] = [
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
];

/// Under what a response is stored: the top-level site for which it was fetched, and its URL.
///
/// <https://fetch.spec.whatwg.org/#http-cache-partitions>
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct CacheKey {
    site: String,
    url: Url,
}

impl CacheKey {
    pub(crate) fn new(site: String, mut url: Url) -> Self {
        url.set_fragment(None);
        Self { site, url }
    }
}

/// A response that is stored, and may be used again.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    policy: Arc<CachePolicy>,
    response: Arc<Response>,
}

/// What the cache has for a request.
#[derive(Debug)]
pub(crate) enum Found {
    /// It can be used as it is.
    Fresh(Stored),
    /// The server must be asked whether it still holds, with these headers; there are none when it
    /// cannot be asked.
    Stale(Stored, Vec<(String, Vec<u8>)>),
}

#[derive(Debug)]
struct Entry {
    stored: Stored,
    size: usize,
    /// Its place in the order of use.
    used: u64,
}

/// The stored responses: one for each key, whatever it varies by.
#[derive(Debug)]
pub(crate) struct HttpCache {
    entries: BTreeMap<CacheKey, Entry>,
    /// The keys in the order in which they were used.
    order: BTreeMap<u64, CacheKey>,
    uses: u64,
    size: usize,
    max_size: usize,
}

impl HttpCache {
    /// A cache that takes this many bytes at most.
    pub(crate) fn new(max_size: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            uses: 0,
            size: 0,
            max_size,
        }
    }

    /// What is stored for this request.
    pub(crate) fn find(
        &mut self,
        key: &CacheKey,
        request: &http::Request<()>,
        now: WallTime,
    ) -> Option<Found> {
        let entry = self.entries.get_mut(key)?;
        let stored = entry.stored.clone();
        let found = match stored.policy.before_request(request, system_time(now)) {
            BeforeRequest::Fresh(_) => Found::Fresh(stored),
            BeforeRequest::Stale { matches: false, .. } => return None,
            BeforeRequest::Stale { request, .. } => Found::Stale(stored, conditions(&request)),
        };
        self.uses += 1;
        let before = std::mem::replace(&mut entry.used, self.uses);
        self.order.remove(&before);
        self.order.insert(self.uses, key.clone());
        Some(found)
    }

    /// Stores a response, if it may be.
    pub(crate) fn store(
        &mut self,
        key: CacheKey,
        request: &http::Request<()>,
        response: &Response,
        now: WallTime,
    ) {
        self.remove(&key);
        let Some(policy) = policy(request, response, now) else {
            return;
        };
        let size = size(&key, request, response);
        if size > self.max_size / LARGEST_SHARE {
            return;
        }
        self.uses += 1;
        self.size += size;
        self.order.insert(self.uses, key.clone());
        let stored = Stored {
            policy: Arc::new(policy),
            response: Arc::new(response.clone()),
        };
        let used = self.uses;
        self.entries.insert(key, Entry { stored, size, used });
        while self.size > self.max_size
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            self.remove(&oldest.clone());
        }
    }

    /// Forgets what is stored for one key.
    pub(crate) fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.size -= entry.size;
        }
    }

    /// Forgets what was changed, whoever fetched it before.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc9111#section-4.4>
    pub(crate) fn invalidate(&mut self, url: &Url) {
        let mut url = url.clone();
        url.set_fragment(None);
        self.remove_where(|key| key.url == url);
    }

    /// Forgets all of one origin.
    pub(crate) fn clear(&mut self, origin: &StorageKey) {
        self.remove_where(|key| origin.contains(&key.url));
    }

    fn remove_where(&mut self, is_removed: impl Fn(&CacheKey) -> bool) {
        let removed: Vec<_> = self
            .entries
            .keys()
            .filter(|key| is_removed(key))
            .cloned()
            .collect();
        for key in removed {
            self.remove(&key);
        }
    }
}

impl Stored {
    /// The response as a request gets it now.
    pub(crate) fn response(&self, now: WallTime) -> Response {
        let mut response = Response::clone(&self.response);
        let age = self.policy.age(system_time(now)).as_secs().to_string();
        response.headers.retain(|(name, _)| name != "age");
        response.headers.push(("age".to_owned(), age.into_bytes()));
        response.from_cache = true;
        response
    }

    /// The response after the server has said that it still holds.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4>
    pub(crate) fn validated(&self, not_modified: &Response) -> Response {
        let mut response = Response::clone(&self.response);
        let mut newer = not_modified.headers.clone();
        newer.retain(|(name, _)| !KEPT_HEADERS.contains(&name.as_str()));
        response
            .headers
            .retain(|(name, _)| name != "age" && !newer.iter().any(|(newer, _)| newer == name));
        response.headers.append(&mut newer);
        response
    }
}

fn policy(request: &http::Request<()>, response: &Response, now: WallTime) -> Option<CachePolicy> {
    let has_odd_age = response.header("age").is_some_and(|age| {
        let seconds = str::from_utf8(&age)
            .ok()
            .and_then(|age| age.trim().parse::<u64>().ok());
        seconds.is_none_or(|seconds| seconds > MAX_SECONDS)
    });
    if has_odd_age {
        return None;
    }
    let mut head = http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        head = head.header(name.as_str(), value.as_slice());
    }
    let options = CacheOptions {
        shared: false,
        ..CacheOptions::default()
    };
    let head = head.body(()).ok()?;
    let policy = CachePolicy::new_options(request, &head, system_time(now), options);
    policy.is_storable().then_some(policy)
}

/// The headers that make a request depend on what is stored.
fn conditions(request: &http::request::Parts) -> Vec<(String, Vec<u8>)> {
    ["if-none-match", "if-modified-since"]
        .iter()
        .filter_map(|name| {
            let value = request.headers.get(*name)?;
            Some(((*name).to_owned(), value.as_bytes().to_vec()))
        })
        .collect()
}

fn size(key: &CacheKey, request: &http::Request<()>, response: &Response) -> usize {
    let of_request = request.headers().iter();
    let of_request: usize = of_request
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let of_response = response.headers.iter();
    let of_response: usize = of_response
        .map(|(name, value)| name.len() + value.len())
        .sum();
    // The response's headers are there twice, and so is the key.
    let texts = of_request + 2 * of_response + 2 * (key.site.len() + key.url.as_str().len());
    ENTRY_OVERHEAD + texts + response.body.len()
}

/// As the semantics take it. A clock that is far from any calendar is taken to show its end.
fn system_time(now: WallTime) -> SystemTime {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_millis(millis.min(MAX_SECONDS * 10 * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_millis(1_700_000_000_000);

    fn key(url: &str) -> CacheKey {
        CacheKey::new("https://a.example".to_owned(), Url::parse(url).unwrap())
    }

    fn request(headers: &[(&str, &str)]) -> http::Request<()> {
        let mut request = http::Request::builder().uri("https://a.example/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn later(seconds: u64) -> WallTime {
        NOW.saturating_add(Duration::from_secs(seconds))
    }

    /// What is found some seconds after a response with these headers was stored.
    fn found(headers: &[(&str, &str)], seconds: u64) -> Option<&'static str> {
        let mut cache = HttpCache::new(1 << 20);
        let own = key("https://a.example/");
        let response = Response::of_headers(headers);
        cache.store(own.clone(), &request(&[]), &response, NOW);
        match cache.find(&own, &request(&[]), later(seconds))? {
            Found::Fresh(_) => Some("fresh"),
            Found::Stale(_, conditions) if conditions.is_empty() => Some("stale"),
            Found::Stale(..) => Some("to be validated"),
        }
    }

    #[test]
    fn freshness_follows_the_headers_and_the_given_clock() {
        let max_age = ("cache-control", "max-age=60");
        let modified = ("last-modified", "Tue, 14 Nov 2023 12:00:00 GMT");
        for (headers, seconds, expected) in [
            (&[max_age][..], 59, Some("fresh")),
            (&[max_age], 61, Some("stale")),
            (&[max_age, ("etag", "\"a\"")], 61, Some("to be validated")),
            (&[max_age, ("age", "50")], 11, Some("stale")),
            (&[("cache-control", "no-store, max-age=60")], 0, None),
            (
                &[("cache-control", "no-cache"), ("etag", "\"a\"")],
                0,
                Some("to be validated"),
            ),
            (
                &[("cache-control", "private, max-age=60")],
                1,
                Some("fresh"),
            ),
            (
                &[("expires", "Wed, 15 Nov 2023 00:00:00 GMT")],
                60,
                Some("fresh"),
            ),
            (
                &[("expires", "0"), ("etag", "\"a\"")],
                0,
                Some("to be validated"),
            ),
            (&[modified], 60, Some("fresh")),
            (&[modified], 24 * 60 * 60, Some("to be validated")),
            (&[], 0, Some("stale")),
            (&[max_age, ("vary", "*")], 0, None),
            (&[max_age, ("age", "18446744073709551615")], 0, None),
        ] {
            assert_eq!(found(headers, seconds), expected, "{headers:?} {seconds}");
        }
    }

    #[test]
    fn a_response_is_for_requests_that_do_not_vary() {
        let mut cache = HttpCache::new(1 << 20);
        let own = key("https://a.example/#fragment");
        let response = Response::of_headers(&[("cache-control", "max-age=60"), ("vary", "X-A")]);
        cache.store(own.clone(), &request(&[("x-a", "1")]), &response, NOW);
        let mut is_found =
            |key, headers: &[(&str, &str)]| cache.find(key, &request(headers), NOW).is_some();
        assert!(is_found(&own, &[("x-a", "1"), ("x-b", "2")]));
        assert!(!is_found(&own, &[("x-a", "2")]));
        let without_fragment = key("https://a.example/");
        assert!(is_found(&without_fragment, &[("x-a", "1")]));
        let other_site = CacheKey::new("https://b.example".to_owned(), own.url.clone());
        assert!(!is_found(&other_site, &[("x-a", "1")]));
    }

    #[test]
    fn what_was_used_last_stays() {
        let mut cache = HttpCache::new(10 * (ENTRY_OVERHEAD + 256));
        let mut response = Response::of_headers(&[("cache-control", "max-age=60")]);
        let keys: Vec<_> = (0..12)
            .map(|number| key(&format!("https://a.example/{number}")))
            .collect();
        for own in &keys {
            cache.store(own.clone(), &request(&[]), &response, NOW);
            cache.find(&keys[0], &request(&[]), NOW);
        }
        assert!(cache.size <= cache.max_size);
        assert!(cache.entries.contains_key(&keys[0]));
        assert!(!cache.entries.contains_key(&keys[1]));
        assert!(cache.entries.contains_key(&keys[11]));
        assert_eq!(cache.entries.len(), cache.order.len());
        response.body = vec![0; cache.max_size / 2];
        cache.store(keys[0].clone(), &request(&[]), &response, NOW);
        assert!(!cache.entries.contains_key(&keys[0]), "too large");
        cache.remove_where(|_| true);
        assert_eq!((cache.size, cache.order.len()), (0, 0));
    }

    #[test]
    fn a_validated_response_keeps_its_body_and_takes_the_newer_headers() {
        let mut cache = HttpCache::new(1 << 20);
        let own = key("https://a.example/");
        let mut response = Response::of_headers(&[
            ("etag", "\"a\""),
            ("x-a", "1"),
            ("x-a", "2"),
            ("content-type", "text/plain"),
        ]);
        response.body = b"body".to_vec();
        cache.store(own.clone(), &request(&[]), &response, NOW);
        let Some(Found::Stale(stored, conditions)) = cache.find(&own, &request(&[]), NOW) else {
            panic!("it is not fresh");
        };
        assert_eq!(
            conditions,
            [("if-none-match".to_owned(), b"\"a\"".to_vec())]
        );
        let newer = Response::of_headers(&[("x-a", "3"), ("x-b", "4"), ("content-type", "x/y")]);
        let validated = stored.validated(&newer);
        assert_eq!(validated.body, b"body");
        assert_eq!(validated.header("x-a").unwrap(), b"3");
        assert_eq!(validated.header("x-b").unwrap(), b"4");
        assert_eq!(validated.header("content-type").unwrap(), b"text/plain");
        assert!(!validated.from_cache, "the server was asked");
    }

    #[test]
    fn a_clock_that_is_off_is_no_reason_to_panic() {
        let mut cache = HttpCache::new(1 << 20);
        let own = key("https://a.example/");
        let response = Response::of_headers(&[("cache-control", "max-age=60")]);
        for now in [
            WallTime::from_millis(i64::MIN),
            WallTime::from_millis(i64::MAX),
            NOW,
        ] {
            cache.store(own.clone(), &request(&[]), &response, now);
            for then in [
                WallTime::from_millis(i64::MAX),
                NOW,
                WallTime::from_millis(-1),
            ] {
                if let Some(Found::Fresh(stored) | Found::Stale(stored, _)) =
                    cache.find(&own, &request(&[]), then)
                {
                    stored.response(then);
                }
            }
        }
    }
}
