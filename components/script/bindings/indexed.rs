//! Platform objects with indexed properties: lists of nodes and the like.
//!
//! <https://webidl.spec.whatwg.org/#legacy-platform-object>
//!
//! They are of a native class of their own, whose objects answer for array indices; the rest of
//! their properties, and all of other platform objects', are the engine's matter.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::host_object::AnyDom;
use super::realm::Realm;
use super::value::{Flags, Value};

/// What an interface with an indexed property getter supports. The bindings generator writes the
/// implementation.
pub trait IndexedProperties {
    /// How many there are: the `length` attribute.
    fn indexed_length(&self, realm: &Realm) -> u32;
    /// The one at an index below the length.
    ///
    /// # Errors
    ///
    /// Those of the getter.
    fn indexed_item(&self, realm: &Realm, index: u32) -> Fallible<Value>;
}

/// What the class of these objects answers. The engine keeps a pointer to it.
pub(super) static METHODS: qjs::JSClassExoticMethods = qjs::JSClassExoticMethods {
    get_own_property: Some(own_property),
    get_own_property_names: Some(own_property_names),
    delete_property: Some(delete_property),
    define_own_property: Some(define_own_property),
    has_property: None,
    get_property: None,
    set_property: None,
};

/// The functions of an interface that has an indexed property getter are those of arrays.
pub(super) const ARRAY_FUNCTIONS: [&str; 4] = ["entries", "keys", "values", "forEach"];

/// Makes objects with this prototype iterable as arrays are.
///
/// <https://webidl.spec.whatwg.org/#js-iterator>
///
/// # Errors
///
/// The engine is out of memory.
pub(super) fn define_iteration(realm: &Realm, prototype: &Value, named: bool) -> Fallible<()> {
    let array = realm.intrinsic("Array")?.get(realm, "prototype")?;
    let values = realm.intrinsic("Array.prototype.values")?;
    prototype.define(realm, &realm.intrinsic("iterator")?, &values, Flags::HIDDEN)?;
    if named {
        for name in ARRAY_FUNCTIONS {
            prototype.define(realm, name, &array.get(realm, name)?, Flags::ALL)?;
        }
    }
    Ok(())
}

/// An exception is pending in the engine.
pub(super) struct Pending;

/// The array index that a key is. A symbol is none, whatever its description says.
pub(super) fn index_of(
    context: *mut qjs::JSContext,
    key: qjs::JSAtom,
) -> Result<Option<u32>, Pending> {
    let mut length = 0;
    // SAFETY: the key's value is a reference of ours, freed at once. The engine gives `length`
    // bytes, which are freed after they were read.
    unsafe {
        let value = qjs::JS_AtomToValue(context, key);
        let tag = qjs::JS_VALUE_GET_NORM_TAG(value);
        qjs::JS_FreeValue(context, value);
        if tag == qjs::JS_TAG_EXCEPTION {
            return Err(Pending);
        }
        if tag == qjs::JS_TAG_SYMBOL {
            return Ok(None);
        }
        let text = qjs::JS_AtomToCStringLen(context, &raw mut length, key);
        if text.is_null() {
            return Err(Pending);
        }
        let length = usize::try_from(length).unwrap_or(0);
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length);
        // The largest index has ten digits.
        let is_index = matches!(bytes, [b'0'] | [b'1'..=b'9', ..]) && bytes.len() <= 10;
        let text_value = is_index
            .then(|| std::str::from_utf8(bytes).ok()?.parse().ok())
            .flatten();
        qjs::JS_FreeCString(context, text);
        Ok(text_value.filter(|index| *index < u32::MAX))
    }
}

/// Runs what needs the object; `otherwise` where there is none, -1 where it throws.
fn with_object(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    otherwise: i32,
    run: impl FnOnce(&Realm, &dyn IndexedProperties) -> Fallible<i32>,
) -> i32 {
    let Some(realm) = Realm::of_context(context) else {
        return otherwise;
    };
    let run = AssertUnwindSafe(|| {
        let object = AnyDom::of(&Value::borrowed(realm.runtime(), object));
        object
            .as_deref()
            .and_then(|object| object.indexed())
            .map(|object| run(realm, object))
    });
    match catch_unwind(run) {
        Ok(None) => otherwise,
        Ok(Some(Ok(answer))) => answer,
        Ok(Some(Err(error))) => {
            let exception = realm.exception_value(error);
            // SAFETY: the engine takes over the reference.
            unsafe { qjs::JS_Throw(context, exception.into_raw()) };
            -1
        }
        Err(_) => {
            log::error!("panic in an indexed property getter");
            otherwise
        }
    }
}

/// <https://webidl.spec.whatwg.org/#legacy-platform-object-getownproperty>
unsafe extern "C" fn own_property(
    context: *mut qjs::JSContext,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    key: qjs::JSAtom,
) -> i32 {
    let index = match index_of(context, key) {
        Ok(Some(index)) => index,
        Ok(None) => return 0,
        Err(Pending) => return -1,
    };
    with_object(context, object, 0, |realm, object| {
        if index >= object.indexed_length(realm) {
            return Ok(0);
        }
        if descriptor.is_null() {
            return Ok(1);
        }
        let value = object.indexed_item(realm, index)?;
        let flags = qjs::JS_PROP_ENUMERABLE | qjs::JS_PROP_CONFIGURABLE;
        // SAFETY: the engine gives room for a descriptor, and takes over the value's reference.
        unsafe {
            descriptor.write(qjs::JSPropertyDescriptor {
                flags: flags.cast_signed(),
                value: value.into_raw(),
                getter: qjs::JS_UNDEFINED,
                setter: qjs::JS_UNDEFINED,
            });
        }
        Ok(1)
    })
}

/// <https://webidl.spec.whatwg.org/#legacy-platform-object-ownpropertykeys>
unsafe extern "C" fn own_property_names(
    context: *mut qjs::JSContext,
    keys: *mut *mut qjs::JSPropertyEnum,
    count: *mut u32,
    object: qjs::JSValue,
) -> i32 {
    let mut length = 0;
    let status = with_object(context, object, 0, |realm, object| {
        length = object.indexed_length(realm);
        Ok(0)
    });
    // SAFETY: the engine gives room for both answers, and frees the table with its own function.
    unsafe {
        *keys = ptr::null_mut();
        *count = 0;
        if status < 0 || length == 0 {
            return status;
        }
        let size = size_of::<qjs::JSPropertyEnum>() * length as usize;
        let table = qjs::js_malloc(context, size as _).cast::<qjs::JSPropertyEnum>();
        if table.is_null() {
            return -1;
        }
        for index in 0..length {
            let atom = qjs::JS_NewAtomUInt32(context, index);
            let key = qjs::JSPropertyEnum {
                is_enumerable: true,
                atom,
            };
            table.add(index as usize).write(key);
        }
        *keys = table;
        *count = length;
    }
    0
}

/// None of these interfaces has an indexed property setter: no index can be defined.
///
/// <https://webidl.spec.whatwg.org/#legacy-platform-object-defineownproperty>
unsafe extern "C" fn define_own_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
    value: qjs::JSValue,
    getter: qjs::JSValue,
    setter: qjs::JSValue,
    flags: i32,
) -> i32 {
    match index_of(context, key) {
        Ok(Some(index)) => with_object(context, object, 0, |_, _| {
            if flags.cast_unsigned() & qjs::JS_PROP_THROW == 0 {
                return Ok(0);
            }
            let message = format!("The list's item {index} cannot be defined.");
            Err(Error::Type(message))
        }),
        // SAFETY: all values are alive during the call; without the flag the engine would come
        // back here.
        Ok(None) => unsafe {
            let flags = flags | qjs::JS_PROP_NO_EXOTIC.cast_signed();
            qjs::JS_DefineProperty(context, object, key, value, getter, setter, flags)
        },
        Err(Pending) => -1,
    }
}

/// <https://webidl.spec.whatwg.org/#legacy-platform-object-delete>
unsafe extern "C" fn delete_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
) -> i32 {
    let index = match index_of(context, key) {
        Ok(Some(index)) => index,
        Ok(None) => return 1,
        Err(Pending) => return -1,
    };
    with_object(context, object, 1, |realm, object| {
        Ok(i32::from(index >= object.indexed_length(realm)))
    })
}
