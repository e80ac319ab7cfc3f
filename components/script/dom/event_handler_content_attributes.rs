//! Event handlers that are written into attributes: `onclick="..."`.
//!
//! <https://html.spec.whatwg.org/multipage/webappapis.html#event-handler-content-attributes>

use html5ever::ns;

use super::element::Element;
use super::event_target::EventTarget;
use crate::bindings::generated::NodeMethods;
use crate::bindings::report::report_exception;
use crate::bindings::{Dom, Fallible, Realm, ToJs, Value};
use crate::environment::Environment;

/// The handlers of `GlobalEventHandlers`.
const OF_ELEMENTS: &[&str] = &[
    "onabort",
    "onblur",
    "oncancel",
    "onchange",
    "onclick",
    "onclose",
    "onerror",
    "onfocus",
    "onformdata",
    "oninput",
    "oninvalid",
    "onkeydown",
    "onkeyup",
    "onload",
    "onreset",
    "onselect",
    "onsubmit",
];

/// The handlers that a `body` element sets on its window.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#window-reflecting-body-element-event-handler-set>
const OF_WINDOWS: &[&str] = &[
    "onblur",
    "onerror",
    "onfocus",
    "onload",
    "onhashchange",
    "onlanguagechange",
    "onmessage",
    "onoffline",
    "ononline",
    "onpagehide",
    "onpageshow",
    "onpopstate",
    "onrejectionhandled",
    "onunhandledrejection",
];

/// An attribute was set or, with `None`, removed.
pub(super) fn changed(realm: &Realm, element: &Element, name: &str, value: Option<&str>) {
    let name = name.to_ascii_lowercase();
    if !name.starts_with("on") || element.read(|data| data.name.ns != ns!(html)) {
        return;
    }
    let of_window = OF_WINDOWS.contains(&name.as_str()) && element.is_html("body");
    if !of_window && !OF_ELEMENTS.contains(&name.as_str()) {
        return;
    }
    let handler = value.map(|body| compile(realm, element, &name, body));
    let result = handler
        .unwrap_or_else(|| Ok(Value::null()))
        .and_then(|handler| {
            let own = Dom::from_ref(element).upcast::<EventTarget>();
            let target = if of_window {
                realm.global::<EventTarget>()
            } else {
                own
            };
            target.map_or(Ok(()), |target| {
                target.set_event_handler(realm, &name[2..], &handler)
            })
        });
    if let Err(error) = result {
        report_exception(realm, error);
    }
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#getting-the-current-value-of-the-event-handler>
fn compile(realm: &Realm, element: &Element, name: &str, body: &str) -> Fallible<Value> {
    let parameters = if name == "onerror" && element.is_html("body") {
        "event, source, lineno, colno, error"
    } else {
        "event"
    };
    let source = format!(
        "(function (document, element) {{ with (document) with (element) \
         return function {name}({parameters}) {{\n{body}\n}}; }})"
    );
    let url = Environment::of(realm)?.base_url();
    let make = realm.evaluate(&source, url.as_str())?;
    let document = element.owner_document(realm)?.to_js(realm)?;
    make.call(
        realm,
        &Value::undefined(),
        &[document, Dom::from_ref(element).value()],
    )
}
