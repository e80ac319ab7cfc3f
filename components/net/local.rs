//! URLs whose response is in themselves.

use data_url::DataUrl;
use url::Url;

use crate::error::{FetchError, FetchErrorKind};
use crate::response::{FetchResult, Response, ResponseType};

/// Whether fetching `url` needs no network.
pub(crate) fn is_local(url: &Url) -> bool {
    url.scheme() == "data" || is_about_blank(url)
}

fn is_about_blank(url: &Url) -> bool {
    url.scheme() == "about" && url.path() == "blank"
}

/// The part of a scheme fetch that needs no network.
///
/// <https://fetch.spec.whatwg.org/#concept-scheme-fetch>
pub(crate) fn fetch(url: &Url, max_body_size: usize) -> FetchResult {
    if is_about_blank(url) {
        return Ok(response(
            url,
            "text/html;charset=utf-8".to_owned(),
            Vec::new(),
        ));
    }
    if url.scheme() != "data" {
        let reason = format!(
            "URLs with the scheme \"{}\" cannot be fetched",
            url.scheme()
        );
        return Err(FetchError::new(
            FetchErrorKind::UnsupportedScheme,
            url,
            reason,
        ));
    }
    let error = |kind, reason: String| FetchError::new(kind, shortened(url), reason);
    let data = DataUrl::process(url.as_str()).map_err(|_| {
        error(
            FetchErrorKind::BadRequest,
            "the data: URL has no comma".to_owned(),
        )
    })?;
    let (body, _fragment) = data.decode_to_vec().map_err(|_| {
        error(
            FetchErrorKind::BadRequest,
            "the data: URL is not valid base64".to_owned(),
        )
    })?;
    if body.len() > max_body_size {
        let reason = format!("it is larger than the limit of {max_body_size} bytes");
        return Err(error(FetchErrorKind::TooLarge, reason));
    }
    Ok(response(url, data.mime_type().to_string(), body))
}

fn response(url: &Url, content_type: String, body: Vec<u8>) -> Response {
    Response {
        response_type: ResponseType::Basic,
        url: Some(url.clone()),
        redirected: false,
        redirects: Vec::new(),
        from_cache: false,
        status: 200,
        status_text: "OK".to_owned(),
        headers: vec![("content-type".to_owned(), content_type.into_bytes())],
        body,
        internal: None,
    }
}

/// A data: URL can be as long as what it holds.
fn shortened(url: &Url) -> String {
    const SHOWN: usize = 80;
    let text = url.as_str();
    // The serialization of a URL is ASCII.
    text.get(..SHOWN)
        .map_or_else(|| text.to_owned(), |start| format!("{start}..."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(url: &str) -> FetchResult {
        fetch(&Url::parse(url).unwrap(), 16)
    }

    #[test]
    fn a_data_url_holds_its_response() {
        for (url, content_type, body) in [
            ("data:,a%20b", "text/plain;charset=US-ASCII", &b"a b"[..]),
            (
                "data:text/html;charset=utf-8,<p>#end",
                "text/html;charset=utf-8",
                b"<p>",
            ),
            (
                "data:application/x-test;base64,AAH/",
                "application/x-test",
                &[0, 1, 255],
            ),
            ("about:blank", "text/html;charset=utf-8", b""),
        ] {
            let response = fetched(url).unwrap();
            assert_eq!(
                response.header("content-type").unwrap(),
                content_type.as_bytes(),
                "{url}"
            );
            assert_eq!(response.body, body, "{url}");
            assert_eq!((response.status, response.redirected), (200, false));
        }
    }

    #[test]
    fn a_bad_data_url_says_what_is_wrong() {
        for (url, kind) in [
            ("data:text/plain", FetchErrorKind::BadRequest),
            ("data:;base64,!!!", FetchErrorKind::BadRequest),
            ("data:,12345678901234567", FetchErrorKind::TooLarge),
            ("about:config", FetchErrorKind::UnsupportedScheme),
        ] {
            assert_eq!(fetched(url).unwrap_err().kind, kind, "{url}");
        }
        let long = format!("data:{}", "x".repeat(1000));
        assert!(fetched(&long).unwrap_err().to_string().len() < 200);
    }
}
