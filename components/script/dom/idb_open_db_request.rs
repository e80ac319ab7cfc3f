//! <https://w3c.github.io/IndexedDB/#request-api>

use std::cell::RefCell;

use base::exception;

use super::dom_exception::DomException;
use super::idb_database::IdbDatabase;
use super::idb_request::IdbRequest;
use super::idb_transaction::IdbTransaction;
use super::idb_version_change_event::IdbVersionChangeEvent;
use crate::bindings::generated::{EventInit, IdbOpenDbRequestMethods};
use crate::bindings::{Dom, Fallible, Realm, Value};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#request-open-request>
    pub struct IdbOpenDbRequest {
        pub(crate) parent: IdbRequest,
        /// The connection of an upgrade, until it is known how that ends.
        database: RefCell<Option<Dom<IdbDatabase>>>,
    }
}

impl IdbOpenDbRequest {
    /// A request to open or to delete a database.
    pub(super) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let parent = IdbRequest::new_inherited();
        Dom::new(
            realm,
            Self {
                parent,
                database: RefCell::default(),
            },
        )
    }

    /// The connection of an upgrade that has ended.
    pub(crate) fn take_database(&self) -> Option<Dom<IdbDatabase>> {
        self.database.take()
    }

    /// The last steps of <https://w3c.github.io/IndexedDB/#upgrade-a-database>
    pub(crate) fn upgrade(
        &self,
        realm: &Realm,
        transaction: &Dom<IdbTransaction>,
        old_version: u64,
        new_version: u64,
    ) -> Fallible<()> {
        let database = transaction.database().clone();
        let result = database.value();
        self.database.replace(Some(database));
        self.succeed(result);
        self.set_transaction(Some(transaction.clone()));
        let new_version = Some(new_version);
        let event =
            IdbVersionChangeEvent::create(realm, "upgradeneeded", old_version, new_version)?;
        transaction.run_upgrade(realm, self, &event);
        Ok(())
    }

    pub(crate) fn blocked(
        &self,
        realm: &Realm,
        old_version: u64,
        new_version: Option<u64>,
    ) -> Fallible<()> {
        let event = IdbVersionChangeEvent::create(realm, "blocked", old_version, new_version)?;
        self.dispatch_trusted(realm, &event);
        Ok(())
    }

    /// The last steps of <https://w3c.github.io/IndexedDB/#dom-idbfactory-open>
    pub(crate) fn opened(&self, realm: &Realm, database: &Dom<IdbDatabase>) -> Fallible<()> {
        self.set_transaction(None);
        self.succeed(database.value());
        self.fire_event(realm, "success", &EventInit::default())?;
        Ok(())
    }

    /// The last steps of <https://w3c.github.io/IndexedDB/#dom-idbfactory-deletedatabase>
    pub(crate) fn deleted(&self, realm: &Realm, old_version: u64) -> Fallible<()> {
        self.succeed(Value::undefined());
        let event = IdbVersionChangeEvent::create(realm, "success", old_version, None)?;
        self.dispatch_trusted(realm, &event);
        Ok(())
    }

    /// It failed, whichever of both it was.
    pub(crate) fn failed(&self, realm: &Realm, error: &exception::DomException) -> Fallible<()> {
        self.set_transaction(None);
        self.fail(DomException::create(realm, error)?);
        self.dispatch_trusted(realm, &*IdbRequest::error_event(realm)?);
        Ok(())
    }
}

impl IdbOpenDbRequestMethods for IdbOpenDbRequest {}
