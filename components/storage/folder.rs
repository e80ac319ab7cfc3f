//! A store in a folder: the file and sled under it, and what is reported when it is opened.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::backend::Backend;
use crate::device::Devices;
use crate::error::OpenError;
use crate::file_journal::FileJournal;
use crate::profile::{self, Marker};
use crate::recovery::{self, Place, Recovered};
use crate::sled_database::{Repairs, SledDatabase};
use crate::store::{OpenReport, StoreConfig};

/// Open what is in a folder.
pub(crate) fn open_folder(
    folder: &Path,
    config: &StoreConfig,
) -> Result<(Box<dyn Backend>, OpenReport), OpenError> {
    let prepared = profile::prepare(folder)?;
    let repairs = Arc::new(Repairs::default());
    let database = SledDatabase::new(folder, config.cache_capacity, Arc::clone(&repairs));
    let journal = FileJournal::open(folder).map_err(|error| OpenError::from_io(folder, &error))?;
    let devices = Devices {
        journal: Box::new(journal),
        database: Box::new(database),
        // Whoever hashes with such a state does not get at its keys.
        salt: RandomState::new().build_hasher().finish(),
        journal_capacity: config.journal_capacity,
    };
    let place = Place {
        folder,
        lock: Some(Box::new(prepared.lock)),
        before_journals: prepared.format_1.is_some(),
    };
    let (journaled, recovered) = recovery::open(devices, place)?;
    let mut report = OpenReport {
        created: prepared.marker == Marker::Created,
        marker_rewritten: prepared.marker == Marker::Damaged,
        upgraded: prepared.format_1.is_some(),
        unfinished_snapshots_removed: repairs.unfinished_snapshots.load(Ordering::Relaxed),
        snapshots_set_aside: repairs.snapshots_aside.load(Ordering::Relaxed),
        ..OpenReport::default()
    };
    report.add(recovered);
    if let Some(answered) = prepared.format_1.and_then(|format| format.answered) {
        let stored = recovered.database_sequence.unwrap_or(0);
        report.lost_commits += answered.saturating_sub(stored);
    }
    if report.lost_commits > 0 {
        log::error!(
            "{} commits of the profile {} are gone: its files were damaged or replaced by older \
             ones",
            report.lost_commits,
            folder.display()
        );
    }
    if prepared.marker == Marker::Damaged {
        log::warn!("the marker of the profile {} was damaged", folder.display());
        profile::write_marker(folder)?;
    }
    if prepared.format_1.is_some() {
        profile::finish_upgrade(folder)?;
    }
    Ok((Box::new(journaled), report))
}

impl OpenReport {
    pub(crate) fn add(&mut self, recovered: Recovered) {
        self.replayed_commits = recovered.replayed_commits;
        self.journal_damaged = recovered.journal_damaged;
        self.journal_replaced = recovered.journal_replaced;
        self.database_rebuilt = recovered.database_rebuilt;
        self.repaired_records = recovered.repaired_records;
        self.repair_incomplete = recovered.repair_incomplete;
        self.repair_bounded = recovered.snapshot_incomplete;
        self.lost_commits = recovered.lost_commits;
    }
}
