//! The thread of the service worker registrations, around the real state machine. What it does with
//! messages and outputs is what `sw_registration::thread` does, one thing at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::ids::{EventId, WorkerId};
use storage::Store;
use sw_registration::{Output, ScriptsPlace, SwRegistrations, read};
use sw_traits::{SwClientEvent, SwNotification};

use crate::context::{Committer, Context, Inside, Submission, SwMessage, SyncMessage};
use crate::nodes::host::Host;
use crate::nodes::internet::FetchKind;

/// The thread of the service worker registrations.
#[derive(Debug)]
pub(crate) struct SwNode {
    pub(crate) machine: SwRegistrations,
    dispatches: BTreeMap<u64, EventId>,
    to_read: VecDeque<(WorkerId, ScriptsPlace)>,
    draining: bool,
    wake: Option<Duration>,
    pub(crate) exited: bool,
}

impl SwNode {
    pub(crate) fn start(context: &mut Context, store: &Store) -> Self {
        let stored = read::recover(store).expect("the simulated disk can be read");
        let now = context.clock.now();
        let policy = context.settings.service_worker_policy;
        Self {
            machine: SwRegistrations::new(policy, now, stored),
            dispatches: BTreeMap::new(),
            to_read: VecDeque::new(),
            draining: true,
            wake: None,
            exited: false,
        }
    }

    /// When the thread wakes up by itself, in time awake.
    pub(crate) fn wake(&self) -> Option<Duration> {
        self.wake.filter(|_| !self.exited)
    }

    pub(crate) fn has_work(&self, context: &Context) -> bool {
        let is_due = self.wake.is_some_and(|wake| wake <= context.clock.awake());
        !self.exited && (self.draining || !context.to_service_workers.is_empty() || is_due)
    }

    /// Do one thing.
    pub(crate) fn step(&mut self, context: &mut Context, host: &mut Host, store: &Store) {
        let now = context.clock.now();
        if self.draining {
            if let Some(output) = self.machine.poll_output() {
                self.act(context, host, output);
            } else if let Some((worker, place)) = self.to_read.pop_front() {
                let result = read::scripts(store, &place);
                self.machine.handle_scripts_read(now, worker, result);
            } else {
                self.draining = false;
                let deadline = self.machine.poll_deadline().after(now);
                self.wake = deadline.map(|deadline| context.clock.awake() + deadline);
            }
            return;
        }
        self.draining = true;
        if let Some(message) = context.to_service_workers.pop_front() {
            self.handle(context, message);
        } else {
            context.note(|| "workers: time".to_owned());
            self.machine.handle_timeout(now);
        }
    }

    fn handle(&mut self, context: &mut Context, message: SwMessage) {
        let now = context.clock.now();
        match message {
            SwMessage::Attach(client) => self.machine.handle_attach_client(now, client),
            SwMessage::Detach(client) => self.machine.handle_detach_client(now, client),
            SwMessage::Request {
                client,
                request,
                body,
            } => {
                context.note(|| format!("workers: request {request}"));
                self.machine.handle_request(now, client, request, body);
            }
            SwMessage::DispatchEvent {
                storage_key,
                scope,
                event,
                time_limit,
                sync_event,
            } => {
                let token = context.next_number();
                self.dispatches.insert(token, sync_event);
                self.machine.handle_dispatch_event(
                    now,
                    &storage_key,
                    &scope,
                    event,
                    time_limit,
                    token,
                );
            }
            SwMessage::Host(event) => {
                context.note(|| format!("workers: {event:?}"));
                self.machine.handle_host_event(now, event);
            }
            SwMessage::ScriptLoaded(load, result) => {
                self.machine.handle_script_loaded(now, load, result);
            }
            SwMessage::Committed(commit, result) => {
                context.note(|| format!("workers: commit {commit}: {result:?}"));
                self.machine.handle_committed(now, commit, result);
            }
            SwMessage::ClearStorage(storage_key) => {
                let token = context.next_number();
                self.machine.handle_clear_storage(now, storage_key, token);
            }
            SwMessage::Snapshot => {
                let snapshot = self.machine.snapshot();
                context
                    .to_sync
                    .push_back(SyncMessage::StoredServiceWorkers(snapshot));
            }
            SwMessage::Exit => self.machine.handle_exit(now),
        }
    }

    fn act(&mut self, context: &mut Context, host: &mut Host, output: Output) {
        match output {
            Output::ToClient { client, event } => {
                if let SwClientEvent::Answer { request, result } = &event {
                    let failed = result.as_ref().err().map(ToString::to_string);
                    context.note(|| format!("workers: {request} for {client}: {failed:?}"));
                }
            }
            Output::Notify(notification) => {
                if let SwNotification::Unregistered { scope, .. } = &notification
                    && let Some(scope) = context.sites.index(scope)
                {
                    context.model.unregistered(scope);
                }
                context
                    .to_sync
                    .push_back(SyncMessage::ServiceWorker(notification));
            }
            Output::StartWorker(start) => {
                let client = context.next_client();
                host.start(context, start.launch(client));
            }
            Output::DispatchEvent { worker, dispatch } => host.dispatch(context, worker, dispatch),
            Output::TerminateWorker(worker) => host.terminate(context, worker),
            Output::LoadScript { load, request } => {
                let delay = context
                    .internet
                    .latency(&request.storage_key, FetchKind::Fetch);
                context.later(delay, Inside::ScriptLoaded(load, request.url));
            }
            Output::ReadScripts { worker, place } => self.to_read.push_back((worker, place)),
            Output::Commit { commit, batch } => context.to_store.push_back(Submission {
                committer: Committer::ServiceWorkers,
                commit,
                batch,
            }),
            Output::EventDone { token, outcome } => {
                if let Some(event) = self.dispatches.remove(&token) {
                    context.model.settled(event, &outcome);
                    context
                        .to_sync
                        .push_back(SyncMessage::EventEnded(event, outcome));
                }
            }
            // No page here fetches, and no worker asks for windows, or extends an event of which the
            // time is over.
            Output::StorageCleared { .. }
            | Output::FetchAnswered { .. }
            | Output::PreloadNavigation { .. }
            | Output::PreloadEnded { .. }
            | Output::AbortFetch { .. }
            | Output::AskWindowHost { .. }
            | Output::TimeOutEvent { .. } => {}
            Output::Exited => self.exited = true,
        }
    }
}
