use std::time::{Duration, Instant};

use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::ids::WorkerId;
use bench_support::{Bench, Latencies};
use script::{ScriptReport, ServiceWorkerThreads};
use sw_registration::SwPolicy;
use sw_traits::{EventDispatch, WorkerEvent, WorkerHost, WorkerHostEvent, WorkerLaunch};

use crate::contexts;
use crate::profile::{Page, Site, scopes};
use crate::running::{builder, start_with_scripts};

/// What is waited for at most; nothing is expected to take it.
const PATIENCE: Duration = Duration::from_secs(60);

/// From the moment at which the host of the workers gets a `sync` event, or is to start the worker
/// for it, to the first line of its handler.
pub(crate) fn handlers(bench: &mut Bench) {
    let events = bench.choose(300, 10);
    let running = measure(bench, events, SwPolicy::default(), false);
    let stopping = SwPolicy {
        idle_limit: Duration::ZERO,
        ..SwPolicy::default()
    };
    let stopped = measure(bench, events, stopping, true);
    let mut contexts = Latencies::default();
    for _ in 0..events {
        contexts.record(contexts::create());
    }
    for (row, latencies) in [
        ("dispatch to handler, running", running),
        ("dispatch to handler, stopped", stopped),
    ] {
        for (metric, share) in [("p50", 0.5), ("p99", 0.99)] {
            let unit = (metric, "ns");
            bench.value(row, "engine", 1, unit, latencies.quantile(share));
            bench.value(row, "creating a context", 1, unit, contexts.quantile(share));
        }
    }
}

/// What the host was told, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Start,
    Sync,
    Stopped,
}

/// Passes everything on, and tells what is to be measured.
struct Watched {
    host: ServiceWorkerThreads,
    told: Sender<(Told, Instant)>,
}

impl WorkerHost for Watched {
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>) {
        self.told.send((Told::Start, Instant::now())).unwrap();
        let told = self.told.clone();
        let events = Callback::new(move |event| {
            if matches!(event, WorkerHostEvent::Stopped { .. }) {
                // At the end of the engine nobody waits for it.
                let _ = told.send((Told::Stopped, Instant::now()));
            }
            events.call(event);
        });
        self.host.start(launch, events);
    }

    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch) {
        if matches!(dispatch.kind, WorkerEvent::Sync { .. }) {
            self.told.send((Told::Sync, Instant::now())).unwrap();
        }
        self.host.dispatch(worker, dispatch);
    }

    fn terminate(&mut self, worker: WorkerId) {
        self.host.terminate(worker);
    }

    fn shut_down(&mut self, patience: Duration) {
        self.host.shut_down(patience);
    }
}

fn measure(bench: &Bench, events: u64, policy: SwPolicy, stops: bool) -> Latencies {
    let folder = bench.scratch();
    let site = Site::serve();
    let (told, host) = unbounded();
    let (lines, handled) = unbounded();
    let report = Callback::new(move |report| {
        if let ScriptReport::Console { .. } = report {
            lines.send(Instant::now()).unwrap();
        }
    });
    let profile = folder.path().join("profile");
    let builder = builder(&profile).service_worker_policy(policy);
    let (engine, _services) = start_with_scripts(builder, report, |threads| {
        Box::new(Watched {
            host: threads,
            told,
        })
    });
    let page = Page::open(&engine, &site.url);
    let scopes = scopes(&site.url, 1);
    page.register_workers(&scopes);
    if stops {
        wait_for(&host, Told::Stopped);
    }
    let mut latencies = Latencies::default();
    for number in 0..events {
        while host.try_recv().is_some() {}
        page.register_sync(&scopes[0], &format!("outbox-{number}"));
        let from = if stops { Told::Start } else { Told::Sync };
        let start = wait_for(&host, from);
        let Received::Message(line) = handled.recv_timeout(Some(PATIENCE)) else {
            panic!("no handler ran");
        };
        latencies.record(line.saturating_duration_since(start));
        if stops {
            wait_for(&host, Told::Stopped);
        }
    }
    drop(page);
    engine.shut_down();
    latencies
}

fn wait_for(host: &Receiver<(Told, Instant)>, wanted: Told) -> Instant {
    loop {
        match host.recv_timeout(Some(PATIENCE)) {
            Received::Message((told, at)) if told == wanted => return at,
            Received::Message(_) => {}
            end => panic!("waiting for {wanted:?}: {end:?}"),
        }
    }
}
