//! What a developer types.

use base::channel::Callback;

use crate::bindings::report::describe;
use crate::bindings::{Error, Promise, Realm, Value, convert};
use crate::inspect::inspect;

/// What is answered in place of a result that a stopped script would have had.
const STOPPED: &str = "The script was stopped: it ran longer than its time limit.";

/// An answer that is given exactly once: when it is lost, with why.
struct Answer(Option<Callback<Result<String, String>>>);

impl Answer {
    fn give(mut self, result: Result<String, String>) {
        if let Some(done) = self.0.take() {
            done.call(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let reason =
                "The page went away, or the script was stopped, before there was a result.";
            done.call(Err(reason.to_owned()));
        }
    }
}

/// Evaluates a script, waits for the promise that it may result in, and answers with text.
pub(super) fn evaluate(realm: &Realm, script: &str, done: Callback<Result<String, String>>) {
    let answer = Answer(Some(done));
    let value = match realm.evaluate(script, "console") {
        Ok(value) => value,
        Err(error) => return answer.give(Err(error_text(realm, error))),
    };
    if realm.state().is_stopped() {
        return answer.give(Err(STOPPED.to_owned()));
    }
    if !value.is_promise() {
        return answer.give(Ok(text(realm, &value)));
    }
    let settled = convert::promise(realm, &value).and_then(|promise: Promise| {
        promise.on_settled(move |realm, result| {
            answer.give(match result {
                Ok(value) => Ok(text(realm, &value)),
                Err(reason) => Err(error_text(realm, Error::Thrown(reason))),
            });
        })
    });
    if let Err(error) = settled {
        log::error!(
            "a result cannot be waited for: {}",
            error_text(realm, error)
        );
    }
}

/// Strings as they are, the rest as the console shows it.
fn text(realm: &Realm, value: &Value) -> String {
    if value.is_string() {
        return value
            .to_dom_string(realm)
            .map(|text| text.to_string())
            .unwrap_or_default();
    }
    inspect(realm, value)
}

fn error_text(realm: &Realm, error: Error) -> String {
    let value = realm.exception_value(error);
    if value.is_uncatchable() {
        return STOPPED.to_owned();
    }
    describe(realm, &value).message
}
