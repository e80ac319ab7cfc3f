//! Processes that do something with a profile and are watched from outside.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Start this test binary again to run one ignored test in a process of its own, as `program`
/// followed by its own command line. The test gets its arguments with [`arguments`].
pub(crate) fn start(program: &[&str], test: &str, arguments: &[&str]) -> Child {
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
    let text: String = arguments.iter().flat_map(|line| [line, "\n"]).collect();
    let input = child.stdin.as_mut().unwrap();
    input
        .write_all(format!("{}\n{text}", arguments.len()).as_bytes())
        .unwrap();
    child
}

/// Run such a test to its end, and fail when it fails.
pub(crate) fn run(program: &[&str], test: &str, arguments: &[&str]) {
    let output = start(program, test, arguments).wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{test} with {arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
}

/// What the test that started this process said. Nothing when it was not started by one.
pub(crate) fn arguments() -> Option<Vec<String>> {
    let mut lines = std::io::stdin().lock().lines();
    let count: usize = lines.next()?.ok()?.parse().ok()?;
    lines.take(count).collect::<Result<_, _>>().ok()
}

/// Tell the parent process something; it is told even if the process is killed right after.
pub(crate) fn tell(line: &str) {
    std::io::stdout()
        .lock()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

/// A folder for files of a test that need not survive a power cut: in memory where there is such a
/// place, because tests of power cuts write much and sync often.
pub(crate) fn folder_in_memory() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    tempfile::tempdir_in(memory)
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
