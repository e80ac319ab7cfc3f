//! What headers scripts may set.

/// <https://httpwg.org/specs/rfc9110.html#tokens>
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let is_token_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_token_byte)
}

/// <https://fetch.spec.whatwg.org/#header-value>
pub(crate) fn is_header_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r'))
}

/// <https://fetch.spec.whatwg.org/#concept-header-value-normalize>
pub(crate) fn normalized(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let Some(start) = value.iter().position(|byte| !is_blank(byte)) else {
        return &[];
    };
    let end = value.iter().rposition(|byte| !is_blank(byte));
    &value[start..=end.unwrap_or(start)]
}

const FORBIDDEN_REQUEST_HEADERS: [&str; 22] = [
    "accept-charset",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// <https://fetch.spec.whatwg.org/#forbidden-request-header>
pub(crate) fn is_forbidden_request_header(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    if FORBIDDEN_REQUEST_HEADERS.contains(&name.as_str())
        || name.starts_with("proxy-")
        || name.starts_with("sec-")
    {
        return true;
    }
    let overrides_method = matches!(
        name.as_str(),
        "x-http-method" | "x-http-method-override" | "x-method-override"
    );
    let value = String::from_utf8_lossy(value);
    overrides_method
        && value
            .split(',')
            .any(|method| is_forbidden_method(method.trim_matches([' ', '\t'])))
}

/// <https://fetch.spec.whatwg.org/#forbidden-response-header-name>
pub(crate) fn is_forbidden_response_header(name: &str) -> bool {
    name.eq_ignore_ascii_case("set-cookie") || name.eq_ignore_ascii_case("set-cookie2")
}

/// <https://fetch.spec.whatwg.org/#forbidden-method>
pub(crate) fn is_forbidden_method(method: &str) -> bool {
    ["CONNECT", "TRACE", "TRACK"]
        .iter()
        .any(|forbidden| method.eq_ignore_ascii_case(forbidden))
}

/// <https://fetch.spec.whatwg.org/#concept-method-normalize>
pub(crate) fn normalized_method(method: &str) -> String {
    ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]
        .iter()
        .find(|known| method.eq_ignore_ascii_case(known))
        .map_or_else(|| method.to_owned(), |known| (*known).to_owned())
}

/// <https://fetch.spec.whatwg.org/#no-cors-safelisted-request-header>
pub(crate) fn is_no_cors_safelisted(name: &str, value: &[u8]) -> bool {
    if value.len() > 128 {
        return false;
    }
    let is_unsafe = |byte: &u8| {
        (*byte < 0x20 && *byte != 0x09) || *byte == 0x7f || b"\"():<>?@[\\]{}".contains(byte)
    };
    match name.to_ascii_lowercase().as_str() {
        "accept" => !value.iter().any(is_unsafe),
        "accept-language" | "content-language" => value
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b" *,-.;=".contains(byte)),
        "content-type" => {
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            let essence = text.split(';').next().unwrap_or_default().trim();
            !value.iter().any(is_unsafe)
                && (value.is_empty()
                    || matches!(
                        essence,
                        "application/x-www-form-urlencoded" | "multipart/form-data" | "text/plain"
                    ))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_cannot_set_what_the_browser_sets() {
        for (name, value, forbidden) in [
            ("Cookie", "", true),
            ("HOST", "", true),
            ("Proxy-X", "", true),
            ("Sec-Fetch-Mode", "", true),
            ("X-HTTP-Method-Override", "GET, trace", true),
            ("X-HTTP-Method-Override", "PATCH", false),
            ("Authorization", "", false),
            ("User-Agent", "", false),
            ("X-Own", "", false),
        ] {
            assert_eq!(
                is_forbidden_request_header(name, value.as_bytes()),
                forbidden,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn without_asking_only_simple_headers_go_to_another_origin() {
        for (name, value, safe) in [
            ("Accept", "text/html", true),
            ("Accept", "a:b", false),
            ("Accept-Language", "de, en;q=0.5", true),
            ("Accept-Language", "de_DE", false),
            ("Content-Type", "text/plain;charset=utf-8", true),
            ("Content-Type", "application/json", false),
            ("X-Own", "1", false),
        ] {
            assert_eq!(
                is_no_cors_safelisted(name, value.as_bytes()),
                safe,
                "{name}: {value}"
            );
        }
        assert!(!is_no_cors_safelisted("Accept", &[b'a'; 129]));
    }

    #[test]
    fn known_methods_are_written_in_capitals() {
        for (given, normal) in [("get", "GET"), ("Post", "POST"), ("patch", "patch")] {
            assert_eq!(normalized_method(given), normal);
        }
    }

    #[test]
    fn blanks_around_a_value_do_not_count() {
        assert_eq!(normalized(b" \t a b\r\n"), b"a b");
        assert_eq!(normalized(b" \t "), b"");
        assert!(!is_token(b"") && !is_token(b"a b") && is_token(b"x-a"));
    }
}
