//! What a requester does not get although a server would send it.

use base::StorageKey;
use url::Url;

use crate::request::{Destination, Request, RequestMode};
use crate::response::Response;
use crate::site;

/// Whether what anybody on the way may have changed would get into a page that came over a secure
/// connection. A window may go to such a page: it says of itself where it is.
///
/// <https://w3c.github.io/webappsec-mixed-content/#should-block-fetch>
pub(crate) fn is_mixed_content(request: &Request, url: &Url) -> bool {
    let is_window =
        request.mode == RequestMode::Navigate && request.destination == Destination::Document;
    if is_window || url.scheme() != "http" {
        return false;
    }
    let is_trustworthy =
        StorageKey::from_url(url).is_ok_and(|target| target.is_potentially_trustworthy());
    // As in other browsers, and not as in the standard, pages that this machine serves without TLS
    // may mix as they like.
    let around = request.ancestor_origins.iter().flatten();
    let mut parties = around.chain(request.origin.tuple());
    !is_trustworthy && parties.any(|party| party.scheme() == "https")
}

/// Why a server does not want a page of this origin to make use of what it has sent, without
/// having been asked for its agreement, if that is so.
///
/// <https://fetch.spec.whatwg.org/#cross-origin-resource-policy-check>
pub(crate) fn resource_policy_forbids(
    origin: Option<&StorageKey>,
    url: &Url,
    response: &Response,
) -> Option<String> {
    let policy = response.header("cross-origin-resource-policy")?;
    let is_allowed = match policy.as_slice() {
        b"same-origin" => origin.is_some_and(|origin| origin.contains(url)),
        b"same-site" => origin.is_some_and(|origin| {
            let is_downgrade = origin.scheme() != "https" && url.scheme() == "https";
            site::is_schemelessly_same_site(origin, url) && !is_downgrade
        }),
        _ => true,
    };
    (!is_allowed).then(|| {
        let policy = String::from_utf8_lossy(&policy);
        format!("its Cross-Origin-Resource-Policy header is \"{policy}\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn key(text: &str) -> StorageKey {
        StorageKey::from_url(&url(text)).unwrap()
    }

    #[test]
    fn nothing_insecure_gets_into_a_secure_page() {
        for (parties, target, blocked) in [
            (&["https://a.example/"][..], "http://a.example/", true),
            (&["https://a.example/"], "https://b.example/", false),
            (&["https://a.example/"], "http://localhost:8000/", false),
            (&["https://a.example/"], "http://127.0.0.1/", false),
            (&["https://a.example/"], "data:,x", false),
            (&["http://a.example/"], "http://b.example/", false),
            (&["http://localhost/"], "http://b.example/", false),
            (
                &["http://a.example/", "https://b.example/"],
                "http://a.example/",
                true,
            ),
            (
                &["https://b.example/", "http://a.example/"],
                "http://a.example/",
                true,
            ),
            (&[], "http://a.example/", false),
        ] {
            let mut parties: Vec<_> = parties.iter().map(|text| Some(key(text))).collect();
            let mut request = Request {
                origin: parties.pop().flatten().into(),
                ancestor_origins: parties.clone(),
                ..Request::new(url(target))
            };
            let is_mixed = |request: &Request| is_mixed_content(request, &request.url);
            assert_eq!(is_mixed(&request), blocked, "{parties:?} {target}");
            request.mode = RequestMode::Navigate;
            request.destination = Destination::Iframe;
            assert_eq!(is_mixed(&request), blocked, "{parties:?} {target}");
            request.destination = Destination::Document;
            assert!(!is_mixed(&request), "{parties:?} {target}");
        }
    }

    #[test]
    fn a_server_says_whose_pages_may_make_use_of_what_it_sends() {
        let own = "https://a.example/";
        for (policy, from, target, allowed) in [
            ("same-origin", Some(own), own, true),
            ("same-origin", Some(own), "https://a.example:444/", false),
            ("same-origin", None, own, false),
            ("same-site", Some(own), "https://www.a.example:444/", true),
            ("same-site", Some(own), "http://a.example/", true),
            ("same-site", Some("http://a.example/"), own, false),
            (
                "same-site",
                Some("http://a.example/"),
                "http://b.a.example/",
                true,
            ),
            ("same-site", Some(own), "https://b.example/", false),
            ("same-site", None, own, false),
            ("cross-origin", Some(own), "https://b.example/", true),
            ("Same-Origin", Some(own), "https://b.example/", true),
            (
                "same-origin, same-site",
                Some(own),
                "https://b.example/",
                true,
            ),
        ] {
            let response = Response::of_headers(&[("cross-origin-resource-policy", policy)]);
            let origin = from.map(key);
            let refused = resource_policy_forbids(origin.as_ref(), &url(target), &response);
            assert_eq!(refused.is_none(), allowed, "{policy} {from:?} {target}");
        }
        let silent = Response::of_headers(&[]);
        assert_eq!(resource_policy_forbids(None, &url(own), &silent), None);
    }
}
