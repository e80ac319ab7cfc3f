//! The process that writes a workload into a profile while it is recorded.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use base::channel::Callback;
use file_recorder::{Fault, FaultKind, Operation, Recorder};
use storage::{CommitError, Durability, Store, StoreConfig};

use crate::child;
use crate::random::Random;
use crate::workload::{Progress, Workload, counter, found};

/// How many batches a thread submits at most before it waits for an answer.
const IN_FLIGHT: u64 = 4;

/// What a recorded writer is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) workload: Workload,
    /// How often it opens and closes the store.
    pub(crate) sessions: u64,
    /// How many batches each thread writes in one session.
    pub(crate) batches: u64,
    /// Syncs fail now and then. Batches that are refused for that are submitted again.
    pub(crate) failing_syncs: bool,
}

/// Let a process write into the profile in `folder`, and record it. Further sessions go on where
/// the profile is.
pub(crate) fn record(plan: &Plan, folder: &Path, log: &Path) {
    let Workload {
        seed,
        threads,
        large,
        relaxed,
    } = plan.workload;
    let relaxed = u64::from(relaxed);
    let failing = u64::from(plan.failing_syncs);
    let numbers = [
        seed,
        threads,
        large,
        relaxed,
        plan.sessions,
        plan.batches,
        failing,
    ];
    let numbers = numbers.map(|number| number.to_string());
    let mut arguments = vec![folder.to_str().unwrap(), log.to_str().unwrap()];
    arguments.extend(numbers.iter().map(String::as_str));
    child::run(&[], "writer::writer_process", &arguments);
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn writer_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let number = |index: usize| -> u64 { arguments[index].parse().unwrap() };
    let folder = PathBuf::from(&arguments[0]);
    let recorder = Recorder::start(&folder, Path::new(&arguments[1])).unwrap();
    let workload = Workload {
        seed: number(2),
        threads: number(3),
        large: number(4),
        relaxed: number(5) == 1,
    };
    for _ in 0..number(6) {
        let (store, _) = Store::open(config(&folder.join("profile"))).unwrap();
        if number(8) == 1 {
            write_with_failing_syncs(&store, recorder, workload, number(7));
            recorder.heal();
        }
        let last = write(&store, workload, number(7), move |what, thread, number| {
            recorder.mark(&format!("{what} {thread} {number}"));
        });
        store.close();
        for (thread, number) in (0..).zip(last) {
            recorder.mark(&format!("closed {thread} {number}"));
        }
    }
}

/// One thread after the other writes so many batches while some syncs fail.
fn write_with_failing_syncs(store: &Store, recorder: Recorder, workload: Workload, batches: u64) {
    let mut random = Random::new(workload.seed);
    let found = found(store).unwrap();
    for thread in 0..workload.threads {
        let start = found
            .get(&thread)
            .map_or(0, |records| counter(records, thread));
        for number in start + 1..=start + batches {
            recorder.mark(&format!("submitted {thread} {number}"));
            if random.one_in(4) {
                recorder.heal();
                recorder.inject(Fault::once(&[FaultKind::Sync], random.below(3), 5));
            }
            while store.commit(workload.batch(thread, number)).is_err() {}
            recorder.mark(&format!("acknowledged {thread} {number}"));
        }
    }
}

/// A store that has to clear out its journal often.
pub(crate) fn config(profile: &Path) -> StoreConfig {
    let mut config = StoreConfig::folder(profile);
    config.journal_capacity = 192 << 10;
    config
}

/// Each thread writes so many batches, and tells what it knows. Gives the number of the last batch
/// of each.
pub(crate) fn write(
    store: &Store,
    workload: Workload,
    batches: u64,
    tell: impl Fn(&str, u64, u64) + Copy + Send + Sync + 'static,
) -> Vec<u64> {
    let found = found(store).unwrap();
    let mut last = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..workload.threads {
            let start = found
                .get(&thread)
                .map_or(0, |records| counter(records, thread));
            // Whatever a reader has seen must stay.
            tell("found", thread, start);
            last.push(start.saturating_add(batches));
            scope.spawn(move || {
                // Every other thread waits for each answer.
                let in_flight = if thread.is_multiple_of(2) {
                    1
                } else {
                    IN_FLIGHT
                };
                let (sender, answers) = mpsc::channel();
                let mut answered = start;
                for number in start + 1..=start.saturating_add(batches) {
                    tell("submitted", thread, number);
                    let sender = sender.clone();
                    let done = Callback::new(move |result: Result<(), CommitError>| {
                        if result.is_ok() {
                            tell("acknowledged", thread, number);
                        }
                        let _ = sender.send(result);
                    });
                    submit(store, workload, thread, number, done);
                    while answered + in_flight <= number {
                        answers.recv().unwrap().unwrap();
                        answered += 1;
                    }
                }
                for _ in answered..start + batches {
                    answers.recv().unwrap().unwrap();
                }
            });
        }
    });
    last
}

/// Submit a batch, and before it the relaxed one that belongs there.
pub(crate) fn submit(
    store: &Store,
    workload: Workload,
    thread: u64,
    number: u64,
    done: Callback<Result<(), CommitError>>,
) {
    if let Some(relaxed) = workload.relaxed_batch(thread, number) {
        store.submit_with(relaxed, Durability::Relaxed, Callback::ignore());
    }
    store.submit(workload.batch(thread, number), done);
}

/// Take notice of what the writer said in a record.
pub(crate) fn note(progress: &mut [Progress], operation: &Operation) {
    if let Operation::Mark { text } = operation {
        listen(progress, text);
    }
}

/// Take notice of what the writer said.
pub(crate) fn listen(progress: &mut [Progress], text: &str) {
    let parts: Vec<&str> = text.split(' ').collect();
    let thread: usize = parts[1].parse().unwrap();
    let number = parts[2].parse().unwrap();
    match parts[0] {
        "found" => {
            progress[thread].submitted = number;
            progress[thread].acknowledged = number;
        }
        "closed" => progress[thread].relaxed = number / 2 * 2,
        "submitted" => {
            progress[thread].submitted = number;
            progress[thread].relaxed_submitted = number.max(progress[thread].relaxed_submitted);
        }
        "acknowledged" => progress[thread].acknowledged = number,
        other => panic!("the writer said {other}"),
    }
}
