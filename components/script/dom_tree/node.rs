use html5ever::{LocalName, Namespace, QualName, ns};

/// Names a node of one tree.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(u32);

impl NodeId {
    /// The id of the place `index` in the arena.
    pub(super) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("memory ends before a tree has 2^32 nodes"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node and its links.
///
/// <https://dom.spec.whatwg.org/#interface-node>
#[derive(Clone, Debug)]
pub struct Node {
    /// What kind of node it is, with its data.
    pub data: NodeData,
    pub(super) parent: Option<NodeId>,
    pub(super) previous_sibling: Option<NodeId>,
    pub(super) next_sibling: Option<NodeId>,
    pub(super) first_child: Option<NodeId>,
    pub(super) last_child: Option<NodeId>,
}

impl Node {
    pub(super) fn new(data: NodeData) -> Self {
        Self {
            data,
            parent: None,
            previous_sibling: None,
            next_sibling: None,
            first_child: None,
            last_child: None,
        }
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-parent>
    pub fn parent(&self) -> Option<NodeId> {
        self.parent
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-previous-sibling>
    pub fn previous_sibling(&self) -> Option<NodeId> {
        self.previous_sibling
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-next-sibling>
    pub fn next_sibling(&self) -> Option<NodeId> {
        self.next_sibling
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-first-child>
    pub fn first_child(&self) -> Option<NodeId> {
        self.first_child
    }

    /// <https://dom.spec.whatwg.org/#concept-tree-last-child>
    pub fn last_child(&self) -> Option<NodeId> {
        self.last_child
    }

    /// The element's data, if the node is an element.
    pub fn as_element(&self) -> Option<&ElementData> {
        match &self.data {
            NodeData::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The element's data, if the node is an element.
    pub fn as_element_mut(&mut self) -> Option<&mut ElementData> {
        match &mut self.data {
            NodeData::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The text, if the node is a text node.
    pub fn as_text(&self) -> Option<&str> {
        match &self.data {
            NodeData::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The data, if the node is a `CharacterData` node.
    ///
    /// <https://dom.spec.whatwg.org/#concept-cd-data>
    pub fn character_data(&self) -> Option<&str> {
        match &self.data {
            NodeData::Text(data)
            | NodeData::Comment(data)
            | NodeData::ProcessingInstruction { data, .. } => Some(data),
            _ => None,
        }
    }
}

/// What kind of node it is, with its data.
#[derive(Clone, Debug)]
pub enum NodeData {
    /// <https://dom.spec.whatwg.org/#interface-document>
    Document,
    /// <https://dom.spec.whatwg.org/#interface-documenttype>
    DocumentType {
        /// Its name, such as `html`.
        name: String,
        /// Its public identifier.
        public_id: String,
        /// Its system identifier.
        system_id: String,
    },
    /// <https://dom.spec.whatwg.org/#interface-documentfragment>
    DocumentFragment,
    /// <https://dom.spec.whatwg.org/#interface-element>
    Element(ElementData),
    /// <https://dom.spec.whatwg.org/#interface-text>
    Text(String),
    /// <https://dom.spec.whatwg.org/#interface-comment>
    Comment(String),
    /// <https://dom.spec.whatwg.org/#interface-processinginstruction>
    ProcessingInstruction {
        /// Its target.
        target: String,
        /// Its data.
        data: String,
    },
}

/// <https://dom.spec.whatwg.org/#concept-attribute>
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: QualName,
    /// Its value.
    pub value: String,
}

/// What an element has besides its place in the tree.
#[derive(Clone, Debug)]
pub struct ElementData {
    /// Its name.
    pub name: QualName,
    /// Its attributes, in the order in which they were added.
    pub attributes: Vec<Attribute>,
    /// <https://html.spec.whatwg.org/multipage/#template-contents>
    pub template_contents: Option<NodeId>,
    /// The state of a `script` element.
    pub(super) script: ScriptState,
    /// The state of a form control.
    pub control: ControlState,
    /// Whether html5ever found it to be an integration point.
    pub(super) mathml_annotation_xml_integration_point: bool,
}

impl ElementData {
    /// An element without attributes.
    pub fn new(name: QualName) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            template_contents: None,
            script: ScriptState::default(),
            control: ControlState::default(),
            mathml_annotation_xml_integration_point: false,
        }
    }

    /// Whether it is an HTML element with this local name.
    pub fn is_html(&self, local: &str) -> bool {
        self.name.ns == ns!(html) && &*self.name.local == local
    }

    /// The value of the attribute of no namespace with this local name.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name.ns == ns!() && &*attribute.name.local == local)
            .map(|attribute| attribute.value.as_str())
    }

    /// Whether there is an attribute of no namespace with this local name.
    pub fn has_attribute(&self, local: &str) -> bool {
        self.attribute(local).is_some()
    }

    /// Whether a checkbox or radio button is checked, or an option selected.
    ///
    /// <https://html.spec.whatwg.org/multipage/#selector-checked>
    pub fn is_checked(&self) -> bool {
        if self.is_html("option") {
            return self
                .control
                .checked
                .unwrap_or(self.has_attribute("selected"));
        }
        let type_ = self.attribute("type").unwrap_or_default();
        self.is_html("input")
            && ["checkbox", "radio"]
                .iter()
                .any(|name| type_.eq_ignore_ascii_case(name))
            && self
                .control
                .checked
                .unwrap_or(self.has_attribute("checked"))
    }
}

/// The state of a `script` element.
///
/// <https://html.spec.whatwg.org/multipage/#script-processing-model>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ScriptState {
    /// <https://html.spec.whatwg.org/multipage/#parser-inserted>
    pub(super) parser_inserted: bool,
    /// <https://html.spec.whatwg.org/multipage/#script-force-async>
    pub(super) force_async: bool,
    /// <https://html.spec.whatwg.org/multipage/#already-started>
    pub(super) already_started: bool,
    /// The line of the document on which its text starts, counted from 1; 0 when no parser saw it.
    pub(super) line: u32,
}

impl Default for ScriptState {
    fn default() -> Self {
        Self {
            parser_inserted: false,
            force_async: true,
            already_started: false,
            line: 0,
        }
    }
}

/// What a user or script did to a form control; `None` where its attributes still decide.
///
/// <https://html.spec.whatwg.org/multipage/#concept-fe-value>
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ControlState {
    /// The value, once it is dirty.
    pub value: Option<String>,
    /// The checkedness, once it is dirty.
    pub checked: Option<bool>,
}

/// The name of the HTML element that is called `local`.
pub fn html_name(local: &str) -> QualName {
    QualName::new(None, Namespace::from(ns!(html)), LocalName::from(local))
}
