//! A host of service workers, of which the test is the caller.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base::channel::{Callback, Received, Receiver, unbounded};
use base::ids::{ClientId, EventId, RegistrationId, WorkerId};
use base::time::{Clock, MonotonicTime, Timestamp};
use base::{DomString, StorageKey};
use indexed_db::IndexedDbThread;
use log::{Level, LevelFilter, Log, Metadata, Record};
use net::{Net, NetConfig, NetServices};
use net_monitor::{EvidencePolicy, NetworkMonitor, ScriptedSource};
use script::{EventLoops, ScriptLimits, ScriptReport, ServiceWorkerThreads, Services};
use storage::{Store, StoreConfig};
use sw_traits::{
    EventDispatch, EventOutcome, RegistrationInfo, ScriptResource, SwRegistrationHandle,
    SwRegistrationMessage, UpdateViaCache, WorkerEvent, WorkerHost, WorkerHostEvent, WorkerLaunch,
    WorkerType,
};
use sync_traits::{SyncManagerHandle, SyncManagerMessage};
use url::Url;

use crate::NoPermissions;

/// How long a test waits for what must come. Only a test that fails waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const WORKER: WorkerId = WorkerId(7);

/// The clock of the machine, for the time limits of scripts.
struct RealClock(Instant);

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the machine is what a script cannot stop"
)]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp {
            monotonic: MonotonicTime::from_start(self.0.elapsed()),
            ..Timestamp::default()
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the machine is what a script cannot stop"
)]
pub(crate) fn real_clock() -> Arc<dyn Clock> {
    Arc::new(RealClock(Instant::now()))
}

/// The host under test, with the real components that a worker's scripts reach, and the test in
/// place of the registrations and of the sync manager.
pub(crate) struct Host {
    pub(crate) threads: ServiceWorkerThreads,
    pub(crate) services: Services,
    pub(crate) events: Receiver<WorkerHostEvent>,
    pub(crate) reports: Receiver<ScriptReport>,
    /// What the worker asks of others; they do not answer.
    _requests: (
        Receiver<SwRegistrationMessage>,
        Receiver<SyncManagerMessage>,
    ),
    on_event: Callback<WorkerHostEvent>,
    next_event: u64,
    is_running: Cell<bool>,
    // Dropped last: the components.
    _net: Net,
    _monitor: NetworkMonitor,
    _indexed_db: IndexedDbThread,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with_limits(ScriptLimits::default())
    }

    pub(crate) fn with_limits(limits: ScriptLimits) -> Self {
        listen_to_the_log();
        let clock = real_clock();
        let (source, _) = ScriptedSource::new();
        let monitor = NetworkMonitor::start(
            Box::new(source),
            Arc::clone(&clock),
            EvidencePolicy::default(),
        )
        .unwrap();
        let net = Net::start(
            NetConfig::default(),
            NetServices::new(monitor.handle(), Arc::clone(&clock)),
        )
        .unwrap();
        let (store, _) = Store::open(StoreConfig::memory()).unwrap();
        let indexed_db = IndexedDbThread::start(store).unwrap();
        // What a worker sends in one test.
        let (registration_sender, registrations) = unbounded();
        let (sync_sender, syncs) = unbounded();
        let (report_sender, reports) = unbounded();
        let (event_sender, events) = unbounded();
        let services = Services {
            service_workers: SwRegistrationHandle::new(registration_sender),
            sync: SyncManagerHandle::new(sync_sender),
            net: net.handle(),
            caches: cache_storage::CacheStorageHandle::new(unbounded().0),
            indexed_db: indexed_db.handle().clone(),
            network: monitor.handle(),
            permissions: Arc::new(NoPermissions),
            clock: Arc::clone(&clock),
            limit_clock: clock,
            event_loops: EventLoops::default(),
            user_agent: script::UserAgent::default(),
            report: Callback::to_sender(&report_sender, |report| report),
            limits,
        };
        Self {
            threads: ServiceWorkerThreads::new(services.clone()),
            services,
            events,
            reports,
            _requests: (registrations, syncs),
            on_event: Callback::to_sender(&event_sender, |event| event),
            next_event: 0,
            is_running: Cell::new(false),
            _net: net,
            _monitor: monitor,
            _indexed_db: indexed_db,
        }
    }

    pub(crate) fn start(&mut self, launch: WorkerLaunch) {
        self.threads.start(launch, self.on_event.clone());
    }

    /// Starts a worker with this script in place of the one that runs, and returns the types of
    /// events that it listens to.
    pub(crate) fn run(&mut self, script: &str) -> Vec<String> {
        if self.is_running.get() {
            self.threads.terminate(WORKER);
            let stopped = self.next();
            assert!(
                matches!(stopped, WorkerHostEvent::Stopped { crash: None, .. }),
                "{stopped:?}"
            );
        }
        self.start(launch(script));
        match self.next() {
            WorkerHostEvent::Started {
                worker: WORKER,
                event_types,
            } => event_types,
            other => panic!("{other:?} in place of the start"),
        }
    }

    /// Starts a worker with this script, and returns why that failed.
    pub(crate) fn fail(&mut self, script: &str) -> String {
        self.start(launch(script));
        match self.next() {
            WorkerHostEvent::StartFailed {
                worker: WORKER,
                reason,
            } => reason,
            other => panic!("{other:?} in place of a failure"),
        }
    }

    pub(crate) fn next(&self) -> WorkerHostEvent {
        let event = take(&self.events);
        match event {
            WorkerHostEvent::Started { worker: WORKER, .. } => self.is_running.set(true),
            WorkerHostEvent::Stopped { worker: WORKER, .. } => self.is_running.set(false),
            _ => {}
        }
        event
    }

    /// Dispatches an event without waiting for its outcome.
    pub(crate) fn send(&mut self, kind: WorkerEvent) -> EventId {
        self.next_event += 1;
        let event = EventId(self.next_event);
        self.threads.dispatch(WORKER, EventDispatch { event, kind });
        event
    }

    /// Dispatches an event and waits for its outcome.
    pub(crate) fn dispatch(&mut self, kind: WorkerEvent) -> EventOutcome {
        let sent = self.send(kind);
        match self.next() {
            WorkerHostEvent::EventEnded {
                worker: WORKER,
                event,
                outcome,
            } if event == sent => outcome,
            other => panic!("{other:?} in place of the outcome"),
        }
    }

    pub(crate) fn sync(&mut self, tag: &str) -> EventOutcome {
        self.dispatch(sync(tag))
    }

    /// What the worker has told its console, up to a message that is the last one.
    pub(crate) fn console_until(&self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            if let ScriptReport::Console { message, .. } = take(&self.reports) {
                if message.text == last {
                    return lines;
                }
                lines.push(message.text);
            }
        }
    }

    /// The next error that is reported.
    pub(crate) fn script_error(&self) -> String {
        loop {
            if let ScriptReport::ScriptError { text, .. } = take(&self.reports) {
                return text;
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.threads.shut_down(PATIENCE);
        if !thread::panicking() {
            assert_eq!(*ERRORS.lock().unwrap(), Vec::<String>::new());
        }
    }
}

/// The leaks and lost threads that were logged.
static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct ErrorLog;

impl Log for ErrorLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        if text.contains("outlive their runtime") || text.contains("left behind") {
            ERRORS.lock().unwrap().push(text);
        }
    }

    fn flush(&self) {}
}

pub(crate) fn listen_to_the_log() {
    // Another test of the same process may have done it.
    if log::set_logger(&ErrorLog).is_ok() {
        log::set_max_level(LevelFilter::Error);
    }
}

pub(crate) fn take<T: std::fmt::Debug + 'static>(receiver: &Receiver<T>) -> T {
    match receiver.recv_timeout(Some(PATIENCE)) {
        Received::Message(message) => message,
        other => panic!("nothing came: {other:?}"),
    }
}

pub(crate) fn sync(tag: &str) -> WorkerEvent {
    WorkerEvent::Sync {
        tag: DomString::from(tag),
        last_chance: false,
    }
}

pub(crate) fn url(path: &str) -> Url {
    Url::parse("https://example.test/")
        .unwrap()
        .join(path)
        .unwrap()
}

pub(crate) fn resource(url: Url, body: &str) -> ScriptResource {
    ScriptResource {
        response_url: url.clone(),
        url,
        body: body.as_bytes().into(),
        headers: vec![("content-type".to_owned(), b"text/javascript".to_vec())],
    }
}

/// A launch of a new worker with this script.
pub(crate) fn launch(script: &str) -> WorkerLaunch {
    let script_url = url("mail/worker.js");
    let main = resource(script_url.clone(), script);
    WorkerLaunch {
        worker: WORKER,
        client: ClientId::random(),
        storage_key: StorageKey::from_url(&script_url).unwrap(),
        registration: RegistrationInfo {
            id: RegistrationId(3),
            ordinal: 1,
            scope: url("mail/"),
            update_via_cache: UpdateViaCache::default(),
            installing: None,
            waiting: None,
            active: None,
        },
        script_url: script_url.clone(),
        worker_type: WorkerType::Classic,
        scripts: [(script_url, main)].into(),
        may_import: true,
        unavailable_scripts: std::collections::BTreeSet::new(),
        imports_bypass_cache: false,
    }
}

/// A web server on loopback that answers each path with what `answer` says: status, type, body;
/// nothing leaves the request without an answer. Ends with the test.
pub(crate) fn serve(
    answer: impl Fn(&str) -> Option<(u16, &'static str, &'static str)> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                let path = first.split(' ').nth(1).unwrap().to_owned();
                for line in lines.by_ref() {
                    if line.unwrap().is_empty() {
                        break;
                    }
                }
                let Some((status, content_type, body)) = answer(&path) else {
                    // Until the other side gives up.
                    let _ = lines.next();
                    return;
                };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n\
                     Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            });
        }
    });
    format!("http://{address}")
}
