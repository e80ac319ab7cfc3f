//! <https://w3c.github.io/IndexedDB/#index-interface>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;
use indexed_db::{IndexInfo, Name, Operation};

use super::idb_database::invalid_state;
use super::idb_object_store::IdbObjectStore;
use super::idb_request::IdbRequest;
use crate::bindings::generated::{IdbCursorDirection, IdbGetAllOptions, IdbIndexMethods};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, Reflector, Value};
use crate::indexed_database::key_path;
use crate::indexed_database::source::{Kind, RecordSource};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#index-handle>
    pub struct IdbIndex {
        pub(crate) reflector: Reflector,
        object_store: Dom<IdbObjectStore>,
        name: NoTrace<RefCell<Name>>,
        /// The name before the transaction; nothing when that has created the index.
        old_name: NoTrace<Option<Name>>,
        key_path: Value,
        unique: bool,
        multi_entry: bool,
        is_deleted: Cell<bool>,
    }
}

impl IdbIndex {
    /// The handle of an index in a transaction.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn create(
        realm: &Realm,
        object_store: &IdbObjectStore,
        info: IndexInfo,
        is_new: bool,
    ) -> Fallible<Dom<Self>> {
        let key_path = key_path::to_value(realm, &info.key_path)?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                object_store: Dom::from_ref(object_store),
                old_name: NoTrace((!is_new).then(|| info.name.clone())),
                name: NoTrace(RefCell::new(info.name)),
                key_path,
                unique: info.unique,
                multi_entry: info.multi_entry,
                is_deleted: Cell::new(false),
            },
        )
    }

    /// Its object store.
    pub(crate) fn store(&self) -> &Dom<IdbObjectStore> {
        &self.object_store
    }

    /// Its name now.
    pub(crate) fn index_name(&self) -> Name {
        self.name.borrow().clone()
    }

    /// Whether there is an index of this name in the object store, and it is this one.
    pub(super) fn is_named(&self, name: &Name) -> bool {
        !self.is_deleted.get() && *self.name.borrow() == *name
    }

    pub(super) fn set_deleted(&self) {
        self.is_deleted.set(true);
    }

    /// <https://w3c.github.io/IndexedDB/#abort-an-upgrade-transaction>
    pub(super) fn revert(&self) {
        match &*self.old_name {
            Some(name) => {
                self.name.replace(name.clone());
                self.is_deleted.set(false);
            }
            None => self.is_deleted.set(true),
        }
    }

    /// # Errors
    ///
    /// An `InvalidStateError` when it or its object store was deleted.
    pub(crate) fn require_present(&self) -> Fallible<()> {
        if self.is_deleted.get() {
            return Err(invalid_state("The index was deleted."));
        }
        self.object_store.require_present()
    }

    fn source(&self) -> RecordSource {
        RecordSource::Index(Dom::from_ref(self))
    }
}

impl IdbIndexMethods for IdbIndex {
    fn name(&self, _: &Realm) -> DomString {
        DomString::from_code_units(self.index_name())
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbindex-name>
    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        let transaction = self.object_store.transaction_object();
        if !transaction.is_upgrade() {
            return Err(invalid_state(
                "Indexes can only be renamed while the database is upgraded.",
            ));
        }
        transaction.require_active()?;
        self.require_present()?;
        let (from, to) = (self.index_name(), value.code_units().to_vec());
        if from == to {
            return Ok(());
        }
        let store = self.object_store.store_name();
        if self.object_store.index_info(&to).is_some() {
            let message = "There is an index of this name.";
            return Err(Error::dom(DomExceptionName::ConstraintError, message));
        }
        let operation = Operation::RenameIndex {
            store: store.clone(),
            from: from.clone(),
            to: to.clone(),
        };
        transaction.change(realm, operation)?;
        transaction.database().change_indexes(&store, |indexes| {
            if let Some(index) = indexes.iter_mut().find(|index| index.name == from) {
                index.name.clone_from(&to);
            }
        });
        self.name.replace(to);
        Ok(())
    }

    fn object_store(&self, _: &Realm) -> Dom<IdbObjectStore> {
        self.object_store.clone()
    }

    fn key_path(&self, _: &Realm) -> Value {
        self.key_path.clone()
    }

    fn multi_entry(&self, _: &Realm) -> bool {
        self.multi_entry
    }

    fn unique(&self, _: &Realm) -> bool {
        self.unique
    }

    fn get(&self, realm: &Realm, query: Value) -> Fallible<Dom<IdbRequest>> {
        self.source().first(realm, &query, Kind::Value)
    }

    fn get_key(&self, realm: &Realm, query: Value) -> Fallible<Dom<IdbRequest>> {
        self.source().first(realm, &query, Kind::Key)
    }

    fn get_all(
        &self,
        realm: &Realm,
        query_or_options: Value,
        count: Option<u32>,
    ) -> Fallible<Dom<IdbRequest>> {
        self.source()
            .all(realm, &query_or_options, count, Kind::Value)
    }

    fn get_all_keys(
        &self,
        realm: &Realm,
        query_or_options: Value,
        count: Option<u32>,
    ) -> Fallible<Dom<IdbRequest>> {
        self.source()
            .all(realm, &query_or_options, count, Kind::Key)
    }

    fn get_all_records(
        &self,
        realm: &Realm,
        options: IdbGetAllOptions,
    ) -> Fallible<Dom<IdbRequest>> {
        self.source().all_with(realm, &options, Kind::Record)
    }

    fn count(&self, realm: &Realm, query: Value) -> Fallible<Dom<IdbRequest>> {
        self.source().count(realm, &query)
    }

    fn open_cursor(
        &self,
        realm: &Realm,
        query: Value,
        direction: IdbCursorDirection,
    ) -> Fallible<Dom<IdbRequest>> {
        self.source().open_cursor(realm, &query, direction, false)
    }

    fn open_key_cursor(
        &self,
        realm: &Realm,
        query: Value,
        direction: IdbCursorDirection,
    ) -> Fallible<Dom<IdbRequest>> {
        self.source().open_cursor(realm, &query, direction, true)
    }
}
