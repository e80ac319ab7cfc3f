//! A network of a browser's own, whose cable can be pulled.
//!
//! Two network namespaces are joined by a cable, a pair of `veth` interfaces. The browser runs in the
//! near one, where the cable is the only way to anywhere. At its far end is what passes connections
//! on to the servers of the tests, which are in the network of this process. The network of the
//! system is left alone.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use base::channel::{Sender, unbounded};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{getgid, getuid};

/// Where the servers are, as the browser sees it.
pub(crate) const SERVERS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// The browser's own address.
const BROWSER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

type Task = Box<dyn FnOnce() + Send>;

/// A network namespace: a thread that is in it.
struct Namespace {
    tasks: Sender<Task>,
    /// The id of the thread, by which the system knows the namespace.
    thread: i32,
}

impl Namespace {
    fn new() -> Result<Self, String> {
        let (tasks, received) = unbounded::<Task>();
        let (sender, started) = unbounded();
        thread::spawn(move || {
            let entered = unshare(CloneFlags::CLONE_NEWNET);
            let entered = entered.map(|()| nix::unistd::gettid().as_raw());
            if sender.send(entered).is_err() {
                return;
            }
            while let Ok(task) = received.recv() {
                task();
            }
        });
        let thread = started
            .recv()
            .map_err(|_| "the thread of a network ended".to_owned())?
            .map_err(|error| format!("no new network namespace: {error}"))?;
        Ok(Self { tasks, thread })
    }

    /// Do something there.
    fn run<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let (sender, receiver) = unbounded();
        let task = Box::new(move || {
            // Who asked waits for it.
            let _ = sender.send(what());
        });
        let ended = || "the thread of a network ended".to_owned();
        self.tasks.send(task).map_err(|_| ended())?;
        receiver.recv().map_err(|_| ended())?
    }

    /// Run `ip` of iproute2 there.
    fn ip(&self, arguments: String) -> Result<(), String> {
        self.run(move || {
            let output = Command::new("ip")
                .args(arguments.split_whitespace())
                .output()
                .map_err(|error| format!("cannot run ip (of iproute2): {error}"))?;
            if output.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("ip {arguments}: {}", said.trim()))
        })
    }
}

/// The network of one browser.
pub(crate) struct Network {
    near: Namespace,
    far: Namespace,
    listeners: Vec<Arc<TcpListener>>,
}

impl Network {
    /// Make one, with the cable plugged in, from which these ports of this system can be reached.
    pub(crate) fn new(ports: &[u16]) -> Result<Self, String> {
        let mut network = Self {
            near: Namespace::new()?,
            far: Namespace::new()?,
            listeners: Vec::new(),
        };
        let Self { near, far, .. } = &network;
        near.ip("link set lo up".to_owned())?;
        near.ip(format!(
            "link add near type veth peer name far netns {}",
            far.thread
        ))?;
        // No address comes later than the others: a browser that starts would take the network for
        // another one, and give up what it loads.
        near.ip("link set near addrgenmode none".to_owned())?;
        far.ip(format!("addr add {SERVERS}/24 dev far"))?;
        far.ip("link set far up".to_owned())?;
        network.set_link(true)?;
        for port in ports {
            let port = *port;
            let listener = network.far.run(move || {
                TcpListener::bind((SERVERS, port))
                    .map_err(|error| format!("cannot listen at {SERVERS}:{port}: {error}"))
            })?;
            let listener = Arc::new(listener);
            network.listeners.push(Arc::clone(&listener));
            thread::spawn(move || pass_on(&listener, port));
        }
        Ok(network)
    }

    /// Plug the cable in, or pull it. Without a link there is no address either, as in a system that
    /// gets its address from the network: browsers give connections up that an address is gone of.
    pub(crate) fn set_link(&self, up: bool) -> Result<(), String> {
        let near = &self.near;
        if !up {
            near.ip("addr flush dev near".to_owned())?;
            return near.ip("link set near down".to_owned());
        }
        near.ip("link set near up".to_owned())?;
        near.ip(format!("addr replace {BROWSER}/24 dev near"))?;
        near.ip(format!("route replace default via {SERVERS}"))
    }

    /// Do something on the browser's side.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        self.near.run(what)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for listener in &self.listeners {
            // Nobody waits for connections any more: the accepting threads end.
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        }
    }
}

/// Pass each connection on to the same port of this system. Sockets belong to the network in which
/// they were made, and this thread is in that of the system.
fn pass_on(listener: &TcpListener, port: u16) {
    while let Ok((near, _)) = listener.accept() {
        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
            continue;
        };
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
                break;
            };
            thread::spawn(move || {
                // A connection that breaks has ended too.
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    }
}

/// Make sure that this process may have networks of its own, if need be in a user namespace in which
/// it is the superuser. That is possible only while there is one thread.
pub(crate) fn prepare() -> Result<(), String> {
    let may_unshare = || {
        let tried = thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET)).join();
        tried.is_ok_and(|tried| tried.is_ok())
    };
    if may_unshare() {
        return Ok(());
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| format!("no user namespace: {error}"))?;
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ];
    for (name, map) in maps {
        fs::write(format!("/proc/self/{name}"), map)
            .map_err(|error| format!("no user namespace: {name}: {error}"))?;
    }
    if may_unshare() {
        return Ok(());
    }
    Err("no new network namespaces".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;

    #[test]
    fn servers_are_reached_while_the_cable_is_plugged_in() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let network = match Network::new(&[port]) {
            Ok(network) => network,
            Err(reason) => {
                let name = "servers_are_reached_while_the_cable_is_plugged_in";
                writeln!(io::stderr(), "SKIPPED {name}: {reason}").unwrap();
                return;
            }
        };
        thread::spawn(move || {
            while let Ok((mut connection, _)) = server.accept() {
                let _ = connection.write_all(b"hello");
            }
        });
        let connect = || {
            network.run(move || {
                let address = (SERVERS, port).into();
                let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(20))
                    .map_err(|error| error.to_string())?;
                let mut text = String::new();
                connection
                    .read_to_string(&mut text)
                    .map_err(|error| error.to_string())?;
                Ok(text)
            })
        };
        assert_eq!(connect().unwrap(), "hello");
        network.set_link(false).unwrap();
        assert!(connect().is_err(), "there is no way out");
        network.set_link(true).unwrap();
        assert_eq!(connect().unwrap(), "hello");
    }
}
