//! What the thread adds to the state machine.

use std::time::Duration;

use base::channel::{Callback, unbounded};
use storage::{Batch, Store, StoreConfig, Tree};
use sw_traits::{EventOutcome, SwAnswer, SwNotification, SwRequest, WindowRequest};

use crate::component::{PAGE, SCRIPT, Told, received, start};
use crate::support::{key, register, sync, url};

#[test]
fn an_event_starts_a_worker_after_a_restart_with_no_page_and_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let outcome = engine.dispatch("first");
    assert_eq!(received(&outcome), EventOutcome::Fulfilled);
    drop(page);
    drop(engine);

    let engine = start(folder.path(), false, true);
    assert!(matches!(
        received(&engine.notifications),
        SwNotification::Activated { scope, .. } if scope == url(PAGE)
    ));
    let outcome = engine.dispatch("second");
    assert_eq!(received(&outcome), EventOutcome::Fulfilled);
    let Told::Start(launch) = engine.told_of(|told| matches!(told, Told::Start(_))) else {
        panic!("not started");
    };
    assert_eq!(&*launch.scripts[&url(SCRIPT)].body, b"worker");
    let Told::Dispatch(dispatch) = engine.told_of(|told| matches!(told, Told::Dispatch(_))) else {
        panic!("not dispatched");
    };
    assert_eq!(dispatch.kind, sync("second"));
}

#[test]
fn a_page_that_waits_for_its_answers_may_ask_as_often_as_it_wants() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    for _ in 0..1_500 {
        let answer = page.ask(SwRequest::GetRegistrations);
        assert_eq!(answer, Ok(SwAnswer::Registrations(vec![])));
    }
}

#[test]
fn a_page_without_network_is_told_why_it_cannot_register() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), false, true);
    let page = engine.open(PAGE);
    let exception = page.ask(register(SCRIPT)).unwrap_err();
    assert_eq!(exception.to_string(), "TypeError: the network is down");
}

#[test]
fn unregister_removes_the_syncs_in_the_store_before_it_resolves() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let mut batch = Batch::new();
    let sync_key = storage::key::KeyWriter::new()
        .text("https://a.test")
        .text(PAGE);
    batch.put(
        Tree::SyncRegistrations,
        &sync_key.text("outbox").finish(),
        1,
        vec![1],
    );
    engine.store.commit(batch).unwrap();

    let answer = page.ask(SwRequest::Unregister { scope: url(PAGE) });
    assert_eq!(answer, Ok(SwAnswer::Boolean(true)));
    for tree in [Tree::ServiceWorkers, Tree::Scripts, Tree::SyncRegistrations] {
        assert_eq!(engine.count(tree), 0, "{tree:?}");
    }
    drop(page);
    drop(engine);
    let engine = start(folder.path(), true, true);
    let outcome = engine.dispatch("x");
    assert_eq!(received(&outcome), EventOutcome::NoActiveWorker);
}

#[test]
fn a_stuck_event_is_timed_out_and_its_worker_terminated() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, false);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let outcome = engine.dispatch("stuck");
    engine.told_of(
        |told| matches!(told, Told::Dispatch(dispatch) if dispatch.kind.event_type() == "sync"),
    );
    engine.clock.advance(Duration::from_secs(180));
    // A manual clock wakes nobody; any message does.
    engine.handle().snapshot(Callback::ignore()).unwrap();
    assert_eq!(received(&outcome), EventOutcome::TimedOut);
    engine.told_of(|told| matches!(told, Told::Terminate));
}

#[test]
fn a_store_that_is_closed_rejects_and_the_component_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    engine.store.close();
    let exception = page
        .ask(SwRequest::Unregister { scope: url(PAGE) })
        .unwrap_err();
    assert_eq!(exception.name(), "UnknownError");
    assert!(matches!(
        page.ask(SwRequest::Ready),
        Ok(SwAnswer::Registration(Some(_)))
    ));
}

#[test]
fn what_is_stored_can_be_read_without_the_component() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let (sender, snapshot) = unbounded();
    let done = Callback::to_sender(&sender, |snapshot| snapshot);
    engine.handle().snapshot(done).unwrap();
    let seen = received(&snapshot);
    drop(page);
    drop(engine);

    let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
    let stored = sw_registration::read::registrations(&store).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].registration.scope, seen[0].registration.scope);
    assert_eq!(stored[0].scripts, seen[0].scripts);
    assert_eq!(stored[0].last_update_check, seen[0].last_update_check);
    let active = stored[0]
        .registration
        .active
        .clone()
        .expect("an active worker");
    assert_eq!(active.script_url, url(SCRIPT));
}

#[test]
fn clearing_an_origin_calls_back_when_it_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let (sender, cleared) = unbounded();
    let done = Callback::to_sender(&sender, |result| result);
    engine.handle().clear_storage(key(PAGE), done).unwrap();
    assert_eq!(received(&cleared), Ok(()));
    assert_eq!(
        engine.count(Tree::ServiceWorkers) + engine.count(Tree::Scripts),
        0
    );
}

#[test]
fn an_unreadable_registration_is_put_aside_and_its_neighbours_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let mut batch = Batch::new();
    batch.put(Tree::ServiceWorkers, b"no key of ours", 1, vec![1, 2, 3]);
    engine.store.commit(batch).unwrap();
    drop(page);
    drop(engine);
    let engine = start(folder.path(), false, true);
    let outcome = engine.dispatch("x");
    assert_eq!(received(&outcome), EventOutcome::Fulfilled);
    engine.store.commit(Batch::new()).unwrap();
    assert_eq!(engine.store.quarantined().count(), 1);
}

#[test]
fn at_the_end_events_are_answered_and_the_workers_are_shut_down() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, false);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    let outcome = engine.dispatch("stuck");
    let (sender, exited) = unbounded();
    let done = Callback::to_sender(&sender, |()| ());
    engine.handle().exit(done).unwrap();
    received(&exited);
    assert!(matches!(received(&outcome), EventOutcome::Crashed { .. }));
    engine.told_of(|told| matches!(told, Told::ShutDown));
    drop(engine);
}

#[test]
fn the_host_of_the_windows_is_asked_and_its_answer_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    page.ask(register(SCRIPT)).unwrap();
    let worker = engine.worker(&engine.launch());
    let url = url("https://a.test/new");
    let answer = worker.ask(SwRequest::OpenWindow { url: url.clone() });
    assert_eq!(answer, Ok(SwAnswer::WindowClient(None)));
    let storage_key = key(PAGE);
    assert_eq!(
        received(&engine.asked_windows),
        WindowRequest::Open { storage_key, url }
    );
}

#[test]
fn a_worker_is_stopped_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), true, true);
    let page = engine.open(PAGE);
    let (sender, stopped) = unbounded();
    let stop = || {
        let done = Callback::to_sender(&sender, |stopped| stopped);
        engine.handle().stop_worker(key(PAGE), url(PAGE), done)
    };
    stop().unwrap();
    assert!(!received(&stopped), "there is none");
    page.ask(register(SCRIPT)).unwrap();
    page.ask(SwRequest::Ready).unwrap();
    assert_eq!(received(&engine.dispatch("first")), EventOutcome::Fulfilled);
    stop().unwrap();
    assert!(received(&stopped));
    engine.told_of(|told| matches!(told, Told::Terminate));
    assert_eq!(
        received(&engine.dispatch("second")),
        EventOutcome::Fulfilled
    );
}
