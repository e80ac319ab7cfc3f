//! The one native function behind all functions, accessors and constructors of platform objects.
//!
//! The engine calls it with a magic number, which is an index into the generated function table.
//! The engine also switches to the realm that the function belongs to, so that what is thrown and
//! made belongs to the callee's realm.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rquickjs::qjs;

use super::convert;
use super::error::{Error, Fallible};
use super::generated::FUNCTIONS;
use super::host_object::{AnyDom, Dom, HasInterface};
use super::interface::INTERFACES;
use super::realm::Realm;
use super::value::{Flags, Value};
use super::window_proxy::{proxy_of, security_error};

/// An entry of the function table.
pub struct FunctionEntry {
    /// The interface's name.
    pub owner: &'static str,
    /// The member's name.
    pub member: &'static str,
    /// What the function is for.
    pub kind: FunctionKind,
    /// Whether it returns a promise, so that exceptions become rejections.
    pub promise: bool,
    /// The glue to the implementation.
    pub call: fn(&Call<'_>) -> Fallible<Value>,
}

/// What a function is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FunctionKind {
    /// Gets an attribute.
    Getter,
    /// Sets an attribute.
    Setter,
    /// Is an operation.
    Operation,
    /// Is a constructor.
    Constructor,
}

/// One call of a function.
pub struct Call<'a> {
    realm: &'a Realm,
    function: &'static FunctionEntry,
    /// `this`, or `new.target`.
    this: Value,
    arguments: &'a [qjs::JSValue],
}

impl<'a> Call<'a> {
    /// The realm that the function belongs to.
    pub fn realm(&self) -> &'a Realm {
        self.realm
    }

    /// The argument at this place, or `undefined`.
    pub fn argument(&self, index: usize) -> Value {
        self.arguments
            .get(index)
            .map_or_else(Value::undefined, |raw| {
                Value::borrowed(self.realm.runtime(), *raw)
            })
    }

    /// How many arguments there are.
    pub fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    /// # Errors
    ///
    /// A `TypeError` if there are fewer arguments than this.
    pub fn require_arguments(&self, count: usize) -> Fallible<()> {
        let present = self.argument_count();
        if present >= count {
            return Ok(());
        }
        let plural = if count == 1 { "" } else { "s" };
        Err(Error::Type(format!(
            "{count} argument{plural} required, but only {present} present."
        )))
    }

    /// Names the argument in a conversion's `TypeError`.
    ///
    /// # Errors
    ///
    /// That of the conversion.
    pub fn in_argument<T>(&self, index: usize, result: Fallible<T>) -> Fallible<T> {
        result.map_err(|error| match error {
            Error::Type(message) if self.function.kind != FunctionKind::Setter => {
                Error::Type(format!("parameter {}: {message}", index + 1))
            }
            other => other,
        })
    }

    /// The platform object that the function was called on; `undefined` and `null` stand for the
    /// global object.
    ///
    /// # Errors
    ///
    /// A `TypeError` if it does not implement the interface.
    pub fn this<T: HasInterface>(&self) -> Fallible<Dom<T>> {
        let object = if self.this.is_null_or_undefined() {
            self.realm.global()
        } else if proxy_of(&self.this)
            .is_some_and(|proxy| proxy.same_origin_target(self.realm).is_none())
        {
            return Err(security_error("use this window"));
        } else {
            AnyDom::of(&self.this).and_then(|object| object.downcast())
        };
        object.ok_or_else(|| {
            let name = INTERFACES[T::INTERFACE.0].name;
            Error::Type(format!(
                "Illegal invocation: 'this' is not an object of type {name}"
            ))
        })
    }

    /// The JavaScript object of a constructed object, with the prototype that `new.target` has.
    ///
    /// # Errors
    ///
    /// What getting the prototype throws.
    pub fn construct<T: HasInterface>(&self, object: &Dom<T>) -> Fallible<Value> {
        let value = object.value();
        let prototype = self.this.get(self.realm, "prototype")?;
        if prototype.is_object() {
            value.set_prototype(self.realm, &prototype)?;
        }
        Ok(value)
    }

    /// The setter of a `[Replaceable]` attribute.
    ///
    /// # Errors
    ///
    /// The object does not take the property.
    pub fn replace(&self, name: &str) -> Fallible<Value> {
        self.this_value()
            .define(self.realm, name, &self.argument(0), Flags::ALL)?;
        Ok(Value::undefined())
    }

    /// The setter of a `[PutForwards]` attribute.
    ///
    /// # Errors
    ///
    /// The attribute is not an object, or what its setter throws.
    pub fn put_forward(&self, attribute: &str, forward: &str) -> Fallible<Value> {
        let target = self.this_value().get(self.realm, attribute)?;
        if !target.is_object() {
            return Err(Error::Type(format!("{attribute} is not an object")));
        }
        target.set(self.realm, forward, &self.argument(0))?;
        Ok(Value::undefined())
    }

    fn this_value(&self) -> Value {
        if self.this.is_null_or_undefined() {
            self.realm.global_value()
        } else {
            self.this.clone()
        }
    }

    /// Calls the implementation, and says in a `TypeError` which member it comes from.
    fn run(&self) -> Fallible<Value> {
        let function = self.function;
        if function.kind == FunctionKind::Constructor && self.this.is_undefined() {
            return Err(Error::Type(format!(
                "Failed to construct '{}': Please use the 'new' operator, this constructor cannot \
                 be called as a function.",
                function.owner
            )));
        }
        (function.call)(self).map_err(|error| match error {
            Error::Type(message) if function.kind == FunctionKind::Constructor => Error::Type(
                format!("Failed to construct '{}': {message}", function.owner),
            ),
            Error::Type(message) => {
                let action = match function.kind {
                    FunctionKind::Getter => "read",
                    FunctionKind::Setter => "set",
                    _ => "execute",
                };
                Error::Type(format!(
                    "Failed to {action} '{}' on '{}': {message}",
                    function.member, function.owner
                ))
            }
            other => other,
        })
    }
}

unsafe extern "C" fn trampoline(
    context: *mut qjs::JSContext,
    this: qjs::JSValue,
    count: i32,
    arguments: *mut qjs::JSValue,
    magic: i32,
) -> qjs::JSValue {
    let index = usize::try_from(magic).unwrap_or(usize::MAX);
    let (Some(realm), Some(function)) = (Realm::of_context(context), FUNCTIONS.get(index)) else {
        return qjs::JS_UNDEFINED;
    };
    let length = usize::try_from(count).unwrap_or(0);
    let arguments = if length == 0 {
        &[]
    } else {
        // SAFETY: the engine passes `count` arguments that live during the call.
        unsafe { std::slice::from_raw_parts(arguments, length) }
    };
    let this = Value::borrowed(realm.runtime(), this);
    if this.is_null_or_undefined() || this.address() == realm.inner_global().address() {
        // The script's own window is meant.
        realm.state().window_was_called(realm);
    }
    // What is called on an object is done in its realm, and on a window in that of its document.
    let target = match proxy_of(&this) {
        Some(proxy) => proxy.same_origin_target(realm),
        None => AnyDom::of(&this).and_then(|object| object.relevant_realm(realm)),
    };
    let current = realm;
    let realm = target.as_deref().unwrap_or(current);
    let call = Call {
        realm,
        function,
        this,
        arguments,
    };
    let result = catch_unwind(AssertUnwindSafe(|| call.run())).unwrap_or_else(|_| {
        // The panic hook has said what happened; a panic must not cross the engine.
        log::error!("panic in {}.{}", function.owner, function.member);
        Err(Error::Type("internal error".to_owned()))
    });
    let result = match result {
        Err(error) if function.promise => convert::rejected_promise(current, error),
        other => other,
    };
    match result {
        Ok(value) => value.into_raw(),
        Err(error) => {
            let exception = current.exception_value(error);
            // SAFETY: the context is alive; the engine takes over the reference.
            unsafe { qjs::JS_Throw(context, exception.into_raw()) }
        }
    }
}

/// Makes the JavaScript function for an entry of the function table.
pub(super) fn new_function(
    realm: &Realm,
    index: usize,
    name: &str,
    length: usize,
    prototype: Option<&Value>,
) -> Fallible<Value> {
    let kind = if FUNCTIONS[index].kind == FunctionKind::Constructor {
        qjs::JSCFunctionEnum_JS_CFUNC_constructor_or_func_magic
    } else {
        qjs::JSCFunctionEnum_JS_CFUNC_generic_magic
    };
    let function = qjs::JSCFunctionType {
        generic_magic: Some(trampoline),
    };
    let name = CString::new(name).unwrap_or_default();
    let magic = i32::from(i16::try_from(index).map_err(|_| super::value::out_of_memory())?);
    let length = i32::try_from(length).unwrap_or(0);
    // SAFETY: the union holds the function under the type that `kind` names; the engine copies the
    // name; the prototype is alive.
    let value = realm.take(unsafe {
        qjs::JS_NewCFunction2(
            realm.context(),
            function.generic,
            name.as_ptr(),
            length,
            kind,
            magic,
        )
    })?;
    if let Some(prototype) = prototype {
        value.set_prototype(realm, prototype)?;
    }
    Ok(value)
}

/// Links a constructor and its prototype object, both ways, with the flags they need.
pub(super) fn link_constructor(
    realm: &Realm,
    constructor: &Value,
    prototype: &Value,
) -> Fallible<()> {
    constructor.define(realm, "prototype", prototype, Flags::NONE)?;
    prototype.define(realm, "constructor", constructor, Flags::HIDDEN)
}
