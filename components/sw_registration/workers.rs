//! Starting and stopping workers, handing them events, and the limits of both.

use base::StorageKey;
use base::ids::{EventId, RegistrationId, WorkerId};
use sw_traits::{EventDispatch, EventOutcome, ScriptResource, ServiceWorkerState, WorkerHostEvent};
use url::Url;

use crate::machine::{SwRegistrations, Task};
use crate::model::{EventPurpose, InFlight, QueuedEvent, RunState, Worker};
use crate::output::{Output, WorkerStart};
use crate::timers::Timer;

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#run-service-worker-algorithm>
    pub(crate) fn run_worker(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        // Steps 1 and 2. One that is being stopped is started again when it has stopped.
        if worker.run != RunState::Stopped || worker.state == ServiceWorkerState::Redundant {
            return;
        }
        if worker.scripts.is_some() {
            self.start_worker(id);
        } else {
            worker.run = RunState::Reading;
            self.read_scripts(id);
        }
    }

    /// Tell the host to start a worker whose scripts are in memory.
    pub(crate) fn start_worker(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let Some(registration) = self.registrations.get(&worker.registration) else {
            return;
        };
        let storage_key = registration.storage_key.clone();
        let limit = self.policy.max_running_workers_per_origin;
        if self
            .running
            .get(&storage_key)
            .is_some_and(|count| *count >= limit)
        {
            let reason = format!("{limit} service workers of {storage_key} run already");
            self.start_failed(id, &reason);
            return;
        }
        let start = WorkerStart {
            worker: id,
            storage_key: storage_key.clone(),
            registration: self.registration_info(registration),
            script_url: worker.script_url.clone(),
            worker_type: worker.worker_type,
            scripts: worker.scripts.clone().unwrap_or_default(),
            may_import: self.takes_scripts(id),
            unavailable_scripts: worker.unavailable_scripts.clone(),
            imports_bypass_cache: self.imports_bypass_cache(worker),
        };
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.run = RunState::Starting;
            *self.running.entry(storage_key).or_default() += 1;
        }
        self.set_start_limit(id);
        self.outputs.push_back(Output::StartWorker(Box::new(start)));
    }

    /// The host runs a worker no more.
    fn set_stopped(&mut self, id: WorkerId) {
        // What waited for it to stop waits for it to start now.
        self.timers.stop(Timer::Start(id));
        self.uncount_running(id);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.run = RunState::Stopped;
        }
    }

    fn uncount_running(&mut self, id: WorkerId) {
        let worker = self.workers.get(&id);
        let Some(worker) = worker.filter(|worker| worker.run.takes_thread()) else {
            return;
        };
        if let Some(count) = self.running.get_mut(&worker.storage_key) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&worker.storage_key);
            }
        }
    }

    pub(crate) fn add_worker(&mut self, worker: Worker) {
        self.count_scripts(&worker.storage_key, 0, worker.script_bytes);
        self.workers.insert(worker.id, worker);
    }

    /// A worker is nobody's any more. When the host still runs it, it has been told to stop it.
    pub(crate) fn remove_worker(&mut self, id: WorkerId) {
        self.uncount_running(id);
        if let Some(worker) = self.workers.remove(&id) {
            self.count_scripts(&worker.storage_key, worker.script_bytes, 0);
        }
    }

    /// Have an event dispatched as soon as the worker runs.
    pub(crate) fn queue_event(&mut self, id: WorkerId, event: QueuedEvent) {
        let limit = self.policy.max_events_per_worker;
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let is_lifecycle = matches!(
            event.purpose,
            EventPurpose::Install(_) | EventPurpose::Activate
        );
        if worker.event_count() >= limit && !is_lifecycle {
            let reason = format!("{limit} events wait for the worker already");
            self.event_ended(id, event.purpose, EventOutcome::NotStarted { reason });
            return;
        }
        let waits_already = !worker.queue.is_empty();
        worker.queue.push_back(event);
        match worker.run {
            RunState::Running => self.dispatch_queued(id),
            // Events do not wait for ever for a host that cannot stop it.
            RunState::Stopping if !waits_already => self.set_start_limit(id),
            _ => self.run_worker(id),
        }
    }

    fn set_start_limit(&mut self, id: WorkerId) {
        let due = self.now.monotonic.saturating_add(self.policy.start_limit);
        self.timers.set(Timer::Start(id), due);
    }

    fn dispatch_queued(&mut self, id: WorkerId) {
        loop {
            let event_id = EventId(self.next_id());
            let Some(worker) = self.workers.get_mut(&id) else {
                return;
            };
            let Some(event) = worker.queue.pop_front() else {
                return;
            };
            worker.in_flight.insert(event_id);
            self.end_idleness(id);
            let due = self.now.monotonic.saturating_add(event.limit);
            self.timers.set(Timer::Event(event_id), due);
            let is_functional = matches!(event.purpose, EventPurpose::Functional(_));
            self.events.insert(
                event_id,
                InFlight {
                    worker: id,
                    purpose: event.purpose.clone(),
                    again: is_functional.then(|| event.clone()),
                },
            );
            let dispatch = EventDispatch {
                event: event_id,
                kind: event.event,
            };
            self.outputs.push_back(Output::DispatchEvent {
                worker: id,
                dispatch,
            });
            if let EventPurpose::Fetch(key) = event.purpose {
                self.fetch_dispatched(key, id, event_id);
            }
        }
    }

    pub(crate) fn host_event(&mut self, event: WorkerHostEvent) {
        match event {
            WorkerHostEvent::Started {
                worker,
                event_types,
            } => self.started(worker, event_types),
            WorkerHostEvent::StartFailed { worker, reason } => {
                match self.workers.get(&worker).map(|worker| worker.run) {
                    Some(RunState::Starting) => self.start_failed(worker, &reason),
                    // It was given up before the host said so.
                    Some(RunState::Stopping) => self.stopped(worker, None),
                    _ => {}
                }
            }
            WorkerHostEvent::ScriptImported {
                worker,
                resource,
                from_cache,
            } => self.script_imported(worker, resource, from_cache),
            WorkerHostEvent::StoredScriptUsed { worker, url } => {
                self.stored_script_used(worker, url);
            }
            WorkerHostEvent::EventEnded {
                worker,
                event,
                outcome,
            } => {
                let is_own = self
                    .events
                    .get(&event)
                    .is_some_and(|found| found.worker == worker);
                if is_own {
                    let newest = EventId(self.last_id);
                    if let Some(worker) = self.workers.get_mut(&worker) {
                        worker.alive_since = newest;
                    }
                    self.take_event(event, outcome);
                    self.after_event(worker);
                }
            }
            WorkerHostEvent::FetchAnswered {
                worker,
                event,
                answer,
            } => self.fetch_answered(worker, event, answer),
            WorkerHostEvent::Stopped { worker, crash } => self.stopped(worker, crash),
        }
    }

    fn started(&mut self, id: WorkerId, event_types: Vec<String>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.run != RunState::Starting {
            return;
        }
        worker.run = RunState::Running;
        // Listeners that are there after the first evaluation count, whatever comes later.
        worker
            .event_types
            .get_or_insert_with(|| bounded_event_types(event_types));
        let job = worker.evaluating_for.take();
        self.timers.stop(Timer::Start(id));
        self.dispatch_queued(id);
        if let Some(job) = job {
            self.install(&job, id);
        }
        self.after_event(id);
    }

    /// The worker could not be started: nothing that waits for it will happen.
    pub(crate) fn start_failed(&mut self, id: WorkerId, reason: &str) {
        self.timers.stop(Timer::Start(id));
        if self
            .workers
            .get(&id)
            .is_some_and(|worker| worker.run != RunState::Stopping)
        {
            self.set_stopped(id);
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let job = worker.evaluating_for.take();
        let queue = std::mem::take(&mut worker.queue);
        self.forget_unused_scripts(id);
        for event in queue {
            let reason = reason.to_owned();
            self.event_ended(id, event.purpose, EventOutcome::NotStarted { reason });
        }
        if let Some(job) = job {
            self.evaluation_failed(&job, id, reason);
        }
        self.after_event(id);
    }

    fn script_imported(&mut self, id: WorkerId, resource: ScriptResource, from_cache: bool) {
        let (max_scripts, max_bytes) = self.policy.max_scripts_per_worker;
        if !self.takes_scripts(id) {
            log::warn!("{} was imported too late to be kept", resource.url);
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let Some(scripts) = &mut worker.scripts else {
            return;
        };
        let before = worker.script_bytes;
        let bytes = before + resource.body.len() as u64;
        let of_origin = self.script_bytes.get(&worker.storage_key).copied();
        let max_more = self
            .policy
            .max_script_bytes_per_origin
            .saturating_sub(of_origin.unwrap_or_default());
        if scripts.contains_key(&resource.url) {
            return;
        }
        if scripts.len() >= max_scripts || bytes > max_bytes || bytes - before > max_more {
            // Without one of its scripts it could not start again.
            let reason = "it imports more scripts than a worker, or its origin, may have";
            self.stop_at_fault(id, reason);
            return;
        }
        worker.used_scripts.insert(resource.url.clone());
        scripts.insert(resource.url.clone(), resource);
        worker.script_count = scripts.len();
        worker.script_bytes = bytes;
        let registration = worker.registration;
        let storage_key = worker.storage_key.clone();
        self.count_scripts(&storage_key, before, bytes);
        if !from_cache {
            self.checked_with_server(registration);
        }
    }

    /// A worker had so many bytes of scripts, and has so many now.
    pub(crate) fn count_scripts(&mut self, storage_key: &StorageKey, before: u64, after: u64) {
        let of_origin = self.script_bytes.entry(storage_key.clone()).or_default();
        *of_origin = of_origin.saturating_sub(before).saturating_add(after);
        if *of_origin == 0 {
            self.script_bytes.remove(storage_key);
        }
    }

    /// Whether what a worker imports is kept: until the batch with its scripts is made.
    fn takes_scripts(&self, id: WorkerId) -> bool {
        self.workers.get(&id).is_some_and(|worker| {
            let registration = self.registrations.get(&worker.registration);
            worker.may_import() && registration.is_some_and(|found| found.storing != Some(id))
        })
    }

    fn stored_script_used(&mut self, id: WorkerId, url: Url) {
        if self.takes_scripts(id)
            && let Some(worker) = self.workers.get_mut(&id)
            && let Some(scripts) = &worker.scripts
            && scripts.contains_key(&url)
        {
            worker.used_scripts.insert(url);
        }
    }

    /// A worker did what it may not: everything that it does fails.
    fn stop_at_fault(&mut self, id: WorkerId, reason: &str) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.run == RunState::Starting {
            worker.run = RunState::Stopping;
            self.outputs.push_back(Output::TerminateWorker(id));
            self.start_failed(id, reason);
        } else {
            self.terminate_worker(id, reason);
        }
    }

    fn stopped(&mut self, id: WorkerId, crash: Option<String>) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let was = worker.run;
        let registration = worker.registration;
        let reason = crash.unwrap_or_else(|| "the worker ended".to_owned());
        match was {
            RunState::Stopped | RunState::Reading => return,
            RunState::Starting => {
                self.start_failed(id, &reason);
            }
            RunState::Running => {
                self.set_stopped(id);
                self.end_idleness(id);
                self.crash_events(id, &reason);
            }
            RunState::Stopping => self.set_stopped(id),
        }
        match self.workers.get(&id).map(|worker| worker.queue.is_empty()) {
            Some(true) => self.forget_unused_scripts(id),
            Some(false) => self.run_worker(id),
            None => {}
        }
        self.forget_redundant_worker(id);
        self.check_registration(registration);
    }

    /// The events in flight get no outcome from the host any more.
    fn crash_events(&mut self, id: WorkerId, reason: &str) {
        let in_flight = self
            .workers
            .get(&id)
            .map(|worker| worker.in_flight.clone())
            .unwrap_or_default();
        for event in in_flight {
            self.take_event(
                event,
                EventOutcome::Crashed {
                    reason: reason.to_owned(),
                },
            );
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#terminate-service-worker-algorithm>
    pub(crate) fn terminate_worker(&mut self, id: WorkerId, reason: &str) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let registration = worker.registration;
        match worker.run {
            RunState::Stopped | RunState::Stopping => {}
            RunState::Reading => worker.run = RunState::Stopped,
            RunState::Starting | RunState::Running => {
                worker.run = RunState::Stopping;
                self.timers.stop(Timer::Start(id));
                self.end_idleness(id);
                self.outputs.push_back(Output::TerminateWorker(id));
            }
        }
        // Step 1.3
        self.crash_events(id, reason);
        // Step 1.4: functional events go back to the registration, others are dropped.
        let queue = self
            .workers
            .get_mut(&id)
            .map(|worker| std::mem::take(&mut worker.queue))
            .unwrap_or_default();
        for event in queue {
            let registration = self.registrations.get_mut(&registration);
            if let (EventPurpose::Functional(_) | EventPurpose::Fetch(_), Some(registration)) =
                (&event.purpose, registration)
            {
                registration.functional_events.push_back(event);
            } else {
                let reason = reason.to_owned();
                self.event_ended(id, event.purpose, EventOutcome::Crashed { reason });
            }
        }
    }

    /// End an event in flight.
    fn take_event(&mut self, event: EventId, outcome: EventOutcome) {
        self.timers.stop(Timer::Event(event));
        let Some(InFlight {
            worker, purpose, ..
        }) = self.events.remove(&event)
        else {
            return;
        };
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.in_flight.remove(&event);
        }
        self.event_ended(worker, purpose, outcome);
    }

    fn event_ended(&mut self, id: WorkerId, purpose: EventPurpose, outcome: EventOutcome) {
        match purpose {
            EventPurpose::Install(job) => self.install_event_ended(&job, id, outcome),
            EventPurpose::Activate => self.activate_event_ended(id, &outcome),
            EventPurpose::Functional(token) => {
                self.event_done(token, outcome);
                self.update_after_functional_event(id);
            }
            EventPurpose::Fetch(key) => {
                self.fetch_event_ended(key, outcome);
                self.update_after_functional_event(id);
            }
            EventPurpose::Message => {
                if outcome != EventOutcome::Fulfilled {
                    log::warn!("a message to worker {id} was not handled: {outcome:?}");
                }
            }
        }
    }

    /// The last step of Fire Functional Event
    fn update_after_functional_event(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get(&id) {
            self.soft_update_if_stale(worker.registration);
        }
    }

    /// An event ended, or the worker has just started: it may be idle now, and what waited for its
    /// events may go on.
    fn after_event(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let registration = worker.registration;
        if worker.run == RunState::Running && worker.event_count() == 0 {
            self.begin_idleness(id);
        }
        self.check_registration(registration);
    }

    fn begin_idleness(&mut self, id: WorkerId) {
        self.end_idleness(id);
        let since = self.next_id();
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.idle_since = Some(since);
            self.idle.insert(since, id);
            let due = self.now.monotonic.saturating_add(self.policy.idle_limit);
            self.timers.set(Timer::Idle(id), due);
        }
    }

    fn end_idleness(&mut self, id: WorkerId) {
        self.timers.stop(Timer::Idle(id));
        let worker = self.workers.get_mut(&id);
        if let Some(since) = worker.and_then(|worker| worker.idle_since.take()) {
            self.idle.remove(&since);
        }
    }

    /// Of more idle workers than there may be, stop those that have been idle for longest.
    pub(crate) fn stop_idle_workers(&mut self) {
        while self.idle.len() > self.policy.max_idle_workers
            && let Some((_, id)) = self.idle.pop_first()
        {
            self.terminate_worker(id, "there were too many idle ones");
        }
    }

    fn check_registration(&mut self, registration: RegistrationId) {
        self.tasks.push_back(Task::TryClear(registration));
        self.tasks.push_back(Task::TryActivate(registration));
    }

    pub(crate) fn start_limit_over(&mut self, id: WorkerId) {
        let limit = self.policy.start_limit.as_secs();
        if self
            .workers
            .get(&id)
            .is_some_and(|worker| worker.run == RunState::Stopping)
        {
            self.start_failed(id, &format!("it was not stopped within {limit} s"));
        } else {
            let reason = format!("the script did not come to its end within {limit} s");
            self.stop_at_fault(id, &reason);
        }
    }

    pub(crate) fn event_limit_over(&mut self, event: EventId) {
        let Some(worker) = self.events.get(&event).map(|event| event.worker) else {
            return;
        };
        self.take_event(event, EventOutcome::TimedOut);
        let Some(found) = self.workers.get(&worker) else {
            return;
        };
        if found.event_count() == 0 {
            // Nothing else keeps it, and it may be stuck.
            self.terminate_worker(worker, "an event took too long");
        } else if found.alive_since < event {
            self.restart_hung_worker(worker);
        } else {
            self.outputs
                .push_back(Output::TimeOutEvent { worker, event });
        }
        self.after_event(worker);
    }

    /// All the time that an event may take, a worker ended none: it hangs, and would hang for ever
    /// if new events kept it. Those in flight are not to blame for that one, so that the functional
    /// ones are handed out again, with all their time, once it has been started again. A worker that
    /// only waits for something gets them twice.
    fn restart_hung_worker(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        for event in worker.in_flight.clone() {
            let again = self
                .events
                .get_mut(&event)
                .and_then(|found| found.again.take());
            if let Some(again) = again {
                worker.queue.push_back(again);
                worker.in_flight.remove(&event);
                self.events.remove(&event);
                self.timers.stop(Timer::Event(event));
            }
        }
        self.terminate_worker(id, "an event took too long, and no other ended meanwhile");
        // Step 1.4 of Terminate has put them into the queue of the registration.
        self.release_to_activated(id);
    }

    fn release_to_activated(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get(&id)
            && worker.state == ServiceWorkerState::Activated
        {
            self.release_functional_events(worker.registration);
        }
    }

    /// What waits for it is handed to it when it has been started again.
    pub(crate) fn stop_active_worker(&mut self, id: WorkerId) {
        self.terminate_worker(id, "it was stopped");
        self.release_to_activated(id);
        if let Some(worker) = self.workers.get(&id) {
            self.check_registration(worker.registration);
        }
    }

    pub(crate) fn idle_limit_over(&mut self, id: WorkerId) {
        if self
            .workers
            .get(&id)
            .is_some_and(|worker| worker.event_count() == 0)
        {
            self.terminate_worker(id, "it was idle");
        }
    }
}

/// A script may listen to events of as many types as it likes. What is kept of them is bounded, and
/// no event of ours has a name that long.
fn bounded_event_types(event_types: Vec<String>) -> Box<[String]> {
    const MAX_TYPES: usize = 1_000;
    const MAX_BYTES: usize = 64;
    event_types
        .into_iter()
        .filter(|event_type| event_type.len() <= MAX_BYTES)
        .take(MAX_TYPES)
        .collect()
}
