//! How much of where a request comes from is told.

use base::StorageKey;
use serde::{Deserialize, Serialize};
use url::Url;

/// The longest referrer that is sent in full, in bytes.
const MAX_LENGTH: usize = 4096;

/// How much of its URL a document or worker lets others know.
///
/// <https://w3c.github.io/webappsec-referrer-policy/#referrer-policy>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum ReferrerPolicy {
    /// Nothing.
    NoReferrer,
    /// All of it, except on the way from a secure place to an insecure one.
    NoReferrerWhenDowngrade,
    /// All of it, to its own origin only.
    SameOrigin,
    /// Its origin.
    Origin,
    /// Its origin, except on the way from a secure place to an insecure one.
    StrictOrigin,
    /// All of it to its own origin, its origin to others.
    OriginWhenCrossOrigin,
    /// All of it to its own origin, its origin to others, nothing on the way from a secure place to
    /// an insecure one.
    #[default]
    StrictOriginWhenCrossOrigin,
    /// All of it to everybody.
    UnsafeUrl,
}

impl ReferrerPolicy {
    /// The policy of this name. The empty text is none.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "no-referrer" => Self::NoReferrer,
            "no-referrer-when-downgrade" => Self::NoReferrerWhenDowngrade,
            "same-origin" => Self::SameOrigin,
            "origin" => Self::Origin,
            "strict-origin" => Self::StrictOrigin,
            "origin-when-cross-origin" => Self::OriginWhenCrossOrigin,
            "strict-origin-when-cross-origin" => Self::StrictOriginWhenCrossOrigin,
            "unsafe-url" => Self::UnsafeUrl,
            _ => return None,
        })
    }

    /// The name that scripts and servers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoReferrer => "no-referrer",
            Self::NoReferrerWhenDowngrade => "no-referrer-when-downgrade",
            Self::SameOrigin => "same-origin",
            Self::Origin => "origin",
            Self::StrictOrigin => "strict-origin",
            Self::OriginWhenCrossOrigin => "origin-when-cross-origin",
            Self::StrictOriginWhenCrossOrigin => "strict-origin-when-cross-origin",
            Self::UnsafeUrl => "unsafe-url",
        }
    }

    /// The policy that a `Referrer-Policy` header has: the last one that is known.
    ///
    /// <https://w3c.github.io/webappsec-referrer-policy/#parse-referrer-policy-from-header>
    pub fn from_header(value: &str) -> Option<Self> {
        let tokens = value
            .split(',')
            .map(|token| token.trim_matches([' ', '\t']));
        tokens
            .filter_map(|token| Self::parse(&token.to_ascii_lowercase()))
            .next_back()
    }

    /// What a request for `url` tells of `referrer`.
    ///
    /// <https://w3c.github.io/webappsec-referrer-policy/#determine-requests-referrer>
    pub fn referrer(self, referrer: &Url, url: &Url) -> Option<String> {
        if !matches!(referrer.scheme(), "http" | "https") {
            return None;
        }
        let key = StorageKey::from_url(referrer).ok()?;
        // Steps 4 to 6: a long one is cut down to its origin.
        let origin = || format!("{key}/");
        let full = || {
            let full = stripped(referrer);
            if full.len() > MAX_LENGTH {
                origin()
            } else {
                full
            }
        };
        // Step 8
        let is_own = key.contains(url);
        let is_downgrade = key.is_potentially_trustworthy()
            && !StorageKey::from_url(url).is_ok_and(|key| key.is_potentially_trustworthy());
        match self {
            Self::NoReferrer => None,
            Self::UnsafeUrl => Some(full()),
            Self::SameOrigin => is_own.then(full),
            Self::NoReferrerWhenDowngrade => (!is_downgrade).then(full),
            Self::OriginWhenCrossOrigin | Self::StrictOriginWhenCrossOrigin if is_own => {
                Some(full())
            }
            Self::Origin | Self::OriginWhenCrossOrigin => Some(origin()),
            Self::StrictOrigin | Self::StrictOriginWhenCrossOrigin => (!is_downgrade).then(origin),
        }
    }

    /// What the last of these URLs learns of `referrer`, each of which redirects to the next: never
    /// more than the ones before it.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-main-fetch>, step 8
    pub fn referrer_along<'a>(
        self,
        referrer: &Url,
        urls: impl IntoIterator<Item = &'a Url>,
    ) -> Option<Url> {
        urls.into_iter()
            .try_fold(referrer.clone(), |referrer, url| {
                Url::parse(&self.referrer(&referrer, url)?).ok()
            })
    }

    /// Whether a request that may change something must not tell its origin to `url`.
    ///
    /// <https://fetch.spec.whatwg.org/#append-a-request-origin-header>, step 4.1
    pub(crate) fn hides_origin(self, origin: &StorageKey, url: &Url) -> bool {
        match self {
            Self::NoReferrer => true,
            Self::NoReferrerWhenDowngrade
            | Self::StrictOrigin
            | Self::StrictOriginWhenCrossOrigin => {
                origin.scheme() == "https" && url.scheme() != "https"
            }
            Self::SameOrigin => !origin.contains(url),
            Self::Origin | Self::OriginWhenCrossOrigin | Self::UnsafeUrl => false,
        }
    }
}

/// <https://w3c.github.io/webappsec-referrer-policy/#strip-url>
fn stripped(referrer: &Url) -> String {
    let mut stripped = referrer.clone();
    stripped.set_fragment(None);
    // Neither fails for a URL with a host.
    let _ = stripped.set_username("");
    let _ = stripped.set_password(None);
    stripped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn each_policy_tells_what_it_allows() {
        let from = "https://u:p@a.example/x?y#z";
        let (full, origin) = (Some("https://a.example/x?y"), Some("https://a.example/"));
        for (policy, to_own, to_other, to_insecure) in [
            ("no-referrer", None, None, None),
            ("no-referrer-when-downgrade", full, full, None),
            ("same-origin", full, None, None),
            ("origin", origin, origin, origin),
            ("strict-origin", origin, origin, None),
            ("origin-when-cross-origin", full, origin, origin),
            ("strict-origin-when-cross-origin", full, origin, None),
            ("unsafe-url", full, full, full),
        ] {
            let parsed = ReferrerPolicy::parse(policy).unwrap();
            let told = |to: &str| parsed.referrer(&url(from), &url(to));
            assert_eq!(told("https://a.example/b").as_deref(), to_own, "{policy}");
            assert_eq!(told("https://b.example/").as_deref(), to_other, "{policy}");
            assert_eq!(
                told("http://b.example/").as_deref(),
                to_insecure,
                "{policy}"
            );
        }
    }

    #[test]
    fn a_referrer_that_is_no_http_url_or_too_long_is_not_told() {
        let policy = ReferrerPolicy::default();
        let own = url("https://a.example/");
        assert_eq!(policy.referrer(&url("data:text/html,x"), &own), None);
        let long = url(&format!("https://a.example/{}", "x".repeat(5000)));
        let told = policy.referrer(&long, &own);
        assert_eq!(told.as_deref(), Some("https://a.example/"));
        let insecure = policy.referrer(&url("http://a.example/x"), &url("http://b.example/"));
        assert_eq!(insecure.as_deref(), Some("http://a.example/"));
    }

    #[test]
    fn a_detour_takes_from_the_referrer_for_good() {
        let from = url("https://a.example/x?y#z");
        let along = |policy: &str, urls: &[&str]| {
            let urls: Vec<Url> = urls.iter().map(|text| url(text)).collect();
            let policy = ReferrerPolicy::parse(policy).unwrap();
            policy.referrer_along(&from, &urls).map(String::from)
        };
        let (own, other) = ("https://a.example/", "https://b.example/");
        let insecure = "http://a.example/";
        for (policy, urls, told) in [
            ("same-origin", vec![own], Some("https://a.example/x?y")),
            ("same-origin", vec![own, other, own], None),
            (
                "origin-when-cross-origin",
                vec![own, own],
                Some("https://a.example/x?y"),
            ),
            (
                "origin-when-cross-origin",
                vec![other, own],
                Some("https://a.example/"),
            ),
            ("strict-origin", vec![insecure, own], None),
            (
                "unsafe-url",
                vec![other, insecure],
                Some("https://a.example/x?y"),
            ),
        ] {
            assert_eq!(along(policy, &urls).as_deref(), told, "{policy} {urls:?}");
        }
    }

    #[test]
    fn the_last_policy_that_is_known_counts() {
        for (header, policy) in [
            ("origin", Some(ReferrerPolicy::Origin)),
            ("no-referrer, Unsafe-URL", Some(ReferrerPolicy::UnsafeUrl)),
            ("no-referrer ,later", Some(ReferrerPolicy::NoReferrer)),
            ("later", None),
            ("", None),
        ] {
            assert_eq!(ReferrerPolicy::from_header(header), policy, "{header}");
        }
    }
}
