use std::collections::BTreeMap;

use base::StorageKey;
use serde::{Deserialize, Serialize};

/// How far the system's links get, from worst to best.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub enum LinkState {
    /// The system has not answered yet, or cannot be asked. Nothing that needs the network starts.
    #[default]
    Unknown,
    /// No link is up, loopback aside.
    None,
    /// A link is up, and has no address that reaches beyond it.
    NoAddress,
    /// A link is up and has an address, but no default route leads out through it.
    NoRoute,
    /// A default route leads out through a link that is up and has an address.
    Routable,
}

/// Which network it is: the same number whenever the machine is on the same network, in this run
/// and in later ones. It is a hash and says nothing else about the network.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct NetworkIdentity(pub u64);

/// What sending data costs the user, as far as the platform tells.
///
/// <https://wicg.github.io/netinfo/#dfn-metered-connection>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum CostHint {
    /// The platform does not tell.
    #[default]
    Unknown,
    /// Sending data costs nothing extra.
    Unmetered,
    /// Data is paid for or limited.
    Metered,
}

/// What a [`NetworkSource`](crate::NetworkSource) says about the system's links at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct LinkSnapshot {
    /// How far the links get.
    pub link: LinkState,
    /// Which network it is; `None` when not routable.
    pub identity: Option<NetworkIdentity>,
    /// What sending data costs.
    pub cost: CostHint,
}

/// What a fetch proved about its origin's reachability. A fetch that proves neither (a TLS error, a
/// time limit after the connection stood, an abort) is not reported.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum FetchOutcome {
    /// The origin sent an HTTP response, with whatever status.
    Responded,
    /// The connection could not be made.
    ConnectFailed,
    /// The host's name could not be resolved.
    NameNotResolved,
}

/// Whether an origin can be reached on the current network, as far as fetches have shown.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum Reachability {
    /// No evidence: never tried on this network, or too long ago.
    #[default]
    Unknown,
    /// The last fetch got an HTTP response.
    Reachable,
    /// The last fetch could not reach it. A hint only: it may have come back since.
    Unreachable,
}

/// Who emulates being offline: one developer tools session, test or command line flag.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct EmulationSessionId(pub u64);

/// What the network is like at one moment. The default is what is known before the system has
/// answered: nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkState {
    /// How far the system's links get.
    pub link: LinkState,
    /// Which network it is; `None` when not routable.
    pub identity: Option<NetworkIdentity>,
    /// What sending data costs.
    pub cost: CostHint,
    /// Whether at least one session emulates being offline.
    pub emulated_offline: bool,
    /// Origins about which fetches on this network have shown something. The monitor bounds it, and
    /// never stores [`Reachability::Unknown`] in it.
    pub origins: BTreeMap<StorageKey, Reachability>,
}

impl NetworkState {
    /// Whether something that needs `origin` may start now. An origin on this machine needs no
    /// network; any other needs a route, and a state that is known. Reachability is not considered:
    /// it is evidence about the past, and says how urgent a try is, not whether one is allowed.
    pub fn is_online_for(&self, origin: &StorageKey) -> bool {
        !self.emulated_offline && (origin.is_loopback() || self.link == LinkState::Routable)
    }

    /// What `navigator.onLine` is: false only if the machine is surely offline, so it is true as
    /// long as the link state is unknown.
    ///
    /// <https://html.spec.whatwg.org/multipage/#dom-navigator-online>
    pub fn is_online(&self) -> bool {
        !self.emulated_offline && matches!(self.link, LinkState::Unknown | LinkState::Routable)
    }

    /// What fetches have shown about `origin` on this network.
    pub fn reachability(&self, origin: &StorageKey) -> Reachability {
        self.origins.get(origin).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn key(url: &str) -> StorageKey {
        StorageKey::from_url(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn online_needs_a_route_except_for_the_machine_itself() {
        for (link, remote) in [
            (LinkState::Unknown, false),
            (LinkState::None, false),
            (LinkState::NoAddress, false),
            (LinkState::NoRoute, false),
            (LinkState::Routable, true),
        ] {
            let mut state = NetworkState {
                link,
                ..NetworkState::default()
            };
            assert_eq!(
                state.is_online_for(&key("https://example.org/")),
                remote,
                "{link:?}"
            );
            assert!(
                state.is_online_for(&key("http://localhost:8000/")),
                "{link:?}"
            );
            assert!(state.is_online_for(&key("http://[::1]/")), "{link:?}");
            state.emulated_offline = true;
            assert!(
                !state.is_online_for(&key("https://example.org/")),
                "{link:?}"
            );
            assert!(
                !state.is_online_for(&key("http://localhost:8000/")),
                "{link:?}"
            );
            assert!(!state.is_online(), "{link:?}");
        }
    }

    #[test]
    fn navigator_on_line_is_false_only_when_surely_offline() {
        for (link, online) in [
            (LinkState::Unknown, true),
            (LinkState::None, false),
            (LinkState::NoAddress, false),
            (LinkState::NoRoute, false),
            (LinkState::Routable, true),
        ] {
            let state = NetworkState {
                link,
                ..NetworkState::default()
            };
            assert_eq!(state.is_online(), online, "{link:?}");
        }
    }

    #[test]
    fn an_origin_without_evidence_has_unknown_reachability() {
        let mut state = NetworkState::default();
        let origin = key("https://example.org/");
        assert_eq!(state.reachability(&origin), Reachability::Unknown);
        state
            .origins
            .insert(origin.clone(), Reachability::Unreachable);
        assert_eq!(state.reachability(&origin), Reachability::Unreachable);
    }
}
