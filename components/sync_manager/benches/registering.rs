use std::hint::black_box;
use std::time::Instant;

use bench_support::{Append, Bench, Contestant, Echo, Race, peers, race};
use storage::StoreConfig;

use crate::machine::{Machine, key_at, offline, site};
use crate::thread::Registering;

/// `register()`: from the message of a page to the message that its promise resolves.
pub(crate) fn registering(bench: &mut Bench) {
    let folder = bench.scratch();
    let profile = folder.path().join("profile");
    let mut contestants: Vec<Box<dyn Contestant>> = vec![
        Box::new(Registering::start(
            "sync manager",
            StoreConfig::folder(profile),
        )),
        Box::new(Append::growing(folder.path())),
        Box::new(Append::one_by_one(folder.path())),
        Box::new(Append::preallocated(folder.path())),
    ];
    contestants.extend(peers::open(folder.path()));
    let rules = Race::new(bench, "durable register");
    race(bench, &rules, &mut contestants);

    let mut contestants: Vec<Box<dyn Contestant>> = vec![
        Box::new(Registering::start("sync manager", StoreConfig::memory())),
        Box::new(Echo::default()),
    ];
    let rules = Race::new(bench, "register in memory");
    race(bench, &rules, &mut contestants);

    bench.criterion(|criterion| {
        let mut group = criterion.benchmark_group("register, the state machine alone");
        group.bench_function("sync manager", |bencher| {
            let mut machine = Machine::new(offline());
            let scope = site(0);
            machine.open_site(&scope);
            let mut number = 0;
            bencher.iter_custom(|count| {
                let keys: Vec<_> = (0..count).map(|n| key_at(&scope, number + n)).collect();
                number += count;
                let start = Instant::now();
                for key in keys {
                    machine.register_open(black_box(key));
                }
                start.elapsed()
            });
            assert_eq!(machine.replies, number);
        });
    });
}
