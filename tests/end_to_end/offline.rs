//! One service worker is cut off from the network, and everybody else is not.

use syncshell::ShellEvent;
use tests::{Reaction, Shell, ShellOptions, Site};

use crate::shell;

fn is_offline(event: &ShellEvent) -> bool {
    matches!(event, ShellEvent::RegistrationNetwork { online: false, .. })
}

fn open(site: &Site, options: ShellOptions) -> (Shell, String) {
    let scope = site.url("/");
    let mut shell = shell(options.argument(&scope));
    shell.wait_for_console("ready");
    (shell, scope)
}

#[test]
fn a_service_worker_that_is_cut_off_gets_its_syncs_afterwards() {
    let site = Site::serve("kill");
    let (mut shell, scope) = open(&site, ShellOptions::default());
    shell.say(&format!("offline {scope}"));
    shell.wait_for("the worker to be offline", is_offline);
    shell.say("eval registerTag('held')");
    shell.wait_for_sync("held", "held");
    let (answers, text) = shell.why("held");
    assert_eq!(answers[0].held_by[0].reason, "offline");
    assert!(text.contains(&format!("online {scope}")), "{text}");

    assert_eq!(shell.evaluate("navigator.onLine"), "true");
    shell.say("eval fetch('/of-the-page', { method: 'POST', body: 'page' }).then(String)");
    assert_eq!(site.wait_for_request().path, "/of-the-page");

    shell.say(&format!("online {scope}"));
    shell.wait_for_sync("held", "completed");
    assert_eq!(site.wait_for_request().body, "held");
    let (status, events) = shell.quit();
    assert!(status.success(), "{events:#?}");
}

#[test]
fn a_fetch_of_a_service_worker_that_is_cut_off_fails_and_is_not_counted() {
    let site = Site::serve("kill");
    site.react("/deliveries/slow", Reaction::Hang);
    let (mut shell, scope) = open(&site, ShellOptions::default());
    shell.say("eval registerTag('slow')");
    assert_eq!(site.wait_for_request().body, "slow");
    shell.say(&format!("offline {scope}"));
    let finished = shell.wait_for_sync("slow", "finished");
    let ShellEvent::Sync { failed, text, .. } = finished else {
        panic!("{finished:?}");
    };
    assert!(failed && text.contains("not counted"), "{text}");
    site.react("/deliveries/slow", Reaction::Status(200));
    shell.say(&format!("online {scope}"));
    shell.wait_for_sync("slow", "completed");
    assert_eq!(site.wait_for_request().body, "slow");
    let (status, events) = shell.quit();
    assert!(status.success(), "{events:#?}");
}

#[test]
fn periodic_syncs_of_a_service_worker_that_is_cut_off_wait_too() {
    let site = Site::serve("news");
    let options = ShellOptions::default()
        .argument("--grant")
        .argument("periodic-background-sync");
    let (mut shell, scope) = open(&site, options);
    shell.say("eval subscribe('news')");
    shell.wait_for_console("subscribed to news");
    shell.say(&format!("offline {scope}"));
    shell.wait_for("the worker to be offline", is_offline);
    shell.say("advance 12h 1m");
    let (answers, _) = shell.why("news");
    assert_eq!(answers[0].held_by[0].reason, "offline");
    assert_eq!(site.requests(), []);
    shell.say(&format!("online {scope}"));
    shell.wait_for_sync("news", "completed");
    assert_eq!(site.wait_for_request().path, "/read/news");
    shell.quit();
}

#[test]
fn a_scope_that_no_service_worker_has_is_told_with_those_that_there_are() {
    let site = Site::serve("kill");
    let (mut shell, scope) = open(&site, ShellOptions::default());
    shell.say(&format!("offline {scope}nothing/"));
    let error = shell.wait_for("an error", |event| {
        matches!(event, ShellEvent::Error { .. })
    });
    let ShellEvent::Error { text } = error else {
        panic!("{error:?}");
    };
    assert!(text.ends_with(&format!("there are: {scope}")), "{text}");
    let (status, _) = shell.quit();
    assert!(!status.success());
}
