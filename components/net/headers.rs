//! The request headers that the browser adds itself.

use base::StorageKey;
use url::Url;

use crate::config::NetConfig;
use crate::request::{CacheMode, Destination, Request, RequestMode};

type Headers = Vec<(String, Vec<u8>)>;

/// Where a request stands: which of its URLs it asks now, and for whom.
pub(crate) struct Hop<'a> {
    /// The URLs so far; the last is the one that is asked now.
    pub(crate) urls: &'a [Url],
    /// The method now, which a redirect may have changed.
    pub(crate) method: &'a str,
    /// Whether the requester is subject to what the other origin allows.
    pub(crate) is_cors: bool,
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
    let Some(origin) = &request.origin else {
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
    add("Accept", accept(request.destination).to_owned());
    add("Accept-Language", config.accept_language.clone());
    add("User-Agent", config.user_agent.clone());
    // Bodies are handed over as they come.
    add("Accept-Encoding", "identity".to_owned());
    if let Some(referrer) = &request.referrer
        && let Some(referrer) = referer(referrer, url)
    {
        add("Referer", referrer);
    }
    if let Some(origin) = origin_header(request, hop) {
        add("Origin", origin);
    }
    if request.cache == CacheMode::NoStore {
        add("Pragma", "no-cache".to_owned());
        add("Cache-Control", "no-cache".to_owned());
    }
    if StorageKey::from_url(url).is_ok_and(|key| key.is_potentially_trustworthy()) {
        add("Sec-Fetch-Dest", request.destination.as_str().to_owned());
        add("Sec-Fetch-Mode", request.mode.as_str().to_owned());
        add("Sec-Fetch-Site", site(request, hop.urls).to_owned());
    }
    headers
}

/// <https://fetch.spec.whatwg.org/#fetching>, step 13.
fn accept(destination: Destination) -> &'static str {
    match destination {
        Destination::Document | Destination::Iframe => {
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        }
        _ => "*/*",
    }
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
    let origin = request.origin.as_ref()?;
    let downgrade = origin.scheme() == "https" && hop.current_url().scheme() != "https";
    if downgrade && request.mode != RequestMode::Cors {
        return Some("null".to_owned());
    }
    Some(serialized_origin(request, hop.urls))
}

/// What of the referrer may be told, under `strict-origin-when-cross-origin`.
///
/// <https://w3c.github.io/webappsec-referrer-policy/#determine-requests-referrer>
fn referer(referrer: &Url, url: &Url) -> Option<String> {
    let referrer_key = StorageKey::from_url(referrer).ok()?;
    if !matches!(referrer.scheme(), "http" | "https") {
        return None;
    }
    if referrer_key.contains(url) {
        let mut stripped = referrer.clone();
        stripped.set_fragment(None);
        // Neither fails for a URL with a host.
        let _ = stripped.set_username("");
        let _ = stripped.set_password(None);
        return Some(stripped.into());
    }
    let to_trustworthy =
        StorageKey::from_url(url).is_ok_and(|key| key.is_potentially_trustworthy());
    if referrer_key.is_potentially_trustworthy() && !to_trustworthy {
        return None;
    }
    Some(format!("{referrer_key}/"))
}

/// How the requester stands to the URLs asked so far; the farthest counts.
///
/// Without a list of public suffixes, only URLs of the requester's own host are taken to be of its
/// site: `a.example.org` is cross-site to `b.example.org` here.
///
/// <https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header>
fn site(request: &Request, urls: &[Url]) -> &'static str {
    let Some(origin) = &request.origin else {
        return if request.mode == RequestMode::Navigate {
            "none"
        } else {
            "cross-site"
        };
    };
    let same_site = |url: &Url| {
        url.scheme() == origin.scheme()
            && StorageKey::from_url(url).is_ok_and(|key| key.host() == origin.host())
    };
    if urls.iter().all(|url| origin.contains(url)) {
        "same-origin"
    } else if urls.iter().all(same_site) {
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
            origin,
            ..Request::new(url("https://a.example/"))
        }
    }

    fn header(request: &Request, urls: &[Url], is_cors: bool, name: &str) -> Option<String> {
        let hop = Hop {
            urls,
            method: &request.method,
            is_cors,
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
    fn the_referrer_is_told_in_full_only_to_its_own_origin() {
        for (from, to, told) in [
            (
                "https://u:p@a.example/x?y#z",
                "https://a.example/",
                Some("https://a.example/x?y"),
            ),
            (
                "https://a.example/x",
                "https://b.example/",
                Some("https://a.example/"),
            ),
            ("https://a.example/x", "http://b.example/", None),
            (
                "http://a.example/x",
                "http://b.example/",
                Some("http://a.example/"),
            ),
            ("http://localhost:8/x", "http://b.example/", None),
            ("data:text/html,x", "http://b.example/", None),
        ] {
            assert_eq!(
                referer(&url(from), &url(to)).as_deref(),
                told,
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn the_site_is_that_of_the_farthest_url() {
        let mut request = request("https://a.example/");
        for (urls, told) in [
            (vec![url("https://a.example/")], "same-origin"),
            (vec![url("https://a.example:444/")], "same-site"),
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
        request.origin = None;
        request.mode = RequestMode::Navigate;
        let urls = [url("https://a.example/")];
        assert_eq!(
            header(&request, &urls, false, "Sec-Fetch-Site").as_deref(),
            Some("none")
        );
        let insecure = [url("http://a.example/")];
        assert_eq!(header(&request, &insecure, false, "Sec-Fetch-Site"), None);
    }
}
