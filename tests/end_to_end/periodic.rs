//! A news site whose service worker reads the news twice a day, with no page open.

use syncshell::ShellEvent;
use tempfile::tempdir;
use tests::{Shell, ShellOptions, Site};

use crate::shell;

const GRANT: &str = "periodic-background-sync";

/// A shell with the news site open, which may sync periodically.
fn open(options: ShellOptions, site: &Site) -> Shell {
    let mut shell = shell(
        options
            .argument("--grant")
            .argument(GRANT)
            .argument(&site.url("/")),
    );
    shell.wait_for_console("ready");
    shell
}

/// The tags that are registered, as the page sees them.
fn subscriptions(shell: &mut Shell) -> String {
    shell.say("eval listSubscriptions()");
    match shell.wait_for_console("subscriptions: ") {
        ShellEvent::Console { text, .. } => text.trim_start_matches("subscriptions: ").to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_news_are_read_twice_a_day_while_the_page_is_closed() {
    let site = Site::serve("news");
    let mut shell = open(ShellOptions::default(), &site);
    shell.say("eval subscribe('news')");
    shell.wait_for_console("subscribed to news");
    shell.close();

    shell.say("advance 11h 59m");
    let (answers, _) = shell.why("news");
    assert_eq!(answers[0].held_by[0].reason, "not-due");
    assert_eq!(site.requests(), [], "it is too early");

    shell.say("advance 1m");
    shell.wait_for_sync("news", "completed");
    let read = site.wait_for_request();
    assert_eq!(
        (read.path.as_str(), read.body.as_str()),
        ("/read/news", "A link came up")
    );

    // Some time passes between the start of an event and the end of it.
    shell.say("advance 12h 1m");
    shell.wait_for_sync("news", "completed");
    assert_eq!(site.wait_for_request().path, "/read/news");
    let (status, events) = shell.quit();
    assert!(status.success(), "{events:#?}");
    assert_eq!(site.requests(), []);
}

#[test]
fn a_periodic_sync_survives_a_killed_engine() {
    let site = Site::serve("news");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut first = open(options(), &site);
    first.say("eval subscribe('news')");
    first.wait_for_console("subscribed to news");
    first.kill();

    let mut early = shell(options());
    assert_eq!(early.why("news").0[0].held_by[0].reason, "not-due");
    early.kill();

    let mut next = shell(options().argument("--advance").argument("12h 1m"));
    next.wait_for_sync("news", "completed");
    assert_eq!(site.wait_for_request().path, "/read/news");
    next.quit();
    assert_eq!(site.requests(), []);
}

#[test]
fn without_the_permission_a_page_cannot_register() {
    let site = Site::serve("news");
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for_console("ready");
    shell.say("eval subscribe('news')");
    shell.wait_for_console("not subscribed to news: NotAllowedError");
    assert_eq!(subscriptions(&mut shell), "");

    shell.decide("grant periodic-background-sync");
    shell.say("eval subscribe('news')");
    shell.wait_for_console("subscribed to news");
}

#[test]
fn what_was_revoked_does_not_come_back() {
    let site = Site::serve("news");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut first = open(options(), &site);
    first.say("eval subscribe('news')");
    first.wait_for_console("subscribed to news");
    first.decide("deny periodic-background-sync");
    assert_eq!(subscriptions(&mut first), "");
    first.kill();

    let mut next = open(options(), &site);
    assert_eq!(subscriptions(&mut next), "");
    next.say("advance 7days");
    let (answers, _) = next.why("news");
    assert_eq!(answers[0].state, None);
    assert_eq!(answers[0].log.last().unwrap().what, "dropped");
    next.quit();
    assert_eq!(site.requests(), []);
}

#[test]
fn a_handler_that_registers_itself_again_waits_for_its_next_time() {
    let site = Site::serve("news");
    let mut shell = open(ShellOptions::default(), &site);
    shell.say("eval subscribe('again')");
    shell.wait_for_console("subscribed to again");
    shell.say("advance 12h");
    shell.wait_for_sync("again", "completed");
    let (answers, _) = shell.why("again");
    assert_eq!(answers[0].state.as_deref(), Some("pending"));
    assert_eq!(answers[0].held_by[0].reason, "not-due");
    let (_, events) = shell.quit();
    assert_eq!(site.requests().len(), 1, "{events:#?}");
}

#[test]
fn a_handler_that_unregisters_itself_is_quiet() {
    let site = Site::serve("news");
    let mut shell = open(ShellOptions::default(), &site);
    shell.say("eval subscribe('last')");
    shell.wait_for_console("subscribed to last");
    shell.say("advance 12h");
    shell.wait_for_sync("last", "unregistered");
    assert_eq!(site.wait_for_request().path, "/read/last");
    assert_eq!(subscriptions(&mut shell), "");
    shell.say("advance 7days");
    assert_eq!(subscriptions(&mut shell), "");
    let (status, events) = shell.quit();
    assert!(status.success(), "{events:#?}");
    assert_eq!(site.requests(), []);
}

#[test]
fn a_page_unregisters_what_it_registered() {
    let site = Site::serve("news");
    let mut shell = open(ShellOptions::default(), &site);
    shell.say("eval subscribe('a').then(() => subscribe('b'))");
    shell.wait_for_console("subscribed to b");
    assert_eq!(subscriptions(&mut shell), "a,b");
    shell.say("eval unsubscribe('a')");
    shell.wait_for_console("unsubscribed from a");
    assert_eq!(subscriptions(&mut shell), "b");
    shell.say("advance 12h");
    shell.wait_for_sync("b", "completed");
    shell.quit();
    let paths: Vec<String> = site.requests().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/read/b"]);
}

#[test]
fn a_one_shot_and_a_periodic_sync_may_have_the_same_tag() {
    let site = Site::serve("news");
    let mut shell = open(ShellOptions::default(), &site);
    shell.say("eval subscribe('news')");
    shell.wait_for_console("subscribed to news");
    shell.say("eval send('news')");
    shell.wait_for_sync("news", "completed");
    assert_eq!(site.wait_for_request().path, "/sent/news");
    assert_eq!(subscriptions(&mut shell), "news");
    let (answers, _) = shell.why("news");
    let states: Vec<_> = answers
        .iter()
        .map(|answer| (answer.kind.as_str(), answer.state.as_deref()))
        .collect();
    assert_eq!(states, [("one-shot", None), ("periodic", Some("pending"))]);

    shell.say("advance 12h");
    shell.wait_for_sync("news", "completed");
    assert_eq!(site.wait_for_request().path, "/read/news");
}

#[test]
fn what_comes_due_offline_waits_for_the_network() {
    let site = Site::serve("news");
    let mut shell = open(ShellOptions::default(), &site);
    shell.say("eval subscribe('news')");
    shell.wait_for_console("subscribed to news");
    shell.close();
    shell.say("offline");
    shell.say("advance 12h");
    let (answers, text) = shell.why("news");
    assert_eq!(answers[0].held_by[0].reason, "offline", "{text}");
    assert_eq!(site.requests(), []);
    shell.say("online");
    shell.wait_for_sync("news", "completed");
    assert_eq!(site.wait_for_request().path, "/read/news");
}
