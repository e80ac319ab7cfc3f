//! Whatever happens in whatever order: what was answered is there.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::device::DatabaseError;
use storage::{Batch, Tree};

use crate::all;
use crate::disk::Disk;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, Option<u16>)>),
    BreakJournal(usize),
    BreakDatabase,
    Repair,
    PowerCut,
    Kill,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0..20_u8, prop::option::of(0..6000_u16));
    prop_oneof![
        12 => prop::collection::vec(change, 1..5).prop_map(Step::Commit),
        1 => (0..6_usize).prop_map(Step::BreakJournal),
        1 => Just(Step::BreakDatabase),
        3 => Just(Step::Repair),
        1 => Just(Step::PowerCut),
        1 => Just(Step::Kill),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_answered_is_there_whatever_fails(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut disk = Disk::default();
        let mut store = disk.open().0;
        let mut model: BTreeMap<String, String> = BTreeMap::new();
        // What it would be with one of the batches that failed since the last that did not.
        let mut in_doubt = Vec::new();
        for (round, step) in steps.into_iter().enumerate() {
            let mut refused = None;
            let mut reopened = false;
            match step {
                Step::Commit(changes) => {
                    let mut batch = Batch::new();
                    let mut next = model.clone();
                    for (key, length) in changes {
                        let key = format!("key {key}");
                        if let Some(length) = length {
                            let value = format!("{round} ").repeat(usize::from(length) / 3);
                            batch.put(Tree::Meta, key.as_bytes(), 1, value.clone().into_bytes());
                            next.insert(key, value);
                        } else {
                            batch.remove(Tree::Meta, key.as_bytes());
                            next.remove(&key);
                        }
                    }
                    match store.commit(batch) {
                        Ok(()) => {
                            model = next;
                            in_doubt.clear();
                        }
                        Err(_) => refused = Some(next),
                    }
                }
                Step::BreakJournal(calls) => disk.break_journal_after(calls),
                Step::BreakDatabase => disk.break_database(DatabaseError::Io("broken".to_owned())),
                Step::Repair => disk.repair(),
                Step::PowerCut | Step::Kill | Step::Close => {
                    let after = match step {
                        Step::PowerCut => disk.after_power_cut(),
                        Step::Kill => disk.after_kill(),
                        _ => {
                            store.close();
                            disk.after_power_cut()
                        }
                    };
                    let (opened, report) = after.open();
                    prop_assert_eq!((report.lost_commits, report.quarantined), (0, 0));
                    let shown = all(&opened);
                    let after_cut = all(&after.after_power_cut().open().0);
                    prop_assert_eq!(shown, after_cut, "what was shown stays");
                    disk = after;
                    store = opened;
                    reopened = true;
                }
            }
            let found: BTreeMap<String, String> = all(&store).into_iter().collect();
            if reopened && in_doubt.contains(&found) {
                model.clone_from(&found);
            }
            prop_assert_eq!(&found, &model, "step {}", round);
            if let Some(refused) = refused {
                // Whether it comes back after a power cut is open, but no half of it does.
                let cut = all(&disk.after_power_cut().open().0);
                let cut: BTreeMap<String, String> = cut.into_iter().collect();
                prop_assert!(cut == model || cut == refused);
                in_doubt.push(refused);
            }
        }
    }
}
