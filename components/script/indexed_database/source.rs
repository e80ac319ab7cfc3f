//! What object stores and indexes have in common: reading their records.

use indexed_db::{KeyRange, Name, Operation};

use super::key;
use super::result::Wanted;
use crate::bindings::generated::{IdbCursorDirection, IdbGetAllOptions, IdbObjectStoreOrIdbIndex};
use crate::bindings::{Dom, Fallible, Realm, ToJs, Traceable, Tracer, Value};
use crate::dom::idb_cursor::IdbCursor;
use crate::dom::idb_index::IdbIndex;
use crate::dom::idb_object_store::IdbObjectStore;
use crate::dom::idb_request::IdbRequest;
use crate::dom::idb_transaction::IdbTransaction;

/// Where records are read.
#[derive(Clone)]
pub(crate) enum RecordSource {
    /// An object store.
    ObjectStore(Dom<IdbObjectStore>),
    /// An index of one.
    Index(Dom<IdbIndex>),
}

impl Traceable for RecordSource {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        match self {
            Self::ObjectStore(store) => store.trace(tracer),
            Self::Index(index) => index.trace(tracer),
        }
    }
}

/// What is wanted of each record.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The key of the record itself, also through an index.
    Key,
    /// The value.
    Value,
    /// Both, and the key in the index.
    Record,
}

impl RecordSource {
    /// The object store that has the records.
    ///
    /// <https://w3c.github.io/IndexedDB/#cursor-effective-object-store>
    pub(crate) fn object_store(&self) -> &Dom<IdbObjectStore> {
        match self {
            Self::ObjectStore(store) => store,
            Self::Index(index) => index.store(),
        }
    }

    /// The name of the index, if it is one.
    pub(crate) fn index_name(&self) -> Option<Name> {
        match self {
            Self::ObjectStore(_) => None,
            Self::Index(index) => Some(index.index_name()),
        }
    }

    pub(crate) fn is_index(&self) -> bool {
        matches!(self, Self::Index(_))
    }

    pub(crate) fn transaction(&self) -> &Dom<IdbTransaction> {
        self.object_store().transaction_object()
    }

    /// # Errors
    ///
    /// An `InvalidStateError` when it was deleted.
    pub(crate) fn require_present(&self) -> Fallible<()> {
        match self {
            Self::ObjectStore(store) => store.require_present(),
            Self::Index(index) => index.require_present(),
        }
    }

    /// The first steps of all that reads.
    fn require_usable(&self) -> Fallible<()> {
        self.require_present()?;
        self.transaction().require_active()
    }

    pub(crate) fn to_union(&self) -> IdbObjectStoreOrIdbIndex {
        match self {
            Self::ObjectStore(store) => IdbObjectStoreOrIdbIndex::IdbObjectStore(store.clone()),
            Self::Index(index) => IdbObjectStoreOrIdbIndex::IdbIndex(index.clone()),
        }
    }

    fn execute(
        &self,
        realm: &Realm,
        operation: Operation,
        wanted: Wanted,
    ) -> Fallible<Dom<IdbRequest>> {
        let source = self.to_union().to_js(realm)?;
        self.transaction().execute(realm, source, operation, wanted)
    }

    fn wanted(&self, kind: Kind) -> Wanted {
        match kind {
            Kind::Key => Wanted::Keys,
            Kind::Value => Wanted::Values(self.object_store().clone()),
            Kind::Record => Wanted::Records(self.object_store().clone()),
        }
    }

    /// `get()` and `getKey()`
    ///
    /// # Errors
    ///
    /// What the specification says, as for all here.
    pub(crate) fn first(
        &self,
        realm: &Realm,
        query: &Value,
        kind: Kind,
    ) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range(realm, query)?;
        let operation = Operation::Get {
            store: self.object_store().store_name(),
            index: self.index_name(),
            range,
            key_only: matches!(kind, Kind::Key),
        };
        self.execute(realm, operation, self.wanted(kind))
    }

    /// `getAll()` and `getAllKeys()`
    ///
    /// <https://w3c.github.io/IndexedDB/#create-a-request-to-retrieve-multiple-items>
    pub(crate) fn all(
        &self,
        realm: &Realm,
        query_or_options: &Value,
        count: Option<u32>,
        kind: Kind,
    ) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let is_query = query_or_options.is_null_or_undefined()
            || key::is_potential_range(realm, query_or_options);
        if !is_query {
            let options = IdbGetAllOptions::from_js(realm, query_or_options)?;
            return self.all_with(realm, &options, kind);
        }
        let range = key::range_or_all(realm, query_or_options)?;
        self.retrieve(realm, range, IdbCursorDirection::Next, count, kind)
    }

    /// `getAllRecords()`
    pub(crate) fn all_with(
        &self,
        realm: &Realm,
        options: &IdbGetAllOptions,
        kind: Kind,
    ) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range_or_all(realm, &options.query)?;
        self.retrieve(realm, range, options.direction, options.count, kind)
    }

    fn retrieve(
        &self,
        realm: &Realm,
        range: KeyRange,
        direction: IdbCursorDirection,
        count: Option<u32>,
        kind: Kind,
    ) -> Fallible<Dom<IdbRequest>> {
        let operation = Operation::GetAll {
            store: self.object_store().store_name(),
            index: self.index_name(),
            range,
            direction: super::direction(direction),
            count: count.filter(|count| *count > 0),
            key_only: matches!(kind, Kind::Key),
        };
        self.execute(realm, operation, self.wanted(kind))
    }

    /// `count()`
    pub(crate) fn count(&self, realm: &Realm, query: &Value) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range_or_all(realm, query)?;
        let operation = Operation::Count {
            store: self.object_store().store_name(),
            index: self.index_name(),
            range,
        };
        self.execute(realm, operation, Wanted::Keys)
    }

    /// `openCursor()` and `openKeyCursor()`
    pub(crate) fn open_cursor(
        &self,
        realm: &Realm,
        query: &Value,
        direction: IdbCursorDirection,
        key_only: bool,
    ) -> Fallible<Dom<IdbRequest>> {
        self.require_usable()?;
        let range = key::range_or_all(realm, query)?;
        let cursor = IdbCursor::create(realm, self.clone(), range, direction, key_only)?;
        let operation = cursor.operation(None, 1);
        let request = self.execute(realm, operation, Wanted::Cursor(cursor.clone()))?;
        cursor.set_request(request.clone());
        Ok(request)
    }
}
