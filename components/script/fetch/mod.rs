//! `fetch()`: requests of scripts, answered by the service worker that controls them or by the
//! network component.
//!
//! <https://fetch.spec.whatwg.org/#fetch-method>
//!
//! Bodies are complete byte buffers in both directions: the promise of `fetch()` is settled when
//! the last byte is there, so that a response that is cut short rejects it.

pub mod body;
pub(crate) mod conversion;
pub(crate) mod fetcher;
pub(crate) mod form_data;
pub(crate) mod header_rules;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Mutex;

use base::channel::Callback;
use net::FetchResult;

use self::fetcher::{Course, Fetcher};
use crate::bindings::generated::{RequestInit, RequestMethods, RequestOrUsvString};
use crate::bindings::{
    Dom, Error, Fallible, Promise, Realm, RealmHandle, Traceable, Tracer, Value,
};
use crate::dom::abort_signal::{AbortAlgorithm, AbortSignal, AlgorithmId};
use crate::dom::request::Request;
use crate::dom::response::Response;
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::service_worker::client::ServiceWorkerClient;

/// The fetches of a realm that have not ended. A service of the realm.
///
/// <https://fetch.spec.whatwg.org/#concept-fetch-group>
#[derive(Default)]
struct FetchGroup {
    running: RefCell<BTreeMap<u64, Course>>,
    last_number: Cell<u64>,
    is_terminated: Cell<bool>,
}

impl FetchGroup {
    fn of(realm: &Realm) -> Rc<Self> {
        realm.service().unwrap_or_else(|| {
            let group = Rc::new(Self::default());
            realm.add_service(Rc::clone(&group));
            group
        })
    }

    /// Keeps a fetch, which is stopped with the realm. Returns its number.
    fn add(&self, course: Course) -> u64 {
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        self.running.borrow_mut().insert(number, course);
        number
    }
}

impl Fetcher {
    /// How a realm fetches: over the service worker that controls it, if it is a client.
    ///
    /// # Errors
    ///
    /// The realm has no environment.
    pub(crate) fn of(realm: &Realm) -> Fallible<Self> {
        let environment = Environment::of(realm)?;
        let client: Option<Rc<ServiceWorkerClient>> = realm.service();
        let controlled = client.and_then(|client| client.controlled_handle());
        Ok(Self::new(&environment.services, controlled))
    }
}

/// Stops the fetches of a realm that goes away. Their promises stay as they are.
///
/// <https://fetch.spec.whatwg.org/#concept-fetch-group-terminate>
pub fn terminate(realm: &Realm) {
    let Some(group) = realm.service::<FetchGroup>() else {
        return;
    };
    group.is_terminated.set(true);
    let running = group.running.take();
    for course in running.into_values() {
        course.cancel();
    }
}

/// What waits on the script thread for the end of a fetch.
struct Pending {
    promise: Promise,
    signal: Dom<AbortSignal>,
    started: Rc<Cell<Option<Started>>>,
    group: Rc<FetchGroup>,
}

/// What is known once a fetch has been started.
#[derive(Clone, Copy)]
struct Started {
    number: u64,
    algorithm: Option<AlgorithmId>,
}

impl Pending {
    fn finish(self, result: FetchResult) {
        if let Some(started) = self.started.get() {
            self.group.running.borrow_mut().remove(&started.number);
            if let Some(algorithm) = started.algorithm {
                self.signal.remove_algorithm(algorithm);
            }
        }
        if self.group.is_terminated.get() {
            return;
        }
        let realm = self.promise.realm();
        let response = match result {
            Ok(response) => Response::from_net(realm, response),
            Err(error) => Err(Error::Type(format!(
                "Failed to fetch {}: {}",
                error.url, error.reason
            ))),
        };
        match response {
            Ok(response) => self.promise.resolve(&response),
            Err(error) => self.promise.reject(error),
        }
    }
}

/// Aborts a fetch when its signal says so.
struct AbortFetch {
    promise: Promise,
    course: Course,
}

impl Traceable for AbortFetch {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.promise.trace(tracer);
    }
}

impl AbortAlgorithm for AbortFetch {
    /// <https://fetch.spec.whatwg.org/#abort-fetch>
    fn run(&self, _: &Realm, reason: &Value) {
        self.promise.reject(Error::Thrown(reason.clone()));
        self.course.cancel();
    }
}

/// <https://fetch.spec.whatwg.org/#dom-global-fetch>
pub(crate) fn fetch(
    realm: &Realm,
    input: RequestOrUsvString,
    init: RequestInit,
) -> Fallible<Promise> {
    // Steps 1 to 3.
    let promise = Promise::new(realm)?;
    let request = <Request as RequestMethods>::constructor(realm, input, init)?;
    // Step 4: aborted before it starts.
    let signal = request.abort_signal().clone();
    if let Some(reason) = signal.abort_reason() {
        return Err(Error::Thrown(reason));
    }
    // Step 12.
    start(realm, &promise, signal, &request)?;
    Ok(promise)
}

fn start(
    realm: &Realm,
    promise: &Promise,
    signal: Dom<AbortSignal>,
    request: &Request,
) -> Fallible<()> {
    let environment = Environment::of(realm)?;
    let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
        let message = "The global object has no event loop.";
        Error::Type(message.to_owned())
    })?;
    let group = FetchGroup::of(realm);
    let started = Rc::new(Cell::new(None));
    let ticket = event_loop.keep(Pending {
        promise: promise.clone(),
        signal: signal.clone(),
        started: Rc::clone(&started),
        group: Rc::clone(&group),
    });
    // The network answers once; the ticket goes with the answer.
    let ticket = Mutex::new(Some(ticket));
    let tasks = event_loop.sender();
    let done = Callback::new(move |result: FetchResult| {
        let ticket = ticket.lock().ok().and_then(|mut ticket| ticket.take());
        let Some(ticket) = ticket else { return };
        tasks.queue(move |event_loop| {
            if let Some(pending) = ticket.take(event_loop) {
                pending.finish(result);
            }
        });
    });
    let course = Fetcher::of(realm)?.fetch(request.to_net(&environment)?, done);
    if course.has_ended() {
        return Ok(());
    }
    let number = group.add(course.clone());
    let algorithm = signal.add_algorithm(Box::new(AbortFetch {
        promise: promise.clone(),
        course,
    }));
    started.set(Some(Started { number, algorithm }));
    Ok(())
}

/// What is to happen with a response.
type WhenDone = Box<dyn FnOnce(&Realm, FetchResult)>;

/// A fetch that a realm needs for itself.
struct Internal {
    realm: RealmHandle,
    number: Rc<Cell<Option<u64>>>,
    group: Rc<FetchGroup>,
    done: WhenDone,
}

/// Fetches what a realm needs for itself, such as a script. `done` is called as a task, unless the
/// realm goes away before.
///
/// # Errors
///
/// The realm has no environment or no event loop.
pub(crate) fn fetch_for_realm(
    realm: &Realm,
    request: net::Request,
    done: impl FnOnce(&Realm, FetchResult) + 'static,
) -> Fallible<()> {
    let fetcher = Fetcher::of(realm)?;
    let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
        let message = "The global object has no event loop.";
        Error::Type(message.to_owned())
    })?;
    let group = FetchGroup::of(realm);
    let number = Rc::new(Cell::new(None));
    let ticket = event_loop.keep(Internal {
        realm: realm.root(),
        number: Rc::clone(&number),
        group: Rc::clone(&group),
        done: Box::new(done),
    });
    let ticket = Mutex::new(Some(ticket));
    let tasks = event_loop.sender();
    let answer = Callback::new(move |result: FetchResult| {
        let ticket = ticket.lock().ok().and_then(|mut ticket| ticket.take());
        let Some(ticket) = ticket else { return };
        tasks.queue(move |event_loop| {
            let Some(internal) = ticket.take(event_loop) else {
                return;
            };
            if let Some(number) = internal.number.get() {
                internal.group.running.borrow_mut().remove(&number);
            }
            if !internal.group.is_terminated.get() {
                (internal.done)(&internal.realm, result);
            }
        });
    });
    let course = fetcher.fetch(request, answer);
    number.set(Some(group.add(course)));
    Ok(())
}
