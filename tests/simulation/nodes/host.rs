//! The threads of the service workers: workers start slowly or not at all, and their handlers do
//! whatever handlers do.

use std::collections::BTreeMap;
use std::time::Duration;

use base::DomString;
use base::ids::{ClientId, EventId, WorkerId};
use sw_traits::{
    ClientDescription, ClientKind, EventDispatch, EventOutcome, SwRequest, WorkerEvent,
    WorkerHostEvent, WorkerLaunch,
};
use sync_traits::{SyncKind, SyncRequest};

use crate::context::{Context, Inside, NetworkMessage, SwMessage};
use crate::model::TagKey;
use crate::nodes::internet::FetchKind;
use crate::nodes::pages::some_interval;
use crate::sites::ScopeIndex;

/// What a worker does at some time.
#[derive(Clone, Debug)]
pub(crate) enum WorkerStep {
    /// Its script has run to its end.
    ScriptRan,
    /// An event ends like this.
    EventEnds(EventId, EventOutcome),
    /// A fetch of the handler of this event ends, and the event with it.
    FetchEnded(EventId),
    /// It registers a tag.
    Registers(SyncKind, DomString),
    /// It unregisters a periodic tag.
    UnregistersPeriodic(DomString),
    /// It unregisters its own registration.
    Unregisters,
    /// It crashes.
    Crashes,
    /// Its thread has ended because it was told to.
    Stopped,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Starting,
    Running,
    Stopping,
}

#[derive(Debug)]
struct RunningWorker {
    client: ClientId,
    scope: ScopeIndex,
    event_types: Vec<String>,
    stage: Stage,
    events: BTreeMap<EventId, WorkerEvent>,
}

/// What the handler of a `sync` event does.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Fulfil,
    Reject,
    Fetch,
    Hang,
    Crash,
    RegisterWhileFiring,
    RegisterAfterwards,
    Unregister,
}

/// The threads of the service workers.
#[derive(Debug, Default)]
pub(crate) struct Host {
    workers: BTreeMap<WorkerId, RunningWorker>,
}

fn rejected(reason: &str) -> EventOutcome {
    EventOutcome::Rejected {
        reason: reason.to_owned(),
    }
}

fn report(context: &mut Context, event: WorkerHostEvent) {
    context.to_service_workers.push_back(SwMessage::Host(event));
}

impl Host {
    /// A worker is to be started.
    pub(crate) fn start(&mut self, context: &mut Context, launch: WorkerLaunch) {
        let worker = launch.worker;
        let Some(scope) = context.sites.index(&launch.registration.scope) else {
            return;
        };
        let body = launch
            .scripts
            .get(&launch.script_url)
            .map(|script| String::from_utf8_lossy(&script.body).into_owned())
            .unwrap_or_default();
        context
            .to_service_workers
            .push_back(SwMessage::Attach(ClientDescription::new(
                launch.client,
                launch.storage_key,
                launch.script_url,
                ClientKind::ServiceWorker(worker),
            )));
        let running = RunningWorker {
            client: launch.client,
            scope,
            event_types: body.split(' ').map(str::to_owned).collect(),
            stage: Stage::Starting,
            events: BTreeMap::new(),
        };
        self.workers.insert(worker, running);
        let bad_start = context.settings.handlers.bad_start;
        let is_bad = !context.calm && context.random.chance(bad_start);
        let delay = context
            .random
            .up_to_millis(if is_bad { 5_000 } else { 300 });
        let step = match is_bad.then(|| context.random.below(3)) {
            // It never comes to its end.
            Some(0) => return,
            Some(1) => WorkerStep::Crashes,
            _ => WorkerStep::ScriptRan,
        };
        context.later(delay, Inside::Worker(worker, step));
    }

    /// An event is handed to a worker.
    pub(crate) fn dispatch(
        &mut self,
        context: &mut Context,
        worker: WorkerId,
        dispatch: EventDispatch,
    ) {
        let Some(running) = self.workers.get_mut(&worker) else {
            return;
        };
        let (event, kind) = (dispatch.event, dispatch.kind);
        context.note(|| format!("worker {worker}: event {event} {kind:?}"));
        running.events.insert(event, kind.clone());
        match kind {
            WorkerEvent::Sync { tag, .. } => {
                let key = (running.scope, SyncKind::OneShot, tag);
                context.model.handler_began(worker, event, key.clone());
                plan_sync(context, worker, event, key);
            }
            WorkerEvent::PeriodicSync { tag } => {
                let key = (running.scope, SyncKind::Periodic, tag);
                context.model.handler_began(worker, event, key.clone());
                plan_sync(context, worker, event, key);
            }
            _ => {
                let delay = context.random.up_to_millis(300);
                let outcome = match context.random.below(20) {
                    0 if !context.calm => rejected("the handler wants it so"),
                    // It hangs.
                    1 if !context.calm && context.settings.handlers.hang > 0 => return,
                    _ => EventOutcome::Fulfilled,
                };
                if running.event_types.iter().any(|found| found == "skip") {
                    context.request_service_workers(running.client, SwRequest::SkipWaiting);
                } else if running.event_types.iter().any(|found| found == "claim") {
                    context.request_service_workers(running.client, SwRequest::ClaimClients);
                }
                let step = WorkerStep::EventEnds(event, outcome);
                context.later(delay, Inside::Worker(worker, step));
            }
        }
    }

    /// A worker is to be stopped.
    pub(crate) fn terminate(&mut self, context: &mut Context, worker: WorkerId) {
        let Some(running) = self.workers.get_mut(&worker) else {
            return;
        };
        running.stage = Stage::Stopping;
        running.events.clear();
        context.model.worker_over(worker);
        let delay = context.random.up_to_millis(100);
        context.later(delay, Inside::Worker(worker, WorkerStep::Stopped));
    }

    /// The process has ended.
    pub(crate) fn kill_all(&mut self, context: &mut Context) {
        for worker in std::mem::take(&mut self.workers).into_keys() {
            context.model.worker_over(worker);
        }
    }

    /// Some worker crashes, if one runs.
    pub(crate) fn crash_one(&mut self, context: &mut Context) {
        if let Some(worker) = self.pick(context) {
            self.step(context, worker, WorkerStep::Crashes);
        }
    }

    /// Some worker asks for control over its clients or its activation, if one runs.
    pub(crate) fn claim_or_skip(&mut self, context: &mut Context) {
        let Some(worker) = self.pick(context) else {
            return;
        };
        let body = if context.random.chance(50) {
            SwRequest::ClaimClients
        } else {
            SwRequest::SkipWaiting
        };
        context.request_service_workers(self.workers[&worker].client, body);
    }

    /// Some worker that runs.
    pub(crate) fn pick(&self, context: &mut Context) -> Option<WorkerId> {
        let is_running = |(_, worker): &(&WorkerId, &RunningWorker)| worker.stage == Stage::Running;
        let running: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(is_running)
            .map(|(id, _)| *id)
            .collect();
        (!running.is_empty()).then(|| *context.random.pick(&running))
    }

    /// Something happens in a worker, if it is still there.
    pub(crate) fn step(&mut self, context: &mut Context, worker: WorkerId, step: WorkerStep) {
        let Some(running) = self.workers.get_mut(&worker) else {
            return;
        };
        let is_stopping = running.stage == Stage::Stopping;
        if is_stopping && !matches!(step, WorkerStep::Stopped) {
            return;
        }
        context.note(|| format!("worker {worker}: {step:?}"));
        let (client, scope) = (running.client, running.scope);
        match step {
            WorkerStep::ScriptRan if running.event_types.iter().any(|word| word == "throw") => {
                let reason = "ReferenceError".to_owned();
                self.end(context, worker);
                report(context, WorkerHostEvent::StartFailed { worker, reason });
            }
            WorkerStep::ScriptRan => {
                running.stage = Stage::Running;
                let event_types = running.event_types.clone();
                report(
                    context,
                    WorkerHostEvent::Started {
                        worker,
                        event_types,
                    },
                );
            }
            WorkerStep::EventEnds(event, outcome) => {
                if running.events.remove(&event).is_some() {
                    context.model.handler_over(worker, event);
                    report(
                        context,
                        WorkerHostEvent::EventEnded {
                            worker,
                            event,
                            outcome,
                        },
                    );
                }
            }
            WorkerStep::FetchEnded(event) => {
                let arrived = fetch_ended(context, scope);
                if arrived && let Some(WorkerEvent::Sync { tag, .. }) = running.events.get(&event) {
                    let now = context.clock.elapsed();
                    context.deliveries.delivered(now, scope, tag);
                }
                let outcome = if arrived {
                    EventOutcome::Fulfilled
                } else {
                    rejected("TypeError: fetch failed")
                };
                self.step(context, worker, WorkerStep::EventEnds(event, outcome));
            }
            WorkerStep::Registers(SyncKind::OneShot, tag) => {
                context.request_sync(client, scope, SyncRequest::Register { tag });
            }
            WorkerStep::Registers(SyncKind::Periodic, tag) => {
                let min_interval = some_interval(&mut context.random);
                let body = SyncRequest::RegisterPeriodic { tag, min_interval };
                context.request_sync(client, scope, body);
            }
            WorkerStep::UnregistersPeriodic(tag) => {
                context.request_sync(client, scope, SyncRequest::UnregisterPeriodic { tag });
            }
            WorkerStep::Unregisters => {
                let scope = context.sites.scopes[scope].url.clone();
                context.request_service_workers(client, SwRequest::Unregister { scope });
            }
            WorkerStep::Crashes => {
                self.end(context, worker);
                let crash = Some("it ran out of memory".to_owned());
                report(context, WorkerHostEvent::Stopped { worker, crash });
            }
            WorkerStep::Stopped => {
                self.end(context, worker);
                let crash = None;
                report(context, WorkerHostEvent::Stopped { worker, crash });
            }
        }
    }

    fn end(&mut self, context: &mut Context, worker: WorkerId) {
        if let Some(running) = self.workers.remove(&worker) {
            context.model.worker_over(worker);
            context
                .to_service_workers
                .push_back(SwMessage::Detach(running.client));
        }
    }
}

/// A fetch of a worker ends now: the monitor is told what it has shown. Gives whether the server has
/// had the request.
fn fetch_ended(context: &mut Context, scope: ScopeIndex) -> bool {
    if context.network.emulated_offline {
        return false;
    }
    let origin = context.sites.scopes[scope].storage_key.clone();
    let fetched = context.internet.fetched(&origin);
    if let Some(outcome) = fetched.outcome {
        context
            .to_network
            .push_back(NetworkMessage::Fetch(origin, outcome));
    }
    fetched.arrived
}

/// The handler of a sync event begins, and does one thing or another.
fn plan_sync(context: &mut Context, worker: WorkerId, event: EventId, (scope, kind, tag): TagKey) {
    let weights = context.settings.handlers;
    let plan = if context.calm {
        Plan::Fulfil
    } else {
        context.random.weighted(&[
            (weights.fulfil, Plan::Fulfil),
            (weights.reject, Plan::Reject),
            (weights.fetch, Plan::Fetch),
            (weights.hang, Plan::Hang),
            (weights.crash, Plan::Crash),
            (weights.reregister, Plan::RegisterWhileFiring),
            (weights.reregister, Plan::RegisterAfterwards),
            (weights.unregister, Plan::Unregister),
        ])
    };
    let delay = context.random.up_to_millis(1_000);
    let ends_well = context.random.chance(60);
    let end = WorkerStep::EventEnds(
        event,
        if ends_well {
            EventOutcome::Fulfilled
        } else {
            rejected("the handler wants it so")
        },
    );
    let is_last = kind == SyncKind::Periodic && context.random.chance(30);
    let register = if is_last {
        WorkerStep::UnregistersPeriodic(tag)
    } else {
        WorkerStep::Registers(kind, tag)
    };
    let mut later = |delay, step| context.later(delay, Inside::Worker(worker, step));
    match plan {
        Plan::Fulfil => later(delay, WorkerStep::EventEnds(event, EventOutcome::Fulfilled)),
        Plan::Reject => later(delay, WorkerStep::EventEnds(event, rejected("no"))),
        Plan::Fetch => {
            let origin = &context.sites.scopes[scope].storage_key;
            let latency = context.internet.latency(origin, FetchKind::Fetch);
            context.later(
                latency,
                Inside::Worker(worker, WorkerStep::FetchEnded(event)),
            );
        }
        Plan::Hang => {}
        Plan::Crash => later(delay, WorkerStep::Crashes),
        Plan::RegisterWhileFiring => {
            later(delay, register);
            later(2 * delay, end);
        }
        Plan::RegisterAfterwards => {
            later(delay, end);
            later(delay + Duration::from_millis(20), register);
        }
        Plan::Unregister => {
            later(delay, WorkerStep::Unregisters);
            later(2 * delay, end);
        }
    }
}
