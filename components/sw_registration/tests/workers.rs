//! Starting and stopping workers, their events, and the limits of both.

use std::time::Duration;

use base::ids::{ClientId, WorkerId};
use sw_registration::SwPolicy;
use sw_traits::{
    EventOutcome, ScriptResource, SerializedMessage, ServiceWorkerState, SwRequest, WorkerEvent,
    WorkerHostEvent,
};

use crate::support::{World, register, register_with_scope, script, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";

/// A world with an active worker that does not run, and a page that it controls.
fn world(body: &str) -> (World, ClientId, WorkerId) {
    let mut world = World::new();
    world.serve(SCRIPT, body);
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    world.detach(first);
    world.advance(60);
    assert!(world.running.is_empty());
    world.starts.clear();
    let page = world.attach(PAGE);
    let worker = world.controllers(page)[0].0.expect("a controller");
    (world, page, worker)
}

/// Make the stored worker do something else when it is started again.
fn change_behaviour(world: &mut World, body: &str) {
    let mut stored = Vec::new();
    for entry in world.store.scan(
        storage::Tree::Scripts,
        storage::KeyRange::all(),
        storage::Direction::Forward,
    ) {
        stored.push(entry.unwrap());
    }
    let mut batch = storage::Batch::new();
    for (key, record) in stored {
        let mut script: ScriptResource = record.decode().unwrap();
        script.body = body.as_bytes().into();
        batch
            .put_record(storage::Tree::Scripts, &key, record.version, &script)
            .unwrap();
    }
    world.store.commit(batch).unwrap();
}

#[test]
fn a_worker_is_started_for_an_event_and_stopped_when_it_is_idle() {
    let (mut world, _, worker) = world("sync");
    world.dispatch(PAGE, sync("x"));
    world.advance(20);
    world.dispatch(PAGE, sync("y"));
    world.advance(29);
    assert_eq!(world.starts.len(), 1, "it was still running");
    assert!(world.running.contains_key(&worker));
    world.advance(2);
    assert!(world.running.is_empty());
    assert_eq!(
        world.machine.poll_deadline().after(world.now),
        None,
        "nothing to wake up for"
    );
    world.dispatch(PAGE, sync("z"));
    assert_eq!(world.starts.len(), 2);
}

#[test]
fn of_too_many_idle_workers_the_one_that_was_idle_for_longest_is_stopped() {
    let mut world = World::with_policy(SwPolicy {
        max_idle_workers: 2,
        update_after_navigation: None,
        ..SwPolicy::default()
    });
    let scopes = ["a", "b", "c", "d"].map(|scope| format!("{PAGE}{scope}/"));
    world.serve(SCRIPT, "sync");
    let page = world.attach(PAGE);
    let workers = scopes.each_ref().map(|scope| {
        let info = world.ask_registration(page, register_with_scope(SCRIPT, scope));
        let newest = info.installing.or(info.waiting).or(info.active);
        newest.expect("a worker").id
    });
    let running = |world: &World| -> Vec<WorkerId> { world.running.keys().copied().collect() };
    assert_eq!(
        running(&world),
        workers[2..],
        "those that were started last"
    );

    // One that gets an event is idle for a shorter time than the others.
    world.dispatch(&scopes[2], sync("x"));
    world.dispatch(&scopes[0], sync("x"));
    assert_eq!(running(&world), [workers[0], workers[2]]);

    // However many have an event: they are not stopped, nor are others for them.
    world.held_events.insert("sync");
    world.starts.clear();
    let tokens = scopes
        .each_ref()
        .map(|scope| world.dispatch(scope, sync("y")));
    assert_eq!(running(&world), workers);
    assert_eq!(world.starts.len(), 2);
    world.end_held_events(&EventOutcome::Fulfilled);
    assert_eq!(running(&world).len(), 2);
    for token in tokens {
        assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    }
}

#[test]
fn events_that_come_while_the_worker_starts_are_handed_over_in_order() {
    let (mut world, _, worker) = world("sync");
    change_behaviour(&mut world, "hang");
    let tokens: Vec<u64> = ["a", "b", "c"]
        .map(|tag| world.dispatch(PAGE, sync(tag)))
        .into();
    assert_eq!(world.starts.len(), 1);
    world.dispatched.clear();
    world.host(WorkerHostEvent::Started {
        worker,
        event_types: vec![],
    });
    let handed: Vec<_> = world
        .dispatched
        .iter()
        .map(|(_, _, event)| event.clone())
        .collect();
    assert_eq!(handed, ["a", "b", "c"].map(sync));
    assert!(
        tokens
            .iter()
            .all(|token| world.outcomes[token] == EventOutcome::Fulfilled)
    );
}

#[test]
fn an_event_without_listener_is_fulfilled_without_starting_the_worker() {
    let (mut world, page, worker) = world("install");
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    let message = SerializedMessage::default();
    world.request(page, SwRequest::PostMessageToWorker { worker, message });
    assert!(world.starts.is_empty());
    world.restart();
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    assert!(world.starts.is_empty(), "known after a restart as well");
}

#[test]
fn what_a_worker_listens_to_is_what_it_listened_to_at_first() {
    let (mut world, _, worker) = world("sync");
    world.extra_words = " periodicsync";
    world.dispatch(PAGE, sync("x"));
    assert!(world.running.contains_key(&worker));
    let periodic = WorkerEvent::PeriodicSync { tag: "y".into() };
    let token = world.dispatch(PAGE, periodic);
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    assert_eq!(world.dispatched.last().unwrap().2, sync("x"));
}

#[test]
fn an_event_for_nobody_has_no_active_worker() {
    let mut world = World::new();
    world.serve(SCRIPT, "install sync");
    world.held_events.insert("install");
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::NoActiveWorker);
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(
        world.outcomes[&token],
        EventOutcome::NoActiveWorker,
        "still installing"
    );
}

#[test]
fn a_rejected_event_is_reported_as_such() {
    let (mut world, _, _) = world("sync");
    world.held_events.insert("sync");
    let token = world.dispatch(PAGE, sync("x"));
    let rejected = EventOutcome::Rejected {
        reason: "503".to_owned(),
    };
    world.end_event("sync", rejected.clone());
    assert_eq!(world.outcomes[&token], rejected);
    world.end_event("sync", EventOutcome::Fulfilled);
    assert_eq!(world.outcomes[&token], rejected, "an event ends once");
}

#[test]
fn an_event_past_its_limit_is_timed_out_and_a_worker_that_nothing_keeps_is_terminated() {
    let (mut world, _, worker) = world("sync message");
    world.held_events.insert("sync");
    let first = world.dispatch(PAGE, sync("x"));
    let (_, first_event) = world.last_event("sync");
    world.advance(100);
    let second = world.dispatch(PAGE, sync("y"));
    let third = world.dispatch(PAGE, sync("z"));
    world.end_event("sync", EventOutcome::Fulfilled);
    assert_eq!(world.outcomes[&third], EventOutcome::Fulfilled);
    world.advance(79);
    assert!(!world.outcomes.contains_key(&first));
    world.terminated.clear();
    world.advance(1);
    assert_eq!(world.outcomes[&first], EventOutcome::TimedOut);
    assert_eq!(
        world.terminated,
        [],
        "it is alive, and the second event keeps it"
    );
    assert_eq!(world.timed_out, [first_event], "which it is told");
    world.advance(100);
    assert_eq!(world.outcomes[&second], EventOutcome::TimedOut);
    assert_eq!(world.terminated, [worker]);
    assert!(world.running.is_empty());
}

#[test]
fn a_worker_that_hangs_is_restarted_whatever_events_still_come() {
    let (mut world, page, worker) = world("sync message");
    world.held_events = ["sync", "message"].into();
    let first = world.dispatch(PAGE, sync("x"));
    let mut others = Vec::new();
    for tag in ["a", "b"] {
        world.advance(60);
        others.push(world.dispatch(PAGE, sync(tag)));
        let message = SerializedMessage::default();
        world.request(page, SwRequest::PostMessageToWorker { worker, message });
    }
    world.terminated.clear();
    world.dispatched.clear();
    world.held_events.clear();
    world.advance(60);
    assert_eq!(world.outcomes[&first], EventOutcome::TimedOut);
    assert_eq!(world.terminated, [worker]);
    assert_eq!(world.starts.len(), 2, "started again");
    let handed_out: Vec<_> = world.dispatched.iter().map(|(_, _, event)| event).collect();
    assert_eq!(handed_out, [&sync("a"), &sync("b")], "in their order");
    for token in &others {
        assert_eq!(world.outcomes[token], EventOutcome::Fulfilled);
    }
}

#[test]
fn events_behind_a_worker_that_always_hangs_time_out_one_after_the_other() {
    let (mut world, _, _) = world("sync");
    world.held_events.insert("sync");
    let first = world.dispatch(PAGE, sync("x"));
    world.advance(1);
    let second = world.dispatch(PAGE, sync("y"));
    world.advance(180);
    assert_eq!(world.outcomes[&first], EventOutcome::TimedOut);
    assert!(!world.outcomes.contains_key(&second), "it has all its time");
    world.advance(180);
    assert_eq!(world.outcomes[&second], EventOutcome::TimedOut);
    assert!(world.running.is_empty());
}

#[test]
fn the_time_limit_counts_from_the_dispatch_not_from_the_start_of_the_worker() {
    let (mut world, _, worker) = world("sync");
    change_behaviour(&mut world, "hang");
    world.held_events.insert("sync");
    let token = world.dispatch(PAGE, sync("x"));
    world.advance(50);
    world.host(WorkerHostEvent::Started {
        worker,
        event_types: vec![],
    });
    world.advance(179);
    assert!(!world.outcomes.contains_key(&token));
    world.advance(1);
    assert_eq!(world.outcomes[&token], EventOutcome::TimedOut);
}

#[test]
fn a_crash_ends_the_events_in_flight_and_the_worker_can_be_started_again() {
    let (mut world, _, worker) = world("sync");
    world.held_events.insert("sync");
    let token = world.dispatch(PAGE, sync("x"));
    world.crash(worker);
    let crashed = EventOutcome::Crashed {
        reason: "out of memory".to_owned(),
    };
    assert_eq!(world.outcomes[&token], crashed);
    world.held_events.clear();
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    assert_eq!(world.starts.len(), 2);
}

#[test]
fn a_worker_that_does_not_start_fails_its_events() {
    let (mut world, _, _) = world("sync");
    change_behaviour(&mut world, "throw");
    let token = world.dispatch(PAGE, sync("x"));
    let EventOutcome::NotStarted { reason } = &world.outcomes[&token] else {
        panic!("{:?}", world.outcomes[&token]);
    };
    assert!(reason.contains("ReferenceError"));
    change_behaviour(&mut world, "sync");
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn a_script_that_does_not_come_to_its_end_is_stopped() {
    let (mut world, _, worker) = world("sync");
    change_behaviour(&mut world, "hang");
    let token = world.dispatch(PAGE, sync("x"));
    world.advance(59);
    assert!(!world.outcomes.contains_key(&token));
    world.advance(1);
    assert!(matches!(
        world.outcomes[&token],
        EventOutcome::NotStarted { .. }
    ));
    assert_eq!(world.terminated.last(), Some(&worker));
}

#[test]
fn a_new_script_that_does_not_come_to_its_end_rejects_the_registration() {
    let mut world = World::new();
    world.serve(SCRIPT, "hang");
    let page = world.attach(PAGE);
    let request = world.request(page, register(SCRIPT));
    world.advance(60);
    let exception = world.answer(page, request).unwrap().unwrap_err();
    assert_eq!(exception.name(), "TypeError");
    assert!(exception.message.contains("60 s"), "{exception}");
    assert!(world.running.is_empty());
    assert_eq!(world.registration(page, PAGE), None);
}

#[test]
fn lifecycle_events_have_limits_of_their_own() {
    let mut world = World::with_policy(SwPolicy {
        install_limit: Duration::from_secs(10),
        activate_limit: Duration::from_secs(20),
        ..SwPolicy::default()
    });
    world.serve(SCRIPT, "install activate");
    world.held_events.insert("install");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    world.advance(10);
    assert_eq!(
        world.registration(page, PAGE),
        None,
        "an installation that takes too long fails"
    );
    world.held_events.clear();
    world.held_events.insert("activate");
    world.request(page, register(SCRIPT));
    world.advance(19);
    let state = |world: &mut World| {
        let active = world.registration(page, PAGE).and_then(|info| info.active);
        active.map(|active| active.state)
    };
    assert_eq!(state(&mut world), Some(ServiceWorkerState::Activating));
    world.advance(1);
    assert_eq!(
        state(&mut world),
        Some(ServiceWorkerState::Activated),
        "an activation does not"
    );
}

#[test]
fn a_worker_with_too_many_events_takes_no_more() {
    let mut world = World::with_policy(SwPolicy {
        max_events_per_worker: 2,
        ..SwPolicy::default()
    });
    world.serve(SCRIPT, "sync message");
    world.held_events.insert("sync");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let tokens = ["a", "b", "c"].map(|tag| world.dispatch(PAGE, sync(tag)));
    assert!(matches!(
        world.outcomes[&tokens[2]],
        EventOutcome::NotStarted { .. }
    ));
    let worker = world.last_event("sync").0;
    let message = SerializedMessage::default();
    world.request(page, SwRequest::PostMessageToWorker { worker, message });
    assert!(
        world
            .dispatched
            .iter()
            .all(|(_, _, event)| matches!(event, WorkerEvent::Sync { .. }))
    );
    assert!(!world.outcomes.contains_key(&tokens[0]));
}

#[test]
fn a_worker_with_many_messages_still_gets_its_activate_event() {
    let mut world = World::with_policy(SwPolicy {
        max_events_per_worker: 1,
        ..SwPolicy::default()
    });
    world.serve(SCRIPT, "install activate message");
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    let page = world.attach(PAGE);
    world.serve(SCRIPT, "install activate message 2");
    let update = SwRequest::Update { scope: url(PAGE) };
    let info = world.ask_registration(first, update);
    let worker = info.installing.expect("a new worker").id;
    world.held_events.insert("message");
    let message = SerializedMessage::from(vec![1]);
    world.request(first, SwRequest::PostMessageToWorker { worker, message });
    world.detach(page);
    assert_eq!(world.last_event("activate").0, worker);
}

#[test]
fn a_worker_with_too_many_scripts_is_not_installed() {
    let mut world = World::with_policy(SwPolicy {
        max_scripts_per_worker: (2, 1 << 20),
        ..SwPolicy::default()
    });
    world.serve(SCRIPT, "install import:a.js import:b.js");
    world.serve("https://a.test/a.js", "1");
    world.serve("https://a.test/b.js", "1");
    let page = world.attach(PAGE);
    assert_eq!(world.ask_error(page, register(SCRIPT)), "TypeError");
}

#[test]
fn a_script_that_is_imported_again_is_the_one_that_was_imported_first() {
    let mut world = World::new();
    world.serve(SCRIPT, "install sync import:a.js");
    world.serve("https://a.test/a.js", "first");
    world.held_events.insert("install");
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let (worker, _) = world.last_event("install");
    world.host(WorkerHostEvent::ScriptImported {
        worker,
        resource: script("https://a.test/a.js", "the second time").resource,
        from_cache: false,
    });
    world.end_held_events(&EventOutcome::Fulfilled);
    world.restart();
    world.dispatch(PAGE, sync("x"));
    let start = world.starts.last().expect("a start");
    assert_eq!(*start.scripts[&url("https://a.test/a.js")].body, *b"first");
}

#[test]
fn a_worker_ends_no_event_of_another_one() {
    let mut world = World::new();
    world.serve(SCRIPT, "install sync");
    world.held_events.insert("sync");
    let page = world.attach(PAGE);
    let inner = format!("{PAGE}inner/");
    let [(_, first), (token, worker)] = [PAGE, &inner].map(|scope| {
        world.request(page, register_with_scope(SCRIPT, scope));
        (world.dispatch(scope, sync("x")), world.last_event("sync").0)
    });
    let (_, event) = world.last_event("sync");
    assert_ne!(worker, first);
    world.host(WorkerHostEvent::EventEnded {
        worker: first,
        event,
        outcome: EventOutcome::Fulfilled,
    });
    assert!(!world.outcomes.contains_key(&token));
    world.end_event("sync", EventOutcome::Fulfilled);
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn an_installed_worker_can_add_no_scripts() {
    let (mut world, _, worker) = world("sync");
    world.dispatch(PAGE, sync("x"));
    let resource = ScriptResource {
        url: url("https://a.test/late.js"),
        response_url: url("https://a.test/late.js"),
        body: b"late".as_slice().into(),
        headers: Vec::new(),
    };
    world.host(WorkerHostEvent::ScriptImported {
        worker,
        resource,
        from_cache: false,
    });
    assert_eq!(world.machine.snapshot()[0].scripts.0, 1);
}

#[test]
fn at_the_end_every_event_is_answered_and_nothing_is_started() {
    let (mut world, page, _) = world("sync");
    world.held_events.insert("sync");
    let token = world.dispatch(PAGE, sync("x"));
    world.hold_commits = true;
    world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    world.exit();
    assert!(matches!(
        world.outcomes[&token],
        EventOutcome::Crashed { .. }
    ));
    assert!(!world.exited, "a commit is on its way");
    let late = world.dispatch(PAGE, sync("x"));
    assert!(matches!(
        world.outcomes[&late],
        EventOutcome::Crashed { .. }
    ));
    world.answer_commits();
    assert!(world.exited);
}

#[test]
fn reports_about_workers_that_are_not_there_are_ignored() {
    let (mut world, _, worker) = world("sync");
    for id in [worker, WorkerId(99_999)] {
        world.host(WorkerHostEvent::Started {
            worker: id,
            event_types: vec![],
        });
        world.host(WorkerHostEvent::StartFailed {
            worker: id,
            reason: String::new(),
        });
        world.host(WorkerHostEvent::Stopped {
            worker: id,
            crash: None,
        });
    }
    let token = world.dispatch(PAGE, sync("x"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
}

#[test]
fn events_do_not_wait_for_ever_for_a_worker_that_cannot_be_stopped() {
    let (mut world, _, worker) = world("sync");
    world.dispatch(PAGE, sync("x"));
    world.hold_stops = true;
    world.advance(31);
    let token = world.dispatch(PAGE, sync("y"));
    assert!(!world.outcomes.contains_key(&token));
    world.advance(60);
    assert!(matches!(
        world.outcomes[&token],
        EventOutcome::NotStarted { .. }
    ));
    let token = world.dispatch(PAGE, sync("z"));
    world.host(WorkerHostEvent::Stopped {
        worker,
        crash: None,
    });
    assert_eq!(
        world.outcomes[&token],
        EventOutcome::Fulfilled,
        "once it has stopped"
    );
}
