//! One thread's share of the windows: an engine, an event loop, and the browsing contexts whose
//! documents may reach one another.
//!
//! <https://tc39.es/ecma262/#sec-agents>

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::binding::Bindings;
use super::browsing_context::BrowsingContext;
use super::delegate::StoppedScript;
use super::host::{AgentOfThread, WindowAnswer};
use super::inbox::{Inbox, Input};
use super::navigation::Navigation;
use super::thread::Stopper;
use crate::bindings::{RuntimeLimits, ScriptRuntime};
use crate::event_loop::EventLoop;
use crate::services::Services;
use crate::watchdog::Watchdog;

/// What the browsing contexts of one thread share.
pub(crate) struct Agent {
    pub(super) services: Services,
    pub(super) bindings: Bindings,
    pub(super) event_loop: Rc<EventLoop>,
    pub(super) watchdog: Rc<Watchdog>,
    /// Where the script was that the watchdog has just stopped.
    pub(super) stopped: Rc<StoppedScript>,
    /// All that are there, each after the one that it is in.
    contexts: RefCell<Vec<Rc<BrowsingContext>>>,
    focused: RefCell<Weak<BrowsingContext>>,
    /// Set while a document was added or went away since the last look.
    changed: Cell<bool>,
    /// The last field: all values go before it.
    pub(super) runtime: ScriptRuntime,
}

impl Agent {
    /// An agent without windows.
    ///
    /// # Errors
    ///
    /// What the system does not have, in words.
    pub(super) fn new(services: Services, bindings: Bindings) -> Result<Rc<Self>, String> {
        let limits = &services.limits;
        let runtime = ScriptRuntime::new(RuntimeLimits {
            memory: limits.memory_limit,
            stack: limits.stack_size,
        })
        .map_err(|_| "out of memory".to_owned())?;
        let watchdog = Watchdog::start(
            runtime.stop_flag(),
            limits.task_time_limit,
            Arc::clone(&services.limit_clock),
        )
        .map_err(|error| error.to_string())?;
        let watchdog = Rc::new(watchdog);
        let event_loop = EventLoop::new(Arc::clone(&services.clock));
        services.event_loops.add(&event_loop);
        let stopped = Rc::new(StoppedScript::new(&services, &watchdog));
        let told = Rc::clone(&stopped);
        event_loop.set_watchdog(Rc::clone(&watchdog), move || told.report());
        let agent = Rc::new(Self {
            services,
            bindings,
            event_loop,
            watchdog,
            stopped,
            contexts: RefCell::default(),
            focused: RefCell::default(),
            changed: Cell::new(false),
            runtime,
        });
        agent.event_loop.local::<AgentOfThread>().set(&agent);
        Ok(agent)
    }

    /// A new top-level window, on its way to this page.
    pub(super) fn open(
        self: &Rc<Self>,
        url: Url,
        answer: Option<WindowAnswer>,
    ) -> Rc<BrowsingContext> {
        let context = BrowsingContext::top_level(self, url.clone());
        self.add(&context);
        context.navigate(Navigation {
            answer,
            ..Navigation::to(url)
        });
        context
    }

    /// A new browsing context takes part from now on.
    pub(super) fn add(&self, context: &Rc<BrowsingContext>) {
        self.contexts.borrow_mut().push(Rc::clone(context));
    }

    /// Run until the embedder's window is closed, or its scripts are to be stopped.
    pub(super) fn run(
        self: &Rc<Self>,
        window: &Rc<BrowsingContext>,
        inbox: &Inbox,
        stopper: &Stopper,
    ) {
        while !window.is_closing() && !stopper.is_stopped() {
            let mut idle = true;
            if let Some(input) = inbox.take() {
                self.event_loop.run_task(|| Self::take(window, input));
                idle = false;
            }
            for context in self.contexts() {
                idle &= !context.advance(self);
            }
            idle &= !self.event_loop.run_pending();
            if idle {
                self.collect_garbage();
                self.event_loop.wait(Duration::MAX);
            }
        }
    }

    fn take(window: &BrowsingContext, input: Input) {
        match input {
            Input::Close => window.close(),
            Input::Evaluate(script, done) => window.evaluate(script, done),
        }
    }

    /// The browsing contexts that are there now.
    pub(super) fn contexts(&self) -> Vec<Rc<BrowsingContext>> {
        self.contexts.borrow().clone()
    }

    /// The browsing context that has the focus: the one that was given it, or else the first window.
    pub(super) fn focused(&self) -> Option<Rc<BrowsingContext>> {
        let given = self.focused.borrow().upgrade();
        given
            .filter(|context| !context.is_closing())
            .or_else(|| self.contexts.borrow().first().cloned())
    }

    pub(super) fn set_focused(&self, context: &Rc<BrowsingContext>) {
        self.focused.replace(Rc::downgrade(context));
    }

    /// A browsing context is there no more.
    pub(super) fn forget(&self, context: &BrowsingContext) {
        let mut contexts = self.contexts.borrow_mut();
        contexts.retain(|other| !std::ptr::eq(&raw const **other, context));
    }

    /// A document has gone: what it has left behind is collected when there is time.
    pub(super) fn document_has_gone(&self) {
        self.changed.set(true);
    }

    fn collect_garbage(&self) {
        for context in self.contexts() {
            context.collect_garbage();
        }
        if self.changed.replace(false) {
            self.runtime.collect_garbage();
        }
    }

    /// All windows go away. Their scripts hear of it if they may still run.
    pub(super) fn discard_all(&self, tell: bool) {
        for context in self.contexts() {
            self.event_loop.run_task(|| context.discard(self, tell));
        }
        // Values go before the runtime.
        self.event_loop.shut_down();
    }
}
