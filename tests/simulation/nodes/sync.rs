//! The sync manager's thread, around the real state machine. What it does with messages and outputs
//! is what `sync_manager::thread` does; it does one thing at a time, so that others come between.

use std::collections::VecDeque;
use std::time::Duration;

use base::StorageKey;
use base::ids::EventId;
use storage::Store;
use sw_traits::{EventOutcome, SwNotification, WorkerEvent};
use sync_manager::{Output, Requester, StoredServiceWorker, SyncKey, SyncManager, read};
use sync_traits::{SyncKind, SyncRequest};

use crate::context::{Committer, Context, NetworkMessage, Submission, SwMessage, SyncMessage};

/// What follows from a message once the manager's outputs are dealt with.
#[derive(Debug)]
enum Next {
    LookAtNetwork,
    AskEngagement(StorageKey),
    Permission(StorageKey),
    EventEnded(EventId, EventOutcome),
}

/// A dispatch that waits for a look at the network and the permission.
#[derive(Clone, Debug)]
struct Confirmation {
    event: EventId,
    kind: SyncKind,
    storage_key: StorageKey,
    /// How much the user engages with the origin has been asked.
    engagement_asked: bool,
}

/// The thread of the sync manager.
#[derive(Debug)]
pub(crate) struct SyncNode {
    pub(crate) manager: SyncManager,
    confirmations: VecDeque<Confirmation>,
    next: VecDeque<Next>,
    /// The manager may have outputs.
    draining: bool,
    /// When the thread wakes up by itself, in time awake.
    wake: Option<Duration>,
    exiting: bool,
    pub(crate) exited: bool,
}

impl SyncNode {
    pub(crate) fn start(context: &mut Context, store: &Store) -> Self {
        let recovered = read::recover(store).expect("the simulated disk can be read");
        let now = context.clock.now();
        let seed = context.random.next();
        let policy = context.settings.sync_policy.clone();
        let manager = SyncManager::new(policy, seed, recovered, now);
        context.to_service_workers.push_back(SwMessage::Snapshot);
        context.to_network.push_back(NetworkMessage::Subscribe);
        let origins = manager.periodic_origins().cloned();
        let ask = origins.map(Next::AskEngagement);
        let next = [Next::LookAtNetwork].into_iter().chain(ask).collect();
        Self {
            manager,
            confirmations: VecDeque::new(),
            next,
            draining: true,
            wake: None,
            exiting: false,
            exited: false,
        }
    }

    /// When the thread wakes up by itself, in time awake.
    pub(crate) fn wake(&self) -> Option<Duration> {
        self.wake.filter(|_| !self.exited)
    }

    pub(crate) fn has_work(&self, context: &Context) -> bool {
        let is_due = self.wake.is_some_and(|wake| wake <= context.clock.awake());
        !self.exited && (self.draining || !context.to_sync.is_empty() || is_due)
    }

    /// Do one thing.
    pub(crate) fn step(&mut self, context: &mut Context) {
        let now = context.clock.now();
        if self.draining {
            if let Some(output) = self.manager.poll_output() {
                self.act(context, output);
            } else if let Some(confirmation) = self.confirmations.pop_front() {
                self.confirm(context, confirmation);
            } else if let Some(next) = self.next.pop_front() {
                self.go_on(context, next);
            } else {
                self.draining = false;
                let deadline = self.manager.poll_deadline().after(now);
                self.wake = deadline.map(|deadline| context.clock.awake() + deadline);
            }
            return;
        }
        self.draining = true;
        if let Some(message) = context.to_sync.pop_front() {
            self.handle(context, message);
        } else {
            context.note(|| "sync: time".to_owned());
            context.model.time_seen(now);
            self.manager.handle_time(now);
        }
    }

    fn confirm(&mut self, context: &mut Context, confirmation: Confirmation) {
        let now = context.clock.now();
        context.model.time_seen(now);
        let Confirmation {
            event,
            kind,
            storage_key,
            engagement_asked,
        } = confirmation.clone();
        if kind == SyncKind::Periodic && !engagement_asked {
            self.confirmations.push_front(Confirmation {
                engagement_asked: true,
                ..confirmation
            });
            self.ask_engagement(context, &storage_key);
            return;
        }
        let denied = look_at_permission(context, kind, &storage_key);
        let network = context.network.clone();
        let conditions = (now, &network, denied.is_none());
        context
            .model
            .confirming(event, kind, &storage_key, conditions);
        self.manager
            .handle_dispatch_confirmed(now, event, network, denied);
    }

    fn go_on(&mut self, context: &mut Context, next: Next) {
        let now = context.clock.now();
        context.model.time_seen(now);
        match next {
            Next::LookAtNetwork => self.look_at_network(context),
            Next::AskEngagement(storage_key) => self.ask_engagement(context, &storage_key),
            Next::Permission(storage_key) => {
                let denied = look_at_permission(context, SyncKind::Periodic, &storage_key);
                context.note(|| format!("sync: {storage_key} lacks {denied:?}"));
                self.manager.handle_permission(now, &storage_key, denied);
            }
            Next::EventEnded(event, outcome) => {
                context.note(|| format!("sync: event {event} ended: {outcome:?}"));
                // Whoever shuts down has taken the event back already.
                if !self.exiting {
                    context.model.end_seen(now, event);
                }
                self.manager.handle_event_ended(now, event, outcome);
            }
        }
    }

    fn look_at_network(&mut self, context: &mut Context) {
        let now = context.clock.now();
        context.model.network_seen(now, &context.network);
        self.manager.handle_network(now, context.network.clone());
    }

    fn ask_engagement(&mut self, context: &mut Context, storage_key: &StorageKey) {
        let now = context.clock.now();
        let engagement = context.engagement(storage_key);
        context.model.engagement_seen(storage_key, engagement);
        self.manager.handle_engagement(now, storage_key, engagement);
    }

    fn handle(&mut self, context: &mut Context, message: SyncMessage) {
        let now = context.clock.now();
        context.model.time_seen(now);
        match message {
            SyncMessage::Request {
                requester,
                storage_key,
                scope,
                body,
            } => self.handle_request(context, requester, (storage_key, scope), body),
            SyncMessage::ServiceWorker(notification) => {
                context.note(|| format!("sync: {notification:?}"));
                context.model.notification_seen(&notification);
                if let SwNotification::Unregistered { scope, .. } = &notification
                    && let Some(scope) = context.sites.index(scope)
                {
                    context.model.unregistration_seen(now, scope);
                }
                self.manager.handle_service_worker(now, notification);
            }
            SyncMessage::StoredServiceWorkers(stored) => {
                let scopes = stored
                    .iter()
                    .filter_map(|found| context.sites.index(&found.registration.scope))
                    .collect();
                context.model.stored_workers_seen(&scopes);
                let stored = stored.into_iter().map(StoredServiceWorker::from);
                self.manager.handle_stored_service_workers(now, stored);
            }
            SyncMessage::Network => self.look_at_network(context),
            SyncMessage::EventEnded(event, outcome) => {
                self.next.push_back(Next::EventEnded(event, outcome));
                self.look_at_network(context);
            }
            SyncMessage::Committed(commit, result) => {
                context.note(|| format!("sync: commit {commit}: {result:?}"));
                self.manager.handle_committed(now, commit, result);
            }
            SyncMessage::PermissionChanged(storage_key) => {
                self.next.push_back(Next::Permission(storage_key));
            }
            SyncMessage::EngagementChanged(storage_key) => {
                self.ask_engagement(context, &storage_key);
            }
            SyncMessage::TimeChanged => self.manager.handle_time(now),
            SyncMessage::Exit => {
                self.exiting = true;
                self.manager.handle_exit(now);
            }
        }
    }

    fn handle_request(
        &mut self,
        context: &mut Context,
        requester: Requester,
        (storage_key, scope): (StorageKey, url::Url),
        body: SyncRequest,
    ) {
        let now = context.clock.now();
        let request = requester.request;
        context.note(|| format!("sync: request {request}"));
        let (kind, tag) = match &body {
            SyncRequest::Tags => {
                self.manager
                    .handle_tags(requester, SyncKind::OneShot, &storage_key, &scope);
                return;
            }
            SyncRequest::PeriodicTags => {
                self.manager
                    .handle_tags(requester, SyncKind::Periodic, &storage_key, &scope);
                return;
            }
            SyncRequest::Register { tag } => (SyncKind::OneShot, tag.clone()),
            SyncRequest::RegisterPeriodic { tag, .. } | SyncRequest::UnregisterPeriodic { tag } => {
                (SyncKind::Periodic, tag.clone())
            }
        };
        let denied = match body {
            SyncRequest::UnregisterPeriodic { .. } => None,
            _ => look_at_permission(context, kind, &storage_key),
        };
        let engagement = context.engagement(&storage_key);
        if kind == SyncKind::Periodic {
            context.model.engagement_seen(&storage_key, engagement);
        }
        let key = SyncKey {
            storage_key,
            scope,
            kind,
            tag,
        };
        let manager = &mut self.manager;
        match body {
            SyncRequest::RegisterPeriodic { min_interval, .. } => manager.handle_register_periodic(
                now,
                requester,
                key,
                min_interval,
                denied,
                engagement,
            ),
            SyncRequest::UnregisterPeriodic { .. } => {
                manager.handle_unregister_periodic(now, requester, key);
            }
            _ => manager.handle_register(now, requester, key, denied),
        }
    }

    fn act(&mut self, context: &mut Context, output: Output) {
        match output {
            Output::Commit { commit, batch } => context.to_store.push_back(Submission {
                committer: Committer::Sync,
                commit,
                batch,
            }),
            Output::Reply { client, event } => {
                context.note(|| format!("sync: {client} is told {event:?}"));
                context.model.replied(&event);
            }
            Output::ConfirmDispatch {
                event,
                kind,
                storage_key,
            } => self.confirmations.push_back(Confirmation {
                event,
                kind,
                storage_key,
                engagement_asked: false,
            }),
            dispatch @ Output::Dispatch { .. } => Self::dispatch(context, dispatch),
            Output::AwaitOrigin {
                storage_key,
                awaited,
            } => context
                .to_network
                .push_back(NetworkMessage::AwaitOrigin(storage_key, awaited)),
            Output::Log(entry) => {
                context.note(|| {
                    format!(
                        "log {}: {} {} at {}: {:?}",
                        entry.sequence, entry.kind, entry.tag, entry.scope, entry.event
                    )
                });
                let index = context.sites.index(&entry.scope);
                let now = context.clock.now();
                context.model.logged(now, index, &entry);
            }
            Output::StoreFailed { .. } => {
                let now = context.clock.now();
                context.model.store_failed(now);
            }
            Output::Exited => self.exited = true,
        }
    }

    fn dispatch(context: &mut Context, output: Output) {
        let Output::Dispatch {
            event,
            kind,
            storage_key,
            scope,
            tag,
            last_chance,
            time_limit,
        } = output
        else {
            return;
        };
        context.note(|| {
            format!("sync: dispatch {event}: {kind} {tag} at {scope}, last chance {last_chance}")
        });
        match context.sites.index(&scope) {
            Some(index) => {
                let key = (index, kind, tag.clone());
                context
                    .model
                    .dispatched(event, key, last_chance, time_limit);
            }
            None => context.model.violate(format!("{scope} is dispatched")),
        }
        let worker_event = match kind {
            SyncKind::OneShot => WorkerEvent::Sync { tag, last_chance },
            SyncKind::Periodic => WorkerEvent::PeriodicSync { tag },
        };
        context
            .to_service_workers
            .push_back(SwMessage::DispatchEvent {
                storage_key,
                scope,
                event: worker_event,
                time_limit,
                sync_event: event,
            });
    }
}

/// The permission that an origin lacks for this kind, if any.
fn look_at_permission(
    context: &mut Context,
    kind: SyncKind,
    storage_key: &StorageKey,
) -> Option<SyncKind> {
    let denied = context.denied(kind, storage_key);
    if let Some(denied) = denied {
        context.model.permission_denied(denied, storage_key);
    }
    denied
}
