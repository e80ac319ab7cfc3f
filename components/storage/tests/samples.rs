//! Profiles that were stored by this version and by former ones. They open for ever.

use std::fs;
use std::path::{Path, PathBuf};

use storage::{Batch, Direction, KeyRange, OpenReport, Store, StoreConfig, Tree};

use crate::{copy_folder, open};

/// A record of a sample.
struct Sample {
    tree: Tree,
    key: String,
    version: u16,
    value: Vec<u8>,
}

fn sample(tree: Tree, key: &str, version: u16, length: usize) -> Sample {
    let value = key.bytes().cycle().enumerate();
    let value = value.map(|(at, byte)| byte ^ u8::try_from(at % 251).unwrap());
    Sample {
        tree,
        key: key.to_owned(),
        version,
        value: value.take(length).collect(),
    }
}

/// What every sample holds. Never changed: a new version adds what is new to its own sample.
fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for number in 0..40 {
        let key = format!("https://example.org/ tag {number}");
        samples.push(sample(Tree::SyncRegistrations, &key, 3, 157));
        samples.push(sample(Tree::SyncLog, &format!("{number:08}"), 1, 60));
    }
    samples.push(sample(Tree::ServiceWorkers, "https://example.org/", 2, 300));
    samples.push(sample(Tree::Scripts, "worker.js", 1, 20_000));
    samples.push(sample(Tree::IndexedDb, "small", 1, 10));
    samples.push(sample(Tree::IndexedDb, "in pieces", 1, 9000));
    samples.push(sample(Tree::IndexedDb, "empty", 1, 0));
    samples.push(sample(Tree::Permissions, "https://example.org", 1, 1));
    samples.push(sample(Tree::Meta, "fact", 513, 20));
    samples
}

/// The record that is in quarantine in every sample.
const ODD: &str = "odd";

fn write(store: &Store, sample: &Sample) {
    let mut batch = Batch::new();
    let value = sample.value.clone();
    batch.put(sample.tree, sample.key.as_bytes(), sample.version, value);
    store.commit(batch).unwrap();
}

fn write_samples(store: &Store) {
    write(store, &sample(Tree::Meta, ODD, 1, 30));
    store
        .quarantine(Tree::Meta, ODD.as_bytes(), "it is odd")
        .unwrap();
    for sample in samples() {
        // What is replaced or removed leaves nothing behind.
        write(store, &self::sample(sample.tree, &sample.key, 9, 100));
        write(store, &sample);
        write(
            store,
            &self::sample(sample.tree, &format!("{} gone", sample.key), 1, 100),
        );
        let mut batch = Batch::new();
        batch.remove(sample.tree, format!("{} gone", sample.key).as_bytes());
        store.commit(batch).unwrap();
    }
}

fn check(store: &Store) {
    for expected in samples() {
        let record = store.read(expected.tree, expected.key.as_bytes()).unwrap();
        let record = record.unwrap_or_else(|| panic!("{} is missing", expected.key));
        assert_eq!(record.version, expected.version, "{}", expected.key);
        assert_eq!(record.value, expected.value, "{}", expected.key);
    }
    for tree in [
        Tree::Meta,
        Tree::SyncRegistrations,
        Tree::SyncLog,
        Tree::ServiceWorkers,
        Tree::Scripts,
        Tree::IndexedDb,
        Tree::Permissions,
    ] {
        let count = samples()
            .iter()
            .filter(|sample| sample.tree == tree)
            .count();
        let keys = store.keys(tree, KeyRange::all(), Direction::Forward);
        assert_eq!(keys.count(), count, "{tree:?}");
    }
    let quarantined: Vec<_> = store.quarantined().map(Result::unwrap).collect();
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0].key, ODD.as_bytes());
    assert!(
        quarantined[0]
            .raw
            .ends_with(&sample(Tree::Meta, ODD, 1, 30).value)
    );
}

fn folder_of(version: u32) -> PathBuf {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/profiles");
    profiles.join(format!("v{version}"))
}

#[test]
fn a_profile_of_every_version_opens() {
    for (version, upgraded, replayed) in [(1, true, false), (2, false, true)] {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&folder_of(version), folder.path());
        let (store, report) = open(folder.path());
        assert_eq!(
            (report.lost_commits, report.quarantined),
            (0, 1),
            "{version}"
        );
        assert_eq!(report.upgraded, upgraded, "{version}");
        assert_eq!(report.replayed_commits > 0, replayed, "{version}");
        assert_eq!(
            (report.journal_replaced, report.repaired_records),
            (false, 0)
        );
        check(&store);
        drop(store);
        // It is one of the current version from now on.
        let (store, report) = open(folder.path());
        let mut sound = OpenReport::default();
        sound.quarantined = 1;
        assert_eq!(report, sound, "{version}");
        check(&store);
    }
}

#[test]
fn an_upgrade_goes_on_wherever_it_was_interrupted() {
    let complete = tempfile::tempdir().unwrap();
    copy_folder(&folder_of(1), complete.path());
    drop(open(complete.path()));
    let marker = fs::read(complete.path().join("profile")).unwrap();
    for step in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        copy_folder(&folder_of(1), folder.path());
        fs::write(path("profile"), &marker).unwrap();
        if step > 0 {
            fs::create_dir(path("database")).unwrap();
        }
        for name in ["conf", "db"].iter().take(step) {
            fs::rename(path(name), path("database").join(name)).unwrap();
        }
        if step > 2 {
            fs::write(
                path("journal"),
                fs::read(complete.path().join("journal")).unwrap(),
            )
            .unwrap();
        }
        if step > 3 {
            fs::remove_file(path("profile")).unwrap();
            fs::write(path("profile"), "rotten").unwrap();
        }
        let (store, report) = open(folder.path());
        assert!(report.upgraded, "step {step}");
        assert_eq!(
            (report.lost_commits, report.journal_replaced),
            (0, false),
            "step {step}"
        );
        check(&store);
        drop(store);
        assert!(!open(folder.path()).1.upgraded);
    }
}

#[test]
#[ignore = "writes the sample of this version anew; former ones are never written again"]
fn write_the_sample_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::folder(folder.path());
    config.journal_capacity = 64 << 10;
    let (store, _) = Store::open(config).unwrap();
    write_samples(&store);
    // It is not closed, so some commits are in the journal only.
    assert!(store.status().checkpoints > 1);
    let target = folder_of(2);
    let _ = fs::remove_dir_all(&target);
    fs::create_dir_all(&target).unwrap();
    copy_folder(folder.path(), &target);
}
