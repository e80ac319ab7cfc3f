use std::time::{Duration, Instant};

use crate::bench::{Bench, median};
use crate::latencies::Latencies;

/// How many bytes one record has, key and value together: about what a sync registration takes.
pub const RECORD_BYTES: usize = 157;

const KEY_BYTES: usize = 61;

/// The key and the value of the record with this number; no two are alike.
pub fn record(number: u64) -> (Vec<u8>, Vec<u8>) {
    // A counter times an odd number: spread over the whole space, as origins and tags are.
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let key = format!("https://site-{spread:016x}.example/ {number:016x}");
    let mut key = key.into_bytes();
    key.resize(KEY_BYTES, b'.');
    let value = spread.to_le_bytes();
    let value = value.into_iter().cycle();
    (key, value.take(RECORD_BYTES - KEY_BYTES).collect())
}

/// Makes records durable.
pub trait Contestant {
    /// What it is called in the report.
    fn name(&self) -> &'static str;

    /// Make new records durable until it is time to end, with this many on their way at any time,
    /// and wait for the last one. The latency of each is from when it is handed over until it is
    /// known to be durable.
    fn run(&mut self, in_flight: usize, end: Instant, latencies: &mut Latencies);
}

/// How a race is held.
#[derive(Clone, Debug)]
pub struct Race {
    /// What is measured.
    pub row: &'static str,
    /// With how many on their way.
    pub in_flight: Vec<usize>,
    /// How many turns each contestant has with each number.
    pub turns: usize,
    /// How long a turn takes.
    pub turn: Duration,
}

impl Race {
    /// What is usual for this program.
    pub fn new(bench: &Bench, row: &'static str) -> Self {
        Self {
            row,
            in_flight: bench.choose(vec![1, 4, 16, 64, 128], vec![1, 128]),
            turns: bench.choose(7, 1),
            turn: Duration::from_millis(bench.choose(700, 60)),
        }
    }
}

/// Let the contestants do the same work in turns, and keep the latencies at which half and 99 of 100
/// records were durable, and the records per second (the median turn's).
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn race(bench: &mut Bench, race: &Race, contestants: &mut [Box<dyn Contestant + '_>]) {
    for &in_flight in &race.in_flight {
        let mut results: Vec<(Latencies, Vec<f64>)> = Vec::new();
        results.resize_with(contestants.len(), Default::default);
        for _ in 0..race.turns {
            for (contestant, (latencies, rates)) in contestants.iter_mut().zip(&mut results) {
                let before = latencies.count();
                let start = Instant::now();
                contestant.run(in_flight, start + race.turn, latencies);
                let count = (latencies.count() - before) as f64;
                rates.push(count / start.elapsed().as_secs_f64());
            }
        }
        for (contestant, (latencies, rates)) in contestants.iter().zip(results) {
            let (who, at) = (contestant.name(), in_flight as u64);
            bench.value(race.row, who, at, ("p50", "ns"), latencies.quantile(0.5));
            bench.value(race.row, who, at, ("p99", "ns"), latencies.quantile(0.99));
            bench.value(race.row, who, at, ("rate", "/s"), median(rates));
        }
    }
}
