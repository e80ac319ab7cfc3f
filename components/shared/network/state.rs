use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base::StorageKey;
use serde::{Deserialize, Serialize};
use url::Url;

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
/// and in later ones. It is a hash, and never leaves the machine. What a network monitor publishes
/// is hashed with the profile's [`NetworkIdentityKey`], where there is one, and says nothing else
/// about the network.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct NetworkIdentity(pub u64);

/// The secret of a profile that makes network identities mean nothing outside it: who reads two
/// profiles, or knows what a network is like, cannot tell whether they were on it. An embedder draws
/// it once at random, and keeps it with the profile.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct NetworkIdentityKey([u8; 16]);

impl NetworkIdentityKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be kept with the profile and nowhere else.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NetworkIdentityKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NetworkIdentityKey")
    }
}

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
    /// Which network it is; `None` when not routable, and as long as that has not been found out.
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
    /// No evidence either, but something waits for the origin, and it is being probed; what waits
    /// need not try for itself, because the answer will come.
    Checking,
    /// The last fetch got an HTTP response, or a probe a connection.
    Reachable,
    /// The last fetch or probe could not reach it. A hint only: it may have come back since. As
    /// long as something waits for it, it is probed again and again.
    Unreachable,
}

/// Whether somebody on the way answers in place of the servers that are asked, as networks do whose
/// users have to log in first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum PortalState {
    /// There is no sign of it: a check found nobody, or the embedder wants none.
    #[default]
    Open,
    /// The network is new, and the check that the embedder wants has not ended. It begins when
    /// something waits for an origin that is not on this machine. What can wait for it should.
    Unchecked,
    /// Somebody does. Only origins on this machine can be reached.
    Captive,
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
    /// Which network it is; `None` when not routable, and as long as that has not been found out.
    /// That it is found out does not make it another network.
    pub identity: Option<NetworkIdentity>,
    /// What sending data costs.
    pub cost: CostHint,
    /// Whether at least one session emulates being offline.
    pub emulated_offline: bool,
    /// The scopes of service worker registrations, by their storage keys, for which at least one
    /// session emulates being offline. Bounded by the trusted code that opens sessions.
    pub offline_registrations: BTreeMap<StorageKey, BTreeSet<Url>>,
    /// Whether somebody on the way answers in place of the servers that are asked.
    pub portal: PortalState,
    /// Origins about which fetches or probes on this network have shown something, or which are
    /// being probed. The monitor bounds it, and never stores [`Reachability::Unknown`] in it.
    pub origins: BTreeMap<StorageKey, Reachability>,
}

impl NetworkState {
    /// Whether something that needs `origin` may start now. An origin on this machine needs no
    /// network; any other needs a route, a state that is known, and no captive portal in between.
    /// Reachability is not considered: it is evidence about the past, and says how urgent a try is,
    /// not whether one is allowed. Nor is a network that was not [checked](PortalState::Unchecked):
    /// what the user wants now is tried on it all the same.
    pub fn is_online_for(&self, origin: &StorageKey) -> bool {
        let has_network = self.link == LinkState::Routable && self.portal != PortalState::Captive;
        !self.emulated_offline && (origin.is_loopback() || has_network)
    }

    /// Whether something that a service worker registration does, and that needs the registration's
    /// own origin, may start now: what [`is_online_for`](Self::is_online_for) says, unless being
    /// offline is emulated for this registration.
    pub fn is_online_for_registration(&self, storage_key: &StorageKey, scope: &Url) -> bool {
        self.is_online_for(storage_key) && !self.is_emulated_offline_for(storage_key, scope)
    }

    /// Whether being offline is emulated for a service worker registration, or for all. Its fetches
    /// then fail, to whichever origin.
    pub fn is_emulated_offline_for(&self, storage_key: &StorageKey, scope: &Url) -> bool {
        self.emulated_offline
            || self
                .offline_registrations
                .get(storage_key)
                .is_some_and(|scopes| scopes.contains(scope))
    }

    /// What `navigator.onLine` is: false only if the machine is surely offline, so it is true as
    /// long as the link state is unknown.
    ///
    /// <https://html.spec.whatwg.org/multipage/#dom-navigator-online>
    pub fn is_online(&self) -> bool {
        !self.emulated_offline && matches!(self.link, LinkState::Unknown | LinkState::Routable)
    }

    /// What fetches and probes have shown about `origin` on this network.
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
    fn behind_a_captive_portal_only_the_machine_itself_is_online() {
        let state = NetworkState {
            link: LinkState::Routable,
            portal: PortalState::Captive,
            ..NetworkState::default()
        };
        assert!(!state.is_online_for(&key("https://example.org/")));
        assert!(state.is_online_for(&key("http://localhost:8000/")));
        assert!(
            state.is_online(),
            "for `navigator.onLine` there is a network"
        );
    }

    #[test]
    fn a_registration_that_is_offline_leaves_the_others_of_its_origin_alone() {
        let origin = key("https://example.org/");
        let scope = |path: &str| {
            Url::parse("https://example.org/")
                .unwrap()
                .join(path)
                .unwrap()
        };
        let mut state = NetworkState {
            link: LinkState::Routable,
            offline_registrations: BTreeMap::from([(
                origin.clone(),
                BTreeSet::from([scope("/a/")]),
            )]),
            ..NetworkState::default()
        };
        assert!(!state.is_online_for_registration(&origin, &scope("/a/")));
        assert!(state.is_online_for_registration(&origin, &scope("/b/")));
        assert!(state.is_online_for(&origin) && state.is_online());
        state.emulated_offline = true;
        assert!(state.is_emulated_offline_for(&origin, &scope("/b/")));
        assert!(!state.is_online_for_registration(&origin, &scope("/b/")));
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
