//! What was removed gives its room back.

use std::fs;
use std::path::Path;

use base::channel::Callback;
use storage::{Batch, Store, StoreConfig, Tree};

use crate::{open, tell};

/// The bytes that the files of a folder take on the disk.
pub(crate) fn bytes_on_disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;

    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                bytes_on_disk(&path)
            } else {
                // A file that the database just replaced may be gone.
                fs::metadata(path).map_or(0, |metadata| metadata.blocks() * 512)
            }
        })
        .sum()
}

/// One tag is registered and completed, and both are written to an event log that is kept short.
fn register_and_complete(store: &Store, rounds: std::ops::Range<u64>) {
    for round in rounds {
        let tag = format!("https://example.org/ outbox {}", round % 10);
        let log = |number: u64| format!("{number:012}").into_bytes();
        let mut registered = Batch::new();
        registered.put(Tree::SyncRegistrations, tag.as_bytes(), 1, vec![7; 157]);
        registered.put(Tree::SyncLog, &log(2 * round), 1, vec![1; 60]);
        store.submit(registered, Callback::ignore());
        let mut completed = Batch::new();
        completed.remove(Tree::SyncRegistrations, tag.as_bytes());
        completed.put(Tree::SyncLog, &log(2 * round + 1), 1, vec![2; 60]);
        if let Some(old) = round.checked_sub(500) {
            completed.remove(Tree::SyncLog, &log(2 * old));
            completed.remove(Tree::SyncLog, &log(2 * old + 1));
        }
        store.submit(completed, Callback::ignore());
    }
    store.commit(Batch::new()).unwrap();
}

#[test]
#[ignore = "takes a minute or two"]
fn a_million_completed_registrations_take_no_more_room_than_a_few() {
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    let mut start = 0;
    for end in [10_000, 100_000, 300_000, 1_000_000] {
        let (store, report) = Store::open(StoreConfig::folder(folder.path())).unwrap();
        assert_eq!(report.lost_commits, 0);
        register_and_complete(&store, start..end);
        start = end;
        sizes.push(bytes_on_disk(folder.path()));
        tell(&format!(
            "after {end}: {:?} {} checkpoints",
            sizes,
            store.status().checkpoints
        ));
        store.close();
        tell(&format!("closed: {}", bytes_on_disk(folder.path())));
    }
    assert!(sizes[3] < 2 * sizes[1], "{sizes:?}");
    assert_eq!(open(folder.path()).1.lost_commits, 0);
}
