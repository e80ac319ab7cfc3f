use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use crate::addresses::Addresses;
use crate::certificates::Certificates;
use crate::connection::{Connections, Port};
use crate::helpers::Helpers;
use crate::respond::Site;
use crate::tree::Tree;

/// What a server serves, and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is served.
    pub tree: Tree,
    /// Ports on `127.0.0.1` without encryption; 0 is any that is free. Tests expect two.
    pub http: Vec<u16>,
    /// Ports with encryption; 0 is any that is free. Tests expect two.
    pub https: Vec<u16>,
    /// The certificates to use; new ones when there are none.
    pub certificates: Option<Certificates>,
}

impl Config {
    /// Serves `tree` on free ports with new certificates.
    pub fn new(tree: Tree) -> Self {
        Self {
            tree,
            http: vec![0, 0],
            https: vec![0, 0],
            certificates: None,
        }
    }
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// A port is not free.
    Port(u16, io::Error),
    /// No certificate could be made.
    Certificate(rcgen::Error),
    /// The certificate cannot be used.
    Tls(rustls::Error),
    /// No thread could be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port, error) => write!(formatter, "cannot listen on port {port}: {error}"),
            Self::Certificate(error) => write!(formatter, "cannot make a certificate: {error}"),
            Self::Tls(error) => write!(formatter, "cannot use the certificate: {error}"),
            Self::Thread(error) => write!(formatter, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A server for tests. It serves until it is dropped; dropping it closes all its connections and
/// returns when all its threads have ended.
#[derive(Debug)]
pub struct Server {
    addresses: Addresses,
    certificates: Certificates,
    site: Arc<Site>,
    connections: Arc<Connections>,
    ports: Vec<Port>,
}

impl Server {
    /// Starts a server. When this returns, all its ports accept connections.
    ///
    /// # Errors
    ///
    /// When a port is not free, or the machine lets no certificate or thread be made.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let certificates = match config.certificates {
            Some(certificates) => certificates,
            None => Certificates::generate().map_err(StartError::Certificate)?,
        };
        let tls = certificates.server_config().map_err(StartError::Tls)?;
        let tls = Arc::new(tls);
        let (http, http_ports) = listen(&config.http)?;
        let (https, https_ports) = listen(&config.https)?;
        let addresses = Addresses {
            http: http_ports,
            https: https_ports,
        };
        let mut server = Self {
            addresses: addresses.clone(),
            certificates,
            site: Arc::new(Site {
                tree: config.tree,
                addresses,
                helpers: Helpers::default(),
            }),
            connections: Arc::default(),
            ports: Vec::new(),
        };
        let listeners = http.into_iter().map(|listener| (listener, None));
        let secure = https.into_iter();
        let secure = secure.map(|listener| (listener, Some(Arc::clone(&tls))));
        for (listener, tls) in listeners.chain(secure) {
            let (site, connections) = (Arc::clone(&server.site), Arc::clone(&server.connections));
            let port = Port::serve(listener, tls, site, connections).map_err(StartError::Thread)?;
            server.ports.push(port);
        }
        Ok(server)
    }

    /// Where it answers.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What to trust.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.site.helpers.end();
        self.connections.end();
        for port in &mut self.ports {
            port.end();
        }
    }
}

fn listen(ports: &[u16]) -> Result<(Vec<TcpListener>, Vec<u16>), StartError> {
    let mut listeners = Vec::new();
    let mut numbers = Vec::new();
    for port in ports {
        let failed = |error| StartError::Port(*port, error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).map_err(failed)?;
        numbers.push(listener.local_addr().map_err(failed)?.port());
        listeners.push(listener);
    }
    Ok((listeners, numbers))
}
