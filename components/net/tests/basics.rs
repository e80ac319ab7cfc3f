use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown};
use std::sync::Mutex;

use base::channel::{Callback, bounded, unbounded};
use net::{
    CacheMode, Destination, FetchErrorKind, FetchResult, NetConfig, NetMessage, Request,
    RequestMode, ResponseType,
};
use network_traits::{HostMap, LinkState, NetworkState, Reachability};

use crate::server::{Server, Then, answer};
use crate::{Browser, foreign, own, text, url};

#[test]
fn a_get_brings_status_headers_and_body() {
    let server = Server::text(|_| {
        answer(
            "200 Very well",
            "Content-Type: text/plain\nX-Own: 1\nSet-Cookie: a=b",
            "hello",
        )
    });
    let response = Browser::new()
        .fetch(own(&server.url("/path?query#fragment")))
        .unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.status_text, "Very well");
    assert_eq!(response.response_type, ResponseType::Basic);
    assert_eq!(response.body, b"hello");
    assert_eq!(text(&response.header("x-own").unwrap()), "1");
    assert_eq!(
        response.header("set-cookie"),
        None,
        "cookies are not for scripts"
    );
    assert_eq!(
        response.url.unwrap().as_str(),
        server.url("/path?query#fragment")
    );
    assert!(!response.redirected);
    let received = &server.received()[0];
    assert_eq!(
        (received.method.as_str(), received.target.as_str()),
        ("GET", "/path?query")
    );
    assert_eq!(received.header("content-length"), None);
}

#[test]
fn a_post_carries_its_body_and_headers() {
    let server = Server::text(|request| answer("201 Created", "", text(&request.body)));
    let request = Request {
        method: "POST".to_owned(),
        headers: vec![
            ("Content-Type".to_owned(), b"application/json".to_vec()),
            ("X-Twice".to_owned(), b"1".to_vec()),
            ("X-Twice".to_owned(), "\u{fc}".as_bytes().to_vec()),
        ],
        body: Some(b"{\"mail\":1}".to_vec()),
        ..own(&server.url("/outbox"))
    };
    let response = Browser::new().fetch(request).unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (201, &b"{\"mail\":1}"[..])
    );
    let received = &server.received()[0];
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("origin"), Some(server.url("").as_str()));
    let twice = received
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-twice"));
    assert_eq!(twice.count(), 2);
}

#[test]
fn every_method_and_an_empty_body_are_framed_as_servers_expect() {
    let server = Server::text(|request| {
        let length = request
            .header("content-length")
            .unwrap_or("none")
            .to_owned();
        answer("200 OK", &format!("X-Length: {length}"), "")
    });
    let browser = Browser::new();
    for (method, body, length) in [
        ("POST", None, "0"),
        ("POST", Some(Vec::new()), "0"),
        ("PUT", Some(b"ab".to_vec()), "2"),
        ("DELETE", Some(b"abc".to_vec()), "3"),
        ("DELETE", None, "none"),
        ("PATCH", Some(b"a".to_vec()), "1"),
        ("OWN", None, "none"),
    ] {
        let request = Request {
            method: method.to_owned(),
            body,
            ..own(&server.url("/"))
        };
        let response = browser.fetch(request).unwrap();
        assert_eq!(
            text(&response.header("x-length").unwrap()),
            length,
            "{method}"
        );
    }
}

#[test]
fn the_answer_to_head_has_no_body_whatever_its_length_says() {
    let server = Server::text(|_| "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned());
    let request = Request {
        method: "HEAD".to_owned(),
        ..own(&server.url("/"))
    };
    let response = Browser::new().fetch(request).unwrap();
    assert_eq!(text(&response.header("content-length").unwrap()), "5");
    assert!(response.body.is_empty());
}

#[test]
fn an_encoding_of_a_body_that_is_not_there_or_not_used_does_not_matter() {
    let server = Server::text(|request| {
        let headers = "Content-Encoding: gzip\nLocation: /end\nAccess-Control-Allow-Origin: *\n\
                       Access-Control-Allow-Methods: DELETE";
        match (request.method.as_str(), request.target.as_str()) {
            ("OPTIONS", _) => answer("200 OK", headers, "not gzip"),
            ("HEAD", _) => {
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n".to_owned()
            }
            (_, "/redirect") => answer("302 Found", headers, "not gzip"),
            (_, "/204" | "/304") => {
                let status = request.target.trim_start_matches('/');
                format!("HTTP/1.1 {status} X\r\nContent-Encoding: gzip\r\n\r\n")
            }
            (_, "/empty") => answer("200 OK", headers, ""),
            (_, "/unknown") => answer("200 OK", "Content-Encoding: own", "delivered"),
            _ => answer("200 OK", "Access-Control-Allow-Origin: *", "end"),
        }
    });
    let browser = Browser::new();
    for (method, path, status, body) in [
        ("GET", "/204", 204, ""),
        ("GET", "/304", 304, ""),
        ("GET", "/empty", 200, ""),
        ("HEAD", "/", 200, ""),
        ("GET", "/redirect", 200, "end"),
        ("POST", "/unknown", 200, "delivered"),
    ] {
        let request = Request {
            method: method.to_owned(),
            ..own(&server.url(path))
        };
        let response = browser.fetch(request).unwrap();
        assert_eq!((response.status, text(&response.body)), (status, body));
    }
    let preflighted = Request {
        method: "DELETE".to_owned(),
        ..foreign(&server.url("/"))
    };
    assert_eq!(browser.fetch(preflighted).unwrap().status, 200);
}

#[test]
fn a_post_that_is_answered_with_gzip_has_the_text_as_its_response() {
    let server = Server::raw(|_, stream| {
        // Written with `printf hello | gzip -n`.
        let body =
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0";
        let headers = "Content-Encoding: gzip\r\nContent-Length";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\n{headers}: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.write_all(body).unwrap();
        Then::Continue
    });
    let request = Request {
        method: "POST".to_owned(),
        body: Some(b"mail".to_vec()),
        ..own(&server.url("/"))
    };
    assert_eq!(Browser::new().fetch(request).unwrap().body, b"hello");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_status_that_is_no_success_is_a_response_all_the_same() {
    let server =
        Server::text(|request| answer(request.target.trim_start_matches('/'), "", "sorry"));
    let browser = Browser::new();
    for status in [404, 410, 500, 503, 299, 304] {
        let response = browser
            .fetch(own(&server.url(&format!("/{status}"))))
            .unwrap();
        assert_eq!(response.status, status);
        assert_eq!(response.is_ok(), status == 299);
    }
}

#[test]
fn informational_answers_are_passed_over() {
    let server = Server::text(|_| {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_owned();
        early + &answer("200 Late", "", "late")
    });
    let response = Browser::new().fetch(own(&server.url("/"))).unwrap();
    assert_eq!(
        (response.status_text.as_str(), response.body.as_slice()),
        ("Late", &b"late"[..])
    );
}

#[test]
fn chunked_bodies_and_bodies_up_to_the_end_of_the_connection_are_complete() {
    let server = Server::raw(|request, stream| {
        if request.target == "/chunked" {
            let chunks = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
            write!(stream, "HTTP/1.1 200 OK\r\n{chunks}").unwrap();
            return Then::Continue;
        }
        write!(stream, "HTTP/1.0 200 OK\r\n\r\nabcde").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        Then::Close
    });
    let browser = Browser::new();
    for path in ["/chunked", "/closed"] {
        assert_eq!(
            browser.fetch(own(&server.url(path))).unwrap().body,
            b"abcde",
            "{path}"
        );
    }
}

#[test]
fn the_browser_says_who_it_is_and_what_it_wants() {
    let server = Server::text(|_| answer("200 OK", "", ""));
    let config = NetConfig {
        user_agent: "Test/1".to_owned(),
        ..NetConfig::default()
    };
    let request = Request {
        mode: RequestMode::SameOrigin,
        destination: Destination::ServiceWorker,
        cache: CacheMode::NoStore,
        headers: vec![("Service-Worker".to_owned(), b"script".to_vec())],
        referrer: Some(url(&server.url("/page?x#y"))),
        ..own(&server.url("/sw.js"))
    };
    Browser::with(config).fetch(request).unwrap();
    let received = &server.received()[0];
    for (name, value) in [
        ("host", server.url("").trim_start_matches("http://")),
        ("user-agent", "Test/1"),
        ("accept", "*/*"),
        ("accept-encoding", "identity"),
        ("service-worker", "script"),
        ("sec-fetch-dest", "serviceworker"),
        ("sec-fetch-mode", "same-origin"),
        ("sec-fetch-site", "same-origin"),
        ("cache-control", "no-cache"),
        ("pragma", "no-cache"),
        ("referer", server.url("/page?x").as_str()),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    assert_eq!(received.header("cookie"), None);
}

#[test]
fn names_of_this_machine_need_no_resolver() {
    let server = Server::text(|request| answer("200 OK", "", request.header("host").unwrap()));
    let port = url(&server.url("/")).port().unwrap();
    let browser = Browser::new();
    for host in ["localhost", "app.localhost"] {
        let response = browser
            .fetch(own(&format!("http://{host}:{port}/")))
            .unwrap();
        assert_eq!(text(&response.body), format!("{host}:{port}"));
    }
}

#[test]
fn a_host_whose_address_is_known_needs_no_resolver() {
    let server = Server::text(|request| answer("200 OK", "", request.header("host").unwrap()));
    let port = url(&server.url("/")).port().unwrap();
    let browser = Browser::with(NetConfig {
        hosts: HostMap::default().with("*.invalid", Ipv4Addr::LOCALHOST.into()),
        ..NetConfig::default()
    });
    let (sender, states) = unbounded();
    let changed = Callback::to_sender(&sender, |state: NetworkState| state.link);
    browser.monitor().subscribe(changed).unwrap();
    browser.network.set_link(LinkState::Routable);
    while states.recv().unwrap() != LinkState::Routable {}
    let response = browser
        .fetch(own(&format!("http://known.invalid:{port}/")))
        .unwrap();
    assert_eq!(text(&response.body), format!("known.invalid:{port}"));
}

#[test]
fn a_connection_is_used_again() {
    let server = Server::text(|_| answer("200 OK", "", "x"));
    let browser = Browser::new();
    for _ in 0..5 {
        browser.fetch(own(&server.url("/"))).unwrap();
    }
    assert!(
        server
            .received()
            .iter()
            .all(|request| request.connection == 1)
    );
}

#[test]
fn a_request_that_meets_a_kept_connection_being_closed_is_sent_again_unless_it_is_a_post() {
    // Each connection ends with its second request, unanswered.
    let used = Mutex::new(BTreeSet::new());
    let server = Server::raw(move |request, stream| {
        if !used.lock().unwrap().insert(request.connection) {
            return Then::Close;
        }
        stream
            .write_all(answer("200 OK", "", "x").as_bytes())
            .unwrap();
        Then::Continue
    });
    let browser = Browser::new();
    for method in ["GET", "GET", "GET", "POST"] {
        let request = Request {
            method: method.to_owned(),
            ..own(&server.url("/"))
        };
        assert_eq!(browser.fetch(request).unwrap().body, b"x");
    }
    let received: Vec<_> = server
        .received()
        .into_iter()
        .map(|request| (request.method, request.connection))
        .collect();
    let expected = [("GET", 1), ("GET", 1), ("GET", 2), ("GET", 3), ("POST", 4)];
    let expected = expected.map(|(method, connection)| (method.to_owned(), connection));
    // The second went out twice; the POST found a kept connection, and did not use it.
    assert_eq!(received, expected);
}

#[test]
fn on_another_network_connections_are_made_anew() {
    let server = Server::text(|_| answer("200 OK", "", "x"));
    let browser = Browser::new();
    browser.fetch(own(&server.url("/"))).unwrap();
    let (sender, states) = unbounded();
    let changed = Callback::to_sender(&sender, |state: NetworkState| state.link);
    browser.monitor().subscribe(changed).unwrap();
    browser.network.set_link(LinkState::Routable);
    while states.recv().unwrap() != LinkState::Routable {}
    browser.fetch(own(&server.url("/"))).unwrap();
    let connections: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [1, 2]);
}

#[test]
fn urls_that_hold_their_response_need_no_server() {
    let browser = Browser::new();
    let data = Request {
        mode: RequestMode::Cors,
        ..Request::new(url("data:text/x,hi"))
    };
    let response = browser.fetch(data).unwrap();
    assert_eq!(response.body, b"hi");
    assert_eq!(text(&response.header("content-type").unwrap()), "text/x");
    let blank = Request {
        mode: RequestMode::Navigate,
        ..Request::new(url("about:blank"))
    };
    assert!(browser.fetch(blank).unwrap().body.is_empty());
    let file = Request {
        mode: RequestMode::Navigate,
        ..Request::new(url("file:///etc/hosts"))
    };
    let error = browser.fetch(file).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::UnsupportedScheme);
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn no_more_fetches_run_than_an_origin_may_have() {
    // Each request is held until the test lets one go.
    let (arrive, arrived) = bounded::<()>(100);
    let (release, released) = bounded::<()>(100);
    let server = Server::raw(move |_, stream| {
        arrive.send(()).unwrap();
        let _ = released.recv();
        stream
            .write_all(answer("200 OK", "", "x").as_bytes())
            .unwrap();
        Then::Continue
    });
    let config = NetConfig {
        max_running_per_origin: 2,
        max_waiting: 3,
        ..NetConfig::default()
    };
    let browser = Browser::with(config);
    let fetches: Vec<_> = (0..6)
        .map(|_| browser.start(own(&server.url("/"))).1)
        .collect();
    // Two run, three wait, and for one there is no room.
    let refused = fetches[5].recv().unwrap().unwrap_err();
    assert_eq!(refused.kind, FetchErrorKind::Busy);
    arrived.recv().unwrap();
    arrived.recv().unwrap();
    assert!(arrived.try_recv().is_none());
    // Another origin has a share of its own.
    let other = Server::text(|_| answer("200 OK", "", ""));
    browser.fetch(own(&other.url("/"))).unwrap();
    for _ in 0..5 {
        release.send(()).unwrap();
    }
    for fetch in &fetches[..5] {
        assert_eq!(fetch.recv().unwrap().unwrap().status, 200);
    }
}

#[test]
fn what_a_fetch_has_shown_is_reported() {
    let server = Server::text(|_| answer("500 Oops", "", ""));
    let browser = Browser::new();
    let (sender, states) = unbounded();
    let changed = Callback::to_sender(&sender, |state: NetworkState| state);
    browser.monitor().subscribe(changed).unwrap();
    let request = own(&server.url("/"));
    let origin = request.origin.tuple().cloned().unwrap();
    browser.fetch(request).unwrap();
    while states.recv().unwrap().reachability(&origin) != Reachability::Reachable {}
}

#[test]
fn a_message_means_the_same_after_serialization() {
    let (sender, results) = unbounded::<FetchResult>();
    let message = NetMessage::Fetch {
        id: net::FetchId(7),
        request: Box::new(own("http://a.example/")),
        done: Callback::to_sender(&sender, |result| result),
    };
    let bytes = postcard::to_stdvec(&message).unwrap();
    let NetMessage::Fetch { id, request, done } = postcard::from_bytes(&bytes).unwrap() else {
        panic!("another message than was sent");
    };
    assert_eq!((id, *request), (net::FetchId(7), own("http://a.example/")));
    let response = Browser::new().fetch(Request::new(url("data:,x")));
    let copy = postcard::from_bytes(&postcard::to_stdvec(&response).unwrap()).unwrap();
    done.call(copy);
    assert_eq!(results.recv().unwrap(), response);
}
