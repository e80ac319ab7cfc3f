//! The service workers of a Chromium that runs a test: whose they are, which are offline, which are to
//! be stopped.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::driver::{Call, Scope};
use super::session::{Session, text};

/// What is known of service workers.
#[derive(Default)]
pub(super) struct Workers {
    /// The scopes of the registrations.
    scopes: BTreeMap<String, String>,
    versions: BTreeMap<String, Version>,
    /// Whether workers are attached, and wait at their start until they are let go.
    are_attached: bool,
    /// The target of each attached worker, by session.
    attached: BTreeMap<String, String>,
    /// Sessions of workers that wait.
    waiting: BTreeSet<String>,
    /// The scopes whose workers are offline.
    pub(super) offline_scopes: BTreeSet<String>,
    /// A call that is answered when these versions do not run any more.
    stopping: Option<(Call, BTreeSet<String>)>,
}

/// A version of a service worker, as Chromium calls it: a worker that may run or not.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    #[serde(rename = "versionId")]
    id: String,
    registration_id: String,
    running_status: String,
    status: String,
    target_id: Option<String>,
}

#[derive(Deserialize)]
struct Registration {
    #[serde(rename = "registrationId")]
    id: String,
    #[serde(rename = "scopeURL")]
    scope: String,
}

impl Workers {
    fn scope(&self, version: &Version) -> Option<&str> {
        let scope = self.scopes.get(&version.registration_id);
        scope.map(String::as_str)
    }

    /// The scope of the worker with this target, as soon as it is known.
    fn scope_of_target(&self, target: &str) -> Option<&str> {
        let is_it = |version: &&Version| version.target_id.as_deref() == Some(target);
        self.scope(self.versions.values().find(is_it)?)
    }

    /// Whether a worker is to be offline, though the browser is not.
    fn is_offline(&self, target: &str) -> bool {
        self.scope_of_target(target)
            .is_some_and(|scope| self.offline_scopes.contains(scope))
    }

    /// The active versions of a scope that run.
    fn active(&self, scope: &str) -> BTreeSet<String> {
        let versions = self.versions.values().filter(|version| {
            version.is_active() && version.runs() && self.scope(version) == Some(scope)
        });
        versions.map(|version| version.id.clone()).collect()
    }
}

impl Version {
    fn runs(&self) -> bool {
        matches!(self.running_status.as_str(), "starting" | "running")
    }

    fn has_stopped(&self) -> bool {
        self.running_status == "stopped"
    }

    fn is_active(&self) -> bool {
        matches!(self.status.as_str(), "activating" | "activated")
    }
}

impl Session<'_> {
    /// An event that may be about service workers.
    pub(super) fn take_worker_event(&mut self, method: &str, params: &Value) -> Result<(), String> {
        match method {
            "Target.attachedToTarget" => {
                let session = text(&params["sessionId"]);
                let target = text(&params["targetInfo"]["targetId"]);
                self.workers.attached.insert(session.clone(), target);
                self.workers.waiting.insert(session.clone());
                self.devtools
                    .send(Some(&session), "Network.enable", json!({}))?;
                self.let_workers_go()?;
            }
            "Target.detachedFromTarget" => {
                let session = text(&params["sessionId"]);
                self.workers.attached.remove(&session);
                self.workers.waiting.remove(&session);
            }
            "ServiceWorker.workerRegistrationUpdated" => {
                for registration in list::<Registration>(&params["registrations"]) {
                    let Registration { id, scope } = registration;
                    self.workers.scopes.insert(id, scope);
                }
            }
            "ServiceWorker.workerVersionUpdated" => {
                for version in list::<Version>(&params["versions"]) {
                    let id = version.id.clone();
                    self.workers.versions.insert(id, version);
                }
                self.let_workers_go()?;
                self.answer_when_stopped()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// From now on service workers are attached, those that run too.
    pub(super) fn attach_workers(&mut self) -> Result<(), String> {
        if self.workers.are_attached {
            return Ok(());
        }
        self.workers.are_attached = true;
        let params = json!({
            "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true,
            "filter": [{ "type": "service_worker" }],
        });
        self.devtools.call(None, "Target.setAutoAttach", params)?;
        for event in self.devtools.take_queued("Target.attachedToTarget") {
            self.take_worker_event(&event.method, &event.params)?;
        }
        Ok(())
    }

    /// Workers wait until it is known whose they are, and what is emulated is so.
    fn let_workers_go(&mut self) -> Result<(), String> {
        let by_scope = !self.workers.offline_scopes.is_empty();
        for session in self.workers.waiting.clone() {
            let target = self.workers.attached.get(&session);
            let known = target.is_some_and(|it| self.workers.scope_of_target(it).is_some());
            if by_scope && !known {
                continue;
            }
            let offline = target.is_some_and(|it| self.is_offline(it));
            if offline {
                self.send_conditions(&session, true)?;
            }
            self.devtools
                .send(Some(&session), "Runtime.runIfWaitingForDebugger", json!({}))?;
            self.workers.waiting.remove(&session);
        }
        Ok(())
    }

    /// Whether the network of this worker is to be cut by emulation.
    fn is_offline(&self, target: &str) -> bool {
        (self.network.is_none() && self.offline) || self.workers.is_offline(target)
    }

    pub(super) fn emulate_in_workers(&mut self) -> Result<(), String> {
        for (session, target) in self.workers.attached.clone() {
            let offline = self.is_offline(&target);
            self.send_conditions(&session, offline)?;
        }
        // The answer to something that comes after them says that all is so.
        self.call_page("Runtime.evaluate", json!({ "expression": "0" }))
            .map(|_| ())
    }

    pub(super) fn send_conditions(&mut self, session: &str, offline: bool) -> Result<(), String> {
        let params = json!({
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.devtools
            .send(Some(session), "Network.emulateNetworkConditions", params)
            .map(|_| ())
    }

    pub(super) fn stop_service_worker(&mut self, call: Call, scope: &Scope) -> Result<(), String> {
        let versions = match self.url(&scope.scope) {
            Ok(scope) => self.workers.active(scope.as_str()),
            Err(error) => return self.evaluate(&call.reply(&Err(error))),
        };
        if versions.is_empty() {
            return self.evaluate(&call.reply(&Ok(false.into())));
        }
        for version in &versions {
            let params = json!({ "versionId": version });
            // One that does not run any more cannot be stopped.
            let _ = self.call_page("ServiceWorker.stopWorker", params);
        }
        self.workers.stopping = Some((call, versions));
        self.answer_when_stopped()
    }

    fn answer_when_stopped(&mut self) -> Result<(), String> {
        let Some((call, versions)) = self.workers.stopping.take() else {
            return Ok(());
        };
        let has_stopped = |id: &String| {
            let version = self.workers.versions.get(id);
            version.is_none_or(Version::has_stopped)
        };
        if versions.iter().all(has_stopped) {
            return self.evaluate(&call.reply(&Ok(true.into())));
        }
        self.workers.stopping = Some((call, versions));
        Ok(())
    }
}

/// Those of a list that can be read.
fn list<T: DeserializeOwned>(values: &Value) -> Vec<T> {
    let values = values.as_array().into_iter().flatten();
    values
        .filter_map(|value| T::deserialize(value).ok())
        .collect()
}
