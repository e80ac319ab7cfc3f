use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use base::channel::{Callback, Receiver, unbounded};
use bench_support::{Bench, child, median, process};
use storage::{Batch, CommitError, Store, StoreConfig};
use sync_manager::{SyncManager, read};

use crate::machine::{Machine, key, offline, policy, start_of_time};

/// How many batches are on their way while a profile is made.
const IN_FLIGHT: usize = 512;

/// Open a profile with many registrations, until the manager can be told of the network: how long it
/// takes, and how much memory stays in use, against reading its files.
pub(crate) fn opening(bench: &mut Bench) {
    let row = "open a profile";
    for count in bench.choose(vec![1_000, 100_000, 1_000_000], vec![1_000]) {
        let folder = bench.scratch();
        let profile = folder.path().join("profile");
        make_profile(&profile, count);
        let (mut opened, mut read, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.choose(5, 1) {
            let [time, bytes, found] = child::run(&[profile.to_str().unwrap()])[..] else {
                panic!("another answer than was asked for");
            };
            assert!((found - count as f64).abs() < 0.5, "all are found");
            opened.push(time);
            memory.push(bytes / count as f64);
            let start = Instant::now();
            read_bytes(&profile);
            read.push(start.elapsed().as_nanos() as f64);
        }
        let metric = ("memory per registration", "bytes");
        bench.time(row, "sync manager", count, median(opened));
        bench.value(row, "sync manager", count, metric, median(memory));
        bench.time(row, "reading the files", count, median(read));
        let size = process::folder_bytes(&profile) as f64 / count as f64;
        let metric = ("size per registration", "bytes");
        bench.value(row, "the files", count, metric, size);
    }
}

/// In a process of its own.
pub(crate) fn open_in_child(profile: &str) {
    let before = process::resident_bytes();
    let start = Instant::now();
    let (store, _) = Store::open(StoreConfig::folder(profile)).unwrap();
    let recovered = read::recover(&store).unwrap();
    let manager = SyncManager::new(policy(), 7, recovered, start_of_time());
    let time = start.elapsed().as_nanos() as f64;
    let memory = process::resident_bytes().saturating_sub(before) as f64;
    let found = manager.snapshot().len() as f64;
    store.close();
    child::answer(&[time, memory, found]);
}

fn make_profile(profile: &Path, count: u64) {
    let (store, _) = Store::open(StoreConfig::folder(profile)).unwrap();
    let (sender, answers) = unbounded();
    let writer = Rc::new(RefCell::new(Writer {
        store,
        done: Callback::to_sender(&sender, |result: Result<(), CommitError>| result),
        answers,
        waiting: 0,
    }));
    let mut machine = Machine::new(offline());
    let for_machine = Rc::clone(&writer);
    machine.write = Some(Box::new(move |batch| for_machine.borrow_mut().write(batch)));
    for number in 0..count {
        machine.register(key(number));
    }
    let mut writer = writer.borrow_mut();
    while writer.waiting > 0 {
        writer.wait();
    }
    writer.store.close();
}

struct Writer {
    store: Store,
    done: Callback<Result<(), CommitError>>,
    answers: Receiver<Result<(), CommitError>>,
    waiting: usize,
}

impl Writer {
    fn write(&mut self, batch: Batch) {
        if self.waiting == IN_FLIGHT {
            self.wait();
        }
        self.store.submit(batch, self.done.clone());
        self.waiting += 1;
    }

    fn wait(&mut self) {
        self.answers.recv().unwrap().unwrap();
        self.waiting -= 1;
    }
}

/// Read every byte of a folder: the least that an open profile can cost.
fn read_bytes(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_bytes(&path);
        } else {
            std::hint::black_box(fs::read(path).unwrap());
        }
    }
}
