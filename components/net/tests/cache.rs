use std::sync::atomic::{AtomicU32, Ordering};

use net::{CacheMode, FetchErrorKind, Request, RequestMode, Response};

use crate::server::{Received, Server, answer};
use crate::{Browser, own, text};

/// Answers with how many requests for the same path came before, and with the headers in the query.
/// What has the current `ETag` is not modified.
fn numbering() -> Server {
    let number = AtomicU32::new(0);
    Server::text(move |request| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        let headers = request
            .target
            .split_once('?')
            .map_or("", |(_, query)| query);
        let headers = headers
            .replace(':', ": ")
            .replace("%22", "\"")
            .replace('&', "\n")
            .replace('~', " ");
        if request.header("if-none-match").is_some() {
            return format!("HTTP/1.1 304 Not Modified\r\nX-Number: {number}\r\n\r\n");
        }
        answer("200 OK", &headers, &number.to_string())
    })
}

fn with(cache: CacheMode, url: &str) -> Request {
    Request { cache, ..own(url) }
}

fn body(response: &Response) -> &str {
    text(&response.body)
}

const FRESH: &str = "/?Cache-Control:max-age=60";
const FRESH_WITH_TAG: &str = "/?Cache-Control:max-age=60&ETag:\"a\"";
const STALE_WITH_TAG: &str = "/?Cache-Control:no-cache&ETag:\"a\"";

#[test]
fn a_fresh_response_is_used_until_it_is_stale() {
    let (server, browser) = (numbering(), Browser::new());
    let get = || browser.fetch(own(&server.url(FRESH))).unwrap();
    let first = get();
    assert_eq!((body(&first), first.from_cache), ("0", false));
    browser.clock.advance(59);
    let second = get();
    assert_eq!((body(&second), second.from_cache), ("0", true));
    assert_eq!(second.header("age").unwrap(), b"59");
    assert_eq!(second.url.unwrap().as_str(), server.url(FRESH));
    browser.clock.advance(2);
    let third = get();
    assert_eq!((body(&third), third.from_cache), ("1", false));
}

#[test]
fn a_stale_response_is_used_after_the_server_was_asked() {
    let (server, browser) = (numbering(), Browser::new());
    let get = || browser.fetch(own(&server.url(STALE_WITH_TAG))).unwrap();
    get();
    let validated = get();
    assert_eq!((validated.status, body(&validated)), (200, "0"));
    assert_eq!(validated.header("x-number").unwrap(), b"1");
    assert!(!validated.from_cache);
    let asked = server.received().pop().unwrap();
    assert_eq!(asked.header("if-none-match"), Some("\"a\""));
    assert_eq!(asked.header("cache-control"), None);
}

#[test]
fn a_response_that_changed_replaces_the_stored_one() {
    let server = Server::text(|request| {
        let tag = request.header("if-none-match");
        let next = if tag.is_some() { "b" } else { "a" };
        answer(
            "200 OK",
            &format!("Cache-Control: no-cache\nETag: \"{next}\""),
            next,
        )
    });
    let browser = Browser::new();
    let bodies: Vec<_> = (0..3)
        .map(|_| browser.fetch(own(&server.url("/"))).unwrap().body)
        .collect();
    assert_eq!(bodies, [b"a", b"b", b"b"]);
    let last = server.received().pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("\"b\""));
}

#[test]
fn each_mode_uses_and_fills_the_cache_as_it_says() {
    // What a mode brings when a fresh and a stale response are stored, and what the default mode
    // brings after it; the server's answers are numbered.
    for (mode, fresh, then, stale) in [
        (CacheMode::Default, "0", "0", "0"),
        (CacheMode::NoStore, "1", "0", "1"),
        (CacheMode::Reload, "1", "1", "1"),
        (CacheMode::NoCache, "0", "0", "0"),
        (CacheMode::ForceCache, "0", "0", "0"),
    ] {
        let (server, browser) = (numbering(), Browser::new());
        let get = |mode, path: &str| browser.fetch(with(mode, &server.url(path))).unwrap();
        get(CacheMode::Default, FRESH_WITH_TAG);
        assert_eq!(body(&get(mode, FRESH_WITH_TAG)), fresh, "{mode:?}");
        assert_eq!(
            body(&get(CacheMode::Default, FRESH_WITH_TAG)),
            then,
            "{mode:?}"
        );
        let asks = matches!(mode, CacheMode::Default | CacheMode::ForceCache);
        assert_eq!(
            server.received().len(),
            if asks { 1 } else { 2 },
            "{mode:?}"
        );
        let (server, browser) = (numbering(), Browser::new());
        let get = |mode, path: &str| browser.fetch(with(mode, &server.url(path))).unwrap();
        get(CacheMode::Default, STALE_WITH_TAG);
        assert_eq!(body(&get(mode, STALE_WITH_TAG)), stale, "{mode:?}");
        let asks = mode == CacheMode::ForceCache;
        assert_eq!(
            server.received().len(),
            if asks { 1 } else { 2 },
            "{mode:?}"
        );
    }
}

#[test]
fn the_modes_tell_caches_on_the_way() {
    let (server, browser) = (numbering(), Browser::new());
    for (mode, cache_control, pragma) in [
        (CacheMode::Default, None, None),
        (CacheMode::NoStore, Some("no-cache"), Some("no-cache")),
        (CacheMode::Reload, Some("no-cache"), Some("no-cache")),
        (CacheMode::NoCache, Some("max-age=0"), None),
        (CacheMode::ForceCache, None, None),
    ] {
        let path = format!("/{mode:?}?Cache-Control:no-store");
        browser.fetch(with(mode, &server.url(&path))).unwrap();
        let received = server.received().pop().unwrap();
        assert_eq!(received.header("cache-control"), cache_control, "{mode:?}");
        assert_eq!(received.header("pragma"), pragma, "{mode:?}");
    }
}

#[test]
fn only_what_is_cached_answers_when_only_that_may() {
    let (server, browser) = (numbering(), Browser::new());
    let only = || Request {
        mode: RequestMode::SameOrigin,
        ..with(CacheMode::OnlyIfCached, &server.url(STALE_WITH_TAG))
    };
    let error = browser.fetch(only()).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Blocked);
    assert!(server.received().is_empty());
    browser.fetch(own(&server.url(STALE_WITH_TAG))).unwrap();
    let found = browser.fetch(only()).unwrap();
    assert_eq!((body(&found), found.from_cache), ("0", true));
}

#[test]
fn a_requester_that_does_the_validation_itself_gets_what_the_server_says() {
    let (server, browser) = (numbering(), Browser::new());
    browser.fetch(own(&server.url(FRESH))).unwrap();
    let request = Request {
        headers: vec![("If-None-Match".to_owned(), b"\"b\"".to_vec())],
        ..own(&server.url(FRESH))
    };
    assert_eq!(browser.fetch(request).unwrap().status, 304);
    let after = browser.fetch(own(&server.url(FRESH))).unwrap();
    assert_eq!((after.status, body(&after)), (200, "0"));
}

#[test]
fn a_change_takes_the_stored_response_out() {
    let (server, browser) = (numbering(), Browser::new());
    let get = || browser.fetch(own(&server.url(FRESH))).unwrap();
    get();
    let post = Request {
        method: "POST".to_owned(),
        body: Some(Vec::new()),
        ..own(&server.url(FRESH))
    };
    browser.fetch(post).unwrap();
    assert_eq!(body(&get()), "2");
}

#[test]
fn sites_do_not_share_what_is_stored() {
    let (server, browser) = (numbering(), Browser::new());
    let get = |top_level: &str| {
        let request = Request {
            ancestor_origins: vec![base::StorageKey::from_url(&crate::url(top_level)).ok()],
            ..own(&server.url(FRESH))
        };
        browser.fetch(request).unwrap()
    };
    assert_eq!(body(&get("https://a.example/")), "0");
    assert_eq!(body(&get("https://b.example/")), "1");
    assert_eq!(body(&get("https://www.a.example/")), "0");
}

#[test]
fn a_redirect_that_is_stored_is_followed() {
    let server = Server::text(|request: &Received| match request.target.as_str() {
        "/" => answer("301 Moved", "Cache-Control: max-age=60\nLocation: /end", ""),
        _ => answer("200 OK", "Cache-Control: no-store", "end"),
    });
    let browser = Browser::new();
    for _ in 0..2 {
        let response = browser.fetch(own(&server.url("/"))).unwrap();
        assert_eq!((body(&response), response.redirected), ("end", true));
    }
    let targets: Vec<_> = server
        .received()
        .into_iter()
        .map(|request| request.target)
        .collect();
    assert_eq!(targets, ["/", "/end", "/end"]);
}

#[test]
fn a_server_can_have_its_responses_and_its_storage_cleared() {
    let server = Server::text(|request: &Received| match request.target.as_str() {
        "/clear" => answer("200 OK", "Clear-Site-Data: \"cache\", \"storage\"", ""),
        _ => answer("200 OK", "Cache-Control: max-age=60", ""),
    });
    let browser = Browser::new();
    for path in ["/", "/", "/clear", "/"] {
        browser.fetch(own(&server.url(path))).unwrap();
    }
    assert_eq!(server.received().len(), 3);
    let cleared = browser.cleared.try_recv().unwrap();
    assert_eq!(cleared.as_str(), server.url(""));
    assert!(browser.cleared.try_recv().is_none());
}
