//! What scripts reach through the window of a browsing context.
//!
//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#cross-origin-objects>

use std::rc::Rc;

use super::browsing_context::BrowsingContext;
use super::navigation::{Initiator, Navigation};
use super::page::Page;
use crate::bindings::generated::WindowPostMessageOptions;
use crate::bindings::window_proxy::{self, ProxyHandler, security_error};
use crate::bindings::{Error, Fallible, Object, Realm, Value, convert};
use crate::environment::Environment;
use crate::messaging;

/// What scripts of other origins may see of a window.
const WINDOW_NAMES: &[&str] = &[
    "window",
    "self",
    "location",
    "close",
    "closed",
    "focus",
    "blur",
    "frames",
    "length",
    "top",
    "opener",
    "parent",
    "postMessage",
    "then",
];

impl ProxyHandler for Rc<BrowsingContext> {
    fn is_same_origin(&self, accessor: &Realm, target: &Realm) -> bool {
        match (Environment::of(accessor), Environment::of(target)) {
            (Ok(accessor), Ok(target)) => accessor.full_origin.is_same(&target.full_origin),
            _ => false,
        }
    }

    fn length(&self) -> u32 {
        self.document()
            .map_or(0, |document| document.page.frame_count())
    }

    fn child(&self, index: u32) -> Option<Value> {
        let frames = self.document()?.page.frames_in_order();
        frames.get(index as usize)?.proxy()
    }

    fn named_child(&self, name: &str) -> Option<Value> {
        if name.is_empty() {
            return None;
        }
        let frames = self.document()?.page.frames_in_order();
        frames.iter().find(|frame| frame.name() == name)?.proxy()
    }

    fn cross_origin_property(&self, accessor: &Realm, name: &str) -> Fallible<Option<Value>> {
        let proxy = |context: Option<Rc<BrowsingContext>>| {
            context
                .and_then(|context| context.proxy())
                .unwrap_or_else(Value::null)
        };
        let own = || proxy(Some(Rc::clone(self)));
        Ok(Some(match name {
            "window" | "self" | "frames" => own(),
            "top" => proxy(Some(self.top())),
            "parent" => proxy(Some(self.parent().unwrap_or_else(|| Rc::clone(self)))),
            "opener" => proxy(self.opener()),
            "closed" => Value::boolean(self.is_closing()),
            "length" => Value::number(f64::from(self.length())),
            "location" => {
                let location = CrossOriginLocation(Rc::clone(self));
                window_proxy::create(accessor, None, Rc::new(location))?
            }
            "close" => function(accessor, self, "close", 0, |context, realm, _| {
                context.close_by_script(realm);
                Ok(Value::undefined())
            })?,
            "focus" => function(accessor, self, "focus", 0, |context, _, _| {
                context.focus();
                Ok(Value::undefined())
            })?,
            "blur" => function(accessor, self, "blur", 0, |_, _, _| Ok(Value::undefined()))?,
            "postMessage" => function(accessor, self, "postMessage", 1, post_message)?,
            _ => return Ok(None),
        }))
    }

    fn set_cross_origin_property(
        &self,
        accessor: &Realm,
        name: &str,
        value: &Value,
    ) -> Fallible<bool> {
        if name != "location" {
            return Ok(false);
        }
        go(self, accessor, value, false)?;
        Ok(true)
    }

    fn cross_origin_names(&self) -> &'static [&'static str] {
        WINDOW_NAMES
    }
}

/// The location of a window, for scripts of other origins.
struct CrossOriginLocation(Rc<BrowsingContext>);

impl ProxyHandler for CrossOriginLocation {
    fn is_same_origin(&self, _: &Realm, _: &Realm) -> bool {
        false
    }

    fn length(&self) -> u32 {
        0
    }

    fn child(&self, _: u32) -> Option<Value> {
        None
    }

    fn named_child(&self, _: &str) -> Option<Value> {
        None
    }

    fn cross_origin_property(&self, accessor: &Realm, name: &str) -> Fallible<Option<Value>> {
        if name != "replace" {
            return Ok(None);
        }
        let replace = function(accessor, &self.0, name, 1, |context, realm, arguments| {
            let [url, ..] = arguments else {
                return Err(Error::Type("a URL is needed".to_owned()));
            };
            go(context, realm, url, true)?;
            Ok(Value::undefined())
        })?;
        Ok(Some(replace))
    }

    fn set_cross_origin_property(
        &self,
        accessor: &Realm,
        name: &str,
        value: &Value,
    ) -> Fallible<bool> {
        if name != "href" {
            return Ok(false);
        }
        go(&self.0, accessor, value, false)?;
        Ok(true)
    }

    fn cross_origin_names(&self) -> &'static [&'static str] {
        &["href", "replace", "then"]
    }
}

/// A function of the script's own realm that does something with a browsing context. It gets the
/// realm of its caller.
///
/// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#cross-origin-property-descriptor-map>
fn function(
    accessor: &Realm,
    context: &Rc<BrowsingContext>,
    name: &str,
    length: u16,
    run: fn(&Rc<BrowsingContext>, &Realm, &[Value]) -> Fallible<Value>,
) -> Fallible<Value> {
    let context = Rc::clone(context);
    Value::new_function(accessor, name, length, move |realm, arguments| {
        run(&context, realm, arguments)
    })
}

fn go(
    context: &Rc<BrowsingContext>,
    accessor: &Realm,
    url: &Value,
    replaces: bool,
) -> Fallible<()> {
    let url = url.to_dom_string(accessor)?.to_string();
    let page = accessor.service::<Page>();
    if page.is_some_and(|page| !page.may_navigate(context)) {
        return Err(security_error("send this window elsewhere"));
    }
    context.navigate(Navigation {
        replaces,
        initiator: Initiator::of(accessor),
        ..Navigation::to(Environment::of(accessor)?.parse_url(&url)?)
    });
    Ok(())
}

fn post_message(
    context: &Rc<BrowsingContext>,
    source: &Realm,
    arguments: &[Value],
) -> Fallible<Value> {
    let [message, rest @ ..] = arguments else {
        return Err(Error::Type("a message is needed".to_owned()));
    };
    let Some(target) = context.document() else {
        return Ok(Value::undefined());
    };
    let (target_origin, transfer): (String, Vec<Object>) = match rest {
        [origin, rest @ ..] if !origin.is_object() && !origin.is_undefined() => {
            let transfer = match rest {
                [transfer, ..] if !transfer.is_undefined() => {
                    convert::sequence(source, transfer, |_, value| convert::object(value))?
                }
                _ => Vec::new(),
            };
            (origin.to_dom_string(source)?.to_string(), transfer)
        }
        _ => {
            let options = rest.first().cloned().unwrap_or_else(Value::undefined);
            let options = WindowPostMessageOptions::from_js(source, &options)?;
            (options.target_origin.to_string(), options.parent.transfer)
        }
    };
    messaging::window::post(&target.realm, source, message, &target_origin, &transfer)?;
    Ok(Value::undefined())
}
