//! Bringing everything to the database, so that the journal can begin again.

use std::sync::atomic::Ordering;

use crate::batch::{Direction, INTERNAL_TREE, KeyRange, QUARANTINE_TREE, Tree, full_key};
use crate::chunks;
use crate::device::{DatabaseError, OrderedDatabase, Writes};
use crate::error::{CommitError, ReadError};
use crate::journal::Snapshot;
use crate::journaled::{Applier, Journaled, Writer, is_in_pieces};
use crate::record;

/// How many changes go to the database at a time, so that no batch waits long for it.
const SLICE: usize = 512;
const SLICE_BYTES: usize = 256 << 10;
/// Larger values are not part of a snapshot.
const SMALL: usize = 64 << 10;
const SCAN: usize = 256;

/// The trees of a snapshot, those first that nothing else could bring back.
pub(crate) const TREES: [u8; 9] = [
    Tree::SyncRegistrations as u8,
    Tree::ServiceWorkers as u8,
    Tree::Permissions as u8,
    Tree::Meta as u8,
    Tree::IndexedDb as u8,
    Tree::Caches as u8,
    Tree::Scripts as u8,
    Tree::SyncLog as u8,
    QUARANTINE_TREE,
];

impl Journaled {
    /// Make everything durable in the database, and begin the next epoch of the journal.
    pub(crate) fn checkpoint(&self, writer: &mut Writer, full: bool) -> Result<(), CommitError> {
        // Step 1: what is only in memory goes to the journal. When nothing can be written to it,
        // it stays in memory.
        if !writer.epoch_in_doubt {
            self.make_relaxed_durable(writer)?;
        }
        let Some(journal) = &writer.journal else {
            return Err(CommitError::Closed);
        };
        let sequence = journal.sequence();
        let share = usize::try_from(journal.capacity() / 4).unwrap_or(usize::MAX);

        // Step 2: everything goes to the database, with the number of the last commit last, and
        // becomes durable there.
        let applier = &mut *self.applier.lock();
        let mut applied = Ok(());
        while applied.is_ok() && self.overlay.read().unapplied_bytes() > 0 {
            applied = self.apply_slice(applier);
        }
        applied.map_err(|error| self.database_error(error))?;
        let finished = self
            .open_again(applier)
            .and_then(|()| write_number(&*self.database, b"sequence", sequence))
            .and_then(|()| self.database.flush());
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        finished.map_err(|error| {
            self.database_failed(applier, &error);
            self.database_error(error)
        })?;

        // Step 3: the next epoch begins with a copy of the records.
        let snapshot = snapshot(&*self.database, share).unwrap_or_else(|error| {
            log::warn!("the journal goes on without a copy of the records: {error}");
            Snapshot::default()
        });
        let Some(journal) = &mut writer.journal else {
            return Err(CommitError::Closed);
        };
        let syncs = journal.syncs();
        let started = journal.start_epoch(&snapshot, full);
        let syncs = journal.syncs() - syncs;
        self.counters.syncs.fetch_add(syncs, Ordering::Relaxed);
        writer.epoch_in_doubt = started.is_err();
        started.map_err(|error| self.io_error(&error))?;

        let mut overlay = self.overlay.write();
        overlay.clear();
        overlay.show(&writer.relaxed, 0);
        drop(overlay);
        self.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Bring the first changes that wait to the database.
    pub(crate) fn apply_slice(&self, applier: &mut Applier) -> Result<(), DatabaseError> {
        let slice = self.overlay.read().unapplied(SLICE, SLICE_BYTES);
        let applied = self
            .open_again(applier)
            .and_then(|()| chunks::apply(&*self.database, &slice));
        if let Err(error) = &applied {
            self.database_failed(applier, error);
        } else {
            self.overlay.write().applied(&slice);
            self.try_again_at.store(0, Ordering::Relaxed);
            let waiting = &self.counters.waiting_for_database;
            waiting.store(false, Ordering::Relaxed);
        }
        applied
    }

    /// Open the database if it could not be opened after it failed.
    pub(crate) fn open_again(&self, applier: &mut Applier) -> Result<(), DatabaseError> {
        if applier.database_closed {
            self.database.open()?;
            applier.database_closed = false;
        }
        Ok(())
    }

    /// The database did not do something. Everything since the last checkpoint is still in memory
    /// and in the journal, so nothing depends on how much of it arrived.
    fn database_failed(&self, applier: &mut Applier, error: &DatabaseError) {
        let counters = &self.counters;
        counters.database_failures.fetch_add(1, Ordering::Relaxed);
        counters.waiting_for_database.store(true, Ordering::Relaxed);
        if *error != DatabaseError::Full {
            log::warn!("the database is opened again, because {error}");
            self.overlay.write().apply_all_again();
            applier.database_closed = true;
            if let Err(error) = self.open_again(applier) {
                log::warn!("the database cannot be opened again for now: {error}");
            }
        }
        // Not at once, or a broken disk would be all that the store is busy with.
        let try_again_at = self.overlay.read().unapplied_bytes() + SLICE_BYTES;
        self.try_again_at.store(try_again_at, Ordering::Relaxed);
    }
}

/// Write one of the store's own records.
pub(crate) fn write_number(
    database: &dyn OrderedDatabase,
    name: &[u8],
    number: u64,
) -> Result<(), DatabaseError> {
    let key = full_key(INTERNAL_TREE, name);
    let sealed = record::seal(&key, 1, &number.to_le_bytes());
    database.apply(&Writes::from([(key, Some(chunks::inline(&sealed)))]))
}

/// The number in one of the store's own records; nothing when it is not there or damaged.
pub(crate) fn read_number(
    database: &dyn OrderedDatabase,
    name: &[u8],
) -> Result<Option<u64>, DatabaseError> {
    let key = full_key(INTERNAL_TREE, name);
    let Some(stored) = database.get(&key)? else {
        return Ok(None);
    };
    let (raw, _) = chunks::value(database, &stored)?;
    let record = record::unseal(&key, &raw).ok();
    Ok(record.and_then(|record| Some(u64::from_le_bytes(record.value.try_into().ok()?))))
}

/// A copy of the records of the database, as far as they are small and fit into so many bytes: a
/// tree that does not fit is left out.
fn snapshot(database: &dyn OrderedDatabase, share: usize) -> Result<Snapshot, ReadError> {
    let mut snapshot = Snapshot::default();
    let mut room = share;
    for tree in TREES {
        if let Some((records, complete, bytes)) = copy_tree(database, tree, room)? {
            snapshot.trees.insert(tree, complete);
            snapshot.records.extend(records);
            room -= bytes;
        }
    }
    Ok(snapshot)
}

/// The small records of a tree, whether these are all, and their length. Nothing when they are
/// longer than there is room.
fn copy_tree(
    database: &dyn OrderedDatabase,
    tree: u8,
    room: usize,
) -> Result<Option<(Writes, bool, usize)>, ReadError> {
    let mut range = KeyRange::prefix(&[tree]);
    let mut records = Writes::new();
    let mut complete = true;
    let mut bytes = 0;
    loop {
        let scanned = database.scan(&range, Direction::Forward, SCAN)?;
        if let Some((last, _)) = scanned.entries.last() {
            range.continue_after(last, Direction::Forward);
        }
        for (key, stored) in scanned.entries {
            if is_in_pieces(&stored) && chunks::length(&stored) > SMALL {
                complete = false;
                continue;
            }
            let (value, _) = chunks::value(database, &stored)?;
            bytes += key.len() + value.len() + 16;
            if bytes > room {
                return Ok(None);
            }
            records.insert(key, Some(value));
        }
        if scanned.exhausted {
            return Ok(Some((records, complete, bytes)));
        }
    }
}
