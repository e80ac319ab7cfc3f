//! What a page's scripts tell their console and do wrong, on its way to the embedder.

use std::cell::RefCell;
use std::rc::Rc;

use url::Url;

use crate::bindings::{ConsoleMessage, ExceptionReport, RealmDelegate};
use crate::services::{ScriptReport, ScriptSource, Services, exception_text};
use crate::watchdog::Watchdog;

/// Reports what happens in one document.
pub(super) struct PageDelegate {
    services: Services,
    url: Url,
    stopped: Rc<StoppedScript>,
}

impl PageDelegate {
    pub(super) fn new(services: Services, url: Url, stopped: Rc<StoppedScript>) -> Self {
        // Until it is known better, what is stopped is the newest document's.
        stopped.url.replace(Some(url.clone()));
        Self {
            services,
            url,
            stopped,
        }
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
        let watchdog = &self.stopped.watchdog;
        if watchdog.terminator().is_terminated() {
            return;
        }
        if watchdog.has_expired() {
            // Told once, when the task has ended.
            let place = report.stack.trim_end().to_owned();
            self.stopped.place.replace(place);
            self.stopped.url.replace(Some(self.url.clone()));
            return;
        }
        let (source, text) = (self.source(), exception_text(&report));
        self.services
            .report
            .call(ScriptReport::ScriptError { source, text });
    }
}

/// What is known of a script that the watchdog has stopped, until its task has ended.
pub(super) struct StoppedScript {
    services: Services,
    watchdog: Rc<Watchdog>,
    place: RefCell<String>,
    url: RefCell<Option<Url>>,
}

impl StoppedScript {
    pub(super) fn new(services: &Services, watchdog: &Rc<Watchdog>) -> Self {
        Self {
            services: services.clone(),
            watchdog: Rc::clone(watchdog),
            place: RefCell::default(),
            url: RefCell::default(),
        }
    }

    /// A task was stopped because it ran too long.
    pub(super) fn report(&self) {
        let Some(url) = self.url.borrow().clone() else {
            return;
        };
        let place = self.place.take();
        let mut text = self.watchdog.explanation();
        if !place.is_empty() {
            text.push('\n');
            text.push_str(&place);
        }
        let source = ScriptSource::Page { url };
        self.services
            .report
            .call(ScriptReport::ScriptError { source, text });
    }
}
