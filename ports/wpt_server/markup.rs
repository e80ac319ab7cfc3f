//! What a test says of itself in its markup, read without building a document.

use crate::metadata::Metadata;

/// What matters of a page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Whether it loads testharness.js, and so is a test.
    pub(crate) has_testharness: bool,
    /// What its `meta` elements say of `timeout` and `variant`.
    pub(crate) metadata: Metadata,
}

/// Looks at the start tags of a page. Comments and the text of scripts do not count.
pub(crate) fn read(markup: &[u8]) -> Page {
    let text = String::from_utf8_lossy(markup);
    let mut page = Page::default();
    let mut pairs = Vec::new();
    let mut rest: &str = &text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = after(comment, "-->");
            continue;
        }
        let Some((name, attributes, following)) = start_tag(rest) else {
            rest = &rest[1..];
            continue;
        };
        rest = following;
        let value = |key: &str| {
            attributes
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value.as_str())
        };
        let local_name = name.rsplit(':').next().unwrap_or(&name);
        if local_name.eq_ignore_ascii_case("script") {
            page.has_testharness |= value("src") == Some("/resources/testharness.js");
            rest = script_end(rest);
        } else if local_name.eq_ignore_ascii_case("meta")
            && let (Some(name @ ("timeout" | "variant")), Some(content)) =
                (value("name"), value("content"))
        {
            pairs.push((name.to_owned(), content.to_owned()));
        }
    }
    page.metadata = Metadata::from_pairs(pairs);
    page
}

/// What follows the first `end` in `text`.
fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// What follows the text of a script.
fn script_end(text: &str) -> &str {
    let end = text
        .as_bytes()
        .windows(8)
        .position(|window| window.eq_ignore_ascii_case(b"</script"));
    end.map_or("", |end| &text[end..])
}

type StartTag<'a> = (String, Vec<(String, String)>, &'a str);

/// A start tag at the start of `text`: its name, its attributes, and what follows it.
fn start_tag(text: &str) -> Option<StartTag<'_>> {
    let text = text.strip_prefix('<')?;
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let end = |character: char| character.is_ascii_whitespace() || matches!(character, '>' | '/');
    let name = text.split(end).next()?;
    let mut rest = &text[name.len()..];
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|character: char| {
            character.is_ascii_whitespace() || character == '/'
        });
        if let Some(following) = rest.strip_prefix('>') {
            return Some((name.to_owned(), attributes, following));
        }
        let length = rest
            .find(|character: char| end(character) || character == '=')
            .filter(|length| *length > 0)
            .or_else(|| rest.starts_with('=').then_some(1))?;
        let attribute = rest[..length].to_owned();
        rest = rest[length..].trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            attributes.push((attribute, String::new()));
            continue;
        };
        let (value, following) = attribute_value(value.trim_start())?;
        attributes.push((attribute, unescape(value)));
        rest = following;
    }
}

/// A value with or without quotes at the start of `text`, and what follows it.
fn attribute_value(text: &str) -> Option<(&str, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote);
        }
    }
    let length =
        text.find(|character: char| character.is_ascii_whitespace() || character == '>')?;
    Some(text.split_at(length))
}

/// Undoes the escapes that variants use.
fn unescape(value: &str) -> String {
    value.replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_the_harness_is_a_test() {
        for page in [
            "<!doctype html><script src=/resources/testharness.js></script>",
            "<SCRIPT async SRC = '/resources/testharness.js'></SCRIPT>",
            r#"<h:script src="/resources/testharness.js"/>"#,
        ] {
            assert!(read(page.as_bytes()).has_testharness, "{page}");
        }
        for page in [
            "<!-- <script src=/resources/testharness.js></script> -->",
            "<script>'<script src=/resources/testharness.js>'</script>",
            "<script src=testharness.js></script>",
            "a < b <",
            "<script src='/resources/testharness.js",
        ] {
            assert!(!read(page.as_bytes()).has_testharness, "{page}");
        }
    }

    #[test]
    fn timeout_and_variants_are_read() {
        let page = read(
            b"<title>T</title><meta charset=utf-8><meta content='long' name=timeout>
            <meta name=variant content='?a=1&amp;b'><meta name=variant content=''>",
        );
        assert!(page.metadata.is_long());
        assert_eq!(page.metadata.variants(), ["?a=1&b", ""]);
    }
}
