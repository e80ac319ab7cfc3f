//! <https://w3c.github.io/IndexedDB/#object-store-interface>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;
use indexed_db::{Key, KeyPath, KeyRange, Name, ObjectStoreInfo, Operation, Record};

use super::dom_string_list::DomStringList;
use super::idb_cursor::IdbCursor;
use super::idb_database::invalid_state;
use super::idb_request::IdbRequest;
use super::idb_transaction::IdbTransaction;
use crate::bindings::generated::{IdbCursorDirection, IdbObjectStoreMethods};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, Reflector, ToJs, Value};
use crate::indexed_database::key::{self, data_error};
use crate::indexed_database::key_path::{self, Extracted};
use crate::indexed_database::result::Wanted;
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
        let string = |units: &Name| realm.new_string_utf16(units);
        let key_path_value = match &info.key_path {
            None => Value::null(),
            Some(KeyPath::String(path)) => string(path)?,
            Some(KeyPath::Sequence(paths)) => {
                realm.new_array(&paths.iter().map(string).collect::<Fallible<Vec<_>>>()?)?
            }
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
            },
        )
    }

    /// Its name now.
    pub(super) fn store_name(&self) -> Name {
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
    }

    pub(super) fn transaction_object(&self) -> &Dom<IdbTransaction> {
        &self.transaction
    }

    pub(super) fn require_present(&self) -> Fallible<()> {
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
        let bytes = record.value.as_deref().unwrap_or_default();
        let value = structured_clone::deserialize(realm, bytes)?;
        if let Some(key_path @ KeyPath::String(path)) = &*self.key_path
            && self.auto_increment
            && matches!(
                key_path::extract(realm, &value, key_path)?,
                Extracted::Missing
            )
        {
            key_path::inject(realm, &value, &record.key, path)?;
        }
        Ok(value)
    }

    /// A clone of a value in bytes, and the key that it has where the key path leads.
    ///
    /// <https://w3c.github.io/IndexedDB/#clone>
    ///
    /// # Errors
    ///
    /// What cannot be cloned, and what its getters throw.
    pub(super) fn clone_value(
        &self,
        realm: &Realm,
        value: &Value,
    ) -> Fallible<(Vec<u8>, Option<InLineKey>)> {
        let bytes = self
            .transaction
            .while_inactive(|| structured_clone::serialize(realm, value, &[]))?;
        let Some(path) = &*self.key_path else {
            return Ok((bytes, None));
        };
        let clone = structured_clone::deserialize(realm, &bytes)?;
        let in_line = match key_path::extract(realm, &clone, path)? {
            Extracted::Key(key) => InLineKey::Key(key),
            Extracted::Invalid => return Err(data_error("The key in the value is not valid.")),
            Extracted::Missing => InLineKey::Missing {
                can_inject: match path {
                    KeyPath::String(path) => key_path::can_inject(realm, &clone, path)?,
                    KeyPath::Sequence(_) => false,
                },
            },
        };
        Ok((bytes, Some(in_line)))
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
        let (value, in_line) = self.clone_value(realm, value)?;
        let key = match in_line {
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
                value,
                no_overwrite,
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

    fn get_first(&self, realm: &Realm, query: &Value, key_only: bool) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range(realm, query)?;
        let operation = Operation::Get {
            store: self.store_name(),
            range,
            key_only,
        };
        self.execute(realm, operation, self.wanted(key_only))
    }

    fn get_range(
        &self,
        realm: &Realm,
        query: &Value,
        count: Option<u32>,
        key_only: bool,
    ) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range_or_all(realm, query)?;
        let operation = Operation::GetAll {
            store: self.store_name(),
            range,
            count: count.filter(|count| *count > 0),
            key_only,
        };
        self.execute(realm, operation, self.wanted(key_only))
    }

    fn wanted(&self, key_only: bool) -> Wanted {
        if key_only {
            Wanted::Keys
        } else {
            Wanted::Values(Dom::from_ref(self))
        }
    }

    fn iterate(
        &self,
        realm: &Realm,
        query: &Value,
        direction: IdbCursorDirection,
        key_only: bool,
    ) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range: KeyRange = key::range_or_all(realm, query)?;
        let cursor = IdbCursor::create(realm, self, range, direction, key_only)?;
        let operation = cursor.operation(None, 1);
        let request = self.execute(realm, operation, Wanted::Cursor(cursor.clone()))?;
        cursor.set_request(request.clone());
        Ok(request)
    }
}

/// What is found at the key path of a value.
pub(super) enum InLineKey {
    Key(Key),
    Missing {
        /// Whether a generated key could be put there.
        can_inject: bool,
    },
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

    fn index_names(&self, realm: &Realm) -> Fallible<Dom<DomStringList>> {
        DomStringList::sorted(realm, Vec::new())
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
        self.get_first(realm, &query, false)
    }

    fn get_key(&self, realm: &Realm, query: Value) -> Fallible<Dom<IdbRequest>> {
        self.get_first(realm, &query, true)
    }

    fn get_all(
        &self,
        realm: &Realm,
        query: Value,
        count: Option<u32>,
    ) -> Fallible<Dom<IdbRequest>> {
        self.get_range(realm, &query, count, false)
    }

    fn get_all_keys(
        &self,
        realm: &Realm,
        query: Value,
        count: Option<u32>,
    ) -> Fallible<Dom<IdbRequest>> {
        self.get_range(realm, &query, count, true)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbobjectstore-count>
    fn count(&self, realm: &Realm, query: Value) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range_or_all(realm, &query)?;
        let operation = Operation::Count {
            store: self.store_name(),
            range,
        };
        self.execute(realm, operation, Wanted::Keys)
    }

    fn open_cursor(
        &self,
        realm: &Realm,
        query: Value,
        direction: IdbCursorDirection,
    ) -> Fallible<Dom<IdbRequest>> {
        self.iterate(realm, &query, direction, false)
    }

    fn open_key_cursor(
        &self,
        realm: &Realm,
        query: Value,
        direction: IdbCursorDirection,
    ) -> Fallible<Dom<IdbRequest>> {
        self.iterate(realm, &query, direction, true)
    }
}
