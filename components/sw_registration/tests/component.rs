//! The component on its thread, with a store in a folder, a host, a loader and windows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::exception::DomException;
use base::ids::{ClientId, WorkerId};
use base::time::{Clock, Timestamp};
use parking_lot::Mutex;
use storage::{Direction, KeyRange, Store, StoreConfig, Tree};
use sw_registration::{SwPolicy, SwRegistrationConfig, SwRegistrationThread};
use sw_traits::{
    ClientDescription, ClientKind, EventDispatch, EventOutcome, LoadedScript, ScriptLoader,
    ScriptRequest, SwAnswer, SwClientEvent, SwClientHandle, SwNotification, SwRegistrationHandle,
    SwRegistrationMessage, SwRequest, WindowHost, WindowRequest, WindowResult, WorkerHost,
    WorkerHostEvent, WorkerLaunch,
};
use url::Url;

use crate::support::{key, script, sync, url};

pub const PAGE: &str = "https://a.test/";
pub const SCRIPT: &str = "https://a.test/worker.js";
pub const OTHER_SCRIPT: &str = "https://b.test/worker.js";

/// Long enough for any machine; nothing is expected to take it.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub fn advance(&self, duration: Duration) {
        let mut now = self.0.lock();
        *now = now.saturating_add(duration);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// What the host was told.
#[derive(Debug)]
pub enum Told {
    Start(Box<WorkerLaunch>),
    Dispatch(EventDispatch),
    Terminate,
    ShutDown,
}

/// Starts every worker with listeners for everything; ends `install` and `activate` at once, and
/// `sync` when it is told to.
struct Host {
    told: Sender<Told>,
    events: BTreeMap<WorkerId, Callback<WorkerHostEvent>>,
    end_syncs: bool,
}

impl WorkerHost for Host {
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>) {
        let worker = launch.worker;
        let event_types = ["install", "activate", "sync", "message"]
            .map(str::to_owned)
            .into();
        events.call(WorkerHostEvent::Started {
            worker,
            event_types,
        });
        self.events.insert(worker, events);
        self.told.send(Told::Start(Box::new(launch))).unwrap();
    }

    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch) {
        if self.end_syncs || dispatch.kind.event_type() != "sync" {
            self.events[&worker].call(WorkerHostEvent::EventEnded {
                worker,
                event: dispatch.event,
                outcome: EventOutcome::Fulfilled,
            });
        }
        self.told.send(Told::Dispatch(dispatch)).unwrap();
    }

    fn terminate(&mut self, worker: WorkerId) {
        self.events[&worker].call(WorkerHostEvent::Stopped {
            worker,
            crash: None,
        });
        self.told.send(Told::Terminate).unwrap();
    }

    fn shut_down(&mut self, _patience: Duration) {
        self.told.send(Told::ShutDown).unwrap();
    }
}

struct Loader(BTreeMap<Url, LoadedScript>);

impl ScriptLoader for Loader {
    fn load(&mut self, request: ScriptRequest, done: Callback<Result<LoadedScript, DomException>>) {
        let offline = || DomException::type_error("the network is down");
        done.call(self.0.get(&request.url).cloned().ok_or_else(offline));
    }
}

/// Opens windows that show what is no client.
struct Windows(Sender<WindowRequest>);

impl WindowHost for Windows {
    fn perform(&mut self, request: WindowRequest, done: Callback<WindowResult>) {
        self.0.send(request).unwrap();
        done.call(Ok(None));
    }
}

pub struct Engine {
    pub component: SwRegistrationThread,
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub told: Receiver<Told>,
    pub asked_windows: Receiver<WindowRequest>,
    pub notifications: Receiver<SwNotification>,
}

pub struct Page {
    pub handle: SwClientHandle,
    pub events: Receiver<SwClientEvent>,
}

pub fn start(folder: &Path, online: bool, end_syncs: bool) -> Engine {
    let (store, _) = Store::open(StoreConfig::folder(folder)).unwrap();
    let (told_sender, told) = unbounded();
    let (notify, notifications) = unbounded();
    let clock = Arc::new(ManualClock::default());
    let (windows, asked_windows) = unbounded();
    let server = [SCRIPT, OTHER_SCRIPT]
        .into_iter()
        .filter(|_| online)
        .map(|address| (url(address), script(address, "worker")))
        .collect();
    let config = SwRegistrationConfig {
        policy: SwPolicy::default(),
        store: store.clone(),
        host: Box::new(Host {
            told: told_sender,
            events: BTreeMap::new(),
            end_syncs,
        }),
        loader: Box::new(Loader(server)),
        windows: Some(Box::new(Windows(windows))),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        notify: Callback::to_sender(&notify, |notification| notification),
    };
    let component =
        SwRegistrationThread::start(config, unbounded::<SwRegistrationMessage>()).unwrap();
    Engine {
        component,
        store,
        clock,
        told,
        asked_windows,
        notifications,
    }
}

pub fn received<T>(receiver: &Receiver<T>) -> T {
    match receiver.recv_timeout(Some(PATIENCE)) {
        Received::Message(message) => message,
        _ => panic!("it did not come"),
    }
}

impl Engine {
    pub fn handle(&self) -> SwRegistrationHandle {
        self.component.handle()
    }

    pub fn open(&self, address: &str) -> Page {
        let id = ClientId::random();
        let (storage_key, address) = (key(address), url(address));
        self.attach(ClientDescription::new(
            id,
            storage_key,
            address,
            ClientKind::Window,
        ))
    }

    /// The client that a worker is, as the host would attach it.
    pub fn worker(&self, launch: &WorkerLaunch) -> Page {
        self.attach(ClientDescription::new(
            launch.client,
            launch.storage_key.clone(),
            launch.script_url.clone(),
            ClientKind::ServiceWorker(launch.worker),
        ))
    }

    pub fn attach(&self, client: ClientDescription) -> Page {
        let (sender, events) = unbounded();
        let events_to = Callback::to_sender(&sender, |event| event);
        let handle = self.handle().attach_client(client, events_to).unwrap();
        Page { handle, events }
    }

    pub fn dispatch(&self, tag: &str) -> Receiver<EventOutcome> {
        let (sender, outcome) = unbounded();
        self.handle().dispatch_event(
            key(PAGE),
            url(PAGE),
            sync(tag),
            Duration::from_secs(180),
            Callback::to_sender(&sender, |outcome| outcome),
        );
        outcome
    }

    /// The next worker that is started.
    pub fn launch(&self) -> WorkerLaunch {
        match self.told_of(|told| matches!(told, Told::Start(_))) {
            Told::Start(launch) => *launch,
            other => panic!("{other:?}"),
        }
    }

    pub fn told_of(&self, wanted: impl Fn(&Told) -> bool) -> Told {
        loop {
            let told = received(&self.told);
            if wanted(&told) {
                return told;
            }
        }
    }

    pub fn count(&self, tree: Tree) -> usize {
        self.store
            .scan(tree, KeyRange::all(), Direction::Forward)
            .count()
    }
}

impl Page {
    pub fn ask(&self, body: SwRequest) -> Result<SwAnswer, DomException> {
        let asked = self.handle.request(body).unwrap();
        loop {
            match received(&self.events) {
                SwClientEvent::Answer { request, result } if request == asked => return result,
                _ => {}
            }
        }
    }
}
