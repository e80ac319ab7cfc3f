use std::fmt;

use base::StorageKey;
use base::channel::Callback;

use crate::handle::CacheHandle;
use crate::types::{Name, Query, StoredRequest, StoredResponse};

/// What is done with one cache.
#[derive(Clone, Debug)]
pub enum CacheOperation {
    /// The responses that match, all or the first one; without a query, all there are. Answered with
    /// [`CacheAnswer::Responses`].
    Match {
        /// What is looked for.
        query: Option<Query>,
        /// Whether one is enough.
        first: bool,
    },
    /// Add these, in place of what matches their requests. Two that match each other are refused.
    /// Answered with [`CacheAnswer::Done`].
    Put(Vec<(StoredRequest, StoredResponse)>),
    /// Remove what matches. Answered with [`CacheAnswer::Found`].
    Delete(Query),
    /// The requests that match; without a query, all. Answered with [`CacheAnswer::Requests`].
    Keys(Option<Query>),
}

/// An answer.
#[derive(Clone, Debug)]
pub enum CacheAnswer {
    /// Responses, in the order in which they were put.
    Responses(Vec<StoredResponse>),
    /// Requests, in the same order.
    Requests(Vec<StoredRequest>),
    /// Names of caches, in the order in which they were made.
    Names(Vec<Name>),
    /// Whether there is, or was, what was asked for.
    Found(bool),
    /// A cache that is open as long as its handle is there.
    Opened(CacheHandle),
    /// It is on the disk.
    Done,
}

/// Why something was not done. Then nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheError {
    /// Two of the requests that are put match each other.
    Duplicate,
    /// The disk is full.
    DiskFull,
    /// The store could not be read or written, in words for people.
    Store(String),
}

impl fmt::Display for CacheError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => formatter.write_str("two of the requests are the same"),
            Self::DiskFull => formatter.write_str("the disk is full"),
            Self::Store(reason) => formatter.write_str(reason),
        }
    }
}

/// What an answer comes as.
pub type CacheResult = Result<CacheAnswer, CacheError>;

/// What the component is asked. Trusted code has [`crate::OriginCaches`] for it.
#[derive(Debug)]
pub enum CacheStorageMessage {
    /// Open a cache; make it if there is none of this name.
    Open(StorageKey, Name, Callback<CacheResult>),
    /// Whether there is a cache of this name.
    Has(StorageKey, Name, Callback<CacheResult>),
    /// Delete a cache.
    Delete(StorageKey, Name, Callback<CacheResult>),
    /// The names of all caches.
    Keys(StorageKey, Callback<CacheResult>),
    /// The first response that matches, in the cache of this name or in all of them.
    Match(StorageKey, Option<Name>, Box<Query>, Callback<CacheResult>),
    /// Delete all caches of an origin, for those that do not have them open.
    Clear(StorageKey, Callback<CacheResult>),
    /// Do something with an open cache.
    Operate(StorageKey, u64, Box<CacheOperation>, Callback<CacheResult>),
    /// A handle of a cache is gone.
    Release(StorageKey, u64),
    /// End.
    Shutdown,
}
