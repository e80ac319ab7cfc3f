//! The disk under the store: what is written may be torn or lost until it is synced, and writing and
//! syncing may fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::Direction;
use storage::KeyRange;
use storage::device::{
    DatabaseError, Entry, JournalFile, MemoryDatabase, OrderedDatabase, Scanned, Writes,
};

use crate::random::Random;

/// What is written at once or not at all.
const SECTOR: usize = 512;

/// How the engine's process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Crash {
    /// It is killed: what it gave to the system stays.
    Killed,
    /// The machine loses its power: what was not synced is old or new, sector by sector.
    PowerCut,
}

/// What goes wrong, each in percent of the operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) write: usize,
    pub(crate) sync: usize,
    pub(crate) grow: usize,
    pub(crate) database: usize,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    random: Random,
    pub(crate) faults: Faults,
    /// The process is gone: nothing happens any more.
    is_dead: bool,
    /// After so many more operations the process is gone.
    fuse: Option<usize>,
    journal: File,
    database: Database,
}

/// A file: what is on the disk for sure, and what the system shows.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    shown: Vec<u8>,
    /// The sectors in which the two differ, if both have them.
    dirty: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Database {
    durable: BTreeMap<Vec<u8>, Vec<u8>>,
    unflushed: Vec<Writes>,
}

impl Disk {
    pub(crate) fn new(random: Random) -> Self {
        Self(Arc::new(Mutex::new(State {
            random,
            faults: Faults::default(),
            is_dead: false,
            fuse: None,
            journal: File::default(),
            database: Database::default(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// The process will be gone after so many more operations, or not for that reason.
    pub(crate) fn set_fuse(&self, operations: Option<usize>) {
        self.state().fuse = operations;
    }

    /// The system writes by itself what a process that has ended gave to it.
    pub(crate) fn settle(&self) {
        self.state().journal.settle();
    }

    /// Whether the process is gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// The process is gone: what its store still does changes nothing.
    pub(crate) fn kill(&self) {
        self.state().is_dead = true;
    }

    /// A new process finds the disk like this.
    pub(crate) fn revive(&self, crash: Crash) {
        let mut state = self.state();
        let state = &mut *state;
        state.is_dead = false;
        state.fuse = None;
        match crash {
            Crash::Killed => state.journal.settle(),
            Crash::PowerCut => state.journal.lose_power(&mut state.random),
        }
        let unflushed = std::mem::take(&mut state.database.unflushed);
        let kept = state.random.below(unflushed.len() + 1);
        for writes in unflushed.iter().take(kept) {
            apply(&mut state.database.durable, writes);
        }
    }
}

impl State {
    /// One more operation. Gives whether it happens at all, and whether it fails in `percent` of a
    /// hundred cases.
    fn operate(&mut self, percent: usize) -> io::Result<bool> {
        if let Some(left) = &mut self.fuse {
            self.is_dead |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.is_dead {
            return Err(io::Error::other("the process is gone"));
        }
        Ok(percent > 0 && self.random.chance(percent))
    }
}

impl File {
    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let shown = self.shown.get_mut(offset..offset + bytes.len());
        let shown = shown.ok_or_else(|| io::Error::other("the file is too short"))?;
        shown.copy_from_slice(bytes);
        let end = (offset + bytes.len()).div_ceil(SECTOR);
        self.dirty.extend(offset / SECTOR..end);
        Ok(())
    }

    fn set_length(&mut self, length: usize) {
        let former = self.shown.len();
        self.shown.resize(length, 0);
        // What is cut off and comes back is zero.
        let changed = former.min(length) / SECTOR..former.max(length).div_ceil(SECTOR);
        self.dirty.extend(changed);
    }

    fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.durable.resize(self.shown.len(), 0);
        for number in dirty {
            self.keep(number);
        }
    }

    /// Everything is on the disk as the system shows it.
    fn settle(&mut self) {
        self.dirty.clear();
        self.durable.clone_from(&self.shown);
    }

    /// A sector is on the disk as the system shows it.
    fn keep(&mut self, number: usize) {
        let from = number * SECTOR;
        let end = (from + SECTOR)
            .min(self.shown.len())
            .min(self.durable.len());
        if from < end {
            self.durable[from..end].copy_from_slice(&self.shown[from..end]);
        }
    }

    /// Each sector that was not synced is old or new, and so is the length.
    fn sync_in_part(&mut self, random: &mut Random) {
        if random.chance(50) {
            self.durable.resize(self.shown.len(), 0);
        }
        for number in self.dirty.clone() {
            if random.chance(50) {
                self.keep(number);
            }
        }
    }

    fn lose_power(&mut self, random: &mut Random) {
        self.sync_in_part(random);
        self.dirty.clear();
        self.shown.clone_from(&self.durable);
    }
}

impl JournalFile for Disk {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.state().journal.shown.clone())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let percent = state.faults.write;
        // A write that the end of the process interrupts is there in part.
        let fails = state.operate(percent);
        let whole = matches!(fails, Ok(false));
        if state.is_dead && state.fuse.is_none() {
            return Err(io::Error::other("the process is gone"));
        }
        let length = if whole {
            bytes.len()
        } else {
            state.random.below(bytes.len() + 1)
        };
        if state.is_dead {
            state.fuse = None;
        }
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        state.journal.write(from, &bytes[..length])?;
        if whole {
            Ok(())
        } else {
            Err(io::Error::other("input/output error"))
        }
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let grows = length > state.journal.shown.len();
        let percent = if grows { state.faults.grow } else { 0 };
        if state.operate(percent)? {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.journal.set_length(length);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let state = &mut *state;
        if state.operate(state.faults.sync)? {
            // Nobody knows what it has done, and a later one need not do the rest: of what was not
            // synced some is on the disk.
            state.journal.sync_in_part(&mut state.random);
            state.journal.dirty.clear();
            return Err(io::Error::other("input/output error"));
        }
        state.journal.sync();
        Ok(())
    }
}

/// The database behind the journal: what is open is in memory, and what was flushed on the disk.
pub(crate) struct SimulatedDatabase {
    disk: Disk,
    open: MemoryDatabase,
}

impl SimulatedDatabase {
    pub(crate) fn new(disk: Disk) -> Self {
        Self {
            disk,
            open: MemoryDatabase::default(),
        }
    }

    fn operate(&self) -> Result<(), DatabaseError> {
        let mut state = self.disk.state();
        let percent = state.faults.database;
        match state.operate(percent) {
            Ok(false) => Ok(()),
            Ok(true) if state.random.chance(50) => Err(DatabaseError::Full),
            Ok(true) => Err(DatabaseError::Io("input/output error".to_owned())),
            Err(error) => Err(DatabaseError::Io(error.to_string())),
        }
    }
}

impl OrderedDatabase for SimulatedDatabase {
    fn open(&self) -> Result<(), DatabaseError> {
        self.operate()?;
        self.open.start_anew()?;
        let state = self.disk.state();
        self.open.apply(&all(&state.database.durable))?;
        for writes in &state.database.unflushed {
            self.open.apply(writes)?;
        }
        Ok(())
    }

    fn start_anew(&self) -> Result<(), DatabaseError> {
        self.operate()?;
        self.disk.state().database = Database::default();
        self.open.start_anew()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError> {
        self.open.get(key)
    }

    fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Scanned, DatabaseError> {
        self.open.scan(range, direction, limit)
    }

    fn apply(&self, writes: &Writes) -> Result<(), DatabaseError> {
        self.operate()?;
        self.open.apply(writes)?;
        self.disk.state().database.unflushed.push(writes.clone());
        Ok(())
    }

    fn flush(&self) -> Result<(), DatabaseError> {
        self.operate()?;
        let mut state = self.disk.state();
        let database = &mut state.database;
        for writes in std::mem::take(&mut database.unflushed) {
            apply(&mut database.durable, &writes);
        }
        Ok(())
    }

    fn close(&self) {
        self.open.close();
    }
}

fn all(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Writes {
    let entries = records.iter();
    entries
        .map(
            |(key, value): (&Vec<u8>, &Vec<u8>)| -> (Vec<u8>, Option<Vec<u8>>) {
                let (key, value): Entry = (key.clone(), value.clone());
                (key, Some(value))
            },
        )
        .collect()
}

fn apply(records: &mut BTreeMap<Vec<u8>, Vec<u8>>, writes: &Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => records.insert(key.clone(), value.clone()),
            None => records.remove(key),
        };
    }
}
