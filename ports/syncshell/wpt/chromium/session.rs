//! A Chromium that runs a test.

use std::collections::VecDeque;
use std::mem;
use std::thread;
use std::time::Duration;

use base::channel::Received;
use serde_json::{Value, json};
use url::Url;

use super::super::driver::{
    AdvanceTime, Call, Restart, Scope, SetNetworkConditions, SetPermission, UNSUPPORTED,
};
use super::super::result::{HarnessReport, HarnessSubtest, Status, SubtestResult, TestResult};
use super::super::supervisor::{Job, keep};
use super::clock::Clock;
use super::devtools::{DevTools, Event};
use super::network::Network;
use super::workers::Workers;
use crate::clock::SystemClock;

/// What runs in each page before its own scripts; see there.
const WATCH: &str = include_str!("watch.js");

/// The function by which pages call.
const BINDING: &str = "__wptDriver";

/// How long the harness gets to report that the time is up.
const REPORT_TIME: Duration = Duration::from_secs(5);

/// How long it takes until all of Chromium knows of a change of the link: pages know at once, Background
/// Sync 1.5 seconds later. Until then it fires what is registered, and requests fail that are under
/// way when the browser has an address again.
const SETTLING_TIME: Duration = Duration::from_millis(2500);

/// What becomes of a browser.
pub(super) enum Ended {
    Result(TestResult),
    /// It is to be killed, and to go on with this page.
    Restart(Url),
    /// The test needs a clock that can be moved.
    NeedsClock,
    /// It says nothing any more.
    Disconnected,
}

/// What of the test has been heard.
#[derive(Default)]
struct Heard {
    subtests: Vec<SubtestResult>,
    /// The subtest that has begun and not ended.
    running: Option<String>,
    /// How many have begun.
    begun: usize,
    log: VecDeque<String>,
}

/// A browser with the test's page in it.
pub(super) struct Session<'a> {
    pub(super) devtools: DevTools,
    job: &'a Job,
    /// Without one, offline is emulated.
    pub(super) network: Option<&'a Network>,
    clock: &'a mut Clock,
    /// The session of the page.
    page: String,
    heard: Heard,
    /// What the test has set, as it is to be set again in the next browser.
    pub(super) permissions: Vec<Value>,
    pub(super) workers: Workers,
    pub(super) offline: bool,
    /// How long the test has waited for what it has asked of the browser.
    waited: Duration,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        devtools: DevTools,
        job: &'a Job,
        network: Option<&'a Network>,
        clock: &'a mut Clock,
    ) -> Self {
        Self {
            devtools,
            job,
            network,
            clock,
            page: String::new(),
            heard: Heard::default(),
            permissions: Vec::new(),
            workers: Workers::default(),
            offline: false,
            waited: Duration::ZERO,
        }
    }

    /// Open the page. The subtests with these names are left out.
    pub(super) fn open(
        &mut self,
        left_out: &[&str],
        permissions: Vec<Value>,
    ) -> Result<(), String> {
        let page = json!({ "url": "about:blank" });
        let target = self.devtools.call(None, "Target.createTarget", page)?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.devtools.call(None, "Target.attachToTarget", attach)?;
        self.page = text(&attached["sessionId"]);
        for method in [
            "Page.enable",
            "Runtime.enable",
            "Network.enable",
            "Inspector.enable",
            "ServiceWorker.enable",
        ] {
            self.call_page(method, json!({}))?;
        }
        self.call_page("Runtime.addBinding", json!({ "name": BINDING }))?;
        let source = format!("{}({})", WATCH.trim_end(), json!(left_out));
        let source = json!({ "source": source });
        self.call_page("Page.addScriptToEvaluateOnNewDocument", source)?;
        for params in permissions {
            self.change_permission(params)?;
        }
        if self.network.is_none() {
            self.attach_workers()?;
        }
        let loaded = self.call_page("Page.navigate", json!({ "url": self.job.url }))?;
        match loaded["errorText"].as_str() {
            Some(error) => Err(format!("{} was not loaded: {error}", self.job.url)),
            None => Ok(()),
        }
    }

    pub(super) fn call_page(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.devtools.call(Some(&self.page), method, params)
    }

    /// Until there is a result, or the browser is to be killed.
    ///
    /// Each subtest has the test's time; those that take longer are ended, so that the next ones get
    /// their turn.
    pub(super) fn serve(&mut self) -> Result<Ended, String> {
        let clock = SystemClock::new();
        let mut deadline = self.job.time_limit;
        let mut time_is_up = false;
        loop {
            let left = deadline.saturating_sub(clock.elapsed());
            if left.is_zero() {
                if time_is_up || self.job.only_loads {
                    return Ok(Ended::Result(self.result(Status::Timeout, None)));
                }
                time_is_up = true;
                deadline += REPORT_TIME;
                self.evaluate("__wptEndSubtest() || timeout()")?;
                continue;
            }
            match self.devtools.event(left) {
                Received::Message(event) => {
                    let before = self.heard.begun;
                    if let Some(ended) = self.take(&event)? {
                        return Ok(ended);
                    }
                    deadline += mem::take(&mut self.waited);
                    if self.heard.begun > before {
                        deadline = clock.elapsed() + self.job.time_limit;
                        time_is_up = false;
                    }
                }
                Received::TimedOut => {}
                Received::Disconnected => return Ok(Ended::Disconnected),
            }
        }
    }

    /// A result of what has been heard.
    fn result(&mut self, status: Status, message: Option<String>) -> TestResult {
        let heard = mem::take(&mut self.heard);
        let mut result = TestResult::new(status, message.clone());
        result.subtests = heard.subtests;
        if let Some(name) = heard.running {
            result.subtests.push(SubtestResult {
                name,
                status,
                message,
            });
        }
        result.log = heard.log.into();
        result
    }

    /// The page or the browser has crashed.
    pub(super) fn crash(&mut self, message: String) -> TestResult {
        self.result(Status::Crash, Some(message))
    }

    /// Without waiting for the value.
    pub(super) fn evaluate(&mut self, script: &str) -> Result<(), String> {
        let params = json!({ "expression": script });
        self.devtools
            .send(Some(&self.page), "Runtime.evaluate", params)
            .map(|_| ())
    }

    fn take(&mut self, event: &Event) -> Result<Option<Ended>, String> {
        let params = &event.params;
        let is_of_page = event.session.as_deref() == Some(&self.page);
        match event.method.as_str() {
            "Runtime.bindingCalled" if is_of_page => {
                return self.take_call(Call::parse(&text(&params["payload"]))?);
            }
            "Runtime.exceptionThrown" if is_of_page => {
                let details = &params["exceptionDetails"];
                let thrown = text(&details["exception"]["description"]);
                keep(&mut self.heard.log, format!("{} {thrown}", details["text"]));
            }
            "Inspector.targetCrashed" if is_of_page => {
                let result = self.crash("the page's process crashed".to_owned());
                return Ok(Some(Ended::Result(result)));
            }
            method => self.take_worker_event(method, params)?,
        }
        Ok(None)
    }

    fn take_call(&mut self, call: Call) -> Result<Option<Ended>, String> {
        match call.command.as_str() {
            "results" => {
                let report: HarnessReport = call.parameters()?;
                let log = mem::take(&mut self.heard.log).into();
                let result = TestResult {
                    log,
                    ..report.into()
                };
                return Ok(Some(Ended::Result(result)));
            }
            "loaded" if self.job.only_loads => {
                return Ok(Some(Ended::Result(self.result(Status::Pass, None))));
            }
            "loaded" => return Ok(None),
            "subtest_begins" => {
                self.heard.running = Some(text(&call.params));
                self.heard.begun += 1;
                return Ok(None);
            }
            "subtest_ends" => {
                let subtest = SubtestResult::from(call.parameters::<HarnessSubtest>()?);
                if self.heard.running.as_ref() == Some(&subtest.name) {
                    self.heard.running = None;
                }
                self.heard.subtests.push(subtest);
                return Ok(None);
            }
            "restart" => {
                if let Ok(restart) = call.parameters::<Restart>()
                    && let Ok(url) = self.job.url.join(&restart.url)
                {
                    return Ok(Some(Ended::Restart(url)));
                }
            }
            "advance_time" if matches!(self.clock, Clock::Movable) => {
                return Ok(Some(Ended::NeedsClock));
            }
            "stop_service_worker" => {
                if let Ok(scope) = call.parameters::<Scope>() {
                    self.stop_service_worker(call, &scope)?;
                    return Ok(None);
                }
            }
            _ => {}
        }
        let result = self.obey(&call);
        self.evaluate(&call.reply(&result))?;
        Ok(None)
    }

    fn obey(&mut self, call: &Call) -> Result<Value, String> {
        match call.command.as_str() {
            "set_permission" => self.set_permission(&call.parameters()?),
            "set_network_conditions" => self.set_network_conditions(&call.parameters()?),
            "advance_time" => self.advance_time(&call.parameters()?),
            _ => Err(UNSUPPORTED.to_owned()),
        }
    }

    fn advance_time(&mut self, parameters: &AdvanceTime) -> Result<Value, String> {
        let Clock::Moved(clock) = self.clock else {
            return Err(UNSUPPORTED.to_owned());
        };
        let settling = clock.advance(Duration::from_millis(parameters.milliseconds))?;
        self.wait(settling);
        // What waits for a time looks at the clock when it has something else to do.
        self.devtools.call(None, "Browser.getVersion", json!({}))?;
        self.call_page("Runtime.evaluate", json!({ "expression": "0" }))?;
        Ok(Value::Null)
    }

    fn set_permission(&mut self, parameters: &SetPermission) -> Result<Value, String> {
        let origin = parameters.origin.as_ref().unwrap_or(&self.job.url);
        self.change_permission(json!({
            "permission": { "name": parameters.descriptor.name },
            "setting": parameters.state,
            "origin": origin.origin().ascii_serialization(),
        }))
    }

    fn change_permission(&mut self, params: Value) -> Result<Value, String> {
        self.permissions.push(params.clone());
        self.devtools.call(None, "Browser.setPermission", params)?;
        Ok(Value::Null)
    }

    fn set_network_conditions(
        &mut self,
        parameters: &SetNetworkConditions,
    ) -> Result<Value, String> {
        let offline = parameters.offline;
        let Some(scope) = &parameters.scope else {
            self.offline = offline;
            if let Some(network) = self.network {
                network.set_link(!offline)?;
            } else {
                self.send_conditions(&self.page.clone(), offline)?;
                self.emulate_in_workers()?;
            }
            self.wait_until_noticed(offline)?;
            return Ok(Value::Null);
        };
        let scope = self.url(scope)?.to_string();
        if offline {
            // What is emulated is so as long as the worker runs.
            self.call_page("ServiceWorker.startWorker", json!({ "scopeURL": scope }))?;
            self.attach_workers()?;
            self.workers.offline_scopes.insert(scope);
        } else {
            self.workers.offline_scopes.remove(&scope);
        }
        self.emulate_in_workers()?;
        Ok(Value::Null)
    }

    /// A URL that a page gave, perhaps relative to the test.
    pub(super) fn url(&self, text: &str) -> Result<Url, String> {
        self.job
            .url
            .join(text)
            .map_err(|error| format!("\"{text}\": {error}"))
    }

    /// Chromium takes its time after a change of the network.
    fn wait_until_noticed(&mut self, offline: bool) -> Result<(), String> {
        let (online, event) = if offline {
            (false, "offline")
        } else {
            (true, "online")
        };
        let script = format!(
            "navigator.onLine === {online} || new Promise(resolve =>
                addEventListener('{event}', () => resolve(true), {{once: true}}))"
        );
        let params = json!({ "expression": script, "awaitPromise": true });
        self.call_page("Runtime.evaluate", params)?;
        if self.network.is_some() {
            self.wait(SETTLING_TIME);
        }
        Ok(())
    }

    /// This is not time that the test takes.
    fn wait(&mut self, duration: Duration) {
        thread::sleep(duration);
        self.waited += duration;
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
