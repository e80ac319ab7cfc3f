//! <https://w3c.github.io/ServiceWorker/#navigator-serviceworker>

use super::service_worker_container::ServiceWorkerContainer;
use crate::bindings::generated::NavigatorServiceWorkerMethods;
use crate::bindings::{Dom, DomObject, Fallible, Realm};
use crate::service_worker::client::ServiceWorkerClient;

impl<T: DomObject> NavigatorServiceWorkerMethods for T {
    fn service_worker(&self, realm: &Realm) -> Fallible<Dom<ServiceWorkerContainer>> {
        ServiceWorkerClient::of(realm)?.container(realm)
    }
}
