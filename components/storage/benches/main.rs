//! Benchmarks of the store. `cargo bench -p storage` runs all; names of sections and `--quick` can be
//! given as arguments.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(
    clippy::cast_precision_loss,
    reason = "what is counted here is far below 2^52"
)]

mod commits;
mod profiles;

fn main() {
    if let Some(arguments) = bench_support::child::arguments() {
        return profiles::open_in_child(&arguments[0]);
    }
    bench_support::run_sections(
        env!("CARGO_TARGET_TMPDIR"),
        &[
            ("commits", commits::commits),
            ("profiles", profiles::profiles),
        ],
    );
}
