//! Callback functions and callback interfaces.

use super::error::{Error, Fallible};
use super::realm::{Realm, RealmHandle};
use super::trace::{Traceable, Tracer};
use super::value::{ToJs, Value};

/// A script's function or object that Rust calls later. The types generated for callbacks wrap it.
#[derive(Clone)]
pub struct Callback {
    object: Value,
    realm: RealmHandle,
}

impl Callback {
    /// A callback function.
    ///
    /// # Errors
    ///
    /// A `TypeError` for what cannot be called.
    pub fn function(realm: &Realm, value: &Value) -> Fallible<Self> {
        if value.is_callable(realm) {
            Ok(Self {
                object: value.clone(),
                realm: realm.root(),
            })
        } else {
            Err(Error::Type(
                "The provided value is not a function.".to_owned(),
            ))
        }
    }

    /// An object with an operation, or a function in its place. Event handlers are kept this way
    /// too, as any object may be one.
    ///
    /// # Errors
    ///
    /// A `TypeError` for what is not an object.
    pub fn interface(realm: &Realm, value: &Value) -> Fallible<Self> {
        if value.is_object() {
            Ok(Self {
                object: value.clone(),
                realm: realm.root(),
            })
        } else {
            Err(Error::Type(
                "The provided value is not an object.".to_owned(),
            ))
        }
    }

    /// The realm to call it in and report its exceptions to.
    pub fn realm(&self) -> RealmHandle {
        self.realm.clone()
    }

    /// The script's object.
    pub fn value(&self) -> &Value {
        &self.object
    }

    /// Whether both are the same object.
    pub fn same(&self, other: &Self) -> bool {
        self.object.strictly_equals(&self.realm, &other.object)
    }

    /// <https://webidl.spec.whatwg.org/#invoke-a-callback-function>
    ///
    /// # Errors
    ///
    /// What it throws; it is not reported.
    pub fn call(&self, this: &Value, arguments: &[Value]) -> Fallible<Value> {
        self.realm
            .run_script(|| self.object.call(&self.realm, this, arguments))
    }

    /// <https://webidl.spec.whatwg.org/#call-a-user-objects-operation>
    ///
    /// # Errors
    ///
    /// What it throws, or a `TypeError` if the object has no such operation.
    pub fn call_operation(
        &self,
        operation: &str,
        this: &Value,
        arguments: &[Value],
    ) -> Fallible<Value> {
        let realm = &*self.realm;
        if self.object.is_callable(realm) {
            return self.call(this, arguments);
        }
        realm.run_script(|| {
            let method = self.object.get(realm, operation)?;
            if !method.is_callable(realm) {
                return Err(Error::Type(format!("{operation} is not a function")));
            }
            method.call(realm, &self.object, arguments)
        })
    }
}

impl Traceable for Callback {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(&self.object);
        self.realm.trace(tracer);
    }
}

impl ToJs for Callback {
    fn to_js(&self, _: &Realm) -> Fallible<Value> {
        Ok(self.object.clone())
    }
}
