//! The network source for Linux: rtnetlink notifications.
//!
//! One socket joins the groups that tell about links, addresses and routes, and only then lists
//! what there is, so that no change falls between. A thread then waits in `poll(2)` without a time
//! limit, on the socket and on an eventfd that ends it. When notifications come faster than they
//! are read the kernel drops some and says so; the source then starts over with a new socket.

mod conversation;
mod link_table;
mod parse;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use base::channel::Callback;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use network_traits::{LinkSnapshot, NetworkSource, NetworkSourceError, SourceGuard};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
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

/// Room for notifications that have not been read yet, in bytes. Without it a burst of some
/// hundred changes means to start over.
const RECEIVE_BUFFER: u32 = 1 << 20;

/// More than the kernel puts into one datagram.
const LARGEST_DATAGRAM: usize = 1 << 16;

/// Follows the links of the system, in the network namespace of the thread that starts it. Needs
/// no privilege.
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
            .spawn(move || run(link, &stopped, &changed))
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

fn run(mut connection: NetlinkConnection, stop: &OwnedFd, changed: &Callback<LinkSnapshot>) {
    let error = loop {
        match connection.follow(stop, changed) {
            Ok(End::Stopped) => return,
            Ok(End::Overrun) => {
                log::info!("netlink notifications were lost; reading everything again");
            }
            Err(error) => break error,
        }
        match NetlinkConnection::open() {
            Ok(new) => connection = new,
            Err(error) => break error,
        }
    };
    log::error!("{error}; the link state is unknown from now on");
    changed.call(LinkSnapshot::default());
}

/// One socket and the conversation over it.
struct NetlinkConnection {
    socket: Socket,
    conversation: Conversation,
    buffer: Vec<u8>,
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
        for (name, group) in GROUPS {
            socket.add_membership(group).map_err(|error| {
                source_error(&format!("joining the netlink group {name}"), error)
            })?;
        }
        socket
            .set_non_blocking(true)
            .map_err(|error| source_error("setting up the netlink socket", error))?;
        Ok(Self {
            socket,
            conversation: Conversation::new(address.port_number()),
            buffer: Vec::with_capacity(LARGEST_DATAGRAM),
        })
    }

    /// Reads until `stop` is readable or notifications are lost, and calls `changed` with news.
    fn follow(
        &mut self,
        stop: &OwnedFd,
        changed: &Callback<LinkSnapshot>,
    ) -> Result<End, NetworkSourceError> {
        loop {
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
                changed.call(snapshot);
            }
        }
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
