//! Benchmarks of whole engines. `cargo bench -p tests` runs all; names of sections and `--quick` can
//! be given as arguments.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(
    clippy::cast_precision_loss,
    reason = "what is counted here is far below 2^52"
)]

mod contexts;
mod handlers;
mod idle;
mod link_up;
mod profile;
mod running;
mod start;
mod workers;

fn main() {
    if let Some(arguments) = bench_support::child::arguments() {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        return match arguments[..] {
            ["start", profile, tags] => start::in_child(profile, tags.parse().unwrap()),
            ["idle", profile, seconds] => idle::in_child(profile, seconds.parse().unwrap()),
            ["workers", profile, scopes] => workers::in_child(profile, scopes.parse().unwrap()),
            ["page", address, profile] => workers::page_in_child(address, profile),
            ["link up", profile, events, worker] => {
                link_up::in_child(profile, events.parse().unwrap(), worker);
            }
            ["far site", certificate] => link_up::site_in_child(certificate),
            _ => panic!("no part of a benchmark: {arguments:?}"),
        };
    }
    bench_support::run_sections(
        env!("CARGO_TARGET_TMPDIR"),
        &[
            ("start", start::start),
            ("idle", idle::idle),
            ("handlers", handlers::handlers),
            ("workers", workers::workers),
            ("link-up", link_up::link_up),
        ],
    );
}
