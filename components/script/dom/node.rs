//! <https://dom.spec.whatwg.org/#interface-node>

use std::cell::{Ref, RefMut};
use std::rc::Rc;

use super::document::Document;
use super::element::Element;
use super::event::Event;
use super::event_target::EventTarget;
use super::node_list::NodeList;
use super::node_store::{Neighbour, NodeStore};
use crate::bindings::generated::{NodeMethods, NodeOrDomString};
use crate::bindings::weak::WeakEntry;
use crate::bindings::{Dom, DomObject, DomString, Fallible, NoTrace, Realm, UsvString};
use crate::dom_tree::{NodeData, NodeId, Tree, TreePosition};
use crate::window::{changes, frames};

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-node>
    pub struct Node {
        pub(crate) parent: EventTarget,
        store: NoTrace<Rc<NodeStore>>,
        id: NoTrace<NodeId>,
        entry: NoTrace<WeakEntry<NodeId, Node>>,
        ring_next: Neighbour,
        ring_previous: Neighbour,
    }
}

impl Node {
    /// The part of a node's object that this interface is.
    pub(crate) fn new_inherited(store: &Rc<NodeStore>, id: NodeId) -> Self {
        let parent = EventTarget::new_inherited();
        parent.set_get_the_parent(get_the_parent);
        Self {
            parent,
            store: NoTrace(Rc::clone(store)),
            id: NoTrace(id),
            entry: NoTrace(store.entry(id)),
            ring_next: Neighbour::default(),
            ring_previous: Neighbour::default(),
        }
    }

    pub(super) fn entry(&self) -> &WeakEntry<NodeId, Self> {
        &self.entry.0
    }

    pub(super) fn ring_next(&self) -> &Neighbour {
        &self.ring_next
    }

    pub(super) fn ring_previous(&self) -> &Neighbour {
        &self.ring_previous
    }

    /// The node.
    pub(crate) fn node_id(&self) -> NodeId {
        *self.id
    }

    /// What the nodes of the window share.
    pub(crate) fn store(&self) -> &Rc<NodeStore> {
        &self.store
    }

    /// Whether another node is of the same document.
    pub(crate) fn is_at_home_with(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.store, &other.store)
    }

    /// The id of another node, which has to be of the same document.
    ///
    /// # Errors
    ///
    /// `NotSupportedError` if it is not: nodes do not move from document to document.
    pub(crate) fn id_of(&self, other: &Self) -> Fallible<NodeId> {
        if self.is_at_home_with(other) {
            return Ok(other.node_id());
        }
        Err(crate::bindings::Error::dom(
            base::exception::DomExceptionName::NotSupportedError,
            "The node is of another document. document.importNode() makes a copy for this one.",
        ))
    }

    /// The tree, to read.
    pub(crate) fn tree(&self) -> Ref<'_, Tree> {
        self.store.tree.borrow()
    }

    /// The tree, to write.
    pub(crate) fn tree_mut(&self) -> RefMut<'_, Tree> {
        self.store.tree.borrow_mut()
    }

    /// The object of another node, which implements `T` by what that node is.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn wrap<T: DomObject>(
        &self,
        realm: &Realm,
        id: Option<NodeId>,
    ) -> Fallible<Option<Dom<T>>> {
        let Some(id) = id else { return Ok(None) };
        Ok(self.store.wrap(realm, id)?.downcast())
    }

    /// What its attributes ask for, once it has an object.
    pub(super) fn set_up(&self, realm: &Realm) {
        if let Some(element) = Dom::from_ref(self).downcast::<Element>() {
            element.set_up_event_handlers(realm);
        }
    }

    /// Insert a node, or the children of a fragment, and run what follows from it.
    ///
    /// # Errors
    ///
    /// Those of [`Tree::insert_before`].
    pub(crate) fn insert(
        &self,
        realm: &Realm,
        node: NodeId,
        before: Option<NodeId>,
    ) -> Fallible<()> {
        let moved = self.nodes_to_move(node);
        self.tree()
            .check_pre_insertion(self.node_id(), node, before)?;
        frames::leave(realm, node);
        self.tree_mut()
            .insert_before(self.node_id(), node, before)?;
        self.after_insertion(realm, &moved);
        Ok(())
    }

    /// Replace a child.
    ///
    /// # Errors
    ///
    /// Those of [`Tree::replace`].
    pub(crate) fn replace(&self, realm: &Realm, node: NodeId, child: NodeId) -> Fallible<()> {
        let moved = self.nodes_to_move(node);
        self.tree_mut().replace(self.node_id(), node, child)?;
        self.store.moved(child);
        self.after_insertion(realm, &moved);
        changes::tree_changed(realm);
        Ok(())
    }

    /// Take the node out of its parent.
    pub(crate) fn detach(&self, realm: &Realm) {
        self.tree_mut().remove(self.node_id());
        self.store.moved(self.node_id());
        changes::tree_changed(realm);
    }

    /// Replace all children.
    ///
    /// <https://dom.spec.whatwg.org/#concept-node-replace-all>
    pub(crate) fn replace_all(&self, realm: &Realm, node: Option<NodeId>) {
        let removed: Vec<NodeId> = self.tree().children(self.node_id()).collect();
        let moved = node
            .map(|node| self.nodes_to_move(node))
            .unwrap_or_default();
        self.tree_mut().replace_all(self.node_id(), node);
        for child in removed {
            self.store.moved(child);
        }
        self.after_insertion(realm, &moved);
        changes::tree_changed(realm);
    }

    fn nodes_to_move(&self, node: NodeId) -> Vec<NodeId> {
        let tree = self.tree();
        match tree.node(node).data {
            NodeData::DocumentFragment => tree.children(node).collect(),
            _ => vec![node],
        }
    }

    /// The insertion steps of what has been inserted: objects join their tree, scripts run.
    fn after_insertion(&self, realm: &Realm, inserted: &[NodeId]) {
        for node in inserted {
            self.store.moved(*node);
        }
        let scripts: Vec<NodeId> = {
            let tree = self.tree();
            if !tree.is_connected(self.node_id()) {
                return;
            }
            let is_script = |id: &NodeId| {
                tree.element(*id)
                    .is_some_and(|element| element.is_html("script"))
            };
            // A script that has got its text is looked at again.
            let own = std::iter::once(self.node_id());
            let inner = inserted
                .iter()
                .flat_map(|node| tree.inclusive_descendants(*node));
            own.chain(inner).filter(is_script).collect()
        };
        changes::tree_changed(realm);
        for script in scripts {
            crate::window::scripts::prepare_inserted(realm, &self.store, script);
        }
    }

    /// One node for what `append()` and the like take: a text node for a string, a fragment for
    /// several.
    ///
    /// <https://dom.spec.whatwg.org/#converting-nodes-into-a-node>
    pub(crate) fn node_from(&self, realm: &Realm, nodes: Vec<NodeOrDomString>) -> Fallible<NodeId> {
        let mut ids: Vec<NodeId> = nodes
            .into_iter()
            .map(|node| match node {
                NodeOrDomString::Node(node) => self.id_of(&node),
                NodeOrDomString::DomString(text) => {
                    Ok(self.tree_mut().create_text(text.to_string()))
                }
            })
            .collect::<Fallible<_>>()?;
        if ids.len() == 1 {
            return Ok(ids.remove(0));
        }
        let fragment = self.tree_mut().create(NodeData::DocumentFragment);
        let fragment = self.store.wrap(realm, fragment)?;
        for id in ids {
            fragment.insert(realm, id, None)?;
        }
        Ok(fragment.node_id())
    }
}

/// Events go to the parent's object, and from the document to the window.
///
/// <https://dom.spec.whatwg.org/#get-the-parent>
fn get_the_parent(target: &EventTarget, event: &Event) -> Option<Dom<EventTarget>> {
    let node = Dom::from_ref(target).downcast::<Node>()?;
    let parent = {
        let tree = node.tree();
        tree.inclusive_ancestors(node.node_id())
            .skip(1)
            .find_map(|id| node.store.existing(id))
    };
    if let Some(parent) = parent {
        return parent.upcast();
    }
    let document = node.downcast::<Document>()?;
    (event.event_type() != "load").then(|| document.window())
}

impl NodeMethods for Node {
    fn node_type(&self, _: &Realm) -> u16 {
        match self.tree().node(self.node_id()).data {
            NodeData::Element(_) => 1,
            NodeData::Text(_) => 3,
            NodeData::ProcessingInstruction { .. } => 7,
            NodeData::Comment(_) => 8,
            NodeData::Document => 9,
            NodeData::DocumentType { .. } => 10,
            NodeData::DocumentFragment => 11,
        }
    }

    fn node_name(&self, _: &Realm) -> DomString {
        match &self.tree().node(self.node_id()).data {
            NodeData::Element(element) => element.tag_name().into(),
            NodeData::Text(_) => "#text".into(),
            NodeData::ProcessingInstruction { target, .. } => target.as_str().into(),
            NodeData::Comment(_) => "#comment".into(),
            NodeData::Document => "#document".into(),
            NodeData::DocumentType { name, .. } => name.as_str().into(),
            NodeData::DocumentFragment => "#document-fragment".into(),
        }
    }

    fn base_uri(&self, realm: &Realm) -> Fallible<UsvString> {
        let environment = crate::environment::Environment::of(realm)?;
        Ok(environment.base_url().to_string().into())
    }

    fn is_connected(&self, _: &Realm) -> bool {
        self.tree().is_connected(self.node_id())
    }

    fn owner_document(&self, realm: &Realm) -> Fallible<Option<Dom<Document>>> {
        let document = self.tree().document();
        self.wrap(
            realm,
            Some(document).filter(|document| *document != self.node_id()),
        )
    }

    fn get_root_node(&self, realm: &Realm) -> Fallible<Dom<Self>> {
        let root = self.tree().root(self.node_id());
        self.store.wrap(realm, root)
    }

    fn parent_node(&self, realm: &Realm) -> Fallible<Option<Dom<Self>>> {
        let parent = self.tree().node(self.node_id()).parent();
        self.wrap(realm, parent)
    }

    fn parent_element(&self, realm: &Realm) -> Fallible<Option<Dom<Element>>> {
        let parent = self.tree().node(self.node_id()).parent();
        self.wrap(realm, parent)
    }

    fn has_child_nodes(&self, _: &Realm) -> Fallible<bool> {
        Ok(self.tree().node(self.node_id()).first_child().is_some())
    }

    fn child_nodes(&self, realm: &Realm) -> Fallible<Dom<NodeList>> {
        NodeList::children(realm, self)
    }

    fn first_child(&self, realm: &Realm) -> Fallible<Option<Dom<Self>>> {
        let child = self.tree().node(self.node_id()).first_child();
        self.wrap(realm, child)
    }

    fn last_child(&self, realm: &Realm) -> Fallible<Option<Dom<Self>>> {
        let child = self.tree().node(self.node_id()).last_child();
        self.wrap(realm, child)
    }

    fn previous_sibling(&self, realm: &Realm) -> Fallible<Option<Dom<Self>>> {
        let sibling = self.tree().node(self.node_id()).previous_sibling();
        self.wrap(realm, sibling)
    }

    fn next_sibling(&self, realm: &Realm) -> Fallible<Option<Dom<Self>>> {
        let sibling = self.tree().node(self.node_id()).next_sibling();
        self.wrap(realm, sibling)
    }

    fn node_value(&self, _: &Realm) -> Option<DomString> {
        self.tree()
            .node(self.node_id())
            .character_data()
            .map(DomString::from)
    }

    fn set_node_value(&self, _: &Realm, value: Option<DomString>) -> Fallible<()> {
        let value = value.unwrap_or_default().to_string();
        self.tree_mut().set_character_data(self.node_id(), value);
        Ok(())
    }

    fn text_content(&self, _: &Realm) -> Option<DomString> {
        self.tree()
            .text_content(self.node_id())
            .map(DomString::from)
    }

    fn set_text_content(&self, realm: &Realm, value: Option<DomString>) -> Fallible<()> {
        let value = value.unwrap_or_default().to_string();
        let has_children = matches!(
            self.tree().node(self.node_id()).data,
            NodeData::Element(_) | NodeData::DocumentFragment
        );
        if !has_children {
            self.tree_mut().set_text_content(self.node_id(), &value);
            return Ok(());
        }
        let text = (!value.is_empty()).then(|| self.tree_mut().create_text(value));
        self.replace_all(realm, text);
        Ok(())
    }

    fn normalize(&self, _: &Realm) -> Fallible<()> {
        let texts: Vec<NodeId> = {
            let tree = self.tree();
            let is_text = |id: &NodeId| tree.node(*id).as_text().is_some();
            tree.descendants(self.node_id()).filter(is_text).collect()
        };
        self.tree_mut().normalize(self.node_id());
        for text in texts {
            if self.tree().node(text).parent().is_none() {
                self.store.moved(text);
            }
        }
        Ok(())
    }

    fn clone_node(&self, realm: &Realm, subtree: bool) -> Fallible<Dom<Self>> {
        if matches!(self.tree().node(self.node_id()).data, NodeData::Document) {
            return Err(crate::bindings::Error::dom(
                base::exception::DomExceptionName::NotSupportedError,
                "A document cannot be cloned.",
            ));
        }
        let copy = self.tree_mut().clone_node(self.node_id(), subtree);
        self.store.wrap(realm, copy)
    }

    fn is_same_node(&self, _: &Realm, other_node: Option<Dom<Self>>) -> Fallible<bool> {
        Ok(other_node
            .is_some_and(|other| self.is_at_home_with(&other) && other.node_id() == self.node_id()))
    }

    fn compare_document_position(&self, _: &Realm, other: Dom<Self>) -> Fallible<u16> {
        if !self.is_at_home_with(&other) {
            // By an order of our own: that of the documents in memory.
            let precedes = Rc::as_ptr(&other.store) < Rc::as_ptr(&self.store);
            return Ok(0x01 | 0x20 | if precedes { 0x02 } else { 0x04 });
        }
        Ok(
            match self.tree().position(self.node_id(), other.node_id()) {
                TreePosition::Same => 0,
                // Disconnected, by an order of our own: that of creation.
                TreePosition::Disconnected if other.node_id() < self.node_id() => {
                    0x01 | 0x20 | 0x02
                }
                TreePosition::Disconnected => 0x01 | 0x20 | 0x04,
                TreePosition::Preceding => 0x02,
                TreePosition::Following => 0x04,
                TreePosition::Contains => 0x08 | 0x02,
                TreePosition::ContainedBy => 0x10 | 0x04,
            },
        )
    }

    fn contains(&self, _: &Realm, other: Option<Dom<Self>>) -> Fallible<bool> {
        let tree = self.tree();
        Ok(other.is_some_and(|other| {
            self.is_at_home_with(&other)
                && tree.is_inclusive_descendant(other.node_id(), self.node_id())
        }))
    }

    fn insert_before(
        &self,
        realm: &Realm,
        node: Dom<Self>,
        child: Option<Dom<Self>>,
    ) -> Fallible<Dom<Self>> {
        let child = child.map(|child| self.id_of(&child)).transpose()?;
        self.insert(realm, self.id_of(&node)?, child)?;
        Ok(node)
    }

    fn append_child(&self, realm: &Realm, node: Dom<Self>) -> Fallible<Dom<Self>> {
        self.insert(realm, self.id_of(&node)?, None)?;
        Ok(node)
    }

    fn replace_child(
        &self,
        realm: &Realm,
        node: Dom<Self>,
        child: Dom<Self>,
    ) -> Fallible<Dom<Self>> {
        self.replace(realm, self.id_of(&node)?, self.id_of(&child)?)?;
        Ok(child)
    }

    fn remove_child(&self, realm: &Realm, child: Dom<Self>) -> Fallible<Dom<Self>> {
        let id = self.id_of(&child)?;
        self.tree_mut().remove_child(self.node_id(), id)?;
        self.store.moved(child.node_id());
        changes::tree_changed(realm);
        Ok(child)
    }
}
