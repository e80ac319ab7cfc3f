//! Promises that Rust settles, and reactions of Rust to promises of scripts.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::cell::RefCell;

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::host_object::{Host, new_host_object, take_reaction};
use super::realm::{Realm, RealmHandle};
use super::trace::{Traceable, Tracer};
use super::value::{ToJs, Value};

/// A promise of its realm. Clones are the same promise; settling it twice has no effect.
#[derive(Clone)]
pub struct Promise {
    object: Value,
    resolve: Value,
    reject: Value,
    realm: RealmHandle,
}

/// What happens once a promise is settled.
pub(super) type Reaction = Box<dyn FnOnce(&Realm, Result<Value, Value>)>;

impl Promise {
    /// <https://webidl.spec.whatwg.org/#a-new-promise>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new(realm: &Realm) -> Fallible<Self> {
        let mut functions = [qjs::JS_UNDEFINED; 2];
        // SAFETY: the engine writes two functions, whose references are ours.
        let promise = realm.take(unsafe {
            qjs::JS_NewPromiseCapability(realm.context(), functions.as_mut_ptr())
        })?;
        let [resolve, reject] = functions.map(|raw| Value::owned(realm.runtime(), raw));
        Ok(Self {
            object: promise,
            resolve,
            reject,
            realm: realm.root(),
        })
    }

    /// A promise that the engine settles; settling it from here has no effect.
    pub(super) fn of_engine(realm: &Realm, promise: Value) -> Self {
        Self {
            object: promise,
            resolve: Value::undefined(),
            reject: Value::undefined(),
            realm: realm.root(),
        }
    }

    /// <https://webidl.spec.whatwg.org/#a-promise-resolved-with>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn resolved(realm: &Realm, value: &(impl ToJs + ?Sized)) -> Fallible<Self> {
        let promise = Self::new(realm)?;
        let value = value.to_js(realm)?;
        promise.resolve.call(realm, &Value::undefined(), &[value])?;
        Ok(promise)
    }

    /// <https://webidl.spec.whatwg.org/#js-promise>
    ///
    /// A promise of this realm is taken as it is, so that reactions to it come as soon as they
    /// do for scripts; settling it from here has no effect.
    ///
    /// # Errors
    ///
    /// What getting its constructor throws, or that the engine is out of memory.
    pub fn from_value(realm: &Realm, value: &Value) -> Fallible<Self> {
        if value.is_promise() {
            let constructor = value.get(realm, "constructor")?;
            if constructor.strictly_equals(realm, &realm.intrinsic("Promise")?) {
                return Ok(Self::of_engine(realm, value.clone()));
            }
        }
        Self::resolved(realm, value)
    }

    /// <https://webidl.spec.whatwg.org/#a-promise-rejected-with>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn rejected(realm: &Realm, reason: Error) -> Fallible<Self> {
        let promise = Self::new(realm)?;
        let reason = realm.exception_value(reason);
        promise.reject.call(realm, &Value::undefined(), &[reason])?;
        Ok(promise)
    }

    /// Resolves it; reactions run before this returns if no script is running.
    pub fn resolve(&self, value: &(impl ToJs + ?Sized)) {
        self.realm.run_script(|| match value.to_js(&self.realm) {
            Ok(value) => self.settle(&self.resolve, value),
            Err(error) => self.settle(&self.reject, self.realm.exception_value(error)),
        });
    }

    /// Rejects it; reactions run before this returns if no script is running.
    pub fn reject(&self, reason: impl Into<Error>) {
        let reason = reason.into();
        self.realm
            .run_script(|| self.settle(&self.reject, self.realm.exception_value(reason)));
    }

    fn settle(&self, function: &Value, value: Value) {
        if function.is_undefined() {
            return;
        }
        if function
            .call(&self.realm, &Value::undefined(), &[value])
            .is_err()
        {
            log::error!("a promise could not be settled: out of memory");
        }
    }

    /// The realm it was made in.
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The JavaScript promise.
    pub fn value(&self) -> &Value {
        &self.object
    }

    /// <https://webidl.spec.whatwg.org/#dfn-perform-steps-once-promise-is-settled>
    ///
    /// The rejection counts as handled. A value that the closure holds is a root until the promise
    /// is settled or collected.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn on_settled(
        &self,
        reaction: impl FnOnce(&Realm, Result<Value, Value>) + 'static,
    ) -> Fallible<()> {
        let realm = &*self.realm;
        let host = Host::Reaction(RefCell::new(Some(Box::new(reaction))));
        let holder = new_host_object(realm, &Value::null(), host)?;
        let function = |magic| {
            let mut data = [holder.raw()];
            // SAFETY: the engine counts its own reference to the holder.
            realm.take(unsafe {
                qjs::JS_NewCFunctionData(
                    realm.context(),
                    Some(react),
                    1,
                    magic,
                    1,
                    data.as_mut_ptr(),
                )
            })
        };
        let (fulfilled, rejected) = (function(0)?, function(1)?);
        // A promise that is settled already has its reaction run before this returns if no script is
        // running: nothing else would.
        realm.run_script(|| {
            // SAFETY: all values are alive.
            realm.take(unsafe {
                qjs::JS_PromiseThen(
                    realm.context(),
                    self.object.raw(),
                    fulfilled.raw(),
                    rejected.raw(),
                )
            })
        })?;
        Ok(())
    }
}

unsafe extern "C" fn react(
    context: *mut qjs::JSContext,
    _: qjs::JSValue,
    count: i32,
    arguments: *mut qjs::JSValue,
    magic: i32,
    data: *mut qjs::JSValue,
) -> qjs::JSValue {
    let Some(realm) = Realm::of_context(context) else {
        return qjs::JS_UNDEFINED;
    };
    // SAFETY: the function was made with one value of data, and is called with `count` arguments.
    let (holder, value) = unsafe {
        let value = if count > 0 {
            *arguments
        } else {
            qjs::JS_UNDEFINED
        };
        (
            Value::borrowed(realm.runtime(), *data),
            Value::borrowed(realm.runtime(), value),
        )
    };
    if let Some(reaction) = take_reaction(&holder)
        && !realm.state().is_closing()
    {
        let result = if magic == 0 { Ok(value) } else { Err(value) };
        let run = std::panic::AssertUnwindSafe(|| reaction(realm, result));
        if std::panic::catch_unwind(run).is_err() {
            log::error!("panic in a promise reaction");
        }
    }
    qjs::JS_UNDEFINED
}

impl Traceable for Promise {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(&self.object);
        tracer.value(&self.resolve);
        tracer.value(&self.reject);
        self.realm.trace(tracer);
    }
}

impl ToJs for Promise {
    fn to_js(&self, _: &Realm) -> Fallible<Value> {
        Ok(self.object.clone())
    }
}
