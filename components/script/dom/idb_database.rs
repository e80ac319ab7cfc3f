//! <https://w3c.github.io/IndexedDB/#database-interface>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;
use indexed_db::{
    ConnectionId, DatabaseInfo, IndexInfo, KeyPath, Name, ObjectStoreInfo, Operation,
    TransactionId, TransactionMode,
};

use super::dom_string_list::DomStringList;
use super::event_target::EventTarget;
use super::idb_object_store::IdbObjectStore;
use super::idb_transaction::IdbTransaction;
use super::idb_version_change_event::IdbVersionChangeEvent;
use crate::bindings::generated::{
    DomStringOrDomStringSequence, IdbDatabaseMethods, IdbObjectStoreParameters, IdbTransactionMode,
    IdbTransactionOptions,
};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm};
use crate::indexed_database::client::{DatabaseClient, gone};
use crate::indexed_database::key_path;

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#connection>
    pub struct IdbDatabase {
        pub(crate) parent: EventTarget,
        connection: NoTrace<ConnectionId>,
        name: DomString,
        version: Cell<u64>,
        /// <https://w3c.github.io/IndexedDB/#connection-object-store-set>
        object_stores: NoTrace<RefCell<Vec<ObjectStoreInfo>>>,
        /// <https://w3c.github.io/IndexedDB/#database-upgrade-transaction>
        upgrade: RefCell<Option<Dom<IdbTransaction>>>,
        /// <https://w3c.github.io/IndexedDB/#connection-close-pending-flag>
        close_pending: Cell<bool>,
    }
}

impl IdbDatabase {
    /// A connection to a database that was like this when the connection was made.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn create(
        realm: &Realm,
        connection: ConnectionId,
        info: DatabaseInfo,
    ) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                parent: EventTarget::new_inherited(),
                connection: NoTrace(connection),
                name: DomString::from_code_units(info.name),
                version: Cell::new(info.version),
                object_stores: NoTrace(RefCell::new(info.object_stores)),
                upgrade: RefCell::default(),
                close_pending: Cell::new(false),
            },
        )
    }

    pub(crate) fn connection(&self) -> ConnectionId {
        *self.connection
    }

    /// The connection is gone.
    pub(crate) fn set_closed(&self) {
        self.close_pending.set(true);
    }

    pub(super) fn set_upgrade(&self, transaction: Option<Dom<IdbTransaction>>) {
        self.upgrade.replace(transaction);
    }

    pub(super) fn object_stores(&self) -> Vec<ObjectStoreInfo> {
        self.object_stores.borrow().clone()
    }

    pub(super) fn object_store(&self, name: &Name) -> Option<ObjectStoreInfo> {
        let object_stores = self.object_stores.borrow();
        object_stores
            .iter()
            .find(|store| store.name == *name)
            .cloned()
    }

    pub(super) fn object_store_names(&self) -> Vec<DomString> {
        let object_stores = self.object_stores.borrow();
        object_stores
            .iter()
            .map(|store| DomString::from_code_units(store.name.clone()))
            .collect()
    }

    pub(super) fn rename_object_store(&self, from: &Name, to: Name) {
        let mut object_stores = self.object_stores.borrow_mut();
        if let Some(store) = object_stores.iter_mut().find(|store| store.name == *from) {
            store.name = to;
        }
    }

    /// Changes what indexes an object store has.
    pub(super) fn change_indexes(&self, store: &Name, change: impl FnOnce(&mut Vec<IndexInfo>)) {
        let mut object_stores = self.object_stores.borrow_mut();
        let mut named = object_stores.iter_mut().filter(|info| info.name == *store);
        if let Some(store) = named.next() {
            change(&mut store.indexes);
        }
    }

    /// What an upgrade transaction changed is as it was before.
    pub(super) fn revert(&self, version: u64, object_stores: Vec<ObjectStoreInfo>) {
        self.version.set(version);
        self.object_stores.replace(object_stores);
    }

    /// From <https://w3c.github.io/IndexedDB/#open-a-database-connection>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn version_change(
        &self,
        realm: &Realm,
        old_version: u64,
        new_version: Option<u64>,
    ) -> Fallible<()> {
        if self.close_pending.get() {
            return Ok(());
        }
        let event =
            IdbVersionChangeEvent::create(realm, "versionchange", old_version, new_version)?;
        self.dispatch_trusted(realm, &event);
        Ok(())
    }

    /// Asks the component for a transaction.
    pub(super) fn begin(
        &self,
        realm: &Realm,
        scope: Vec<Name>,
        mode: TransactionMode,
    ) -> Fallible<TransactionId> {
        DatabaseClient::of(realm)?
            .handle(realm)?
            .create_transaction(*self.connection, scope, mode)
            .map_err(gone)
    }

    /// The first steps of creating and deleting an object store.
    fn active_upgrade(&self) -> Fallible<Dom<IdbTransaction>> {
        let transaction = self.upgrade.borrow().clone().ok_or_else(|| {
            invalid_state("Object stores can only be changed while the database is upgraded.")
        })?;
        transaction.require_active()?;
        Ok(transaction)
    }
}

impl IdbDatabaseMethods for IdbDatabase {
    fn name(&self, _: &Realm) -> DomString {
        self.name.clone()
    }

    fn version(&self, _: &Realm) -> u64 {
        self.version.get()
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-objectstorenames>
    fn object_store_names(&self, realm: &Realm) -> Fallible<Dom<DomStringList>> {
        DomStringList::sorted(realm, Self::object_store_names(self))
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-transaction>
    fn transaction(
        &self,
        realm: &Realm,
        store_names: DomStringOrDomStringSequence,
        mode: IdbTransactionMode,
        options: IdbTransactionOptions,
    ) -> Fallible<Dom<IdbTransaction>> {
        // Step 1 and 2.
        if self.upgrade.borrow().is_some() {
            return Err(invalid_state("The database is being upgraded."));
        }
        if self.close_pending.get() {
            return Err(invalid_state("The connection is closed."));
        }
        // Step 3 to 5.
        let mut scope: Vec<Name> = match store_names {
            DomStringOrDomStringSequence::DomString(name) => vec![name.code_units().to_vec()],
            DomStringOrDomStringSequence::DomStringSequence(names) => names
                .iter()
                .map(|name| name.code_units().to_vec())
                .collect(),
        };
        scope.sort();
        scope.dedup();
        if scope.iter().any(|name| self.object_store(name).is_none()) {
            return Err(Error::dom(
                DomExceptionName::NotFoundError,
                "One of the object stores does not exist.",
            ));
        }
        if scope.is_empty() {
            return Err(Error::dom(
                DomExceptionName::InvalidAccessError,
                "A transaction needs at least one object store.",
            ));
        }
        // Step 6.
        if mode == IdbTransactionMode::Versionchange {
            let message = "Upgrade transactions are only made by opening a database.";
            return Err(Error::Type(message.to_owned()));
        }
        // Step 7 to 9.
        IdbTransaction::create(realm, self, scope, mode, options.durability)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-close>
    fn close(&self, realm: &Realm) -> Fallible<()> {
        if !self.close_pending.replace(true) {
            let client = DatabaseClient::of(realm)?;
            client.remove_connection(*self.connection);
            // Without the component there is no connection either.
            if let Ok(handle) = client.handle(realm) {
                let _ = handle.close(*self.connection);
            }
        }
        Ok(())
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-createobjectstore>
    fn create_object_store(
        &self,
        realm: &Realm,
        name: DomString,
        options: IdbObjectStoreParameters,
    ) -> Fallible<Dom<IdbObjectStore>> {
        // Step 2 and 3.
        let transaction = self.active_upgrade()?;
        // Step 4 and 5.
        let key_path = options.key_path.map(key_path::from_union);
        if key_path
            .as_ref()
            .is_some_and(|path| !key_path::is_valid(path))
        {
            let message = "The key path is not valid.";
            return Err(Error::dom(DomExceptionName::SyntaxError, message));
        }
        // Step 6.
        let name = name.code_units().to_vec();
        if self.object_store(&name).is_some() {
            let message = "There is an object store of this name.";
            return Err(Error::dom(DomExceptionName::ConstraintError, message));
        }
        // Step 7 and 8.
        let takes_no_key = match &key_path {
            Some(KeyPath::String(path)) => path.is_empty(),
            Some(KeyPath::Sequence(_)) => true,
            None => false,
        };
        if options.auto_increment && takes_no_key {
            return Err(Error::dom(
                DomExceptionName::InvalidAccessError,
                "A generated key cannot be put at this key path.",
            ));
        }
        // Step 9 and 10.
        let info = ObjectStoreInfo {
            name,
            key_path,
            auto_increment: options.auto_increment,
            indexes: Vec::new(),
        };
        transaction.change(realm, Operation::CreateObjectStore(info.clone()))?;
        self.object_stores.borrow_mut().push(info.clone());
        transaction.created_object_store(realm, info)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbdatabase-deleteobjectstore>
    fn delete_object_store(&self, realm: &Realm, name: DomString) -> Fallible<()> {
        let transaction = self.active_upgrade()?;
        let name = name.code_units().to_vec();
        if self.object_store(&name).is_none() {
            return Err(no_object_store());
        }
        transaction.change(realm, Operation::DeleteObjectStore { name: name.clone() })?;
        self.object_stores
            .borrow_mut()
            .retain(|store| store.name != name);
        transaction.deleted_object_store(&name);
        Ok(())
    }
}

pub(super) fn no_object_store() -> Error {
    Error::dom(
        DomExceptionName::NotFoundError,
        "There is no such object store.",
    )
}

pub(super) fn invalid_state(message: &str) -> Error {
    Error::dom(DomExceptionName::InvalidStateError, message)
}
