//! Cookies, as long as the component runs.
//!
//! The rules are those of <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis>;
//! each step that is named here is of its section 5.7. Time comes in with each call.

use std::time::Duration;

use base::StorageKey;
use base::time::WallTime;
use cookie::{Cookie, SameSite};
use url::{Host, Url};

use crate::request::{Destination, Request, RequestMode, RequestOrigin};
use crate::site;

/// The most bytes that name and value may have together.
const MAX_PAIR_LENGTH: usize = 4096;

/// The most bytes that a domain or path may have; a longer one is ignored.
const MAX_ATTRIBUTE_LENGTH: usize = 1024;

/// The longest time until a cookie expires.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The most cookies of one host or domain, and in all.
const MAX_PER_DOMAIN: usize = 180;
const MAX_COOKIES: usize = 3000;

/// How the one who asks stands to the site that cookies belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SiteContext {
    /// The same site.
    Same,
    /// The user goes there from another site.
    Navigation,
    /// Another site.
    Cross,
}

impl SiteContext {
    /// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-same-site-and-cross-site-re>
    pub(crate) fn of(request: &Request, method: &str, url: &Url) -> Self {
        let is_own = |origin: &StorageKey| site::is_same_site(origin, url);
        let is_asked_by_own = match &request.origin {
            RequestOrigin::User => true,
            RequestOrigin::Opaque => false,
            RequestOrigin::Tuple(origin) => is_own(origin),
        };
        let mut around = request.ancestor_origins.iter();
        let is_within_own = around.all(|origin| origin.as_ref().is_some_and(is_own));
        let is_top_level =
            request.mode == RequestMode::Navigate && request.destination == Destination::Document;
        // Where a navigation of the top level starts has no say in whose page it will be.
        if is_asked_by_own && (is_top_level || is_within_own) {
            Self::Same
        } else if is_top_level && matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE") {
            Self::Navigation
        } else {
            Self::Cross
        }
    }

    fn allows(self, same_site: SameSite) -> bool {
        match same_site {
            SameSite::Strict => self == Self::Same,
            SameSite::Lax => self != Self::Cross,
            SameSite::None => true,
        }
    }
}

/// Who sets or reads cookies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Party {
    Http,
    Script,
}

/// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-storage-model>
#[derive(Clone, Debug)]
struct StoredCookie {
    name: String,
    value: String,
    /// The host, or a domain that it is under.
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    expires: Option<WallTime>,
    /// The order in which they were made.
    created: u64,
}

/// The cookies of all sites.
#[derive(Debug, Default)]
pub(crate) struct CookieJar {
    /// In the order in which they were made.
    cookies: Vec<StoredCookie>,
    created: u64,
}

impl CookieJar {
    /// Takes a `Set-Cookie` header, or what a script sets. What is not allowed is ignored.
    pub(crate) fn set(
        &mut self,
        text: &str,
        url: &Url,
        context: SiteContext,
        party: Party,
        now: WallTime,
    ) {
        let Some(mut cookie) = parse(text, url, context, party, now) else {
            return;
        };
        self.remove_expired(now);
        // Step 19: what came over a secure connection is not covered up over another one.
        let is_covering = |own: &StoredCookie| {
            own.secure
                && own.name == cookie.name
                && (domain_matches(&own.domain, &cookie.domain)
                    || domain_matches(&cookie.domain, &own.domain))
                && path_matches(&cookie.path, &own.path)
        };
        if !is_secure(url) && self.cookies.iter().any(is_covering) {
            return;
        }
        // Step 24: the one that it replaces.
        let replaced = self.cookies.iter().position(|own| {
            own.name == cookie.name
                && own.domain == cookie.domain
                && own.host_only == cookie.host_only
                && own.path == cookie.path
        });
        if let Some(position) = replaced {
            if self.cookies[position].http_only && party == Party::Script {
                return;
            }
            cookie.created = self.cookies.remove(position).created;
        } else {
            self.created += 1;
            cookie.created = self.created;
        }
        if cookie.expires.is_some_and(|expires| expires <= now) {
            return;
        }
        let position = self
            .cookies
            .partition_point(|own| own.created < cookie.created);
        let domain = cookie.domain.clone();
        self.cookies.insert(position, cookie);
        self.make_room(&domain);
    }

    /// The cookies for a URL, as a `Cookie` header or a script has them; `None` when there are none.
    ///
    /// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-retrieval-algorithm>
    pub(crate) fn get(
        &mut self,
        url: &Url,
        context: SiteContext,
        party: Party,
        now: WallTime,
    ) -> Option<String> {
        self.remove_expired(now);
        let host = host(url)?;
        let mut found: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| {
                let is_of_host = if cookie.host_only {
                    cookie.domain == host
                } else {
                    domain_matches(&host, &cookie.domain)
                };
                is_of_host
                    && path_matches(url.path(), &cookie.path)
                    && (!cookie.secure || is_secure(url))
                    && (!cookie.http_only || party == Party::Http)
                    && context.allows(cookie.same_site)
            })
            .collect();
        // The longest path comes first; the sort keeps the order of those that are alike.
        found.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = found
            .into_iter()
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Forgets the cookies of all hosts that belong to the same registered name as that of `url`.
    ///
    /// <https://w3c.github.io/webappsec-clear-site-data/#clear-cookies>
    pub(crate) fn clear(&mut self, url: &Url) {
        let (Some(own_host), Some(own)) = (host(url), url.host()) else {
            return;
        };
        let site = site::registrable_domain(&own).unwrap_or(&own_host);
        self.cookies
            .retain(|cookie| !domain_matches(&cookie.domain, site));
    }

    fn remove_expired(&mut self, now: WallTime) {
        self.cookies
            .retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
    }

    /// The oldest goes when there are too many.
    fn make_room(&mut self, domain: &str) {
        let of_domain = |cookie: &StoredCookie| cookie.domain == domain;
        if self
            .cookies
            .iter()
            .filter(|cookie| of_domain(cookie))
            .count()
            > MAX_PER_DOMAIN
            && let Some(oldest) = self.cookies.iter().position(of_domain)
        {
            self.cookies.remove(oldest);
        }
        if self.cookies.len() > MAX_COOKIES {
            self.cookies.remove(0);
        }
    }
}

/// Steps 1 to 23: the cookie, if it may be set.
fn parse(
    text: &str,
    url: &Url,
    context: SiteContext,
    party: Party,
    now: WallTime,
) -> Option<StoredCookie> {
    let cookie = Cookie::parse(text).ok()?;
    let (name, value) = (cookie.name(), cookie.value());
    if name.len() + value.len() > MAX_PAIR_LENGTH || text.chars().any(is_control) {
        return None;
    }
    let (domain, host_only) = domain(&cookie, url)?;
    let secure = cookie.secure().unwrap_or(false);
    let http_only = cookie.http_only().unwrap_or(false);
    // Steps 13 and 15: who may set it.
    if (secure && !is_secure(url)) || (http_only && party == Party::Script) {
        return None;
    }
    // Steps 16 to 18: another site sets only what it would be sent.
    let same_site = cookie.same_site().unwrap_or(SameSite::Lax);
    if same_site == SameSite::None && !secure {
        return None;
    }
    if same_site != SameSite::None && context == SiteContext::Cross {
        return None;
    }
    let path = cookie
        .path()
        .filter(|path| path.starts_with('/') && path.len() <= MAX_ATTRIBUTE_LENGTH);
    // Steps 20 to 22: names that promise something.
    let has_prefix = |prefix: &str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_host = secure && host_only && cookie.domain().is_none() && path == Some("/");
    if (has_prefix("__Secure-") && !secure) || (has_prefix("__Host-") && !is_host) {
        return None;
    }
    Some(StoredCookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain,
        host_only,
        path: path.map_or_else(|| default_path(url), str::to_owned),
        secure,
        http_only,
        same_site,
        expires: expires(&cookie, now),
        created: 0,
    })
}

fn is_control(character: char) -> bool {
    character.is_ascii_control() && character != '\t'
}

/// Steps 8 to 10: whose it is, and whether it is of the host alone.
fn domain(cookie: &Cookie<'_>, url: &Url) -> Option<(String, bool)> {
    let host = host(url)?;
    let Some(domain) = cookie
        .domain()
        .filter(|domain| domain.len() <= MAX_ATTRIBUTE_LENGTH)
    else {
        return Some((host, true));
    };
    let Ok(Host::Domain(domain)) = Host::parse(domain.strip_prefix('.').unwrap_or(domain)) else {
        return (domain == host).then_some((host, true));
    };
    if site::is_public_suffix(&domain) {
        return (domain == host).then_some((host, true));
    }
    domain_matches(&host, &domain).then_some((domain, false))
}

/// Steps 6 and 7: when it expires; `None` with the session.
fn expires(cookie: &Cookie<'_>, now: WallTime) -> Option<WallTime> {
    let latest = now.saturating_add(MAX_AGE);
    let expires = if let Some(age) = cookie.max_age() {
        let seconds = u64::try_from(age.whole_seconds()).unwrap_or(0);
        now.saturating_add(Duration::from_secs(seconds))
    } else {
        let seconds = cookie.expires_datetime()?.unix_timestamp();
        WallTime::from_millis(seconds.saturating_mul(1000))
    };
    Some(expires.min(latest))
}

fn host(url: &Url) -> Option<String> {
    url.host_str().map(str::to_owned)
}

/// Whether what is only for secure connections may go here: as in other browsers, to this machine
/// itself too.
fn is_secure(url: &Url) -> bool {
    StorageKey::from_url(url).is_ok_and(|key| key.is_potentially_trustworthy())
}

/// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-domain-matching>
fn domain_matches(host: &str, domain: &str) -> bool {
    if host == domain {
        return true;
    }
    let is_name = matches!(Host::parse(host), Ok(Host::Domain(_)));
    is_name
        && host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-paths-and-path-match>
fn path_matches(path: &str, own: &str) -> bool {
    path.strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
}

/// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#cookie-path>
fn default_path(url: &Url) -> String {
    match url.path().rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => url.path()[..end].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    const NOW: WallTime = WallTime::from_millis(1_700_000_000_000);

    /// What of one cookie that a server sets another URL gets.
    fn kept(set_at: &str, cookie: &str, get_at: &str) -> Option<String> {
        let mut jar = CookieJar::default();
        jar.set(cookie, &url(set_at), SiteContext::Same, Party::Http, NOW);
        jar.get(&url(get_at), SiteContext::Same, Party::Http, NOW)
    }

    #[test]
    fn hosts_domains_and_paths_are_kept_apart() {
        let set_at = "https://www.a.example/x/y";
        for (cookie, get_at, is_kept) in [
            ("n=v", "https://www.a.example/x/z?q", true),
            ("n=v", "https://www.a.example/x", true),
            ("n=v", "https://www.a.example/xy", false),
            ("n=v", "https://www.a.example/", false),
            ("n=v; Path=/", "https://www.a.example/", true),
            ("n=v; Path=other", "https://www.a.example/", false),
            ("n=v; path=/", "https://a.example/", false),
            ("n=v; path=/; Domain=a.example", "https://a.example/", true),
            (
                "n=v; path=/; Domain=.A.Example",
                "https://b.a.example/",
                true,
            ),
            (
                "n=v; path=/; Domain=a.example",
                "https://ba.example/",
                false,
            ),
            (
                "n=v; path=/; Domain=other.example",
                "https://other.example/",
                false,
            ),
            (
                "n=v; path=/; Domain=b.a.example",
                "https://b.a.example/",
                false,
            ),
            (
                "n=v; path=/; Domain=example",
                "https://www.a.example/",
                false,
            ),
            ("n=v; Path=/", "http://www.a.example:8000/", true),
            ("n=v; Path=/; Secure", "http://www.a.example/", false),
            ("n=v; Path=/; Secure", "https://www.a.example:444/", true),
        ] {
            assert_eq!(
                kept(set_at, cookie, get_at).is_some(),
                is_kept,
                "{cookie} {get_at}"
            );
        }
    }

    #[test]
    fn a_cookie_that_may_not_be_set_is_ignored() {
        for (set_at, cookie, is_kept) in [
            ("http://a.example/", "n=v; Secure", false),
            ("http://localhost/", "n=v; Secure", true),
            ("https://a.example/", "n=v; SameSite=None", false),
            ("https://a.example/", "n=v; SameSite=None; Secure", true),
            ("https://a.example/", "__Secure-n=v", false),
            ("https://a.example/", "__secure-n=v; Secure", true),
            ("https://a.example/", "__Host-n=v; Secure", false),
            ("https://a.example/", "__Host-n=v; Secure; Path=/", true),
            (
                "https://a.example/",
                "__Host-n=v; Secure; Path=/; Domain=a.example",
                false,
            ),
            ("https://127.0.0.1/", "n=v; Domain=127.0.0.1", true),
            ("https://127.0.0.1/", "n=v; Domain=0.0.1", false),
            ("https://a.example/", "=v", false),
            ("https://a.example/", "n=v\u{1}", false),
        ] {
            assert_eq!(
                kept(set_at, cookie, set_at).is_some(),
                is_kept,
                "{set_at} {cookie}"
            );
        }
        let long = format!("n={}", "v".repeat(MAX_PAIR_LENGTH));
        assert_eq!(
            kept("https://a.example/", &long, "https://a.example/"),
            None
        );
    }

    #[test]
    fn a_cookie_is_replaced_and_expires() {
        let (mut jar, page) = (CookieJar::default(), url("https://a.example/"));
        let mut set = |cookie: &str, now| {
            jar.set(cookie, &page, SiteContext::Same, Party::Http, now);
            jar.get(&page, SiteContext::Same, Party::Http, now)
        };
        assert_eq!(set("a=1", NOW).as_deref(), Some("a=1"));
        assert_eq!(set("b=1; Max-Age=10", NOW).as_deref(), Some("a=1; b=1"));
        assert_eq!(set("a=2", NOW).as_deref(), Some("a=2; b=1"));
        let later = NOW.saturating_add(Duration::from_secs(10));
        assert_eq!(set("c=1", later).as_deref(), Some("a=2; c=1"));
        let past = "a=3; Expires=Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(set(past, later).as_deref(), Some("c=1"));
        let future = "d=1; Expires=Tue, 14 Nov 2023 23:00:00 GMT";
        assert_eq!(set(future, later).as_deref(), Some("c=1; d=1"));
        let next_day = later.saturating_add(Duration::from_secs(24 * 60 * 60));
        assert_eq!(set("c=; Max-Age=0", next_day), None);
        let years = NOW.saturating_add(MAX_AGE);
        set("e=1; Max-Age=999999999999999999999", NOW);
        assert_eq!(
            set("f=1", years).as_deref(),
            Some("f=1"),
            "400 days at most"
        );
    }

    #[test]
    fn the_longest_path_comes_first_and_then_the_oldest() {
        let (mut jar, page) = (CookieJar::default(), url("https://a.example/x/y"));
        for cookie in ["a=1; path=/", "b=1; path=/x", "c=1; path=/", "d=1; path=/x"] {
            jar.set(cookie, &page, SiteContext::Same, Party::Http, NOW);
        }
        let found = jar.get(&page, SiteContext::Same, Party::Http, NOW);
        assert_eq!(found.as_deref(), Some("b=1; d=1; a=1; c=1"));
    }

    #[test]
    fn other_sites_get_what_is_meant_for_them() {
        let (mut jar, page) = (CookieJar::default(), url("https://a.example/"));
        for cookie in [
            "default=1",
            "lax=1; SameSite=Lax",
            "strict=1; SameSite=Strict",
            "none=1; SameSite=None; Secure",
        ] {
            jar.set(cookie, &page, SiteContext::Same, Party::Http, NOW);
        }
        let mut sent = |context| jar.get(&page, context, Party::Http, NOW).unwrap();
        assert_eq!(
            sent(SiteContext::Same),
            "default=1; lax=1; strict=1; none=1"
        );
        assert_eq!(sent(SiteContext::Navigation), "default=1; lax=1; none=1");
        assert_eq!(sent(SiteContext::Cross), "none=1");
        let mut jar = CookieJar::default();
        jar.set("lax=1", &page, SiteContext::Cross, Party::Http, NOW);
        assert_eq!(jar.get(&page, SiteContext::Same, Party::Http, NOW), None);
    }

    #[test]
    fn scripts_neither_see_nor_replace_what_is_for_http_only() {
        let (mut jar, page) = (CookieJar::default(), url("https://a.example/"));
        jar.set("a=1; HttpOnly", &page, SiteContext::Same, Party::Http, NOW);
        jar.set("a=2", &page, SiteContext::Same, Party::Script, NOW);
        jar.set(
            "b=1; HttpOnly",
            &page,
            SiteContext::Same,
            Party::Script,
            NOW,
        );
        jar.set("c=1", &page, SiteContext::Same, Party::Script, NOW);
        let mut seen = |party| jar.get(&page, SiteContext::Same, party, NOW).unwrap();
        assert_eq!(seen(Party::Script), "c=1");
        assert_eq!(seen(Party::Http), "a=1; c=1");
    }

    #[test]
    fn an_insecure_connection_does_not_cover_up_a_secure_cookie() {
        let mut jar = CookieJar::default();
        let (secure, insecure) = (url("https://a.example/"), url("http://a.example/"));
        jar.set("a=1; Secure", &secure, SiteContext::Same, Party::Http, NOW);
        jar.set("a=2", &insecure, SiteContext::Same, Party::Http, NOW);
        let found = jar.get(&secure, SiteContext::Same, Party::Http, NOW);
        assert_eq!(found.as_deref(), Some("a=1"));
    }

    #[test]
    fn there_are_only_so_many_cookies() {
        let (mut jar, page) = (CookieJar::default(), url("https://a.example/"));
        for number in 0..=MAX_PER_DOMAIN {
            let cookie = format!("n{number}=v");
            jar.set(&cookie, &page, SiteContext::Same, Party::Http, NOW);
        }
        let found = jar.get(&page, SiteContext::Same, Party::Http, NOW).unwrap();
        assert!(found.starts_with("n1=v; "), "the oldest is gone");
        assert_eq!(found.split("; ").count(), MAX_PER_DOMAIN);
    }

    #[test]
    fn clearing_takes_the_whole_site() {
        let mut jar = CookieJar::default();
        let pages = [
            "https://a.example/",
            "https://www.a.example/",
            "https://b.example/",
        ]
        .map(url);
        for page in &pages {
            jar.set("a=1", page, SiteContext::Same, Party::Http, NOW);
        }
        jar.clear(&pages[1]);
        let left = pages.map(|page| {
            jar.get(&page, SiteContext::Same, Party::Http, NOW)
                .is_some()
        });
        assert_eq!(left, [false, false, true]);
    }

    #[test]
    fn who_asks_from_where_decides_the_context() {
        let key = |text: &str| StorageKey::from_url(&url(text)).ok();
        let page = url("https://a.example/");
        let (own, other) = (key("https://www.a.example/"), key("https://b.example/"));
        let base = Request::new(page.clone());
        let subresource = |origin: &Option<StorageKey>, around: &[&Option<StorageKey>]| Request {
            origin: origin.clone().into(),
            ancestor_origins: around.iter().copied().cloned().collect(),
            ..base.clone()
        };
        let navigation = |origin: RequestOrigin, destination| Request {
            mode: RequestMode::Navigate,
            origin,
            destination,
            ..subresource(&None, &[&other])
        };
        let to_top =
            |origin: &Option<StorageKey>| navigation(origin.clone().into(), Destination::Document);
        let by_user = navigation(RequestOrigin::User, Destination::Document);
        let in_frame = navigation(own.clone().into(), Destination::Iframe);
        for (request, method, context) in [
            (subresource(&own, &[]), "POST", SiteContext::Same),
            (subresource(&other, &[]), "GET", SiteContext::Cross),
            (subresource(&None, &[]), "GET", SiteContext::Cross),
            (subresource(&own, &[&own]), "GET", SiteContext::Same),
            (subresource(&own, &[&other]), "GET", SiteContext::Cross),
            (
                subresource(&own, &[&other, &own]),
                "GET",
                SiteContext::Cross,
            ),
            (
                subresource(&own, &[&own, &other]),
                "GET",
                SiteContext::Cross,
            ),
            (subresource(&own, &[&own, &None]), "GET", SiteContext::Cross),
            (by_user.clone(), "GET", SiteContext::Same),
            (by_user, "POST", SiteContext::Same),
            (to_top(&own), "POST", SiteContext::Same),
            (to_top(&other), "GET", SiteContext::Navigation),
            (to_top(&other), "POST", SiteContext::Cross),
            (to_top(&None), "GET", SiteContext::Navigation),
            (to_top(&None), "POST", SiteContext::Cross),
            (in_frame, "GET", SiteContext::Cross),
        ] {
            assert_eq!(
                SiteContext::of(&request, method, &page),
                context,
                "{request:?}"
            );
        }
    }
}
