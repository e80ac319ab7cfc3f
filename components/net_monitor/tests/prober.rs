//! The real prober, against real servers on this machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use base::channel::{Callback, Receiver, unbounded};
use net_monitor::TcpProber;
use network_traits::{
    CaptivePortalCheck, ExpectedAnswer, HostMap, ProbeId, ProbeOutcome, ProbeTarget, Prober,
};
use url::Url;

use crate::key;

/// Longer than any of these tests takes: the monitor watches the limit, and there is none here.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A prober and the answers it gives.
struct Probing {
    prober: TcpProber,
    last: u64,
}

impl Probing {
    fn new() -> Self {
        Self {
            prober: TcpProber::new(),
            last: 0,
        }
    }

    fn start(&mut self, target: ProbeTarget) -> (ProbeId, Receiver<ProbeOutcome>) {
        self.last += 1;
        let id = ProbeId(self.last);
        let (sender, receiver) = unbounded();
        let ended = Callback::to_sender(&sender, |outcome| outcome);
        self.prober.start(id, target, TIME_LIMIT, ended);
        (id, receiver)
    }

    fn start_origin(&mut self, url: &str) -> (ProbeId, Receiver<ProbeOutcome>) {
        self.start(ProbeTarget::Origin(key(url)))
    }

    /// Probes an origin, and waits for the answer.
    fn probe(&mut self, url: &str) -> ProbeOutcome {
        let (_, answers) = self.start_origin(url);
        let outcome = answers.recv().unwrap();
        assert!(answers.recv().is_err(), "one answer, and only one");
        outcome
    }
}

/// A server on a port that the system chooses.
fn listen(host: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port on which nobody listens, and nobody else is given meanwhile.
fn refusing() -> (TcpListener, u16) {
    let (listener, port) = listen("127.0.0.2");
    (listener, port)
}

#[test]
fn a_server_that_listens_is_reached() {
    let (listener, port) = listen("127.0.0.1");
    let mut probing = Probing::new();
    for host in ["127.0.0.1", "localhost", "a.localhost"] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(probing.probe(&url), ProbeOutcome::Reached, "{host}");
        let (mut connection, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        connection.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"", "nothing is sent, and the connection closed");
    }
}

#[test]
fn a_host_whose_address_is_known_is_reached_without_a_resolver() {
    let (_listener, port) = listen("127.0.0.1");
    let hosts = HostMap::default().with("*.invalid", Ipv4Addr::LOCALHOST.into());
    let mut probing = Probing {
        prober: TcpProber::with_hosts(hosts),
        last: 0,
    };
    let url = format!("https://known.invalid:{port}/");
    assert_eq!(probing.probe(&url), ProbeOutcome::Reached);
}

#[test]
fn a_port_on_which_nobody_listens_is_not_reached() {
    // It is taken on another address of this machine, so that no other test gets it.
    let (_taken, port) = refusing();
    let mut probing = Probing::new();
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(probing.probe(&url), ProbeOutcome::Failed);
}

#[test]
fn a_name_that_does_not_exist_is_not_reached() {
    // Such names never exist: <https://www.rfc-editor.org/rfc/rfc6761#section-6.4>.
    let mut probing = Probing::new();
    let outcome = probing.probe("https://nowhere.invalid/");
    assert_eq!(outcome, ProbeOutcome::Failed);
}

#[test]
fn a_server_that_listens_on_one_family_only_is_reached() {
    let mut probing = Probing::new();
    for host in ["127.0.0.1", "::1"] {
        let (_listener, port) = listen(host);
        let url = format!("http://localhost:{port}/");
        assert_eq!(probing.probe(&url), ProbeOutcome::Reached, "{host}");
    }
}

#[test]
fn many_probes_at_once_are_each_answered() {
    let (_listener, port) = listen("127.0.0.1");
    let (_taken, refused) = refusing();
    let mut probing = Probing::new();
    let answers: Vec<_> = (0..20)
        .map(|number| {
            let port = if number % 2 == 0 { port } else { refused };
            probing.start_origin(&format!("http://127.0.0.1:{port}/")).1
        })
        .collect();
    for (number, answers) in answers.iter().enumerate() {
        let expected = if number % 2 == 0 {
            ProbeOutcome::Reached
        } else {
            ProbeOutcome::Failed
        };
        assert_eq!(answers.recv(), Ok(expected));
    }
}

#[cfg(target_os = "linux")]
mod black_hole {
    use std::fs;
    use std::net::{SocketAddr, TcpStream};

    use super::*;

    /// A server whose queue of connections is full, so that the system drops what comes. It is empty
    /// again when the connection is dropped.
    fn full(host: &str) -> (TcpListener, u16, TcpStream) {
        let (listener, port) = listen(host);
        rustix::net::listen(&listener, 0).unwrap();
        let occupying = TcpStream::connect((host, port)).unwrap();
        (listener, port, occupying)
    }

    /// How many connections to this port this machine has that have got no answer yet.
    fn connecting_to(port: u16) -> usize {
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let remote = format!("0100007F:{:04X} 02", address.port());
        table.matches(&remote).count()
    }

    fn is_connecting_to(port: u16) -> bool {
        connecting_to(port) > 0
    }

    #[test]
    fn a_probe_that_hangs_is_not_answered_and_closed_when_cancelled() {
        let (_listener, hanging, _occupying) = full("127.0.0.1");
        let (_answering, answering) = listen("127.0.0.1");
        let mut probing = Probing::new();
        let (id, answers) = probing.start_origin(&format!("http://127.0.0.1:{hanging}/"));
        let other = format!("http://127.0.0.1:{answering}/");
        assert_eq!(probing.probe(&other), ProbeOutcome::Reached);
        assert!(is_connecting_to(hanging));
        probing.prober.cancel(id);
        // The prober does one thing after the other.
        assert_eq!(probing.probe(&other), ProbeOutcome::Reached);
        assert!(!is_connecting_to(hanging));
        assert!(answers.recv().is_err(), "whom it concerned is let go");
    }

    #[test]
    fn an_address_that_does_not_answer_is_tried_once_more_beside() {
        let (_listener, port, _occupying) = full("127.0.0.1");
        let mut probing = Probing::new();
        let (_, _answers) = probing.start_origin(&format!("http://127.0.0.1:{port}/"));
        while connecting_to(port) < 2 {
            thread::yield_now();
        }
    }

    #[test]
    fn a_prober_that_is_dropped_leaves_no_connection_behind() {
        let (_listener, port, _occupying) = full("127.0.0.1");
        let mut probing = Probing::new();
        let (_, answers) = probing.start_origin(&format!("http://127.0.0.1:{port}/"));
        drop(probing);
        assert!(!is_connecting_to(port));
        assert!(answers.recv().is_err());
    }

    #[test]
    fn an_address_that_does_not_answer_does_not_hold_up_the_next() {
        let (_listener, port, _occupying) = full("127.0.0.1");
        let _answering = TcpListener::bind(("::1", port)).unwrap();
        let mut probing = Probing::new();
        let url = format!("http://localhost:{port}/");
        assert_eq!(probing.probe(&url), ProbeOutcome::Reached);
    }
}

/// A server that gives one answer to one request, and the check that asks it.
fn answering(answer: &str, expected: ExpectedAnswer) -> ProbeTarget {
    let (listener, port) = listen("127.0.0.1");
    let answer = answer.replace('\n', "\r\n");
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        connection.write_all(answer.as_bytes()).unwrap();
    });
    ProbeTarget::CaptivePortal(CaptivePortalCheck {
        url: Url::parse(&format!("http://127.0.0.1:{port}/generate_204")).unwrap(),
        expected,
    })
}

#[test]
fn a_captive_portal_is_found_out_by_its_answer() {
    let status = || ExpectedAnswer::Status(204);
    let body = || ExpectedAnswer::Body("success".to_owned());
    let mut probing = Probing::new();
    for (answer, expected, outcome) in [
        (
            "HTTP/1.1 204 No Content\n\n",
            status(),
            ProbeOutcome::Reached,
        ),
        (
            "HTTP/1.1 302 Found\nLocation: http://login.example/\nContent-Length: 0\n\n",
            status(),
            ProbeOutcome::Altered,
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 5\n\nlogin",
            status(),
            ProbeOutcome::Altered,
        ),
        (
            "HTTP/1.1 511 Network Authentication Required\nContent-Length: 0\n\n",
            status(),
            ProbeOutcome::Altered,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\nContent-Length: 0\n\n",
            status(),
            ProbeOutcome::Failed,
        ),
        ("no HTTP at all\n\n", status(), ProbeOutcome::Failed),
        ("", status(), ProbeOutcome::Failed),
        (
            "HTTP/1.1 200 OK\nContent-Length: 7\n\nsuccess",
            body(),
            ProbeOutcome::Reached,
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 8\n\nsuccessx",
            body(),
            ProbeOutcome::Altered,
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 5\n\nlogin",
            body(),
            ProbeOutcome::Altered,
        ),
    ] {
        let (_, answers) = probing.start(answering(answer, expected));
        assert_eq!(answers.recv(), Ok(outcome), "{answer}");
    }
}

#[test]
fn a_check_without_a_server_has_failed() {
    let (_taken, port) = refusing();
    let mut probing = Probing::new();
    let (_, answers) = probing.start(ProbeTarget::CaptivePortal(CaptivePortalCheck {
        url: Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap(),
        expected: ExpectedAnswer::Status(204),
    }));
    assert_eq!(answers.recv(), Ok(ProbeOutcome::Failed));
}
