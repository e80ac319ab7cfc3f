//! The client side of service workers, with the test in place of the component.

use std::rc::Rc;
use std::time::Duration;

use base::channel::{Callback, Receiver, unbounded};
use base::ids::{ClientId, RegistrationId, WorkerId};
use script::bindings::{GlobalKind, RealmHandle, RuntimeLimits, ScriptRuntime};
use script::dom::window::Window;
use script::environment::Environment;
use script::event_loop::EventLoop;
use script::service_worker::{attach_window, detach, enable_messages};
use script::structured_clone;
use sw_traits::{
    ClientKind, ControllerSource, FrameType, MessageSource, RegistrationInfo, ServiceWorkerInfo,
    ServiceWorkerState, SwAnswer, SwClientEvent, SwRegistrationMessage, SwRequest, UpdateViaCache,
    WorkerType,
};

use super::host::{Host, real_clock, take, url};
use crate::{Page, options};

/// A window's realm without a page, and what reaches the component.
struct Client {
    page: Page,
    event_loop: Rc<EventLoop>,
    events: Callback<SwClientEvent>,
    messages: Receiver<SwRegistrationMessage>,
}

impl Client {
    fn new() -> Self {
        let mut host = Host::new();
        // What one test sends.
        let (sender, messages) = unbounded();
        host.services.service_workers = sw_traits::SwRegistrationHandle::new(sender);
        let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
        let page = Page::in_runtime(&runtime);
        let event_loop = EventLoop::new(real_clock());
        let environment = Environment::new(ClientId::random(), url("mail/"), host.services.clone());
        page.realm.add_service(Rc::clone(&event_loop));
        page.realm.add_service(Rc::new(environment));
        attach_window(
            &page.realm,
            FrameType::TopLevel,
            ControllerSource::Url,
            Vec::new(),
        )
        .ok()
        .unwrap();
        let SwRegistrationMessage::AttachClient { client, events, .. } = take(&messages) else {
            panic!("no client was attached");
        };
        assert_eq!(client.creation_url, url("mail/"));
        assert_eq!(client.kind, ClientKind::Window);
        assert!(client.secure_context);
        Self {
            page,
            event_loop,
            events,
            messages,
        }
    }

    fn run(&self, source: &str) -> String {
        self.page.run(source)
    }

    /// Sends an event and runs its task.
    fn tell(&self, event: SwClientEvent) {
        self.events.call(event);
        assert!(self.event_loop.wait(Duration::ZERO));
    }

    fn realm(&self) -> &RealmHandle {
        &self.page.realm
    }

    fn message(&self, text: &str) -> SwClientEvent {
        let value = self.realm().new_string(text).ok().unwrap();
        let bytes = structured_clone::serialize(self.realm(), &value, &[]);
        SwClientEvent::Message {
            source: MessageSource::ServiceWorker(worker(ServiceWorkerState::Activated)),
            message: bytes.ok().unwrap().into(),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        detach(&self.page.realm);
        self.event_loop.shut_down();
    }
}

fn worker(state: ServiceWorkerState) -> ServiceWorkerInfo {
    ServiceWorkerInfo {
        id: WorkerId(4),
        script_url: url("mail/worker.js"),
        worker_type: WorkerType::Classic,
        state,
    }
}

fn registration() -> RegistrationInfo {
    RegistrationInfo {
        id: RegistrationId(3),
        ordinal: 1,
        scope: url("mail/"),
        update_via_cache: UpdateViaCache::None,
        installing: Some(worker(ServiceWorkerState::Installing)),
        waiting: None,
        active: None,
    }
}

#[test]
fn messages_wait_until_they_are_wanted() {
    for (want, by_script) in [
        ("container.startMessages()", true),
        ("container.onmessage = null", true),
        ("", false),
    ] {
        let client = Client::new();
        client.run(
            "const container = navigator.serviceWorker, got = [];
             container.addEventListener('message', e => got.push(e.data))",
        );
        client.tell(client.message("first"));
        assert_eq!(client.run("got.join()"), "");
        if by_script {
            client.run(want);
        } else {
            enable_messages(client.realm());
        }
        // Never from within the call.
        assert_eq!(client.run("got.join()"), "");
        assert!(client.event_loop.wait(Duration::ZERO));
        assert_eq!(client.run("got.join()"), "first");
        client.tell(client.message("second"));
        assert_eq!(client.run("got.join()"), "first,second");
    }
}

#[test]
fn a_message_that_cannot_be_read_is_an_error_event() {
    let client = Client::new();
    client.run(
        "let got; const container = navigator.serviceWorker; container.startMessages();
         container.onmessageerror = e => {
           got = [e.type, e.data, e.origin, e.source.scriptURL].join() };",
    );
    client.tell(SwClientEvent::Message {
        source: MessageSource::ServiceWorker(worker(ServiceWorkerState::Activated)),
        message: b"?".to_vec().into(),
    });
    assert_eq!(
        client.run("got"),
        "messageerror,,https://example.test,https://example.test/mail/worker.js"
    );
}

#[test]
fn requests_carry_resolved_urls_and_settle_with_their_answers() {
    let client = Client::new();
    client.run(
        "let result; const container = navigator.serviceWorker;
         container.register('../w.js#x', { scope: 'sub', type: 'module', updateViaCache: 'all' })
           .then(r => { result = r; }, e => { result = e; });",
    );
    let SwRegistrationMessage::Request { request, body, .. } = take(&client.messages) else {
        panic!("no request");
    };
    assert_eq!(
        body,
        SwRequest::Register {
            scope: Some(url("mail/sub")),
            script_url: url("w.js#x"),
            worker_type: WorkerType::Module,
            update_via_cache: UpdateViaCache::All,
        }
    );
    client.tell(SwClientEvent::Answer {
        request,
        result: Ok(SwAnswer::Registration(Some(Box::new(registration())))),
    });
    assert_eq!(
        client.run(
            "[result instanceof ServiceWorkerRegistration, result.scope, result.updateViaCache,
              result.installing.state, result.active].join()"
        ),
        "true,https://example.test/mail/,none,installing,"
    );
}

#[test]
fn registrations_and_workers_change_in_place() {
    let client = Client::new();
    client.run(
        "let found, log = []; navigator.serviceWorker.getRegistration()
           .then(r => { found = r; found.onupdatefound = () => log.push('found'); });",
    );
    let SwRegistrationMessage::Request { request, .. } = take(&client.messages) else {
        panic!("no request");
    };
    client.tell(SwClientEvent::Answer {
        request,
        result: Ok(SwAnswer::Registration(Some(Box::new(registration())))),
    });
    client.run(
        "const worker = found.installing;
         worker.onstatechange = e => log.push(worker.state, e.target === worker)",
    );
    client.tell(SwClientEvent::UpdateFound {
        registration: RegistrationId(3),
    });
    let active = worker(ServiceWorkerState::Activating);
    client.tell(SwClientEvent::RegistrationChanged(Box::new(
        RegistrationInfo {
            installing: None,
            active: Some(active.clone()),
            ..registration()
        },
    )));
    // The state is as old as the last event about it.
    client.run("log.push(found.active === worker, found.installing, worker.state)");
    client.tell(SwClientEvent::WorkerStateChanged { worker: active });
    assert_eq!(
        client.run("log.join()"),
        "found,true,,installing,activating,true"
    );
}

#[test]
fn what_is_gone_and_nobody_has_any_more_takes_no_memory() {
    let client = Client::new();
    client.run(
        "let found; navigator.serviceWorker.getRegistration()
           .then(r => { found = new WeakRef(r.installing); registration = new WeakRef(r); });
         let registration, log = [];",
    );
    let SwRegistrationMessage::Request { request, .. } = take(&client.messages) else {
        panic!("no request");
    };
    client.tell(SwClientEvent::Answer {
        request,
        result: Ok(SwAnswer::Registration(Some(Box::new(registration())))),
    });
    let left = "[found, registration].map(of => of.deref() !== undefined).join()";
    let collect = || {
        assert!(!client.event_loop.wait(Duration::ZERO));
        client.page.runtime.collect_garbage();
        client.run(left)
    };
    assert_eq!(collect(), "true,true", "more may be told of them");
    client.run("found.deref().onstatechange = e => log.push(e.target.state)");
    client.tell(SwClientEvent::RegistrationChanged(Box::new(
        RegistrationInfo {
            installing: None,
            ..registration()
        },
    )));
    assert_eq!(collect(), "true,false");
    client.tell(SwClientEvent::WorkerStateChanged {
        worker: worker(ServiceWorkerState::Redundant),
    });
    assert_eq!(client.run("log.join()"), "redundant");
    assert_eq!(collect(), "false,false");
}

#[test]
fn ready_is_asked_for_once_and_never_rejects() {
    let client = Client::new();
    client.run("const { ready } = navigator.serviceWorker; let state = 'pending'");
    client.run("ready.then(() => { state = 'ready' }, () => { state = 'rejected' })");
    assert_eq!(
        client.run("ready === navigator.serviceWorker.ready"),
        "true"
    );
    let SwRegistrationMessage::Request { request, body, .. } = take(&client.messages) else {
        panic!("no request");
    };
    assert_eq!(body, SwRequest::Ready);
    assert!(client.messages.try_recv().is_none());
    client.tell(SwClientEvent::Answer {
        request,
        result: Err(base::exception::ErrorClass::Security.exception("no")),
    });
    assert_eq!(client.run("state"), "pending");
    assert!(client.page.uncaught().is_empty());
}

#[test]
fn a_detached_window_is_told_to_the_component_and_asks_nothing() {
    let client = Client::new();
    detach(client.realm());
    assert!(matches!(
        take(&client.messages),
        SwRegistrationMessage::DetachClient { .. }
    ));
    client.run("let name; navigator.serviceWorker.getRegistration().catch(e => { name = e.name })");
    assert_eq!(client.run("name"), "AbortError");
}

#[test]
fn an_insecure_page_sees_nothing_of_it() {
    let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
    let (_, mut options) = options(GlobalKind::Window);
    options.secure_context = false;
    let realm = runtime
        .create_realm(options, |_| Window::new())
        .ok()
        .unwrap();
    let result = realm.evaluate(
        "['ServiceWorker', 'ServiceWorkerRegistration', 'ServiceWorkerContainer', 'SyncManager',
          'PeriodicSyncManager']
           .filter(name => name in self).length + ' ' + ('serviceWorker' in Navigator.prototype)",
        "test.js",
    );
    let text = result.ok().unwrap().to_dom_string(&realm);
    assert_eq!(text.ok().unwrap().to_string(), "0 false");
}

#[test]
fn a_controller_has_its_state_whenever_it_is_asked_for() {
    let client = Client::new();
    client.tell(SwClientEvent::ControllerChanged {
        controller: Some(worker(ServiceWorkerState::Activating)),
        fire: true,
    });
    client.tell(SwClientEvent::WorkerStateChanged {
        worker: worker(ServiceWorkerState::Activated),
    });
    assert_eq!(
        client.run("navigator.serviceWorker.controller.state"),
        "activated"
    );
}
