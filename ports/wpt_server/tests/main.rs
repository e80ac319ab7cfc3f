//! The server, asked over real connections.

#![expect(clippy::print_stdout, reason = "a test that is left out says why")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod finding;
mod harness;
mod helping;
mod serving;
mod upstream;
