use std::net::{IpAddr, Ipv4Addr};

use base::channel::{Callback, unbounded};
use net::{CredentialsMode, Destination, NetConfig, Request, RequestMode, RequestOrigin};
use network_traits::HostMap;
use url::Url;

use crate::server::{Received, Server, answer};
use crate::{Browser, own};

/// Sets the cookie in the query.
fn setting(request: &Received) -> String {
    let headers = "Access-Control-Allow-Credentials: true";
    let origin = request.header("origin").unwrap_or("*");
    let headers = format!("{headers}\nAccess-Control-Allow-Origin: {origin}");
    match request.target.split_once('?') {
        Some((_, cookie)) => {
            let cookie = cookie.replace('~', " ");
            answer("200 OK", &format!("{headers}\nSet-Cookie: {cookie}"), "")
        }
        None => answer("200 OK", &headers, ""),
    }
}

/// A browser that finds all hosts under `.test` on this machine.
fn browser() -> Browser {
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    Browser::with(NetConfig {
        hosts: HostMap::default().with("*.test", here),
        ..NetConfig::default()
    })
}

fn at(server: &Server, host: &str, path: &str) -> String {
    let mut url = Url::parse(&server.url(path)).unwrap();
    url.set_host(Some(host)).unwrap();
    url.into()
}

/// The cookies of the last request that a server got.
fn last_cookies(server: &Server) -> Option<String> {
    let last = server.received().pop().unwrap();
    last.header("cookie").map(str::to_owned)
}

/// `document.cookie` of a page at this URL.
fn script_cookies(browser: &Browser, url: &str) -> String {
    let (sender, cookies) = unbounded();
    let done = Callback::to_sender(&sender, |cookies| cookies);
    browser.net.handle().cookies(crate::url(url), true, done);
    cookies.recv().unwrap()
}

#[test]
fn a_cookie_comes_back_to_its_server_until_it_expires() {
    let (server, browser) = (Server::text(setting), browser());
    let own_url = |path: &str| at(&server, "a.test", path);
    browser.fetch(own(&own_url("/?n=v;~Max-Age=60"))).unwrap();
    assert_eq!(last_cookies(&server), None);
    browser.fetch(own(&own_url("/x"))).unwrap();
    assert_eq!(last_cookies(&server).as_deref(), Some("n=v"));
    browser.fetch(own(&at(&server, "b.test", "/"))).unwrap();
    assert_eq!(last_cookies(&server), None);
    browser.clock.advance(60);
    browser.fetch(own(&own_url("/x"))).unwrap();
    assert_eq!(last_cookies(&server), None);
}

#[test]
fn the_credentials_mode_decides_whether_cookies_are_sent_and_taken() {
    for (credentials, page, sends) in [
        (CredentialsMode::SameOrigin, "a.test", true),
        (CredentialsMode::Include, "a.test", true),
        (CredentialsMode::Omit, "a.test", false),
        (CredentialsMode::SameOrigin, "www.a.test", false),
        (CredentialsMode::Include, "www.a.test", true),
        (CredentialsMode::Include, "b.test", false),
    ] {
        let (server, browser) = (Server::text(setting), browser());
        browser.fetch(own(&at(&server, "a.test", "/?n=v"))).unwrap();
        let request = |path: &str| Request {
            credentials,
            origin: own(&at(&server, page, "/")).origin,
            ..own(&at(&server, "a.test", path))
        };
        browser.fetch(request("/?m=w")).unwrap();
        let sent = last_cookies(&server);
        assert_eq!(
            sent.as_deref(),
            sends.then_some("n=v"),
            "{credentials:?} {page}"
        );
        let seen = script_cookies(&browser, &at(&server, "a.test", "/"));
        let expected = if sends { "n=v; m=w" } else { "n=v" };
        assert_eq!(seen, expected, "{credentials:?} {page}");
    }
}

#[test]
fn who_follows_a_link_from_another_site_is_known_but_not_for_what_is_strict() {
    let (server, browser) = (Server::text(setting), browser());
    for cookie in ["strict=1;~SameSite=Strict", "lax=1"] {
        let path = format!("/?{cookie}");
        browser.fetch(own(&at(&server, "a.test", &path))).unwrap();
    }
    let navigation = |page: Option<&str>, method: &str| Request {
        method: method.to_owned(),
        mode: RequestMode::Navigate,
        credentials: CredentialsMode::Include,
        destination: Destination::Document,
        origin: page.map_or(RequestOrigin::User, |page| {
            own(&at(&server, page, "/")).origin
        }),
        ..own(&at(&server, "a.test", "/"))
    };
    for (page, method, sent) in [
        (None, "GET", Some("strict=1; lax=1")),
        (Some("www.a.test"), "POST", Some("strict=1; lax=1")),
        (Some("b.test"), "GET", Some("lax=1")),
        (Some("b.test"), "POST", None),
    ] {
        browser.fetch(navigation(page, method)).unwrap();
        assert_eq!(last_cookies(&server).as_deref(), sent, "{page:?} {method}");
    }
}

#[test]
fn redirects_set_cookies_too() {
    let server = Server::text(|request: &Received| match request.target.as_str() {
        "/" => answer("302 Found", "Set-Cookie: n=v\nLocation: /end", ""),
        _ => answer("200 OK", "", ""),
    });
    Browser::new().fetch(own(&server.url("/"))).unwrap();
    assert_eq!(last_cookies(&server).as_deref(), Some("n=v"));
}

#[test]
fn scripts_read_and_set_cookies_of_their_document() {
    let (server, browser) = (Server::text(setting), browser());
    let page = at(&server, "a.test", "/");
    let handle = browser.net.handle();
    browser
        .fetch(own(&at(&server, "a.test", "/?h=1;~HttpOnly")))
        .unwrap();
    handle.set_cookie(crate::url(&page), true, "s=1".to_owned());
    handle.set_cookie(crate::url(&page), true, "h=2".to_owned());
    assert_eq!(script_cookies(&browser, &page), "s=1");
    browser.fetch(own(&page)).unwrap();
    assert_eq!(last_cookies(&server).as_deref(), Some("h=1; s=1"));
}

#[test]
fn a_server_can_have_its_cookies_cleared() {
    let server = Server::text(|request: &Received| match request.target.as_str() {
        "/clear" => answer("200 OK", "Clear-Site-Data: \"cookies\"", ""),
        _ => answer("200 OK", "Set-Cookie: n=v", ""),
    });
    let browser = Browser::new();
    browser.fetch(own(&server.url("/"))).unwrap();
    assert_eq!(script_cookies(&browser, &server.url("/")), "n=v");
    browser.fetch(own(&server.url("/clear"))).unwrap();
    assert_eq!(script_cookies(&browser, &server.url("/")), "");
}
