use std::path::Path;
use std::time::Instant;

use bench_support::{Bench, child, median};

use crate::profile;
use crate::running::{builder, start_agreeable};

/// A process starts an engine on a profile with many tags that are due: how long until the host of
/// the workers gets the first event, and the last.
pub(crate) fn start(bench: &mut Bench) {
    let tags = bench.choose(1_000, 20);
    let folder = bench.scratch();
    let template = folder.path().join("template");
    let _site = profile::make(&template, 1, tags);
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for turn in 0..bench.choose(9, 1) {
        let profile = folder.path().join(format!("profile-{turn}"));
        profile::copy(&template, &profile);
        let [to_first, to_last] =
            child::run(&["start", profile.to_str().unwrap(), &tags.to_string()])[..]
        else {
            panic!("another answer than was asked for");
        };
        first.push(to_first);
        last.push(to_last);
    }
    bench.value("start", "engine", tags, ("first", "ns"), median(first));
    bench.value("start", "engine", tags, ("last", "ns"), median(last));
}

pub(crate) fn in_child(profile: &str, tags: u64) {
    let start = Instant::now();
    let (engine, events) = start_agreeable(builder(Path::new(profile)));
    events.recv().unwrap();
    let first = start.elapsed();
    for _ in 1..tags {
        events.recv().unwrap();
    }
    let last = start.elapsed();
    child::answer(&[first.as_nanos() as f64, last.as_nanos() as f64]);
    engine.shut_down();
}
