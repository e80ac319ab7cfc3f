//! Accepts connections, and ends them.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::message::RequestReader;
use crate::respond::Site;

/// The connections that are open.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: BTreeMap<u64, TcpStream>,
    ended: bool,
}

impl Connections {
    /// Closes all connections, and returns when no thread serves one any more.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        for stream in state.open.values() {
            // One that is closed already needs no closing.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
        self.changed
            .wait_while(&mut state, |state| !state.open.is_empty());
    }

    fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    fn add(&self, stream: &TcpStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut state = self.state.lock();
        if state.ended {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.open.insert(id, stream);
        Some(id)
    }

    fn remove(&self, id: u64) {
        self.state.lock().open.remove(&id);
        self.changed.notify_all();
    }

    /// Waits. False when the server has ended.
    fn pause(&self, duration: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed
            .wait_while_for(&mut state, |state| !state.ended, duration);
        !state.ended
    }
}

/// Takes a connection off the list when its thread ends, however it ends.
struct Registered {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.remove(self.id);
    }
}

/// One port at which a server listens.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    thread: Option<JoinHandle<()>>,
}

impl Port {
    /// Serves what comes in at `listener`, over TLS when there is a configuration for it.
    pub(crate) fn serve(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        site: Arc<Site>,
        connections: Arc<Connections>,
    ) -> io::Result<Self> {
        let number = listener.local_addr()?.port();
        let thread = thread::Builder::new()
            .name(format!("wpt server {number}"))
            .spawn(move || accept(&listener, number, tls.as_ref(), &site, &connections))?;
        Ok(Self {
            number,
            thread: Some(thread),
        })
    }

    /// Stops listening. The connections must have been ended before.
    pub(crate) fn end(&mut self) {
        // The thread waits for a connection; this one shows it that it is time.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.number));
        if self
            .thread
            .take()
            .map(JoinHandle::join)
            .is_some_and(|end| end.is_err())
        {
            log::error!("the server of port {} panicked", self.number);
        }
    }
}

fn accept(
    listener: &TcpListener,
    port: u16,
    tls: Option<&Arc<ServerConfig>>,
    site: &Arc<Site>,
    connections: &Arc<Connections>,
) {
    for stream in listener.incoming() {
        if connections.has_ended() {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                log::warn!("a connection to port {port} failed: {error}");
                // There may be too many files open: it gets better, or the server ends.
                connections.pause(Duration::from_millis(50));
                continue;
            }
        };
        let Some(id) = connections.add(&stream) else {
            continue;
        };
        let registered = Registered {
            connections: Arc::clone(connections),
            id,
        };
        let (tls, site) = (tls.cloned(), Arc::clone(site));
        let serve = move || {
            if let Err(error) = serve(stream, port, tls, &site, &registered.connections) {
                log::debug!("a connection to port {port} ended: {error}");
            }
        };
        let name = format!("wpt connection {id}");
        if let Err(error) = thread::Builder::new().name(name).spawn(serve) {
            log::warn!("no thread for a connection to port {port}: {error}");
        }
    }
}

fn serve(
    mut stream: TcpStream,
    port: u16,
    tls: Option<Arc<ServerConfig>>,
    site: &Site,
    connections: &Connections,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return exchange(&mut stream, port, false, site, connections);
    };
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let result = exchange(&mut stream, port, true, site, connections);
    stream.conn.send_close_notify();
    let _ = stream.flush();
    result
}

/// Answers one request after the other.
fn exchange(
    stream: &mut (impl Read + Write),
    port: u16,
    https: bool,
    site: &Site,
    connections: &Connections,
) -> io::Result<()> {
    let mut reader = RequestReader::new();
    while let Some(mut request) = reader.next(stream)? {
        request.port = port;
        request.https = https;
        let mut response = site.respond(&request);
        log::debug!(
            "{} {} -> {}",
            request.method,
            request.raw_path,
            response.status
        );
        if response.is_silent {
            break;
        }
        let keeps_alive = request.keeps_alive();
        if !keeps_alive {
            response.set("Connection", "close");
        }
        response.send(stream, request.method != "HEAD", |duration| {
            connections.pause(duration)
        })?;
        if !keeps_alive {
            break;
        }
    }
    Ok(())
}
