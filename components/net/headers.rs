//! The request headers that the browser adds itself.

use base::StorageKey;
use url::Url;

use crate::config::NetConfig;
use crate::referrer::ReferrerPolicy;
use crate::request::{CacheMode, Request, RequestMode, RequestOrigin};
use crate::site::is_same_site;

type Headers = Vec<(String, Vec<u8>)>;

/// Where a request stands: which of its URLs it asks now, and for whom.
pub(crate) struct Hop<'a> {
    /// The URLs so far; the last is the one that is asked now.
    pub(crate) urls: &'a [Url],
    /// The method now, which a redirect may have changed.
    pub(crate) method: &'a str,
    /// Whether the requester is subject to what the other origin allows.
    pub(crate) is_cors: bool,
    /// The policy now, which a redirect may have changed.
    pub(crate) referrer_policy: ReferrerPolicy,
    /// The mode now, which the request's own headers may have changed.
    pub(crate) cache: CacheMode,
}

impl Hop<'_> {
    pub(crate) fn current_url(&self) -> &Url {
        // There is a first URL, and redirects only add to it.
        &self.urls[self.urls.len() - 1]
    }
}

/// The origin as another origin gets to see it: `null` once redirects went through a third one.
///
/// <https://fetch.spec.whatwg.org/#serializing-a-request-origin>
pub(crate) fn serialized_origin(request: &Request, urls: &[Url]) -> String {
    let Some(origin) = request.origin.tuple() else {
        return "null".to_owned();
    };
    let tainted = urls.windows(2).any(|pair| {
        let [from, to] = pair else { return false };
        from.origin() != to.origin() && !origin.contains(from)
    });
    if tainted {
        "null".to_owned()
    } else {
        origin.to_string()
    }
}

/// All headers of a request for one of its URLs.
///
/// <https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch>
pub(crate) fn complete(
    config: &NetConfig,
    request: &Request,
    own: &Headers,
    hop: &Hop<'_>,
) -> Headers {
    let mut headers = own.clone();
    let url = hop.current_url();
    let mut add = |name: &str, value: String| {
        if !headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
        {
            headers.push((name.to_owned(), value.into_bytes()));
        }
    };
    add("Accept", request.destination.accept().to_owned());
    add("Accept-Language", config.accept_language.clone());
    add("User-Agent", config.user_agent.clone());
    // Bodies are handed over as they come.
    add("Accept-Encoding", "identity".to_owned());
    if let Some(referrer) = &request.referrer
        && let Some(referrer) = hop.referrer_policy.referrer(referrer, url)
    {
        add("Referer", referrer);
    }
    if let Some(origin) = origin_header(request, hop) {
        add("Origin", origin);
    }
    match hop.cache {
        CacheMode::NoCache => add("Cache-Control", "max-age=0".to_owned()),
        CacheMode::NoStore | CacheMode::Reload => {
            add("Pragma", "no-cache".to_owned());
            add("Cache-Control", "no-cache".to_owned());
        }
        CacheMode::Default | CacheMode::ForceCache | CacheMode::OnlyIfCached => {}
    }
    if StorageKey::from_url(url).is_ok_and(|key| key.is_potentially_trustworthy()) {
        add("Sec-Fetch-Dest", request.destination.as_str().to_owned());
        add("Sec-Fetch-Mode", request.mode.as_str().to_owned());
        add("Sec-Fetch-Site", site(request, hop.urls).to_owned());
        if request.mode == RequestMode::Navigate && request.user_activation {
            add("Sec-Fetch-User", "?1".to_owned());
        }
    }
    headers
}

/// <https://fetch.spec.whatwg.org/#append-a-request-origin-header>
fn origin_header(request: &Request, hop: &Hop<'_>) -> Option<String> {
    // Step 3: whoever decides who may read has to know who asks.
    if hop.is_cors {
        return Some(serialized_origin(request, hop.urls));
    }
    // Step 4: and so has whoever may change something.
    if matches!(hop.method, "GET" | "HEAD") {
        return None;
    }
    let origin = match &request.origin {
        RequestOrigin::User => return None,
        RequestOrigin::Opaque => return Some("null".to_owned()),
        RequestOrigin::Tuple(origin) => origin,
    };
    let is_hidden = hop.referrer_policy.hides_origin(origin, hop.current_url());
    if is_hidden && request.mode != RequestMode::Cors {
        return Some("null".to_owned());
    }
    Some(serialized_origin(request, hop.urls))
}

/// How the requester stands to the URLs asked so far; the farthest counts.
///
/// <https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header>
fn site(request: &Request, urls: &[Url]) -> &'static str {
    let origin = match &request.origin {
        RequestOrigin::User => return "none",
        RequestOrigin::Opaque => return "cross-site",
        RequestOrigin::Tuple(origin) => origin,
    };
    if urls.iter().all(|url| origin.contains(url)) {
        "same-origin"
    } else if urls.iter().all(|url| is_same_site(origin, url)) {
        "same-site"
    } else {
        "cross-site"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn request(origin: &str) -> Request {
        let origin = StorageKey::from_url(&url(origin)).ok();
        Request {
            origin: origin.into(),
            ..Request::new(url("https://a.example/"))
        }
    }

    fn header(request: &Request, urls: &[Url], is_cors: bool, name: &str) -> Option<String> {
        let hop = Hop {
            urls,
            method: &request.method,
            is_cors,
            referrer_policy: request.referrer_policy,
            cache: request.cache,
        };
        let headers = complete(&NetConfig::default(), request, &request.headers, &hop);
        let found = headers.into_iter().find(|(own, _)| own == name)?;
        Some(String::from_utf8(found.1).unwrap())
    }

    #[test]
    fn headers_of_the_request_are_not_replaced() {
        let mut request = request("https://a.example/");
        request
            .headers
            .push(("accept".to_owned(), b"text/x".to_vec()));
        let urls = [request.url.clone()];
        assert_eq!(header(&request, &urls, false, "Accept"), None);
        assert_eq!(
            header(&request, &urls, false, "accept").as_deref(),
            Some("text/x")
        );
        assert!(header(&request, &urls, false, "User-Agent").is_some());
    }

    #[test]
    fn the_origin_is_told_when_it_matters() {
        let mut request = request("https://a.example/");
        let own = [url("https://a.example/x")];
        let other = [url("https://b.example/x")];
        assert_eq!(header(&request, &own, false, "Origin"), None);
        assert_eq!(
            header(&request, &other, true, "Origin").as_deref(),
            Some("https://a.example")
        );
        request.method = "POST".to_owned();
        assert_eq!(
            header(&request, &own, false, "Origin").as_deref(),
            Some("https://a.example")
        );
        let insecure = [url("http://b.example/x")];
        assert_eq!(
            header(&request, &insecure, false, "Origin").as_deref(),
            Some("null")
        );
    }

    #[test]
    fn the_origin_is_null_after_a_detour_over_another_one() {
        let request = request("https://a.example/");
        let urls = |texts: &[&str]| texts.iter().map(|text| url(text)).collect::<Vec<_>>();
        let direct = urls(&["https://a.example/", "https://b.example/"]);
        assert_eq!(serialized_origin(&request, &direct), "https://a.example");
        let detour = urls(&["https://b.example/", "https://c.example/"]);
        assert_eq!(serialized_origin(&request, &detour), "null");
        let back = urls(&["https://b.example/", "https://a.example/"]);
        assert_eq!(serialized_origin(&request, &back), "null");
        let within = urls(&["https://b.example/1", "https://b.example/2"]);
        assert_eq!(serialized_origin(&request, &within), "https://a.example");
    }

    #[test]
    fn what_may_change_something_names_who_asks() {
        let urls = [url("https://b.example/")];
        let own = || request("https://a.example/").origin;
        for (origin, method, told) in [
            (own(), "POST", Some("https://a.example")),
            (own(), "GET", None),
            (RequestOrigin::Opaque, "POST", Some("null")),
            (RequestOrigin::Opaque, "GET", None),
            (RequestOrigin::User, "POST", None),
        ] {
            let request = Request {
                method: method.to_owned(),
                mode: RequestMode::Navigate,
                origin: origin.clone(),
                ..Request::new(urls[0].clone())
            };
            let header = header(&request, &urls, false, "Origin");
            assert_eq!(header.as_deref(), told, "{origin:?} {method}");
        }
    }

    #[test]
    fn the_site_is_that_of_the_farthest_url() {
        let mut request = request("https://a.example/");
        for (urls, told) in [
            (vec![url("https://a.example/")], "same-origin"),
            (vec![url("https://a.example:444/")], "same-site"),
            (vec![url("https://www.a.example/")], "same-site"),
            (
                vec![url("http://a.example/"), url("https://a.example/")],
                "cross-site",
            ),
            (
                vec![url("https://b.example/"), url("https://a.example/")],
                "cross-site",
            ),
        ] {
            assert_eq!(
                header(&request, &urls, false, "Sec-Fetch-Site").as_deref(),
                Some(told)
            );
        }
        let urls = [url("https://a.example/")];
        request.mode = RequestMode::Navigate;
        request.origin = RequestOrigin::Opaque;
        assert_eq!(
            header(&request, &urls, false, "Sec-Fetch-Site").as_deref(),
            Some("cross-site")
        );
        request.origin = RequestOrigin::User;
        assert_eq!(
            header(&request, &urls, false, "Sec-Fetch-Site").as_deref(),
            Some("none")
        );
        assert_eq!(header(&request, &urls, false, "Sec-Fetch-User"), None);
        request.user_activation = true;
        let user = header(&request, &urls, false, "Sec-Fetch-User");
        assert_eq!(user.as_deref(), Some("?1"));
        let insecure = [url("http://a.example/")];
        for name in ["Sec-Fetch-Site", "Sec-Fetch-User"] {
            assert_eq!(header(&request, &insecure, false, name), None);
        }
    }
}
