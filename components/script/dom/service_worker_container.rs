//! <https://w3c.github.io/ServiceWorker/#serviceworkercontainer-interface>

use base::exception::DomExceptionName;
use sw_traits::{SwRequest, UpdateViaCache, WorkerType};

use super::event_target::EventTarget;
use super::service_worker::ServiceWorker;
use crate::bindings::generated::{
    RegistrationOptions, ServiceWorkerContainerMethods, ServiceWorkerUpdateViaCache,
    WorkerType as ScriptWorkerType,
};
use crate::bindings::{Dom, Error, Fallible, Promise, Realm, UsvString};
use crate::environment::Environment;
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#serviceworkercontainer-interface>
    pub struct ServiceWorkerContainer {
        pub(crate) parent: EventTarget,
    }
}

impl ServiceWorkerContainer {
    /// The container of a realm that has none yet.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let parent = EventTarget::new_inherited();
        // The first `onmessage` enables the client message queue.
        parent.set_handler_observer(|_, realm, type_| {
            if type_ == "message"
                && let Ok(client) = ServiceWorkerClient::of(realm)
            {
                client.enable_messages(realm);
            }
        });
        Dom::new(realm, Self { parent })
    }
}

impl ServiceWorkerContainerMethods for ServiceWorkerContainer {
    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-controller>
    fn controller(&self, realm: &Realm) -> Fallible<Option<Dom<ServiceWorker>>> {
        ServiceWorkerClient::of(realm)?.controller(realm)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-ready>
    fn ready(&self, realm: &Realm) -> Fallible<Promise> {
        ServiceWorkerClient::of(realm)?.ready(realm)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-register>
    fn register(
        &self,
        realm: &Realm,
        script_url: UsvString,
        options: RegistrationOptions,
    ) -> Fallible<Promise> {
        let environment = Environment::of(realm)?;
        // Step 4 to 6, with the step of Start Register that rejects what is not a URL.
        let script_url = environment.parse_url(&script_url)?;
        let scope = options
            .scope
            .map(|scope| environment.parse_url(&scope))
            .transpose()?;
        // Step 7
        ServiceWorkerClient::of(realm)?.request(
            realm,
            SwRequest::Register {
                scope,
                script_url,
                worker_type: match options.type_ {
                    ScriptWorkerType::Classic => WorkerType::Classic,
                    ScriptWorkerType::Module => WorkerType::Module,
                },
                update_via_cache: match options.update_via_cache {
                    ServiceWorkerUpdateViaCache::Imports => UpdateViaCache::Imports,
                    ServiceWorkerUpdateViaCache::All => UpdateViaCache::All,
                    ServiceWorkerUpdateViaCache::None => UpdateViaCache::None,
                },
            },
        )
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-getRegistration>
    fn get_registration(&self, realm: &Realm, client_url: UsvString) -> Fallible<Promise> {
        let environment = Environment::of(realm)?;
        // Step 3 to 5
        let mut url = environment.parse_url(&client_url)?;
        url.set_fragment(None);
        // Step 6
        let is_own = environment
            .origin
            .as_ref()
            .is_some_and(|origin| origin.contains(&url));
        if !is_own {
            return Err(Error::dom(
                DomExceptionName::SecurityError,
                format!("{url} is of another origin than the page."),
            ));
        }
        // Step 7 and 8
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::GetRegistration { url })
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-getRegistrations>
    fn get_registrations(&self, realm: &Realm) -> Fallible<Promise> {
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::GetRegistrations)
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-startMessages>
    fn start_messages(&self, realm: &Realm) -> Fallible<()> {
        ServiceWorkerClient::of(realm)?.enable_messages(realm);
        Ok(())
    }
}
