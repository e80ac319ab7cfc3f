use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use network_traits::{CostHint, LinkSnapshot, LinkState, NetworkIdentity};

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) loopback: bool,
    /// Somebody has switched it on.
    pub(super) up: bool,
    /// It has a carrier, and whatever else it needs to send.
    pub(super) running: bool,
    /// What sort of device it is: the hardware type, and the name of a virtual device's driver.
    pub(super) kind: String,
}

impl Link {
    fn is_usable(&self) -> bool {
        !self.loopback && self.up && self.running
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
}

impl Notification {
    /// The listing that holds such entries.
    pub(super) fn listing(&self) -> Listing {
        match self {
            Self::Link(_) | Self::LinkGone(_) => Listing::Links,
            Self::Address(_) | Self::AddressGone(_) => Listing::Addresses,
            Self::Routes { .. } | Self::RoutesGone(_) => Listing::Routes,
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
        }
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
        }
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
        link(LinkState::Routable, Some(self.identity(route)))
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

    /// A network is told by its gateway, the prefix of its addresses, and the kind of link.
    fn identity(&self, route: &DefaultRoute) -> NetworkIdentity {
        let mut hash = StableHash::new();
        if let Some(link) = self.links.get(&route.link) {
            hash.write_field(link.value.kind.as_bytes());
        }
        match route.gateway {
            Some(IpAddr::V4(gateway)) => hash.write_field(&gateway.octets()),
            Some(IpAddr::V6(gateway)) => hash.write_field(&gateway.octets()),
            None => hash.write_field(&[]),
        }
        let prefix = self
            .usable_addresses()
            .filter(|address| address.link == route.link)
            .filter(|address| Family::from(address.ip) == route.family)
            .map(|address| prefix(address.ip, address.prefix_length))
            .min();
        if let Some((network, length)) = prefix {
            hash.write_field(&network.to_be_bytes());
            hash.write_field(&[length]);
        }
        NetworkIdentity(hash.finish())
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

/// FNV-1a in 64 bits: identities are stored, so the hash must be the same in every version. They
/// guard no secret from somebody who can try all networks.
struct StableHash(u64);

impl StableHash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// A field and its length, so that bytes cannot wander from one field to the next.
    fn write_field(&mut self, field: &[u8]) {
        for byte in (field.len() as u64).to_be_bytes().iter().chain(field) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, up: bool, running: bool) -> Notification {
        let kind = "1 veth".to_owned();
        Notification::Link(Link {
            index,
            loopback: false,
            up,
            running,
            kind,
        })
    }

    fn loopback() -> Notification {
        let kind = "772".to_owned();
        Notification::Link(Link {
            index: 1,
            loopback: true,
            up: true,
            running: true,
            kind,
        })
    }

    fn address_on(link: u32, address: &str, prefix_length: u8) -> Address {
        let ip: IpAddr = address.parse().unwrap();
        Address {
            link,
            ip,
            prefix_length,
            usable: true,
        }
    }

    fn address(link: u32, text: &str, prefix_length: u8) -> Notification {
        Notification::Address(address_on(link, text, prefix_length))
    }

    fn address_gone(link: u32, text: &str, prefix_length: u8) -> Notification {
        Notification::AddressGone(address_on(link, text, prefix_length))
    }

    fn route_on(link: u32, gateway: &str) -> DefaultRoute {
        let gateway: IpAddr = gateway.parse().unwrap();
        let family = Family::from(gateway);
        DefaultRoute {
            family,
            table: MAIN_TABLE,
            priority: 0,
            link,
            gateway: Some(gateway),
        }
    }

    fn route(link: u32, gateway: &str) -> Notification {
        Notification::Routes {
            routes: vec![route_on(link, gateway)],
            replace: false,
        }
    }

    fn route_gone(link: u32, gateway: &str) -> Notification {
        Notification::RoutesGone(vec![route_on(link, gateway)])
    }

    fn table(notifications: impl IntoIterator<Item = Notification>) -> LinkTable {
        let mut table = LinkTable::default();
        for notification in notifications {
            table.apply(notification);
        }
        table
    }

    fn routable_table() -> LinkTable {
        let mut table = table([
            link(2, true, true),
            address(2, "10.9.0.1", 24),
            route(2, "10.9.0.2"),
        ]);
        assert_eq!(table.snapshot().link, LinkState::Routable);
        assert!(!table.take_routes_in_doubt());
        table
    }

    #[test]
    fn the_link_state_follows_each_notification() {
        let mut table = LinkTable::default();
        for (step, (notification, state)) in [
            (loopback(), LinkState::None),
            (address(1, "127.0.0.1", 8), LinkState::None),
            (link(2, false, false), LinkState::None),
            (link(2, true, false), LinkState::None),
            (link(2, true, true), LinkState::NoAddress),
            (address(2, "10.9.0.1", 24), LinkState::NoRoute),
            (route(2, "10.9.0.2"), LinkState::Routable),
            (link(2, true, false), LinkState::None),
            (link(2, true, true), LinkState::Routable),
            (route_gone(2, "10.9.0.2"), LinkState::NoRoute),
            (address_gone(2, "10.9.0.1", 24), LinkState::NoAddress),
            (Notification::LinkGone(2), LinkState::None),
        ]
        .into_iter()
        .enumerate()
        {
            table.apply(notification);
            let snapshot = table.snapshot();
            assert_eq!(snapshot.link, state, "step {step}");
            assert_eq!(
                snapshot.identity.is_some(),
                state == LinkState::Routable,
                "step {step}"
            );
        }
    }

    #[test]
    fn an_address_that_reaches_nowhere_is_none() {
        let unusable = Address {
            usable: false,
            ..address_on(2, "fe80::1", 64)
        };
        let table = table([link(2, true, true), Notification::Address(unusable)]);
        assert_eq!(table.snapshot().link, LinkState::NoAddress);
    }

    #[test]
    fn a_tentative_address_counts_once_it_is_confirmed() {
        let tentative = Address {
            usable: false,
            ..address_on(2, "2001:db8::5", 64)
        };
        let mut table = table([link(2, true, true), route(2, "fe80::1")]);
        table.apply(Notification::Address(tentative));
        assert_eq!(table.snapshot().link, LinkState::NoAddress);
        table.apply(address(2, "2001:db8::5", 64));
        assert_eq!(table.snapshot().link, LinkState::Routable);
    }

    #[test]
    fn a_route_of_a_family_without_an_address_leads_nowhere() {
        let table = table([
            link(2, true, true),
            address(2, "10.9.0.1", 24),
            route(2, "fe80::1"),
        ]);
        assert_eq!(table.snapshot().link, LinkState::NoRoute);
    }

    #[test]
    fn switching_a_link_off_takes_its_ipv4_routes_along() {
        let mut table = routable_table();
        table.apply(link(2, false, false));
        assert!(table.take_routes_in_doubt());
        table.apply(link(2, true, true));
        assert_eq!(
            table.snapshot().link,
            LinkState::NoRoute,
            "nobody has set a route since"
        );
        assert!(table.take_routes_in_doubt(), "next hops may have come back");
    }

    #[test]
    fn removing_the_last_ipv4_address_takes_the_ipv4_routes_along() {
        let mut table = routable_table();
        table.apply(address(2, "10.9.0.7", 24));
        table.apply(address_gone(2, "10.9.0.1", 24));
        assert_eq!(table.snapshot().link, LinkState::Routable);
        assert!(
            table.take_routes_in_doubt(),
            "the route may have named that address"
        );
        table.apply(address_gone(2, "10.9.0.7", 24));
        table.apply(address(2, "10.9.0.1", 24));
        assert_eq!(table.snapshot().link, LinkState::NoRoute);
    }

    #[test]
    fn a_replaced_or_unknown_route_puts_the_routes_in_doubt() {
        let mut table = routable_table();
        let routes = vec![route_on(2, "10.9.0.3")];
        table.apply(Notification::Routes {
            routes,
            replace: true,
        });
        assert!(table.take_routes_in_doubt());
        table.apply(route_gone(2, "10.9.0.99"));
        assert!(table.take_routes_in_doubt());
        assert!(!table.take_routes_in_doubt());
    }

    #[test]
    fn what_a_listing_does_not_mention_is_gone() {
        let mut table = routable_table();
        table.begin_listing();
        table.end_listing(Listing::Routes);
        assert_eq!(table.snapshot().link, LinkState::NoRoute);
        table.begin_listing();
        table.apply(route(2, "10.9.0.3"));
        table.end_listing(Listing::Routes);
        assert_eq!(table.snapshot().link, LinkState::Routable);
        table.begin_listing();
        table.end_listing(Listing::Addresses);
        assert_eq!(table.snapshot().link, LinkState::NoAddress);
        table.begin_listing();
        table.end_listing(Listing::Links);
        assert_eq!(table.snapshot().link, LinkState::None);
    }

    #[test]
    fn identity_is_the_networks_and_not_the_machines() {
        let network = |index, own: &str, length, gateway: &str| {
            table([
                link(index, true, true),
                address(index, own, length),
                route(index, gateway),
            ])
            .snapshot()
            .identity
            .unwrap()
        };
        let home = network(2, "10.9.0.1", 24, "10.9.0.254");
        assert_eq!(network(7, "10.9.0.33", 24, "10.9.0.254"), home);
        assert_ne!(network(2, "10.9.0.1", 16, "10.9.0.254"), home);
        assert_ne!(network(2, "10.9.1.1", 24, "10.9.0.254"), home);
        assert_ne!(network(2, "10.9.0.1", 24, "10.9.0.253"), home);
        assert_eq!(
            home,
            NetworkIdentity(IDENTITY_OF_10_9_0),
            "identities are stored"
        );
    }

    const IDENTITY_OF_10_9_0: u64 = 0xcb4f_32c0_4d46_91a2;

    #[test]
    fn ipv6_that_comes_later_does_not_make_another_network() {
        let mut table = routable_table();
        let before = table.snapshot();
        table.apply(address(2, "2001:db8::5", 64));
        table.apply(route(2, "fe80::1"));
        assert_eq!(table.snapshot(), before);
    }

    #[test]
    fn prefixes_of_any_length_are_cut_off() {
        assert_eq!(prefix("10.9.8.7".parse().unwrap(), 0), (0, 0));
        assert_eq!(prefix("10.9.8.7".parse().unwrap(), 32), (0x0a09_0807, 32));
        assert_eq!(prefix("10.9.8.7".parse().unwrap(), 16), (0x0a09_0000, 16));
        assert_eq!(prefix("10.9.8.7".parse().unwrap(), 200), (0x0a09_0807, 200));
        assert_eq!(prefix("::1".parse().unwrap(), 0), (0, 0));
        assert_eq!(prefix("::1".parse().unwrap(), 128), (1, 128));
    }
}
