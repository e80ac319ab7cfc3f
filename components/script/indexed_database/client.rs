//! A realm's way to the IndexedDB component.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base::channel::{Callback, Disconnected};
use base::exception::{DomException, ErrorClass};
use base::ids::RequestId;
use indexed_db::{
    ConnectionId, DatabaseInfo, IndexedDbClientHandle, IndexedDbEvent, NameAndVersion,
    TransactionId,
};

use crate::bindings::generated::IdbDatabaseInfo;
use crate::bindings::{
    Dom, DomString, Error, Fallible, NoTrace, Promise, Realm, Traceable, Tracer,
};
use crate::dom::idb_database::IdbDatabase;
use crate::dom::idb_factory::IdbFactory;
use crate::dom::idb_open_db_request::IdbOpenDbRequest;
use crate::dom::idb_transaction::IdbTransaction;
use crate::environment::Environment;
use crate::event_loop::EventLoop;

/// What a realm has open. A traced service of the realm.
///
/// Open connections are kept even if no script refers to them: they are closed by `close()`, or
/// when the global object goes away.
pub(crate) struct DatabaseClient {
    handle: NoTrace<RefCell<Attachment>>,
    factory: OnceCell<Dom<IdbFactory>>,
    open_requests: RefCell<BTreeMap<RequestId, Dom<IdbOpenDbRequest>>>,
    lists: RefCell<BTreeMap<RequestId, Promise>>,
    connections: RefCell<BTreeMap<ConnectionId, Dom<IdbDatabase>>>,
    /// Those that are not finished.
    transactions: RefCell<BTreeMap<TransactionId, Dom<IdbTransaction>>>,
}

#[derive(Default)]
enum Attachment {
    /// Nothing was asked yet.
    #[default]
    Before,
    Attached(IndexedDbClientHandle),
    /// The global object goes away.
    Detached,
}

impl Traceable for DatabaseClient {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.factory.trace(tracer);
        self.open_requests.trace(tracer);
        self.lists.trace(tracer);
        self.connections.trace(tracer);
        self.transactions.trace(tracer);
    }
}

impl DatabaseClient {
    /// The client that a realm is.
    ///
    /// # Errors
    ///
    /// None in practice: the realm keeps it from the first call on.
    pub(crate) fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        if realm.service::<Self>().is_none() {
            realm.add_traced_service(Rc::new(Self {
                handle: NoTrace::default(),
                factory: OnceCell::new(),
                open_requests: RefCell::default(),
                lists: RefCell::default(),
                connections: RefCell::default(),
                transactions: RefCell::default(),
            }));
        }
        realm.service().ok_or_else(|| gone(Disconnected))
    }

    /// Gives the handle back. What is asked after this is refused.
    pub(super) fn detach(&self) {
        drop(self.handle.replace(Attachment::Detached));
        for request in self.open_requests.take().into_values() {
            request.abandon();
        }
        drop(self.lists.take());
        drop(self.connections.take());
        for transaction in self.transactions.take().into_values() {
            transaction.abandon();
        }
    }

    /// `indexedDB`
    pub(crate) fn factory(&self, realm: &Realm) -> Fallible<Dom<IdbFactory>> {
        if let Some(factory) = self.factory.get() {
            return Ok(factory.clone());
        }
        let factory = IdbFactory::create(realm)?;
        Ok(self.factory.get_or_init(|| factory).clone())
    }

    /// The way to the component. It is not to be kept, since the last clone that is dropped
    /// detaches the client.
    ///
    /// # Errors
    ///
    /// A `SecurityError` for an opaque origin, which has no storage key; an `AbortError` when the
    /// realm or the component goes away.
    pub(crate) fn handle(&self, realm: &Realm) -> Fallible<IndexedDbClientHandle> {
        match &*self.handle.borrow() {
            Attachment::Attached(handle) => return Ok(handle.clone()),
            Attachment::Detached => return Err(gone(Disconnected)),
            Attachment::Before => {}
        }
        let environment = Environment::of(realm)?;
        let Some(storage_key) = environment.origin.clone() else {
            let message = "Databases are not available to this origin.";
            return Err(ErrorClass::Security.exception(message).into());
        };
        let handle = environment
            .services
            .indexed_db
            .attach_client(environment.client, storage_key, events(realm)?)
            .map_err(gone)?;
        self.handle.replace(Attachment::Attached(handle.clone()));
        Ok(handle)
    }

    pub(crate) fn add_open_request(&self, id: RequestId, request: Dom<IdbOpenDbRequest>) {
        self.open_requests.borrow_mut().insert(id, request);
    }

    pub(crate) fn add_list(&self, id: RequestId, promise: Promise) {
        self.lists.borrow_mut().insert(id, promise);
    }

    pub(crate) fn add_transaction(&self, transaction: &Dom<IdbTransaction>) {
        self.transactions
            .borrow_mut()
            .insert(transaction.id(), transaction.clone());
    }

    /// The connection is closed, or will be: it gets no events any more.
    pub(crate) fn remove_connection(&self, id: ConnectionId) {
        let removed = self.connections.borrow_mut().remove(&id);
        drop(removed);
    }

    fn handle_event(&self, realm: &Realm, event: IndexedDbEvent) -> Fallible<()> {
        match event {
            IndexedDbEvent::Opened {
                request,
                connection,
                database,
            } => self.opened(realm, request, connection, database),
            IndexedDbEvent::UpgradeNeeded {
                request,
                connection,
                transaction,
                old_version,
                database,
            } => {
                let Some(request) = self.open_request(request) else {
                    return Ok(());
                };
                let new_version = database.version;
                let database = self.connect(realm, connection, database)?;
                let transaction = IdbTransaction::for_upgrade(
                    realm,
                    transaction,
                    &database,
                    &request,
                    old_version,
                )?;
                self.add_transaction(&transaction);
                request.upgrade(realm, &transaction, old_version, new_version)
            }
            IndexedDbEvent::Blocked {
                request,
                old_version,
                new_version,
            } => match self.open_request(request) {
                Some(request) => request.blocked(realm, old_version, new_version),
                None => Ok(()),
            },
            IndexedDbEvent::OpenFailed { request, error }
            | IndexedDbEvent::DeleteFailed { request, error } => {
                let Some(request) = self.take_open_request(request) else {
                    return Ok(());
                };
                if let Some(database) = request.take_database() {
                    database.set_closed();
                    self.remove_connection(database.connection());
                }
                request.failed(realm, &error)
            }
            IndexedDbEvent::Deleted {
                request,
                old_version,
            } => match self.take_open_request(request) {
                Some(request) => request.deleted(realm, old_version),
                None => Ok(()),
            },
            IndexedDbEvent::Databases { request, result } => {
                let promise = self.lists.borrow_mut().remove(&request);
                if let Some(promise) = promise {
                    settle(&promise, result);
                }
                Ok(())
            }
            IndexedDbEvent::VersionChange {
                connection,
                old_version,
                new_version,
            } => {
                let database = self.connections.borrow().get(&connection).cloned();
                let fired = database.map_or(Ok(()), |database| {
                    database.version_change(realm, old_version, new_version)
                });
                let _ = self.handle(realm)?.version_change_fired(connection);
                fired
            }
            IndexedDbEvent::Answer {
                transaction,
                request,
                result,
            } => match self.transaction(transaction) {
                Some(transaction) => transaction.answered(realm, request, result),
                None => Ok(()),
            },
            IndexedDbEvent::Completed { transaction } => match self.take_transaction(transaction) {
                Some(transaction) => transaction.completed(realm),
                None => Ok(()),
            },
            IndexedDbEvent::Aborted { transaction, error } => {
                match self.take_transaction(transaction) {
                    Some(transaction) => transaction.aborted(realm, error.as_ref()),
                    None => Ok(()),
                }
            }
        }
    }

    fn opened(
        &self,
        realm: &Realm,
        request: RequestId,
        connection: ConnectionId,
        info: DatabaseInfo,
    ) -> Fallible<()> {
        let Some(request) = self.take_open_request(request) else {
            return Ok(());
        };
        let database = match request.take_database() {
            Some(database) => database,
            None => self.connect(realm, connection, info)?,
        };
        request.opened(realm, &database)
    }

    fn connect(
        &self,
        realm: &Realm,
        connection: ConnectionId,
        info: DatabaseInfo,
    ) -> Fallible<Dom<IdbDatabase>> {
        let database = IdbDatabase::create(realm, connection, info)?;
        self.connections
            .borrow_mut()
            .insert(connection, database.clone());
        Ok(database)
    }

    fn open_request(&self, id: RequestId) -> Option<Dom<IdbOpenDbRequest>> {
        self.open_requests.borrow().get(&id).cloned()
    }

    fn take_open_request(&self, id: RequestId) -> Option<Dom<IdbOpenDbRequest>> {
        self.open_requests.borrow_mut().remove(&id)
    }

    fn transaction(&self, id: TransactionId) -> Option<Dom<IdbTransaction>> {
        self.transactions.borrow().get(&id).cloned()
    }

    fn take_transaction(&self, id: TransactionId) -> Option<Dom<IdbTransaction>> {
        self.transactions.borrow_mut().remove(&id)
    }
}

/// A callback that hands each event to the realm's client on its thread.
fn events(realm: &Realm) -> Fallible<Callback<IndexedDbEvent>> {
    let event_loop = realm
        .service::<EventLoop>()
        .ok_or_else(|| Error::Type("there is no event loop".to_owned()))?;
    let sender = event_loop.sender();
    let ticket = Arc::new(event_loop.keep(realm.root()));
    Ok(Callback::new(move |event| {
        let ticket = Arc::clone(&ticket);
        sender.queue(move |event_loop| {
            let Some(realm) = ticket.get(event_loop) else {
                return;
            };
            let Some(client) = realm.service::<DatabaseClient>() else {
                return;
            };
            // An event that was on its way when the client was detached is for nobody.
            let is_attached = matches!(&*client.handle.borrow(), Attachment::Attached(_));
            if is_attached && client.handle_event(&realm, event).is_err() {
                log::error!("an event of a database is lost: out of memory");
            }
        });
    }))
}

/// The last step of <https://w3c.github.io/IndexedDB/#dom-idbfactory-databases>
fn settle(promise: &Promise, result: Result<Vec<NameAndVersion>, DomException>) {
    match result {
        Ok(databases) => {
            let databases: Vec<IdbDatabaseInfo> = databases
                .into_iter()
                .map(|database| IdbDatabaseInfo {
                    name: Some(DomString::from_code_units(database.name)),
                    version: Some(database.version),
                })
                .collect();
            promise.resolve(&databases);
        }
        Err(error) => promise.reject(error),
    }
}

/// What a script gets to see when the component has shut down, or its own global object has.
pub(crate) fn gone(disconnected: Disconnected) -> Error {
    ErrorClass::EmbedderMisuse
        .exception(disconnected.to_string())
        .into()
}
