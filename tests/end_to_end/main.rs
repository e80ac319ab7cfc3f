//! Sites run in the shell, as their developers would run them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod demo;
mod inspect;
mod killed;
mod mdn;
mod network;

use tests::{Shell, ShellOptions};

/// Start the shell under test.
fn shell(options: ShellOptions) -> Shell {
    Shell::start(env!("CARGO_BIN_EXE_shell-under-test"), &options)
}
