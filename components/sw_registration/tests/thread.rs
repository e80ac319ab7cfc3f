//! The component on its thread, with a store in a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::exception::DomException;
use base::ids::{ClientId, WorkerId};
use base::time::{Clock, Timestamp};
use parking_lot::Mutex;
use storage::{Batch, Direction, KeyRange, Store, StoreConfig, Tree};
use sw_registration::{SwPolicy, SwRegistrationConfig, SwRegistrationThread};
use sw_traits::{
    ClientDescription, ClientKind, EventDispatch, EventOutcome, LoadedScript, ScriptLoader,
    ScriptRequest, SwAnswer, SwClientEvent, SwClientHandle, SwNotification, SwRegistrationHandle,
    SwRegistrationMessage, SwRequest, WorkerHost, WorkerHostEvent, WorkerLaunch,
};
use url::Url;

use crate::support::{key, register, script, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";

/// Long enough for any machine; nothing is expected to take it.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    fn advance(&self, duration: Duration) {
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
enum Told {
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
        let event_types = ["install", "activate", "sync"].map(str::to_owned).into();
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

struct Engine {
    component: SwRegistrationThread,
    store: Store,
    clock: Arc<ManualClock>,
    told: Receiver<Told>,
    notifications: Receiver<SwNotification>,
}

struct Page {
    handle: SwClientHandle,
    events: Receiver<SwClientEvent>,
}

fn start(folder: &Path, online: bool, end_syncs: bool) -> Engine {
    let (store, _) = Store::open(StoreConfig::folder(folder)).unwrap();
    let (told_sender, told) = unbounded();
    let (notify, notifications) = unbounded();
    let clock = Arc::new(ManualClock::default());
    let server = online.then(|| (url(SCRIPT), script(SCRIPT, "worker")));
    let config = SwRegistrationConfig {
        policy: SwPolicy::default(),
        store: store.clone(),
        host: Box::new(Host {
            told: told_sender,
            events: BTreeMap::new(),
            end_syncs,
        }),
        loader: Box::new(Loader(server.into_iter().collect())),
        windows: None,
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
        notifications,
    }
}

fn received<T>(receiver: &Receiver<T>) -> T {
    match receiver.recv_timeout(Some(PATIENCE)) {
        Received::Message(message) => message,
        _ => panic!("it did not come"),
    }
}

impl Engine {
    fn handle(&self) -> SwRegistrationHandle {
        self.component.handle()
    }

    fn open(&self, address: &str) -> Page {
        let (sender, events) = unbounded();
        let id = ClientId::random();
        let client = ClientDescription::new(id, key(address), url(address), ClientKind::Window);
        let events_to = Callback::to_sender(&sender, |event| event);
        let handle = self.handle().attach_client(client, events_to).unwrap();
        Page { handle, events }
    }

    fn dispatch(&self, tag: &str) -> Receiver<EventOutcome> {
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

    fn told_of(&self, wanted: impl Fn(&Told) -> bool) -> Told {
        loop {
            let told = received(&self.told);
            if wanted(&told) {
                return told;
            }
        }
    }

    fn count(&self, tree: Tree) -> usize {
        self.store
            .scan(tree, KeyRange::all(), Direction::Forward)
            .count()
    }
}

impl Page {
    fn ask(&self, body: SwRequest) -> Result<SwAnswer, DomException> {
        let asked = self.handle.request(body).unwrap();
        loop {
            match received(&self.events) {
                SwClientEvent::Answer { request, result } if request == asked => return result,
                _ => {}
            }
        }
    }
}

#[test]
fn an_event_starts_a_worker_after_a_restart_with_no_page_and_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let outcome = engine.dispatch("first");
    assert_eq!(received(&outcome), EventOutcome::Fulfilled);
    drop(page);
    drop(engine);

    let engine = start(folder.path(), false, true);
    let active = SwNotification::Activated {
        storage_key: key(PAGE),
        scope: url(PAGE),
    };
    assert_eq!(received(&engine.notifications), active);
    let outcome = engine.dispatch("second");
    assert_eq!(received(&outcome), EventOutcome::Fulfilled);
    let Told::Start(launch) = engine.told_of(|told| matches!(told, Told::Start(_))) else {
        panic!("not started");
    };
    assert_eq!(&*launch.scripts[&url(SCRIPT)].body, b"worker");
    let Told::Dispatch(dispatch) = engine.told_of(|told| matches!(told, Told::Dispatch(_))) else {
        panic!("not dispatched");
    };
    assert_eq!(dispatch.kind, sync("second"));
}

#[test]
fn a_page_that_waits_for_its_answers_may_ask_as_often_as_it_wants() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    for _ in 0..1_500 {
        let answer = page.ask(SwRequest::GetRegistrations);
        assert_eq!(answer, Ok(SwAnswer::Registrations(vec![])));
    }
}

#[test]
fn a_page_without_network_is_told_why_it_cannot_register() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), false, true);
    let page = engine.open(PAGE);
    let exception = page.ask(register(SCRIPT)).unwrap_err();
    assert_eq!(exception.to_string(), "TypeError: the network is down");
}

#[test]
fn unregister_removes_the_syncs_in_the_store_before_it_resolves() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let mut batch = Batch::new();
    let sync_key = storage::key::KeyWriter::new()
        .text("https://a.test")
        .text(PAGE);
    batch.put(
        Tree::SyncRegistrations,
        &sync_key.text("outbox").finish(),
        1,
        vec![1],
    );
    engine.store.commit(batch).unwrap();

    let answer = page.ask(SwRequest::Unregister { scope: url(PAGE) });
    assert_eq!(answer, Ok(SwAnswer::Boolean(true)));
    for tree in [Tree::ServiceWorkers, Tree::Scripts, Tree::SyncRegistrations] {
        assert_eq!(engine.count(tree), 0, "{tree:?}");
    }
    drop(page);
    drop(engine);
    let engine = start(folder.path(), true, true);
    let outcome = engine.dispatch("x");
    assert_eq!(received(&outcome), EventOutcome::NoActiveWorker);
}

#[test]
fn a_stuck_event_is_timed_out_and_its_worker_terminated() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, false);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let outcome = engine.dispatch("stuck");
    engine.told_of(
        |told| matches!(told, Told::Dispatch(dispatch) if dispatch.kind.event_type() == "sync"),
    );
    engine.clock.advance(Duration::from_secs(180));
    // A manual clock wakes nobody; any message does.
    engine.handle().snapshot(Callback::ignore()).unwrap();
    assert_eq!(received(&outcome), EventOutcome::TimedOut);
    engine.told_of(|told| matches!(told, Told::Terminate));
}

#[test]
fn a_store_that_is_closed_rejects_and_the_component_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    engine.store.close();
    let exception = page
        .ask(SwRequest::Unregister { scope: url(PAGE) })
        .unwrap_err();
    assert_eq!(exception.name(), "UnknownError");
    assert!(matches!(
        page.ask(SwRequest::Ready),
        Ok(SwAnswer::Registration(Some(_)))
    ));
}

#[test]
fn what_is_stored_can_be_read_without_the_component() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let (sender, snapshot) = unbounded();
    let done = Callback::to_sender(&sender, |snapshot| snapshot);
    engine.handle().snapshot(done).unwrap();
    let seen = received(&snapshot);
    drop(page);
    drop(engine);

    let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
    let stored = sw_registration::read::registrations(&store).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].registration.scope, seen[0].registration.scope);
    assert_eq!(stored[0].scripts, seen[0].scripts);
    assert_eq!(stored[0].last_update_check, seen[0].last_update_check);
    let active = stored[0]
        .registration
        .active
        .clone()
        .expect("an active worker");
    assert_eq!(active.script_url, url(SCRIPT));
}

#[test]
fn clearing_an_origin_calls_back_when_it_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let (sender, cleared) = unbounded();
    let done = Callback::to_sender(&sender, |result| result);
    engine.handle().clear_storage(key(PAGE), done).unwrap();
    assert_eq!(received(&cleared), Ok(()));
    assert_eq!(
        engine.count(Tree::ServiceWorkers) + engine.count(Tree::Scripts),
        0
    );
}

#[test]
fn an_unreadable_registration_is_put_aside_and_its_neighbours_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let mut batch = Batch::new();
    batch.put(Tree::ServiceWorkers, b"no key of ours", 1, vec![1, 2, 3]);
    engine.store.commit(batch).unwrap();
    drop(page);
    drop(engine);
    let engine = start(folder.path(), false, true);
    let outcome = engine.dispatch("x");
    assert_eq!(received(&outcome), EventOutcome::Fulfilled);
    engine.store.commit(Batch::new()).unwrap();
    assert_eq!(engine.store.quarantined().count(), 1);
}

#[test]
fn at_the_end_events_are_answered_and_the_workers_are_shut_down() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, false);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let outcome = engine.dispatch("stuck");
    let (sender, exited) = unbounded();
    let done = Callback::to_sender(&sender, |()| ());
    engine.handle().exit(done).unwrap();
    received(&exited);
    assert!(matches!(received(&outcome), EventOutcome::Crashed { .. }));
    engine.told_of(|told| matches!(told, Told::ShutDown));
    drop(engine);
}
