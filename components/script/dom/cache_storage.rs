//! <https://w3c.github.io/ServiceWorker/#cachestorage-interface>

use super::cache::query;
use crate::bindings::generated::{CacheStorageMethods, MultiCacheQueryOptions, RequestOrUsvString};
use crate::bindings::{Dom, DomString, Fallible, Promise, Realm, Reflector};
use crate::cache_client::{CacheClient, ask, first_response, found, names, opened};

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#cachestorage>
    pub struct CacheStorage {
        pub(crate) reflector: Reflector,
    }
}

impl CacheStorage {
    /// The object of a global object that has none yet.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let reflector = Reflector::default();
        Dom::new(realm, Self { reflector })
    }
}

impl CacheStorageMethods for CacheStorage {
    /// <https://w3c.github.io/ServiceWorker/#cache-storage-match>
    fn match_(
        &self,
        realm: &Realm,
        request: RequestOrUsvString,
        options: MultiCacheQueryOptions,
    ) -> Fallible<Promise> {
        let client = CacheClient::of(realm)?;
        let caches = client.caches()?;
        let query = query(realm, request, &options.parent)?;
        let name = options.cache_name.map(|name| name.code_units().to_vec());
        ask(realm, |done| caches.find(name, query, done), first_response)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-has>
    fn has(&self, realm: &Realm, cache_name: DomString) -> Fallible<Promise> {
        let client = CacheClient::of(realm)?;
        let caches = client.caches()?;
        let name = cache_name.code_units().to_vec();
        ask(realm, |done| caches.has(name, done), found)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-open>
    fn open(&self, realm: &Realm, cache_name: DomString) -> Fallible<Promise> {
        let client = CacheClient::of(realm)?;
        let caches = client.caches()?;
        let name = cache_name.code_units().to_vec();
        ask(realm, |done| caches.open(name, done), opened)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-delete>
    fn delete(&self, realm: &Realm, cache_name: DomString) -> Fallible<Promise> {
        let client = CacheClient::of(realm)?;
        let caches = client.caches()?;
        let name = cache_name.code_units().to_vec();
        ask(realm, |done| caches.delete(name, done), found)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-storage-keys>
    fn keys(&self, realm: &Realm) -> Fallible<Promise> {
        let client = CacheClient::of(realm)?;
        let caches = client.caches()?;
        ask(realm, |done| caches.keys(done), names)
    }
}
