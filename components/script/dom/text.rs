//! <https://dom.spec.whatwg.org/#interface-text>

use super::character_data::CharacterData;
use super::document;
use crate::bindings::generated::TextMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, Realm};
use crate::dom_tree::NodeData;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-text>
    pub struct Text {
        pub(crate) parent: CharacterData,
    }
}

impl TextMethods for Text {
    fn constructor(realm: &Realm, data: DomString) -> Fallible<Dom<Self>> {
        document::create(realm, NodeData::Text(data.to_string()))?
            .ok_or_else(|| Error::Type("There is no document.".to_owned()))
    }

    /// <https://dom.spec.whatwg.org/#dom-text-wholetext>
    fn whole_text(&self, _: &Realm) -> DomString {
        let tree = self.tree();
        let is_text = |id: &_| tree.node(*id).as_text().is_some();
        let back =
            std::iter::successors(Some(self.node_id()), |id| tree.node(*id).previous_sibling());
        let first = back.take_while(is_text).last().unwrap_or(self.node_id());
        let texts = std::iter::successors(Some(first), |id| tree.node(*id).next_sibling());
        let text: String = texts
            .take_while(is_text)
            .filter_map(|id| tree.node(id).as_text())
            .collect();
        text.into()
    }
}
