//! <https://w3c.github.io/ServiceWorker/#serviceworkerregistration-interface>

use std::cell::{OnceCell, RefCell};

use base::exception::DomExceptionName;
use sw_traits::{RegistrationInfo, SwRequest, UpdateViaCache};
use sync_traits::RegistrationReference;

use super::event_target::EventTarget;
use super::navigation_preload_manager::NavigationPreloadManager;
use super::periodic_sync_manager::PeriodicSyncManager;
use super::service_worker::ServiceWorker;
use super::sync_manager::SyncManager;
use super::window_or_worker_global_scope::same;
use crate::bindings::generated::{ServiceWorkerRegistrationMethods, ServiceWorkerUpdateViaCache};
use crate::bindings::{Dom, Error, Fallible, NoTrace, Promise, Realm, UsvString};
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#serviceworkerregistration-interface>
    pub struct ServiceWorkerRegistration {
        pub(crate) parent: EventTarget,
        reference: NoTrace<RegistrationReference>,
        update_via_cache: NoTrace<RefCell<UpdateViaCache>>,
        installing: RefCell<Option<Dom<ServiceWorker>>>,
        waiting: RefCell<Option<Dom<ServiceWorker>>>,
        active: RefCell<Option<Dom<ServiceWorker>>>,
        navigation_preload: OnceCell<Dom<NavigationPreloadManager>>,
        sync: OnceCell<Dom<SyncManager>>,
        periodic_sync: OnceCell<Dom<PeriodicSyncManager>>,
    }
}

impl ServiceWorkerRegistration {
    /// The object of a registration that has none in this realm yet.
    pub(crate) fn create(
        realm: &Realm,
        client: &ServiceWorkerClient,
        info: &RegistrationInfo,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            parent: EventTarget::new_inherited(),
            reference: NoTrace(RegistrationReference {
                scope: info.scope.clone(),
                ordinal: Some(info.ordinal),
            }),
            update_via_cache: NoTrace(RefCell::new(info.update_via_cache)),
            installing: RefCell::default(),
            waiting: RefCell::default(),
            active: RefCell::default(),
            navigation_preload: OnceCell::new(),
            sync: OnceCell::new(),
            periodic_sync: OnceCell::new(),
        };
        this.update_workers(realm, client, info)?;
        Dom::new(realm, this)
    }

    /// <https://w3c.github.io/ServiceWorker/#update-registration-state-algorithm>
    pub(crate) fn update_workers(
        &self,
        realm: &Realm,
        client: &ServiceWorkerClient,
        info: &RegistrationInfo,
    ) -> Fallible<()> {
        self.update_via_cache.replace(info.update_via_cache);
        for (field, worker) in [
            (&self.installing, &info.installing),
            (&self.waiting, &info.waiting),
            (&self.active, &info.active),
        ] {
            let worker = worker
                .as_ref()
                .map(|worker| client.worker_object(realm, worker))
                .transpose()?;
            let replaced = field.replace(worker);
            drop(replaced);
        }
        Ok(())
    }
}

impl ServiceWorkerRegistrationMethods for ServiceWorkerRegistration {
    fn installing(&self, _: &Realm) -> Option<Dom<ServiceWorker>> {
        self.installing.borrow().clone()
    }

    fn waiting(&self, _: &Realm) -> Option<Dom<ServiceWorker>> {
        self.waiting.borrow().clone()
    }

    fn active(&self, _: &Realm) -> Option<Dom<ServiceWorker>> {
        self.active.borrow().clone()
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-navigationpreload>
    fn navigation_preload(&self, realm: &Realm) -> Fallible<Dom<NavigationPreloadManager>> {
        same(&self.navigation_preload, || {
            NavigationPreloadManager::create(realm, self.reference.0.scope.clone())
        })
    }

    fn scope(&self, _: &Realm) -> UsvString {
        self.reference.0.scope.as_str().into()
    }

    fn update_via_cache(&self, _: &Realm) -> ServiceWorkerUpdateViaCache {
        match *self.update_via_cache.borrow() {
            UpdateViaCache::Imports => ServiceWorkerUpdateViaCache::Imports,
            UpdateViaCache::All => ServiceWorkerUpdateViaCache::All,
            UpdateViaCache::None => ServiceWorkerUpdateViaCache::None,
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#service-worker-registration-update>
    fn update(&self, realm: &Realm) -> Fallible<Promise> {
        // Step 3: what has no worker is not updated. The component checks it too, but by then the
        // registration may have been cleared.
        let has_worker = [&self.installing, &self.waiting, &self.active]
            .iter()
            .any(|field| field.borrow().is_some());
        if !has_worker {
            return Err(Error::dom(
                DomExceptionName::InvalidStateError,
                "The registration has no service worker.",
            ));
        }
        let scope = self.reference.0.scope.clone();
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::Update { scope })
    }

    /// <https://w3c.github.io/ServiceWorker/#navigator-service-worker-unregister>
    fn unregister(&self, realm: &Realm) -> Fallible<Promise> {
        let scope = self.reference.0.scope.clone();
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::Unregister { scope })
    }

    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-sync>
    fn sync(&self, realm: &Realm) -> Fallible<Dom<SyncManager>> {
        same(&self.sync, || {
            SyncManager::create(realm, self.reference.0.clone())
        })
    }

    /// <https://wicg.github.io/periodic-background-sync/#dom-serviceworkerregistration-periodicsync>
    fn periodic_sync(&self, realm: &Realm) -> Fallible<Dom<PeriodicSyncManager>> {
        same(&self.periodic_sync, || {
            PeriodicSyncManager::create(realm, self.reference.0.clone())
        })
    }
}
