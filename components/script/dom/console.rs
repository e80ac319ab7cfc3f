//! <https://console.spec.whatwg.org/>

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::bindings::generated::ConsoleMethods;
use crate::bindings::{ConsoleLevel, ConsoleMessage, DomString, Fallible, Object, Realm, Value};
use crate::inspect::{format, inspect};

/// The namespace has no object of ours behind it.
pub struct Console;

/// What a realm's console remembers.
#[derive(Default)]
struct State {
    counts: RefCell<BTreeMap<DomString, u64>>,
    /// Milliseconds since the realm was made.
    timers: RefCell<BTreeMap<DomString, f64>>,
    group_depth: Cell<usize>,
}

fn state(realm: &Realm) -> Rc<State> {
    realm.service::<State>().unwrap_or_else(|| {
        let state = Rc::new(State::default());
        realm.add_service(Rc::clone(&state));
        state
    })
}

fn print(realm: &Realm, level: ConsoleLevel, text: String) {
    let group_depth = state(realm).group_depth.get();
    realm.delegate().console_message(ConsoleMessage {
        level,
        text,
        group_depth,
    });
}

fn log(realm: &Realm, level: ConsoleLevel, data: &[Value]) {
    if !data.is_empty() {
        print(realm, level, format(realm, data));
    }
}

fn elapsed(realm: &Realm, label: &DomString) -> Option<String> {
    let started = *state(realm).timers.borrow().get(label)?;
    Some(format!("{label}: {:.3} ms", realm.now() - started))
}

fn stack(realm: &Realm) -> Fallible<String> {
    let error = realm.intrinsic("Error")?.construct(realm, &[])?;
    Ok(error.get(realm, "stack")?.to_dom_string(realm)?.to_string())
}

impl ConsoleMethods for Console {
    fn assert(realm: &Realm, condition: bool, data: Vec<Value>) -> Fallible<()> {
        if !condition {
            let text = if data.is_empty() {
                "Assertion failed".to_owned()
            } else {
                format!("Assertion failed: {}", format(realm, &data))
            };
            print(realm, ConsoleLevel::Error, text);
        }
        Ok(())
    }

    fn clear(realm: &Realm) -> Fallible<()> {
        state(realm).group_depth.set(0);
        Ok(())
    }

    fn debug(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Debug, &data);
        Ok(())
    }

    fn error(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Error, &data);
        Ok(())
    }

    fn info(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Info, &data);
        Ok(())
    }

    fn log(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Log, &data);
        Ok(())
    }

    fn table(
        realm: &Realm,
        tabular_data: Value,
        _properties: Option<Vec<DomString>>,
    ) -> Fallible<()> {
        log(realm, ConsoleLevel::Log, &[tabular_data]);
        Ok(())
    }

    fn trace(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        let text = format!(
            "Trace: {}\n{}",
            format(realm, &data),
            stack(realm)?.trim_end()
        );
        print(realm, ConsoleLevel::Log, text);
        Ok(())
    }

    fn warn(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Warn, &data);
        Ok(())
    }

    fn dir(realm: &Realm, item: Value, _options: Option<Option<Object>>) -> Fallible<()> {
        print(realm, ConsoleLevel::Log, inspect(realm, &item));
        Ok(())
    }

    fn dirxml(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Log, &data);
        Ok(())
    }

    fn count(realm: &Realm, label: DomString) -> Fallible<()> {
        let state = state(realm);
        let text = {
            let mut counts = state.counts.borrow_mut();
            let count = counts.entry(label.clone()).or_default();
            *count += 1;
            format!("{label}: {count}")
        };
        print(realm, ConsoleLevel::Info, text);
        Ok(())
    }

    fn count_reset(realm: &Realm, label: DomString) -> Fallible<()> {
        if state(realm).counts.borrow_mut().remove(&label).is_none() {
            print(
                realm,
                ConsoleLevel::Warn,
                format!("Count for '{label}' does not exist"),
            );
        }
        Ok(())
    }

    fn group(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        log(realm, ConsoleLevel::Log, &data);
        let state = state(realm);
        state.group_depth.set(state.group_depth.get() + 1);
        Ok(())
    }

    fn group_collapsed(realm: &Realm, data: Vec<Value>) -> Fallible<()> {
        Self::group(realm, data)
    }

    fn group_end(realm: &Realm) -> Fallible<()> {
        let state = state(realm);
        state
            .group_depth
            .set(state.group_depth.get().saturating_sub(1));
        Ok(())
    }

    fn time(realm: &Realm, label: DomString) -> Fallible<()> {
        let now = realm.now();
        let state = state(realm);
        if state.timers.borrow().contains_key(&label) {
            print(
                realm,
                ConsoleLevel::Warn,
                format!("Timer '{label}' already exists"),
            );
        } else {
            state.timers.borrow_mut().insert(label, now);
        }
        Ok(())
    }

    fn time_log(realm: &Realm, label: DomString, data: Vec<Value>) -> Fallible<()> {
        match elapsed(realm, &label) {
            Some(text) if data.is_empty() => print(realm, ConsoleLevel::Log, text),
            Some(text) => {
                print(
                    realm,
                    ConsoleLevel::Log,
                    format!("{text} {}", format(realm, &data)),
                );
            }
            None => print(
                realm,
                ConsoleLevel::Warn,
                format!("Timer '{label}' does not exist"),
            ),
        }
        Ok(())
    }

    fn time_end(realm: &Realm, label: DomString) -> Fallible<()> {
        match elapsed(realm, &label) {
            Some(text) => {
                state(realm).timers.borrow_mut().remove(&label);
                print(realm, ConsoleLevel::Info, text);
            }
            None => print(
                realm,
                ConsoleLevel::Warn,
                format!("Timer '{label}' does not exist"),
            ),
        }
        Ok(())
    }
}
