#[cfg(target_arch = "x86_64")]
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
#[cfg(target_arch = "x86_64")]
use std::thread;

use base::channel::{Callback, Receiver, bounded, unbounded};
use net_monitor::NetlinkSource;
#[cfg(target_arch = "x86_64")]
use network_traits::FetchOutcome;
use network_traits::{LinkSnapshot, LinkState, NetworkIdentity, NetworkSource, NetworkState};

use crate::namespace::{in_new_namespace, ip};
use crate::{key, start, states};

/// Waits until the state is `link`.
fn wait_for(states: &Receiver<NetworkState>, link: LinkState) -> NetworkState {
    loop {
        let state = states.recv().unwrap();
        if state.link == link {
            return state;
        }
    }
}

/// Waits until it is known which network it is.
fn wait_for_identity(states: &Receiver<NetworkState>) -> NetworkIdentity {
    loop {
        if let Some(identity) = states.recv().unwrap().identity {
            return identity;
        }
    }
}

/// A pair of virtual cables' ends, `near` and `far`; `near` has an address and a default route
/// through a gateway that is known.
fn connect() {
    ip("link add near type veth peer name far");
    ip("link set far up");
    ip("link set near up");
    ip("addr add 10.9.0.1/24 dev near");
    ip("route add default via 10.9.0.2 dev near");
    know("10.9.0.2", "02:00:00:00:00:02");
}

/// The system gets to know who has an address behind `near`.
fn know(address: &str, link_layer_address: &str) {
    ip(&format!(
        "neigh replace {address} lladdr {link_layer_address} dev near nud permanent"
    ));
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
        assert!(wait_for(&states, LinkState::Routable).is_online());
        ip("route del default");
        wait_for(&states, LinkState::NoRoute);
        ip("route add default via 10.9.0.2 dev near");
        wait_for(&states, LinkState::Routable);
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
            let before = wait_for_identity(&states);
            ip("link set near down");
            wait_for(&states, LinkState::None);
            // The system keeps the address and has forgotten the route.
            ip("link set near up");
            wait_for(&states, LinkState::NoRoute);
            ip("route add default via 10.9.0.2 dev near");
            know("10.9.0.2", "02:00:00:00:00:02");
            assert_eq!(wait_for_identity(&states), before);
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
        let before = wait_for_identity(&states);
        ip("route replace default via 10.9.0.3 dev near");
        know("10.9.0.3", "02:00:00:00:00:03");
        // The kernel names only the new route; for a moment both seem to be there.
        while wait_for_identity(&states) == before {}
    });
}

#[test]
fn another_router_behind_the_same_addresses_is_another_network() {
    in_new_namespace(
        "netlink::another_router_behind_the_same_addresses_is_another_network",
        || {
            connect();
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            let before = wait_for_identity(&states);
            ip("link set far down");
            wait_for(&states, LinkState::None);
            // The cable is plugged into another network.
            know("10.9.0.2", "02:00:00:00:00:99");
            ip("link set far up");
            assert_ne!(wait_for_identity(&states), before);
        },
    );
}

#[test]
fn which_network_it_is_is_found_out_when_the_gateway_answers() {
    in_new_namespace(
        "netlink::which_network_it_is_is_found_out_when_the_gateway_answers",
        || {
            connect();
            ip("neigh del 10.9.0.2 dev near");
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            let state = wait_for(&states, LinkState::Routable);
            assert_eq!(state.identity, None, "nobody has talked to it");
            assert!(state.is_online());
            ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev near nud reachable");
            let identity = wait_for_identity(&states);
            // What the system forgets is remembered.
            ip("neigh del 10.9.0.2 dev near");
            ip("route add 192.0.2.0/24 via 10.9.0.9 dev near");
            ip("addr add 10.9.0.8/24 dev near");
            assert_eq!(monitor.handle().current().identity, Some(identity));
        },
    );
}

#[test]
fn among_many_interfaces_the_one_that_leads_out_counts() {
    in_new_namespace(
        "netlink::among_many_interfaces_the_one_that_leads_out_counts",
        || {
            let commands: Vec<_> = (0..60)
                .map(|number| {
                    format!(
                        "link add d{number} type veth peer name e{number}\n\
                         link set e{number} up\nlink set d{number} up\n\
                         addr add 10.{number}.0.1/24 dev d{number}\n"
                    )
                })
                .collect();
            ip_batch(&commands.concat());
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            wait_for(&states, LinkState::NoRoute);
            ip("route add default via 10.47.0.2 dev d47");
            wait_for(&states, LinkState::Routable);
            ip("link del d48");
            ip("link set d47 down");
            wait_for(&states, LinkState::NoRoute);
            let removals: Vec<_> = (0..60)
                .filter(|number| *number != 48)
                .map(|number| format!("link del d{number}\n"))
                .collect();
            ip_batch(&removals.concat());
            wait_for(&states, LinkState::None);
        },
    );
}

#[test]
fn a_second_way_out_takes_over() {
    in_new_namespace("netlink::a_second_way_out_takes_over", || {
        connect();
        ip("link add spare type veth peer name other");
        ip("link set other up");
        ip("link set spare up");
        ip("addr add 10.8.0.1/24 dev spare");
        ip("neigh add 10.8.0.2 lladdr 02:00:00:00:00:08 dev spare nud permanent");
        ip("route add default via 10.8.0.2 dev spare metric 100");
        let monitor = start(NetlinkSource);
        let states = states(&monitor);
        let before = wait_for_identity(&states);
        ip("link set far down");
        while wait_for_identity(&states) == before {}
        assert_eq!(monitor.handle().current().link, LinkState::Routable);
        ip("link set far up");
        while wait_for_identity(&states) != before {}
    });
}

/// From now on this thread, and what it starts, gets error 13 (permission denied) from a system call
/// whose argument 0 is `value`, or whatever it is.
#[cfg(target_arch = "x86_64")]
fn forbid(call: i64, value: Option<u64>) {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SeccompCondition,
        SeccompFilter, SeccompRule, TargetArch,
    };
    let condition = |value| SeccompCondition::new(0, Dword, Eq, value).unwrap();
    let rules = value.map(|value| SeccompRule::new(vec![condition(value)]).unwrap());
    let filter = SeccompFilter::new(
        [(call, Vec::from_iter(rules))].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(13),
        TargetArch::x86_64,
    );
    seccompiler::apply_filter(&BpfProgram::try_from(filter.unwrap()).unwrap()).unwrap();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn without_permission_for_netlink_the_state_is_unknown_and_the_error_says_why() {
    const SOCKET: i64 = 41;
    const AF_NETLINK: u64 = 16;
    in_new_namespace(
        "netlink::without_permission_for_netlink_the_state_is_unknown_and_the_error_says_why",
        || {
            connect();
            forbid(SOCKET, Some(AF_NETLINK));
            let monitor = start(NetlinkSource);
            assert_eq!(
                monitor.source_error().unwrap().to_string(),
                "cannot follow the system's network links: opening a netlink socket failed: \
                 Permission denied (os error 13)"
            );
            let state = states(&monitor).recv().unwrap();
            assert_eq!(state.link, LinkState::Unknown);
            assert!(state.is_online_for(&key("http://localhost/")));
            assert!(!state.is_online_for(&key("https://example.org/")));
        },
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn where_links_may_be_followed_but_not_listed_the_state_is_unknown() {
    const SENDTO: i64 = 44;
    in_new_namespace(
        "netlink::where_links_may_be_followed_but_not_listed_the_state_is_unknown",
        || {
            connect();
            forbid(SENDTO, None);
            let (sender, snapshots) = unbounded();
            let changed = Callback::to_sender(&sender, |snapshot: LinkSnapshot| snapshot);
            let guard = Box::new(NetlinkSource).start(changed).unwrap();
            assert_eq!(snapshots.recv().unwrap(), LinkSnapshot::default());
            drop(guard);
        },
    );
}

#[cfg(feature = "cross-platform")]
#[test]
fn the_source_for_other_systems_follows_the_addresses() {
    use net_monitor::AddressSource;

    in_new_namespace(
        "netlink::the_source_for_other_systems_follows_the_addresses",
        || {
            ip("link set lo up");
            let monitor = start(AddressSource);
            let states = states(&monitor);
            wait_for(&states, LinkState::None);
            connect();
            let identity = wait_for_identity(&states);
            ip("link del near");
            wait_for(&states, LinkState::None);
            connect();
            assert_eq!(wait_for_identity(&states), identity);
            ip("link del near");
            wait_for(&states, LinkState::None);
            ip("link add near type veth peer name far");
            ip("addr add 10.1.0.1/24 dev near");
            assert_ne!(wait_for_identity(&states), identity);
            drop(monitor);
            while states.recv().is_ok() {}
        },
    );
}

/// What a thread of this process is waiting in.
#[cfg(target_arch = "x86_64")]
struct Waiting {
    /// The number of the system call, and its arguments.
    call: Vec<u64>,
}

#[cfg(target_arch = "x86_64")]
impl Waiting {
    /// Waits until the thread named `name` waits in one of the system calls `calls`.
    fn of(name: &str, calls: &[u64]) -> Self {
        loop {
            for thread in fs::read_dir("/proc/self/task").unwrap() {
                let thread = thread.unwrap().path();
                if fs::read_to_string(thread.join("comm")).unwrap().trim() != name {
                    continue;
                }
                let call = fs::read_to_string(thread.join("syscall")).unwrap();
                // While it runs there is a word in place of numbers.
                let call: Vec<_> = call
                    .split_whitespace()
                    .map_while(|word| match word.strip_prefix("0x") {
                        Some(digits) => u64::from_str_radix(digits, 16).ok(),
                        None => word.parse().ok(),
                    })
                    .collect();
                if call.first().is_some_and(|number| calls.contains(number)) {
                    return Self { call };
                }
            }
            thread::yield_now();
        }
    }
}

/// A wait without a time limit ends only when something happens: what no thread does can wake none.
#[cfg(target_arch = "x86_64")]
#[test]
fn an_idle_monitor_waits_without_a_time_limit() {
    const POLL: u64 = 7;
    const FUTEX: u64 = 202;
    const PPOLL: u64 = 271;
    in_new_namespace(
        "netlink::an_idle_monitor_waits_without_a_time_limit",
        || {
            connect();
            let monitor = start(NetlinkSource);
            let states = states(&monitor);
            wait_for_identity(&states);
            let origin = key("https://example.org/");
            monitor
                .handle()
                .report_fetch_outcome(origin, FetchOutcome::Responded);
            while states.recv().unwrap().origins.is_empty() {}
            let netlink = Waiting::of("netlink", &[POLL, PPOLL]).call;
            // `poll` has a number of milliseconds, `ppoll` the address of a time.
            let limit = if netlink[0] == POLL {
                u64::from(u32::MAX)
            } else {
                0
            };
            assert_eq!(netlink[3] & u64::from(u32::MAX), limit, "{netlink:x?}");
            let futex = Waiting::of("network monitor", &[FUTEX]).call;
            assert_eq!(futex[4], 0, "{futex:x?}");
        },
    );
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
            let old_network = wait_for_identity(&states);
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
            ip("neigh add 172.16.0.2 lladdr 02:00:00:00:00:02 dev last nud permanent");
            // One more change, to know the last state before it.
            ip("route add default via 172.16.0.2 dev last");
            let mut before = LinkState::Unknown;
            loop {
                let state = states.recv().unwrap();
                if state
                    .identity
                    .is_some_and(|identity| identity != old_network)
                {
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
