//! Job queues, and the jobs that register and unregister.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::StorageKey;
use base::exception::{DomException, DomExceptionName, ErrorClass};
use base::ids::{ClientId, RegistrationId, RequestId, WorkerId};
use sw_traits::{ScriptResourceMap, SwAnswer, SwNotification, UpdateViaCache, WorkerType};
use url::Url;

use crate::machine::{CommitPurpose, SwRegistrations, Task};
use crate::model::Registration;
use crate::records::removal_of_registration;
use crate::timers::Timer;

/// Which job queue: there is one for each scope of an origin.
pub(crate) type JobKey = (StorageKey, Url);

/// <https://w3c.github.io/ServiceWorker/#dfn-job-type>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobType {
    Register,
    Update,
    Unregister,
}

/// <https://w3c.github.io/ServiceWorker/#dfn-job>
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) kind: JobType,
    /// None for a job that unregisters.
    pub(crate) script_url: Option<Url>,
    pub(crate) worker_type: WorkerType,
    pub(crate) update_via_cache: UpdateViaCache,
    pub(crate) referrer: Option<Url>,
    /// Whether the registration was stale when the job was run: then no script of it comes from
    /// a cache. (The load of the main script is itself a check, so that the spec's own words leave
    /// its imports in the cache for ever.)
    pub(crate) stale: bool,
    /// The promises of this job and of those that are equivalent; none for a job that no client
    /// asked for. Bounded by `max_requests_per_origin`.
    pub(crate) promises: Vec<JobPromise>,
    pub(crate) settled: bool,
    pub(crate) stage: Stage,
}

/// A promise of a client, settled by an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobPromise {
    pub(crate) client: ClientId,
    pub(crate) request: RequestId,
}

/// How far the first job of a queue has come.
#[derive(Debug)]
pub(crate) enum Stage {
    Queued,
    /// The scripts of these workers are being read from the store.
    Reading(BTreeSet<WorkerId>),
    /// The main script is being loaded.
    LoadingMain {
        load: u64,
    },
    /// The main script is unchanged; the imported ones are being loaded.
    LoadingImports {
        outstanding: BTreeMap<u64, Url>,
        updated: UpdatedScripts,
    },
    /// The new worker is being evaluated, then installed, then stored.
    Installing(WorkerId),
    /// The removal is being stored.
    Unregistering,
}

/// What an update check has loaded.
#[derive(Debug, Default)]
pub(crate) struct UpdatedScripts {
    pub(crate) scripts: ScriptResourceMap,
    /// Those that could not be loaded any more.
    pub(crate) unavailable: BTreeSet<Url>,
    /// Whether any of them is not what is stored.
    pub(crate) changed: bool,
}

impl Stage {
    /// The loads that are on their way.
    pub(crate) fn loads(&self) -> Vec<u64> {
        match self {
            Self::LoadingMain { load } => vec![*load],
            Self::LoadingImports { outstanding, .. } => outstanding.keys().copied().collect(),
            Self::Queued | Self::Reading(_) | Self::Installing(_) | Self::Unregistering => {
                Vec::new()
            }
        }
    }
}

impl Job {
    /// <https://w3c.github.io/ServiceWorker/#create-job-algorithm>
    pub(crate) fn new(kind: JobType, promise: Option<JobPromise>) -> Self {
        Self {
            kind,
            script_url: None,
            worker_type: WorkerType::default(),
            update_via_cache: UpdateViaCache::default(),
            referrer: None,
            stale: false,
            promises: promise.into_iter().collect(),
            settled: false,
            stage: Stage::Queued,
        }
    }

    /// Whether the main script may come from a cache when the registration is not stale.
    ///
    /// The spec asks the registration, which gets the job's mode at the end; upstream's tests, and so
    /// the browsers, want `register()` to load by the mode that it is called with.
    pub(crate) fn uses_cache_for_main_script(&self) -> bool {
        self.update_via_cache == UpdateViaCache::All
    }

    /// Whether imported scripts may come from a cache.
    pub(crate) fn uses_cache_for_imports(&self) -> bool {
        self.update_via_cache != UpdateViaCache::None && !self.stale
    }

    /// <https://w3c.github.io/ServiceWorker/#dfn-job-equivalent>
    fn is_equivalent(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.kind == JobType::Unregister
                || (self.script_url == other.script_url
                    && self.worker_type == other.worker_type
                    && self.update_via_cache == other.update_via_cache))
    }
}

/// What a client passed to `register()`.
#[derive(Debug)]
pub(crate) struct RegisterOptions {
    pub(crate) scope: Option<Url>,
    pub(crate) script_url: Url,
    pub(crate) worker_type: WorkerType,
    pub(crate) update_via_cache: UpdateViaCache,
}

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#start-register-algorithm>
    pub(crate) fn start_register(
        &mut self,
        storage_key: StorageKey,
        referrer: Url,
        promise: JobPromise,
        options: RegisterOptions,
    ) -> Result<(), DomException> {
        // Steps 1 and 2: the client has parsed the script URL; its fragment says nothing.
        let mut script_url = options.script_url;
        script_url.set_fragment(None);
        // Steps 3 and 4
        self.check_url("script URL", &script_url)?;
        // Steps 5 to 7: without a scope, the folder of the script is the scope.
        let mut scope = match options.scope {
            Some(scope) => scope,
            None => script_url.join("./").map_err(|error| {
                DomException::type_error(format!(
                    "{script_url} has no folder to be a scope: {error}"
                ))
            })?,
        };
        scope.set_fragment(None);
        // Steps 8 and 9
        self.check_url("scope", &scope)?;
        // Steps 10 to 14
        let job = Job {
            script_url: Some(script_url),
            worker_type: options.worker_type,
            update_via_cache: options.update_via_cache,
            referrer: Some(referrer),
            ..Job::new(JobType::Register, Some(promise))
        };
        self.schedule_job((storage_key, scope), job)
    }

    /// Steps 3 and 4, or 8 and 9, of Start Register.
    fn check_url(&self, what: &str, url: &Url) -> Result<(), DomException> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(DomException::type_error(format!(
                "the {what} {url} has the scheme \"{}\"; only http and https are possible",
                url.scheme()
            )));
        }
        let path = url.path().to_ascii_lowercase();
        if let Some(escaped) = ["%2f", "%5c"]
            .into_iter()
            .find(|escaped| path.contains(escaped))
        {
            return Err(DomException::type_error(format!(
                "the path of the {what} {url} contains an escaped slash or backslash ({escaped})"
            )));
        }
        let limit = self.policy.max_url_bytes;
        if url.as_str().len() > limit {
            return Err(
                ErrorClass::Quota.exception(format!("the {what} has more than {limit} bytes"))
            );
        }
        Ok(())
    }

    /// <https://w3c.github.io/ServiceWorker/#schedule-job-algorithm>
    ///
    /// # Errors
    ///
    /// When too many requests of the origin wait already.
    pub(crate) fn schedule_job(&mut self, key: JobKey, job: Job) -> Result<(), DomException> {
        if !job.promises.is_empty() {
            self.count_unanswered(&key.0)?;
        }
        // Steps 1 to 4: the queue is there while it holds a job.
        let queues = self.jobs.entry(key.0.clone()).or_default();
        let queue = queues.entry(key.1.clone()).or_default();
        match queue.back_mut() {
            // Step 5
            None => {
                queue.push_back(job);
                self.tasks.push_back(Task::RunJob(key));
            }
            // Step 6: equivalent to the last one, unless that one's promise is settled.
            Some(last) if !last.settled && last.is_equivalent(&job) => {
                last.promises.extend(job.promises);
            }
            Some(_) => {
                queue.push_back(job);
                self.give_way(&key);
            }
        }
        Ok(())
    }

    /// A check for an update that nobody asked for does not hold up what somebody asks for: on a
    /// network that answers nothing it would take until the loader gives up.
    fn give_way(&mut self, key: &JobKey) {
        let Some(job) = self.first_job(key) else {
            return;
        };
        let is_loading = matches!(
            job.stage,
            Stage::Reading(_) | Stage::LoadingMain { .. } | Stage::LoadingImports { .. }
        );
        if !is_loading || job.settled || !job.promises.is_empty() {
            return;
        }
        for load in job.stage.loads() {
            self.loads.remove(&load);
        }
        self.finish_job(key);
        // The check is made later: a registration that changes nothing makes none.
        let next = self.first_job(key).map(|job| job.kind);
        if next == Some(JobType::Register)
            && let Some(registration) = self.scopes.registration(&key.0, &key.1)
        {
            let delay = self.policy.update_after_navigation.unwrap_or_default();
            let due = self.now.monotonic.saturating_add(delay);
            self.timers.set(Timer::Update(registration), due);
        }
    }

    pub(crate) fn count_unanswered(
        &mut self,
        storage_key: &StorageKey,
    ) -> Result<(), DomException> {
        let limit = self.policy.max_requests_per_origin;
        let count = self.unanswered.entry(storage_key.clone()).or_default();
        if *count >= limit {
            return Err(ErrorClass::Quota.exception(format!(
                "{storage_key} has {limit} unfinished service worker requests already"
            )));
        }
        *count += 1;
        Ok(())
    }

    pub(crate) fn uncount_unanswered(&mut self, storage_key: &StorageKey, answered: usize) {
        if let Some(count) = self.unanswered.get_mut(storage_key) {
            *count = count.saturating_sub(answered);
            if *count == 0 {
                self.unanswered.remove(storage_key);
            }
        }
    }

    pub(crate) fn first_job(&mut self, key: &JobKey) -> Option<&mut Job> {
        self.jobs.get_mut(&key.0)?.get_mut(&key.1)?.front_mut()
    }

    /// The job queues of an origin that hold a job.
    pub(crate) fn job_queues_of(&self, storage_key: &StorageKey) -> Vec<JobKey> {
        self.jobs
            .get(storage_key)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(|scope| (storage_key.clone(), scope.clone()))
            .collect()
    }

    fn remove_job_queue(&mut self, key: &JobKey) -> VecDeque<Job> {
        let Some(queues) = self.jobs.get_mut(&key.0) else {
            return VecDeque::new();
        };
        let queue = queues.remove(&key.1).unwrap_or_default();
        if queues.is_empty() {
            self.jobs.remove(&key.0);
        }
        queue
    }

    /// <https://w3c.github.io/ServiceWorker/#run-job-algorithm>
    pub(crate) fn run_job(&mut self, key: &JobKey) {
        if self.held.contains_key(&key.0) {
            return;
        }
        let Some(job) = self.first_job(key) else {
            return;
        };
        if !matches!(job.stage, Stage::Queued) {
            return;
        }
        match job.kind {
            JobType::Register => self.register(key),
            JobType::Update => self.update(key),
            JobType::Unregister => self.unregister(key),
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#finish-job-algorithm>
    pub(crate) fn finish_job(&mut self, key: &JobKey) {
        let queues = self.jobs.get_mut(&key.0);
        let Some(queue) = queues.and_then(|queues| queues.get_mut(&key.1)) else {
            return;
        };
        let finished = queue.pop_front();
        if queue.is_empty() {
            self.remove_job_queue(key);
        } else {
            self.tasks.push_back(Task::RunJob(key.clone()));
        }
        self.forget_scripts_in_memory(key);
        debug_assert!(
            finished.is_some_and(|job| job.settled || job.promises.is_empty()),
            "a job is settled before it is finished"
        );
    }

    /// A worker has stopped: what the store has of it is not kept in memory, unless a job of its
    /// registration may be about to compare or keep it. That is given back when the job is over.
    pub(crate) fn forget_unused_scripts(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let has_job = self
            .registrations
            .get(&worker.registration)
            .and_then(|found| self.jobs.get(&found.storage_key)?.get(&found.scope))
            .is_some();
        if !has_job {
            worker.forget_stored_scripts();
        }
    }

    /// Scripts that were read for a job are not kept for workers that do not run.
    fn forget_scripts_in_memory(&mut self, key: &JobKey) {
        let workers: Vec<WorkerId> = self
            .registration_at(&key.0, &key.1)
            .into_iter()
            .flat_map(Registration::workers)
            .collect();
        for worker in workers {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.forget_stored_scripts();
            }
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#resolve-job-promise-algorithm> and
    /// <https://w3c.github.io/ServiceWorker/#reject-job-promise-algorithm>
    pub(crate) fn settle_job(&mut self, key: &JobKey, result: Result<SwAnswer, DomException>) {
        let Some(job) = self.first_job(key).filter(|job| !job.settled) else {
            return;
        };
        job.settled = true;
        let promises = std::mem::take(&mut job.promises);
        self.uncount_unanswered(&key.0, promises.len());
        for promise in promises {
            self.answer(promise.client, promise.request, result.clone());
        }
    }

    pub(crate) fn resolve_with_registration(&mut self, key: &JobKey) {
        let answer = self.registration_answer(self.scopes.registration(&key.0, &key.1));
        self.settle_job(key, Ok(answer));
    }

    pub(crate) fn fail_job(&mut self, key: &JobKey, exception: DomException) {
        self.settle_job(key, Err(exception));
        self.finish_job(key);
    }

    /// <https://w3c.github.io/ServiceWorker/#register-algorithm>
    fn register(&mut self, key: &JobKey) {
        let Some(job) = self.first_job(key) else {
            return;
        };
        let worker_type = job.worker_type;
        let update_via_cache = job.update_via_cache;
        let script_url = job.script_url.clone();
        let Some(script_url) = script_url else {
            return;
        };
        let (storage_key, scope) = key;
        // Steps 1 to 3. The referrer's origin is that of the client's own storage key.
        if let Err(exception) = check_origins(storage_key, &script_url, scope) {
            self.fail_job(key, exception);
            return;
        }
        // Step 4
        if let Some(registration) = self.registration_at(storage_key, scope) {
            // Step 5: nothing to do when the newest worker is what is asked for.
            let newest = registration
                .newest_worker()
                .and_then(|id| self.workers.get(&id));
            if registration.update_via_cache == update_via_cache
                && newest.is_some_and(|newest| {
                    newest.script_url == script_url && newest.worker_type == worker_type
                })
            {
                self.resolve_with_registration(key);
                self.finish_job(key);
                return;
            }
        } else {
            // Step 6
            let limit = self.policy.max_registrations_per_origin;
            if self.scopes.count(storage_key) >= limit {
                let exception = ErrorClass::Quota.exception(format!(
                    "{storage_key} has {limit} service worker registrations already"
                ));
                self.fail_job(key, exception);
                return;
            }
            let ordinal = self.unused_ordinal();
            let registration = self.new_registration(storage_key.clone(), scope.clone(), ordinal);
            registration.update_via_cache = update_via_cache;
        }
        // Step 7
        self.update(key);
    }

    /// What the store still holds tells only about registrations that are still there. So that the
    /// ordinal of one that is gone is not used again after a restart, it is not less than the time.
    fn unused_ordinal(&self) -> u64 {
        let now = u64::try_from(self.now.wall.as_millis()).unwrap_or_default();
        self.next_ordinal.max(now)
    }

    /// <https://w3c.github.io/ServiceWorker/#unregister-algorithm>
    pub(crate) fn unregister(&mut self, key: &JobKey) {
        // Step 1
        let Some(registration) = self.registration_at(&key.0, &key.1) else {
            // Step 2
            self.settle_job(key, Ok(SwAnswer::Boolean(false)));
            self.finish_job(key);
            return;
        };
        let id = registration.id;
        // They live on for the clients that use them, and for their events; their scripts are about
        // to leave the store.
        let workers = registration.workers().collect();
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.being_removed = true;
        }
        self.timers.stop(Timer::Update(id));
        self.read_scripts_for_job(key, workers);
    }

    /// Before the registration leaves the map, its removal is made durable.
    pub(crate) fn store_unregistration(&mut self, key: &JobKey) {
        let Some(registration) = self.scopes.registration(&key.0, &key.1) else {
            return;
        };
        if let Some(job) = self.first_job(key) {
            job.stage = Stage::Unregistering;
        }
        let batch = removal_of_registration(&key.0, &key.1);
        let job = key.clone();
        self.commit(Ok(batch), CommitPurpose::Unregister { job, registration });
    }

    pub(crate) fn unregister_stored(
        &mut self,
        key: &JobKey,
        id: RegistrationId,
        result: Result<(), String>,
    ) {
        // The origin may have been cleared meanwhile, which aborts the job.
        let job_waits = self
            .first_job(key)
            .is_some_and(|job| matches!(job.stage, Stage::Unregistering));
        if let Err(error) = result {
            if !self.held.contains_key(&key.0) {
                self.registration_stays(id);
            }
            if job_waits {
                self.fail_job(key, ErrorClass::Store.exception(error));
            }
            return;
        }
        // Step 3
        self.take_from_map(id);
        // Step 4
        if job_waits {
            self.settle_job(key, Ok(SwAnswer::Boolean(true)));
        }
        // Step 5
        self.try_clear_registration(id);
        // What the removal held up.
        self.tasks.push_back(Task::TryActivate(id));
        // Step 6
        if job_waits {
            self.finish_job(key);
        }
    }

    /// Take a registration, which is not in the store any more, from the map.
    pub(crate) fn take_from_map(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else {
            return;
        };
        if registration.unregistered {
            return;
        }
        registration.unregistered = true;
        registration.stored_versions.clear();
        let (storage_key, scope) = registration.key();
        for worker in registration.workers() {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.is_stored = false;
            }
        }
        self.scopes.remove(&storage_key, &scope);
        self.notify(SwNotification::Unregistered { storage_key, scope });
    }

    /// End every job of an origin.
    pub(crate) fn abort_jobs(&mut self, storage_key: &StorageKey) {
        let keys = self.job_queues_of(storage_key);
        let exception = DomException::new(
            DomExceptionName::AbortError,
            format!("the service workers of {storage_key} were cleared"),
        );
        for key in keys {
            for job in self.remove_job_queue(&key) {
                self.uncount_unanswered(storage_key, job.promises.len());
                for promise in &job.promises {
                    self.answer(promise.client, promise.request, Err(exception.clone()));
                }
                for load in job.stage.loads() {
                    self.loads.remove(&load);
                }
                if let Stage::Installing(worker) = job.stage {
                    self.discard_new_worker(&key, worker);
                }
            }
            self.forget_registration_without_worker(&key);
            self.forget_scripts_in_memory(&key);
        }
    }
}

/// Steps 1 to 3 of Register.
fn check_origins(
    storage_key: &StorageKey,
    script_url: &Url,
    scope: &Url,
) -> Result<(), DomException> {
    let security = |message: String| Err(ErrorClass::Security.exception(message));
    // Step 1
    if !StorageKey::from_url(script_url).is_ok_and(|key| key.is_potentially_trustworthy()) {
        return security(format!(
            "{script_url} is not from a secure origin; use https or localhost"
        ));
    }
    // Step 2
    if !storage_key.contains(script_url) {
        return security(format!(
            "the script {script_url} is from another origin than the page, {storage_key}"
        ));
    }
    // Step 3
    if !storage_key.contains(scope) {
        return security(format!(
            "the scope {scope} is of another origin than the page, {storage_key}"
        ));
    }
    Ok(())
}
