//! Benchmarks of the sync manager. `cargo bench -p sync_manager` runs all; names of sections and
//! `--quick` can be given as arguments.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(
    clippy::cast_precision_loss,
    reason = "what is counted here is far below 2^52"
)]

mod coming_online;
mod machine;
mod opening;
mod registering;
mod scheduling;
mod thread;
mod waiting;

fn main() {
    if let Some(arguments) = bench_support::child::arguments() {
        return opening::open_in_child(&arguments[0]);
    }
    bench_support::run_sections(
        env!("CARGO_TARGET_TMPDIR"),
        &[
            ("registering", registering::registering),
            ("scheduling", scheduling::scheduling),
            ("coming_online", coming_online::coming_online),
            ("waiting", waiting::waiting),
            ("opening", opening::opening),
        ],
    );
}
