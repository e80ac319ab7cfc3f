//! How the console shows values.
//!
//! <https://console.spec.whatwg.org/#formatter>

use std::collections::BTreeSet;

use crate::bindings::report::describe;
use crate::bindings::value::PromiseState;
use crate::bindings::{AnyDom, Realm, Value};

/// How deep objects are shown within objects.
const MAX_DEPTH: usize = 3;
/// How many items of one object are shown.
const MAX_ITEMS: usize = 100;

/// Formats the arguments of a console call: `%s` and its like in the first, then the rest.
pub(crate) fn format(realm: &Realm, data: &[Value]) -> String {
    let mut rest = data.iter();
    let mut parts = Vec::new();
    if let Some(first) = data
        .first()
        .filter(|first| first.is_string() && data.len() > 1)
    {
        rest.next();
        parts.push(substitute(realm, &text(realm, first), &mut rest));
    }
    for value in rest {
        parts.push(if value.is_string() {
            text(realm, value)
        } else {
            inspect(realm, value)
        });
    }
    parts.join(" ")
}

fn substitute<'a>(
    realm: &Realm,
    template: &str,
    values: &mut impl Iterator<Item = &'a Value>,
) -> String {
    let mut result = String::new();
    let mut characters = template.chars().peekable();
    while let Some(character) = characters.next() {
        let specifier = characters.peek().copied();
        if character != '%' || !specifier.is_some_and(|next| "sdifoOc%".contains(next)) {
            result.push(character);
            continue;
        }
        characters.next();
        if specifier == Some('%') {
            result.push('%');
            continue;
        }
        let specifier = specifier.unwrap_or_default();
        let Some(value) = values.next() else {
            result.push('%');
            result.push(specifier);
            continue;
        };
        match specifier {
            's' => result.push_str(&text(realm, value)),
            'd' | 'i' => {
                let number = value.to_number(realm).unwrap_or(f64::NAN);
                result.push_str(&inspect(realm, &Value::number(number.trunc())));
            }
            'f' => {
                let number = value.to_number(realm).unwrap_or(f64::NAN);
                result.push_str(&inspect(realm, &Value::number(number)));
            }
            'c' => {}
            _ => result.push_str(&inspect(realm, value)),
        }
    }
    result
}

/// A value as a developer wants to read it. Runs getters of no script but `toString`, `name` and
/// `stack` of errors.
pub(crate) fn inspect(realm: &Realm, value: &Value) -> String {
    Inspector {
        realm,
        on_path: BTreeSet::new(),
    }
    .value(value, 0)
}

fn text(realm: &Realm, value: &Value) -> String {
    if value.is_symbol() {
        let description = value
            .get(realm, "description")
            .map(|text| self::text(realm, &text));
        return format!("Symbol({})", description.unwrap_or_default());
    }
    value
        .to_dom_string(realm)
        .map(|text| text.to_string())
        .unwrap_or_default()
}

struct Inspector<'a> {
    realm: &'a Realm,
    /// The objects being shown, to find cycles.
    on_path: BTreeSet<usize>,
}

impl Inspector<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> String {
        let realm = self.realm;
        if value.is_string() {
            return format!(
                "'{}'",
                text(realm, value)
                    .replace('\\', "\\\\")
                    .replace('\'', "\\'")
            );
        }
        if value.is_big_int() {
            return format!("{}n", text(realm, value));
        }
        let Some(address) = value.address() else {
            // Negative zero has no sign in its string.
            let is_negative_zero = value.is_number()
                && value
                    .to_number(realm)
                    .is_ok_and(|number| number == 0.0 && number.is_sign_negative());
            return if is_negative_zero {
                "-0".to_owned()
            } else {
                text(realm, value)
            };
        };
        if !self.on_path.insert(address) {
            return "[Circular]".to_owned();
        }
        let result = self.object(value, depth);
        self.on_path.remove(&address);
        result
    }

    fn object(&mut self, value: &Value, depth: usize) -> String {
        let realm = self.realm;
        if value.is_proxy() {
            return "Proxy".to_owned();
        }
        if value.is_callable(realm) {
            let name = value
                .get(realm, "name")
                .map(|name| text(realm, &name))
                .unwrap_or_default();
            return if name.is_empty() {
                "[Function (anonymous)]".to_owned()
            } else {
                format!("[Function: {name}]")
            };
        }
        let name = self.class_name(value);
        if value.is_error() || name == "DOMException" {
            let report = describe(realm, value);
            return format!("{}\n{}", report.message, report.stack.trim_end())
                .trim_end()
                .to_owned();
        }
        if value.is_date() || value.is_reg_exp() {
            return text(realm, value);
        }
        if depth >= MAX_DEPTH {
            return if value.is_array() {
                "[Array]".to_owned()
            } else {
                format!("[{name}]")
            };
        }
        if value.is_array() {
            return self.array(value, depth);
        }
        if value.is_map() || value.is_set() {
            return self.collection(value, &name, depth);
        }
        if let Some(state) = value.promise_state(realm) {
            let state = match state {
                PromiseState::Pending => "<pending>".to_owned(),
                PromiseState::Fulfilled(value) => self.value(&value, depth + 1),
                PromiseState::Rejected(reason) => {
                    format!("<rejected> {}", self.value(&reason, depth + 1))
                }
            };
            return format!("Promise {{ {state} }}");
        }
        if value.is_buffer_source() {
            let length = value
                .bytes(realm)
                .map(|bytes| bytes.len())
                .unwrap_or_default();
            return format!("{name} {{ byteLength: {length} }}");
        }
        self.plain(value, &name, depth)
    }

    fn class_name(&self, value: &Value) -> String {
        if let Some(object) = AnyDom::of(value) {
            return crate::bindings::interface::INTERFACES[object.interface().0]
                .name
                .to_owned();
        }
        let constructor = value
            .prototype(self.realm)
            .ok()
            .filter(Value::is_object)
            .and_then(|prototype| {
                let constructor = prototype.get(self.realm, "constructor").ok()?;
                constructor
                    .is_object()
                    .then(|| constructor.get(self.realm, "name").ok())?
            });
        match constructor {
            Some(name) if name.is_string() => text(self.realm, &name),
            _ => "[Object: null prototype]".to_owned(),
        }
    }

    fn array(&mut self, value: &Value, depth: usize) -> String {
        let length = value
            .get(self.realm, "length")
            .and_then(|value| value.to_number(self.realm));
        let length = length.unwrap_or(0.0);
        let mut items = Vec::new();
        for index in (0_u32..)
            .take(MAX_ITEMS)
            .take_while(|index| f64::from(*index) < length)
        {
            let item = value
                .get(self.realm, index)
                .unwrap_or_else(|_| Value::undefined());
            items.push(self.value(&item, depth + 1));
        }
        let shown = f64::from(u32::try_from(items.len()).unwrap_or(u32::MAX));
        if length > shown {
            items.push(format!("... {} more items", length - shown));
        }
        if items.is_empty() {
            "[]".to_owned()
        } else {
            format!("[ {} ]", items.join(", "))
        }
    }

    fn collection(&mut self, value: &Value, name: &str, depth: usize) -> String {
        let entries =
            crate::bindings::convert::sequence(self.realm, value, |_, entry| Ok(entry.clone()))
                .unwrap_or_default();
        let size = entries.len();
        let items: Vec<String> = entries
            .iter()
            .take(MAX_ITEMS)
            .map(|entry| {
                if value.is_set() {
                    return self.value(entry, depth + 1);
                }
                let half = |index: u32| {
                    entry
                        .get(self.realm, index)
                        .unwrap_or_else(|_| Value::undefined())
                };
                let (key, value) = (half(0), half(1));
                format!(
                    "{} => {}",
                    self.value(&key, depth + 1),
                    self.value(&value, depth + 1)
                )
            })
            .collect();
        format!("{name}({size}) {{ {} }}", items.join(", ")).replace("{  }", "{}")
    }

    fn plain(&mut self, value: &Value, name: &str, depth: usize) -> String {
        let keys = value.own_keys(self.realm, true).unwrap_or_default();
        let mut items = Vec::new();
        for key in keys.iter().take(MAX_ITEMS) {
            items.push(format!(
                "{}: {}",
                self.key(key),
                self.property(value, key, depth)
            ));
        }
        if keys.len() > MAX_ITEMS {
            items.push(format!("... {} more", keys.len() - MAX_ITEMS));
        }
        let body = if items.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", items.join(", "))
        };
        if name == "Object" {
            body
        } else {
            format!("{name} {body}")
        }
    }

    fn key(&self, key: &Value) -> String {
        let key = text(self.realm, key);
        let is_plain = !key.is_empty()
            && key
                .chars()
                .all(|character| character.is_alphanumeric() || "_$".contains(character));
        if is_plain { key } else { format!("'{key}'") }
    }

    /// A property's value; a getter is shown, not run.
    fn property(&mut self, value: &Value, key: &Value, depth: usize) -> String {
        let descriptor = self
            .realm
            .intrinsic("Object")
            .and_then(|object| object.get(self.realm, "getOwnPropertyDescriptor"))
            .and_then(|describe| {
                describe.call(
                    self.realm,
                    &Value::undefined(),
                    &[value.clone(), key.clone()],
                )
            });
        let Ok(descriptor) = descriptor else {
            return "<unavailable>".to_owned();
        };
        let is_accessor = descriptor.is_object()
            && descriptor
                .get(self.realm, "get")
                .is_ok_and(|getter| getter.is_object());
        if is_accessor {
            return "[Getter]".to_owned();
        }
        match descriptor.get(self.realm, "value") {
            Ok(value) => self.value(&value, depth + 1),
            Err(_) => "<unavailable>".to_owned(),
        }
    }
}
