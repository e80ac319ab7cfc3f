use std::io::Read;

use base::StorageKey;
use base::channel::bounded;
use net::{FetchErrorKind, NetConfig, Request, RequestMode};

use crate::server::{Server, Then, answer};
use crate::{Browser, own, url};

#[test]
fn while_offline_is_emulated_nothing_gets_out() {
    let server = Server::text(|_| answer("200 OK", "", ""));
    let browser = Browser::new();
    browser.emulate_offline(true);
    for url in [server.url("/"), "http://nobody.invalid/".to_owned()] {
        let error = browser.fetch(own(&url)).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Offline);
        assert!(error.is_network_unreachable());
        assert_eq!(error.exception().name(), "TypeError");
    }
    assert!(
        browser.fetch(Request::new(url("data:,x"))).is_ok(),
        "this needs no network"
    );
    assert!(server.received().is_empty());
    browser.emulate_offline(false);
    assert!(browser.fetch(own(&server.url("/"))).is_ok());
}

#[test]
fn going_offline_ends_what_is_running_and_waiting() {
    let (arrive, arrived) = bounded::<()>(1);
    let (close, closed) = bounded::<usize>(1);
    let server = Server::raw(move |_, stream| {
        arrive.send(()).unwrap();
        close.send(stream.read(&mut [0; 1]).unwrap_or(0)).unwrap();
        Then::Close
    });
    let browser = Browser::with(NetConfig {
        max_running_per_origin: 1,
        ..NetConfig::default()
    });
    let (_, running) = browser.start(own(&server.url("/running")));
    let (_, waiting) = browser.start(own(&server.url("/waiting")));
    arrived.recv().unwrap();
    browser.emulate_offline(true);
    for result in [running, waiting] {
        assert_eq!(
            result.recv().unwrap().unwrap_err().kind,
            FetchErrorKind::Offline
        );
    }
    assert_eq!(closed.recv(), Ok(0), "the connection is closed");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_registration_that_is_emulated_offline_is_cut_off_and_nobody_else() {
    let (arrive, arrived) = bounded::<()>(2);
    let server = Server::raw(move |_, stream| {
        arrive.send(()).unwrap();
        let _ = stream.read(&mut [0; 1]);
        Then::Close
    });
    let answering = Server::text(|_| answer("200 OK", "", ""));
    let browser = Browser::new();
    let of_worker = |target: &str, scope: &str| Request {
        registration_scope: Some(url(&server.url(scope))),
        origin: StorageKey::from_url(&url(&server.url("/"))).ok().into(),
        ..own(target)
    };
    let hanging = server.url("/hanging");
    let (_, cut_off) = browser.start(of_worker(&hanging, "/a/"));
    let (other_id, other) = browser.start(of_worker(&hanging, "/b/"));
    arrived.recv().unwrap();
    arrived.recv().unwrap();
    browser.emulate_registration_offline(&url(&server.url("/a/")), true);
    let error = cut_off.recv().unwrap().unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Offline);
    assert!(error.reason.contains("service worker registration"));

    let target = answering.url("/");
    let of_worker = |scope| Request {
        mode: RequestMode::NoCors,
        ..of_worker(&target, scope)
    };
    let error = browser.fetch(of_worker("/a/")).unwrap_err();
    assert_eq!(
        error.kind,
        FetchErrorKind::Offline,
        "whichever origin it asks"
    );
    assert!(browser.fetch(of_worker("/b/")).is_ok());
    assert!(
        browser.fetch(own(&target)).is_ok(),
        "a page is not concerned"
    );
    assert!(other.try_recv().is_none(), "nor is what was under way");
    browser.emulate_registration_offline(&url(&server.url("/a/")), false);
    assert!(browser.fetch(of_worker("/a/")).is_ok());
    browser.net.handle().cancel(other_id);
    assert_eq!(
        other.recv().unwrap().unwrap_err().kind,
        FetchErrorKind::Aborted
    );
}
