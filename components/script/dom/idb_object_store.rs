//! <https://w3c.github.io/IndexedDB/#object-store-interface>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;
use indexed_db::{IndexInfo, IndexKeys, Key, KeyPath, Name, ObjectStoreInfo, Operation, Record};

use super::dom_string_list::DomStringList;
use super::idb_database::invalid_state;
use super::idb_index::IdbIndex;
use super::idb_request::IdbRequest;
use super::idb_transaction::IdbTransaction;
use crate::bindings::generated::{
    DomStringOrDomStringSequence, IdbCursorDirection, IdbGetAllOptions, IdbIndexParameters,
    IdbObjectStoreMethods,
};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, Reflector, ToJs, Value};
use crate::indexed_database::key::{self, data_error};
use crate::indexed_database::key_path::{self, Extracted};
use crate::indexed_database::result::{Population, Wanted, record_value};
use crate::indexed_database::source::{Kind, RecordSource};
use crate::structured_clone;

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#object-store-handle-construct>
    pub struct IdbObjectStore {
        pub(crate) reflector: Reflector,
        transaction: Dom<IdbTransaction>,
        name: NoTrace<RefCell<Name>>,
        /// The name before the transaction; nothing when that has created the object store.
        old_name: NoTrace<Option<Name>>,
        key_path: NoTrace<Option<KeyPath>>,
        key_path_value: Value,
        auto_increment: bool,
        is_deleted: Cell<bool>,
        /// The handles of its indexes that there are already.
        indexes: RefCell<Vec<Dom<IdbIndex>>>,
    }
}

impl IdbObjectStore {
    /// The handle of an object store in a transaction.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn create(
        realm: &Realm,
        transaction: &IdbTransaction,
        info: ObjectStoreInfo,
        is_new: bool,
    ) -> Fallible<Dom<Self>> {
        let key_path_value = match &info.key_path {
            None => Value::null(),
            Some(path) => key_path::to_value(realm, path)?,
        };
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                transaction: Dom::from_ref(transaction),
                old_name: NoTrace((!is_new).then(|| info.name.clone())),
                name: NoTrace(RefCell::new(info.name)),
                key_path: NoTrace(info.key_path),
                key_path_value,
                auto_increment: info.auto_increment,
                is_deleted: Cell::new(false),
                indexes: RefCell::default(),
            },
        )
    }

    /// Its name now.
    pub(crate) fn store_name(&self) -> Name {
        self.name.borrow().clone()
    }

    /// Whether there is an object store of this name, and it is this one.
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
        for index in self.indexes.borrow().iter() {
            index.revert();
        }
    }

    fn source(&self) -> RecordSource {
        RecordSource::ObjectStore(Dom::from_ref(self))
    }

    /// Its indexes now.
    ///
    /// <https://w3c.github.io/IndexedDB/#object-store-handle-index-set>
    fn index_set(&self) -> Vec<IndexInfo> {
        if self.is_deleted.get() {
            return Vec::new();
        }
        let database = self.transaction.database();
        database
            .object_store(&self.name.borrow())
            .map(|store| store.indexes)
            .unwrap_or_default()
    }

    /// The index of this name.
    pub(super) fn index_info(&self, name: &Name) -> Option<IndexInfo> {
        self.index_set()
            .into_iter()
            .find(|index| index.name == *name)
    }

    /// The first steps of creating and deleting an index.
    fn require_changeable(&self) -> Fallible<()> {
        if !self.transaction.is_upgrade() {
            return Err(invalid_state(
                "Indexes can only be changed while the database is upgraded.",
            ));
        }
        self.require_usable()
    }

    pub(crate) fn transaction_object(&self) -> &Dom<IdbTransaction> {
        &self.transaction
    }

    pub(crate) fn require_present(&self) -> Fallible<()> {
        if self.is_deleted.get() {
            return Err(invalid_state("The object store was deleted."));
        }
        Ok(())
    }

    /// The first steps of all that reads.
    fn require_usable(&self) -> Fallible<()> {
        self.require_present()?;
        self.transaction.require_active()
    }

    /// The first steps of all that writes.
    fn require_writable(&self) -> Fallible<()> {
        self.require_usable()?;
        if self.transaction.is_read_only() {
            return Err(read_only());
        }
        Ok(())
    }

    /// The value of a record, with the key that was generated for it.
    ///
    /// # Errors
    ///
    /// The stored bytes cannot be read, or the engine is out of memory.
    pub(crate) fn value_of(&self, realm: &Realm, record: &Record) -> Fallible<Value> {
        record_value(realm, self.key_path.as_ref(), self.auto_increment, record)
    }

    /// A clone of a value, and the key that it has where the key path leads.
    ///
    /// <https://w3c.github.io/IndexedDB/#clone>
    ///
    /// # Errors
    ///
    /// What cannot be cloned, and what its getters throw.
    pub(super) fn clone_value(&self, realm: &Realm, value: &Value) -> Fallible<ClonedValue> {
        let bytes = self
            .transaction
            .while_inactive(|| structured_clone::serialize(realm, value, &[]))?;
        let indexes = self.index_set();
        if self.key_path.is_none() && indexes.is_empty() {
            return Ok(ClonedValue {
                bytes,
                in_line: None,
                index_keys: Vec::new(),
            });
        }
        let clone = structured_clone::deserialize(realm, &bytes)?;
        let in_line = match &*self.key_path {
            None => None,
            Some(path) => Some(in_line_key(realm, &clone, path)?),
        };
        let generated = match (&in_line, &*self.key_path) {
            (Some(InLineKey::Missing { can_inject: true }), Some(KeyPath::String(path)))
                if self.auto_increment =>
            {
                Some(path)
            }
            _ => None,
        };
        let mut index_keys = Vec::with_capacity(indexes.len());
        for index in indexes {
            let keys = key_path::index_keys(realm, &clone, &index, generated)?;
            if !keys.is_empty() {
                let index = index.name;
                index_keys.push(IndexKeys { index, keys });
            }
        }
        Ok(ClonedValue {
            bytes,
            in_line,
            index_keys,
        })
    }

    /// <https://w3c.github.io/IndexedDB/#add-or-put>
    fn add_or_put(
        &self,
        realm: &Realm,
        value: &Value,
        key: &Value,
        no_overwrite: bool,
    ) -> Fallible<Dom<IdbRequest>> {
        // Step 3 to 5.
        self.require_writable()?;
        // Step 6 and 7.
        let is_given = !key.is_undefined();
        if self.key_path.is_some() && is_given {
            return Err(data_error(
                "The key is in the value, and cannot be given besides it.",
            ));
        }
        if self.key_path.is_none() && !self.auto_increment && !is_given {
            return Err(data_error("A key has to be given."));
        }
        // Step 8.
        let given = if is_given {
            Some(key::require(realm, key)?)
        } else {
            None
        };
        // Step 9 and 10.
        let cloned = self.clone_value(realm, value)?;
        let key = match cloned.in_line {
            None => given,
            Some(InLineKey::Key(key)) => Some(key),
            Some(InLineKey::Missing { can_inject }) if self.auto_increment && can_inject => None,
            Some(InLineKey::Missing { .. }) => {
                return Err(data_error("There is no key in the value."));
            }
        };
        // Step 11 and 12.
        let store = self.store_name();
        self.execute(
            realm,
            Operation::Put {
                store,
                key,
                value: cloned.bytes,
                no_overwrite,
                index_keys: cloned.index_keys,
            },
            Wanted::Keys,
        )
    }

    fn execute(
        &self,
        realm: &Realm,
        operation: Operation,
        wanted: Wanted,
    ) -> Fallible<Dom<IdbRequest>> {
        let source = Dom::from_ref(self).to_js(realm)?;
        self.transaction.execute(realm, source, operation, wanted)
    }
}

/// A value, ready to be stored.
pub(super) struct ClonedValue {
    pub(super) bytes: Vec<u8>,
    /// Nothing when the object store has no key path.
    pub(super) in_line: Option<InLineKey>,
    pub(super) index_keys: Vec<IndexKeys>,
}

/// What is found at the key path of a value.
pub(super) enum InLineKey {
    Key(Key),
    Missing {
        /// Whether a generated key could be put there.
        can_inject: bool,
    },
}

fn in_line_key(realm: &Realm, clone: &Value, path: &KeyPath) -> Fallible<InLineKey> {
    Ok(match key_path::extract(realm, clone, path)? {
        Extracted::Key(key) => InLineKey::Key(key),
        Extracted::Invalid => return Err(data_error("The key in the value is not valid.")),
        Extracted::Missing => InLineKey::Missing {
            can_inject: match path {
                KeyPath::String(path) => key_path::can_inject(realm, clone, path)?,
                KeyPath::Sequence(_) => false,
            },
        },
    })
}

pub(super) fn read_only() -> Error {
    Error::dom(
        DomExceptionName::ReadOnlyError,
        "The transaction is read-only.",
    )
}

impl IdbObjectStoreMethods for IdbObjectStore {
    fn name(&self, _: &Realm) -> DomString {
        DomString::from_code_units(self.store_name())
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-name>
    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.require_present()?;
        if !self.transaction.is_upgrade() {
            return Err(invalid_state(
                "Object stores can only be renamed while the database is upgraded.",
            ));
        }
        self.transaction.require_active()?;
        let (from, to) = (self.store_name(), value.code_units().to_vec());
        if from == to {
            return Ok(());
        }
        let database = self.transaction.database();
        if database.object_store(&to).is_some() {
            let message = "There is an object store of this name.";
            return Err(Error::dom(DomExceptionName::ConstraintError, message));
        }
        let operation = Operation::RenameObjectStore {
            from: from.clone(),
            to: to.clone(),
        };
        self.transaction.change(realm, operation)?;
        database.rename_object_store(&from, to.clone());
        self.name.replace(to);
        Ok(())
    }

    fn key_path(&self, _: &Realm) -> Value {
        self.key_path_value.clone()
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-indexnames>
    fn index_names(&self, realm: &Realm) -> Fallible<Dom<DomStringList>> {
        let names = self.index_set().into_iter().map(|index| index.name);
        DomStringList::sorted(realm, names.map(DomString::from_code_units).collect())
    }

    fn transaction(&self, _: &Realm) -> Dom<IdbTransaction> {
        self.transaction.clone()
    }

    fn auto_increment(&self, _: &Realm) -> bool {
        self.auto_increment
    }

    fn put(&self, realm: &Realm, value: Value, key: Value) -> Fallible<Dom<IdbRequest>> {
        self.add_or_put(realm, &value, &key, false)
    }

    fn add(&self, realm: &Realm, value: Value, key: Value) -> Fallible<Dom<IdbRequest>> {
        self.add_or_put(realm, &value, &key, true)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-delete>
    fn delete(&self, realm: &Realm, query: Value) -> Fallible<Dom<IdbRequest>> {
        self.require_writable()?;
        let range = key::range(realm, &query)?;
        let operation = Operation::Delete {
            store: self.store_name(),
            range,
        };
        self.execute(realm, operation, Wanted::Keys)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-clear>
    fn clear(&self, realm: &Realm) -> Fallible<Dom<IdbRequest>> {
        self.require_writable()?;
        let operation = Operation::Clear {
            store: self.store_name(),
        };
        self.execute(realm, operation, Wanted::Keys)
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

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-index>
    fn index(&self, realm: &Realm, name: DomString) -> Fallible<Dom<IdbIndex>> {
        // Step 3 and 4.
        self.require_present()?;
        if self.transaction.is_finished() {
            return Err(invalid_state("The transaction has finished."));
        }
        // Step 5.
        let name = name.code_units().to_vec();
        let info = self.index_info(&name).ok_or_else(no_index)?;
        // Step 6.
        let present = self
            .indexes
            .borrow()
            .iter()
            .find(|index| index.is_named(&name))
            .cloned();
        if let Some(index) = present {
            return Ok(index);
        }
        let index = IdbIndex::create(realm, self, info, false)?;
        self.indexes.borrow_mut().push(index.clone());
        Ok(index)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-createindex>
    fn create_index(
        &self,
        realm: &Realm,
        name: DomString,
        key_path: DomStringOrDomStringSequence,
        options: IdbIndexParameters,
    ) -> Fallible<Dom<IdbIndex>> {
        // Step 3 to 5.
        self.require_changeable()?;
        // Step 6.
        let name = name.code_units().to_vec();
        if self.index_info(&name).is_some() {
            let message = "There is an index of this name.";
            return Err(Error::dom(DomExceptionName::ConstraintError, message));
        }
        // Step 7.
        let key_path = key_path::from_union(key_path);
        if !key_path::is_valid(&key_path) {
            let message = "The key path is not valid.";
            return Err(Error::dom(DomExceptionName::SyntaxError, message));
        }
        // Step 8 to 10.
        if options.multi_entry && matches!(key_path, KeyPath::Sequence(_)) {
            return Err(Error::dom(
                DomExceptionName::InvalidAccessError,
                "An index of several key paths cannot have several entries for a record.",
            ));
        }
        // Step 11 to 13.
        let info = IndexInfo {
            name,
            key_path,
            unique: options.unique,
            multi_entry: options.multi_entry,
        };
        let store = self.store_name();
        let population = Population {
            index: info.clone(),
            key_path: self.key_path.0.clone(),
            auto_increment: self.auto_increment,
        };
        self.transaction
            .populate(realm, store.clone(), population)?;
        self.transaction
            .database()
            .change_indexes(&store, |indexes| indexes.push(info.clone()));
        let index = IdbIndex::create(realm, self, info, true)?;
        self.indexes.borrow_mut().push(index.clone());
        Ok(index)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-deleteindex>
    fn delete_index(&self, realm: &Realm, name: DomString) -> Fallible<()> {
        // Step 3 to 5.
        self.require_changeable()?;
        // Step 6.
        let name = name.code_units().to_vec();
        if self.index_info(&name).is_none() {
            return Err(no_index());
        }
        // Step 7 and 8.
        let store = self.store_name();
        let operation = Operation::DeleteIndex {
            store: store.clone(),
            name: name.clone(),
        };
        self.transaction.change(realm, operation)?;
        self.transaction
            .database()
            .change_indexes(&store, |indexes| {
                indexes.retain(|index| index.name != name);
            });
        for index in self.indexes.borrow().iter() {
            if index.is_named(&name) {
                index.set_deleted();
            }
        }
        Ok(())
    }
}

fn no_index() -> Error {
    Error::dom(DomExceptionName::NotFoundError, "There is no such index.")
}
