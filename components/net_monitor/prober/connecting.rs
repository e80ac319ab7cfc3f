use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::channel::{Callback, Receiver, Sender, unbounded};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use network_traits::{ProbeId, ProbeOutcome};

/// How long one address has before the next one is tried beside it, as
/// <https://www.rfc-editor.org/rfc/rfc8305#section-5> recommends.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 16;

/// How often each address is tried, all of them before one is tried again. A first packet is easily
/// lost while a link comes up, and the system waits a whole second before it sends it again; a second
/// connection beside the first costs one packet, and only where nothing has answered.
const ROUNDS: usize = 2;

/// The token of the waker; sockets have the others.
const WAKE: Token = Token(0);

/// What the thread is told.
enum Command {
    Connect {
        id: ProbeId,
        addresses: Vec<SocketAddr>,
        /// Whether it is still wanted; false by the time a cancellation is sent.
        wanted: Arc<AtomicBool>,
        ended: Callback<ProbeOutcome>,
    },
    Cancel {
        id: ProbeId,
    },
    Exit,
}

/// The way to the thread that makes connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections {
    // No bound: a few commands for each probe, whose number the monitor bounds.
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

impl Connections {
    /// Connect to one of these addresses, then close the connection.
    pub(super) fn connect(
        &self,
        id: ProbeId,
        addresses: Vec<SocketAddr>,
        wanted: Arc<AtomicBool>,
        ended: Callback<ProbeOutcome>,
    ) {
        self.send(Command::Connect {
            id,
            addresses,
            wanted,
            ended,
        });
    }

    /// Stop to connect. Who connects on another thread has to see before that it is not wanted.
    pub(super) fn cancel(&self, id: ProbeId) {
        self.send(Command::Cancel { id });
    }

    fn send(&self, command: Command) {
        // A thread that is gone connects to nothing.
        if self.commands.send(command).is_ok()
            && let Err(error) = self.waker.wake()
        {
            log::error!("the prober's thread cannot be woken: {error}");
        }
    }
}

/// The thread that makes connections. Dropping it closes all that are under way, and waits until it
/// has ended.
pub(super) struct Connector {
    connections: Connections,
    thread: Option<JoinHandle<()>>,
}

impl Connector {
    pub(super) fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (commands, receiver) = unbounded();
        let attempts = Attempts {
            poll,
            probes: BTreeMap::new(),
            sockets: BTreeMap::new(),
            last_token: WAKE,
        };
        let thread = thread::Builder::new()
            .name("prober".to_owned())
            .spawn(move || attempts.run(&receiver))?;
        Ok(Self {
            connections: Connections { commands, waker },
            thread: Some(thread),
        })
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.connections.send(Command::Exit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the prober's thread panicked");
        }
    }
}

/// One probe.
struct Attempt {
    /// The addresses that are still to be tried, or tried again.
    addresses: VecDeque<SocketAddr>,
    /// Kept so that the prober sees that the probe is under way.
    _wanted: Arc<AtomicBool>,
    ended: Callback<ProbeOutcome>,
}

/// A connection that is being made.
struct Connecting {
    probe: ProbeId,
    address: SocketAddr,
    socket: TcpStream,
}

/// What the thread has under way.
struct Attempts {
    poll: Poll,
    probes: BTreeMap<ProbeId, Attempt>,
    sockets: BTreeMap<Token, Connecting>,
    last_token: Token,
}

impl Attempts {
    /// Runs until it is told to end. Without a probe that has another address to try it waits
    /// without a time limit.
    fn run(mut self, commands: &Receiver<Command>) {
        let mut events = Events::with_capacity(64);
        loop {
            let has_more = self
                .probes
                .values()
                .any(|probe| !probe.addresses.is_empty());
            let timeout = has_more.then_some(NEXT_ADDRESS_AFTER);
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::error!("the prober cannot wait for its connections: {error}");
                    return self.fail_all();
                }
            }
            if events.is_empty() {
                self.try_next_of_all();
            }
            for event in &events {
                if event.token() != WAKE {
                    self.handle_socket(event.token());
                }
            }
            while let Some(command) = commands.try_recv() {
                match command {
                    Command::Connect {
                        id,
                        addresses,
                        wanted,
                        ended,
                    } if wanted.load(Ordering::Acquire) => {
                        let addresses = in_turn(addresses).repeat(ROUNDS).into();
                        let attempt = Attempt {
                            addresses,
                            ended,
                            _wanted: wanted,
                        };
                        self.probes.insert(id, attempt);
                        self.try_next(id);
                    }
                    Command::Connect { .. } => {}
                    Command::Cancel { id } => self.forget(id),
                    Command::Exit => return,
                }
            }
        }
    }

    /// Tries the next address of a probe, and ends it when there is neither one nor a connection
    /// under way.
    fn try_next(&mut self, id: ProbeId) {
        let Some(probe) = self.probes.get_mut(&id) else {
            return;
        };
        while let Some(address) = probe.addresses.pop_front() {
            self.last_token.0 += 1;
            let token = self.last_token;
            let connecting = TcpStream::connect(address).and_then(|mut socket| {
                self.poll
                    .registry()
                    .register(&mut socket, token, Interest::WRITABLE)?;
                Ok(socket)
            });
            match connecting {
                Ok(socket) => {
                    let connecting = Connecting {
                        probe: id,
                        address,
                        socket,
                    };
                    self.sockets.insert(token, connecting);
                    return;
                }
                Err(error) => {
                    log::debug!("no connection to {address}: {error}");
                    probe.addresses.retain(|other| *other != address);
                }
            }
        }
        if !self.sockets.values().any(|it| it.probe == id) {
            self.end(id, ProbeOutcome::Failed);
        }
    }

    /// The addresses that are being tried have had their time to themselves.
    fn try_next_of_all(&mut self) {
        let ids: Vec<_> = self.probes.keys().copied().collect();
        for id in ids {
            self.try_next(id);
        }
    }

    /// Something has happened to a socket.
    fn handle_socket(&mut self, token: Token) {
        let Some(Connecting {
            probe,
            address,
            socket,
        }) = self.sockets.get(&token)
        else {
            return;
        };
        let (id, address) = (*probe, *address);
        let error = match (socket.take_error(), socket.peer_addr()) {
            (Ok(None), Ok(_)) => return self.end(id, ProbeOutcome::Reached),
            (Ok(None), Err(error)) if error.kind() == io::ErrorKind::NotConnected => return,
            (Ok(Some(error)) | Err(error), _) | (Ok(None), Err(error)) => error,
        };
        log::debug!("no connection to {address}: {error}");
        self.sockets.remove(&token);
        // It has answered, or the system knows that it does not: nothing was lost on the way.
        if let Some(probe) = self.probes.get_mut(&id) {
            probe.addresses.retain(|other| *other != address);
        }
        self.try_next(id);
    }

    fn end(&mut self, id: ProbeId, outcome: ProbeOutcome) {
        let ended = self.probes.get(&id).map(|probe| probe.ended.clone());
        self.forget(id);
        if let Some(ended) = ended {
            ended.call(outcome);
        }
    }

    /// Closes what a probe has open.
    fn forget(&mut self, id: ProbeId) {
        self.probes.remove(&id);
        self.sockets.retain(|_, it| it.probe != id);
    }

    fn fail_all(mut self) {
        while let Some((_, probe)) = self.probes.pop_first() {
            probe.ended.call(ProbeOutcome::Failed);
        }
    }
}

/// The addresses of both families in turn, the one that the system prefers first, so that a family
/// that leads nowhere does not hold up the other.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == is_first_v6);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut ordered = Vec::new();
    while ordered.len() < MAX_ADDRESSES {
        let before = ordered.len();
        ordered.extend(preferred.next());
        ordered.extend(others.next());
        if ordered.len() == before {
            break;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_take_turns() {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let expected = parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turn(given), expected);
        assert!(in_turn(Vec::new()).is_empty());
        let many = vec!["1.1.1.1:1".parse().unwrap(); 100];
        assert_eq!(in_turn(many).len(), MAX_ADDRESSES);
    }
}
