use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use base::channel::Callback;
use network_traits::{ProbeId, ProbeOutcome};
use parking_lot::Mutex;

/// How many threads block at once. A resolver that hangs takes its thread with it for as long as the
/// system lets it; what comes later then waits, and fails at the monitor's time limit.
const MAX_THREADS: usize = 4;

type Task = Box<dyn FnOnce() + Send>;

/// Runs what blocks on threads of its own, which end when there is nothing left.
#[derive(Default)]
pub(super) struct BlockingTasks(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    /// What waits for a thread. Bounded by the monitor's limit of probes at once, since those that
    /// are cancelled leave it.
    waiting: VecDeque<(ProbeId, Task)>,
    threads: usize,
}

impl BlockingTasks {
    /// Runs a task as soon as a thread is free. When the system has no thread, `ended` says that the
    /// probe has failed.
    pub(super) fn run(
        &self,
        id: ProbeId,
        ended: Callback<ProbeOutcome>,
        task: impl FnOnce() + Send + 'static,
    ) {
        let mut queue = self.0.lock();
        queue.waiting.push_back((id, Box::new(task)));
        if queue.threads == MAX_THREADS {
            return;
        }
        let shared = Arc::clone(&self.0);
        let spawned = thread::Builder::new()
            .name("prober task".to_owned())
            .spawn(move || work(&shared));
        match spawned {
            Ok(_) => queue.threads += 1,
            // Another thread will come to it.
            Err(_) if queue.threads > 0 => {}
            Err(error) => {
                log::error!("no thread for a probe: {error}");
                queue.waiting.retain(|(waiting, _)| *waiting != id);
                ended.call(ProbeOutcome::Failed);
            }
        }
    }

    /// A task that has not started does not start any more.
    pub(super) fn cancel(&self, id: ProbeId) {
        self.0.lock().waiting.retain(|(waiting, _)| *waiting != id);
    }
}

/// Takes tasks until there are none. Whether there are none, and that this thread is one less, is
/// decided under one lock: a task that comes later gets a thread of its own.
fn work(queue: &Mutex<Queue>) {
    loop {
        let task = {
            let mut queue = queue.lock();
            let Some((_, task)) = queue.waiting.pop_front() else {
                queue.threads -= 1;
                return;
            };
            task
        };
        task();
    }
}

#[cfg(test)]
mod tests {
    use base::channel::unbounded;

    use super::*;

    #[test]
    fn tasks_beyond_the_limit_wait_and_can_be_cancelled() {
        let tasks = BlockingTasks::default();
        let (started, starts) = unbounded::<u64>();
        let (release, released) = unbounded::<()>();
        let released = Arc::new(Mutex::new(released));
        for id in 0..6 {
            let (started, released) = (started.clone(), Arc::clone(&released));
            tasks.run(ProbeId(id), Callback::ignore(), move || {
                let _ = started.send(id);
                let _ = released.lock().recv();
            });
        }
        drop(started);
        let mut first: Vec<_> = (0..MAX_THREADS).map(|_| starts.recv().unwrap()).collect();
        first.sort_unstable();
        assert_eq!(first, [0, 1, 2, 3]);
        assert_eq!(starts.try_recv(), None, "no thread is free");
        tasks.cancel(ProbeId(4));
        drop(release);
        assert_eq!(starts.recv(), Ok(5));
        assert!(starts.recv().is_err(), "the cancelled one never starts");
    }
}
