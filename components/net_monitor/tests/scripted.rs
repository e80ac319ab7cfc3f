use base::channel::{Callback, unbounded};
use net_monitor::ScriptedSource;
use network_traits::{
    EmulationSessionId, FetchOutcome, LinkSnapshot, LinkState, NetworkSource, NetworkSourceError,
    NetworkState, Reachability, SourceGuard,
};

use crate::{key, start, states, waitable};

#[test]
fn a_subscriber_gets_the_current_state_and_then_each_change() {
    let (source, script) = ScriptedSource::new();
    let monitor = start(source);
    let states = states(&monitor);
    assert_eq!(states.recv().unwrap(), NetworkState::default());
    for link in [
        LinkState::None,
        LinkState::NoAddress,
        LinkState::NoRoute,
        LinkState::Routable,
    ] {
        script.set_link(link);
        assert_eq!(states.recv().unwrap().link, link);
    }
}

#[test]
fn what_the_script_said_before_the_start_is_what_it_starts_with() {
    let (source, script) = ScriptedSource::new();
    script.set_link(LinkState::None);
    script.set_link(LinkState::Routable);
    let monitor = start(source);
    let states = states(&monitor);
    let mut state = states.recv().unwrap();
    while state.link == LinkState::Unknown {
        state = states.recv().unwrap();
    }
    assert_eq!(state.link, LinkState::Routable);
}

#[test]
fn the_current_state_is_never_older_than_what_a_subscriber_was_told() {
    let (source, script) = ScriptedSource::new();
    let monitor = start(source);
    let handle = monitor.handle();
    let (sender, receiver) = unbounded();
    let reader = handle.clone();
    handle
        .subscribe(Callback::new(move |told| {
            let _ = sender.send((told, reader.current()));
        }))
        .unwrap();
    for link in [LinkState::Routable, LinkState::None, LinkState::Routable] {
        script.set_link(link);
    }
    for _ in 0..4 {
        let (told, current) = receiver.recv().unwrap();
        assert_eq!(told, current);
    }
}

#[test]
fn emulated_offline_is_in_force_when_it_says_it_is_done() {
    let (source, script) = ScriptedSource::new();
    script.set_link(LinkState::Routable);
    let monitor = start(source);
    let handle = monitor.handle();
    let session = EmulationSessionId(1);
    for offline in [true, false, true] {
        let (done, is_done) = waitable();
        handle.emulate_offline(session, offline, done);
        is_done.recv().unwrap();
        assert_eq!(handle.current().is_online(), !offline);
        assert_eq!(
            handle.current().is_online_for(&key("http://localhost/")),
            !offline
        );
    }
}

#[test]
fn reported_fetches_reach_every_subscriber() {
    let (source, script) = ScriptedSource::new();
    let monitor = start(source);
    let (first, second) = (states(&monitor), states(&monitor));
    script.set_link(LinkState::Routable);
    let origin = key("https://example.org/");
    while first.recv().unwrap().link != LinkState::Routable {}
    monitor
        .handle()
        .report_fetch_outcome(origin.clone(), FetchOutcome::ConnectFailed);
    for states in [first, second] {
        while states.recv().unwrap().reachability(&origin) != Reachability::Unreachable {}
    }
}

#[test]
fn who_has_unsubscribed_is_told_nothing() {
    let (source, script) = ScriptedSource::new();
    let monitor = start(source);
    let (sender, receiver) = unbounded();
    let handle = monitor.handle();
    let id = handle
        .subscribe(Callback::to_sender(&sender, |state: NetworkState| state))
        .unwrap();
    drop(sender);
    assert!(receiver.recv().is_ok());
    handle.unsubscribe(id);
    script.set_link(LinkState::None);
    assert!(
        receiver.recv().is_err(),
        "the monitor has let go of the subscriber"
    );
}

#[test]
fn a_monitor_that_has_ended_knows_nothing_about_the_network() {
    let (source, script) = ScriptedSource::new();
    let monitor = start(source);
    let handle = monitor.handle();
    let (done, is_done) = waitable();
    handle.emulate_offline(EmulationSessionId(1), true, done);
    is_done.recv().unwrap();
    let states = states(&monitor);
    script.set_link(LinkState::Routable);
    while states.recv().unwrap().link != LinkState::Routable {}
    let (done, is_done) = waitable();
    handle.exit(done);
    is_done.recv().unwrap();
    script.set_link(LinkState::None);
    drop(monitor);
    assert!(states.recv().is_err(), "nobody is told any more");
    assert!(handle.subscribe(Callback::ignore()).is_err());
    assert_eq!(
        handle.current(),
        NetworkState {
            emulated_offline: true,
            ..NetworkState::default()
        },
        "what is known ends with it, and what is emulated does not"
    );
}

#[test]
fn a_monitor_that_has_panicked_knows_nothing_about_the_network() {
    let (source, script) = ScriptedSource::new();
    let monitor = start(source);
    let handle = monitor.handle();
    let states = states(&monitor);
    script.set_link(LinkState::Routable);
    while states.recv().unwrap().link != LinkState::Routable {}
    handle
        .subscribe(Callback::new(|_| panic!("a faulty subscriber")))
        .unwrap();
    while states.recv().is_ok() {}
    drop(monitor);
    assert_eq!(handle.current(), NetworkState::default());
}

#[test]
fn who_asks_right_behind_the_end_is_answered() {
    for _ in 0..50 {
        let (source, _script) = ScriptedSource::new();
        let monitor = start(source);
        let (done, is_done) = waitable();
        let handle = monitor.handle();
        handle.exit(done.clone());
        handle.emulate_offline(EmulationSessionId(1), true, done.clone());
        handle.exit(done);
        for _ in 0..3 {
            is_done.recv().unwrap();
        }
    }
}

/// A system that cannot be asked.
struct ForbiddenSource;

impl NetworkSource for ForbiddenSource {
    fn start(
        self: Box<Self>,
        _changed: Callback<LinkSnapshot>,
    ) -> Result<SourceGuard, NetworkSourceError> {
        let operation = "opening a netlink socket".to_owned();
        Err(NetworkSourceError {
            operation,
            reason: "Operation not permitted".to_owned(),
        })
    }
}

#[test]
fn a_system_that_cannot_be_asked_leaves_the_state_unknown_and_says_why() {
    let monitor = start(ForbiddenSource);
    let error = monitor.source_error().unwrap().to_string();
    assert!(error.contains("opening a netlink socket"), "{error}");
    assert!(error.contains("Operation not permitted"), "{error}");
    let state = states(&monitor).recv().unwrap();
    assert_eq!(state.link, LinkState::Unknown);
    assert!(!state.is_online_for(&key("https://example.org/")));
    assert!(state.is_online_for(&key("http://localhost/")));
}
