//! Names, connections and TLS, in such a way that a fetch can be stopped. Proxies are not used.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Weak};

use base::StorageKey;
use network_traits::HostMap;
use parking_lot::Mutex;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, ShutdownHandle,
    TcpConnector, Transport,
};
use url::{Host, Url};

use super::CONNECT_LIMIT;
use crate::control::Control;
use crate::error::{FetchError, FetchErrorKind};

/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 16;

/// An error that goes through ureq as it is.
fn pass(kind: FetchErrorKind, uri: &Uri, reason: String) -> ureq::Error {
    ureq::Error::Other(Box::new(FetchError::new(kind, uri, reason)))
}

/// A fetch that was stopped asks nobody, and connects to nobody.
fn check_not_stopped(uri: &Uri) -> Result<(), ureq::Error> {
    match Control::current() {
        Some(control) if control.is_aborted() => {
            Err(ureq::Error::Other(Box::new(super::stopped(uri))))
        }
        _ => Ok(()),
    }
}

/// Finds the addresses of a host. The system's resolver blocks, and has limits of its own.
#[derive(Debug)]
pub(super) struct HostResolver(pub(super) HostMap);

impl Resolver for HostResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        check_not_stopped(uri)?;
        let url = Url::parse(&uri.to_string())
            .map_err(|error| pass(FetchErrorKind::BadRequest, uri, error.to_string()))?;
        let found = lookup(&self.0, &url).map_err(|error| {
            let host = url.host_str().unwrap_or_default();
            let reason = format!("the host name \"{host}\" cannot be resolved: {error}");
            pass(FetchErrorKind::Dns, uri, reason)
        })?;
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

fn lookup(hosts: &HostMap, url: &Url) -> io::Result<Vec<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or_default();
    let with_port = |address: IpAddr| SocketAddr::new(address, port);
    let name = match url.host() {
        Some(Host::Ipv4(address)) => return Ok(vec![with_port(address.into())]),
        Some(Host::Ipv6(address)) => return Ok(vec![with_port(address.into())]),
        Some(Host::Domain(name)) => name,
        None => "",
    };
    if let Some(address) = hosts.address(name) {
        return Ok(vec![with_port(address)]);
    }
    // Such names are this machine by definition, and nobody else may be asked:
    // <https://w3c.github.io/webappsec-secure-contexts/#localhost>.
    if StorageKey::from_url(url).is_ok_and(|key| key.is_loopback()) {
        return Ok([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            .map(with_port)
            .into());
    }
    let addresses: Vec<_> = (name, port).to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    }
    Ok(addresses)
}

/// Makes connections whose sockets the fetches that use them can shut down.
#[derive(Default)]
pub(super) struct WatchedConnector {
    tls: RustlsConnector,
}

impl Connector for WatchedConnector {
    type Out = WatchedTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        check_not_stopped(details.uri)?;
        let control = Control::current();
        if let Some(control) = &control {
            control.connecting_anew();
        }
        // The socket says how to shut it down by registering itself.
        let registered = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&registered);
        let register = Arc::clone(&details.register_shutdown);
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::new(move |handle| {
                *slot.lock() = Some(Weak::clone(&handle));
                register(handle)
            }),
        };
        let uri = details.uri;
        let tcp = Connector::<()>::connect(&TcpConnector::default(), &details, None)
            .map_err(|error| tcp_error(uri, &error))?;
        let socket = registered.lock().take();
        if let (Some(control), Some(socket)) = (&control, &socket) {
            control.use_socket(socket)?;
        }
        let secured = self
            .tls
            .connect(&details, tcp)
            .map_err(|error| tls_error(uri, &error))?;
        Ok(secured.map(|transport| WatchedTransport {
            inner: Box::new(transport),
            socket,
        }))
    }
}

impl fmt::Debug for WatchedConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WatchedConnector")
    }
}

fn tcp_error(uri: &Uri, error: &ureq::Error) -> ureq::Error {
    match error {
        ureq::Error::Timeout(_) => connect_timeout(uri),
        ureq::Error::Io(error) => {
            let reason = format!("no connection to the server: {error}");
            pass(FetchErrorKind::Connect, uri, reason)
        }
        error => pass(FetchErrorKind::Connect, uri, error.to_string()),
    }
}

fn tls_error(uri: &Uri, error: &ureq::Error) -> ureq::Error {
    let reason = match error {
        ureq::Error::Timeout(_) => return connect_timeout(uri),
        ureq::Error::Io(error) if super::is_close(error) => {
            "the server closed the connection while it was being secured; is it an HTTPS server?"
                .to_owned()
        }
        ureq::Error::Io(error) => format!("no secure connection to the server: {error}"),
        error => format!("no secure connection to the server: {error}"),
    };
    pass(FetchErrorKind::Tls, uri, reason)
}

fn connect_timeout(uri: &Uri) -> ureq::Error {
    let reason = format!("no connection to the server within {CONNECT_LIMIT:?}");
    pass(FetchErrorKind::ConnectTimeout, uri, reason)
}

/// A connection that lets the fetch of the current thread shut it down, and see the response's
/// first line.
pub(super) struct WatchedTransport {
    inner: Box<dyn Transport>,
    socket: Option<Weak<dyn ShutdownHandle>>,
}

impl WatchedTransport {
    /// Before anything that waits.
    fn begin(&self) -> Result<(), ureq::Error> {
        if let (Some(control), Some(socket)) = (Control::current(), &self.socket) {
            control.use_socket(socket)?;
            control.connected();
        }
        Ok(())
    }
}

impl Transport for WatchedTransport {
    /// Called each time something is to be made of what was received, also when several heads came
    /// at once.
    fn buffers(&mut self) -> &mut dyn Buffers {
        if let Some(control) = Control::current() {
            control.note_head(self.inner.buffers().input());
        }
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.begin()?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.begin()?;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for WatchedTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}
