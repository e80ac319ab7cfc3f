//! The component as others use it: a thread, handles, a profile on disk.

use base::channel::{Callback, Receiver, unbounded};
use base::ids::ClientId;
use indexed_db::{
    Answer, ConnectionId, IndexedDbClientHandle, IndexedDbEvent, IndexedDbHandle, IndexedDbMessage,
    IndexedDbThread, ObjectStoreInfo, Operation, TransactionMode,
};
use storage::{Store, StoreConfig};

use crate::indexes::index;
use crate::{generating_store, get, name, number, origin, plain_store, put, value_of};

pub(crate) struct Client {
    pub(crate) handle: IndexedDbClientHandle,
    events: Receiver<IndexedDbEvent>,
}

impl Client {
    pub(crate) fn new(component: &IndexedDbHandle) -> Self {
        let (sender, events) = unbounded();
        let callback = Callback::to_sender(&sender, |event| event);
        let storage_key = origin("https://example.org/");
        let handle = component
            .attach_client(ClientId::random(), storage_key, callback)
            .unwrap();
        Self { handle, events }
    }

    pub(crate) fn next(&self) -> IndexedDbEvent {
        self.events.recv().unwrap()
    }

    /// Open a database with the stores `a`, which has an index `i`, and `g`, creating it when it is
    /// not there.
    pub(crate) fn open(&self) -> ConnectionId {
        self.handle.open(name("db"), Some(1)).unwrap();
        loop {
            match self.next() {
                IndexedDbEvent::UpgradeNeeded { transaction, .. } => {
                    let store = ObjectStoreInfo {
                        indexes: vec![index("i")],
                        ..plain_store("a")
                    };
                    for store in [store, generating_store("g")] {
                        let create = Operation::CreateObjectStore(store);
                        self.handle.operate(transaction, create).unwrap();
                    }
                    self.handle.commit(transaction).unwrap();
                }
                IndexedDbEvent::Opened { connection, .. } => return connection,
                _ => {}
            }
        }
    }

    fn put(&self, connection: ConnectionId, value: &[u8]) {
        let mode = TransactionMode::ReadWrite;
        let scope = vec![name("a")];
        let transaction = self
            .handle
            .create_transaction(connection, scope, mode)
            .unwrap();
        self.handle
            .operate(transaction, put("a", Some(number(1)), value))
            .unwrap();
        self.handle.commit(transaction).unwrap();
        assert!(matches!(
            self.next(),
            IndexedDbEvent::Answer {
                result: Ok(Answer::Key(_)),
                ..
            }
        ));
        assert_eq!(self.next(), IndexedDbEvent::Completed { transaction });
    }

    fn get(&self, connection: ConnectionId) -> Option<Vec<u8>> {
        let mode = TransactionMode::ReadOnly;
        let scope = vec![name("a")];
        let transaction = self
            .handle
            .create_transaction(connection, scope, mode)
            .unwrap();
        self.handle
            .operate(transaction, get("a", number(1)))
            .unwrap();
        self.handle.commit(transaction).unwrap();
        let IndexedDbEvent::Answer { result, .. } = self.next() else {
            panic!("no answer")
        };
        assert_eq!(self.next(), IndexedDbEvent::Completed { transaction });
        value_of(result)
    }
}

#[test]
fn a_page_and_a_worker_share_a_database_that_outlives_them() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
    let component = IndexedDbThread::start(store.clone()).unwrap();
    let [page, worker] = [
        Client::new(component.handle()),
        Client::new(component.handle()),
    ];
    let [in_page, in_worker] = [page.open(), worker.open()];
    page.put(in_page, b"mail");
    assert_eq!(worker.get(in_worker), Some(b"mail".to_vec()));
    component.shut_down();
    store.close();

    let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
    let component = IndexedDbThread::start(store).unwrap();
    let page = Client::new(component.handle());
    assert_eq!(page.get(page.open()), Some(b"mail".to_vec()));
}

#[test]
fn dropping_a_handle_aborts_and_closes() {
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    let component = IndexedDbThread::start(store).unwrap();
    let [page, worker] = [
        Client::new(component.handle()),
        Client::new(component.handle()),
    ];
    let connection = page.open();
    let mode = TransactionMode::ReadWrite;
    let scope = vec![name("a")];
    let transaction = page
        .handle
        .create_transaction(connection, scope, mode)
        .unwrap();
    page.handle
        .operate(transaction, put("a", Some(number(1)), b"lost"))
        .unwrap();
    assert!(matches!(page.next(), IndexedDbEvent::Answer { .. }));
    let in_worker = worker.open();
    drop(page);
    assert_eq!(worker.get(in_worker), None);
    worker.handle.close(in_worker).unwrap();
    worker.handle.delete_database(name("db")).unwrap();
    assert!(matches!(
        worker.next(),
        IndexedDbEvent::Deleted { old_version: 1, .. }
    ));
}

#[test]
fn a_closed_store_aborts_what_is_to_be_committed() {
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    let component = IndexedDbThread::start(store.clone()).unwrap();
    let page = Client::new(component.handle());
    let connection = page.open();
    let mode = TransactionMode::ReadWrite;
    let scope = vec![name("a")];
    let transaction = page
        .handle
        .create_transaction(connection, scope, mode)
        .unwrap();
    page.handle
        .operate(transaction, put("a", Some(number(1)), b"x"))
        .unwrap();
    assert!(matches!(page.next(), IndexedDbEvent::Answer { .. }));
    store.close();
    page.handle.commit(transaction).unwrap();
    let IndexedDbEvent::Aborted {
        error: Some(error), ..
    } = page.next()
    else {
        panic!("it was not aborted");
    };
    assert_eq!(error.name(), "UnknownError");
}

#[test]
fn handles_of_a_component_that_has_ended_say_so() {
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    let component = IndexedDbThread::start(store).unwrap();
    let handle = component.handle().clone();
    let page = Client::new(&handle);
    component.shut_down();
    assert!(page.handle.databases().is_err());
    assert!(handle.shut_down().is_err());
}

#[test]
fn messages_survive_serialization() {
    let (sender, receiver) = unbounded();
    let handle = IndexedDbHandle::new(sender);
    let (events, received) = unbounded();
    let callback = Callback::to_sender(&events, |event| event);
    let client = ClientId::random();
    let page = handle
        .attach_client(client, origin("https://example.org/"), callback)
        .unwrap();
    page.open(vec![0xD800], Some(7)).unwrap();
    drop(page);
    let mut kinds = Vec::new();
    while let Some(message) = receiver.try_recv() {
        let bytes = postcard::to_stdvec(&message).unwrap();
        let message: IndexedDbMessage = postcard::from_bytes(&bytes).unwrap();
        kinds.push(match message {
            IndexedDbMessage::AttachClient { events, .. } => {
                events.call(IndexedDbEvent::Completed {
                    transaction: indexed_db::TransactionId(1),
                });
                "attach"
            }
            IndexedDbMessage::Client {
                request,
                client: from,
            } => {
                assert_eq!(from, client);
                let named = matches!(request, indexed_db::ClientRequest::Open { name, .. }
                    if name == [0xD800]);
                assert!(named);
                "open"
            }
            IndexedDbMessage::DetachClient { .. } => "detach",
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(kinds, ["attach", "open", "detach"]);
    assert!(received.try_recv().is_some());
}
