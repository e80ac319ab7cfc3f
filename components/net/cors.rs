//! The rules by which another origin decides what a requester may do and see.

use crate::request::{CredentialsMode, Request};
use crate::response::Response;

/// The most bytes that a safelisted header's value may have.
const SAFELISTED_VALUE_LENGTH: usize = 128;

/// The most bytes that all safelisted headers' values may have together.
const SAFELISTED_VALUES_LENGTH: usize = 1024;

/// <https://fetch.spec.whatwg.org/#cors-safelisted-method>
pub(crate) fn is_safelisted_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "POST")
}

/// <https://fetch.spec.whatwg.org/#cors-safelisted-request-header>
fn is_safelisted_header(name: &str, value: &[u8]) -> bool {
    if value.len() > SAFELISTED_VALUE_LENGTH {
        return false;
    }
    match name {
        "accept" => !value.iter().copied().any(is_unsafe_byte),
        "accept-language" | "content-language" => value.iter().all(|byte| {
            matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b' ' | b'*' | b',' | b'-' | b'.' | b';' | b'=')
        }),
        "content-type" => {
            !value.iter().copied().any(is_unsafe_byte) && is_safelisted_content_type(value)
        },
        "range" => is_simple_range(value),
        _ => false,
    }
}

/// <https://fetch.spec.whatwg.org/#cors-unsafe-request-header-byte>
fn is_unsafe_byte(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t')
        || matches!(
            byte,
            b'"' | b'('
                | b')'
                | b':'
                | b'<'
                | b'>'
                | b'?'
                | b'@'
                | b'['
                | b'\\'
                | b']'
                | b'{'
                | b'}'
                | 0x7f
        )
}

fn is_safelisted_content_type(value: &[u8]) -> bool {
    let essence = value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ]
    .iter()
    .any(|safe| essence.eq_ignore_ascii_case(safe.as_bytes()))
}

/// A range of one part that has a start: `bytes=5-` or `bytes=5-9`.
///
/// <https://fetch.spec.whatwg.org/#simple-range-header-value>
fn is_simple_range(value: &[u8]) -> bool {
    let Some(range) = str::from_utf8(value)
        .ok()
        .and_then(|text| text.strip_prefix("bytes="))
    else {
        return false;
    };
    let Some((start, end)) = range.split_once('-') else {
        return false;
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (Ok(first), true, true) = (start.parse::<u64>(), is_digits(start), is_digits(end)) else {
        return false;
    };
    end.is_empty() || end.parse::<u64>().is_ok_and(|last| first <= last)
}

/// The names of the headers that another origin must agree to: in lower case, sorted, each once.
///
/// <https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names>
pub(crate) fn unsafe_header_names(headers: &[(String, Vec<u8>)]) -> Vec<String> {
    let (mut names, mut safelisted, mut length) = (Vec::new(), Vec::new(), 0);
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if is_safelisted_header(&name, value) {
            length += value.len();
            safelisted.push(name);
        } else {
            names.push(name);
        }
    }
    if length > SAFELISTED_VALUES_LENGTH {
        names.append(&mut safelisted);
    }
    names.sort();
    names.dedup();
    names
}

/// Whether the other origin lets `origin` read the response. The error says what is missing.
///
/// <https://fetch.spec.whatwg.org/#concept-cors-check>
pub(crate) fn check(
    origin: &str,
    credentials: CredentialsMode,
    response: &Response,
) -> Result<(), String> {
    // Steps 1 and 2: the header must be there.
    let Some(allowed) = response.header("access-control-allow-origin") else {
        return Err(format!(
            "the server does not let {origin} read it: the response has no \
             Access-Control-Allow-Origin header"
        ));
    };
    // Step 3: any origin, as long as there are no credentials.
    if credentials != CredentialsMode::Include && allowed == b"*" {
        return Ok(());
    }
    // Steps 4 and 5: this very origin.
    if allowed != origin.as_bytes() {
        let allowed = String::from_utf8_lossy(&allowed).into_owned();
        let hint = if allowed == "*" {
            ", which is not enough with credentials"
        } else {
            ""
        };
        return Err(format!(
            "the server does not let {origin} read it: its Access-Control-Allow-Origin header is \
             \"{allowed}\"{hint}"
        ));
    }
    // Steps 6 to 8: and with credentials, if they are sent.
    let with_credentials = response.header("access-control-allow-credentials");
    if credentials != CredentialsMode::Include || with_credentials.as_deref() == Some(b"true") {
        return Ok(());
    }
    Err(format!(
        "the server does not let {origin} read it with credentials: its \
         Access-Control-Allow-Credentials header is not \"true\""
    ))
}

/// Whether the answer to a preflight allows the request. The error says what is missing.
///
/// <https://fetch.spec.whatwg.org/#cors-preflight-fetch-0>, step 7, after the check of the origin.
pub(crate) fn check_preflight(
    method: &str,
    unsafe_names: &[String],
    request: &Request,
    response: &Response,
) -> Result<(), String> {
    let methods = response
        .header_list("access-control-allow-methods")
        .unwrap_or_default();
    let names = response
        .header_list("access-control-allow-headers")
        .unwrap_or_default();
    let with_credentials = request.credentials == CredentialsMode::Include;
    let wildcard = |list: &[String]| !with_credentials && list.iter().any(|item| item == "*");
    // Steps 7.5 and 7.6: the method.
    if !methods.iter().any(|allowed| allowed == method)
        && !is_safelisted_method(method)
        && !wildcard(&methods)
    {
        return Err(format!(
            "the server does not allow the method {method} from other origins: its answer to the \
             preflight names [{}] in Access-Control-Allow-Methods",
            methods.join(", ")
        ));
    }
    // Steps 7.7 and 7.8: the headers; one that authenticates is not covered by the asterisk.
    for name in unsafe_names {
        let named = names
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name));
        let covered = name != "authorization" && wildcard(&names);
        if !named && !covered {
            return Err(format!(
                "the server does not allow the header {name} from other origins: its answer to \
                 the preflight names [{}] in Access-Control-Allow-Headers",
                names.join(", ")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn headers_that_a_form_could_not_send_are_unsafe() {
        for (name, value, safe) in [
            ("Accept", "text/html, */*;q=0.1", true),
            ("Accept", "\"quoted\"", false),
            ("Accept-Language", "de, en;q=0.5", true),
            ("Accept-Language", "de/en", false),
            ("Content-Type", "Text/Plain; charset=utf-8", true),
            ("Content-Type", "application/json", false),
            ("Content-Type", "text/plain; x=<", false),
            ("Range", "bytes=0-", true),
            ("Range", "bytes=5-9", true),
            ("Range", "bytes=9-5", false),
            ("Range", "bytes=-5", false),
            ("Range", "bytes=+1-2", false),
            ("X-Own", "1", false),
            ("Authorization", "Basic eA==", false),
        ] {
            let headers = [(name.to_owned(), value.as_bytes().to_vec())];
            assert_eq!(
                unsafe_header_names(&headers).is_empty(),
                safe,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn much_of_what_is_safe_is_unsafe() {
        let header = |length| ("Accept".to_owned(), vec![b'a'; length]);
        assert_eq!(unsafe_header_names(&[header(129)]), ["accept"]);
        assert!(unsafe_header_names(&vec![header(128); 8]).is_empty());
        assert_eq!(unsafe_header_names(&vec![header(128); 9]), ["accept"]);
    }

    #[test]
    fn the_check_follows_the_table_of_origins_and_credentials() {
        let origin = "https://a.example";
        for (allow_origin, allow_credentials, without, with) in [
            (None, None, false, false),
            (Some("*"), None, true, false),
            (Some("*"), Some("true"), true, false),
            (Some("https://a.example"), None, true, false),
            (Some("https://a.example"), Some("true"), true, true),
            (Some("https://a.example"), Some("True"), true, false),
            (Some("https://A.example"), Some("true"), false, false),
            (Some("https://b.example"), Some("true"), false, false),
            (
                Some("https://a.example, https://b.example"),
                Some("true"),
                false,
                false,
            ),
            (Some("null"), Some("true"), false, false),
        ] {
            let mut headers = Vec::new();
            headers.extend(allow_origin.map(|value| ("access-control-allow-origin", value)));
            headers
                .extend(allow_credentials.map(|value| ("access-control-allow-credentials", value)));
            let response = Response::of_headers(&headers);
            let is_allowed = |credentials| check(origin, credentials, &response).is_ok();
            assert_eq!(
                is_allowed(CredentialsMode::SameOrigin),
                without,
                "{headers:?}"
            );
            assert_eq!(is_allowed(CredentialsMode::Omit), without, "{headers:?}");
            assert_eq!(is_allowed(CredentialsMode::Include), with, "{headers:?}");
        }
    }

    #[test]
    fn a_preflight_must_name_method_and_headers() {
        let mut request = Request::new(Url::parse("https://b.example/").unwrap());
        let names = ["authorization".to_owned(), "x-own".to_owned()];
        let answer = |methods: &str, headers: &str| {
            Response::of_headers(&[
                ("access-control-allow-methods", methods),
                ("access-control-allow-headers", headers),
            ])
        };
        let allowed = answer("PUT, DELETE", "X-Own,Authorization");
        assert_eq!(check_preflight("PUT", &names, &request, &allowed), Ok(()));
        assert_eq!(check_preflight("POST", &names, &request, &allowed), Ok(()));
        let refused = check_preflight("PATCH", &names, &request, &allowed).unwrap_err();
        assert!(
            refused.contains("PATCH") && refused.contains("PUT, DELETE"),
            "{refused}"
        );
        let unnamed = answer("PUT", "x-other");
        assert!(check_preflight("PUT", &names, &request, &unnamed).is_err());
        let any = answer("*", "*");
        assert!(check_preflight("PUT", &names[1..], &request, &any).is_ok());
        assert!(check_preflight("PUT", &names[..1], &request, &any).is_err());
        request.credentials = CredentialsMode::Include;
        assert!(check_preflight("PUT", &names[1..], &request, &any).is_err());
    }
}
