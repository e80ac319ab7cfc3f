//! Register, match, get, unregister.

use storage::Tree;
use sw_traits::{
    EventOutcome, FrameType, SwAnswer, SwNotification, SwRequest, UpdateViaCache, WorkerType,
};

use crate::support::{World, header, key, register, register_with_scope, script, sync, url};

const PAGE: &str = "https://a.test/mail/index.html";
const SCRIPT: &str = "https://a.test/mail/worker.js";
const SCOPE: &str = "https://a.test/mail/";

fn world() -> World {
    let mut world = World::new();
    world.serve(SCRIPT, "install activate sync");
    world
}

#[test]
fn a_registered_worker_is_installed_activated_and_gets_events() {
    let mut world = world();
    let page = world.attach(PAGE);
    let info = world.ask_registration(page, register(SCRIPT));
    assert_eq!(
        info.scope,
        url(SCOPE),
        "the scope is the folder of the script"
    );
    let token = world.dispatch(SCOPE, sync("outbox"));
    assert_eq!(world.outcomes[&token], EventOutcome::Fulfilled);
    insta::assert_snapshot!(world.trace.join("\n"), @r"
    notify: 1 windows
    controller: null
    registration: installing set, waiting null, active null
    statechange: Installing
    answer: a registration
    updatefound
    event: install
    commit
    registration: installing set, waiting set, active null
    registration: installing null, waiting set, active null
    statechange: Installed
    notify: active https://a.test/mail/
    registration: installing null, waiting set, active set
    registration: installing null, waiting null, active set
    statechange: Activating
    commit
    event: activate
    statechange: Activated
    event: sync
    ");
}

#[test]
fn register_refuses_what_the_spec_refuses() {
    let mut world = world();
    let page = world.attach(PAGE);
    let insecure = world.attach_as("http://a.test/", FrameType::TopLevel, false);
    for (client, request, error) in [
        (page, register("data:text/javascript,0"), "TypeError"),
        (page, register("https://a.test/x%2Fworker.js"), "TypeError"),
        (page, register("https://a.test/x%5cworker.js"), "TypeError"),
        (
            page,
            register_with_scope(SCRIPT, "https://a.test/mail/%2fx"),
            "TypeError",
        ),
        (
            page,
            register_with_scope(SCRIPT, "ftp://a.test/mail/"),
            "TypeError",
        ),
        (page, register("https://b.test/worker.js"), "SecurityError"),
        (page, register("http://a.test/worker.js"), "SecurityError"),
        (
            page,
            register_with_scope(SCRIPT, "https://b.test/mail/"),
            "SecurityError",
        ),
        (
            insecure,
            register("http://a.test/worker.js"),
            "SecurityError",
        ),
        (insecure, SwRequest::Ready, "SecurityError"),
        (insecure, SwRequest::GetRegistrations, "SecurityError"),
    ] {
        assert_eq!(
            world.ask_error(client, request.clone()),
            error,
            "{request:?}"
        );
    }
    assert!(world.loads.is_empty(), "refused before anything is loaded");
    assert_eq!(
        world.ask(page, SwRequest::GetRegistrations),
        Ok(SwAnswer::Registrations(vec![]))
    );
}

#[test]
fn a_script_that_anybody_on_the_way_could_change_is_refused() {
    let mut world = World::new();
    world.serve("http://a.test/worker.js", "install");
    // Whoever attached it says that it is a secure context, which it is not.
    let page = world.attach_as("http://a.test/", FrameType::TopLevel, true);
    let request = register("http://a.test/worker.js");
    assert_eq!(world.ask_error(page, request), "SecurityError");
    assert!(world.loads.is_empty());
}

#[test]
fn fragments_say_nothing() {
    let mut world = world();
    let page = world.attach(PAGE);
    let request = register_with_scope(&format!("{SCRIPT}#x"), &format!("{SCOPE}#y"));
    let info = world.ask_registration(page, request);
    assert_eq!(info.scope, url(SCOPE));
    assert_eq!(world.loads[0].url, url(SCRIPT));
    assert_eq!(world.ask_registration(page, register(SCRIPT)).id, info.id);
    assert_eq!(
        world.loads.len(),
        1,
        "it is the same registration and script"
    );
}

#[test]
fn the_main_script_is_requested_as_a_service_worker_script() {
    let mut world = world();
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let request = &world.loads[0];
    assert!(request.is_top_level);
    assert!(request.bypass_cache, "updateViaCache is imports");
    assert_eq!(request.referrer, Some(url(PAGE)));
    assert_eq!(request.storage_key, key(PAGE));
}

#[test]
fn a_script_that_may_not_run_rejects_and_leaves_nothing_behind() {
    let mut world = world();
    let page = world.attach(PAGE);
    let mut wrong_type = script(SCRIPT, "install");
    wrong_type.resource.headers = vec![header("content-type", "text/html")];
    let mut not_found = script(SCRIPT, "install");
    not_found.status = 404;
    let mut allowed_nonsense = script(SCRIPT, "install");
    allowed_nonsense
        .resource
        .headers
        .push(header("service-worker-allowed", "https://:x"));
    for (loaded, error, part) in [
        (wrong_type, "SecurityError", "text/html"),
        (not_found, "TypeError", "404"),
        (allowed_nonsense, "TypeError", "Service-Worker-Allowed"),
        (
            script(SCRIPT, "throw"),
            "TypeError",
            "ReferenceError: x is not defined",
        ),
    ] {
        world.server.insert(url(SCRIPT), Ok(loaded));
        let exception = world.ask(page, register(SCRIPT)).expect_err("an exception");
        assert_eq!(exception.name(), error);
        assert!(exception.message.contains(part), "{exception}");
        assert_eq!(world.registration(page, PAGE), None);
    }
    world.server.clear();
    let exception = world.ask(page, register(SCRIPT)).expect_err("an exception");
    assert_eq!(exception.name(), "TypeError");
    assert_eq!(
        world.stored(Tree::ServiceWorkers) + world.stored(Tree::Scripts),
        0
    );
}

#[test]
fn every_javascript_mime_type_will_do() {
    for content_type in [
        "text/javascript",
        "Application/JavaScript;charset=x",
        " text/ecmascript ",
        "text/html, text/javascript",
        "text/javascript, */*",
        "text/javascript;x=\"1,2\"",
        "text/javascript, nothing",
    ] {
        let mut world = world();
        let page = world.attach(PAGE);
        let mut loaded = script(SCRIPT, "install");
        loaded.resource.headers = vec![header("content-type", content_type)];
        world.server.insert(url(SCRIPT), Ok(loaded));
        world.ask_registration(page, register(SCRIPT));
    }
}

#[test]
fn of_several_mime_types_the_last_one_counts() {
    let mut world = world();
    let page = world.attach(PAGE);
    let mut loaded = script(SCRIPT, "install");
    loaded.resource.headers = ["text/javascript", "text/html"]
        .map(|value| header("content-type", value))
        .to_vec();
    world.server.insert(url(SCRIPT), Ok(loaded));
    assert_eq!(world.ask_error(page, register(SCRIPT)), "SecurityError");
}

#[test]
fn a_scope_outside_the_folder_of_the_script_needs_the_header() {
    let mut world = world();
    let page = world.attach(PAGE);
    let request = register_with_scope(SCRIPT, "https://a.test/");
    assert_eq!(world.ask_error(page, request.clone()), "SecurityError");
    for (allowed, outcome) in [
        ("/x/", Some("SecurityError")),
        ("https://b.test/", Some("SecurityError")),
        ("/", None),
    ] {
        let mut loaded = script(SCRIPT, "install");
        let allowing = header("service-worker-allowed", allowed);
        loaded.resource.headers.push(allowing);
        world.server.insert(url(SCRIPT), Ok(loaded));
        let result = world.ask(page, request.clone());
        assert_eq!(
            result.err().map(|exception| exception.name()),
            outcome,
            "{allowed}"
        );
    }
}

#[test]
fn the_same_script_again_resolves_with_the_same_registration_without_the_network() {
    let mut world = world();
    let page = world.attach(PAGE);
    let first = world.ask_registration(page, register(SCRIPT));
    world.server.clear();
    let second = world.ask_registration(page, register(SCRIPT));
    assert_eq!(first.id, second.id);
    assert_eq!(world.loads.len(), 1);
    assert!(second.active.is_some());
}

#[test]
fn equivalent_jobs_are_merged_and_others_wait_for_their_turn() {
    let mut world = world();
    world.serve("https://a.test/mail/other.js", "install");
    let page = world.attach(PAGE);
    world.hold_loads = true;
    let first = world.request(page, register(SCRIPT));
    let same = world.request(page, register(SCRIPT));
    let other = world.request(page, register("https://a.test/mail/other.js"));
    let unregister = world.request(page, SwRequest::Unregister { scope: url(SCOPE) });
    assert_eq!(
        world.loads.len(),
        1,
        "one load for the two that are equivalent"
    );
    assert_eq!(world.answer(page, other), None);
    world.answer_loads();
    let id = |answer: Option<Result<SwAnswer, _>>| match answer {
        Some(Ok(SwAnswer::Registration(Some(info)))) => info.id,
        other => panic!("{other:?}"),
    };
    assert_eq!(id(world.answer(page, first)), id(world.answer(page, same)));
    assert_eq!(id(world.answer(page, first)), id(world.answer(page, other)));
    assert_eq!(
        world.answer(page, unregister),
        Some(Ok(SwAnswer::Boolean(true)))
    );
    assert_eq!(world.loads.len(), 2);
    assert_eq!(
        world.registration(page, PAGE),
        None,
        "the last job was to unregister"
    );
}

#[test]
fn jobs_of_another_worker_type_or_cache_mode_are_not_equivalent() {
    let mut world = world();
    let page = world.attach("https://a.test/mail/");
    world.hold_loads = true;
    let requests = [
        (WorkerType::Classic, UpdateViaCache::Imports),
        (WorkerType::Module, UpdateViaCache::Imports),
        (WorkerType::Module, UpdateViaCache::All),
    ]
    .map(|(worker_type, update_via_cache)| {
        let register = SwRequest::Register {
            scope: None,
            script_url: url(SCRIPT),
            worker_type,
            update_via_cache,
        };
        world.request(page, register)
    });
    world.answer_loads();
    for request in requests {
        assert!(
            world
                .answer(page, request)
                .is_some_and(|found| found.is_ok())
        );
    }
    let types: Vec<WorkerType> = world.loads.iter().map(|load| load.worker_type).collect();
    assert_eq!(
        types,
        [WorkerType::Classic, WorkerType::Module, WorkerType::Module]
    );
}

#[test]
fn an_origin_with_too_many_unfinished_requests_is_refused_more() {
    let mut world = World::with_policy(sw_registration::SwPolicy {
        max_requests_per_origin: 2,
        ..Default::default()
    });
    world.serve(SCRIPT, "install");
    let page = world.attach("https://a.test/elsewhere");
    world.hold_loads = true;
    world.request(page, register(SCRIPT));
    world.request(page, SwRequest::Ready);
    assert_eq!(
        world.ask_error(page, register(SCRIPT)),
        "QuotaExceededError"
    );
    let other = world.attach("https://b.test/");
    assert_eq!(
        world.ask(other, SwRequest::GetRegistrations),
        Ok(SwAnswer::Registrations(vec![]))
    );
    world.answer_loads();
    world.ask_registration(page, register(SCRIPT));
}

#[test]
fn an_origin_with_too_many_registrations_gets_no_more() {
    let mut world = World::with_policy(sw_registration::SwPolicy {
        max_registrations_per_origin: 1,
        ..Default::default()
    });
    world.serve(SCRIPT, "install");
    let page = world.attach(PAGE);
    world.ask_registration(page, register(SCRIPT));
    let other = register_with_scope(SCRIPT, "https://a.test/mail/x/");
    assert_eq!(world.ask_error(page, other), "QuotaExceededError");
    world.ask_registration(page, register(SCRIPT));
}

#[test]
fn registrations_are_matched_and_listed() {
    let mut world = world();
    let page = world.attach("https://a.test/mail/");
    let outer = world.ask_registration(page, register(SCRIPT)).id;
    let deep = register_with_scope(SCRIPT, "https://a.test/mail/x/");
    let inner = world.ask_registration(page, deep).id;
    for (address, expected) in [
        ("https://a.test/mail/", Some(outer)),
        ("https://a.test/mail/x", Some(outer)),
        ("https://a.test/mail/x/y#z", Some(inner)),
        ("https://a.test/", None),
    ] {
        assert_eq!(
            world.registration(page, address).map(|info| info.id),
            expected,
            "{address}"
        );
    }
    let foreign = SwRequest::GetRegistration {
        url: url("https://b.test/mail/"),
    };
    assert_eq!(world.ask_error(page, foreign), "SecurityError");
    let Ok(SwAnswer::Registrations(all)) = world.ask(page, SwRequest::GetRegistrations) else {
        panic!("no list");
    };
    assert_eq!(
        all.iter().map(|info| info.id).collect::<Vec<_>>(),
        [outer, inner]
    );
}

#[test]
fn ready_waits_for_an_active_worker() {
    let mut world = world();
    let page = world.attach(PAGE);
    let elsewhere = world.attach("https://a.test/elsewhere");
    let ready = world.request(page, SwRequest::Ready);
    let never = world.request(elsewhere, SwRequest::Ready);
    assert_eq!(world.answer(page, ready), None);
    world.request(elsewhere, register(SCRIPT));
    let Some(Ok(SwAnswer::Registration(Some(info)))) = world.answer(page, ready) else {
        panic!("ready did not resolve");
    };
    assert!(info.active.is_some());
    assert_eq!(world.answer(elsewhere, never), None);
    assert!(
        world
            .ask_registration(page, SwRequest::Ready)
            .active
            .is_some(),
        "at once now"
    );
    let told = world
        .trace
        .iter()
        .position(|line| line.starts_with("notify: active"));
    let answered = world
        .trace
        .iter()
        .rposition(|line| line == "answer: a registration");
    assert!(
        told < answered,
        "the others know of it before the page can use it"
    );
}

#[test]
fn unregister_removes_the_registration_its_scripts_and_its_syncs_in_one_commit() {
    let mut world = world();
    let page = world.attach("https://a.test/elsewhere");
    world.request(page, register(SCRIPT));
    world.request(page, register_with_scope(SCRIPT, "https://a.test/mail/x/"));
    let mut batch = storage::Batch::new();
    for scope in [SCOPE, "https://a.test/mail/x/"] {
        let key = storage::key::KeyWriter::new()
            .text("https://a.test")
            .text(scope);
        batch.put(
            Tree::SyncRegistrations,
            &key.text("outbox").finish(),
            1,
            vec![1],
        );
    }
    world.store.commit(batch).unwrap();
    assert_eq!(world.stored(Tree::Scripts), 2);

    world.hold_commits = true;
    world.notifications.clear();
    let request = world.request(page, SwRequest::Unregister { scope: url(SCOPE) });
    assert_eq!(world.held_commits.len(), 1);
    assert_eq!(
        world.answer(page, request),
        None,
        "not before it is durable"
    );
    assert!(world.registration(page, PAGE).is_some());
    world.answer_commits();
    assert_eq!(
        world.answer(page, request),
        Some(Ok(SwAnswer::Boolean(true)))
    );
    assert_eq!(world.registration(page, PAGE), None);
    for tree in [Tree::ServiceWorkers, Tree::Scripts, Tree::SyncRegistrations] {
        assert_eq!(
            world.stored(tree),
            1,
            "the other registration keeps its own: {tree:?}"
        );
    }
    let gone = SwNotification::Unregistered {
        storage_key: key(SCOPE),
        scope: url(SCOPE),
    };
    assert_eq!(world.notifications, [gone]);
    let told = world
        .trace
        .iter()
        .rposition(|line| line.starts_with("notify: gone"));
    let answered = world
        .trace
        .iter()
        .rposition(|line| line == "answer: Boolean(true)");
    assert!(told < answered);
    let again = SwRequest::Unregister { scope: url(SCOPE) };
    assert_eq!(world.ask(page, again), Ok(SwAnswer::Boolean(false)));
    let token = world.dispatch(SCOPE, sync("outbox"));
    assert_eq!(world.outcomes[&token], EventOutcome::NoActiveWorker);
}

#[test]
fn an_unregistered_worker_lives_on_for_the_pages_that_use_it() {
    let mut world = world();
    world.serve(SCRIPT, "install message");
    let first = world.attach(PAGE);
    world.request(first, register(SCRIPT));
    let page = world.attach(PAGE);
    let worker = world.controllers(page)[0].0.expect("a controller");
    world.advance(60);
    assert!(
        world.running.is_empty(),
        "it is idle, its scripts are in the store alone"
    );
    let unregister = SwRequest::Unregister { scope: url(SCOPE) };
    assert_eq!(world.ask(first, unregister), Ok(SwAnswer::Boolean(true)));
    assert_eq!(world.stored(Tree::Scripts), 0);

    let message = sw_traits::SerializedMessage::from(vec![1]);
    world.request(page, SwRequest::PostMessageToWorker { worker, message });
    assert_eq!(world.last_event("message").0, worker, "it still starts");
    let late = world.attach(PAGE);
    assert_eq!(world.controllers(late), [(None, false)]);
    world.detach(page);
    assert!(world.running.is_empty(), "now it is gone");
    assert_eq!(world.machine.snapshot(), []);
}

#[test]
fn a_page_may_register_again_what_it_has_unregistered() {
    let mut world = world();
    let first = world.attach(PAGE);
    let old = world.ask_registration(first, register(SCRIPT)).id;
    let page = world.attach(PAGE);
    world.request(page, SwRequest::Unregister { scope: url(SCOPE) });
    let new = world.ask_registration(page, register(SCRIPT)).id;
    assert_ne!(old, new);
    assert_eq!(
        world.registration(page, PAGE).map(|info| info.id),
        Some(new)
    );
    world.restart();
    let page = world.attach(PAGE);
    assert!(
        world
            .registration(page, PAGE)
            .is_some_and(|info| info.active.is_some())
    );
}

#[test]
fn a_changed_update_via_cache_is_kept_without_a_new_worker() {
    let mut world = world();
    let page = world.attach(PAGE);
    world.request(page, register(SCRIPT));
    let mut request = register(SCRIPT);
    if let SwRequest::Register {
        update_via_cache, ..
    } = &mut request
    {
        *update_via_cache = UpdateViaCache::All;
    }
    let info = world.ask_registration(page, request);
    assert_eq!(info.update_via_cache, UpdateViaCache::All);
    assert_eq!(world.starts.len(), 1);
    world.restart();
    let page = world.attach(PAGE);
    let info = world.registration(page, PAGE).expect("a registration");
    assert_eq!(info.update_via_cache, UpdateViaCache::All);
}
