//! How documents go away, and what their scripts hear of it.

use std::rc::Rc;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use crate::services::ScriptReport;

impl BrowsingContext {
    /// The documents here and in the frames hear that they may be about to go. Nobody is there who
    /// could be asked to stay, so nothing comes of their answers.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#checking-if-unloading-is-canceled>
    pub(super) fn announce_unload(self: &Rc<Self>) {
        for context in self.with_frames() {
            if let Some(document) = context.document()
                && !document.page.is_unloading()
            {
                document.page.set_unloading(true);
                document.fire_cancelable("beforeunload");
                document.page.set_unloading(false);
            }
        }
    }

    /// The document goes away, with its frames. Its scripts hear of it if they may still run.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#unload-a-document-and-its-descendants>
    pub(super) fn unload(&self, agent: &Agent, tell: bool) {
        let Some(document) = self.document() else {
            return;
        };
        // A script that hears of it may take away what is going anyway: it goes when all have heard.
        if document.page.is_going.replace(true) {
            return;
        }
        document.page.set_unloading(true);
        for frame in document.page.take_frames() {
            frame.discard(agent, tell);
        }
        if tell {
            document.fire_page_transition("pagehide");
            document.hide();
            document.fire("unload");
        }
        self.refuse_evaluations("The page went away before it had loaded.");
        self.take_document();
        document.destroy(agent);
        agent.document_has_gone();
        if self.is_top_level() && !document.is_initial() {
            agent.services.report.call(ScriptReport::PageClosed {
                url: document.creation_url(),
            });
        }
        if self.is_ending() {
            self.end(agent);
        }
    }

    /// It is going to be there no more.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#bcg-remove>
    pub(super) fn discard(&self, agent: &Agent, tell: bool) {
        if !self.begin_to_end() {
            return;
        }
        self.stop();
        self.unload(agent, tell);
        if self.document().is_none() {
            self.end(agent);
        }
    }
}
