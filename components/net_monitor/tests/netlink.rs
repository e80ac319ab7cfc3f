use std::io::Write;
use std::process::{Command, Stdio};

use base::channel::{Callback, Receiver, bounded, unbounded};
use net_monitor::NetlinkSource;
use network_traits::{LinkSnapshot, LinkState, NetworkSource, NetworkState};

use crate::namespace::{in_new_namespace, ip};
use crate::{start, states};

/// Waits until the state is `link`.
fn wait_for(states: &Receiver<NetworkState>, link: LinkState) -> NetworkState {
    loop {
        let state = states.recv().unwrap();
        if state.link == link {
            return state;
        }
    }
}

/// A pair of virtual cables' ends, `near` and `far`; `near` has an address and a default route.
fn connect() {
    ip("link add near type veth peer name far");
    ip("link set far up");
    ip("link set near up");
    ip("addr add 10.9.0.1/24 dev near");
    ip("route add default via 10.9.0.2 dev near");
}

#[test]
fn a_machine_with_nothing_but_loopback_is_offline() {
    in_new_namespace(
        "netlink::a_machine_with_nothing_but_loopback_is_offline",
        || {
            ip("link set lo up");
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            assert_eq!(monitor.source_error(), None);
            let state = wait_for(&states, LinkState::None);
            assert!(!state.is_online());
            assert_eq!(state.identity, None);
        },
    );
}

#[test]
fn the_state_follows_link_address_and_route() {
    in_new_namespace("netlink::the_state_follows_link_address_and_route", || {
        let monitor = start(NetlinkSource);
        let states = states(&monitor);
        wait_for(&states, LinkState::None);
        ip("link add near type veth peer name far");
        ip("link set far up");
        ip("link set near up");
        wait_for(&states, LinkState::NoAddress);
        ip("addr add 10.9.0.1/24 dev near");
        wait_for(&states, LinkState::NoRoute);
        ip("route add default via 10.9.0.2 dev near");
        let state = wait_for(&states, LinkState::Routable);
        assert!(state.is_online() && state.identity.is_some());
        ip("route del default");
        wait_for(&states, LinkState::NoRoute);
        ip("route add default via 10.9.0.2 dev near");
        let again = wait_for(&states, LinkState::Routable);
        assert_eq!(again.identity, state.identity);
        ip("addr del 10.9.0.1/24 dev near");
        wait_for(&states, LinkState::NoAddress);
        ip("link del near");
        wait_for(&states, LinkState::None);
    });
}

#[test]
fn a_link_that_is_switched_off_and_on_needs_its_route_again() {
    in_new_namespace(
        "netlink::a_link_that_is_switched_off_and_on_needs_its_route_again",
        || {
            connect();
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            let before = wait_for(&states, LinkState::Routable);
            ip("link set near down");
            wait_for(&states, LinkState::None);
            // The system keeps the address and has forgotten the route.
            ip("link set near up");
            wait_for(&states, LinkState::NoRoute);
            ip("route add default via 10.9.0.2 dev near");
            assert_eq!(
                wait_for(&states, LinkState::Routable).identity,
                before.identity
            );
        },
    );
}

#[test]
fn a_lost_carrier_is_no_link_and_comes_back_with_its_route() {
    in_new_namespace(
        "netlink::a_lost_carrier_is_no_link_and_comes_back_with_its_route",
        || {
            connect();
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            wait_for(&states, LinkState::Routable);
            ip("link set far down");
            wait_for(&states, LinkState::None);
            ip("link set far up");
            wait_for(&states, LinkState::Routable);
        },
    );
}

#[test]
fn a_route_that_goes_without_a_word_is_noticed() {
    in_new_namespace(
        "netlink::a_route_that_goes_without_a_word_is_noticed",
        || {
            connect();
            ip("addr add 10.9.0.7/24 dev near");
            ip("route replace default via 10.9.0.2 dev near src 10.9.0.7");
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            wait_for(&states, LinkState::Routable);
            // The route names this address as its source, so the kernel drops it, silently.
            ip("addr del 10.9.0.7/24 dev near");
            wait_for(&states, LinkState::NoRoute);
        },
    );
}

#[test]
fn another_gateway_is_another_network() {
    in_new_namespace("netlink::another_gateway_is_another_network", || {
        connect();
        let monitor = start(NetlinkSource);
        let states = states(&monitor);
        let before = wait_for(&states, LinkState::Routable).identity;
        ip("route replace default via 10.9.0.3 dev near");
        // The kernel names only the new route; for a moment both seem to be there.
        while wait_for(&states, LinkState::Routable).identity == before {}
    });
}

#[test]
fn ipv6_alone_is_enough() {
    in_new_namespace("netlink::ipv6_alone_is_enough", || {
        ip("link add near type veth peer name far");
        ip("link set far up");
        ip("link set near up");
        let monitor = start(NetlinkSource);
        let states = states(&monitor);
        // The link-local address that the system gives it is none.
        wait_for(&states, LinkState::NoAddress);
        ip("-6 addr add 2001:db8::1/64 dev near nodad");
        wait_for(&states, LinkState::NoRoute);
        ip("-6 route add default via 2001:db8::2 dev near");
        wait_for(&states, LinkState::Routable);
        ip("link set near down");
        wait_for(&states, LinkState::None);
    });
}

#[test]
fn a_burst_of_changes_ends_in_the_right_state() {
    in_new_namespace(
        "netlink::a_burst_of_changes_ends_in_the_right_state",
        || {
            connect();
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            let old_network = wait_for(&states, LinkState::Routable).identity;
            for _ in 0..20 {
                ip("link set near down");
                ip("link set near up");
                ip("route add default via 10.9.0.2 dev near");
            }
            ip("link del near");
            ip("link add last type veth peer name lost");
            ip("link set lost up");
            ip("link set last up");
            ip("addr add 172.16.0.1/16 dev last");
            // One more change, to know the last state before it.
            ip("route add default via 172.16.0.2 dev last");
            let mut before = LinkState::Unknown;
            loop {
                let state = states.recv().unwrap();
                if state.identity.is_some() && state.identity != old_network {
                    break;
                }
                before = state.link;
            }
            // Which states were seen on the way depends on how fast they were read, and the end not.
            assert!(
                before < LinkState::Routable,
                "the old network came back: {before:?}"
            );
            assert_eq!(monitor.handle().current().link, LinkState::Routable);
        },
    );
}

#[test]
fn lost_notifications_are_made_up_for() {
    in_new_namespace("netlink::lost_notifications_are_made_up_for", || {
        connect();
        // The source is held up while it tells the first news, as a busy machine might.
        let (holding, held) = bounded::<()>(1);
        let (release, released) = bounded::<()>(1);
        let (sender, snapshots) = unbounded::<LinkSnapshot>();
        let guard = Box::new(NetlinkSource)
            .start(Callback::new(move |snapshot| {
                let _ = sender.send(snapshot);
                if holding.send(()).is_ok() {
                    let _ = released.recv();
                }
            }))
            .unwrap();
        held.recv().unwrap();
        // From here on it waits no more.
        drop(held);
        assert_eq!(snapshots.recv().unwrap().link, LinkState::Routable);
        // More changes than the socket holds notifications of.
        let changes = "addr add 10.8.0.1/32 dev near\naddr del 10.8.0.1/32 dev near\n";
        ip_batch(&changes.repeat(4_000));
        ip("link del near");
        release.send(()).unwrap();
        while snapshots.recv().unwrap().link != LinkState::None {}
        drop(guard);
        assert!(
            snapshots.recv().is_err(),
            "a source that was stopped tells nothing"
        );
    });
}

/// Runs many `ip` commands in one process.
fn ip_batch(commands: &str) {
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    ip.stdin
        .take()
        .unwrap()
        .write_all(commands.as_bytes())
        .unwrap();
    assert!(ip.wait().unwrap().success());
}
