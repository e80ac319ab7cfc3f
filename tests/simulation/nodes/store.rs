//! The thread of the store, around the real store on a simulated disk.

use std::time::Duration;

use base::channel::{Callback, Receiver, Sender, unbounded};
use base::ids::CommitId;
use storage::device::Devices;
use storage::{CommitError, Durability, Store, Tree};

use crate::context::{Committer, Context, Inside, Submission, SwMessage, SyncMessage};
use crate::nodes::disk::{Crash, Disk, Faults, SimulatedDatabase};

/// How long the journal may get. Short, so that checkpoints are many.
const CAPACITIES: [u64; 3] = [4 << 10, 16 << 10, 64 << 10];

/// The answer to a batch, as the store's callback gives it.
#[derive(Debug)]
struct Answer {
    committer: Committer,
    commit: CommitId,
    result: Result<(), String>,
}

/// The store, and the disk under it, which outlives the engine.
pub(crate) struct StoreNode {
    disk: Disk,
    store: Store,
    answers: (Sender<Answer>, Receiver<Answer>),
    /// A flush is on the agenda.
    flushing: bool,
    /// The disk is in a bad way.
    pub(crate) failing: bool,
}

impl StoreNode {
    pub(crate) fn new(context: &mut Context) -> Self {
        let disk = Disk::new(context.random.fork());
        Self {
            store: open(context, &disk),
            disk,
            answers: unbounded(),
            flushing: false,
            failing: false,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn has_work(&self, context: &Context) -> bool {
        !self.flushing && !context.to_store.is_empty()
    }

    /// Batches wait: begin to write them.
    pub(crate) fn step(&mut self, context: &mut Context) {
        self.flushing = true;
        let is_slow = !context.calm && context.random.chance(context.settings.disk.slow);
        let delay = context
            .random
            .up_to_millis(if is_slow { 20_000 } else { 4 });
        context.later(delay + Duration::from_micros(200), Inside::Flush);
    }

    /// The flush with what waits by now ends. Gives whether the process is still there.
    pub(crate) fn flush(&mut self, context: &mut Context) -> bool {
        self.flushing = false;
        self.disk.set_faults(self.faults(context));
        self.submit(context);
        self.store.drive();
        if self.disk.is_dead() {
            return false;
        }
        for answer in self.take_answers() {
            pass_on(context, answer);
        }
        true
    }

    fn take_answers(&self) -> Vec<Answer> {
        let receiver = &self.answers.1;
        std::iter::from_fn(|| receiver.try_recv()).collect()
    }

    fn faults(&self, context: &Context) -> Faults {
        if !self.failing || context.calm {
            return Faults::default();
        }
        context.settings.disk.faults
    }

    fn submit(&self, context: &mut Context) {
        for submission in std::mem::take(&mut context.to_store) {
            let Submission {
                committer,
                commit,
                batch,
            } = submission;
            // As the threads of the two components do.
            let is_log = committer == Committer::Sync && batch.only_changes(Tree::SyncLog);
            let durability = if is_log {
                Durability::Relaxed
            } else {
                Durability::Durable
            };
            let sender = self.answers.0.clone();
            let done = Callback::new(move |result: Result<(), CommitError>| {
                let _ = sender.send(Answer {
                    committer,
                    commit,
                    result: result.map_err(|error| error.to_string()),
                });
            });
            self.store.submit_with(batch, durability, done);
        }
    }

    /// The process ends in the middle of one of the next writes, and gives up what it was doing.
    pub(crate) fn crash_while_writing(&mut self, context: &mut Context) {
        self.disk.set_fuse(Some(context.random.below(12)));
    }

    /// Everything works from now on.
    pub(crate) fn repair(&mut self) {
        self.failing = false;
        self.disk.set_fuse(None);
    }

    /// The process is gone, and a new one opens what is left.
    pub(crate) fn crash(&mut self, context: &mut Context) {
        self.flushing = false;
        if !self.disk.is_dead() && context.random.chance(50) {
            // What waits has just got to the disk, and nobody has been told.
            self.submit(context);
            self.store.drive();
        }
        context.to_store.clear();
        self.disk.kill();
        self.store.close();
        self.take_answers();
        revive(context, &self.disk);
        self.disk.set_faults(Faults::default());
        if context.random.chance(20) {
            self.disk.set_fuse(Some(context.random.below(12)));
        }
        self.store = open(context, &self.disk);
    }

    /// The store is closed in order, and opened by a new process.
    pub(crate) fn restart(&mut self, context: &mut Context) {
        if !self.flush(context) {
            self.crash(context);
            return;
        }
        self.store.close();
        self.disk.settle();
        if self.disk.is_dead() {
            self.crash(context);
            return;
        }
        self.disk.set_faults(Faults::default());
        self.store = open(context, &self.disk);
    }
}

/// A new process finds what the last one has left.
fn revive(context: &mut Context, disk: &Disk) {
    let crash = if context.random.chance(50) {
        Crash::Killed
    } else {
        Crash::PowerCut
    };
    context.note(|| format!("disk: {crash:?}"));
    disk.revive(crash);
}

fn open(context: &mut Context, disk: &Disk) -> Store {
    let (store, report) = loop {
        let opened = Store::open_on(Devices {
            journal: Box::new(disk.clone()),
            database: Box::new(SimulatedDatabase::new(disk.clone())),
            salt: context.random.next(),
            journal_capacity: *context.random.pick(&CAPACITIES),
        });
        match opened {
            Ok(opened) => break opened,
            // The process may end while it opens its profile, and another may try again.
            Err(_) if disk.is_dead() => revive(context, disk),
            Err(error) => panic!("a disk that works cannot be opened: {error}"),
        }
    };
    context.note(|| format!("disk: {report:?}"));
    let is_sound = report.lost_commits == 0
        && !report.journal_damaged
        && report.quarantined == 0
        && report.snapshots_set_aside == 0
        && !report.repair_incomplete;
    if !is_sound {
        context
            .model
            .violate(format!("the store finds damage: {report:?}"));
    }
    store
}

fn pass_on(context: &mut Context, answer: Answer) {
    let Answer { commit, result, .. } = answer;
    match answer.committer {
        Committer::Sync => context
            .to_sync
            .push_back(SyncMessage::Committed(commit, result)),
        Committer::ServiceWorkers => context
            .to_service_workers
            .push_back(SwMessage::Committed(commit, result)),
    }
}
