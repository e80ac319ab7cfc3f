//! What a response says that it is.

use crate::request::Destination;
use crate::response::Response;

/// <https://mimesniff.spec.whatwg.org/#javascript-mime-type>
const JAVASCRIPT: [&str; 16] = [
    "application/ecmascript",
    "application/javascript",
    "application/x-ecmascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/javascript",
    "text/javascript1.0",
    "text/javascript1.1",
    "text/javascript1.2",
    "text/javascript1.3",
    "text/javascript1.4",
    "text/javascript1.5",
    "text/jscript",
    "text/livescript",
    "text/x-ecmascript",
    "text/x-javascript",
];

/// Whether a `Content-Type` is one of JavaScript; parameters are left aside.
///
/// <https://mimesniff.spec.whatwg.org/#javascript-mime-type>
pub fn is_javascript_mime_type(content_type: &str) -> bool {
    JAVASCRIPT.contains(&essence(content_type).as_str())
}

/// The type and subtype, in lower case.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Why a response must not be run as a script although its server sent it, if that is so. The
/// scripts of service workers are not asked about here: of them a type of JavaScript is required
/// anyway, by whoever registers them.
///
/// <https://fetch.spec.whatwg.org/#should-response-to-request-be-blocked-due-to-mime-type?> and
/// <https://fetch.spec.whatwg.org/#should-response-to-request-be-blocked-due-to-nosniff?>
pub(crate) fn blocks(destination: Destination, response: &Response) -> Option<String> {
    if !matches!(
        destination,
        Destination::Script | Destination::Worker | Destination::SharedWorker
    ) {
        return None;
    }
    // Of several types the last one counts.
    let types = response.header_list("content-type").unwrap_or_default();
    let content_type = types.last().map_or("", String::as_str);
    let essence = essence(content_type);
    let is_other = ["audio/", "image/", "video/"]
        .iter()
        .any(|kind| essence.starts_with(kind));
    if is_other || essence == "text/csv" {
        return Some(format!(
            "the server says that it is {essence}, not a script"
        ));
    }
    let options = response.header_list("x-content-type-options");
    let nosniff = options.is_some_and(|options| {
        let first = options.first();
        first.is_some_and(|first| first.eq_ignore_ascii_case("nosniff"))
    });
    (nosniff && !JAVASCRIPT.contains(&essence.as_str())).then(|| {
        format!(
            "its type \"{content_type}\" is not one of JavaScript, and the server forbids to guess"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blocked(destination: Destination, headers: &[(&str, &str)]) -> bool {
        let response = Response::of_headers(headers);
        blocks(destination, &response).is_some()
    }

    #[test]
    fn types_of_javascript_are_known_whatever_their_case_and_parameters() {
        for (content_type, is_javascript) in [
            ("text/javascript", true),
            (" Application/JavaScript ; charset=utf-8", true),
            ("text/javascript1.6", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(
                is_javascript_mime_type(content_type),
                is_javascript,
                "{content_type}"
            );
        }
    }

    #[test]
    fn a_script_that_is_something_else_is_blocked() {
        for (headers, blocked) in [
            (&[("content-type", "image/png")][..], true),
            (&[("content-type", "text/csv; header=present")], true),
            (&[("content-type", "text/plain")], false),
            (&[], false),
            (
                &[
                    ("content-type", "text/plain"),
                    ("x-content-type-options", "NoSniff"),
                ],
                true,
            ),
            (&[("x-content-type-options", "nosniff")], true),
            (
                &[
                    ("content-type", "text/javascript"),
                    ("x-content-type-options", "nosniff"),
                ],
                false,
            ),
            (
                &[
                    ("content-type", "text/plain"),
                    ("x-content-type-options", "other, nosniff"),
                ],
                false,
            ),
        ] {
            assert_eq!(
                is_blocked(Destination::Script, headers),
                blocked,
                "{headers:?}"
            );
            assert!(!is_blocked(Destination::Empty, headers), "{headers:?}");
        }
    }
}
