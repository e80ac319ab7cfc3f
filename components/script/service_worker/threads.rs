//! The host that starts, wakes and ends service workers.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use base::channel::Callback;
use base::ids::WorkerId;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use sw_traits::{EventDispatch, WorkerHost, WorkerHostEvent, WorkerLaunch};

use super::thread::{Controls, End, run};
use crate::services::Services;

/// How long the thread of a terminated worker may take to end before it is left behind. Scripts
/// end at once; only a long step of the engine itself, which does not look at the stop flag, is
/// waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Native stack on top of what scripts may use: for the bindings, and for what runs outside of
/// scripts.
const STACK_MARGIN: usize = 2 << 20;

/// Runs each service worker on a thread of its own, with an engine of its own.
pub struct ServiceWorkerThreads {
    services: Services,
    workers: BTreeMap<WorkerId, Running>,
    /// How many threads there are, those that were left behind included.
    threads: Arc<AtomicUsize>,
    /// Cloned by each thread and never used: disconnected when the last one has ended.
    lives: Option<Sender<()>>,
    all_ended: Receiver<()>,
    reaper: Option<Sender<Terminated>>,
}

struct Running {
    controls: Arc<Controls>,
    /// Dropped to wake what waits in the worker's thread.
    ending: Sender<()>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
    events: Callback<WorkerHostEvent>,
}

/// A worker whose thread is to end.
struct Terminated {
    worker: WorkerId,
    controls: Arc<Controls>,
    ended: Receiver<()>,
    events: Callback<WorkerHostEvent>,
}

impl ServiceWorkerThreads {
    /// A host without workers.
    pub fn new(services: Services) -> Self {
        let (lives, all_ended) = bounded(0);
        Self {
            services,
            workers: BTreeMap::new(),
            threads: Arc::default(),
            lives: Some(lives),
            all_ended,
            reaper: None,
        }
    }

    fn spawn(
        &self,
        launch: WorkerLaunch,
        controls: &Arc<Controls>,
        ending: Receiver<()>,
        life: Sender<()>,
        events: Callback<WorkerHostEvent>,
    ) -> std::io::Result<()> {
        let worker = launch.worker;
        let services = self.services.clone();
        let controls = Arc::clone(controls);
        let lives = self.lives.clone();
        let threads = Arc::clone(&self.threads);
        let stack = services.limits.stack_size.saturating_add(STACK_MARGIN);
        thread::Builder::new()
            .name(format!("worker {worker}"))
            .stack_size(stack)
            .spawn(move || {
                threads.fetch_add(1, Ordering::Relaxed);
                let end = catch_unwind(AssertUnwindSafe(|| {
                    run(launch, &services, &controls, ending, events.clone())
                }))
                // The panic hook has said what happened.
                .unwrap_or_else(|_| End::Stopped(Some("internal error".to_owned())));
                if controls.claim_end() {
                    events.call(match end {
                        End::StartFailed(reason) => WorkerHostEvent::StartFailed { worker, reason },
                        End::Stopped(crash) => WorkerHostEvent::Stopped { worker, crash },
                    });
                }
                threads.fetch_sub(1, Ordering::Relaxed);
                drop((life, lives));
            })
            .map(drop)
    }

    /// Has a thread that does not end reported, without waiting for it here.
    fn reap(&mut self, terminated: Terminated) {
        if self.reaper.is_none() {
            let (sender, receiver) = unbounded();
            let spawned = thread::Builder::new()
                .name("worker reaper".to_owned())
                .spawn(move || reap_all(&receiver));
            if let Err(error) = spawned {
                log::error!("no thread to wait for the end of workers: {error}");
                return;
            }
            self.reaper = Some(sender);
        }
        if let Some(reaper) = &self.reaper
            && reaper.send(terminated).is_err()
        {
            log::error!("nobody waits for the end of workers any more");
        }
    }
}

fn reap_all(terminated: &Receiver<Terminated>) {
    while let Ok(Terminated {
        worker,
        controls,
        ended,
        events,
    }) = terminated.recv()
    {
        if has_ended(&ended, PATIENCE) || !controls.claim_end() {
            continue;
        }
        let reason = format!(
            "its thread did not end within {} s and was left behind",
            PATIENCE.as_secs()
        );
        log::error!("service worker {worker}: {reason}");
        events.call(WorkerHostEvent::Stopped {
            worker,
            crash: Some(reason),
        });
    }
}

/// Waits until every clone of the other end is dropped. Nothing is ever sent.
fn has_ended(life: &Receiver<()>, patience: Duration) -> bool {
    life.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
}

impl WorkerHost for ServiceWorkerThreads {
    fn start(&mut self, launch: WorkerLaunch, events: Callback<WorkerHostEvent>) {
        // Those that ended by themselves.
        self.workers
            .retain(|_, running| !has_ended(&running.ended, Duration::ZERO));
        let worker = launch.worker;
        let controls = Arc::new(Controls::default());
        let (ending, to_end) = bounded(0);
        let (life, ended) = bounded(0);
        match self.spawn(launch, &controls, to_end, life, events.clone()) {
            Ok(()) => {
                let running = Running {
                    controls,
                    ending,
                    ended,
                    events,
                };
                if let Some(replaced) = self.workers.insert(worker, running) {
                    log::error!("service worker {worker} is started twice");
                    replaced.controls.terminate();
                }
            }
            Err(error) => {
                let reason = format!("there is no thread for the worker: {error}");
                events.call(WorkerHostEvent::StartFailed { worker, reason });
            }
        }
    }

    fn dispatch(&mut self, worker: WorkerId, dispatch: EventDispatch) {
        // A worker that has ended has said so.
        if let Some(running) = self.workers.get(&worker) {
            running.controls.dispatch(dispatch);
        }
    }

    fn terminate(&mut self, worker: WorkerId) {
        let Some(running) = self.workers.remove(&worker) else {
            return;
        };
        running.controls.terminate();
        drop(running.ending);
        self.reap(Terminated {
            worker,
            controls: running.controls,
            ended: running.ended,
            events: running.events,
        });
    }

    fn shut_down(&mut self, patience: Duration) {
        for running in std::mem::take(&mut self.workers).into_values() {
            running.controls.terminate();
            drop(running.ending);
        }
        drop(self.lives.take());
        if !has_ended(&self.all_ended, patience) {
            let left = self.threads.load(Ordering::Relaxed);
            log::error!("{left} threads of service workers did not end and were left behind");
        }
    }
}
