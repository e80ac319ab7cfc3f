//! One run: the parts put together, and one step after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_traits::SyncRequest;

use crate::context::{Context, Inside, NetworkMessage, Outside, SwMessage, SyncMessage};
use crate::model::{Summary, TagKey};
use crate::nodes::host::Host;
use crate::nodes::internet::online;
use crate::nodes::monitor::MonitorNode;
use crate::nodes::pages::Pages;
use crate::nodes::service_workers::SwNode;
use crate::nodes::store::StoreNode;
use crate::nodes::sync::SyncNode;
use crate::random::Random;
use crate::settings::Settings;
use crate::sites::Sites;
use crate::trace::Trace;
use crate::user;

/// A run that takes more steps than this goes round in circles.
const MOST_STEPS: u64 = 400_000;

/// When everything has worked for so long, nothing may be left to do: every registration has
/// expired twice over, and every jump of the clock has been made good.
const QUIET_AFTER: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// When everything has worked for so long, every periodic sync has fired: the longest interval is two
/// days, the longest floor a day and a half, and a clock may have been set back by a day or two.
const PERIODIC_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The threads of a running engine.
#[derive(Debug)]
struct Engine {
    monitor: MonitorNode,
    sync: SyncNode,
    service_workers: SwNode,
    shutdown: Option<Shutdown>,
}

/// How far an orderly end has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shutdown {
    Sync,
    ServiceWorkers,
}

/// Something that can happen now.
#[derive(Clone, Copy, Debug)]
enum Part {
    Sync,
    ServiceWorkers,
    Monitor,
    Store,
    Inside,
    Outside,
}

/// The whole world.
pub(crate) struct Simulation {
    pub(crate) context: Context,
    pub(crate) pages: Pages,
    pub(crate) host: Host,
    pub(crate) store: StoreNode,
    engine: Engine,
    actions_left: usize,
}

impl Simulation {
    pub(crate) fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let settings = Settings::from_seed(&mut random);
        let mut simulation = Self::with_settings(random, settings, Sites::few(), trace);
        simulation.open_pages(80);
        simulation
    }

    pub(crate) fn with_settings(
        random: Random,
        settings: Settings,
        sites: Sites,
        trace: Trace,
    ) -> Self {
        let actions_left = settings.actions;
        let mut context = Context::new(random, settings, sites, trace);
        let store = StoreNode::new(&mut context);
        let engine = start_engine(&mut context, &store);
        Self {
            context,
            pages: Pages::default(),
            host: Host::default(),
            store,
            engine,
            actions_left,
        }
    }

    /// Run to the end, or until something is wrong.
    pub(crate) fn run(&mut self) {
        user::plan_next(&mut self.context);
        while self.is_well() && !(self.context.outside.is_empty() && self.actions_left == 0) {
            self.step();
        }
        if self.is_well() {
            self.calm_down();
        }
    }

    /// Let everything happen that is on the agenda.
    pub(crate) fn run_agenda(&mut self) {
        while self.context.model.violation().is_none() && !self.context.outside.is_empty() {
            self.step();
        }
    }

    fn is_well(&mut self) -> bool {
        if self.context.model.summary.steps > MOST_STEPS {
            self.context.model.violate("it goes on and on");
        }
        self.context.model.violation().is_none()
    }

    /// Everything works from now on: what was promised is kept, and then nothing is left to do.
    fn calm_down(&mut self) {
        let context = &mut self.context;
        context.note(|| "-- everything works".to_owned());
        context.calm = true;
        context.outside.clear();
        self.store.repair();
        context.internet.repair();
        context.internet.set_link(online(1));
        context
            .to_network
            .push_back(NetworkMessage::Link(online(1)));
        context
            .to_network
            .push_back(NetworkMessage::EmulateOffline(false));
        context.denied.clear();
        context.denied_periodic.clear();
        context.engagement.clear();
        for origin in context.sites.origins.clone() {
            context
                .to_sync
                .push_back(SyncMessage::PermissionChanged(origin.clone()));
            context
                .to_sync
                .push_back(SyncMessage::EngagementChanged(origin));
        }
        let start = self.context.clock.elapsed();
        self.context.model.expect_periodic();
        while self.is_well() && self.context.clock.elapsed() < start + PERIODIC_WITHIN {
            if !self.step() {
                break;
            }
        }
        if self.is_well() {
            self.context.model.check_periodic();
        }
        self.unregister_periodic();
        while self.is_well() && self.step() {
            if self.context.clock.elapsed() > start + QUIET_AFTER {
                self.context.model.violate("it does not become quiet");
            }
        }
        if self.is_well() {
            self.context.model.check_end();
        }
    }

    /// What never ends by itself is ended.
    fn unregister_periodic(&mut self) {
        let client = self.context.next_client();
        for (scope, tag) in self.context.model.periodic_tags() {
            let body = SyncRequest::UnregisterPeriodic { tag };
            self.context.request_sync(client, scope, body);
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.context.model.summary
    }

    /// Let one thing happen. Gives whether anything can happen at all.
    fn step(&mut self) -> bool {
        self.context.model.summary.steps += 1;
        let Some(part) = self.next_part() else {
            return false;
        };
        let context = &mut self.context;
        match part {
            Part::Sync => self.engine.sync.step(context),
            Part::ServiceWorkers => {
                let store = self.store.store();
                self.engine
                    .service_workers
                    .step(context, &mut self.host, store);
            }
            Part::Monitor => self.engine.monitor.step(context),
            Part::Store => self.store.step(context),
            Part::Inside => self.inside(),
            Part::Outside => self.outside(),
        }
        self.go_on_shutting_down();
        true
    }

    /// Choose what happens next among what can happen now; if there is nothing, let time pass.
    fn next_part(&mut self) -> Option<Part> {
        loop {
            let context = &mut self.context;
            // A machine with much to do is slow.
            if context.random.below(40) == 0 {
                let delay = context.random.up_to_millis(3);
                context.clock.pass(delay);
            }
            let elapsed = context.clock.elapsed();
            let awake = context.clock.awake();
            let is_due = |at: Option<Duration>, now| at.is_some_and(|at| at <= now);
            let candidates = [
                (Part::Sync, self.engine.sync.has_work(context)),
                (
                    Part::ServiceWorkers,
                    self.engine.service_workers.has_work(context),
                ),
                (Part::Monitor, self.engine.monitor.has_work(context)),
                (Part::Store, self.store.has_work(context)),
                (Part::Inside, is_due(context.inside.next_at(), awake)),
                (Part::Outside, is_due(context.outside.next_at(), elapsed)),
            ];
            let mut parts = candidates.iter().filter(|(_, can)| *can);
            let count = parts.clone().count();
            if count > 0 {
                let chosen = context.random.below(count);
                return parts.nth(chosen).map(|(part, _)| *part);
            }
            let outside = context
                .outside
                .next_at()
                .map(|at| at.saturating_sub(elapsed));
            let wakes = [
                self.engine.sync.wake(),
                self.engine.service_workers.wake(),
                self.engine.monitor.wake(),
                context.inside.next_at(),
            ];
            let inside = wakes
                .into_iter()
                .flatten()
                .map(|at| at.saturating_sub(awake));
            let wait = inside.chain(outside).min()?;
            context.clock.pass(wait);
        }
    }

    fn inside(&mut self) {
        let context = &mut self.context;
        let Some(what) = context.inside.take_due(context.clock.awake()) else {
            return;
        };
        match what {
            Inside::Flush => {
                if !self.store.flush(context) {
                    self.crash();
                }
            }
            Inside::Worker(worker, step) => self.host.step(context, worker, step),
            Inside::ScriptLoaded(load, url) => {
                let scope = context.sites.scopes.iter().find(|site| site.script == url);
                let Some(origin) = scope.map(|site| site.storage_key.clone()) else {
                    return;
                };
                let result = context.internet.loaded(&origin, &url);
                context
                    .to_service_workers
                    .push_back(SwMessage::ScriptLoaded(load, result));
            }
            Inside::ProbeEnded(id, target) => {
                if !context.cancelled_probes.remove(&id) {
                    let outcome = context.internet.probed(&target);
                    context
                        .to_network
                        .push_back(NetworkMessage::ProbeEnded(id, outcome));
                }
            }
        }
    }

    fn outside(&mut self) {
        let now = self.context.clock.elapsed();
        match self.context.outside.take_due(now) {
            Some(Outside::Action) => {
                self.act();
                self.actions_left -= 1;
                if self.actions_left > 0 {
                    user::plan_next(&mut self.context);
                }
            }
            Some(Outside::World(event)) => self.world_event(event),
            None => {}
        }
    }

    /// The engine's process is gone from one moment to the next, and a new one starts.
    pub(crate) fn crash(&mut self) {
        self.context.model.summary.crashes += 1;
        self.store.crash(&mut self.context);
        self.end_process(false);
    }

    /// The engine ends in order, and a new one starts.
    pub(crate) fn begin_to_shut_down(&mut self) {
        if self.engine.shutdown.is_none() {
            self.engine.shutdown = Some(Shutdown::Sync);
            self.context.to_sync.push_back(SyncMessage::Exit);
        }
    }

    fn go_on_shutting_down(&mut self) {
        match self.engine.shutdown {
            Some(Shutdown::Sync) if self.engine.sync.exited => {
                self.engine.shutdown = Some(Shutdown::ServiceWorkers);
                self.context.to_service_workers.push_back(SwMessage::Exit);
            }
            Some(Shutdown::ServiceWorkers) if self.engine.service_workers.exited => {
                self.store.restart(&mut self.context);
                self.end_process(true);
            }
            _ => {}
        }
    }

    /// Each scope gets a page that wants its worker, in so many percent of a hundred cases.
    fn open_pages(&mut self, percent: usize) {
        let context = &mut self.context;
        for scope in 0..context.sites.scopes.len() {
            if context.random.chance(percent) {
                self.pages.open(context, scope);
                self.pages.register_own_worker(context, scope);
            }
        }
    }

    fn end_process(&mut self, in_order: bool) {
        let context = &mut self.context;
        context.note(|| format!("-- the engine ends, in order: {in_order}"));
        self.pages.kill_all();
        self.host.kill_all(context);
        let shutting_down = self.engine.shutdown.is_some();
        context.model.engine_ended(in_order, shutting_down);
        context.inside.clear();
        context.to_sync.clear();
        context.to_service_workers.clear();
        context.to_network.clear();
        // What the event log tells happened before the end.
        look_at_log(context, &self.store);
        context.clock.start_process();
        self.engine = start_engine(context, &self.store);
        if !self.context.calm {
            // Some users have their pages back.
            self.open_pages(40);
        }
    }
}

fn start_engine(context: &mut Context, store: &StoreNode) -> Engine {
    look_at_store(context, store);
    let monitor = MonitorNode::start(context);
    let sync = SyncNode::start(context, store.store());
    let service_workers = SwNode::start(context, store.store());
    Engine {
        monitor,
        sync,
        service_workers,
        shutdown: None,
    }
}

/// What somebody finds in the event log when the engine has ended.
fn look_at_log(context: &mut Context, store: &StoreNode) {
    let now = context.clock.now();
    let log = sync_manager::read::log(store.store()).expect("the simulated disk can be read");
    for entry in &log {
        let scope = context.sites.index(&entry.scope);
        context.model.logged(now, scope, entry);
    }
    let sequences = log.iter().map(|entry| entry.sequence).collect();
    context.model.check_log(&sequences);
}

/// What somebody finds who looks into the profile before the engine starts.
fn look_at_store(context: &mut Context, store: &StoreNode) {
    let now = context.clock.now();
    let store = store.store();
    let stored = sync_manager::read::registrations(store).expect("the simulated disk can be read");
    let workers =
        sw_registration::read::registrations(store).expect("the simulated disk can be read");
    let sites = &context.sites;
    let found: BTreeSet<TagKey> = stored
        .into_iter()
        .filter_map(|info| Some((sites.index(&info.scope)?, info.kind, info.tag)))
        .collect();
    let scopes = workers
        .iter()
        .filter_map(|info| sites.index(&info.registration.scope))
        .collect();
    context.note(|| format!("the store holds {found:?}"));
    context.model.recovered(now, &found, &scopes);
}
