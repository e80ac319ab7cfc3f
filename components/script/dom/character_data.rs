//! <https://dom.spec.whatwg.org/#interface-characterdata>

use super::node::Node;
use crate::bindings::generated::CharacterDataMethods;
use crate::bindings::{DomString, Fallible, Realm};

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-characterdata>
    pub struct CharacterData {
        pub(crate) parent: Node,
    }
}

impl CharacterData {
    fn text(&self) -> DomString {
        self.tree()
            .node(self.node_id())
            .character_data()
            .unwrap_or_default()
            .into()
    }

    fn set_text(&self, text: &DomString) {
        self.tree_mut()
            .set_character_data(self.node_id(), text.to_string());
    }
}

impl CharacterDataMethods for CharacterData {
    fn data(&self, _: &Realm) -> Option<DomString> {
        Some(self.text())
    }

    fn set_data(&self, _: &Realm, value: Option<DomString>) -> Fallible<()> {
        self.set_text(&value.unwrap_or_default());
        Ok(())
    }

    fn length(&self, _: &Realm) -> u32 {
        u32::try_from(self.text().code_units().len()).unwrap_or(u32::MAX)
    }

    fn append_data(&self, _: &Realm, data: DomString) -> Fallible<()> {
        let mut units = self.text().code_units().to_vec();
        units.extend_from_slice(data.code_units());
        self.set_text(&DomString::from_code_units(units));
        Ok(())
    }
}
