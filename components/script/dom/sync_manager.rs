//! <https://wicg.github.io/background-sync/spec/#sync-manager-interface>

use sync_traits::{RegistrationReference, SyncRequest};

use crate::bindings::generated::SyncManagerMethods;
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Promise, Realm, Reflector};
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://wicg.github.io/background-sync/spec/#sync-manager-interface>
    pub struct SyncManager {
        pub(crate) reflector: Reflector,
        /// The service worker registration.
        registration: NoTrace<RegistrationReference>,
    }
}

impl SyncManager {
    /// The manager of a registration's syncs.
    pub(crate) fn create(
        realm: &Realm,
        registration: RegistrationReference,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            registration: NoTrace(registration),
        };
        Dom::new(realm, this)
    }
}

impl SyncManagerMethods for SyncManager {
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>
    fn register(&self, realm: &Realm, tag: DomString) -> Fallible<Promise> {
        let tag = base::DomString::from_code_units(tag.code_units().to_vec());
        let registration = self.registration.0.clone();
        ServiceWorkerClient::of(realm)?.sync_request(
            realm,
            registration,
            SyncRequest::Register { tag },
        )
    }

    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-gettags>
    fn get_tags(&self, realm: &Realm) -> Fallible<Promise> {
        let registration = self.registration.0.clone();
        ServiceWorkerClient::of(realm)?.sync_request(realm, registration, SyncRequest::Tags)
    }
}
