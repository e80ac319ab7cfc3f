//! What a server asks to forget.

use crate::response::Response;

/// The kinds of data that a `Clear-Site-Data` header names. Those that only a page could forget are
/// left out.
///
/// <https://w3c.github.io/webappsec-clear-site-data/#parsing>
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClearSiteData {
    pub(crate) cache: bool,
    pub(crate) cookies: bool,
    pub(crate) storage: bool,
}

impl ClearSiteData {
    pub(crate) fn of(response: &Response) -> Self {
        let kinds = response.header_list("clear-site-data").unwrap_or_default();
        let has = |kind: &str| kinds.iter().any(|own| own == kind || own == "\"*\"");
        Self {
            cache: has("\"cache\""),
            cookies: has("\"cookies\""),
            storage: has("\"storage\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_in_quotes() {
        let kinds = |value: &str| {
            let found = ClearSiteData::of(&Response::of_headers(&[("clear-site-data", value)]));
            (found.cache, found.cookies, found.storage)
        };
        assert_eq!(kinds("\"storage\""), (false, false, true));
        assert_eq!(kinds("\"cache\" , \"cookies\""), (true, true, false));
        assert_eq!(kinds("\"*\""), (true, true, true));
        assert_eq!(kinds("storage, *, \"Storage\""), (false, false, false));
    }
}
