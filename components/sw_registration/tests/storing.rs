//! What happens while a batch is on its way to the disk.

use base::ids::{ClientId, WorkerId};
use storage::Tree;
use sw_traits::{
    EventOutcome, NavigationPreloadChange, SwAnswer, SwRequest, WorkerEvent, WorkerHostEvent,
};

use crate::support::{World, register, script, sync, url};

const PAGE: &str = "https://a.test/";
const SCRIPT: &str = "https://a.test/worker.js";
const LATE: &str = "https://a.test/late.js";

/// A world with an active worker, a page that it controls, and one that it does not.
fn world() -> (World, ClientId, ClientId) {
    let mut world = World::new();
    world.serve(SCRIPT, "install activate sync message 1");
    let outside = world.attach(PAGE);
    world.request(outside, register(SCRIPT));
    let inside = world.attach(PAGE);
    assert!(world.controllers(inside)[0].0.is_some());
    (world, inside, outside)
}

/// A new worker, up to its `install` event.
fn update(world: &mut World, page: ClientId, version: u8) -> WorkerId {
    world.serve(SCRIPT, &format!("install activate sync message {version}"));
    let info = world.ask_registration(page, SwRequest::Update { scope: url(PAGE) });
    info.installing.expect("a new worker").id
}

fn answer_one_commit(world: &mut World, fails: bool) {
    world.fail_commits = fails;
    world.answer_one_commit();
    world.fail_commits = false;
}

/// The last word of the script that handles an event after a restart.
fn version_after_restart(world: &mut World) -> Option<String> {
    world.restart();
    let token = world.dispatch(PAGE, sync("x"));
    if world.outcomes[&token] != EventOutcome::Fulfilled {
        return None;
    }
    let start = world.starts.last()?;
    let body = String::from_utf8(start.scripts[&start.script_url].body.to_vec()).unwrap();
    Some(body.rsplit(' ').next()?.to_owned())
}

#[test]
fn what_is_imported_while_the_worker_is_stored_is_not_missed_later() {
    let mut world = World::new();
    world.serve(SCRIPT, "install sync 1");
    let page = world.attach(PAGE);
    world.hold_commits = true;
    world.request(page, register(SCRIPT));
    let worker = *world.running.keys().next().expect("a worker");
    world.host(WorkerHostEvent::ScriptImported {
        worker,
        resource: script(LATE, "late").resource,
        from_cache: false,
    });
    world.answer_commits();
    assert_eq!(version_after_restart(&mut world).as_deref(), Some("1"));
}

#[test]
fn a_record_does_not_overtake_the_scripts_that_it_names() {
    for fails in [true, false] {
        let (mut world, inside, _) = world();
        world.hold_commits = true;
        update(&mut world, inside, 2);
        let change = SwRequest::ChangeNavigationPreload {
            scope: url(PAGE),
            change: NavigationPreloadChange::Enabled(true),
        };
        assert_eq!(world.ask(inside, change), Ok(SwAnswer::Done));
        answer_one_commit(&mut world, fails);
        world.answer_commits();
        let expected = if fails { "1" } else { "2" };
        let version = version_after_restart(&mut world);
        assert_eq!(version.as_deref(), Some(expected));
        let page = world.attach(PAGE);
        let scope = url(PAGE);
        let Ok(SwAnswer::NavigationPreload(state)) =
            world.ask(page, SwRequest::NavigationPreload { scope })
        else {
            panic!("no state");
        };
        assert!(state.enabled, "it was stored");
    }
}

#[test]
fn a_waiting_worker_stays_where_it_is_while_a_newer_one_is_stored() {
    let (mut world, inside, _) = world();
    update(&mut world, inside, 2);
    world.hold_commits = true;
    update(&mut world, inside, 3);
    world.detach(inside);
    answer_one_commit(&mut world, true);
    world.answer_commits();
    assert_eq!(version_after_restart(&mut world).as_deref(), Some("2"));
}

#[test]
fn nothing_brings_back_what_is_being_removed() {
    let (mut world, inside, outside) = world();
    world.hold_commits = true;
    world.request(outside, SwRequest::Unregister { scope: url(PAGE) });
    let change = SwRequest::ChangeNavigationPreload {
        scope: url(PAGE),
        change: NavigationPreloadChange::Enabled(true),
    };
    world.request(inside, change);
    world.answer_commits();
    assert_eq!(world.stored(Tree::ServiceWorkers), 0);
}

#[test]
fn a_message_behind_an_unregistration_still_finds_the_scripts() {
    let mut world = World::new();
    world.serve(SCRIPT, "install message");
    let page = world.attach(PAGE);
    let worker = world
        .ask_registration(page, register(SCRIPT))
        .installing
        .expect("a worker")
        .id;
    world.advance(60);
    assert!(world.running.is_empty());
    world.hold_commits = true;
    world.request(page, SwRequest::Unregister { scope: url(PAGE) });
    // The batch is on disk, but the answer is still on its way.
    let (commit, batch) = world.held_commits.pop_front().expect("a commit");
    world.store.commit(batch).unwrap();
    let message = vec![1].into();
    world.request(page, SwRequest::PostMessageToWorker { worker, message });
    world.machine.handle_committed(world.now, commit, Ok(()));
    world.run();
    assert!(matches!(
        world.dispatched.last(),
        Some((_, _, WorkerEvent::Message { .. }))
    ));
    assert_eq!(world.machine.snapshot(), []);
}

#[test]
fn a_second_clearing_is_not_undone_by_the_failure_of_the_first() {
    let (mut world, inside, _) = world();
    update(&mut world, inside, 2);
    world.hold_commits = true;
    let first = world.clear(PAGE);
    let second = world.clear(PAGE);
    // Nobody uses the registration any more, so that the waiting worker would be activated.
    world.detach(inside);
    answer_one_commit(&mut world, true);
    world.answer_commits();
    assert!(world.cleared[&first].is_err());
    assert_eq!(world.cleared[&second], Ok(()));
    for tree in [Tree::ServiceWorkers, Tree::Scripts] {
        assert_eq!(world.stored(tree), 0);
    }
}

#[test]
fn a_worker_that_a_failed_clearing_made_redundant_does_not_come_back() {
    let (mut world, inside, _) = world();
    world.hold_commits = true;
    let worker = update(&mut world, inside, 2);
    let token = world.clear(PAGE);
    assert!(world.is_redundant(worker));
    answer_one_commit(&mut world, false);
    answer_one_commit(&mut world, true);
    assert!(world.cleared[&token].is_err());
    world.answer_commits();
    assert_eq!(version_after_restart(&mut world).as_deref(), Some("1"));
}

#[test]
fn what_got_to_the_disk_although_it_failed_is_not_mixed_with_what_comes_after_it() {
    let mut world = World::new();
    world.serve(LATE, "late");
    world.serve(SCRIPT, "install sync import:late.js 1");
    let page = world.attach(PAGE);
    world.hold_commits = true;
    world.request(page, register(SCRIPT));
    let (commit, batch) = world.held_commits.pop_front().expect("a commit");
    world.store.commit(batch).unwrap();
    let failed = Err("the disk was unplugged".to_owned());
    world.machine.handle_committed(world.now, commit, failed);
    world.run();
    assert_eq!(world.registration(page, PAGE), None);
    world.serve(SCRIPT, "install sync 2");
    world.request(page, register(SCRIPT));
    world.answer_commits();
    assert_eq!(version_after_restart(&mut world).as_deref(), Some("2"));
}
