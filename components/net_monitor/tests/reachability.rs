//! From the link to the server: the real source and the real prober, in namespaces.

use net_monitor::NetlinkSource;
use network_traits::{LinkState, NetworkState, Reachability};

use crate::namespace::{Machine, PORT, in_new_namespace, ip};
use crate::probing::wait_for;
use crate::{key, start_eager, states};

/// Switches the link on and gives it a way out, through the machine at its other end.
fn link_up() {
    ip("link set near up");
    ip("addr replace 10.9.0.1/24 dev near");
    ip("route replace default via 10.9.0.2 dev near");
}

fn origin(address: &str) -> base::StorageKey {
    key(&format!("http://{address}:{PORT}/"))
}

#[test]
fn a_server_behind_a_link_is_found_once_the_link_is_up() {
    in_new_namespace(
        "reachability::a_server_behind_a_link_is_found_once_the_link_is_up",
        || {
            ip("link add near type veth peer name far");
            let mut machine = Machine::start();
            machine.listen();
            let monitor = start_eager(NetlinkSource);
            let states = states(&monitor);
            let origin = origin("10.9.0.2");
            monitor.handle().await_origin(origin.clone(), true);
            for _ in 0..3 {
                link_up();
                let is_routable = |state: &NetworkState| state.link == LinkState::Routable;
                let mut state = states.recv().unwrap();
                while !is_routable(&state) {
                    assert_eq!(state.reachability(&origin), Reachability::Unknown);
                    state = states.recv().unwrap();
                }
                assert_eq!(state.reachability(&origin), Reachability::Checking);
                let state = wait_for(&states, &origin, Reachability::Reachable);
                assert!(is_routable(&state));
                ip("link set near down");
                while is_routable(&states.recv().unwrap()) {}
            }
        },
    );
}

#[test]
fn a_server_that_is_down_is_found_when_it_comes_up() {
    in_new_namespace(
        "reachability::a_server_that_is_down_is_found_when_it_comes_up",
        || {
            ip("link add near type veth peer name far");
            let mut machine = Machine::start();
            let monitor = start_eager(NetlinkSource);
            let states = states(&monitor);
            let origin = origin("10.9.0.2");
            monitor.handle().await_origin(origin.clone(), true);
            link_up();
            wait_for(&states, &origin, Reachability::Unreachable);
            machine.listen();
            wait_for(&states, &origin, Reachability::Reachable);
        },
    );
}

#[test]
fn a_black_hole_does_not_hold_up_other_origins() {
    in_new_namespace(
        "reachability::a_black_hole_does_not_hold_up_other_origins",
        || {
            ip("link add near type veth peer name far");
            let mut machine = Machine::start();
            machine.listen();
            let monitor = start_eager(NetlinkSource);
            let states = states(&monitor);
            // The machine at the other end swallows what is for others.
            let (swallowed, answering) = (origin("192.0.2.1"), origin("10.9.0.2"));
            monitor.handle().await_origin(swallowed.clone(), true);
            monitor.handle().await_origin(answering.clone(), true);
            link_up();
            let state = wait_for(&states, &answering, Reachability::Reachable);
            assert_eq!(state.reachability(&swallowed), Reachability::Checking);
            monitor.handle().await_origin(swallowed.clone(), false);
            wait_for(&states, &swallowed, Reachability::Unknown);
        },
    );
}
