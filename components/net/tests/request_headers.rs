use net::{Destination, ReferrerPolicy, Request, RequestMode, RequestOrigin};

use crate::server::{Received, Server, answer};
use crate::{Browser, foreign, own, url};

#[test]
fn servers_are_told_what_a_request_is_for() {
    let server = Server::text(|_| answer("200 OK", "", ""));
    let browser = Browser::new();
    for (destination, mode, user, told) in [
        (
            Destination::Empty,
            RequestMode::Cors,
            false,
            ["empty", "cors", "same-origin"],
        ),
        (
            Destination::Script,
            RequestMode::NoCors,
            false,
            ["script", "no-cors", "same-origin"],
        ),
        (
            Destination::SharedWorker,
            RequestMode::SameOrigin,
            true,
            ["sharedworker", "same-origin", "same-origin"],
        ),
        (
            Destination::Document,
            RequestMode::Navigate,
            true,
            ["document", "navigate", "none"],
        ),
    ] {
        let is_navigation = mode == RequestMode::Navigate;
        let base = own(&server.url("/"));
        let request = Request {
            origin: if is_navigation {
                RequestOrigin::User
            } else {
                base.origin.clone()
            },
            destination,
            mode,
            user_activation: user,
            ..base
        };
        browser.fetch(request).unwrap();
        let received = server.received().pop().unwrap();
        let headers = ["sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site"];
        assert_eq!(headers.map(|name| received.header(name).unwrap()), told);
        let by_user = received.header("sec-fetch-user");
        assert_eq!(by_user, (user && is_navigation).then_some("?1"), "{told:?}");
    }
}

#[test]
fn the_referrer_policy_is_kept_to_and_a_redirect_may_change_it() {
    let other = Server::text(|_| answer("200 OK", "Access-Control-Allow-Origin: *", ""));
    let location = other.url("/");
    let server = Server::text(move |request: &Received| match request.target.as_str() {
        "/away" => answer("302 Found", &format!("Location: {location}"), ""),
        "/all" => {
            let headers = format!("Location: {location}\nReferrer-Policy: origin, unsafe-url");
            answer("302 Found", &headers, "")
        }
        _ => answer("200 OK", "", ""),
    });
    let browser = Browser::new();
    let page = url(&server.url("/page?q#f"));
    let whole = server.url("/page?q");
    let origin = server.url("/");
    let get = |path: &str, referrer_policy| {
        let request = Request {
            referrer: Some(page.clone()),
            referrer_policy,
            ..own(&server.url(path))
        };
        browser.fetch(request).unwrap();
    };
    let referrer = |server: &Server| {
        let last = server.received().pop().unwrap();
        last.header("referer").map(str::to_owned)
    };
    get("/", ReferrerPolicy::default());
    assert_eq!(referrer(&server), Some(whole.clone()));
    get("/", ReferrerPolicy::NoReferrer);
    assert_eq!(referrer(&server), None);
    get("/away", ReferrerPolicy::default());
    assert_eq!(referrer(&server), Some(whole.clone()));
    assert_eq!(referrer(&other), Some(origin));
    get("/all", ReferrerPolicy::SameOrigin);
    assert_eq!(referrer(&other), Some(whole));
}

#[test]
fn a_redirect_does_not_tell_more_than_was_told() {
    let last = Server::text(|_| answer("200 OK", "Access-Control-Allow-Origin: *", ""));
    let location = last.url("/");
    let server = Server::text(move |_| {
        let headers = format!(
            "Location: {location}\nReferrer-Policy: unsafe-url\nAccess-Control-Allow-Origin: *"
        );
        answer("302 Found", &headers, "")
    });
    let page = url("http://127.0.0.1:9/page?q#f");
    for (policy, told) in [
        (ReferrerPolicy::UnsafeUrl, Some("http://127.0.0.1:9/page?q")),
        (ReferrerPolicy::default(), Some("http://127.0.0.1:9/")),
        (ReferrerPolicy::SameOrigin, None),
        (ReferrerPolicy::NoReferrer, None),
    ] {
        let request = Request {
            referrer: Some(page.clone()),
            referrer_policy: policy,
            ..foreign(&server.url("/"))
        };
        Browser::new().fetch(request).unwrap();
        let received = last.received().pop().unwrap();
        assert_eq!(received.header("referer"), told, "{policy:?}");
    }
}
