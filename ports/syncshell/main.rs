//! The headless shell's program; everything is in the library, so that tests can drive it.

use std::process::ExitCode;

fn main() -> ExitCode {
    syncshell::run()
}
