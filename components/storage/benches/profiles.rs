use std::fs;
use std::path::Path;
use std::time::Instant;

use base::channel::{Callback, unbounded};
use bench_support::{Bench, RECORD_BYTES, child, median, process, record};
use storage::{Batch, CommitError, Direction, KeyRange, Store, StoreConfig, Tree};

const TREE: Tree = Tree::SyncRegistrations;

/// How many batches are on their way at a time.
const IN_FLIGHT: u64 = 128;

fn open(folder: &Path) -> Store {
    Store::open(StoreConfig::folder(folder)).unwrap().0
}

/// Read every byte of a folder: the least that an open profile can cost.
fn read_bytes(folder: &Path) -> usize {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes += if path.is_dir() {
            read_bytes(&path)
        } else {
            fs::read(path).unwrap().len()
        };
    }
    bytes
}

fn opening(bench: &mut Bench, count: u64) {
    let folder = bench.scratch();
    let profile = folder.path().join("profile");
    let store = open(&profile);
    for start in (0..count).step_by(1_000) {
        let mut batch = Batch::new();
        for number in start..(start + 1_000).min(count) {
            let (key, value) = record(number);
            batch.put(TREE, &key, 1, value);
        }
        store.commit(batch).unwrap();
    }
    store.close();
    drop(store);
    let (mut opened, mut read, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.choose(5, 1) {
        let [time, bytes] = child::run(&[profile.to_str().unwrap()])[..] else {
            panic!("another answer than was asked for");
        };
        opened.push(time);
        memory.push(bytes);
        let start = Instant::now();
        let bytes = read_bytes(&profile);
        read.push(start.elapsed().as_nanos() as f64);
        assert!(bytes as u64 >= count * 100);
    }
    let row = "open a store and read its records";
    bench.time(row, "storage", count, median(opened));
    bench.time(row, "reading the files", count, median(read));
    let per_record = median(memory) / count as f64;
    let metric = ("memory per record", "bytes");
    bench.value(row, "storage", count, metric, per_record);
    let bytes = process::folder_bytes(&profile) as f64;
    bench.value(row, "storage", count, ("size", "bytes"), bytes);
    let bytes = count as f64 * RECORD_BYTES as f64;
    bench.value(row, "the records", count, ("size", "bytes"), bytes);
}

/// Make the batches that `batch` makes of the numbers durable, and wait for the last one.
fn commit_all(store: &Store, numbers: std::ops::Range<u64>, batch: impl Fn(u64) -> Batch) {
    let (answers, answered) = unbounded();
    for number in numbers.clone() {
        let done = Callback::to_sender(&answers, |result: Result<(), CommitError>| result);
        store.submit(batch(number), done);
    }
    for _ in numbers {
        answered.recv().unwrap().unwrap();
    }
}

fn put(number: u64) -> Batch {
    let (key, value) = record(number);
    let mut batch = Batch::new();
    batch.put(TREE, &key, 1, value);
    batch
}

fn remove(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.remove(TREE, &record(number).0);
    batch
}

/// The same few tags are registered and completed over and over: what stays in the folder, and what
/// each change writes.
fn reclaiming(bench: &mut Bench, counts: &[u64]) {
    let row = "reclaiming";
    let folder = bench.scratch();
    let profile = folder.path().join("profile");
    let store = open(&profile);
    let mut done = 0;
    let mut largest = 0;
    for &count in counts {
        let written = process::written_bytes();
        let before = done;
        while done < count {
            commit_all(&store, 0..IN_FLIGHT, put);
            commit_all(&store, 0..IN_FLIGHT, remove);
            done += IN_FLIGHT;
            if done.is_multiple_of(IN_FLIGHT * 16) {
                largest = largest.max(process::folder_bytes(&profile));
            }
        }
        let written = (process::written_bytes() - written) as f64;
        let changes = 2.0 * (done - before) as f64;
        let size = process::folder_bytes(&profile);
        largest = largest.max(size);
        bench.value(row, "storage", count, ("size", "bytes"), size as f64);
        bench.value(
            row,
            "storage",
            count,
            ("largest size", "bytes"),
            largest as f64,
        );
        bench.value(
            row,
            "storage",
            count,
            ("written per change", "bytes"),
            written / changes,
        );
        let record = RECORD_BYTES as f64;
        bench.value(
            row,
            "the record",
            count,
            ("written per change", "bytes"),
            record,
        );
    }
    store.close();
    drop(store);
    let size = process::folder_bytes(&profile) as f64;
    let last = counts[counts.len() - 1];
    bench.value(row, "storage, closed", last, ("size", "bytes"), size);
}

/// One change at a time: each of them is synced alone.
fn writing(bench: &mut Bench) {
    let row = "bytes written by one commit at a time";
    let count = bench.choose(5_000_u64, 200);
    let folder = bench.scratch();
    let store = open(&folder.path().join("profile"));
    let before = process::written_bytes();
    for number in 0..count {
        store.commit(put(number)).unwrap();
    }
    let per_commit = (process::written_bytes() - before) as f64 / count as f64;
    bench.value(
        row,
        "storage",
        1,
        ("written per change", "bytes"),
        per_commit,
    );
    let file = fs::File::create_new(folder.path().join("append")).unwrap();
    let before = process::written_bytes();
    for number in 0..count {
        use std::io::Write;
        let (key, value) = record(number);
        (&file).write_all(&[key, value].concat()).unwrap();
        file.sync_data().unwrap();
    }
    let per_commit = (process::written_bytes() - before) as f64 / count as f64;
    let who = "append + fdatasync";
    bench.value(row, who, 1, ("written per change", "bytes"), per_commit);
}

/// In a process of its own: how long it takes, and how much memory stays in use.
pub(crate) fn open_in_child(profile: &str) {
    let before = process::resident_bytes();
    let start = Instant::now();
    let store = open(Path::new(profile));
    let found = store.scan(TREE, KeyRange::all(), Direction::Forward);
    let found = found.map(Result::unwrap).count();
    let time = start.elapsed().as_nanos() as f64;
    let memory = process::resident_bytes().saturating_sub(before) as f64;
    assert!(found > 0);
    child::answer(&[time, memory]);
}

/// What a profile costs: opening one with many records, and the bytes that changes write and leave
/// behind.
pub(crate) fn profiles(bench: &mut Bench) {
    for count in bench.choose(vec![1_000, 100_000, 1_000_000], vec![1_000]) {
        opening(bench, count);
    }
    writing(bench);
    let counts = bench.choose(vec![10_000, 100_000, 1_000_000], vec![1_000]);
    reclaiming(bench, &counts);
}
