//! <https://w3c.github.io/IndexedDB/#index-interface>

use crate::bindings::Reflector;
use crate::bindings::generated::IdbIndexMethods;

dom_struct! {
    /// <https://w3c.github.io/IndexedDB/#idbindex>
    ///
    /// There are no indexes yet, so there is no object of this interface; but libraries look for it
    /// before they use anything.
    pub struct IdbIndex {
        pub(crate) reflector: Reflector,
    }
}

impl IdbIndexMethods for IdbIndex {}
