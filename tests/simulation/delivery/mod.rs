//! Delivery under bad networks: the same world, with networks that are bad in a way that people
//! know, and two policies in it.

mod report;
mod traces;

use std::collections::BTreeMap;
use std::time::Duration;

use base::DomString;
use net_monitor::MonitorPolicy;
use sync_manager::SyncPolicy;
use sync_traits::SyncRequest;

pub use report::{markdown, svg};
pub use traces::Kind;
pub(crate) use traces::{SITES, WorldEvent};

use crate::context::{Context, Outside};
use crate::random::Random;
use crate::run::Simulation;
use crate::settings::{Settings, portal_check};
use crate::sites::{ScopeIndex, Sites};
use crate::trace::Trace;

/// Which engine is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contender {
    /// The default policy; the embedder has set a URL to find out captive portals with.
    Default,
    /// The default policy without such a URL.
    WithoutPortalCheck,
    /// What the shipping browser decides, without probes.
    Chromium,
}

impl Contender {
    /// Every one that there is.
    pub const ALL: [Self; 3] = [Self::Default, Self::WithoutPortalCheck, Self::Chromium];

    /// What it is called in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::WithoutPortalCheck => "default, no portal check",
            Self::Chromium => "chromium",
        }
    }

    fn settings(self, random: &mut Random) -> Settings {
        let probing = MonitorPolicy {
            seed: random.next(),
            ..MonitorPolicy::default()
        };
        let (sync_policy, monitor_policy) = match self {
            Self::Default => (
                SyncPolicy::default(),
                MonitorPolicy {
                    captive_portal: Some(portal_check()),
                    ..probing
                },
            ),
            Self::WithoutPortalCheck => (SyncPolicy::default(), probing),
            Self::Chromium => (
                SyncPolicy::chromium(),
                MonitorPolicy {
                    probes: None,
                    ..probing
                },
            ),
        };
        Settings::calm(sync_policy, monitor_policy)
    }
}

/// How one registration fared.
#[derive(Clone, Copy, Debug)]
struct Write {
    scope: ScopeIndex,
    at: Duration,
    /// Since when, after that, its server could be reached.
    possible: Option<Duration>,
    delivered: Option<Duration>,
}

/// How the registrations of a run fare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    writes: Vec<Write>,
    by_tag: BTreeMap<(ScopeIndex, DomString), usize>,
}

impl Deliveries {
    /// A server has had what belongs to a tag.
    pub(crate) fn delivered(&mut self, at: Duration, scope: ScopeIndex, tag: &DomString) {
        if let Some(index) = self.by_tag.get(&(scope, tag.clone())) {
            self.writes[*index].delivered.get_or_insert(at);
        }
    }
}

/// What came of a run, or of several.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// On which kind of network.
    pub kind: Kind,
    /// Who was tried.
    pub contender: Contender,
    /// How much was to be sent.
    pub registrations: usize,
    /// How much of it arrived.
    pub delivered: usize,
    /// From when each could first have arrived until it did, shortest first; `Duration::MAX` for
    /// what did not arrive though it could have.
    pub since_possible: Vec<Duration>,
    /// From each registration until it arrived, shortest first; `Duration::MAX` for what did not.
    pub since_registered: Vec<Duration>,
    /// Events after which nothing had arrived.
    pub wasted_attempts: u64,
    /// Probes of the network monitor.
    pub probes: u64,
}

impl Outcome {
    /// The share that arrived, from zero to one.
    pub fn share(&self) -> f64 {
        per(self.delivered, self.registrations)
    }

    /// Wasted attempts for each delivery.
    pub fn wasted(&self) -> f64 {
        let wasted = usize::try_from(self.wasted_attempts).unwrap_or(usize::MAX);
        per(wasted, self.delivered)
    }

    /// Probes for each delivery.
    pub fn probes_per_delivery(&self) -> f64 {
        let probes = usize::try_from(self.probes).unwrap_or(usize::MAX);
        per(probes, self.delivered)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has that many events")]
fn per(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

/// The value below which `percent` of a hundred lie; the values are in order.
pub fn percentile(values: &[Duration], percent: usize) -> Duration {
    let index = values.len().saturating_sub(1) * percent / 100;
    values.get(index).copied().unwrap_or_default()
}

/// Try each contender on each kind of network: so many days, once for each of so many seeds.
pub fn compare(days: u32, seeds: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for kind in Kind::ALL {
        for contender in Contender::ALL {
            outcomes.push(try_out(kind, contender, days, seeds));
        }
    }
    outcomes
}

fn try_out(kind: Kind, contender: Contender, days: u32, seeds: u64) -> Outcome {
    let mut outcome = Outcome {
        kind,
        contender,
        registrations: 0,
        delivered: 0,
        since_possible: Vec::new(),
        since_registered: Vec::new(),
        wasted_attempts: 0,
        probes: 0,
    };
    for seed in 0..seeds {
        let mut random = Random::new(seed);
        let events = kind.events(days, &mut random);
        let settings = contender.settings(&mut random);
        let mut simulation =
            Simulation::with_settings(random, settings, sites(), Trace::new(false));
        simulation.deliver(events);
        let context = &simulation.context;
        if let Some(violation) = context.model.violation() {
            panic!("{} with {}: {violation}", kind.name(), contender.name());
        }
        let writes = &context.deliveries.writes;
        outcome.registrations += writes.len();
        for write in writes {
            let since = |start: Duration| {
                let delay = |delivered: Duration| delivered.saturating_sub(start);
                write.delivered.map_or(Duration::MAX, delay)
            };
            outcome.since_registered.push(since(write.at));
            if let Some(possible) = write.possible.or(write.delivered) {
                outcome.since_possible.push(since(possible));
            }
        }
        let delivered = writes.iter().filter(|write| write.delivered.is_some());
        let delivered = delivered.count();
        let summary = simulation.summary();
        outcome.delivered += delivered;
        outcome.wasted_attempts += summary.dispatched.saturating_sub(delivered as u64);
        outcome.probes += summary.probes;
    }
    outcome.since_possible.sort_unstable();
    outcome.since_registered.sort_unstable();
    outcome
}

fn sites() -> Sites {
    let scopes: [&str; SITES] = [
        "https://mail.example/",
        "https://chat.example/",
        "https://photos.example/",
        "https://notes.example/",
    ];
    Sites::new(&scopes)
}

impl Simulation {
    /// Let these things happen, from the moment on at which every site has its worker.
    fn deliver(&mut self, events: Vec<(Duration, WorldEvent)>) {
        for scope in 0..SITES {
            self.pages.open(&mut self.context, scope);
            self.pages.register_own_worker(&mut self.context, scope);
        }
        let start = self.context.clock.elapsed() + Duration::from_secs(60);
        for (at, event) in events {
            self.context.outside.add(start + at, Outside::World(event));
        }
        self.run_agenda();
    }

    /// Something happens in the world.
    pub(crate) fn world_event(&mut self, event: WorldEvent) {
        let context = &mut self.context;
        match event {
            WorldEvent::Link(link) => context.change_link(link),
            WorldEvent::Portal(portal) => context.internet.portal = portal,
            WorldEvent::Stalled(stalled) => context.internet.stalled = stalled,
            WorldEvent::Server(site, server) => {
                let origin = context.sites.scopes[site].storage_key.clone();
                context.internet.set_server(&origin, server);
            }
            WorldEvent::SleepUntil(until) => {
                let now = context.clock.elapsed();
                let start = Duration::from_secs(60);
                context.clock.sleep((start + until).saturating_sub(now));
            }
            WorldEvent::Write(scope) => self.write(scope),
        }
        // What happened while the machine slept is over when it wakes up.
        let next = self.context.outside.next_at();
        if next.is_none_or(|next| next > self.context.clock.elapsed()) {
            self.context.note_possible();
        }
    }

    fn write(&mut self, scope: ScopeIndex) {
        let context = &mut self.context;
        let number = context.deliveries.writes.len();
        let tag = DomString::from(format!("write {number}"));
        context
            .deliveries
            .by_tag
            .insert((scope, tag.clone()), number);
        context.deliveries.writes.push(Write {
            scope,
            at: context.clock.elapsed(),
            possible: None,
            delivered: None,
        });
        if let Some(client) = self.pages.client_at(scope) {
            context.request_sync(client, scope, SyncRequest::Register { tag });
        }
    }
}

impl Context {
    /// Note which registrations could be delivered from now on.
    fn note_possible(&mut self) {
        let now = self.clock.elapsed();
        for write in &mut self.deliveries.writes {
            if write.possible.is_some() || write.delivered.is_some() {
                continue;
            }
            let origin = &self.sites.scopes[write.scope].storage_key;
            if self.internet.fetched(origin).arrived {
                write.possible = Some(now);
            }
        }
    }
}
