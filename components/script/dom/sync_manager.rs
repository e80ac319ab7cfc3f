//! <https://wicg.github.io/background-sync/spec/#sync-manager-interface>

use sync_traits::SyncRequest;
use url::Url;

use crate::bindings::generated::SyncManagerMethods;
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Promise, Realm, Reflector};
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://wicg.github.io/background-sync/spec/#sync-manager-interface>
    pub struct SyncManager {
        pub(crate) reflector: Reflector,
        /// The scope of the service worker registration.
        scope: NoTrace<Url>,
    }
}

impl SyncManager {
    /// The manager of a registration's syncs.
    pub(crate) fn create(realm: &Realm, scope: Url) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            scope: NoTrace(scope),
        };
        Dom::new(realm, this)
    }
}

impl SyncManagerMethods for SyncManager {
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>
    fn register(&self, realm: &Realm, tag: DomString) -> Fallible<Promise> {
        let tag = base::DomString::from_code_units(tag.code_units().to_vec());
        let scope = self.scope.0.clone();
        ServiceWorkerClient::of(realm)?.sync_request(realm, scope, SyncRequest::Register { tag })
    }

    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-gettags>
    fn get_tags(&self, realm: &Realm) -> Fallible<Promise> {
        let scope = self.scope.0.clone();
        ServiceWorkerClient::of(realm)?.sync_request(realm, scope, SyncRequest::Tags)
    }
}
