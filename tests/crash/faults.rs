//! Disks that are full, broken or read-only, and two who want the same profile.
//!
//! `CRASH_SEED` sets the seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use file_recorder::{Fault, FaultEffect, FaultKind, Recorder};
use storage::{CommitError, OpenError, Store, StoreConfig};

use crate::child;
use crate::disk::read_image;
use crate::patience::{HANGS, patiently};
use crate::random::{Random, setting};
use crate::workload::{Progress, Records, Workload, check_with, compare};
use crate::writer::write;

const NO_SPACE: i32 = 28;
const INPUT_OUTPUT: i32 = 5;
const READ_ONLY: i32 = 30;

const WORKLOAD: Workload = Workload {
    seed: 9,
    threads: 2,
    large: 20_000,
    relaxed: false,
};

fn open(profile: &Path) -> Result<Store, String> {
    match Store::open(StoreConfig::folder(profile)) {
        Ok((store, report)) if (report.lost_commits, report.quarantined) == (0, 0) => Ok(store),
        Ok((_, report)) => Err(format!("it reports a loss: {report:?}")),
        Err(error) => Err(format!("it cannot be opened: {error}")),
    }
}

/// What two origins were told: the number of the last batch of each that is durable.
#[derive(Clone, Debug, Default)]
struct Told {
    numbers: [u64; 2],
    records: [Records; 2],
}

impl Told {
    /// Commit the next batch of an origin.
    fn commit(&mut self, store: &Store, origin: usize) -> Result<(), CommitError> {
        let number = self.numbers[origin] + 1;
        store.commit(WORKLOAD.batch(origin as u64, number))?;
        self.numbers[origin] = number;
        WORKLOAD.apply(&mut self.records[origin], origin as u64, number);
        Ok(())
    }

    /// The store holds that and nothing else.
    fn check(&self, store: &Store) -> Result<(), String> {
        let progress = self.numbers.map(Progress::at);
        check_with(store, &WORKLOAD, &progress, |origin, _, found| {
            compare(&self.records[origin], found)
        })
        .map(drop)
    }
}

/// Run an ignored test in a namespace in which `folder` is a file system of `size`.
fn in_small_file_system(test: &str, size: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let script = format!("mount -t tmpfs -o size={size} none '{path}' && exec \"$@\"");
    let namespace = ["unshare", "-Urm", "sh", "-c", &script, "sh"];
    let probe = Command::new(namespace[0])
        .args(&namespace[1..])
        .arg("true")
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        #[expect(clippy::print_stderr, reason = "who runs the tests has to know")]
        {
            eprintln!("skipped {test}: this machine lets nobody mount a small file system");
        }
        return;
    }
    child::run(&namespace, test, &[path]);
}

/// Take all room that there is.
fn fill(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let piece = vec![1; 4096];
    let mut filler = fs::File::create(&file).unwrap();
    while std::io::Write::write_all(&mut filler, &piece).is_ok() {}
    file
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn full_disk_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let folder = Path::new(&arguments[0]);
    let profile = folder.join("profile");
    let mut told = Told::default();
    let mut store = open(&profile).unwrap();
    for _ in 0..20 {
        told.commit(&store, 0).unwrap();
    }
    for round in 0..3 {
        let filler = fill(folder, "filler");
        // What is reserved is used up at some time.
        let mut batches = 0;
        let refusal = loop {
            match told.commit(&store, 1) {
                Ok(()) => batches += 1,
                Err(error) => break error,
            }
            assert!(batches < 100_000, "it goes on for ever on a full disk");
        };
        assert_eq!(
            refusal,
            CommitError::DiskFull(profile.clone()),
            "round {round}"
        );
        for _ in 0..3 {
            told.check(&store).unwrap();
            // What does not fit now may fit next, but it must not be half there.
            let _ = told.commit(&store, 0);
        }
        told.check(&store).unwrap();
        if round == 1 {
            // A start on a full disk: all is there, or it says what is wrong.
            store.close();
            match Store::open(StoreConfig::folder(&profile)) {
                Ok((full, _)) => {
                    told.check(&full).unwrap();
                    full.close();
                }
                Err(error) => assert_eq!(error, OpenError::DiskFull(profile.clone())),
            }
            fs::remove_file(&filler).unwrap();
            store = open(&profile).unwrap();
        } else {
            fs::remove_file(&filler).unwrap();
        }
        for origin in [0, 1] {
            told.commit(&store, origin).expect("there is room again");
        }
        told.check(&store).unwrap();
    }
    store.close();
    told.check(&open(&profile).unwrap()).unwrap();
}

#[test]
fn a_full_disk_refuses_batches_until_there_is_room_and_loses_nothing() {
    in_small_file_system("faults::full_disk_process", "40m");
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn no_room_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let folder = Path::new(&arguments[0]);
    let profile = folder.join("profile");
    let filler = fill(folder, "filler");
    // From no room at all to just not enough.
    for left in [0, 4 << 10, 64 << 10, 512 << 10, 2 << 20, 6 << 20, 9 << 20] {
        let length = fs::metadata(&filler).unwrap().len();
        let file = fs::File::options().write(true).open(&filler).unwrap();
        file.set_len((28_u64 << 20).saturating_sub(left).min(length))
            .unwrap();
        match Store::open(StoreConfig::folder(&profile)) {
            Ok((store, _)) => store.close(),
            Err(error) => assert_eq!(error, OpenError::DiskFull(profile.clone()), "{left}"),
        }
    }
    fs::remove_file(&filler).unwrap();
    let store = open(&profile).unwrap();
    Told::default().commit(&store, 0).unwrap();
}

#[test]
fn a_profile_that_found_no_room_opens_when_there_is_some() {
    in_small_file_system("faults::no_room_process", "28m");
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn read_only_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let folder = Path::new(&arguments[0]);
    let profile = folder.join("profile");
    let mut told = Told::default();
    let store = open(&profile).unwrap();
    told.commit(&store, 0).unwrap();
    store.close();
    let before = read_image(folder);
    let remount = |how: &str| {
        let options = ["-o", how, &arguments[0]].map(str::to_owned);
        // Threads of a store that was closed may still be about to let go of its files.
        while !Command::new("mount")
            .args(&options)
            .output()
            .unwrap()
            .status
            .success()
        {
            std::thread::yield_now();
        }
    };
    remount("remount,ro");
    for path in [&profile, &folder.join("new")] {
        let error = Store::open(StoreConfig::folder(path))
            .map(drop)
            .unwrap_err();
        assert_eq!(error, OpenError::ReadOnly(path.clone()));
        assert!(error.to_string().contains("check its permissions"));
    }
    assert!(read_image(folder) == before);
    remount("remount,rw");
    told.check(&open(&profile).unwrap()).unwrap();
}

#[test]
fn a_read_only_folder_is_refused_and_left_as_it_is() {
    in_small_file_system("faults::read_only_process", "40m");
}

/// One fault, from when the profile is opened or from when it is written to.
#[derive(Clone, Debug)]
struct Case {
    fault: Fault,
    /// The profile has been opened and written to before.
    used: bool,
    /// The fault begins when the store is open.
    after_opening: bool,
}

fn cases(random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    let kinds = [
        (FaultKind::Write, INPUT_OUTPUT),
        (FaultKind::Write, NO_SPACE),
        (FaultKind::Grow, NO_SPACE),
        (FaultKind::Sync, INPUT_OUTPUT),
        (FaultKind::Rearrange, INPUT_OUTPUT),
        (FaultKind::Open, INPUT_OUTPUT),
        (FaultKind::Open, READ_ONLY),
        (FaultKind::Read, INPUT_OUTPUT),
    ];
    for (kind, error) in kinds {
        for round in 0..14 {
            let skip = if round < 6 { round } else { random.below(60) };
            let mut fault = Fault::once(&[kind], skip, error);
            if random.one_in(2) {
                fault.times = if random.one_in(2) { u64::MAX } else { 3 };
            }
            if matches!(kind, FaultKind::Write | FaultKind::Read) && random.one_in(5) {
                fault.effect = FaultEffect::Short;
            }
            cases.push(Case {
                fault,
                used: !random.one_in(3),
                after_opening: random.one_in(2),
            });
        }
    }
    cases
}

/// Write while calls fail, and see that no harm is done: readers see what was acknowledged and
/// nothing else, and as soon as the fault is gone all works again.
fn survive(recorder: Recorder, case: &Case, profile: &Path) -> Result<(), String> {
    let mut told = Told::default();
    if case.used {
        let store = open(profile)?;
        for number in 0..20 {
            let commit = told.commit(&store, number % 2);
            commit.map_err(|error| format!("before the fault: {error}"))?;
        }
        store.close();
    }
    if !case.after_opening {
        recorder.inject(case.fault.clone());
    }
    let mut opened = open(profile).ok();
    if opened.is_none() {
        recorder.heal();
        opened = Some(open(profile).map_err(|what| format!("after a failed start {what}"))?);
    }
    let Some(store) = opened else {
        return Ok(());
    };
    told.check(&store)
        .or_else(|what| may_fail_to_read(case, what))?;
    if case.after_opening {
        recorder.inject(case.fault.clone());
    }
    let mut refused = 0;
    for number in 0..24 {
        let origin = number % 2;
        if told.commit(&store, origin).is_err() {
            refused += 1;
            told.check(&store)
                .or_else(|what| may_fail_to_read(case, what))
                .map_err(|what| format!("with batch {number} refused: {what}"))?;
        }
    }
    recorder.heal();
    let after = "after the fault";
    told.check(&store)
        .or_else(|what| may_fail_to_read(case, what))
        .map_err(|what| format!("{after}, {refused} refused: {what}"))?;
    for origin in [0, 1, 0] {
        told.commit(&store, origin)
            .map_err(|error| format!("{after}, {refused} refused: {error}"))?;
        told.check(&store)
            .map_err(|what| format!("{after}, {refused} refused, with a batch: {what}"))?;
    }
    store.close();
    let store = open(profile).map_err(|what| format!("after a restart {what}"))?;
    told.check(&store)
        .map_err(|what| format!("after a restart, {refused} refused: {what}"))
}

/// When the disk is broken some things cannot be read, and the store says so.
fn may_fail_to_read(case: &Case, what: String) -> Result<(), String> {
    let broken = case.fault.effect != FaultEffect::Error(NO_SPACE);
    if broken && what.contains("cannot be read") {
        return Ok(());
    }
    Err(what)
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn failing_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let folder = PathBuf::from(&arguments[0]);
    let recorder = Recorder::start(&folder, Path::new(&arguments[1])).unwrap();
    let mut random = Random::new(arguments[2].parse().unwrap());
    let mut failures = Vec::new();
    let mut injected = 0;
    let cases = cases(&mut random);
    for (index, case) in cases.iter().enumerate() {
        let profile = folder.join(format!("profile {index}"));
        let (own, path) = (case.clone(), profile.clone());
        if let Err(what) = patiently(move || survive(recorder, &own, &path)) {
            let hangs = what == HANGS;
            failures.push(format!("{index} {case:?}: {what}"));
            if hangs {
                break;
            }
        }
        recorder.heal();
        injected += usize::from(recorder.injected() > injected as u64);
        let _ = fs::remove_dir_all(profile);
    }
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
    assert!(injected > 50, "only {injected} faults had a call to hit");
}

#[test]
fn calls_that_fail_do_no_harm_once_they_succeed_again() {
    let outside = child::folder_in_memory();
    let (folder, log) = (outside.path().join("folder"), outside.path().join("log"));
    fs::create_dir(&folder).unwrap();
    let seed = setting("CRASH_SEED", 8).to_string();
    let arguments = [folder.to_str().unwrap(), log.to_str().unwrap(), &seed];
    child::run(&[], "faults::failing_process", &arguments);
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn busy_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let store = open(Path::new(&arguments[0])).unwrap();
    write(&store, WORKLOAD, u64::MAX, |what, thread, number| {
        child::tell(&format!("{what} {thread} {number}"));
    });
}

#[test]
fn a_second_opener_is_refused_and_does_not_disturb_the_first() {
    use std::io::{BufRead, BufReader};

    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("profile");
    let mut first = child::start(&[], "faults::busy_process", &[profile.to_str().unwrap()]);
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    let mut acknowledged = || {
        lines
            .find(|line| line.as_ref().unwrap().starts_with("acknowledged"))
            .expect("the first goes on")
    };
    for _ in 0..20 {
        acknowledged().unwrap();
        let error = Store::open(StoreConfig::folder(&profile))
            .map(drop)
            .unwrap_err();
        assert_eq!(error, OpenError::InUse(profile.clone()));
        assert!(error.to_string().contains("stop that one first"));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    open(&profile).unwrap();
}
