//! Opening: what the journal holds is put in front of the database, and what the database lost is
//! repaired from the journal.

use std::path::Path;

use crate::batch::{Direction, KeyRange, QUARANTINE_TREE};
use crate::checkpoint::{TREES, read_number, write_number};
use crate::chunks;
use crate::device::{DatabaseError, Devices, OrderedDatabase};
use crate::error::{CommitError, OpenError};
use crate::journal::{self, Contents, Journal, Snapshot};
use crate::journaled::Journaled;
use crate::overlay::Overlay;
use crate::profile::{self, FORMAT};
use crate::record;

/// When it is not known which sequence numbers were used, so many are left out.
const UNKNOWN: u64 = 1 << 32;
const SCAN: usize = 256;

/// What was found and done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one thing happened; any of them may have"
)]
pub(crate) struct Recovered {
    /// There was nothing at all.
    pub(crate) created: bool,
    pub(crate) lost_commits: u64,
    pub(crate) replayed_commits: u64,
    pub(crate) journal_damaged: bool,
    pub(crate) journal_replaced: bool,
    pub(crate) database_rebuilt: bool,
    pub(crate) repaired_records: u64,
    pub(crate) repair_incomplete: bool,
    pub(crate) snapshot_incomplete: bool,
    /// The last commit that the database knew of, if there is one.
    pub(crate) database_sequence: Option<u64>,
}

/// Where the store is, and what holds it there.
pub(crate) struct Place<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) lock: Option<Box<dyn Send>>,
    /// The database was written before there was a journal.
    pub(crate) before_journals: bool,
}

/// Open the database, and put what is in the journal in front of it.
pub(crate) fn open(
    devices: Devices,
    place: Place<'_>,
) -> Result<(Journaled, Recovered), OpenError> {
    let Devices {
        journal: mut file,
        database,
        salt,
        journal_capacity,
    } = devices;
    let mut recovered = Recovered::default();
    let io_error = |error| OpenError::from_io(place.folder, &error);
    let database_error = |error| OpenError::from_database(place.folder, error);

    // Step 1: read the journal, and open the database or begin a new one.
    let bytes = file.read().map_err(io_error)?;
    let mut contents = journal::read(&bytes);
    if let Some(contents) = &contents {
        // An earlier process may have left what no power cut would have. It is acted upon from now
        // on, so it must not disappear any more; and as a sync of that process may have failed, the
        // system may take for written what is not.
        let used = bytes.get(..contents.used()).unwrap_or(&bytes);
        file.write_at(0, used)
            .and_then(|()| file.sync())
            .map_err(io_error)?;
    }
    let length = bytes.len() as u64;
    drop(bytes);
    let stored = match open_database(&*database) {
        Ok(stored) => stored,
        Err(DatabaseError::Damaged(detail)) => {
            log::error!("the database begins anew, because it does not open: {detail}");
            database.start_anew().map_err(database_error)?;
            recovered.database_rebuilt = true;
            None
        }
        Err(error) => return Err(database_error(error)),
    };
    recovered.database_sequence = stored;
    let format = read_number(&*database, b"format").map_err(database_error)?;
    if let Some(found) = format.filter(|found| *found > u64::from(FORMAT)) {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        return Err(profile::newer_format(place.folder, found));
    }

    if let Some(contents) = contents.as_mut().filter(|contents| contents.cut) {
        log::error!("the journal is shorter than it was: its last commits may be gone");
        recovered.journal_replaced = true;
        contents.sequence += UNKNOWN;
    }

    // Step 2: see whether the two belong together.
    let usable = contents
        .as_ref()
        .filter(|contents| stored.is_none_or(|stored| stored <= contents.sequence));
    let Some(usable) = usable else {
        // A creation that was interrupted leaves the number 0.
        let known = stored.is_some_and(|stored| stored > 0)
            || contents.is_some()
            || recovered.database_rebuilt;
        recovered.created = !known;
        recovered.journal_replaced = known && !place.before_journals;
        if recovered.journal_replaced {
            log::error!("the journal begins anew: it is not the one of this database");
            keep_copy(&mut *file);
        }
        let base = stored.unwrap_or(0)
            + if recovered.journal_replaced {
                UNKNOWN
            } else {
                0
            };
        let epoch = contents.map_or(0, |contents| contents.header.epoch);
        let journal = Journal::create(file, epoch, base, salt, journal_capacity);
        let overlay = Overlay::default();
        let store = Journaled::new(place.folder, database, journal, overlay, place.lock);
        return begin(store, recovered, true);
    };

    // Step 3: what is in the journal goes in front of the database.
    recovered.replayed_commits = usable
        .groups
        .iter()
        .map(|group| u64::from(group.commits))
        .sum();
    recovered.lost_commits = usable.lost_commits;
    recovered.journal_damaged = usable.damaged;
    let mut overlay = Overlay::default();
    for group in &usable.groups {
        overlay.insert(group.writes.clone(), group.sequence);
    }

    // Step 4: compare the database with the records that the epoch began with.
    let behind = usable.header.base.saturating_sub(stored.unwrap_or(0));
    repair(&*database, usable, behind > 0, &mut overlay, &mut recovered)
        .map_err(|error| OpenError::from_database(place.folder, error))?;
    if behind > 0 {
        recovered.note_loss(behind, usable.snapshot.as_ref());
    }
    recovered.snapshot_incomplete = !is_complete(usable.snapshot.as_ref());

    // Step 5: go on with the journal, or with the next epoch when there was something wrong.
    if recovered.journal_damaged {
        log::error!("{} commits in the journal are damaged", usable.lost_commits);
    }
    if recovered.journal_damaged || usable.cut {
        keep_copy(&mut *file);
    }
    let anew = recovered.journal_damaged
        || usable.cut
        || recovered.database_rebuilt
        || recovered.repaired_records > 0
        || behind > 0;
    let journal = Journal::resume(file, usable, length, journal_capacity);
    let store = Journaled::new(place.folder, database, journal, overlay, place.lock);
    begin(store, recovered, anew)
}

/// Open the database, and read which commit it was durable at.
fn open_database(database: &dyn OrderedDatabase) -> Result<Option<u64>, DatabaseError> {
    database.open()?;
    read_number(database, b"sequence")
}

/// Put in front of the database what it lacks. One that cannot be read begins anew, if the journal
/// has everything.
fn repair(
    database: &dyn OrderedDatabase,
    contents: &Contents,
    exact: bool,
    overlay: &mut Overlay,
    recovered: &mut Recovered,
) -> Result<(), DatabaseError> {
    let Some(snapshot) = &contents.snapshot else {
        return Ok(());
    };
    let mut repair = Repair {
        database,
        snapshot,
        overlay,
        base: contents.header.base,
        exact,
        recovered,
    };
    let Err(error) = repair.compare() else {
        return Ok(());
    };
    log::error!("the database cannot be compared with the journal: {error}");
    if !is_complete(Some(snapshot)) {
        return Ok(());
    }
    database.start_anew()?;
    repair.recovered.database_rebuilt = true;
    repair.exact = true;
    repair.compare()
}

/// Start an epoch if one is needed, and hand over the store.
fn begin(
    store: Journaled,
    recovered: Recovered,
    anew: bool,
) -> Result<(Journaled, Recovered), OpenError> {
    if anew {
        let writer = &mut *store.writer.lock();
        writer.epoch_in_doubt = true;
        let begun = write_number(&*store.database, b"format", u64::from(FORMAT))
            .map_err(|error| store.database_error(error))
            .and_then(|()| store.checkpoint(writer, false));
        if let Err(error) = begun {
            // Everything that is there can be read; what comes in has to wait.
            let readable = recovered.database_sequence.is_some() || recovered.repaired_records > 0;
            if !readable {
                return Err(match error {
                    CommitError::DiskFull(folder) => OpenError::DiskFull(folder),
                    error => OpenError::Io {
                        folder: store.folder.clone(),
                        detail: error.to_string(),
                    },
                });
            }
            log::error!("the store takes no commits for now: {error}");
        }
    }
    Ok((store, recovered))
}

fn keep_copy(file: &mut dyn crate::device::JournalFile) {
    if let Err(error) = file.keep_copy() {
        log::warn!("no copy of the damaged journal could be kept: {error}");
    }
}

/// Whether a snapshot holds every record there was.
fn is_complete(snapshot: Option<&Snapshot>) -> bool {
    let covered = |tree| snapshot.is_some_and(|snapshot| snapshot.trees.get(tree) == Some(&true));
    TREES.iter().all(covered)
}

impl Recovered {
    /// The database lacks commits that it once held durably.
    fn note_loss(&mut self, behind: u64, snapshot: Option<&Snapshot>) {
        if is_complete(snapshot) {
            log::error!("the database had lost {behind} commits; the journal brought them back");
            return;
        }
        self.repair_incomplete = true;
        self.lost_commits += behind;
        log::error!(
            "the database has lost up to {behind} commits, and the journal brings back a part only"
        );
    }
}

/// A comparison of the database with the records that it held at the start of the epoch.
struct Repair<'a> {
    database: &'a dyn OrderedDatabase,
    snapshot: &'a Snapshot,
    overlay: &'a mut Overlay,
    base: u64,
    /// The database is known to be older than the snapshot, so the snapshot is right wherever they
    /// differ. Otherwise only what is missing or does not check out is replaced: a record that
    /// differs may be from a commit at the end of the journal that cannot be read any more.
    exact: bool,
    recovered: &'a mut Recovered,
}

impl Repair<'_> {
    fn compare(&mut self) -> Result<(), DatabaseError> {
        let snapshot = self.snapshot;
        if self.exact {
            for (tree, complete) in &snapshot.trees {
                if *complete {
                    self.remove_what_was_gone(snapshot, *tree)?;
                }
            }
        }
        for (number, (key, value)) in (1 << 31..).zip(&snapshot.records) {
            if self.overlay.get(key).is_some() {
                continue;
            }
            let stored = match self.database.get(key)? {
                Some(stored) => Some(chunks::value(self.database, &stored)?.0),
                None => None,
            };
            // What is in quarantine did not check out before either.
            let checks_out = |stored: &Vec<u8>| {
                key.first() == Some(&QUARANTINE_TREE) || record::unseal(key, stored).is_ok()
            };
            let sound =
                stored == *value || !self.exact && stored.is_some_and(|raw| checks_out(&raw));
            if !sound {
                self.overlay
                    .insert_one(key.clone(), value.clone(), self.base, number);
                self.recovered.repaired_records += 1;
            }
        }
        Ok(())
    }

    /// Remove records again that came back with an old state of the database.
    fn remove_what_was_gone(&mut self, snapshot: &Snapshot, tree: u8) -> Result<(), DatabaseError> {
        let mut range = KeyRange::prefix(&[tree]);
        loop {
            let scanned = self.database.scan(&range, Direction::Forward, SCAN)?;
            if let Some((last, _)) = scanned.entries.last() {
                range.continue_after(last, Direction::Forward);
            }
            for (key, _) in scanned.entries {
                if !snapshot.records.contains_key(&key) && self.overlay.get(&key).is_none() {
                    self.overlay.insert_one(key, None, self.base, 0);
                    self.recovered.repaired_records += 1;
                }
            }
            if scanned.exhausted {
                return Ok(());
            }
        }
    }
}
