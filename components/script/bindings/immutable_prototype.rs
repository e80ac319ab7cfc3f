//! Global objects and what they inherit from keep their prototypes.
//!
//! <https://tc39.es/ecma262/#sec-immutable-prototype-exotic-objects>
//!
//! The engine has such objects only for its own `Object.prototype`. So the three ways in which a
//! script can set the prototype of an object are replaced by functions that look first whether
//! they may.

#![expect(unsafe_code, reason = "speaks with the engine")]

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::realm::Realm;
use super::value::{Flags, Value};

/// A way to set a prototype.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Way {
    ObjectFunction,
    ReflectFunction,
    Accessor,
}

/// Lets no script of this realm change the prototype of the global object, nor of any object that
/// it inherits from.
pub(super) fn protect(realm: &Realm) -> Fallible<()> {
    let mut object = realm.global_value();
    let mut addresses = Vec::new();
    while object.is_object() {
        addresses.extend(object.address());
        object = object.prototype(realm)?;
    }
    realm.immutable_prototypes.replace(addresses);
    let object = realm.intrinsic("Object")?;
    let reflect = realm.global_value().get(realm, "Reflect")?;
    for (home, way) in [
        (&object, Way::ObjectFunction),
        (&reflect, Way::ReflectFunction),
    ] {
        let name = "setPrototypeOf";
        let function = guarded(realm, &home.get(realm, name)?, name, way)?;
        home.define(realm, name, &function, Flags::HIDDEN)?;
    }
    let prototype = object.get(realm, "prototype")?;
    let descriptor = object.get(realm, "getOwnPropertyDescriptor")?.call(
        realm,
        &object,
        &[prototype.clone(), realm.new_string("__proto__")?],
    )?;
    let getter = descriptor.get(realm, "get")?;
    let setter = descriptor.get(realm, "set")?;
    let setter = guarded(realm, &setter, "set __proto__", Way::Accessor)?;
    prototype.define_accessor(realm, "__proto__", &getter, &setter, Flags::CONFIGURABLE)
}

/// A function that does what `original` does where it may.
fn guarded(realm: &Realm, original: &Value, name: &str, way: Way) -> Fallible<Value> {
    let (function, length): (qjs::JSCFunctionData, _) = match way {
        Way::ObjectFunction => (Some(set_by_object), 2),
        Way::ReflectFunction => (Some(set_by_reflect), 2),
        Way::Accessor => (Some(set_by_accessor), 1),
    };
    let mut data = [original.raw()];
    // SAFETY: all values are alive; the engine counts its own reference to the original.
    let function = realm.take(unsafe {
        qjs::JS_NewCFunctionData(realm.context(), function, length, 0, 1, data.as_mut_ptr())
    })?;
    function.define(realm, "name", &realm.new_string(name)?, Flags::CONFIGURABLE)?;
    Ok(function)
}

macro_rules! entry_point {
    ($name:ident, $way:expr) => {
        unsafe extern "C" fn $name(
            context: *mut qjs::JSContext,
            this: qjs::JSValue,
            count: i32,
            arguments: *mut qjs::JSValue,
            _: i32,
            data: *mut qjs::JSValue,
        ) -> qjs::JSValue {
            // SAFETY: passed on as they came from the engine.
            unsafe { set_prototype(context, this, (count, arguments), data, $way) }
        }
    };
}

entry_point!(set_by_object, Way::ObjectFunction);
entry_point!(set_by_reflect, Way::ReflectFunction);
entry_point!(set_by_accessor, Way::Accessor);

/// # Safety
///
/// The arguments are those of a call of a function of [`guarded`].
unsafe fn set_prototype(
    context: *mut qjs::JSContext,
    this: qjs::JSValue,
    (count, arguments): (i32, *mut qjs::JSValue),
    data: *mut qjs::JSValue,
    way: Way,
) -> qjs::JSValue {
    let Some(realm) = Realm::of_context(context) else {
        return qjs::JS_UNDEFINED;
    };
    // SAFETY: the function was made with one value of data; the engine passes `count` arguments.
    let (original, this, arguments) = unsafe {
        let borrowed = |raw| Value::borrowed(realm.runtime(), raw);
        let arguments: Vec<Value> = (0..usize::try_from(count).unwrap_or(0))
            .map(|index| borrowed(*arguments.add(index)))
            .collect();
        (borrowed(*data), borrowed(this), arguments)
    };
    let (object, prototype) = match way {
        Way::Accessor => (Some(&this), arguments.first()),
        _ => (arguments.first(), arguments.get(1)),
    };
    let result = match (object, prototype) {
        (Some(object), Some(prototype)) if is_refused(realm, object, prototype) => match way {
            Way::ReflectFunction => Ok(Value::boolean(false)),
            _ => Err(Error::Type(
                "The prototype of this object cannot be set.".to_owned(),
            )),
        },
        _ => original.call(realm, &this, &arguments),
    };
    match result {
        Ok(value) => value.into_raw(),
        Err(error) => {
            let exception = realm.exception_value(error);
            // SAFETY: the context is alive; the engine takes over the reference.
            unsafe { qjs::JS_Throw(context, exception.into_raw()) }
        }
    }
}

/// Whether an object keeps its prototype, which is not this one. What is no prototype at all is
/// for the original to refuse.
fn is_refused(realm: &Realm, object: &Value, prototype: &Value) -> bool {
    object
        .address()
        .is_some_and(|address| realm.state().has_immutable_prototype(address))
        && (prototype.is_object() || prototype.is_null())
        && object
            .prototype(realm)
            .is_ok_and(|current| !current.strictly_equals(realm, prototype))
}
