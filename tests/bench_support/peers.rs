//! Other stores, doing the same work with the same promise: answered means durable. There are none
//! without the feature `peers`.

use std::path::Path;

use crate::race::Contestant;

#[cfg(feature = "peers")]
mod redb;
#[cfg(feature = "peers")]
mod sqlite;

/// Every peer, each with new files in this folder.
#[cfg(feature = "peers")]
pub fn open(folder: &Path) -> Vec<Box<dyn Contestant>> {
    use crate::grouping::Grouping;
    vec![
        Box::new(Grouping::new(redb::Redb::open(folder))),
        Box::new(Grouping::new(sqlite::Sqlite::open(folder))),
    ]
}

/// None.
#[cfg(not(feature = "peers"))]
pub fn open(_folder: &Path) -> Vec<Box<dyn Contestant>> {
    Vec::new()
}
