//! What a page's scripts tell their console and do wrong, on its way to the embedder.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use url::Url;

use crate::bindings::{ConsoleMessage, ExceptionReport, RealmDelegate};
use crate::services::{ScriptReport, ScriptSource, Services, exception_text};
use crate::watchdog::Watchdog;

/// Reports what happens in one document.
pub(super) struct PageDelegate {
    services: Services,
    url: Url,
    watchdog: Rc<Watchdog>,
    /// Where the script was that has just been stopped.
    stopped_at: RefCell<String>,
    /// Whether the window ends, so that scripts are stopped without their fault.
    pub(super) ending: Cell<bool>,
}

impl PageDelegate {
    pub(super) fn new(services: Services, url: Url, watchdog: Rc<Watchdog>) -> Self {
        Self {
            services,
            url,
            watchdog,
            stopped_at: RefCell::default(),
            ending: Cell::new(false),
        }
    }

    /// A task was stopped because it ran too long.
    pub(super) fn script_was_stopped(&self) {
        let place = self.stopped_at.take();
        let mut text = self.watchdog.explanation();
        if !place.is_empty() {
            text.push('\n');
            text.push_str(&place);
        }
        self.report_error(text);
    }

    pub(super) fn report_error(&self, text: String) {
        let source = self.source();
        self.services
            .report
            .call(ScriptReport::ScriptError { source, text });
    }

    fn source(&self) -> ScriptSource {
        ScriptSource::Page {
            url: self.url.clone(),
        }
    }
}

impl RealmDelegate for PageDelegate {
    fn console_message(&self, message: ConsoleMessage) {
        let source = self.source();
        self.services
            .report
            .call(ScriptReport::Console { source, message });
    }

    fn uncaught_exception(&self, report: ExceptionReport) {
        if self.watchdog.terminator().is_terminated() {
            return;
        }
        if self.watchdog.has_expired() {
            // Told once, when the task has ended.
            self.stopped_at.replace(report.stack.trim_end().to_owned());
            return;
        }
        self.report_error(exception_text(&report));
    }
}
