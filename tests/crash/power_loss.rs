//! Every state of the disk that a power cut may leave.
//!
//! A process writes and is recorded. From the record follows what the disk may hold at each moment.
//! Each such image is opened, and must hold every batch that was acknowledged before that moment
//! and no half of any other. Images are then written to as well, so that what is cut off next is the
//! repair of the cut before.
//!
//! `CRASH_SEED` and `CRASH_IMAGES` set the seed and how many images there are.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use base::channel::Callback;
use file_recorder::{Operation, read_log};
use storage::{CommitError, Store};

use crate::child::folder_in_memory;
use crate::disk::{Cut, Disk, Image, write_image};
use crate::random::{Random, setting};
use crate::workload::{History, Progress, Workload, check};
use crate::writer::{self, Plan, config, note, submit};

/// The disk at a moment, and what must be on it.
#[derive(Clone)]
struct Case {
    name: String,
    image: Image,
    progress: Vec<Progress>,
}

impl Case {
    /// A disk on which no profile has been created yet.
    fn empty(workload: Workload) -> Self {
        let threads = usize::try_from(workload.threads).unwrap();
        Self {
            name: "empty disk".to_owned(),
            image: Image::new(),
            progress: vec![Progress::default(); threads],
        }
    }
}

/// Open the profile of an image and check it; then again, to see that opening changed nothing; then
/// write to it, and look whether that is there the third time.
fn check_image(case: &Case, history: &History, workload: &Workload) -> Result<(), String> {
    let folder = folder_in_memory();
    write_image(&case.image, folder.path());
    let profile = folder.path().join("profile");
    let open = |time: &str| {
        let opened = panic::catch_unwind(|| Store::open(config(&profile)))
            .map_err(|_| format!("opening it {time} panics"))?;
        let (store, report) =
            opened.map_err(|error| format!("opening it {time} fails: {error}"))?;
        if (report.lost_commits, report.quarantined) != (0, 0) {
            return Err(format!("opened {time} it reports a loss: {report:?}"));
        }
        Ok(store)
    };
    let store = open("the first time")?;
    let mut exactly = check(&store, history, &case.progress)?;
    store.close();
    let store = open("the second time")?;
    check(&store, history, &exactly).map_err(|what| format!("the second time: {what}"))?;
    for (thread, progress) in (0..).zip(&mut exactly) {
        let next = progress.submitted + 1;
        let (sender, answer) = channel();
        let done = Callback::new(move |result| sender.send(result).unwrap_or(()));
        submit(&store, *workload, thread, next, done);
        let answer: Result<(), CommitError> = answer.recv().map_err(|_| "no answer".to_owned())?;
        answer.map_err(|error| format!("it takes no batch: {error}"))?;
        progress.submitted = next;
        progress.acknowledged = next;
    }
    store.close();
    let store = open("the third time")?;
    check(&store, history, &exactly).map_err(|what| format!("the third time: {what}"))?;
    Ok(())
}

/// Make some `count` images of the moments in a record and hand them to `take`.
fn images(
    mut disk: Disk,
    mut progress: Vec<Progress>,
    operations: &[Operation],
    count: u64,
    random: &mut Random,
    mut take: impl FnMut(Case),
) {
    let moments: u64 = operations.iter().map(weight).sum();
    for (at, operation) in operations.iter().enumerate() {
        disk.apply(operation);
        note(&mut progress, operation);
        for _ in 0..weight(operation) * count.div_ceil(moments) {
            if random.below(moments * count.div_ceil(moments)) >= count {
                continue;
            }
            let cut = Cut::ALL[random.index(Cut::ALL.len())];
            take(Case {
                name: format!("operation {at}, {cut:?}"),
                image: disk.image(cut, random),
                progress: progress.clone(),
            });
        }
    }
}

/// How interesting the moment after an operation is.
fn weight(operation: &Operation) -> u64 {
    match operation {
        Operation::Mark { text } if text.starts_with("acknowledged") => 1,
        Operation::Open { created: true, .. }
        | Operation::Rename { .. }
        | Operation::Remove { .. }
        | Operation::CreateFolder { .. } => 8,
        Operation::SyncFinished { .. } => 2,
        Operation::Write { .. }
        | Operation::Resize { .. }
        | Operation::Allocate { .. }
        | Operation::SyncStarted { .. } => 1,
        _ => 0,
    }
}

/// Check images on all processors; gives those that fail.
fn check_all(
    history: &History,
    workload: &Workload,
    make: impl FnOnce(&mut dyn FnMut(Case)),
) -> Vec<(Case, String)> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = sync_channel::<Case>(workers);
    let receiver = Mutex::new(receiver);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = receiver
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .recv();
                    let Ok(case) = next else { return };
                    let checked = panic::catch_unwind(AssertUnwindSafe(|| {
                        check_image(&case, history, workload)
                    }));
                    if let Err(what) = checked.unwrap_or(Err("it panics".to_owned())) {
                        failures
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((case, what));
                    }
                }
            });
        }
        make(&mut |case| sender.send(case).unwrap());
        drop(sender);
    });
    failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// A writer whose power is cut.
struct Generation<'a> {
    plan: Plan,
    history: &'a History,
    images: u64,
}

impl Generation<'_> {
    /// Record a writer on what a disk holds, cut the power, check. Gives some of the cases, for the
    /// next generation.
    fn run(&self, base: &Case, random: &mut Random, seed: u64) -> Vec<Case> {
        let outside = folder_in_memory();
        let (folder, log) = (outside.path().join("folder"), outside.path().join("log"));
        fs::create_dir(&folder).unwrap();
        write_image(&base.image, &folder);
        let disk = Disk::holding(&folder);
        writer::record(&self.plan, &folder, &log);
        let operations = read_log(&log).unwrap();
        let mut next = Vec::new();
        let mut chosen = random.clone();
        let failures = check_all(self.history, &self.plan.workload, |take| {
            let progress = base.progress.clone();
            images(
                disk,
                progress,
                &operations,
                self.images,
                random,
                |mut case| {
                    case.name = format!("{} > {}", base.name, case.name);
                    if chosen.one_in(self.images / 4 + 1) {
                        next.push(case.clone());
                    }
                    take(case);
                },
            );
        });
        if !failures.is_empty() {
            report(&failures, outside.keep(), seed);
        }
        next
    }
}

fn report(failures: &[(Case, String)], kept: PathBuf, seed: u64) -> ! {
    let lines: Vec<String> = failures
        .iter()
        .take(10)
        .map(|(case, what)| format!("{}: {what}", case.name))
        .collect();
    let image = kept.join("image");
    fs::create_dir_all(&image).unwrap();
    write_image(&failures[0].0.image, &image);
    panic!(
        "{} images fail (CRASH_SEED={seed}; the record and the first image are in {}):\n{}",
        failures.len(),
        Path::new(&kept).display(),
        lines.join("\n")
    );
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let seed = setting("CRASH_SEED", 20);
    cut_power(seed, setting("CRASH_IMAGES", 250));
}

#[test]
fn a_power_cut_while_a_profile_is_created_leaves_one_that_opens() {
    let seed = setting("CRASH_SEED", 21);
    let plan = Plan {
        workload: Workload {
            seed,
            threads: 1,
            large: 5000,
            relaxed: true,
        },
        sessions: 1,
        batches: 2,
        failing_syncs: false,
    };
    let history = History::new(plan.workload, plan.batches + 1);
    let generation = Generation {
        plan,
        history: &history,
        images: setting("CRASH_IMAGES", 250),
    };
    generation.run(&Case::empty(plan.workload), &mut Random::new(seed), seed);
}

#[test]
fn a_power_cut_after_syncs_that_failed_loses_nothing_that_was_acknowledged() {
    let seed = setting("CRASH_SEED", 22);
    let plan = Plan {
        workload: Workload {
            seed,
            threads: 2,
            large: 20_000,
            relaxed: false,
        },
        sessions: 1,
        batches: 40,
        failing_syncs: true,
    };
    let history = History::new(plan.workload, 2 * plan.batches + 1);
    let generation = Generation {
        plan,
        history: &history,
        images: setting("CRASH_IMAGES", 150),
    };
    generation.run(&Case::empty(plan.workload), &mut Random::new(seed), seed);
}

#[test]
#[ignore = "takes minutes; CRASH_SEED and CRASH_IMAGES say which and how many"]
fn power_cuts_with_many_seeds() {
    let first = setting("CRASH_SEED", 1000);
    for seed in first..first + setting("CRASH_SEEDS", 20) {
        cut_power(seed, setting("CRASH_IMAGES", 500));
    }
}

fn cut_power(seed: u64, count: u64) {
    let mut random = Random::new(seed);
    let plan = Plan {
        workload: Workload {
            seed,
            threads: 4,
            large: 60_000,
            relaxed: true,
        },
        sessions: 3,
        batches: 25,
        failing_syncs: false,
    };
    let history = History::new(plan.workload, 3 * plan.sessions * plan.batches);
    let generation = Generation {
        plan,
        history: &history,
        images: count / 2,
    };
    let bases = generation.run(&Case::empty(plan.workload), &mut random, seed);
    let generation = Generation {
        plan: Plan {
            sessions: 1,
            batches: 5,
            ..plan
        },
        history: &history,
        images: count / 2 / (bases.len() as u64 + 1),
    };
    for base in &bases {
        generation.run(base, &mut random, seed);
    }
}
