//! Batches, reads, scans and the committer.

use std::ops::Bound;

use base::channel::{Callback, unbounded};
use storage::{Batch, CommitError, Direction, KeyRange, ReadError, Store, StoreConfig, Tree};

use crate::{all, get, open, put, putting, sled_at};

/// Run a test on both kinds of store.
fn on_each_location(test: fn(&Store)) {
    let folder = tempfile::tempdir().unwrap();
    for config in [StoreConfig::memory(), StoreConfig::folder(folder.path())] {
        test(&Store::open(config).unwrap().0);
    }
}

#[test]
fn what_was_committed_is_there_after_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = open(folder.path());
    assert!(report.created);
    put(&store, "a", "1");
    put(&store, "b", "2");
    put(&store, "a", "3");
    store.close();
    let (store, report) = open(folder.path());
    assert!(!report.created);
    assert_eq!(report.lost_commits, 0);
    assert_eq!(
        all(&store),
        [("a".into(), "3".into()), ("b".into(), "2".into())]
    );
}

/// Values around the lengths at which they are cut into pieces, and beyond.
fn lengths() -> impl Iterator<Item = (String, String)> {
    let lengths = [0, 1, 4087, 4088, 4089, 4096, 8192, 8193, 1_000_000];
    lengths.into_iter().map(|length| {
        (
            format!("{length:07}"),
            "0123456789".repeat(length / 10 + 1)[..length].to_owned(),
        )
    })
}

#[test]
fn values_of_every_length_are_there_after_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let expected: Vec<(String, String)> = lengths().collect();
    let mut batch = Batch::new();
    for (key, value) in &expected {
        batch.put(Tree::Meta, key.as_bytes(), 1, value.as_bytes().to_vec());
    }
    store.commit(batch).unwrap();
    assert!(all(&store) == expected);
    drop(store);
    let (store, report) = open(folder.path());
    assert_eq!(report.lost_commits, 0);
    assert!(all(&store) == expected);
    let backward = store.scan(Tree::Meta, KeyRange::all(), Direction::Backward);
    let backward: Vec<_> = backward.map(|entry| entry.unwrap().1.value.len()).collect();
    assert_eq!(
        backward,
        expected
            .iter()
            .rev()
            .map(|(_, value)| value.len())
            .collect::<Vec<_>>()
    );
    assert!(
        expected
            .iter()
            .all(|(key, value)| get(&store, key).as_ref() == Some(value))
    );
}

#[test]
fn nothing_is_left_of_large_values_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    for round in 0..3 {
        for (key, value) in lengths() {
            put(&store, &key, &format!("{value}{round}"));
        }
    }
    let mut batch = Batch::new();
    batch.remove_prefix(Tree::Meta, b"0");
    batch.put(Tree::Meta, b"1000000", 1, b"small".to_vec());
    store.commit(batch).unwrap();
    assert_eq!(all(&store), [("1000000".into(), "small".into())]);
    drop(store);
    let blobs = std::fs::read_dir(folder.path().join("database/blobs")).unwrap();
    assert_eq!(blobs.count(), 0, "no page was too large for the log");
    let database = sled_at(folder.path());
    let sizes = database.iter().map(|entry| entry.unwrap().1.len());
    assert!(sizes.sum::<usize>() < 1000, "the pieces are gone as well");
}

#[test]
fn a_large_value_is_read_whole_while_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let value = |round: usize| round.to_string().repeat(20_000);
    put(&store, "a", &value(0));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..60).for_each(|round| put(&store, "a", &value(round % 9))));
        while !writer.is_finished() {
            let found = get(&store, "a").expect("it is always there");
            assert!(
                found == value(found[..1].parse().unwrap()),
                "it is of one piece"
            );
        }
    });
    assert_eq!(store.status().quarantined, 0);
}

#[test]
fn versions_and_typed_values_come_back() {
    on_each_location(|store| {
        let mut batch = Batch::new();
        batch
            .put_record(Tree::SyncLog, b"k", 513, &(7_u8, "x".to_owned()))
            .unwrap();
        store.commit(batch).unwrap();
        let record = store.read(Tree::SyncLog, b"k").unwrap().unwrap();
        assert_eq!(record.version, 513);
        assert_eq!(record.decode::<(u8, String)>(), Ok((7, "x".to_owned())));
        assert!(record.decode::<(String, String)>().is_err());
        assert_eq!(
            store.read(Tree::Meta, b"k").unwrap(),
            None,
            "trees are apart"
        );
        assert_eq!(store.read(Tree::SyncLog, b"").unwrap(), None);
    });
}

#[test]
fn scans_are_ordered_both_ways_and_keep_to_their_range() {
    on_each_location(|store| {
        let mut batch = Batch::new();
        for number in 0..1000_u16 {
            batch.put(Tree::Meta, &number.to_be_bytes(), 1, Vec::new());
        }
        batch.put(Tree::SyncLog, &[0, 5], 1, Vec::new());
        store.commit(batch).unwrap();
        let keys = |range: KeyRange, direction| -> Vec<u16> {
            store
                .scan(Tree::Meta, range, direction)
                .map(|entry| u16::from_be_bytes(entry.unwrap().0.try_into().unwrap()))
                .collect()
        };
        let both_ways = |range: KeyRange, expected: Vec<u16>| {
            assert_eq!(keys(range.clone(), Direction::Forward), expected);
            let only_keys = store.keys(Tree::Meta, range.clone(), Direction::Forward);
            let only_keys =
                only_keys.map(|key| u16::from_be_bytes(key.unwrap().try_into().unwrap()));
            assert_eq!(only_keys.collect::<Vec<_>>(), expected);
            let backward: Vec<u16> = expected.into_iter().rev().collect();
            assert_eq!(keys(range, Direction::Backward), backward);
        };
        both_ways(KeyRange::all(), (0..1000).collect());
        both_ways(KeyRange::prefix(&[1]), (256..512).collect());
        both_ways(KeyRange::prefix(&[9]), vec![]);
        let (low, high) = ([0, 7], [0, 9]);
        both_ways(KeyRange::between(&low[..]..&high[..]), vec![7, 8]);
        both_ways(KeyRange::between(&low[..]..=&high[..]), vec![7, 8, 9]);
        let open = (Bound::Excluded(&low[..]), Bound::Excluded(&high[..]));
        both_ways(KeyRange::between(open), vec![8]);
        both_ways(KeyRange::between(&high[..]..&low[..]), vec![]);
        both_ways(
            KeyRange::between((Bound::Excluded(&low[..]), Bound::Excluded(&low[..]))),
            vec![],
        );
        both_ways(KeyRange::between(&high[..]..), (9..1000).collect());
    });
}

#[test]
fn a_batch_applies_its_changes_in_order() {
    on_each_location(|store| {
        store
            .commit(putting(&[("a/1", "old"), ("a/2", "old"), ("b", "old")]))
            .unwrap();
        let mut batch = putting(&[("a/3", "gone")]);
        batch.remove_prefix(Tree::Meta, b"a/");
        batch.put(Tree::Meta, b"a/2", 1, b"new".to_vec());
        batch.remove(Tree::Meta, b"b");
        batch.remove(Tree::Meta, b"never there");
        store.commit(batch).unwrap();
        assert_eq!(all(store), [("a/2".into(), "new".into())]);
    });
}

#[test]
fn a_prefix_is_removed_with_what_a_batch_just_before_put_there() {
    on_each_location(|store| {
        let (sender, receiver) = unbounded();
        for round in 0..50 {
            let key = format!("a/{round}");
            store.submit(
                putting(&[(&key, "x")]),
                Callback::to_sender(&sender, |result| result),
            );
        }
        let mut batch = Batch::new();
        batch.remove_prefix(Tree::Meta, b"a/");
        store.submit(batch, Callback::to_sender(&sender, |result| result));
        for _ in 0..51 {
            assert_eq!(receiver.recv(), Ok(Ok(())));
        }
        assert_eq!(all(store), []);
    });
}

#[test]
fn batches_that_arrive_together_are_synced_together() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let before = store.status();
    let (sender, receiver) = unbounded();
    for number in 0..500 {
        let batch = putting(&[(&format!("{number:03}"), "x")]);
        store.submit(batch, Callback::to_sender(&sender, |result| result));
    }
    for _ in 0..500 {
        assert_eq!(receiver.recv(), Ok(Ok(())));
    }
    let after = store.status();
    assert_eq!(after.commits - before.commits, 500);
    let syncs = after.syncs - before.syncs;
    assert!(syncs < 250, "{syncs} syncs for 500 commits");
    assert_eq!(all(&store).len(), 500);
}

#[test]
fn answers_come_in_the_order_of_the_batches() {
    on_each_location(|store| {
        let (sender, receiver) = unbounded();
        for number in 0..200 {
            let sender = sender.clone();
            let answer = Callback::new(move |result| sender.send((number, result)).unwrap());
            store.submit(putting(&[("same key", &number.to_string())]), answer);
        }
        for number in 0..200 {
            assert_eq!(receiver.recv(), Ok((number, Ok(()))));
        }
        assert_eq!(get(store, "same key").as_deref(), Some("199"));
    });
}

#[test]
fn closing_answers_what_was_submitted_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (sender, receiver) = unbounded();
    for number in 0..100 {
        let batch = putting(&[(&number.to_string(), "x")]);
        store.submit(batch, Callback::to_sender(&sender, |result| result));
    }
    let clone = store.clone();
    store.close();
    for _ in 0..100 {
        assert_eq!(receiver.try_recv(), Some(Ok(())));
    }
    assert_eq!(
        clone.commit(putting(&[("late", "x")])),
        Err(CommitError::Closed)
    );
    assert_eq!(clone.read(Tree::Meta, b"1"), Err(ReadError::Closed));
    let mut scan = clone.scan(Tree::Meta, KeyRange::all(), Direction::Forward);
    assert_eq!(scan.next(), Some(Err(ReadError::Closed)));
    assert_eq!(scan.next(), None);
    clone.close();
    assert_eq!(
        all(&open(folder.path()).0).len(),
        100,
        "the profile is free for the next store"
    );
}

#[test]
fn the_last_clone_may_be_dropped_in_a_callback() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let (sender, receiver) = unbounded();
    let last = parking_lot::Mutex::new(Some(store.clone()));
    let (go, gone) = unbounded::<()>();
    store.submit(
        putting(&[("a", "1")]),
        Callback::new(move |result| {
            let _ = gone.recv();
            drop(last.lock().take());
            sender.send(result).unwrap();
        }),
    );
    drop(store);
    drop(go);
    assert_eq!(receiver.recv(), Ok(Ok(())));
    assert_eq!(get(&open(folder.path()).0, "a").as_deref(), Some("1"));
}

#[test]
fn readers_see_all_of_a_batch_or_nothing() {
    on_each_location(|store| {
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for number in 0..200 {
                    let value = number.to_string();
                    store
                        .commit(putting(&[("a", &value), ("b", &value)]))
                        .unwrap();
                }
            });
            while !writer.is_finished() {
                // `b` is read second, so it is as new as `a` or newer.
                let number = |key| get(store, key).map_or(-1, |value| value.parse().unwrap());
                let (a, b): (i32, i32) = (number("a"), number("b"));
                assert!(
                    a <= b,
                    "{a} is seen, but {b} was committed with it or before it"
                );
            }
        });
    });
}

#[test]
fn what_changes_while_the_database_takes_it_is_the_last_of_it_after_reopen() {
    const KEYS: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let value = |round: usize| format!("{round:0>1024}");
    for round in 0..40 {
        for first in (0..KEYS).step_by(40) {
            let mut batch = Batch::new();
            for key in first..first + 40 {
                let key = format!("{key:03}");
                batch.put(Tree::Meta, key.as_bytes(), 1, value(round).into_bytes());
            }
            store.submit(batch, Callback::new(|result| assert_eq!(result, Ok(()))));
        }
    }
    store.close();
    let (store, report) = open(folder.path());
    assert_eq!(report.lost_commits, 0);
    let stored = all(&store);
    assert_eq!(stored.len(), KEYS);
    assert!(stored.iter().all(|(_, stored)| *stored == value(39)));
}

#[test]
fn private_browsing_leaves_nothing_behind() {
    let (store, report) = Store::open(StoreConfig::memory()).unwrap();
    assert!(report.created);
    put(&store, "a", "1");
    assert_eq!(get(&store, "a").as_deref(), Some("1"));
    assert_eq!(store.status().syncs, 0);
    let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| {
        entries
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter(|path| path.to_string_lossy().contains("pagecache"))
            .count()
    });
    assert_eq!(open_files, 0, "no database in shared memory either");
    drop(store);
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    assert_eq!(all(&store), []);
}
