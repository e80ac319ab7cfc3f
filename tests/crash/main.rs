//! The store attacked from outside: power cuts, kills, full and broken disks, rotten files.
//!
//! - `recording`: what the recorder notes is what happened;
//! - `power_loss`: every state of the disk that a power cut may leave;
//! - `killed`: a writer that is killed again and again;
//! - `faults`: disks that are full, broken or read-only;
//! - `damage`: files that are not what they were.
//!
//! `workload` says what writers write and what must be found afterwards, `disk` what a disk holds
//! after a power cut, `child` starts processes, `patience` ends what hangs.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod child;
mod damage;
mod disk;
mod faults;
mod killed;
mod patience;
mod power_loss;
mod random;
mod recording;
mod workload;
mod writer;
