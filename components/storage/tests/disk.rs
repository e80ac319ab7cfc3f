//! Devices that fail and forget, for a store on one thread.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::device::{
    DatabaseError, Devices, JournalFile, MemoryDatabase, OrderedDatabase, Scanned, Writes,
};
use storage::{Direction, KeyRange, OpenReport, Store};

pub(crate) const CAPACITY: u64 = 32 << 10;

#[derive(Default)]
pub(crate) struct State {
    /// What a process reads back.
    pub(crate) journal: Vec<u8>,
    /// Where it wrote since the last sync. A sync that fails, or the end of the process, makes the
    /// system forget that it is still to be written.
    pub(crate) written: Vec<Range<usize>>,
    /// What a power cut leaves.
    pub(crate) durable_journal: Vec<u8>,
    pub(crate) durable_records: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) syncs: usize,
    /// Calls that succeed before others fail; nothing when none fail.
    pub(crate) journal_fails_after: Option<usize>,
    /// How the database fails, and how many calls before it does.
    pub(crate) database_error: Option<DatabaseError>,
    pub(crate) database_fails_after: usize,
    pub(crate) does_not_open: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Disk(pub(crate) Arc<Mutex<State>>);

struct Journal(Disk);

impl Journal {
    fn check(state: &mut State) -> io::Result<()> {
        match &mut state.journal_fails_after {
            None => Ok(()),
            Some(0) => Err(io::Error::other("broken")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl JournalFile for Journal {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.0.0.lock().journal.clone())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.0.0.lock();
        let offset = usize::try_from(offset).unwrap();
        let result = Self::check(state);
        // A write that fails may have come half way.
        let written = if result.is_ok() {
            bytes.len()
        } else {
            bytes.len() / 2
        };
        state.journal[offset..offset + written].copy_from_slice(&bytes[..written]);
        state.written.push(offset..offset + written);
        result
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let state = &mut *self.0.0.lock();
        Self::check(state)?;
        state.journal.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let state = &mut *self.0.0.lock();
        state.syncs += 1;
        let written = std::mem::take(&mut state.written);
        Self::check(state)?;
        state.durable_journal.resize(state.journal.len(), 0);
        for range in written {
            state.durable_journal[range.clone()].copy_from_slice(&state.journal[range]);
        }
        Ok(())
    }
}

struct Database {
    disk: Disk,
    records: MemoryDatabase,
}

impl Database {
    fn check(&self) -> Result<(), DatabaseError> {
        let mut state = self.disk.0.lock();
        match &state.database_error {
            Some(error) if state.database_fails_after == 0 => Err(error.clone()),
            _ => {
                state.database_fails_after = state.database_fails_after.saturating_sub(1);
                Ok(())
            }
        }
    }
}

impl OrderedDatabase for Database {
    fn open(&self) -> Result<(), DatabaseError> {
        let records = {
            let state = self.disk.0.lock();
            if state.does_not_open {
                return Err(DatabaseError::Damaged("it does not open".to_owned()));
            }
            state.durable_records.clone()
        };
        // What was not flushed is gone, which is the worst that may happen.
        self.records.start_anew()?;
        let records = records.into_iter().map(|(key, value)| (key, Some(value)));
        self.records.apply(&records.collect())
    }

    fn start_anew(&self) -> Result<(), DatabaseError> {
        let mut state = self.disk.0.lock();
        state.does_not_open = false;
        state.durable_records.clear();
        self.records.start_anew()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError> {
        self.records.get(key)
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Scanned, DatabaseError> {
        self.records.scan(range, direction, limit)
    }

    fn apply(&self, writes: &Writes) -> Result<(), DatabaseError> {
        // What fails may be visible all the same.
        self.records.apply(writes)?;
        self.check()
    }

    fn flush(&self) -> Result<(), DatabaseError> {
        self.check()?;
        let all = self
            .records
            .scan(&KeyRange::all(), Direction::Forward, usize::MAX)?;
        self.disk.0.lock().durable_records = all.entries.into_iter().collect();
        Ok(())
    }

    fn close(&self) {
        self.records.close();
    }
}

impl Disk {
    pub(crate) fn open(&self) -> (Store, OpenReport) {
        let database = Database {
            disk: self.clone(),
            records: MemoryDatabase::default(),
        };
        Store::open_on(Devices {
            journal: Box::new(Journal(self.clone())),
            database: Box::new(database),
            salt: 99,
            journal_capacity: CAPACITY,
        })
        .unwrap()
    }

    /// The disk as it is after a power cut now; only what was synced is on it.
    pub(crate) fn after_power_cut(&self) -> Self {
        let state = self.0.lock();
        Self(Arc::new(Mutex::new(State {
            journal: state.durable_journal.clone(),
            durable_journal: state.durable_journal.clone(),
            durable_records: state.durable_records.clone(),
            ..State::default()
        })))
    }

    /// The disk as it is after the process was killed now.
    pub(crate) fn after_kill(&self) -> Self {
        let after = self.after_power_cut();
        after.0.lock().journal.clone_from(&self.0.lock().journal);
        after
    }

    pub(crate) fn break_journal_after(&self, calls: usize) {
        self.0.lock().journal_fails_after = Some(calls);
    }

    pub(crate) fn break_database(&self, error: DatabaseError) {
        self.0.lock().database_error = Some(error);
    }

    pub(crate) fn repair(&self) {
        let mut state = self.0.lock();
        state.journal_fails_after = None;
        state.database_error = None;
    }

    pub(crate) fn syncs(&self) -> usize {
        self.0.lock().syncs
    }
}
