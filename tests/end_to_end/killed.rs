//! The engine is killed at each step of the way of a registration; what does the next start do?

use tempfile::tempdir;
use tests::{Reaction, ShellOptions, Site};

use crate::shell;

#[test]
fn killed_before_the_answer_the_sync_is_stored_whole_or_not_at_all() {
    let site = Site::serve("kill");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut first = shell(options().argument(&site.url("/")));
    first.wait_for_console("ready");
    first.quit();

    for round in 0..10 {
        let tag = format!("round-{round}");
        let mut killed = shell(options().argument(&site.url("/")));
        killed.wait_for_console("ready");
        killed.say("offline");
        killed.say(&format!("eval registerTag('{tag}')"));
        killed.wait_for_console(&format!("registering {tag}"));
        killed.kill();

        let next = shell(options().argument("--exit-when-done"));
        let (status, events) = next.wait_for_exit();
        assert!(status.success(), "round {round}: {events:#?}");
        let deliveries = site.requests();
        assert!(deliveries.len() <= 1, "round {round}: {deliveries:?}");
        assert!(
            deliveries.iter().all(|delivery| delivery.body == tag),
            "{deliveries:?}"
        );
    }
}

#[test]
fn killed_after_the_answer_the_sync_fires_at_the_next_start() {
    let site = Site::serve("kill");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut killed = shell(options().argument(&site.url("/")));
    killed.wait_for_console("ready");
    killed.say("offline");
    killed.say("eval registerTag('after')");
    killed.wait_for_console("registered after");
    killed.kill();

    let mut offline = shell(options().offline());
    offline.wait_for_sync("after", "held");
    assert_eq!(offline.count_sync("after", "dispatched"), 0);
    offline.kill();
    assert_eq!(site.requests(), [], "nothing fires while offline");

    let (status, events) = shell(options().argument("--exit-when-done")).wait_for_exit();
    assert!(status.success(), "{events:#?}");
    assert_eq!(site.requests().len(), 1);

    let (status, _) = shell(options().argument("--exit-when-done")).wait_for_exit();
    assert!(status.success());
    assert_eq!(site.requests(), [], "what is done is done");
}

#[test]
fn killed_while_firing_the_attempt_is_used_up_and_the_next_one_delivers() {
    let site = Site::serve("kill");
    site.react("/deliveries/firing", Reaction::Hang);
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut killed = shell(options().argument(&site.url("/")));
    killed.wait_for_console("ready");
    killed.say("eval registerTag('firing')");
    killed.wait_for_sync("firing", "dispatched");
    assert_eq!(site.wait_for_request().body, "firing");
    killed.kill();

    site.react("/deliveries/firing", Reaction::Status(200));
    let mut next = shell(options().offline());
    next.wait_for_sync("firing", "interrupted");
    next.say("online");
    next.say("advance 1m");
    let dispatched = next.wait_for_sync("firing", "dispatched");
    assert!(
        format!("{dispatched:?}").contains("attempt 2"),
        "{dispatched:?}"
    );
    next.wait_for_sync("firing", "completed");
    next.quit();
    assert_eq!(site.requests().len(), 1);
}

#[test]
fn a_handler_that_takes_the_engine_down_each_time_runs_out_of_attempts() {
    let site = Site::serve("kill");
    site.react("/deliveries/poison", Reaction::Hang);
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut killed = shell(options().argument(&site.url("/")));
    killed.wait_for_console("ready");
    killed.say("eval registerTag('poison')");
    killed.wait_for_sync("poison", "dispatched");
    killed.kill();
    for _ in 0..2 {
        let mut killed = shell(options().offline());
        killed.wait_for_sync("poison", "interrupted");
        killed.say("online");
        killed.say("advance 1m");
        killed.wait_for_sync("poison", "dispatched");
        killed.kill();
    }
    let mut last = shell(options().offline());
    last.wait_for_sync("poison", "dropped");
    last.quit();
}

#[test]
fn an_orderly_end_while_firing_costs_no_attempt() {
    let site = Site::serve("kill");
    site.react("/deliveries/orderly", Reaction::Hang);
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut first = shell(options().argument(&site.url("/")));
    first.wait_for_console("ready");
    first.say("eval registerTag('orderly')");
    assert_eq!(site.wait_for_request().body, "orderly");
    first.quit();

    site.react("/deliveries/orderly", Reaction::Status(200));
    let mut next = shell(options());
    let dispatched = next.wait_for_sync("orderly", "dispatched");
    assert!(
        format!("{dispatched:?}").contains("attempt 1"),
        "{dispatched:?}"
    );
    next.wait_for_sync("orderly", "completed");
    next.quit();
}
