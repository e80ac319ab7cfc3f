//! What the Update algorithm asks of the response with a main script.

use base::exception::DomException;
use sw_traits::ScriptResource;

/// The path under which the scope of a script must be; none when the server names another origin.
pub(crate) fn max_scope(script: &ScriptResource) -> Result<Option<String>, DomException> {
    let header = script.header("service-worker-allowed");
    let allowed = header.as_deref().unwrap_or("./");
    let max_scope = script.url.join(allowed).map_err(|error| {
        DomException::type_error(format!(
            "the Service-Worker-Allowed header of {}, \"{allowed}\", is not a URL: {error}",
            script.url
        ))
    })?;
    let same_origin = max_scope.origin() == script.url.origin();
    Ok(same_origin.then(|| max_scope.path().to_owned()))
}

/// Whether the [MIME type] of a script is one of [JavaScript], parameters left aside.
///
/// [MIME type]: https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
/// [JavaScript]: https://mimesniff.spec.whatwg.org/#javascript-mime-type
pub(crate) fn is_javascript(script: &ScriptResource) -> bool {
    let content_type = script.header("content-type").unwrap_or_default();
    // Of several, the last one that is a MIME type at all.
    let essence = content_type
        .split(',')
        .filter_map(|value| value.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase())
        .rfind(|essence| is_mime_type(essence) && essence != "*/*")
        .unwrap_or_default();
    matches!(
        essence.as_str(),
        "application/ecmascript"
            | "application/javascript"
            | "application/x-ecmascript"
            | "application/x-javascript"
            | "text/ecmascript"
            | "text/javascript"
            | "text/javascript1.0"
            | "text/javascript1.1"
            | "text/javascript1.2"
            | "text/javascript1.3"
            | "text/javascript1.4"
            | "text/javascript1.5"
            | "text/jscript"
            | "text/livescript"
            | "text/x-ecmascript"
            | "text/x-javascript"
    )
}

/// Whether it consists of HTTP token code points, and a slash.
fn is_mime_type(essence: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    essence.split_once('/').is_some_and(|parts| {
        [parts.0, parts.1]
            .into_iter()
            .all(|part| !part.is_empty() && part.bytes().all(is_of_token))
    })
}
