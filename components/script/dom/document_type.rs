//! <https://dom.spec.whatwg.org/#interface-documenttype>

use super::node::Node;
use crate::bindings::generated::DocumentTypeMethods;
use crate::bindings::{DomString, Realm};
use crate::dom_tree::NodeData;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-documenttype>
    pub struct DocumentType {
        pub(crate) parent: Node,
    }
}

impl DocumentTypeMethods for DocumentType {
    fn name(&self, _: &Realm) -> DomString {
        match &self.tree().node(self.node_id()).data {
            NodeData::DocumentType { name, .. } => name.as_str().into(),
            _ => DomString::default(),
        }
    }

    fn public_id(&self, _: &Realm) -> DomString {
        match &self.tree().node(self.node_id()).data {
            NodeData::DocumentType { public_id, .. } => public_id.as_str().into(),
            _ => DomString::default(),
        }
    }

    fn system_id(&self, _: &Realm) -> DomString {
        match &self.tree().node(self.node_id()).data {
            NodeData::DocumentType { system_id, .. } => system_id.as_str().into(),
            _ => DomString::default(),
        }
    }
}
