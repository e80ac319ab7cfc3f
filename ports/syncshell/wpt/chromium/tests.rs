//! A session with a browser that is played: it answers every command, and says what a test lets it say.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use base::channel::{Receiver, unbounded};
use serde_json::{Value, json};

use super::super::result::{Status, TestResult};
use super::super::supervisor::Job;
use super::clock::Clock;
use super::devtools::DevTools;
use super::session::{Ended, Session};

const PAGE: &str = "the page";

/// The browser's end.
struct Browser {
    stream: UnixStream,
    commands: Receiver<Value>,
}

impl Browser {
    fn start() -> (Self, DevTools) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, commands) = unbounded();
        let mut answers = theirs.try_clone().unwrap();
        let input = BufReader::new(theirs.try_clone().unwrap());
        thread::spawn(move || {
            for command in input.split(0) {
                let command: Value = serde_json::from_slice(&command.unwrap()).unwrap();
                let result = match command["method"].as_str().unwrap() {
                    "Target.attachToTarget" => json!({ "sessionId": PAGE }),
                    _ => json!({}),
                };
                write(
                    &mut answers,
                    &json!({ "id": command["id"], "result": result }),
                );
                sender.send(command).unwrap();
            }
        });
        let devtools = DevTools::new(ours.try_clone().unwrap(), ours);
        let stream = theirs;
        (Self { stream, commands }, devtools)
    }

    fn say(&mut self, session: Option<&str>, method: &str, params: &Value) {
        let mut event = json!({ "method": method, "params": params });
        if let Some(session) = session {
            event["sessionId"] = session.into();
        }
        write(&mut self.stream, &event);
    }

    /// The page calls.
    fn call(&mut self, command: &str, params: &Value) {
        let payload = json!({ "id": 7, "command": command, "params": params }).to_string();
        let params = json!({ "name": "__wptDriver", "payload": payload });
        self.say(Some(PAGE), "Runtime.bindingCalled", &params);
    }

    fn results(&mut self) {
        self.call(
            "results",
            &json!({ "status": 0, "message": null, "subtests": [] }),
        );
    }

    fn worker(&mut self, scope: &str, running_status: &str) {
        let registration = json!({ "registrationId": scope, "scopeURL": scope });
        let params = json!({ "registrations": [registration] });
        self.say(
            Some(PAGE),
            "ServiceWorker.workerRegistrationUpdated",
            &params,
        );
        let version = json!({
            "versionId": format!("version of {scope}"), "registrationId": scope,
            "runningStatus": running_status, "status": "activated",
            "targetId": format!("target of {scope}"),
        });
        let params = json!({ "versions": [version] });
        self.say(Some(PAGE), "ServiceWorker.workerVersionUpdated", &params);
    }

    fn attached(&mut self, scope: &str) {
        let params = json!({
            "sessionId": format!("session of {scope}"),
            "targetInfo": { "targetId": format!("target of {scope}") },
        });
        self.say(None, "Target.attachedToTarget", &params);
    }

    /// What the browser was told, but for the first words of each session.
    fn told(&self) -> Vec<Value> {
        let mut told = Vec::new();
        while let Some(command) = self.commands.try_recv() {
            told.push(command);
        }
        let is_last = |command: &Value| command["method"] == "Page.navigate";
        let opened = told.iter().position(is_last).unwrap();
        told.split_off(opened + 1)
    }
}

fn write(stream: &mut UnixStream, message: &Value) {
    let mut bytes = message.to_string().into_bytes();
    bytes.push(0);
    stream.write_all(&bytes).unwrap();
}

fn job() -> Job {
    Job {
        url: "https://web-platform.test:8443/folder/test.html"
            .parse()
            .unwrap(),
        only_loads: false,
        time_limit: Duration::from_secs(60),
    }
}

/// Serve what the browser says, until a result.
fn serve(speak: impl FnOnce(&mut Browser)) -> (Ended, Vec<Value>) {
    let (mut browser, devtools) = Browser::start();
    let job = job();
    let mut clock = Clock::Fixed;
    let mut session = Session::new(devtools, &job, None, &mut clock);
    session.open(&[], Vec::new()).unwrap();
    speak(&mut browser);
    let ended = session.serve().unwrap();
    // The answer comes after all that was told before.
    session.call_page("Runtime.evaluate", json!({})).unwrap();
    let told = browser.told();
    (ended, told)
}

fn result(ended: Ended) -> TestResult {
    match ended {
        Ended::Result(result) => result,
        _ => panic!("there is a result"),
    }
}

fn methods(told: &[Value], session: &str) -> Vec<String> {
    let of_session = told
        .iter()
        .filter(|command| command["sessionId"] == session);
    of_session
        .map(|command| command["method"].as_str().unwrap().to_owned())
        .collect()
}

fn was_evaluated(told: &[Value], script: &str) -> bool {
    told.iter()
        .any(|command| command["params"]["expression"] == script)
}

#[test]
fn a_permission_is_set_for_the_origin_of_the_test() {
    let (_, told) = serve(|browser| {
        let params = json!({ "descriptor": { "name": "background-sync" }, "state": "denied" });
        browser.call("set_permission", &params);
        browser.results();
    });
    let set = told
        .iter()
        .find(|command| command["method"] == "Browser.setPermission")
        .unwrap();
    assert_eq!(
        set["params"],
        json!({
            "permission": { "name": "background-sync" }, "setting": "denied",
            "origin": "https://web-platform.test:8443",
        })
    );
    assert!(was_evaluated(
        &told,
        r#"__wptDriverReply({"id":7,"result":null})"#
    ));
}

#[test]
fn what_cannot_be_done_is_refused() {
    let (_, told) = serve(|browser| {
        browser.call("advance_time", &json!({ "milliseconds": 1 }));
        browser.call("get_sync_log", &json!({ "scope": "/" }));
        browser.results();
    });
    let refused = r#"__wptDriverReply({"error":"unsupported operation","id":7})"#;
    let refusals = told
        .iter()
        .filter(|command| command["params"]["expression"] == refused);
    assert_eq!(refusals.count(), 2);
}

#[test]
fn a_test_that_moves_the_clock_gets_a_browser_for_that() {
    let (mut browser, devtools) = Browser::start();
    let (job, mut clock) = (job(), Clock::Movable);
    let mut session = Session::new(devtools, &job, None, &mut clock);
    session.open(&[], Vec::new()).unwrap();
    browser.call("advance_time", &json!({ "milliseconds": 1 }));
    assert!(matches!(session.serve().unwrap(), Ended::NeedsClock));
}

#[test]
fn a_restart_names_the_next_page() {
    let (ended, _) = serve(|browser| browser.call("restart", &json!({ "url": "next.html?1" })));
    let Ended::Restart(url) = ended else {
        panic!("the browser is to be started again");
    };
    assert_eq!(
        url.as_str(),
        "https://web-platform.test:8443/folder/next.html?1"
    );
}

#[test]
fn permissions_are_set_again_after_a_restart() {
    let (browser, devtools) = Browser::start();
    let (job, mut clock) = (job(), Clock::Fixed);
    let mut session = Session::new(devtools, &job, None, &mut clock);
    let permission = json!({ "setting": "denied" });
    session.open(&[], vec![permission.clone()]).unwrap();
    let mut before_the_page = Vec::new();
    while let Some(command) = browser.commands.try_recv() {
        if command["method"] == "Page.navigate" {
            break;
        }
        before_the_page.push((command["method"].clone(), command["params"].clone()));
    }
    assert!(before_the_page.contains(&("Browser.setPermission".into(), permission.clone())));
    assert_eq!(session.permissions, [permission], "for the next restart");
}

#[test]
fn service_workers_are_offline_before_they_run() {
    let (_, told) = serve(|browser| {
        browser.call("set_network_conditions", &json!({ "offline": true }));
        browser.attached("a");
        browser.worker("a", "starting");
        browser.results();
    });
    assert_eq!(
        methods(&told, "session of a"),
        [
            "Network.enable",
            "Network.emulateNetworkConditions",
            "Runtime.runIfWaitingForDebugger"
        ]
    );
}

#[test]
fn one_registration_can_be_offline() {
    let scope = |name: &str| format!("https://web-platform.test:8443/folder/{name}");
    let (_, told) = serve(|browser| {
        let params = json!({ "offline": true, "scope": "a" });
        browser.call("set_network_conditions", &params);
        for name in ["a", "b"] {
            browser.attached(&scope(name));
            browser.worker(&scope(name), "starting");
        }
        browser.results();
    });
    let emulated = "Network.emulateNetworkConditions".to_owned();
    let told = |name: &str| methods(&told, &format!("session of {}", scope(name)));
    assert!(told("a").contains(&emulated));
    assert!(!told("b").contains(&emulated));
    assert_eq!(told("b").last().unwrap(), "Runtime.runIfWaitingForDebugger");
}

#[test]
fn the_worker_of_a_scope_has_stopped_when_that_is_answered() {
    let scope = "https://web-platform.test:8443/folder/a";
    let (_, told) = serve(|browser| {
        browser.worker(scope, "running");
        browser.call("stop_service_worker", &json!({ "scope": "a" }));
        browser.worker(scope, "stopping");
        // Answered after the one above, if that was answered too early.
        browser.call("get_sync_log", &json!({}));
        browser.worker(scope, "stopped");
        browser.results();
    });
    assert!(methods(&told, PAGE).contains(&"ServiceWorker.stopWorker".to_owned()));
    let place = |part: &str| {
        told.iter()
            .position(|command| {
                let script = command["params"]["expression"].as_str();
                script.is_some_and(|script| script.contains(part))
            })
            .unwrap()
    };
    assert!(place("unsupported") < place(r#""result":true"#));
}

#[test]
fn no_worker_is_stopped_where_none_runs() {
    let (_, told) = serve(|browser| {
        browser.worker("https://web-platform.test:8443/folder/a", "stopped");
        browser.call("stop_service_worker", &json!({ "scope": "a" }));
        browser.results();
    });
    assert!(was_evaluated(
        &told,
        r#"__wptDriverReply({"id":7,"result":false})"#
    ));
}

#[test]
fn a_crash_of_the_page_leaves_what_was_heard() {
    let (ended, _) = serve(|browser| {
        browser.call("subtest_begins", &"good".into());
        let good = json!({ "name": "good", "status": 0, "message": null });
        browser.call("subtest_ends", &good);
        browser.call("subtest_begins", &"deadly".into());
        browser.say(Some(PAGE), "Inspector.targetCrashed", &json!({}));
    });
    let result = result(ended);
    assert_eq!(result.status, Status::Crash);
    let subtests = result
        .subtests
        .iter()
        .map(|it| (it.name.as_str(), it.status));
    assert_eq!(
        subtests.collect::<Vec<_>>(),
        [("good", Status::Pass), ("deadly", Status::Crash)]
    );
}

#[test]
fn a_page_that_hangs_is_told_that_the_time_is_up() {
    let (mut browser, devtools) = Browser::start();
    let job = Job {
        time_limit: Duration::ZERO,
        ..job()
    };
    let mut clock = Clock::Fixed;
    let mut session = Session::new(devtools, &job, None, &mut clock);
    session.open(&[], Vec::new()).unwrap();
    browser.results();
    session.serve().unwrap();
    session.call_page("Runtime.evaluate", json!({})).unwrap();
    assert!(was_evaluated(
        &browser.told(),
        "__wptEndSubtest() || timeout()"
    ));
}

#[test]
fn the_end_of_the_browser_is_noticed() {
    let (browser, devtools) = Browser::start();
    let (job, mut clock) = (job(), Clock::Fixed);
    let mut session = Session::new(devtools, &job, None, &mut clock);
    session.open(&[], Vec::new()).unwrap();
    browser.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(session.serve().unwrap(), Ended::Disconnected));
}

#[test]
fn a_program_that_is_no_chromium_is_refused() {
    let find = |program: &str| super::find_program(Some(Path::new(program)));
    let error = find("/nowhere/chromium").unwrap_err();
    assert_eq!(error, "/nowhere/chromium is not a Chromium that runs here");
    assert!(find("false").is_err());
}
