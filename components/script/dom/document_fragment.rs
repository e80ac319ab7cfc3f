//! <https://dom.spec.whatwg.org/#interface-documentfragment>

use super::document;
use super::node::Node;
use crate::bindings::generated::DocumentFragmentMethods;
use crate::bindings::{Dom, Error, Fallible, Realm};
use crate::dom_tree::NodeData;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-documentfragment>
    pub struct DocumentFragment {
        pub(crate) parent: Node,
    }
}

impl DocumentFragmentMethods for DocumentFragment {
    fn constructor(realm: &Realm) -> Fallible<Dom<Self>> {
        document::create(realm, NodeData::DocumentFragment)?
            .ok_or_else(|| Error::Type("There is no document.".to_owned()))
    }
}
