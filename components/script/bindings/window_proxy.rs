//! `WindowProxy`: the object by which scripts know the window of a browsing context, whatever
//! document it shows.
//!
//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-windowproxy-exotic-object>
//!
//! Every reference that scripts get is the proxy: `window`, `this` of a script, `contentWindow`,
//! the source of a message. Only the names that a script mentions without an object are looked up
//! in the window itself, which is the engine's global object. The engine gives the window itself
//! as `this` to a function of sloppy code that is called without one, too: what such a function
//! does with it is the same, but it does not compare equal to `window`.
//!
//! Each access asks for the realm of the script that runs, and so whether it is of the same origin.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use base::exception::DomExceptionName;
use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::host_object::{Host, host_of, new_host_object};
use super::indexed::{Pending, index_of};
use super::realm::{Realm, RealmHandle};
use super::trace::{Traceable, Tracer};
use super::value::Value;

/// What a proxy's browsing context decides.
pub(crate) trait ProxyHandler {
    /// Whether a script of `accessor` may do with `target`, a window or its location, what it
    /// wants.
    fn is_same_origin(&self, accessor: &Realm, target: &Realm) -> bool;
    /// How many frames it has.
    fn length(&self) -> u32;
    /// The proxy of the frame at this place.
    fn child(&self, index: u32) -> Option<Value>;
    /// The proxy of the frame with this name.
    fn named_child(&self, name: &str) -> Option<Value>;
    /// What scripts of other origins may see; `None` where they may not.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    ///
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#crossorigingetownpropertyhelper-(-o,-p-)>
    fn cross_origin_property(&self, accessor: &Realm, name: &str) -> Fallible<Option<Value>>;
    /// Sets what scripts of other origins may set; false where they may not.
    ///
    /// # Errors
    ///
    /// Those of the setter.
    fn set_cross_origin_property(
        &self,
        accessor: &Realm,
        name: &str,
        value: &Value,
    ) -> Fallible<bool>;
    /// The names of what scripts of other origins may see.
    fn cross_origin_names(&self) -> &'static [&'static str];
}

/// What a proxy object owns.
pub(super) struct WindowProxy {
    /// The realm of the active document, or of the last one; none for what is never of the same
    /// origin.
    target: RefCell<Option<RealmHandle>>,
    handler: Rc<dyn ProxyHandler>,
}

impl Traceable for WindowProxy {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.target.trace(tracer);
    }
}

impl WindowProxy {
    /// The realm behind it.
    pub(super) fn target(&self) -> Option<RealmHandle> {
        self.target.borrow().clone()
    }

    /// The realm behind it, if scripts of `accessor` may do what they want there.
    pub(super) fn same_origin_target(&self, accessor: &Realm) -> Option<RealmHandle> {
        let target = self.target()?;
        (ptr::eq(&raw const *target, accessor) || self.handler.is_same_origin(accessor, &target))
            .then_some(target)
    }
}

/// The proxy that a value is, if it is one.
pub(super) fn proxy_of(value: &Value) -> Option<&WindowProxy> {
    value.address()?;
    match host_of(value)? {
        Host::WindowProxy(proxy) => Some(proxy),
        _ => None,
    }
}

/// Makes the proxy of a browsing context whose first document has this realm; or an object of
/// which only the part for other origins is ever seen.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn create(
    realm: &Realm,
    target: Option<&Realm>,
    handler: Rc<dyn ProxyHandler>,
) -> Fallible<Value> {
    let proxy = WindowProxy {
        target: RefCell::default(),
        handler,
    };
    let value = new_host_object(realm, &Value::null(), Host::WindowProxy(Box::new(proxy)))?;
    if let Some(target) = target {
        show(&value, target)?;
    }
    Ok(value)
}

/// The browsing context shows a document with this realm from now on.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn show(value: &Value, target: &Realm) -> Fallible<()> {
    let Some(proxy) = proxy_of(value) else {
        return Err(Error::Type("The object is no WindowProxy.".to_owned()));
    };
    let replaced = proxy.target.replace(Some(target.root()));
    drop(replaced);
    let prototype = target.inner_global().prototype(target)?;
    value.set_prototype(target, &prototype)?;
    target.set_proxy(value)
}

/// The exception for what scripts of another origin may not do.
pub(crate) fn security_error(action: &str) -> Error {
    Error::dom(
        DomExceptionName::SecurityError,
        format!("A script of another origin may not {action}."),
    )
}

/// What the class of proxies answers. The engine keeps a pointer to it.
pub(super) static METHODS: qjs::JSClassExoticMethods = qjs::JSClassExoticMethods {
    get_own_property: Some(own_property),
    get_own_property_names: Some(own_property_names),
    delete_property: Some(delete_property),
    define_own_property: Some(define_own_property),
    has_property: Some(has_property),
    get_property: Some(get_property),
    set_property: Some(set_property),
};

/// One access of a script.
struct Access<'a> {
    accessor: &'a Realm,
    proxy: &'a WindowProxy,
    key: qjs::JSAtom,
}

/// What a key stands for.
enum Found {
    /// A property of the proxy itself: a frame, or what other origins may see.
    Own(Value),
    /// A property of the window, which is of the same origin.
    Window(RealmHandle),
    /// Nothing.
    Nothing,
}

impl Access<'_> {
    /// Whether it is one of the symbols that are the same for all origins: they stand for nothing.
    ///
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#crossoriginpropertyfallback-(-p-)>
    fn is_harmless_symbol(&self) -> Fallible<bool> {
        let context = self.accessor.context();
        // SAFETY: the key is alive during the access; its value is a reference of ours.
        let key = Value::owned(self.accessor.runtime(), unsafe {
            qjs::JS_AtomToValue(context, self.key)
        });
        let symbols = harmless_symbols(self.accessor)?;
        Ok(symbols
            .iter()
            .any(|symbol| symbol.strictly_equals(self.accessor, &key)))
    }

    fn name(&self) -> Option<String> {
        let context = self.accessor.context();
        // SAFETY: the key is alive during the access; its value is a reference of ours.
        let value = Value::owned(self.accessor.runtime(), unsafe {
            qjs::JS_AtomToValue(context, self.key)
        });
        if value.is_symbol() {
            return None;
        }
        Some(value.to_dom_string(self.accessor).ok()?.to_string())
    }

    fn index(&self) -> Fallible<Option<u32>> {
        index_of(self.accessor.context(), self.key)
            .map_err(|Pending| self.accessor.take_exception())
    }

    /// Whether a property of the window has this key.
    fn is_in(&self, window: &Realm) -> Fallible<bool> {
        let global = window.inner_global();
        // SAFETY: all are alive.
        let status =
            unsafe { qjs::JS_HasProperty(self.accessor.context(), global.raw(), self.key) };
        self.accessor.check(status)?;
        Ok(status > 0)
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#windowproxy-getownproperty>
    fn find(&self) -> Fallible<Found> {
        let handler = &self.proxy.handler;
        let target = self.proxy.same_origin_target(self.accessor);
        if let Some(index) = self.index()? {
            return match (handler.child(index), target) {
                (Some(child), _) => Ok(Found::Own(child)),
                (None, Some(_)) => Ok(Found::Nothing),
                (None, None) => Err(security_error("read this property")),
            };
        }
        if let Some(target) = target {
            if self.is_in(&target)? {
                return Ok(Found::Window(target));
            }
            let named = self.name().and_then(|name| handler.named_child(&name));
            return Ok(named.map_or(Found::Nothing, Found::Own));
        }
        let property = match self.name() {
            Some(name) => match handler.cross_origin_property(self.accessor, &name)? {
                Some(value) => Some(value),
                None if name == "then" => Some(Value::undefined()),
                None => handler.named_child(&name),
            },
            None => self.is_harmless_symbol()?.then(Value::undefined),
        };
        property
            .map(Found::Own)
            .ok_or_else(|| security_error("read this property"))
    }

    /// The window itself.
    fn window(&self, action: &str) -> Fallible<Value> {
        self.proxy
            .same_origin_target(self.accessor)
            .map(|target| target.inner_global())
            .ok_or_else(|| security_error(action))
    }

    fn get(&self) -> Fallible<Value> {
        match self.find()? {
            Found::Own(value) => Ok(value),
            Found::Window(target) => {
                let global = target.inner_global();
                let context = self.accessor.context();
                self.accessor.state().goes_through_proxy();
                // SAFETY: all are alive.
                self.accessor
                    .take(unsafe { qjs::JS_GetProperty(context, global.raw(), self.key) })
            }
            Found::Nothing => Ok(Value::undefined()),
        }
    }

    fn has(&self) -> Fallible<bool> {
        Ok(!matches!(self.find()?, Found::Nothing))
    }

    fn set(&self, value: &Value) -> Fallible<bool> {
        if self.proxy.same_origin_target(self.accessor).is_none() {
            let name = self.name().unwrap_or_default();
            let handler = &self.proxy.handler;
            if handler.set_cross_origin_property(self.accessor, &name, value)? {
                return Ok(true);
            }
        }
        let global = self.window("set this property")?;
        if self.index()?.is_some() {
            return Ok(false);
        }
        self.accessor.state().goes_through_proxy();
        // SAFETY: all are alive; the engine takes over the reference to the value.
        let status = unsafe {
            qjs::JS_SetProperty(
                self.accessor.context(),
                global.raw(),
                self.key,
                value.clone().into_raw(),
            )
        };
        self.accessor.check(status)?;
        Ok(status > 0)
    }
}

/// The symbols that scripts of other origins find, without a meaning, in every window.
fn harmless_symbols(realm: &Realm) -> Fallible<Vec<Value>> {
    let names = ["toStringTag", "hasInstance", "isConcatSpreadable"];
    let symbol = realm.intrinsic("Symbol")?;
    names.iter().map(|name| symbol.get(realm, *name)).collect()
}

/// Runs what a script does with a proxy. What it answers is the engine's: -1 where it throws.
fn access<T>(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
    failed: T,
    run: impl FnOnce(&Access<'_>) -> Fallible<T>,
) -> T {
    let Some(accessor) = Realm::of_context(context) else {
        return failed;
    };
    let object = Value::borrowed(accessor.runtime(), object);
    let Some(proxy) = proxy_of(&object) else {
        return failed;
    };
    accessor.state().window_was_accessed(accessor);
    let access = Access {
        accessor,
        proxy,
        key,
    };
    let result = catch_unwind(AssertUnwindSafe(|| run(&access)));
    let result = result.unwrap_or_else(|_| {
        // The panic hook has said what happened; a panic must not cross the engine.
        log::error!("panic in an access to a window");
        Err(Error::Type("internal error".to_owned()))
    });
    result.unwrap_or_else(|error| {
        let exception = accessor.exception_value(error);
        // SAFETY: the context is alive; the engine takes over the reference.
        unsafe { qjs::JS_Throw(context, exception.into_raw()) };
        failed
    })
}

unsafe extern "C" fn get_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
    _: qjs::JSValue,
) -> qjs::JSValue {
    access(context, object, key, qjs::JS_EXCEPTION, |access| {
        access.get().map(Value::into_raw)
    })
}

unsafe extern "C" fn set_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
    value: qjs::JSValue,
    receiver: qjs::JSValue,
    flags: i32,
) -> i32 {
    access(context, object, key, -1, |access| {
        let realm = access.accessor;
        let value = Value::borrowed(realm.runtime(), value);
        let receiver = Value::borrowed(realm.runtime(), receiver);
        let is_own = receiver.address() == Value::borrowed(realm.runtime(), object).address();
        if !is_own && receiver.is_object() {
            // An object that inherits from the window gets a property of its own.
            let flags = (qjs::JS_PROP_C_W_E | qjs::JS_PROP_THROW).cast_signed();
            // SAFETY: all are alive; the engine takes over the reference to the value.
            let status = unsafe {
                qjs::JS_DefinePropertyValue(context, receiver.raw(), key, value.into_raw(), flags)
            };
            realm.check(status)?;
            return Ok(status);
        }
        if access.set(&value)? {
            return Ok(1);
        }
        if flags.cast_unsigned() & (qjs::JS_PROP_THROW | qjs::JS_PROP_THROW_STRICT) == 0 {
            return Ok(0);
        }
        Err(Error::Type("A frame's place cannot be set.".to_owned()))
    })
}

unsafe extern "C" fn has_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
) -> i32 {
    access(context, object, key, -1, |access| {
        access.has().map(i32::from)
    })
}

unsafe extern "C" fn own_property(
    context: *mut qjs::JSContext,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    key: qjs::JSAtom,
) -> i32 {
    access(context, object, key, -1, |access| match access.find()? {
        Found::Nothing => Ok(0),
        Found::Window(target) => {
            let global = target.inner_global();
            // SAFETY: all are alive; the engine gives room for a descriptor or none.
            let status = unsafe { qjs::JS_GetOwnProperty(context, descriptor, global.raw(), key) };
            access.accessor.check(status)?;
            Ok(status)
        }
        Found::Own(value) => {
            if !descriptor.is_null() {
                // SAFETY: the engine gives room for a descriptor, and takes over the reference.
                unsafe {
                    descriptor.write(qjs::JSPropertyDescriptor {
                        flags: qjs::JS_PROP_CONFIGURABLE.cast_signed(),
                        value: value.into_raw(),
                        getter: qjs::JS_UNDEFINED,
                        setter: qjs::JS_UNDEFINED,
                    });
                }
            }
            Ok(1)
        }
    })
}

/// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#windowproxy-ownpropertykeys>
unsafe extern "C" fn own_property_names(
    context: *mut qjs::JSContext,
    keys: *mut *mut qjs::JSPropertyEnum,
    count: *mut u32,
    object: qjs::JSValue,
) -> i32 {
    access(context, object, 0, -1, |access| {
        let realm = access.accessor;
        let mut names = Vec::new();
        for index in 0..access.proxy.handler.length() {
            names.push(Value::number(f64::from(index)));
        }
        if let Some(target) = access.proxy.same_origin_target(realm) {
            names.extend(target.inner_global().own_keys(realm, false)?);
        } else {
            for name in access.proxy.handler.cross_origin_names() {
                names.push(realm.new_string(name)?);
            }
            names.extend(harmless_symbols(realm)?);
        }
        let size = size_of::<qjs::JSPropertyEnum>() * names.len();
        // SAFETY: the engine gives room for both answers, and frees the table, which has room for
        // all names, with its own function.
        unsafe {
            *keys = ptr::null_mut();
            *count = 0;
            if names.is_empty() {
                return Ok(0);
            }
            let table = qjs::js_malloc(context, size as _).cast::<qjs::JSPropertyEnum>();
            if table.is_null() {
                return Err(realm.take_exception());
            }
            for (place, name) in names.iter().enumerate() {
                table.add(place).write(qjs::JSPropertyEnum {
                    is_enumerable: false,
                    atom: qjs::JS_ValueToAtom(context, name.raw()),
                });
            }
            *keys = table;
            *count = u32::try_from(names.len()).unwrap_or(0);
        }
        Ok(0)
    })
}

/// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#windowproxy-defineownproperty>
unsafe extern "C" fn define_own_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
    value: qjs::JSValue,
    getter: qjs::JSValue,
    setter: qjs::JSValue,
    flags: i32,
) -> i32 {
    access(context, object, key, -1, |access| {
        let global = access.window("define this property")?;
        if access.index()?.is_some() {
            if flags.cast_unsigned() & qjs::JS_PROP_THROW == 0 {
                return Ok(0);
            }
            return Err(Error::Type("A frame's place cannot be defined.".to_owned()));
        }
        // SAFETY: all values are alive during the call.
        let status = unsafe {
            qjs::JS_DefineProperty(context, global.raw(), key, value, getter, setter, flags)
        };
        access.accessor.check(status)?;
        Ok(status)
    })
}

/// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#windowproxy-delete>
unsafe extern "C" fn delete_property(
    context: *mut qjs::JSContext,
    object: qjs::JSValue,
    key: qjs::JSAtom,
) -> i32 {
    access(context, object, key, -1, |access| {
        let global = access.window("delete this property")?;
        if let Some(index) = access.index()? {
            return Ok(i32::from(index >= access.proxy.handler.length()));
        }
        // SAFETY: all are alive.
        let status = unsafe { qjs::JS_DeleteProperty(context, global.raw(), key, 0) };
        access.accessor.check(status)?;
        Ok(status)
    })
}
