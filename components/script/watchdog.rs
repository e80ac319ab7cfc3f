//! Stops scripts that run longer than they may.
//!
//! The watchdog's thread sleeps as long as no script runs. It is woken when the first task after a
//! rest begins and when the next rest begins; tasks that follow one another do not wake it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::time::{Clock, MonotonicTime};
use parking_lot::{Condvar, Mutex};

/// Keeps the time limit of the tasks of one script thread.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Ends a script thread's scripts for good, from any thread.
#[derive(Clone)]
pub(crate) struct Terminator(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The flag of the script runtime.
    stop: Arc<AtomicBool>,
    limit: Duration,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of one another"
)]
struct State {
    /// When the task that runs now began.
    task: Option<MonotonicTime>,
    /// Whether the thread watches; if not, the next task has to wake it.
    watching: bool,
    /// How long the task that runs now has been paused.
    waited: Duration,
    /// Whether the task that runs now was stopped.
    expired: bool,
    terminated: bool,
    exiting: bool,
}

impl Watchdog {
    /// Watch the scripts that stop while `stop` is set.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub(crate) fn start(
        stop: Arc<AtomicBool>,
        limit: Duration,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            stop,
            limit,
            clock,
        });
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("script watchdog".to_owned())
            .spawn(move || watched.watch())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Run a task under the time limit. Tasks do not nest.
    pub(crate) fn run<T>(&self, task: impl FnOnce() -> T) -> T {
        let shared = &self.shared;
        {
            let mut state = shared.state.lock();
            state.task = Some(shared.clock.now().monotonic);
            state.waited = Duration::ZERO;
            if !state.watching {
                shared.changed.notify_one();
            }
        }
        let result = task();
        let mut state = shared.state.lock();
        state.task = None;
        if std::mem::take(&mut state.expired) && !state.terminated {
            // What follows runs again.
            shared.stop.store(false, Ordering::Relaxed);
        }
        result
    }

    /// Wait for something as part of a task. The time does not count as running, but the waits of
    /// one task together have the same limit: `wait` gets what is left of it, and keeps to it.
    pub(crate) fn paused<T>(&self, wait: impl FnOnce(Duration) -> T) -> T {
        let shared = &self.shared;
        let paused = shared.clock.now().monotonic;
        let (began, left) = {
            let mut state = shared.state.lock();
            let left = shared.limit.saturating_sub(state.waited);
            (state.task.take(), left)
        };
        let result = wait(left);
        let waited = shared.clock.now().monotonic.saturating_since(paused);
        let mut state = shared.state.lock();
        state.waited = state.waited.saturating_add(waited);
        state.task = began.map(|began| began.saturating_add(waited));
        if !state.watching {
            shared.changed.notify_one();
        }
        result
    }

    /// Whether the task that runs now was stopped because it ran too long.
    pub(crate) fn has_expired(&self) -> bool {
        self.shared.state.lock().expired
    }

    /// No task follows for the time being.
    pub(crate) fn rest(&self) {
        if self.shared.state.lock().watching {
            self.shared.changed.notify_one();
        }
    }

    /// Ends the scripts for good.
    pub(crate) fn terminator(&self) -> Terminator {
        Terminator(Arc::clone(&self.shared))
    }

    /// What is reported about a script that was stopped.
    pub(crate) fn explanation(&self) -> String {
        let limit = self.shared.limit.as_secs_f64();
        format!("The script was stopped: it ran longer than its time limit of {limit} s.")
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().exiting = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("a watchdog's thread panicked");
        }
    }
}

impl Terminator {
    /// Stop what runs, and whatever would follow.
    pub(crate) fn terminate(&self) {
        let mut state = self.0.state.lock();
        state.terminated = true;
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::terminate`] was called.
    pub(crate) fn is_terminated(&self) -> bool {
        self.0.state.lock().terminated
    }
}

impl Shared {
    fn watch(&self) {
        let mut state = self.state.lock();
        while !state.exiting {
            let Some(began) = state.task else {
                state.watching = false;
                self.changed.wait(&mut state);
                continue;
            };
            state.watching = true;
            let ran = self.clock.now().monotonic.saturating_since(began);
            if ran >= self.limit {
                if !state.expired {
                    state.expired = true;
                    self.stop.store(true, Ordering::Relaxed);
                }
                // Until the task has ended there is nothing to do.
                self.changed.wait_for(&mut state, self.limit);
                continue;
            }
            self.changed
                .wait_for(&mut state, self.limit.saturating_sub(ran));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::Timestamp;

    /// A clock that a test moves.
    #[derive(Default)]
    struct TestClock(Mutex<Timestamp>);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            *self.0.lock()
        }
    }

    fn start() -> (Watchdog, Arc<AtomicBool>, Arc<TestClock>) {
        let stop = Arc::new(AtomicBool::new(false));
        let clock = Arc::new(TestClock::default());
        let limit = Duration::from_millis(5);
        let watchdog = Watchdog::start(Arc::clone(&stop), limit, Arc::clone(&clock) as _);
        (watchdog.unwrap(), stop, clock)
    }

    fn run_until_stopped(stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_task_that_runs_too_long_is_stopped_and_the_next_one_runs() {
        let (watchdog, stop, clock) = start();
        for _ in 0..3 {
            watchdog.run(|| {
                let mut now = clock.0.lock();
                *now = now.saturating_add(Duration::from_millis(6));
                drop(now);
                run_until_stopped(&stop);
                assert!(watchdog.has_expired());
            });
            assert!(!stop.load(Ordering::Relaxed));
            watchdog.run(|| assert!(!watchdog.has_expired()));
            watchdog.rest();
        }
    }

    #[test]
    fn the_waits_of_one_task_share_one_limit_and_do_not_count_as_running() {
        let (watchdog, stop, clock) = start();
        let wait = |left| {
            let mut now = clock.0.lock();
            *now = now.saturating_add(Duration::from_millis(3));
            left
        };
        for _ in 0..2 {
            watchdog.run(|| {
                for left in [5, 2, 0] {
                    assert_eq!(watchdog.paused(wait), Duration::from_millis(left));
                }
                assert!(!stop.load(Ordering::Relaxed));
            });
        }
    }

    #[test]
    fn what_is_terminated_does_not_run_again() {
        let (watchdog, stop, _) = start();
        let terminator = watchdog.terminator();
        let ender = thread::spawn(move || terminator.terminate());
        watchdog.run(|| run_until_stopped(&stop));
        ender.join().unwrap();
        assert!(stop.load(Ordering::Relaxed));
        assert!(watchdog.terminator().is_terminated());
    }
}
