//! The headless shell, as the tests run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    syncshell::run()
}
