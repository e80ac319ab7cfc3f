use std::hint::black_box;
use std::time::{Duration, Instant};

use base::StorageKey;
use bench_support::Bench;
use bench_support::criterion::{BatchSize, BenchmarkId, Criterion};
use sw_traits::EventOutcome;

use crate::machine::{Machine, key_at, offline, site};

/// What single operations cost among many registrations.
pub(crate) fn scheduling(bench: &mut Bench) {
    let counts = bench.choose(vec![1, 1_000, 10_000], vec![1, 1_000]);
    bench.criterion(|criterion| get_tags(criterion, &counts));
    let counts = bench.choose(vec![1, 1_000, 10_000, 100_000, 1_000_000], vec![1, 1_000]);
    bench.criterion(|criterion| completing(criterion, &counts));
}

/// `getTags()` against copying what the tags consist of.
fn get_tags(criterion: &mut Criterion, counts: &[u64]) {
    let mut group = criterion.benchmark_group("getTags");
    let scope = site(0);
    let storage_key = StorageKey::from_url(&scope).unwrap();
    for &count in counts {
        let mut machine = Machine::new(offline());
        machine.open_site(&scope);
        let mut bytes = Vec::new();
        let mut tags = Vec::new();
        for number in 0..count {
            let key = key_at(&scope, number);
            bytes.extend_from_slice(key.tag.code_units());
            tags.push(key.tag.clone());
            machine.register_open(key);
        }
        group.bench_function(BenchmarkId::new("cloning the tags", count), |bencher| {
            bencher.iter_with_large_drop(|| black_box(&tags).clone());
        });
        group.bench_function(BenchmarkId::new("sync manager", count), |bencher| {
            bencher.iter_with_large_drop(|| machine.tags(&scope, &storage_key));
        });
        group.bench_function(BenchmarkId::new("memcpy", count), |bencher| {
            bencher.iter_batched(
                || bytes.clone(),
                |mut copy| {
                    copy.copy_from_slice(black_box(&bytes));
                    copy
                },
                BatchSize::LargeInput,
            );
        });
    }
}

/// The event of one registration ends, while many others are in back-off.
fn completing(criterion: &mut Criterion, counts: &[u64]) {
    let mut group = criterion.benchmark_group("one completion among many");
    for &count in counts {
        let mut machine = Machine::with_waiting(count - 1);
        let scope = site(u64::MAX);
        machine.open_site(&scope);
        let mut number = 0;
        group.bench_function(BenchmarkId::new("sync manager", count), |bencher| {
            bencher.iter_custom(|times| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..times {
                    number += 1;
                    machine.register_open(key_at(&scope, number));
                    let event = machine.running.pop_front().unwrap();
                    let start = Instant::now();
                    let now = machine.now;
                    let outcome = EventOutcome::Fulfilled;
                    machine.manager.handle_event_ended(now, event, outcome);
                    machine.drain();
                    elapsed += start.elapsed();
                }
                elapsed
            });
        });
    }
}
