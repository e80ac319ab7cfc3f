//! Finding keys in values, and putting them there.
//!
//! The values are those that come out of a structured clone: their own properties are data, so
//! that nothing here runs a script.

use indexed_db::{IndexInfo, IndexKey, Key, KeyPath, Name};
use unicode_ident::{is_xid_continue, is_xid_start};

use super::key;
use crate::bindings::generated::{BlobMethods, DomStringOrDomStringSequence, FileMethods};
use crate::bindings::{AnyDom, Fallible, Realm, ToJs, Value};
use crate::dom::blob::Blob;
use crate::dom::file::File;

/// What is found at a key path.
#[derive(Debug)]
pub(crate) enum Extracted {
    /// A key.
    Key(Key),
    /// A value that is no key.
    Invalid,
    /// Nothing.
    Missing,
}

/// A key path as scripts give it.
pub(crate) fn from_union(path: DomStringOrDomStringSequence) -> KeyPath {
    match path {
        DomStringOrDomStringSequence::DomString(path) => {
            KeyPath::String(path.code_units().to_vec())
        }
        DomStringOrDomStringSequence::DomStringSequence(paths) => KeyPath::Sequence(
            paths
                .iter()
                .map(|path| path.code_units().to_vec())
                .collect(),
        ),
    }
}

/// A key path as scripts see it.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn to_value(realm: &Realm, path: &KeyPath) -> Fallible<Value> {
    let string = |units: &Name| realm.new_string_utf16(units);
    match path {
        KeyPath::String(path) => string(path),
        KeyPath::Sequence(paths) => {
            realm.new_array(&paths.iter().map(string).collect::<Fallible<Vec<_>>>()?)
        }
    }
}

/// <https://w3c.github.io/IndexedDB/#valid-key-path>
pub(crate) fn is_valid(path: &KeyPath) -> bool {
    match path {
        KeyPath::String(path) => is_valid_string(path),
        KeyPath::Sequence(paths) => !paths.is_empty() && paths.iter().all(is_valid_string),
    }
}

fn is_valid_string(path: &Name) -> bool {
    path.is_empty() || identifiers(path).all(is_identifier)
}

/// <https://tc39.es/ecma262/#prod-IdentifierName>, without escapes.
fn is_identifier(units: &[u16]) -> bool {
    let mut characters = char::decode_utf16(units.iter().copied());
    let starts = |character: char| matches!(character, '$' | '_') || is_xid_start(character);
    let continues = |character: char| {
        matches!(character, '$' | '\u{200C}' | '\u{200D}') || is_xid_continue(character)
    };
    characters
        .next()
        .is_some_and(|first| first.is_ok_and(starts))
        && characters.all(|character| character.is_ok_and(continues))
}

fn identifiers(path: &[u16]) -> impl Iterator<Item = &[u16]> {
    path.split(|unit| *unit == u16::from(b'.'))
}

/// <https://w3c.github.io/IndexedDB/#extract-a-key-from-a-value-using-a-key-path>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn extract(realm: &Realm, value: &Value, path: &KeyPath) -> Fallible<Extracted> {
    let Some(found) = evaluate(realm, value, path)? else {
        return Ok(Extracted::Missing);
    };
    Ok(key::from_value(realm, &found)?.map_or(Extracted::Invalid, Extracted::Key))
}

/// The keys of a value in an index, from
/// <https://w3c.github.io/IndexedDB/#store-a-record-into-an-object-store>
///
/// `generated` is where in the value a key will be that the key generator has still to make.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn index_keys(
    realm: &Realm,
    value: &Value,
    index: &IndexInfo,
    generated: Option<&Name>,
) -> Fallible<Vec<IndexKey>> {
    match (&index.key_path, generated) {
        (KeyPath::String(path), Some(generated)) if path == generated => {
            Ok(vec![IndexKey::Primary])
        }
        (KeyPath::Sequence(paths), Some(generated)) if paths.contains(generated) => {
            let mut keys = Vec::with_capacity(paths.len());
            for path in paths {
                if path == generated {
                    keys.push(IndexKey::Primary);
                    continue;
                }
                let found = evaluate_string(realm, value, path)?;
                let key = found.map_or(Ok(None), |found| key::from_value(realm, &found))?;
                let Some(key) = key else {
                    return Ok(Vec::new());
                };
                keys.push(IndexKey::Key(key));
            }
            Ok(vec![IndexKey::Array(keys)])
        }
        _ => {
            let keys = present_index_keys(realm, value, index)?;
            Ok(keys.into_iter().map(IndexKey::Key).collect())
        }
    }
}

/// The keys of a value in an index, as far as they are in the value.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn present_index_keys(
    realm: &Realm,
    value: &Value,
    index: &IndexInfo,
) -> Fallible<Vec<Key>> {
    let Some(found) = evaluate(realm, value, &index.key_path)? else {
        return Ok(Vec::new());
    };
    if index.multi_entry {
        return key::multi_entry(realm, &found);
    }
    Ok(key::from_value(realm, &found)?.into_iter().collect())
}

/// <https://w3c.github.io/IndexedDB/#evaluate-a-key-path-on-a-value>
fn evaluate(realm: &Realm, value: &Value, path: &KeyPath) -> Fallible<Option<Value>> {
    match path {
        KeyPath::String(path) => evaluate_string(realm, value, path),
        KeyPath::Sequence(paths) => {
            let mut values = Vec::with_capacity(paths.len());
            for path in paths {
                let Some(value) = evaluate_string(realm, value, path)? else {
                    return Ok(None);
                };
                values.push(value);
            }
            realm.new_array(&values).map(Some)
        }
    }
}

fn evaluate_string(realm: &Realm, value: &Value, path: &Name) -> Fallible<Option<Value>> {
    let mut value = value.clone();
    if path.is_empty() {
        return Ok(Some(value));
    }
    for identifier in identifiers(path) {
        let Some(next) = member(realm, &value, identifier)? else {
            return Ok(None);
        };
        value = next;
    }
    Ok(Some(value))
}

/// One step along a key path.
fn member(realm: &Realm, value: &Value, identifier: &[u16]) -> Fallible<Option<Value>> {
    let is = |name: &str| identifier.iter().copied().eq(name.encode_utf16());
    if value.is_string() && is("length") {
        let length = value.to_dom_string(realm)?.code_units().len();
        return Ok(Some(Value::number(f64::from(
            u32::try_from(length).unwrap_or(u32::MAX),
        ))));
    }
    if !value.is_object() {
        return Ok(None);
    }
    if let Some(file) = AnyDom::of(value).and_then(|object| object.downcast::<File>()) {
        if is("name") {
            return file.name().to_js(realm).map(Some);
        }
        if is("lastModified") {
            return FileMethods::last_modified(&*file, realm)
                .to_js(realm)
                .map(Some);
        }
    }
    if let Some(blob) = AnyDom::of(value).and_then(|object| object.downcast::<Blob>()) {
        if is("size") {
            return blob.size(realm).to_js(realm).map(Some);
        }
        if is("type") {
            return blob.media_type().to_js(realm).map(Some);
        }
    }
    let name = realm.new_string_utf16(identifier)?;
    if !key::has_own_property(realm, value, &name)? {
        return Ok(None);
    }
    let value = value.get(realm, &name)?;
    Ok((!value.is_undefined()).then_some(value))
}

/// <https://w3c.github.io/IndexedDB/#check-that-a-key-could-be-injected-into-a-value>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn can_inject(realm: &Realm, value: &Value, path: &Name) -> Fallible<bool> {
    let mut value = value.clone();
    let mut names: Vec<&[u16]> = identifiers(path).collect();
    names.pop();
    for identifier in names {
        if !value.is_object() {
            return Ok(false);
        }
        let name = realm.new_string_utf16(identifier)?;
        if !key::has_own_property(realm, &value, &name)? {
            return Ok(true);
        }
        value = value.get(realm, &name)?;
    }
    Ok(value.is_object())
}

/// <https://w3c.github.io/IndexedDB/#inject-a-key-into-a-value-using-a-key-path>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn inject(realm: &Realm, value: &Value, key: &Key, path: &Name) -> Fallible<()> {
    let mut value = value.clone();
    let mut names: Vec<&[u16]> = identifiers(path).collect();
    let last = names.pop().unwrap_or_default();
    for identifier in names {
        let name = realm.new_string_utf16(identifier)?;
        if !key::has_own_property(realm, &value, &name)? {
            value.create_data_property(realm, &name, &realm.new_object()?)?;
        }
        value = value.get(realm, &name)?;
    }
    let name = realm.new_string_utf16(last)?;
    value.create_data_property(realm, &name, &key::to_value(realm, key)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_paths_are_identifiers_with_dots_between() {
        let valid = |path: &str| is_valid(&KeyPath::String(path.encode_utf16().collect()));
        for path in ["", "id", "a.b.c", "$", "_x1", "größe", "名前"] {
            assert!(valid(path), "{path}");
        }
        for path in [" ", "a b", ".", "a.", ".a", "a..b", "1a", "a-b", "a[0]"] {
            assert!(!valid(path), "{path}");
        }
        assert!(!is_valid(&KeyPath::String(vec![0xD800])));
        assert!(!is_valid(&KeyPath::Sequence(vec![])));
    }
}
