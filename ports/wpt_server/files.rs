//! Files: content types, `.headers` companions, byte ranges.

use std::io;
use std::path::Path;

use crate::message::{Request, Response};
use crate::respond::Site;
use crate::substitution::{Escape, Undefined, substitute};
use crate::tree::Source;

/// Answers with what is at `path`.
pub(crate) fn answer(source: &Source, path: &str, request: &Request, site: &Site) -> Response {
    let (content, headers) = match source {
        Source::Bytes(bytes) => (bytes.to_vec(), Ok(Vec::new())),
        Source::File(file) => match std::fs::read(file) {
            Ok(content) => (content, companion_headers(path, request, site)),
            Err(error) => return unreadable(file, &error),
        },
    };
    let headers = match headers {
        Ok(headers) => headers,
        Err(Undefined(error)) => return Response::text(500, error),
    };
    let mut response = Response::new(200);
    for (name, value) in headers {
        response.append(&name, value);
    }
    if !response.has("content-type") {
        response.set("Content-Type", content_type(path));
    }
    response.body = content;
    if let Some(range) = request.header("range") {
        cut(&mut response, range);
    }
    response
}

fn unreadable(file: &Path, error: &io::Error) -> Response {
    log::warn!("cannot read {}: {error}", file.display());
    Response::text(404, "The file cannot be read.")
}

/// The headers that `__dir__.headers` and `FILE.headers` next to the file at `path` ask for.
pub(crate) fn companion_headers(
    path: &str,
    request: &Request,
    site: &Site,
) -> Result<Vec<(String, Vec<u8>)>, Undefined> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut headers = Vec::new();
    for stem in [&format!("{folder}/__dir__"), path] {
        let substituted = site.tree.file_at(&format!("{stem}.sub.headers"));
        let plain = || site.tree.file_at(&format!("{stem}.headers"));
        let escape = substituted.is_some().then_some(Escape::None);
        let Some(content) = substituted
            .or_else(plain)
            .and_then(|file| std::fs::read(file).ok())
        else {
            continue;
        };
        let content = match escape {
            Some(escape) => substitute(&content, escape, request, &site.addresses)?,
            None => content,
        };
        headers.extend(
            content
                .split(|byte| *byte == b'\n')
                .filter_map(parse_header),
        );
    }
    Ok(headers)
}

fn parse_header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
    Some((name, value.trim_ascii().to_vec()))
}

/// The content type of upstream's server for a file of that name.
fn content_type(path: &str) -> &'static str {
    let file = path.rsplit('/').next().unwrap_or(path);
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "json" => "application/json",
        "wasm" => "application/wasm",
        "xht" | "xhtm" | "xhtml" => "application/xhtml+xml",
        "xml" => "application/xml",
        "mp3" => "audio/mpeg",
        "oga" => "audio/ogg",
        "wav" => "audio/x-wav",
        "bmp" => "image/bmp",
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "manifest" => "text/cache-manifest",
        "css" => "text/css",
        "event_stream" => "text/event-stream",
        "htm" | "html" => "text/html",
        "js" | "mjs" => "text/javascript",
        "txt" | "md" => "text/plain",
        "vtt" => "text/vtt",
        "mp4" | "m4v" => "video/mp4",
        "ogg" | "ogv" => "video/ogg",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

/// Leaves the byte range that is asked for. Several ranges are answered with the whole, which is
/// allowed.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#name-range>
fn cut(response: &mut Response, range: &str) {
    let length = response.body.len();
    let Some((first, last)) = range
        .trim()
        .strip_prefix("bytes=")
        .filter(|range| !range.contains(','))
        .and_then(|range| range.split_once('-'))
    else {
        return;
    };
    let (first, last) = (first.trim().parse::<usize>(), last.trim().parse::<usize>());
    let (first, last) = match (first, last) {
        (Ok(first), Ok(last)) if first > last => return,
        (Ok(first), last) => (
            first,
            last.unwrap_or(usize::MAX).min(length.saturating_sub(1)),
        ),
        (Err(_), Ok(suffix)) if suffix > 0 => {
            (length.saturating_sub(suffix), length.saturating_sub(1))
        }
        _ => return,
    };
    if first >= length {
        *response = Response::text(416, "The range is outside of the file.");
        response.set("Content-Range", format!("bytes */{length}"));
        return;
    }
    response.status = 206;
    response.set("Content-Range", format!("bytes {first}-{last}/{length}"));
    response.body = response.body[first..=last].to_vec();
}
