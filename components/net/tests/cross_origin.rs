use base::StorageKey;
use net::{
    CredentialsMode, FetchErrorKind, RedirectMode, Request, RequestMode, RequestOrigin,
    ResponseType,
};

use crate::server::{Server, answer};
use crate::{Browser, foreign, own, text, url};

#[test]
fn another_origin_that_agrees_can_be_read() {
    let server = Server::text(|_| {
        let headers = "Access-Control-Allow-Origin: http://page.example
            Access-Control-Expose-Headers: X-Shown
            X-Shown: 1
            X-Hidden: 2
            Content-Type: text/plain";
        answer("200 OK", headers, "hello")
    });
    let response = Browser::new().fetch(foreign(&server.url("/"))).unwrap();
    assert_eq!(response.response_type, ResponseType::Cors);
    assert_eq!(response.body, b"hello");
    assert_eq!(text(&response.header("x-shown").unwrap()), "1");
    assert_eq!(
        text(&response.header("content-type").unwrap()),
        "text/plain"
    );
    assert_eq!(response.header("x-hidden"), None);
    let received = &server.received()[0];
    assert_eq!(received.header("origin"), Some("http://page.example"));
    assert_eq!(received.header("sec-fetch-site"), Some("cross-site"));
}

#[test]
fn another_origin_that_does_not_agree_cannot_be_read() {
    let server = Server::text(|request| match request.target.as_str() {
        "/silent" => answer("200 OK", "", "secret"),
        "/other" => answer(
            "200 OK",
            "Access-Control-Allow-Origin: http://b.example",
            "secret",
        ),
        _ => answer("200 OK", "Access-Control-Allow-Origin: *", "secret"),
    });
    let browser = Browser::new();
    for path in ["/silent", "/other", "/any"] {
        let credentials = if path == "/any" {
            CredentialsMode::Include
        } else {
            CredentialsMode::SameOrigin
        };
        let request = Request {
            credentials,
            ..foreign(&server.url(path))
        };
        let error = browser.fetch(request).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Blocked, "{path}");
        assert!(
            error.to_string().contains("Access-Control-Allow-Origin"),
            "{error}"
        );
        assert!(error.to_string().contains("http://page.example"), "{error}");
    }
}

#[test]
fn an_unusual_request_is_announced_first() {
    let server = Server::text(|request| {
        let headers = "Access-Control-Allow-Origin: *
            Access-Control-Allow-Methods: PUT
            Access-Control-Allow-Headers: content-type, x-own";
        answer("200 OK", headers, &request.method)
    });
    let request = Request {
        method: "PUT".to_owned(),
        headers: vec![
            ("X-Own".to_owned(), b"1".to_vec()),
            ("Content-Type".to_owned(), b"application/json".to_vec()),
        ],
        body: Some(b"{}".to_vec()),
        ..foreign(&server.url("/"))
    };
    assert_eq!(Browser::new().fetch(request).unwrap().body, b"PUT");
    let received = server.received();
    let [preflight, request] = received.as_slice() else {
        panic!("two requests: {received:?}")
    };
    assert_eq!(preflight.method, "OPTIONS");
    assert_eq!(
        preflight.header("access-control-request-method"),
        Some("PUT")
    );
    assert_eq!(
        preflight.header("access-control-request-headers"),
        Some("content-type,x-own")
    );
    assert_eq!(preflight.header("origin"), Some("http://page.example"));
    assert_eq!((preflight.header("x-own"), preflight.body.len()), (None, 0));
    assert_eq!(
        (request.header("x-own"), request.body.as_slice()),
        (Some("1"), &b"{}"[..])
    );
}

#[test]
fn an_unusual_request_that_is_not_allowed_is_not_sent() {
    let server = Server::text(|request| match request.target.as_str() {
        "/silent" => answer("200 OK", "", ""),
        "/failing" => answer("500 Oops", "Access-Control-Allow-Origin: *", ""),
        _ => answer("204 No Content", "Access-Control-Allow-Origin: *", ""),
    });
    let browser = Browser::new();
    for path in ["/silent", "/failing", "/unnamed"] {
        let request = Request {
            method: "DELETE".to_owned(),
            ..foreign(&server.url(path))
        };
        let error = browser.fetch(request).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Blocked, "{path}: {error}");
    }
    assert!(
        server
            .received()
            .iter()
            .all(|request| request.method == "OPTIONS")
    );
}

#[test]
fn a_request_that_a_form_could_send_is_not_announced() {
    let server = Server::text(|_| answer("200 OK", "Access-Control-Allow-Origin: *", ""));
    let request = Request {
        method: "POST".to_owned(),
        headers: vec![("Content-Type".to_owned(), b"text/plain".to_vec())],
        body: Some(b"x".to_vec()),
        ..foreign(&server.url("/"))
    };
    Browser::new().fetch(request).unwrap();
    assert_eq!(server.received().len(), 1);
}

#[test]
fn without_asking_nothing_can_be_read() {
    let server = Server::text(|_| answer("404 Not Found", "X-Own: 1", "script"));
    let browser = Browser::new();
    let no_cors = || Request {
        mode: RequestMode::NoCors,
        ..foreign(&server.url("/"))
    };
    let response = browser.fetch(no_cors()).unwrap();
    assert_eq!(response.response_type, ResponseType::Opaque);
    assert_eq!(
        (response.status, response.url.as_ref(), response.redirected),
        (0, None, false)
    );
    assert!(response.headers.is_empty() && response.body.is_empty());
    assert_eq!(
        (
            response.unfiltered().status,
            text(&response.unfiltered().body)
        ),
        (404, "script")
    );
    assert_eq!(server.received()[0].header("origin"), None);
    for request in [
        Request {
            method: "PUT".to_owned(),
            ..no_cors()
        },
        Request {
            redirect: RedirectMode::Manual,
            ..no_cors()
        },
    ] {
        assert_eq!(
            browser.fetch(request).unwrap_err().kind,
            FetchErrorKind::Blocked
        );
    }
}

#[test]
fn a_secure_page_gets_nothing_over_an_insecure_connection() {
    let secure = StorageKey::from_url(&url("https://page.example/")).ok();
    let request = Request {
        origin: secure.into(),
        ..foreign("http://other.example/")
    };
    let error = Browser::new().fetch(request).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Blocked, "{error}");
}

#[test]
fn a_server_keeps_what_it_has_from_other_origins() {
    for (policy, is_kept) in [("same-origin", true), ("cross-origin", false)] {
        let header = format!("Cross-Origin-Resource-Policy: {policy}");
        let server = Server::text(move |_| answer("200 OK", &header, "theirs"));
        let no_cors = |request| Request {
            mode: RequestMode::NoCors,
            ..request
        };
        let result = Browser::new().fetch(no_cors(foreign(&server.url("/"))));
        if is_kept {
            assert_eq!(result.unwrap_err().kind, FetchErrorKind::Blocked);
        } else {
            assert_eq!(result.unwrap().response_type, ResponseType::Opaque);
        }
        let own = Browser::new().fetch(no_cors(own(&server.url("/"))));
        assert_eq!(own.unwrap().response_type, ResponseType::Basic);
    }
}

#[test]
fn the_own_origin_is_read_without_asking() {
    let server = Server::text(|_| answer("200 OK", "X-Own: 1", "mine"));
    let browser = Browser::new();
    for mode in [
        RequestMode::Cors,
        RequestMode::NoCors,
        RequestMode::SameOrigin,
    ] {
        let response = browser
            .fetch(Request {
                mode,
                ..own(&server.url("/"))
            })
            .unwrap();
        assert_eq!(response.response_type, ResponseType::Basic);
        assert_eq!(text(&response.header("x-own").unwrap()), "1");
    }
}

#[test]
fn the_mode_same_origin_ends_at_another_origin() {
    let other = Server::text(|_| answer("200 OK", "Access-Control-Allow-Origin: *", ""));
    let location = other.url("/");
    let server = Server::text(move |_| answer("302 Found", &format!("Location: {location}"), ""));
    let browser = Browser::new();
    for request in [own(&server.url("/")), foreign(&server.url("/"))] {
        let request = Request {
            mode: RequestMode::SameOrigin,
            ..request
        };
        assert_eq!(
            browser.fetch(request).unwrap_err().kind,
            FetchErrorKind::Blocked
        );
    }
    assert_eq!((server.received().len(), other.received().len()), (1, 0));
}

#[test]
fn a_redirect_to_another_origin_needs_its_agreement() {
    for (headers, agrees) in [
        ("Access-Control-Allow-Origin: *", true),
        ("X-None: 1", false),
    ] {
        let other = Server::text(move |_| answer("200 OK", headers, "theirs"));
        let location = other.url("/");
        let server =
            Server::text(move |_| answer("302 Found", &format!("Location: {location}"), ""));
        let request = own(&server.url("/"));
        let origin = request.origin.tuple().unwrap().to_string();
        let result = Browser::new().fetch(request);
        assert_eq!(other.received()[0].header("origin"), Some(origin.as_str()));
        if agrees {
            let response = result.unwrap();
            assert_eq!(response.response_type, ResponseType::Cors);
            assert!(response.redirected);
        } else {
            assert_eq!(result.unwrap_err().kind, FetchErrorKind::Blocked);
        }
    }
}

#[test]
fn a_navigation_goes_anywhere() {
    let server = Server::text(|_| answer("200 OK", "", "<p>"));
    let request = Request {
        mode: RequestMode::Navigate,
        origin: RequestOrigin::User,
        ..own(&server.url("/"))
    };
    let response = Browser::new().fetch(request).unwrap();
    assert_eq!(
        (response.response_type, response.body.as_slice()),
        (ResponseType::Basic, &b"<p>"[..])
    );
    assert_eq!(server.received()[0].header("sec-fetch-site"), Some("none"));
    assert_eq!(server.received()[0].header("origin"), None);
}
