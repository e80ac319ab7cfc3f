//! What requests and answers are made of.

use std::fmt;

use base::StorageKey;
use base::exception::{DomException, DomExceptionName};
use serde::{Deserialize, Serialize};

use crate::key::{InvalidKey, Key};
use crate::key_range::KeyRange;

/// The name of a database, an object store or an index: a `DOMString`, lone surrogates included.
pub type Name = Vec<u16>;

/// A connection to a database, as long as the engine runs.
///
/// <https://w3c.github.io/IndexedDB/#connection>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// A transaction of one client. Clients number their own.
///
/// <https://w3c.github.io/IndexedDB/#transaction-construct>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct TransactionId(pub u64);

/// What a transaction may do.
///
/// <https://w3c.github.io/IndexedDB/#transaction-mode>
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum TransactionMode {
    /// Read.
    ReadOnly,
    /// Read and write records.
    ReadWrite,
    /// Also create and delete object stores. Made by opening a database, never asked for.
    VersionChange,
}

/// Where in a value its key is found. Evaluated by the one who knows what a value is.
///
/// <https://w3c.github.io/IndexedDB/#key-path-construct>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum KeyPath {
    /// One path.
    String(Name),
    /// A list of paths, which makes an array key.
    Sequence(Vec<Name>),
}

/// <https://w3c.github.io/IndexedDB/#index-construct>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct IndexInfo {
    /// Its name.
    pub name: Name,
    /// Where in the values the keys of the index are.
    pub key_path: KeyPath,
    /// Whether no two records may have a key of the index in common.
    pub unique: bool,
    /// Whether each item of an array is a key, rather than the array.
    pub multi_entry: bool,
}

/// <https://w3c.github.io/IndexedDB/#object-store-construct>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ObjectStoreInfo {
    /// Its name.
    pub name: Name,
    /// Where in the values the keys are, if they are (in-line keys).
    pub key_path: Option<KeyPath>,
    /// Whether it has a key generator.
    pub auto_increment: bool,
    /// Its indexes, ordered by name.
    pub indexes: Vec<IndexInfo>,
}

/// A database as a connection sees it when it is made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DatabaseInfo {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: u64,
    /// Its object stores, ordered by name.
    pub object_stores: Vec<ObjectStoreInfo>,
}

/// <https://w3c.github.io/IndexedDB/#dictdef-idbdatabaseinfo>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NameAndVersion {
    /// The name of the database.
    pub name: Name,
    /// Its version.
    pub version: u64,
}

/// A key and its value. The value is what the client stored, byte for byte: where a key generator
/// made a key for a store with a key path, it is up to the client to put the key into the value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The key.
    pub key: Key,
    /// The key in the index; nothing where the record was not found through an index.
    pub index_key: Option<Key>,
    /// The serialized value; nothing where only keys were asked for.
    pub value: Option<Vec<u8>>,
}

/// <https://w3c.github.io/IndexedDB/#cursor-direction>
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum CursorDirection {
    /// Upwards.
    Next,
    /// Upwards, each key once. The same as `Next` in an object store, where keys are unique.
    NextUnique,
    /// Downwards.
    Prev,
    /// Downwards, each key once.
    PrevUnique,
}

impl CursorDirection {
    /// Whether it goes upwards.
    pub fn is_forward(self) -> bool {
        matches!(self, Self::Next | Self::NextUnique)
    }
}

/// Where a cursor is, or is to go.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CursorPosition {
    /// <https://w3c.github.io/IndexedDB/#cursor-position>
    pub key: Key,
    /// The key of the record itself, for a cursor over an index; nothing for one over an object
    /// store, and for the first record that has the key.
    ///
    /// <https://w3c.github.io/IndexedDB/#cursor-object-store-position>
    pub primary_key: Option<Key>,
}

/// A key that a record has in an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IndexKey {
    /// This key.
    Key(Key),
    /// The key of the record, which the key generator has still to make.
    Primary,
    /// An array of keys, one of which may still have to be made.
    Array(Vec<IndexKey>),
}

impl IndexKey {
    /// The key, now that the record has one.
    pub(crate) fn resolve(self, primary: &Key) -> Key {
        match self {
            Self::Key(key) => key,
            Self::Primary => primary.clone(),
            Self::Array(keys) => {
                Key::Array(keys.into_iter().map(|key| key.resolve(primary)).collect())
            }
        }
    }
}

/// The keys of a record in one index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexKeys {
    /// The index, by its name.
    pub index: Name,
    /// The keys: none where the value has none, several at most in a multi-entry index.
    pub keys: Vec<IndexKey>,
}

/// Something to be done in a transaction. Object stores and indexes are named by the name that they
/// have when it is their turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// Create an object store; in an upgrade transaction.
    CreateObjectStore(ObjectStoreInfo),
    /// Delete an object store and its records; in an upgrade transaction.
    DeleteObjectStore {
        /// Its name.
        name: Name,
    },
    /// Give an object store another name; in an upgrade transaction.
    RenameObjectStore {
        /// The name it has.
        from: Name,
        /// The name it gets.
        to: Name,
    },
    /// Create an index; in an upgrade transaction.
    ///
    /// The answer is [`Answer::Records`]: those whose keys the new index wants to know, in an
    /// [`Operation::IndexRecords`]. Nothing else is done in the transaction before the answer is
    /// empty.
    CreateIndex {
        /// The object store.
        store: Name,
        /// The index.
        index: IndexInfo,
    },
    /// The keys of records in an index that is being created. Answered as that was.
    IndexRecords {
        /// The key of each of the records that were asked about, and its keys in the index.
        keys: Vec<(Key, Vec<Key>)>,
    },
    /// Delete an index; in an upgrade transaction.
    DeleteIndex {
        /// The object store.
        store: Name,
        /// The name of the index.
        name: Name,
    },
    /// Give an index another name; in an upgrade transaction.
    RenameIndex {
        /// The object store.
        store: Name,
        /// The name it has.
        from: Name,
        /// The name it gets.
        to: Name,
    },
    /// Store a record. Answered with its key.
    Put {
        /// The object store.
        store: Name,
        /// The key; nothing when the key generator is to make one.
        key: Option<Key>,
        /// The serialized value.
        value: Vec<u8>,
        /// Whether a record that has the key already is an error (`add`) or replaced (`put`).
        no_overwrite: bool,
        /// Its keys in the indexes of the object store.
        index_keys: Vec<IndexKeys>,
    },
    /// The first record of a range. Answered with it, if there is one.
    Get {
        /// The object store.
        store: Name,
        /// The index to look in; nothing for the object store itself.
        index: Option<Name>,
        /// Where to look.
        range: KeyRange,
        /// Whether only the key is wanted.
        key_only: bool,
    },
    /// The first records of a range. Answered with them.
    GetAll {
        /// The object store.
        store: Name,
        /// The index to look in; nothing for the object store itself.
        index: Option<Name>,
        /// Where to look.
        range: KeyRange,
        /// From which end, and whether each key of an index once.
        direction: CursorDirection,
        /// How many at most.
        count: Option<u32>,
        /// Whether only the keys are wanted.
        key_only: bool,
    },
    /// How many records are in a range. Answered with their number.
    Count {
        /// The object store.
        store: Name,
        /// The index to look in; nothing for the object store itself.
        index: Option<Name>,
        /// Where to look.
        range: KeyRange,
    },
    /// Remove the records of a range.
    Delete {
        /// The object store.
        store: Name,
        /// Which.
        range: KeyRange,
    },
    /// Remove all records. The key generator goes on where it was.
    Clear {
        /// The object store.
        store: Name,
    },
    /// The next record of a cursor, which the client keeps. Answered with it, if there is one.
    ///
    /// <https://w3c.github.io/IndexedDB/#iterate-a-cursor>
    IterateCursor {
        /// The object store.
        store: Name,
        /// The index that the cursor is over; nothing for the object store itself.
        index: Option<Name>,
        /// The cursor's range.
        range: KeyRange,
        /// The cursor's direction.
        direction: CursorDirection,
        /// The cursor's last record, if it had one already.
        position: Option<Box<CursorPosition>>,
        /// What `continue()` or `continuePrimaryKey()` was called with: records before it are
        /// skipped.
        target: Option<Box<CursorPosition>>,
        /// How many records to go on, at least one; more with `advance()`.
        count: u32,
        /// Whether only the key is wanted.
        key_only: bool,
    },
}

/// What an [`Operation`] has brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// The key of the stored record.
    Key(Key),
    /// The record, if there is one.
    Record(Option<Record>),
    /// The records, in the order of their keys, or as was asked for.
    Records(Vec<Record>),
    /// The number of records.
    Count(u64),
}

impl InvalidKey {
    /// What a page sees of it.
    pub fn exception(self) -> DomException {
        match self {
            Self::NotANumber => data_error("a key must not be NaN or an invalid date"),
            Self::TooDeep => data_error("the arrays in the key are nested too deep"),
            Self::TooLong => DomException::new(
                DomExceptionName::QuotaExceededError,
                format!("the key is longer than {} bytes", crate::MAX_KEY_BYTES),
            ),
        }
    }
}

pub(crate) fn data_error(message: &str) -> DomException {
    DomException::new(DomExceptionName::DataError, message)
}

pub(crate) fn constraint_error(message: impl Into<String>) -> DomException {
    DomException::new(DomExceptionName::ConstraintError, message)
}

/// Which database: names are apart per storage key.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct DatabaseKey {
    pub(crate) storage_key: StorageKey,
    pub(crate) name: Name,
}

impl fmt::Display for DatabaseKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "\"{}\" of {}",
            display_name(&self.name),
            self.storage_key
        )
    }
}

pub(crate) fn display_name(name: &[u16]) -> String {
    String::from_utf16_lossy(name)
}
