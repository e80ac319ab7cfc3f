//! A worker's thread, seen from outside.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

use crate::bindings::RealmHandle;
use crate::event_loop::{TaskSender, Trusted};
use crate::services::Services;
use crate::watchdog::Terminator;

/// Native stack on top of what scripts may use: for the bindings, and for what runs outside of
/// scripts.
const STACK_MARGIN: usize = 2 << 20;

/// Something to do in a worker's realm.
type RealmTask = Box<dyn FnOnce(&RealmHandle) + Send>;

/// What others hold of a worker's thread.
#[derive(Default)]
pub(crate) struct Controls {
    terminated: AtomicBool,
    end_claimed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is to be done once there is a realm.
    waiting: Vec<RealmTask>,
    wires: Option<Wires>,
}

/// The way to a worker that has a realm.
pub(super) struct Wires {
    pub(super) tasks: TaskSender,
    pub(super) terminator: Terminator,
    pub(super) realm: Arc<Trusted<RealmHandle>>,
}

impl Wires {
    fn queue(&self, task: RealmTask) {
        let realm = Arc::clone(&self.realm);
        self.tasks.queue(move |event_loop| {
            if let Some(realm) = realm.get(event_loop) {
                task(&realm);
            }
        });
    }
}

impl Controls {
    /// Stops the worker, whatever it does.
    pub(crate) fn terminate(&self) {
        self.terminated.store(true, Ordering::SeqCst);
        // A worker that has no wires yet looks at the flag when it gets them.
        if let Some(wires) = &self.state.lock().wires {
            wires.terminator.terminate();
            // It may be waiting for a task.
            wires.tasks.queue(|_| {});
        }
    }

    /// Whether it was told to stop.
    pub(crate) fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }

    /// Queues a task, which runs after the worker's script. It is dropped if the worker has ended.
    pub(crate) fn queue(&self, task: impl FnOnce(&RealmHandle) + Send + 'static) {
        let mut state = self.state.lock();
        match &state.wires {
            Some(wires) => wires.queue(Box::new(task)),
            None => state.waiting.push(Box::new(task)),
        }
    }

    /// There is a realm now.
    pub(super) fn connect(&self, wires: Wires) {
        let mut state = self.state.lock();
        for task in std::mem::take(&mut state.waiting) {
            wires.queue(task);
        }
        state.wires = Some(wires);
    }

    /// Nothing is taken any more.
    fn disconnect(&self) {
        let state = std::mem::take(&mut *self.state.lock());
        // Not while the state is locked.
        drop(state);
    }

    /// Whether the one who asks is the first, who is to report the worker's end.
    pub(crate) fn claim_end(&self) -> bool {
        !self.end_claimed.swap(true, Ordering::SeqCst)
    }
}

/// A worker's thread. Dropping this leaves the worker alone.
pub(crate) struct WorkerThread {
    pub(crate) controls: Arc<Controls>,
    /// Dropped to wake what waits in the worker's thread.
    ending: Option<Sender<()>>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl WorkerThread {
    /// Starts a thread that runs `body`, which gets a channel that is disconnected when the worker
    /// is to end.
    ///
    /// # Errors
    ///
    /// The system has no thread.
    pub(crate) fn spawn(
        name: String,
        services: &Services,
        body: impl FnOnce(&Controls, Receiver<()>) + Send + 'static,
    ) -> io::Result<Self> {
        let controls = Arc::new(Controls::default());
        let (ending, to_end) = bounded(0);
        let (life, ended) = bounded::<()>(0);
        let stack_size = services.limits.stack_size.saturating_add(STACK_MARGIN);
        let own_controls = Arc::clone(&controls);
        thread::Builder::new()
            .name(name)
            .stack_size(stack_size)
            .spawn(move || {
                body(&own_controls, to_end);
                own_controls.disconnect();
                drop(life);
            })?;
        Ok(Self {
            controls,
            ending: Some(ending),
            ended,
        })
    }

    /// Stops the worker, whatever it does or waits for. Does not wait for its end.
    pub(crate) fn terminate(&mut self) {
        self.controls.terminate();
        self.ending = None;
    }

    /// Waits for the thread's end, at most this long. Returns whether it has ended.
    pub(crate) fn has_ended(&self, patience: Duration) -> bool {
        // Nothing is ever sent.
        self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}
