//! Benchmarks of the service worker registrations. `cargo bench -p sw_registration` runs all; names
//! of sections and `--quick` can be given as arguments.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

mod get_registration;
/// The component's own, which it keeps to itself.
#[path = "../scope_map.rs"]
#[expect(
    dead_code,
    reason = "what is not measured here is used in the component"
)]
mod scope_map;
mod scope_match;
mod sites;

fn main() {
    bench_support::run_sections(
        env!("CARGO_TARGET_TMPDIR"),
        &[
            ("scope_match", scope_match::scope_match),
            ("get_registration", get_registration::get_registration),
        ],
    );
}
