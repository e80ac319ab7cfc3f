//! Windows as a site and a developer meet them: pages from a real server, on real components.

mod chaos;
mod environment;
mod frames;
mod history;
mod leaving;
mod links;
mod loading;
mod modules;
mod network;
mod nodes;
mod referrers;
mod workers;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::time::{Clock, MonotonicTime, Timestamp, WallTime};
use indexed_db::IndexedDbHandle;
use net::{Net, NetConfig, NetServices};
use net_monitor::{EvidencePolicy, NetworkMonitor, NetworkScript, ScriptedSource};
use network_traits::LinkState;
use script::{
    EventLoops, ScriptLimits, ScriptReport, ScriptSource, Services, WindowHandle, WindowOptions,
    open,
};
use sw_traits::{
    ClientUpdate, FetchAnswer, SwClientEvent, SwRegistrationHandle, SwRegistrationMessage,
};
use sync_traits::SyncManagerHandle;
use url::Url;

use crate::NoPermissions;

/// Long enough for a slow machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

struct SystemClock(Instant);

#[expect(
    clippy::disallowed_methods,
    reason = "time limits of scripts are real time"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        Timestamp {
            wall: WallTime::from_millis(i64::try_from(wall.as_millis()).unwrap()),
            monotonic: MonotonicTime::from_start(self.0.elapsed()),
        }
    }
}

/// A site: what each path answers, as raw bytes after the request has been read.
struct Site {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    /// The request lines and header lines, in small letters.
    heads: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Site {
    fn new(pages: &[(&str, &str, &str)]) -> Self {
        let respond = |type_: &str, body: &str| {
            let length = body.len();
            let head = format!("Content-Type: {type_}\r\nContent-Length: {length}\r\n");
            format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}")
        };
        let pages = pages
            .iter()
            .map(|(path, type_, body)| (*path, respond(type_, body)));
        Self::raw(
            pages
                .map(|(path, answer)| (path.to_owned(), answer.into_bytes()))
                .collect(),
        )
    }

    fn page(html: &str) -> Self {
        Self::new(&[("/", "text/html; charset=utf-8", html)])
    }

    fn raw(answers: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let heads = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let heads_log = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut request, mut length) = (String::new(), 0);
                // A client may have given up.
                if !reader
                    .read_line(&mut request)
                    .is_ok_and(|length| length > 0)
                {
                    continue;
                }
                let mut head = vec![request.trim().to_lowercase()];
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    head.push(line.trim().to_lowercase());
                }
                heads_log.lock().unwrap().push(head);
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                let words: Vec<&str> = request.split(' ').take(2).collect();
                log.lock()
                    .unwrap()
                    .push(format!("{} {body}", words.join(" ")).trim().to_owned());
                let path = words[1].split('?').next().unwrap();
                let missing = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\
                    Content-Length: 22\r\nConnection: close\r\n\r\n<title>Missing</title>";
                let answer = answers
                    .get(path)
                    .cloned()
                    .unwrap_or_else(|| missing.to_vec());
                // A client that does not want the rest is a case too.
                let _ = stream.write_all(&answer);
            }
        });
        Self {
            address,
            requests,
            heads,
        }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The value of a header of the last request for a path; empty when there was none.
    fn last_header(&self, path: &str, name: &str) -> String {
        let heads = self.heads.lock().unwrap();
        let line = format!("get {path} http/1.1");
        let head = heads.iter().rfind(|head| head[0] == line).unwrap();
        let value = |header: &String| {
            let (other, value) = header.split_once(": ")?;
            (other == name).then(|| value.to_owned())
        };
        head.iter().find_map(value).unwrap_or_default()
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until all these have come, in any order.
    #[expect(clippy::disallowed_methods, reason = "the patience is real time")]
    fn wait_for_requests(&self, wanted: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let requests = self.requests();
            let has_come = |one: &&str| requests.iter().any(|request| request == one);
            if wanted.iter().all(has_come) {
                return;
            }
            assert!(Instant::now() < deadline, "{requests:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The components that a window reaches; service workers and syncs are only recorded.
struct Browser {
    services: Services,
    reports: Receiver<ScriptReport>,
    network: NetworkScript,
    clients: Receiver<SwRegistrationMessage>,
    _others: Vec<Box<dyn std::any::Any>>,
    _net: Net,
    _monitor: NetworkMonitor,
}

/// Tells each client that nobody controls it, when it is attached and when its scripts may run, and
/// hands on what there is, but for its fetches.
fn without_controllers(
    messages: Receiver<SwRegistrationMessage>,
) -> Receiver<SwRegistrationMessage> {
    let (sender, clients) = unbounded();
    thread::spawn(move || {
        let nobody = || SwClientEvent::ControllerChanged {
            controller: None,
            fire: false,
        };
        let mut attached = BTreeMap::new();
        while let Ok(message) = messages.recv() {
            match &message {
                SwRegistrationMessage::AttachClient { events, client, .. } => {
                    events.call(nobody());
                    attached.insert(client.id, events.clone());
                }
                SwRegistrationMessage::UpdateClient {
                    client,
                    update: ClientUpdate::ExecutionReady,
                } => attached[client].call(nobody()),
                SwRegistrationMessage::DetachClient { client } => {
                    attached.remove(client);
                }
                SwRegistrationMessage::Fetch { done, .. } => {
                    done.call(FetchAnswer::NotHandled);
                    continue;
                }
                _ => {}
            }
            // The test may be over.
            let _ = sender.send(message);
        }
    });
    clients
}

impl Browser {
    fn new() -> Self {
        Self::with_time_limit(Duration::from_secs(10))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "time limits of scripts are real time"
    )]
    fn with_time_limit(task_time_limit: Duration) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock(Instant::now()));
        let (source, network) = ScriptedSource::new();
        network.set_link(LinkState::Routable);
        let policy = EvidencePolicy::default();
        let monitor = NetworkMonitor::start(Box::new(source), Arc::clone(&clock), policy).unwrap();
        let net = Net::start(
            NetConfig::default(),
            NetServices::new(monitor.handle(), Arc::clone(&clock)),
        )
        .unwrap();
        let (sender, messages) = unbounded();
        let (sync, sync_receiver) = unbounded();
        let (databases, database_receiver) = unbounded();
        let (report, reports): (Sender<ScriptReport>, _) = unbounded();
        let services = Services {
            service_workers: SwRegistrationHandle::new(sender),
            sync: SyncManagerHandle::new(sync),
            net: net.handle(),
            caches: cache_storage::CacheStorageHandle::new(unbounded().0),
            indexed_db: IndexedDbHandle::new(databases),
            network: monitor.handle(),
            permissions: Arc::new(NoPermissions),
            clock: Arc::clone(&clock),
            limit_clock: clock,
            event_loops: EventLoops::default(),
            user_agent: script::UserAgent::default(),
            report: Callback::to_sender(&report, |report| report),
            limits: ScriptLimits {
                task_time_limit,
                ..ScriptLimits::default()
            },
        };
        let browser = Self {
            services,
            reports,
            network,
            clients: without_controllers(messages),
            _others: vec![Box::new(sync_receiver), Box::new(database_receiver)],
            _net: net,
            _monitor: monitor,
        };
        browser.wait_until_online();
        browser
    }

    fn wait_until_online(&self) {
        let (sender, states) = unbounded();
        let subscriber = Callback::to_sender(&sender, |state| state);
        let id = self.services.network.subscribe(subscriber).unwrap();
        while states.recv().unwrap().link != LinkState::Routable {}
        self.services.network.unsubscribe(id);
    }

    fn open(&self, url: Url) -> Window<'_> {
        let handle = open(self.services.clone(), WindowOptions::new(url));
        Window {
            browser: self,
            handle,
        }
    }

    /// A window whose page has loaded.
    fn load(&self, url: Url) -> Window<'_> {
        let window = self.open(url.clone());
        window.wait_for(
            |report| matches!(report, ScriptReport::PageLoaded { url: own } if *own == url),
        );
        window
    }

    fn next(&self) -> ScriptReport {
        match self.reports.recv_timeout(Some(PATIENCE)) {
            Received::Message(report) => report,
            other => panic!("no report came: {other:?}"),
        }
    }
}

struct Window<'a> {
    browser: &'a Browser,
    handle: WindowHandle,
}

impl Window<'_> {
    /// Waits for a report, and returns those that came before it.
    fn wait_for(
        &self,
        wanted: impl Fn(&ScriptReport) -> bool,
    ) -> (Vec<ScriptReport>, ScriptReport) {
        let mut before = Vec::new();
        loop {
            let report = self.browser.next();
            if wanted(&report) {
                return (before, report);
            }
            before.push(report);
        }
    }

    fn evaluate(&self, script: &str) -> Result<String, String> {
        let (sender, answers) = unbounded();
        let done = Callback::to_sender(&sender, |answer| answer);
        self.handle.evaluate(script.to_owned(), done);
        match answers.recv_timeout(Some(PATIENCE)) {
            Received::Message(answer) => answer,
            other => panic!("no answer came: {other:?}"),
        }
    }

    /// The result of a script that must not fail.
    fn text(&self, script: &str) -> String {
        self.evaluate(script)
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    fn close(self) {
        self.handle.close();
        self.wait_for(|report| matches!(report, ScriptReport::PageClosed { .. }));
        self.handle.join(PATIENCE);
    }

    /// What the console was told and what went wrong, until the page has loaded.
    fn lines_until_loaded(&self) -> Vec<String> {
        let (before, _) = self.wait_for(|report| matches!(report, ScriptReport::PageLoaded { .. }));
        before.into_iter().map(line).collect()
    }
}

fn line(report: ScriptReport) -> String {
    match report {
        ScriptReport::Console { message, .. } => message.text,
        ScriptReport::ScriptError { text, .. } => format!("error: {text}"),
        other => format!("{other:?}"),
    }
}

fn is_error(report: &ScriptReport) -> bool {
    matches!(report, ScriptReport::ScriptError { .. })
}
