use std::path::Path;
use std::time::Instant;

use base::channel::{Callback, unbounded};
use bench_support::{
    Append, Bench, Contestant, Latencies, Race, keep_in_flight, peers, race, record,
};
use storage::{Batch, CommitError, Store, StoreConfig, Tree};

struct OurStore {
    store: Store,
    number: u64,
}

impl OurStore {
    fn open(folder: &Path) -> Self {
        let (store, _) = Store::open(StoreConfig::folder(folder.join("profile"))).unwrap();
        Self { store, number: 0 }
    }

    fn next(&mut self) -> Batch {
        self.number += 1;
        let (key, value) = record(self.number);
        let mut batch = Batch::new();
        batch.put(Tree::SyncRegistrations, &key, 1, value);
        batch
    }
}

impl Contestant for OurStore {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn run(&mut self, in_flight: usize, end: Instant, latencies: &mut Latencies) {
        let (answers, answered) = unbounded();
        let submit = || {
            let start = Instant::now();
            let answers = answers.clone();
            let done = Callback::new(move |result: Result<(), CommitError>| {
                result.unwrap();
                answers.send(start).unwrap();
            });
            let batch = self.next();
            self.store.submit(batch, done);
        };
        keep_in_flight(in_flight, end, latencies, submit, || {
            answered.recv().unwrap()
        });
    }
}

/// Durable commits: one at a time and many in flight, against what the disk allows and against
/// other stores that do the same work on the same disk.
pub(crate) fn commits(bench: &mut Bench) {
    let folder = bench.scratch();
    let mut contestants: Vec<Box<dyn Contestant>> = vec![
        Box::new(OurStore::open(folder.path())),
        Box::new(Append::growing(folder.path())),
        Box::new(Append::one_by_one(folder.path())),
        Box::new(Append::preallocated(folder.path())),
    ];
    contestants.extend(peers::open(folder.path()));
    let rules = Race::new(bench, "durable commit");
    race(bench, &rules, &mut contestants);
}
