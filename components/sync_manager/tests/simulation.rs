//! Random walks: pages, workers, network, clock, store and crashes in any order. A failing walk
//! names its seed, and the seed alone makes it happen again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::DomString;
use base::ids::{EventId, RequestId};
use network_traits::{NetworkIdentity, NetworkState, Reachability};
use storage::{Batch, Tree};
use sw_traits::EventOutcome;
use sync_manager::{NetworkPolicy, SyncPolicy, read};
use sync_traits::{DropReason, Engagement, LogEntry, LogEvent, SyncKind, SyncRegistrationInfo};
use url::Url;

use crate::periodic_model::Periodic;
use crate::support::{
    Dispatched, HOUR, SITE, Seen, StoreMode, World, offline, online, origin, rejected, url,
};

const SITES: [&str; 3] = [SITE, "https://example.org/app/", "http://localhost:8000/"];
const TAGS: [&str; 3] = ["a", "b", "c"];
const INTERVALS: [Duration; 3] = [Duration::ZERO, HOUR, Duration::from_secs(30 * 60 * 60)];
const ENGAGEMENT: [Engagement; 4] = [
    Engagement::High,
    Engagement::High,
    Engagement::Low,
    Engagement::Suspended,
];
const SEEDS: u64 = 400;
const STEPS: usize = 150;

fn policy(seed: u64) -> SyncPolicy {
    let everywhere = !seed.is_multiple_of(4);
    SyncPolicy {
        network: if everywhere {
            NetworkPolicy::Any
        } else {
            NetworkPolicy::SameNetworkOnly
        },
        max_uncounted_attempts: 2,
        max_concurrent_events: 3,
        max_log_entries: 100_000,
        heeds_reachability: !seed.is_multiple_of(5),
        needs_window: seed.is_multiple_of(7),
        ..SyncPolicy::default()
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// What a tag's page may expect.
#[derive(Debug, Default)]
struct Promise {
    /// The tag was acknowledged, and neither was an event that was dispatched since fulfilled, nor
    /// was the registration reported as dropped.
    open: bool,
    /// Events dispatched since it was last registered that a worker has had.
    dispatches: u32,
    /// The last entry of the event log about an attempt said that it is the last.
    last_chance: bool,
    /// What the event log said last about the attempts.
    attempt: Attempt,
    /// Events that were dispatched before the last acknowledgement.
    older: Vec<EventId>,
}

/// How far the event log has told of an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Attempt {
    /// The tag was registered since the last one was started.
    #[default]
    Registered,
    /// It was started, or what followed from its end has been told.
    Started,
    /// It has failed, and nothing was told after that.
    Failed,
}

struct Walk {
    world: World,
    random: Random,
    requests: BTreeMap<RequestId, (Url, DomString)>,
    periodic: Periodic,
    promises: BTreeMap<(Url, DomString), Promise>,
    /// How much of what was seen has been looked at, and up to which entry of the event log.
    looked_at: usize,
    log_sequence: u64,
    registered: [bool; SITES.len()],
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut world = World::new(policy(seed));
        world.seed = seed;
        let mut walk = Self {
            world,
            random: Random(seed),
            requests: BTreeMap::new(),
            periodic: Periodic::default(),
            promises: BTreeMap::new(),
            looked_at: 0,
            log_sequence: 0,
            registered: [true; SITES.len()],
        };
        for site in SITES {
            walk.world.open_site(site);
        }
        walk.world.mode = StoreMode::Slow;
        walk
    }

    fn step(&mut self) {
        match self.random.below(48) {
            0..8 => {
                let (site, tag) = (self.random.pick(&SITES), self.random.pick(&TAGS));
                let request = self.world.ask(site, tag);
                self.requests.insert(request, (url(site), tag.into()));
                self.world.answer(request);
            }
            8..22 => self.store_answers(),
            22..28 => self.event_ends(),
            28..31 => {
                let network = self.some_network();
                self.world.set_network(network);
            }
            // The network changes, and the news is still on its way.
            31 => self.world.network = self.some_network(),
            32 | 33 => {
                let seconds = self.random.pick(&[1, 20, 100, 400, 2_000, 50_000]);
                self.world.pass(Duration::from_secs(seconds));
            }
            34 => {
                let hours = self.random.pick(&[-24, -1, 1, 24]);
                self.world.set_clock(hours * 3_600_000);
            }
            35 => self.crash(),
            36 => {
                let (site, may_sync) = (self.random.pick(&SITES), self.random.below(4) > 0);
                self.world.set_permission(site, may_sync);
            }
            37 => {
                let (site, windows) = (self.random.pick(&SITES), self.random.below(3));
                self.world.set_windows(site, windows);
            }
            38 => self.unregister(),
            39..44 => {
                let (site, tag) = (self.random.pick(&SITES), self.random.pick(&TAGS));
                let interval = self.random.pick(&INTERVALS);
                self.world.ask_periodic(site, tag, interval);
            }
            44 => {
                let (site, tag) = (self.random.pick(&SITES), self.random.pick(&TAGS));
                self.world.ask_unregister(site, tag);
            }
            45 => {
                let (site, may_sync) = (self.random.pick(&SITES), self.random.below(4) > 0);
                self.world.set_periodic_permission(site, may_sync);
            }
            46 => {
                let (site, engagement) = (self.random.pick(&SITES), self.random.pick(&ENGAGEMENT));
                self.world.set_engagement(site, engagement);
            }
            _ => {
                let index = self.random.below(SITES.len());
                self.registered[index] = true;
                self.world.activate(SITES[index]);
            }
        }
    }

    fn store_answers(&mut self) {
        if !self.world.commits.is_empty() {
            let works = self.random.below(6) > 0;
            self.world.commit_one(works);
        }
    }

    fn event_ends(&mut self) {
        if self.world.running.is_empty() {
            return;
        }
        let index = self.random.below(self.world.running.len());
        let outcome = self.random.pick(&[
            EventOutcome::Fulfilled,
            rejected(),
            rejected(),
            EventOutcome::TimedOut,
            EventOutcome::Crashed {
                reason: String::new(),
            },
            EventOutcome::NoActiveWorker,
        ]);
        self.end(index, outcome);
    }

    fn end(&mut self, index: usize, outcome: EventOutcome) {
        let Dispatched {
            event,
            kind,
            scope,
            tag,
            ..
        } = self.world.running[index].clone();
        if kind == SyncKind::Periodic {
            self.periodic.end((scope, tag), event, self.world.now);
            self.world.end_at(index, outcome);
            return;
        }
        let promise = self.promises.entry((scope, tag)).or_default();
        if !promise.older.contains(&event) {
            match outcome {
                EventOutcome::Fulfilled => promise.open = false,
                EventOutcome::NoActiveWorker => {
                    promise.dispatches = promise.dispatches.saturating_sub(1);
                }
                _ => {}
            }
        }
        self.world.end_at(index, outcome);
    }

    fn some_network(&mut self) -> NetworkState {
        let mut network = match self.random.below(9) {
            0 => NetworkState::default(),
            1 | 2 => offline(),
            3 => NetworkState {
                emulated_offline: true,
                ..online()
            },
            5 => {
                let scope = self.random.pick(&SITES);
                let scopes = BTreeSet::from([url(scope)]);
                NetworkState {
                    offline_registrations: BTreeMap::from([(origin(scope), scopes)]),
                    ..online()
                }
            }
            4 => NetworkState {
                identity: Some(NetworkIdentity(2)),
                ..online()
            },
            _ => online(),
        };
        if self.random.below(2) == 0 {
            let reachability = self.random.pick(&[
                Reachability::Reachable,
                Reachability::Checking,
                Reachability::Unreachable,
            ]);
            network
                .origins
                .insert(origin(self.random.pick(&SITES)), reachability);
        }
        network
    }

    /// The engine dies. The first of the batches on their way are on disk, unknown to anybody, and
    /// so may be those that failed last.
    fn crash(&mut self) {
        if self.random.below(2) == 0 {
            for batch in std::mem::take(&mut self.world.failed) {
                self.world.write(batch);
            }
        }
        let written = self.random.below(self.world.commits.len() + 1);
        for _ in 0..written {
            let (_, batch) = self.world.commits.pop_front().unwrap();
            self.world.write(batch);
        }
        self.world.crash();
        self.periodic.crash(self.world.now);
        for entry in read::log(self.world.store()).unwrap() {
            self.look_at_entry(&entry);
        }
        let sites = SITES.iter().zip(self.registered);
        let known: Vec<_> = sites
            .filter(|(_, known)| *known)
            .map(|(site, _)| *site)
            .collect();
        self.world.report_stored(&known);
        for site in known {
            self.world.open_site(site);
        }
    }

    /// The service worker registrations remove a scope with its syncs and say so.
    fn unregister(&mut self) {
        let index = self.random.below(SITES.len());
        if std::mem::take(&mut self.registered[index]) {
            let scope = url(SITES[index]);
            let mut batch = Batch::new();
            let writer = storage::key::KeyWriter::new();
            let prefix = writer
                .text(&origin(SITES[index]).to_string())
                .text(scope.as_str());
            batch.remove_prefix(Tree::SyncRegistrations, &prefix.finish());
            self.world.write(batch);
            // Whoever unregisters a worker knows what goes with it; the log may miss it in a crash.
            self.periodic.unregister(&scope);
            for (_, promise) in self.promises.iter_mut().filter(|((of, _), _)| *of == scope) {
                promise.open = false;
            }
            self.world.unregister(SITES[index]);
        }
    }

    /// Look at what has come out, and hold it against what was promised.
    fn look(&mut self) {
        let seen: Vec<_> = self.world.seen[self.looked_at..].to_vec();
        self.looked_at = self.world.seen.len();
        for seen in seen {
            match seen {
                Seen::Answered {
                    request,
                    resolved: true,
                } => {
                    // Of periodic ones, the event log tells all.
                    let Some(of) = self.requests.get(&request).cloned() else {
                        continue;
                    };
                    let running = &self.world.running;
                    let older = running
                        .iter()
                        .filter(|event| event.kind == SyncKind::OneShot)
                        .filter(|event| (&event.scope, &event.tag) == (&of.0, &of.1))
                        .map(|event| event.event)
                        .collect();
                    let promise = self.promises.entry(of).or_default();
                    (promise.open, promise.dispatches, promise.older) = (true, 0, older);
                }
                Seen::Answered { .. } => {}
                Seen::Dispatched(dispatched) if dispatched.kind == SyncKind::Periodic => {
                    self.periodic.look_at_dispatch(&dispatched, &self.world);
                }
                Seen::Dispatched(Dispatched {
                    event,
                    scope,
                    tag,
                    last_chance,
                    ..
                }) => {
                    let promise = self.promises.entry((scope, tag)).or_default();
                    promise.older.retain(|other| *other != event);
                    promise.dispatches += 1;
                    let policy = &self.world.policy;
                    let most = policy.max_attempts + policy.max_uncounted_attempts;
                    assert!(
                        promise.dispatches <= most,
                        "{} dispatches",
                        promise.dispatches
                    );
                    assert_eq!(
                        promise.last_chance, last_chance,
                        "the log and the event agree"
                    );
                }
                Seen::Log(entry) => self.look_at_entry(&entry),
            }
        }
        let registrations = self.world.manager.snapshot();
        for awaited in &self.world.awaited {
            let waits = |info: &SyncRegistrationInfo| info.storage_key == *awaited;
            // One whose removal is being written is not listed any more.
            assert!(
                registrations.iter().any(waits) || !self.world.commits.is_empty(),
                "{awaited} is awaited for nobody"
            );
        }
        for info in registrations {
            assert!(info.attempts <= self.world.policy.max_attempts, "{info:?}");
        }
        assert!(self.world.running.len() <= 3 + 2 * TAGS.len() * SITES.len());
    }

    fn look_at_entry(&mut self, entry: &LogEntry) {
        if entry.sequence <= self.log_sequence {
            return;
        }
        self.log_sequence = entry.sequence;
        if entry.kind == SyncKind::Periodic {
            self.periodic.look_at_entry(entry);
            return;
        }
        let promise = self
            .promises
            .entry((entry.scope.clone(), entry.tag.clone()))
            .or_default();
        let failed = promise.attempt == Attempt::Failed;
        promise.attempt = match &entry.event {
            LogEvent::Registered | LogEvent::Reregistered { .. } => Attempt::Registered,
            _ if promise.attempt == Attempt::Registered
                && !matches!(entry.event, LogEvent::Dispatched { .. }) =>
            {
                Attempt::Registered
            }
            LogEvent::Finished { outcome, .. }
                if !matches!(
                    outcome,
                    EventOutcome::Fulfilled | EventOutcome::NoActiveWorker
                ) =>
            {
                Attempt::Failed
            }
            LogEvent::Interrupted { .. } => Attempt::Failed,
            _ => Attempt::Started,
        };
        match &entry.event {
            LogEvent::Registered | LogEvent::Reregistered { .. } => {
                promise.dispatches = 0;
            }
            LogEvent::Dispatched { last_chance, .. } => {
                promise.last_chance = *last_chance;
            }
            LogEvent::Dropped { reason } => {
                let exhausted = *reason == DropReason::AttemptsExhausted;
                let failed = failed && *reason == DropReason::Expired;
                // Who has not fired, or waits for the next attempt, may be too old for it because
                // the clock was set; a failure drops nobody who was not warned.
                assert!(
                    !(exhausted || failed) || promise.last_chance,
                    "dropped without a last chance"
                );
                promise.open = false;
            }
            _ => {}
        }
    }

    /// Every periodic registration fires in time, and is gone when it is unregistered.
    fn fire_all_periodic(&mut self) {
        let mut alive = BTreeSet::new();
        for site in SITES {
            let tags = self.world.tags_of(SyncKind::Periodic, site);
            alive.extend(tags.into_iter().map(|tag| (url(site), tag)));
        }
        let expected = self.periodic.alive();
        for of in alive.symmetric_difference(&expected) {
            assert!(self.periodic.is_in_doubt(of), "{of:?}");
        }
        self.periodic.fired.clear();
        // The longest interval, and the floor across origins twice.
        for _ in 0..30 + 12 + 12 {
            self.world.pass(HOUR);
            self.look();
            while !self.world.running.is_empty() {
                self.end(0, EventOutcome::Fulfilled);
                self.look();
            }
        }
        if self.world.policy.network == NetworkPolicy::Any {
            for of in &alive {
                assert!(self.periodic.fired.contains(of), "{of:?} has not fired");
            }
        }
        for (scope, tag) in alive {
            self.world.ask_unregister(scope.as_str(), tag);
        }
        self.look();
        assert_eq!(self.periodic.alive(), BTreeSet::new());
    }

    /// Everything works again: what was promised is kept, and then nothing is left to do.
    fn settle(&mut self) {
        self.world.mode = StoreMode::Works;
        self.world.commit_all();
        self.look();
        // What waits for the store to work again is written, and the event log tells of it.
        self.world.pass(self.world.policy.max_store_retry_delay);
        self.look();
        for (site, known) in SITES.iter().zip(self.registered) {
            self.world.set_permission(site, true);
            self.world.set_periodic_permission(site, true);
            self.world.set_engagement(site, Engagement::High);
            if known {
                self.world.activate(site);
            }
            self.world.set_windows(site, 1);
        }
        self.world.set_network(online());
        self.look();
        self.fire_all_periodic();
        // The clock may have been set back by days, and what may fire only elsewhere has to expire.
        for _ in 0..1_000 {
            while !self.world.running.is_empty() {
                self.end(0, EventOutcome::Fulfilled);
                self.look();
            }
            if self
                .world
                .manager
                .poll_deadline()
                .after(self.world.now)
                .is_none()
            {
                break;
            }
            self.world.pass(HOUR);
            self.look();
        }
        assert_eq!(self.world.manager.snapshot(), []);
        assert_eq!(self.world.stored(), Vec::<String>::new());
        assert_eq!(
            self.world.manager.poll_deadline().after(self.world.now),
            None,
            "not quiet"
        );
        assert!(self.world.awaited.is_empty(), "awaited for nobody");
        for (of, promise) in &self.promises {
            assert!(!promise.open, "{of:?} was acknowledged and forgotten");
        }
    }
}

fn walk(seed: u64) {
    let mut walk = Walk::new(seed);
    for _ in 0..STEPS {
        walk.step();
        walk.look();
    }
    walk.settle();
}

#[test]
fn whatever_happens_what_was_acknowledged_fires_or_is_reported_dropped() {
    for seed in 0..SEEDS {
        let result = std::panic::catch_unwind(|| walk(seed));
        assert!(result.is_ok(), "the walk with seed {seed} failed");
    }
}
