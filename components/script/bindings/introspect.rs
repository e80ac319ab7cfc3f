//! Looking into objects past what scripts may have changed: what class they are of, what they own,
//! and the memory of typed arrays.

#![expect(unsafe_code, reason = "speaks with the engine")]

use rquickjs::qjs;

use super::error::Fallible;
use super::realm::Realm;
use super::value::{Atom, Key, Value};

/// What a typed array shows of a buffer.
pub struct TypedArrayParts {
    /// The engine's number of the element type; stable, since it is the order of the types in the
    /// engine's public header.
    pub kind: u32,
    /// The buffer.
    pub buffer: Value,
    /// Where it starts in the buffer, in bytes.
    pub byte_offset: usize,
    /// How many bytes it shows.
    pub byte_length: usize,
    /// Bytes of one element.
    pub element_size: usize,
}

impl TypedArrayParts {
    /// Whether the elements are integers.
    pub fn holds_integers(&self) -> bool {
        !matches!(
            self.kind,
            qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_FLOAT16
                | qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_FLOAT32
                | qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_FLOAT64
        )
    }
}

impl Value {
    /// The name of an object's native class: `Object`, `Map`, `Promise`. Platform objects are of
    /// the class `Object`.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn class_name(&self, realm: &Realm) -> Fallible<String> {
        // SAFETY: the value is alive; the atom is a counted reference, given back below.
        let name = unsafe {
            let class = qjs::JS_GetClassID(self.raw());
            let atom = qjs::JS_GetClassName(realm.runtime(), class);
            let name = realm.take(qjs::JS_AtomToString(realm.context(), atom));
            qjs::JS_FreeAtom(realm.context(), atom);
            name?
        };
        Ok(name.to_dom_string(realm)?.to_string())
    }

    /// Whether the object has an own property of this key.
    ///
    /// # Errors
    ///
    /// What a proxy throws.
    pub fn has_own<'a>(&self, realm: &Realm, key: impl Into<Key<'a>>) -> Fallible<bool> {
        let atom = Atom::new(realm, key.into())?;
        // SAFETY: value and atom are alive; no descriptor is asked for.
        let status = unsafe {
            qjs::JS_GetOwnProperty(
                realm.context(),
                std::ptr::null_mut(),
                self.raw(),
                atom.raw(),
            )
        };
        realm.check(status)?;
        Ok(status > 0)
    }

    /// The value of an own data property; none if there is none, or it is an accessor.
    ///
    /// # Errors
    ///
    /// What a proxy throws.
    pub fn own_data<'a>(&self, realm: &Realm, key: impl Into<Key<'a>>) -> Fallible<Option<Self>> {
        let atom = Atom::new(realm, key.into())?;
        let mut descriptor = qjs::JSPropertyDescriptor {
            flags: 0,
            value: qjs::JS_UNDEFINED,
            getter: qjs::JS_UNDEFINED,
            setter: qjs::JS_UNDEFINED,
        };
        // SAFETY: value and atom are alive; the descriptor is a local, whose references are ours
        // where the engine has filled it in.
        let status = unsafe {
            qjs::JS_GetOwnProperty(realm.context(), &raw mut descriptor, self.raw(), atom.raw())
        };
        realm.check(status)?;
        if status == 0 {
            return Ok(None);
        }
        let own = |raw| Self::owned(realm.runtime(), raw);
        let (value, getter, setter) = (
            own(descriptor.value),
            own(descriptor.getter),
            own(descriptor.setter),
        );
        let is_accessor = !getter.is_undefined() || !setter.is_undefined();
        Ok((!is_accessor).then_some(value))
    }

    /// Whether it is a `Uint8Array`.
    pub fn is_uint8_array(&self) -> bool {
        // SAFETY: the value is alive.
        let kind = unsafe { qjs::JS_GetTypedArrayType(self.raw()) };
        u32::try_from(kind) == Ok(qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8)
    }

    /// The parts of a typed array; none for anything else.
    ///
    /// # Errors
    ///
    /// A `TypeError` if its buffer is detached or has become too small for it.
    pub fn typed_array_parts(&self, realm: &Realm) -> Fallible<Option<TypedArrayParts>> {
        // SAFETY: the value is alive.
        let kind = unsafe { qjs::JS_GetTypedArrayType(self.raw()) };
        let Ok(kind) = u32::try_from(kind) else {
            return Ok(None);
        };
        let (mut byte_offset, mut byte_length, mut element_size) = (0_usize, 0_usize, 0_usize);
        // SAFETY: the value is a typed array; the numbers are written to locals.
        let buffer = realm.take(unsafe {
            qjs::JS_GetTypedArrayBuffer(
                realm.context(),
                self.raw(),
                (&raw mut byte_offset).cast(),
                (&raw mut byte_length).cast(),
                (&raw mut element_size).cast(),
            )
        })?;
        Ok(Some(TypedArrayParts {
            kind,
            buffer,
            byte_offset,
            byte_length,
            element_size,
        }))
    }

    /// <https://tc39.es/ecma262/#sec-detacharraybuffer>
    pub fn detach_array_buffer(&self, realm: &Realm) {
        // SAFETY: the value is alive; the engine ignores what is not an `ArrayBuffer`.
        unsafe { qjs::JS_DetachArrayBuffer(realm.context(), self.raw()) }
    }
}

impl Realm {
    /// A typed array that shows a buffer; `kind` as in [`TypedArrayParts`].
    ///
    /// # Errors
    ///
    /// A `RangeError` if the buffer is too small, an offset is not aligned, or there is no such
    /// kind.
    pub fn new_typed_array(
        &self,
        kind: u32,
        buffer: &Value,
        byte_offset: &Value,
        length: &Value,
    ) -> Fallible<Value> {
        let mut arguments = [buffer.raw(), byte_offset.raw(), length.raw()];
        // SAFETY: the values are alive during the call, and the engine checks the kind.
        self.take(unsafe { qjs::JS_NewTypedArray(self.context(), 3, arguments.as_mut_ptr(), kind) })
    }
}
