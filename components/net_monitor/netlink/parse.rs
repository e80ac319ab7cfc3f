//! From netlink messages to what the link table needs of them.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{NLM_F_REPLACE, NetlinkHeader};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::link_table::{Address, DefaultRoute, Family, Link, Neighbour, Notification, Sort};

/// What a message tells about links, addresses and default routes; `None` when it is about
/// something else.
pub(super) fn notification(
    header: &NetlinkHeader,
    message: &RouteNetlinkMessage,
) -> Option<Notification> {
    match message {
        RouteNetlinkMessage::NewLink(message) if is_about_link(message) => {
            Some(Notification::Link(link(message)))
        }
        RouteNetlinkMessage::DelLink(message) if is_about_link(message) => {
            Some(Notification::LinkGone(message.header.index))
        }
        RouteNetlinkMessage::NewAddress(message) => address(message).map(Notification::Address),
        RouteNetlinkMessage::DelAddress(message) => address(message).map(Notification::AddressGone),
        RouteNetlinkMessage::NewRoute(message) => {
            let replace = header.flags & NLM_F_REPLACE != 0;
            default_routes(message).map(|routes| Notification::Routes { routes, replace })
        }
        RouteNetlinkMessage::DelRoute(message) => {
            default_routes(message).map(Notification::RoutesGone)
        }
        // That one is gone is no news: a gateway is remembered as long as its route is there.
        RouteNetlinkMessage::NewNeighbour(message) => {
            neighbour(message).map(Notification::Neighbour)
        }
        _ => None,
    }
}

/// A bridge tells about its ports in messages of the same type; a port that leaves its bridge is
/// not a link that is gone.
fn is_about_link(message: &LinkMessage) -> bool {
    message.header.interface_family == AddressFamily::Unspec
}

fn link(message: &LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut kind = u16::from(message.header.link_layer_type).to_string();
    for attribute in &message.attributes {
        let LinkAttribute::LinkInfo(infos) = attribute else {
            continue;
        };
        for info in infos {
            if let LinkInfo::Kind(driver) = info {
                kind = format!("{kind} {driver}");
            }
        }
    }
    Link {
        index: message.header.index,
        sort: sort(flags),
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Running),
        kind,
    }
}

fn sort(flags: LinkFlags) -> Sort {
    if flags.contains(LinkFlags::Loopback) {
        Sort::Loopback
    } else if flags.intersects(LinkFlags::Noarp | LinkFlags::Pointopoint) {
        Sort::Direct
    } else {
        Sort::Shared
    }
}

fn address(message: &AddressMessage) -> Option<Address> {
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    let (mut local, mut peer) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => peer = Some(*address),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    // On a point-to-point link the other attribute holds the peer's address.
    let ip = local.or(peer)?;
    let unconfirmed = flags.contains(AddressFlags::Tentative)
        && !flags.contains(AddressFlags::Optimistic)
        || flags.contains(AddressFlags::Dadfailed);
    let global = matches!(
        message.header.scope,
        AddressScope::Universe | AddressScope::Site
    );
    Some(Address {
        link: message.header.index,
        ip,
        prefix_length: message.header.prefix_len,
        usable: global && !unconfirmed && !is_link_local(ip),
    })
}

/// IPv4 link-local addresses often have global scope all the same.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => Ipv6Addr::is_unicast_link_local(&address),
    }
}

/// The next hops of a default route; `None` when it is another route.
fn default_routes(message: &RouteMessage) -> Option<Vec<DefaultRoute>> {
    let family = match message.header.address_family {
        AddressFamily::Inet => Family::V4,
        AddressFamily::Inet6 => Family::V6,
        _ => return None,
    };
    let is_default = message.header.destination_prefix_length == 0
        && message.header.source_prefix_length == 0
        && message.header.kind == RouteType::Unicast
        && !message.header.flags.contains(RouteFlags::Cloned);
    if !is_default {
        return None;
    }
    let mut hops = Vec::new();
    let (mut table, mut priority) = (u32::from(message.header.table), 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(long) => table = *long,
            RouteAttribute::Priority(value) => priority = *value,
            RouteAttribute::MultiPath(next_hops) => {
                hops.extend(
                    next_hops
                        .iter()
                        .map(|hop| (hop.interface_index, gateway(&hop.attributes))),
                );
            }
            RouteAttribute::Oif(link) => hops.push((*link, gateway(&message.attributes))),
            _ => {}
        }
    }
    let route = |(link, gateway)| DefaultRoute {
        family,
        table,
        priority,
        link,
        gateway,
    };
    Some(hops.into_iter().map(route).collect())
}

/// A neighbour whose link-layer address is known.
fn neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    if matches!(
        message.header.state,
        NeighbourState::None | NeighbourState::Incomplete | NeighbourState::Failed
    ) {
        return None;
    }
    let (mut ip, mut link_layer_address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => {
                ip = Some(IpAddr::V4(*address));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
                ip = Some(IpAddr::V6(*address));
            }
            NeighbourAttribute::LinkLayerAddress(address) => {
                link_layer_address = Some(address.clone());
            }
            _ => {}
        }
    }
    Some(Neighbour {
        link: message.header.ifindex,
        ip: ip?,
        link_layer_address: link_layer_address?,
    })
}

fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address))
        | RouteAttribute::Via(RouteVia::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Gateway(RouteAddress::Inet6(address))
        | RouteAttribute::Via(RouteVia::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    })
}
