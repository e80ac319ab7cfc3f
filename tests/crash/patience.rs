//! Things that must come to an end.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How long something may take on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is said of things that do not come to an end.
pub(crate) const HANGS: &str = "it hangs";

/// Do something that must neither panic nor hang.
pub(crate) fn patiently<T: Send + 'static>(
    task: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || sender.send(task()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(HANGS.to_owned()),
        Err(RecvTimeoutError::Disconnected) => Err("it panics".to_owned()),
    }
}

/// Do something for each of some cases on all processors. Gives the cases that fail, with what is
/// wrong.
pub(crate) fn each<C: Clone + Send + Sync + 'static>(
    cases: &[C],
    task: impl Fn(&C) -> Result<(), String> + Clone + Send + Sync + 'static,
) -> Vec<(C, String)> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        loop {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(case) = cases.get(index) else {
                return failures;
            };
            let (task, own) = (task.clone(), case.clone());
            if let Err(what) = patiently(move || task(&own)) {
                failures.push((case.clone(), what));
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    })
}
