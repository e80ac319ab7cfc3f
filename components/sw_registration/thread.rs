use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::channel::{Callback, Disconnected, Received, Receiver, Sender};
use base::exception::ErrorClass;
use base::ids::{ClientId, IdSource, RequestId, WorkerId};
use base::time::Clock;
use storage::{ReadError, Store};
use sw_traits::{
    EventOutcome, FetchAnswer, NavigationPreload, ScriptLoader, ScriptRequest, SwClientEvent,
    SwNotification, SwRegistrationHandle, SwRegistrationMessage, WindowHost, WindowRequest,
    WorkerHost,
};

use crate::machine::SwRegistrations;
use crate::output::{Output, ScriptsPlace};
use crate::policy::SwPolicy;
use crate::read;

/// How long the component waits, when it ends, for the threads of its workers.
const WORKER_PATIENCE: Duration = Duration::from_secs(2);

/// What the component needs from the one who starts it.
pub struct SwRegistrationConfig {
    /// The choices that the spec leaves open.
    pub policy: SwPolicy,
    /// Where registrations and scripts are kept.
    pub store: Store,
    /// Runs the workers.
    pub host: Box<dyn WorkerHost>,
    /// Loads their scripts.
    pub loader: Box<dyn ScriptLoader>,
    /// Opens, navigates and focuses windows for them; none where they cannot.
    pub windows: Option<Box<dyn WindowHost>>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Told of active workers, of registrations that are gone, and of windows. Always before the
    /// page that can act on it.
    pub notify: Callback<SwNotification>,
}

/// Why the component could not be started.
#[derive(Debug)]
pub enum StartError {
    /// What is stored cannot be read.
    Store(ReadError),
    /// The system has no thread for it.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => {
                write!(
                    formatter,
                    "the service worker registrations cannot be read: {error}"
                )
            }
            Self::Thread(error) => {
                write!(
                    formatter,
                    "no thread for the service worker registrations: {error}"
                )
            }
        }
    }
}

impl std::error::Error for StartError {}

/// The component on its thread. Dropping it shuts it down and waits until it has ended.
#[derive(Debug)]
pub struct SwRegistrationThread {
    handle: SwRegistrationHandle,
    thread: Option<JoinHandle<()>>,
}

impl SwRegistrationThread {
    /// Read what is stored, and start the component on a thread of its own.
    ///
    /// The channel comes from the caller, because the worker host and the other components need a
    /// handle of it before the component runs. It has no bound of its own. A client has at most
    /// 1,000 requests in it, which its [handle](sw_traits::SwClientHandle) counts; how many clients
    /// there are, and how many dispatches of other components, is up to the embedder. What hosts,
    /// loaders and the store send is bounded by what they were told to do, but for the imports of a
    /// new worker: those of a host that reports more than the worker may have wait here until it is
    /// told to stop. How large a posted message is, and how many events a client leaves unread in
    /// its own queue, is bounded by the memory that the embedder gives the client, not here.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or there is no thread.
    pub fn start(
        config: SwRegistrationConfig,
        (sender, receiver): (
            Sender<SwRegistrationMessage>,
            Receiver<SwRegistrationMessage>,
        ),
    ) -> Result<Self, StartError> {
        let stored = read::recover(&config.store).map_err(StartError::Store)?;
        let handle = SwRegistrationHandle::new(sender.clone());
        let SwRegistrationConfig {
            policy,
            store,
            host,
            loader,
            windows,
            clock,
            notify,
        } = config;
        let machine = SwRegistrations::new(policy, clock.now(), stored);
        let component = Component {
            machine,
            store,
            host,
            loader,
            windows,
            clock,
            notify,
            sender,
            clients: BTreeMap::new(),
            dispatches: BTreeMap::new(),
            fetches: BTreeMap::new(),
            clearings: BTreeMap::new(),
            tokens: IdSource::default(),
            to_read: VecDeque::new(),
            exits: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("service workers".to_owned())
            .spawn(move || component.run(&receiver))
            .map_err(StartError::Thread)?;
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }

    /// A handle on the component.
    pub fn handle(&self) -> SwRegistrationHandle {
        self.handle.clone()
    }
}

impl Drop for SwRegistrationThread {
    fn drop(&mut self) {
        // When it has ended already there is nothing to tell it.
        let _ = self.handle.exit(Callback::ignore());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of the service worker registrations panicked");
        }
    }
}

struct AttachedClient {
    events: Callback<SwClientEvent>,
    handled: Callback<()>,
}

/// A client that waits for the answer to a fetch.
struct WaitingFetch {
    preload: Callback<NavigationPreload>,
    done: Callback<FetchAnswer>,
}

impl WaitingFetch {
    fn give_up(&self) {
        let reason = "it was stopped".to_owned();
        self.done.call(FetchAnswer::NetworkError { reason });
    }
}

struct Component {
    machine: SwRegistrations,
    store: Store,
    host: Box<dyn WorkerHost>,
    loader: Box<dyn ScriptLoader>,
    windows: Option<Box<dyn WindowHost>>,
    clock: Arc<dyn Clock>,
    notify: Callback<SwNotification>,
    sender: Sender<SwRegistrationMessage>,
    /// Bounded by the clients there are.
    clients: BTreeMap<ClientId, AttachedClient>,
    /// Bounded by the events that workers may have.
    fetches: BTreeMap<(ClientId, RequestId), WaitingFetch>,
    /// Bounded by what the other components have in flight.
    dispatches: BTreeMap<u64, Callback<EventOutcome>>,
    clearings: BTreeMap<u64, Callback<Result<(), String>>>,
    tokens: IdSource,
    /// Reads that the outputs at hand asked for.
    to_read: VecDeque<(WorkerId, ScriptsPlace)>,
    exits: Vec<Callback<()>>,
}

impl Component {
    fn run(mut self, receiver: &Receiver<SwRegistrationMessage>) {
        let mut ended = self.drain();
        while !ended {
            let timeout = self.machine.poll_deadline().after(self.clock.now());
            match receiver.recv_timeout(timeout) {
                Received::Message(message) => self.handle_message(message),
                Received::TimedOut => self.machine.handle_timeout(self.clock.now()),
                Received::Disconnected => break,
            }
            ended = self.drain();
        }
        self.host.shut_down(WORKER_PATIENCE);
        // What came too late still gets its answer.
        while let Some(message) = receiver.try_recv() {
            self.refuse(message);
        }
        for done in &self.exits {
            done.call(());
        }
    }

    fn refuse(&mut self, message: SwRegistrationMessage) {
        let reason = Disconnected.to_string();
        match message {
            SwRegistrationMessage::DispatchEvent { done, .. } => {
                done.call(EventOutcome::Crashed { reason });
            }
            SwRegistrationMessage::ClearStorage { done, .. } => done.call(Err(reason)),
            SwRegistrationMessage::StopWorker { done, .. } => done.call(false),
            SwRegistrationMessage::Snapshot { done } => done.call(self.machine.snapshot()),
            SwRegistrationMessage::Exit { done } => self.exits.push(done),
            _ => {}
        }
    }

    fn handle_message(&mut self, message: SwRegistrationMessage) {
        let now = self.clock.now();
        match message {
            SwRegistrationMessage::AttachClient {
                client,
                events,
                handled,
            } => {
                let attached = AttachedClient { events, handled };
                self.clients.entry(client.id).or_insert(attached);
                self.machine.handle_attach_client(now, client);
            }
            SwRegistrationMessage::UpdateClient { client, update } => {
                self.machine.handle_update_client(now, client, update);
            }
            SwRegistrationMessage::DetachClient { client } => {
                self.clients.remove(&client);
                self.give_up_fetches(client);
                self.machine.handle_detach_client(now, client);
            }
            SwRegistrationMessage::Request {
                client,
                request,
                body,
            } => {
                if let Some(client) = self.clients.get(&client) {
                    client.handled.call(());
                }
                self.machine.handle_request(now, client, request, body);
            }
            SwRegistrationMessage::DispatchEvent {
                storage_key,
                scope,
                event,
                time_limit,
                done,
            } => {
                let token = self.tokens.next();
                self.dispatches.insert(token, done);
                self.machine.handle_dispatch_event(
                    now,
                    &storage_key,
                    &scope,
                    event,
                    time_limit,
                    token,
                );
            }
            SwRegistrationMessage::Host(event) => self.machine.handle_host_event(now, event),
            SwRegistrationMessage::ScriptLoaded { load, result } => {
                self.machine.handle_script_loaded(now, load, result);
            }
            SwRegistrationMessage::WindowRequestEnded { number, result } => {
                self.machine
                    .handle_window_request_ended(now, number, result);
            }
            SwRegistrationMessage::Committed { commit, result } => {
                self.machine.handle_committed(now, commit, result);
            }
            SwRegistrationMessage::ClearStorage { storage_key, done } => {
                let token = self.tokens.next();
                self.clearings.insert(token, done);
                self.machine.handle_clear_storage(now, storage_key, token);
            }
            SwRegistrationMessage::StopWorker {
                storage_key,
                scope,
                done,
            } => {
                done.call(self.machine.handle_stop_worker(now, &storage_key, &scope));
            }
            SwRegistrationMessage::Snapshot { done } => done.call(self.machine.snapshot()),
            SwRegistrationMessage::TimeChanged => self.machine.handle_timeout(now),
            SwRegistrationMessage::Exit { done } => {
                self.exits.push(done);
                self.machine.handle_exit(now);
            }
            message => self.handle_fetch_message(message),
        }
    }

    /// What clients say of their fetches.
    fn handle_fetch_message(&mut self, message: SwRegistrationMessage) {
        let now = self.clock.now();
        match message {
            SwRegistrationMessage::Fetch {
                client,
                request,
                body,
                preload,
                done,
            } => {
                if let Some(client) = self.clients.get(&client) {
                    client.handled.call(());
                }
                let waiting = WaitingFetch { preload, done };
                self.fetches.insert((client, request), waiting);
                self.machine.handle_fetch(now, client, request, *body);
            }
            SwRegistrationMessage::PreloadEnded {
                client,
                request,
                result,
            } => {
                self.machine
                    .handle_preload_ended(now, client, request, result);
            }
            SwRegistrationMessage::CancelFetch { client, request } => {
                self.machine.handle_cancel_fetch(now, client, request);
                if let Some(waiting) = self.fetches.remove(&(client, request)) {
                    waiting.give_up();
                }
            }
            _ => {}
        }
    }

    /// Nobody waits for what a client that is gone has asked for.
    fn give_up_fetches(&mut self, client: ClientId) {
        let all = (client, RequestId(0))..=(client, RequestId(u64::MAX));
        let fetches: Vec<_> = self.fetches.range(all).map(|(key, _)| *key).collect();
        for key in fetches {
            if let Some(waiting) = self.fetches.remove(&key) {
                waiting.give_up();
            }
        }
    }

    /// Do what the machine wants, and tell whether it has ended.
    fn drain(&mut self) -> bool {
        loop {
            while let Some(output) = self.machine.poll_output() {
                if output == Output::Exited {
                    return true;
                }
                self.handle_output(output);
            }
            let Some((worker, place)) = self.to_read.pop_front() else {
                return false;
            };
            let result = read::scripts(&self.store, &place);
            self.machine
                .handle_scripts_read(self.clock.now(), worker, result);
        }
    }

    fn handle_output(&mut self, output: Output) {
        match output {
            Output::ToClient { client, event } => {
                if let Some(client) = self.clients.get(&client) {
                    client.events.call(event);
                }
            }
            Output::Notify(notification) => self.notify.call(notification),
            Output::StartWorker(start) => {
                let events = Callback::to_sender(&self.sender, SwRegistrationMessage::Host);
                self.host.start(start.launch(ClientId::random()), events);
            }
            Output::DispatchEvent { worker, dispatch } => self.host.dispatch(worker, dispatch),
            Output::TimeOutEvent { worker, event } => self.host.time_out(worker, event),
            Output::TerminateWorker(worker) => self.host.terminate(worker),
            Output::LoadScript { load, request } => self.load_script(load, request),
            Output::AskWindowHost { number, request } => self.ask_window_host(number, request),
            Output::ReadScripts { worker, place } => self.to_read.push_back((worker, place)),
            Output::Commit { commit, batch } => {
                let sender = self.sender.clone();
                self.store.submit(
                    batch,
                    Callback::new(move |result: Result<(), storage::CommitError>| {
                        let result = result.map_err(|error| error.to_string());
                        // The component is only gone when nobody waits for this any more.
                        let _ = sender.send(SwRegistrationMessage::Committed { commit, result });
                    }),
                );
            }
            Output::FetchAnswered {
                client,
                request,
                answer,
            } => {
                if let Some(waiting) = self.fetches.remove(&(client, request)) {
                    waiting.done.call(answer);
                }
            }
            Output::PreloadNavigation {
                client,
                request,
                header_value,
            } => {
                if let Some(waiting) = self.fetches.get(&(client, request)) {
                    waiting.preload.call(NavigationPreload {
                        fetch: request,
                        header_value,
                    });
                }
            }
            Output::PreloadEnded {
                worker,
                event,
                result,
            } => self.host.preload_ended(worker, event, result),
            Output::AbortFetch { worker, event } => self.host.abort_fetch(worker, event),
            Output::EventDone { token, outcome } => {
                if let Some(done) = self.dispatches.remove(&token) {
                    done.call(outcome);
                }
            }
            Output::StorageCleared { token, result } => {
                if let Some(done) = self.clearings.remove(&token) {
                    done.call(result);
                }
            }
            Output::Exited => {}
        }
    }

    fn load_script(&mut self, load: u64, request: ScriptRequest) {
        let sender = self.sender.clone();
        let done = Callback::new(move |result| {
            // See above.
            let _ = sender.send(SwRegistrationMessage::ScriptLoaded { load, result });
        });
        self.loader.load(request, done);
    }

    fn ask_window_host(&mut self, number: u64, request: WindowRequest) {
        let sender = self.sender.clone();
        let done = Callback::new(move |result| {
            // See above.
            let _ = sender.send(SwRegistrationMessage::WindowRequestEnded { number, result });
        });
        match &mut self.windows {
            Some(windows) => windows.perform(request, done),
            None => done.call(Err(ErrorClass::PageMisuse
                .exception("service workers cannot open, navigate or focus windows here"))),
        }
    }
}
