//! <https://w3c.github.io/ServiceWorker/#fetchevent-interface>

use std::cell::Cell;

use base::exception::DomExceptionName;
use base::ids::ClientId;
use sw_traits::{FetchAnswer, FetchEventData, FetchResponse};

use super::extendable_event::ExtendableEvent;
use super::request::Request;
use super::response::Response;
use crate::bindings::generated::{
    EventInit, ExtendableEventInit, FetchEventInit, FetchEventMethods,
};
use crate::bindings::report::describe;

use crate::bindings::{AnyDom, Dom, DomString, Error, Fallible, Promise, Realm, Value};
use crate::fetch::conversion;
use crate::service_worker::worker::Worker;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#fetchevent-interface>
    pub struct FetchEvent {
        pub(crate) parent: ExtendableEvent,
        request: Dom<Request>,
        preload_response: Promise,
        client_id: DomString,
        resulting_client_id: DomString,
        replaces_client_id: DomString,
        handled: Promise,
        /// <https://w3c.github.io/ServiceWorker/#fetchevent-respond-with-entered-flag>
        respond_with_entered: Cell<bool>,
    }
}

impl FetchEvent {
    /// The event for a request of a client.
    ///
    /// <https://w3c.github.io/ServiceWorker/#create-fetch-event-and-dispatch-algorithm>
    pub(crate) fn create(realm: &Realm, data: FetchEventData) -> Fallible<Dom<Self>> {
        let id =
            |id: Option<ClientId>| id.map_or_else(DomString::default, |id| id.to_string().into());
        let preload_response = Promise::new(realm)?;
        preload_response.value().mark_as_handled(realm);
        if !data.preload {
            preload_response.resolve(&());
        }
        let init = FetchEventInit {
            parent: ExtendableEventInit {
                parent: EventInit {
                    cancelable: true,
                    ..EventInit::default()
                },
            },
            request: Request::from_event(realm, data.request)?,
            preload_response: Some(preload_response),
            client_id: id(data.client),
            resulting_client_id: id(data.resulting_client),
            replaces_client_id: id(data.replaced_client),
            handled: None,
        };
        Self::constructor(realm, "fetch".into(), init)
    }

    /// The listeners have run. Returns the answer, if nothing is to be waited for.
    pub(crate) fn dispatched(&self) -> Option<FetchAnswer> {
        if self.respond_with_entered.get() {
            return None;
        }
        if self.parent.parent.is_canceled() {
            return Some(self.fail("it called preventDefault()".to_owned()));
        }
        self.handled.resolve(&());
        Some(FetchAnswer::NotHandled)
    }

    /// What was given to `respondWith` is settled. Returns the answer.
    pub(crate) fn settled(&self, realm: &Realm, result: Result<Value, Value>) -> FetchAnswer {
        let value = match result {
            Ok(value) => value,
            Err(reason) => {
                let message = describe(realm, &reason).message;
                return self.fail(format!(
                    "what it gave to respondWith() was rejected: {message}"
                ));
            }
        };
        let response = AnyDom::of(&value).and_then(|object| object.downcast::<Response>());
        let Some(response) = response else {
            return self.fail("what it gave to respondWith() is no response".to_owned());
        };
        match response.answer() {
            Ok(response) => {
                self.handled.resolve(&());
                FetchAnswer::Response(Box::new(response))
            }
            Err(_) => self.fail("the body of its response has been read already".to_owned()),
        }
    }

    fn fail(&self, reason: String) -> FetchAnswer {
        let message = "The request has failed.";
        self.handled
            .reject(Error::dom(DomExceptionName::NetworkError, message));
        FetchAnswer::NetworkError { reason }
    }

    /// What the preload of a navigation brought.
    pub(crate) fn preload_ended(&self, realm: &Realm, result: Result<FetchResponse, String>) {
        let url = self.request.request_url();
        let response = match result {
            Ok(response) => Response::from_net(realm, conversion::from_event(response, url)),
            Err(reason) => {
                let message = format!("The navigation could not be preloaded: {reason}.");
                Err(Error::Type(message))
            }
        };
        match response {
            Ok(response) => self.preload_response.resolve(&response),
            Err(error) => self.preload_response.reject(error),
        }
    }

    /// Nobody wants the response any more.
    pub(crate) fn abort(&self, realm: &Realm) {
        let message = "The request was aborted.";
        let reason = realm.exception_value(Error::dom(DomExceptionName::AbortError, message));
        self.request.abort_signal().signal_abort(realm, reason);
    }
}

impl FetchEventMethods for FetchEvent {
    fn constructor(realm: &Realm, type_: DomString, init: FetchEventInit) -> Fallible<Dom<Self>> {
        let parent = ExtendableEvent::new_inherited(realm, type_, &init.parent.parent);
        let preload_response = match init.preload_response {
            Some(promise) => promise,
            None => Promise::resolved(realm, &())?,
        };
        let handled = match init.handled {
            Some(promise) => promise,
            None => Promise::new(realm)?,
        };
        handled.value().mark_as_handled(realm);
        Dom::new(
            realm,
            Self {
                parent,
                request: init.request,
                preload_response,
                client_id: init.client_id,
                resulting_client_id: init.resulting_client_id,
                replaces_client_id: init.replaces_client_id,
                handled,
                respond_with_entered: Cell::new(false),
            },
        )
    }

    fn request(&self, _: &Realm) -> Dom<Request> {
        self.request.clone()
    }

    fn preload_response(&self, _: &Realm) -> Promise {
        self.preload_response.clone()
    }

    fn client_id(&self, _: &Realm) -> DomString {
        self.client_id.clone()
    }

    fn resulting_client_id(&self, _: &Realm) -> DomString {
        self.resulting_client_id.clone()
    }

    fn replaces_client_id(&self, _: &Realm) -> DomString {
        self.replaces_client_id.clone()
    }

    fn handled(&self, _: &Realm) -> Promise {
        self.handled.clone()
    }

    /// <https://w3c.github.io/ServiceWorker/#fetch-event-respondwith>
    fn respond_with(&self, realm: &Realm, r: Promise) -> Fallible<()> {
        let refuse = |message| Err(Error::dom(DomExceptionName::InvalidStateError, message));
        let event = &self.parent.parent;
        // Step 2
        if !event.dispatching.get() {
            return refuse("The event is not being dispatched.");
        }
        // Step 3
        if self.respond_with_entered.get() {
            return refuse("respondWith() was called already.");
        }
        // Step 4
        self.parent.add_lifetime_promise(realm, &r)?;
        // Steps 5 to 7
        event.stop_propagation.set(true);
        event.stop_immediate_propagation.set(true);
        self.respond_with_entered.set(true);
        // Steps 9 and 10
        let dispatch = self.parent.dispatch_id();
        r.on_settled(move |realm, result| {
            if let (Ok(worker), Some(event)) = (Worker::of(realm), dispatch) {
                worker.respond(realm, event, result);
            }
        })
    }
}
