//! Methods and accessors of the language, taken before scripts can replace them.
//!
//! [`Realm::intrinsic`] gives them back under the names listed here.

use super::error::Fallible;
use super::realm::Realm;
use super::rejections;
use super::value::Value;

/// Paths from the global object; after `get `, the getter of an accessor.
const MEMBERS: &[&str] = &[
    "Array.isArray",
    "Array.prototype.values",
    "ArrayBuffer.prototype.slice",
    "get ArrayBuffer.prototype.byteLength",
    "get ArrayBuffer.prototype.detached",
    "get ArrayBuffer.prototype.maxByteLength",
    "get ArrayBuffer.prototype.resizable",
    "BigInt",
    "BigInt.prototype.toString",
    "BigInt.prototype.valueOf",
    "Boolean",
    "Boolean.prototype.valueOf",
    "get DataView.prototype.buffer",
    "get DataView.prototype.byteLength",
    "get DataView.prototype.byteOffset",
    "Date.prototype.getTime",
    "EvalError",
    "get Error.prototype.stack",
    "Map.prototype.entries",
    "Map.prototype.set",
    "Number",
    "Number.prototype.valueOf",
    "Object.prototype.hasOwnProperty",
    "Promise.withResolvers",
    "ReferenceError",
    "get RegExp.prototype.dotAll",
    "get RegExp.prototype.global",
    "get RegExp.prototype.hasIndices",
    "get RegExp.prototype.ignoreCase",
    "get RegExp.prototype.multiline",
    "get RegExp.prototype.source",
    "get RegExp.prototype.sticky",
    "get RegExp.prototype.unicode",
    "get RegExp.prototype.unicodeSets",
    "Set.prototype.add",
    "Set.prototype.values",
    "String",
    "String.prototype.valueOf",
    "Symbol",
    "URIError",
    "Uint8Array.prototype.set",
    "WeakSet",
    "WeakSet.prototype.add",
    "WeakSet.prototype.delete",
];

/// Takes the members into a new realm's intrinsics. Those that the engine does not have are left
/// out.
pub(super) fn capture(realm: &Realm) -> Fallible<()> {
    for member in MEMBERS {
        if let Some(value) = lookup(realm, member)? {
            realm
                .interfaces
                .borrow_mut()
                .intrinsics
                .insert(member, value);
        }
    }
    for (name, method) in [
        ("MapIterator.next", "Map.prototype.entries"),
        ("SetIterator.next", "Set.prototype.values"),
    ] {
        let constructor = realm.intrinsic(method.split('.').next().unwrap_or_default())?;
        let collection = constructor.construct(realm, &[])?;
        let iterator = realm.intrinsic(method)?.call(realm, &collection, &[])?;
        let next = iterator.get(realm, "next")?;
        realm.interfaces.borrow_mut().intrinsics.insert(name, next);
    }
    let outstanding = realm.intrinsic("WeakSet")?.construct(realm, &[])?;
    realm
        .interfaces
        .borrow_mut()
        .intrinsics
        .insert(rejections::OUTSTANDING, outstanding);
    Ok(())
}

fn lookup(realm: &Realm, member: &str) -> Fallible<Option<Value>> {
    let (path, is_getter) = match member.strip_prefix("get ") {
        Some(path) => (path, true),
        None => (member, false),
    };
    let mut value = realm.inner_global();
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        if value.is_null_or_undefined() {
            return Ok(None);
        }
        if is_getter && names.peek().is_none() {
            let describe = realm
                .intrinsic("Object")?
                .get(realm, "getOwnPropertyDescriptor")?;
            let name = realm.new_string(name)?;
            let descriptor = describe.call(realm, &Value::undefined(), &[value, name])?;
            value = if descriptor.is_object() {
                descriptor.get(realm, "get")?
            } else {
                Value::undefined()
            };
            break;
        }
        value = value.get(realm, name)?;
    }
    Ok((!value.is_undefined()).then_some(value))
}
