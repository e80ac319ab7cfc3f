//! <https://w3c.github.io/IndexedDB/#request-api>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;

use super::dom_exception::DomException;
use super::event::Event;
use super::event_target::EventTarget;
use super::idb_transaction::IdbTransaction;
use crate::bindings::generated::{
    EventInit, IdbObjectStoreOrIdbIndexOrIdbCursor, IdbRequestMethods, IdbRequestReadyState,
};
use crate::bindings::{Dom, Error, Fallible, Realm, Value};

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#request-construct>
    pub struct IdbRequest {
        pub(crate) parent: EventTarget,
        /// An object store, an index, a cursor, or `null` for an open request.
        source: Value,
        transaction: RefCell<Option<Dom<IdbTransaction>>>,
        is_done: Cell<bool>,
        result: RefCell<Value>,
        error: RefCell<Option<Dom<DomException>>>,
    }
}

impl IdbRequest {
    /// The part of an open request that is a request.
    pub(super) fn new_inherited() -> Self {
        Self {
            parent: EventTarget::new_inherited(),
            source: Value::null(),
            transaction: RefCell::default(),
            is_done: Cell::new(false),
            result: RefCell::new(Value::undefined()),
            error: RefCell::default(),
        }
    }

    /// A request of an object store, an index or a cursor.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn create(
        realm: &Realm,
        source: Value,
        transaction: Dom<IdbTransaction>,
    ) -> Fallible<Dom<Self>> {
        let request = Dom::new(
            realm,
            Self {
                source,
                transaction: RefCell::new(Some(transaction)),
                ..Self::new_inherited()
            },
        )?;
        request.set_get_the_parent(|target, _| {
            let request = Dom::from_ref(target).downcast::<Self>()?;
            let transaction = request.transaction.borrow();
            transaction.as_ref()?.upcast()
        });
        Ok(request)
    }

    pub(super) fn set_transaction(&self, transaction: Option<Dom<IdbTransaction>>) {
        self.transaction.replace(transaction);
    }

    /// It waits for an answer, again.
    pub(super) fn set_pending(&self) {
        self.is_done.set(false);
        self.result.replace(Value::undefined());
        self.error.replace(None);
    }

    /// Its global object goes away: no answer will come.
    pub(crate) fn abandon(&self) {
        self.is_done.set(true);
    }

    pub(super) fn succeed(&self, result: Value) {
        self.result.replace(result);
        self.error.replace(None);
        self.is_done.set(true);
    }

    pub(super) fn fail(&self, error: Dom<DomException>) {
        self.result.replace(Value::undefined());
        self.error.replace(Some(error));
        self.is_done.set(true);
    }

    /// An event that says that a request failed; it goes on to the transaction and the database.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn error_event(realm: &Realm) -> Fallible<Dom<Event>> {
        let init = EventInit {
            bubbles: true,
            cancelable: true,
            ..EventInit::default()
        };
        Event::new(realm, "error", &init)
    }

    fn require_done(&self) -> Fallible<()> {
        if self.is_done.get() {
            return Ok(());
        }
        Err(Error::dom(
            DomExceptionName::InvalidStateError,
            "The request is not finished.",
        ))
    }
}

impl IdbRequestMethods for IdbRequest {
    /// <https://w3c.github.io/IndexedDB/#dom-idbrequest-result>
    fn result(&self, _: &Realm) -> Fallible<Value> {
        self.require_done()?;
        Ok(self.result.borrow().clone())
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbrequest-error>
    fn error(&self, _: &Realm) -> Fallible<Option<Dom<DomException>>> {
        self.require_done()?;
        Ok(self.error.borrow().clone())
    }

    fn source(&self, realm: &Realm) -> Option<IdbObjectStoreOrIdbIndexOrIdbCursor> {
        IdbObjectStoreOrIdbIndexOrIdbCursor::from_js(realm, &self.source).ok()
    }

    fn transaction(&self, _: &Realm) -> Option<Dom<IdbTransaction>> {
        self.transaction.borrow().clone()
    }

    fn ready_state(&self, _: &Realm) -> IdbRequestReadyState {
        if self.is_done.get() {
            IdbRequestReadyState::Done
        } else {
            IdbRequestReadyState::Pending
        }
    }
}
