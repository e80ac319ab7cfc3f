//! Finds Web Platform Tests in folders and serves them as the tests expect.
//!
//! - [`Tree`] says what is served: an ordered list of paths with the folders, files or bytes behind
//!   them.
//! - [`find()`] names the tests in a tree as upstream's manifest does.
//! - [`harness()`] is a tree with testharness.js, idlharness.js and the Web IDL of all specs, from
//!   npm packages.
//! - [`Server`] serves a tree from within the process: on two ports each for HTTP and HTTPS, under
//!   every host name that tests use ([`hosts::names`]), with a certificate made at the start
//!   ([`Certificates`]). It ends when it is dropped.
//! - [`Upstream`] is upstream's own server as a process, for tests with Python handlers. It has the
//!   same ports and certificates.
//!
//! The names do not resolve; who loads tests maps `*.test` to `127.0.0.1`.
//!
//! # What is served
//!
//! - Plain files with upstream's content types, `HEAD`, single byte ranges, and 404.
//! - Wrapper pages and scripts of `.any.js`, `.window.js` and `.worker.js`
//!   (<https://web-platform-tests.org/writing-tests/testharness.html>), for all kinds of workers,
//!   classic and module. A `.serviceworker.js` is no test, but a script that a page registers.
//! - `FILE.headers` and `__dir__.headers`, substituted when they are named `.sub.headers`.
//! - Substitution in files with `.sub.` in their names, and the pipes `sub`, `header`, `status`,
//!   `trickle` and `slice` (<https://web-platform-tests.org/writing-tests/server-pipes.html>).
//! - Helpers for tests which want to look at the server's side, so that no Python is needed: see
//!   [`helpers`].
//!
//! Upstream's Python handlers (`.py`) and `.asis` files are answered with 501 by [`Server`].

mod addresses;
mod certificates;
mod connection;
mod files;
mod find;
mod harness;
pub mod helpers;
pub mod hosts;
mod markup;
mod message;
mod metadata;
mod pipes;
mod respond;
mod server;
mod substitution;
mod tree;
mod upstream;
mod wrappers;

pub use addresses::Addresses;
pub use certificates::Certificates;
pub use find::{FindError, Test, TestKind, Timeout, find};
pub use harness::{HarnessMissing, harness};
pub use server::{Config, Server, StartError};
pub use tree::Tree;
pub use upstream::{Upstream, UpstreamConfig, UpstreamError};
