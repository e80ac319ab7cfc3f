//! <https://html.spec.whatwg.org/multipage/webappapis.html#windoworworkerglobalscope-mixin>

use std::cell::OnceCell;
use std::rc::Rc;

use base::exception::DomExceptionName;

use super::cache_storage::CacheStorage;
use super::idb_factory::IdbFactory;
use crate::base64;
use crate::bindings::generated::{
    FunctionOrDomString, RequestInit, RequestOrUsvString, StructuredSerializeOptions, VoidFunction,
    WindowOrWorkerGlobalScopeMethods,
};
use crate::bindings::report::report_exception;
use crate::bindings::{
    ByteString, Dom, DomObject, DomString, Error, Fallible, Promise, Realm, UsvString, Value,
};
use crate::cache_client::CacheClient;
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::fetch;
use crate::indexed_database::client::DatabaseClient;
use crate::structured_clone;

fn event_loop(realm: &Realm) -> Fallible<Rc<EventLoop>> {
    realm.service::<EventLoop>().ok_or_else(|| {
        Error::dom(
            DomExceptionName::InvalidStateError,
            "There is no event loop for timers.",
        )
    })
}

/// Windows and workers differ only in their realm.
impl<T: DomObject> WindowOrWorkerGlobalScopeMethods for T {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#dom-origin>
    fn origin(&self, realm: &Realm) -> UsvString {
        Environment::of(realm)
            .map_or_else(
                |_| "null".to_owned(),
                |environment| environment.serialized_origin(),
            )
            .into()
    }

    fn is_secure_context(&self, realm: &Realm) -> bool {
        realm.is_secure_context()
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#dom-crossoriginisolated>
    fn cross_origin_isolated(&self, _: &Realm) -> bool {
        // Origins share processes, so no document or worker can have the capability.
        false
    }

    fn caches(&self, realm: &Realm) -> Fallible<Dom<CacheStorage>> {
        CacheClient::of(realm)?.storage(realm)
    }

    fn indexed_db(&self, realm: &Realm) -> Fallible<Dom<IdbFactory>> {
        DatabaseClient::of(realm)?.factory(realm)
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#dom-btoa>
    fn btoa(&self, _: &Realm, data: DomString) -> Fallible<DomString> {
        let bytes: Result<Vec<u8>, _> = data
            .code_units()
            .iter()
            .map(|unit| u8::try_from(*unit))
            .collect();
        let bytes = bytes.map_err(|_| {
            Error::dom(
                DomExceptionName::InvalidCharacterError,
                "The string has characters outside of the Latin1 range.",
            )
        })?;
        Ok(base64::encode(&bytes).into())
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#dom-atob>
    fn atob(&self, _: &Realm, data: DomString) -> Fallible<ByteString> {
        base64::decode(data.code_units())
            .map(ByteString)
            .ok_or_else(|| {
                Error::dom(
                    DomExceptionName::InvalidCharacterError,
                    "The string is not correctly encoded.",
                )
            })
    }

    fn fetch(
        &self,
        realm: &Realm,
        input: RequestOrUsvString,
        init: RequestInit,
    ) -> Fallible<Promise> {
        fetch::fetch(realm, input, init)
    }

    /// <https://html.spec.whatwg.org/multipage/structured-data.html#dom-structuredclone>
    fn structured_clone(
        &self,
        realm: &Realm,
        value: Value,
        options: StructuredSerializeOptions,
    ) -> Fallible<Value> {
        structured_clone::structured_clone(realm, &value, &options.transfer)
    }

    fn set_timeout(
        &self,
        realm: &Realm,
        handler: FunctionOrDomString,
        timeout: i32,
        arguments: Vec<Value>,
    ) -> Fallible<i32> {
        Ok(event_loop(realm)?.set_timer(realm, handler, timeout, arguments, false))
    }

    fn clear_timeout(&self, realm: &Realm, id: i32) -> Fallible<()> {
        event_loop(realm)?.clear_timer(realm, id);
        Ok(())
    }

    fn set_interval(
        &self,
        realm: &Realm,
        handler: FunctionOrDomString,
        timeout: i32,
        arguments: Vec<Value>,
    ) -> Fallible<i32> {
        Ok(event_loop(realm)?.set_timer(realm, handler, timeout, arguments, true))
    }

    fn clear_interval(&self, realm: &Realm, id: i32) -> Fallible<()> {
        self.clear_timeout(realm, id)
    }

    /// <https://html.spec.whatwg.org/multipage/timers-and-user-prompts.html#dom-queuemicrotask>
    fn queue_microtask(&self, realm: &Realm, callback: VoidFunction) -> Fallible<()> {
        Promise::resolved(realm, &())?.on_settled(move |realm, _| {
            if let Err(error) = callback.call(&Value::undefined()) {
                report_exception(realm, error);
            }
        })
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#dom-reporterror>
    fn report_error(&self, realm: &Realm, e: Value) -> Fallible<()> {
        report_exception(realm, Error::Thrown(e));
        Ok(())
    }
}

/// The one object of an attribute, made when it is first asked for.
pub(super) fn same<T>(
    cell: &OnceCell<Dom<T>>,
    make: impl FnOnce() -> Fallible<Dom<T>>,
) -> Fallible<Dom<T>> {
    if let Some(object) = cell.get() {
        return Ok(object.clone());
    }
    let object = make()?;
    Ok(cell.get_or_init(|| object).clone())
}
