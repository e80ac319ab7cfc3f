//! A realm's way to the caches of its origin.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use base::channel::{Callback, Disconnected};
use base::exception::{DomExceptionName, ErrorClass};
use cache_storage::{CacheAnswer, CacheError, CacheResult, OriginCaches};

use crate::bindings::{
    Dom, Error, Fallible, NoTrace, Promise, Realm, ToJs, Traceable, Tracer, Value,
};
use crate::dom::cache::{AddAll, Cache};
use crate::dom::cache_storage::CacheStorage;
use crate::dom::request::Request;
use crate::dom::response::Response;
use crate::environment::Environment;
use crate::event_loop::EventLoop;

/// A realm's way to the caches of its origin. A traced service of the realm.
pub(crate) struct CacheClient {
    /// None in a realm with an opaque origin.
    caches: NoTrace<Option<OriginCaches>>,
    storage: OnceCell<Dom<CacheStorage>>,
    /// Calls of `add` and `addAll` that wait for the network.
    pub(crate) adding: RefCell<BTreeMap<u64, AddAll>>,
    pub(crate) last: Cell<u64>,
    is_detached: Cell<bool>,
}

impl Traceable for CacheClient {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.storage.trace(tracer);
        self.adding.trace(tracer);
    }
}

impl CacheClient {
    /// The one of a realm.
    ///
    /// # Errors
    ///
    /// The realm has no environment, as in a test of single bindings.
    pub(crate) fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        if let Some(client) = realm.service() {
            return Ok(client);
        }
        let environment = Environment::of(realm)?;
        let caches = environment
            .origin
            .clone()
            .map(|origin| environment.services.caches.of_origin(origin));
        let client = Rc::new(Self {
            caches: NoTrace(caches),
            storage: OnceCell::new(),
            adding: RefCell::default(),
            last: Cell::new(0),
            is_detached: Cell::new(false),
        });
        realm.add_traced_service(Rc::clone(&client));
        Ok(client)
    }

    /// `caches`
    pub(crate) fn storage(&self, realm: &Realm) -> Fallible<Dom<CacheStorage>> {
        if let Some(storage) = self.storage.get() {
            return Ok(storage.clone());
        }
        let storage = CacheStorage::create(realm)?;
        Ok(self.storage.get_or_init(|| storage).clone())
    }

    /// The caches of the origin.
    ///
    /// # Errors
    ///
    /// A `SecurityError` when the origin is opaque.
    pub(crate) fn caches(&self) -> Fallible<&OriginCaches> {
        self.caches.0.as_ref().ok_or_else(|| {
            let message = "This origin has no caches.";
            Error::from(ErrorClass::Security.exception(message))
        })
    }

    /// Whether the realm has gone away.
    pub(crate) fn is_detached(&self) -> bool {
        self.is_detached.get()
    }
}

/// Lets nothing be answered any more; call it when the realm goes away.
pub(crate) fn detach(realm: &Realm) {
    if let Some(client) = realm.service::<CacheClient>() {
        client.is_detached.set(true);
        drop(client.adding.take());
    }
}

/// What a promise is resolved with.
type Convert = fn(&Realm, CacheAnswer) -> Fallible<Value>;

/// A promise for an answer.
pub(crate) fn ask(
    realm: &Realm,
    send: impl FnOnce(Callback<CacheResult>) -> Result<(), Disconnected>,
    convert: Convert,
) -> Fallible<Promise> {
    let promise = Promise::new(realm)?;
    settle_with_answer(&promise, send, convert)?;
    Ok(promise)
}

/// As [`ask`], for a promise that is there.
pub(crate) fn settle_with_answer(
    promise: &Promise,
    send: impl FnOnce(Callback<CacheResult>) -> Result<(), Disconnected>,
    convert: Convert,
) -> Fallible<()> {
    let realm = promise.realm();
    let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
        let message = "The global object has no event loop.";
        Error::Type(message.to_owned())
    })?;
    let done = event_loop.answer(
        promise.clone(),
        move |promise: Promise, answer: CacheResult| {
            let realm = promise.realm();
            if CacheClient::of(realm).is_ok_and(|client| client.is_detached()) {
                return;
            }
            let result = answer
                .map_err(exception)
                .and_then(|answer| convert(realm, answer));
            match result {
                Ok(value) => promise.resolve(&value),
                Err(error) => promise.reject(error),
            }
        },
    );
    send(done).map_err(|Disconnected| {
        let message = "The browser is shutting down.";
        Error::from(ErrorClass::PageState.exception(message))
    })
}

fn exception(error: CacheError) -> Error {
    let name = match error {
        CacheError::Duplicate => DomExceptionName::InvalidStateError,
        CacheError::DiskFull => DomExceptionName::QuotaExceededError,
        CacheError::Store(_) => DomExceptionName::UnknownError,
    };
    Error::dom(name, format!("The cache was not changed or read: {error}."))
}

fn unexpected(answer: &CacheAnswer) -> Error {
    log::error!("the caches answered something else: {answer:?}");
    Error::Type("internal error".to_owned())
}

/// The first response, or `undefined`.
pub(crate) fn first_response(realm: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    let CacheAnswer::Responses(found) = answer else {
        return Err(unexpected(&answer));
    };
    match found.into_iter().next() {
        Some(response) => Ok(Response::from_stored(realm, response)?.value()),
        None => Ok(Value::undefined()),
    }
}

/// An array of the responses.
pub(crate) fn responses(realm: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    let CacheAnswer::Responses(found) = answer else {
        return Err(unexpected(&answer));
    };
    let responses = found
        .into_iter()
        .map(|response| Response::from_stored(realm, response))
        .collect::<Fallible<Vec<_>>>()?;
    frozen(realm, &responses)
}

/// An array of the requests.
pub(crate) fn requests(realm: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    let CacheAnswer::Requests(found) = answer else {
        return Err(unexpected(&answer));
    };
    let requests = found
        .into_iter()
        .map(|request| Request::from_stored(realm, request))
        .collect::<Fallible<Vec<_>>>()?;
    frozen(realm, &requests)
}

fn frozen(realm: &Realm, values: &impl ToJs) -> Fallible<Value> {
    let array = values.to_js(realm)?;
    array.freeze(realm)?;
    Ok(array)
}

/// Whether it was there.
pub(crate) fn found(_: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    match answer {
        CacheAnswer::Found(found) => Ok(Value::boolean(found)),
        other => Err(unexpected(&other)),
    }
}

/// An array of the names.
pub(crate) fn names(realm: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    let CacheAnswer::Names(names) = answer else {
        return Err(unexpected(&answer));
    };
    let names = names
        .iter()
        .map(|name| realm.new_string_utf16(name))
        .collect::<Fallible<Vec<Value>>>()?;
    realm.new_array(&names)
}

/// The cache.
pub(crate) fn opened(realm: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    match answer {
        CacheAnswer::Opened(handle) => Ok(Cache::create(realm, handle)?.value()),
        other => Err(unexpected(&other)),
    }
}

/// `undefined`.
pub(crate) fn done(_: &Realm, answer: CacheAnswer) -> Fallible<Value> {
    match answer {
        CacheAnswer::Done => Ok(Value::undefined()),
        other => Err(unexpected(&other)),
    }
}
