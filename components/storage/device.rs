//! What the store runs on: a file for the journal, and an ordered database behind it.
//!
//! The store itself groups, journals, merges, checkpoints, recovers and repairs; these two traits
//! are all it asks of the world. In a folder they are a file and sled. A simulation puts others
//! under the same logic: see [`Store::open_on`](crate::Store::open_on).
//!
//! Nothing here is called by two threads at a time, but for [`OrderedDatabase::get`] and
//! [`OrderedDatabase::scan`], which readers call whenever they like.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use parking_lot::RwLock;

use crate::batch::{Direction, KeyRange};

/// A key and what is under it.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What is to be under each key; nothing means that the key goes.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The file that a batch goes to before it is answered.
///
/// A power cut may undo what was written or resized since the last [`sync`](Self::sync) that
/// succeeded, sector by sector. What was synced stays.
pub trait JournalFile: Send {
    /// All that is in the file. A part that cannot be read reads zero.
    ///
    /// # Errors
    ///
    /// When nothing of it can be read.
    fn read(&mut self) -> io::Result<Vec<u8>>;

    /// Write into the file, which is long enough.
    ///
    /// # Errors
    ///
    /// When it may not all have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Make the file this long: cut it, or add zeros that later writes need no more room for.
    ///
    /// # Errors
    ///
    /// When there is no room; the file has its former length or more.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Make durable what was written, and the length.
    ///
    /// # Errors
    ///
    /// When it may not be durable. What was written since the last success is unknown then, even
    /// if a later call succeeds: it has to be written again.
    fn sync(&mut self) -> io::Result<()>;

    /// Keep a copy of what is in the file, for whoever looks into what happened. The file stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// When there is no copy; nothing depends on it.
    fn keep_copy(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The records behind the journal, in the order of their keys.
///
/// It starts out closed. Changes are made in the order of the calls, those of one call in any order.
/// What was applied may be lost until [`flush`](Self::flush) succeeds, each change for itself; what
/// was flushed stays, whatever happens to what was applied since.
pub trait OrderedDatabase: Send + Sync {
    /// Open what is there, or create it. An open database is closed and opened again.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Damaged`] when it will not open however often it is tried.
    fn open(&self) -> Result<(), DatabaseError>;

    /// Put everything that is there aside, never to be read again by the store, and create an
    /// empty database in its place.
    ///
    /// # Errors
    ///
    /// When the old one is still in place, or the new one could not be created.
    fn start_anew(&self) -> Result<(), DatabaseError>;

    /// What is under a key.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError>;

    /// The first entries of a range, in the order of `direction`: up to `limit`, or fewer when
    /// they are large.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Scanned, DatabaseError>;

    /// Make changes, durable with the next [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// When not all of them are made. The database may refuse everything else until it is opened
    /// again.
    fn apply(&self, writes: &Writes) -> Result<(), DatabaseError>;

    /// Make durable everything that was applied.
    ///
    /// # Errors
    ///
    /// When it may not be durable.
    fn flush(&self) -> Result<(), DatabaseError>;

    /// Let go of everything. Later calls fail until it is opened again.
    fn close(&self);
}

/// What a scan found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scanned {
    /// The entries, in the order of the scan.
    pub entries: Vec<Entry>,
    /// Whether the range holds no more.
    pub exhausted: bool,
}

/// Why a database did not do as it was told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatabaseError {
    /// There is not enough room on the disk.
    Full,
    /// What it holds contradicts itself.
    Damaged(String),
    /// Another has it open.
    InUse,
    /// Its files may not be written.
    ReadOnly,
    /// The system refused for another reason.
    Io(String),
    /// It is not open.
    Closed,
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => formatter.write_str("the disk is full"),
            Self::Damaged(detail) => write!(formatter, "the database is damaged: {detail}"),
            Self::InUse => formatter.write_str("the database is in use"),
            Self::ReadOnly => formatter.write_str("the database may not be written"),
            Self::Io(detail) => formatter.write_str(detail),
            Self::Closed => formatter.write_str("the database is not open"),
        }
    }
}

impl std::error::Error for DatabaseError {}

/// What a store is opened on.
pub struct Devices {
    /// The journal. An empty file is a new one.
    pub journal: Box<dyn JournalFile>,
    /// The database behind it, closed.
    pub database: Box<dyn OrderedDatabase>,
    /// A number that nobody can guess who can write records. It is mixed into the checksums of the
    /// journal, so that nothing inside a value can pass for a part of the journal.
    pub salt: u64,
    /// How long the journal grows, in bytes, before everything in it goes to the database.
    pub journal_capacity: u64,
}

/// A database in memory. Nothing in it survives its end.
#[derive(Debug, Default)]
pub struct MemoryDatabase(RwLock<Option<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl OrderedDatabase for MemoryDatabase {
    fn open(&self) -> Result<(), DatabaseError> {
        self.0.write().get_or_insert_default();
        Ok(())
    }

    fn start_anew(&self) -> Result<(), DatabaseError> {
        *self.0.write() = Some(BTreeMap::new());
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError> {
        let records = self.0.read();
        let records = records.as_ref().ok_or(DatabaseError::Closed)?;
        Ok(records.get(key).cloned())
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Scanned, DatabaseError> {
        let records = self.0.read();
        let records = records.as_ref().ok_or(DatabaseError::Closed)?;
        if range.is_empty() {
            return Ok(Scanned {
                entries: Vec::new(),
                exhausted: true,
            });
        }
        let entries = records.range((range.start.clone(), range.end.clone()));
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        let entries: Vec<Entry> = match direction {
            Direction::Forward => entries.map(owned).take(limit).collect(),
            Direction::Backward => entries.rev().map(owned).take(limit).collect(),
        };
        Ok(Scanned {
            exhausted: entries.len() < limit,
            entries,
        })
    }

    fn apply(&self, writes: &Writes) -> Result<(), DatabaseError> {
        let mut records = self.0.write();
        let records = records.as_mut().ok_or(DatabaseError::Closed)?;
        for (key, value) in writes {
            match value {
                Some(value) => records.insert(key.clone(), value.clone()),
                None => records.remove(key),
            };
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn close(&self) {
        *self.0.write() = None;
    }
}
