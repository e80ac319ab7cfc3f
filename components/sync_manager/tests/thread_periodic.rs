//! Periodic syncs on the thread: what pages ask for, the policies, and when to wake up.

use std::time::Duration;

use base::DomString;
use base::exception::DomException;
use base::time::{Clock, WallTime};
use storage::StoreConfig;
use sw_traits::{EventOutcome, WorkerEvent};
use sync_traits::{
    Engagement, HoldReason, LogEvent, SyncClientEvent, SyncRegistrationState, SyncRequest,
};

use crate::support::{HOUR, MINUTE, SITE, online, origin, url};
use crate::thread::{Engine, Page};

fn ask(page: &Page, request: SyncRequest) -> SyncClientEvent {
    page.handle.request(url(SITE), request).unwrap();
    page.events.recv().unwrap()
}

fn register(page: &Page, tag: &str, min_interval: Duration) -> Result<(), DomException> {
    let tag = DomString::from(tag);
    match ask(page, SyncRequest::RegisterPeriodic { tag, min_interval }) {
        SyncClientEvent::Registered { result, .. } => result,
        other => panic!("another answer: {other:?}"),
    }
}

fn unregister(page: &Page, tag: &str) -> Result<(), DomException> {
    let tag = DomString::from(tag);
    match ask(page, SyncRequest::UnregisterPeriodic { tag }) {
        SyncClientEvent::Unregistered { result, .. } => result,
        other => panic!("another answer: {other:?}"),
    }
}

fn tags(page: &Page) -> Vec<String> {
    match ask(page, SyncRequest::PeriodicTags) {
        SyncClientEvent::Tags { result, .. } => {
            result.unwrap().iter().map(DomString::to_string).collect()
        }
        other => panic!("another answer: {other:?}"),
    }
}

fn pass(engine: &Engine, duration: Duration) {
    engine.clock.pass(duration);
    engine.handle.time_changed().unwrap();
}

/// What was said to be due next, up to now: the answer to a question comes after everything that
/// was asked before it.
fn told(engine: &Engine) -> Vec<Option<WallTime>> {
    engine.snapshot();
    engine.snapshot();
    engine.told.lock().clone()
}

#[test]
fn a_periodic_sync_fires_again_and_again_until_it_is_unregistered() {
    let engine = Engine::start_on(StoreConfig::memory());
    engine.set_network(online());
    let page = engine.open_page();
    assert_eq!(register(&page, "news", HOUR), Ok(()));
    assert_eq!(tags(&page), ["news"]);
    for _ in 0..2 {
        pass(&engine, 12 * HOUR);
        let (event, time_limit, done) = engine.any_event();
        let tag = DomString::from("news");
        assert!(matches!(event, WorkerEvent::PeriodicSync { tag: of } if of == tag));
        assert_eq!(time_limit, MINUTE);
        done.call(EventOutcome::Fulfilled);
        engine.wait_for(|event| *event == LogEvent::Completed);
    }
    assert_eq!(unregister(&page, "news"), Ok(()));
    assert_eq!(unregister(&page, "news"), Ok(()));
    assert_eq!(tags(&page), Vec::<String>::new());
    engine.stop();
}

#[test]
fn who_lets_the_machine_sleep_is_told_when_something_is_due_and_only_when_that_changes() {
    let engine = Engine::start_on(StoreConfig::memory());
    engine.set_network(online());
    let page = engine.open_page();
    assert_eq!(told(&engine), []);
    let due = |hours| Some(engine.clock.now().saturating_add(hours * HOUR).wall);
    let (later, sooner) = (due(20), due(13));
    register(&page, "later", 20 * HOUR).unwrap();
    register(&page, "sooner", 13 * HOUR).unwrap();
    register(&page, "last", 30 * HOUR).unwrap();
    assert_eq!(told(&engine), [later, sooner]);
    pass(&engine, HOUR);
    assert_eq!(told(&engine), [later, sooner], "nothing has changed");
    unregister(&page, "sooner").unwrap();
    assert_eq!(told(&engine), [later, sooner, later]);
    unregister(&page, "later").unwrap();
    unregister(&page, "last").unwrap();
    assert_eq!(told(&engine).last(), Some(&None));
    engine.stop();
}

#[test]
fn the_engagement_policy_is_asked_when_it_changes() {
    let engine = Engine::start_on(StoreConfig::memory());
    engine.set_network(online());
    let page = engine.open_page();
    register(&page, "news", HOUR).unwrap();
    *engine.engagement.write() = Engagement::Suspended;
    engine.handle.engagement_changed(origin(SITE)).unwrap();
    assert_eq!(engine.snapshot()[0].held_by, Some(HoldReason::Suspended));
    assert_eq!(told(&engine).last(), Some(&None));
    *engine.engagement.write() = Engagement::High;
    engine.handle.engagement_changed(origin(SITE)).unwrap();
    pass(&engine, 12 * HOUR);
    engine.any_event().2.call(EventOutcome::Fulfilled);
    engine.stop();
}

#[test]
fn the_engagement_policy_is_asked_at_dispatch_and_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(folder.path());
    engine.set_network(online());
    let page = engine.open_page();
    register(&page, "news", HOUR).unwrap();
    *engine.engagement.write() = Engagement::Suspended;
    pass(&engine, 12 * HOUR);
    let suspended = LogEvent::Held {
        reason: HoldReason::Suspended,
    };
    engine.wait_for(|event| *event == suspended);
    assert_eq!(engine.snapshot()[0].state, SyncRegistrationState::Suspended);
    drop(page);
    engine.stop();

    // This engine's policy says something else.
    let engine = Engine::start(folder.path());
    assert_eq!(engine.snapshot()[0].state, SyncRegistrationState::Pending);
    engine.stop();
}

#[test]
fn the_permission_is_asked_for_when_it_changes() {
    let engine = Engine::start_on(StoreConfig::memory());
    let page = engine.open_page();
    register(&page, "news", HOUR).unwrap();
    *engine.allowed.write() = false;
    engine.handle.permission_changed(origin(SITE)).unwrap();
    assert_eq!(tags(&page), Vec::<String>::new());
    let error = register(&page, "news", HOUR).unwrap_err();
    assert_eq!(error.name(), "NotAllowedError");
    engine.stop();
}
