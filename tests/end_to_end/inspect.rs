use std::process::Command;

use tempfile::tempdir;
use tests::{ShellOptions, Site};

use crate::shell;

#[test]
fn a_profile_can_be_inspected_while_nothing_runs_on_it() {
    let site = Site::serve("kill");
    let profile = tempdir().unwrap();
    let mut shell = shell(ShellOptions::profile(profile.path()).argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell.say("offline");
    shell.say("eval registerTag('later')");
    shell.wait_for_console("registered later");
    shell.quit();

    let inspect = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_shell-under-test"))
            .arg("inspect")
            .arg("--profile")
            .arg(profile.path())
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let text = inspect(&[]);
    for part in [
        &site.url("/"),
        "worker.js",
        "later",
        "pending",
        "registered",
    ] {
        assert!(text.contains(part), "\"{part}\" is missing in:\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
    assert_eq!(json["syncs"][0]["tag"], "later");
    assert_eq!(json["syncs"][0]["state"], "pending");
    assert_eq!(json["registrations"][0]["scope"], site.url("/"));
    assert_eq!(json["log"][0]["what"], "registered");
}

#[test]
fn inspecting_what_is_not_there_fails_and_makes_nothing() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("missing");
    let output = Command::new(env!("CARGO_BIN_EXE_shell-under-test"))
        .args(["inspect", "--profile"])
        .arg(&missing)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing"));
    assert!(!missing.exists());
}
