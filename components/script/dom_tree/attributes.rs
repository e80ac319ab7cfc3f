//! Attributes of an element.

use html5ever::{LocalName, Namespace, QualName, ns};

use super::node::{Attribute, ElementData};

impl ElementData {
    /// The name under which `qualified_name` is looked up: HTML elements take any case.
    ///
    /// <https://dom.spec.whatwg.org/#concept-element-attributes-get-by-name>
    fn lookup_name(&self, qualified_name: &str) -> String {
        if self.name.ns == ns!(html) {
            qualified_name.to_ascii_lowercase()
        } else {
            qualified_name.to_owned()
        }
    }

    /// The attribute with a qualified name, as `getAttribute()` finds it.
    pub fn attribute_by_name(&self, qualified_name: &str) -> Option<&Attribute> {
        let name = self.lookup_name(qualified_name);
        self.attributes
            .iter()
            .find(|attribute| attribute.is_called(&name))
    }

    /// Set or add an attribute, as `setAttribute()` does.
    ///
    /// <https://dom.spec.whatwg.org/#dom-element-setattribute>
    pub fn set_attribute(&mut self, qualified_name: &str, value: impl Into<String>) {
        let name = self.lookup_name(qualified_name);
        let value = value.into();
        let existing = self
            .attributes
            .iter_mut()
            .find(|attribute| attribute.is_called(&name));
        match existing {
            Some(attribute) => attribute.value = value,
            None => self.attributes.push(Attribute {
                name: QualName::new(None, Namespace::from(ns!()), LocalName::from(name)),
                value,
            }),
        }
    }

    /// Remove an attribute, as `removeAttribute()` does; true when there was one.
    ///
    /// <https://dom.spec.whatwg.org/#dom-element-removeattribute>
    pub fn remove_attribute(&mut self, qualified_name: &str) -> bool {
        let name = self.lookup_name(qualified_name);
        let place = self
            .attributes
            .iter()
            .position(|attribute| attribute.is_called(&name));
        if let Some(place) = place {
            self.attributes.remove(place);
        }
        place.is_some()
    }

    /// The name as `tagName` reads it: that of an HTML element is in upper case.
    ///
    /// <https://dom.spec.whatwg.org/#element-html-uppercased-qualified-name>
    pub fn tag_name(&self) -> String {
        let name = match &self.name.prefix {
            Some(prefix) if !prefix.is_empty() => format!("{prefix}:{}", self.name.local),
            _ => self.name.local.to_string(),
        };
        if self.name.ns == ns!(html) {
            name.to_ascii_uppercase()
        } else {
            name
        }
    }

    /// The words of an attribute, each once, in their order.
    ///
    /// <https://dom.spec.whatwg.org/#concept-ordered-set-parser>
    pub fn attribute_words(&self, local: &str) -> Vec<&str> {
        let mut words = Vec::new();
        for word in self
            .attribute(local)
            .unwrap_or_default()
            .split_ascii_whitespace()
        {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}

impl Attribute {
    /// <https://dom.spec.whatwg.org/#concept-attribute-qualified-name>
    pub fn qualified_name(&self) -> String {
        match &self.name.prefix {
            Some(prefix) if !prefix.is_empty() => format!("{prefix}:{}", self.name.local),
            _ => self.name.local.to_string(),
        }
    }

    fn is_called(&self, qualified_name: &str) -> bool {
        match &self.name.prefix {
            Some(prefix) if !prefix.is_empty() => self.qualified_name() == qualified_name,
            _ => &*self.name.local == qualified_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::node::html_name;

    #[test]
    fn names_of_html_attributes_take_any_case() {
        let mut element = ElementData::new(html_name("div"));
        element.set_attribute("Data-Id", "1");
        element.set_attribute("DATA-ID", "2");
        assert_eq!(element.attributes.len(), 1);
        assert_eq!(element.attribute("data-id"), Some("2"));
        assert_eq!(element.attribute_by_name("dAta-id").unwrap().value, "2");
        assert!(element.remove_attribute("data-ID"));
        assert!(!element.remove_attribute("data-id"));
    }

    #[test]
    fn names_of_svg_attributes_keep_their_case() {
        let name = QualName::new(None, ns!(svg), LocalName::from("svg"));
        let mut element = ElementData::new(name);
        element.set_attribute("viewBox", "0 0 1 1");
        assert_eq!(element.attribute("viewBox"), Some("0 0 1 1"));
        assert!(element.attribute_by_name("viewbox").is_none());
    }

    #[test]
    fn words_are_a_set_in_order() {
        let mut element = ElementData::new(html_name("p"));
        element.set_attribute("class", " b\ta  b\nc ");
        assert_eq!(element.attribute_words("class"), ["b", "a", "c"]);
        assert!(element.attribute_words("rel").is_empty());
    }
}
