//! <https://dom.spec.whatwg.org/#interface-htmlcollection>

use super::element::Element;
use super::node::Node;
use crate::bindings::generated::HtmlCollectionMethods;
use crate::bindings::{Dom, DomString, Fallible, NoTrace, Realm, Reflector};
use crate::dom_tree::NodeId;

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-htmlcollection>
    pub struct HtmlCollection {
        pub(crate) reflector: Reflector,
        root: Dom<Node>,
        filter: NoTrace<Filter>,
    }
}

/// Which elements below the root belong to it.
enum Filter {
    Children,
    TagName(String),
    ClassName(String),
    /// <https://html.spec.whatwg.org/multipage/forms.html#dom-form-elements>
    FormElements,
}

impl HtmlCollection {
    fn new(realm: &Realm, root: &Node, filter: Filter) -> Fallible<Dom<Self>> {
        let root = Dom::from_ref(root);
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                root,
                filter: NoTrace(filter),
            },
        )
    }

    /// The children of a node that are elements.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn children(realm: &Realm, root: &Node) -> Fallible<Dom<Self>> {
        Self::new(realm, root, Filter::Children)
    }

    /// The elements below a node with this name.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn by_tag_name(realm: &Realm, root: &Node, name: &DomString) -> Fallible<Dom<Self>> {
        Self::new(realm, root, Filter::TagName(name.to_string()))
    }

    /// The elements below a node with these classes.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn by_class_name(
        realm: &Realm,
        root: &Node,
        names: &DomString,
    ) -> Fallible<Dom<Self>> {
        Self::new(realm, root, Filter::ClassName(names.to_string()))
    }

    /// The controls of a form.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn form_elements(realm: &Realm, form: &Node) -> Fallible<Dom<Self>> {
        Self::new(realm, form, Filter::FormElements)
    }

    fn elements(&self) -> Vec<NodeId> {
        let tree = self.root.tree();
        let root = self.root.node_id();
        match &*self.filter {
            Filter::Children => tree.child_elements(root).collect(),
            Filter::TagName(name) => tree.elements_by_tag_name(root, name),
            Filter::ClassName(names) => tree.elements_by_class_name(root, names),
            Filter::FormElements => super::html_form_element::controls(&tree, root),
        }
    }
}

impl HtmlCollectionMethods for HtmlCollection {
    fn length(&self, _: &Realm) -> u32 {
        u32::try_from(self.elements().len()).unwrap_or(u32::MAX)
    }

    fn item(&self, realm: &Realm, index: u32) -> Fallible<Option<Dom<Element>>> {
        let element = self.elements().get(index as usize).copied();
        self.root.wrap(realm, element)
    }

    /// <https://dom.spec.whatwg.org/#dom-htmlcollection-nameditem>
    fn named_item(&self, realm: &Realm, name: DomString) -> Fallible<Option<Dom<Element>>> {
        let name = name.to_string();
        let elements = self.elements();
        let found = {
            let tree = self.root.tree();
            elements
                .into_iter()
                .filter(|_| !name.is_empty())
                .find(|id| {
                    tree.element(*id).is_some_and(|element| {
                        ["id", "name"]
                            .iter()
                            .any(|key| element.attribute(key) == Some(&name))
                    })
                })
        };
        self.root.wrap(realm, found)
    }
}
