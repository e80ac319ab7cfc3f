//! The Update algorithm: load, check, compare, evaluate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::StorageKey;
use base::exception::{DomException, ErrorClass};
use base::ids::{RegistrationId, WorkerId};
use sw_traits::{
    LoadedScript, ScriptRequest, ScriptResource, ScriptResourceMap, ServiceWorkerState,
    UpdateViaCache, WorkerType,
};
use url::Url;

use crate::jobs::{Job, JobKey, JobType, Stage, UpdatedScripts};
use crate::machine::SwRegistrations;
use crate::model::{Registration, RunState, Worker, bytes_of};
use crate::output::Output;
use crate::script_checks::{is_javascript, max_scope};
use crate::stored::scripts_place;

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#update-algorithm>
    pub(crate) fn update(&mut self, key: &JobKey) {
        let Some(job) = self.first_job(key) else {
            return;
        };
        let kind = job.kind;
        let script_url = job.script_url.clone();
        // Step 1
        let Some(registration) = self.registration_at(&key.0, &key.1) else {
            // Step 2
            let message = format!("there is no service worker registration for {}", key.1);
            self.fail_job(key, DomException::type_error(message));
            return;
        };
        // Step 3
        let newest = registration
            .newest_worker()
            .and_then(|id| self.workers.get(&id));
        // Step 4
        if let Some(newest) = newest
            && kind == JobType::Update
            && Some(&newest.script_url) != script_url.as_ref()
        {
            let message = format!(
                "the script of {} has become {} while the update waited",
                key.1, newest.script_url
            );
            self.fail_job(key, DomException::type_error(message));
            return;
        }
        let workers = newest.map(|newest| newest.id).into_iter().collect();
        let update_via_cache = registration.update_via_cache;
        let stale = self.is_stale(registration);
        if let Some(job) = self.first_job(key) {
            job.stale = stale;
            // Only `register()` says anything about caches. What an update would keep may have been
            // changed while it waited.
            if kind == JobType::Update {
                job.update_via_cache = update_via_cache;
            }
        }
        // Steps 5 to 7 need the stored scripts to compare with.
        self.read_scripts_for_job(key, workers);
    }

    /// Go on with the first job once the scripts of these workers are in memory.
    pub(crate) fn read_scripts_for_job(&mut self, key: &JobKey, workers: BTreeSet<WorkerId>) {
        let missing: BTreeSet<WorkerId> = workers
            .into_iter()
            .filter(|id| {
                self.workers
                    .get(id)
                    .is_some_and(|worker| worker.scripts.is_none())
            })
            .collect();
        if missing.is_empty() {
            self.scripts_are_read(key);
            return;
        }
        for &worker in &missing {
            self.read_scripts(worker);
        }
        if let Some(job) = self.first_job(key) {
            job.stage = Stage::Reading(missing);
        }
    }

    fn scripts_are_read(&mut self, key: &JobKey) {
        match self.first_job(key).map(|job| job.kind) {
            Some(JobType::Register | JobType::Update) => self.load_main_script(key),
            Some(JobType::Unregister) => self.store_unregistration(key),
            None => {}
        }
    }

    /// Have the scripts of a worker read, unless they are on their way.
    pub(crate) fn read_scripts(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| !worker.reading) else {
            return;
        };
        let Some(registration) = self.registrations.get(&worker.registration) else {
            return;
        };
        worker.reading = true;
        let place = scripts_place(registration, worker);
        self.outputs
            .push_back(Output::ReadScripts { worker: id, place });
    }

    pub(crate) fn scripts_read(&mut self, id: WorkerId, result: Result<ScriptResourceMap, String>) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.reading) else {
            return;
        };
        worker.reading = false;
        let run = worker.run;
        let registration = worker.registration;
        let expected = worker.script_count;
        let script_url = worker.script_url.clone();
        let complete = result.and_then(|scripts| {
            let found = scripts.len();
            let is_complete = found == expected && scripts.contains_key(&script_url);
            is_complete
                .then_some(scripts)
                .ok_or_else(|| format!("{found} of {expected} are there"))
        });
        match complete {
            Ok(scripts) => {
                worker.scripts = Some(scripts);
                if run == RunState::Reading {
                    self.start_worker(id);
                }
            }
            Err(error) => {
                log::error!("the stored scripts of {script_url} cannot be read: {error}");
                if run == RunState::Reading {
                    self.start_failed(id, &format!("its stored scripts cannot be read: {error}"));
                }
                // The server may have them.
                self.soft_update(registration);
            }
        }
        self.go_on_after_reading(id);
        self.forget_unused_scripts(id);
    }

    /// Scripts that cannot be read differ from whatever the server has, so that an update heals
    /// them.
    fn go_on_after_reading(&mut self, id: WorkerId) {
        let Some(key) = self
            .workers
            .get(&id)
            .and_then(|worker| self.registrations.get(&worker.registration))
            .map(Registration::key)
        else {
            return;
        };
        if let Some(Job {
            stage: Stage::Reading(missing),
            ..
        }) = self.first_job(&key)
            && missing.remove(&id)
            && missing.is_empty()
        {
            self.scripts_are_read(&key);
        }
    }

    /// Step 7, the request of the fetch hook.
    fn load_main_script(&mut self, key: &JobKey) {
        let load = self.next_id();
        let Some(registration) = self.registration_at(&key.0, &key.1) else {
            return;
        };
        let is_update = registration.newest_worker().is_some();
        let Some(job) = self.first_job(key) else {
            return;
        };
        let bypass_cache = !job.uses_cache_for_main_script() || (is_update && job.stale);
        let Some(url) = job.script_url.clone() else {
            return;
        };
        let request = ScriptRequest {
            storage_key: key.0.clone(),
            url,
            worker_type: job.worker_type,
            referrer: job.referrer.clone(),
            is_top_level: true,
            bypass_cache,
        };
        job.stage = Stage::LoadingMain { load };
        self.loads.insert(load, key.clone());
        self.outputs.push_back(Output::LoadScript { load, request });
    }

    pub(crate) fn script_loaded(&mut self, load: u64, result: Result<LoadedScript, DomException>) {
        let Some(key) = self.loads.remove(&load) else {
            return;
        };
        match self.first_job(&key).map(|job| &job.stage) {
            Some(Stage::LoadingMain { load: expected }) if *expected == load => {
                match result.and_then(|loaded| self.check_main_script(&key, loaded)) {
                    Ok(script) => self.compare_main_script(&key, script),
                    Err(exception) => self.update_failed(&key, exception),
                }
            }
            Some(Stage::LoadingImports { .. }) => self.import_loaded(&key, load, result),
            _ => {}
        }
    }

    /// Step 7, the checks of the fetch hook.
    fn check_main_script(
        &mut self,
        key: &JobKey,
        loaded: LoadedScript,
    ) -> Result<ScriptResource, DomException> {
        let script = loaded.resource;
        if (300..400).contains(&loaded.status) {
            return Err(self.redirect_exception(key, &script.url));
        }
        if !(200..300).contains(&loaded.status) {
            return Err(DomException::type_error(format!(
                "the script {} was not loaded: the server answered with status {}",
                script.url, loaded.status
            )));
        }
        if !is_javascript(&script) {
            return Err(ErrorClass::Security.exception(format!(
                "the script {} has the MIME type \"{}\", which is not one of JavaScript",
                script.url,
                script.header("content-type").unwrap_or_default()
            )));
        }
        let max_scope = max_scope(&script)?;
        if !max_scope
            .as_deref()
            .is_some_and(|max_scope| key.1.path().starts_with(max_scope))
        {
            return Err(ErrorClass::Security.exception(format!(
                "the scope {} is not under {}, the widest that the script {} may have; move the \
                 script, or let the server send a Service-Worker-Allowed header",
                key.1,
                max_scope.as_deref().unwrap_or("its origin"),
                script.url
            )));
        }
        if !loaded.from_cache {
            self.set_last_update_check(key);
        }
        Ok(script)
    }

    /// The spec leaves both at the `TypeError` of a failed load; upstream's tests, and so the
    /// browsers, want `register()` to name what is a rule about security.
    fn redirect_exception(&mut self, key: &JobKey, script_url: &Url) -> DomException {
        let message = format!(
            "the server redirects {script_url}, which it may not do with a service worker's script"
        );
        match self.first_job(key).map(|job| job.kind) {
            Some(JobType::Register) => ErrorClass::Security.exception(message),
            _ => DomException::type_error(message),
        }
    }

    fn set_last_update_check(&mut self, key: &JobKey) {
        if let Some(id) = self.scopes.registration(&key.0, &key.1) {
            self.checked_with_server(id);
        }
    }

    /// A script came from the server, not from a cache.
    pub(crate) fn checked_with_server(&mut self, id: RegistrationId) {
        let now = self.now.wall;
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.last_update_check = Some(now);
        }
    }

    /// Whether what a worker imports has to be asked of the server.
    pub(crate) fn imports_bypass_cache(&self, worker: &Worker) -> bool {
        let Some(registration) = self.registrations.get(&worker.registration) else {
            return false;
        };
        let job = self
            .jobs
            .get(&registration.storage_key)
            .and_then(|queues| queues.get(&registration.scope)?.front())
            .filter(|_| worker.may_import());
        match job {
            Some(job) => !job.uses_cache_for_imports(),
            None => registration.update_via_cache == UpdateViaCache::None,
        }
    }

    /// Step 7, the comparison of the fetch hook.
    fn compare_main_script(&mut self, key: &JobKey, script: ScriptResource) {
        let Some(worker_type) = self.first_job(key).map(|job| job.worker_type) else {
            return;
        };
        let Some(registration) = self.registration_at(&key.0, &key.1) else {
            return;
        };
        let newest = registration
            .newest_worker()
            .and_then(|id| self.workers.get(&id));
        let stored = newest
            .filter(|newest| newest.script_url == script.url && newest.worker_type == worker_type)
            .and_then(|newest| newest.scripts.as_ref());
        let unchanged = stored
            .and_then(|scripts| scripts.get(&script.url))
            .is_some_and(|stored| stored.body == script.body);
        let imports: Vec<Url> = match stored {
            Some(stored) if unchanged => stored
                .keys()
                .filter(|url| **url != script.url)
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        let updated = UpdatedScripts {
            scripts: ScriptResourceMap::from([(script.url.clone(), script)]),
            unavailable: BTreeSet::new(),
            changed: !unchanged,
        };
        if bytes_of(&updated.scripts) > self.policy.max_scripts_per_worker.1 {
            self.give_up_loading(key);
        } else if imports.is_empty() {
            self.update_checked(key, updated);
        } else {
            self.load_imports(key, imports, updated);
        }
    }

    /// Step 7, the requests for imported scripts; as many as the worker has, which the policy
    /// bounds.
    fn load_imports(&mut self, key: &JobKey, imports: Vec<Url>, updated: UpdatedScripts) {
        let Some(job) = self.first_job(key) else {
            return;
        };
        let bypass_cache = !job.uses_cache_for_imports();
        let worker_type = job.worker_type;
        let referrer = job.referrer.clone();
        let mut outstanding = BTreeMap::new();
        for url in imports {
            let load = self.next_id();
            outstanding.insert(load, url.clone());
            self.loads.insert(load, key.clone());
            let request = ScriptRequest {
                storage_key: key.0.clone(),
                url,
                worker_type,
                referrer: referrer.clone(),
                is_top_level: false,
                bypass_cache,
            };
            self.outputs.push_back(Output::LoadScript { load, request });
        }
        if let Some(job) = self.first_job(key) {
            job.stage = Stage::LoadingImports {
                outstanding,
                updated,
            };
        }
    }

    fn import_loaded(
        &mut self,
        key: &JobKey,
        load: u64,
        result: Result<LoadedScript, DomException>,
    ) {
        let newest = self
            .registration_at(&key.0, &key.1)
            .and_then(Registration::newest_worker);
        let Some(Job {
            stage:
                Stage::LoadingImports {
                    outstanding,
                    updated,
                },
            ..
        }) = self
            .jobs
            .get_mut(&key.0)
            .and_then(|queues| queues.get_mut(&key.1))
            .and_then(VecDeque::front_mut)
        else {
            return;
        };
        let Some(url) = outstanding.remove(&load) else {
            return;
        };
        let stored = newest
            .and_then(|id| self.workers.get(&id))
            .and_then(|worker| worker.scripts.as_ref()?.get(&url));
        let is_good = |loaded: &LoadedScript| {
            (200..300).contains(&loaded.status) && is_javascript(&loaded.resource)
        };
        let mut asked_server = false;
        match result {
            Ok(loaded) if is_good(&loaded) => {
                asked_server = !loaded.from_cache;
                updated.changed |= stored.is_none_or(|stored| stored.body != loaded.resource.body);
                updated.scripts.insert(url, loaded.resource);
            }
            // A bad response does not count as a change. If there is one, then the new worker has to
            // do without this script, or does not start.
            _ => {
                updated.unavailable.insert(url);
            }
        }
        let is_too_large = bytes_of(&updated.scripts) > self.policy.max_scripts_per_worker.1;
        let finished = outstanding.is_empty().then(|| std::mem::take(updated));
        if asked_server {
            self.set_last_update_check(key);
        }
        if is_too_large {
            self.give_up_loading(key);
        } else if let Some(updated) = finished {
            self.update_checked(key, updated);
        }
    }

    /// A worker with more scripts than it may have is not made, and what is still on its way of them
    /// is not waited for.
    fn give_up_loading(&mut self, key: &JobKey) {
        let Some(job) = self.first_job(key) else {
            return;
        };
        for load in job.stage.loads() {
            self.loads.remove(&load);
        }
        let limit = self.policy.max_scripts_per_worker.1;
        let message = format!(
            "the scripts of {} have more than {limit} bytes together",
            key.1
        );
        self.update_failed(key, ErrorClass::Quota.exception(message));
    }

    /// Steps 9 to 15. (Step 8 is the host's: a module with a top-level await does not start.)
    fn update_checked(&mut self, key: &JobKey, updated: UpdatedScripts) {
        let Some(id) = self.scopes.registration(&key.0, &key.1) else {
            return;
        };
        let Some(job) = self.first_job(key) else {
            return;
        };
        if !updated.changed {
            // Step 9
            let update_via_cache = job.update_via_cache;
            self.change_update_via_cache(id, update_via_cache);
            self.refresh_record(id);
            self.resolve_with_registration(key);
            self.finish_job(key);
            return;
        }
        let worker_type = job.worker_type;
        let Some(script_url) = job.script_url.clone() else {
            return;
        };
        if let Err(exception) = self.check_room_for(&key.0, &updated.scripts) {
            self.update_failed(key, exception);
            return;
        }
        // Steps 10 to 13
        let worker = self.new_worker(id, key, script_url, worker_type, updated);
        if let Some(job) = self.first_job(key) {
            job.stage = Stage::Installing(worker);
        }
        // Step 14; step 15 follows when the host has answered.
        self.run_worker(worker);
    }

    /// Whether an origin may have these scripts too.
    fn check_room_for(
        &self,
        storage_key: &StorageKey,
        scripts: &ScriptResourceMap,
    ) -> Result<(), DomException> {
        let limit = self.policy.max_script_bytes_per_origin;
        let of_origin = self.script_bytes.get(storage_key).copied();
        let of_origin = of_origin.unwrap_or_default();
        if of_origin.saturating_add(bytes_of(scripts)) <= limit {
            return Ok(());
        }
        Err(ErrorClass::Quota.exception(format!(
            "the service workers of {storage_key} have scripts of {of_origin} bytes already, of {limit}"
        )))
    }

    /// Pages see it in the registration objects that they have.
    fn change_update_via_cache(&mut self, id: RegistrationId, update_via_cache: UpdateViaCache) {
        if let Some(registration) = self.registrations.get_mut(&id)
            && registration.update_via_cache != update_via_cache
        {
            registration.update_via_cache = update_via_cache;
            self.broadcast_registration(id);
        }
    }

    fn new_worker(
        &mut self,
        registration: RegistrationId,
        job: &JobKey,
        script_url: Url,
        worker_type: WorkerType,
        updated: UpdatedScripts,
    ) -> WorkerId {
        let scripts = updated.scripts;
        let id = WorkerId(self.next_id());
        let version = self
            .registrations
            .get_mut(&registration)
            .map_or(0, |registration| {
                registration.next_version += 1;
                registration.next_version - 1
            });
        let worker = Worker {
            script_count: scripts.len(),
            script_bytes: bytes_of(&scripts),
            unavailable_scripts: updated.unavailable,
            scripts: Some(scripts),
            evaluating_for: Some(job.clone()),
            ..Worker::new(
                id,
                (job.0.clone(), registration),
                version,
                (script_url, worker_type),
                ServiceWorkerState::Parsed,
            )
        };
        self.add_worker(worker);
        id
    }

    /// Reject the job, and forget the registration if it never had a worker.
    pub(crate) fn update_failed(&mut self, key: &JobKey, exception: DomException) {
        self.settle_job(key, Err(exception));
        self.forget_registration_without_worker(key);
        self.finish_job(key);
    }

    /// Such a registration was never stored. Who asked for it meanwhile has found one without workers.
    pub(crate) fn forget_registration_without_worker(&mut self, key: &JobKey) {
        if let Some(registration) = self.registration_at(&key.0, &key.1)
            && registration.newest_worker().is_none()
        {
            let id = registration.id;
            self.scopes.remove(&key.0, &key.1);
            self.registrations.remove(&id);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#dfn-stale-service-worker-registration>
    pub(crate) fn is_stale(&self, registration: &Registration) -> bool {
        registration
            .last_update_check
            .is_some_and(|last| self.now.wall.saturating_since(last) > self.policy.stale_after)
    }

    /// <https://w3c.github.io/ServiceWorker/#soft-update-algorithm>
    pub(crate) fn soft_update(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        if registration.unregistered || self.exiting {
            return;
        }
        // Step 1
        let Some(newest) = registration
            .newest_worker()
            .and_then(|id| self.workers.get(&id))
        else {
            return;
        };
        let key = registration.key();
        // A job that is under way checks for an update itself, or makes one pointless.
        let has_job = |queues: &BTreeMap<Url, VecDeque<Job>>| queues.contains_key(&key.1);
        if self.jobs.get(&key.0).is_some_and(has_job) {
            return;
        }
        // Steps 2 to 4
        let job = Job {
            script_url: Some(newest.script_url.clone()),
            worker_type: newest.worker_type,
            update_via_cache: registration.update_via_cache,
            ..Job::new(JobType::Update, None)
        };
        // Step 5: without a promise nothing can be refused.
        let _ = self.schedule_job(key, job);
    }

    pub(crate) fn soft_update_if_stale(&mut self, id: RegistrationId) {
        if self
            .registrations
            .get(&id)
            .is_some_and(|registration| self.is_stale(registration))
        {
            self.soft_update(id);
        }
    }
}
