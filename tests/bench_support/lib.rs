//! What the benchmarks of all components share.
//!
//! - [`Bench`]: one benchmark program; collects its [`Figure`]s in a file that the report reads.
//! - [`Contestant`] and [`race()`]: the same durable work done by several, in turns, so that what the
//!   machine does meanwhile hits all of them.
//! - [`Append`]: the limit that the disk sets. [`peers`]: what others need for the same work.
//! - [`child`]: what needs a process of its own. [`process`] and [`machine`]: what the kernel says about this process and this machine.

#![expect(
    clippy::disallowed_methods,
    reason = "benchmarks measure time, and nothing here is part of an engine"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![expect(
    clippy::missing_panics_doc,
    reason = "a benchmark that cannot go on has failed"
)]

mod append;
mod bench;
pub mod child;
mod clock;
mod echo;
mod grouping;
mod latencies;
pub mod machine;
pub mod peers;
pub mod process;
mod race;

pub use append::Append;
pub use bench::{Bench, Figure, Section, median, results_folder, run_sections};
pub use clock::SystemClock;
pub use criterion;
pub use echo::{Echo, keep_in_flight};
pub use grouping::{Grouping, Recorder};
pub use latencies::Latencies;
pub use race::{Contestant, RECORD_BYTES, Race, race, record};
