//! The shell's commands, as a user runs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wpt;
