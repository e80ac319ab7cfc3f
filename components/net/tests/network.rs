use std::io::{Read, Write};
use std::net::Shutdown;

use base::channel::{Callback, Receiver, Sender, bounded, unbounded};
use net::{FetchErrorKind, FetchResult, Request};
use network_traits::{LinkSnapshot, LinkState, NetworkIdentity, NetworkState};

use crate::server::{Server, Then, answer};
use crate::{Browser, own, url};

fn routable(network: u64) -> LinkSnapshot {
    LinkSnapshot {
        link: LinkState::Routable,
        identity: Some(NetworkIdentity(network)),
        ..LinkSnapshot::default()
    }
}

/// Makes the links like this, and waits until the component has dealt with it.
fn change(browser: &Browser, snapshot: LinkSnapshot) {
    let (sender, states) = unbounded();
    let changed = Callback::to_sender(&sender, |state: NetworkState| state);
    let id = browser.monitor().subscribe(changed).unwrap();
    browser.network.set(snapshot);
    // The component was told first: it subscribed first.
    while states
        .recv()
        .map(|state| (state.link, state.identity))
        .unwrap()
        != (snapshot.link, snapshot.identity)
    {}
    browser.monitor().unsubscribe(id);
    browser.fetch(Request::new(url("data:,x"))).unwrap();
}

/// A server that answers when it is told to, and says when a client has gone away.
struct Holding {
    server: Server,
    arrived: Receiver<()>,
    release: Sender<()>,
}

impl Holding {
    fn new() -> Self {
        let (arrive, arrived) = bounded(10);
        let (release, released) = bounded::<()>(10);
        let server = Server::raw(move |_, stream| {
            arrive.send(()).unwrap();
            if released.recv().is_ok() {
                stream
                    .write_all(answer("200 OK", "", "x").as_bytes())
                    .unwrap();
            }
            Then::Continue
        });
        Self {
            server,
            arrived,
            release,
        }
    }

    /// Starts a fetch of this server under the name `host`, which gets as far as the server.
    fn fetch(&self, browser: &Browser, host: &str) -> Receiver<FetchResult> {
        let port = url(&self.server.url("/")).port().unwrap();
        let (_, result) = browser.start(own(&format!("http://{host}:{port}/")));
        self.arrived.recv().unwrap();
        result
    }
}

/// It reaches this machine, and does not count as an address of it.
const REMOTE: &str = "0.0.0.0";

#[test]
fn a_lost_network_ends_the_fetches_that_use_it() {
    for lost in [
        LinkSnapshot {
            link: LinkState::None,
            ..LinkSnapshot::default()
        },
        routable(2),
    ] {
        let browser = Browser::new();
        change(&browser, routable(1));
        let (remote, own_machine) = (Holding::new(), Holding::new());
        let cut_off = remote.fetch(&browser, REMOTE);
        let unaffected = own_machine.fetch(&browser, "localhost");
        change(&browser, lost);
        let error = cut_off.recv().unwrap().unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::NetworkChanged, "{error}");
        assert!(error.is_network_unreachable());
        own_machine.release.send(()).unwrap();
        assert_eq!(unaffected.recv().unwrap().unwrap().status, 200);
    }
}

#[test]
fn a_network_that_becomes_known_or_is_in_doubt_for_a_while_ends_nothing() {
    let browser = Browser::new();
    let remote = Holding::new();
    let result = remote.fetch(&browser, REMOTE);
    let nameless = LinkSnapshot {
        identity: None,
        ..routable(1)
    };
    for snapshot in [nameless, routable(1), LinkSnapshot::default(), routable(1)] {
        change(&browser, snapshot);
    }
    remote.release.send(()).unwrap();
    assert_eq!(result.recv().unwrap().unwrap().status, 200);
}

#[test]
fn a_network_that_is_another_one_after_a_while_in_doubt_is_lost() {
    let browser = Browser::new();
    change(&browser, routable(1));
    let remote = Holding::new();
    let result = remote.fetch(&browser, REMOTE);
    change(&browser, LinkSnapshot::default());
    change(&browser, routable(2));
    let error = result.recv().unwrap().unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::NetworkChanged);
}

#[test]
fn a_fetch_on_a_lost_network_closes_its_connection() {
    let (arrive, arrived) = bounded::<()>(1);
    let (close, closed) = bounded::<usize>(1);
    let server = Server::raw(move |_, stream| {
        arrive.send(()).unwrap();
        close.send(stream.read(&mut [0; 1]).unwrap_or(0)).unwrap();
        let _ = stream.shutdown(Shutdown::Both);
        Then::Close
    });
    let browser = Browser::new();
    change(&browser, routable(1));
    let port = url(&server.url("/")).port().unwrap();
    let (_, result) = browser.start(own(&format!("http://{REMOTE}:{port}/")));
    arrived.recv().unwrap();
    change(&browser, routable(2));
    assert!(result.recv().unwrap().is_err());
    assert_eq!(closed.recv(), Ok(0));
}
