//! What the recorder notes is what happened.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use file_recorder::{Fault, FaultEffect, FaultKind, Operation, Recorder, read_log};

use crate::child;
use crate::disk::{Cut, Disk, Image, read_image};
use crate::random::Random;
use crate::workload::Workload;
use crate::writer::{self, Plan};

/// What a process that only was killed would leave.
fn replay(log: &Path) -> Image {
    let mut disk = Disk::default();
    for operation in read_log(log).unwrap() {
        disk.apply(&operation);
    }
    disk.image(Cut::Everything, &mut Random::new(0))
}

#[test]
fn the_record_of_a_store_gives_its_files_byte_for_byte() {
    let outside = tempfile::tempdir().unwrap();
    let (folder, log) = (outside.path().join("folder"), outside.path().join("log"));
    fs::create_dir(&folder).unwrap();
    let plan = Plan {
        workload: Workload {
            seed: 1,
            threads: 3,
            large: 100_000,
            relaxed: true,
        },
        sessions: 2,
        batches: 60,
        failing_syncs: false,
    };
    writer::record(&plan, &folder, &log);
    let (recorded, found) = (replay(&log), read_image(&folder));
    assert_eq!(
        recorded.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (path, content) in found {
        assert!(recorded[&path] == content, "{path} differs");
    }
}

#[test]
#[ignore = "started by another test, in a process of its own"]
fn busy_process() {
    let Some(arguments) = child::arguments() else {
        return;
    };
    let folder = Path::new(&arguments[0]);
    let recorder = Recorder::start(folder, Path::new(&arguments[1])).unwrap();
    fs::create_dir(folder.join("inner")).unwrap();
    let mut file = fs::File::create(folder.join("inner/file")).unwrap();
    file.write_all(b"one two three").unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    let mut duplicate = file.try_clone().unwrap();
    duplicate.write_all(b"TWO").unwrap();
    file.write_all(b"-").unwrap();
    file.write_all_at(b"!", 20).unwrap();
    let pieces = [b"a".as_slice(), b"bc"].map(std::io::IoSlice::new);
    assert_eq!(file.write_vectored(&pieces).unwrap(), 3);
    file.set_len(18).unwrap();
    file.sync_data().unwrap();
    let mut appending = fs::File::options()
        .append(true)
        .open(folder.join("inner/file"))
        .unwrap();
    appending.write_all(b"end").unwrap();
    fs::copy(folder.join("inner/file"), folder.join("copy")).unwrap();
    fs::rename(folder.join("inner/file"), folder.join("moved")).unwrap();
    fs::File::create(folder.join("inner/gone")).unwrap();
    fs::remove_file(folder.join("inner/gone")).unwrap();
    fs::remove_dir(folder.join("inner")).unwrap();
    fs::write(folder.join("copy"), "anew").unwrap();

    let full = std::io::ErrorKind::StorageFull;
    recorder.inject(Fault::every(&[FaultKind::Grow], 28).on("inner/file"));
    assert_eq!(appending.write_all(b"more").unwrap_err().kind(), full);
    file.write_all_at(b"here", 0).unwrap();
    recorder.heal();
    recorder.inject(Fault {
        effect: FaultEffect::Short,
        ..Fault::once(&[FaultKind::Write], 1, 0)
    });
    assert_eq!(appending.write(b"1234").unwrap(), 4);
    assert_eq!(appending.write(b"5678").unwrap(), 2);
    recorder.heal();
    recorder.inject(Fault::once(&[FaultKind::Sync], 0, 5));
    assert_eq!(appending.sync_all().unwrap_err().raw_os_error(), Some(5));
    appending.sync_all().unwrap();
    recorder.inject(Fault::once(&[FaultKind::Read], 0, 5));
    let mut copy = fs::File::open(folder.join("copy")).unwrap();
    let mut text = String::new();
    assert!(copy.read_to_string(&mut text).is_err());
    copy.read_to_string(&mut text).unwrap();
    assert_eq!((&*text, recorder.injected()), ("anew", 4));
    recorder.mark("the end");
}

#[test]
fn every_way_to_change_a_file_is_recorded() {
    let outside = tempfile::tempdir().unwrap();
    let (folder, log) = (outside.path().join("folder"), outside.path().join("log"));
    fs::create_dir(&folder).unwrap();
    let arguments = [&folder, &log].map(|path| path.to_str().unwrap());
    child::run(&[], "recording::busy_process", &arguments);
    assert_eq!(replay(&log), read_image(&folder));
    let operations = read_log(&log).unwrap();
    let syncs = |operation: &&Operation| matches!(operation, Operation::SyncFinished { .. });
    assert_eq!(operations.iter().filter(syncs).count(), 2);
    let text = "the end".to_owned();
    assert_eq!(operations.last(), Some(&Operation::Mark { text }));
}
