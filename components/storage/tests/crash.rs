//! What a killed process leaves.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use storage::{Batch, Store, StoreConfig, Tree};

use crate::{child_folder, open, start_child, tell};

const THREADS: usize = 4;

/// Every seventh is so large that it is stored in pieces.
fn log_value(number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(7) {
        20_000
    } else {
        150
    };
    number
        .to_le_bytes()
        .into_iter()
        .cycle()
        .take(length)
        .collect()
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn writer_process() {
    let Some(folder) = child_folder() else { return };
    let (store, report) = Store::open(StoreConfig::folder(folder)).unwrap();
    assert_eq!(report.lost_commits, 0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let key = format!("counter {thread}");
                let record = store.read(Tree::Meta, key.as_bytes()).unwrap();
                let start = record.map_or(0, |record| record.decode::<u64>().unwrap());
                for number in start + 1.. {
                    let mut batch = Batch::new();
                    batch
                        .put_record(Tree::Meta, key.as_bytes(), 1, &number)
                        .unwrap();
                    let log_key = format!("{thread} {number}");
                    batch.put(Tree::SyncLog, log_key.as_bytes(), 1, log_value(number));
                    store.commit(batch).unwrap();
                    tell(&format!("{thread} {number}"));
                }
            });
        }
    });
}

#[test]
fn every_answered_batch_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered: BTreeMap<usize, u64> = BTreeMap::new();
    for round in 0..8 {
        let mut child = start_child("crash::writer_process", &[], folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledge = |line: std::io::Result<String>| {
            let line = line.unwrap();
            let (thread, number) = line.split_once(' ')?;
            answered.insert(thread.parse().ok()?, number.parse().ok()?);
            Some(())
        };
        let mut wanted = 40 + 37 * round;
        while wanted > 0 {
            let line = lines.next().expect("the writer goes on until it is killed");
            wanted -= usize::from(acknowledge(line).is_some());
        }
        child.kill().unwrap();
        for line in lines {
            acknowledge(line);
        }
        child.wait().unwrap();

        let (store, report) = open(folder.path());
        assert_eq!((report.lost_commits, report.quarantined), (0, 0));
        for (thread, number) in &answered {
            let key = format!("counter {thread}");
            let record = store.read(Tree::Meta, key.as_bytes()).unwrap().unwrap();
            let stored: u64 = record.decode().unwrap();
            assert!(
                stored >= *number,
                "{number} was answered, {stored} is stored"
            );
            for number in 1..=stored {
                let key = format!("{thread} {number}");
                let record = store.read(Tree::SyncLog, key.as_bytes()).unwrap();
                assert!(
                    record.is_some(),
                    "{key} was in the same batch as the counter"
                );
            }
            let key = format!("{thread} {}", stored + 1);
            assert_eq!(
                store.read(Tree::SyncLog, key.as_bytes()).unwrap(),
                None,
                "half a batch"
            );
        }
    }
}
