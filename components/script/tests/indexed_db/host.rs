//! A profile with its databases, and global objects that share it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::channel::{Callback, unbounded};
use base::ids::ClientId;
use indexed_db::IndexedDbThread;
use net::{Net, NetConfig, NetServices};
use net_monitor::{EvidencePolicy, NetworkMonitor, ScriptedSource};
use script::bindings::value::PromiseState;
use script::bindings::{Error, GlobalKind, RuntimeLimits, ScriptRuntime, Value};
use script::dom::service_worker_global_scope::ServiceWorkerGlobalScope;
use script::environment::Environment;
use script::event_loop::EventLoop;
use script::{EventLoops, ScriptLimits, Services, indexed_database};
use storage::{Store, StoreConfig};
use sw_traits::SwRegistrationHandle;
use sync_traits::SyncManagerHandle;
use url::Url;

use crate::{NoPermissions, Page, StillClock, options};

/// How long a test waits for what must come. Only a test that fails waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What libraries of promises around IndexedDB do.
const LIBRARY: &str = "
    const requested = request => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const completed = transaction => new Promise((resolve, reject) => {
        transaction.oncomplete = () => resolve('complete');
        transaction.onabort = () => reject(transaction.error ?? 'aborted');
    });
    const opened = (name, version, upgrade) => {
        const request = indexedDB.open(name, version);
        request.onupgradeneeded = event =>
            upgrade?.(request.result, request.transaction, event.oldVersion);
        return requested(request);
    };
    // A database with an object store for each way to get a key.
    const mailbox = () => opened('mailbox', 1, database => {
        database.createObjectStore('plain');
        database.createObjectStore('numbered', { autoIncrement: true });
        database.createObjectStore('in-line', { keyPath: 'id' });
        database.createObjectStore('outbox', { keyPath: 'id', autoIncrement: true });
    });
    const failure = run => {
        try { run(); return 'nothing'; } catch (error) { return error.name; }
    };
    const task = () => new Promise(resolve => setTimeout(resolve));
";

/// The profile of an engine. All of its global objects are on the thread of the test.
pub(super) struct Profile {
    services: Services,
    event_loop: Rc<EventLoop>,
    runtime: Rc<ScriptRuntime>,
    _indexed_db: IndexedDbThread,
    _net: Net,
    _monitor: NetworkMonitor,
    store: Store,
}

impl Profile {
    pub(super) fn in_memory() -> Self {
        Self::open(StoreConfig::memory())
    }

    pub(super) fn in_folder(path: &Path) -> Self {
        Self::open(StoreConfig::folder(path))
    }

    fn open(config: StoreConfig) -> Self {
        let clock = Arc::new(StillClock::default());
        let (source, _) = ScriptedSource::new();
        let policy = EvidencePolicy::default();
        let monitor = NetworkMonitor::start(Box::new(source), clock.clone(), policy).unwrap();
        let net = Net::start(
            NetConfig::default(),
            NetServices::new(monitor.handle(), clock.clone()),
        )
        .unwrap();
        let (store, _) = Store::open(config).unwrap();
        let indexed_db = IndexedDbThread::start(store.clone()).unwrap();
        let services = Services {
            service_workers: SwRegistrationHandle::new(unbounded().0),
            sync: SyncManagerHandle::new(unbounded().0),
            net: net.handle(),
            caches: cache_storage::CacheStorageHandle::new(unbounded().0),
            indexed_db: indexed_db.handle().clone(),
            network: monitor.handle(),
            permissions: Arc::new(NoPermissions),
            clock: clock.clone(),
            limit_clock: clock.clone(),
            event_loops: EventLoops::default(),
            user_agent: script::UserAgent::default(),
            report: Callback::new(|_| {}),
            limits: ScriptLimits::default(),
        };
        Self {
            services,
            event_loop: EventLoop::new(clock),
            runtime: Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap()),
            _indexed_db: indexed_db,
            _net: net,
            _monitor: monitor,
            store,
        }
    }

    pub(super) fn page(&self) -> Client<'_> {
        self.client("https://example.org/", Page::in_runtime(&self.runtime))
    }

    pub(super) fn page_at(&self, url: &str) -> Client<'_> {
        self.client(url, Page::in_runtime(&self.runtime))
    }

    pub(super) fn worker(&self) -> Client<'_> {
        let (log, options) = options(GlobalKind::ServiceWorker);
        let realm = self
            .runtime
            .create_realm(options, |_| ServiceWorkerGlobalScope::new());
        let page = Page {
            realm: realm.ok().unwrap(),
            log,
            runtime: Rc::clone(&self.runtime),
        };
        self.client("https://example.org/worker.js", page)
    }

    fn client(&self, url: &str, page: Page) -> Client<'_> {
        let url = Url::parse(url).unwrap();
        let environment = Environment::new(ClientId::random(), url, self.services.clone());
        page.realm.add_service(Rc::clone(&self.event_loop));
        page.realm.add_service(Rc::new(environment));
        page.run(LIBRARY);
        Client {
            page,
            event_loop: &self.event_loop,
        }
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.event_loop.shut_down();
        self.store.close();
        if !std::thread::panicking() {
            self.runtime.collect_garbage();
            assert_eq!(self.runtime.state().host_objects(), 0, "objects leak");
        }
    }
}

/// A window or worker. It goes away with the test.
pub(super) struct Client<'a> {
    pub(super) page: Page,
    event_loop: &'a EventLoop,
}

impl Client<'_> {
    /// Runs the body of an async function to its end, and returns its result as a string. Nothing
    /// may be left that no handler was there for.
    pub(super) fn run(&self, body: &str) -> String {
        let result = self.run_with_errors(body);
        assert_eq!(self.page.uncaught(), Vec::<String>::new());
        result
    }

    /// As [`Self::run`], where handlers are to throw.
    pub(super) fn run_with_errors(&self, body: &str) -> String {
        let promise = self.start(body);
        self.finish(&promise)
    }

    /// Starts the body of an async function.
    pub(super) fn start(&self, body: &str) -> Value {
        let source = format!("(async () => {{ {body} }})()");
        match self.page.realm.evaluate(&source, "test.js") {
            Ok(promise) => promise,
            Err(Error::Thrown(value)) => panic!("{}", self.page.text(&value)),
            Err(Error::Type(message) | Error::Range(message)) => panic!("{message}"),
            Err(Error::Dom(exception)) => panic!("{exception}"),
        }
    }

    /// Waits for the end of an async function.
    pub(super) fn finish(&self, promise: &Value) -> String {
        promise.mark_as_handled(&self.page.realm);
        loop {
            match promise.promise_state(&self.page.realm).unwrap() {
                PromiseState::Fulfilled(value) => return self.page.text(&value),
                PromiseState::Rejected(value) => {
                    return format!("threw {}", self.page.text(&value));
                }
                PromiseState::Pending => {
                    let more = self.event_loop.run_pending() || self.event_loop.wait(PATIENCE);
                    assert!(more, "nothing came for: {:?}", self.page.uncaught());
                }
            }
        }
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        indexed_database::detach(&self.page.realm);
        self.event_loop.discard(&self.page.realm);
    }
}
