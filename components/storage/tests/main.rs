//! The store as its users see it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod crash;
mod damage;
mod devices;
mod disk;
mod folder;
mod interrupted;
mod model;
mod reclaim;
mod records;
mod samples;

use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use storage::{Batch, Direction, KeyRange, OpenReport, Store, StoreConfig, Tree};

fn open(folder: &Path) -> (Store, OpenReport) {
    Store::open(StoreConfig::folder(folder)).unwrap()
}

fn put(store: &Store, key: &str, value: &str) {
    store.commit(putting(&[(key, value)])).unwrap();
}

fn putting(entries: &[(&str, &str)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in entries {
        batch.put(Tree::Meta, key.as_bytes(), 1, value.as_bytes().to_vec());
    }
    batch
}

fn get(store: &Store, key: &str) -> Option<String> {
    let record = store.read(Tree::Meta, key.as_bytes()).unwrap()?;
    Some(String::from_utf8(record.value).unwrap())
}

/// The database of a closed store.
fn sled_at(folder: &Path) -> sled::Db {
    let folder = folder.join("database");
    loop {
        match sled::Config::new()
            .path(&folder)
            .flush_every_ms(None)
            .open()
        {
            Ok(database) => return database,
            // A thread of the database that was just closed still holds its lock.
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// All keys and values of the tree that these tests use.
fn all(store: &Store) -> Vec<(String, String)> {
    store
        .scan(Tree::Meta, KeyRange::all(), Direction::Forward)
        .map(|entry| {
            let (key, record) = entry.unwrap();
            (
                String::from_utf8(key).unwrap(),
                String::from_utf8(record.value).unwrap(),
            )
        })
        .collect()
}

/// Start this test binary again, as `program` followed by its own command line, to run one ignored
/// test in a process of its own. The test finds its folder with [`child_folder`].
fn start_child(test: &str, program: &[&str], folder: &Path) -> Child {
    let this = std::env::current_exe().unwrap();
    let mut line: Vec<&std::ffi::OsStr> = program.iter().map(AsRef::as_ref).collect();
    line.push(this.as_ref());
    let mut child = Command::new(line[0])
        .args(&line[1..])
        .args([
            "--exact",
            test,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    child
}

/// Nothing when nobody started this process to do something in a folder.
fn child_folder() -> Option<PathBuf> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    Some(PathBuf::from(line.trim_end())).filter(|folder| folder.is_absolute())
}

/// Tell the parent process something; it is told even if the process is killed right after.
fn tell(line: &str) {
    std::io::stdout()
        .lock()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
