//! `iterable<K, V>`: default iterator objects and `forEach`.
//!
//! <https://webidl.spec.whatwg.org/#js-iterable>

use super::error::{Error, Fallible};
use super::host_object::{AnyDom, DomObject};
use super::realm::Realm;
use super::trampoline::Call;
use super::value::{ToJs, Value};

/// The pairs that an object has now.
pub(super) type Pairs = fn(&Realm, &dyn DomObject) -> Fallible<Vec<(Value, Value)>>;

/// What an iterator gives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Pairs.
    Entries,
    /// First halves.
    Keys,
    /// Second halves.
    Values,
}

/// A default iterator object over what the object holds when it is made.
pub(super) fn iterator(
    realm: &Realm,
    object: &dyn DomObject,
    pairs: Pairs,
    kind: Kind,
) -> Fallible<Value> {
    let items = pairs(realm, object)?
        .into_iter()
        .map(|(key, value)| match kind {
            Kind::Entries => realm.new_array(&[key, value]),
            Kind::Keys => Ok(key),
            Kind::Values => Ok(value),
        })
        .collect::<Fallible<Vec<_>>>()?;
    let array = items.to_js(realm)?;
    let values = realm.intrinsic("Array.prototype.values")?;
    values.call(realm, &array, &[])
}

/// <https://webidl.spec.whatwg.org/#js-forEach>
pub(super) fn for_each(call: &Call<'_>, object: &dyn DomObject, pairs: Pairs) -> Fallible<Value> {
    let realm = call.realm();
    let callback = call.argument(0);
    if !callback.is_callable(realm) {
        return Err(Error::Type("parameter 1 is not a function.".to_owned()));
    }
    let this = AnyDom::from_ref(object).reflector_value();
    let mut index = 0;
    // The pairs are read anew each time: the callback may change them.
    while let Some((key, value)) = pairs(realm, object)?.into_iter().nth(index) {
        callback.call(realm, &call.argument(1), &[value, key, this.clone()])?;
        index += 1;
    }
    Ok(Value::undefined())
}
