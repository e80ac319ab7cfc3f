use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::FetchError;
use crate::request::CredentialsMode;

/// How a fetch ends.
pub type FetchResult = Result<Response, FetchError>;

/// <https://fetch.spec.whatwg.org/#concept-response-type>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum ResponseType {
    /// Of the requester's own origin, or a navigation: all but cookies may be read.
    Basic,
    /// Made by the script of a service worker: all may be read. The network has none.
    Default,
    /// Of another origin that agreed: some headers may be read.
    Cors,
    /// Of another origin that was not asked: nothing may be read.
    Opaque,
    /// A redirect that was not followed: nothing may be read.
    OpaqueRedirect,
}

/// A response, as much of it as the requester may see.
///
/// <https://fetch.spec.whatwg.org/#concept-filtered-response>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Which filter it went through.
    pub response_type: ResponseType,
    /// Where it came from in the end, with the request's fragment; `None` when that may not be
    /// seen.
    pub url: Option<Url>,
    /// Whether redirects were followed.
    pub redirected: bool,
    /// The URLs that led to the last one, in their order; for navigations, and no script's to see.
    pub redirects: Vec<Url>,
    /// Whether it comes from the HTTP cache, without the server having been asked.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-response-cache-state>
    pub from_cache: bool,
    /// The status; zero when it may not be seen. Any status is a response, not an error.
    pub status: u16,
    /// The reason phrase.
    pub status_text: String,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// What is behind an opaque response, for trusted code that runs scripts or follows redirects.
    /// It must not get into the hands of a page.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-internal-response>
    pub internal: Option<Box<Response>>,
}

/// <https://fetch.spec.whatwg.org/#forbidden-response-header-name>
const FORBIDDEN_RESPONSE_HEADERS: [&str; 2] = ["set-cookie", "set-cookie2"];

/// <https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name>
const SAFELISTED_RESPONSE_HEADERS: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

impl Response {
    /// The values of a header, joined as the standard joins them; `name` is in lower case.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-header-list-get>
    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        let values = self.headers.iter().filter(|(own, _)| own == name);
        values
            .map(|(_, value)| value.clone())
            .reduce(|mut joined, value| {
                joined.extend_from_slice(b", ");
                joined.extend_from_slice(&value);
                joined
            })
    }

    /// Whether the status is in the range 200 to 299.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// <https://fetch.spec.whatwg.org/#redirect-status>
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// The response behind the filter, for trusted code.
    pub fn unfiltered(&self) -> &Self {
        self.internal.as_deref().unwrap_or(self)
    }

    /// The same by value.
    #[must_use]
    pub fn into_unfiltered(self) -> Self {
        match self.internal {
            Some(internal) => *internal,
            None => self,
        }
    }

    /// What may be kept of the headers beside the body.
    pub fn headers_without_cookies(&self) -> Vec<(String, Vec<u8>)> {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| !FORBIDDEN_RESPONSE_HEADERS.contains(&name.as_str()));
        headers
    }

    /// The values of a header whose value is a list, without the blanks around them.
    pub(crate) fn header_list(&self, name: &str) -> Option<Vec<String>> {
        let value = self.header(name)?;
        let text = String::from_utf8_lossy(&value);
        let items = text
            .split(',')
            .map(|item| item.trim_matches([' ', '\t']).to_owned());
        Some(items.filter(|item| !item.is_empty()).collect())
    }

    /// <https://fetch.spec.whatwg.org/#concept-filtered-response-basic>
    pub(crate) fn into_basic(mut self) -> Self {
        self.headers
            .retain(|(name, _)| !FORBIDDEN_RESPONSE_HEADERS.contains(&name.as_str()));
        self
    }

    /// <https://fetch.spec.whatwg.org/#concept-filtered-response-cors>
    pub(crate) fn into_cors(mut self, credentials: CredentialsMode) -> Self {
        let exposed = self
            .header_list("access-control-expose-headers")
            .unwrap_or_default();
        let all = credentials != CredentialsMode::Include && exposed.iter().any(|name| name == "*");
        self.headers.retain(|(name, _)| {
            let name = name.as_str();
            !FORBIDDEN_RESPONSE_HEADERS.contains(&name)
                && (all
                    || SAFELISTED_RESPONSE_HEADERS.contains(&name)
                    || exposed
                        .iter()
                        .any(|exposed| exposed.eq_ignore_ascii_case(name)))
        });
        self.response_type = ResponseType::Cors;
        self
    }

    /// An opaque response or redirect, with this one behind it.
    ///
    /// <https://fetch.spec.whatwg.org/#concept-filtered-response-opaque>
    #[must_use]
    pub fn into_opaque(self, response_type: ResponseType) -> Self {
        let url = match response_type {
            ResponseType::OpaqueRedirect => self.url.clone(),
            _ => None,
        };
        Self {
            response_type,
            url,
            redirected: false,
            redirects: Vec::new(),
            from_cache: false,
            status: 0,
            status_text: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            internal: Some(Box::new(self)),
        }
    }
}

#[cfg(test)]
impl Response {
    /// A response with these headers, for tests of the rules about them.
    pub(crate) fn of_headers(headers: &[(&str, &str)]) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Self {
            response_type: ResponseType::Basic,
            url: Url::parse("https://example.org/").ok(),
            redirected: false,
            redirects: Vec::new(),
            from_cache: false,
            status: 200,
            status_text: String::new(),
            headers: headers.collect(),
            body: Vec::new(),
            internal: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(response: &Response) -> Vec<&str> {
        response
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    }

    #[test]
    fn cookies_are_never_shown() {
        let basic = Response::of_headers(&[("set-cookie", "a=b"), ("x-own", "1")]).into_basic();
        assert_eq!(names(&basic), ["x-own"]);
        let exposing = Response::of_headers(&[
            ("set-cookie", "a=b"),
            ("access-control-expose-headers", "set-cookie, *"),
        ]);
        let cors = exposing.into_cors(CredentialsMode::Omit);
        assert_eq!(names(&cors), ["access-control-expose-headers"]);
    }

    #[test]
    fn another_origin_shows_what_it_exposes() {
        let headers = [
            ("content-type", "text/plain"),
            ("x-shown", "1"),
            ("x-hidden", "2"),
            ("access-control-expose-headers", "X-Shown"),
        ];
        let cors = Response::of_headers(&headers).into_cors(CredentialsMode::Include);
        assert_eq!(cors.response_type, ResponseType::Cors);
        assert_eq!(names(&cors), ["content-type", "x-shown"]);
        let all = [("x-any", "1"), ("access-control-expose-headers", "*")];
        assert_eq!(
            Response::of_headers(&all)
                .into_cors(CredentialsMode::SameOrigin)
                .headers
                .len(),
            2
        );
        // With credentials the asterisk is a name like any other.
        assert_eq!(
            Response::of_headers(&all)
                .into_cors(CredentialsMode::Include)
                .headers
                .len(),
            0
        );
    }

    #[test]
    fn an_opaque_response_shows_nothing() {
        let mut response = Response::of_headers(&[("x-own", "1")]);
        response.body = b"secret".to_vec();
        let opaque = response.into_opaque(ResponseType::Opaque);
        assert_eq!((opaque.status, opaque.url.as_ref()), (0, None));
        assert!(opaque.headers.is_empty() && opaque.body.is_empty());
        assert_eq!(opaque.unfiltered().body, b"secret");
    }

    #[test]
    fn values_of_one_name_are_joined() {
        let response = Response::of_headers(&[("vary", "a"), ("x", "1"), ("vary", "b")]);
        assert_eq!(response.header("vary").unwrap(), b"a, b");
        assert_eq!(response.header("none"), None);
    }
}
