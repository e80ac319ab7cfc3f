//! The thread of an agent: how it starts, how it is stopped from outside, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use base::channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use super::WindowOptions;
use super::agent::Agent;
use super::inbox::{Inbox, Input};
use crate::event_loop::EventLoop;
use crate::services::{ScriptReport, Services};
use crate::watchdog::Terminator;

/// Native stack that the engine's own functions and ours may use besides that of scripts.
const SPARE_STACK: usize = 2 << 20;

/// Why a page fails whose thread panicked. The panic hook has said what happened.
const PANICKED: &str = "internal error";

/// Ends an agent's scripts from outside.
#[derive(Clone, Default)]
pub(super) struct Stopper(Arc<StopperState>);

#[derive(Default)]
struct StopperState {
    terminator: Mutex<Option<Terminator>>,
    stopped: AtomicBool,
    ended: AtomicBool,
}

impl Stopper {
    /// Stop what runs, and let nothing run any more.
    pub(super) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
        if let Some(terminator) = &*self.0.terminator.lock() {
            terminator.terminate();
        }
    }

    /// Whether the thread takes nothing any more.
    pub(super) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }

    /// This engine is in use from now on.
    fn follow(&self, terminator: Terminator) {
        // The lock comes first: either this sees that the window is stopped, or the one who stops
        // it finds the terminator.
        let mut current = self.0.terminator.lock();
        if self.is_stopped() {
            terminator.terminate();
        }
        current.replace(terminator);
    }
}

/// An agent's thread, seen from outside.
pub(super) struct Started {
    pub(super) inbox: Inbox,
    pub(super) stopper: Stopper,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) ended: Receiver<()>,
}

/// Start an agent whose first window shows this page. When the system has no thread, the page
/// fails.
pub(super) fn start(services: Services, options: WindowOptions) -> Started {
    // The thread makes its event loop itself; this one only lends its channel until then.
    let inbox = Inbox::new(EventLoop::new(Arc::clone(&services.clock)).sender());
    let stopper = Stopper::default();
    let (sender, ended) = bounded::<()>(1);
    let (thread_inbox, thread_stopper) = (inbox.clone(), stopper.clone());
    let failed = (services.report.clone(), options.url.clone());
    let thread = thread::Builder::new()
        .name("window".to_owned())
        .stack_size(services.limits.stack_size.saturating_add(SPARE_STACK))
        .spawn(move || {
            let ending = Ending {
                inbox: thread_inbox,
                stopper: thread_stopper,
                _ended: sender,
            };
            run(services, options, &ending);
        });
    let thread = thread
        .map_err(|error| {
            let error = format!("no thread could be started for the window: {error}");
            failed.0.call(ScriptReport::PageFailed {
                url: failed.1,
                error,
            });
            stopper.0.ended.store(true, Ordering::Release);
        })
        .ok();
    Started {
        inbox,
        stopper,
        thread,
        ended,
    }
}

/// Answer what nobody takes any more.
pub(super) fn refuse(inbox: &Inbox) {
    while let Some(input) = inbox.take() {
        if let Input::Evaluate(_, done) = input {
            done.call(Err("The window is closed.".to_owned()));
        }
    }
}

/// Lets nobody wait for a thread that ends, however it ends.
struct Ending {
    inbox: Inbox,
    stopper: Stopper,
    _ended: Sender<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.stopper.0.ended.store(true, Ordering::Release);
        refuse(&self.inbox);
    }
}

fn run(services: Services, options: WindowOptions, ending: &Ending) {
    let report = services.report.clone();
    let fail = |url, error| report.call(ScriptReport::PageFailed { url, error });
    let agent = match Agent::new(services, options.bindings) {
        Ok(agent) => agent,
        Err(reason) => return fail(options.url, format!("no engine for the page: {reason}")),
    };
    ending.stopper.follow(agent.watchdog.terminator());
    ending.inbox.follow(agent.event_loop.sender());
    let window = agent.open(options.url, options.answer);
    let run = AssertUnwindSafe(|| agent.run(&window, &ending.inbox, &ending.stopper));
    let panicked = catch_unwind(run).is_err();
    // Documents go away in order, even if that is for a fault of ours.
    agent.discard_all(!panicked && !ending.stopper.is_stopped());
    if panicked {
        fail(window.last_url(), PANICKED.to_owned());
    }
}
