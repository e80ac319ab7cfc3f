use super::*;

fn link(index: u32, up: bool, running: bool) -> Notification {
    let kind = "1 veth".to_owned();
    Notification::Link(Link {
        index,
        up,
        running,
        sort: Sort::Shared,
        kind,
    })
}

fn loopback() -> Notification {
    let kind = "772".to_owned();
    Notification::Link(Link {
        index: 1,
        up: true,
        running: true,
        sort: Sort::Loopback,
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

fn neighbour(link: u32, ip: &str, last: u8) -> Notification {
    Notification::Neighbour(Neighbour {
        link,
        ip: ip.parse().unwrap(),
        link_layer_address: vec![2, 0, 0, 0, 0, last],
    })
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
        neighbour(2, "10.9.0.2", 2),
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
        assert_eq!(snapshot.identity, None, "step {step}: no gateway is known");
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

/// A network with this gateway, and an own address in it.
fn network(index: u32, own: &str, length: u8, gateway: &str, last: u8) -> NetworkIdentity {
    table([
        link(index, true, true),
        address(index, own, length),
        route(index, gateway),
        neighbour(index, gateway, last),
    ])
    .snapshot()
    .identity
    .unwrap()
}

#[test]
fn identity_is_the_networks_and_not_the_machines() {
    let home = network(2, "10.9.0.1", 24, "10.9.0.254", 7);
    assert_eq!(network(7, "10.9.0.33", 24, "10.9.0.254", 7), home);
    assert_ne!(network(2, "10.9.0.1", 16, "10.9.0.254", 7), home);
    assert_ne!(network(2, "10.9.1.1", 24, "10.9.0.254", 7), home);
    assert_ne!(network(2, "10.9.0.1", 24, "10.9.0.253", 7), home);
    assert_ne!(network(2, "10.9.0.1", 24, "10.9.0.254", 8), home);
    assert_eq!(
        home,
        NetworkIdentity(IDENTITY_OF_10_9_0),
        "what is stored is made of identities"
    );
}

const IDENTITY_OF_10_9_0: u64 = 0x169e_97f3_5ebe_7d51;

#[test]
fn another_ipv6_prefix_behind_the_same_gateway_is_the_same_network() {
    let home = network(2, "2001:db8:1::5", 64, "fe80::1", 7);
    assert_eq!(network(2, "2001:db8:2::5", 64, "fe80::1", 7), home);
    assert_ne!(network(2, "2001:db8:1::5", 64, "fe80::1", 8), home);
}

#[test]
fn the_gateway_is_asked_for_until_it_is_known() {
    let mut table = table([
        link(2, true, true),
        address(2, "10.9.0.1", 24),
        route(2, "10.9.0.2"),
        neighbour(2, "10.9.0.77", 77),
    ]);
    let gateway = (2, "10.9.0.2".parse().unwrap());
    assert_eq!(table.unknown_gateway(), Some(gateway));
    assert_eq!(table.snapshot().identity, None);
    table.apply(neighbour(2, "10.9.0.2", 2));
    assert_eq!(table.unknown_gateway(), None);
    assert!(table.snapshot().identity.is_some());
    assert_eq!(table.gateways.len(), 1, "others are nobody's business");
    table.apply(link(2, true, false));
    assert_eq!(table.unknown_gateway(), None, "there is no network");
    table.apply(link(2, true, true));
    assert_eq!(
        table.unknown_gateway(),
        Some(gateway),
        "it may be another one"
    );
}

#[test]
fn a_link_without_neighbours_is_told_by_the_rest() {
    let tunnel = |own: &str| {
        let kind = "65534 wireguard".to_owned();
        let table = table([
            Notification::Link(Link {
                index: 2,
                up: true,
                running: true,
                sort: Sort::Direct,
                kind,
            }),
            address(2, own, 24),
            route(2, "10.9.0.2"),
        ]);
        assert_eq!(table.unknown_gateway(), None);
        table.snapshot().identity.unwrap()
    };
    assert_eq!(tunnel("10.9.0.1"), tunnel("10.9.0.8"));
    assert_ne!(tunnel("10.9.0.1"), tunnel("10.8.0.1"));
}

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
