//! Profiles with service workers and syncs, made as a site makes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use base::channel::{Callback, Receiver, unbounded};
use base::ids::ClientId;
use base::{DomString, StorageKey};
use engine::Engine;
use sw_traits::{
    ClientDescription, ClientKind, ServiceWorkerState, SwAnswer, SwClientEvent, SwClientHandle,
    SwRequest, UpdateViaCache, WorkerType,
};
use sync_traits::{SyncClientEvent, SyncClientHandle, SyncRequest};
use tiny_http::{Header, Response, Server};
use url::Url;

use crate::running::{builder, emulate_offline, start_agreeable};

/// The first thing that the handler does is to tell of it.
pub(crate) const WORKER: &str =
    r#"addEventListener("sync", (event) => { console.log(event.tag); event.waitUntil(0); });"#;

const PAGE: &str = r#"<!doctype html><title>A page</title><script>
navigator.serviceWorker.register("worker.js").then(() => navigator.serviceWorker.ready).then(
  (registration) => registration.sync.register("outbox")).then(() => console.log("ready"));
</script>"#;

/// A web site on loopback: one page, and one service worker.
pub(crate) struct Site {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    pub(crate) url: Url,
}

impl Site {
    pub(crate) fn serve() -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let port = server.server_addr().to_ip().unwrap().port();
        let for_thread = Arc::clone(&server);
        let thread = std::thread::spawn(move || {
            for request in for_thread.incoming_requests() {
                let (content_type, body) = if request.url() == "/worker.js" {
                    ("text/javascript", WORKER)
                } else {
                    ("text/html", PAGE)
                };
                let header = Header::from_bytes("Content-Type", content_type).unwrap();
                let response = Response::from_string(body).with_header(header);
                // Who does not wait for the answer does not need it.
                let _ = request.respond(response);
            }
        });
        Self {
            server,
            thread: Some(thread),
            url: Url::parse(&format!("http://localhost:{port}/")).unwrap(),
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A page without scripts: it says what scripts would.
pub(crate) struct Page {
    service_workers: SwClientHandle,
    events: Receiver<SwClientEvent>,
    sync: SyncClientHandle,
    answers: Receiver<SyncClientEvent>,
    url: Url,
}

impl Page {
    pub(crate) fn open(engine: &Engine, url: &Url) -> Self {
        let id = ClientId::random();
        let storage_key = StorageKey::from_url(url).unwrap();
        let (sender, events) = unbounded();
        let client =
            ClientDescription::new(id, storage_key.clone(), url.clone(), ClientKind::Window);
        let events_to = Callback::to_sender(&sender, |event| event);
        let handles = engine.handles();
        let service_workers = handles.service_workers.attach_client(client, events_to);
        let (sender, answers) = unbounded();
        let answers_to = Callback::to_sender(&sender, |event| event);
        let sync = handles.sync.attach_client(id, storage_key, answers_to);
        Self {
            service_workers: service_workers.unwrap(),
            events,
            sync: sync.unwrap(),
            answers,
            url: url.clone(),
        }
    }

    /// Register workers for these scopes, and wait until all of them are active.
    pub(crate) fn register_workers(&self, scopes: &[Url]) {
        let mut active = BTreeSet::new();
        for scope in scopes {
            let register = SwRequest::Register {
                scope: Some(scope.clone()),
                script_url: self.url.join("/worker.js").unwrap(),
                worker_type: WorkerType::Classic,
                update_via_cache: UpdateViaCache::default(),
            };
            let id = self.service_workers.request(register).unwrap();
            loop {
                match self.next(&mut active) {
                    SwClientEvent::Answer { request, result } if request == id => {
                        assert!(matches!(result.unwrap(), SwAnswer::Registration(Some(_))));
                        break;
                    }
                    _ => {}
                }
            }
        }
        while active.len() < scopes.len() {
            self.next(&mut active);
        }
    }

    fn next(&self, active: &mut BTreeSet<base::ids::WorkerId>) -> SwClientEvent {
        let event = self.events.recv().unwrap();
        if let SwClientEvent::WorkerStateChanged { worker } = &event
            && worker.state == ServiceWorkerState::Activated
        {
            active.insert(worker.id);
        }
        event
    }

    /// Register a tag, and wait until that is durable.
    pub(crate) fn register_sync(&self, scope: &Url, tag: &str) {
        let tag = DomString::from(tag);
        self.sync
            .request(scope.clone(), SyncRequest::Register { tag })
            .unwrap();
        let SyncClientEvent::Registered { result, .. } = self.answers.recv().unwrap() else {
            panic!("another answer than was asked for");
        };
        result.unwrap();
    }
}

pub(crate) fn scopes(site: &Url, count: u64) -> Vec<Url> {
    (0..count)
        .map(|number| site.join(&format!("app-{number}/")).unwrap())
        .collect()
}

/// A profile with so many service worker registrations, each with so many tags; all of them wait for
/// the network. The site must go on for its syncs to fire: a server that cannot be reached gets none.
pub(crate) fn make(profile: &Path, workers: u64, tags: u64) -> Site {
    let site = Site::serve();
    let (engine, _events) = start_agreeable(builder(profile));
    let page = Page::open(&engine, &site.url);
    let scopes = scopes(&site.url, workers);
    page.register_workers(&scopes);
    emulate_offline(&engine, true);
    for scope in &scopes {
        for tag in 0..tags {
            page.register_sync(scope, &format!("outbox-{tag}"));
        }
    }
    drop(page);
    engine.shut_down();
    site
}

/// A copy to run an engine on, which changes it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
