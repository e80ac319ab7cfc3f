//! The three examples of MDN's page on the API, as sites.
//!
//! <https://developer.mozilla.org/en-US/docs/Web/API/Background_Synchronization_API#examples>

use syncshell::ShellEvent;
use tempfile::tempdir;
use tests::{Reaction, ShellOptions, Site};

use crate::shell;

#[test]
fn a_page_requests_a_sync_and_its_worker_gets_the_event() {
    let site = Site::serve("mdn-request");
    let profile = tempdir().unwrap();
    let mut shell = shell(ShellOptions::profile(profile.path()).argument(&site.url("/")));
    // The page and its worker write to the console each on a thread of its own.
    let writes = |event: &ShellEvent, expected: &str| matches!(event, ShellEvent::Console { text, .. } if text == expected);
    shell.wait_for_all(
        "the sync",
        &[
            &|event| writes(event, "registered"),
            &|event| writes(event, "sync event for sync-messages, last chance: false"),
            &|event| matches!(event, ShellEvent::Sync { what, .. } if what == "completed"),
        ],
    );
    let (status, _) = shell.quit();
    assert!(status.success());
}

#[test]
fn a_run_that_ends_when_it_is_done_waits_for_the_page_to_register() {
    let site = Site::serve("mdn-request");
    let options = ShellOptions::default()
        .argument("--exit-when-done")
        .argument(&site.url("/"));
    let (status, events) = shell(options).wait_for_exit();
    assert!(status.success());
    let completed =
        |event: &ShellEvent| matches!(event, ShellEvent::Sync { what, .. } if what == "completed");
    assert!(events.iter().any(completed), "{events:#?}");
}

#[test]
fn a_page_checks_whether_a_tag_is_registered() {
    let site = Site::serve("mdn-tags");
    let profile = tempdir().unwrap();
    let mut shell = shell(ShellOptions::profile(profile.path()).argument(&site.url("/")));
    shell.wait_for_console("ready");

    shell.say("eval checkTag()");
    shell.wait_for_console("no sync of the messages is requested");

    shell.say("offline");
    shell.say("eval requestSync()");
    shell.wait_for_console("registered");
    shell.say("eval checkTag()");
    shell.wait_for_console("a sync of the messages is requested already");

    shell.say("online");
    shell.wait_for_sync("sync-messages", "completed");
    shell.say("eval checkTag()");
    shell.wait_for_console("no sync of the messages is requested");
    let (status, _) = shell.quit();
    assert!(status.success());
}

#[test]
fn a_worker_extends_its_sync_event_until_the_server_has_the_messages() {
    let site = Site::serve("mdn-listen");
    let profile = tempdir().unwrap();
    let mut shell = shell(ShellOptions::profile(profile.path()).argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell.say("offline");
    shell.say("eval registerTag('sync-messages')");
    shell.wait_for_sync("sync-messages", "held");
    assert_eq!(site.requests(), []);

    shell.say("close");
    shell.say("online");
    shell.wait_for_sync("sync-messages", "completed");
    let request = site.wait_for_request();
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/messages")
    );
    assert_eq!(request.body, "the outbox");
    let (status, _) = shell.quit();
    assert!(status.success());
}

#[test]
fn a_tag_that_the_worker_does_not_handle_is_done_at_once() {
    let site = Site::serve("mdn-listen");
    let profile = tempdir().unwrap();
    let mut shell = shell(ShellOptions::profile(profile.path()).argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell.say("eval registerTag('unheard-of')");
    shell.wait_for_sync("unheard-of", "completed");
    assert_eq!(site.requests(), []);
    let (status, _) = shell.quit();
    assert!(status.success());
}

#[test]
fn an_event_whose_promise_is_rejected_is_tried_again() {
    let site = Site::serve("mdn-listen");
    site.react(
        "/worker.js",
        Reaction::Body {
            content_type: "text/javascript",
            body: "self.addEventListener('sync', (event) => \
                   event.waitUntil(Promise.reject(new Error('not today'))));"
                .to_owned(),
        },
    );
    let profile = tempdir().unwrap();
    let mut shell = shell(ShellOptions::profile(profile.path()).argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell.say("eval registerTag('sync-messages')");
    shell.wait_for_sync("sync-messages", "finished");
    shell.wait_for_sync("sync-messages", "retry-scheduled");
    // Coming back online cuts the back-off short to less than a minute: the second attempt, and
    // then the last one.
    for marker in ["marker-1", "marker-2"] {
        shell.say("offline");
        // A sync that is held back shows that the sync manager has seen it.
        shell.say(&format!("eval registerTag('{marker}')"));
        shell.wait_for_sync(marker, "held");
        shell.say("online");
        shell.say("advance 1m");
        shell.wait_for_sync("sync-messages", "dispatched");
        shell.wait_for_sync("sync-messages", "finished");
    }
    shell.wait_for_sync("sync-messages", "dropped");
    let (status, _) = shell.quit();
    assert!(!status.success(), "a dropped sync is a failed run");
}
