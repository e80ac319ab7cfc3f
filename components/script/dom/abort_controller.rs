//! <https://dom.spec.whatwg.org/#interface-abortcontroller>

use super::abort_signal::AbortSignal;
use crate::bindings::generated::AbortControllerMethods;
use crate::bindings::{Dom, Fallible, Realm, Reflector, Value};

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-abortcontroller>
    pub struct AbortController {
        pub(crate) reflector: Reflector,
        signal: Dom<AbortSignal>,
    }
}

impl AbortControllerMethods for AbortController {
    fn constructor(realm: &Realm) -> Fallible<Dom<Self>> {
        let signal = AbortSignal::new(realm)?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                signal,
            },
        )
    }

    fn signal(&self, _: &Realm) -> Dom<AbortSignal> {
        self.signal.clone()
    }

    fn abort(&self, realm: &Realm, reason: Value) -> Fallible<()> {
        self.signal.signal_abort(realm, reason);
        Ok(())
    }
}
