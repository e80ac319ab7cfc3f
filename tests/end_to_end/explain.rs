//! Why has this tag not fired? And time that passes as fast as a developer likes.

use tests::{Reaction, Shell, ShellOptions, Site};

use crate::shell;

fn open(site: &Site) -> Shell {
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell
}

#[test]
fn offline_is_named_with_what_ends_it() {
    let site = Site::serve("kill");
    let mut shell = open(&site);
    shell.say("offline");
    shell.say("eval registerTag('later')");
    shell.wait_for_console("registered later");
    let (answers, text) = shell.why("later");
    assert_eq!(answers.len(), 1, "{text}");
    let answer = &answers[0];
    assert_eq!(answer.kind, "one-shot");
    assert_eq!(answer.scope, site.url("/"));
    assert_eq!(answer.state.as_deref(), Some("pending"));
    assert_eq!(answer.held_by[0].reason, "offline");
    assert!(
        answer.held_by[0].release.contains("command: online"),
        "{text}"
    );
    for part in [
        "\"later\"",
        "pending",
        "waiting for network",
        "command: online",
        "registered",
    ] {
        assert!(text.contains(part), "\"{part}\" is missing in: {text}");
    }

    shell.say("online");
    shell.wait_for_sync("later", "completed");
    let (answers, text) = shell.why("later");
    assert_eq!(answers[0].state, None);
    assert!(answers[0].held_by.is_empty());
    assert_eq!(answers[0].log.last().unwrap().what, "completed", "{text}");
}

#[test]
fn a_tag_that_was_never_registered_is_said_to_be_so() {
    let site = Site::serve("kill");
    let mut shell = open(&site);
    let (answers, text) = shell.why("unheard-of");
    assert_eq!(answers, []);
    assert!(
        text.contains("no sync with this tag is registered"),
        "{text}"
    );
    assert!(text.contains("grant periodic-background-sync"), "{text}");
    assert!(!text.contains("grant background-sync"), "{text}");
    let (status, _) = shell.quit();
    assert!(status.success(), "a question is no failure");
}

#[test]
fn a_back_off_is_over_when_the_clock_has_been_moved_past_it() {
    let site = Site::serve("kill");
    site.react("/deliveries/retry", Reaction::Status(500));
    let mut shell = open(&site);
    shell.say("eval registerTag('retry')");
    shell.wait_for_sync("retry", "retry-scheduled");
    let (answers, text) = shell.why("retry");
    let hold = &answers[0].held_by[0];
    assert_eq!(hold.reason, "back-off", "{text}");
    assert!(hold.release.contains("advance "), "{text}");
    assert_eq!(answers[0].attempts, Some(1));
    assert_eq!(site.requests().len(), 1);

    shell.say("advance 5m 30s");
    shell.wait_for_sync("retry", "retry-scheduled");
    assert_eq!(site.requests().len(), 1);

    site.react("/deliveries/retry", Reaction::Status(200));
    shell.say("advance 16m 30s");
    shell.wait_for_sync("retry", "completed");
    assert_eq!(site.requests().len(), 1);
}

#[test]
fn what_could_not_be_delivered_for_a_week_is_dropped() {
    let site = Site::serve("kill");
    let mut shell = open(&site);
    shell.say("offline");
    shell.say("eval registerTag('old')");
    shell.wait_for_console("registered old");
    shell.say("advance 6days 23h");
    assert_eq!(shell.why("old").0[0].state.as_deref(), Some("pending"));
    shell.say("advance 1h");
    shell.wait_for_sync("old", "dropped");
    let (answers, text) = shell.why("old");
    assert_eq!(answers[0].state, None);
    assert!(text.contains("it is too old"), "{text}");
}

#[test]
fn timers_of_pages_fire_when_the_clock_has_been_moved_past_them() {
    let site = Site::serve("kill");
    let mut shell = open(&site);
    shell.evaluate("setTimeout(() => console.log('an hour later'), 60 * 60 * 1000)");
    shell.say("advance 1h");
    shell.wait_for_console("an hour later");
    let before = shell.evaluate("performance.now() > 60 * 60 * 1000");
    assert_eq!(before, "true");
}
