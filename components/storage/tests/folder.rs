//! Folders that cannot be opened, or not any more written to.

use std::fs;
use std::path::Path;
use std::process::Command;

use base::exception::ErrorClass;
use storage::{CommitError, OpenError, Store, StoreConfig, Tree};

use crate::{all, child_folder, get, open, put, putting, start_child};

fn error(folder: &Path) -> OpenError {
    let Err(error) = Store::open(StoreConfig::folder(folder)) else {
        panic!("{} was opened", folder.display());
    };
    let text = error.to_string();
    assert!(
        text.contains(&*folder.to_string_lossy()),
        "{text} does not name the folder"
    );
    error
}

#[test]
fn a_missing_folder_is_created_with_its_parents_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    assert!(open(&path).1.created);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    put(&store, "a", "1");
    let second = error(folder.path());
    assert_eq!(second, OpenError::InUse(folder.path().to_path_buf()));
    assert_eq!(second.class(), ErrorClass::EmbedderMisuse);
    assert!(second.to_string().contains("stop that one first"));
    put(&store, "b", "2");
    drop(store);
    assert_eq!(all(&open(folder.path()).0).len(), 2);
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn second_process() {
    let Some(folder) = child_folder() else { return };
    assert!(matches!(error(&folder), OpenError::InUse(_)));
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, _) = open(folder.path());
    assert!(
        start_child("folder::second_process", &[], folder.path())
            .wait()
            .unwrap()
            .success()
    );
}

#[test]
fn a_file_is_not_a_profile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "content").unwrap();
    assert_eq!(error(&file), OpenError::NotAFolder(file.clone()));
    let below = file.join("profile");
    assert_eq!(error(&below), OpenError::NotAFolder(below.clone()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "content");
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "").unwrap();
    assert_eq!(
        error(folder.path()),
        OpenError::NotAProfile(folder.path().to_path_buf())
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_interrupted_creation_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lock"), "").unwrap();
    fs::write(folder.path().join("profile.new"), "Backgr").unwrap();
    assert!(open(folder.path()).1.created);
}

#[test]
fn a_profile_of_a_newer_version_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()).0, "a", "1");
    let marker = folder.path().join("profile");
    let current = fs::read_to_string(&marker).unwrap();
    let body = "Background Synchronization profile\nformat 7\n";
    let newer = format!("{body}check {:08x}\n", crc32fast::hash(body.as_bytes()));
    fs::write(&marker, &newer).unwrap();
    let refusal = error(folder.path());
    assert!(matches!(
        refusal,
        OpenError::NewerFormat {
            found: 7,
            supported: 2,
            ..
        }
    ));
    assert!(refusal.to_string().contains("version 7") && refusal.to_string().contains("version 2"));
    assert_eq!(fs::read_to_string(&marker).unwrap(), newer);
    fs::write(&marker, current).unwrap();
    assert_eq!(get(&open(folder.path()).0, "a").as_deref(), Some("1"));
}

/// Root may write wherever a mode forbids it, so the folder is one where the system itself forbids
/// it.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_created_is_an_error() {
    let folder = Path::new("/proc/self/profile");
    assert!(matches!(
        error(folder),
        OpenError::ReadOnly(_) | OpenError::Io { .. }
    ));
}

/// Run an ignored test of this module in a namespace in which `folder` is a file system of
/// `size`. Says nothing when this machine does not allow that.
fn in_small_file_system(test: &str, size: &str, folder: &Path) -> Option<bool> {
    let script = format!(
        "mount -t tmpfs -o size={size} none '{}' && exec \"$@\"",
        folder.display()
    );
    let namespace = ["unshare", "-Urm", "sh", "-c", &script, "sh"];
    let probe = Command::new(namespace[0])
        .args(&namespace[1..])
        .arg("true")
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        log::warn!("not tested: this machine does not let us mount a file system");
        return None;
    }
    Some(
        start_child(test, &namespace, folder)
            .wait()
            .unwrap()
            .success(),
    )
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn read_only_process() {
    let Some(folder) = child_folder() else { return };
    let profile = folder.join("profile");
    put(&open(&profile).0, "a", "1");
    let remount = ["-o", "remount,ro", &folder.to_string_lossy()].map(str::to_owned);
    assert!(
        Command::new("mount")
            .args(remount)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(error(&profile), OpenError::ReadOnly(profile.clone()));
    let new = folder.join("new");
    assert_eq!(error(&new), OpenError::ReadOnly(new.clone()));
}

#[test]
fn a_read_only_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert_ne!(
        in_small_file_system("folder::read_only_process", "8m", folder.path()),
        Some(false)
    );
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn disk_full_process() {
    let Some(folder) = child_folder() else { return };
    let profile = folder.join("profile");
    let filler = folder.join("filler");
    fs::write(&filler, vec![0; 5 << 20]).unwrap();
    let (store, _) = open(&profile);
    let mut kept = String::new();
    let value = "x".repeat(50_000);
    let mut answered = 0;
    let refusal = loop {
        let key = format!("{answered:04}");
        let batch = putting(&[(key.as_str(), value.as_str()), ("kept", key.as_str())]);
        if let Err(error) = store.commit(batch) {
            break error;
        }
        kept = key;
        answered += 1;
    };
    assert_eq!(refusal, CommitError::DiskFull(profile.clone()));
    assert!(refusal.to_string().contains("full"));

    // Some small ones still fit, and then nothing does.
    fs::write(folder.join("filler 2"), vec![0; 2 << 20]).unwrap();
    let mut small = 0;
    while store
        .commit(putting(&[(&format!("small {small:04}"), "x")]))
        .is_ok()
    {
        small += 1;
    }
    // Readers see what was answered and nothing else, and later writes fail as well.
    for _ in 0..3 {
        let refused = store.commit(putting(&[("0000", "overwritten"), ("zzz", "new")]));
        assert_eq!(refused, Err(CommitError::DiskFull(profile.clone())));
        assert!(store.status().waiting_for_database);
        assert_eq!(get(&store, "kept").as_deref(), Some(&*kept));
        assert_eq!(get(&store, "0000").as_deref(), Some(&*value));
        let keys: Vec<String> = all(&store).into_iter().map(|(key, _)| key).collect();
        let expected = (0..answered).map(|number| format!("{number:04}"));
        let small = (0..small).map(|number| format!("small {number:04}"));
        let expected = expected.chain(["kept".to_owned()]).chain(small);
        assert_eq!(keys, expected.collect::<Vec<_>>());
    }

    // With room again, writes succeed at once, and nothing of the failed ones comes back.
    fs::remove_file(&filler).unwrap();
    put(&store, "after", "1");
    assert!(!store.status().waiting_for_database);
    drop(store);
    let (store, report) = open(&profile);
    assert_eq!((report.lost_commits, report.quarantined), (0, 0));
    assert_eq!(get(&store, "kept").as_deref(), Some(&*kept));
    assert_eq!(get(&store, "0001").as_deref(), Some(&*value));
    assert_eq!(all(&store).len(), answered + small + 2);
}

#[test]
fn a_full_disk_fails_the_write_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    assert_ne!(
        in_small_file_system("folder::disk_full_process", "16m", folder.path()),
        Some(false)
    );
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn refused_write_process() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let Some(folder) = child_folder() else { return };
    let (store, _) = open(&folder);
    let value = "x".repeat(2_000);
    let mut kept = String::new();
    let mut answered = 0;
    let limit = |bytes| {
        let limit = rustix::process::Rlimit {
            current: bytes,
            ..getrlimit(Resource::Fsize)
        };
        setrlimit(Resource::Fsize, limit).unwrap();
    };
    for _ in 0..3 {
        limit(Some(
            fs::metadata(folder.join("database/db")).unwrap().len() + (1 << 20),
        ));
        let refusal = loop {
            let key = format!("{answered:04}");
            let batch = putting(&[(key.as_str(), value.as_str()), ("kept", key.as_str())]);
            if let Err(error) = store.commit(batch) {
                break error;
            }
            kept = key;
            answered += 1;
        };
        assert!(
            matches!(&refusal, CommitError::Io(detail) if detail.contains("File too large")),
            "{refusal}"
        );
        // The pages that could not be written cannot all be read, but nothing wrong is.
        for (key, value) in [
            ("kept", Some(kept.as_str())),
            (&format!("{answered:04}"), None),
        ] {
            if let Ok(record) = store.read(Tree::Meta, key.as_bytes()) {
                assert_eq!(
                    record.map(|record| record.value).as_deref(),
                    value.map(str::as_bytes)
                );
            }
        }
        limit(None);
        put(&store, "after", "1");
        let keys: Vec<String> = all(&store).into_iter().map(|(key, _)| key).collect();
        let expected = (0..answered).map(|number| format!("{number:04}"));
        let others = ["after".to_owned(), "kept".to_owned()];
        assert_eq!(keys, expected.chain(others).collect::<Vec<_>>());
        assert_eq!(get(&store, "kept").as_deref(), Some(&*kept));
    }
    drop(store);
    let (store, report) = open(&folder);
    assert_eq!((report.lost_commits, report.quarantined), (0, 0));
    assert_eq!(all(&store).len(), answered + 2);
    assert_eq!(get(&store, "kept").as_deref(), Some(&*kept));
}

/// The system refuses to let the database grow: what the store could not see coming.
#[test]
#[cfg(target_os = "linux")]
fn a_refused_write_is_taken_back_and_the_next_is_tried_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let ignoring_the_signal = ["sh", "-c", "trap '' XFSZ && exec \"$@\"", "sh"];
    let test = "folder::refused_write_process";
    assert!(
        start_child(test, &ignoring_the_signal, folder.path())
            .wait()
            .unwrap()
            .success()
    );
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn no_room_process() {
    let Some(folder) = child_folder() else { return };
    let _ = fs::write(folder.join("filler"), vec![0; 12 << 20]);
    let profile = folder.join("profile");
    assert!(matches!(error(&profile), OpenError::DiskFull(_)));
    fs::remove_file(folder.join("filler")).unwrap();
    put(&open(&profile).0, "a", "1");
}

#[test]
fn a_profile_that_has_no_room_is_an_error_until_it_has() {
    let folder = tempfile::tempdir().unwrap();
    assert_ne!(
        in_small_file_system("folder::no_room_process", "12m", folder.path()),
        Some(false)
    );
}

#[test]
fn a_profile_without_its_marker_is_known_by_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    put(&store, "a", "1");
    drop(store);
    fs::remove_file(folder.path().join("profile")).unwrap();
    let (store, report) = open(folder.path());
    assert!(report.marker_rewritten && !report.created);
    assert_eq!(all(&store), [("a".into(), "1".into())]);
    drop(store);
    assert!(!open(folder.path()).1.marker_rewritten);
}
