//! <https://w3c.github.io/IndexedDB/#cursor-interface>

use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Ordering;

use base::exception::DomExceptionName;
use indexed_db::{CursorPosition, Key, KeyRange, Operation, Record};

use super::idb_cursor_with_value::IdbCursorWithValue;
use super::idb_database::invalid_state;
use super::idb_object_store::{InLineKey, read_only};
use super::idb_request::IdbRequest;
use super::idb_transaction::IdbTransaction;
use crate::bindings::generated::{IdbCursorDirection, IdbCursorMethods, IdbObjectStoreOrIdbIndex};
use crate::bindings::{Dom, Error, Fallible, NoTrace, Realm, Reflector, ToJs, Value};
use crate::indexed_database;
use crate::indexed_database::key::{self, data_error};
use crate::indexed_database::result::Wanted;
use crate::indexed_database::source::RecordSource;

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#cursor>
    pub struct IdbCursor {
        pub(crate) reflector: Reflector,
        source: RecordSource,
        range: NoTrace<KeyRange>,
        direction: NoTrace<IdbCursorDirection>,
        /// The last record, as long as there was one.
        position: NoTrace<RefCell<Option<CursorPosition>>>,
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
    pub(crate) fn create(
        realm: &Realm,
        source: RecordSource,
        range: KeyRange,
        direction: IdbCursorDirection,
        key_only: bool,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            source,
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
    pub(crate) fn set_request(&self, request: Dom<IdbRequest>) {
        // It is opened once.
        let _ = self.request.set(request);
    }

    pub(super) fn current_value(&self) -> Value {
        self.value.borrow().clone()
    }

    /// The operation that goes on from here.
    pub(crate) fn operation(&self, target: Option<CursorPosition>, count: u32) -> Operation {
        Operation::IterateCursor {
            store: self.source.object_store().store_name(),
            index: self.source.index_name(),
            range: self.range.0.clone(),
            direction: indexed_database::direction(*self.direction),
            position: self.position.borrow().clone().map(Box::new),
            target: target.map(Box::new),
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
        if !self.key_only {
            let value = self.source.object_store().value_of(realm, &record)?;
            self.value.replace(value);
        }
        self.primary_key.replace(key::to_value(realm, &record.key)?);
        let position = match record.index_key {
            Some(key) => CursorPosition {
                key,
                primary_key: Some(record.key),
            },
            None => CursorPosition {
                key: record.key,
                primary_key: None,
            },
        };
        self.key.replace(key::to_value(realm, &position.key)?);
        self.position.replace(Some(position));
        self.got_value.set(true);
        Dom::from_ref(self).to_js(realm)
    }

    fn transaction(&self) -> &Dom<IdbTransaction> {
        self.source.transaction()
    }

    fn require_value(&self) -> Fallible<()> {
        if self.got_value.get() {
            return Ok(());
        }
        Err(invalid_state("The cursor is on its way, or at its end."))
    }

    /// Goes on by this many records, or to this place.
    fn go_on(&self, realm: &Realm, target: Option<CursorPosition>, count: u32) -> Fallible<()> {
        let Some(request) = self.request.get() else {
            return Err(invalid_state("The cursor is not open."));
        };
        let wanted = Wanted::Cursor(Dom::from_ref(self));
        let operation = self.operation(target, count);
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

    /// How a place is to the last record, in the cursor's direction: greater when it is ahead.
    fn order(&self, place: &CursorPosition) -> Ordering {
        let position = self.position.borrow();
        let Some(position) = &*position else {
            return Ordering::Greater;
        };
        let by_key = place.key.cmp(&position.key);
        let order = match &place.primary_key {
            Some(_) => by_key.then_with(|| place.primary_key.cmp(&position.primary_key)),
            None => by_key,
        };
        if matches!(
            *self.direction,
            IdbCursorDirection::Next | IdbCursorDirection::Nextunique
        ) {
            order
        } else {
            order.reverse()
        }
    }

    /// The first steps of all that writes. Returns the key of the record.
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
            .map(|position| position.primary_key.unwrap_or(position.key))
            .ok_or_else(|| invalid_state("The cursor is only for keys."))
    }
}

impl IdbCursorMethods for IdbCursor {
    fn source(&self, _: &Realm) -> IdbObjectStoreOrIdbIndex {
        self.source.to_union()
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
        let target = CursorPosition {
            key: key::require(realm, &key)?,
            primary_key: None,
        };
        if self.order(&target).is_le() {
            return Err(data_error("The key is not ahead of the cursor."));
        }
        self.go_on(realm, Some(target), 1)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-continueprimarykey>
    fn continue_primary_key(&self, realm: &Realm, key: Value, primary_key: Value) -> Fallible<()> {
        let invalid_access =
            |message: &str| Error::dom(DomExceptionName::InvalidAccessError, message);
        // Step 2 and 3.
        self.transaction().require_active()?;
        self.source.require_present()?;
        // Step 4 and 5.
        if !self.source.is_index() {
            return Err(invalid_access(
                "Only a cursor over an index continues at a primary key.",
            ));
        }
        if !matches!(
            *self.direction,
            IdbCursorDirection::Next | IdbCursorDirection::Prev
        ) {
            return Err(invalid_access(
                "A cursor that shows each key once cannot continue at a primary key.",
            ));
        }
        // Step 6.
        self.require_value()?;
        // Step 7 to 12.
        let target = CursorPosition {
            key: key::require(realm, &key)?,
            primary_key: Some(key::require(realm, &primary_key)?),
        };
        // Step 13 to 16.
        if self.order(&target).is_le() {
            return Err(data_error("The keys are not ahead of the cursor."));
        }
        // Step 17 to 20.
        self.go_on(realm, Some(target), 1)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-update>
    fn update(&self, realm: &Realm, value: Value) -> Fallible<Dom<IdbRequest>> {
        let key = self.require_writable()?;
        let store = self.source.object_store();
        let cloned = store.clone_value(realm, &value)?;
        let is_same = match cloned.in_line {
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
            store: store.store_name(),
            key: Some(key),
            value: cloned.bytes,
            no_overwrite: false,
            index_keys: cloned.index_keys,
        };
        let source = Dom::from_ref(self).to_js(realm)?;
        self.transaction()
            .execute(realm, source, operation, Wanted::Keys)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbcursor-delete>
    fn delete(&self, realm: &Realm) -> Fallible<Dom<IdbRequest>> {
        let range = KeyRange::only(self.require_writable()?);
        let operation = Operation::Delete {
            store: self.source.object_store().store_name(),
            range,
        };
        let source = Dom::from_ref(self).to_js(realm)?;
        self.transaction()
            .execute(realm, source, operation, Wanted::Keys)
    }
}
