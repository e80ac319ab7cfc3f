//! The network source for Linux: rtnetlink notifications.
//!
//! One socket joins the groups that tell about links, addresses and routes, and only then lists
//! what there is, so that no change falls between. A thread then waits in `poll(2)` without a time
//! limit, on the socket and on an eventfd that ends it. When notifications come faster than they
//! are read the kernel drops some and says so; the source then starts over with a new socket. After
//! an error it does so too, with a pause before, and the link state is unknown until it succeeds.

mod conversation;
mod link_table;
mod parse;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base::channel::Callback;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use network_traits::{LinkSnapshot, NetworkSource, NetworkSourceError, SourceGuard};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use self::conversation::Conversation;

/// The multicast groups of `linux/rtnetlink.h`: links, and addresses and routes of IPv4 and IPv6.
const GROUPS: [(&str, u32); 5] = [
    ("RTNLGRP_LINK", 1),
    ("RTNLGRP_IPV4_IFADDR", 5),
    ("RTNLGRP_IPV4_ROUTE", 7),
    ("RTNLGRP_IPV6_IFADDR", 9),
    ("RTNLGRP_IPV6_ROUTE", 11),
];

/// The multicast group that tells about neighbours. It is joined only while the gateway is not known.
const NEIGHBOURS: (&str, u32) = ("RTNLGRP_NEIGH", 3);

/// Room for notifications that have not been read yet, in bytes. Without it a burst of some
/// hundred changes means to start over.
const RECEIVE_BUFFER: u32 = 1 << 20;

/// More than the kernel puts into one datagram.
const LARGEST_DATAGRAM: usize = 1 << 16;

/// Follows the links of the system, in the network namespace of the thread that starts it. Needs
/// no privilege.
///
/// # Which network it is
///
/// Two networks are the same when the kind of link, the gateway's IP address and link-layer address
/// are, and for IPv4, or where a link has no link-layer addresses (tunnels, mobile networks), the
/// prefix of the machine's own addresses on it too. Neither the machine's own addresses nor the
/// number or name of its interface count, so that a cable and another socket of the same network are
/// the same. All this goes into one hash in this process; nothing is sent anywhere.
///
/// The kernel knows the gateway's link-layer address once it has talked to it. Until then, which is
/// until the first packet after a link came up at the latest, the network has no identity.
///
/// The limits: a network whose router was exchanged is another one. Tunnels and mobile networks that
/// give out the same private prefix are the same. Somebody who imitates the router's addresses makes
/// his network the same. And a machine that is moved to another network without its link going down,
/// or its routes changing, is taken to be where it was.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetlinkSource;

impl NetworkSource for NetlinkSource {
    fn start(
        self: Box<Self>,
        changed: Callback<LinkSnapshot>,
    ) -> Result<SourceGuard, NetworkSourceError> {
        let link = NetlinkConnection::open()?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC)
            .map_err(|error| source_error("making an eventfd", error.into()))?;
        let stop = Arc::new(stop);
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("netlink".to_owned())
            .spawn(move || {
                let told = UnknownOnPanic(changed);
                run(link, NetlinkConnection::open, PAUSES, &stopped, &told.0);
            })
            .map_err(|error| source_error("starting a thread", error))?;
        Ok(SourceGuard::new(move || {
            if let Err(error) = rustix::io::write(&*stop, &1_u64.to_ne_bytes()) {
                log::error!("the netlink thread cannot be stopped: {error}");
                return;
            }
            if thread.join().is_err() {
                log::error!("the netlink thread panicked");
            }
        }))
    }
}

fn source_error(operation: &str, error: io::Error) -> NetworkSourceError {
    NetworkSourceError {
        operation: operation.to_owned(),
        reason: error.to_string(),
    }
}

/// Why a connection is not read any more.
enum End {
    Stopped,
    /// Notifications were lost.
    Overrun,
}

/// How long the source waits after an error before it starts over: first, and at most. It doubles
/// with each error in a row.
#[derive(Clone, Copy)]
struct Pauses {
    first: Duration,
    longest: Duration,
}

const PAUSES: Pauses = Pauses {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
};

/// Tells that nothing is known any more when the thread that has it panics.
struct UnknownOnPanic(Callback<LinkSnapshot>);

impl Drop for UnknownOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.call(LinkSnapshot::default());
        }
    }
}

/// What [`run`] needs of a connection.
trait Follow {
    /// Reads until `stop` is readable or notifications are lost, and calls `tell` with news.
    fn follow(
        &mut self,
        stop: &OwnedFd,
        tell: &mut dyn FnMut(LinkSnapshot),
    ) -> Result<End, NetworkSourceError>;
}

/// Follows one connection after the other, until `stop` is readable.
fn run<C: Follow>(
    connection: C,
    mut open: impl FnMut() -> Result<C, NetworkSourceError>,
    pauses: Pauses,
    stop: &OwnedFd,
    changed: &Callback<LinkSnapshot>,
) {
    let mut next = Ok(connection);
    let mut pause = pauses.first;
    loop {
        let ended = next.and_then(|mut connection| {
            connection.follow(stop, &mut |snapshot| {
                pause = pauses.first;
                changed.call(snapshot);
            })
        });
        match ended {
            Ok(End::Stopped) => return,
            Ok(End::Overrun) => {
                log::info!("netlink notifications were lost; reading everything again");
            }
            Err(error) => {
                log::error!("{error}; the link state is unknown, and asked for again in {pause:?}");
                changed.call(LinkSnapshot::default());
                if is_stopped_within(pause, stop) {
                    return;
                }
                pause = pauses.longest.min(pause * 2);
            }
        }
        next = open();
    }
}

/// Waits for `pause`, or until `stop` is readable, which is answered.
fn is_stopped_within(pause: Duration, stop: &OwnedFd) -> bool {
    // The pauses are short enough for the type.
    let timeout = Timespec::try_from(pause).ok();
    loop {
        let mut waiting = [PollFd::new(stop, PollFlags::IN)];
        match poll(&mut waiting, timeout.as_ref()) {
            Ok(readable) => return readable > 0,
            Err(Errno::INTR) => {}
            Err(error) => {
                // Without a way to wait there is no way to stop later either.
                log::error!("{}", source_error("waiting", error.into()));
                return true;
            }
        }
    }
}

/// One socket and the conversation over it.
struct NetlinkConnection {
    socket: Socket,
    conversation: Conversation,
    buffer: Vec<u8>,
    hears_neighbours: bool,
}

impl NetlinkConnection {
    /// Opens a socket and joins the groups. Nothing is asked yet.
    fn open() -> Result<Self, NetworkSourceError> {
        let mut socket = Socket::new(NETLINK_ROUTE)
            .map_err(|error| source_error("opening a netlink socket", error))?;
        let address = socket
            .bind_auto()
            .map_err(|error| source_error("binding the netlink socket", error))?;
        if let Err(error) = socket.set_rx_buf_sz(RECEIVE_BUFFER) {
            log::debug!("the netlink socket keeps its small buffer: {error}");
        }
        for group in GROUPS {
            join(&socket, group)?;
        }
        socket
            .set_non_blocking(true)
            .map_err(|error| source_error("setting up the netlink socket", error))?;
        Ok(Self {
            socket,
            conversation: Conversation::new(address.port_number()),
            buffer: Vec::with_capacity(LARGEST_DATAGRAM),
            hears_neighbours: false,
        })
    }

    /// Joins or leaves the group that tells about neighbours, as is needed. It is joined before they
    /// are listed, so that none falls between.
    fn hear_neighbours(&mut self) -> Result<(), NetworkSourceError> {
        let wanted = self.conversation.wants_neighbours();
        if wanted == self.hears_neighbours {
            return Ok(());
        }
        if wanted {
            join(&self.socket, NEIGHBOURS)?;
        } else if let Err(error) = self.socket.drop_membership(NEIGHBOURS.1) {
            log::debug!("the netlink socket still hears of neighbours: {error}");
        }
        self.hears_neighbours = wanted;
        Ok(())
    }

    /// Waits until there is something to read, or until it is time to stop, which is answered.
    fn wait(&self, stop: &OwnedFd) -> Result<bool, NetworkSourceError> {
        let mut waiting = [
            PollFd::new(stop, PollFlags::IN),
            PollFd::new(&self.socket, PollFlags::IN),
        ];
        loop {
            match poll(&mut waiting, None) {
                Ok(_) => return Ok(!waiting[0].revents().is_empty()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(source_error("waiting for netlink", error.into())),
            }
        }
    }

    /// Hands over all that is there. Answers whether something was lost.
    fn receive_all(&mut self) -> Result<bool, NetworkSourceError> {
        loop {
            self.buffer.clear();
            let sender = match self.socket.recv_from(&mut self.buffer, 0) {
                Ok((_, sender)) => sender,
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => return Ok(false),
                    Some(Errno::INTR) => continue,
                    Some(Errno::NOBUFS) => return Ok(true),
                    _ => return Err(source_error("reading from netlink", error)),
                },
            };
            if sender.port_number() != 0 {
                // Not from the kernel.
                continue;
            }
            self.conversation
                .handle_datagram(&self.buffer)
                .map_err(|error| {
                    source_error("asking over netlink", io::Error::other(error.to_string()))
                })?;
        }
    }
}

fn join(socket: &Socket, (name, group): (&str, u32)) -> Result<(), NetworkSourceError> {
    socket
        .add_membership(group)
        .map_err(|error| source_error(&format!("joining the netlink group {name}"), error))
}

impl Follow for NetlinkConnection {
    fn follow(
        &mut self,
        stop: &OwnedFd,
        tell: &mut dyn FnMut(LinkSnapshot),
    ) -> Result<End, NetworkSourceError> {
        loop {
            self.hear_neighbours()?;
            while let Some(request) = self.conversation.poll_request() {
                self.socket
                    .send_to(&request, &SocketAddr::new(0, 0), 0)
                    .map_err(|error| source_error("asking over netlink", error))?;
            }
            if self.wait(stop)? {
                return Ok(End::Stopped);
            }
            if self.receive_all()? {
                return Ok(End::Overrun);
            }
            if let Some(snapshot) = self.conversation.poll_snapshot() {
                tell(snapshot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base::channel::{Receiver, unbounded};
    use network_traits::LinkState;

    use super::*;

    /// A connection that tells something and fails, or tells it and works until it is to stop.
    #[derive(Clone, Copy)]
    enum Scripted {
        Fails(LinkState),
        Works(LinkState),
        Panics,
    }

    impl Follow for Scripted {
        fn follow(
            &mut self,
            stop: &OwnedFd,
            tell: &mut dyn FnMut(LinkSnapshot),
        ) -> Result<End, NetworkSourceError> {
            let snapshot = |link| LinkSnapshot {
                link,
                ..LinkSnapshot::default()
            };
            match *self {
                Self::Fails(link) => {
                    tell(snapshot(link));
                    Err(failed())
                }
                Self::Works(link) => {
                    tell(snapshot(link));
                    poll(&mut [PollFd::new(stop, PollFlags::IN)], None).unwrap();
                    Ok(End::Stopped)
                }
                Self::Panics => panic!("as a fault in a library would"),
            }
        }
    }

    fn failed() -> NetworkSourceError {
        source_error("reading", io::ErrorKind::OutOfMemory.into())
    }

    struct Running {
        thread: thread::JoinHandle<()>,
        stop: Arc<OwnedFd>,
        links: Receiver<LinkSnapshot>,
    }

    /// Runs with `first`, then with what `others` has in turn.
    fn start(
        first: Scripted,
        others: Vec<Result<Scripted, NetworkSourceError>>,
        pause: Duration,
    ) -> Running {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
        let (sender, links) = unbounded();
        let stopped = Arc::clone(&stop);
        let mut others = others.into_iter();
        let pauses = Pauses {
            first: pause,
            longest: pause,
        };
        let thread = thread::spawn(move || {
            let told = UnknownOnPanic(Callback::to_sender(&sender, |snapshot| snapshot));
            let open = || others.next().unwrap();
            run(first, open, pauses, &stopped, &told.0);
        });
        Running {
            thread,
            stop,
            links,
        }
    }

    impl Running {
        fn assert_tells(&self, links: &[LinkState]) {
            for link in links {
                assert_eq!(self.links.recv().unwrap().link, *link);
            }
        }

        fn stop(self) {
            rustix::io::write(&*self.stop, &1_u64.to_ne_bytes()).unwrap();
            self.thread.join().unwrap();
            assert!(self.links.recv().is_err(), "nothing is told after the end");
        }
    }

    #[test]
    fn after_errors_the_source_starts_over() {
        let others = vec![
            Err(failed()),
            Ok(Scripted::Fails(LinkState::None)),
            Ok(Scripted::Works(LinkState::Routable)),
        ];
        let running = start(
            Scripted::Fails(LinkState::Routable),
            others,
            Duration::from_millis(1),
        );
        running.assert_tells(&[
            LinkState::Routable,
            LinkState::Unknown,
            LinkState::Unknown,
            LinkState::None,
            LinkState::Unknown,
            LinkState::Routable,
        ]);
        running.stop();
    }

    #[test]
    fn the_source_can_be_stopped_while_it_waits_to_start_over() {
        let running = start(
            Scripted::Fails(LinkState::Routable),
            Vec::new(),
            Duration::from_secs(1000),
        );
        running.assert_tells(&[LinkState::Routable, LinkState::Unknown]);
        running.stop();
    }

    #[test]
    fn a_panic_leaves_the_link_state_unknown() {
        let running = start(Scripted::Panics, Vec::new(), Duration::ZERO);
        running.assert_tells(&[LinkState::Unknown]);
        assert!(running.thread.join().is_err());
    }
}
