//! Sites run in the shell, as their developers would run them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod demo;
mod explain;
#[cfg(target_arch = "x86_64")]
mod idle;
mod inspect;
mod killed;
mod leaving;
mod mdn;
mod namespace;
mod net;
mod network;
mod offline;
mod periodic;
mod permissions;
mod scripts;
mod shell_offline;
mod tls;
mod workbox;

use tests::{Shell, ShellOptions};

/// Start the shell under test.
fn shell(options: ShellOptions) -> Shell {
    Shell::start(env!("CARGO_BIN_EXE_shell-under-test"), &options)
}
