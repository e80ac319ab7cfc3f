//! The network as it really is: the machine's links, and what lies behind them.

use std::collections::BTreeMap;
use std::time::Duration;

use base::StorageKey;
use base::exception::DomException;
use network_traits::{
    FetchOutcome, LinkSnapshot, LinkState, NetworkIdentity, ProbeOutcome, ProbeTarget,
};
use sw_traits::{LoadedScript, ScriptResource};
use url::Url;

use crate::random::Random;
use crate::sites::Sites;

/// How an origin's server does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Server {
    Up,
    /// It answers, after half a minute.
    Slow,
    /// Connections are refused.
    Down,
    /// Packets to it disappear.
    BlackHole,
}

/// What somebody wants of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FetchKind {
    /// A connection.
    Probe,
    /// A response.
    Fetch,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fetched {
    /// What it proves, if it proves something.
    pub(crate) outcome: Option<FetchOutcome>,
    /// The origin's own server has had the request.
    pub(crate) arrived: bool,
}

/// What a server has at a URL.
#[derive(Clone, Copy, Debug)]
struct ServedScript {
    version: u32,
    /// Which text of those in [`BODIES`].
    body: usize,
}

/// What workers listen for, and what is wrong with them, in their own words.
const BODIES: [&str; 6] = [
    "install activate sync periodicsync message",
    "install activate sync periodicsync message claim",
    "install activate sync periodicsync skip",
    "sync periodicsync",
    "install activate message",
    "throw sync",
];

/// The network as it really is.
#[derive(Clone, Debug)]
pub(crate) struct Internet {
    link: LinkSnapshot,
    /// Somebody on the way answers in place of the servers.
    pub(crate) portal: bool,
    /// The link is up, and nothing comes through.
    pub(crate) stalled: bool,
    servers: BTreeMap<StorageKey, Server>,
    scripts: BTreeMap<Url, ServedScript>,
    random: Random,
}

pub(crate) const fn offline() -> LinkSnapshot {
    LinkSnapshot {
        link: LinkState::None,
        identity: None,
        cost: network_traits::CostHint::Unknown,
    }
}

pub(crate) const fn online(network: u64) -> LinkSnapshot {
    LinkSnapshot {
        link: LinkState::Routable,
        identity: Some(NetworkIdentity(network)),
        cost: network_traits::CostHint::Unknown,
    }
}

impl Internet {
    pub(crate) fn new(sites: &Sites, random: Random) -> Self {
        let servers = sites.origins.iter().cloned();
        let scripts = sites.scopes.iter().map(|scope| {
            let served = ServedScript {
                version: 1,
                body: 0,
            };
            (scope.script.clone(), served)
        });
        Self {
            link: online(1),
            portal: false,
            stalled: false,
            servers: servers.map(|origin| (origin, Server::Up)).collect(),
            scripts: scripts.collect(),
            random,
        }
    }

    pub(crate) fn link(&self) -> LinkSnapshot {
        self.link
    }

    /// The link becomes this. Gives whether it was something else.
    pub(crate) fn set_link(&mut self, link: LinkSnapshot) -> bool {
        std::mem::replace(&mut self.link, link) != link
    }

    pub(crate) fn set_server(&mut self, origin: &StorageKey, server: Server) {
        self.servers.insert(origin.clone(), server);
    }

    /// The site has a new version of a script.
    pub(crate) fn publish(&mut self, script: &Url, good: bool) {
        let bodies = if good { 4 } else { BODIES.len() };
        let body = self.random.below(bodies);
        if let Some(served) = self.scripts.get_mut(script) {
            served.version += 1;
            served.body = body;
        }
    }

    fn server(&self, origin: &StorageKey) -> Server {
        self.servers.get(origin).copied().unwrap_or(Server::Down)
    }

    fn has_route(&self, origin: &StorageKey) -> bool {
        origin.is_loopback() || self.link.link == LinkState::Routable
    }

    /// How long it takes until a fetch or probe that starts now has ended.
    pub(crate) fn latency(&mut self, origin: &StorageKey, kind: FetchKind) -> Duration {
        let some = self.random.up_to_millis(200) + Duration::from_millis(5);
        if !self.has_route(origin) {
            return Duration::from_millis(1);
        }
        if self.stalled && !origin.is_loopback() {
            return Duration::from_secs(30);
        }
        if self.portal && !origin.is_loopback() {
            return some;
        }
        match self.server(origin) {
            Server::Slow if kind == FetchKind::Fetch => some + Duration::from_secs(25),
            Server::Up | Server::Slow | Server::Down => some,
            Server::BlackHole => Duration::from_secs(30),
        }
    }

    /// How a fetch that ends now has ended.
    pub(crate) fn fetched(&self, origin: &StorageKey) -> Fetched {
        let failed = Fetched {
            outcome: Some(FetchOutcome::ConnectFailed),
            arrived: false,
        };
        if !self.has_route(origin) || (self.stalled && !origin.is_loopback()) {
            return failed;
        }
        if self.portal && !origin.is_loopback() {
            // A portal has no certificate for the origin, which shows nothing.
            let is_plain = origin.scheme() == "http";
            return Fetched {
                outcome: is_plain.then_some(FetchOutcome::Responded),
                arrived: false,
            };
        }
        match self.server(origin) {
            Server::Up | Server::Slow => Fetched {
                outcome: Some(FetchOutcome::Responded),
                arrived: true,
            },
            Server::Down | Server::BlackHole => failed,
        }
    }

    /// How a probe that ends now has ended.
    pub(crate) fn probed(&self, target: &ProbeTarget) -> ProbeOutcome {
        match target {
            ProbeTarget::Origin(origin) => {
                // A portal takes every connection.
                let is_portal = self.portal && self.has_route(origin) && !self.stalled;
                if is_portal || self.fetched(origin).arrived {
                    ProbeOutcome::Reached
                } else {
                    ProbeOutcome::Failed
                }
            }
            ProbeTarget::CaptivePortal(_)
                if self.link.link != LinkState::Routable || self.stalled =>
            {
                ProbeOutcome::Failed
            }
            ProbeTarget::CaptivePortal(_) if self.portal => ProbeOutcome::Altered,
            ProbeTarget::CaptivePortal(_) => ProbeOutcome::Reached,
        }
    }

    /// What the loader of scripts has got, now that it has ended.
    pub(crate) fn loaded(
        &self,
        origin: &StorageKey,
        url: &Url,
    ) -> Result<LoadedScript, DomException> {
        let served = self.scripts.get(url);
        let Some(served) = served.filter(|_| self.fetched(origin).arrived) else {
            return Err(DomException::type_error(format!("{url} cannot be loaded")));
        };
        let body = format!("{} version{}", BODIES[served.body], served.version);
        Ok(LoadedScript {
            resource: ScriptResource {
                url: url.clone(),
                response_url: url.clone(),
                body: body.into_bytes().into(),
                headers: [
                    ("content-type", "text/javascript"),
                    ("service-worker-allowed", "/"),
                ]
                .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
                .into(),
            },
            status: 200,
            from_cache: false,
        })
    }

    /// Everything can be reached.
    pub(crate) fn repair(&mut self) {
        self.portal = false;
        self.stalled = false;
        for server in self.servers.values_mut() {
            *server = Server::Up;
        }
        let scripts: Vec<Url> = self.scripts.keys().cloned().collect();
        for script in scripts {
            self.publish(&script, true);
        }
    }
}
