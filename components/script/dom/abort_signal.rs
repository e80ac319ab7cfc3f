//! <https://dom.spec.whatwg.org/#interface-AbortSignal>

use std::cell::{Cell, RefCell};

use base::exception::DomExceptionName;

use super::event_target::EventTarget;
use crate::bindings::generated::{AbortSignalMethods, EventInit, Function};
use crate::bindings::report::report_exception;
use crate::bindings::{Dom, Error, Fallible, Promise, Realm, Traceable, Value};
use crate::event_loop::EventLoop;

/// What is to happen when a signal is aborted.
///
/// <https://dom.spec.whatwg.org/#abortsignal-abort-algorithms>
pub trait AbortAlgorithm: Traceable {
    /// The signal was aborted for this reason.
    fn run(&self, realm: &Realm, reason: &Value);
}

/// The name under which an algorithm can be taken back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AlgorithmId(u64);

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-AbortSignal>
    pub struct AbortSignal {
        pub(crate) parent: EventTarget,
        /// None until it is aborted.
        reason: RefCell<Option<Value>>,
        algorithms: RefCell<Vec<(u64, Box<dyn AbortAlgorithm>)>>,
        next_algorithm: Cell<u64>,
        /// <https://dom.spec.whatwg.org/#abortsignal-dependent-signals>
        dependents: RefCell<Vec<Dom<AbortSignal>>>,
        /// <https://dom.spec.whatwg.org/#abortsignal-source-signals>
        sources: RefCell<Vec<Dom<AbortSignal>>>,
        is_dependent: Cell<bool>,
    }
}

impl AbortSignal {
    /// A signal that is not aborted.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                parent: EventTarget::new_inherited(),
                reason: RefCell::default(),
                algorithms: RefCell::default(),
                next_algorithm: Cell::new(0),
                dependents: RefCell::default(),
                sources: RefCell::default(),
                is_dependent: Cell::new(false),
            },
        )
    }

    /// Why it was aborted, if it was.
    pub fn abort_reason(&self) -> Option<Value> {
        self.reason.borrow().clone()
    }

    /// <https://dom.spec.whatwg.org/#abortsignal-add>
    ///
    /// None if the signal is aborted already: then the algorithm is not kept.
    pub fn add_algorithm(&self, algorithm: Box<dyn AbortAlgorithm>) -> Option<AlgorithmId> {
        if self.reason.borrow().is_some() {
            return None;
        }
        let id = self.next_algorithm.get();
        self.next_algorithm.set(id + 1);
        self.algorithms.borrow_mut().push((id, algorithm));
        Some(AlgorithmId(id))
    }

    /// <https://dom.spec.whatwg.org/#abortsignal-remove>
    pub fn remove_algorithm(&self, id: AlgorithmId) {
        // What is removed is dropped after the borrow ends.
        let removed: Vec<_> = self
            .algorithms
            .borrow_mut()
            .extract_if(.., |(own, _)| *own == id.0)
            .collect();
        drop(removed);
    }

    /// <https://dom.spec.whatwg.org/#abortsignal-signal-abort>
    pub fn signal_abort(&self, realm: &Realm, reason: Value) {
        // Step 1.
        if self.reason.borrow().is_some() {
            return;
        }
        // Step 2.
        let reason = reason_or_default(realm, reason);
        self.reason.replace(Some(reason.clone()));
        // Steps 3 and 4: all that depend on it are aborted before any script hears of it.
        let dependents: Vec<Dom<Self>> = self.dependents.take();
        let dependents: Vec<Dom<Self>> = dependents
            .into_iter()
            .filter(|dependent| dependent.reason.borrow().is_none())
            .collect();
        for dependent in &dependents {
            dependent.reason.replace(Some(reason.clone()));
        }
        // Steps 5 and 6.
        self.run_abort_steps(realm, &reason);
        for dependent in &dependents {
            dependent.run_abort_steps(realm, &reason);
        }
    }

    /// <https://dom.spec.whatwg.org/#run-the-abort-steps>
    fn run_abort_steps(&self, realm: &Realm, reason: &Value) {
        for (_, algorithm) in self.algorithms.take() {
            algorithm.run(realm, reason);
        }
        if let Err(error) = self.fire_event(realm, "abort", &EventInit::default()) {
            report_exception(realm, error);
        }
    }

    /// <https://dom.spec.whatwg.org/#create-a-dependent-abort-signal>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn dependent(realm: &Realm, signals: &[Dom<Self>]) -> Fallible<Dom<Self>> {
        let result = Self::new(realm)?;
        // Step 2: one that is aborted decides.
        for signal in signals {
            if let Some(reason) = signal.abort_reason() {
                result.reason.replace(Some(reason));
                return Ok(result);
            }
        }
        // Steps 3 and 4: it follows signals that follow nothing themselves.
        result.is_dependent.set(true);
        for signal in signals {
            if signal.is_dependent.get() {
                let sources = signal.sources.borrow().clone();
                for source in &sources {
                    result.follow(source);
                }
            } else {
                result.follow(signal);
            }
        }
        Ok(result)
    }

    fn follow(&self, source: &Dom<Self>) {
        if self.sources.borrow().iter().any(|own| own.same(source)) {
            return;
        }
        self.sources.borrow_mut().push(source.clone());
        source.dependents.borrow_mut().push(Dom::from_ref(self));
    }
}

fn reason_or_default(realm: &Realm, reason: Value) -> Value {
    if reason.is_undefined() {
        let message = "The operation was aborted.";
        realm.exception_value(Error::dom(DomExceptionName::AbortError, message))
    } else {
        reason
    }
}

impl AbortSignalMethods for AbortSignal {
    fn abort(realm: &Realm, reason: Value) -> Fallible<Dom<Self>> {
        let signal = Self::new(realm)?;
        signal
            .reason
            .replace(Some(reason_or_default(realm, reason)));
        Ok(signal)
    }

    /// <https://dom.spec.whatwg.org/#dom-abortsignal-timeout>
    fn timeout(realm: &Realm, milliseconds: u64) -> Fallible<Dom<Self>> {
        let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
            let message = "There is no event loop for timers.";
            Error::dom(DomExceptionName::InvalidStateError, message)
        })?;
        let signal = Self::new(realm)?;
        // The timer settles a promise, whose reaction aborts the signal.
        let capability = realm.intrinsic("Promise.withResolvers")?.call(
            realm,
            &realm.intrinsic("Promise")?,
            &[],
        )?;
        let promise = Promise::resolved(realm, &capability.get(realm, "promise")?)?;
        let expiring = signal.clone();
        promise.on_settled(move |realm, _| {
            let message = "The time limit of the signal was reached.";
            let error = Error::dom(DomExceptionName::TimeoutError, message);
            expiring.signal_abort(realm, realm.exception_value(error));
        })?;
        let resolve = Function::from_js(realm, &capability.get(realm, "resolve")?)?;
        let timeout = i32::try_from(milliseconds).unwrap_or(i32::MAX);
        event_loop.run_after(realm, resolve, timeout);
        Ok(signal)
    }

    fn any(realm: &Realm, signals: Vec<Dom<Self>>) -> Fallible<Dom<Self>> {
        Self::dependent(realm, &signals)
    }

    fn aborted(&self, _: &Realm) -> bool {
        self.reason.borrow().is_some()
    }

    fn reason(&self, _: &Realm) -> Value {
        self.abort_reason().unwrap_or_else(Value::undefined)
    }

    fn throw_if_aborted(&self, _: &Realm) -> Fallible<()> {
        self.abort_reason()
            .map_or(Ok(()), |reason| Err(Error::Thrown(reason)))
    }
}
