//! <https://w3c.github.io/ServiceWorker/#cache-interface>

use cache_storage::{CacheHandle, CacheOperation, Query, StoredRequest, StoredResponse};

use super::request::Request;
use super::response::Response;
use crate::bindings::generated::{
    CacheMethods, CacheQueryOptions, RequestInit, RequestMethods, RequestOrUsvString,
};
use crate::bindings::{
    AnyDom, Dom, Error, Fallible, NoTrace, Promise, Realm, Reflector, Traceable, Tracer, Value,
};
use crate::cache_client::{
    self, CacheClient, ask, done, first_response, found, requests, responses, settle_with_answer,
};
use crate::fetch;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#cache>
    pub struct Cache {
        pub(crate) reflector: Reflector,
        handle: NoTrace<CacheHandle>,
    }
}

impl Cache {
    /// The object of an open cache.
    pub(crate) fn create(realm: &Realm, handle: CacheHandle) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                handle: NoTrace(handle),
            },
        )
    }

    fn ask(
        &self,
        realm: &Realm,
        operation: CacheOperation,
        convert: fn(&Realm, cache_storage::CacheAnswer) -> Fallible<Value>,
    ) -> Fallible<Promise> {
        ask(realm, |done| self.handle.operate(operation, done), convert)
    }
}

/// The request that a script means.
fn request_of(realm: &Realm, request: RequestOrUsvString) -> Fallible<Dom<Request>> {
    match request {
        RequestOrUsvString::Request(request) => Ok(request),
        url @ RequestOrUsvString::UsvString(_) => {
            <Request as RequestMethods>::constructor(realm, url, RequestInit::default())
        }
    }
}

/// What a script looks for.
pub(crate) fn query(
    realm: &Realm,
    request: RequestOrUsvString,
    options: &CacheQueryOptions,
) -> Fallible<Query> {
    Ok(Query {
        request: request_of(realm, request)?.stored(),
        ignore_search: options.ignore_search,
        ignore_method: options.ignore_method,
        ignore_vary: options.ignore_vary,
    })
}

fn optional_query(
    realm: &Realm,
    request: Option<RequestOrUsvString>,
    options: &CacheQueryOptions,
) -> Fallible<Option<Query>> {
    request
        .map(|request| query(realm, request, options))
        .transpose()
}

/// What a request must be to be stored with its response.
fn check_request(request: &StoredRequest) -> Fallible<()> {
    if !matches!(request.url.scheme(), "http" | "https") {
        let message = format!("{} is not an HTTP URL.", request.url);
        return Err(Error::Type(message));
    }
    if request.method != "GET" {
        let message = format!("The method is {}, not GET.", request.method);
        return Err(Error::Type(message));
    }
    Ok(())
}

/// What a response must be to be stored.
fn check_response(response: &StoredResponse) -> Fallible<()> {
    if response.status == 206 {
        let message = "The response is only a part of one.";
        return Err(Error::Type(message.to_owned()));
    }
    let varies_on_everything = response
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("vary"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b','))
        .any(|field| field.trim_ascii() == b"*");
    if varies_on_everything {
        let message = "The response varies on everything.";
        return Err(Error::Type(message.to_owned()));
    }
    Ok(())
}

/// A call of `add` or `addAll` that waits for the network.
pub(crate) struct AddAll {
    cache: Dom<Cache>,
    promise: Promise,
    requests: Vec<StoredRequest>,
    responses: Vec<Option<StoredResponse>>,
}

impl Traceable for AddAll {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.cache.trace(tracer);
        self.promise.trace(tracer);
    }
}

/// One of the responses has come, or not. The first one that has not, or cannot be stored, settles
/// all of it.
fn arrived(realm: &Realm, id: u64, index: usize, result: Result<Value, Value>) {
    let Ok(client) = CacheClient::of(realm) else {
        return;
    };
    let checked = result
        .map_err(Error::Thrown)
        .and_then(|response| fetched_response(&response));
    let mut adding = client.adding.borrow_mut();
    // It may have failed already.
    let Some(all) = adding.get_mut(&id) else {
        return;
    };
    let failure = match checked {
        Ok(response) => {
            all.responses[index] = Some(response);
            if all.responses.iter().any(Option::is_none) {
                return;
            }
            None
        }
        Err(error) => Some(error),
    };
    let Some(all) = adding.remove(&id) else {
        return;
    };
    drop(adding);
    match failure {
        Some(error) => all.promise.reject(error),
        None => store(all),
    }
}

fn fetched_response(response: &Value) -> Fallible<StoredResponse> {
    let response = AnyDom::of(response)
        .and_then(|response| response.downcast::<Response>())
        .ok_or_else(|| Error::Type("There is no response.".to_owned()))?;
    let response = response.stored()?;
    if !(200..300).contains(&response.status) {
        let message = format!("The server answered with status {}.", response.status);
        return Err(Error::Type(message));
    }
    if response.response_type.starts_with("opaque") {
        let message = "The response is opaque, so that nobody knows whether it is a good one.";
        return Err(Error::Type(message.to_owned()));
    }
    check_response(&response)?;
    Ok(response)
}

fn store(all: AddAll) {
    let entries = all
        .requests
        .into_iter()
        .zip(all.responses.into_iter().flatten())
        .collect();
    let operation = CacheOperation::Put(entries);
    let asked = settle_with_answer(
        &all.promise,
        |done| all.cache.handle.operate(operation, done),
        cache_client::done,
    );
    if let Err(error) = asked {
        all.promise.reject(error);
    }
}

impl CacheMethods for Cache {
    /// <https://w3c.github.io/ServiceWorker/#cache-match>
    fn match_(
        &self,
        realm: &Realm,
        request: RequestOrUsvString,
        options: CacheQueryOptions,
    ) -> Fallible<Promise> {
        let operation = CacheOperation::Match {
            query: Some(query(realm, request, &options)?),
            first: true,
        };
        self.ask(realm, operation, first_response)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-matchall>
    fn match_all(
        &self,
        realm: &Realm,
        request: Option<RequestOrUsvString>,
        options: CacheQueryOptions,
    ) -> Fallible<Promise> {
        let operation = CacheOperation::Match {
            query: optional_query(realm, request, &options)?,
            first: false,
        };
        self.ask(realm, operation, responses)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-add>
    fn add(&self, realm: &Realm, request: RequestOrUsvString) -> Fallible<Promise> {
        self.add_all(realm, vec![request])
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-addAll>
    fn add_all(&self, realm: &Realm, requests: Vec<RequestOrUsvString>) -> Fallible<Promise> {
        // Steps 2 to 4: nothing is fetched unless all of them can be stored.
        let requests = requests
            .into_iter()
            .map(|request| request_of(realm, request))
            .collect::<Fallible<Vec<_>>>()?;
        let stored: Vec<StoredRequest> = requests.iter().map(|request| request.stored()).collect();
        stored.iter().try_for_each(check_request)?;
        let promise = Promise::new(realm)?;
        let all = AddAll {
            cache: Dom::from_ref(self),
            promise: promise.clone(),
            responses: vec![None; stored.len()],
            requests: stored,
        };
        if requests.is_empty() {
            store(all);
            return Ok(promise);
        }
        // Step 5
        let client = CacheClient::of(realm)?;
        let id = client.last.get() + 1;
        client.last.set(id);
        client.adding.borrow_mut().insert(id, all);
        for (index, request) in requests.into_iter().enumerate() {
            let request = RequestOrUsvString::Request(request);
            fetch::fetch(realm, request, RequestInit::default())
                .or_else(|error| Promise::rejected(realm, error))?
                .on_settled(move |realm, result| arrived(realm, id, index, result))?;
        }
        Ok(promise)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-put>
    fn put(
        &self,
        realm: &Realm,
        request: RequestOrUsvString,
        response: Dom<Response>,
    ) -> Fallible<Promise> {
        // Steps 1 to 4
        let request = request_of(realm, request)?.stored();
        check_request(&request)?;
        // Steps 5 to 12: a body that is complete has nothing to wait for.
        response.check_stored(check_response)?;
        let entries = vec![(request, response.stored()?)];
        self.ask(realm, CacheOperation::Put(entries), done)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-delete>
    fn delete(
        &self,
        realm: &Realm,
        request: RequestOrUsvString,
        options: CacheQueryOptions,
    ) -> Fallible<Promise> {
        let query = query(realm, request, &options)?;
        self.ask(realm, CacheOperation::Delete(query), found)
    }

    /// <https://w3c.github.io/ServiceWorker/#cache-keys>
    fn keys(
        &self,
        realm: &Realm,
        request: Option<RequestOrUsvString>,
        options: CacheQueryOptions,
    ) -> Fallible<Promise> {
        let query = optional_query(realm, request, &options)?;
        self.ask(realm, CacheOperation::Keys(query), requests)
    }
}
