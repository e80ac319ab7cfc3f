use std::hint::black_box;
use std::time::Instant;

use base::channel::unbounded;
use bench_support::{Bench, median};
use sw_traits::{EventOutcome, WorkerEvent};

use crate::machine::{Machine, key, offline, online};

/// The network comes back while many registrations wait for it: how long until the first and until
/// the last of them is dispatched, with workers that are done at once and a store that needs no
/// time.
pub(crate) fn coming_online(bench: &mut Bench) {
    let row = "come online";
    for count in bench.choose(vec![1, 10, 100, 1_000, 10_000, 100_000], vec![1, 1_000]) {
        let (mut first, mut last, mut sends) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.choose(9, 1) {
            let (to_first, to_last) = dispatch_all(count);
            first.push(to_first);
            last.push(to_last);
            sends.push(send_all(count));
        }
        let (to_first, to_last) = (("first", "ns"), ("last", "ns"));
        bench.value(row, "sync manager", count, to_first, median(first));
        bench.value(row, "sync manager", count, to_last, median(last));
        bench.value(row, "channel sends", count, to_last, median(sends));
    }
}

fn dispatch_all(count: u64) -> (f64, f64) {
    let mut machine = Machine::new(offline());
    for number in 0..count {
        machine.register(key(number));
    }
    let start = Instant::now();
    machine.set_network(online());
    let to_first = start.elapsed();
    let mut dispatched = 0;
    let mut to_last = to_first;
    while let Some(event) = machine.running.pop_front() {
        dispatched += 1;
        to_last = start.elapsed();
        let now = machine.now;
        let outcome = EventOutcome::Fulfilled;
        machine.manager.handle_event_ended(now, event, outcome);
        machine.drain();
    }
    assert_eq!(dispatched, count);
    (to_first.as_nanos() as f64, to_last.as_nanos() as f64)
}

/// The least that dispatching can cost: what an event consists of goes over a channel.
fn send_all(count: u64) -> f64 {
    let keys: Vec<_> = (0..count).map(key).collect();
    let (sender, receiver) = unbounded();
    let start = Instant::now();
    for key in &keys {
        let event = WorkerEvent::Sync {
            tag: key.tag.clone(),
            last_chance: false,
        };
        let message = (key.storage_key.clone(), key.scope.clone(), event);
        sender.send(black_box(message)).unwrap();
    }
    let elapsed = start.elapsed();
    drop(receiver);
    elapsed.as_nanos() as f64
}
