//! Pages that send their reader on after a time.
//!
//! <https://html.spec.whatwg.org/multipage/semantics.html#attr-meta-http-equiv-refresh>

use url::Url;

use super::navigation::Navigation;
use super::page::Page;
use super::sandbox::Restriction;
use crate::bindings::generated::Function;
use crate::bindings::{Fallible, Realm, Value};
use crate::event_loop::EventLoop;

/// A page that has loaded begins to wait, if one of its `meta` elements says so.
///
/// # Errors
///
/// The engine is out of memory.
pub(super) fn start(page: &Page, realm: &Realm) -> Fallible<()> {
    if page.sandbox.forbids(Restriction::Scripts) {
        return Ok(());
    }
    let Some((seconds, url)) = wanted(page) else {
        return Ok(());
    };
    let Some(event_loop) = realm.service::<EventLoop>() else {
        return Ok(());
    };
    let go = Value::new_function(realm, "", 0, move |realm, _| {
        if let Some(page) = realm.service::<Page>() {
            let navigation = Navigation {
                replaces: true,
                reload: url == page.url(),
                ..Navigation::to(url.clone())
            };
            page.navigate(realm, navigation);
        }
        Ok(Value::undefined())
    })?;
    let timeout = i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX);
    event_loop.run_after(realm, Function::from_js(realm, &go)?, timeout);
    Ok(())
}

/// What the first `meta` element says that says something.
fn wanted(page: &Page) -> Option<(u32, Url)> {
    let contents: Vec<String> = {
        let tree = page.store.tree.borrow();
        let is_refresh = |id| {
            let element = tree.element(id)?;
            let kind = element.attribute("http-equiv")?;
            let counts = element.is_html("meta") && kind.eq_ignore_ascii_case("refresh");
            element
                .attribute("content")
                .filter(|_| counts)
                .map(ToOwned::to_owned)
        };
        tree.descendants(tree.document())
            .filter_map(is_refresh)
            .collect()
    };
    contents.iter().find_map(|content| {
        let (seconds, url) = parse(content)?;
        let url = match url {
            Some(url) => page.environment.parse_url(&url).ok()?,
            None => page.url(),
        };
        (url.scheme() != "javascript").then_some((seconds, url))
    })
}

/// The seconds, and the URL if there is one.
///
/// <https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps>
fn parse(content: &str) -> Option<(u32, Option<String>)> {
    let content = content.trim_start_matches(|c: char| c.is_ascii_whitespace());
    // Step 4 to 6: the time. Without digits it is zero if there is a fraction.
    let digits = content.len()
        - content
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    let (time, rest) = content.split_at(digits);
    if time.is_empty() && !rest.starts_with('.') {
        return None;
    }
    let seconds = if time.is_empty() {
        0
    } else {
        time.parse().unwrap_or(u32::MAX)
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    // Step 7 to 10: what separates it from the URL.
    if rest.is_empty() {
        return Some((seconds, None));
    }
    if !rest.starts_with([';', ',']) && !rest.starts_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let rest = rest
        .strip_prefix([';', ','])
        .unwrap_or(rest)
        .trim_ascii_start();
    if rest.is_empty() {
        return Some((seconds, None));
    }
    // Step 11: the URL, with or without a name and quotes.
    let named = rest
        .get(..3)
        .filter(|name| name.eq_ignore_ascii_case("url"))
        .and_then(|_| rest[3..].trim_ascii_start().strip_prefix('='));
    let url = named.map_or(rest, str::trim_ascii_start);
    let url = match url.chars().next() {
        Some(quote @ ('"' | '\'')) => url[1..].split(quote).next().unwrap_or_default(),
        _ => url,
    };
    Some((seconds, Some(url.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_and_the_url_are_found() {
        let found = |content| {
            parse(content).map(|(seconds, url)| format!("{seconds} {}", url.unwrap_or_default()))
        };
        assert_eq!(found(" 5").as_deref(), Some("5 "));
        assert_eq!(found("0.9;").as_deref(), Some("0 "));
        assert_eq!(found(".5 x").as_deref(), Some("0 x"));
        assert_eq!(found("1; URL = '/a b'c").as_deref(), Some("1 /a b"));
        assert_eq!(found("1,url=\"/a").as_deref(), Some("1 /a"));
        assert_eq!(found("1 urls").as_deref(), Some("1 urls"));
        assert_eq!(found("1 \u{e4}\u{f6}").as_deref(), Some("1 \u{e4}\u{f6}"));
        assert_eq!(found("1x"), None);
        assert_eq!(found("x"), None);
        assert_eq!(found(""), None);
    }
}
