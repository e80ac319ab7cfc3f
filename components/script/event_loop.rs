//! The event loop of one script thread: tasks from other threads, and timers.
//!
//! An embedder of a script thread makes one, gives it to its realms as a service
//! ([`Realm::add_service`]), and calls [`EventLoop::run_pending`] and [`EventLoop::wait`] in turn.
//! Other threads send tasks; what a task is to find on the script thread, such as the promise that
//! it settles, is kept there under a [`Trusted`] ticket.

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::channel::Callback;
use base::time::{Clock, MonotonicTime};
use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use crate::bindings::generated::{Function, FunctionOrDomString};
use crate::bindings::report::report_exception;
use crate::bindings::{Realm, RealmHandle, Value};
use crate::watchdog::Watchdog;

/// The handle of timers that scripts did not set; theirs are positive.
const NO_HANDLE: i32 = 0;

/// Something to do on the script thread.
pub type Task = Box<dyn FnOnce(&EventLoop) + Send>;

/// Sends tasks to a script thread from anywhere.
#[derive(Clone)]
pub struct TaskSender(Sender<Task>);

impl TaskSender {
    /// Queues a task. It is dropped if the script thread has ended.
    pub fn queue(&self, task: impl FnOnce(&EventLoop) + Send + 'static) {
        // An ended thread has nothing left that the task could change.
        let _ = self.0.send(Box::new(task));
    }
}

/// The event loops of the script threads, to wake them all.
#[derive(Clone, Default)]
pub struct EventLoops(Arc<Mutex<Vec<Registered>>>);

/// An event loop that may be gone.
struct Registered {
    alive: Weak<()>,
    sender: TaskSender,
}

impl EventLoops {
    /// Says that the clock was moved: timers that have come due meanwhile fire now.
    pub fn time_changed(&self) {
        for registered in &*self.0.lock() {
            // Whoever wakes looks at its timers.
            registered.sender.queue(|_| {});
        }
    }

    /// Wakes this one too, as long as it is there.
    pub(crate) fn add(&self, event_loop: &EventLoop) {
        let mut all = self.0.lock();
        all.retain(|registered| registered.alive.strong_count() > 0);
        all.push(Registered {
            alive: Arc::downgrade(&event_loop.alive),
            sender: event_loop.sender(),
        });
    }
}

/// A ticket for something that stays on the script thread: what it stands for may hold JavaScript
/// values, while the ticket can travel.
pub struct Trusted<T> {
    id: u64,
    sender: TaskSender,
    taken: bool,
    kept: PhantomData<fn() -> T>,
}

impl<T: 'static> Trusted<T> {
    /// Takes back what was kept; none if the event loop was shut down meanwhile.
    pub fn take(mut self, event_loop: &EventLoop) -> Option<T> {
        self.taken = true;
        let kept = event_loop.kept.borrow_mut().remove(&self.id)?;
        kept.downcast().ok().map(|kept| *kept)
    }
}

impl<T: Clone + 'static> Trusted<T> {
    /// A clone of what is kept, which stays kept; none if the event loop was shut down meanwhile.
    pub fn get(&self, event_loop: &EventLoop) -> Option<T> {
        let kept = event_loop.kept.borrow();
        kept.get(&self.id)?.downcast_ref().cloned()
    }
}

impl<T> Trusted<T> {
    /// Lets go of what is kept, for all who share the ticket.
    pub(crate) fn release(&self, event_loop: &EventLoop) {
        let kept = event_loop.kept.borrow_mut().remove(&self.id);
        drop(kept);
    }
}

impl<T> Drop for Trusted<T> {
    /// A ticket that is lost on another thread lets go of what it stands for.
    fn drop(&mut self) {
        if !self.taken {
            let id = self.id;
            self.sender.queue(move |event_loop| {
                let kept = event_loop.kept.borrow_mut().remove(&id);
                drop(kept);
            });
        }
    }
}

/// The event loop of one script thread.
pub struct EventLoop {
    // Not bounded: each task answers a request of this thread or is a message whose sender's own
    // queue is bounded.
    sender: TaskSender,
    receiver: Receiver<Task>,
    clock: Arc<dyn Clock>,
    kept: RefCell<BTreeMap<u64, Box<dyn Any>>>,
    /// By due time, then in the order in which they were set.
    timers: RefCell<BTreeMap<(MonotonicTime, u64), Timer>>,
    next_id: Cell<u64>,
    next_handle: Cell<i32>,
    /// <https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#timer-nesting-level>
    nesting_level: Cell<u32>,
    /// The timer whose handler runs, unless it has been cleared since.
    firing: Cell<Option<i32>>,
    guard: OnceCell<Guard>,
    locals: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
    /// Whether nothing more is to run.
    is_over: Cell<bool>,
    /// Goes with the event loop.
    alive: Arc<()>,
}

/// What keeps the time limit of the tasks.
struct Guard {
    watchdog: Rc<Watchdog>,
    on_stopped: Box<dyn Fn()>,
}

/// <https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#map-of-settimeout-and-setinterval-ids>
#[derive(Clone)]
struct Timer {
    handle: i32,
    realm: RealmHandle,
    handler: FunctionOrDomString,
    arguments: Vec<Value>,
    /// How often an interval repeats.
    repeat: Option<i32>,
    nesting_level: u32,
}

impl EventLoop {
    /// An event loop that waits for tasks and for this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Rc<Self> {
        let (sender, receiver) = unbounded();
        Rc::new(Self {
            sender: TaskSender(sender),
            receiver,
            clock,
            kept: RefCell::default(),
            timers: RefCell::default(),
            next_id: Cell::new(0),
            next_handle: Cell::new(0),
            nesting_level: Cell::new(0),
            firing: Cell::new(None),
            guard: OnceCell::new(),
            locals: RefCell::default(),
            is_over: Cell::new(false),
            alive: Arc::default(),
        })
    }

    /// Keeps the time limit of each task and timer handler from now on; `on_stopped` is called after
    /// one that was stopped. A second call has no effect.
    pub(crate) fn set_watchdog(&self, watchdog: Rc<Watchdog>, on_stopped: impl Fn() + 'static) {
        let on_stopped = Box::new(on_stopped);
        // Set once, when the script thread starts.
        let _ = self.guard.set(Guard {
            watchdog,
            on_stopped,
        });
    }

    /// Runs something as a task of its own. Tasks do not nest. Returns nothing when it was stopped
    /// for running too long.
    pub(crate) fn run_task<T>(&self, task: impl FnOnce() -> T) -> Option<T> {
        let Some(guard) = self.guard.get() else {
            return Some(task());
        };
        let (result, stopped) = guard
            .watchdog
            .run(|| (task(), guard.watchdog.has_expired()));
        if stopped {
            (guard.on_stopped)();
            return None;
        }
        Some(result)
    }

    /// Where other threads send tasks.
    pub fn sender(&self) -> TaskSender {
        self.sender.clone()
    }

    /// Keeps something on this thread until its ticket comes back.
    pub fn keep<T: 'static>(&self, value: T) -> Trusted<T> {
        let id = self.new_id();
        self.kept.borrow_mut().insert(id, Box::new(value));
        Trusted {
            id,
            sender: self.sender(),
            taken: false,
            kept: PhantomData,
        }
    }

    /// What the realms of this event loop share, one of each type, made when it is first asked for.
    /// JavaScript values in it are roots.
    pub(crate) fn local<T: Default + 'static>(&self) -> Rc<T> {
        let made = Rc::clone(
            self.locals
                .borrow_mut()
                .entry(TypeId::of::<T>())
                .or_insert_with(|| Rc::new(T::default())),
        );
        made.downcast().unwrap_or_default()
    }

    /// A callback for one answer from another thread: it is handled on this one, together with what
    /// is kept until then.
    pub(crate) fn answer<T: 'static, A: Send + 'static>(
        &self,
        kept: T,
        handle: impl FnOnce(T, A) + Send + 'static,
    ) -> Callback<A> {
        let waiting = Mutex::new(Some((self.keep(kept), handle)));
        let sender = self.sender();
        Callback::new(move |answer| {
            let Some((ticket, handle)) = waiting.lock().take() else {
                return;
            };
            sender.queue(move |event_loop| {
                if let Some(kept) = ticket.take(event_loop) {
                    handle(kept, answer);
                }
            });
        })
    }

    fn new_id(&self) -> u64 {
        self.next_id.set(self.next_id.get() + 1);
        self.next_id.get()
    }

    /// Runs the tasks that have arrived and the timers that are due. Returns whether there were
    /// any.
    pub fn run_pending(&self) -> bool {
        let mut ran = false;
        // Only what is here now: a task that queues itself again does not starve the caller.
        for _ in 0..self.receiver.len() {
            let Ok(task) = self.receiver.try_recv() else {
                break;
            };
            self.run_task(|| task(self));
            ran = true;
            if self.is_over() {
                return ran;
            }
        }
        let now = self.clock.now().monotonic;
        let last = self.next_id.get();
        loop {
            let due = self.timers.borrow().first_key_value().map(|(key, _)| *key);
            let Some(key) = due.filter(|key| key.0 <= now && key.1 <= last) else {
                return ran;
            };
            let timer = self.timers.borrow_mut().remove(&key);
            if let Some(timer) = timer {
                self.run_task(|| self.fire(timer));
                ran = true;
            }
            if self.is_over() {
                return ran;
            }
        }
    }

    /// Lets nothing run after the task that runs now.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
    }

    /// Whether nothing more is to run.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// When the next timer is due.
    pub fn next_timer(&self) -> Option<MonotonicTime> {
        self.timers
            .borrow()
            .first_key_value()
            .map(|((due, _), _)| *due)
    }

    /// Waits until a task arrives or a timer is due, at most this long. Returns whether there is
    /// something to run.
    pub fn wait(&self, limit: Duration) -> bool {
        let now = self.clock.now().monotonic;
        let until_timer = self.next_timer().map(|due| due.saturating_since(now));
        let timeout = until_timer.map_or(limit, |duration| duration.min(limit));
        if self.receiver.is_empty()
            && !timeout.is_zero()
            && let Some(guard) = self.guard.get()
        {
            guard.watchdog.rest();
        }
        match self.receiver.recv_timeout(timeout) {
            Ok(task) => {
                self.run_task(|| task(self));
                true
            }
            Err(_) => until_timer.is_some_and(|duration| duration <= limit),
        }
    }

    /// Forgets the timers of a realm that goes away.
    pub fn discard(&self, realm: &Realm) {
        let removed = self.remove_timers(|timer| std::ptr::eq(&raw const *timer.realm, realm));
        drop(removed);
    }

    /// What is removed is to be dropped after the borrow ends.
    fn remove_timers(&self, matches: impl Fn(&Timer) -> bool) -> Vec<Timer> {
        let mut timers = self.timers.borrow_mut();
        let keys: Vec<_> = timers
            .iter()
            .filter(|(_, timer)| matches(timer))
            .map(|(key, _)| *key)
            .collect();
        keys.iter().filter_map(|key| timers.remove(key)).collect()
    }

    /// Forgets all timers and all that is kept, before the runtime goes away.
    pub fn shut_down(&self) {
        drop(self.timers.take());
        drop(self.kept.take());
        drop(self.locals.take());
        while let Ok(task) = self.receiver.try_recv() {
            drop(task);
        }
    }

    /// <https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#timer-initialisation-steps>
    pub(crate) fn set_timer(
        &self,
        realm: &Realm,
        handler: FunctionOrDomString,
        timeout: i32,
        arguments: Vec<Value>,
        repeat: bool,
    ) -> i32 {
        // Handles are positive, and are not given twice while there are others.
        let handle = self.next_handle.get().checked_add(1).unwrap_or(1);
        self.next_handle.set(handle);
        let timer = Timer {
            handle,
            realm: realm.root(),
            handler,
            arguments,
            repeat: repeat.then_some(timeout),
            nesting_level: self.nesting_level.get() + 1,
        };
        self.start(timer, timeout);
        handle
    }

    /// A timer that no script can name, and so none can clear.
    ///
    /// <https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#run-steps-after-a-timeout>
    pub(crate) fn run_after(&self, realm: &Realm, handler: Function, timeout: i32) {
        let timer = Timer {
            handle: NO_HANDLE,
            realm: realm.root(),
            handler: FunctionOrDomString::Function(handler),
            arguments: Vec::new(),
            repeat: None,
            nesting_level: 1,
        };
        self.start(timer, timeout);
    }

    fn start(&self, timer: Timer, timeout: i32) {
        // Step 4 and 5: not negative, and at least 4 ms for deeply nested timers.
        let least = if timer.nesting_level > 5 { 4 } else { 0 };
        let timeout = u64::try_from(timeout.max(least)).unwrap_or(0);
        let due = self
            .clock
            .now()
            .monotonic
            .saturating_add(Duration::from_millis(timeout));
        let id = self.new_id();
        self.timers.borrow_mut().insert((due, id), timer);
    }

    /// <https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#dom-cleartimeout>
    pub(crate) fn clear_timer(&self, realm: &Realm, handle: i32) {
        if handle == NO_HANDLE {
            return;
        }
        let removed = self.remove_timers(|timer| {
            timer.handle == handle && std::ptr::eq(&raw const *timer.realm, realm)
        });
        drop(removed);
        if self.firing.get() == Some(handle) {
            self.firing.set(None);
        }
    }

    fn fire(&self, timer: Timer) {
        let realm = timer.realm.clone();
        self.nesting_level.set(timer.nesting_level);
        self.firing.set(Some(timer.handle));
        let result = match &timer.handler {
            FunctionOrDomString::Function(function) => {
                function.0.call(&realm.global_value(), &timer.arguments)
            }
            FunctionOrDomString::DomString(source) => realm.evaluate(&source.to_string(), "timer"),
        };
        if let Err(error) = result {
            report_exception(&realm, error);
        }
        self.nesting_level.set(0);
        // An interval that was cleared while it ran is not set again.
        if let Some(timeout) = timer.repeat
            && self.firing.take() == Some(timer.handle)
        {
            let nesting_level = timer.nesting_level.saturating_add(1);
            self.start(
                Timer {
                    nesting_level,
                    ..timer
                },
                timeout,
            );
        }
    }
}
