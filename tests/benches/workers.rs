use std::path::Path;
use std::time::{Duration, Instant};

use base::channel::{Callback, Received, Receiver, unbounded};
use bench_support::{Bench, child, median, process};
use script::{ScriptReport, WindowOptions};
use url::Url;

use crate::profile;
use crate::running::{SESSION, builder, emulate_offline, start_with_scripts};

/// What is waited for at most; nothing is expected to take it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What workers with their scripts cost: many that are started for one event each when the network
/// comes back, and one with its page.
pub(crate) fn workers(bench: &mut Bench) {
    let scopes = bench.choose(1_000, 20);
    let folder = bench.scratch();
    let template = folder.path().join("template");
    let site = profile::make(&template, scopes, 1);
    let (mut last, mut memory) = (Vec::new(), Vec::new());
    for turn in 0..bench.choose(5, 1) {
        let profile = folder.path().join(format!("profile-{turn}"));
        profile::copy(&template, &profile);
        let [to_last, bytes] =
            child::run(&["workers", profile.to_str().unwrap(), &scopes.to_string()])[..]
        else {
            panic!("another answer than was asked for");
        };
        last.push(to_last);
        memory.push(bytes);
    }
    let row = "many workers";
    bench.value(row, "engine", scopes, ("last", "ns"), median(last));
    bench.value(row, "engine", scopes, ("memory", "bytes"), median(memory));

    let mut memory = Vec::new();
    for turn in 0..bench.choose(5, 1) {
        let profile = folder.path().join(format!("page-{turn}"));
        memory.extend(child::run(&[
            "page",
            site.url.as_str(),
            profile.to_str().unwrap(),
        ]));
    }
    let metric = ("memory", "bytes");
    bench.value("page and worker", "engine", 1, metric, median(memory));
}

/// The lines that scripts write to their consoles; anything else that goes wrong ends the process.
fn console() -> (Callback<ScriptReport>, Receiver<String>) {
    let (sender, lines) = unbounded();
    let report = Callback::new(move |report| match report {
        ScriptReport::Console { message, .. } => sender.send(message.text).unwrap(),
        ScriptReport::PageLoaded { .. } | ScriptReport::PageClosed { .. } => {}
        report => sender.send(format!("{report:?}")).unwrap(),
    });
    (report, lines)
}

fn wait_for(lines: &Receiver<String>, wanted: &str) {
    match lines.recv_timeout(Some(PATIENCE)) {
        Received::Message(line) => assert_eq!(line, wanted),
        end => panic!("waiting for {wanted}: {end:?}"),
    }
}

pub(crate) fn in_child(profile: &str, scopes: u64) {
    let (report, lines) = console();
    let builder = builder(Path::new(profile)).emulate_offline(SESSION);
    let (engine, _services) = start_with_scripts(builder, report, |threads| Box::new(threads));
    assert_eq!(engine.summary().syncs as u64, scopes);
    let start = Instant::now();
    emulate_offline(&engine, false);
    for _ in 0..scopes {
        wait_for(&lines, "outbox-0");
    }
    let last = start.elapsed().as_nanos() as f64;
    let memory = process::proportional_bytes(std::process::id()) as f64;
    child::answer(&[last, memory]);
    engine.shut_down();
}

pub(crate) fn page_in_child(address: &str, profile: &str) {
    let (report, lines) = console();
    let builder = builder(Path::new(profile));
    let (engine, services) = start_with_scripts(builder, report, |threads| Box::new(threads));
    let url = Url::parse(address).unwrap();
    let window = script::open(services, WindowOptions::new(url));
    // The page is ready, and the worker has its event, in either order.
    let mut told = [(); 2].map(|()| match lines.recv_timeout(Some(PATIENCE)) {
        Received::Message(line) => line,
        end => panic!("waiting for the page and its worker: {end:?}"),
    });
    told.sort();
    assert_eq!(told, ["outbox", "ready"]);
    child::answer(&[process::proportional_bytes(std::process::id()) as f64]);
    window.close();
    window.join(PATIENCE);
    engine.shut_down();
}
