//! What a run is like: which things go wrong, and how often. Each seed switches some of them off
//! altogether, so that what needs many steps without some fault is reached as well.

use std::time::Duration;

use net_monitor::{EvidencePolicy, MonitorPolicy, ProbePolicy};
use network_traits::{CaptivePortalCheck, ExpectedAnswer};
use sw_registration::SwPolicy;
use sync_manager::{NetworkPolicy, SyncPolicy};
use url::Url;

use crate::nodes::disk::Faults;
use crate::random::Random;

/// How many things the user and the world do in one run, before everything works again.
const ACTIONS: [usize; 4] = [20, 40, 60, 120];

/// Whoever checks what the event log says must not find the beginning gone.
const LOG_ENTRIES: usize = 100_000;

/// How often something happens: none of these is a percentage of anything but of its own kind.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) actions: usize,
    pub(crate) sync_policy: SyncPolicy,
    pub(crate) monitor_policy: MonitorPolicy,
    pub(crate) service_worker_policy: SwPolicy,
    pub(crate) weights: Weights,
    pub(crate) handlers: Handlers,
    pub(crate) disk: DiskFaults,
    /// How long it takes, at most, from one action to the next; most come much sooner.
    pub(crate) longest_pause: Duration,
}

/// How often each action is taken, beside the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weights {
    pub(crate) open_page: usize,
    pub(crate) close_page: usize,
    pub(crate) register_worker: usize,
    pub(crate) unregister_worker: usize,
    pub(crate) update_worker: usize,
    pub(crate) claim_or_skip: usize,
    pub(crate) crash_worker: usize,
    pub(crate) clear_site: usize,
    pub(crate) register: usize,
    pub(crate) tags: usize,
    pub(crate) register_periodic: usize,
    pub(crate) unregister_periodic: usize,
    pub(crate) engagement: usize,
    pub(crate) link: usize,
    pub(crate) server: usize,
    pub(crate) portal: usize,
    pub(crate) emulate_offline: usize,
    pub(crate) permission: usize,
    pub(crate) clock_jump: usize,
    pub(crate) sleep: usize,
    pub(crate) crash: usize,
    pub(crate) restart: usize,
    pub(crate) disk: usize,
}

/// What handlers of `sync` events do, each beside the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handlers {
    pub(crate) fulfil: usize,
    pub(crate) reject: usize,
    pub(crate) fetch: usize,
    pub(crate) hang: usize,
    pub(crate) crash: usize,
    pub(crate) reregister: usize,
    pub(crate) unregister: usize,
    /// In percent of all starts.
    pub(crate) bad_start: usize,
}

/// What the disk does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DiskFaults {
    /// In percent of the flushes.
    pub(crate) slow: usize,
    /// What fails while the disk is in a bad way.
    pub(crate) faults: Faults,
}

impl Settings {
    pub(crate) fn from_seed(random: &mut Random) -> Self {
        let mut on = |usual: usize| match random.below(10) {
            0..3 => 0,
            3..8 => usual,
            _ => 4 * usual,
        };
        let weights = Weights {
            open_page: 12,
            close_page: on(8),
            register_worker: 10,
            unregister_worker: on(2),
            update_worker: on(3),
            claim_or_skip: on(2),
            crash_worker: on(2),
            clear_site: on(1),
            register: 30,
            tags: 8,
            register_periodic: on(10),
            unregister_periodic: on(3),
            engagement: on(3),
            link: on(10),
            server: on(5),
            portal: on(2),
            emulate_offline: on(2),
            permission: on(3),
            clock_jump: on(2),
            sleep: on(2),
            crash: on(3),
            restart: on(2),
            disk: on(3),
        };
        let handlers = Handlers {
            fulfil: 10,
            reject: on(8),
            fetch: on(12),
            hang: on(2),
            crash: on(2),
            reregister: on(4),
            unregister: on(1),
            bad_start: on(5),
        };
        let disk = DiskFaults {
            slow: on(10),
            faults: Faults {
                write: on(10),
                sync: on(10),
                grow: on(20),
                database: on(10),
            },
        };
        let pauses = [1, 60, 20 * 60, 6 * 60 * 60];
        let longest_pause = Duration::from_secs(*random.pick(&pauses));
        Self {
            actions: *random.pick(&ACTIONS),
            sync_policy: sync_policy(random),
            monitor_policy: monitor_policy(random),
            service_worker_policy: SwPolicy::default(),
            weights,
            handlers,
            disk,
            longest_pause,
        }
    }
}

impl Settings {
    /// Nothing goes wrong but the network, and every handler makes a request.
    pub(crate) fn calm(sync_policy: SyncPolicy, monitor_policy: MonitorPolicy) -> Self {
        Self {
            actions: 0,
            sync_policy,
            monitor_policy,
            service_worker_policy: SwPolicy::default(),
            weights: Weights::default(),
            handlers: Handlers {
                fetch: 1,
                ..Handlers::default()
            },
            disk: DiskFaults::default(),
            longest_pause: Duration::ZERO,
        }
    }
}

fn sync_policy(random: &mut Random) -> SyncPolicy {
    let preset = match random.below(10) {
        0 => SyncPolicy::chromium(),
        1 => SyncPolicy::private(),
        _ => return varied_policy(random),
    };
    SyncPolicy {
        max_log_entries: LOG_ENTRIES,
        ..preset
    }
}

fn varied_policy(random: &mut Random) -> SyncPolicy {
    let network = if random.chance(20) {
        NetworkPolicy::SameNetworkOnly
    } else {
        NetworkPolicy::Any
    };
    SyncPolicy {
        network,
        max_uncounted_attempts: *random.pick(&[2, 10]),
        max_concurrent_events: *random.pick(&[1, 3, 8]),
        connectivity_ends_back_off: !random.chance(10),
        reregistering_starts_anew: !random.chance(10),
        heeds_reachability: !random.chance(20),
        max_log_entries: LOG_ENTRIES,
        ..SyncPolicy::default()
    }
}

/// How an embedder finds out captive portals.
pub(crate) fn portal_check() -> CaptivePortalCheck {
    CaptivePortalCheck {
        url: Url::parse("http://portal-check.example/").expect("it is written as a URL"),
        expected: ExpectedAnswer::Status(204),
    }
}

fn monitor_policy(random: &mut Random) -> MonitorPolicy {
    MonitorPolicy {
        evidence: EvidencePolicy::default(),
        probes: (!random.chance(20)).then(ProbePolicy::default),
        captive_portal: random.chance(40).then(portal_check),
        seed: random.next(),
        ..MonitorPolicy::default()
    }
}
