//! What users, sites, networks and machines do, one thing at a time.

use std::time::Duration;

use sync_traits::Engagement;

use crate::context::{Context, NetworkMessage, Outside, SwMessage, SyncMessage};
use crate::nodes::internet::{Server, offline, online};
use crate::run::Simulation;

const TAGS: [&str; 4] = ["outbox", "drafts", "likes", ""];
const PERIODIC_TAGS: [&str; 3] = ["outbox", "news", "weather"];

/// What is done next.
#[derive(Clone, Copy, Debug)]
enum Action {
    OpenPage,
    ClosePage,
    RegisterWorker,
    UnregisterWorker,
    UpdateWorker,
    ClaimOrSkip,
    CrashWorker,
    ClearSite,
    Register,
    Tags,
    RegisterPeriodic,
    UnregisterPeriodic,
    Engagement,
    Link,
    Server,
    Portal,
    EmulateOffline,
    Permission,
    ClockJump,
    Sleep,
    Crash,
    Restart,
    Disk,
}

/// When the next thing is done.
pub(crate) fn plan_next(context: &mut Context) {
    let pause = match context.random.below(20) {
        0..12 => context.random.up_to_millis(30),
        12..17 => context.random.up_to_millis(2_000),
        17..19 => context.random.up_to_millis(60_000),
        _ => {
            let longest = context.settings.longest_pause;
            context.random.between(Duration::ZERO, longest)
        }
    };
    let at = context.clock.elapsed() + pause;
    context.outside.add(at, Outside::Action);
}

impl Simulation {
    /// Do one thing.
    pub(crate) fn act(&mut self) {
        let weights = self.context.settings.weights;
        let action = self.context.random.weighted(&[
            (weights.open_page, Action::OpenPage),
            (weights.close_page, Action::ClosePage),
            (weights.register_worker, Action::RegisterWorker),
            (weights.unregister_worker, Action::UnregisterWorker),
            (weights.update_worker, Action::UpdateWorker),
            (weights.claim_or_skip, Action::ClaimOrSkip),
            (weights.crash_worker, Action::CrashWorker),
            (weights.clear_site, Action::ClearSite),
            (weights.register, Action::Register),
            (weights.tags, Action::Tags),
            (weights.register_periodic, Action::RegisterPeriodic),
            (weights.unregister_periodic, Action::UnregisterPeriodic),
            (weights.engagement, Action::Engagement),
            (weights.link, Action::Link),
            (weights.server, Action::Server),
            (weights.portal, Action::Portal),
            (weights.emulate_offline, Action::EmulateOffline),
            (weights.permission, Action::Permission),
            (weights.clock_jump, Action::ClockJump),
            (weights.sleep, Action::Sleep),
            (weights.crash, Action::Crash),
            (weights.restart, Action::Restart),
            (weights.disk, Action::Disk),
        ]);
        let context = &mut self.context;
        context.note(|| format!("-- {action:?}"));
        match action {
            Action::OpenPage => {
                let scope = context.random.below(context.sites.scopes.len());
                self.pages.open(context, scope);
            }
            Action::ClosePage => self.pages.close_one(context),
            Action::RegisterWorker => self.pages.register_worker(context),
            Action::UnregisterWorker => self.pages.unregister_worker(context),
            Action::UpdateWorker => self.pages.update_worker(context),
            Action::ClaimOrSkip => self.host.claim_or_skip(context),
            Action::CrashWorker => self.host.crash_one(context),
            Action::ClearSite => {
                let storage_key = context.random.pick(&context.sites.origins).clone();
                context
                    .to_service_workers
                    .push_back(SwMessage::ClearStorage(storage_key));
            }
            Action::Register => self.pages.register(context, &TAGS),
            Action::Tags => self.pages.tags(context),
            Action::RegisterPeriodic => self.pages.register_periodic(context, &PERIODIC_TAGS),
            Action::UnregisterPeriodic => self.pages.unregister_periodic(context, &PERIODIC_TAGS),
            Action::Engagement => change_engagement(context),
            Action::Link => change_link(context),
            Action::Server => {
                let origin = context.random.pick(&context.sites.origins).clone();
                let servers = [Server::Up, Server::Slow, Server::Down, Server::BlackHole];
                let server = *context.random.pick(&servers);
                context.note(|| format!("{origin} is {server:?}"));
                context.internet.set_server(&origin, server);
            }
            Action::Portal => context.internet.portal = !context.internet.portal,
            Action::EmulateOffline => {
                let offline = context.random.chance(50);
                context
                    .to_network
                    .push_back(NetworkMessage::EmulateOffline(offline));
            }
            Action::Permission => {
                let origin = context.random.pick(&context.sites.origins).clone();
                let denied = if context.random.chance(50) {
                    &mut context.denied
                } else {
                    &mut context.denied_periodic
                };
                if !denied.remove(&origin) {
                    denied.insert(origin.clone());
                }
                context
                    .to_sync
                    .push_back(SyncMessage::PermissionChanged(origin));
            }
            Action::ClockJump => {
                let hours = *context.random.pick(&[-24, -1, 1, 24]);
                context.clock.set_wall(hours * 3_600_000);
                if context.random.chance(50) {
                    context.to_sync.push_back(SyncMessage::TimeChanged);
                }
            }
            Action::Sleep => {
                let longest = Duration::from_secs(12 * 60 * 60);
                let duration = context.random.between(Duration::ZERO, longest);
                context.clock.sleep(duration);
                if context.random.chance(50) {
                    context.to_sync.push_back(SyncMessage::TimeChanged);
                }
            }
            Action::Crash if context.random.chance(50) => self.store.crash_while_writing(context),
            Action::Crash => self.crash(),
            Action::Restart => self.begin_to_shut_down(),
            Action::Disk => self.store.failing = !self.store.failing,
        }
    }
}

fn change_link(context: &mut Context) {
    let link = match context.random.below(6) {
        0..2 => offline(),
        2 => online(2),
        _ => online(1),
    };
    context.change_link(link);
}

fn change_engagement(context: &mut Context) {
    let origin = context.random.pick(&context.sites.origins).clone();
    let levels = [
        Engagement::High,
        Engagement::Medium,
        Engagement::Low,
        Engagement::Suspended,
    ];
    let engagement = *context.random.pick(&levels);
    context.note(|| format!("{origin}: {engagement:?}"));
    context.engagement.insert(origin.clone(), engagement);
    context
        .to_sync
        .push_back(SyncMessage::EngagementChanged(origin));
}
