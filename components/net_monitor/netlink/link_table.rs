#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use network_traits::{CostHint, LinkSnapshot, LinkState, NetworkIdentity};

use crate::identity::StableHash;

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) sort: Sort,
    /// Somebody has switched it on.
    pub(super) up: bool,
    /// It has a carrier, and whatever else it needs to send.
    pub(super) running: bool,
    /// What sort of device it is: the hardware type, and the name of a virtual device's driver.
    pub(super) kind: String,
}

/// Where a link leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    /// Back to the machine itself.
    Loopback,
    /// To neighbours, who are found by their link-layer addresses.
    Shared,
    /// To one other end, or to any without link-layer addresses.
    Direct,
}

impl Link {
    fn is_usable(&self) -> bool {
        self.sort != Sort::Loopback && self.up && self.running
    }
}

/// An address of an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Address {
    pub(super) link: u32,
    pub(super) ip: IpAddr,
    pub(super) prefix_length: u8,
    /// It reaches beyond its link, and the system has found nobody else who uses it.
    pub(super) usable: bool,
}

/// A default route, or one of its next hops if it has several.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct DefaultRoute {
    pub(super) family: Family,
    pub(super) table: u32,
    pub(super) priority: u32,
    pub(super) link: u32,
    pub(super) gateway: Option<IpAddr>,
}

/// Who is at the other end of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Neighbour {
    pub(super) link: u32,
    pub(super) ip: IpAddr,
    pub(super) link_layer_address: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Family {
    V4,
    V6,
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

/// What the system lists on request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Listing {
    Links,
    Addresses,
    Routes,
    Neighbours,
}

/// A notification, as far as the table needs it. An entry of a listing has the same form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Notification {
    Link(Link),
    LinkGone(u32),
    Address(Address),
    AddressGone(Address),
    Routes {
        routes: Vec<DefaultRoute>,
        /// They have taken the place of some other ones, which the system does not name.
        replace: bool,
    },
    RoutesGone(Vec<DefaultRoute>),
    Neighbour(Neighbour),
}

impl Notification {
    /// The listing that holds such entries.
    pub(super) fn listing(&self) -> Listing {
        match self {
            Self::Link(_) | Self::LinkGone(_) => Listing::Links,
            Self::Address(_) | Self::AddressGone(_) => Listing::Addresses,
            Self::Routes { .. } | Self::RoutesGone(_) => Listing::Routes,
            Self::Neighbour(_) => Listing::Neighbours,
        }
    }

    /// Whether something is gone.
    pub(super) fn is_removal(&self) -> bool {
        matches!(
            self,
            Self::LinkGone(_) | Self::AddressGone(_) | Self::RoutesGone(_)
        )
    }
}

/// The table of the main routes, which holds the default route where nobody has set up others.
const MAIN_TABLE: u32 = 254;

/// The system's links, addresses and default routes, as notifications tell of them.
///
/// The kernel does not tell everything: IPv4 routes go without a word when their link is switched
/// off or its last IPv4 address is removed, and may come back when one of several next hops does.
/// The table drops what must be gone, and says in [`take_routes_in_doubt`](Self::take_routes_in_doubt)
/// when the routes have to be listed again.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    links: BTreeMap<u32, Entry<Link>>,
    addresses: BTreeMap<(u32, IpAddr, u8), Entry<Address>>,
    routes: BTreeMap<DefaultRoute, Entry<()>>,
    /// The link-layer addresses of the gateways of these routes, as far as they are known. They are
    /// kept as long as the route and its link are there: the kernel forgets them when they are not
    /// used.
    gateways: BTreeMap<(u32, IpAddr), Vec<u8>>,
    /// Counts the listings, so that what one did not mention can be told from what it did.
    listings: u64,
    routes_in_doubt: bool,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    /// The newest listing when it was last mentioned.
    mentioned: u64,
}

impl LinkTable {
    /// A listing starts.
    pub(super) fn begin_listing(&mut self) {
        self.listings += 1;
    }

    /// A listing is complete: what it has not mentioned, and no notification since it started, is
    /// gone.
    pub(super) fn end_listing(&mut self, listing: Listing) {
        let newest = self.listings;
        match listing {
            Listing::Links => self.links.retain(|_, entry| entry.mentioned == newest),
            Listing::Addresses => self.addresses.retain(|_, entry| entry.mentioned == newest),
            Listing::Routes => self.routes.retain(|_, entry| entry.mentioned == newest),
            Listing::Neighbours => {}
        }
        self.forget_gateways();
    }

    /// Whether the routes have to be listed again; asking answers the doubt.
    pub(super) fn take_routes_in_doubt(&mut self) -> bool {
        std::mem::take(&mut self.routes_in_doubt)
    }

    /// Something was notified or listed.
    pub(super) fn apply(&mut self, notification: Notification) {
        let mentioned = self.listings;
        match notification {
            Notification::Link(link) => self.apply_link(link),
            Notification::LinkGone(index) => {
                self.links.remove(&index);
                self.addresses.retain(|(link, ..), _| *link != index);
                self.drop_routes(|route| route.link == index);
            }
            Notification::Address(address) => {
                let key = (address.link, address.ip, address.prefix_length);
                self.addresses.insert(
                    key,
                    Entry {
                        value: address,
                        mentioned,
                    },
                );
            }
            Notification::AddressGone(address) => self.remove_address(&address),
            Notification::Routes { routes, replace } => {
                for route in routes {
                    self.routes.insert(
                        route,
                        Entry {
                            value: (),
                            mentioned,
                        },
                    );
                }
                self.routes_in_doubt |= replace;
            }
            Notification::RoutesGone(routes) => {
                for route in routes {
                    // One that is not known is known under another form.
                    self.routes_in_doubt |= self.routes.remove(&route).is_none();
                }
            }
            Notification::Neighbour(neighbour) => {
                let key = (neighbour.link, neighbour.ip);
                if self.is_gateway(key) {
                    self.gateways.insert(key, neighbour.link_layer_address);
                }
                return;
            }
        }
        self.forget_gateways();
    }

    fn is_gateway(&self, (link, ip): (u32, IpAddr)) -> bool {
        self.is_link_usable(link)
            && self
                .routes
                .keys()
                .any(|route| route.link == link && route.gateway == Some(ip))
    }

    /// Behind a link that was down may be another network.
    fn forget_gateways(&mut self) {
        let mut gateways = std::mem::take(&mut self.gateways);
        gateways.retain(|key, _| self.is_gateway(*key));
        self.gateways = gateways;
    }

    /// The gateway that stands for the network, if its link-layer address is not known yet.
    pub(super) fn unknown_gateway(&self) -> Option<(u32, IpAddr)> {
        let route = self.best_default_route()?;
        let key = (route.link, route.gateway?);
        (self.has_neighbours(route.link) && !self.gateways.contains_key(&key)).then_some(key)
    }

    fn has_neighbours(&self, link: u32) -> bool {
        self.links
            .get(&link)
            .is_some_and(|entry| entry.value.sort == Sort::Shared)
    }

    fn apply_link(&mut self, link: Link) {
        let index = link.index;
        let (up, usable) = (link.up, link.is_usable());
        let entry = Entry {
            value: link,
            mentioned: self.listings,
        };
        let before = self.links.insert(index, entry);
        if !up {
            self.drop_routes(|route| route.link == index && route.family == Family::V4);
        }
        if before.is_some_and(|before| before.value.is_usable() != usable) {
            self.routes_in_doubt = true;
        }
    }

    fn remove_address(&mut self, address: &Address) {
        self.addresses
            .remove(&(address.link, address.ip, address.prefix_length));
        let link = address.link;
        if address.ip.is_ipv4() {
            // Routes that name it as their source are gone, and all if it was the last.
            self.routes_in_doubt = true;
            if !self
                .addresses
                .keys()
                .any(|key| key.0 == link && key.1.is_ipv4())
            {
                self.drop_routes(|route| route.link == link && route.family == Family::V4);
            }
        }
    }

    fn drop_routes(&mut self, is_gone: impl Fn(&DefaultRoute) -> bool) {
        let before = self.routes.len();
        self.routes.retain(|route, _| !is_gone(route));
        self.routes_in_doubt |= self.routes.len() != before;
    }

    /// What the table comes to.
    pub(super) fn snapshot(&self) -> LinkSnapshot {
        let link = |link, identity| LinkSnapshot {
            link,
            identity,
            cost: CostHint::Unknown,
        };
        if !self.links.values().any(|entry| entry.value.is_usable()) {
            return link(LinkState::None, None);
        }
        if !self
            .usable_addresses()
            .any(|address| self.is_link_usable(address.link))
        {
            return link(LinkState::NoAddress, None);
        }
        let Some(route) = self.best_default_route() else {
            return link(LinkState::NoRoute, None);
        };
        link(LinkState::Routable, self.identity(route))
    }

    fn is_link_usable(&self, index: u32) -> bool {
        self.links
            .get(&index)
            .is_some_and(|entry| entry.value.is_usable())
    }

    fn usable_addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses
            .values()
            .map(|entry| &entry.value)
            .filter(|address| address.usable)
    }

    /// The default route that stands for the network: IPv4 before IPv6, because a network that
    /// has both often gives out IPv6 addresses a moment later; then the main table; then the one
    /// the system prefers.
    ///
    /// An address of the route's family is enough, on whichever link: routers and machines in data
    /// centres have theirs on the loopback interface.
    fn best_default_route(&self) -> Option<&DefaultRoute> {
        let (mut v4, mut v6) = (false, false);
        for address in self.usable_addresses() {
            v4 |= address.ip.is_ipv4();
            v6 |= address.ip.is_ipv6();
        }
        self.routes
            .keys()
            .filter(|route| self.is_link_usable(route.link))
            .filter(|route| if route.family == Family::V4 { v4 } else { v6 })
            .min_by_key(|route| (route.family, route.table != MAIN_TABLE, **route))
    }

    /// A network is told by its gateway, the prefix of its addresses, and the kind of link; `None` as
    /// long as the gateway's link-layer address is not known. See [`NetlinkSource`](super::NetlinkSource).
    fn identity(&self, route: &DefaultRoute) -> Option<NetworkIdentity> {
        let mut hash = StableHash::new();
        let link = self.links.get(&route.link)?;
        hash.write_field(link.value.kind.as_bytes());
        match route.gateway {
            Some(IpAddr::V4(gateway)) => hash.write_field(&gateway.octets()),
            Some(IpAddr::V6(gateway)) => hash.write_field(&gateway.octets()),
            None => hash.write_field(&[]),
        }
        let mut has_lasting_prefix = true;
        if link.value.sort == Sort::Shared
            && let Some(gateway) = route.gateway
        {
            hash.write_field(self.gateways.get(&(route.link, gateway))?);
            // Many providers give out another IPv6 prefix each day.
            has_lasting_prefix = route.family == Family::V4;
        }
        let prefix = self
            .usable_addresses()
            .filter(|address| has_lasting_prefix && address.link == route.link)
            .filter(|address| Family::from(address.ip) == route.family)
            .map(|address| prefix(address.ip, address.prefix_length))
            .min();
        if let Some((network, length)) = prefix {
            hash.write_field(&network.to_be_bytes());
            hash.write_field(&[length]);
        }
        Some(hash.finish())
    }
}

/// The network part of an address, and its length.
fn prefix(address: IpAddr, length: u8) -> (u128, u8) {
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(Ipv4Addr::to_bits(address)), 32),
        IpAddr::V6(address) => (Ipv6Addr::to_bits(address), 128),
    };
    let host_bits = u32::from(u8::min(width, width.saturating_sub(length)));
    let network = bits
        .checked_shr(host_bits)
        .unwrap_or(0)
        .checked_shl(host_bits)
        .unwrap_or(0);
    (network, length)
}
