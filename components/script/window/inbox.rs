//! What reaches a window's thread from outside.

use std::collections::VecDeque;
use std::sync::Arc;

use base::channel::Callback;
use net::FetchResult;
use parking_lot::Mutex;

use crate::event_loop::TaskSender;

/// What reaches a window's thread from outside.
pub(crate) enum Input {
    /// The document that is being loaded has come, or not.
    Document(FetchResult),
    /// So has a script.
    Script(u64, FetchResult),
    /// The document's URL has another fragment.
    HashChanged,
    /// A developer wants a script evaluated.
    Evaluate(String, Callback<Result<String, String>>),
    /// The window is to be closed.
    Close,
}

/// The way to a window's thread. Not bounded: besides a developer's evaluations, each input answers
/// a fetch of the window or changes its URL.
#[derive(Clone)]
pub(crate) struct Inbox(Arc<Mutex<State>>);

struct State {
    inputs: VecDeque<Input>,
    /// Wakes the event loop of the document; there is one from the start to the end.
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
    pub(crate) fn put(&self, input: Input) {
        let mut state = self.0.lock();
        state.inputs.push_back(input);
        state.event_loop.queue(|_| {});
    }

    /// Has the thread look around.
    pub(crate) fn wake(&self) {
        self.0.lock().event_loop.queue(|_| {});
    }

    pub(super) fn take(&self) -> Option<Input> {
        self.0.lock().inputs.pop_front()
    }

    /// Another event loop is in use from now on. What was meant for the old document is dropped.
    pub(super) fn follow(&self, event_loop: TaskSender) {
        let mut state = self.0.lock();
        state.event_loop = event_loop;
        state
            .inputs
            .retain(|input| matches!(input, Input::Evaluate(..) | Input::Close));
        if !state.inputs.is_empty() {
            state.event_loop.queue(|_| {});
        }
    }
}
