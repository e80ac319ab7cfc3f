//! <https://wicg.github.io/periodic-background-sync/#periodicsyncmanager-interface>

use std::time::Duration;

use sync_traits::{RegistrationReference, SyncRequest};

use crate::bindings::generated::{BackgroundSyncOptions, PeriodicSyncManagerMethods};
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Promise, Realm, Reflector};
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://wicg.github.io/periodic-background-sync/#periodicsyncmanager>
    pub struct PeriodicSyncManager {
        pub(crate) reflector: Reflector,
        /// The service worker registration.
        registration: NoTrace<RegistrationReference>,
    }
}

impl PeriodicSyncManager {
    /// The manager of a registration's periodic syncs.
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

    fn request(&self, realm: &Realm, request: SyncRequest) -> Fallible<Promise> {
        let registration = self.registration.0.clone();
        ServiceWorkerClient::of(realm)?.sync_request(realm, registration, request)
    }
}

impl PeriodicSyncManagerMethods for PeriodicSyncManager {
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-register>
    fn register(
        &self,
        realm: &Realm,
        tag: DomString,
        options: BackgroundSyncOptions,
    ) -> Fallible<Promise> {
        let tag = base::DomString::from_code_units(tag.code_units().to_vec());
        let min_interval = Duration::from_millis(options.min_interval);
        self.request(realm, SyncRequest::RegisterPeriodic { tag, min_interval })
    }

    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-gettags>
    fn get_tags(&self, realm: &Realm) -> Fallible<Promise> {
        self.request(realm, SyncRequest::PeriodicTags)
    }

    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-unregister>
    fn unregister(&self, realm: &Realm, tag: DomString) -> Fallible<Promise> {
        let tag = base::DomString::from_code_units(tag.code_units().to_vec());
        self.request(realm, SyncRequest::UnregisterPeriodic { tag })
    }
}
