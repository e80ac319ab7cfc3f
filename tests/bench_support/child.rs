//! Parts of a benchmark that need a process of their own: a clean memory, cold files of a program.

use std::process::{Command, Stdio};

const MARK: &str = "--in-child";

/// Run this program once more, with these arguments, and get the numbers that it
/// [answered](answer).
pub fn run(arguments: &[&str]) -> Vec<f64> {
    answer_of(Command::new(std::env::current_exe().unwrap()), arguments)
}

/// The same in a new network namespace, as its administrator. Nothing when the system does not
/// permit it.
pub fn run_in_namespace(arguments: &[&str]) -> Option<Vec<f64>> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]);
        command
    };
    let is_permitted = unshare().arg("true").status().is_ok_and(|it| it.success());
    let mut command = unshare();
    command.arg(std::env::current_exe().unwrap());
    is_permitted.then(|| answer_of(command, arguments))
}

/// This program once more, with these arguments, in a network namespace of its own.
pub fn elsewhere(arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--"]);
    command.arg(std::env::current_exe().unwrap());
    command.arg(MARK).args(arguments);
    command
}

fn answer_of(mut command: Command, arguments: &[&str]) -> Vec<f64> {
    let output = command
        .arg(MARK)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect()
}

/// The arguments, when this is such a process.
pub fn arguments() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == MARK).then(|| arguments.collect())
}

/// Tell the one who runs this process.
#[expect(clippy::print_stdout, reason = "the other process reads it")]
pub fn answer(numbers: &[f64]) {
    for number in numbers {
        println!("{number}");
    }
}
