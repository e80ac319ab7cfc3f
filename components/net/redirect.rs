//! From one URL of a request to the next.

use url::Url;

use crate::error::{FetchError, FetchErrorKind};
use crate::local;
use crate::referrer::ReferrerPolicy;
use crate::request::{Request, RequestMode};
use crate::response::Response;

/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 20;

/// Headers that say something about a body, and go with it.
///
/// <https://fetch.spec.whatwg.org/#request-body-header-name>
const BODY_HEADERS: [&str; 4] = [
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
];

impl Request {
    /// The request that follows a redirect; the request itself when the response does not say where
    /// to. For callers that follow redirects themselves, with [`RedirectMode::Manual`]: what they
    /// hand in is the response behind the filter.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-http-redirect-fetch>
    ///
    /// # Errors
    ///
    /// The redirect may not be followed.
    ///
    /// [`RedirectMode::Manual`]: crate::RedirectMode::Manual
    pub fn redirected(mut self, response: &Response) -> Result<Self, FetchError> {
        let Some(location) = self.location(response)? else {
            return Ok(self);
        };
        self.check_redirect(&location)?;
        // Step 12: what was a POST becomes a GET, except where the status says otherwise.
        let status = response.status;
        let drops_body = (matches!(status, 301 | 302) && self.method == "POST")
            || (status == 303 && !matches!(self.method.as_str(), "GET" | "HEAD"));
        if drops_body {
            "GET".clone_into(&mut self.method);
            self.body = None;
            self.drop_headers(&BODY_HEADERS);
        }
        // Step 13: what authenticates to one origin is none of another's business.
        if self.url.origin() != location.origin() {
            self.drop_headers(&["authorization"]);
        }
        // What this server was not told, no later one is, whatever this one says.
        self.referrer = self
            .referrer
            .take()
            .and_then(|referrer| self.referrer_policy.referrer_along(&referrer, [&self.url]));
        let header = response.header("referrer-policy").unwrap_or_default();
        if let Some(policy) = ReferrerPolicy::from_header(&String::from_utf8_lossy(&header)) {
            self.referrer_policy = policy;
        }
        let before = std::mem::replace(&mut self.url, location);
        self.redirected_from.push(before);
        Ok(self)
    }

    /// <https://fetch.spec.whatwg.org/#concept-response-location-url>
    fn location(&self, response: &Response) -> Result<Option<Url>, FetchError> {
        let Some(value) = response.header("location") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&value);
        let base = response.url.as_ref().unwrap_or(&self.url);
        let mut location = base.join(&text).map_err(|error| {
            let reason = format!("it redirects to \"{text}\", which is not a URL: {error}");
            FetchError::new(FetchErrorKind::Redirect, &self.url, reason)
        })?;
        if location.fragment().is_none() {
            location.set_fragment(self.url.fragment());
        }
        Ok(Some(location))
    }

    fn check_redirect(&self, location: &Url) -> Result<(), FetchError> {
        let refuse =
            |reason: String| Err(FetchError::new(FetchErrorKind::Redirect, &self.url, reason));
        // Step 6: only to where it could have gone itself.
        if !matches!(location.scheme(), "http" | "https") {
            return refuse(format!("it redirects to {location}, which is no HTTP URL"));
        }
        // Step 7: not for ever.
        if self.redirected_from.len() >= MAX_REDIRECTS {
            return refuse(format!(
                "more than {MAX_REDIRECTS} redirects, the next to {location}"
            ));
        }
        // Steps 9 and 10: no credentials smuggled in.
        let has_credentials = !location.username().is_empty() || location.password().is_some();
        let is_foreign = |url: &Url| {
            let origin = self.origin.tuple();
            !local::is_local(url) && !origin.is_some_and(|origin| origin.contains(url))
        };
        let mut urls = self.redirected_from.iter().chain([&self.url, location]);
        if has_credentials && self.mode == RequestMode::Cors && urls.any(is_foreign) {
            return refuse("it redirects to a URL of another origin with credentials".to_owned());
        }
        Ok(())
    }

    fn drop_headers(&mut self, names: &[&str]) {
        self.headers
            .retain(|(own, _)| !names.iter().any(|name| own.eq_ignore_ascii_case(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(status: u16, location: &str) -> Response {
        Response {
            status,
            ..Response::of_headers(&[("location", location), ("referrer-policy", "no-referrer")])
        }
    }

    fn request() -> Request {
        Request {
            method: "POST".to_owned(),
            headers: vec![
                ("Content-Type".to_owned(), b"text/plain".to_vec()),
                ("Authorization".to_owned(), b"x".to_vec()),
            ],
            body: Some(b"text".to_vec()),
            ..Request::new(Url::parse("https://example.org/a#there").unwrap())
        }
    }

    #[test]
    fn a_redirect_that_is_followed_by_the_caller_is_the_same_as_any() {
        let next = request().redirected(&redirect(303, "b")).unwrap();
        assert_eq!(next.url.as_str(), "https://example.org/b#there");
        assert_eq!((next.method.as_str(), next.body), ("GET", None));
        assert_eq!(next.headers.len(), 1);
        assert_eq!(next.referrer_policy, ReferrerPolicy::NoReferrer);
        assert_eq!(next.redirected_from[0].path(), "/a");
        let kept = request()
            .redirected(&redirect(307, "https://b.example/"))
            .unwrap();
        assert_eq!(kept.method, "POST");
        assert_eq!(
            kept.headers.len(),
            1,
            "the other origin gets no credentials"
        );
        let nowhere = Response::of_headers(&[]);
        assert_eq!(request().redirected(&nowhere).unwrap(), request());
    }

    #[test]
    fn a_redirect_to_nowhere_or_for_ever_is_refused() {
        for location in ["data:,x", "http://["] {
            assert!(request().redirected(&redirect(302, location)).is_err());
        }
        let mut next = request();
        for _ in 0..MAX_REDIRECTS {
            next = next.redirected(&redirect(302, "a")).unwrap();
        }
        assert!(next.redirected(&redirect(302, "a")).is_err());
    }
}
