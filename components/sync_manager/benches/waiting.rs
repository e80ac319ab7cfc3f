use std::collections::BTreeSet;

use bench_support::Bench;
use sw_traits::EventOutcome;

use crate::machine::Machine;

/// Many registrations in back-off: how often the manager wants to be called until the last of them
/// has fired, against how many different due times they have.
pub(crate) fn waiting(bench: &mut Bench) {
    let row = "waiting in back-off";
    let count = bench.choose(100_000, 1_000);
    let mut machine = Machine::with_waiting(count);
    let due: BTreeSet<_> = machine
        .manager
        .snapshot()
        .into_iter()
        .map(|info| info.due.unwrap())
        .collect();
    let mut wake_ups = 0;
    let mut fired = 0;
    while fired < count {
        let wait = machine.manager.poll_deadline().after(machine.now).unwrap();
        machine.now = machine.now.saturating_add(wait);
        wake_ups += 1;
        machine.manager.handle_time(machine.now);
        machine.drain();
        fired += machine.end_all(&EventOutcome::Fulfilled);
    }
    let metric = ("wake-ups", "count");
    bench.value(row, "sync manager", count, metric, f64::from(wake_ups));
    bench.value(row, "due times", count, metric, due.len() as f64);
}
