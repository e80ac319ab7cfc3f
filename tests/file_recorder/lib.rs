//! Records what a process does to the files of a folder, and makes it fail on request.
//!
//! A process that calls [`Recorder::start`] records itself: every change that its threads make
//! below the folder goes to a log, with its data and in the order in which the changes took effect,
//! and between them when a sync began, when it ended, and what the process has to say
//! ([`Recorder::mark`]). [`read_log`] gives the log back, and from it a test can tell what the disk
//! may hold after a power cut. [`Recorder::inject`] makes calls fail, as a full or broken disk does.
//!
//! # How it is made
//!
//! The system calls themselves are caught, not the functions of the C library in front of them: a
//! preloaded library would not see the calls of `rustix`, which speaks with the system directly,
//! and there would be a shared object to build and to find. A seccomp filter makes the system
//! send a signal instead of doing a call that has to do with files (`filter`); the handler of the
//! signal does the call itself, with a cookie that the filter lets through, notes what it did, and
//! goes on behind it (`calls`, with `registers` for what differs between processors). `record` is
//! what is known about open files, the log and the faults.
//!
//! The filter is for the thread that starts the recorder and for those that it starts. It cannot be
//! taken off again, so only a process that exists for this is recorded.
//!
//! A call that would change files in a way that the recorder does not know is noted as
//! [`Operation::Unsupported`], so nothing goes missing without a trace: who reads the log must fail
//! then.

mod operation;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod calls;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod filter;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod record;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod registers;

pub use operation::{Fault, FaultEffect, FaultKind, Operation, read_log};
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub use record::Recorder;
