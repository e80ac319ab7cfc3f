//! <https://w3c.github.io/IndexedDB/#transaction>

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base::exception::{self, DomExceptionName};
use base::ids::RequestId;
use indexed_db::{
    Answer, Name, ObjectStoreInfo, Operation, Record, TransactionId, TransactionMode,
};

use super::dom_exception::DomException;
use super::dom_string_list::DomStringList;
use super::event::Event;
use super::event_target::EventTarget;
use super::idb_database::{IdbDatabase, invalid_state, no_object_store};
use super::idb_object_store::IdbObjectStore;
use super::idb_open_db_request::IdbOpenDbRequest;
use super::idb_request::IdbRequest;
use crate::bindings::generated::{
    EventInit, IdbTransactionDurability, IdbTransactionMethods, IdbTransactionMode,
};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, Traceable, Tracer, Value};
use crate::indexed_database::client::{DatabaseClient, gone};
use crate::indexed_database::result::{
    PendingRequest, Population, Wanted, exception_object, result_value,
};

/// <https://w3c.github.io/IndexedDB/#transaction-state>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Active,
    Inactive,
    Committing,
    Finished,
}

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#transaction-construct>
    pub struct IdbTransaction {
        pub(crate) parent: EventTarget,
        id: NoTrace<TransactionId>,
        database: Dom<IdbDatabase>,
        mode: NoTrace<IdbTransactionMode>,
        durability: NoTrace<IdbTransactionDurability>,
        /// The object stores that it is for; an upgrade transaction is for all that there are.
        scope: NoTrace<Vec<Name>>,
        upgrade: Option<Upgrade>,
        state: Cell<State>,
        /// <https://w3c.github.io/IndexedDB/#transaction-request-list>
        requests: RefCell<BTreeMap<RequestId, PendingRequest>>,
        /// The changes of object stores and indexes that the component has not answered yet.
        changes: NoTrace<RefCell<BTreeMap<RequestId, Option<Population>>>>,
        /// The requests that were pending when it was aborted.
        aborted: RefCell<Vec<Dom<IdbRequest>>>,
        commit_sent: Cell<bool>,
        object_stores: RefCell<Vec<Dom<IdbObjectStore>>>,
        error: RefCell<Option<Dom<DomException>>>,
    }
}

/// What only an upgrade transaction has.
struct Upgrade {
    /// The request to open the database.
    request: Dom<IdbOpenDbRequest>,
    /// What the connection is like again when the transaction is aborted.
    old_version: u64,
    old_object_stores: Vec<ObjectStoreInfo>,
}

impl Traceable for Upgrade {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.request.trace(tracer);
    }
}

impl IdbTransaction {
    /// A transaction that a script asked for. It is active until the script has ended.
    ///
    /// # Errors
    ///
    /// The component has shut down.
    pub(super) fn create(
        realm: &Realm,
        database: &IdbDatabase,
        scope: Vec<Name>,
        mode: IdbTransactionMode,
        durability: IdbTransactionDurability,
    ) -> Fallible<Dom<Self>> {
        let component_mode = if mode == IdbTransactionMode::Readonly {
            TransactionMode::ReadOnly
        } else {
            TransactionMode::ReadWrite
        };
        let id = database.begin(realm, scope.clone(), component_mode)?;
        let transaction = Self::new(realm, id, database, scope, (mode, durability), None)?;
        DatabaseClient::of(realm)?.add_transaction(&transaction);
        // <https://w3c.github.io/IndexedDB/#cleanup-indexed-database-transactions>
        let (created, root) = (transaction.clone(), realm.root());
        realm.state().at_checkpoint(move || {
            if created.state.get() == State::Active {
                created.state.set(State::Inactive);
                created.commit_if_done(&root);
            }
        });
        Ok(transaction)
    }

    /// The transaction that upgrades a database before it is open.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn for_upgrade(
        realm: &Realm,
        id: TransactionId,
        database: &Dom<IdbDatabase>,
        request: &Dom<IdbOpenDbRequest>,
        old_version: u64,
    ) -> Fallible<Dom<Self>> {
        let upgrade = Upgrade {
            request: request.clone(),
            old_version,
            old_object_stores: database.object_stores(),
        };
        let kind = (
            IdbTransactionMode::Versionchange,
            IdbTransactionDurability::Default,
        );
        let transaction = Self::new(realm, id, database, Vec::new(), kind, Some(upgrade))?;
        database.set_upgrade(Some(transaction.clone()));
        transaction.state.set(State::Inactive);
        Ok(transaction)
    }

    fn new(
        realm: &Realm,
        id: TransactionId,
        database: &IdbDatabase,
        scope: Vec<Name>,
        (mode, durability): (IdbTransactionMode, IdbTransactionDurability),
        upgrade: Option<Upgrade>,
    ) -> Fallible<Dom<Self>> {
        let this = Self {
            parent: EventTarget::new_inherited(),
            id: NoTrace(id),
            database: Dom::from_ref(database),
            mode: NoTrace(mode),
            durability: NoTrace(durability),
            scope: NoTrace(scope),
            upgrade,
            state: Cell::new(State::Active),
            requests: RefCell::default(),
            changes: NoTrace::default(),
            aborted: RefCell::default(),
            commit_sent: Cell::new(false),
            object_stores: RefCell::default(),
            error: RefCell::default(),
        };
        let transaction = Dom::new(realm, this)?;
        transaction.set_get_the_parent(|target, _| {
            let transaction = Dom::from_ref(target).downcast::<Self>()?;
            transaction.database.upcast()
        });
        Ok(transaction)
    }

    pub(crate) fn id(&self) -> TransactionId {
        *self.id
    }

    pub(super) fn database(&self) -> &Dom<IdbDatabase> {
        &self.database
    }

    pub(super) fn is_upgrade(&self) -> bool {
        self.upgrade.is_some()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.state.get() == State::Finished
    }

    pub(super) fn is_read_only(&self) -> bool {
        *self.mode == IdbTransactionMode::Readonly
    }

    /// # Errors
    ///
    /// A `TransactionInactiveError` when no requests can be made.
    pub(crate) fn require_active(&self) -> Fallible<()> {
        if self.state.get() == State::Active {
            return Ok(());
        }
        Err(Error::dom(
            DomExceptionName::TransactionInactiveError,
            "The transaction is not active: it has finished, or this is not a handler of its events.",
        ))
    }

    /// Does something during which no requests can be made.
    pub(super) fn while_inactive<T>(&self, run: impl FnOnce() -> T) -> T {
        self.state.set(State::Inactive);
        let result = run();
        if self.state.get() == State::Inactive {
            self.state.set(State::Active);
        }
        result
    }

    /// <https://w3c.github.io/IndexedDB/#asynchronously-execute-a-request>
    ///
    /// # Errors
    ///
    /// A `TransactionInactiveError` when getters of an argument have ended the transaction; an
    /// `AbortError` when the component has shut down.
    pub(crate) fn execute(
        &self,
        realm: &Realm,
        source: Value,
        operation: Operation,
        wanted: Wanted,
    ) -> Fallible<Dom<IdbRequest>> {
        let request = IdbRequest::create(realm, source, Dom::from_ref(self))?;
        self.execute_again(realm, &request, operation, wanted)?;
        Ok(request)
    }

    /// As [`Self::execute`], for a request that there is already.
    pub(super) fn execute_again(
        &self,
        realm: &Realm,
        request: &Dom<IdbRequest>,
        operation: Operation,
        wanted: Wanted,
    ) -> Fallible<()> {
        self.require_active()?;
        let id = self.send(realm, operation)?;
        request.set_pending();
        let pending = PendingRequest {
            request: request.clone(),
            wanted,
        };
        self.requests.borrow_mut().insert(id, pending);
        Ok(())
    }

    /// Changes the object stores of the database, or their indexes. There is no request that would
    /// tell how that went; failing aborts the transaction.
    pub(super) fn change(&self, realm: &Realm, operation: Operation) -> Fallible<()> {
        let id = self.send(realm, operation)?;
        self.changes.borrow_mut().insert(id, None);
        Ok(())
    }

    /// Creates an index, and tells the component the keys of the records that there are.
    pub(super) fn populate(
        &self,
        realm: &Realm,
        store: Name,
        population: Population,
    ) -> Fallible<()> {
        let index = population.index.clone();
        let id = self.send(realm, Operation::CreateIndex { store, index })?;
        self.changes.borrow_mut().insert(id, Some(population));
        Ok(())
    }

    /// The component wants to know the keys of these records in a new index.
    fn go_on_populating(
        &self,
        realm: &Realm,
        population: Population,
        records: Vec<Record>,
    ) -> Fallible<()> {
        let sent = population
            .keys(realm, records)
            .and_then(|operation| self.send(realm, operation));
        match sent {
            Ok(id) => {
                self.changes.borrow_mut().insert(id, Some(population));
            }
            Err(error) => self.abort_with(realm, Some(exception_object(realm, error)?)),
        }
        Ok(())
    }

    fn send(&self, realm: &Realm, operation: Operation) -> Fallible<RequestId> {
        DatabaseClient::of(realm)?
            .handle(realm)?
            .operate(*self.id, operation)
            .map_err(gone)
    }

    pub(super) fn created_object_store(
        &self,
        realm: &Realm,
        info: ObjectStoreInfo,
    ) -> Fallible<Dom<IdbObjectStore>> {
        let store = IdbObjectStore::create(realm, self, info, true)?;
        self.object_stores.borrow_mut().push(store.clone());
        Ok(store)
    }

    pub(super) fn deleted_object_store(&self, name: &Name) {
        for store in self.object_stores.borrow().iter() {
            if store.is_named(name) {
                store.set_deleted();
            }
        }
    }

    /// <https://w3c.github.io/IndexedDB/#upgrade-a-database>, from the task that fires the event.
    pub(super) fn run_upgrade(&self, realm: &Realm, request: &EventTarget, event: &Event) {
        self.state.set(State::Active);
        request.dispatch_trusted(realm, event);
        if self.state.get() == State::Active {
            self.state.set(State::Inactive);
            if event.did_listeners_throw() {
                self.abort_after_exception(realm);
            }
        }
        self.commit_if_done(realm);
    }

    /// The component has done what was asked of it.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn answered(
        &self,
        realm: &Realm,
        id: RequestId,
        result: Result<Answer, exception::DomException>,
    ) -> Fallible<()> {
        if self.state.get() == State::Finished {
            return Ok(());
        }
        // One that is committing is aborted by a failure, whatever handlers say; and so is one
        // that could not change the object stores or indexes.
        let change = self.changes.borrow_mut().remove(&id);
        let is_change = change.is_some();
        let result = match (change.flatten(), result) {
            (Some(population), Ok(Answer::Records(records))) if !records.is_empty() => {
                return self.go_on_populating(realm, population, records);
            }
            (_, result) => result,
        };
        if let Err(error) = &result
            && (is_change || self.state.get() == State::Committing)
        {
            let error = DomException::create(realm, error)?;
            self.abort_with(realm, Some(error));
            return Ok(());
        }
        let pending = self.requests.borrow_mut().remove(&id);
        let Some(pending) = pending else {
            self.commit_if_done(realm);
            return Ok(());
        };
        let value = result
            .map_err(Error::from)
            .and_then(|answer| result_value(realm, answer, &pending.wanted));
        match value {
            Ok(value) => {
                pending.request.succeed(value);
                self.fire_success(realm, &pending.request)
            }
            Err(error) => {
                let error = exception_object(realm, error)?;
                pending.request.fail(error.clone());
                self.fire_error(realm, &pending.request, error)
            }
        }
    }

    /// <https://w3c.github.io/IndexedDB/#fire-a-success-event>
    fn fire_success(&self, realm: &Realm, request: &IdbRequest) -> Fallible<()> {
        let event = Event::new(realm, "success", &EventInit::default())?;
        if self.dispatch(realm, request, &event) && event.did_listeners_throw() {
            self.abort_after_exception(realm);
        }
        self.commit_if_done(realm);
        Ok(())
    }

    /// <https://w3c.github.io/IndexedDB/#fire-an-error-event>
    fn fire_error(
        &self,
        realm: &Realm,
        request: &IdbRequest,
        error: Dom<DomException>,
    ) -> Fallible<()> {
        let event = IdbRequest::error_event(realm)?;
        if self.dispatch(realm, request, &event) {
            if event.did_listeners_throw() {
                self.abort_after_exception(realm);
            } else if !event.is_canceled() {
                self.abort_with(realm, Some(error));
            }
        }
        self.commit_if_done(realm);
        Ok(())
    }

    /// Dispatches an event of a request, during which requests can be made. Returns whether that
    /// was so to its end.
    fn dispatch(&self, realm: &Realm, request: &IdbRequest, event: &Event) -> bool {
        if self.state.get() == State::Inactive {
            self.state.set(State::Active);
        }
        request.dispatch_trusted(realm, event);
        let is_active = self.state.get() == State::Active;
        if is_active {
            self.state.set(State::Inactive);
        }
        is_active
    }

    /// <https://w3c.github.io/IndexedDB/#commit-a-transaction>
    ///
    /// Nothing is sent before everything is answered, so that a failure can still abort it.
    fn commit_if_done(&self, realm: &Realm) {
        let is_waiting = matches!(self.state.get(), State::Inactive | State::Committing);
        let is_answered = self.requests.borrow().is_empty() && self.changes.borrow().is_empty();
        if !is_waiting || !is_answered || self.commit_sent.replace(true) {
            return;
        }
        self.state.set(State::Committing);
        // Without the component nothing is committed, and nobody told so.
        if let Ok(handle) = DatabaseClient::of(realm).and_then(|client| client.handle(realm)) {
            let _ = handle.commit(*self.id);
        }
    }

    fn abort_after_exception(&self, realm: &Realm) {
        let message = "An event handler threw an exception.";
        let error = exception::DomException::new(DomExceptionName::AbortError, message);
        self.abort_with(realm, DomException::create(realm, &error).ok());
    }

    /// <https://w3c.github.io/IndexedDB/#abort-a-transaction>, but for the events: they are fired
    /// when the component says that everything is undone.
    fn abort_with(&self, realm: &Realm, error: Option<Dom<DomException>>) {
        if !self.end(error) {
            return;
        }
        if let Ok(handle) = DatabaseClient::of(realm).and_then(|client| client.handle(realm)) {
            let _ = handle.abort(*self.id);
        }
    }

    /// Step 1 to 6 of <https://w3c.github.io/IndexedDB/#abort-a-transaction>
    fn end(&self, error: Option<Dom<DomException>>) -> bool {
        if self.state.replace(State::Finished) == State::Finished {
            return false;
        }
        if let Some(upgrade) = &self.upgrade {
            self.database
                .revert(upgrade.old_version, upgrade.old_object_stores.clone());
            for store in self.object_stores.borrow().iter() {
                store.revert();
            }
        }
        self.error.replace(error);
        let pending = self.requests.take();
        let requests = pending.into_values().map(|pending| pending.request);
        self.aborted.replace(requests.collect());
        true
    }

    /// Its global object goes away.
    pub(crate) fn abandon(&self) {
        for pending in self.requests.borrow().values() {
            pending.request.abandon();
        }
    }

    /// The component has made everything durable.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn completed(&self, realm: &Realm) -> Fallible<()> {
        self.state.set(State::Finished);
        if self.is_upgrade() {
            self.database.set_upgrade(None);
        }
        self.fire_event(realm, "complete", &EventInit::default())?;
        if let Some(upgrade) = &self.upgrade {
            upgrade.request.set_transaction(None);
        }
        Ok(())
    }

    /// The component has undone everything: because it was asked to, or for this reason.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn aborted(
        &self,
        realm: &Realm,
        reason: Option<&exception::DomException>,
    ) -> Fallible<()> {
        let reason = reason.map(|reason| DomException::create(realm, reason));
        self.end(reason.transpose()?);
        for request in self.aborted.take() {
            let message = "The transaction was aborted.";
            let error = exception::DomException::new(DomExceptionName::AbortError, message);
            request.fail(DomException::create(realm, &error)?);
            request.dispatch_trusted(realm, &*IdbRequest::error_event(realm)?);
        }
        if self.is_upgrade() {
            self.database.set_upgrade(None);
        }
        let init = EventInit {
            bubbles: true,
            ..EventInit::default()
        };
        self.fire_event(realm, "abort", &init)?;
        if let Some(upgrade) = &self.upgrade {
            upgrade.request.set_transaction(None);
            upgrade.request.set_pending();
        }
        Ok(())
    }
}

impl IdbTransactionMethods for IdbTransaction {
    /// <https://w3c.github.io/IndexedDB/#dom-idbtransaction-objectstorenames>
    fn object_store_names(&self, realm: &Realm) -> Fallible<Dom<DomStringList>> {
        let names = if self.is_upgrade() {
            IdbDatabase::object_store_names(&self.database)
        } else {
            self.scope
                .iter()
                .cloned()
                .map(DomString::from_code_units)
                .collect()
        };
        DomStringList::sorted(realm, names)
    }

    fn mode(&self, _: &Realm) -> IdbTransactionMode {
        *self.mode
    }

    fn durability(&self, _: &Realm) -> IdbTransactionDurability {
        *self.durability
    }

    fn db(&self, _: &Realm) -> Dom<IdbDatabase> {
        self.database.clone()
    }

    fn error(&self, _: &Realm) -> Option<Dom<DomException>> {
        self.error.borrow().clone()
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbtransaction-objectstore>
    fn object_store(&self, realm: &Realm, name: DomString) -> Fallible<Dom<IdbObjectStore>> {
        if self.state.get() == State::Finished {
            return Err(invalid_state("The transaction has finished."));
        }
        let name = name.code_units().to_vec();
        if !self.is_upgrade() && !self.scope.contains(&name) {
            return Err(no_object_store());
        }
        let info = self
            .database
            .object_store(&name)
            .ok_or_else(no_object_store)?;
        let present = self
            .object_stores
            .borrow()
            .iter()
            .find(|store| store.is_named(&name))
            .cloned();
        if let Some(store) = present {
            return Ok(store);
        }
        let store = IdbObjectStore::create(realm, self, info, false)?;
        self.object_stores.borrow_mut().push(store.clone());
        Ok(store)
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbtransaction-commit>
    fn commit(&self, realm: &Realm) -> Fallible<()> {
        if self.state.get() != State::Active {
            return Err(invalid_state("The transaction is not active."));
        }
        self.state.set(State::Committing);
        self.commit_if_done(realm);
        Ok(())
    }

    /// <https://w3c.github.io/IndexedDB/#dom-idbtransaction-abort>
    fn abort(&self, realm: &Realm) -> Fallible<()> {
        if matches!(self.state.get(), State::Committing | State::Finished) {
            return Err(invalid_state(
                "The transaction is committing or has finished.",
            ));
        }
        self.abort_with(realm, None);
        Ok(())
    }
}
