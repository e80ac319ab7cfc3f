//! IndexedDB as its clients see it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod crash;
mod cursors;
mod indexes;
mod opening;
mod records;
mod thread;
mod transactions;

use std::collections::{BTreeMap, VecDeque};

use base::StorageKey;
use base::channel::Callback;
use base::exception::DomException;
use base::ids::{ClientId, RequestId};
use indexed_db::{
    Answer, ClientRequest, CommitFailure, ConnectionId, CursorDirection, DatabaseInfo, IndexedDb,
    IndexedDbEvent, IndexedDbMessage, Key, KeyPath, KeyRange, Name, ObjectStoreInfo, Operation,
    Output, Record, TransactionId, TransactionMode,
};
use storage::{Batch, Store, StoreConfig};
use url::Url;

fn name(text: &str) -> Name {
    text.encode_utf16().collect()
}

fn number(number: u32) -> Key {
    Key::Number(f64::from(number))
}

fn origin(url: &str) -> StorageKey {
    StorageKey::from_url(&Url::parse(url).unwrap()).unwrap()
}

fn plain_store(text: &str) -> ObjectStoreInfo {
    ObjectStoreInfo {
        name: name(text),
        key_path: None,
        auto_increment: false,
        indexes: Vec::new(),
    }
}

fn generating_store(text: &str) -> ObjectStoreInfo {
    let key_path = Some(KeyPath::String(name("id")));
    ObjectStoreInfo {
        name: name(text),
        key_path,
        auto_increment: true,
        indexes: Vec::new(),
    }
}

fn put(store: &str, key: Option<Key>, value: &[u8]) -> Operation {
    Operation::Put {
        store: name(store),
        key,
        value: value.to_vec(),
        no_overwrite: false,
        index_keys: Vec::new(),
    }
}

fn add(store: &str, key: Option<Key>, value: &[u8]) -> Operation {
    Operation::Put {
        store: name(store),
        key,
        value: value.to_vec(),
        no_overwrite: true,
        index_keys: Vec::new(),
    }
}

fn get(store: &str, key: Key) -> Operation {
    Operation::Get {
        store: name(store),
        index: None,
        range: KeyRange::only(key),
        key_only: false,
    }
}

fn get_all(store: &str) -> Operation {
    let range = KeyRange::all();
    Operation::GetAll {
        store: name(store),
        index: None,
        range,
        direction: CursorDirection::Next,
        count: None,
        key_only: false,
    }
}

fn value_of(answer: Result<Answer, DomException>) -> Option<Vec<u8>> {
    match answer {
        Ok(Answer::Record(record)) => record.and_then(|record: Record| record.value),
        other => panic!("no record, but {other:?}"),
    }
}

fn keys_of(answer: Result<Answer, DomException>) -> Vec<Key> {
    match answer {
        Ok(Answer::Records(records)) => records.into_iter().map(|record| record.key).collect(),
        other => panic!("no records, but {other:?}"),
    }
}

fn error_name<T: std::fmt::Debug>(result: Result<T, DomException>) -> &'static str {
    result.unwrap_err().name()
}

/// The state machine with a store, and commits that are answered at once unless they are held.
struct Machine {
    indexed_db: IndexedDb,
    store: Store,
    events: BTreeMap<ClientId, VecDeque<IndexedDbEvent>>,
    hold_commits: bool,
    held: VecDeque<(base::ids::CommitId, Batch)>,
    next_id: u64,
}

impl Machine {
    fn new() -> Self {
        Self::on(Store::open(StoreConfig::memory()).unwrap().0)
    }

    fn on(store: Store) -> Self {
        Self {
            indexed_db: IndexedDb::new(store.clone()),
            store,
            events: BTreeMap::new(),
            hold_commits: false,
            held: VecDeque::new(),
            next_id: 0,
        }
    }

    /// The same store, after the engine was killed and started again.
    fn restart(self) -> Self {
        Self::on(self.store)
    }

    fn client(&mut self, url: &str) -> ClientId {
        let client = ClientId::random();
        let events = Callback::ignore();
        let storage_key = origin(url);
        self.handle(IndexedDbMessage::AttachClient {
            client,
            storage_key,
            events,
        });
        client
    }

    fn handle(&mut self, message: IndexedDbMessage) {
        self.deliver(message);
        if !self.hold_commits {
            self.release_commits();
        }
    }

    fn deliver(&mut self, message: IndexedDbMessage) {
        self.indexed_db.handle_message(message);
        while let Some(output) = self.indexed_db.poll_output() {
            match output {
                Output::Event { client, event } => {
                    self.events.entry(client).or_default().push_back(event);
                }
                Output::Commit { commit, batch } => self.held.push_back((commit, batch)),
            }
        }
    }

    fn release_commits(&mut self) {
        while let Some((commit, batch)) = self.held.pop_front() {
            let result = self.store.commit(batch);
            let result = result.map_err(|error| CommitFailure::Other(error.to_string()));
            self.deliver(IndexedDbMessage::Committed { commit, result });
        }
    }

    fn fail_commit(&mut self, failure: CommitFailure) {
        let (commit, _) = self.held.pop_front().unwrap();
        self.handle(IndexedDbMessage::Committed {
            commit,
            result: Err(failure),
        });
    }

    fn send(&mut self, client: ClientId, request: ClientRequest) {
        self.handle(IndexedDbMessage::Client { client, request });
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The client's next event, if it has one.
    fn next(&mut self, client: ClientId) -> Option<IndexedDbEvent> {
        self.events.entry(client).or_default().pop_front()
    }

    fn request_open(
        &mut self,
        client: ClientId,
        database: &str,
        version: Option<u64>,
    ) -> RequestId {
        let request = RequestId(self.id());
        let transaction = TransactionId(self.id());
        let name = name(database);
        self.send(
            client,
            ClientRequest::Open {
                request,
                transaction,
                name,
                version,
            },
        );
        request
    }

    fn request_delete(&mut self, client: ClientId, database: &str) -> RequestId {
        let request = RequestId(self.id());
        self.send(
            client,
            ClientRequest::DeleteDatabase {
                request,
                name: name(database),
            },
        );
        request
    }

    /// The upgrade that has just started.
    fn started_upgrade(&mut self, client: ClientId) -> (ConnectionId, TransactionId, u64) {
        match self.next(client) {
            Some(IndexedDbEvent::UpgradeNeeded {
                connection,
                transaction,
                old_version,
                ..
            }) => (connection, transaction, old_version),
            other => panic!("no upgrade, but {other:?}"),
        }
    }

    fn opened(&mut self, client: ClientId) -> (ConnectionId, DatabaseInfo) {
        match self.next(client) {
            Some(IndexedDbEvent::Opened {
                connection,
                database,
                ..
            }) => (connection, database),
            other => panic!("not opened, but {other:?}"),
        }
    }

    /// Open a database that needs an upgrade, do that, and commit it.
    fn upgrade(
        &mut self,
        client: ClientId,
        database: &str,
        version: u64,
        operations: Vec<Operation>,
    ) -> ConnectionId {
        self.request_open(client, database, Some(version));
        let (connection, transaction, _) = self.started_upgrade(client);
        for operation in operations {
            self.ask(client, transaction, operation).unwrap();
        }
        self.send(client, ClientRequest::Commit { transaction });
        assert_eq!(
            self.next(client),
            Some(IndexedDbEvent::Completed { transaction })
        );
        assert_eq!(self.opened(client).0, connection);
        connection
    }

    /// A database `db` with a plain store `a` and a generating store `g`.
    fn database(&mut self, client: ClientId) -> ConnectionId {
        let stores = [plain_store("a"), plain_store("b"), generating_store("g")];
        self.upgrade(
            client,
            "db",
            1,
            stores.map(Operation::CreateObjectStore).to_vec(),
        )
    }

    fn begin(
        &mut self,
        client: ClientId,
        connection: ConnectionId,
        scope: &[&str],
        mode: TransactionMode,
    ) -> TransactionId {
        let transaction = TransactionId(self.id());
        let scope = scope.iter().map(|store| name(store)).collect();
        let request = ClientRequest::CreateTransaction {
            transaction,
            connection,
            scope,
            mode,
        };
        self.send(client, request);
        transaction
    }

    fn operate(
        &mut self,
        client: ClientId,
        transaction: TransactionId,
        operation: Operation,
    ) -> RequestId {
        let request = RequestId(self.id());
        self.send(
            client,
            ClientRequest::Operate {
                request,
                transaction,
                operation,
            },
        );
        request
    }

    /// Operate, and take the answer that has to be there at once.
    fn ask(
        &mut self,
        client: ClientId,
        transaction: TransactionId,
        operation: Operation,
    ) -> Result<Answer, DomException> {
        let asked = self.operate(client, transaction, operation);
        match self.next(client) {
            Some(IndexedDbEvent::Answer {
                request, result, ..
            }) if request == asked => result,
            other => panic!("no answer, but {other:?}"),
        }
    }

    fn commit(&mut self, client: ClientId, transaction: TransactionId) {
        self.send(client, ClientRequest::Commit { transaction });
        assert_eq!(
            self.next(client),
            Some(IndexedDbEvent::Completed { transaction })
        );
    }

    fn abort(&mut self, client: ClientId, transaction: TransactionId) {
        self.send(client, ClientRequest::Abort { transaction });
        let aborted = IndexedDbEvent::Aborted {
            transaction,
            error: None,
        };
        assert_eq!(self.next(client), Some(aborted));
    }

    /// Do something in a transaction of its own and commit it.
    fn run(
        &mut self,
        client: ClientId,
        connection: ConnectionId,
        operations: Vec<Operation>,
    ) -> Vec<Result<Answer, DomException>> {
        let mode = TransactionMode::ReadWrite;
        let transaction = self.begin(client, connection, &["a", "b", "g"], mode);
        let ask = |operation| self.ask(client, transaction, operation);
        let answers = operations.into_iter().map(ask).collect();
        self.commit(client, transaction);
        answers
    }
}
