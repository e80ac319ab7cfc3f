//! Which browsing contexts a document may find by name, send elsewhere and close.

use std::rc::Rc;

use super::browsing_context::BrowsingContext;
use super::page::Page;
use super::sandbox::Restriction;
use crate::bindings::Realm;

impl BrowsingContext {
    /// Whether scripts of its document may know of the other one at all.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#familiar-with>
    pub(super) fn is_familiar_with(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        if !self.is_in_group_of(other) {
            return false;
        }
        // Step 1: of the same origin.
        if self.is_same_origin(other) {
            return true;
        }
        // Step 2: the window around it.
        if Rc::ptr_eq(&self.top(), other) {
            return true;
        }
        // Step 3: opened by one that it knows.
        if other.is_top_level() {
            return other
                .opener()
                .is_some_and(|opener| self.is_familiar_with(&opener));
        }
        // Step 4: in a document of the same origin.
        let around = std::iter::successors(other.parent(), |context| context.parent());
        around
            .into_iter()
            .any(|around| self.is_same_origin(&around))
    }

    fn is_same_origin(&self, other: &Self) -> bool {
        match (self.document(), other.document()) {
            (Some(own), Some(other)) => own.origin().is_same(other.origin()),
            _ => false,
        }
    }

    fn is_inclusive_ancestor_of(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        std::iter::successors(Some(Rc::clone(other)), |context| context.parent())
            .any(|context| Rc::ptr_eq(&context, self))
    }

    /// `window.close()`, by a script of this realm.
    ///
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-window-close>
    pub(crate) fn close_by_script(self: &Rc<Self>, source: &Realm) {
        // Step 5: a window that the user has been using is not for scripts to close.
        let is_closable = self.is_auxiliary() || self.history_length() <= 1;
        let Some(page) = source.service::<Page>() else {
            return;
        };
        if is_closable && page.context.is_familiar_with(self) && page.may_navigate(self) {
            self.close();
        }
    }
}

impl Page {
    /// Whether the sandbox that this document is in lets it send the browsing context elsewhere.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#allowed-to-navigate>
    pub(crate) fn may_navigate(&self, target: &Rc<BrowsingContext>) -> bool {
        // Steps 1 and 2: itself, and what is in it.
        if self.context.is_inclusive_ancestor_of(target) {
            return true;
        }
        // Step 3: what is around it.
        if target.is_inclusive_ancestor_of(&self.context) {
            return !target.is_top_level() || !self.sandbox.forbids(Restriction::TopNavigation);
        }
        // Step 4: a window that it has opened.
        if target.is_top_level() && target.is_opened_by(&self.context) {
            return true;
        }
        // Step 5: any other.
        !self.sandbox.forbids(Restriction::Navigation)
    }
}
