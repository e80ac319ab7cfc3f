//! <https://w3c.github.io/ServiceWorker/#navigation-preload-manager>

use sw_traits::{NavigationPreloadChange, SwRequest};
use url::Url;

use crate::bindings::generated::NavigationPreloadManagerMethods;
use crate::bindings::{ByteString, Dom, Fallible, NoTrace, Promise, Realm, Reflector};
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#navigationpreloadmanager>
    pub struct NavigationPreloadManager {
        pub(crate) reflector: Reflector,
        /// The scope of the service worker registration.
        scope: NoTrace<Url>,
    }
}

impl NavigationPreloadManager {
    /// The manager of a registration.
    pub(crate) fn create(realm: &Realm, scope: Url) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            scope: NoTrace(scope),
        };
        Dom::new(realm, this)
    }

    fn change(&self, realm: &Realm, change: NavigationPreloadChange) -> Fallible<Promise> {
        let scope = self.scope.0.clone();
        let request = SwRequest::ChangeNavigationPreload { scope, change };
        ServiceWorkerClient::of(realm)?.request(realm, request)
    }
}

impl NavigationPreloadManagerMethods for NavigationPreloadManager {
    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-enable>
    fn enable(&self, realm: &Realm) -> Fallible<Promise> {
        self.change(realm, NavigationPreloadChange::Enabled(true))
    }

    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-disable>
    fn disable(&self, realm: &Realm) -> Fallible<Promise> {
        self.change(realm, NavigationPreloadChange::Enabled(false))
    }

    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-setheadervalue>
    fn set_header_value(&self, realm: &Realm, value: ByteString) -> Fallible<Promise> {
        self.change(realm, NavigationPreloadChange::HeaderValue(value.0))
    }

    /// <https://w3c.github.io/ServiceWorker/#navigation-preload-manager-getstate>
    fn get_state(&self, realm: &Realm) -> Fallible<Promise> {
        let scope = self.scope.0.clone();
        let request = SwRequest::NavigationPreload { scope };
        ServiceWorkerClient::of(realm)?.request(realm, request)
    }
}
