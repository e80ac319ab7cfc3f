//! A writer that is killed again and again, on a profile that grows.
//!
//! `CRASH_SEED` and `CRASH_KILLS` set the seed and how often.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use file_recorder::{Fault, FaultEffect, FaultKind, Recorder};
use storage::Store;

use crate::child::{self, folder_in_memory};
use crate::random::{Random, setting};
use crate::workload::{Progress, Records, Workload, check_with, compare};
use crate::writer::{config, listen, write};

const WORKLOAD: Workload = Workload {
    seed: 5,
    threads: 4,
    large: 15_000,
    relaxed: true,
};

/// Writes until it is killed, and tells its parent about it. With a third argument it kills itself
/// in place of a call that changes a file, so that every step of opening and writing is hit.
#[test]
#[ignore = "started by another test, in a process of its own"]
fn writer_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let folder = Path::new(&arguments[0]);
    if let Some(calls) = arguments.get(2) {
        let recorder = Recorder::start(folder, Path::new(&arguments[1])).unwrap();
        let kinds = [
            FaultKind::Grow,
            FaultKind::Write,
            FaultKind::Sync,
            FaultKind::Rearrange,
        ];
        recorder.inject(Fault {
            effect: FaultEffect::Kill,
            ..Fault::once(&kinds, calls.parse().unwrap(), 0)
        });
    }
    let (store, report) = Store::open(config(&folder.join("profile"))).unwrap();
    assert_eq!((report.lost_commits, report.quarantined), (0, 0));
    write(&store, WORKLOAD, u64::MAX, |what, thread, number| {
        child::tell(&format!(">{what} {thread} {number}"));
    });
}

/// What the writers have told so far, and the records of each thread at some batch.
struct Witness {
    progress: Vec<Progress>,
    records: Vec<(u64, Records)>,
}

impl Witness {
    fn hear(&mut self, line: &str) {
        // The test runner of the writer does not end the line before its test.
        let Some((_, text)) = line.split_once('>') else {
            return;
        };
        let before = self.progress.clone();
        listen(&mut self.progress, text);
        // What a writer finds is what the ones before it were told.
        for (before, now) in before.iter().zip(&self.progress) {
            let range = before.acknowledged..=before.submitted.max(now.submitted);
            assert!(
                range.contains(&now.acknowledged),
                "{before:?}, and then a writer said {text}"
            );
        }
    }

    fn check(&mut self, store: &Store) {
        let records = &mut self.records;
        let seen = check_with(store, &WORKLOAD, &self.progress, |thread, number, found| {
            let (at, expected) = &mut records[thread];
            for number in *at + 1..=number {
                WORKLOAD.apply(expected, thread as u64, number);
            }
            *at = number;
            compare(expected, found)
        });
        self.progress = seen.unwrap_or_else(|what| panic!("{what}"));
    }
}

#[test]
fn every_acknowledged_batch_survives_hundreds_of_kills() {
    let mut random = Random::new(setting("CRASH_SEED", 7));
    // What a process has written survives it on any file system.
    let outside = folder_in_memory();
    let folder = outside.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let threads = usize::try_from(WORKLOAD.threads).unwrap();
    let mut witness = Witness {
        progress: vec![Progress::default(); threads],
        records: vec![(0, Records::new()); threads],
    };
    for round in 0..setting("CRASH_KILLS", 200) {
        let log = outside.path().join(format!("log {round}"));
        kill_one_writer(&folder, &log, &mut random, &mut witness);
        // Sometimes the next writer is the first to see what this one left.
        if !random.one_in(3) {
            let (store, report) = Store::open(config(&folder.join("profile"))).unwrap();
            assert_eq!(
                (report.lost_commits, report.quarantined),
                (0, 0),
                "round {round}"
            );
            witness.check(&store);
        }
    }
    let least = witness
        .progress
        .iter()
        .map(|progress| progress.acknowledged);
    assert!(least.min().unwrap() > 0, "every thread got something done");
}

/// Start a writer and kill it at some moment.
fn kill_one_writer(folder: &Path, log: &Path, random: &mut Random, witness: &mut Witness) {
    let from_inside = random.one_in(2);
    // Opening a profile takes some dozens of calls.
    let most = if random.one_in(2) { 40 } else { 100 };
    let calls = random.below(most).to_string();
    let (path, log_path) = (folder.to_str().unwrap(), log.to_str().unwrap());
    let mut arguments = vec![path, log_path];
    if from_inside {
        arguments.push(&calls);
    }
    let mut writer = child::start(&[], "killed::writer_process", &arguments);
    let mut output = writer.stdout.take().unwrap();
    let mut told = Vec::new();
    if !from_inside {
        // Some way into what it has to tell.
        told.resize(random.index(700), 0);
        output.read_exact(&mut told).unwrap();
        writer.kill().unwrap();
    }
    output.read_to_end(&mut told).unwrap();
    for line in String::from_utf8(told).unwrap().lines() {
        witness.hear(line);
    }
    let status = writer.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "the writer ended by itself");
}
