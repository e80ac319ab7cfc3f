//! <https://html.spec.whatwg.org/multipage/webappapis.html#errorevent>

use std::cell::Cell;

use super::event::Event;
use super::event_target::EventTarget;
use crate::bindings::generated::{ErrorEventInit, ErrorEventMethods, EventInit};
use crate::bindings::{Dom, DomString, ExceptionReport, Fallible, Realm, UsvString, Value};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#errorevent>
    pub struct ErrorEvent {
        pub(crate) parent: Event,
        message: DomString,
        filename: UsvString,
        lineno: u32,
        colno: u32,
        error: Value,
    }
}

impl ErrorEventMethods for ErrorEvent {
    fn constructor(realm: &Realm, type_: DomString, init: ErrorEventInit) -> Fallible<Dom<Self>> {
        let parent = Event::new_inherited(realm, type_, &init.parent);
        let error = init.error.unwrap_or_else(Value::undefined);
        let ErrorEventInit {
            message,
            filename,
            lineno,
            colno,
            ..
        } = init;
        Dom::new(
            realm,
            Self {
                parent,
                message,
                filename,
                lineno,
                colno,
                error,
            },
        )
    }

    fn message(&self, _: &Realm) -> DomString {
        self.message.clone()
    }

    fn filename(&self, _: &Realm) -> UsvString {
        self.filename.clone()
    }

    fn lineno(&self, _: &Realm) -> u32 {
        self.lineno
    }

    fn colno(&self, _: &Realm) -> u32 {
        self.colno
    }

    fn error(&self, _: &Realm) -> Value {
        self.error.clone()
    }
}

thread_local! {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#in-error-reporting-mode>
    static IN_ERROR_REPORTING_MODE: Cell<bool> = const { Cell::new(false) };
}

/// Fires `error` at the global object. Returns whether a listener handled it.
pub(crate) fn fire(realm: &Realm, report: &ExceptionReport, error: &Value) -> bool {
    let Some(target) = realm.global::<EventTarget>() else {
        return false;
    };
    if IN_ERROR_REPORTING_MODE.replace(true) {
        return false;
    }
    let init = ErrorEventInit {
        parent: EventInit {
            cancelable: true,
            ..EventInit::default()
        },
        message: report.message.as_str().into(),
        filename: report.source_url.as_str().into(),
        lineno: report.line,
        colno: report.column,
        error: Some(error.clone()),
    };
    let event = ErrorEvent::constructor(realm, "error".into(), init);
    let handled = event.is_ok_and(|event| !target.dispatch_trusted(realm, &event));
    IN_ERROR_REPORTING_MODE.set(false);
    handled
}
