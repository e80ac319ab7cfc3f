//! `fetch()`: requests of scripts, answered by the network component.
//!
//! <https://fetch.spec.whatwg.org/#fetch-method>
//!
//! Bodies are complete byte buffers in both directions: the promise of `fetch()` is settled when
//! the last byte is there, so that a response that is cut short rejects it.

pub mod body;
pub(crate) mod header_rules;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Mutex;

use base::channel::Callback;
use net::{FetchId, FetchResult, NetHandle};

use crate::bindings::generated::{RequestInit, RequestMethods, RequestOrUsvString};
use crate::bindings::{
    Dom, Error, Fallible, Promise, Realm, RealmHandle, Traceable, Tracer, Value,
};
use crate::dom::abort_signal::{AbortAlgorithm, AbortSignal, AlgorithmId};
use crate::dom::request::Request;
use crate::dom::response::Response;
use crate::environment::Environment;
use crate::event_loop::EventLoop;

/// The fetches of a realm that have not ended. A service of the realm.
///
/// <https://fetch.spec.whatwg.org/#concept-fetch-group>
#[derive(Default)]
struct FetchGroup {
    running: RefCell<BTreeSet<FetchId>>,
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
    if let Ok(environment) = Environment::of(realm) {
        for id in running {
            environment.services.net.cancel(id);
        }
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
    id: FetchId,
    algorithm: Option<AlgorithmId>,
}

impl Pending {
    fn finish(self, result: FetchResult) {
        if let Some(started) = self.started.get() {
            self.group.running.borrow_mut().remove(&started.id);
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
    net: NetHandle,
    id: FetchId,
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
        self.net.cancel(self.id);
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
    let net = environment.services.net.clone();
    let Some(id) = hand_over(&environment, request.to_net(&environment)?, &done) else {
        return Ok(());
    };
    group.running.borrow_mut().insert(id);
    let algorithm = signal.add_algorithm(Box::new(AbortFetch {
        promise: promise.clone(),
        net,
        id,
    }));
    started.set(Some(Started { id, algorithm }));
    Ok(())
}

/// Gives a request to the network. What a blob URL refers to is answered at once, and has no id.
fn hand_over(
    environment: &Environment,
    request: net::Request,
    done: &Callback<FetchResult>,
) -> Option<FetchId> {
    let services = &environment.services;
    match services.user_agent.blob_urls.fetch(&request) {
        Some(response) => {
            done.call(Ok(response));
            None
        }
        None => Some(services.net.fetch(request, done.clone())),
    }
}

/// What is to happen with a response.
type WhenDone = Box<dyn FnOnce(&Realm, FetchResult)>;

/// A fetch that a realm needs for itself.
struct Internal {
    realm: RealmHandle,
    id: Rc<Cell<Option<FetchId>>>,
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
    let environment = Environment::of(realm)?;
    let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
        let message = "The global object has no event loop.";
        Error::Type(message.to_owned())
    })?;
    let group = FetchGroup::of(realm);
    let id = Rc::new(Cell::new(None));
    let ticket = event_loop.keep(Internal {
        realm: realm.root(),
        id: Rc::clone(&id),
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
            if let Some(id) = internal.id.get() {
                internal.group.running.borrow_mut().remove(&id);
            }
            if !internal.group.is_terminated.get() {
                (internal.done)(&internal.realm, result);
            }
        });
    });
    let started = hand_over(&environment, request, &answer);
    group.running.borrow_mut().extend(started);
    id.set(started);
    Ok(())
}
