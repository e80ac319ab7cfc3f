//! What a test may ask of the engine that a page cannot do: `test_driver`.

use std::time::Duration;

use base::StorageKey;
use network_traits::EmulationSessionId;
use serde::Deserialize;
use serde_json::{Value, json};
use sync_traits::{PermissionName, PermissionState};
use url::Url;

use super::engine::{TestEngine, tell};
use super::result::TestResult;
use super::supervisor::EngineMessage;
use crate::embedding::ask;
use crate::report::{ShellEvent, date};

/// The test's one session of emulated offline.
const OFFLINE_SESSION: EmulationSessionId = EmulationSessionId(1);

/// What a browser answers that cannot do what is asked.
pub(crate) const UNSUPPORTED: &str = "unsupported operation";

/// A call from a page.
#[derive(Deserialize)]
pub(crate) struct Call {
    /// What the answer names.
    #[serde(default)]
    pub(crate) id: Value,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) params: Value,
}

impl Call {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("a call that makes no sense: {error}"))
    }

    /// What the page's script that answers a call is.
    pub(crate) fn reply(&self, result: &Result<Value, String>) -> String {
        let reply = match result {
            Ok(result) => json!({ "id": self.id, "result": result }),
            Err(error) => json!({ "id": self.id, "error": error }),
        };
        format!("__wptDriverReply({reply})")
    }

    pub(crate) fn parameters<'a, T: Deserialize<'a>>(&'a self) -> Result<T, String> {
        T::deserialize(&self.params).map_err(|error| format!("{}: {error}", self.command))
    }
}

#[derive(Deserialize)]
pub(crate) struct SetPermission {
    pub(crate) descriptor: Descriptor,
    pub(crate) state: String,
    pub(crate) origin: Option<Url>,
}

#[derive(Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct SetNetworkConditions {
    pub(crate) offline: bool,
    pub(crate) scope: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct AdvanceTime {
    pub(crate) milliseconds: u64,
}

#[derive(Deserialize)]
pub(crate) struct Scope {
    pub(crate) scope: String,
}

#[derive(Deserialize)]
pub(crate) struct Restart {
    pub(crate) url: String,
}

impl TestEngine {
    /// Does what a page asks, and answers. An error is the end of the process.
    pub(super) fn take_call(&mut self, text: &str) -> Result<(), Option<TestResult>> {
        let call = Call::parse(text).map_err(|error| Some(TestResult::error(error)))?;
        match call.command.as_str() {
            "results" => {
                let report = call.parameters();
                return Self::results(report.map_err(|error| Some(TestResult::error(error)))?);
            }
            "restart" => {
                if let Ok(restart) = call
                    .parameters::<Restart>()
                    .and_then(|it| self.url(&it.url))
                {
                    let message = EngineMessage::Restart {
                        url: restart,
                        advanced: self.advanced,
                    };
                    let told = tell(&message).map_err(TestResult::error);
                    return Err(told.err());
                }
            }
            _ => {}
        }
        let result = self.obey(&call);
        self.evaluate(call.reply(&result));
        Ok(())
    }

    fn obey(&mut self, call: &Call) -> Result<Value, String> {
        match call.command.as_str() {
            "set_permission" => self.set_permission(&call.parameters()?),
            "set_network_conditions" => self.set_network_conditions(&call.parameters()?),
            "advance_time" => Ok(self.advance_time(&call.parameters()?)),
            "get_sync_log" => self.sync_log(&call.parameters()?),
            "stop_service_worker" => self.stop_service_worker(&call.parameters()?),
            "restart" => Err("restart needs the url of a page".to_owned()),
            _ => Err(UNSUPPORTED.to_owned()),
        }
    }

    /// A URL that a page gave, perhaps relative to the test.
    fn url(&self, text: &str) -> Result<Url, String> {
        self.url
            .join(text)
            .map_err(|error| format!("\"{text}\": {error}"))
    }

    fn set_permission(&self, parameters: &SetPermission) -> Result<Value, String> {
        let name: PermissionName = parameters
            .descriptor
            .name
            .parse()
            .map_err(|_| UNSUPPORTED.to_owned())?;
        let state = match parameters.state.as_str() {
            "granted" => PermissionState::Granted,
            "denied" => PermissionState::Denied,
            "prompt" => PermissionState::Prompt,
            other => return Err(format!("\"{other}\" is not the state of a permission")),
        };
        let origin = parameters.origin.as_ref().unwrap_or(&self.url);
        let origin = StorageKey::from_url(origin).map_err(|error| error.to_string())?;
        let permissions = self.engine.permissions();
        match ask(|done| permissions.set(&origin, name, state, done)) {
            Some(Ok(())) => Ok(Value::Null),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the engine has ended".to_owned()),
        }
    }

    fn set_network_conditions(&self, parameters: &SetNetworkConditions) -> Result<Value, String> {
        let network = &self.services.network;
        let offline = parameters.offline;
        let answer = match &parameters.scope {
            Some(scope) => {
                let scope = self.url(scope)?;
                let origin = StorageKey::from_url(&scope).map_err(|error| error.to_string())?;
                ask(|done| {
                    network.emulate_registration_offline(
                        OFFLINE_SESSION,
                        origin,
                        scope,
                        offline,
                        done,
                    );
                })
            }
            None => ask(|done| network.emulate_offline(OFFLINE_SESSION, offline, done)),
        };
        answer
            .map(|()| Value::Null)
            .ok_or_else(|| "the network monitor has ended".to_owned())
    }

    fn advance_time(&mut self, parameters: &AdvanceTime) -> Value {
        let moved = self
            .clock
            .advance(Duration::from_millis(parameters.milliseconds));
        self.advanced += u64::try_from(moved.as_millis()).unwrap_or(u64::MAX);
        self.engine.time_changed();
        self.services.event_loops.time_changed();
        Value::Null
    }

    fn stop_service_worker(&self, parameters: &Scope) -> Result<Value, String> {
        let scope = self.url(&parameters.scope)?;
        let origin = StorageKey::from_url(&scope).map_err(|error| error.to_string())?;
        let stopped = ask(|done| {
            // Without an answer there is no worker to stop.
            let _ = self
                .services
                .service_workers
                .stop_worker(origin, scope, done);
        });
        Ok(stopped.unwrap_or(false).into())
    }

    /// The entries of the event log about one registration, oldest first.
    fn sync_log(&self, parameters: &Scope) -> Result<Value, String> {
        let scope = self.url(&parameters.scope)?;
        let log = self.engine.sync_log()?;
        let entries = log.iter().filter(|entry| entry.scope == scope);
        let entries = entries.map(|entry| {
            let mut value = serde_json::to_value(ShellEvent::from_log(entry))?;
            value["time"] = date(entry.time).into();
            Ok(value)
        });
        let entries: Result<Vec<Value>, serde_json::Error> = entries.collect();
        entries.map(Value::Array).map_err(|error| error.to_string())
    }
}
