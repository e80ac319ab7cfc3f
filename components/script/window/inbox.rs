//! What an embedder tells a window.

use std::collections::VecDeque;
use std::sync::Arc;

use base::channel::Callback;
use parking_lot::Mutex;

use crate::event_loop::TaskSender;

/// What an embedder tells a window.
pub(crate) enum Input {
    /// A developer wants a script evaluated.
    Evaluate(String, Callback<Result<String, String>>),
    /// The window is to be closed.
    Close,
}

/// The way to a window's thread. Not bounded: only the embedder's own requests are in it.
#[derive(Clone)]
pub(crate) struct Inbox(Arc<Mutex<State>>);

struct State {
    inputs: VecDeque<Input>,
    /// Wakes the thread; there is one from the start to the end.
    event_loop: TaskSender,
}

impl Inbox {
    pub(super) fn new(event_loop: TaskSender) -> Self {
        Self(Arc::new(Mutex::new(State {
            inputs: VecDeque::new(),
            event_loop,
        })))
    }

    /// Hands something in.
    pub(super) fn put(&self, input: Input) {
        let mut state = self.0.lock();
        state.inputs.push_back(input);
        state.event_loop.queue(|_| {});
    }

    /// Has the thread look around.
    pub(super) fn wake(&self) {
        self.0.lock().event_loop.queue(|_| {});
    }

    pub(super) fn take(&self) -> Option<Input> {
        self.0.lock().inputs.pop_front()
    }

    /// The thread's own event loop is in use from now on.
    pub(super) fn follow(&self, event_loop: TaskSender) {
        let mut state = self.0.lock();
        state.event_loop = event_loop;
        if !state.inputs.is_empty() {
            state.event_loop.queue(|_| {});
        }
    }
}
