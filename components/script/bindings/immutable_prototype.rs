//! Global objects and what they inherit from keep their prototypes, and a window does not give
//! its prototype to scripts of other origins.
//!
//! <https://tc39.es/ecma262/#sec-immutable-prototype-exotic-objects>
//!
//! The engine has such objects only for its own `Object.prototype`, and asks no exotic object for
//! its prototype or whether it may be extended. So the ways in which a script can do something to
//! them are replaced by functions that look first whether they may. They look through the
//! script's own `Proxy` objects, as the engine does.

#![expect(unsafe_code, reason = "speaks with the engine")]

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::realm::Realm;
use super::value::{Flags, Value};
use super::window_proxy::proxy_of;

/// A function of the language that a script could do something with.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Way {
    Set,
    SetByReflect,
    SetByAccessor,
    Get,
    GetByAccessor,
    Close,
    CloseByReflect,
}

/// Where the functions are: `Object` or `Reflect`, and what they do.
const FUNCTIONS: [(&str, &str, Way); 8] = [
    ("Object", "setPrototypeOf", Way::Set),
    ("Reflect", "setPrototypeOf", Way::SetByReflect),
    ("Object", "getPrototypeOf", Way::Get),
    ("Reflect", "getPrototypeOf", Way::Get),
    ("Object", "preventExtensions", Way::Close),
    ("Object", "seal", Way::Close),
    ("Object", "freeze", Way::Close),
    ("Reflect", "preventExtensions", Way::CloseByReflect),
];

/// Lets no script of this realm change the prototype of the global object, nor of any object that
/// it inherits from, nor take that of a window of another origin.
pub(super) fn protect(realm: &Realm) -> Fallible<()> {
    let mut object = realm.global_value();
    let mut addresses = Vec::new();
    while object.is_object() {
        addresses.extend(object.address());
        object = object.prototype(realm)?;
    }
    realm.immutable_prototypes.replace(addresses);
    for (home, name, way) in FUNCTIONS {
        let home = realm.global_value().get(realm, home)?;
        let function = guarded(realm, &home.get(realm, name)?, name, way)?;
        home.define(realm, name, &function, Flags::HIDDEN)?;
    }
    let object = realm.intrinsic("Object")?;
    let prototype = object.get(realm, "prototype")?;
    let descriptor = object.get(realm, "getOwnPropertyDescriptor")?.call(
        realm,
        &object,
        &[prototype.clone(), realm.new_string("__proto__")?],
    )?;
    let getter = descriptor.get(realm, "get")?;
    let getter = guarded(realm, &getter, "get __proto__", Way::GetByAccessor)?;
    let setter = descriptor.get(realm, "set")?;
    let setter = guarded(realm, &setter, "set __proto__", Way::SetByAccessor)?;
    prototype.define_accessor(realm, "__proto__", &getter, &setter, Flags::CONFIGURABLE)
}

/// A function that does what `original` does where it may.
fn guarded(realm: &Realm, original: &Value, name: &str, way: Way) -> Fallible<Value> {
    let (function, length): (qjs::JSCFunctionData, _) = match way {
        Way::Set => (Some(set), 2),
        Way::SetByReflect => (Some(set_by_reflect), 2),
        Way::SetByAccessor => (Some(set_by_accessor), 1),
        Way::Get => (Some(get), 1),
        Way::GetByAccessor => (Some(get_by_accessor), 0),
        Way::Close => (Some(close), 1),
        Way::CloseByReflect => (Some(close_by_reflect), 1),
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
            unsafe { call(context, this, (count, arguments), data, $way) }
        }
    };
}

entry_point!(set, Way::Set);
entry_point!(set_by_reflect, Way::SetByReflect);
entry_point!(set_by_accessor, Way::SetByAccessor);
entry_point!(get, Way::Get);
entry_point!(get_by_accessor, Way::GetByAccessor);
entry_point!(close, Way::Close);
entry_point!(close_by_reflect, Way::CloseByReflect);

/// # Safety
///
/// The arguments are those of a call of a function of [`guarded`].
unsafe fn call(
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
        Way::SetByAccessor | Way::GetByAccessor => (Some(&this), arguments.first()),
        _ => (arguments.first(), arguments.get(1)),
    };
    let answer = object.and_then(|object| instead(realm, object, prototype, way));
    let result = answer.unwrap_or_else(|| original.call(realm, &this, &arguments));
    match result {
        Ok(value) => value.into_raw(),
        Err(error) => {
            let exception = realm.exception_value(error);
            // SAFETY: the context is alive; the engine takes over the reference.
            unsafe { qjs::JS_Throw(context, exception.into_raw()) }
        }
    }
}

/// What is answered in place of what the function would do, if that may not be.
fn instead(
    realm: &Realm,
    object: &Value,
    prototype: Option<&Value>,
    way: Way,
) -> Option<Fallible<Value>> {
    let refused = |text: &str| Some(Err(Error::Type(text.to_owned())));
    let object = behind(realm, object);
    match way {
        Way::Set | Way::SetByReflect | Way::SetByAccessor => {
            if !is_refused(realm, &object, prototype?) {
                return None;
            }
            if way == Way::SetByReflect {
                return Some(Ok(Value::boolean(false)));
            }
            refused("The prototype of this object cannot be set.")
        }
        // <https://html.spec.whatwg.org/multipage/nav-history-apis.html#windowproxy-getprototypeof>
        Way::Get | Way::GetByAccessor => {
            let window = proxy_of(&object)?;
            let is_other = window.same_origin_target(realm).is_none();
            is_other.then(|| Ok(Value::null()))
        }
        // <https://html.spec.whatwg.org/multipage/nav-history-apis.html#windowproxy-preventextensions>
        Way::Close | Way::CloseByReflect => {
            proxy_of(&object)?;
            if way == Way::CloseByReflect {
                return Some(Ok(Value::boolean(false)));
            }
            refused("A window can always get more properties.")
        }
    }
}

/// The object behind a script's `Proxy` objects, in which the engine looks when these have no
/// trap.
fn behind(realm: &Realm, object: &Value) -> Value {
    let mut object = object.clone();
    // SAFETY: all values are alive; the engine gives a reference to the target.
    while unsafe { qjs::JS_IsProxy(object.raw()) } {
        let target = realm.take(unsafe { qjs::JS_GetProxyTarget(realm.context(), object.raw()) });
        match target {
            Ok(target) if target.is_object() => object = target,
            _ => break,
        }
    }
    object
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
