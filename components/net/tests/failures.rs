use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use base::channel::{Callback, bounded, unbounded};
use net::{FetchErrorKind, NetConfig, Request};
use network_traits::{NetworkState, Reachability};

use crate::server::{Server, Then, answer};
use crate::{Browser, own, url};

/// A server that writes `bytes` after the first request and closes the connection.
fn writes_and_closes(bytes: &'static str) -> Server {
    Server::raw(move |_, stream| {
        stream.write_all(bytes.as_bytes()).unwrap();
        Then::Close
    })
}

#[test]
fn a_response_that_ends_half_way_is_an_error() {
    let browser = Browser::new();
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let server = writes_and_closes(bytes);
        for method in ["GET", "POST"] {
            let request = Request {
                method: method.to_owned(),
                ..own(&server.url("/"))
            };
            let error = browser.fetch(request).unwrap_err();
            assert_eq!(error.kind, FetchErrorKind::Truncated, "{bytes:?}: {error}");
            assert!(
                error.to_string().contains("closed the connection"),
                "{error}"
            );
            assert!(!error.is_network_unreachable());
        }
        assert_eq!(
            server.received().len(),
            2,
            "a new connection is not tried again"
        );
    }
}

#[test]
fn what_is_not_http_is_an_error() {
    let browser = Browser::new();
    for bytes in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let server = writes_and_closes(bytes);
        let error = browser.fetch(own(&server.url("/"))).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Protocol, "{bytes:?}: {error}");
    }
}

#[test]
fn a_refused_connection_is_an_error_and_evidence() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let browser = Browser::new();
    let request = own(&format!("http://{address}/"));
    let origin = request.origin.tuple().cloned().unwrap();
    let error = browser.fetch(request).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Connect);
    assert!(error.is_network_unreachable());
    assert!(error.to_string().contains("refused"), "{error}");
    let (sender, states) = unbounded();
    let changed = Callback::to_sender(&sender, |state: NetworkState| state);
    browser.monitor().subscribe(changed).unwrap();
    while states.recv().unwrap().reachability(&origin) != Reachability::Unreachable {}
}

#[test]
fn a_port_of_another_service_is_blocked() {
    let error = Browser::new()
        .fetch(own("http://localhost:25/"))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Blocked);
    assert!(error.to_string().contains("port"), "{error}");
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    // <https://www.rfc-editor.org/rfc/rfc6761#section-6.4> keeps the name free.
    let error = Browser::new()
        .fetch(own("http://nobody.invalid/"))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Dns);
    assert!(error.is_network_unreachable());
    assert!(error.to_string().contains("nobody.invalid"), "{error}");
}

#[test]
fn a_server_that_never_answers_is_given_up_at_the_time_limit() {
    let (arrive, closed) = bounded::<usize>(1);
    let server = Server::raw(move |_, stream| {
        // Until the browser closes the connection.
        arrive.send(stream.read(&mut [0; 1]).unwrap_or(0)).unwrap();
        Then::Close
    });
    let browser = Browser::new();
    let time_limit = Some(Duration::from_millis(500));
    let error = browser
        .fetch(Request {
            time_limit,
            ..own(&server.url("/"))
        })
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Timeout);
    assert!(!error.is_network_unreachable());
    assert!(error.to_string().contains("500ms"), "{error}");
    assert_eq!(closed.recv(), Ok(0), "the connection is closed");
}

#[test]
fn a_server_that_never_ends_its_answer_is_given_up_at_the_time_limit() {
    let server = Server::raw(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
            .unwrap();
        let _ = stream.read(&mut [0; 1]);
        Then::Close
    });
    let config = NetConfig {
        time_limit: Duration::from_millis(500),
        ..NetConfig::default()
    };
    let error = Browser::with(config)
        .fetch(own(&server.url("/")))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Timeout);
}

#[test]
fn a_body_that_is_too_large_is_an_error() {
    let config = NetConfig {
        max_body_size: 10,
        ..NetConfig::default()
    };
    let browser = Browser::with(config);
    let server = Server::text(|request| match request.target.as_str() {
        "/fits" => answer("200 OK", "", "0123456789"),
        "/announced" => answer("200 OK", "", "0123456789x"),
        _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789x\r\n0\r\n\r\n"
            .to_owned(),
    });
    assert_eq!(
        browser.fetch(own(&server.url("/fits"))).unwrap().body.len(),
        10
    );
    for path in ["/announced", "/chunked"] {
        let error = browser.fetch(own(&server.url(path))).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::TooLarge, "{path}");
        assert!(error.to_string().contains("10 bytes"), "{error}");
    }
}

#[test]
fn a_request_that_cannot_be_written_is_an_error() {
    let server = Server::text(|_| answer("200 OK", "", ""));
    let browser = Browser::new();
    let header = |name: &str, value: &[u8]| Request {
        headers: vec![(name.to_owned(), value.to_vec())],
        ..own(&server.url("/"))
    };
    let method = Request {
        method: "G ET".to_owned(),
        ..own(&server.url("/"))
    };
    for request in [
        header("a b", b"x"),
        header("x", b"a\r\nInjected: 1"),
        method,
    ] {
        let mut request = request;
        // So that no preflight fails first.
        request.origin = own(&server.url("/")).origin;
        let error = browser.fetch(request).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::BadRequest, "{error}");
    }
    assert!(server.received().is_empty());
}

#[test]
fn a_cancelled_fetch_ends_at_once_and_closes_its_connection() {
    let (arrive, arrived) = bounded::<()>(1);
    let (close, closed) = bounded::<usize>(1);
    let server = Server::raw(move |_, stream| {
        arrive.send(()).unwrap();
        close.send(stream.read(&mut [0; 1]).unwrap_or(0)).unwrap();
        Then::Close
    });
    let config = NetConfig {
        max_running_per_origin: 1,
        ..NetConfig::default()
    };
    let browser = Browser::with(config);
    let (running, result) = browser.start(own(&server.url("/running")));
    let (waiting, waiting_result) = browser.start(own(&server.url("/waiting")));
    arrived.recv().unwrap();
    for (id, result) in [(waiting, waiting_result), (running, result)] {
        browser.net.handle().cancel(id);
        assert_eq!(
            result.recv().unwrap().unwrap_err().kind,
            FetchErrorKind::Aborted
        );
        browser.net.handle().cancel(id);
        assert!(result.recv().is_err(), "it is answered once");
    }
    assert_eq!(closed.recv(), Ok(0));
    assert_eq!(server.received().len(), 1);
}

#[test]
fn shutting_down_answers_every_fetch() {
    let (arrive, arrived) = bounded::<()>(1);
    let server = Server::raw(move |_, stream| {
        arrive.send(()).unwrap();
        let _ = stream.read(&mut [0; 1]);
        Then::Close
    });
    let browser = Browser::new();
    let handle = browser.net.handle();
    let (_, result) = browser.start(own(&server.url("/")));
    arrived.recv().unwrap();
    drop(browser);
    assert_eq!(
        result.recv().unwrap().unwrap_err().kind,
        FetchErrorKind::Aborted
    );
    let (sender, result) = unbounded();
    handle.fetch(
        Request::new(url("data:,x")),
        Callback::to_sender(&sender, |result| result),
    );
    assert_eq!(
        result.recv().unwrap().unwrap_err().kind,
        FetchErrorKind::Aborted
    );
}

#[test]
fn what_is_asked_right_behind_the_end_is_answered() {
    for _ in 0..50 {
        let browser = Browser::new();
        let handle = browser.net.handle();
        let (sender, ended) = unbounded();
        let done = || Callback::to_sender(&sender, |()| ());
        handle.exit(done());
        let (_, result) = browser.start(Request::new(url("data:,x")));
        handle.exit(done());
        assert_eq!(
            result.recv().unwrap().unwrap_err().kind,
            FetchErrorKind::Aborted
        );
        ended.recv().unwrap();
        ended.recv().unwrap();
    }
}
