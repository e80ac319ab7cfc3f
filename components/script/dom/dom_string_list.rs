//! <https://html.spec.whatwg.org/multipage/common-dom-interfaces.html#the-domstringlist-interface>

use crate::bindings::generated::DomStringListMethods;
use crate::bindings::{Dom, DomString, Fallible, Realm, Reflector};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/common-dom-interfaces.html#the-domstringlist-interface>
    pub struct DomStringList {
        pub(crate) reflector: Reflector,
        strings: Vec<DomString>,
    }
}

impl DomStringList {
    /// <https://w3c.github.io/IndexedDB/#create-a-sorted-name-list>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn sorted(realm: &Realm, mut strings: Vec<DomString>) -> Fallible<Dom<Self>> {
        strings.sort();
        Self::new(realm, strings)
    }

    /// A list of these strings.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm, strings: Vec<DomString>) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                strings,
            },
        )
    }
}

impl DomStringListMethods for DomStringList {
    fn length(&self, _: &Realm) -> u32 {
        u32::try_from(self.strings.len()).unwrap_or(u32::MAX)
    }

    fn item(&self, _: &Realm, index: u32) -> Fallible<Option<DomString>> {
        Ok(self.strings.get(index as usize).cloned())
    }

    fn contains(&self, _: &Realm, string: DomString) -> Fallible<bool> {
        Ok(self.strings.contains(&string))
    }
}
