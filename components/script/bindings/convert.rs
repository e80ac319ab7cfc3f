//! Conversions between JavaScript values and Web IDL types.
//!
//! <https://webidl.spec.whatwg.org/#js-type-mapping>

use super::error::{Error, Fallible};
use super::host_object::{AnyDom, Dom, HasInterface};
use super::interface::INTERFACES;
use super::promise::Promise;
use super::realm::Realm;
use super::strings::{ByteString, DomString, UsvString};
use super::trace::{Traceable, Tracer};
use super::value::{ToJs, Value};

/// How an integer conversion treats what does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Range {
    /// Modulo.
    Wrap,
    /// `[EnforceRange]`: a `TypeError`.
    Enforce,
    /// `[Clamp]`: the nearest.
    Clamp,
}

/// A Web IDL integer type.
pub trait Integer: Sized {
    /// Its size in bits.
    const BITS: i32;
    /// Whether it is signed.
    const SIGNED: bool;
    /// From a whole number in its range.
    fn from_whole(number: f64) -> Self;
}

macro_rules! integers {
    ($($type:ty, $bits:literal, $signed:literal;)*) => {
        $(impl Integer for $type {
            const BITS: i32 = $bits;
            const SIGNED: bool = $signed;

            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the number is whole and in range"
            )]
            fn from_whole(number: f64) -> Self {
                number as Self
            }
        })*
    };
}

integers! {
    i8, 8, true; u8, 8, false; i16, 16, true; u16, 16, false;
    i32, 32, true; u32, 32, false; i64, 64, true; u64, 64, false;
}

/// <https://webidl.spec.whatwg.org/#abstract-opdef-converttoint>
///
/// # Errors
///
/// What conversion to a number throws, and a `TypeError` where the range is enforced.
pub fn integer<T: Integer>(realm: &Realm, value: &Value, range: Range) -> Fallible<T> {
    // Step 1 to 3: the bounds; those of 64 bits are what a double can tell apart.
    let (lower, upper) = if T::BITS == 64 {
        let upper = 2_f64.powi(53) - 1.0;
        (if T::SIGNED { -upper } else { 0.0 }, upper)
    } else if T::SIGNED {
        (-(2_f64.powi(T::BITS - 1)), 2_f64.powi(T::BITS - 1) - 1.0)
    } else {
        (0.0, 2_f64.powi(T::BITS) - 1.0)
    };
    // Step 4.
    let number = value.to_number(realm)?;
    match range {
        // Step 6.
        Range::Enforce => {
            let whole = number.trunc();
            if !number.is_finite() || whole < lower || whole > upper {
                return Err(Error::Type(format!(
                    "Value is not in the range from {lower} to {upper}."
                )));
            }
            Ok(T::from_whole(whole))
        }
        // Step 7: halves go to the even neighbour.
        Range::Clamp if number.is_nan() => Ok(T::from_whole(0.0)),
        Range::Clamp => Ok(T::from_whole(number.clamp(lower, upper).round_ties_even())),
        // Step 8 to 12.
        Range::Wrap if !number.is_finite() => Ok(T::from_whole(0.0)),
        Range::Wrap => {
            let modulus = 2_f64.powi(T::BITS);
            // The remainder is exact; small negative numbers and 2^64 have no exact sum.
            let rest = number.trunc() % modulus;
            let half = modulus / 2.0;
            Ok(T::from_whole(match (T::SIGNED, rest) {
                (true, rest) if rest >= half => rest - modulus,
                (true, rest) if rest < -half => rest + modulus,
                (false, rest) if rest < 0.0 => rest + modulus,
                (_, rest) => rest,
            }))
        }
    }
}

/// <https://webidl.spec.whatwg.org/#js-double>
///
/// # Errors
///
/// What conversion to a number throws, and a `TypeError` for what is not finite.
pub fn double(realm: &Realm, value: &Value, unrestricted: bool) -> Fallible<f64> {
    let number = value.to_number(realm)?;
    if unrestricted || number.is_finite() {
        Ok(number)
    } else {
        Err(Error::Type(
            "The provided double value is non-finite.".to_owned(),
        ))
    }
}

/// <https://webidl.spec.whatwg.org/#js-float>
///
/// # Errors
///
/// As for [`double`].
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to the nearest float is meant"
)]
pub fn float(realm: &Realm, value: &Value, unrestricted: bool) -> Fallible<f32> {
    let number = double(realm, value, unrestricted)? as f32;
    if unrestricted || number.is_finite() {
        Ok(number)
    } else {
        Err(Error::Type(
            "The provided float value is non-finite.".to_owned(),
        ))
    }
}

/// # Errors
///
/// None; it has the form of the other conversions.
pub fn any(value: &Value) -> Fallible<Value> {
    Ok(value.clone())
}

/// # Errors
///
/// None; it has the form of the other conversions.
pub fn undefined(_: &Value) -> Fallible<()> {
    Ok(())
}

/// # Errors
///
/// None; it has the form of the other conversions.
pub fn boolean(realm: &Realm, value: &Value) -> Fallible<bool> {
    Ok(value.to_boolean(realm))
}

/// # Errors
///
/// What conversion to a string throws.
pub fn dom_string(realm: &Realm, value: &Value) -> Fallible<DomString> {
    value.to_dom_string(realm)
}

/// # Errors
///
/// What conversion to a string throws.
pub fn usv_string(realm: &Realm, value: &Value) -> Fallible<UsvString> {
    Ok(UsvString(value.to_dom_string(realm)?.to_string()))
}

/// # Errors
///
/// What conversion to a string throws, and a `TypeError` for code units above 255.
pub fn byte_string(realm: &Realm, value: &Value) -> Fallible<ByteString> {
    let string = value.to_dom_string(realm)?;
    let bytes: Result<Vec<u8>, _> = string
        .code_units()
        .iter()
        .map(|unit| u8::try_from(*unit))
        .collect();
    bytes
        .map(ByteString)
        .map_err(|_| Error::Type("String contains non ISO-8859-1 code point.".to_owned()))
}

/// A value of the type `object`.
#[derive(Clone, Debug)]
pub struct Object(pub Value);

impl Traceable for Object {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(&self.0);
    }
}

/// # Errors
///
/// A `TypeError` for what is not an object.
pub fn object(value: &Value) -> Fallible<Object> {
    if value.is_object() {
        Ok(Object(value.clone()))
    } else {
        Err(Error::Type(
            "The provided value is not an object.".to_owned(),
        ))
    }
}

/// An `ArrayBuffer` or a view of one.
#[derive(Clone, Debug)]
pub struct BufferSource(pub Value);

impl BufferSource {
    /// A copy of the bytes: none if the buffer is detached, or too small by now for the view.
    ///
    /// <https://webidl.spec.whatwg.org/#dfn-get-buffer-source-copy>
    pub fn bytes(&self, realm: &Realm) -> Vec<u8> {
        self.0.bytes(realm).unwrap_or_default()
    }
}

/// # Errors
///
/// A `TypeError` for anything else.
pub fn array_buffer(_: &Realm, value: &Value) -> Fallible<BufferSource> {
    buffer_of(value, value.is_array_buffer(), "ArrayBuffer")
}

/// # Errors
///
/// A `TypeError` for anything else.
pub fn array_buffer_view(_: &Realm, value: &Value) -> Fallible<BufferSource> {
    buffer_of(value, value.is_array_buffer_view(), "ArrayBufferView")
}

/// # Errors
///
/// A `TypeError` for anything else.
pub fn buffer_source(_: &Realm, value: &Value) -> Fallible<BufferSource> {
    buffer_of(value, value.is_buffer_source(), "BufferSource")
}

/// # Errors
///
/// A `TypeError` for anything else.
pub fn uint8_array(_: &Realm, value: &Value) -> Fallible<BufferSource> {
    buffer_of(value, value.is_uint8_array(), "Uint8Array")
}

fn buffer_of(value: &Value, is_one: bool, name: &str) -> Fallible<BufferSource> {
    if is_one {
        Ok(BufferSource(value.clone()))
    } else {
        Err(Error::Type(format!(
            "The provided value is not of type '{name}'."
        )))
    }
}

/// Whether the value is an object with an iterator method.
///
/// # Errors
///
/// What getting the method throws.
pub fn is_iterable(realm: &Realm, value: &Value) -> Fallible<bool> {
    if !value.is_object() {
        return Ok(false);
    }
    let method = value.get(realm, &realm.intrinsic("iterator")?)?;
    Ok(!method.is_null_or_undefined())
}

/// <https://webidl.spec.whatwg.org/#js-sequence>
///
/// # Errors
///
/// A `TypeError` for what is not iterable, and what iterating or converting an item throws.
pub fn sequence<T>(
    realm: &Realm,
    value: &Value,
    item: impl Fn(&Realm, &Value) -> Fallible<T>,
) -> Fallible<Vec<T>> {
    if !is_iterable(realm, value)? {
        return Err(Error::Type(
            "The provided value cannot be converted to a sequence.".to_owned(),
        ));
    }
    let method = value.get(realm, &realm.intrinsic("iterator")?)?;
    let iterator = method.call(realm, value, &[])?;
    let next = iterator.get(realm, "next")?;
    let mut items = Vec::new();
    loop {
        let result = next.call(realm, &iterator, &[])?;
        if !result.is_object() {
            return Err(Error::Type("iterator result is not an object".to_owned()));
        }
        if result.get(realm, "done")?.to_boolean(realm) {
            return Ok(items);
        }
        items.push(item(realm, &result.get(realm, "value")?)?);
    }
}

/// A record: its entries in order.
#[derive(Clone, Debug, Default)]
pub struct Record<K, V>(pub Vec<(K, V)>);

/// <https://webidl.spec.whatwg.org/#js-record>
///
/// # Errors
///
/// A `TypeError` for what is not an object, and what reading or converting an entry throws.
pub fn record<K: PartialEq, V>(
    realm: &Realm,
    value: &Value,
    key: impl Fn(&Realm, &Value) -> Fallible<K>,
    item: impl Fn(&Realm, &Value) -> Fallible<V>,
) -> Fallible<Record<K, V>> {
    let source = object(value)?.0;
    let mut entries: Vec<(K, V)> = Vec::new();
    for own_key in source.own_keys(realm, false)? {
        if own_key.is_symbol() || !is_enumerable(realm, &source, &own_key)? {
            continue;
        }
        let typed_key = key(realm, &own_key)?;
        let typed_value = item(realm, &source.get(realm, &own_key)?)?;
        // Keys that become equal by conversion: the last value, in the first place.
        match entries
            .iter_mut()
            .find(|(present, _)| *present == typed_key)
        {
            Some(entry) => entry.1 = typed_value,
            None => entries.push((typed_key, typed_value)),
        }
    }
    Ok(Record(entries))
}

fn is_enumerable(realm: &Realm, source: &Value, key: &Value) -> Fallible<bool> {
    let describe = realm
        .intrinsic("Object")?
        .get(realm, "getOwnPropertyDescriptor")?;
    let descriptor = describe.call(realm, &Value::undefined(), &[source.clone(), key.clone()])?;
    Ok(descriptor.is_object() && descriptor.get(realm, "enumerable")?.to_boolean(realm))
}

/// <https://webidl.spec.whatwg.org/#js-promise>
///
/// # Errors
///
/// What resolving a promise with the value throws.
pub fn promise(realm: &Realm, value: &Value) -> Fallible<Promise> {
    Promise::from_value(realm, value)
}

/// <https://webidl.spec.whatwg.org/#js-nullable-type>
///
/// # Errors
///
/// Those of the inner conversion.
pub fn nullable<T>(
    realm: &Realm,
    value: &Value,
    inner: impl Fn(&Realm, &Value) -> Fallible<T>,
) -> Fallible<Option<T>> {
    if value.is_null_or_undefined() {
        Ok(None)
    } else {
        inner(realm, value).map(Some)
    }
}

/// For callbacks with `[LegacyTreatNonObjectAsNull]`.
///
/// # Errors
///
/// Those of the inner conversion.
pub fn non_object_as_null<T>(
    realm: &Realm,
    value: &Value,
    inner: impl Fn(&Realm, &Value) -> Fallible<T>,
) -> Fallible<Option<T>> {
    if value.is_object() {
        inner(realm, value).map(Some)
    } else {
        Ok(None)
    }
}

/// Whether the value is a platform object that implements the interface.
pub fn is<T: HasInterface>(_: &Realm, value: &Value) -> bool {
    AnyDom::of(value).is_some_and(|object| (*object).cast::<T>().is_some())
}

/// <https://webidl.spec.whatwg.org/#js-interface>
///
/// # Errors
///
/// A `TypeError` for what does not implement the interface.
pub fn interface<T: HasInterface>(_: &Realm, value: &Value) -> Fallible<Dom<T>> {
    AnyDom::of(value)
        .and_then(|object| object.downcast())
        .ok_or_else(|| {
            let name = INTERFACES[T::INTERFACE.0].name;
            Error::Type(format!("The provided value is not of type '{name}'."))
        })
}

/// # Errors
///
/// A `TypeError` for what cannot be a dictionary.
pub fn require_dictionary(value: &Value, name: &str) -> Fallible<()> {
    if value.is_null_or_undefined() || value.is_object() {
        Ok(())
    } else {
        Err(Error::Type(format!(
            "The provided value is not of type '{name}'."
        )))
    }
}

/// A dictionary member's value; `undefined` where there is no dictionary.
///
/// # Errors
///
/// What a getter throws.
pub fn member(realm: &Realm, dictionary: &Value, key: &str) -> Fallible<Value> {
    if dictionary.is_object() {
        dictionary.get(realm, key)
    } else {
        Ok(Value::undefined())
    }
}

/// The promise that an operation returns in place of an exception.
pub(super) fn rejected_promise(realm: &Realm, error: Error) -> Fallible<Value> {
    // An exception that stops the script is not to be turned into something it can handle.
    if let Error::Thrown(value) = &error
        && value.is_uncatchable()
    {
        return Err(error);
    }
    Promise::rejected(realm, error)?.to_js(realm)
}

macro_rules! to_js {
    ($($type:ty, |$value:ident, $realm:ident| $expression:expr;)*) => {
        $(impl ToJs for $type {
            fn to_js(&self, $realm: &Realm) -> Fallible<Value> {
                let $value = self;
                $expression
            }
        })*
    };
}

to_js! {
    (), |_value, _realm| Ok(Value::undefined());
    Value, |value, _realm| Ok(value.clone());
    Object, |value, _realm| Ok(value.0.clone());
    BufferSource, |value, _realm| Ok(value.0.clone());
    bool, |value, _realm| Ok(Value::boolean(*value));
    u8, |value, _realm| Ok(Value::number(f64::from(*value)));
    i8, |value, _realm| Ok(Value::number(f64::from(*value)));
    u16, |value, _realm| Ok(Value::number(f64::from(*value)));
    i16, |value, _realm| Ok(Value::number(f64::from(*value)));
    u32, |value, _realm| Ok(Value::number(f64::from(*value)));
    i32, |value, _realm| Ok(Value::number(f64::from(*value)));
    f32, |value, _realm| Ok(Value::number(f64::from(*value)));
    f64, |value, _realm| Ok(Value::number(*value));
    str, |value, realm| realm.new_string(value);
    String, |value, realm| realm.new_string(value);
    DomString, |value, realm| realm.new_string_utf16(value.code_units());
    UsvString, |value, realm| realm.new_string(value);
    ByteString, |value, realm| {
        let units: Vec<u16> = value.iter().copied().map(u16::from).collect();
        realm.new_string_utf16(&units)
    };
}

#[expect(clippy::cast_precision_loss, reason = "JavaScript numbers are doubles")]
mod wide {
    use super::{Fallible, Realm, ToJs, Value};

    to_js! {
        u64, |value, _realm| Ok(Value::number(*value as f64));
        i64, |value, _realm| Ok(Value::number(*value as f64));
    }
}

impl<T: ToJs + ?Sized> ToJs for &T {
    fn to_js(&self, realm: &Realm) -> Fallible<Value> {
        (**self).to_js(realm)
    }
}

impl<T: ToJs> ToJs for Option<T> {
    fn to_js(&self, realm: &Realm) -> Fallible<Value> {
        self.as_ref()
            .map_or_else(|| Ok(Value::null()), |value| value.to_js(realm))
    }
}

impl<T: ToJs> ToJs for Vec<T> {
    fn to_js(&self, realm: &Realm) -> Fallible<Value> {
        let values = self
            .iter()
            .map(|value| value.to_js(realm))
            .collect::<Fallible<Vec<_>>>()?;
        realm.new_array(&values)
    }
}
