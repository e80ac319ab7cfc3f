//! An engine as an embedder starts it: with a host that runs no script, or with ours.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base::channel::{Callback, Receiver, Sender, bounded, unbounded};
use base::ids::WorkerId;
use bench_support::SystemClock;
use engine::{Builder, Engine};
use network_traits::EmulationSessionId;
use script::{EventLoops, ScriptLimits, ScriptReport, ServiceWorkerThreads, Services, UserAgent};
use storage::Location;
use sw_traits::{
    EventDispatch, EventOutcome, WorkerEvent, WorkerHost, WorkerHostEvent, WorkerLaunch,
};

pub(crate) const SESSION: EmulationSessionId = EmulationSessionId(1);

/// Starts every worker, and ends every event at once.
pub(crate) struct AgreeableHost {
    events: HashMap<WorkerId, Callback<WorkerHostEvent>>,
    synced: Sender<()>,
}

impl WorkerHost for AgreeableHost {
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>) {
        let worker = launch.worker;
        let event_types = ["install", "activate", "sync"].map(str::to_owned).to_vec();
        self.events.insert(worker, events.clone());
        events.call(WorkerHostEvent::Started {
            worker,
            event_types,
        });
    }

    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch) {
        if matches!(dispatch.kind, WorkerEvent::Sync { .. }) {
            self.synced.send(()).unwrap();
        }
        self.events[&worker].call(WorkerHostEvent::EventEnded {
            worker,
            event: dispatch.event,
            outcome: EventOutcome::Fulfilled,
        });
    }

    fn terminate(&mut self, worker: WorkerId) {
        let events = self.events.remove(&worker).unwrap();
        let crash = None;
        events.call(WorkerHostEvent::Stopped { worker, crash });
    }

    fn shut_down(&mut self, _: std::time::Duration) {}
}

/// Runs the workers' scripts, and tells whenever a worker has stopped.
pub(crate) struct StoppedWorkers {
    host: ServiceWorkerThreads,
    stopped: Sender<()>,
}

impl StoppedWorkers {
    pub(crate) fn new(host: ServiceWorkerThreads, stopped: Sender<()>) -> Self {
        Self { host, stopped }
    }
}

impl WorkerHost for StoppedWorkers {
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>) {
        let stopped = self.stopped.clone();
        let events = Callback::new(move |event| {
            if matches!(event, WorkerHostEvent::Stopped { .. }) {
                // At the end of the engine nobody waits for it.
                let _ = stopped.send(());
            }
            events.call(event);
        });
        self.host.start(launch, events);
    }

    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch) {
        self.host.dispatch(worker, dispatch);
    }

    fn terminate(&mut self, worker: WorkerId) {
        self.host.terminate(worker);
    }

    fn shut_down(&mut self, patience: std::time::Duration) {
        self.host.shut_down(patience);
    }
}

pub(crate) fn builder(profile: &Path) -> Builder {
    Builder::new(Arc::new(SystemClock::default())).profile(Location::Folder(profile.to_owned()))
}

/// An engine whose workers do nothing, and what tells of each sync event that they get.
pub(crate) fn start_agreeable(builder: Builder) -> (Engine, Receiver<()>) {
    let (synced, events) = unbounded();
    let host = AgreeableHost {
        events: HashMap::new(),
        synced,
    };
    let engine = builder.start(|_| Box::new(host)).unwrap();
    (engine, events)
}

/// An engine whose workers run their scripts. `wrap` may put a host around the one that does.
pub(crate) fn start_with_scripts(
    builder: Builder,
    report: Callback<ScriptReport>,
    wrap: impl FnOnce(ServiceWorkerThreads) -> Box<dyn WorkerHost>,
) -> (Engine, Services) {
    let mut services = None;
    let engine = builder
        .start(|handles| {
            let bundle = Services {
                service_workers: handles.service_workers.clone(),
                sync: handles.sync.clone(),
                net: handles.net.clone(),
                caches: handles.caches.clone(),
                indexed_db: handles.indexed_db.clone(),
                network: handles.network.clone(),
                permissions: Arc::new(handles.permissions.clone()),
                clock: Arc::clone(&handles.clock),
                limit_clock: Arc::clone(&handles.clock),
                event_loops: EventLoops::default(),
                user_agent: UserAgent::default(),
                report,
                limits: ScriptLimits::default(),
            };
            services = Some(bundle.clone());
            wrap(ServiceWorkerThreads::new(bundle))
        })
        .unwrap();
    (engine, services.unwrap())
}

/// Cut the network of an engine, or end that.
pub(crate) fn emulate_offline(engine: &Engine, offline: bool) {
    let (sender, done) = bounded(1);
    let done_to = Callback::to_sender(&sender, |()| ());
    let network = &engine.handles().network;
    network.emulate_offline(SESSION, offline, done_to);
    done.recv().unwrap();
}
