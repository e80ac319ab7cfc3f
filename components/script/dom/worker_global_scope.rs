//! <https://html.spec.whatwg.org/multipage/workers.html#the-workerglobalscope-common-interface>

use std::cell::OnceCell;

use super::crypto::Crypto;
use super::event_target::EventTarget;
use super::performance::Performance;
use super::window_or_worker_global_scope::same;
use super::worker_location::WorkerLocation;
use super::worker_navigator::WorkerNavigator;
use crate::bindings::generated::WorkerGlobalScopeMethods;
use crate::bindings::{Dom, Fallible, Realm, UsvString, Value};
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::network_watch;
use crate::worker::scripts;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#the-workerglobalscope-common-interface>
    pub struct WorkerGlobalScope {
        pub(crate) parent: EventTarget,
        location: OnceCell<Dom<WorkerLocation>>,
        navigator: OnceCell<Dom<WorkerNavigator>>,
        performance: OnceCell<Dom<Performance>>,
        crypto: OnceCell<Dom<Crypto>>,
    }
}

impl WorkerGlobalScope {
    /// The part of a worker's global object that this interface is.
    pub fn new_inherited() -> Self {
        let parent = EventTarget::new_inherited();
        parent.set_listener_observer(network_watch::listeners_changed);
        Self {
            parent,
            location: OnceCell::new(),
            navigator: OnceCell::new(),
            performance: OnceCell::new(),
            crypto: OnceCell::new(),
        }
    }

    /// The worker ends after the task that runs now; the tasks that wait are dropped.
    ///
    /// <https://html.spec.whatwg.org/multipage/workers.html#close-a-worker>
    pub(crate) fn close(realm: &Realm) {
        if let Some(event_loop) = realm.service::<EventLoop>() {
            event_loop.end();
        }
    }
}

impl WorkerGlobalScopeMethods for WorkerGlobalScope {
    fn self_(&self, realm: &Realm) -> Value {
        realm.global_value()
    }

    fn location(&self, realm: &Realm) -> Fallible<Dom<WorkerLocation>> {
        same(&self.location, || {
            let url = Environment::of(realm)?.creation_url.clone();
            WorkerLocation::create(realm, url)
        })
    }

    fn navigator(&self, realm: &Realm) -> Fallible<Dom<WorkerNavigator>> {
        same(&self.navigator, || WorkerNavigator::create(realm))
    }

    fn performance(&self, realm: &Realm) -> Fallible<Dom<Performance>> {
        same(&self.performance, || Performance::new(realm))
    }

    fn crypto(&self, realm: &Realm) -> Fallible<Dom<Crypto>> {
        same(&self.crypto, || Crypto::new(realm))
    }

    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-workerglobalscope-importscripts>
    fn import_scripts(&self, realm: &Realm, urls: Vec<UsvString>) -> Fallible<()> {
        scripts::import_scripts(realm, &urls)
    }
}
