//! Files that are not what they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use storage::{Direction, KeyRange, Store, StoreConfig, Tree};

use crate::{all, get, open, put, putting, sled_at};

/// Change a value in the database behind the store's back.
fn tamper(folder: &Path, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let database = sled_at(folder);
    let mut raw = database.get(key).unwrap().unwrap().to_vec();
    change(&mut raw);
    database.insert(key, raw).unwrap();
    database.flush().unwrap();
}

fn meta(key: &str) -> Vec<u8> {
    [&[Tree::Meta as u8], key.as_bytes()].concat()
}

#[test]
fn a_value_with_a_flipped_bit_goes_to_quarantine_and_its_neighbours_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store
        .commit(putting(&[("a", "1"), ("b", "2"), ("c", "3")]))
        .unwrap();
    drop(store);
    tamper(folder.path(), &meta("b"), |raw| {
        *raw.last_mut().unwrap() ^= 1;
    });

    let (store, report) = open(folder.path());
    assert_eq!(report.quarantined, 0, "nobody has noticed yet");
    assert_eq!(get(&store, "b"), None);
    assert_eq!(
        all(&store),
        [("a".into(), "1".into()), ("c".into(), "3".into())]
    );
    put(&store, "d", "4");
    assert_eq!(store.status().quarantined, 1);
    drop(store);

    let (store, report) = open(folder.path());
    assert_eq!(report.quarantined, 1);
    let quarantined: Vec<_> = store.quarantined().map(Result::unwrap).collect();
    assert_eq!(quarantined.len(), 1);
    assert_eq!(
        (quarantined[0].tree, &quarantined[0].key[..]),
        (Tree::Meta as u8, &b"b"[..])
    );
    assert_eq!(
        quarantined[0].raw.last(),
        Some(&(b'2' ^ 1)),
        "what was found is kept"
    );
    assert_eq!(all(&store).len(), 3);
    put(&store, "b", "new");
    assert_eq!(get(&store, "b").as_deref(), Some("new"));
}

#[test]
fn a_value_that_was_moved_to_another_key_goes_to_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(putting(&[("a", "1"), ("b", "2")])).unwrap();
    drop(store);
    let mut raw_of_a = Vec::new();
    tamper(folder.path(), &meta("a"), |raw| raw_of_a.clone_from(raw));
    tamper(folder.path(), &meta("b"), |raw| raw.clone_from(&raw_of_a));
    let (store, _) = open(folder.path());
    assert_eq!(all(&store), [("a".into(), "1".into())]);
}

#[test]
fn a_record_that_its_owner_does_not_understand_can_be_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.commit(putting(&[("a", "1"), ("b", "2")])).unwrap();
    store
        .quarantine(Tree::Meta, b"a", "its version is from the future")
        .unwrap();
    store.quarantine(Tree::Meta, b"not there", "").unwrap();
    put(&store, "c", "3");
    assert_eq!(
        all(&store),
        [("b".into(), "2".into()), ("c".into(), "3".into())]
    );
    assert_eq!(store.quarantined().count(), 1);
}

#[test]
fn a_suspect_that_was_replaced_meanwhile_stays() {
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    for number in 0..100 {
        store.quarantine(Tree::Meta, b"a", "it looks odd").unwrap();
        put(&store, "a", &number.to_string());
        assert_eq!(get(&store, "a"), Some(number.to_string()));
    }
}

#[test]
fn a_damaged_marker_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()).0, "a", "1");
    for damaged in [&b"Background"[..], b"", b"\xFF\xFE"] {
        fs::write(folder.path().join("profile"), damaged).unwrap();
        let (store, report) = open(folder.path());
        assert!(report.marker_rewritten && !report.created);
        assert_eq!(get(&store, "a").as_deref(), Some("1"));
        drop(store);
        assert!(!open(folder.path()).1.marker_rewritten);
    }
}

#[test]
fn an_unfinished_snapshot_of_a_killed_process_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()).0, "a", "1");
    // It sorts after every finished one, so the database would take it for the newest.
    let unfinished = folder.path().join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, "half a snap").unwrap();
    let (store, report) = open(folder.path());
    assert_eq!(report.unfinished_snapshots_removed, 1);
    assert!(!unfinished.exists());
    assert_eq!(get(&store, "a").as_deref(), Some("1"));
}

#[test]
fn a_damaged_snapshot_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()).0, "a", "1");
    put(&open(folder.path()).0, "b", "2");
    let mut snapshots = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("snap.")
        {
            let mut content = fs::read(&path).unwrap();
            *content.last_mut().unwrap() ^= 1;
            fs::write(&path, content).unwrap();
            snapshots += 1;
        }
    }
    assert!(snapshots > 0);
    let (store, report) = open(folder.path());
    assert_eq!(report.snapshots_set_aside, snapshots);
    assert_eq!(all(&store).len(), 2);
}

#[test]
fn an_older_copy_of_the_database_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()).0, "a", "1");
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    let (store, _) = open(folder.path());
    for number in 0..5 {
        put(&store, "a", &number.to_string());
    }
    drop(store);
    fs::copy(folder.path().join("sequence"), copy.path().join("sequence")).unwrap();
    let (store, report) = open(copy.path());
    assert_eq!(report.lost_commits, 5);
    put(&store, "a", "anew");
    drop(store);
    assert_eq!(
        open(copy.path()).1.lost_commits,
        0,
        "what is known is not reported again"
    );
}

#[test]
fn a_flipped_byte_anywhere_is_never_taken_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let mut expected = BTreeMap::new();
    for number in 0..120 {
        let (key, value) = (format!("{number:03}"), format!("value {number}").repeat(10));
        put(&store, &key, &value);
        expected.insert(key, value);
    }
    drop(store);
    let length = usize::try_from(fs::metadata(folder.path().join("db")).unwrap().len()).unwrap();
    let content = fs::read(folder.path().join("db")).unwrap();
    let used = content
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap_or(length);
    for step in 0..48 {
        let position = used * step / 48;
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        let mut flipped = content.clone();
        flipped[position] ^= 0x10;
        fs::write(copy.path().join("db"), flipped).unwrap();
        let Ok((store, report)) = Store::open(StoreConfig::folder(copy.path())) else {
            continue;
        };
        let mut found = BTreeMap::new();
        let mut failed = false;
        for entry in store.scan(Tree::Meta, KeyRange::all(), Direction::Forward) {
            let Ok((key, record)) = entry else {
                failed = true;
                break;
            };
            let value = String::from_utf8(record.value).unwrap();
            found.insert(String::from_utf8(key).unwrap(), value);
        }
        assert!(
            found
                .iter()
                .all(|(key, value)| expected.get(key) == Some(value))
        );
        assert!(
            found == expected || failed || report.lost_commits > 0,
            "byte {position}: {} records are gone, and nobody says so",
            expected.len() - found.len()
        );
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
