//! Bodies that come compressed although they were asked for as they are.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::error::{FetchError, FetchErrorKind};
use crate::response::{FetchResult, Response};

/// The most codings that are undone, one after the other.
const MAX_CODINGS: usize = 4;

/// By how much a body grows at once, in bytes.
const GROWTH: usize = 16 << 10;

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
}

/// Why a body cannot be decoded.
enum Failure {
    TooLarge,
    Invalid(String),
}

/// The response with its body as it was before the server encoded it, unless that is larger than
/// `limit` bytes. With a coding that is not known the body stays as it is.
///
/// <https://fetch.spec.whatwg.org/#handle-content-codings>
pub(crate) fn decoded(mut response: Response, limit: usize) -> FetchResult {
    // Without a body (HEAD, 204, 304) the header is about what another response would hold.
    if response.body.is_empty() {
        return Ok(response);
    }
    let Some(codings) = known_codings(&response) else {
        return Ok(response);
    };
    let error = |kind, reason: String| {
        let url = response.url.as_ref().map_or("", |url| url.as_str());
        Err(FetchError::new(kind, url, reason))
    };
    if codings.len() > MAX_CODINGS {
        let reason = format!("the response is encoded more than {MAX_CODINGS} times");
        return error(FetchErrorKind::Protocol, reason);
    }
    let mut body = std::mem::take(&mut response.body);
    // The last one was applied last.
    for coding in codings.into_iter().rev() {
        let decoded = match coding {
            Coding::Gzip => gunzip(&body, limit),
            Coding::Deflate => inflate(&body, limit),
        };
        body = match decoded {
            Ok(body) => body,
            Err(Failure::TooLarge) => {
                let reason = format!("the response is larger than the limit of {limit} bytes");
                return error(FetchErrorKind::TooLarge, reason);
            }
            Err(Failure::Invalid(what)) => {
                let reason = format!("the response is not encoded as the server says: {what}");
                return error(FetchErrorKind::Protocol, reason);
            }
        };
    }
    response.body = body;
    Ok(response)
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1>
fn known_codings(response: &Response) -> Option<Vec<Coding>> {
    let names = response.header_list("content-encoding").unwrap_or_default();
    let codings = names.iter().map(|name| name.to_ascii_lowercase());
    codings
        .filter(|name| name != "identity")
        .map(|name| match name.as_str() {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            _ => None,
        })
        .collect()
}

fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut decoded = Vec::new();
    let more_than_limit = u64::try_from(limit).map_or(u64::MAX, |limit| limit.saturating_add(1));
    MultiGzDecoder::new(body)
        .take(more_than_limit)
        .read_to_end(&mut decoded)
        .map_err(|error| Failure::Invalid(error.to_string()))?;
    if decoded.len() > limit {
        return Err(Failure::TooLarge);
    }
    Ok(decoded)
}

fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let (mut decoder, mut decoded) = (Decompress::new(has_zlib_header(body)), Vec::new());
    let mut rest = body;
    loop {
        decoded.reserve(GROWTH);
        let before = (decoder.total_in(), decoded.len());
        let status = decoder
            .decompress_vec(rest, &mut decoded, FlushDecompress::None)
            .map_err(|error| Failure::Invalid(error.to_string()))?;
        if decoded.len() > limit {
            return Err(Failure::TooLarge);
        }
        if status == Status::StreamEnd {
            return Ok(decoded);
        }
        if (decoder.total_in(), decoded.len()) == before {
            return Err(Failure::Invalid("it ends half way".to_owned()));
        }
        let taken = usize::try_from(decoder.total_in() - before.0).unwrap_or(rest.len());
        rest = rest.get(taken..).unwrap_or_default();
    }
}

/// The coding is meant to have one, and some servers leave it out.
///
/// <https://www.rfc-editor.org/rfc/rfc1950#section-2.2>
fn has_zlib_header(body: &[u8]) -> bool {
    matches!(body, [first, second, ..]
        if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"one two one two one two";

    fn response(encoding: &str, body: Vec<u8>) -> Response {
        Response {
            body,
            ..Response::of_headers(&[("content-encoding", encoding)])
        }
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_is_what_it_was_before_it_was_encoded() {
        let twice = gzip(TEXT).repeat(2);
        for (encoding, body, expected) in [
            ("gzip", gzip(TEXT), TEXT),
            ("X-GZip", gzip(TEXT), TEXT),
            ("gzip", twice, &TEXT.repeat(2)[..]),
            ("deflate", zlib(TEXT), TEXT),
            ("deflate", raw_deflate(TEXT), TEXT),
            ("deflate, gzip", gzip(&zlib(TEXT)), TEXT),
            ("identity", TEXT.to_vec(), TEXT),
            ("br", TEXT.to_vec(), TEXT),
            ("gzip, br", TEXT.to_vec(), TEXT),
            ("gzip", Vec::new(), b""),
        ] {
            let decoded = decoded(response(encoding, body), 100).unwrap();
            assert_eq!(decoded.body, expected, "{encoding}");
        }
    }

    #[test]
    fn a_body_that_is_cut_off_or_something_else_is_an_error() {
        for (encoding, whole) in [
            ("gzip", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", raw_deflate(TEXT)),
        ] {
            for length in 1..whole.len() {
                let cut_off = response(encoding, whole[..length].to_vec());
                let error = decoded(cut_off, 100).unwrap_err();
                assert_eq!(error.kind, FetchErrorKind::Protocol, "{encoding} {length}");
            }
        }
        let error = decoded(response(&"gzip,".repeat(5), gzip(TEXT)), 100).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Protocol);
    }

    #[test]
    fn the_limit_is_that_of_the_decoded_body() {
        let zeros = vec![0; 1 << 20];
        for (encoding, body) in [
            ("gzip", gzip(&zeros)),
            ("deflate", zlib(&zeros)),
            ("deflate", raw_deflate(&zeros)),
        ] {
            let fits = decoded(response(encoding, body.clone()), zeros.len()).unwrap();
            assert_eq!(fits.body, zeros);
            let error = decoded(response(encoding, body), zeros.len() - 1).unwrap_err();
            assert_eq!(error.kind, FetchErrorKind::TooLarge, "{encoding}");
        }
    }
}
