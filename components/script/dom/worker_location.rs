//! <https://html.spec.whatwg.org/multipage/workers.html#worker-locations>

use url::{Url, quirks};

use crate::bindings::generated::WorkerLocationMethods;
use crate::bindings::{Dom, Fallible, NoTrace, Realm, Reflector, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#workerlocation>
    pub struct WorkerLocation {
        pub(crate) reflector: Reflector,
        url: NoTrace<Url>,
    }
}

impl WorkerLocation {
    /// The location of a worker whose script has this URL.
    pub(crate) fn create(realm: &Realm, url: Url) -> Fallible<Dom<Self>> {
        let this = Self {
            reflector: Reflector::default(),
            url: NoTrace(url),
        };
        Dom::new(realm, this)
    }
}

impl WorkerLocationMethods for WorkerLocation {
    fn href(&self, _: &Realm) -> UsvString {
        quirks::href(&self.url).into()
    }

    fn origin(&self, _: &Realm) -> UsvString {
        quirks::origin(&self.url).into()
    }

    fn protocol(&self, _: &Realm) -> UsvString {
        quirks::protocol(&self.url).into()
    }

    fn host(&self, _: &Realm) -> UsvString {
        quirks::host(&self.url).into()
    }

    fn hostname(&self, _: &Realm) -> UsvString {
        quirks::hostname(&self.url).into()
    }

    fn port(&self, _: &Realm) -> UsvString {
        quirks::port(&self.url).into()
    }

    fn pathname(&self, _: &Realm) -> UsvString {
        quirks::pathname(&self.url).into()
    }

    fn search(&self, _: &Realm) -> UsvString {
        quirks::search(&self.url).into()
    }

    fn hash(&self, _: &Realm) -> UsvString {
        quirks::hash(&self.url).into()
    }
}
