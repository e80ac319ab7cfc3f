//! Scripts that write a document anew.
//!
//! <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html>

use std::rc::Rc;

use super::open_document::OpenDocument;
use super::page::Page;
use crate::bindings::{Fallible, Realm};
use crate::dom::event_target::EventTarget;
use crate::dom::node::Node;

/// The document of a realm, if it is shown.
fn shown(page: &Page) -> Option<Rc<OpenDocument>> {
    let document = page.context.document()?;
    std::ptr::eq(&raw const *document.page, page).then_some(document)
}

/// `document.open()`: the document is empty, and gets its text from scripts until it is closed.
///
/// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#document-open-steps>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn open(realm: &Realm, page: &Page) -> Fallible<()> {
    // Step 5 and 6: not while the parser runs a script, nor while the document goes.
    if page.is_unloading() || page.parser_runs_a_script() {
        return Ok(());
    }
    let Some(document) = shown(page) else {
        return Ok(());
    };
    // Step 8: what the frame was going to show comes no more.
    if page.context.is_navigating() {
        page.context.stop_loading();
    }
    // Step 9 to 11: nothing is left of what there was.
    let node = document.node();
    let node: &Node = &node;
    let own: &EventTarget = node;
    own.forget_listeners();
    if let Some(window) = realm.global::<EventTarget>() {
        window.forget_listeners();
    }
    node.replace_all(realm, None);
    // Step 12: it has the URL of the document whose script does it.
    let source = realm.state().incumbent();
    let writer = source.and_then(|source| source.service::<Page>());
    if let Some(writer) = writer.filter(|writer| !std::ptr::eq(&raw const **writer, page)) {
        let mut url = writer.url();
        url.set_fragment(None);
        page.context.update_history(&url, None, true);
        page.set_url(url);
    }
    // Step 13 to 20.
    document.reopen(realm)
}

/// `document.write()`.
///
/// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#document-write-steps>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn write(realm: &Realm, page: &Page, text: &str) -> Fallible<()> {
    if page.write(text) {
        return Ok(());
    }
    // Step 9: without a place to write to, the document begins anew. Scripts that are fetched
    // cannot mean that.
    let is_open = shown(page).is_some_and(|document| document.is_written());
    if !is_open {
        if page.runs_a_fetched_script() {
            return Ok(());
        }
        open(realm, page)?;
    }
    match shown(page) {
        Some(document) if document.is_written() => document.write(realm, text),
        _ => Ok(()),
    }
}

/// `document.close()`.
///
/// <https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html#dom-document-close>
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn close(realm: &Realm, page: &Page) -> Fallible<()> {
    match shown(page) {
        Some(document) if document.is_written() => document.close_input(realm),
        _ => Ok(()),
    }
}

impl OpenDocument {
    /// Whether scripts write it.
    fn is_written(&self) -> bool {
        self.loader.is_written()
    }

    fn reopen(&self, realm: &Realm) -> Fallible<()> {
        self.is_initial.set(false);
        // Who waits for the page of a window has seen it.
        if !self.page.context.is_top_level() {
            self.reported.set(false);
        }
        self.loader.reopen(realm)
    }

    fn write(&self, realm: &Realm, text: &str) -> Fallible<()> {
        self.loader.write(realm, text)
    }

    fn close_input(&self, realm: &Realm) -> Fallible<()> {
        self.loader.close(realm)?;
        self.page.context.wake();
        Ok(())
    }
}
