//! Lists of entries as bytes and back: `multipart/form-data`, and the MIME types that tell of it.

/// One entry of a list.
///
/// <https://xhr.spec.whatwg.org/#concept-formdata-entry>
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) content: Content<'a>,
}

/// The value of an entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Content<'a> {
    Text(String),
    File {
        name: String,
        media_type: String,
        bytes: &'a [u8],
    },
}

/// What a script made of a MIME type's parameters that servers send in practice.
#[derive(Debug)]
pub(crate) struct MediaType {
    /// Type and subtype in lower case.
    pub(crate) essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// The type that a `Content-Type` header names.
    pub(crate) fn parse(header: &[u8]) -> Self {
        let text: String = header.iter().copied().map(char::from).collect();
        let (essence, parameters) = with_parameters(&text);
        Self {
            essence: essence.to_ascii_lowercase(),
            parameters,
        }
    }

    /// The first parameter of this name, which is in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }
}

fn find<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str())
}

/// Splits `value; name=value; name="value"`. Names come in lower case, quotes are taken off.
fn with_parameters(text: &str) -> (&str, Vec<(String, String)>) {
    let (value, mut rest) = text.split_once(';').unwrap_or((text, ""));
    let mut parameters = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim().trim_start_matches(';').trim();
        let after = after.trim_start();
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            let (value, next) = quoted.split_once('"').unwrap_or((quoted, ""));
            (value, next.split_once(';').map_or("", |(_, next)| next))
        } else {
            let (value, next) = after.split_once(';').unwrap_or((after, ""));
            (value.trim_end(), next)
        };
        parameters.push((name.to_ascii_lowercase(), value.to_owned()));
        rest = next;
    }
    (value.trim(), parameters)
}

/// Text in which each line ends with CR and LF.
///
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>
pub(crate) fn with_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\n', "\r\n")
}

/// A name as it stands between quotes.
fn escaped(name: &str) -> String {
    name.replace('\n', "%0A")
        .replace('\r', "%0D")
        .replace('"', "%22")
}

fn unescaped(name: &str) -> String {
    name.replace("%0A", "\n")
        .replace("%0D", "\r")
        .replace("%22", "\"")
}

/// The bytes of a list of entries. The boundary must occur in none of them.
///
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart/form-data-encoding-algorithm>
pub(crate) fn encode(parts: &[Part<'_>], boundary: &str) -> Vec<u8> {
    let mut output = Vec::new();
    for part in parts {
        let name = escaped(&with_line_ends(&part.name));
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        output.extend_from_slice(head.as_bytes());
        match &part.content {
            Content::Text(text) => {
                output.extend_from_slice(b"\r\n\r\n");
                output.extend_from_slice(with_line_ends(text).as_bytes());
            }
            Content::File {
                name,
                media_type,
                bytes,
            } => {
                let media_type = match media_type.as_str() {
                    "" => "application/octet-stream",
                    known => known,
                };
                let name = escaped(name);
                let head = format!("; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n");
                output.extend_from_slice(head.as_bytes());
                output.extend_from_slice(bytes);
            }
        }
        output.extend_from_slice(b"\r\n");
    }
    output.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    output
}

/// The entries in the bytes of a body, or `None` if they are not of this format.
///
/// <https://andreubotella.github.io/multipart-form-data/#multipart-form-data-parser>
pub(crate) fn parse<'a>(bytes: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let delimiter = format!("--{boundary}");
    let between = format!("\r\n{delimiter}");
    let mut parts = Vec::new();
    let mut rest = bytes.strip_prefix(delimiter.as_bytes())?;
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let (part, after) = parse_part(rest, between.as_bytes())?;
        parts.push(part);
        rest = after;
    }
}

/// One part, and what comes after its last line and the boundary.
fn parse_part<'a>(bytes: &'a [u8], between: &[u8]) -> Option<(Part<'a>, &'a [u8])> {
    let mut rest = bytes;
    let mut disposition = None;
    let mut media_type = None;
    loop {
        let (line, after) = split_once(rest, b"\r\n")?;
        rest = after;
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-disposition") {
            let (kind, parameters) = with_parameters(value);
            disposition = kind.eq_ignore_ascii_case("form-data").then_some(parameters);
        } else if name.eq_ignore_ascii_case("content-type") {
            media_type = Some(value.trim().to_owned());
        }
    }
    let disposition = disposition?;
    let name = unescaped(find(&disposition, "name")?);
    let (bytes, after) = split_once(rest, between)?;
    let content = match find(&disposition, "filename") {
        Some(file_name) => Content::File {
            name: unescaped(file_name),
            media_type: media_type.unwrap_or_else(|| "text/plain".to_owned()),
            bytes,
        },
        None => Content::Text(
            encoding_rs::UTF_8
                .decode_without_bom_handling(bytes)
                .0
                .into_owned(),
        ),
    };
    Some((Part { name, content }, after))
}

fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((&bytes[..place], &bytes[place + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &str, value: &str) -> Part<'static> {
        Part {
            name: name.to_owned(),
            content: Content::Text(value.to_owned()),
        }
    }

    #[test]
    fn entries_are_written_as_browsers_do() {
        let file = Part {
            name: "f".to_owned(),
            content: Content::File {
                name: "a\"b.txt".to_owned(),
                media_type: String::new(),
                bytes: b"x\n",
            },
        };
        let bytes = encode(&[text("a\nb", "1\n2"), file], "B");
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "--B\r\nContent-Disposition: form-data; name=\"a%0D%0Ab\"\r\n\r\n1\r\n2\r\n\
             --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a%22b.txt\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nx\n\r\n--B--\r\n"
        );
    }

    #[test]
    fn what_is_cut_short_or_has_no_name_is_no_form_data() {
        let whole = encode(&[text("a", "1"), text("b", "")], "B");
        let end = whole.len() - b"--\r\n".len();
        for length in 0..end {
            assert_eq!(parse(&whole[..length], "B"), None, "{length}");
        }
        assert_eq!(parse(&whole, "C"), None);
        let nameless = b"--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--";
        assert_eq!(parse(nameless, "B"), None);
        assert_eq!(parse(b"--B--", "B"), Some(Vec::new()));
    }

    #[test]
    fn parameters_are_found_in_any_writing() {
        let type_ = MediaType::parse(b"Multipart/Form-Data; charset=x ;BOUNDARY=\"a;b\"; z=1");
        assert_eq!(type_.essence, "multipart/form-data");
        assert_eq!(type_.parameter("boundary"), Some("a;b"));
        assert_eq!(type_.parameter("z"), Some("1"));
        assert_eq!(MediaType::parse(b"text/plain").parameter("boundary"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            entries in prop::collection::vec(("[^\r\n%]{0,8}", "[^\r\n]{0,12}"), 0..4),
            files in prop::collection::vec(("[^%]{0,8}", prop::collection::vec(any::<u8>(), 0..12)), 0..3),
        ) {
            let mut parts: Vec<Part<'_>> =
                entries.iter().map(|(name, value)| text(name, value)).collect();
            parts.extend(files.iter().map(|(name, bytes)| Part {
                name: "file".to_owned(),
                content: Content::File {
                    name: name.clone(),
                    media_type: "image/png".to_owned(),
                    bytes,
                },
            }));
            let bytes = encode(&parts, "no-such-boundary");
            prop_assert_eq!(parse(&bytes, "no-such-boundary"), Some(parts));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut whole = b"--B\r\n".to_vec();
            whole.extend_from_slice(&bytes);
            parse(&whole, "B");
            MediaType::parse(&bytes);
        }
    }
}
