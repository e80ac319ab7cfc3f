use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base::StorageKey;
use base::channel::{Callback, Receiver, Sender, unbounded};
use base::time::Clock;
use crossbeam_channel::Select;
use network_traits::{
    LinkState, NetworkIdentity, NetworkMonitorHandle, NetworkState, SubscriptionId,
};
use parking_lot::Mutex;
use url::Url;

use crate::cache::HttpCache;
use crate::config::NetConfig;
use crate::control::Control;
use crate::cookies::{Party, SiteContext};
use crate::error::{FetchError, FetchErrorKind};
use crate::fetch::{self, Context};
use crate::handle::{FetchId, NetHandle, NetMessage};
use crate::http::HttpClient;
use crate::local;
use crate::request::{Registration, Request};
use crate::response::FetchResult;

/// How many threads there may be for each fetch that may run: a fetch that was stopped is answered
/// at once, while its thread may be held up for a while by a name or a connection.
const THREADS_PER_FETCH: usize = 2;

/// Why the component cannot start.
#[derive(Debug)]
pub enum NetStartError {
    /// The system has no thread for it.
    Thread(io::Error),
    /// A certificate of the configuration cannot be used.
    Certificate(String),
}

impl fmt::Display for NetStartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(error) => write!(formatter, "the network component cannot start: {error}"),
            Self::Certificate(error) => {
                write!(
                    formatter,
                    "a root certificate of the configuration is unusable: {error}"
                )
            }
        }
    }
}

impl std::error::Error for NetStartError {}

/// What the component needs of others.
pub struct NetServices {
    /// Knows whether being offline is emulated, and is told how fetches went.
    pub monitor: NetworkMonitorHandle,
    /// Says how old cookies and stored responses are.
    pub clock: Arc<dyn Clock>,
    /// Called with an origin whose server asks to clear what is stored for it, before the response
    /// with which it does is handed out.
    ///
    /// <https://w3c.github.io/webappsec-clear-site-data/#grammardef-storage>
    pub clear_storage: Callback<StorageKey>,
}

impl NetServices {
    /// Without anybody who could clear storage.
    pub fn new(monitor: NetworkMonitorHandle, clock: Arc<dyn Clock>) -> Self {
        Self {
            monitor,
            clock,
            clear_storage: Callback::ignore(),
        }
    }
}

/// The component on its threads: one that keeps the books, and one for each fetch that runs.
/// Dropping it shuts it down: running fetches are aborted.
#[derive(Debug)]
pub struct Net {
    handle: NetHandle,
    thread: Option<JoinHandle<()>>,
}

impl Net {
    /// Start the component.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it, or a certificate of the configuration is unusable.
    pub fn start(config: NetConfig, services: NetServices) -> Result<Self, NetStartError> {
        let client = HttpClient::new(&config)
            .map_err(|error| NetStartError::Certificate(error.to_string()))?;
        // No bound: each fetch comes from trusted code on behalf of a page, which waits for it, and
        // too many are refused as soon as they are received; the other messages are one for each
        // fetch that ends and one for each change of the network.
        let (sender, receiver) = unbounded();
        let changed =
            Callback::to_sender(&sender, |state| NetMessage::NetworkChanged(Box::new(state)));
        let subscription = services.monitor.subscribe(changed).ok();
        let dispatcher = Dispatcher {
            context: Arc::new(Context {
                cache: Mutex::new(HttpCache::new(config.max_cache_size)),
                cookies: Mutex::default(),
                config,
                client,
                services,
            }),
            sender: sender.clone(),
            subscription,
            network: (LinkState::Unknown, None),
            known_network: (LinkState::Unknown, None),
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
        };
        let thread = thread::Builder::new()
            .name("net".to_owned())
            .spawn(move || {
                let done = dispatcher.run(&receiver);
                // What is still in the queue is answered by being dropped.
                drop(receiver);
                if let Some(done) = done {
                    done.call(());
                }
            })
            .map_err(NetStartError::Thread)?;
        Ok(Self {
            handle: NetHandle::new(sender),
            thread: Some(thread),
        })
    }

    /// A handle on the component.
    pub fn handle(&self) -> NetHandle {
        self.handle.clone()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.handle.exit(Callback::ignore());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the network component's thread panicked");
        }
    }
}

/// Which fetches may run, and whom to tell when they have ended.
struct Dispatcher {
    context: Arc<Context>,
    sender: Sender<NetMessage>,
    subscription: Option<SubscriptionId>,
    /// The network that the idle connections belong to.
    network: (LinkState, Option<NetworkIdentity>),
    /// The last one that was not unknown: when the system cannot be asked for a while, the network
    /// goes on as it was.
    known_network: (LinkState, Option<NetworkIdentity>),
    /// Fetches that have a thread. Bounded by [`NetConfig::max_running`] and
    /// [`THREADS_PER_FETCH`].
    running: BTreeMap<FetchId, RunningFetch>,
    /// Bounded by [`NetConfig::max_waiting`].
    waiting: VecDeque<WaitingFetch>,
}

struct RunningFetch {
    url: Url,
    /// The origin whose share it takes: that of its first URL.
    origin: Option<StorageKey>,
    /// On whose behalf it is, if it is a service worker's.
    registration: Option<Registration>,
    control: Arc<Control>,
    time_limit: Duration,
    /// Receives something when the time is up.
    time_is_up: crossbeam_channel::Receiver<Instant>,
    /// Whom to answer; `None` when it was stopped, and only its thread is still there.
    done: Option<Callback<FetchResult>>,
}

struct WaitingFetch {
    id: FetchId,
    request: Box<Request>,
    origin: Option<StorageKey>,
    done: Callback<FetchResult>,
}

/// What the dispatcher wakes up for.
enum Event {
    Message(NetMessage),
    TimeIsUp(FetchId),
    /// Nobody can send messages any more.
    Disconnected,
}

/// A fetch's thread, as long as it has not ended. Dropped before that, it ends the fetch with an
/// error, so that a thread that panics leaves neither its fetch unanswered nor its slot taken.
struct FetchThread {
    id: FetchId,
    url: Url,
    sender: Sender<NetMessage>,
    ended: bool,
}

impl Dispatcher {
    /// Runs until it is told to end; answers whom to tell when it has.
    fn run(mut self, receiver: &Receiver<NetMessage>) -> Option<Callback<()>> {
        loop {
            match self.next_event(receiver) {
                Event::Message(NetMessage::Fetch { id, request, done }) => {
                    self.accept(id, request, done);
                }
                Event::Message(NetMessage::Cancel { id }) => self.cancel(id),
                Event::Message(NetMessage::Cookies {
                    url,
                    is_same_site,
                    done,
                }) => done.call(self.cookies(&url, is_same_site)),
                Event::Message(NetMessage::SetCookie {
                    url,
                    is_same_site,
                    cookie,
                }) => self.set_cookie(&url, is_same_site, &cookie),
                Event::Message(NetMessage::NetworkChanged(state)) => self.network_changed(&state),
                Event::Message(NetMessage::Finished { id, result }) => {
                    if let Some(fetch) = self.running.remove(&id)
                        && let Some(done) = fetch.done
                    {
                        done.call(result);
                    }
                }
                Event::Message(NetMessage::Exit { done }) => {
                    self.shut_down();
                    return Some(done);
                }
                Event::TimeIsUp(id) => self.time_is_up(id),
                Event::Disconnected => return None,
            }
            self.start_waiting();
        }
    }

    fn next_event(&self, receiver: &Receiver<NetMessage>) -> Event {
        let mut select = Select::new();
        let messages = select.recv(receiver.as_crossbeam());
        let limits: Vec<_> = self
            .running
            .iter()
            .filter(|(_, fetch)| fetch.done.is_some())
            .map(|(id, fetch)| (select.recv(&fetch.time_is_up), *id, &fetch.time_is_up))
            .collect();
        let operation = select.select();
        let index = operation.index();
        for (own_index, id, time_is_up) in limits {
            if own_index == index {
                // It sends nothing else, and does not disconnect.
                let _ = operation.recv(time_is_up);
                return Event::TimeIsUp(id);
            }
        }
        debug_assert_eq!(index, messages, "there are only messages and time limits");
        operation
            .recv(receiver.as_crossbeam())
            .map_or(Event::Disconnected, Event::Message)
    }

    fn cookies(&self, url: &Url, is_same_site: bool) -> String {
        let now = self.context.now();
        let mut cookies = self.context.cookies.lock();
        let found = cookies.get(url, site_context(is_same_site), Party::Script, now);
        found.unwrap_or_default()
    }

    fn set_cookie(&self, url: &Url, is_same_site: bool, cookie: &str) {
        let (now, context) = (self.context.now(), site_context(is_same_site));
        let mut cookies = self.context.cookies.lock();
        cookies.set(cookie, url, context, Party::Script, now);
    }

    fn accept(&mut self, id: FetchId, request: Box<Request>, done: Callback<FetchResult>) {
        let registration = request.registration();
        let cut_off = cut_off_by(
            &self.context.services.monitor.current(),
            registration.as_ref(),
        );
        if let Some(emulation) = cut_off
            && !local::is_local(&request.url)
        {
            done.call(Err(emulation.error(&request.url)));
            return;
        }
        let origin = StorageKey::from_url(&request.url).ok();
        self.waiting.push_back(WaitingFetch {
            id,
            request,
            origin,
            done,
        });
        self.start_waiting();
        if self.waiting.len() > self.context.config.max_waiting
            && let Some(newest) = self.waiting.pop_back()
        {
            let reason = "too many other fetches are waiting for their turn";
            let error = FetchError::new(FetchErrorKind::Busy, &newest.request.url, reason);
            newest.done.call(Err(error));
        }
    }

    fn cancel(&mut self, id: FetchId) {
        let aborted = |url: &Url| FetchError::new(FetchErrorKind::Aborted, url, "it was cancelled");
        if let Some(fetch) = self.running.get_mut(&id) {
            fetch.stop(aborted(&fetch.url));
        } else if let Some(position) = self.waiting.iter().position(|fetch| fetch.id == id)
            && let Some(fetch) = self.waiting.remove(position)
        {
            fetch.done.call(Err(aborted(&fetch.request.url)));
        }
    }

    fn time_is_up(&mut self, id: FetchId) {
        let Some(fetch) = self.running.get_mut(&id) else {
            return;
        };
        let limit = fetch.time_limit;
        let (url, connecting) = fetch.control.progress();
        let error = if connecting {
            let reason = format!("no connection to the server within {limit:?}");
            FetchError::new(FetchErrorKind::ConnectTimeout, &url, reason)
        } else {
            let reason = format!("the server did not send a complete response within {limit:?}");
            FetchError::new(FetchErrorKind::Timeout, &url, reason)
        };
        fetch::report(&self.context.services.monitor, &url, Err(&error));
        fetch.stop(error);
    }

    fn network_changed(&mut self, state: &NetworkState) {
        let network = (state.link, state.identity);
        let is_same = self.network == network || is_found_out(self.network, network);
        if !is_same || state.emulated_offline {
            // Their peers may be out of reach, without anybody saying so.
            self.context.client.close_idle();
        }
        self.network = network;
        if state.emulated_offline || !state.offline_registrations.is_empty() {
            self.stop_where(|url, registration| {
                let emulation = cut_off_by(state, registration)?;
                (!local::is_local(url)).then(|| emulation.error(url))
            });
        }
        if state.link != LinkState::Unknown {
            let before = std::mem::replace(&mut self.known_network, network);
            if is_lost(before, network) {
                self.stop_on_lost_network();
            }
        }
    }

    /// Nobody says so to fetches whose connections went through the network that is lost. Those
    /// that wait for their turn have no connection yet.
    fn stop_on_lost_network(&mut self) {
        for fetch in self.running.values_mut() {
            let (url, _) = fetch.control.progress();
            let is_loopback = StorageKey::from_url(&url).is_ok_and(|origin| origin.is_loopback());
            if !is_loopback && !local::is_local(&url) {
                let reason = "the machine has lost the network that the fetch was using";
                fetch.stop(FetchError::new(
                    FetchErrorKind::NetworkChanged,
                    &url,
                    reason,
                ));
            }
        }
    }

    /// Ends those for which `error` has one.
    fn stop_where(&mut self, error: impl Fn(&Url, Option<&Registration>) -> Option<FetchError>) {
        for fetch in self.running.values_mut() {
            if let Some(error) = error(&fetch.url, fetch.registration.as_ref()) {
                fetch.stop(error);
            }
        }
        for fetch in std::mem::take(&mut self.waiting) {
            match error(&fetch.request.url, fetch.request.registration().as_ref()) {
                Some(error) => fetch.done.call(Err(error)),
                None => self.waiting.push_back(fetch),
            }
        }
    }

    /// Starts those that have waited longest, except where their origin's share is used up.
    fn start_waiting(&mut self) {
        let config = &self.context.config;
        let (max_running, max_per_origin) = (config.max_running, config.max_running_per_origin);
        let max_threads = max_running * THREADS_PER_FETCH;
        let (mut running, mut shares) = (0, BTreeMap::new());
        for fetch in self.running.values().filter(|fetch| fetch.done.is_some()) {
            running += 1;
            if let Some(origin) = &fetch.origin {
                *shares.entry(origin.clone()).or_insert(0) += 1;
            }
        }
        let mut position = 0;
        while position < self.waiting.len()
            && running < max_running
            && self.running.len() < max_threads
        {
            // What needs no network has no origin, and takes no origin's share.
            if let Some(origin) = &self.waiting[position].origin {
                let share = shares.entry(origin.clone()).or_insert(0);
                if *share >= max_per_origin {
                    position += 1;
                    continue;
                }
                *share += 1;
            }
            if let Some(fetch) = self.waiting.remove(position) {
                self.start(fetch);
                running += 1;
            }
        }
    }

    fn start(&mut self, fetch: WaitingFetch) {
        let WaitingFetch {
            id,
            request,
            origin,
            done,
        } = fetch;
        let (url, registration) = (request.url.clone(), request.registration());
        let time_limit = request.time_limit.unwrap_or(self.context.config.time_limit);
        let control = Arc::new(Control::new(url.clone()));
        let context = Arc::clone(&self.context);
        let fetch_thread = FetchThread {
            id,
            url: url.clone(),
            sender: self.sender.clone(),
            ended: false,
        };
        let own_control = Arc::clone(&control);
        let spawned = thread::Builder::new()
            .name(format!("fetch {id}"))
            .spawn(move || {
                Arc::clone(&own_control).make_current();
                fetch_thread.run(|| fetch::fetch(&context, *request, &own_control));
            });
        if let Err(error) = spawned {
            let reason = format!("the system has no thread for it: {error}");
            done.call(Err(FetchError::new(FetchErrorKind::Busy, &url, reason)));
            return;
        }
        let time_is_up = crossbeam_channel::after(time_limit);
        let done = Some(done);
        let fetch = RunningFetch {
            url,
            origin,
            registration,
            control,
            time_limit,
            time_is_up,
            done,
        };
        self.running.insert(id, fetch);
    }

    /// Threads that are held up are not waited for: nobody is interested in what they find.
    fn shut_down(mut self) {
        let reason = "the network component is shutting down";
        self.stop_where(|url, _| Some(FetchError::new(FetchErrorKind::Aborted, url, reason)));
        if let Some(subscription) = self.subscription {
            self.context.services.monitor.unsubscribe(subscription);
        }
    }
}

impl RunningFetch {
    /// Answers it, once, and has its thread end.
    fn stop(&mut self, error: FetchError) {
        if let Some(done) = self.done.take() {
            self.control.abort();
            done.call(Err(error));
        }
    }
}

impl FetchThread {
    fn run(mut self, fetch: impl FnOnce() -> FetchResult) {
        let result = fetch();
        self.send(result);
    }

    fn send(&mut self, result: FetchResult) {
        self.ended = true;
        // Whoever has shut down has answered all fetches.
        let _ = self.sender.send(NetMessage::Finished {
            id: self.id,
            result,
        });
    }
}

impl Drop for FetchThread {
    fn drop(&mut self) {
        if !self.ended {
            let reason = "the network component has failed; this is a fault of the browser";
            self.send(Err(FetchError::new(
                FetchErrorKind::Aborted,
                &self.url,
                reason,
            )));
        }
    }
}

fn site_context(is_same_site: bool) -> SiteContext {
    if is_same_site {
        SiteContext::Same
    } else {
        SiteContext::Cross
    }
}

/// Whether what went through the network `before` does not get through any more. Before the first
/// answer of the system there was none.
fn is_lost(
    before: (LinkState, Option<NetworkIdentity>),
    now: (LinkState, Option<NetworkIdentity>),
) -> bool {
    let is_another = before.0 == LinkState::Routable && now.1 != before.1;
    now.0 < before.0 || (is_another && !is_found_out(before, now))
}

/// Whether all that is new is that it was found out which network it is.
fn is_found_out(
    before: (LinkState, Option<NetworkIdentity>),
    now: (LinkState, Option<NetworkIdentity>),
) -> bool {
    before.0 == now.0 && before.1.is_none()
}

/// Who is emulated to be offline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Emulation {
    Engine,
    Registration,
}

/// What cuts off a fetch: one on behalf of nobody in particular, or of a service worker registration.
fn cut_off_by(state: &NetworkState, registration: Option<&Registration>) -> Option<Emulation> {
    if state.emulated_offline {
        return Some(Emulation::Engine);
    }
    let (storage_key, scope) = registration?;
    state
        .is_emulated_offline_for(storage_key, scope)
        .then_some(Emulation::Registration)
}

impl Emulation {
    fn error(self, url: &Url) -> FetchError {
        let reason = match self {
            Self::Engine => "being offline is emulated (developer tools, a test, or --offline)",
            Self::Registration => {
                "being offline is emulated for the service worker registration that asks"
            }
        };
        FetchError::new(FetchErrorKind::Offline, url, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_whose_thread_panics_is_answered_and_frees_its_slot() {
        let (sender, receiver) = unbounded();
        let fetch_thread = FetchThread {
            id: FetchId(7),
            url: Url::parse("http://a.example/").unwrap(),
            sender,
            ended: false,
        };
        let panicking = || panic!("as a fault in a library would");
        assert!(
            thread::spawn(move || fetch_thread.run(panicking))
                .join()
                .is_err()
        );
        let Ok(NetMessage::Finished { id, result }) = receiver.recv() else {
            panic!("the thread has ended without a word");
        };
        assert_eq!(id, FetchId(7));
        assert_eq!(result.unwrap_err().kind, FetchErrorKind::Aborted);
        assert!(receiver.recv().is_err(), "it is answered once");
    }
}
