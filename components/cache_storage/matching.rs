//! Which stored request answers another one.

use url::Url;

use crate::types::{Header, Query, StoredRequest};

/// <https://w3c.github.io/ServiceWorker/#request-matches-cached-item-algorithm>
pub(crate) fn matches(query: &Query, cached: &StoredRequest, response_headers: &[Header]) -> bool {
    // Step 1
    if !query.ignore_method && query.request.method != "GET" {
        return false;
    }
    // Steps 2 to 5
    if compared(&query.request.url, query.ignore_search)
        != compared(&cached.url, query.ignore_search)
    {
        return false;
    }
    // Steps 6 to 8
    query.ignore_vary
        || vary_fields(response_headers).all(|field| {
            field != "*" && value(&query.request.headers, &field) == value(&cached.headers, &field)
        })
}

/// The part of a URL that is compared.
fn compared(url: &Url, ignore_search: bool) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    if ignore_search {
        url.set_query(None);
    }
    url
}

/// The header names in the `Vary` headers, in lower case.
fn vary_fields(headers: &[Header]) -> impl Iterator<Item = String> + '_ {
    headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("vary"))
        .flat_map(|(_, value)| {
            String::from_utf8_lossy(value)
                .split(',')
                .map(|field| field.trim().to_ascii_lowercase())
                .filter(|field| !field.is_empty())
                .collect::<Vec<_>>()
        })
}

/// All values of a header.
fn value<'a>(headers: &'a [Header], name: &str) -> Vec<&'a [u8]> {
    headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
        .collect()
}
