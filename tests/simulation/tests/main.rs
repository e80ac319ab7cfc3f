//! Ten thousand seeds that are run with every change, in parts that run side by side; and delivery
//! on each kind of bad network. For more seeds see `cargo run --release -p simulation -- --help`.

mod delivering;

use simulation::Summary;

/// How many seeds one test runs.
const SEEDS: u64 = 1_000;

fn run_part(part: u64) {
    let mut summary = Summary::default();
    for seed in part * SEEDS..(part + 1) * SEEDS {
        match simulation::run(seed) {
            Ok(of_run) => summary = summary.and(of_run),
            Err(failure) => panic!("{failure}"),
        }
    }
    // Runs in which nothing happens show nothing.
    assert!(summary.acknowledged > 5 * SEEDS, "{summary:?}");
    assert!(summary.dispatched > 5 * SEEDS, "{summary:?}");
    assert!(summary.fulfilled > 3 * SEEDS, "{summary:?}");
    assert!(summary.dropped > SEEDS, "{summary:?}");
    assert!(summary.crashes > SEEDS, "{summary:?}");
    assert!(summary.probes > SEEDS / 10, "{summary:?}");
}

macro_rules! parts {
    ($($name:ident: $part:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            run_part($part);
        }
    )*};
}

parts! {
    nothing_is_lost_and_nothing_fires_that_may_not_0: 0,
    nothing_is_lost_and_nothing_fires_that_may_not_1: 1,
    nothing_is_lost_and_nothing_fires_that_may_not_2: 2,
    nothing_is_lost_and_nothing_fires_that_may_not_3: 3,
    nothing_is_lost_and_nothing_fires_that_may_not_4: 4,
    nothing_is_lost_and_nothing_fires_that_may_not_5: 5,
    nothing_is_lost_and_nothing_fires_that_may_not_6: 6,
    nothing_is_lost_and_nothing_fires_that_may_not_7: 7,
    nothing_is_lost_and_nothing_fires_that_may_not_8: 8,
    nothing_is_lost_and_nothing_fires_that_may_not_9: 9,
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let (first, second) = (simulation::account(seed), simulation::account(seed));
        assert!(!first.is_empty());
        assert_eq!(first, second, "seed {seed}");
    }
}
