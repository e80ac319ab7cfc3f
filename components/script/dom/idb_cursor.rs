//! <https://w3c.github.io/IndexedDB/#cursor-interface>

use std::cell::{Cell, OnceCell, RefCell};

use base::exception::DomExceptionName;
use indexed_db::{CursorDirection, Key, KeyRange, Operation, Record};

use super::idb_cursor_with_value::IdbCursorWithValue;
use super::idb_database::invalid_state;
use super::idb_object_store::{IdbObjectStore, InLineKey, read_only};
use super::idb_request::IdbRequest;
use super::idb_transaction::IdbTransaction;
use crate::bindings::generated::{IdbCursorDirection, IdbCursorMethods};
use crate::bindings::{Dom, Error, Fallible, NoTrace, Realm, Reflector, ToJs, Value};
use crate::indexed_database::key::{self, data_error};
use crate::indexed_database::result::Wanted;

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#cursor>
    pub struct IdbCursor {
        pub(crate) reflector: Reflector,
        source: Dom<IdbObjectStore>,
        range: NoTrace<KeyRange>,
        direction: NoTrace<IdbCursorDirection>,
        /// The key of the last record, as long as there was one.
        position: NoTrace<RefCell<Option<Key>>>,
        key: RefCell<Value>,
        primary_key: RefCell<Value>,
        value: RefCell<Value>,
        got_value: Cell<bool>,
        key_only: bool,
        request: OnceCell<Dom<IdbRequest>>,
    }
}

impl IdbCursor {
    /// A cursor before its first record.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn create(
        realm: &Realm,
        source: &IdbObjectStore,
        range: KeyRange,
        direction: IdbCursorDirection,
        key_only: bool,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            source: Dom::from_ref(source),
            range: NoTrace(range),
            direction: NoTrace(direction),
            position: NoTrace::default(),
            key: RefCell::new(Value::undefined()),
            primary_key: RefCell::new(Value::undefined()),
            value: RefCell::new(Value::undefined()),
            got_value: Cell::new(false),
            key_only,
            request: OnceCell::new(),
        };
        if key_only {
            return Dom::new(realm, this);
        }
        Ok(IdbCursorWithValue::create(realm, this)?.as_cursor())
    }

    /// The request that opened it.
    pub(super) fn set_request(&self, request: Dom<IdbRequest>) {
        // It is opened once.
        let _ = self.request.set(request);
    }

    pub(super) fn current_value(&self) -> Value {
        self.value.borrow().clone()
    }

    /// The operation that goes on from here.
    pub(super) fn operation(&self, key: Option<Key>, count: u32) -> Operation {
        Operation::IterateCursor {
            store: self.source.store_name(),
            range: self.range.0.clone(),
            direction: match *self.direction {
                IdbCursorDirection::Next => CursorDirection::Next,
                IdbCursorDirection::Nextunique => CursorDirection::NextUnique,
                IdbCursorDirection::Prev => CursorDirection::Prev,
                IdbCursorDirection::Prevunique => CursorDirection::PrevUnique,
            },
            position: self.position.borrow().clone(),
            key,
            count,
            key_only: self.key_only,
        }
    }

    /// The last steps of <https://w3c.github.io/IndexedDB/#iterate-a-cursor>: the result is the
    /// cursor, or `null` at the end.
    ///
    /// # Errors
    ///
    /// The stored bytes cannot be read, or the engine is out of memory.
    pub(crate) fn iterated(&self, realm: &Realm, record: Option<Record>) -> Fallible<Value> {
        let Some(record) = record else {
            for slot in [&self.key, &self.primary_key, &self.value] {
                slot.replace(Value::undefined());
            }
            return Ok(Value::null());
        };
        self.key.replace(key::to_value(realm, &record.key)?);
        self.primary_key.replace(key::to_value(realm, &record.key)?);
        if !self.key_only {
            self.value.replace(self.source.value_of(realm, &record)?);
        }
        self.position.replace(Some(record.key));
        self.got_value.set(true);
        Dom::from_ref(self).to_js(realm)
    }

    fn transaction(&self) -> &Dom<IdbTransaction> {
        self.source.transaction_object()
    }

    fn require_value(&self) -> Fallible<()> {
        if self.got_value.get() {
            return Ok(());
        }
        Err(invalid_state("The cursor is on its way, or at its end."))
    }

    /// Goes on by this many records, or to this key.
    fn go_on(&self, realm: &Realm, key: Option<Key>, count: u32) -> Fallible<()> {
        let Some(request) = self.request.get() else {
            return Err(invalid_state("The cursor is not open."));
        };
        let wanted = Wanted::Cursor(Dom::from_ref(self));
        let operation = self.operation(key, count);
        self.transaction()
            .execute_again(realm, request, operation, wanted)?;
        self.got_value.set(false);
        Ok(())
    }

    /// The first steps of all that moves the cursor.
    fn require_movable(&self) -> Fallible<()> {
        self.transaction().require_active()?;
        self.source.require_present()?;
        self.require_value()
    }

    /// The first steps of all that writes.
    fn require_writable(&self) -> Fallible<Key> {
        self.transaction().require_active()?;
        if self.transaction().is_read_only() {
            return Err(read_only());
        }
        self.source.require_present()?;
        self.require_value()?;
        let position = self.position.borrow().clone();
        position
            .filter(|_| !self.key_only)
            .ok_or_else(|| invalid_state("The cursor is only for keys."))
    }

    fn is_forward(&self) -> bool {
        matches!(
            *self.direction,
            IdbCursorDirection::Next | IdbCursorDirection::Nextunique
        )
    }
}

impl IdbCursorMethods for IdbCursor {
    fn source(&self, _: &Realm) -> Dom<IdbObjectStore> {
        self.source.clone()
    }

    fn direction(&self, _: &Realm) -> IdbCursorDirection {
        *self.direction
    }

    fn key(&self, _: &Realm) -> Value {
        self.key.borrow().clone()
    }

    fn primary_key(&self, _: &Realm) -> Value {
        self.primary_key.borrow().clone()
    }

    fn request(&self, _: &Realm) -> Fallible<Dom<IdbRequest>> {
        self.request
            .get()
            .cloned()
            .ok_or_else(|| invalid_state("The cursor is not open."))
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-advance>
    fn advance(&self, realm: &Realm, count: u32) -> Fallible<()> {
        if count == 0 {
            return Err(Error::Type("A cursor advances by at least 1.".to_owned()));
        }
        self.require_movable()?;
        self.go_on(realm, None, count)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-continue>
    fn continue_(&self, realm: &Realm, key: Value) -> Fallible<()> {
        self.require_movable()?;
        if key.is_undefined() {
            return self.go_on(realm, None, 1);
        }
        let key = key::require(realm, &key)?;
        let position = self.position.borrow().clone();
        let is_ahead = position.is_none_or(|position| {
            if self.is_forward() {
                key > position
            } else {
                key < position
            }
        });
        if !is_ahead {
            return Err(data_error("The key is not ahead of the cursor."));
        }
        self.go_on(realm, Some(key), 1)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-continueprimarykey>
    ///
    /// It is for cursors over indexes.
    fn continue_primary_key(&self, _: &Realm, _: Value, _: Value) -> Fallible<()> {
        self.transaction().require_active()?;
        self.source.require_present()?;
        Err(Error::dom(
            DomExceptionName::InvalidAccessError,
            "Only a cursor over an index continues at a primary key.",
        ))
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-update>
    fn update(&self, realm: &Realm, value: Value) -> Fallible<Dom<IdbRequest>> {
        let key = self.require_writable()?;
        let (value, in_line) = self.source.clone_value(realm, &value)?;
        let is_same = match in_line {
            None => true,
            Some(InLineKey::Key(in_line)) => in_line == key,
            Some(InLineKey::Missing { .. }) => false,
        };
        if !is_same {
            return Err(data_error(
                "The key in the value is not that of the record.",
            ));
        }
        let operation = Operation::Put {
            store: self.source.store_name(),
            key: Some(key),
            value,
            no_overwrite: false,
        };
        let source = Dom::from_ref(self).to_js(realm)?;
        self.transaction()
            .execute(realm, source, operation, Wanted::Keys)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-delete>
    fn delete(&self, realm: &Realm) -> Fallible<Dom<IdbRequest>> {
        let range = KeyRange::only(self.require_writable()?);
        let operation = Operation::Delete {
            store: self.source.store_name(),
            range,
        };
        let source = Dom::from_ref(self).to_js(realm)?;
        self.transaction()
            .execute(realm, source, operation, Wanted::Keys)
    }
}
