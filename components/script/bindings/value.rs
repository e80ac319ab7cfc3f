//! JavaScript values: counted references, and what can be done with them.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::fmt;
use std::ptr;

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::realm::Realm;
use super::runtime::RuntimeState;
use super::strings::DomString;

/// A counted reference to a JavaScript value.
///
/// On the stack it keeps its target alive. In a platform object it belongs in a traced field (see
/// [`super::trace`]); anywhere else it is a root that only dropping it ends.
pub struct Value {
    raw: qjs::JSValue,
    runtime: *mut qjs::JSRuntime,
}

impl Value {
    /// Takes over a reference that the engine gave away.
    pub(super) fn owned(runtime: *mut qjs::JSRuntime, raw: qjs::JSValue) -> Self {
        // SAFETY: only reads the tag.
        if unsafe { qjs::JS_VALUE_HAS_REF_COUNT(raw) } {
            RuntimeState::of(runtime).value_added();
        }
        Self { raw, runtime }
    }

    /// Counts one more reference to a value that the engine only shows.
    pub(super) fn borrowed(runtime: *mut qjs::JSRuntime, raw: qjs::JSValue) -> Self {
        // SAFETY: the value is alive while it is shown.
        Self::owned(runtime, unsafe { qjs::JS_DupValueRT(runtime, raw) })
    }

    pub(super) fn raw(&self) -> qjs::JSValue {
        self.raw
    }

    pub(super) fn runtime(&self) -> *mut qjs::JSRuntime {
        self.runtime
    }

    /// Gives the reference to the engine.
    pub(super) fn into_raw(self) -> qjs::JSValue {
        let raw = self.raw;
        // SAFETY: only reads the tag.
        if unsafe { qjs::JS_VALUE_HAS_REF_COUNT(raw) } {
            RuntimeState::of(self.runtime).value_removed();
        }
        std::mem::forget(self);
        raw
    }

    /// What identifies an object among those that are alive.
    pub(crate) fn address(&self) -> Option<usize> {
        // SAFETY: an object's payload is a pointer.
        self.is_object()
            .then(|| unsafe { qjs::JS_VALUE_GET_PTR(self.raw) } as usize)
    }

    fn plain(raw: qjs::JSValue) -> Self {
        Self {
            raw,
            runtime: ptr::null_mut(),
        }
    }

    /// `undefined`.
    pub fn undefined() -> Self {
        Self::plain(qjs::JS_UNDEFINED)
    }

    /// `null`.
    pub fn null() -> Self {
        Self::plain(qjs::JS_NULL)
    }

    /// `true` or `false`.
    pub fn boolean(value: bool) -> Self {
        Self::plain(if value { qjs::JS_TRUE } else { qjs::JS_FALSE })
    }

    /// A number.
    pub fn number(value: f64) -> Self {
        Self::plain(qjs::JS_NewFloat64(value))
    }

    fn tag(&self) -> i32 {
        // SAFETY: only reads the tag.
        unsafe { qjs::JS_VALUE_GET_NORM_TAG(self.raw) }
    }

    /// Whether it is `undefined`.
    pub fn is_undefined(&self) -> bool {
        self.tag() == qjs::JS_TAG_UNDEFINED
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.tag() == qjs::JS_TAG_NULL
    }

    /// Whether it is `null` or `undefined`.
    pub fn is_null_or_undefined(&self) -> bool {
        self.is_null() || self.is_undefined()
    }

    /// Whether it is an object (functions are).
    pub fn is_object(&self) -> bool {
        self.tag() == qjs::JS_TAG_OBJECT
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        // SAFETY: only reads the tag.
        unsafe { qjs::JS_IsString(self.raw) }
    }

    /// Whether it is a symbol.
    pub fn is_symbol(&self) -> bool {
        self.tag() == qjs::JS_TAG_SYMBOL
    }

    /// Whether it is a boolean.
    pub fn is_boolean(&self) -> bool {
        self.tag() == qjs::JS_TAG_BOOL
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        // SAFETY: only reads the tag.
        unsafe { qjs::JS_IsNumber(self.raw) }
    }

    /// Whether it is a big integer.
    pub fn is_big_int(&self) -> bool {
        // SAFETY: only reads the tag.
        unsafe { qjs::JS_IsBigInt(self.raw) }
    }

    /// Whether it is `true`; other values are not converted.
    pub fn is_true(&self) -> bool {
        // SAFETY: a boolean's payload is read as one.
        self.is_boolean() && unsafe { qjs::JS_VALUE_GET_BOOL(self.raw) }
    }

    /// Whether it can be called.
    pub fn is_callable(&self, realm: &Realm) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsFunction(realm.context(), self.raw) }
    }

    /// Whether it can be called with `new`.
    pub fn is_constructor(&self, realm: &Realm) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsConstructor(realm.context(), self.raw) }
    }

    /// Whether it is an `ArrayBuffer` or a `SharedArrayBuffer`.
    pub fn is_array_buffer(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsArrayBuffer(self.raw) }
    }

    /// Whether it is a typed array or a `DataView`.
    pub fn is_array_buffer_view(&self) -> bool {
        // SAFETY: the value is alive.
        self.is_object()
            && unsafe { qjs::JS_GetTypedArrayType(self.raw) >= 0 || qjs::JS_IsDataView(self.raw) }
    }

    /// Whether it is a buffer or a view of one.
    pub fn is_buffer_source(&self) -> bool {
        self.is_array_buffer() || self.is_array_buffer_view()
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsArray(self.raw) }
    }

    /// Whether it is an `Error` object.
    pub fn is_error(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsError(self.raw) }
    }

    /// Whether it is a promise.
    pub fn is_promise(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsPromise(self.raw) }
    }

    /// Whether it is a `Date`.
    pub fn is_date(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsDate(self.raw) }
    }

    /// Whether it is a `RegExp`.
    pub fn is_reg_exp(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsRegExp(self.raw) }
    }

    /// Whether it is a `Map`.
    pub fn is_map(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsMap(self.raw) }
    }

    /// Whether it is a `Set`.
    pub fn is_set(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsSet(self.raw) }
    }

    /// Whether it is a `Proxy`.
    pub fn is_proxy(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsProxy(self.raw) }
    }

    /// Whether it is an exception with which the engine stops a script; no script can catch it.
    pub fn is_uncatchable(&self) -> bool {
        // SAFETY: the value is alive.
        unsafe { qjs::JS_IsUncatchableError(self.raw) }
    }

    /// Whether both are the same, as `===` says.
    pub fn strictly_equals(&self, realm: &Realm, other: &Self) -> bool {
        // SAFETY: both values are alive.
        unsafe { qjs::JS_IsStrictEqual(realm.context(), self.raw, other.raw) }
    }

    /// The value as a boolean.
    pub fn to_boolean(&self, realm: &Realm) -> bool {
        // SAFETY: the value is alive; conversion to a boolean runs no script.
        unsafe { qjs::JS_ToBool(realm.context(), self.raw) > 0 }
    }

    /// The value as a number.
    ///
    /// # Errors
    ///
    /// What the conversion throws.
    pub fn to_number(&self, realm: &Realm) -> Fallible<f64> {
        let mut number = 0.0;
        // SAFETY: the value is alive, and the number is written to a local.
        let status = unsafe { qjs::JS_ToFloat64(realm.context(), &raw mut number, self.raw) };
        if status < 0 {
            Err(realm.take_exception())
        } else {
            Ok(number)
        }
    }

    /// The value as a string.
    ///
    /// # Errors
    ///
    /// What the conversion throws.
    pub fn to_dom_string(&self, realm: &Realm) -> Fallible<DomString> {
        let mut length = 0;
        // SAFETY: the value is alive; what comes back is `length` code units or null, and is given
        // back below.
        unsafe {
            let units =
                qjs::JS_ToCStringLenUTF16(realm.context(), (&raw mut length).cast(), self.raw);
            if units.is_null() {
                return Err(realm.take_exception());
            }
            let string = std::slice::from_raw_parts(units, length).to_vec();
            qjs::JS_FreeCStringUTF16(realm.context(), units);
            Ok(DomString::from_code_units(string))
        }
    }

    /// The property of this key.
    ///
    /// # Errors
    ///
    /// What a getter throws.
    pub fn get<'a>(&self, realm: &Realm, key: impl Into<Key<'a>>) -> Fallible<Self> {
        let atom = Atom::new(realm, key.into())?;
        // SAFETY: value and atom are alive.
        realm.take(unsafe { qjs::JS_GetProperty(realm.context(), self.raw, atom.raw) })
    }

    /// Sets a property, as assignment in strict code does.
    ///
    /// # Errors
    ///
    /// What a setter throws, or that the property cannot be written.
    pub fn set<'a>(&self, realm: &Realm, key: impl Into<Key<'a>>, value: &Self) -> Fallible<()> {
        let atom = Atom::new(realm, key.into())?;
        // SAFETY: all are alive; the engine takes over the reference to the value.
        realm.check(unsafe {
            qjs::JS_SetProperty(
                realm.context(),
                self.raw,
                atom.raw,
                value.clone().into_raw(),
            )
        })
    }

    /// Defines a property that is writable, enumerable and configurable.
    ///
    /// # Errors
    ///
    /// The object does not take it.
    pub fn create_data_property<'a>(
        &self,
        realm: &Realm,
        key: impl Into<Key<'a>>,
        value: &Self,
    ) -> Fallible<()> {
        self.define(realm, key, value, Flags::ALL)
    }

    /// Defines a data property.
    ///
    /// # Errors
    ///
    /// The object does not take it.
    pub fn define<'a>(
        &self,
        realm: &Realm,
        key: impl Into<Key<'a>>,
        value: &Self,
        flags: Flags,
    ) -> Fallible<()> {
        let atom = Atom::new(realm, key.into())?;
        let flags = flags.raw() | qjs::JS_PROP_THROW;
        // SAFETY: all are alive; the engine takes over the reference to the value.
        realm.check(unsafe {
            qjs::JS_DefinePropertyValue(
                realm.context(),
                self.raw,
                atom.raw,
                value.clone().into_raw(),
                flags.cast_signed(),
            )
        })
    }

    /// Defines an accessor property.
    ///
    /// # Errors
    ///
    /// The object does not take it.
    pub fn define_accessor<'a>(
        &self,
        realm: &Realm,
        key: impl Into<Key<'a>>,
        getter: &Self,
        setter: &Self,
        flags: Flags,
    ) -> Fallible<()> {
        let atom = Atom::new(realm, key.into())?;
        let flags = flags.raw() | qjs::JS_PROP_THROW;
        // SAFETY: all are alive; the engine takes over the references to getter and setter.
        realm.check(unsafe {
            qjs::JS_DefinePropertyGetSet(
                realm.context(),
                self.raw,
                atom.raw,
                getter.clone().into_raw(),
                setter.clone().into_raw(),
                flags.cast_signed(),
            )
        })
    }

    /// Deletes a property.
    ///
    /// # Errors
    ///
    /// The property cannot be deleted.
    pub fn delete<'a>(&self, realm: &Realm, key: impl Into<Key<'a>>) -> Fallible<()> {
        let atom = Atom::new(realm, key.into())?;
        // SAFETY: value and atom are alive.
        realm.check(unsafe {
            qjs::JS_DeleteProperty(
                realm.context(),
                self.raw,
                atom.raw,
                qjs::JS_PROP_THROW.cast_signed(),
            )
        })
    }

    /// The own property keys: strings and symbols, or only enumerable strings.
    ///
    /// # Errors
    ///
    /// What a proxy throws.
    pub fn own_keys(&self, realm: &Realm, only_enumerable_strings: bool) -> Fallible<Vec<Self>> {
        let flags = if only_enumerable_strings {
            qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_ENUM_ONLY
        } else {
            qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK
        };
        let context = realm.context();
        let mut table = ptr::null_mut();
        let mut length = 0;
        // SAFETY: the engine writes a table of `length` atoms, which is given back below.
        unsafe {
            realm.check(qjs::JS_GetOwnPropertyNames(
                context,
                &raw mut table,
                &raw mut length,
                self.raw,
                flags.cast_signed(),
            ))?;
            let keys = (0..length as usize)
                .map(|index| realm.take(qjs::JS_AtomToValue(context, (*table.add(index)).atom)))
                .collect();
            qjs::JS_FreePropertyEnum(context, table, length);
            keys
        }
    }

    /// The prototype, or `null`.
    ///
    /// # Errors
    ///
    /// What a proxy throws.
    pub fn prototype(&self, realm: &Realm) -> Fallible<Self> {
        // SAFETY: the value is alive.
        realm.take(unsafe { qjs::JS_GetPrototype(realm.context(), self.raw) })
    }

    /// Sets the prototype.
    ///
    /// # Errors
    ///
    /// The object does not take it.
    pub fn set_prototype(&self, realm: &Realm, prototype: &Self) -> Fallible<()> {
        // SAFETY: both values are alive.
        realm.check(unsafe { qjs::JS_SetPrototype(realm.context(), self.raw, prototype.raw) })
    }

    /// Makes the object's properties and shape final.
    ///
    /// # Errors
    ///
    /// What a proxy throws.
    pub fn freeze(&self, realm: &Realm) -> Fallible<()> {
        // SAFETY: the value is alive.
        realm.check(unsafe { qjs::JS_FreezeObject(realm.context(), self.raw) })
    }

    /// Calls it. For calls from outside of a script see [`super::callback::Callback`].
    ///
    /// # Errors
    ///
    /// What it throws, or that it is not a function.
    pub fn call(&self, realm: &Realm, this: &Self, arguments: &[Self]) -> Fallible<Self> {
        let mut raw: Vec<qjs::JSValue> = arguments.iter().map(Self::raw).collect();
        let count = i32::try_from(raw.len()).unwrap_or(i32::MAX);
        // SAFETY: all values are alive during the call.
        realm.take(unsafe {
            qjs::JS_Call(realm.context(), self.raw, this.raw, count, raw.as_mut_ptr())
        })
    }

    /// Calls it with `new`.
    ///
    /// # Errors
    ///
    /// What it throws, or that it is not a constructor.
    pub fn construct(&self, realm: &Realm, arguments: &[Self]) -> Fallible<Self> {
        let mut raw: Vec<qjs::JSValue> = arguments.iter().map(Self::raw).collect();
        let count = i32::try_from(raw.len()).unwrap_or(i32::MAX);
        // SAFETY: all values are alive during the call.
        realm.take(unsafe {
            qjs::JS_CallConstructor(realm.context(), self.raw, count, raw.as_mut_ptr())
        })
    }

    /// The state and result of a promise.
    pub fn promise_state(&self, realm: &Realm) -> Option<PromiseState> {
        // SAFETY: the value is alive, and is a promise where its result is read.
        unsafe {
            let result = || {
                let raw = qjs::JS_PromiseResult(realm.context(), self.raw);
                Self::owned(realm.runtime(), raw)
            };
            match qjs::JS_PromiseState(realm.context(), self.raw) {
                qjs::JSPromiseStateEnum_JS_PROMISE_PENDING => Some(PromiseState::Pending),
                qjs::JSPromiseStateEnum_JS_PROMISE_FULFILLED => {
                    Some(PromiseState::Fulfilled(result()))
                }
                qjs::JSPromiseStateEnum_JS_PROMISE_REJECTED => {
                    Some(PromiseState::Rejected(result()))
                }
                _ => None,
            }
        }
    }

    /// Marks a promise as handled, so that its rejection is not reported.
    pub fn mark_as_handled(&self, realm: &Realm) {
        // SAFETY: the value is alive; the engine ignores what is not a promise.
        unsafe { qjs::JS_PromiseMarkAsHandled(realm.context(), self.raw) }
    }

    /// A copy of the bytes of a buffer or view.
    ///
    /// # Errors
    ///
    /// It is not one, or it is detached.
    pub fn bytes(&self, realm: &Realm) -> Fallible<Vec<u8>> {
        let context = realm.context();
        let (buffer, range) = if self.is_array_buffer() {
            (self.clone(), None)
        } else if let Some(parts) = self.typed_array_parts(realm)? {
            (parts.buffer, Some((parts.byte_offset, parts.byte_length)))
        } else {
            // The getters are those of the language: pages can replace the ones of the prototype.
            let part = |getter| realm.intrinsic(getter)?.call(realm, self, &[]);
            let number = |getter| part(getter)?.to_number(realm);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "offsets and lengths of views are small non-negative integers"
            )]
            let range = (
                number("get DataView.prototype.byteOffset")? as usize,
                number("get DataView.prototype.byteLength")? as usize,
            );
            (part("get DataView.prototype.buffer")?, Some(range))
        };
        let mut size = 0_usize;
        // SAFETY: the engine returns the start of `size` bytes that live as long as the buffer,
        // which `buffer` holds, and no script runs until they are copied.
        unsafe {
            let start = qjs::JS_GetArrayBuffer(context, (&raw mut size).cast(), buffer.raw);
            if start.is_null() {
                if qjs::JS_HasException(context) {
                    return Err(realm.take_exception());
                }
                return Ok(Vec::new());
            }
            let bytes = std::slice::from_raw_parts(start, size);
            let (offset, length) = range.unwrap_or((0, size));
            Ok(bytes.iter().skip(offset).take(length).copied().collect())
        }
    }
}

/// What has become of a promise.
pub enum PromiseState {
    /// Nothing yet.
    Pending,
    /// It was fulfilled with this.
    Fulfilled(Value),
    /// It was rejected with this.
    Rejected(Value),
}

impl Clone for Value {
    fn clone(&self) -> Self {
        if self.runtime.is_null() {
            return Self::plain(self.raw);
        }
        Self::borrowed(self.runtime, self.raw)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: the reference is counted, and a runtime outlives its values (it is not freed
        // while one is left).
        unsafe {
            if !self.runtime.is_null() && qjs::JS_VALUE_HAS_REF_COUNT(self.raw) {
                RuntimeState::of(self.runtime).value_removed();
                qjs::JS_FreeValueRT(self.runtime, self.raw);
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Value(tag {})", self.tag())
    }
}

/// The attributes of a property.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flags {
    /// Whether its value can be changed (data properties).
    pub writable: bool,
    /// Whether loops and copies see it.
    pub enumerable: bool,
    /// Whether it can be deleted or redefined.
    pub configurable: bool,
}

impl Flags {
    /// All three.
    pub const ALL: Self = Self {
        writable: true,
        enumerable: true,
        configurable: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        writable: false,
        enumerable: false,
        configurable: false,
    };
    /// Only enumerable: constants.
    pub const ENUMERABLE: Self = Self {
        enumerable: true,
        ..Self::NONE
    };
    /// Only configurable: `Symbol.toStringTag`.
    pub const CONFIGURABLE: Self = Self {
        configurable: true,
        ..Self::NONE
    };
    /// All but enumerable: global bindings of constructors.
    pub const HIDDEN: Self = Self {
        enumerable: false,
        ..Self::ALL
    };
    /// What accessors of attributes have.
    pub const ACCESSOR: Self = Self {
        writable: false,
        ..Self::ALL
    };

    fn raw(self) -> u32 {
        u32::from(self.writable) * qjs::JS_PROP_WRITABLE
            + u32::from(self.enumerable) * qjs::JS_PROP_ENUMERABLE
            + u32::from(self.configurable) * qjs::JS_PROP_CONFIGURABLE
    }
}

/// A property key.
pub enum Key<'a> {
    /// A name.
    Name(&'a str),
    /// A string or symbol.
    Value(&'a Value),
    /// An array index.
    Index(u32),
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a Value> for Key<'a> {
    fn from(value: &'a Value) -> Self {
        Self::Value(value)
    }
}

impl From<u32> for Key<'_> {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

/// A property key in the engine's table, for the time of one access.
pub(super) struct Atom {
    raw: qjs::JSAtom,
    context: *mut qjs::JSContext,
}

impl Atom {
    pub(super) fn raw(&self) -> qjs::JSAtom {
        self.raw
    }

    pub(super) fn new(realm: &Realm, key: Key<'_>) -> Fallible<Self> {
        let context = realm.context();
        // SAFETY: the name is `len` bytes of UTF-8, the value is alive.
        let raw = unsafe {
            match key {
                Key::Name(name) => {
                    qjs::JS_NewAtomLen(context, name.as_ptr().cast(), name.len() as _)
                }
                Key::Value(value) => qjs::JS_ValueToAtom(context, value.raw),
                Key::Index(index) => qjs::JS_NewAtomUInt32(context, index),
            }
        };
        if raw == 0 {
            Err(realm.take_exception())
        } else {
            Ok(Self { raw, context })
        }
    }
}

impl Drop for Atom {
    fn drop(&mut self) {
        // SAFETY: the atom is a counted reference.
        unsafe { qjs::JS_FreeAtom(self.context, self.raw) }
    }
}

/// What becomes a JavaScript value.
pub trait ToJs {
    /// The value, made in `realm`.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    fn to_js(&self, realm: &Realm) -> Fallible<Value>;
}

/// Never reached with an error of ours: an engine that is out of memory says so in an exception.
pub(super) fn out_of_memory() -> Error {
    Error::Range("out of memory".to_owned())
}
