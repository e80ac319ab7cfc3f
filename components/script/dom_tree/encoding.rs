//! Bytes to text.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

use super::parser::first_encoding_indicator;

/// How many bytes at the start of a document may say its encoding.
///
/// <https://html.spec.whatwg.org/multipage/#determining-the-character-encoding>
const PRESCAN_BYTES: usize = 1024;

/// The text of a document.
#[derive(Clone, Debug)]
pub struct DecodedDocument {
    /// The text, without a byte order mark.
    pub text: String,
    /// The encoding that the bytes were in, which the document's scripts inherit.
    pub encoding: &'static Encoding,
}

/// Decode a document: by its byte order mark, else the `Content-Type` header, else its `meta`
/// element, else as windows-1252. Malformed bytes become U+FFFD.
///
/// <https://html.spec.whatwg.org/multipage/#encoding-sniffing-algorithm>
pub fn decode_document(bytes: &[u8], content_type: Option<&str>) -> DecodedDocument {
    let declared = content_type
        .and_then(encoding_for_content_type)
        .or_else(|| prescan(bytes))
        .unwrap_or(WINDOWS_1252);
    let (text, encoding, _) = declared.decode(bytes);
    DecodedDocument {
        text: text.into_owned(),
        encoding,
    }
}

/// Decode a script or the like: by its byte order mark, else the `Content-Type` header, else as
/// `fallback`.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-classic-script>
pub fn decode_text(bytes: &[u8], content_type: &str, fallback: &'static Encoding) -> String {
    let encoding = encoding_for_content_type(content_type).unwrap_or(fallback);
    encoding.decode(bytes).0.into_owned()
}

/// The encoding that the `charset` parameter of a `Content-Type` header names.
///
/// <https://html.spec.whatwg.org/multipage/#legacy-extract-an-encoding>
pub fn encoding_for_content_type(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        if !name.trim_ascii().eq_ignore_ascii_case("charset") {
            return None;
        }
        Encoding::for_label(value.trim_ascii().trim_matches('"').as_bytes())
    })
}

/// The encoding that a `meta` element near the start names.
///
/// <https://html.spec.whatwg.org/multipage/#prescan-a-byte-stream-to-determine-its-encoding>
fn prescan(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = &bytes[..bytes.len().min(PRESCAN_BYTES)];
    // Every encoding that a `meta` element can name has ASCII where the element is.
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(start);
    let encoding = Encoding::for_label(first_encoding_indicator(&text)?.as_bytes())?;
    if encoding == UTF_16BE || encoding == UTF_16LE {
        return Some(UTF_8);
    }
    Some(if encoding == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        encoding
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], content_type: Option<&str>) -> (String, &'static str) {
        let document = decode_document(bytes, content_type);
        (document.text, document.encoding.name())
    }

    #[test]
    fn the_byte_order_mark_wins_then_the_header_then_the_meta_element() {
        let utf8 = "é".as_bytes();
        assert_eq!(
            decoded(utf8, Some("text/html; charset=\"UTF-8\"")),
            ("é".into(), "UTF-8")
        );
        assert_eq!(decoded(utf8, Some("text/html;Charset=latin1")).0, "Ã©");
        assert_eq!(decoded(utf8, None), ("Ã©".into(), "windows-1252"));
        assert_eq!(
            decoded(utf8, Some("text/html; charset=nonsense")).1,
            "windows-1252"
        );
        let marked = [b"\xef\xbb\xbf".as_slice(), utf8].concat();
        assert_eq!(
            decoded(&marked, Some("text/html; charset=latin1")),
            ("é".into(), "UTF-8")
        );
        let wide = b"\xff\xfea\0";
        assert_eq!(decoded(wide, None), ("a".into(), "UTF-16LE"));
        let meta = b"<!doctype html><!-- <meta charset=koi8-r> --><meta charset=utf-8>\xc3\xa9";
        assert!(decoded(meta, None).0.ends_with('é'));
        assert_eq!(
            decoded(meta, Some("text/html; charset=latin1")).1,
            "windows-1252"
        );
        let http_equiv =
            b"<meta http-equiv=content-type content='text/html; charset=shift_jis'>\x82\xa0";
        assert!(decoded(http_equiv, None).0.ends_with('あ'));
        let wrong = b"<script>'<meta charset=koi8-r>'</script><meta charset=utf-16>x";
        assert_eq!(decoded(wrong, None).1, "UTF-8");
    }

    #[test]
    fn a_meta_element_that_comes_too_late_is_not_read() {
        let late = [vec![b' '; PRESCAN_BYTES], b"<meta charset=utf-8>".to_vec()].concat();
        assert_eq!(decoded(&late, None).1, "windows-1252");
    }
}
