//! The network source for systems other than Linux: the addresses of the machine, as `if-watch`
//! tells of them. It builds on Linux too, so that it can be tried there.
//!
//! Routes are not followed: with an address that reaches beyond its link the machine counts as
//! routable. Where no route leads out after all, fetches and probes fail, and their origins are
//! unreachable until a probe gets there; so this costs a try where the [`NetlinkSource`] would have
//! known, and holds nothing back.
//!
//! Two networks are the same when they give out the same prefixes: of IPv4 if there are any, else of
//! IPv6. Many home networks are the same by that.
//!
//! [`NetlinkSource`]: crate::NetlinkSource

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::thread;

use base::channel::Callback;
use if_watch::smol::IfWatcher;
use if_watch::{IfEvent, IpNet};
use network_traits::{
    CostHint, LinkSnapshot, LinkState, NetworkSource, NetworkSourceError, SourceGuard,
};
use smol::channel::Receiver;
use smol::future;

use crate::identity::StableHash;

/// Follows the addresses of the system. See the module's source for what it does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressSource;

impl NetworkSource for AddressSource {
    fn start(
        self: Box<Self>,
        changed: Callback<LinkSnapshot>,
    ) -> Result<SourceGuard, NetworkSourceError> {
        let watcher =
            IfWatcher::new().map_err(|error| source_error("watching the addresses", &error))?;
        let (guard, stopped) = smol::channel::bounded::<()>(1);
        let thread = thread::Builder::new()
            .name("addresses".to_owned())
            .spawn(move || {
                if let Err(error) = smol::block_on(follow(watcher, &changed, &stopped)) {
                    let error = source_error("watching the addresses", &error);
                    log::error!("{error}; the link state is unknown from now on");
                    changed.call(LinkSnapshot::default());
                }
            })
            .map_err(|error| source_error("starting a thread", &error))?;
        Ok(SourceGuard::new(move || {
            drop(guard);
            if thread.join().is_err() {
                log::error!("the thread that follows the addresses panicked");
            }
        }))
    }
}

fn source_error(operation: &str, error: &io::Error) -> NetworkSourceError {
    NetworkSourceError {
        operation: operation.to_owned(),
        reason: error.to_string(),
    }
}

/// Tells each change, until the other end of `stopped` is dropped.
async fn follow(
    mut watcher: IfWatcher,
    changed: &Callback<LinkSnapshot>,
    stopped: &Receiver<()>,
) -> io::Result<()> {
    let mut addresses = BTreeSet::new();
    let mut last = None;
    loop {
        // Of events that are there already only what they come to is told.
        while let Some(event) = future::or(next(&mut watcher), async { None }).await {
            match event? {
                IfEvent::Up(address) => addresses.insert(address),
                IfEvent::Down(address) => addresses.remove(&address),
            };
        }
        let snapshot = snapshot(&addresses);
        if last.replace(snapshot) != Some(snapshot) {
            changed.call(snapshot);
        }
        let stopping = async {
            // Nothing is ever sent.
            let _ = stopped.recv().await;
            None
        };
        match future::or(stopping, next(&mut watcher)).await {
            None => return Ok(()),
            Some(Ok(IfEvent::Up(address))) => addresses.insert(address),
            Some(Ok(IfEvent::Down(address))) => addresses.remove(&address),
            Some(Err(error)) => return Err(error),
        };
    }
}

async fn next(watcher: &mut IfWatcher) -> Option<io::Result<IfEvent>> {
    Some(future::poll_fn(|context| watcher.poll_if_event(context)).await)
}

/// What the addresses come to.
fn snapshot(addresses: &BTreeSet<IpNet>) -> LinkSnapshot {
    let beyond_loopback = || {
        addresses
            .iter()
            .filter(|address| !address.addr().is_loopback())
    };
    let usable: Vec<_> = beyond_loopback()
        .filter(|address| !is_link_local(address.addr()))
        .collect();
    let link = if beyond_loopback().next().is_none() {
        LinkState::None
    } else if usable.is_empty() {
        LinkState::NoAddress
    } else {
        LinkState::Routable
    };
    let has_ipv4 = usable.iter().any(|address| address.addr().is_ipv4());
    let prefixes: BTreeSet<_> = usable
        .iter()
        .filter(|address| address.addr().is_ipv4() == has_ipv4)
        .map(|address| address.trunc().to_string())
        .collect();
    let mut hash = StableHash::new();
    for prefix in prefixes {
        hash.write_field(prefix.as_bytes());
    }
    LinkSnapshot {
        link,
        identity: (link == LinkState::Routable).then(|| hash.finish()),
        cost: CostHint::Unknown,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot_of(addresses: &[&str]) -> LinkSnapshot {
        snapshot(&addresses.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn an_address_that_reaches_beyond_its_link_is_a_way_out() {
        for (addresses, link) in [
            (&[][..], LinkState::None),
            (&["127.0.0.1/8", "::1/128"], LinkState::None),
            (&["127.0.0.1/8", "fe80::1/64"], LinkState::NoAddress),
            (&["169.254.7.7/16"], LinkState::NoAddress),
            (&["fe80::1/64", "2001:db8::1/64"], LinkState::Routable),
            (&["10.9.0.1/24"], LinkState::Routable),
        ] {
            let snapshot = snapshot_of(addresses);
            assert_eq!(snapshot.link, link, "{addresses:?}");
            assert_eq!(snapshot.identity.is_some(), link == LinkState::Routable);
        }
    }

    #[test]
    fn a_network_is_told_by_its_prefixes() {
        let home = snapshot_of(&["10.9.0.1/24"]);
        assert_eq!(snapshot_of(&["10.9.0.7/24"]), home);
        assert_eq!(
            snapshot_of(&["10.9.0.7/24", "2001:db8::1/64", "fe80::1/64"]),
            home,
            "IPv6 that comes later does not make another network"
        );
        assert_ne!(snapshot_of(&["10.9.0.7/16"]), home);
        assert_ne!(snapshot_of(&["10.9.1.7/24"]), home);
        assert_ne!(snapshot_of(&["10.9.0.7/24", "10.8.0.1/24"]), home);
    }
}
