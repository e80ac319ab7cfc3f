//! The prober: makes TCP connections, and asks an HTTP server that no captive portal can imitate.
//!
//! Connections are made by one thread without blocking, so that cancelling one closes its socket at
//! once. What the system offers in no other way than blocking (its resolver, an HTTP exchange) is
//! done by a few threads more, which end when nothing is left to do. There is no thread before the
//! first probe.

mod blocking;
mod captive_portal;
mod connecting;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::StorageKey;
use base::channel::Callback;
use network_traits::{HostMap, ProbeId, ProbeOutcome, ProbeTarget, Prober};
use url::Host;

use self::blocking::BlockingTasks;
use self::connecting::Connector;

/// The prober for engines that have no network stack of their own: TCP connections for origins, and
/// `ureq` for captive portals. Names are resolved by the system; all addresses are tried, IPv6 and
/// IPv4 in turn, a quarter of a second apart, and those that have not answered then once more, for a
/// packet that was lost while the link came up.
///
/// Dropping it cancels every probe. A call of the system's resolver that is under way then is left
/// to end on its own.
pub struct TcpProber {
    /// The thread that makes connections, once it was needed.
    connector: Option<Connector>,
    hosts: HostMap,
    blocking: BlockingTasks,
    /// Whether a probe that has been handed to another thread is still wanted. Bounded by the
    /// monitor's limit of probes at once, and by the threads that block.
    wanted: BTreeMap<ProbeId, Arc<AtomicBool>>,
}

impl TcpProber {
    /// A prober that has nothing to do.
    pub fn new() -> Self {
        Self::with_hosts(HostMap::default())
    }

    /// A prober that has nothing to do, and that does not ask the resolver for these hosts.
    pub fn with_hosts(hosts: HostMap) -> Self {
        Self {
            connector: None,
            hosts,
            blocking: BlockingTasks::default(),
            wanted: BTreeMap::new(),
        }
    }

    fn probe_origin(&mut self, id: ProbeId, origin: StorageKey, ended: Callback<ProbeOutcome>) {
        if self.connector.is_none() {
            match Connector::start() {
                Ok(connector) => self.connector = Some(connector),
                Err(error) => log::error!("probes cannot be made: {error}"),
            }
        }
        let Some(connector) = &self.connector else {
            ended.call(ProbeOutcome::Failed);
            return;
        };
        let connections = connector.connections().clone();
        let wanted = self.wanted_flag(id);
        if let Some(addresses) = addresses_without_resolver(&self.hosts, &origin) {
            connections.connect(id, addresses, wanted, ended);
            return;
        }
        self.blocking.run(id, ended.clone(), move || {
            let addresses = resolve(&origin);
            connections.connect(id, addresses, wanted, ended);
        });
    }

    fn wanted_flag(&mut self, id: ProbeId) -> Arc<AtomicBool> {
        // Of a probe that has ended nobody else has the flag any more.
        self.wanted.retain(|_, flag| Arc::strong_count(flag) > 1);
        let flag = Arc::new(AtomicBool::new(true));
        self.wanted.insert(id, Arc::clone(&flag));
        flag
    }
}

impl Default for TcpProber {
    fn default() -> Self {
        Self::new()
    }
}

impl Prober for TcpProber {
    fn start(
        &mut self,
        id: ProbeId,
        target: ProbeTarget,
        time_limit: Duration,
        ended: Callback<ProbeOutcome>,
    ) {
        match target {
            ProbeTarget::Origin(origin) => self.probe_origin(id, origin, ended),
            ProbeTarget::CaptivePortal(check) => {
                let wanted = self.wanted_flag(id);
                self.blocking.run(id, ended.clone(), move || {
                    let outcome = captive_portal::check(&check, time_limit);
                    if wanted.load(Ordering::Acquire) {
                        ended.call(outcome);
                    }
                });
            }
        }
    }

    fn cancel(&mut self, id: ProbeId) {
        if let Some(wanted) = self.wanted.remove(&id) {
            wanted.store(false, Ordering::Release);
            self.blocking.cancel(id);
        }
        if let Some(connector) = &self.connector {
            connector.connections().cancel(id);
        }
    }
}

impl Drop for TcpProber {
    fn drop(&mut self) {
        for (id, wanted) in std::mem::take(&mut self.wanted) {
            wanted.store(false, Ordering::Release);
            self.blocking.cancel(id);
        }
    }
}

impl fmt::Debug for TcpProber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TcpProber")
    }
}

/// The addresses of an origin whose host needs no resolver.
fn addresses_without_resolver(hosts: &HostMap, origin: &StorageKey) -> Option<Vec<SocketAddr>> {
    let port = origin.port();
    match origin.host() {
        Host::Ipv4(address) => Some(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => Some(vec![SocketAddr::from((*address, port))]),
        // Such names are this machine by definition, and nobody else may be asked:
        // <https://w3c.github.io/webappsec-secure-contexts/#localhost>.
        Host::Domain(_) if origin.is_loopback() => Some(vec![
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        ]),
        Host::Domain(name) => {
            let address = hosts.address(name)?;
            Some(vec![SocketAddr::from((address, port))])
        }
    }
}

/// Asks the system's resolver. A name without an address has none to connect to.
fn resolve(origin: &StorageKey) -> Vec<SocketAddr> {
    let Host::Domain(name) = origin.host() else {
        return Vec::new();
    };
    match (name.as_str(), origin.port()).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            log::debug!("the host of {origin} cannot be resolved: {error}");
            Vec::new()
        }
    }
}
