//! Values as keys, and back.

use base::exception::DomExceptionName;
use indexed_db::{Key, KeyRange, MAX_KEY_DEPTH};

use crate::bindings::{Dom, Error, Fallible, Realm, Value};
use crate::dom::idb_key_range::IdbKeyRange;

/// <https://w3c.github.io/IndexedDB/#convert-a-value-to-a-key>
///
/// None is what the specification calls "invalid type" and "invalid value"; nobody tells them
/// apart.
///
/// # Errors
///
/// What getters of an array throw.
pub(crate) fn from_value(realm: &Realm, input: &Value) -> Fallible<Option<Key>> {
    // The arrays that the value is in, from the outermost. Keys may be nested deeper than the
    // stack allows for.
    let mut open: Vec<OpenArray> = Vec::new();
    let mut input = input.clone();
    loop {
        let mut key = if input.is_array() {
            let is_cycle = open
                .iter()
                .any(|array| array.input.strictly_equals(realm, &input));
            if is_cycle || open.len() == MAX_KEY_DEPTH {
                return Ok(None);
            }
            open.push(OpenArray::new(realm, input)?);
            None
        } else {
            match convert_leaf(realm, &input)? {
                Some(key) => Some(key),
                None => return Ok(None),
            }
        };
        // A key that is complete may complete the array that it is in.
        loop {
            let Some(mut array) = open.pop() else {
                return Ok(key);
            };
            array.keys.extend(key.take());
            if f64::from(array.next) >= array.length {
                key = Some(Key::Array(array.keys));
                continue;
            }
            let Some(entry) = array.next_entry(realm)? else {
                return Ok(None);
            };
            input = entry;
            open.push(array);
            break;
        }
    }
}

/// An array of which not all entries are converted yet.
struct OpenArray {
    input: Value,
    length: f64,
    next: u32,
    keys: Vec<Key>,
}

impl OpenArray {
    fn new(realm: &Realm, input: Value) -> Fallible<Self> {
        let length = input.get(realm, "length")?.to_number(realm)?;
        Ok(Self {
            input,
            length,
            next: 0,
            keys: Vec::new(),
        })
    }

    /// The next entry; none when there is a hole in its place.
    fn next_entry(&mut self, realm: &Realm) -> Fallible<Option<Value>> {
        let index = self.next;
        self.next += 1;
        if !has_own_property(realm, &self.input, &Value::number(f64::from(index)))? {
            return Ok(None);
        }
        self.input.get(realm, index).map(Some)
    }
}

/// A key that is no array.
fn convert_leaf(realm: &Realm, input: &Value) -> Fallible<Option<Key>> {
    if input.is_number() {
        let number = input.to_number(realm)?;
        return Ok((!number.is_nan()).then_some(Key::Number(number)));
    }
    if input.is_string() {
        let text = input.to_dom_string(realm)?;
        return Ok(Some(Key::String(text.code_units().to_vec())));
    }
    if input.is_date() {
        let time = realm.intrinsic("Date.prototype.getTime")?;
        let time = time.call(realm, input, &[])?.to_number(realm)?;
        return Ok((!time.is_nan()).then_some(Key::Date(time)));
    }
    if input.is_buffer_source() {
        // A detached buffer has no bytes that could be copied.
        return Ok(input.bytes(realm).ok().map(Key::Binary));
    }
    Ok(None)
}

/// As [`from_value`], for a value that has to be a key.
///
/// # Errors
///
/// A `DataError` when it is none, and what getters of an array throw.
pub(crate) fn require(realm: &Realm, value: &Value) -> Fallible<Key> {
    from_value(realm, value)?.ok_or_else(|| data_error("The value is not a valid key."))
}

/// <https://w3c.github.io/IndexedDB/#convert-a-key-to-a-value>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn to_value(realm: &Realm, key: &Key) -> Fallible<Value> {
    match key {
        Key::Number(number) => Ok(Value::number(*number)),
        Key::Date(time) => realm.new_date(*time),
        Key::String(units) => realm.new_string_utf16(units),
        Key::Binary(bytes) => realm.new_array_buffer(bytes),
        Key::Array(keys) => {
            let values = keys
                .iter()
                .map(|key| to_value(realm, key))
                .collect::<Fallible<Vec<_>>>()?;
            realm.new_array(&values)
        }
    }
}

/// <https://w3c.github.io/IndexedDB/#convert-a-value-to-a-key-range>
///
/// `undefined` and `null` are all keys.
///
/// # Errors
///
/// A `DataError` when the value is neither a range nor a key, and what getters of an array throw.
pub(crate) fn range_or_all(realm: &Realm, value: &Value) -> Fallible<KeyRange> {
    if value.is_null_or_undefined() {
        return Ok(KeyRange::all());
    }
    range(realm, value)
}

/// As [`range_or_all`], with the null disallowed flag set: there has to be a range or a key.
///
/// # Errors
///
/// As for [`range_or_all`].
pub(crate) fn range(realm: &Realm, value: &Value) -> Fallible<KeyRange> {
    let range: Fallible<Dom<IdbKeyRange>> = crate::bindings::convert::interface(realm, value);
    match range {
        Ok(range) => Ok(range.range().clone()),
        Err(_) => Ok(KeyRange::only(require(realm, value)?)),
    }
}

/// Whether a value is of a type that can be a key or a key range. A value of such a type may still
/// be none.
///
/// <https://w3c.github.io/IndexedDB/#is-a-potentially-valid-key-range>
pub(crate) fn is_potential_range(realm: &Realm, value: &Value) -> bool {
    let range: Fallible<Dom<IdbKeyRange>> = crate::bindings::convert::interface(realm, value);
    range.is_ok()
        || value.is_number()
        || value.is_string()
        || value.is_date()
        || value.is_buffer_source()
        || value.is_array()
}

/// <https://w3c.github.io/IndexedDB/#convert-a-value-to-a-multientry-key>
///
/// The keys in an array, each once; what is no key is left out.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn multi_entry(realm: &Realm, input: &Value) -> Fallible<Vec<Key>> {
    if !input.is_array() {
        return Ok(from_value(realm, input)?.into_iter().collect());
    }
    let length = input.get(realm, "length")?.to_number(realm)?;
    let mut keys: Vec<Key> = Vec::new();
    let mut index = 0;
    while f64::from(index) < length {
        keys.extend(from_value(realm, &input.get(realm, index)?)?);
        index += 1;
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Whether an object has a property of its own.
///
/// # Errors
///
/// What a proxy throws.
pub(crate) fn has_own_property(realm: &Realm, object: &Value, key: &Value) -> Fallible<bool> {
    let has_own = realm.intrinsic("Object.prototype.hasOwnProperty")?;
    Ok(has_own
        .call(realm, object, std::slice::from_ref(key))?
        .is_true())
}

pub(crate) fn data_error(message: &str) -> Error {
    Error::dom(DomExceptionName::DataError, message)
}
