use net::{FetchErrorKind, RedirectMode, Request, RequestMode, ResponseType};

use crate::server::{Received, Server, answer};
use crate::{Browser, own};

/// Redirects `/<status>?<location>` with this status to this location, and answers anything else.
fn redirecting(request: &Received) -> String {
    let Some((path, location)) = request.target.split_once('?') else {
        return answer("200 OK", "", &request.method);
    };
    let status = path.trim_start_matches('/');
    answer(
        &format!("{status} Elsewhere"),
        &format!("Location: {location}"),
        "not this",
    )
}

#[test]
fn redirects_are_followed_to_the_end() {
    let server = Server::text(redirecting);
    let browser = Browser::new();
    for status in [301, 302, 303, 307, 308] {
        let response = browser
            .fetch(own(&server.url(&format!("/{status}?/end#x"))))
            .unwrap();
        assert_eq!(response.body, b"GET");
        assert!(response.redirected);
        assert_eq!(response.url.unwrap().path(), "/end");
    }
}

#[test]
fn the_status_decides_what_becomes_of_method_and_body() {
    let server = Server::text(redirecting);
    let browser = Browser::new();
    for (status, method, becomes) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
    ] {
        let has_body = method != "HEAD";
        let request = Request {
            method: method.to_owned(),
            headers: vec![
                ("Content-Type".to_owned(), b"text/x".to_vec()),
                ("X-Own".to_owned(), b"1".to_vec()),
            ],
            body: has_body.then(|| b"body".to_vec()),
            ..own(&server.url(&format!("/{status}?/end")))
        };
        browser.fetch(request).unwrap();
        let last = server.received().pop().unwrap();
        assert_eq!(last.method, becomes, "{status} {method}");
        let kept = becomes == method && has_body;
        assert_eq!(
            last.body,
            if kept { &b"body"[..] } else { b"" },
            "{status} {method}"
        );
        let keeps_type = becomes == method;
        assert_eq!(
            last.header("content-type").is_some(),
            keeps_type,
            "{status} {method}"
        );
        assert_eq!(last.header("x-own"), Some("1"));
    }
}

#[test]
fn what_authenticates_stays_with_its_origin() {
    let other = Server::text(|_| answer("200 OK", "Access-Control-Allow-Origin: *", ""));
    let location = other.url("/end");
    let server = Server::text(move |request| {
        if request.target == "/own" {
            return answer("302 Found", "Location: /away", "");
        }
        answer("302 Found", &format!("Location: {location}"), "")
    });
    let request = Request {
        mode: RequestMode::Navigate,
        headers: vec![("Authorization".to_owned(), b"secret".to_vec())],
        ..own(&server.url("/own"))
    };
    Browser::new().fetch(request).unwrap();
    assert!(
        server
            .received()
            .iter()
            .all(|request| request.header("authorization").is_some())
    );
    assert_eq!(other.received()[0].header("authorization"), None);
}

#[test]
fn a_fragment_is_kept_unless_the_redirect_has_its_own() {
    let server = Server::text(redirecting);
    let browser = Browser::new();
    let kept = browser.fetch(own(&server.url("/302?/end#own"))).unwrap();
    assert_eq!(kept.url.unwrap().fragment(), Some("own"));
    let server = Server::text(|request| match request.target.as_str() {
        "/" => answer("302 Found", "Location: /end#theirs", ""),
        _ => answer("200 OK", "", ""),
    });
    let replaced = browser.fetch(own(&server.url("/#own"))).unwrap();
    assert_eq!(replaced.url.unwrap().fragment(), Some("theirs"));
}

#[test]
fn twenty_redirects_are_followed_and_no_more() {
    let server = Server::text(|request| {
        let left: u32 = request.target.trim_start_matches('/').parse().unwrap();
        if left == 0 {
            return answer("200 OK", "", "end");
        }
        answer("302 Found", &format!("Location: /{}", left - 1), "")
    });
    let browser = Browser::new();
    assert_eq!(browser.fetch(own(&server.url("/20"))).unwrap().body, b"end");
    let error = browser.fetch(own(&server.url("/21"))).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Redirect);
    assert!(error.to_string().contains("20 redirects"), "{error}");
}

#[test]
fn a_circle_is_left_after_twenty_redirects() {
    let server = Server::text(|_| answer("302 Found", "Location: /again", ""));
    let error = Browser::new().fetch(own(&server.url("/"))).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Redirect);
    assert_eq!(server.received().len(), 21);
}

#[test]
fn the_redirect_mode_is_kept_to() {
    let server = Server::text(redirecting);
    let browser = Browser::new();
    let with = |redirect| Request {
        redirect,
        ..own(&server.url("/302?/end"))
    };
    let error = browser.fetch(with(RedirectMode::Error)).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Redirect);
    let manual = browser.fetch(with(RedirectMode::Manual)).unwrap();
    assert_eq!(manual.response_type, ResponseType::OpaqueRedirect);
    assert_eq!(
        (manual.status, manual.headers.len(), manual.body.len()),
        (0, 0, 0)
    );
    let behind = manual.unfiltered();
    assert_eq!(behind.status, 302);
    assert_eq!(behind.header("location").unwrap(), b"/end");
    assert_eq!(server.received().len(), 2);
}

#[test]
fn a_redirect_without_a_usable_location_is_not_followed() {
    let server = Server::text(|request| match request.target.as_str() {
        "/none" => answer("302 Found", "", "here"),
        "/bad" => answer("302 Found", "Location: http://[", ""),
        "/data" => answer("302 Found", "Location: data:,x", ""),
        _ => answer("302 Found", "Location: http://u:p@other.example/", ""),
    });
    let browser = Browser::new();
    let none = browser.fetch(own(&server.url("/none"))).unwrap();
    assert_eq!((none.status, none.body.as_slice()), (302, &b"here"[..]));
    for path in ["/bad", "/data", "/credentials"] {
        let error = browser.fetch(own(&server.url(path))).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Redirect, "{path}: {error}");
    }
}
