//! The store on devices that fail, forget and tear.

use base::channel::{Callback, unbounded};
use storage::device::DatabaseError;
use storage::{
    Batch, CommitError, Direction, Durability, KeyRange, OpenReport, Store, StoreStatus, Tree,
};

use crate::disk::{CAPACITY, Disk};
use crate::{all, get, put, putting};

fn log_entry(key: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Tree::SyncLog, key.as_bytes(), 1, b"entry".to_vec());
    batch
}

fn logged(store: &Store) -> usize {
    store
        .keys(Tree::SyncLog, KeyRange::all(), Direction::Forward)
        .count()
}

#[test]
fn a_commit_costs_one_sync_and_survives_a_power_cut() {
    let disk = Disk::default();
    let (store, report) = disk.open();
    assert!(report.created);
    for number in 0..20 {
        let before = disk.syncs();
        put(&store, &format!("{number:02}"), "x");
        assert_eq!(disk.syncs() - before, 1);
        let (cut, report) = disk.after_power_cut().open();
        assert_eq!(
            (report.lost_commits, report.replayed_commits),
            (0, number + 1)
        );
        assert_eq!(all(&cut), all(&store));
    }
    store.close();
    assert_eq!(all(&disk.after_power_cut().open().0).len(), 20);
}

#[test]
fn what_a_killed_process_left_is_durable_before_it_is_shown() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    put(&store, "a", "answered");
    let durable = disk.0.lock().durable_journal.clone();
    put(&store, "b", "in flight");
    // As it is when the process is killed before the sync.
    let killed = disk.after_kill();
    killed.0.lock().durable_journal = durable;
    assert_eq!(all(&killed.after_power_cut().open().0).len(), 1);
    let (store, _) = killed.open();
    assert_eq!(all(&store).len(), 2, "the system still had it");
    let (cut, report) = killed.after_power_cut().open();
    assert_eq!(all(&cut), all(&store));
    assert_eq!(report.lost_commits, 0);
}

#[test]
fn batches_that_wait_share_a_sync() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    let (sender, receiver) = unbounded();
    for number in 0..30 {
        let batch = putting(&[(&format!("{number:02}"), "x")]);
        store.submit(batch, Callback::to_sender(&sender, |result| result));
    }
    assert_eq!(receiver.try_recv(), None);
    let before = disk.syncs();
    assert_eq!(store.drive(), 30);
    assert_eq!(disk.syncs() - before, 1);
    assert_eq!(std::iter::from_fn(|| receiver.try_recv()).count(), 30);
    assert_eq!(store.drive(), 0);
}

#[test]
fn a_torn_frame_is_ignored_as_a_whole() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    put(&store, "a", "1");
    let before = disk.0.lock().journal.clone();
    store
        .commit(putting(&[("a", "2"), ("b", "2"), ("c", "2")]))
        .unwrap();
    let after = disk.0.lock().journal.clone();
    let start = before
        .iter()
        .zip(&after)
        .position(|(old, new)| old != new)
        .unwrap();
    let end = before
        .iter()
        .zip(&after)
        .rposition(|(old, new)| old != new)
        .unwrap();
    for torn in start..=end {
        for (first, second) in [(&before, &after), (&after, &before)] {
            let image = disk.after_power_cut();
            image.0.lock().journal = [&first[..torn], &second[torn..]].concat();
            let (store, report) = image.open();
            assert_eq!(report.lost_commits, 0);
            if torn > start {
                assert_eq!(all(&store), [("a".into(), "1".into())], "torn at {torn}");
            }
            put(&store, "d", "3");
            let (store, _) = image.after_power_cut().open();
            assert_eq!(get(&store, "d").as_deref(), Some("3"));
        }
    }
}

#[test]
fn a_damaged_frame_costs_its_own_commits_and_is_reported() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    let mut starts = Vec::new();
    for number in 0..5 {
        let before = disk.0.lock().journal.clone();
        put(&store, &number.to_string(), "x");
        let after = disk.0.lock().journal.clone();
        starts.push(
            before
                .iter()
                .zip(&after)
                .position(|(old, new)| old != new)
                .unwrap(),
        );
    }
    let image = disk.after_power_cut();
    image.0.lock().journal[starts[2] + 60] ^= 1;
    let (store, report) = image.open();
    assert!(report.journal_damaged);
    assert_eq!((report.lost_commits, report.replayed_commits), (1, 4));
    let keys: Vec<String> = all(&store).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["0", "1", "3", "4"]);
    let (store, report) = image.after_power_cut().open();
    assert_eq!(report, OpenReport::default(), "it is not reported again");
    assert_eq!(all(&store).len(), 4);
}

#[test]
fn a_journal_that_was_cut_is_reported_once() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    for number in 0..50 {
        put(&store, &number.to_string(), "x");
    }
    let whole = disk.0.lock().journal.len();
    for length in [8192, 8300, whole / 2, whole - 1] {
        let image = disk.after_power_cut();
        image.0.lock().journal.truncate(length);
        let (found, report) = image.open();
        assert!(report.journal_replaced, "cut to {length}");
        put(&found, "next", "x");
        let (found, report) = image.after_power_cut().open();
        assert!(!report.journal_replaced, "cut to {length}");
        assert_eq!(get(&found, "next").as_deref(), Some("x"));
    }
}

#[test]
fn a_damaged_header_is_made_up_for() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    for number in 0..2000 {
        put(&store, &(number % 7).to_string(), &number.to_string());
    }
    assert!(store.status().checkpoints > 2);
    for at in (0..40).chain(4096..4136) {
        let image = disk.after_power_cut();
        image.0.lock().journal[at] ^= 0x20;
        let (found, report) = image.open();
        assert_eq!(all(&found), all(&store), "byte {at}");
        assert_eq!(report.lost_commits, 0);
    }
    let image = disk.after_power_cut();
    image.0.lock().journal[..8192].fill(0);
    assert_eq!(all(&image.open().0), all(&store));
}

#[test]
fn a_commit_that_fails_is_not_seen_and_the_next_works() {
    // Neither the write nor the sync, then the write alone.
    for calls in [0, 1] {
        let disk = Disk::default();
        let (store, _) = disk.open();
        put(&store, "a", "1");
        disk.break_journal_after(calls);
        for _ in 0..3 {
            let refusal = store.commit(putting(&[("a", "2"), ("longer than others", "2")]));
            assert_eq!(refusal, Err(CommitError::Io("broken".to_owned())));
            disk.break_journal_after(calls);
        }
        assert_eq!(all(&store), [("a".into(), "1".into())]);
        disk.repair();
        put(&store, "b", "3");
        let expected = [("a".into(), "1".into()), ("b".into(), "3".into())];
        for disk in [disk.after_power_cut(), disk.after_kill()] {
            let (store, report) = disk.open();
            assert_eq!(report.lost_commits, 0);
            assert_eq!(all(&store), expected);
        }
    }
}

/// Fail with each call in turn, through several checkpoints.
fn fail_anywhere(calls: std::ops::Range<usize>, fail_after: fn(&Disk, usize)) {
    for calls in calls {
        let disk = Disk::default();
        let (store, _) = disk.open();
        fail_after(&disk, calls);
        let mut answered = 0;
        let commit = |answered: &mut usize| {
            let value = "some value that fills the journal ".repeat(60);
            let batch = putting(&[(&format!("{answered:05}"), &value)]);
            let result = store.commit(batch);
            *answered += usize::from(result.is_ok());
            result.is_ok()
        };
        let check = |answered: usize, when: &str| {
            assert_eq!(all(&store).len(), answered, "{when}, after {calls} calls");
            for image in [disk.after_power_cut(), disk.after_kill()] {
                let (found, report) = image.open();
                let found = all(&found).len();
                let whole = found == answered || when == "failing" && found == answered + 1;
                assert!(
                    whole,
                    "{when}, after {calls} calls: {found}, not {answered}"
                );
                assert_eq!(report.lost_commits, 0);
            }
        };
        while answered < 60 && commit(&mut answered) {}
        check(answered, "failing");
        disk.repair();
        for _ in 0..20 {
            assert!(commit(&mut answered));
            check(answered, "repaired");
        }
    }
}

#[test]
fn a_journal_that_fails_anywhere_loses_nothing() {
    fail_anywhere(0..40, Disk::break_journal_after);
}

#[test]
fn a_database_that_fails_anywhere_loses_nothing() {
    fail_anywhere(0..20, |disk, calls| {
        disk.break_database(DatabaseError::Io("broken".to_owned()));
        disk.0.lock().database_fails_after = calls;
    });
}

#[test]
fn what_the_database_does_not_take_is_read_and_kept_until_it_does() {
    let io = DatabaseError::Io("broken".to_owned());
    let cases = [
        (DatabaseError::Full, CommitError::DiskFull("".into())),
        (io, CommitError::Io("broken".to_owned())),
    ];
    for (error, expected) in cases {
        let disk = Disk::default();
        let (store, _) = disk.open();
        put(&store, "first", "1");
        disk.break_database(error);
        let mut answered = 1;
        let refusal = loop {
            let key = format!("{answered:05}");
            match store.commit(putting(&[(&key, "x")])) {
                Ok(()) => answered += 1,
                Err(refusal) => break refusal,
            }
        };
        assert_eq!(refusal, expected);
        assert!(answered > 50);
        assert!(store.status().waiting_for_database);
        assert_eq!(all(&store).len(), answered);
        assert_eq!(all(&disk.after_power_cut().open().0).len(), answered);
        disk.repair();
        put(&store, "last", "1");
        assert!(!store.status().waiting_for_database);
        assert_eq!(all(&store).len(), answered + 1);
        let (store, report) = disk.after_power_cut().open();
        assert_eq!((all(&store).len(), report.lost_commits), (answered + 1, 0));
    }
}

#[test]
fn removing_goes_on_when_neither_the_database_nor_the_journal_has_room() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    disk.break_database(DatabaseError::Full);
    let mut answered = 0;
    while store
        .commit(putting(&[(&format!("{answered:05}"), "x")]))
        .is_ok()
    {
        answered += 1;
    }
    for removed in 0..10 {
        let mut batch = Batch::new();
        batch.remove(Tree::Meta, format!("{removed:05}").as_bytes());
        store.commit(batch).unwrap();
        let refusal = store.commit(putting(&[("more", "x")]));
        assert_eq!(refusal, Err(CommitError::DiskFull("".into())));
    }
    for store in [store, disk.after_power_cut().open().0] {
        assert_eq!(all(&store).len(), answered - 10);
    }
}

#[test]
fn a_database_that_does_not_open_is_rebuilt() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    for number in 0..50 {
        put(&store, &number.to_string(), "x");
    }
    store.close();
    let (store, _) = disk.open();
    put(&store, "last", "x");
    let image = disk.after_power_cut();
    image.0.lock().does_not_open = true;
    let (store, report) = image.open();
    assert!(report.database_rebuilt && !report.repair_incomplete);
    assert_eq!((report.lost_commits, report.repaired_records), (0, 50));
    assert_eq!(all(&store).len(), 51);
    assert_eq!(all(&image.after_power_cut().open().0).len(), 51);
}

#[test]
fn what_the_journal_has_no_copy_of_is_reported_as_lost() {
    let disk = Disk::default();
    let (store, report) = disk.open();
    assert!(!report.repair_bounded);
    for number in 0..50 {
        put(&store, &number.to_string(), &"x".repeat(1000));
    }
    store.close();
    let (store, report) = disk.open();
    assert!(report.repair_bounded);
    put(&store, "last", "x");
    disk.0.lock().does_not_open = true;
    let (store, report) = disk.open();
    drop(store);
    assert!(report.database_rebuilt && report.repair_incomplete);
    assert_eq!(report.lost_commits, 50);
}

#[test]
fn relaxed_batches_are_seen_at_once_and_durable_with_the_next() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    let (sender, receiver) = unbounded();
    let relaxed = |key: &str| {
        let done = Callback::to_sender(&sender, |result| result);
        store.submit_with(log_entry(key), Durability::Relaxed, done);
        store.drive();
        assert_eq!(receiver.try_recv(), Some(Ok(())));
    };
    let before = disk.syncs();
    relaxed("1");
    relaxed("2");
    assert_eq!(logged(&store), 2);
    assert_eq!(disk.syncs(), before);
    assert_eq!(logged(&disk.after_kill().open().0), 0);
    put(&store, "a", "1");
    assert_eq!(disk.syncs(), before + 1);
    assert_eq!(logged(&disk.after_power_cut().open().0), 2);
    relaxed("3");
    store.commit(Batch::new()).unwrap();
    assert_eq!(logged(&disk.after_power_cut().open().0), 3);
    relaxed("4");
    store.close();
    assert_eq!(logged(&disk.after_power_cut().open().0), 4);
}

#[test]
fn relaxed_batches_are_bounded_and_survive_checkpoints_and_failures() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    for number in 0..5000 {
        let batch = log_entry(&format!("{number:05}"));
        store.submit_with(batch, Durability::Relaxed, Callback::ignore());
        store.drive();
    }
    assert!(store.status().checkpoints > 1);
    disk.break_journal_after(0);
    assert!(store.commit(putting(&[("a", "1")])).is_err());
    assert_eq!(logged(&store), 5000);
    disk.repair();
    put(&store, "a", "1");
    assert_eq!(logged(&disk.after_power_cut().open().0), 5000);
}

#[test]
fn a_relaxed_batch_that_changes_more_than_the_log_is_refused() {
    let (store, _) = Disk::default().open();
    let (sender, receiver) = unbounded();
    let mut batch = log_entry("1");
    batch.remove(Tree::Meta, b"a");
    let done = Callback::to_sender(&sender, |result| result);
    store.submit_with(batch, Durability::Relaxed, done);
    assert_eq!(receiver.try_recv(), Some(Err(CommitError::NotRelaxed)));
    assert_eq!(logged(&store), 0);
}

#[test]
fn what_is_larger_than_the_journal_goes_through_it_all_the_same() {
    let disk = Disk::default();
    let (store, _) = disk.open();
    let large = "large".repeat(50_000);
    for round in 0..3 {
        put(&store, "large", &large);
        assert_eq!(
            get(&disk.after_power_cut().open().0, "large").as_ref(),
            Some(&large)
        );
        put(&store, "small", &round.to_string());
        assert_eq!(disk.0.lock().journal.len() as u64, CAPACITY);
        let cut = disk.after_power_cut();
        assert_eq!(get(&cut.open().0, "large").as_ref(), Some(&large));
    }
    assert_eq!(all(&store).len(), 2);
}

#[test]
fn a_store_that_only_reads_leaves_the_disk_alone() {
    let disk = Disk::default();
    put(&disk.open().0, "a", "1");
    let (store, _) = disk.open();
    let before = disk.syncs();
    assert_eq!(get(&store, "a").as_deref(), Some("1"));
    store.close();
    assert_eq!(disk.syncs(), before);
    assert_eq!(store.status(), StoreStatus::default());
}
