//! The host that starts, wakes and ends service workers.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use base::channel::Callback;
use base::ids::{EventId, WorkerId};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use sw_traits::{EventDispatch, FetchResponse, WorkerHost, WorkerHostEvent, WorkerLaunch};

use super::thread::{End, run};
use super::worker::Worker;
use crate::services::Services;
use crate::worker::thread::WorkerThread;

/// How long the thread of a terminated worker may take to end before it is left behind. Scripts
/// end at once; only a long step of the engine itself, which does not look at the stop flag, is
/// waited for.
const PATIENCE: Duration = Duration::from_secs(5);

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
    thread: WorkerThread,
    events: Callback<WorkerHostEvent>,
}

/// A worker whose thread is to end.
struct Terminated {
    worker: WorkerId,
    running: Running,
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
        events: Callback<WorkerHostEvent>,
    ) -> io::Result<WorkerThread> {
        let worker = launch.worker;
        let services = self.services.clone();
        let lives = self.lives.clone();
        let threads = Arc::clone(&self.threads);
        let name = format!("worker {worker}");
        WorkerThread::spawn(name, &self.services, move |controls, ending| {
            threads.fetch_add(1, Ordering::Relaxed);
            let end = catch_unwind(AssertUnwindSafe(|| {
                run(launch, &services, controls, ending, events.clone())
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
            drop(lives);
        })
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
    while let Ok(Terminated { worker, running }) = terminated.recv() {
        let Running { thread, events } = running;
        if thread.has_ended(PATIENCE) || !thread.controls.claim_end() {
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
            .retain(|_, running| !running.thread.has_ended(Duration::ZERO));
        let worker = launch.worker;
        match self.spawn(launch, events.clone()) {
            Ok(thread) => {
                let running = Running { thread, events };
                if let Some(mut replaced) = self.workers.insert(worker, running) {
                    log::error!("service worker {worker} is started twice");
                    replaced.thread.terminate();
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
            running.thread.controls.queue(move |realm| {
                if let Ok(worker) = Worker::of(realm) {
                    worker.dispatch(realm, dispatch);
                }
            });
        }
    }

    fn time_out(&mut self, worker: WorkerId, event: EventId) {
        if let Some(running) = self.workers.get(&worker) {
            running.thread.controls.queue(move |realm| {
                if let Ok(worker) = Worker::of(realm) {
                    worker.time_out(event);
                }
            });
        }
    }

    fn preload_ended(
        &mut self,
        worker: WorkerId,
        event: EventId,
        result: Result<FetchResponse, String>,
    ) {
        if let Some(running) = self.workers.get(&worker) {
            running.thread.controls.queue(move |realm| {
                if let Ok(worker) = Worker::of(realm) {
                    worker.preload_ended(realm, event, result);
                }
            });
        }
    }

    fn abort_fetch(&mut self, worker: WorkerId, event: EventId) {
        if let Some(running) = self.workers.get(&worker) {
            running.thread.controls.queue(move |realm| {
                if let Ok(worker) = Worker::of(realm) {
                    worker.abort_fetch(realm, event);
                }
            });
        }
    }

    fn terminate(&mut self, worker: WorkerId) {
        let Some(mut running) = self.workers.remove(&worker) else {
            return;
        };
        running.thread.terminate();
        self.reap(Terminated { worker, running });
    }

    fn shut_down(&mut self, patience: Duration) {
        for mut running in std::mem::take(&mut self.workers).into_values() {
            running.thread.terminate();
        }
        drop(self.lives.take());
        if !has_ended(&self.all_ended, patience) {
            let left = self.threads.load(Ordering::Relaxed);
            log::error!("{left} threads of service workers did not end and were left behind");
        }
    }
}
