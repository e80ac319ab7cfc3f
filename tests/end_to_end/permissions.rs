//! Permissions are granted and denied while sites run, and outlive the engine.

use std::process::Command;

use syncshell::ShellEvent;
use tempfile::tempdir;
use tests::{ShellOptions, Site};

use crate::shell;

#[test]
fn a_page_hears_of_what_is_granted_and_denied() {
    let site = Site::serve("news");
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell.say("eval watchPermission('background-sync')");
    shell.wait_for_console("background-sync is granted");
    shell.say("eval watchPermission('periodic-background-sync')");
    shell.wait_for_console("periodic-background-sync is denied");

    shell.say("grant periodic-background-sync");
    shell.wait_for_console("periodic-background-sync is now granted");
    shell.say("deny background-sync");
    shell.wait_for_console("background-sync is now denied");
    shell.say("eval send('x')");
    shell.wait_for_console("not sending x: NotAllowedError");
    let (status, events) = shell.quit();
    assert!(status.success(), "{events:#?}");
}

#[test]
fn a_pending_sync_is_dropped_when_the_permission_is_denied() {
    let site = Site::serve("news");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut first = shell(options().argument(&site.url("/")));
    first.wait_for_console("ready");
    first.say("offline");
    first.say("eval send('x')");
    first.wait_for_console("sending x");
    first.decide("deny background-sync");
    first.kill();

    let mut next = shell(options().offline());
    next.decide("grant background-sync");
    let (answers, _) = next.why("x");
    assert_eq!(answers[0].state, None);
    next.say("online");
    next.quit();
    assert_eq!(site.requests(), []);
}

#[test]
fn what_was_decided_is_there_after_a_restart_and_belongs_to_one_origin() {
    let (site, other) = (Site::serve("news"), Site::serve("news"));
    let profile = tempdir().unwrap();
    let origin = site.url("");
    let options = || ShellOptions::profile(profile.path());
    let mut first = shell(
        options()
            .argument("--grant")
            .argument(&format!("periodic-background-sync={origin}")),
    );
    first.wait_for("the permission", |event| {
        matches!(event, ShellEvent::Permission { .. })
    });
    first.kill();

    let mut next = shell(options().argument(&other.url("/")));
    let told = next.wait_for("the permission", |event| {
        matches!(event, ShellEvent::Permission { .. })
    });
    assert_eq!(
        told,
        ShellEvent::Permission {
            name: "periodic-background-sync".to_owned(),
            origin: origin.clone(),
            state: "granted".to_owned(),
        }
    );
    next.wait_for_console("ready");
    next.say("eval subscribe('news')");
    next.wait_for_console("not subscribed to news");
    next.say(&format!("open {}", site.url("/")));
    next.wait_for_console("ready");
    next.say("eval subscribe('news')");
    next.wait_for_console("subscribed to news");
    next.quit();

    let output = Command::new(env!("CARGO_BIN_EXE_shell-under-test"))
        .args(["inspect", "--json", "--profile"])
        .arg(profile.path())
        .output()
        .unwrap();
    let contents: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(contents["permissions"][0]["origin"], origin.as_str());
    assert_eq!(contents["permissions"][0]["state"], "granted");
    assert_eq!(contents["syncs"][0]["kind"], "periodic");
    assert_eq!(contents["syncs"][0]["min_interval_ms"], 12 * 60 * 60 * 1000);
}

#[test]
fn a_permission_that_there_is_not_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_shell-under-test"))
        .args(["open", "--grant", "camera"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("periodic-background-sync"), "{text}");

    let mut shell = shell(ShellOptions::default());
    shell.say("grant camera");
    shell.say("grant background-sync");
    for expected in ["\"camera\" is not a permission", "there is no site yet"] {
        shell.wait_for(
            expected,
            |event| matches!(event, ShellEvent::Error { text } if text.contains(expected)),
        );
    }
}
