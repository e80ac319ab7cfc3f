//! What service workers ask of windows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use base::channel::Callback;
use base::exception::{DomException, DomExceptionName};
use base::ids::ClientId;
use parking_lot::Mutex;
use sw_traits::{WindowHost, WindowRequest, WindowResult};
use url::Url;

use super::WindowOptions;
use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::navigation::{Initiator, Navigation};
use crate::event_loop::{EventLoop, TaskSender};
use crate::user_agent::UserAgent;

/// Where the documents of an engine are. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct WindowClients(Arc<Mutex<HashMap<ClientId, TaskSender>>>);

impl WindowClients {
    /// A document is there, on this thread.
    pub(super) fn add(&self, client: ClientId, thread: TaskSender) {
        self.0.lock().insert(client, thread);
    }

    /// It has gone.
    pub(super) fn remove(&self, client: ClientId) {
        self.0.lock().remove(&client);
    }

    fn thread_of(&self, client: ClientId) -> Option<TaskSender> {
        self.0.lock().get(&client).cloned()
    }
}

/// Whose windows a thread has; for tasks that come from elsewhere.
#[derive(Default)]
pub(super) struct AgentOfThread(RefCell<Weak<Agent>>);

impl AgentOfThread {
    pub(super) fn set(&self, agent: &Rc<Agent>) {
        self.0.replace(Rc::downgrade(agent));
    }
}

/// Gets the client that a window shows in the end. Whoever waits is answered in any case: when the
/// last clone goes, the navigation was given up.
#[derive(Clone)]
pub(crate) struct WindowAnswer(Arc<Waiting>);

struct Waiting(Mutex<Option<Callback<WindowResult>>>);

impl WindowAnswer {
    pub(super) fn new(done: Callback<WindowResult>) -> Self {
        Self(Arc::new(Waiting(Mutex::new(Some(done)))))
    }

    /// Answer, if nothing was answered yet.
    pub(super) fn give(&self, result: WindowResult) {
        self.0.give(result);
    }

    pub(super) fn fail(&self, reason: &str) {
        self.give(Err(DomException::type_error(reason)));
    }
}

impl Waiting {
    fn give(&self, result: WindowResult) {
        let done = self.0.lock().take();
        if let Some(done) = done {
            done.call(result);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.give(Err(DomException::type_error("the navigation was given up")));
    }
}

impl fmt::Debug for WindowAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WindowAnswer")
    }
}

/// Navigates the windows of an engine for its service workers, and with
/// [`Self::with_user_activation`] opens and focuses them.
///
/// Nobody looks at these windows, so there are no actions of a user either.
pub struct ServiceWorkerWindows {
    clients: WindowClients,
    /// Opens windows; none when there is no action of the user.
    open: Option<Callback<WindowOptions>>,
}

impl ServiceWorkerWindows {
    /// For the windows that share this user agent.
    pub fn new(user_agent: &UserAgent) -> Self {
        Self {
            clients: user_agent.windows.clone(),
            open: None,
        }
    }

    /// Service workers may open and focus windows at any time, as if the user had just acted. `open`
    /// gets what is to be [opened](super::open).
    #[must_use]
    pub fn with_user_activation(mut self, open: Callback<WindowOptions>) -> Self {
        self.open = Some(open);
        self
    }

    fn on_client(
        &self,
        client: ClientId,
        answer: WindowAnswer,
        act: impl FnOnce(&Rc<BrowsingContext>, WindowAnswer) + Send + 'static,
    ) {
        let Some(thread) = self.clients.thread_of(client) else {
            answer.fail("the client is gone");
            return;
        };
        thread.queue(move |event_loop| match context_of(event_loop, client) {
            Some(context) => act(&context, answer),
            None => answer.fail("the client is gone"),
        });
    }
}

impl fmt::Debug for ServiceWorkerWindows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServiceWorkerWindows")
            .field("user_activation", &self.open.is_some())
            .finish_non_exhaustive()
    }
}

impl WindowHost for ServiceWorkerWindows {
    fn perform(&mut self, request: WindowRequest, done: Callback<WindowResult>) {
        let answer = WindowAnswer::new(done);
        match (request, &self.open) {
            (WindowRequest::Navigate { client, url }, _) => {
                self.on_client(client, answer, |context, answer| {
                    context.navigate_for_worker(url, answer);
                });
            }
            (WindowRequest::Open { .. } | WindowRequest::Focus { .. }, None) => {
                answer.give(Err(DomException::new(
                    DomExceptionName::InvalidAccessError,
                    "it takes an action of the user",
                )));
            }
            (WindowRequest::Open { url, .. }, Some(open)) => {
                open.call(WindowOptions::new(url).answering(answer));
            }
            (WindowRequest::Focus { client }, Some(_)) => {
                self.on_client(client, answer, move |context, answer| {
                    context.focus();
                    answer.give(Ok(Some(client)));
                });
            }
        }
    }
}

/// The browsing context of this thread that shows a client.
fn context_of(event_loop: &EventLoop, client: ClientId) -> Option<Rc<BrowsingContext>> {
    let agent = event_loop.local::<AgentOfThread>().0.borrow().upgrade()?;
    agent
        .contexts()
        .into_iter()
        .find(|context| context.client() == Some(client))
}

impl BrowsingContext {
    /// The client that it shows.
    pub(super) fn client(&self) -> Option<ClientId> {
        self.document()
            .map(|document| document.page.environment.client)
    }

    /// <https://w3c.github.io/ServiceWorker/#client-navigate>
    fn navigate_for_worker(self: &Rc<Self>, url: Url, answer: WindowAnswer) {
        let Some(document) = self.document() else {
            answer.fail("the client is gone");
            return;
        };
        let navigation = Navigation {
            initiator: Initiator::of(&document.realm),
            answer: Some(answer.clone()),
            ..Navigation::to(url)
        };
        if document.page.navigate_to_fragment(&navigation) {
            answer.give(Ok(self.client()));
        } else {
            self.navigate(navigation);
        }
    }
}
