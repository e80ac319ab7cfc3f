//! <https://webidl.spec.whatwg.org/#idl-DOMException>

use base::exception::DomExceptionName;

use crate::bindings::generated::DomExceptionMethods;
use crate::bindings::{Dom, DomString, Fallible, Flags, Realm, Reflector};

dom_struct! {
    /// <https://webidl.spec.whatwg.org/#idl-DOMException>
    pub struct DomException {
        pub(crate) reflector: Reflector,
        name: DomString,
        message: DomString,
    }
}

impl DomException {
    /// Makes the JavaScript object for an exception of the engine, with a stack.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn create(realm: &Realm, exception: &base::exception::DomException) -> Fallible<Dom<Self>> {
        let name = DomString::from(exception.name());
        Self::with_names(realm, exception.message.as_str().into(), name)
    }

    /// Makes the JavaScript object, with a stack.
    pub(crate) fn with_names(
        realm: &Realm,
        message: DomString,
        name: DomString,
    ) -> Fallible<Dom<Self>> {
        let exception = Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                name,
                message,
            },
        )?;
        // An error made here has the stack that this exception is to show.
        let error = realm.intrinsic("Error")?.construct(realm, &[])?;
        let stack = error.get(realm, "stack")?;
        exception
            .value()
            .define(realm, "stack", &stack, Flags::HIDDEN)?;
        Ok(exception)
    }
}

impl DomExceptionMethods for DomException {
    fn constructor(realm: &Realm, message: DomString, name: DomString) -> Fallible<Dom<Self>> {
        Self::with_names(realm, message, name)
    }

    fn name(&self, _: &Realm) -> DomString {
        self.name.clone()
    }

    fn message(&self, _: &Realm) -> DomString {
        self.message.clone()
    }

    /// <https://webidl.spec.whatwg.org/#dom-domexception-code>
    fn code(&self, _: &Realm) -> u16 {
        DomExceptionName::ALL
            .iter()
            .find(|name| self.name == name.as_str())
            .map_or(0, |name| name.code())
    }
}
