use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use ureq::unversioned::transport::ShutdownHandle;
use url::Url;

thread_local! {
    /// The fetch that this thread runs: each has a thread of its own. A connection that is used
    /// again meets another fetch than the one that made it, so it looks here.
    static CURRENT: RefCell<Option<Arc<Control>>> = const { RefCell::new(None) };
}

/// What the threads of a fetch and of the component know of one another: how far the fetch has got,
/// and whether it is to stop.
pub(crate) struct Control(Mutex<State>);

struct State {
    /// The URL it is at.
    url: Url,
    /// It has no connection yet.
    connecting: bool,
    /// The connection was made for this exchange, rather than kept from an earlier one.
    connection_is_new: bool,
    aborted: bool,
    /// The socket it uses, to shut it down.
    socket: Option<Weak<dyn ShutdownHandle>>,
    /// The reason phrase of the response, from when the request is sent until its head is read.
    head: Option<String>,
}

impl Control {
    /// A fetch that starts with `url`.
    pub(crate) fn new(url: Url) -> Self {
        Self(Mutex::new(State {
            url,
            connecting: true,
            connection_is_new: false,
            aborted: false,
            socket: None,
            head: None,
        }))
    }

    /// From now on this thread runs this fetch.
    pub(crate) fn make_current(self: Arc<Self>) {
        CURRENT.set(Some(self));
    }

    /// The fetch that this thread runs.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Stops the fetch: what it waits for ends, and nothing new begins. A connection that is being
    /// made right now is given up once it is there.
    pub(crate) fn abort(&self) {
        let mut state = self.0.lock();
        state.aborted = true;
        let socket = state.socket.take().and_then(|socket| socket.upgrade());
        drop(state);
        if let Some(socket) = socket {
            socket.shutdown();
        }
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.0.lock().aborted
    }

    /// The URL it is at, and whether it is still connecting.
    pub(crate) fn progress(&self) -> (Url, bool) {
        let state = self.0.lock();
        (state.url.clone(), state.connecting)
    }

    /// An exchange begins.
    pub(crate) fn begin_exchange(&self, url: &Url) {
        let mut state = self.0.lock();
        state.url = url.clone();
        state.connecting = true;
        state.connection_is_new = false;
        state.head = Some(String::new());
    }

    /// No connection is kept for the exchange, so one is made.
    pub(crate) fn connecting_anew(&self) {
        self.0.lock().connection_is_new = true;
    }

    pub(crate) fn connection_is_new(&self) -> bool {
        self.0.lock().connection_is_new
    }

    /// The exchange uses this socket from now on, unless the fetch is to stop.
    pub(crate) fn use_socket(&self, socket: &Weak<dyn ShutdownHandle>) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.aborted {
            drop(state);
            if let Some(socket) = socket.upgrade() {
                socket.shutdown();
            }
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        state.socket = Some(Weak::clone(socket));
        Ok(())
    }

    /// The connection stands.
    pub(crate) fn connected(&self) {
        self.0.lock().connecting = false;
    }

    /// Looks at what has been received of the response's head, for its reason phrase. When several
    /// heads come, the last one counts.
    pub(crate) fn note_head(&self, received: &[u8]) {
        let mut state = self.0.lock();
        if let Some(head) = &mut state.head
            && let Some(reason) = reason_phrase(received)
        {
            *head = reason;
        }
    }

    /// The head has been read. Answers its reason phrase.
    pub(crate) fn end_head(&self) -> String {
        self.0.lock().head.take().unwrap_or_default()
    }

    /// The exchange has ended: its socket may be used by another fetch.
    pub(crate) fn end_exchange(&self) {
        self.0.lock().socket = None;
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Control")
    }
}

/// The reason phrase, if `head` starts with a whole status line. Bytes beyond ASCII mean what they
/// mean in Latin-1.
fn reason_phrase(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"HTTP/1.")?.split(|byte| *byte == b'\n');
    let (line, complete) = (line.clone().next()?, line.count() > 1);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let reason = line
        .splitn(3, |byte| *byte == b' ')
        .nth(2)
        .unwrap_or_default();
    complete.then(|| reason.iter().map(|byte| char::from(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_phrase_is_all_after_the_status() {
        for (head, reason) in [
            (&b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n"[..], Some("OK")),
            (b"HTTP/1.0 404 Not here, sorry\n", Some("Not here, sorry")),
            (b"HTTP/1.1 200 \r\n", Some("")),
            (b"HTTP/1.1 200\r\n", Some("")),
            (b"HTTP/1.1 200 Gr\xfc\xdfe\r\n", Some("Grüße")),
            (b"HTTP/1.1 200 OK", None),
            (b"HTTP/", None),
            (b"5\r\nchunk\r\n", None),
        ] {
            assert_eq!(reason_phrase(head).as_deref(), reason);
        }
    }

    #[test]
    fn a_socket_is_shut_down_whichever_comes_first() {
        struct Socket(Mutex<u32>);
        impl ShutdownHandle for Socket {
            fn shutdown(&self) {
                *self.0.lock() += 1;
            }
        }
        let control = || Control::new(Url::parse("http://a.example/").unwrap());
        let socket = Arc::new(Socket(Mutex::new(0)));
        let handle = Arc::downgrade(&socket) as Weak<dyn ShutdownHandle>;
        let used_first = control();
        used_first.use_socket(&handle).unwrap();
        used_first.abort();
        assert_eq!(*socket.0.lock(), 1);
        let aborted_first = control();
        aborted_first.abort();
        assert!(aborted_first.use_socket(&handle).is_err());
        assert_eq!(*socket.0.lock(), 2);
        let ended_first = control();
        ended_first.use_socket(&handle).unwrap();
        ended_first.end_exchange();
        ended_first.abort();
        assert_eq!(*socket.0.lock(), 2, "it may be another fetch's by now");
    }
}
