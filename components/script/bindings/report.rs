//! Exceptions and rejections that no script handled.

use std::fmt;

use super::error::Error;
use super::realm::Realm;
use super::value::Value;
use crate::dom::{error_event, promise_rejection_event};

/// An uncaught exception or an unhandled rejection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExceptionReport {
    /// What a person reads: `TypeError: x is not a function`.
    pub message: String,
    /// The script's URL.
    pub source_url: String,
    /// Counted from 1; 0 if not known.
    pub line: u32,
    /// Counted from 1; 0 if not known.
    pub column: u32,
    /// The engine's stack, one frame on a line.
    pub stack: String,
    /// Whether it is the reason of a promise's rejection.
    pub is_rejection: bool,
}

/// How important a console message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConsoleLevel {
    /// `console.debug`.
    Debug,
    /// `console.log` and most others.
    Log,
    /// `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, a failed `console.assert`.
    Error,
}

impl fmt::Display for ConsoleLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Debug => "debug",
            Self::Log => "log",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// What a script told its console.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsoleMessage {
    /// How important it is.
    pub level: ConsoleLevel,
    /// The arguments, formatted.
    pub text: String,
    /// How many groups it is in.
    pub group_depth: usize,
}

/// Who hears of what scripts say and do wrong.
pub trait RealmDelegate {
    /// A script used its console.
    fn console_message(&self, message: ConsoleMessage);
    /// No script handled an exception or a rejection.
    fn uncaught_exception(&self, report: ExceptionReport);
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#report-an-exception>
pub fn report_exception(realm: &Realm, error: Error) {
    let value = realm.exception_value(error);
    let report = describe(realm, &value);
    // A script that was stopped is not told that it was.
    let handled = !value.is_uncatchable() && error_event::fire(realm, &report, &value);
    if !handled {
        realm.delegate().uncaught_exception(report);
    }
}

/// One promise of those that nothing handled.
pub(super) fn report_rejection(realm: &Realm, promise: &Value, reason: Value) {
    let handled = promise_rejection_event::fire_unhandled(realm, promise, &reason);
    if !handled {
        let report = ExceptionReport {
            is_rejection: true,
            ..describe(realm, &reason)
        };
        realm.delegate().uncaught_exception(report);
    }
}

/// Message and place of an exception.
pub fn describe(realm: &Realm, value: &Value) -> ExceptionReport {
    let text = |value: &Value| {
        value
            .to_dom_string(realm)
            .map(|text| text.to_string())
            .unwrap_or_default()
    };
    let stack = if value.is_object() {
        value
            .get(realm, "stack")
            .ok()
            .filter(Value::is_string)
            .map(|stack| text(&stack))
    } else {
        None
    }
    .unwrap_or_default();
    let (source_url, line, column) = first_place(&stack);
    let message = text(value);
    ExceptionReport {
        message,
        source_url,
        line,
        column,
        stack,
        is_rejection: false,
    }
}

/// The place of the first frame that has one: `    at name (url:line:column)`.
fn first_place(stack: &str) -> (String, u32, u32) {
    stack.lines().find_map(place_in_frame).unwrap_or_default()
}

fn place_in_frame(frame: &str) -> Option<(String, u32, u32)> {
    let frame = frame.trim().strip_prefix("at ")?;
    let place = frame.rfind(" (").map_or(frame, |start| &frame[start + 2..]);
    let place = place.trim_end_matches(')');
    let (rest, column) = place.rsplit_once(':')?;
    let (url, line) = rest.rsplit_once(':')?;
    let url = crate::modules::url_of_script(url);
    Some((url.to_owned(), line.parse().ok()?, column.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::first_place;

    #[test]
    fn the_place_is_that_of_the_first_frame_in_a_script() {
        let stack = "    at call (native)\n    at run (https://a.test:80/x.js:3:14)\n";
        assert_eq!(
            first_place(stack),
            ("https://a.test:80/x.js".to_owned(), 3, 14)
        );
        assert_eq!(first_place("    at x.js:1:2"), ("x.js".to_owned(), 1, 2));
        assert_eq!(first_place(""), (String::new(), 0, 0));
    }
}
