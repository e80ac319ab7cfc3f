//! An engine as an embedder without a script engine of ours has it: a clock and a worker host of
//! its own, everything else real.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::channel::{Callback, Receiver, Sender, unbounded};
use base::ids::{ClientId, WorkerId};
use base::time::{Clock, MonotonicTime, Timestamp, WallTime};
use base::{DomString, StorageKey};
use engine::{Builder, Engine, PermissionDefaults, StartError};
use net_monitor::ScriptedSource;
use network_traits::{EmulationSessionId, LinkSnapshot, LinkState, NetworkIdentity};
use storage::{Location, OpenError};
use sw_traits::{
    ClientDescription, ClientKind, EventDispatch, EventOutcome, SwAnswer, SwClientEvent,
    SwClientHandle, SwRequest, UpdateViaCache, WorkerEvent, WorkerHost, WorkerHostEvent,
    WorkerLaunch, WorkerType,
};
use sync_traits::{
    Engagement, EngagementPolicy, LogEntry, LogEvent, PermissionState, SyncClientEvent,
    SyncRegistrationInfo, SyncRegistrationState, SyncRequest, WakeUp,
};
use tempfile::tempdir;
use url::Url;

/// A millisecond passes with each look at it.
#[derive(Default)]
struct CountingClock(AtomicU64);

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        let millis = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp {
            wall: WallTime::from_millis(i64::try_from(millis).unwrap()),
            monotonic: MonotonicTime::from_start(Duration::from_millis(millis)),
        }
    }
}

/// Runs no script: every worker starts, every event is fulfilled, and the test hears of each.
struct AgreeableHost {
    events: Option<Callback<WorkerHostEvent>>,
    seen: Sender<WorkerEvent>,
}

impl WorkerHost for AgreeableHost {
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>) {
        let event_types = ["install", "activate", "sync"].map(str::to_owned).to_vec();
        events.call(WorkerHostEvent::Started {
            worker: launch.worker,
            event_types,
        });
        self.events = Some(events);
    }

    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch) {
        self.seen.send(dispatch.kind).unwrap();
        let outcome = EventOutcome::Fulfilled;
        let ended = WorkerHostEvent::EventEnded {
            worker,
            event: dispatch.event,
            outcome,
        };
        self.events.as_ref().unwrap().call(ended);
    }

    fn terminate(&mut self, worker: WorkerId) {
        self.events
            .as_ref()
            .unwrap()
            .call(WorkerHostEvent::Stopped {
                worker,
                crash: None,
            });
    }

    fn shut_down(&mut self, _: Duration) {}
}

struct Running {
    engine: Engine,
    worker_events: Receiver<WorkerEvent>,
    log: Receiver<LogEntry>,
}

fn builder() -> Builder {
    Builder::new(Arc::new(CountingClock::default()))
}

fn start(builder: Builder) -> Result<Running, StartError> {
    let (seen, worker_events) = unbounded();
    let (log_sender, log) = unbounded();
    let engine = builder
        .observe_log(Callback::to_sender(&log_sender, |entry| entry))
        .start(|_| Box::new(AgreeableHost { events: None, seen }))?;
    Ok(Running {
        engine,
        worker_events,
        log,
    })
}

/// A server that has one service worker script.
fn serve_script() -> Url {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!(
        "http://localhost:{}/",
        server.server_addr().to_ip().unwrap().port()
    );
    // It listens to the end of the test: nothing fires for a server that cannot be reached.
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            assert!(request.headers().iter().any(|header| {
                header.field.equiv("Service-Worker") && header.value.as_str() == "script"
            }));
            let header = "Content-Type: text/javascript"
                .parse::<tiny_http::Header>()
                .unwrap();
            let response = tiny_http::Response::from_string("// a worker").with_header(header);
            request.respond(response).unwrap();
        }
    });
    Url::parse(&url).unwrap()
}

struct Page {
    client: ClientId,
    handle: SwClientHandle,
    events: Receiver<SwClientEvent>,
}

impl Page {
    fn open(engine: &Engine, url: &Url) -> Self {
        let (sender, events) = unbounded();
        let description = ClientDescription::new(
            ClientId::random(),
            StorageKey::from_url(url).unwrap(),
            url.clone(),
            ClientKind::Window,
        );
        let client = description.id;
        let events_to = Callback::to_sender(&sender, |event| event);
        let handle = engine
            .handles()
            .service_workers
            .attach_client(description, events_to);
        Self {
            client,
            handle: handle.unwrap(),
            events,
        }
    }

    fn ask(&self, request: SwRequest) -> Result<SwAnswer, base::exception::DomException> {
        let id = self.handle.request(request).unwrap();
        loop {
            if let SwClientEvent::Answer { request, result } = self.events.recv().unwrap()
                && request == id
            {
                return result;
            }
        }
    }
}

#[test]
fn a_page_registers_a_sync_and_the_embedders_worker_gets_it_after_a_restart() {
    let folder = tempdir().unwrap();
    let profile = || Location::Folder(folder.path().to_owned());
    let session = EmulationSessionId(1);
    let site = serve_script();

    let running = start(builder().profile(profile())).unwrap();
    let page = Page::open(&running.engine, &site);
    page.ask(SwRequest::Register {
        scope: None,
        script_url: site.join("worker.js").unwrap(),
        worker_type: WorkerType::Classic,
        update_via_cache: UpdateViaCache::default(),
    })
    .unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let handles = running.engine.handles();
    let (offline, is_offline) = unbounded();
    handles
        .network
        .emulate_offline(session, true, Callback::to_sender(&offline, |()| ()));
    is_offline.recv().unwrap();
    let (sender, answers) = unbounded();
    let sync = handles
        .sync
        .attach_client(
            page.client,
            StorageKey::from_url(&site).unwrap(),
            Callback::to_sender(&sender, |event| event),
        )
        .unwrap();
    sync.request(
        site.clone(),
        SyncRequest::Register {
            tag: DomString::from("outbox"),
        },
    )
    .unwrap();
    assert!(matches!(
        answers.recv().unwrap(),
        SyncClientEvent::Registered { result: Ok(()), .. }
    ));
    drop((page, sync));
    running.engine.shut_down();
    let fired = std::iter::from_fn(|| running.worker_events.try_recv())
        .any(|event| matches!(event, WorkerEvent::Sync { .. }));
    assert!(!fired, "nothing fires while offline");

    let running = start(builder().profile(profile()).emulate_offline(session)).unwrap();
    let summary = running.engine.summary();
    assert_eq!((summary.registrations, summary.syncs), (1, 1));
    assert_eq!(summary.profile.as_deref(), Some(folder.path()));
    let network = running.engine.handles().network.clone();
    network.emulate_offline(session, false, Callback::ignore());
    let tag = DomString::from("outbox");
    let event = WorkerEvent::Sync {
        tag: tag.clone(),
        last_chance: false,
    };
    assert_eq!(running.worker_events.recv().unwrap(), event);
    loop {
        let entry = running.log.recv().unwrap();
        assert_eq!(entry.tag, tag);
        if entry.event == LogEvent::Completed {
            break;
        }
    }
    assert_eq!(running.engine.summary().syncs, 0);
    running.engine.shut_down();
}

/// Nobody engages with anything.
struct Suspending;

impl EngagementPolicy for Suspending {
    fn engagement(&self, _: &StorageKey) -> Engagement {
        Engagement::Suspended
    }
}

/// Passes on what a device would go by.
struct Alarm(Sender<Option<WallTime>>);

impl WakeUp for Alarm {
    fn next_due(&self, next: Option<WallTime>) {
        // The test may have ended.
        let _ = self.0.send(next);
    }
}

#[test]
fn the_embedder_decides_on_engagement_and_is_told_when_to_wake_up() {
    let hour = Duration::from_secs(60 * 60);
    let run = |builder: Builder| {
        let site = serve_script();
        let (alarm, alarms) = unbounded();
        let defaults = PermissionDefaults {
            periodic_background_sync: PermissionState::Granted,
            ..PermissionDefaults::default()
        };
        let builder = builder.permission_defaults(defaults);
        let running = start(builder.wake_up(Box::new(Alarm(alarm)))).unwrap();
        let page = Page::open(&running.engine, &site);
        page.ask(SwRequest::Register {
            scope: None,
            script_url: site.join("worker.js").unwrap(),
            worker_type: WorkerType::Classic,
            update_via_cache: UpdateViaCache::default(),
        })
        .unwrap();
        page.ask(SwRequest::Ready).unwrap();
        let (sender, answers) = unbounded();
        let sync = running.engine.handles().sync.attach_client(
            page.client,
            StorageKey::from_url(&site).unwrap(),
            Callback::to_sender(&sender, |event| event),
        );
        let sync = sync.unwrap();
        let body = SyncRequest::RegisterPeriodic {
            tag: DomString::from("news"),
            min_interval: 12 * hour,
        };
        sync.request(site.clone(), body).unwrap();
        let answer = answers.recv().unwrap();
        let SyncClientEvent::Registered { result: Ok(()), .. } = answer else {
            panic!("{answer:?}");
        };
        let (sender, states) = unbounded();
        let snapshot = Callback::to_sender(&sender, |syncs: Vec<SyncRegistrationInfo>| {
            syncs.first().map(|sync| sync.state)
        });
        running.engine.handles().sync.snapshot(snapshot).unwrap();
        let state = states.recv().unwrap();
        running.engine.shut_down();
        let alarms: Vec<_> = std::iter::from_fn(|| alarms.try_recv()).flatten().collect();
        (state, alarms)
    };

    let (state, alarms) = run(builder());
    assert_eq!(state, Some(SyncRegistrationState::Pending));
    let expected = WallTime::default().saturating_add(12 * hour);
    let next = alarms.last().expect("the device is to wake up");
    assert!(next.saturating_since(expected) < hour, "{alarms:?}");

    let (state, alarms) = run(builder().engagement_policy(Box::new(Suspending)));
    assert_eq!(state, Some(SyncRegistrationState::Suspended));
    assert!(
        alarms.iter().all(|alarm| *alarm < expected),
        "nothing to wake up for: {alarms:?}"
    );
}

#[test]
fn a_script_that_cannot_be_loaded_is_a_type_error() {
    let running = start(builder().emulate_offline(EmulationSessionId(1))).unwrap();
    let site = Url::parse("http://localhost:9/").unwrap();
    let page = Page::open(&running.engine, &site);
    let error = page
        .ask(SwRequest::Register {
            scope: None,
            script_url: site.join("worker.js").unwrap(),
            worker_type: WorkerType::Classic,
            update_via_cache: UpdateViaCache::default(),
        })
        .unwrap_err();
    assert_eq!(error.name(), "TypeError");
    assert!(error.message.contains("offline"), "{error}");
    running.engine.shut_down();
}

#[test]
fn a_profile_belongs_to_one_engine_until_that_has_shut_down() {
    let folder = tempdir().unwrap();
    let profile = || Location::Folder(folder.path().to_owned());
    let first = start(builder().profile(profile())).unwrap();
    let second = start(builder().profile(profile())).err().unwrap();
    assert!(
        matches!(second, StartError::Profile(OpenError::InUse(_))),
        "{second}"
    );
    first.engine.shut_down();
    start(builder().profile(profile()))
        .unwrap()
        .engine
        .shut_down();
}

/// What an engine with this profile calls the network that the system calls `raw`.
fn network_called(raw: NetworkIdentity, profile: Location) -> NetworkIdentity {
    let (source, script) = ScriptedSource::new();
    script.set(LinkSnapshot {
        link: LinkState::Routable,
        identity: Some(raw),
        ..LinkSnapshot::default()
    });
    let builder = builder().profile(profile).network_source(Box::new(source));
    let engine = start(builder).unwrap().engine;
    let (sender, states) = unbounded();
    let subscriber = Callback::to_sender(&sender, |state| state);
    engine.handles().network.subscribe(subscriber).unwrap();
    let identity = loop {
        if let Some(identity) = states.recv().unwrap().identity {
            break identity;
        }
    };
    engine.shut_down();
    identity
}

#[test]
fn a_network_has_one_name_in_a_profile_and_another_in_each_other() {
    let folder = tempdir().unwrap();
    let profile = || Location::Folder(folder.path().to_owned());
    let (home, away) = (NetworkIdentity(1), NetworkIdentity(2));
    let name = network_called(home, profile());
    assert_ne!(name, home, "the system's own name stays outside");
    assert_eq!(network_called(home, profile()), name, "after a restart too");
    assert_ne!(network_called(away, profile()), name);
    assert_ne!(network_called(home, Location::Memory), name);
}

#[test]
fn a_server_learns_that_it_is_asked_for_the_script_of_a_service_worker() {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let port = server.server_addr().to_ip().unwrap().port();
    let site = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    let (sender, asked) = unbounded();
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let names = [
                "Service-Worker",
                "Sec-Fetch-Dest",
                "Sec-Fetch-Mode",
                "Sec-Fetch-Site",
                "Referer",
                "Cookie",
            ];
            let value = |name: &'static str| {
                let is_it = |header: &&tiny_http::Header| header.field.equiv(name);
                let header = request.headers().iter().find(is_it);
                header.map_or_else(String::new, |header| header.value.to_string())
            };
            let told = names.into_iter().map(value).collect::<Vec<_>>().join(",");
            sender.send((request.url().to_owned(), told)).unwrap();
            let is_moved = request.url() == "/moved.js";
            let fields = [
                "Content-Type: text/javascript",
                "Set-Cookie: own=1",
                "Location: /worker.js",
            ];
            let fields = &fields[..if is_moved { 3 } else { 2 }];
            let mut response = tiny_http::Response::from_string("// a worker")
                .with_status_code(if is_moved { 302 } else { 200 });
            for field in fields {
                response.add_header(field.parse::<tiny_http::Header>().unwrap());
            }
            request.respond(response).unwrap();
        }
    });
    let running = start(builder()).unwrap();
    let page = Page::open(&running.engine, &site);
    let register = |script: &str, worker_type| {
        page.ask(SwRequest::Register {
            scope: Some(site.join(&format!("{script}/")).unwrap()),
            script_url: site.join(script).unwrap(),
            worker_type,
            update_via_cache: UpdateViaCache::default(),
        })
    };
    let about = |path: &str, cookie: &str| {
        let told = format!("script,serviceworker,same-origin,same-origin,{site},{cookie}");
        (path.to_owned(), told)
    };

    register("worker.js", WorkerType::Classic).unwrap();
    assert_eq!(asked.recv().unwrap(), about("/worker.js", ""));
    register("again.js", WorkerType::Classic).unwrap();
    assert_eq!(asked.recv().unwrap(), about("/again.js", "own=1"));
    register("module.js", WorkerType::Module).unwrap();
    assert_eq!(asked.recv().unwrap(), about("/module.js", ""));
    // Where a redirect leads to is not even asked.
    let error = register("moved.js", WorkerType::Classic).unwrap_err();
    assert_eq!(error.name(), "SecurityError");
    assert_eq!(asked.recv().unwrap(), about("/moved.js", "own=1"));
    assert!(asked.try_recv().is_none());
    running.engine.shut_down();
}
