use std::path::Path;
use std::time::Duration;

use bench_support::{Bench, child, process};

use crate::profile;
use crate::running::{SESSION, builder, start_agreeable};

/// How long the engine gets to come to rest.
const SETTLING: Duration = Duration::from_secs(3);

/// An engine with nothing that is due: how often its threads wake up, and how much of the processor
/// they use.
pub(crate) fn idle(bench: &mut Bench) {
    let folder = bench.scratch();
    let profile = folder.path().join("profile");
    let _site = profile::make(&profile, 1, 1);
    let seconds = bench.choose("60", "1");
    let [wake_ups, nanos] = child::run(&["idle", profile.to_str().unwrap(), seconds])[..] else {
        panic!("another answer than was asked for");
    };
    let metric = ("wake-ups per minute", "count");
    bench.value("idle", "engine", 1, metric, wake_ups);
    let metric = ("processor time per minute", "ns");
    bench.value("idle", "engine", 1, metric, nanos);
}

pub(crate) fn in_child(profile: &str, seconds: u64) {
    let (engine, _events) = start_agreeable(builder(Path::new(profile)).emulate_offline(SESSION));
    std::thread::sleep(SETTLING);
    let before = (process::waits(), process::processor_nanos());
    std::thread::sleep(Duration::from_secs(seconds));
    let after = (process::waits(), process::processor_nanos());
    let minutes = seconds as f64 / 60.0;
    // This thread went to sleep once itself.
    let wake_ups = after.0.saturating_sub(before.0 + 1) as f64 / minutes;
    let nanos = after.1.saturating_sub(before.1) as f64 / minutes;
    child::answer(&[wake_ups, nanos]);
    engine.shut_down();
}
