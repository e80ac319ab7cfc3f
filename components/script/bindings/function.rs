//! Functions of Rust that belong to no interface.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::host_object::{Host, new_host_object, shared_function};
use super::realm::Realm;
use super::value::{Flags, Value};

/// What such a function does with its arguments.
pub(super) type NativeFunction = Rc<dyn Fn(&Realm, &[Value]) -> Fallible<Value>>;

impl Value {
    /// A function with this name and `length`. A value that the closure holds is a root until the
    /// function is collected. The realm that the closure gets is the caller's.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_function(
        realm: &Realm,
        name: &str,
        length: u16,
        function: impl Fn(&Realm, &[Self]) -> Fallible<Self> + 'static,
    ) -> Fallible<Self> {
        let host = Host::Function(Rc::new(function));
        let holder = new_host_object(realm, &Self::null(), host)?;
        let mut data = [holder.raw()];
        // SAFETY: the engine counts its own reference to the holder.
        let value = realm.take(unsafe {
            qjs::JS_NewCFunctionData(
                realm.context(),
                Some(call),
                i32::from(length),
                0,
                1,
                data.as_mut_ptr(),
            )
        })?;
        let name = realm.new_string(name)?;
        value.define(realm, "name", &name, Flags::CONFIGURABLE)?;
        Ok(value)
    }
}

unsafe extern "C" fn call(
    context: *mut qjs::JSContext,
    _: qjs::JSValue,
    count: i32,
    arguments: *mut qjs::JSValue,
    _: i32,
    data: *mut qjs::JSValue,
) -> qjs::JSValue {
    let Some(realm) = Realm::of_context(context) else {
        return qjs::JS_UNDEFINED;
    };
    // SAFETY: the function was made with one value of data.
    let holder = Value::borrowed(realm.runtime(), unsafe { *data });
    let arguments: Vec<Value> = (0..usize::try_from(count).unwrap_or(0))
        // SAFETY: the engine passes `count` arguments that live during the call.
        .map(|index| Value::borrowed(realm.runtime(), unsafe { *arguments.add(index) }))
        .collect();
    let Some(function) = shared_function(&holder) else {
        return qjs::JS_UNDEFINED;
    };
    let result = catch_unwind(AssertUnwindSafe(|| function(realm, &arguments)));
    let result = result.unwrap_or_else(|_| {
        // The panic hook has said what happened; a panic must not cross the engine.
        log::error!("panic in a native function");
        Err(Error::Type("internal error".to_owned()))
    });
    match result {
        Ok(value) => value.into_raw(),
        Err(error) => {
            let exception = realm.exception_value(error);
            // SAFETY: the context is alive; the engine takes over the reference.
            unsafe { qjs::JS_Throw(context, exception.into_raw()) }
        }
    }
}
