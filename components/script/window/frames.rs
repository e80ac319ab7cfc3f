//! `iframe` elements and their browsing contexts.
//!
//! <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#the-iframe-element>

use std::rc::Rc;

use url::Url;

use super::browsing_context::{BrowsingContext, Container};
use super::navigation::{Initiator, Navigation, is_about_blank};
use super::open_document::OpenDocument;
use super::page::Page;
use super::sandbox::Sandbox;
use super::scripts;
use crate::bindings::report::report_exception;
use crate::bindings::{Fallible, Realm};
use crate::dom::element::Element;
use crate::dom_tree::NodeId;

/// How deep frames are nested at most. A page may contain itself under ever new URLs.
const MAX_DEPTH: usize = 32;
/// How many frames a window has at most, each with a realm of its own.
const MAX_COUNT: usize = 1000;

/// The browsing context of an `iframe` element, if it is in a document that is shown.
pub(crate) fn content(realm: &Realm, element: &Element) -> Option<Rc<BrowsingContext>> {
    realm.service::<Page>()?.frame(element.node_id())
}

/// The tree of a document has changed: frames that have come into it get their browsing contexts,
/// and those that were taken out lose theirs.
pub(crate) fn update(realm: &Realm) {
    let Some(page) = realm.service::<Page>() else {
        return;
    };
    if page.store.tree.borrow().frames().is_empty() {
        return;
    }
    let gone = {
        let tree = page.store.tree.borrow();
        page.take_frames_if(|element| !tree.is_connected(element))
    };
    discard(&page, &gone);
    if !page.is_active() || page.is_going.get() {
        return;
    }
    let new: Vec<NodeId> = {
        let tree = page.store.tree.borrow();
        let is_new = |id: &NodeId| page.frame(*id).is_none() && tree.is_connected(*id);
        let mut new: Vec<NodeId> = tree.frames().iter().copied().filter(is_new).collect();
        if new.len() > 1 {
            let in_order = tree.descendants(tree.document());
            new = in_order.filter(|id| new.contains(id)).collect();
        }
        new
    };
    for element in new {
        // A script that runs on the way may have removed it or added it.
        let is_there = page.store.tree.borrow().is_connected(element);
        if is_there
            && page.is_active()
            && page.frame(element).is_none()
            && let Err(error) = insert(&page, realm, element)
        {
            report_exception(realm, error);
        }
    }
}

/// A node is going to be moved to another place: its frames do not survive that.
pub(crate) fn leave(realm: &Realm, node: NodeId) {
    let Some(page) = realm.service::<Page>() else {
        return;
    };
    let gone = {
        let tree = page.store.tree.borrow();
        page.take_frames_if(|element| tree.is_inclusive_descendant(element, node))
    };
    discard(&page, &gone);
}

/// <https://html.spec.whatwg.org/multipage/document-sequences.html#destroy-a-child-navigable>
fn discard(page: &Page, frames: &[Rc<BrowsingContext>]) {
    for frame in frames {
        if let Some(agent) = frame.agent() {
            frame.discard(&agent, true);
        }
    }
    if !frames.is_empty() {
        // The document may have waited for them.
        page.context.wake();
    }
}

/// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#html-element-post-connection-steps>
fn insert(page: &Rc<Page>, realm: &Realm, element: NodeId) -> Fallible<()> {
    let Some(agent) = page.context.agent() else {
        return Ok(());
    };
    if !has_room(page) {
        scripts::report(page, "A page has too many frames.".to_owned());
        return Ok(());
    }
    let container = Container {
        page: Rc::downgrade(page),
        element,
    };
    // Step 2: create a new child navigable.
    let context = BrowsingContext::nested(&agent, container, about_blank());
    context.set_name(attribute(page, element, "name").unwrap_or_default());
    set_sandbox(page, &context, element);
    let initiator = Initiator::of(realm);
    let document = OpenDocument::initial(&agent, &context, initiator)?;
    context.set_document(document);
    page.add_frame(element, Rc::clone(&context));
    agent.add(&context);
    // Step 4: process the iframe attributes.
    process_attributes(page, realm, element, &context, true);
    Ok(())
}

/// Whether a document may have one more frame.
fn has_room(page: &Page) -> bool {
    let depth = std::iter::successors(page.context.parent(), |context| context.parent()).count();
    depth < MAX_DEPTH && page.context.top().with_frames().len() <= MAX_COUNT
}

/// An attribute of an `iframe` element was set or removed.
pub(crate) fn attribute_changed(realm: &Realm, element: &Element, name: &str, is_set: bool) {
    let Some(page) = realm.service::<Page>() else {
        return;
    };
    let Some(context) = page.frame(element.node_id()) else {
        return;
    };
    let has_srcdoc = element.reflected_boolean("srcdoc");
    match name.to_ascii_lowercase().as_str() {
        "name" => context.set_name(element.reflected("name").to_string()),
        "sandbox" => set_sandbox(&page, &context, element.node_id()),
        "srcdoc" => process_attributes(&page, realm, element.node_id(), &context, false),
        "src" if is_set && !has_srcdoc => {
            process_attributes(&page, realm, element.node_id(), &context, false);
        }
        _ => {}
    }
}

fn set_sandbox(page: &Page, context: &BrowsingContext, element: NodeId) {
    let own = Sandbox::of_attribute(attribute(page, element, "sandbox").as_deref());
    context.sandbox.set(own.and(page.sandbox));
}

/// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#process-the-iframe-attributes>
fn process_attributes(
    page: &Rc<Page>,
    realm: &Realm,
    element: NodeId,
    context: &Rc<BrowsingContext>,
    is_initial: bool,
) {
    let policy = attribute(page, element, "referrerpolicy");
    let initiator = Initiator::of(realm).map(|it| it.with_referrer_policy(policy.as_deref()));
    // Step 1: what the document is in itself.
    if let Some(srcdoc) = attribute(page, element, "srcdoc") {
        let url = Url::parse("about:srcdoc").expect("about:srcdoc is a URL");
        context.navigate(Navigation {
            srcdoc: Some(srcdoc),
            replaces: is_initial,
            initiator,
            ..Navigation::to(url)
        });
        return;
    }
    // Step 2: the shared attribute processing steps.
    let source = attribute(page, element, "src").filter(|source| !source.is_empty());
    let url = source
        .and_then(|source| page.environment.parse_url(&source).ok())
        .unwrap_or_else(about_blank);
    // A page that contains itself ends somewhere.
    if page.is_shown_around(&url) {
        return;
    }
    if is_about_blank(&url) && is_initial {
        // The initial document is it already.
        if let Some(document) = context.document()
            && url.as_str() != "about:blank"
        {
            document.page.set_document_url(url);
        }
        fire_load(page, realm, element);
        return;
    }
    context.navigate(Navigation {
        replaces: is_initial,
        initiator,
        ..Navigation::to(url)
    });
}

/// <https://html.spec.whatwg.org/multipage/iframe-embed-object.html#iframe-load-event-steps>
pub(super) fn fire_load(page: &Page, realm: &Realm, element: NodeId) {
    if let Err(error) = scripts::fire(page, realm, element, "load") {
        report_exception(realm, error);
    }
}

fn attribute(page: &Page, element: NodeId, name: &str) -> Option<String> {
    let tree = page.store.tree.borrow();
    let element = tree.element(element)?;
    element.attribute(name).map(ToOwned::to_owned)
}

pub(super) fn about_blank() -> Url {
    Url::parse("about:blank").expect("about:blank is a URL")
}
