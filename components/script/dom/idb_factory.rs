//! <https://w3c.github.io/IndexedDB/#factory-interface>

use std::cmp::Ordering;

use super::idb_open_db_request::IdbOpenDbRequest;
use crate::bindings::generated::IdbFactoryMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, Promise, Realm, Reflector, Value};
use crate::indexed_database::client::{DatabaseClient, gone};
use crate::indexed_database::key;

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#factory-interface>
    pub struct IdbFactory {
        pub(crate) reflector: Reflector,
    }
}

impl IdbFactory {
    /// The one factory of a global object.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
            },
        )
    }
}

impl IdbFactoryMethods for IdbFactory {
    /// <https://w3c.github.io/IndexedDB/#dom-idbfactory-open>
    fn open(
        &self,
        realm: &Realm,
        name: DomString,
        version: Option<u64>,
    ) -> Fallible<Dom<IdbOpenDbRequest>> {
        if version == Some(0) {
            return Err(Error::Type(
                "The version of a database is at least 1.".to_owned(),
            ));
        }
        let client = DatabaseClient::of(realm)?;
        let handle = client.handle(realm)?;
        let request = IdbOpenDbRequest::create(realm)?;
        let id = handle
            .open(name.code_units().to_vec(), version)
            .map_err(gone)?;
        client.add_open_request(id, request.clone());
        Ok(request)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbfactory-deletedatabase>
    fn delete_database(&self, realm: &Realm, name: DomString) -> Fallible<Dom<IdbOpenDbRequest>> {
        let client = DatabaseClient::of(realm)?;
        let handle = client.handle(realm)?;
        let request = IdbOpenDbRequest::create(realm)?;
        let id = handle
            .delete_database(name.code_units().to_vec())
            .map_err(gone)?;
        client.add_open_request(id, request.clone());
        Ok(request)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbfactory-databases>
    fn databases(&self, realm: &Realm) -> Fallible<Promise> {
        let client = DatabaseClient::of(realm)?;
        let handle = client.handle(realm)?;
        let promise = Promise::new(realm)?;
        let id = handle.databases().map_err(gone)?;
        client.add_list(id, promise.clone());
        Ok(promise)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbfactory-cmp>
    fn cmp(&self, realm: &Realm, first: Value, second: Value) -> Fallible<i16> {
        let first = key::require(realm, &first)?;
        let second = key::require(realm, &second)?;
        Ok(match first.cmp(&second) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        })
    }
}
