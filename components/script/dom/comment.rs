//! <https://dom.spec.whatwg.org/#interface-comment>

use super::character_data::CharacterData;
use super::document;
use crate::bindings::generated::CommentMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, Realm};
use crate::dom_tree::NodeData;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-comment>
    pub struct Comment {
        pub(crate) parent: CharacterData,
    }
}

impl CommentMethods for Comment {
    fn constructor(realm: &Realm, data: DomString) -> Fallible<Dom<Self>> {
        document::create(realm, NodeData::Comment(data.to_string()))?
            .ok_or_else(|| Error::Type("There is no document.".to_owned()))
    }
}
