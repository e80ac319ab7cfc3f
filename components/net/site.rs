//! Sites: what belongs together under one name that somebody registered.

use base::StorageKey;
use url::{Host, Url};

/// The part of a host that somebody registered; `None` for an address, and for a name that is a
/// public suffix itself.
///
/// <https://url.spec.whatwg.org/#host-registrable-domain>
pub(crate) fn registrable_domain<S: AsRef<str>>(host: &Host<S>) -> Option<&str> {
    match host {
        Host::Domain(name) => psl::domain_str(name.as_ref()),
        _ => None,
    }
}

/// Whether names under this one are given to others.
///
/// <https://publicsuffix.org/list/>
pub(crate) fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

/// Whether a URL is of the site of an origin, with the same scheme.
///
/// <https://html.spec.whatwg.org/multipage/browsers.html#same-site>
pub fn is_same_site(origin: &StorageKey, url: &Url) -> bool {
    url.scheme() == origin.scheme() && is_schemelessly_same_site(origin, url)
}

/// Whether a URL is of the site of an origin, whatever the schemes.
///
/// <https://html.spec.whatwg.org/multipage/browsers.html#schemelessly-same-site>
pub(crate) fn is_schemelessly_same_site(origin: &StorageKey, url: &Url) -> bool {
    let Some(host) = url.host() else {
        return false;
    };
    match (registrable_domain(origin.host()), registrable_domain(&host)) {
        (Some(own), Some(other)) => own == other,
        (None, None) => *origin.host() == host.to_owned(),
        _ => false,
    }
}

/// The site as a text: what is kept apart for each top-level site goes by it.
///
/// <https://html.spec.whatwg.org/multipage/browsers.html#obtain-a-site>
pub(crate) fn site(origin: &StorageKey) -> String {
    let scheme = origin.scheme();
    match registrable_domain(origin.host()) {
        Some(domain) => format!("{scheme}://{domain}"),
        None => format!("{scheme}://{}", origin.host()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn sites_are_what_somebody_registered() {
        for (origin, other, same) in [
            ("https://a.example.org/", "https://b.example.org:444/", true),
            ("https://example.org/", "https://a.b.example.org/", true),
            ("https://a.example.org/", "http://a.example.org/", false),
            ("https://a.co.uk/", "https://b.co.uk/", false),
            ("https://a.github.io/", "https://b.github.io/", false),
            ("https://www.site.test/", "https://site.test/", true),
            ("http://127.0.0.1/", "http://127.0.0.1:8000/", true),
            ("http://127.0.0.1/", "http://127.0.0.2/", false),
            ("http://localhost/", "http://localhost:1/", true),
            ("https://co.uk/", "https://a.co.uk/", false),
            ("https://a.example/", "data:,x", false),
        ] {
            let key = StorageKey::from_url(&url(origin)).unwrap();
            assert_eq!(is_same_site(&key, &url(other)), same, "{origin} {other}");
        }
        let key = StorageKey::from_url(&url("https://a.b.example.org:444/")).unwrap();
        assert_eq!(site(&key), "https://example.org");
    }

    #[test]
    fn public_suffixes_are_known() {
        for (domain, is_suffix) in [
            ("com", true),
            ("co.uk", true),
            ("github.io", true),
            ("localhost", true),
            ("example.com", false),
        ] {
            assert_eq!(is_public_suffix(domain), is_suffix, "{domain}");
        }
    }
}
