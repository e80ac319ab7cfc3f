//! Windows: each that an embedder opens on a thread of its own, with its own engine.
//!
//! - [`open`] starts a window, [`WindowHandle`] is the way to it;
//! - `inbox`: what the embedder tells it;
//! - `thread`: how its thread starts and ends;
//! - `agent`: what the browsing contexts of the thread share, and its loop;
//! - `browsing_context`: a place that shows one document after the other;
//! - `frames`, `auxiliary`: those in `iframe` elements, and those that scripts open;
//! - `host`: what service workers ask of windows;
//! - `proxy`: what scripts reach through a window;
//! - `sandbox`: what is forbidden in sandboxed frames;
//! - `navigation`: from one document to the next;
//! - `document_open`: documents that scripts write;
//! - `unfetched`: `blob:` and `javascript:` URLs;
//! - `refresh`: pages that send their reader on;
//! - `changes`, `base_url`: what follows from changes of the tree;
//! - `beacon`: what pages send on their way out;
//! - `unload`: what a document hears before it goes;
//! - `familiarity`: who may navigate and close what;
//! - `session_history`: back and forward;
//! - `load`: from a response to a page;
//! - `open_document`: a document in its realm;
//! - `page`: the state of a document;
//! - `scripts`: `script` elements;
//! - `evaluate`: what a developer types;
//! - `binding`: functions that the embedder gives to pages;
//! - `delegate`: what goes wrong, and the console.

mod agent;
pub(crate) mod auxiliary;
pub(crate) mod base_url;
pub(crate) mod beacon;
mod binding;
pub(crate) mod browsing_context;
pub(crate) mod changes;
mod delegate;
mod document_fetch;
pub(crate) mod document_open;
mod evaluate;
mod familiarity;
pub(crate) mod frames;
pub(crate) mod host;
mod inbox;
mod load;
pub(crate) mod navigation;
mod open_document;
pub(crate) mod page;
mod proxy;
mod refresh;
pub(crate) mod sandbox;
pub(crate) mod scripts;
mod session_history;
mod thread;
mod unfetched;
mod unload;

use std::thread::JoinHandle;
use std::time::Duration;

use base::channel::{Callback, Received, Receiver};
use parking_lot::Mutex;
use url::Url;

use crate::services::Services;
use binding::Bindings;
pub use host::ServiceWorkerWindows;
use host::WindowAnswer;
use inbox::{Inbox, Input};
use thread::Stopper;

/// What to open.
#[derive(Clone)]
pub struct WindowOptions {
    url: Url,
    bindings: Bindings,
    /// Who wants to know what the window shows.
    answer: Option<WindowAnswer>,
}

impl WindowOptions {
    /// A top-level window that shows this page.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            bindings: Bindings::default(),
            answer: None,
        }
    }

    /// A service worker waits for the client that the window shows.
    fn answering(mut self, answer: WindowAnswer) -> Self {
        self.answer = Some(answer);
        self
    }

    /// The page that is to be opened.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Each document of the window gets a global function with this name before any of its scripts
    /// run. It takes one string, which `callback` gets on the window's thread. Answers go to the page with
    /// [`WindowHandle::evaluate`].
    #[must_use]
    pub fn with_binding(mut self, name: &str, callback: Callback<String>) -> Self {
        self.bindings.add(name.to_owned(), callback);
        self
    }
}

impl std::fmt::Debug for WindowOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("WindowOptions")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A window. Dropping the handle does not close it.
pub struct WindowHandle {
    inbox: Inbox,
    stopper: Stopper,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Gets disconnected when the thread has ended.
    ended: Receiver<()>,
}

/// Opens a window and loads its page. What becomes of it is reported through
/// [`Services::report`]: `PageLoaded` after the `load` event, or `PageFailed`, and `PageClosed`
/// when the page goes away. A page that the server sends with an error status (400 and above) is
/// shown, and reported as a `ScriptError` besides.
pub fn open(services: Services, options: WindowOptions) -> WindowHandle {
    let started = thread::start(services, options);
    WindowHandle {
        inbox: started.inbox,
        stopper: started.stopper,
        thread: Mutex::new(started.thread),
        ended: started.ended,
    }
}

impl WindowHandle {
    /// Evaluates a script in the page as a developer tools console does, once the page has loaded:
    /// a promise is waited for, and the result comes as text. `done` is called exactly once, with
    /// what was thrown if the script fails, or with why it could not run.
    pub fn evaluate(&self, script: String, done: Callback<Result<String, String>>) {
        if self.stopper.has_ended() {
            done.call(Err("The window is closed.".to_owned()));
            return;
        }
        self.inbox.put(Input::Evaluate(script, done));
        self.answer_if_ended();
    }

    /// Closes the window after the task that runs now: its environment is discarded, and it is no
    /// service worker client any more. Does nothing when it is closed already.
    pub fn close(&self) {
        self.inbox.put(Input::Close);
    }

    /// Waits until a window that is being closed has ended, but not longer than `patience`; a
    /// script that runs then is stopped. A thread that does not end even so is left behind.
    pub fn join(self, patience: Duration) {
        if self.ended.recv_timeout(Some(patience)) == Received::TimedOut {
            self.stopper.stop();
            // It may be waiting for something to do.
            self.inbox.wake();
            if self.ended.recv_timeout(Some(patience)) == Received::TimedOut {
                log::error!("a window's script did not stop; its thread is left behind");
                return;
            }
        }
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            log::error!("a window's thread panicked");
        }
    }

    /// What was handed in while the thread ended is answered here.
    fn answer_if_ended(&self) {
        if self.stopper.has_ended() {
            thread::refuse(&self.inbox);
        }
    }
}

impl std::fmt::Debug for WindowHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WindowHandle")
    }
}
