//! The server, asked over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod finding;
mod helping;
mod serving;
