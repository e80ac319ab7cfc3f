//! <https://w3c.github.io/ServiceWorker/#serviceworkerglobalscope>

use std::cell::OnceCell;

use sw_traits::SwRequest;

use super::clients::Clients;
use super::service_worker::ServiceWorker;
use super::service_worker_registration::ServiceWorkerRegistration;
use super::worker_global_scope::WorkerGlobalScope;
use crate::bindings::generated::ServiceWorkerGlobalScopeMethods;
use crate::bindings::{Dom, Fallible, Promise, Realm};
use crate::service_worker::client::ServiceWorkerClient;
use crate::service_worker::worker::Worker;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#serviceworkerglobalscope>
    pub struct ServiceWorkerGlobalScope {
        pub(crate) parent: WorkerGlobalScope,
        clients: OnceCell<Dom<Clients>>,
    }
}

impl ServiceWorkerGlobalScope {
    /// The global object of a service worker.
    pub fn new() -> Self {
        Self {
            parent: WorkerGlobalScope::new_inherited(),
            clients: OnceCell::new(),
        }
    }
}

impl Default for ServiceWorkerGlobalScope {
    fn default() -> Self {
        Self::new()
    }
}

impl ServiceWorkerGlobalScopeMethods for ServiceWorkerGlobalScope {
    fn clients(&self, realm: &Realm) -> Fallible<Dom<Clients>> {
        if let Some(clients) = self.clients.get() {
            return Ok(clients.clone());
        }
        let clients = Clients::create(realm)?;
        Ok(self.clients.get_or_init(|| clients).clone())
    }

    fn registration(&self, realm: &Realm) -> Fallible<Dom<ServiceWorkerRegistration>> {
        Worker::of(realm)?.registration(realm)
    }

    fn service_worker(&self, realm: &Realm) -> Fallible<Dom<ServiceWorker>> {
        Worker::of(realm)?.service_worker(realm)
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-skipwaiting>
    fn skip_waiting(&self, realm: &Realm) -> Fallible<Promise> {
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::SkipWaiting)
    }
}
